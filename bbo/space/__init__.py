"""What may be varied: parameters, the space they span, and its encoding to the unit cube."""

from bbo.space.parameters import Categorical, Float, Int, Ordinal, Parameter
from bbo.space.space import Params, Space

__all__ = ["Categorical", "Float", "Int", "Ordinal", "Parameter", "Params", "Space"]
