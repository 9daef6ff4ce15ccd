"""Tables to fill in: what waits for results, as a table for people, and what they say when it comes back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bbo.errors import AlreadyToldError, ConflictError, ObjectiveError, SpaceError, TrialError
from bbo.events import Event
from bbo.fold import Fold
from bbo.space import Params
from bbo.studies import telling
from bbo.studies.cells import (
    EMPTY,
    columns_of,
    cost_column,
    header,
    is_empty,
    metric_cell,
    parameter_cell,
    sd_columns,
    status_cell,
    trial_cell,
    units_of,
    without_margins,
)
from bbo.studies.frames import bookkeeping, own, past_row, sd_of
from bbo.studies.log import StudyLog
from bbo.studies.table_files import LINE
from bbo.studies.telling import Result, clean, is_noted, is_open
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
        added: told before, now with a metric or the cost that was missing.
        unchanged: known before.
        untouched: rows without a result.
        noted: had a further note and no further result; they stand among the others too.
        executed: by trial and parameter, what was suggested and what was executed.
    """

    told: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    attached: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
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
    points = [fold.space.flat(t.params) for t in trials]
    for name in fold.space.cells:
        values = [point.get(name) for point in points]
        columns[header(name, units[name])] = pd.Series(values, dtype=object if None in values else None)
    # Cells of people take numbers and text alike.
    results: dict[str, list[Any]] = {
        header(m, units[m]): [_cell(t, m) for t in trials] for m in fold.objectives.metrics
    }
    noise = {title: [t.sd.get(m) for t in trials] for m, title in sd_columns(fold.space, fold.objectives).items()}
    results |= {title: sds for title, sds in noise.items() if any(sd is not None for sd in sds)}
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
            for row in sorted(rows, key=lambda row: row.number is None):  # own ones against all that have a number
                with _named(row.name):
                    reading.take(row)
            events = [*reading.events, *reading.own.values()]
        try:
            if events:
                log.append(*events)
        except ConflictError:
            continue  # somebody told one of these trials meanwhile: the rows are read again, against that
        break
    for number, result in reading.results.items():
        telling.settle(log, number, result)
    with log.lock:
        attached = [log.fold.attached_as(key) for key in reading.own]
    reading.done.attached += [k for k in attached if k is not None]
    return reading.done


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
    if frame.index.name == "trial" and "trial" not in frame.columns:
        frame = frame.reset_index()
    frame = without_margins(frame)
    cost = cost_column(fold.space, fold.objectives)
    others = bookkeeping(fold.space, fold.objectives)
    places = columns_of(frame.columns, fold.space, fold.objectives, others=others, ignore=ignore)
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
        self._rows: dict[int | str, str] = {}  # by number of the trial, or key of an own experiment
        self.events: list[Event] = []
        self.own: dict[str, Event] = {}
        self.results: dict[int, Result] = {}
        self.done = Told()

    def take(self, row: _Row) -> None:
        status = row.read("status", status_cell)
        note = row.read("note", lambda cell: "" if is_empty(cell) else clean(cell).strip())
        number = self._own(row, status, note) if row.number is None else telling.known_trial(self._log, row.number)
        if number is None:
            return
        self._rows[number] = row.name
        trial = self._fold.trial(number)
        result = self._result(row, trial, note)
        if not is_open(self._fold, number):
            self._again(trial, result, status)
        elif isinstance(status, FailureReason) or status is Status.CANCELLED:
            self._without_values(trial, result, status)
        elif not result.values and status is None:
            self._waiting(trial, result)
        else:
            self._told(trial, result, is_part=status is None)

    # What a row says.

    def _result(self, row: _Row, trial: Trial, note: str) -> Result:
        fold = self._fold
        stood = fold.stood(trial.number)
        measured = {m: row.read(m, partial(metric_cell, m)) for m in fold.objectives.metrics}
        given = {m: v for m, v in measured.items() if v is not EMPTY}
        values, replicates = fold.objectives.check_measured(given)
        sd = sd_of(row.cells, values, fold.space, fold.objectives)
        return Result.of(
            fold,
            {m: _as_stood(m, replicates.get(m, v), stood) for m, v in values.items()},
            trial=trial.number,
            params=self._executed(row, trial, stood),
            sd={m: _nearest(v, [t.sd.get(m) for t in reversed(stood)], _KEPT) for m, v in sd.items()},
            cost=_nearest(self._cost(row), [t.cost for t in stood], _KEPT),
            note=note,
        )

    def _executed(self, row: _Row, trial: Trial, stood: Sequence[Trial]) -> Params:
        """The row's conditions, without those that a table printed as suggested where something else stands."""
        fold = self._fold
        suggested, params = fold.suggested(trial.number), {}
        for p in fold.space.parameters:
            cells = {cell.name: row.read(cell.name, partial(parameter_cell, cell)) for cell in p.cells}
            if all(value is EMPTY for value in cells.values()):
                continue
            with _named(f"column {row.headers[next(iter(cells))]!r}"):
                checked = p.check_executed(p.gathered({k: None if v is EMPTY else v for k, v in cells.items()}))
            known = [t.params.get(p.name) for t in reversed(stood)]
            checked = _nearest(checked, [*known, suggested.get(p.name)], _PRINTED)
            if checked == suggested.get(p.name) and checked not in known:
                self.done.executed.setdefault(trial.number, {})[p.name] = (suggested.get(p.name), known[0])
            else:
                params[p.name] = checked
        is_otherwise = any(all(t.params.get(name) != v for t in stood) for name, v in params.items())
        if is_otherwise and is_open(fold, trial.number):
            other = self._pending_at({**trial.params, **params})
            if other is not None:
                raise TrialError(
                    f"These are the conditions of trial {other}, which is pending too; those of trial {trial.number} "
                    f"are {trial.params}. Mend the number. Where trial {trial.number} was really set so, tell it by "
                    "itself, with its executed values."
                )
        return params

    def _pending_at(self, params: Params) -> int | None:
        """A pending trial of these conditions."""
        fold = self._fold
        pending = (fold.trial(k) for k in fold.near(params, _PRINTED) if is_open(fold, k))
        return next((t.number for t in pending if _is_at(params, [t])), None)

    def _cost(self, row: _Row) -> float | None:
        name = cost_column(self._fold.space, self._fold.objectives)
        column = name if name in row.cells else "trial_cost"
        cost = row.read(column, partial(metric_cell, column))
        with _named(f"column {row.headers.get(column, column)!r}"):
            return None if cost is EMPTY else telling.check_cost(cost)

    def _own(self, row: _Row, status: Status | FailureReason | None, note: str) -> int | None:
        """An experiment that nobody asked for: the trial that it is, or None where it is a new one."""
        if status not in (None, Status.COMPLETED):
            raise TrialError(
                f"A row without a trial number is an own experiment with its results: got status {status}."
            )
        fold, cost = self._fold, self._cost(row)
        body = past_row(row.cells, fold.space, fold.objectives)
        event = own(body | ({} if cost is None else {"cost": cost}) | ({"note": note} if note else {}), fold.objectives)
        if event.key in self._rows:
            raise TrialError(
                f"It has the conditions and results of {self._rows[event.key].lower()}: drop one of them. Several "
                "measurements of one experiment stand in one cell, such as '81; 83'."
            )
        self._rows[event.key] = row.name
        number = self._known_as(event.key, body["params"], body["values"])
        if number is None:
            pending = self._pending_at(body["params"])
            if pending is not None and not self._is_told_otherwise(pending, body["values"]):
                raise TrialError(
                    f"These are the conditions of trial {pending}, which is pending: write {pending} in the column "
                    f"'trial'. Where it is a further experiment, tell trial {pending} first."
                )
            self.own[event.key] = event
        return number

    def _is_told_otherwise(self, number: int, values: Mapping[str, float]) -> bool:
        """Whether a row of this table has other results for this trial."""
        told = self.results[number].values if number in self.results else {}
        return any(values.get(m, v) != v for m, v in told.items())

    def _known_as(self, key: str, params: Params, values: Mapping[str, float]) -> int | None:
        """The trial that an own experiment is by its conditions and required results, whatever was amended since."""
        fold = self._fold
        number = fold.attached_as(key)
        if number is not None:
            return number
        for k in fold.near(params, _PRINTED):
            stood = fold.stood(k)
            is_so = not is_open(fold, k) and _is_at(params, stood)
            if is_so and all(
                any(_is_close(values[m], t.values.get(m), _KEPT) for t in stood) for m in fold.objectives.required
            ):
                return k
        return None

    # What becomes of it.

    def _waiting(self, trial: Trial, result: Result) -> None:
        """A row without results of a pending trial: its note is kept."""
        news = telling.further(self._fold.stood(trial.number), result, ends=not trial.values)
        if not trial.values and (news.params or news.cost is not None):
            said = {**news.params, **({} if news.cost is None else {"cost": news.cost})}
            raise TrialError(
                f"It says {said} and has no results: fill in a result or a status too, or leave these cells as they "
                "were until there is one."
            )
        events = telling.added(trial.number, replace(news, note=""))
        self.events += events
        (self.done.partial if events else self.done.untouched).append(trial.number)
        self._further(trial, result.note)

    def _told(self, trial: Trial, result: Result, *, is_part: bool) -> None:
        if not result.values.keys() - trial.values.keys():
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
        news = telling.further(self._fold.stood(trial.number), result, ends=True)
        if news.values:
            raise TrialError(
                f"A trial with status {status} gives no values: got {news.values}. Drop the status or the values."
            )
        number = trial.number
        if isinstance(status, FailureReason):
            event = telling.failed(self._log, number, result.note, status, cost=news.cost, params=news.params)
        else:
            event = telling.cancelled(self._log, number, result.note, cost=news.cost, params=news.params)
        self.events.append(event)
        (self.done.failed if event.kind == "failed" else self.done.cancelled).append(number)
        self._note_executed(trial, result)

    def _again(self, trial: Trial, result: Result, status: Status | FailureReason | None) -> None:
        """A row of a trial that has ended: each cell is what stood there once, or was missing."""
        stood = self._fold.stood(trial.number)
        if status is not None and not any(_has_ended_so(t, status) for t in stood):
            raise AlreadyToldError(
                f"Trial {trial.number} is {trial.status}: the table says {status}. The first stands; "
                "to put something else in its place: amend()."
            )
        news = telling.further(stood, result)
        if news.values and all(t.status is not Status.COMPLETED for t in stood):
            raise AlreadyToldError(
                f"Trial {trial.number} is {trial.status}: the table gives it {news.values}. The first stands; "
                "to make these values count: amend()."
            )
        events = telling.added(trial.number, replace(news, note=""))
        self.events += events
        is_row_empty = not result.values and status is None
        done = self.done.added if events else self.done.untouched if is_row_empty else self.done.unchanged
        done.append(trial.number)
        self._further(trial, result.note)

    def _further(self, trial: Trial, note: str) -> None:
        if not is_noted(self._fold.stood(trial.number), note):
            self.events.append(telling.remark(trial.number, note))
            self.done.noted.append(trial.number)

    def _note_executed(self, trial: Trial, result: Result) -> None:
        suggested = self._fold.suggested(trial.number)
        otherwise = {name: (suggested.get(name), v) for name, v in result.params.items() if v != suggested.get(name)}
        if otherwise:
            self.done.executed[trial.number] = self.done.executed.get(trial.number, {}) | otherwise


