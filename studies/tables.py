"""Tables to fill in: what waits for results, as a table for people, and what they say when it comes back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bbo.errors import AlreadyToldError, ConflictError, ObjectiveError, SpaceError, TrialError
from bbo.events import Event
from bbo.fold import Fold
from bbo.space import Params
from bbo.studies import telling
from bbo.studies.amending import executed, noted
from bbo.studies.cells import (
    EMPTY,
    columns_of,
    cost_column,
    header,
    is_empty,
    metric_cell,
    parameter_cell,
    status_cell,
    trial_cell,
    units_of,
)
from bbo.studies.frames import BOOKKEEPING, attached, past_row
from bbo.studies.log import StudyLog
from bbo.studies.table_files import LINE
from bbo.studies.telling import Result, clean, is_open
from bbo.trial import FailureReason, Status, Trial

if TYPE_CHECKING:
    import pandas as pd

# A parameter printed with six digits is as suggested.
_PRINTED = 5e-6
# A value that a spreadsheet kept is the one that was told: it has 15 digits.
_KEPT = 1e-9


@dataclass(kw_only=True)
class Told:
    """What became of a table's rows, by numbers of trials. As text, a summary for people.

    Args:
        told, partial, failed, cancelled, attached: by this table.
        unchanged: known before; `noted` among them had a further note.
        untouched: rows without a result.
        executed: by trial and parameter, what was suggested and what was executed.
    """

    told: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    attached: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    noted: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    executed: dict[int, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    def __str__(self) -> str:
        lists = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "executed"}
        said = [f"{len(k)} {word} ({', '.join(map(str, k))})" for word, k in lists.items() if k]
        lines = ["; ".join(said) or "no rows"]
        for trial, params in self.executed.items():
            lines += [f"trial {trial}: {name} {now!r} instead of {then!r}" for name, (then, now) in params.items()]
        return "\n".join(lines)


def to_fill_in(fold: Fold, numbers: Sequence[int]) -> "pd.DataFrame":
    """A row for each of these trials, with what is known of its results."""
    import pandas as pd

    trials = [fold.trial(k) for k in numbers]
    units = units_of(fold.space, fold.objectives)
    columns: dict[str, Any] = {"trial": [t.number for t in trials]}
    for name in fold.space.names:
        values = [t.params[name] for t in trials]
        columns[header(name, units[name])] = pd.Series(values, dtype=object if None in values else None)
    # Cells of people take numbers and text alike.
    results: dict[str, list[Any]] = {
        header(m, units[m]): [_cell(t, m) for t in trials] for m in fold.objectives.metrics
    }
    results |= {cost_column(fold.space, fold.objectives): [t.cost for t in trials]}
    results |= {"status": [None] * len(trials), "note": [None] * len(trials)}
    return pd.DataFrame(columns | {title: pd.Series(cells, dtype=object) for title, cells in results.items()})


def _cell(trial: Trial, metric: str) -> Any:
    singles = trial.replicates.get(metric)
    return trial.values.get(metric) if singles is None else "; ".join(map(repr, singles))


def tell_table(log: StudyLog, frame: "pd.DataFrame", ignore: Sequence[str]) -> Told:
    """Appends all that a table says, or nothing: see `Study.tell_frame`."""
    rows = list(_rows(log.fold, frame, ignore))
    while True:
        with log.lock:
            log.refresh()
            reading = _Reading(log)
            for row in rows:
                with _named(row.name):
                    reading.take(row)
            events = [*reading.events, *attached(reading.own)]
            known = {e.key for e in events if log.fold.attached_as(e.key) is not None}
        try:
            if events:
                log.append(*events)
        except ConflictError:
            continue  # somebody told one of these trials meanwhile: the rows are read again, against that
        break
    for number, result in reading.results.items():
        telling.settle(log, number, result)
    done = reading.done
    with log.lock:
        for e in events[len(reading.events) :]:
            own = log.fold.attached_as(e.key)
            if own is not None:
                (done.unchanged if e.key in known else done.attached).append(own)
    return done


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row as it was typed: cells by column, and the headers that its columns have."""

    name: str
    number: int | None
    cells: dict[str, Any]
    headers: dict[str, str]

    def read(self, column: str, reader: Callable[[Any], Any]) -> Any:
        """What a cell says; as an empty one where the column is missing."""
        with _named(f"column {self.headers.get(column, column)!r}"):
            return reader(self.cells.get(column))


