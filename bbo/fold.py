"""The fold of a study's events: its state, event by event, and what is read from it.

A row per trial in columns that grow; no object is built per event. Strategies read it as a `History`, people as trials.
"""

import json
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.errors import StorageError
from bbo.events import VERSIONS, Event, number
from bbo.history import NEVER, STATUS_CODES, STATUSES, Array, History
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.trial import FailureReason, Observation, Status, Trial

# Failures that say something about the point; a timeout or a lost worker does not.
_TELLING = (FailureReason.RAISED.value, FailureReason.INVALID.value)


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


class Fold:
    """The state of a study, event by event.

    `last_event`, `n_trials` and `n_asks` say how far it is; `history` gives what a strategy reads, `trial` what people
    read. Events must come in the order of their `seq`, without gaps.
    """

    def __init__(self) -> None:
        self.last_event = 0
        self.n_trials = 0
        self.n_asks = 0
        self.n_attached = 0
        self.specification: dict[str, Any] = {}
        self.fingerprint: dict[str, Any] = {}
        self.unknown: Event | None = None
        self.queue: dict[str, Params] = {}
        self._first_of_ask = array("q")
        self._asked: list[str] = []  # bodies of asked and attached events, as they stand in the log
        self._messages: dict[int, tuple[str, str]] = {}
        self._remarks: dict[int, str] = {}
        self._reports: dict[int, list[Observation]] = {}
        self._runners: dict[int, dict[str, Any]] = {}
        self._attempts: dict[int, int] = {}
        self._losses: dict[int, int] = {}
        self._warm_trials: list[int] = []
        self._asked_at: list[str] = []
        self._ended_at: list[str] = []
        self._n_placed = 0
        self._handlers: dict[str, Callable[[Event], None]] = {
            "opened": self._opened,
            "strategy_changed": self._strategy_changed,
            "enqueued": self._enqueued,
            "attached": self._attached,
            "asked": self._on_asked,
            "started": self._started,
            "lost": self._lost,
            "reported": self._reported,
            "told": self._told,
            "failed": self._failed,
            "cancelled": self._cancelled,
        }

    # Folding.

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next events.

        Raises:
            StorageError: an event is missing, or its body is not what its kind has.
        """
        for e in events:
            if e.seq != self.last_event + 1:
                raise StorageError(
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
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StorageError(
                f"Event {e.seq} has a body that {e.kind!r} does not have: {error!r}. Restore the log from a copy."
            ) from error

    def _created(self, e: Event) -> None:
        self.specification = e.read()
        self.space = Space.from_dict(self.specification["space"])
        self.objectives = Objectives.from_list(self.specification["objectives"])
        self.seed: int = self.specification["seed"]
        k = len(self.objectives.metrics)
        self._codes = _Column(self.space.dim, np.float64, np.nan)
        self._X = _Column(self.space.dim, np.float64, np.nan)
        self._V = _Column(k, np.float64, np.nan)
        self._V_sd = _Column(k, np.float64, np.nan)
        self._cost = _Column(None, np.float64, np.nan)
        self._status = _Column(None, np.int8, STATUS_CODES[Status.RUNNING])
        self._fails = _Column(None, np.bool_, False)
        self._order = _Column(None, np.int64, NEVER)
        self._place = _Column(2, np.int32, 0)  # which of `_asked`, and which of its suggestions
        observed = (self._V, self._V_sd, self._cost, self._status, self._fails, self._order)
        self._columns = (self._codes, self._X, self._place, *observed)

    def _opened(self, e: Event) -> None:
        self.fingerprint = e.read()

    def _strategy_changed(self, e: Event) -> None:
        self.specification = {**self.specification, "strategy": e.read()["strategy"]}

    def _enqueued(self, e: Event) -> None:
        self.queue[e.key] = e.read()["params"]

    def _attached(self, e: Event) -> None:
        body = e.read()
        trial = self._new_trial(body["params"], 0, e.at)
        self._asked.append(e.body)
        self.n_attached += 1
        self._end(trial, Status.COMPLETED, e)
        self._observe(trial, body)

    def _on_asked(self, e: Event) -> None:
        body = e.read()
        runner = body.get("meta", {}).get("runner")
        self._first_of_ask.append(self.n_trials)
        for position, suggestion in enumerate(body["suggestions"]):
            trial = self._new_trial(suggestion["params"], position, e.at)
            if "warm" in suggestion.get("notes", ()):
                self._warm_trials.append(trial)
            if "enqueued" in suggestion:
                self.queue.pop(suggestion["enqueued"], None)
            if runner is not None:
                self._runners[trial] = runner
        self._asked.append(e.body)
        self.n_asks += 1

    def _started(self, e: Event) -> None:
        body = e.read()
        trial = self._known(e)
        self._runners[trial] = body["runner"]
        self._attempts[trial] = body["attempt"]

    def _lost(self, e: Event) -> None:
        trial = self._known(e)
        self._runners[trial] = {}  # nobody's, until it is started again
        if e.read().get("worker"):
            self._losses[trial] = self._losses.get(trial, 0) + 1

    def _reported(self, e: Event) -> None:
        body = e.read()
        seen = Observation({m: number(v) for m, v in body["values"].items()}, cost=body.get("cost"), step=body["step"])
        self._reports.setdefault(self._known(e), []).append(seen)

    def _told(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._end(trial, Status.COMPLETED, e)
        self._observe(trial, body)
        if body.get("note"):
            self._remarks[trial] = body["note"]

    def _failed(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._end(trial, Status.FAILED, e)
        self._fails.upto(self.n_trials)[trial] = body["reason"] in _TELLING
        self._messages[trial] = (body["reason"], body.get("message", ""))

    def _cancelled(self, e: Event) -> None:
        trial, body = self._known(e), e.read()
        self._end(trial, Status.CANCELLED, e)
        self._messages[trial] = ("", body.get("message", ""))

    def _known(self, e: Event) -> int:
        if e.trial is None or not 0 <= e.trial < self.n_trials:
            raise ValueError(f"there is no trial {e.trial} among {self.n_trials}")
        return e.trial

    def _new_trial(self, params: Params, position: int, at: str) -> int:
        trial = self.n_trials
        for column in self._columns:  # all at once, so that reading never writes
            column.upto(trial + 1)
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

    def _observe(self, trial: int, body: Mapping[str, Any]) -> None:
        metrics = self.objectives.metrics
        for column, key in ((self._V, "values"), (self._V_sd, "sd")):
            row = column.upto(self.n_trials)[trial]
            for metric, value in body.get(key, {}).items():
                row[metrics.index(metric)] = number(value)
        if body.get("cost") is not None:
            self._cost.upto(self.n_trials)[trial] = body["cost"]

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
            n_suggested=n - self.n_attached,
            X=X,
            V=self._V.upto(n).copy(),
            V_sd=self._V_sd.upto(n).copy(),
            cost=self._cost.upto(n).copy(),
            status=self._status.upto(n).copy(),
            fails=self._fails.upto(n).copy(),
            order=self._order.upto(n).copy(),
            notes_of=self.notes,
            warm_trials=self._warm_trials,
        )

    def notes(self, trial: int) -> dict[str, Any]:
        """Why this trial was suggested; empty for past data."""
        notes: dict[str, Any] = self._suggestion(trial).get("notes", {})
        return notes

    def params(self, trial: int) -> Params:
        return self.space.point(self._codes.upto(self.n_trials)[trial])

    def status(self, trial: int) -> Status:
        return STATUSES[int(self._status.upto(self.n_trials)[trial])]

    def count(self, *statuses: Status) -> int:
        """How many trials have one of these statuses."""
        return int(np.isin(self._status.upto(self.n_trials), [STATUS_CODES[s] for s in statuses]).sum())

    def first_of_ask(self, index: int) -> int:
        """Number of the first trial that this ask made; the others follow."""
        return self._first_of_ask[index]

    @property
    def n_counted(self) -> int:
        """As `History.n_counted`."""
        return self.n_trials - self.n_attached - self.count(Status.CANCELLED)

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
        suggestion = self._suggestion(trial)
        V = self._V.upto(self.n_trials)[trial]
        status = self.status(trial)
        reason, message = self._messages.get(trial, ("", ""))
        cost = float(self._cost.upto(self.n_trials)[trial])
        return Trial(
            number=trial,
            params=self.params(trial),
            status=status,
            seed=seeding.derive(self.seed, seeding.TRIAL, trial),
            study=self.specification.get("id", ""),
            fidelity=suggestion.get("fidelity", {}),
            values=self._by_metric(V),
            is_feasible=bool(self.objectives.is_feasible(V[None])[0]) if status is Status.COMPLETED else None,
            sd=self._by_metric(self._V_sd.upto(self.n_trials)[trial]),
            cost=None if np.isnan(cost) else cost,
            reports=tuple(self._reports.get(trial, ())),
            reason=FailureReason(reason) if reason else None,
            message=message,
            note=self._remarks.get(trial, ""),
            notes=suggestion.get("notes", {}),
            resume=suggestion.get("resume"),
            parent=suggestion.get("parent"),
            asked_at=self._asked_at[trial],
            ended_at=self._ended_at[trial],
        )

    def texts(self) -> dict[str, list[str]]:
        """What is in words, a list over all trials: reason of a failure, note, when asked and when ended (UTC)."""
        n = range(self.n_trials)
        return {
            "reason": [self._messages.get(k, ("", ""))[0] for k in n],
            "note": [self._remarks.get(k, "") for k in n],
            "asked_at": list(self._asked_at),
            "ended_at": list(self._ended_at),
        }

    def _suggestion(self, trial: int) -> dict[str, Any]:
        ask, position = self._place.upto(self.n_trials)[trial]
        body: dict[str, Any] = json.loads(self._asked[ask])
        suggestion: dict[str, Any] = body["suggestions"][position] if "suggestions" in body else {}
        return suggestion

    def _by_metric(self, row: Array) -> dict[str, float]:
        return {m: float(v) for m, v in zip(self.objectives.metrics, row, strict=True) if not np.isnan(v)}
