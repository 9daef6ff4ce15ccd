"""Numbers: real ones and whole ones, on an axis that may be logarithmic or a grid."""

import math
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.space.values import CONFIG, SAME, Column, OneColumn, When, as_number, cells_of, parsed_number, require

# A value given by hand may differ from its level by the rounding of a spreadsheet; a tenth of a millionth of a step.
_LEVEL_TOLERANCE = 1e-7
# So near to a level a value is on it: a narrow grid far from 0 has no more digits, e.g. 1.7e9 in steps of 0.001.
_STEP_TOLERANCE = 0.01
_LARGEST_INT = 2**53


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Float(OneColumn):
    """A real number in [low, high]; on the grid low, low + step, ... when `step` is given.

    Args:
        low, high: bounds, both attainable.
        log: search the logarithm; needs low > 0 and no step.
        step: distance of the grid; high - low must be a whole number of steps.
        unit: for people and headers, e.g. "degC".
    """

    name: str
    low: float
    high: float
    log: bool = Field(default=False, kw_only=True)
    step: float | None = Field(default=None, kw_only=True)
    unit: str | None = Field(default=None, kw_only=True)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["float"] = Field(default="float", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @model_validator(mode="after")
    def _validate(self) -> Self:
        _check_range(self)
        require(
            math.isfinite(self.high - self.low),
            f"Float {self.name!r}: high - low must be finite, got [{self.low!r}, {self.high!r}]. Change the unit.",
        )
        if self.step is not None:
            require(self.step > 0, f"Float {self.name!r}: step must be positive, got {self.step!r}.")
            require(not self.log, f"Float {self.name!r}: log and step exclude each other; drop one of them.")
            steps = (self.high - self.low) / self.step
            whole = max(1, round(steps))
            require(
                abs(steps - whole) <= _LEVEL_TOLERANCE * whole,
                f"Float {self.name!r}: high - low must be a whole number of steps, got {steps:g} of {self.step!r}. "
                f"Use high={self._level(math.floor(steps))!r} or another step.",
            )
        return self

    @cached_property
    def n_levels(self) -> int | None:
        return None if self.step is None else 1 + max(1, round((self.high - self.low) / self.step))

    @property
    def same(self) -> float:
        return SAME if self.n_levels is None else min(SAME, 0.25 / self.n_levels)

    @property
    def lines(self) -> dict[str, tuple[float, float]]:
        if self.log:
            return {}
        if self.step is None or self.n_levels is None:
            return {self.name: (self.low, self.high - self.low)}
        return {self.name: (self.low - 0.5 * self.step, self.step * self.n_levels)}

    def _level(self, k: int) -> float:
        assert self.step is not None
        if k == 0 or self.n_levels == k + 1:
            return self.low if k == 0 else self.high
        # Rounding to 12 significant digits gives 0.3, not 0.30000000000000004; but a step keeps 6 digits at least.
        magnitude = math.ceil(math.log10(max(abs(self.low), abs(self.high), self.step)))
        return round(self.low + k * self.step, max(12 - magnitude, 6 - math.floor(math.log10(self.step))))

    @cached_property
    def _log_span(self) -> float:
        return math.log(self.high) - math.log(self.low)

    def centres(self) -> Column:
        assert self.n_levels is not None
        return (np.arange(self.n_levels) + 0.5) / self.n_levels

    def check(self, value: object) -> float:
        number = as_number(self.name, value)
        if self.step is None or not self.low - self.step < number < self.high + self.step:
            _check_inside(self, number)
            return number
        assert self.n_levels is not None
        k = min(max(round((number - self.low) / self.step), 0), self.n_levels - 1)
        level = self._level(k)
        if abs(number - level) > _LEVEL_TOLERANCE * self.step:
            raise SpaceError(
                f"Parameter {self.name!r} has steps of {self.step!r} from {self.low!r}: got {number!r}. "
                f"The nearest is {level!r}."
            )
        return level

    def parse(self, cell: object) -> object:
        return parsed_number(self.name, cell)

    def check_executed(self, value: object) -> float:
        number = as_number(self.name, value)
        if not math.isfinite(number) or (self.log and number <= 0):
            raise SpaceError(f"Parameter {self.name!r} is {'above 0' if self.log else 'finite'}: got {number!r}.")
        if self.step is not None and self.low <= number <= self.high:
            level = self._level(round((number - self.low) / self.step))
            return level if abs(number - level) <= _LEVEL_TOLERANCE * self.step else number
        return number

    def within(self, values: list[float]) -> list[float]:
        return [min(max(value, self.low), self.high) for value in values]

    def code(self, value: float) -> float:
        return value

    def value(self, code: float) -> float:
        return float(code)

    def place(self, codes: Column) -> Column:
        v = codes
        if self.step is not None and self.n_levels is not None:
            steps = (v - self.low) / self.step
            whole = np.rint(steps)  # a value that was executed instead of a level may lie between two
            return (np.where(np.abs(steps - whole) <= _STEP_TOLERANCE, whole, steps) + 0.5) / self.n_levels
        if self.log:
            return (np.log(v) - math.log(self.low)) / self._log_span
        return (v - self.low) / (self.high - self.low)

    def decode(self, u: Column) -> list[float]:
        if self.n_levels is not None:
            return [self._level(int(k)) for k in cells_of(u, self.n_levels)]
        span = self.high - self.low
        v = np.exp(math.log(self.low) + u * self._log_span) if self.log else self.low + u * span
        values: list[float] = np.minimum(np.maximum(v, self.low), self.high).tolist()
        return values


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Int(OneColumn):
    """A whole number low, low + step, ..., high.

    Args:
        low, high: bounds, both attainable.
        log: search the logarithm; needs low >= 1 and step 1.
        step: distance of the grid; high - low must be a whole number of steps.
        unit: for people and headers.
    """

    name: str
    low: int
    high: int
    log: bool = Field(default=False, kw_only=True)
    step: int = Field(default=1, kw_only=True)
    unit: str | None = Field(default=None, kw_only=True)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["int"] = Field(default="int", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @model_validator(mode="after")
    def _validate(self) -> Self:
        _check_range(self)
        require(
            max(abs(self.low), abs(self.high)) <= _LARGEST_INT,
            f"Int {self.name!r}: bounds lie within 2**53, beyond floats skip numbers: got [{self.low}, {self.high}].",
        )
        require(self.step >= 1, f"Int {self.name!r}: step must be at least 1, got {self.step!r}.")
        require(not (self.log and self.step > 1), f"Int {self.name!r}: log and step exclude each other; drop one.")
        left = (self.high - self.low) % self.step
        require(
            left == 0,
            f"Int {self.name!r}: high - low must be a whole number of steps of {self.step}. "
            f"Use high={self.high - left} or another step.",
        )
        return self

    @property
    def n_levels(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def lines(self) -> dict[str, tuple[float, float]]:
        return {} if self.log else {self.name: (self.low - 0.5 * self.step, float(self.step * self.n_levels))}

    @property
    def same(self) -> float:
        if not self.log:
            return min(SAME, 0.25 / self.n_levels)
        low, high = self._log_edges
        return min(SAME, 0.25 * math.log((self.high + 0.5) / (self.high - 0.5)) / (high - low))

    @property
    def reach(self) -> float:
        if not self.log:
            return 0.499 / self.n_levels
        above, below = self.place(np.array([self.high, self.high - 1.0])).tolist()
        return float(0.499 * (above - below))

    @cached_property
    def _log_edges(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def centres(self) -> Column:
        return self.place(np.arange(self.low, self.high + 1, self.step, dtype=np.float64))

    def check(self, value: object) -> int:
        number = as_number(self.name, value)
        _check_inside(self, number)
        if number != round(number) or (round(number) - self.low) % self.step:
            raise SpaceError(
                f"Parameter {self.name!r} is a whole number in steps of {self.step} from {self.low}: got {value!r}."
            )
        return round(number)

    def parse(self, cell: object) -> object:
        return parsed_number(self.name, cell)

    def check_executed(self, value: object) -> int:
        number = as_number(self.name, value)
        if not abs(number) <= _LARGEST_INT or number != round(number) or (self.log and number < 1):
            raise SpaceError(f"Parameter {self.name!r} is a whole number{' from 1' * self.log}: got {value!r}.")
        return int(number)

    def code(self, value: int) -> float:
        return float(value)

    def value(self, code: float) -> int:
        return int(code)

    def place(self, codes: Column) -> Column:
        if self.log:
            low, high = self._log_edges
            return (np.log(codes) - low) / (high - low)
        return ((codes - self.low) / self.step + 0.5) / self.n_levels

    def decode(self, u: Column) -> list[int]:
        if self.log:
            low, high = self._log_edges
            return [int(k) for k in np.clip(np.rint(np.exp(low + u * (high - low))), self.low, self.high)]
        return [self.low + self.step * int(k) for k in cells_of(u, self.n_levels)]


def _check_range(p: Float | Int) -> None:
    kind = type(p).__name__
    require(p.low < p.high, f"{kind} {p.name!r}: low must be below high, got low={p.low!r}, high={p.high!r}.")
    require(
        not (p.log and p.low <= 0),
        f"{kind} {p.name!r}: log needs low > 0, got low={p.low!r}. Raise low or drop log=True.",
    )


def _check_inside(p: Float | Int, number: float) -> None:
    if not p.low <= number <= p.high:  # also refuses NaN
        raise SpaceError(f"Parameter {p.name!r} lies in [{p.low!r}, {p.high!r}]: got {number!r}.")
