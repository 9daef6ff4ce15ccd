"""The plain kinds of parameter.

Each parameter is one column of the unit cube. A continuous one is an affine (or logarithmic) image of its range. One
with `n_levels` levels divides the column into cells; a value sits at the centre of its cell and a whole cell decodes to
it, so uniform points in the cube are uniform over levels (over the logarithm, with `log=True`).

| method | gives |
|---|---|
| `check(value)` | the value as the study stores it, or SpaceError |
| `parse(cell)` | the value that a cell of a table means, to be checked: text that spells it, or the value |
| `check_executed(value)` | a value that was set instead: numbers may lie off the grid or outside the range |
| `code(value)` | the number that stands for a value: itself, or the place in its list; `value(code)` goes back |
| `place(codes)` | positions in [0, 1], shape `n` |
| `decode(u)` | plain Python values, from positions of shape `n` |
| `centres()` | the positions of all levels, in order |
| `same` | positions that differ by less are one value |
| `n_levels`, `is_ordered` | how many values (None: a continuum), and whether neighbours mean anything |
"""

import math
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from bbo.errors import SpaceError

Column = NDArray[np.float64]
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr | None
_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
# A value given by hand may differ from its level by the rounding of a spreadsheet; a tenth of a millionth of a step.
_LEVEL_TOLERANCE = 1e-7
# So near to a level a value is on it: a narrow grid far from 0 has no more digits, e.g. 1.7e9 in steps of 0.001.
_STEP_TOLERANCE = 0.01
_LARGEST_INT = 2**53
# Floats that agree within this share of the cube are one point.
_SAME = 1e-9


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _number(name: str, value: object) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise SpaceError(f"Parameter {name!r} is a number: got {value!r}.")
    try:
        return float(value)
    except OverflowError:
        raise SpaceError(f"Parameter {name!r} got a number beyond all bounds, of {len(str(value))} digits.") from None


def number_in(text: str) -> float:
    """The number that people mean by a text; Python would take 1_0 for 10.

    Raises:
        ValueError: it is none.
    """
    return float(text.replace("_", "?"))