def _rows(fold: Fold, frame: "pd.DataFrame", ignore: Sequence[str]) -> Iterator[_Row]:
    """The rows that are not empty.

    Raises:
        ObjectiveError, SpaceError: columns that do not fit.
        TrialError: a trial number that is none, or stands twice.
    """
    frame = frame.loc[:, [not _is_margin(title, frame.iloc[:, j]) for j, title in enumerate(frame.columns)]]
    cost = cost_column(fold.space, fold.objectives)
    others = dict.fromkeys([*BOOKKEEPING, cost])
    places = columns_of(frame.columns, fold.space, fold.objectives, others=list(others), ignore=ignore)
    if {cost, "trial_cost"} <= places.keys() and cost != "trial_cost":
        raise ObjectiveError("The table has two columns for the cost of a trial, 'cost' and 'trial_cost': drop one.")
    headers = {name: str(frame.columns[place]) for name, place in places.items()}
    columns = {name: frame.iloc[:, place].tolist() for name, place in places.items()}
    lines: dict[int, int] = {}
    for k in range(len(frame)):
        cells = {name: column[k] for name, column in columns.items()}
        if all(is_empty(cell) for cell in cells.values()):
            continue
        # A file's rows carry their lines; else the header is the first.
        line = int(frame.index[k]) if frame.index.name == LINE else k + 2
        with _named(f"Line {line}, column {headers.get('trial', 'trial')!r}"):
            number = trial_cell(cells.get("trial"))
            if number is not None and number in lines:
                raise TrialError(f"Trial {number} stands in line {lines[number]} already; drop one of the rows.")
        if number is not None:
            lines[number] = line
        name = f"Line {line}" if number is None else f"Row of trial {number} (line {line})"
        yield _Row(name=name, number=number, cells=cells, headers=headers)


