"""Studies as tables: a row per trial, a column per parameter and metric, in the user's units."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bbo.errors import ObjectiveError
from bbo.fold import Fold
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.trial import Status

if TYPE_CHECKING:
    import pandas as pd

# Columns beside parameters and metrics. `add` passes over them, so that one study's frame goes into another.
BOOKKEEPING = ("trial", "status", "feasible", "reason", "note", "trial_cost", "asked_at", "ended_at")


def check_names(space: Space, objectives: Objectives) -> None:
    """Raises ObjectiveError where a parameter and a metric would need the same column."""
    for metric in objectives.metrics:
        if metric in space.names:
            raise ObjectiveError(
                f"{metric!r} is both a parameter and a metric; rename one, tables need a column for each."
            )
    taken = [name for name in (*space.names, *objectives.metrics) if name in BOOKKEEPING]
    if taken:
        raise ObjectiveError(f"Tables of trials have columns {list(BOOKKEEPING)} of their own: rename {taken}.")


def to_frame(fold: Fold) -> "pd.DataFrame":
    """All trials by number; NaN where a trial has no value."""
    import pandas as pd

    history = fold.history()
    n = fold.n_trials
    points = [fold.params(k) for k in range(n)]
    columns: dict[str, Any] = {"trial": np.arange(n), "status": [fold.status(k).value for k in range(n)]}
    columns |= {name: [p[name] for p in points] for name in history.space.names}
    columns |= {metric: history.V[:, j] for j, metric in enumerate(history.objectives.metrics)}
    if history.objectives.constraints:
        columns["feasible"] = history.is_feasible
    if not np.isnan(history.cost).all():
        columns["trial_cost"] = history.cost
    columns |= {key: list(texts) for key, texts in fold.texts().items()}
    return pd.DataFrame(columns)


def rows_of(frame: "pd.DataFrame", space: Space, objectives: Objectives) -> Iterator[tuple[Params, dict[str, float]]]:
    """Points and their values, checked, from a table of past data.

    Raises:
        ObjectiveError: a column that is neither a parameter nor a metric, or a missing one; a row without its values.
        SpaceError: a row outside the space. Both name the row.
    """
    known = (*space.names, *objectives.metrics)
    unknown = [c for c in frame.columns if c not in known and c not in BOOKKEEPING]
    missing = [c for c in (*space.names, *objectives.required) if c not in frame.columns]
    if unknown or missing:
        raise ObjectiveError(
            f"Past data has a column for each of {list(known)}: unknown are {unknown}, missing are {missing}."
        )
    if "status" in frame.columns:
        foreign = sorted({str(s) for s in frame["status"]} - {s.value for s in Status})
        if foreign:
            raise ObjectiveError(f"The column 'status' is of bbo's own tables: got {foreign}; rename or drop it.")
        frame = frame[frame["status"] == Status.COMPLETED.value]
    for label, row in zip(frame.index, frame.to_dict("records"), strict=True):
        try:
            params = space.check({name: _none_for_nan(row[name]) for name in space.names})
            told = {
                m: row[m]
                for m in objectives.metrics
                if m in row and not (m not in objectives.required and _nan(row[m]))
            }
            yield params, objectives.check(told)
        except ValueError as error:
            raise type(error)(f"Row {label}: {error}") from error


def _none_for_nan(value: Any) -> Any:
    """A cell that a table lost to NaN was None: no parameter has NaN as a value."""
    return None if _nan(value) else value


def _nan(value: Any) -> bool:
    """Whether a cell is empty, in any of the ways that pandas has for it."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and np.isnan(value))