def _parsed_number(name: str, cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    try:
        number = number_in(cell)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise SpaceError(f"Parameter {name!r} is a number, with a point before decimals: got {cell!r}.")
    return number


def _spelling(value: object) -> str:
    """How a table may spell a value, so that 1, 1.0 and " 1 " are alike, and True and TRUE."""
    text = str(value).strip().casefold()
    try:
        return repr(number_in(text))
    except ValueError:
        return text


@dataclass(frozen=True, config=_CONFIG)
class Float:
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
    kind: Literal["float"] = Field(default="float", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @model_validator(mode="after")
    def _validate(self) -> Self:
        _check_range(self)
        _require(
            math.isfinite(self.high - self.low),
            f"Float {self.name!r}: high - low must be finite, got [{self.low!r}, {self.high!r}]. Change the unit.",
        )
        if self.step is not None:
            _require(self.step > 0, f"Float {self.name!r}: step must be positive, got {self.step!r}.")
            _require(not self.log, f"Float {self.name!r}: log and step exclude each other; drop one of them.")
            steps = (self.high - self.low) / self.step
            whole = max(1, round(steps))
            _require(
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
        return _SAME if self.n_levels is None else min(_SAME, 0.25 / self.n_levels)

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
        number = _number(self.name, value)
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
        return _parsed_number(self.name, cell)

    def check_executed(self, value: object) -> float:
        number = _number(self.name, value)
        if not math.isfinite(number) or (self.log and number <= 0):
            raise SpaceError(f"Parameter {self.name!r} is {'above 0' if self.log else 'finite'}: got {number!r}.")
        if self.step is not None and self.low <= number <= self.high:
            level = self._level(round((number - self.low) / self.step))
            return level if abs(number - level) <= _LEVEL_TOLERANCE * self.step else number
        return number

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
            return [self._level(int(k)) for k in _cells(u, self.n_levels)]
        span = self.high - self.low
        v = np.exp(math.log(self.low) + u * self._log_span) if self.log else self.low + u * span
        values: list[float] = np.minimum(np.maximum(v, self.low), self.high).tolist()
        return values


@dataclass(frozen=True, config=_CONFIG)
class Int:
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
    kind: Literal["int"] = Field(default="int", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @model_validator(mode="after")
    def _validate(self) -> Self:
        _check_range(self)
        _require(
            max(abs(self.low), abs(self.high)) <= _LARGEST_INT,
            f"Int {self.name!r}: bounds lie within 2**53, beyond floats skip numbers: got [{self.low}, {self.high}].",
        )
        _require(self.step >= 1, f"Int {self.name!r}: step must be at least 1, got {self.step!r}.")
        _require(not (self.log and self.step > 1), f"Int {self.name!r}: log and step exclude each other; drop one.")
        left = (self.high - self.low) % self.step
        _require(
            left == 0,
            f"Int {self.name!r}: high - low must be a whole number of steps of {self.step}. "
            f"Use high={self.high - left} or another step.",
        )
        return self

    @property
    def n_levels(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def same(self) -> float:
        if not self.log:
            return min(_SAME, 0.25 / self.n_levels)
        low, high = self._log_edges
        return min(_SAME, 0.25 * math.log((self.high + 0.5) / (self.high - 0.5)) / (high - low))

    @cached_property
    def _log_edges(self) -> tuple[float, float]:
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def centres(self) -> Column:
        return self.place(np.arange(self.low, self.high + 1, self.step, dtype=np.float64))

    def check(self, value: object) -> int:
        number = _number(self.name, value)
        _check_inside(self, number)
        if number != round(number) or (round(number) - self.low) % self.step:
            raise SpaceError(
                f"Parameter {self.name!r} is a whole number in steps of {self.step} from {self.low}: got {value!r}."
            )
        return round(number)

    def parse(self, cell: object) -> object:
        return _parsed_number(self.name, cell)

    def check_executed(self, value: object) -> int:
        number = _number(self.name, value)
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
        return [self.low + self.step * int(k) for k in _cells(u, self.n_levels)]


class _Listed:
    """What Ordinal and Categorical share: values in a list, found by type and value."""

    name: str
    is_ordered: ClassVar[bool]

    @property
    def listed(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @cached_property
    def _index(self) -> dict[tuple[str, Any], int]:
        return {_identity(value): k for k, value in enumerate(self.listed)}

    @property
    def n_levels(self) -> int:
        return len(self.listed)

    @property
    def same(self) -> float:
        return min(_SAME, 0.25 / self.n_levels)

    def _check_list(self, word: str) -> None:
        kind = type(self).__name__
        _require(len(self.listed) > 0, f"{kind} {self.name!r}: needs at least one of {word}, got none.")
        for k, value in enumerate(self.listed):
            _require(self._index[_identity(value)] == k, f"{kind} {self.name!r}: {value!r} stands twice in {word}.")

    def centres(self) -> Column:
        return (np.arange(self.n_levels) + 0.5) / self.n_levels

    def check(self, value: object) -> Any:
        plain = value.item() if isinstance(value, np.generic) else value
        k = self._index.get(_identity(plain)) if isinstance(plain, (str, int, float, bool, type(None))) else None
        if k is None:
            raise SpaceError(
                f"Parameter {self.name!r} is one of {list(self.listed)!r}: got {value!r}. Mend the spelling; "
                "an experiment made with another is left out, or begin a study that has it among them."
            )
        return self.listed[k]

    def parse(self, cell: object) -> object:
        try:
            return self.check(cell)
        except SpaceError:
            alike = [v for v in self.listed if _spelling(v) == _spelling(cell)]
            exact = [v for v in alike if str(v) == str(cell).strip()]
            if len(exact or alike) != 1:
                raise
            return (exact or alike)[0]

    def check_executed(self, value: object) -> Any:
        return self.check(value)

    def code(self, value: Any) -> float:
        return float(self._index[_identity(value)])

    def value(self, code: float) -> Any:
        return self.listed[int(code)]

    def place(self, codes: Column) -> Column:
        return (codes + 0.5) / self.n_levels

    def decode(self, u: Column) -> list[Any]:
        return [self.listed[k] for k in _cells(u, self.n_levels)]


@dataclass(frozen=True, config=_CONFIG)
class Ordinal(_Listed):
    """One of some values that have an order but no distance, e.g. `Ordinal("batch", [16, 32, 64])`."""

    name: str
    values: tuple[Scalar, ...] = Field(strict=False)
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["ordinal"] = Field(default="ordinal", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @property
    def listed(self) -> tuple[Any, ...]:
        return self.values

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self._check_list("values")
        return self


@dataclass(frozen=True, config=_CONFIG)
class Categorical(_Listed):
    """One of some choices without order, e.g. `Categorical("kernel", ["rbf", "poly"])`; None is a choice too."""

    name: str
    choices: tuple[Scalar, ...] = Field(strict=False)
    kind: Literal["categorical"] = Field(default="categorical", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = False

    @property
    def listed(self) -> tuple[Any, ...]:
        return self.choices

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self._check_list("choices")
        return self


Parameter = Annotated[Float | Int | Ordinal | Categorical, Field(discriminator="kind")]


def _identity(value: Any) -> tuple[str, Any]:
    """Keeps True, 1 and "1" apart; 1 and 1.0 are one number, as they are in a spreadsheet."""
    return ("number" if type(value) in (int, float) else type(value).__name__, value)


def _cells(u: Column, n_levels: int) -> NDArray[np.int64]:
    return np.clip(np.floor(np.asarray(u) * n_levels), 0, n_levels - 1).astype(np.int64)


def _check_range(p: Float | Int) -> None:
    kind = type(p).__name__
    _require(p.low < p.high, f"{kind} {p.name!r}: low must be below high, got low={p.low!r}, high={p.high!r}.")
    _require(
        not (p.log and p.low <= 0),
        f"{kind} {p.name!r}: log needs low > 0, got low={p.low!r}. Raise low or drop log=True.",
    )


def _check_inside(p: Float | Int, number: float) -> None:
    if not p.low <= number <= p.high:  # also refuses NaN
        raise SpaceError(f"Parameter {p.name!r} lies in [{p.low!r}, {p.high!r}]: got {number!r}.")
