"""What the kinds of parameter share: numbers and texts that people write, and how values are told apart."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from bbo.errors import SpaceError
from bbo.space.structure import MIDDLE

Column = NDArray[np.float64]
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr | None
CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
# Floats that agree within this share of the cube are one point.
SAME = 1e-9


# In the order that a log keeps names in.
BY_NAME = AfterValidator(lambda given: dict(sorted(given.items())) if isinstance(given, dict) else given)
# Values of other parameters, by their names, at one of which each of these must be.
When = Annotated[dict[str, Annotated[tuple[Scalar, ...], Field(strict=False)]], BY_NAME]


class OneColumn:
    """What the kinds share whose value is one number or choice: one column of the cube, one cell of a table."""

    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def n_levels(self) -> int | None:
        raise NotImplementedError

    @property
    def n_values(self) -> int | None:
        return self.n_levels

    @property
    def reach(self) -> float:
        """How far from a level a position may be that is nearer to it than to any other."""
        return 0.499 / (self.n_levels or 1)

    @property
    def absent(self) -> Column:
        return np.array([MIDDLE])

    @property
    def cells(self) -> tuple[Any, ...]:
        return (self,)

    @property
    def terms(self) -> tuple[Any, ...]:
        return (self,)

    @property
    def lines(self) -> dict[str, tuple[float, float]]:
        return {}

    def flat(self, value: Any) -> dict[str, Any]:
        return {self.name: value}

    def by_term(self, value: Any) -> dict[str, Any]:
        return {self.name: value}

    def arrays(self, u: Column) -> dict[str, Any]:
        return {self.name: np.array(self.decode(u), dtype=float)}

    def decode(self, u: Column) -> list[Any]:
        raise NotImplementedError

    def gathered(self, cells: Mapping[str, Any]) -> Any:
        return cells[self.name]

    def within(self, values: list[Any]) -> list[Any]:
        return values


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def as_number(name: str, value: object) -> float:
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


def parsed_number(name: str, cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    try:
        number = number_in(cell)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise SpaceError(f"Parameter {name!r} is a number, with a point before decimals: got {cell!r}.")
    return number


def spelling(value: object) -> str:
    """How a table may spell a value, so that 1, 1.0 and " 1 " are alike, and True and TRUE."""
    text = str(value).strip().casefold()
    try:
        return repr(number_in(text))
    except ValueError:
        return text


def spelt(values: Sequence[Any], cell: object) -> list[Any]:
    """Those of the values that a cell may mean: of several spelled alike the one that is spelled just so."""
    alike = [v for v in values if spelling(v) == spelling(cell)]
    exact = [v for v in alike if str(v) == str(cell).strip()]
    return exact or alike


def identity(value: Any) -> tuple[str, Any]:
    """Keeps True, 1 and "1" apart; 1 and 1.0 are one number, as they are in a spreadsheet."""
    return ("number" if type(value) in (int, float) else type(value).__name__, value)


def repeated(value: Any, n: int) -> NDArray[Any]:
    """An array of one value, `n`: of floats for a number, else of the value as it is."""
    return np.array([value] * n, dtype=float if type(value) in (int, float) else object)


def cells_of(u: Column, n_levels: int) -> NDArray[np.int64]:
    return np.clip(np.floor(np.asarray(u) * n_levels), 0, n_levels - 1).astype(np.int64)