def _has_ended_so(there: Trial, status: Status | FailureReason) -> bool:
    if isinstance(status, FailureReason):  # a table's "failed" is any failure
        return there.status is Status.FAILED and status in (there.reason, FailureReason.INVALID)
    return there.status is status


def _as_stood(metric: str, value: Any, stood: Sequence[Trial]) -> Any:
    """A measurement, or several, exactly as it stood once, where it is the same but for the digits of a spreadsheet."""
    if not isinstance(value, list):
        return _nearest(value, [t.values.get(metric) for t in reversed(stood)], _KEPT)
    for there in (t.replicates.get(metric, ()) for t in stood):
        if len(there) == len(value) and all(_is_close(v, w, _KEPT) for v, w in zip(value, there, strict=True)):
            return list(there)
    return value


def _is_at(params: Params, stood: Sequence[Trial]) -> bool:
    """Whether each of these conditions stood once."""
    return all(any(_is_close(v, t.params.get(name), _PRINTED) for t in stood) for name, v in params.items())


def _nearest(value: Any, known: Sequence[Any], share: float) -> Any:
    """The first of the known values that this one is but for its last digits, else itself."""
    return next((v for v in known if v is not None and _is_close(value, v, share)), value)


def _is_close(value: Any, other: Any, share: float) -> bool:
    """Equal, or floats that differ by no more than this share of the other, also by name."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_is_close(v, other[k], share) for k, v in value.items())
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) <= share * abs(other)
    return type(value) is type(other) and bool(value == other)
