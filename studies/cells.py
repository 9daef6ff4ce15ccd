"""Headers and cells of people's tables: typed values, or text as a CSV or a spreadsheet has them."""

import difflib
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from bbo.errors import ObjectiveError, SpaceError, TrialError
from bbo.objective import Objectives
from bbo.space import Space
from bbo.space.values import number_in
from bbo.trial import FailureReason, Status

if TYPE_CHECKING:
    import pandas as pd


class Cell(Enum):
    """What a cell says that has no value."""

    EMPTY = "nothing"


EMPTY = Cell.EMPTY
# What an empty cell becomes on its way through a CSV.
_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
_WITH_UNIT = re.compile(r"(?P<name>.*\S)\s*[\[(](?P<unit>[^\[\]()]*)[\])]")
# Names so alike that one was meant; "operator" and "temperature" are alike by 0.63.
_NEAR = 0.75
# What a status cell may say: nothing yet, or how the trial ended.
_STATUSES: dict[str, Status | FailureReason | None] = {
    "": None,
    "running": None,
    "paused": None,
    "completed": Status.COMPLETED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
    "failed": FailureReason.INVALID,
    **{reason.value: reason for reason in FailureReason},
}


def header(name: str, unit: str | None) -> str:
    """`temperature [degC]`, or the plain name."""
    return f"{name} [{unit}]" if unit else name


def units_of(space: Space, objectives: Objectives) -> dict[str, str | None]:
    """Of each parameter and metric, in the order of a table."""
    parameters = {name: getattr(cell, "unit", None) for name, cell in space.cells.items()}
    return parameters | {m: objectives.units.get(m) for m in objectives.metrics}


def cost_column(space: Space, objectives: Objectives) -> str:
    """The column of a trial's cost: `cost`, unless a parameter or metric has that name."""
    return "trial_cost" if "cost" in units_of(space, objectives) else "cost"


def sd_columns(space: Space, objectives: Objectives) -> dict[str, str]:
    """By metric the column of its noise, `sd of yield`, unless a parameter or metric has that name."""
    taken = units_of(space, objectives)
    return {m: f"sd of {m}" for m in objectives.metrics if f"sd of {m}" not in taken}


def columns_of(
    headers: Iterable[object], space: Space, objectives: Objectives, *, others: Sequence[str], ignore: Sequence[str]
) -> dict[str, int]:
    """Places of the columns in a table by parameter, metric and the names in `others`; those in `ignore` are left out.

    Raises:
        ObjectiveError: columns that are none of these, or one that stands twice.
        SpaceError, ObjectiveError: another unit than the study's.
    """
    units = units_of(space, objectives) | dict.fromkeys(others)
    units |= {title: objectives.units.get(m) for m, title in sd_columns(space, objectives).items()}
    passed_over = {name.strip().casefold() for name in ignore}
    columns: dict[str, int] = {}
    unknown: list[str] = []
    for place, title in enumerate(headers):
        text = str(title).replace("\ufeff", "").strip()  # the mark that some programs begin a CSV with
        if text.casefold() in passed_over:
            continue
        name, unit = _meant(text, units)
        if name is None:
            unknown.append(text)
            continue
        if unit and unit != (units[name] or ""):
            error = SpaceError if name in space.cells else ObjectiveError
            there = f"is in {units[name]}" if units[name] else "has no unit in this study"
            raise error(f"{name} {there}, the table says {unit}: convert the column {text!r}, or mend its header.")
        if name in columns:
            raise ObjectiveError(f"The table has two columns for {name!r}: drop or rename one.")
        columns[name] = place
    if unknown:
        raise ObjectiveError(
            f"The study has the columns {list(units)}: unknown are {unknown}{_near(unknown, list(units))}. "
            "Rename them, leave them out, or keep a further metric by Tracked(metric) among the objectives."
        )
    return columns


def _meant(text: str, names: Iterable[str]) -> tuple[str | None, str]:
    """The name that a header means, if any, and the unit that it says."""
    found = _WITH_UNIT.fullmatch(text)
    for name, unit in [(text, "")] + ([(found["name"], found["unit"].strip())] if found else []):
        alike = [n for n in names if n.strip().casefold() == name.casefold()]
        exact = [n for n in alike if n == name]
        if len(exact or alike) == 1:
            return (exact or alike)[0], unit
    return None, ""


def _near(unknown: Sequence[str], names: Sequence[str]) -> str:
    by_lower = {name.casefold(): name for name in names}
    near = [
        by_lower[n] for text in unknown for n in difflib.get_close_matches(text.casefold(), by_lower, n=1, cutoff=_NEAR)
    ]
    return f" (did you mean {', '.join(map(repr, near))}?)" if near else ""


def without_margins(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table without the columns that have no name and no cells, which a spreadsheet left."""
    kept = [not _is_margin(title, frame.iloc[:, j]) for j, title in enumerate(frame.columns)]
    return frame.loc[:, kept]


def _is_margin(title: object, column: "pd.Series[Any]") -> bool:
    text = str(title).strip()
    return (text in ("", "nan", "None") or text.startswith("Unnamed: ")) and all(map(is_empty, column.tolist()))


def is_empty(cell: object) -> bool:
    """Whether a cell has no value, in any of the ways that pandas and CSV files have for it."""
    if isinstance(cell, str):
        return cell.strip().casefold() in _NOTHING
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and np.isnan(cell))


def parameter_cell(parameter: Any, cell: object) -> Any:
    """The value that a cell gives a parameter, to be checked; EMPTY where it says nothing.

    Raises:
        SpaceError: text that spells no value.
    """
    if isinstance(cell, str) and cell.strip():
        try:  # a choice may be called "none"
            return parameter.parse(cell)
        except SpaceError:
            if is_empty(cell):
                return EMPTY
            raise
    return EMPTY if is_empty(cell) else parameter.parse(cell)


def metric_cell(metric: str, cell: object) -> Any:
    """A number, a list of replicates from `81; 83; 80`, or EMPTY.

    Raises:
        ObjectiveError: text that is no number.
    """
    if is_empty(cell):
        return EMPTY
    if not isinstance(cell, str):
        return cell
    singles = [_number(metric, part) for part in cell.split(";") if not is_empty(part)]
    if not singles:
        return EMPTY
    return singles[0] if len(singles) == 1 else singles


def _number(metric: str, text: str) -> float:
    try:
        return number_in(text)
    except ValueError:
        raise ObjectiveError(
            f"{metric!r} is a number, with a point before decimals, or several with semicolons between: got {text!r}."
        ) from None


def trial_cell(cell: object) -> int | None:
    """The number of a trial; None where there is none.

    Raises:
        TrialError: not a whole number.
    """
    if is_empty(cell):
        return None
    try:
        number = number_in(cell) if isinstance(cell, str) else None
        if isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool):
            number = float(cell)
    except (ValueError, OverflowError):
        number = None
    if number is None or not number.is_integer():
        raise TrialError(f"A trial is a whole number: got {cell!r}.")
    return int(number)


def status_cell(cell: object) -> Status | FailureReason | None:
    """How a trial ended, with the reason where it failed; None where the cell does not say.

    Raises:
        TrialError: another word.
    """
    word = "" if is_empty(cell) else str(cell).strip().casefold()
    if word not in _STATUSES:
        raise TrialError(f"A status is empty or one of {[w for w, s in _STATUSES.items() if s]}: got {cell!r}.")
    return _STATUSES[word]
