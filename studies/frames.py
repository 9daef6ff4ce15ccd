"""Studies as tables: a row per trial, a column per parameter and metric, in the user's units."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np

from bbo.errors import ObjectiveError, TrialError
from bbo.events import Event, digest, event
from bbo.fold import Fold
from bbo.history import STATUS_CODES
from bbo.objective import Objectives, Values
from bbo.space import Params, Space
from bbo.studies.cells import (
    EMPTY,
    columns_of,
    cost_column,
    is_empty,
    metric_cell,
    parameter_cell,
    sd_columns,
    status_cell,
    without_margins,
)
from bbo.studies.log import writer
from bbo.studies.telling import clean
from bbo.trial import TELLING, FailureReason, Status, Trial

if TYPE_CHECKING:
    import pandas as pd

# A mean that went through a file agrees with that of the single measurements.
_KEPT = 1e-9
# Columns beside parameters and metrics. `add` reads the replicates and how a trial ended and passes over the others, so
# one study's frame goes into another.
BOOKKEEPING = (
    *("trial", "status", "feasible", "trial_cost", "suggested", "replicates"),
    *("reason", "message", "note", "asked_at", "ended_at"),
)


def bookkeeping(space: Space, objectives: Objectives) -> list[str]:
    """The columns beside parameters and metrics that this study's tables may have, that of the cost among them."""
    return list(dict.fromkeys([*BOOKKEEPING, cost_column(space, objectives)]))


def check_names(space: Space, objectives: Objectives) -> None:
    """Raises ObjectiveError where a parameter and a metric would need the same column."""
    for metric in objectives.metrics:
        if metric in (*space.names, *space.cells):
            raise ObjectiveError(
                f"{metric!r} is both a parameter and a metric; rename one, tables need a column for each."
            )
    taken = [name for name in (*space.cells, *objectives.metrics) if name in BOOKKEEPING]
    if taken:
        raise ObjectiveError(f"Tables of trials have columns {list(BOOKKEEPING)} of their own: rename {taken}.")


def to_frame(fold: Fold) -> "pd.DataFrame":
    """All trials by number; NaN where a trial has no value."""
    import pandas as pd

    history = fold.history()
    n = fold.n_trials
    points = [fold.space.flat(fold.params(k)) for k in range(n)]
    columns: dict[str, Any] = {"trial": np.arange(n), "status": [fold.status(k).value for k in range(n)]}
    columns |= {name: [p.get(name) for p in points] for name in history.space.cells}
    columns |= {metric: history.V[:, j] for j, metric in enumerate(history.objectives.metrics)}
    noise = sd_columns(history.space, history.objectives)
    told = {noise[m]: history.V_sd[:, j] for j, m in enumerate(history.objectives.metrics) if m in noise}
    columns |= {title: sds for title, sds in told.items() if not np.isnan(sds).all()}
    if history.objectives.constraints:
        is_known = np.equal(history.status, STATUS_CODES[Status.COMPLETED])
        columns["feasible"] = [
            bool(is_so) if known else None for is_so, known in zip(history.is_feasible, is_known, strict=True)
        ]
    if not np.isnan(history.cost).all():
        columns["trial_cost"] = history.cost
    trials = [fold.trial(k) for k in range(n)]
    for name, said in (
        ("suggested", [_suggested(t) for t in trials]),
        ("replicates", [_replicates(t) for t in trials]),
    ):
        if any(said):
            columns[name] = said
    texts = fold.texts()
    columns |= {"reason": texts.pop("reason"), "message": [t.message for t in trials], **texts}
    return pd.DataFrame(columns)


def _suggested(trial: Trial) -> str:
    """What was suggested where something else was executed, in words."""
    others = (trial.suggested or {}).items()
    return ", ".join(f"{name}={value}" for name, value in others if value != trial.params.get(name))


def _replicates(trial: Trial) -> str:
    """The single measurements, in words."""
    return ", ".join(f"{metric}={'; '.join(map(repr, singles))}" for metric, singles in trial.replicates.items())


