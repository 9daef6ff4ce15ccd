"""The fold of a study's events: its state, event by event."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from bbo.budget import Budget
from bbo.columns import Column
from bbo.errors import DamagedError, SpaceError
from bbo.events import VERSIONS, Event, number
from bbo.folded import Folded, Foretold
from bbo.history import NEVER, STATUS_CODES
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.space.frame import carried_over, check_change, framed
from bbo.trial import TELLING, Observation, Status

_LARGEST = 1e308  # where a standard deviation leaves the range of numbers


class Fold(Folded):
    """The state of a study, event by event.

    Events must come in the order of their `seq`, without gaps.

    Args:
        given: spaces of the study as they were passed again, which have what the log cannot hold of them.
    """

    def __init__(self, given: Sequence[Space] = ()) -> None:
        super().__init__()
        self._passed = given
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
        self.seed = self.specification["seed"]
        k = len(self.objectives.metrics)
        self._codes = Column(self.space.dim, np.float64, np.nan)
        self._X = Column(self.space.dim, np.float64, np.nan)
        self._V = Column(k, np.float64, np.nan)
        self._V_sd = Column(k, np.float64, np.nan)
        self._V_n = Column(k, np.int32, 1)
        self._V_scatter = Column(k, np.float64, np.nan)
        self._cost = Column(None, np.float64, np.nan)
        self._status = Column(None, np.int8, STATUS_CODES[Status.RUNNING])
        self._fails = Column(None, np.bool_, False)
        self._order = Column(None, np.int64, NEVER)
        self._is_past = Column(None, np.bool_, False)
        self._place = Column(2, np.int32, 0)
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
        self.given |= check_change(before, after, body["given"])
        points = [carried_over(before.point(codes), after, self.given) for codes in self._codes.upto(n)]
        self.space = framed(after, before, points)
        self.former_spaces.append(self.specification["space"])
        self.specification = {**self.specification, "space": body["space"]}
        self._codes, self._X = (Column(self.space.dim, np.float64, np.nan) for _ in range(2))
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
                carried.append((key, carried_over(point, self.space, self.given)))
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
        if "reason" in body:
            self._end(trial, Status.FAILED, e)
            self._say_why(trial, body)
        else:
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
        self._say_why(trial, body)

    def _say_why(self, trial: int, body: Mapping[str, Any]) -> None:
        """Keeps why a trial failed."""
        self._fails.upto(self.n_trials)[trial] = body["reason"] in TELLING
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
            self._fails.upto(self.n_trials)[trial] = body.get("reason") in TELLING
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

    def _known(self, e: Event) -> int:
        if e.trial is None or not 0 <= e.trial < self.n_trials:
            raise ValueError(f"there is no trial {e.trial} among {self.n_trials}")
        return e.trial

    def _new_trial(self, params: Params, position: int, at: str) -> int:
        trial = self.n_trials
        for column in (self._codes, self._X, *self._others):  # all at once, so that reading never writes
            column.upto(trial + 1)
        if self.given:  # where it was checked just before the space changed
            params = carried_over(params, self.space, self.given)
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


def _scatter(singles: Sequence[float]) -> float:
    """Sample standard deviation; NaN of a single number."""
    values = np.array([number(v) for v in singles])
    size = np.abs(values).max(initial=1e-300)  # divided out, as squares of penalties like 1e300 overflow
    return min(float(size) * float((values / size).std(ddof=1)), _LARGEST) if len(values) > 1 else math.nan
