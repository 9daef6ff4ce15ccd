"""What the parameters of a point have to satisfy together.

Values are given by the names of terms (see `bbo.space.parameters`), columns of many points as arrays. A constraint says
something of a point only where all of its parameters are there. `holds(columns, sizes)` says for which of n points it
does; `sizes` are how large numbers are by term, of which rounding is a share. Of a pool it is said by positions, see
`bbo.space.rows`, and of a function by whole points.

Of some a log cannot hold all: read from there they are `is_absent`, equal to what they were, and raise their `absence`
where they are needed; `Space.filled_from` takes them from the space that is passed again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainValidator, field_serializer, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.fingerprints import called, fingerprint
from bbo.space.expressions import Expression
from bbo.space.pool import Pool
from bbo.space.values import BY_NAME, CONFIG, When, identity, require

# A constraint may be missed by so much of what its terms amount to: rounding of values that people write.
SLACK = 1e-7
Mask = NDArray[np.bool_]


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Linear:
    """A weighted sum of numbers that stays within bounds: `Linear({"mix.sand": 1, "water": -0.5}, upper=0)`.

    Args:
        coefficients: by number: a Float or Int, a part of a Simplex, `mix.sand`, or the place of an item, `tour.A`.
        lower, upper: bounds of the sum; equal ones demand equality.
        between_points: the sum is over all points of one ask together, such as what they use of a stock; the numbers in
            it are then always there. A point by itself is not judged by it.
    """

    coefficients: Annotated[dict[str, float], BY_NAME]
    lower: float | None = Field(default=None, kw_only=True)
    upper: float | None = Field(default=None, kw_only=True)
    between_points: bool = Field(default=False, kw_only=True)
    kind: Literal["linear"] = Field(default="linear", kw_only=True, repr=False)
    is_absent: ClassVar[bool] = False

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
        end = " over all points of an ask" if self.between_points else ""
        if low == high:
            return f"{terms} = {high:g}{end}"
        if high == math.inf:
            return f"{terms} >= {low:g}{end}"
        return f"{'' if low == -math.inf else f'{low:g} <= '}{terms} <= {high:g}{end}"


def _text_or_function(given: Any) -> Any:
    require(
        given is None or isinstance(given, str) or callable(given),
        f"A condition is a text or a function: got {given!r}.",
    )
    return given


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Nonlinear:
    """A condition on parameters: `Nonlinear("pressure * volume <= 40 and solvent != 'water'")`, or as a function
    `Nonlinear(lambda p: p["pressure"] * p["volume"] <= 40)`.

    Args:
        condition: text, in which names that are no plain names stand in backticks: `` `flow rate` < 2``; for what else
            may stand in it see `bbo.space.expressions`. Or a function that takes the params of a point and returns
            whether it may be. It gives the same for the same point, whenever and wherever it is called.
        function, fingerprint: what a log holds of a function, whose condition is then None: what it is called, and a
            hash by which it is known again; see `bbo.fingerprints`.
    """

    condition: Annotated[str | Callable[[dict[str, Any]], bool] | None, PlainValidator(_text_or_function)] = None
    function: str | None = Field(default=None, kw_only=True)
    fingerprint: str | None = Field(default=None, kw_only=True)
    kind: Literal["nonlinear"] = Field(default="nonlinear", kw_only=True, repr=False)
    between_points: ClassVar[bool] = False

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if isinstance(self.condition, str):
            require(
                bool(self.expression and self.expression.names), f"Nonlinear names no parameter: {self.condition!r}."
            )
        elif self.condition is not None and self.fingerprint is None:
            object.__setattr__(self, "function", called(self.condition))
            object.__setattr__(self, "fingerprint", fingerprint(self.condition))
        require(
            (self.function is None) == (self.fingerprint is None) == isinstance(self.condition, str),
            "Nonlinear takes a condition, a text or a function; or function and fingerprint, as a log has them: "
            f"got {self.condition!r}, function={self.function!r}, fingerprint={self.fingerprint!r}.",
        )
        return self

    @field_serializer("condition")
    def _text(self, condition: Any) -> str | None:
        return condition if isinstance(condition, str) else None

    @property
    def _logged(self) -> tuple[str | None, ...]:
        return self._text(self.condition), self.function, self.fingerprint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nonlinear) and self._logged == other._logged

    def __hash__(self) -> int:
        return hash(self._logged)

    def __repr__(self) -> str:
        if self.function is None:
            return f"Nonlinear(condition={self.condition!r})"
        return f"Nonlinear(function={self.function!r}, fingerprint={self.fingerprint!r})"

    @cached_property
    def expression(self) -> Expression | None:
        """Of a text."""
        return Expression(self.condition) if isinstance(self.condition, str) else None

    @property
    def is_function(self) -> bool:
        """So that it takes whole points, by `holds_at`."""
        return self.function is not None

    @property
    def is_absent(self) -> bool:
        return self.condition is None

    @property
    def absence(self) -> SpaceError:
        """What is said where the function is needed and not at hand."""
        return SpaceError(
            f"A log holds no more of {self} than its name and fingerprint: pass the space again in Python, as "
            "Study(space, ...) or Study.load(..., space=space)."
        )

    @property
    def names(self) -> tuple[str, ...]:
        """None of a function, which may look at all that is there."""
        return () if self.expression is None else tuple(dict.fromkeys(self.expression.names))

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset() if self.expression is None else self.expression.numbers

    @property
    def compared(self) -> tuple[tuple[str, Any], ...]:
        """Names that a text compares with a value by == or !=, and that value."""
        return () if self.expression is None else self.expression.compared

    def holds(self, columns: Mapping[str, Any], sizes: Mapping[str, float]) -> Mask:
        n = len(next(iter(columns.values())))
        assert self.expression is not None
        is_so: Mask = np.broadcast_to(np.asarray(self.expression.holds(columns), dtype=bool), (n,))
        return is_so

    def holds_at(self, points: Sequence[Mapping[str, Any]]) -> Mask:
        """Of which points a function says so, `n`.

        Raises:
            SpaceError: the function is absent, raises, or returns something else than a truth value.
        """
        if self.is_absent:
            raise self.absence
        return np.array([self._is_so(point) for point in points], dtype=bool)

    def _is_so(self, point: Mapping[str, Any]) -> bool:
        assert callable(self.condition)
        try:
            # A copy, amounts and orders too, so that whatever the function does to it stays with it.
            said = self.condition(deepcopy(dict(point)))
        except Exception as error:
            raise SpaceError(
                f"{self} raised {type(error).__name__} at {dict(point)!r}: {error}. It must say of any point within "
                "the ranges whether it may be; parameters that are not there under conditions are not in it."
            ) from error
        if not isinstance(said, (bool, np.bool_)):
            raise SpaceError(f"{self} must return True or False: got {said!r} at {dict(point)!r}.")
        return bool(said)

    def __str__(self) -> str:
        if isinstance(self.condition, str):
            return self.condition
        return f"{self.function}" if f"{self.function}".startswith("lambda") else f"{self.function}(point)"


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Forbidden:
    """Values that do not go together: `Forbidden({"solvent": ["water", "ethanol"], "base": ["NaH"]})`.

    Args:
        combination: by parameter, values of which no point has one from each list.
    """

    combination: When
    kind: Literal["forbidden"] = Field(default="forbidden", kw_only=True, repr=False)
    between_points: ClassVar[bool] = False
    is_absent: ClassVar[bool] = False

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


Constraint = Annotated[Linear | Nonlinear | Forbidden | Pool, Field(discriminator="kind")]