def _is_margin(title: object, column: "pd.Series[Any]") -> bool:
    """Whether a column without a name and without cells was left by a spreadsheet."""
    text = str(title).strip()
    return (text in ("", "nan", "None") or text.startswith("Unnamed: ")) and all(map(is_empty, column.tolist()))


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Errors say where in the table they are."""
    try:
        yield
    except (SpaceError, ObjectiveError, TrialError) as error:
        raise type(error)(f"{where}: {error}") from error


class _Reading:
    """What the rows of a table come to, against the log as it stands: events to append and the summary."""

    def __init__(self, log: StudyLog) -> None:
        self._log, self._fold = log, log.fold
        self.events: list[Event] = []
        self.own: list[dict[str, Any]] = []
        self.results: dict[int, Result] = {}
        self.done = Told()

    def take(self, row: _Row) -> None:
        status = row.read("status", status_cell)
        note = row.read("note", lambda cell: "" if is_empty(cell) else clean(cell).strip())
        if row.number is None:
            self._own(row, status, note)
            return
        trial = self._fold.trial(telling.known_trial(self._log, row.number))
        result = self._result(row, trial, note)
        if not result.values and status is None:
            self.done.untouched.append(trial.number)
        elif not is_open(self._fold, trial.number):
            self._again(trial, result, status)
        elif isinstance(status, FailureReason) or status is Status.CANCELLED:
            self._without_values(trial, result, status)
        else:
            self._told(trial, result, is_part=status is None)

    def _result(self, row: _Row, trial: Trial, note: str) -> Result:
        fold = self._fold
        suggested = fold.suggested(trial.number)
        params: Params = {}
        for p in fold.space.parameters:
            value = row.read(p.name, partial(parameter_cell, p))
            if value is not EMPTY:
                with _named(f"column {row.headers[p.name]!r}"):
                    checked = p.check_executed(value)
                same = [v for v in (trial.params[p.name], suggested[p.name]) if _is_close(checked, v, _PRINTED)]
                params[p.name] = same[0] if same else checked
        measured = {m: row.read(m, partial(metric_cell, m)) for m in fold.objectives.metrics}
        values, replicates = fold.objectives.check_measured({m: v for m, v in measured.items() if v is not EMPTY})
        known = {m for m, v in values.items() if _is_close(v, trial.values.get(m), _KEPT)}
        return Result.of(
            fold,
            {m: trial.values[m] if m in known else replicates.get(m, v) for m, v in values.items()},
            params=params,
            cost=self._cost(row),
            note=note,
        )

    def _cost(self, row: _Row) -> float | None:
        name = cost_column(self._fold.space, self._fold.objectives)
        column = name if name in row.cells else "trial_cost"
        cost = row.read(column, partial(metric_cell, column))
        with _named(f"column {row.headers.get(column, column)!r}"):
            return None if cost is EMPTY else telling.check_cost(cost)

    def _own(self, row: _Row, status: Status | FailureReason | None, note: str) -> None:
        """An experiment that nobody asked for."""
        if status not in (None, Status.COMPLETED):
            raise TrialError(
                f"A row without a trial number is an own experiment with its results: got status {status}."
            )
        body, cost = past_row(row.cells, self._fold.space, self._fold.objectives), self._cost(row)
        self.own.append(body | ({} if cost is None else {"cost": cost}) | ({"note": note} if note else {}))

    def _told(self, trial: Trial, result: Result, *, is_part: bool) -> None:
        is_new = result.values.keys() - trial.values.keys()
        if not is_new or result.note in trial.note:
            self._further(trial, result.note)
            result = replace(result, note="")
        events = telling.said(self._fold, trial.number, result, partial=is_part)
        self.events += events
        self.results[trial.number] = result
        if not events:
            self.done.unchanged.append(trial.number)
        else:
            (self.done.told if events[-1].kind == "told" else self.done.partial).append(trial.number)
            self._note_executed(trial, result)

    def _without_values(self, trial: Trial, result: Result, status: Status | FailureReason) -> None:
        others = {m: v for m, v in result.values.items() if trial.values.get(m) != v}
        if others:
            raise TrialError(
                f"A trial with status {status} gives no values: got {others}. Drop the status or the values."
            )
        number = trial.number
        if isinstance(status, FailureReason):
            self.events.append(telling.failed(self._log, number, result.note, status))
            self.done.failed.append(number)
            if result.params != {name: trial.params[name] for name in result.params}:
                self.events.append(executed(number, result.params))
            self._note_executed(trial, result)
        else:
            self.events.append(telling.cancelled(self._log, number, result.note))
            self.done.cancelled.append(number)

    def _again(self, trial: Trial, result: Result, status: Status | FailureReason | None) -> None:
        """A row of a trial that has ended: what was told then, or what stands since it was amended."""
        there = (trial, self._fold.as_told(trial.number))
        if not any(_agrees(t, result, status) for t in there):
            raise AlreadyToldError(
                f"Trial {trial.number} is {trial.status} with {dict(trial.values)}, {trial.params}"
                f"{f', cost {trial.cost}' if trial.cost is not None else ''}: the table says "
                f"{f'{status}, ' if status else ''}{result.values}, {result.params}"
                f"{f', cost {result.cost}' if result.cost is not None else ''}. The first stands; "
                "to put something else in its place: amend()."
            )
        self.done.unchanged.append(trial.number)
        if all(result.note not in text for t in there for text in (t.note, t.message)):
            self._further(trial, result.note)

    def _further(self, trial: Trial, note: str) -> None:
        if note and note not in trial.note:
            self.events.append(noted(self._log, note, trial.number))
            self.done.noted.append(trial.number)

    def _note_executed(self, trial: Trial, result: Result) -> None:
        suggested = self._fold.suggested(trial.number)
        otherwise = {name: (suggested[name], v) for name, v in result.params.items() if v != suggested[name]}
        if otherwise:
            self.done.executed[trial.number] = otherwise


def _agrees(there: Trial, result: Result, status: Status | FailureReason | None) -> bool:
    """Whether a row says of a trial that has ended what is known."""
    if isinstance(status, FailureReason):  # a table's "failed" is any failure
        is_so = there.status is Status.FAILED and status in (there.reason, FailureReason.INVALID)
    else:
        is_so = there.status is (status or Status.COMPLETED)
    return (
        is_so
        and all(_is_close(v, there.values.get(m), _KEPT) for m, v in result.values.items())
        and (
            status is Status.CANCELLED or all(_is_close(v, there.params[n], _PRINTED) for n, v in result.params.items())
        )
        and (result.cost is None or _is_close(result.cost, there.cost, _KEPT))
    )


def _is_close(value: Any, other: Any, share: float) -> bool:
    """Equal, or floats that differ by no more than this share of the other."""
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= share * abs(other)
    return type(value) is type(other) and bool(value == other)
