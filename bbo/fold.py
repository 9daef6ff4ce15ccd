"""The fold of a study's events: its state, event by event, and what is read from it.

A row per trial in columns that grow; no object is built per event. Strategies read it as a `History`, people as trials.
"""

import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.budget import Budget
from bbo.errors import DamagedError, SpaceError
from bbo.events import VERSIONS, Event, number
from bbo.history import NEVER, STATUS_CODES, STATUSES, Array, History, Ranking
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.space.frame import carried_over, check_change, framed
from bbo.times import Times
from bbo.trial import FailureReason, Observation, Status, Trial

# Failures that say something about the point; a timeout or a lost worker does not.
_TELLING = (FailureReason.RAISED.value, FailureReason.INVALID.value)

_LARGEST = 1e308  # where a standard deviation leaves the range of numbers


class Foretold(NamedTuple):
    """What a model said of further trials when it was asked, in the notes of the first point that it gave.

    Args:
        trial: number of that point.
        seen, complete_below: what it was said from, as in the body of the ask.
        notes: those of `gain`, `noise` and `regret` that there are, `gain` at least.
    """

    trial: int
    seen: int
    complete_below: int | None
    notes: dict[str, float]


class _Column:
    """Rows of an array that grows by half; a view of the first n stays valid while later rows are added.

    Rows are filled when they are first asked for, so that those kept in reserve take no memory.
    """

    def __init__(self, width: int | None, dtype: Any, fill: Any) -> None:
        self._fill = fill
        self._n_filled = 0
        self._data = np.empty((64,) if width is None else (64, width), dtype=dtype)

    def upto(self, n: int) -> NDArray[Any]:
        if n > len(self._data):
            grown = np.empty((max(n, len(self._data) * 3 // 2), *self._data.shape[1:]), dtype=self._data.dtype)
            grown[: self._n_filled] = self._data[: self._n_filled]
            self._data = grown
        if n > self._n_filled:
            self._data[self._n_filled : n] = self._fill
            self._n_filled = n
        return self._data[:n]

    def own(self) -> None:
        """Leave the rows to those who have a view of them and go on with a copy, before a row is changed."""
        self._data = self._data.copy()


class Fold:
    """The state of a study, event by event.

    `last_event`, `n_trials` and `n_asks` say how far it is; `history` gives what a strategy reads, `trial` what people
    read. Events must come in the order of their `seq`, without gaps.

    Args:
        given: spaces of the study as they were passed again, which have what the log cannot hold of them.
    """

    def __init__(self, given: Sequence[Space] = ()) -> None:
        self._passed = given
        self.last_event = 0
        self.n_trials = 0
        self.n_asks = 0
        self.specification: dict[str, Any] = {}
        self.fingerprint: dict[str, Any] = {}
        self.unknown: Event | None = None
        self.queue: dict[str, Params] = {}
        self.budget: Budget | None = None
        self.rankings: list[Ranking] = []
        self.study_notes: list[str] = []
        self.stops: list[dict[str, Any]] = []
        self.mendings: list[int] = []  # numbers of the events that put something in the place of something else
        self._mended: dict[int, int] = {}
        self._given: Params = {}  # what parameters had that came later
        self._first_of_ask = array("q")
        self._asked: list[str] = []  # bodies of asked and attached events, as they stand in the log
        self._messages: dict[int, tuple[str, str]] = {}
        self._told_notes: dict[int, str] = {}
        self._remarks: dict[int, list[str]] = {}
        self._earlier: dict[int, list[Trial]] = {}  # as they were before something took its place
        self._replicates: dict[int, dict[str, list[float]]] = {}
        self._reports: dict[int, list[Observation]] = {}
        self._runners: dict[int, dict[str, Any]] = {}
        self._answers: dict[str, range] = {}
        self._attached_as: dict[str, int] = {}
        self._attempts: dict[int, int] = {}
        self._losses: dict[int, int] = {}
        self.foretold: list[Foretold] = []
        self._warm_trials: list[int] = []
        self._looks: dict[int, int] = {}
        self._regional: list[int] = []
        self._asked_at = Times()
        self._ended_at = Times()
        self._n_placed = 0
        self._handlers: dict[str, Callable[[Event], None]] = {
            "opened": self._opened,
            "strategy_changed": self._strategy_changed,
            "space_changed": self._space_changed,
            "budget_changed": self._budget_changed,
            "enqueued": self._enqueued,
            "attached": self._attached,
            "asked": self._on_asked,
            "started": self._started,
            "lost": self._lost,
            "reported": self._reported,
            "measured": self._measured,
            "told": self._told,
            "failed": self._failed,
            "cancelled": self._cancelled,
            "amended": self._amended,
            "noted": self._noted,
            "ranked": self._ranked,
            "stopped": self._stopped,
        }

    # Folding.

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next events.

        Raises:
            DamagedError: an event is missing, or its body is not what its kind has.
        """
        for e in events:
            if e.seq != self.last_event + 1:
                raise DamagedError(
                    f"The log has a gap: event {e.seq} follows {self.last_event}. Restore it from a copy."
                )
            if e.version > VERSIONS.get(e.kind, 0):
                self.unknown = self.unknown or e
            else:
                self._take(e)
            self.last_event = e.seq

    def _take(self, e: Event) -> None:
        try:
            if e.kind == "created":
                self._created(e)
            else:
                self._handlers[e.kind](e)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise DamagedError(
                f"Event {e.seq} has a body that {e.kind!r} does not have: {error!r}. Restore the log from a copy."
            ) from error

    def _created(self, e: Event) -> None:
        self.specification = e.read()
        self.space = self._whole(self.specification["space"])
        self.objectives = Objectives.from_list(self.specification["objectives"])
        self.seed: int = self.specification["seed"]
        k = len(self.objectives.metrics)
        self._codes = _Column(self.space.dim, np.float64, np.nan)
        self._X = _Column(self.space.dim, np.float64, np.nan)
        self._V = _Column(k, np.float64, np.nan)
        self._V_sd = _Column(k, np.float64, np.nan)
        self._V_n = _Column(k, np.int32, 1)
        self._V_scatter = _Column(k, np.float64, np.nan)
        self._cost = _Column(None, np.float64, np.nan)
        self._status = _Column(None, np.int8, STATUS_CODES[Status.RUNNING])
        self._fails = _Column(None, np.bool_, False)
        self._order = _Column(None, np.int64, NEVER)
        self._is_past = _Column(None, np.bool_, False)
        self._place = _Column(2, np.int32, 0)  # which of `_asked`, and which of its suggestions
        measured = (self._V, self._V_sd, self._V_n, self._V_scatter, self._cost)
        observed = (*measured, self._status, self._fails, self._order)
        self._others = (self._place, self._is_past, *observed)

    def _whole(self, logged: dict[str, Any]) -> Space:
        """A space of the log with what was passed again."""
        space = Space.from_dict(logged)
        for passed in self._passed:
            space = space.filled_from(passed)
        return space

    def _opened(self, e: Event) -> None:
        self.fingerprint = e.read()

    def _strategy_changed(self, e: Event) -> None:
        self.specification = {**self.specification, "strategy": e.read()["strategy"]}

    def _space_changed(self, e: Event) -> None:
        body, before, n = e.read(), self.space, self.n_trials
        after = self._whole(body["space"])
        self._given |= check_change(before, after, body["given"])
        points = [carried_over(before.point(codes), after, self._given) for codes in self._codes.upto(n)]
        self.space = framed(after, before, points)
        self.specification = {**self.specification, "space": body["space"]}
        self._codes, self._X = (_Column(self.space.dim, np.float64, np.nan) for _ in range(2))
        for trial, point in enumerate(points):
            self._codes.upto(n)[trial] = self.space.codes(point)
        self._X.upto(n)
        self._n_placed = 0
        self.queue = {key: point for key, point in self._queued(before) if point in self.space}
        # What a model said, and what the next fit would start from, was of the space as it was.
        self.foretold, self._warm_trials = [], []

    def _queued(self, before: Space) -> list[tuple[str, Params]]:
        """Points that wait, as far as they can be carried over."""
        carried = []
        for key, point in self.queue.items():
            with suppress(SpaceError):
                carried.append((key, carried_over(point, self.space, self._given)))
        return carried

    def _budget_changed(self, e: Event) -> None:
        self.budget = Budget.from_dict(e.read()["budget"])

    def _enqueued(self, e: Event) -> None:
        self.queue[e.key] = e.read()["params"]

    def _attached(self, e: Event) -> None:
        body = e.read()
        trial = self._new_trial(body["params"], 0, e.at)
        self._asked.append(e.body)
        self._attached_as[e.key] = trial
        self._is_past.upto(self.n_trials)[trial] = True
        self._end(trial, Status.COMPLETED, e)
        self._observe(trial, body)
        self._told_note(trial, body.get("note"))

    def _on_asked(self, e: Event) -> None:
        body = e.read()
        first = self.n_trials
        self._first_of_ask.append(first)
        for position, suggestion in enumerate(body["suggestions"]):
            trial = self._new_trial(suggestion["params"], position, e.at)
            noted = suggestion.get("notes", {})
            if "warm" in noted:
                self._warm_trials.append(trial)
            if isinstance(noted.get("looks_at"), int):
                self._looks.setdefault(noted["looks_at"], trial)
            if "region" in noted:
                self._regional.append(trial)
            if "enqueued" in suggestion:
                self.queue.pop(suggestion["enqueued"], None)
        said = body["suggestions"][0].get("notes", {})
        is_of_all = not body.get("fixed") and not body.get("context")
        if "gain" in said and is_of_all:
            notes = {key: number(said[key]) for key in ("gain", "noise", "regret") if key in said}
            self.foretold.append(Foretold(first, body["seen"], body.get("complete_below"), notes))
        for ticket in body["meta"]["tickets"]:
            trials = range(first, first + ticket["n"])
            first = trials.stop
            if ticket.get("queued"):
                self._answers[ticket["id"]] = trials
            if ticket.get("runner") is not None:
                self._runners |= dict.fromkeys(trials, ticket["runner"])
        self._asked.append(e.body)
        self.n_asks += 1

    def _started(self, e: Event) -> None:
        body = e.read()
        trial = self._known(e)
        if not self._is_open(trial):
            return  # it ended while a runner took it up
        self._runners[trial] = body["runner"]
        self._attempts[trial] = body["attempt"]

    def _lost(self, e: Event) -> None:
        trial = self._known(e)
        if not self._is_open(trial):
            return  # it ended before its runner gave it up
        self._runners[trial] = {}  # nobody's, until it is started again
        if e.read().get("worker"):
            self._losses[trial] = self._losses.get(trial, 0) + 1

    def _reported(self, e: Event) -> None:
        body = e.read()
        seen = Observation({m: number(v) for m, v in body["values"].items()}, cost=body.get("cost"), step=body["step"])
        self._reports.setdefault(self._known(e), []).append(seen)

    def _measured(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        if self._is_open(trial):  # two may tell at once, and the first stands
            self._keep_cost(trial, body)
            self._observe(trial, body)
            self._execute(trial, body.get("params"))
            self._remark(trial, body.get("note"))

    def _told(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._keep_cost(trial, body)
        self._end(trial, Status.COMPLETED, e)
        self._observe(trial, self._unmeasured(trial, body))
        self._execute(trial, body.get("params"))
        self._told_note(trial, body.get("note"))

    def _failed(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._end_without(trial, Status.FAILED, e)
        self._fails.upto(self.n_trials)[trial] = body["reason"] in _TELLING
        self._messages[trial] = (body["reason"], body.get("message", ""))

    def _cancelled(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._end_without(trial, Status.CANCELLED, e)
        self._messages[trial] = ("", body.get("message", ""))

    def _amended(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        if self._replaces(trial, body):
            self.mendings.append(e.seq)
            self._mended[trial] = self.n_trials
        self._earlier.setdefault(trial, []).append(self.trial(trial))
        self._observe(trial, body)
        self._execute(trial, body.get("params"))
        if "note" in body:
            self._told_notes[trial] = body["note"]
        if "status" in body:
            self._status.upto(self.n_trials)[trial] = STATUS_CODES[Status(body["status"])]
            self._fails.upto(self.n_trials)[trial] = body.get("reason") in _TELLING
            self._messages.pop(trial, None)
            if body["status"] != Status.COMPLETED:
                self._messages[trial] = (body.get("reason", ""), body["why"])

    def _replaces(self, trial: int, body: Mapping[str, Any]) -> bool:
        """Whether an amendment puts something in the place of what was told, and does not only add to it."""
        told = self.values(trial)
        return bool(
            body.get("params")
            or "status" in body
            or any(m in told for m in body.get("values", ()))
            or any(m in told for m in body.get("sd", ()))
        )

    def _noted(self, e: Event) -> None:
        text = e.read()["text"]
        if e.trial is None:
            self.study_notes.append(text)
        else:
            self._remark(self._known(e), text)

    def _ranked(self, e: Event) -> None:
        ranking = tuple(tuple(group) for group in e.read()["groups"])
        if any(not 0 <= trial < self.n_trials for group in ranking for trial in group):
            raise ValueError(f"it ranks trials that are not among {self.n_trials}")
        self.rankings.append(ranking)

    def _stopped(self, e: Event) -> None:
        self.stops.append(e.read())

    def _is_open(self, trial: int) -> bool:
        return int(self._order.upto(self.n_trials)[trial]) == NEVER

    def _known(self, e: Event) -> int:
        if e.trial is None or not 0 <= e.trial < self.n_trials:
            raise ValueError(f"there is no trial {e.trial} among {self.n_trials}")
        return e.trial

    def _new_trial(self, params: Params, position: int, at: str) -> int:
        trial = self.n_trials
        for column in (self._codes, self._X, *self._others):  # all at once, so that reading never writes
            column.upto(trial + 1)
        if self._given:  # where it was checked just before the space changed
            params = carried_over(params, self.space, self._given)
        self._codes.upto(trial + 1)[trial] = self.space.codes(params)
        self._place.upto(trial + 1)[trial] = len(self._asked), position
        self._asked_at.append(at)
        self._ended_at.append("")
        self.n_trials += 1
        return trial

    def _end(self, trial: int, status: Status, e: Event) -> None:
        self._status.upto(self.n_trials)[trial] = STATUS_CODES[status]
        self._order.upto(self.n_trials)[trial] = e.seq
        self._ended_at[trial] = e.at
        self._runners.pop(trial, None)

    def _end_without(self, trial: int, status: Status, e: Event) -> None:
        """The end of a trial that gave no values; it may have had its cost, and been set otherwise."""
        body = e.read()
        self._keep_cost(trial, body)
        self._end(trial, status, e)
        self._observe(trial, body)
        self._execute(trial, body.get("params"))

    def _keep_cost(self, trial: int, body: Mapping[str, Any]) -> None:
        """Keeps the trial as it is, where another cost is about to take the place of one that was told."""
        cost = self._cost.upto(self.n_trials)[trial]
        if body.get("cost") is not None and not np.isnan(cost) and body["cost"] != cost:
            self._earlier.setdefault(trial, []).append(self.trial(trial))

    def _unmeasured(self, trial: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """What of a told body is new: what was measured before stands, where two told at once."""
        parts = {
            key: {m: v for m, v in body[key].items() if not self.is_measured(trial, m)}
            for key in ("values", "sd", "replicates")
            if key in body
        }
        return {**body, **parts}

    def _observe(self, trial: int, body: Mapping[str, Any]) -> None:
        metrics = self.objectives.metrics
        for column, key in ((self._V, "values"), (self._V_sd, "sd")):
            row = column.upto(self.n_trials)[trial]
            for metric, value in body.get(key, {}).items():
                row[metrics.index(metric)] = number(value)
        for metric in body.get("values", {}):
            single = body.get("replicates", {}).get(metric)
            at = (trial, metrics.index(metric))
            self._V_n.upto(self.n_trials)[at] = 1 if single is None else len(single)
            self._V_scatter.upto(self.n_trials)[at] = np.nan if single is None else _scatter(single)
            if single is not None:
                self._replicates.setdefault(trial, {})[metric] = single
            elif trial in self._replicates:
                self._replicates[trial].pop(metric, None)
        if body.get("cost") is not None:
            self._cost.upto(self.n_trials)[trial] = body["cost"]

    def _execute(self, trial: int, params: Mapping[str, Any] | None) -> None:
        """Puts what was really set in the place of what was suggested."""
        if not params:
            return
        codes = self._codes.upto(self.n_trials)[trial]
        for p in self.space.frame:
            if p.name in params:
                codes[self.space.at[p.name]] = p.code(params[p.name])
        if self.space.is_conditional:  # something else was set, so other parameters may be there
            codes[:] = self.space.codes(self.space.there(self.space.point(codes)))
        if trial < self._n_placed:
            self._X.own()  # histories that were handed out look at these rows
            self._X.upto(self.n_trials)[trial] = self.space.place(codes[None])[0]

    def _told_note(self, trial: int, text: str | None) -> None:
        if text:
            self._told_notes[trial] = text

    def _remark(self, trial: int, text: str | None) -> None:
        if text:
            self._remarks.setdefault(trial, []).append(text)

    # Reading.

    def history(self) -> History:
        """A view of the columns that no later event changes."""
        n = self.n_trials
        X = self._X.upto(n)
        if self._n_placed < n:  # only what is new
            X[self._n_placed :] = self.space.place(self._codes.upto(n)[self._n_placed :])
            self._n_placed = n
        X = X.view()
        X.flags.writeable = False  # the rows are the fold's own
        return History(
            space=self.space,
            objectives=self.objectives,
            seed=self.seed,
            last_event=self.last_event,
            n_asks=self.n_asks,
            is_past=self._is_past.upto(n).copy(),
            X=X,
            V=self._V.upto(n).copy(),
            V_sd=self._V_sd.upto(n).copy(),
            V_n=self._V_n.upto(n).copy(),
            V_scatter=self._V_scatter.upto(n).copy(),
            cost=self._cost.upto(n).copy(),
            status=self._status.upto(n).copy(),
            fails=self._fails.upto(n).copy(),
            order=self._order.upto(n).copy(),
            notes_of=self.notes,
            warm_trials=self._warm_trials,
            looks=self._looks,
            regional=self._regional,
            mended=dict(self._mended),
            rankings=tuple(self.rankings),
            budget=self.budget,
            aim=None if self.space.wide is None else self.space,
        )

    def notes(self, trial: int) -> dict[str, Any]:
        """Why this trial was suggested; empty for past data."""
        notes: dict[str, Any] = self._suggestion(trial).get("notes", {})
        return notes

    def is_past(self, trial: int) -> bool:
        """Whether it was added as past data, so nobody suggested it."""
        return bool(self._is_past.upto(self.n_trials)[trial])

    def suggested(self, trial: int) -> Params:
        """The point as it was suggested, or given where it is past data."""
        return carried_over(self._suggestion(trial)["params"], self.space, self._given)

    def params(self, trial: int) -> Params:
        """The point as it was executed, so far as that is known."""
        return self.space.point(self._codes.upto(self.n_trials)[trial])

    def values(self, trial: int) -> dict[str, float]:
        """Values by metric, means where there are replicates; those of parts among them."""
        return self._by_metric(self._V.upto(self.n_trials)[trial])

    def status(self, trial: int) -> Status:
        return STATUSES[int(self._status.upto(self.n_trials)[trial])]

    def count(self, *statuses: Status) -> int:
        """How many trials have one of these statuses."""
        return int(np.isin(self._status.upto(self.n_trials), [STATUS_CODES[s] for s in statuses]).sum())

    @property
    def n_attached(self) -> int:
        """Trials of past data."""
        return len(self._attached_as)

    def attached_as(self, key: str) -> int | None:
        """The trial that the `attached` event of this key made; None while there is none."""
        return self._attached_as.get(key)

    def first_of_ask(self, index: int) -> int:
        """Number of the first trial that this ask made; the others follow."""
        return self._first_of_ask[index]

    @property
    def n_counted(self) -> int:
        """As `History.n_counted`."""
        n = self.n_trials
        is_cancelled = np.equal(self._status.upto(n), STATUS_CODES[Status.CANCELLED])
        return n - int((is_cancelled | self._is_past.upto(n)).sum())

    def answer(self, ticket: str) -> range | None:
        """The trials that a ticket was given; None while it has no answer."""
        return self._answers.get(ticket)

    def is_untouched(self, trial: int) -> bool:
        """Whether it has not ended and none of its values, cost and parameters was told or amended."""
        is_costed = not np.isnan(self._cost.upto(self.n_trials)[trial])
        return self._is_open(trial) and trial not in self._earlier and not is_costed and not self.values(trial)

    def is_measured(self, trial: int, metric: str) -> bool:
        """Whether a value of this metric is known, of a part or of the whole."""
        return not np.isnan(self._V.upto(self.n_trials)[trial, self.objectives.metrics.index(metric)])

    def total_cost(self) -> float:
        """Sum of the costs that were told."""
        return float(np.nansum(self._cost.upto(self.n_trials)))

    @property
    def first_asked_at(self) -> str:
        """When the first trial was asked for, UTC; empty before."""
        return self._asked_at[self._first_of_ask[0]] if self.n_asks else ""

    def attempt(self, trial: int) -> int:
        return self._attempts.get(trial, 1)

    def worker_losses(self, trial: int) -> int:
        """How often a worker of a living run died under this trial."""
        return self._losses.get(trial, 0)

    def runners(self) -> dict[int, dict[str, Any]]:
        """Who evaluates which running trial, empty for a lost one; trials asked for by hand are not here."""
        return dict(self._runners)

    def trial(self, trial: int) -> Trial:
        """One trial as people see it."""
        suggestion, params = self._suggestion(trial), self.params(trial)
        values, status = self.values(trial), self.status(trial)
        reason, message = self._messages.get(trial, ("", ""))
        cost = float(self._cost.upto(self.n_trials)[trial])
        return Trial(
            number=trial,
            params=params,
            status=status,
            seed=seeding.derive(self.seed, seeding.TRIAL, trial),
            study=self.specification.get("id", ""),
            fidelity=suggestion.get("fidelity", {}),
            values=values,
            is_feasible=self._is_feasible(trial) if status is Status.COMPLETED else None,
            sd=self._by_metric(self._V_sd.upto(self.n_trials)[trial]),
            replicates={m: tuple(map(number, v)) for m, v in self._replicates.get(trial, {}).items()},
            cost=None if np.isnan(cost) else cost,
            reports=tuple(self._reports.get(trial, ())),
            reason=FailureReason(reason) if reason else None,
            message=message,
            note=self._note(trial),
            notes=suggestion.get("notes", {}),
            resume=suggestion.get("resume"),
            parent=suggestion.get("parent"),
            suggested=None if self.is_past(trial) or suggestion["params"] == params else self._if_not(params, trial),
            asked_at=self._asked_at[trial],
            ended_at=self._ended_at[trial],
        )

    def _if_not(self, params: Params, trial: int) -> Params | None:
        """What was suggested, where that is something else."""
        suggested = self.suggested(trial)
        return None if suggested == params else suggested

    def stood(self, trial: int) -> list[Trial]:
        """The trial as it was before each time that something took the place of what was told, and as it is."""
        return [*self._earlier.get(trial, ()), self.trial(trial)]

    def as_told(self, trial: int) -> Trial:
        """The trial as it was when it ended, before anything was amended; as it is where it has not ended."""
        running = (Status.RUNNING, Status.PAUSED)
        return next((t for t in self._earlier.get(trial, ()) if t.status not in running), None) or self.trial(trial)

    def near(self, params: Params, share: float) -> list[int]:
        """Trials whose numbers are within this share of those of a point, and all that were ever amended."""
        there, codes = self._codes.upto(self.n_trials), np.array(self.space.codes(params))
        is_same = np.isnan(there) & np.isnan(codes)  # neither is there
        is_near = (is_same | (np.abs(there - codes) <= share * np.abs(there))).all(axis=1)
        return sorted({*np.flatnonzero(is_near).tolist(), *self._earlier})

    def texts(self) -> dict[str, list[str]]:
        """What is in words, a list over all trials: reason of a failure, note, when asked and when ended (UTC)."""
        n = range(self.n_trials)
        return {
            "reason": [self._messages.get(k, ("", ""))[0] for k in n],
            "note": [self._note(k) for k in n],
            "asked_at": list(self._asked_at),
            "ended_at": list(self._ended_at),
        }

    def _is_feasible(self, trial: int) -> bool:
        return bool(self.objectives.is_feasible(self._V.upto(self.n_trials)[trial, None])[0])

    def _suggestion(self, trial: int) -> dict[str, Any]:
        ask, position = self._place.upto(self.n_trials)[trial]
        body: dict[str, Any] = json.loads(self._asked[ask])
        suggestion: dict[str, Any] = body["suggestions"][position] if "suggestions" in body else body
        return suggestion

    def _note(self, trial: int) -> str:
        told = self._told_notes.get(trial)
        return "\n".join([*([told] if told else []), *self._remarks.get(trial, ())])

    def _by_metric(self, row: Array) -> dict[str, float]:
        return {m: float(v) for m, v in zip(self.objectives.metrics, row, strict=True) if not np.isnan(v)}


def _scatter(singles: Sequence[float]) -> float:
    """Sample standard deviation; NaN of a single number."""
    values = np.array([number(v) for v in singles])
    size = np.abs(values).max(initial=1e-300)  # divided out, as squares of penalties like 1e300 overflow
    return min(float(size) * float((values / size).std(ddof=1)), _LARGEST) if len(values) > 1 else math.nan