def _singles_of(cells: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, list[float]]:
    """The single measurements that the column `replicates` of a study's frame has, of metrics with one number.

    Raises:
        ObjectiveError: their mean is not that number, to the digits that it has.
    """
    words = cells.get("replicates")
    if not isinstance(words, str):
        return {}
    singles: dict[str, list[float]] = {}
    for m in sorted(measured, key=len, reverse=True):  # one name may be the end of another
        found = re.search(rf"(?:^|, ){re.escape(m)}=([^,=]+)(?=, |$)", words)
        if found is None:
            continue
        words = words[: found.start()] + words[found.end() :]
        several, value = metric_cell(m, found[1]), measured[m]
        if isinstance(value, list) or not isinstance(several, list):
            continue
        if not _is_mean(several, value):
            raise ObjectiveError(
                f"The column 'replicates' has {several} for {m!r}, whose mean is not {value}: mend one of them, or "
                "write the measurements into one cell, with semicolons between."
            )
        singles[m] = several
    return singles


def _is_mean(several: Sequence[float], value: Any) -> bool:
    """Whether a number is the mean of others, rounded or not."""
    try:
        told = Decimal(str(value))
    except InvalidOperation:
        return False
    exponent = told.as_tuple().exponent
    half_a_digit = 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0
    return abs(math.fsum(several) / len(several) - float(told)) <= half_a_digit + _KEPT * max(map(abs, several))


