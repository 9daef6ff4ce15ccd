"""What the parameters of a point have to satisfy together.

Values are given by the names of terms (see `bbo.space.parameters`), columns of many points as arrays. A constraint says
something of a point only where all of its parameters are there. `holds(columns, sizes)` says for which of n points it
does; `sizes` are how large numbers are by term, of which rounding is a share.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bbo.space.expressions import Expression
from bbo.space.values import BY_NAME, CONFIG, When, identity, require

# A constraint may be missed by so much of what its terms amount to: rounding of values that people write.
SLACK = 1e-7
Mask = NDArray[np.bool_]


@dataclass(frozen=True, config=CONFIG)
class Linear:
    """A weighted sum of numbers that stays within bounds: `Linear({"mix.sand": 1, "water": -0.5}, upper=0)`.

    Args:
        coefficients: by number: a Float or Int, a part of a Simplex, `mix.sand`, or the place of an item, `tour.A`.
        lower, upper: bounds of the sum; equal ones demand equality.
    """

    coefficients: Annotated[dict[str, float], BY_NAME]
    lower: float | None = Field(default=None, kw_only=True)
    upper: float | None = Field(default=None, kw_only=True)
    kind: Literal["linear"] = Field(default="linear", kw_only=True, repr=False)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        require(
            any(self.coefficients.values()),
            f"Linear needs a coefficient that is not 0: got {self.coefficients!r}.",
        )
        require(
            self.lower is not None or self.upper is not None,
            f"Linear needs a lower or an upper bound: {self.coefficients!r} has none.",
        )
        low, high = self.bounds
        require(low <= high, f"{self}: lower must not be above upper, got lower={low!r}, upper={high!r}.")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Infinite where nothing is said."""
        low = -math.inf if self.lower is None else self.lower
        return low, math.inf if self.upper is None else self.upper

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.coefficients)

    @property
    def numbers(self) -> frozenset[str]:
        """Names that must be those of numbers."""
        return frozenset(self.coefficients)

    def holds(self, columns: Mapping[str, Any], sizes: Mapping[str, float]) -> Mask:
        terms = np.array([c * np.asarray(columns[name], dtype=float) for name, c in self.coefficients.items()])
        low, high = self.bounds
        finite = [abs(bound) for bound in (low, high) if math.isfinite(bound)]
        slack = SLACK * (
            math.fsum(abs(c) * sizes.get(name, 0.0) for name, c in self.coefficients.items()) + max(finite)
        )
        total = terms.sum(0)
        is_within: Mask = (low - slack <= total) & (total <= high + slack)
        return is_within

    def __str__(self) -> str:
        terms = " ".join(f"{'-' if c < 0 else '+'} {abs(c):g} {name}" for name, c in self.coefficients.items())
        terms = terms.removeprefix("+ ").replace(" 1 ", " ").removeprefix("1 ")
        low, high = self.bounds
        if low == high:
            return f"{terms} = {high:g}"
        if high == math.inf:
            return f"{terms} >= {low:g}"
        return f"{'' if low == -math.inf else f'{low:g} <= '}{terms} <= {high:g}"


@dataclass(frozen=True, config=CONFIG)
class Nonlinear:
    """A condition on parameters, as text: `Nonlinear("pressure * volume <= 40 and solvent != 'water'")`.

    Names that are no plain names stand in backticks: `` `flow rate` < 2``. For what may stand in it see
    `bbo.space.expressions`.
    """

    condition: str
    kind: Literal["nonlinear"] = Field(default="nonlinear", kw_only=True, repr=False)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        require(bool(self.expression.names), f"Nonlinear names no parameter: {self.condition!r}.")
        return self

    @cached_property
    def expression(self) -> Expression:
        return Expression(self.condition)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.expression.names))

    @property
    def numbers(self) -> frozenset[str]:
        return self.expression.numbers

    def holds(self, columns: Mapping[str, Any], sizes: Mapping[str, float]) -> Mask:
        n = len(next(iter(columns.values())))
        is_so: Mask = np.broadcast_to(np.asarray(self.expression.holds(columns), dtype=bool), (n,))
        return is_so

    def __str__(self) -> str:
        return self.condition


@dataclass(frozen=True, config=CONFIG)
class Forbidden:
    """Values that do not go together: `Forbidden({"solvent": ["water", "ethanol"], "base": ["NaH"]})`.

    Args:
        combination: by parameter, values of which no point has one from each list.
    """

    combination: When
    kind: Literal["forbidden"] = Field(default="forbidden", kw_only=True, repr=False)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        require(bool(self.combination), "Forbidden names no parameter: give values that do not go together.")
        empty = [name for name, values in self.combination.items() if not values]
        require(not empty, f"Forbidden has no values for {empty}: name those that do not go with the others.")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.combination)

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset()

    def holds(self, columns: Mapping[str, Any], sizes: Mapping[str, float]) -> Mask:
        is_met: Mask = np.ones(len(columns[self.names[0]]), dtype=bool)
        for name, values in self.combination.items():
            wanted = set(map(identity, values))
            column: Sequence[Any] = np.asarray(columns[name], dtype=object).tolist()
            is_met &= [identity(value) in wanted for value in column]
        return ~is_met

    def __str__(self) -> str:
        said = " with ".join(f"{name} in {list(values)!r}" for name, values in self.combination.items())
        return f"never {said}"


Constraint = Annotated[Linear | Nonlinear | Forbidden, Field(discriminator="kind")]
