"""What may be varied: parameters, the space they span, and its encoding to the unit cube."""

from bbo.space.constraints import Constraint, Forbidden, Linear, Nonlinear
from bbo.space.encoding import Params
from bbo.space.parameters import Categorical, Float, Int, Molecule, Ordinal, Parameter, Permutation, Simplex
from bbo.space.pool import Pool
from bbo.space.space import Space

__all__ = [
    "Categorical",
    "Constraint",
    "Float",
    "Forbidden",
    "Int",
    "Linear",
    "Molecule",
    "Nonlinear",
    "Ordinal",
    "Parameter",
    "Params",
    "Permutation",
    "Pool",
    "Simplex",
    "Space",
]