def past_rows(
    frame: "pd.DataFrame", space: Space, objectives: Objectives, source: str = "", ignore: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies of `attached` events, checked, from a table of past data, and what each row is known by.

    That is its conditions and results, not what stands beside them: replicates and noise in columns of their own. Of a
    failed one it is the conditions. Rows without any cell are none, and those that ended otherwise say nothing.

    Raises:
        ObjectiveError: a column that is neither a parameter nor a metric, or a missing one; a row without its values.
        SpaceError: a value that a parameter can have nowhere. Both name the row.
    """
    frame = without_margins(frame)
    columns = columns_of(frame.columns, space, objectives, others=bookkeeping(space, objectives), ignore=ignore)
    missing = [c for c in (*space.cells, *objectives.required) if c not in columns]
    if missing:
        known = [*space.cells, *objectives.metrics]
        raise ObjectiveError(f"Past data has a column for each of {known}: missing are {missing}.")
    cells = {name: frame.iloc[:, place].tolist() for name, place in columns.items()}
    for k, label in enumerate(frame.index):
        row = {name: column[k] for name, column in cells.items()}
        if all(map(is_empty, row.values())):
            continue
        try:
            status = status_of(row)
            if status is Status.COMPLETED:
                _check_results(row, objectives)
                plain = past_row(row, space, objectives, source, is_plain=True)
                yield digest(plain), past_row(row, space, objectives, source)
            elif isinstance(status, FailureReason) and status in TELLING:
                body = failed_row(row, space, status, source)
                yield digest({"params": body["params"], "reason": FailureReason.INVALID.value}), body
        except ValueError as error:
            raise type(error)(f"Row {label}: {error}") from error


def status_of(cells: Mapping[str, Any]) -> Status | FailureReason | None:
    """How a row of past data ended, with the reason where it failed; None where it did not end. Empty is completed.

    Raises:
        ObjectiveError: another word.
    """
    cell = cells.get("status")
    if is_empty(cell):
        return Status.COMPLETED
    try:
        status = status_cell(cell)
    except TrialError as error:
        raise ObjectiveError(
            f"The column 'status' is of bbo's own tables: rename or ignore another one. {error}"
        ) from None
    return (_reason_in(cells.get("reason")) or status) if isinstance(status, FailureReason) else status


def _reason_in(cell: object) -> FailureReason | None:
    """The reason that a cell names; people may have written there what they like."""
    word = str(cell).strip().casefold()
    return next((reason for reason in FailureReason if reason.value == word), None)


def _check_results(cells: Mapping[str, Any], objectives: Objectives) -> None:
    """Raises ObjectiveError for a row without the results that a completed trial must have."""
    open_ = objectives.missing([m for m in objectives.metrics if not is_empty(cells.get(m))])
    if open_:
        raise ObjectiveError(
            f"It has no value of {open_}. Where the experiment failed write 'failed' in a column 'status'; where it is "
            "still to be done, 'running', or drop the row."
        )


def failed_row(cells: Mapping[str, Any], space: Space, reason: FailureReason, source: str) -> dict[str, Any]:
    """The body of an `attached` event of an experiment that failed: where, and what was said of it.

    Raises:
        SpaceError: as `past_row`.
    """
    said = [cells.get("message"), cells.get("note"), None if _reason_in(cells.get("reason")) else cells.get("reason")]
    texts = [clean(cell).strip() for cell in said if not is_empty(cell)]
    others = {"message": texts[0] if texts else "", "source": source}
    body = {"params": _executed(cells, space), "reason": reason.value}
    return body | {key: text for key, text in others.items() if text}


def past_row(
    cells: dict[str, Any], space: Space, objectives: Objectives, source: str = "", *, is_plain: bool = False
) -> dict[str, Any]:
    """The body of an `attached` event from cells by parameter and metric, and those of replicates and noise.

    Numbers may lie off the grid and outside the range, as executed ones may.

    Args:
        is_plain: only cells of parameters and metrics count.
    Raises:
        ObjectiveError, SpaceError: a value that is missing or does not fit.
    """
    measured = {m: metric_cell(m, cells[m]) for m in objectives.metrics if m in cells and not is_empty(cells[m])}
    measured |= {} if is_plain else _singles_of(cells, measured)
    values, replicates = objectives.check_measured({m: v for m, v in measured.items() if v is not EMPTY})
    body = {"params": _executed(cells, space), "values": objectives.check(values)}
    sd = {} if is_plain else sd_of(cells, values, space, objectives)
    others = {"replicates": replicates, "sd": sd, "source": source}
    return body | {key: part for key, part in others.items() if part}


def _executed(cells: Mapping[str, Any], space: Space) -> Params:
    """A point from the cells of a row, which may lie around the space."""
    params = params_of(cells, space)
    return space.check_executed({name: params[name] for name in space.names if name in params})


def params_of(cells: Mapping[str, Any], space: Space) -> Params:
    """A point's values from the cells of a row, to be checked.

    Raises:
        SpaceError: text that spells no value, an empty cell of what is there, or a value of what is not.
    """
    given = {name: parameter_cell(cell, cells[name]) for name, cell in space.cells.items() if name in cells}
    empty = {p.name for p in space.parameters if p.when and all(given.get(cell.name) is EMPTY for cell in p.cells)}
    # A table has an empty cell for None, which a choice may be, and for what is not there.
    values = space.gathered({name: None if value is EMPTY else value for name, value in given.items()})
    there = space.there(values)
    params = {
        name: value
        for name, value in values.items()
        if name not in empty or (name in there and None in getattr(space.by_name[name], "listed", ()))
    }
    space.check_names(params)
    space.check_set({}, params)
    return params


def sd_of(cells: Mapping[str, Any], values: Values, space: Space, objectives: Objectives) -> Values:
    """Standard deviations by metric, from the cells of a row whose values these are.

    Raises:
        ObjectiveError: what is no standard deviation, or one without its value.
    """
    given = {m: metric_cell(title, cells.get(title)) for m, title in sd_columns(space, objectives).items()}
    sd = objectives.check_sd({m: v for m, v in given.items() if v is not EMPTY})
    alone = [m for m in sd if m not in values]
    if alone:
        raise ObjectiveError(f"A standard deviation comes with its value: the row has none of {alone}.")
    return sd


def attached(rows: Iterable[tuple[str, dict[str, Any]]]) -> list[Event]:
    """Events of past data, of `past_rows`. Equal rows count up, so that the same rows again have the same keys."""
    seen: Counter[str] = Counter()
    events = []
    for name, body in rows:
        events.append(event("attached", f"attached/{name}/{seen[name]}", body, by=writer()))
        seen[name] += 1
    return events


def own(body: dict[str, Any], objectives: Objectives) -> Event:
    """The event of an experiment that nobody asked for; two of the same conditions and results have one key."""
    values = {m: body["values"][m] for m in objectives.required}
    return event("attached", f"own/{digest({'params': body['params'], 'values': values})}", body, by=writer())
