"""The state of a study that its events were folded into, and what is read from it.

A row per trial in columns that grow; no object is built per event. Strategies read it as a `History`, people as trials.
"""

import json
import math
from array import array
from typing import Any, NamedTuple

import numpy as np

from bbo import seeding
from bbo.budget import Budget
from bbo.columns import Column
from bbo.events import Event, number
from bbo.history import NEVER, STATUS_CODES, STATUSES, Array, History, Ranking
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.space.frame import carried_over
from bbo.times import Times
from bbo.trial import FailureReason, Observation, Status, Trial


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


class Folded:
    """The state of a study after some of its events.

    `last_event`, `n_trials` and `n_asks` say how far it is; `history` gives what a strategy reads, `trial` what people
    read. `bbo.fold.Fold` takes the events; until the first one there is neither a space nor a column.
    """

    space: Space
    objectives: Objectives
    seed: int
    _codes: Column
    _X: Column
    _V: Column
    _V_sd: Column
    _V_n: Column
    _V_scatter: Column
    _cost: Column
    _status: Column
    _fails: Column
    _order: Column
    _is_past: Column
    _place: Column  # which of `_asked`, and which of its suggestions

    def __init__(self) -> None:
        self.last_event = 0
        self.n_trials = 0
        self.n_asks = 0
        self.specification: dict[str, Any] = {}
        self.former_spaces: list[dict[str, Any]] = []  # as the log has them
        self.fingerprint: dict[str, Any] = {}
        self.unknown: Event | None = None
        self.queue: dict[str, Params] = {}
        self.budget: Budget | None = None
        self.rankings: list[Ranking] = []
        self.study_notes: list[str] = []
        self.stops: list[dict[str, Any]] = []
        self.mendings: list[int] = []  # numbers of the events that put something in the place of something else
        self._mended: dict[int, int] = {}
        self.given: Params = {}  # what parameters had that came later
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
        return carried_over(self._suggestion(trial)["params"], self.space, self.given)

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

    def trial_cost(self, trial: int) -> float | None:
        """What a trial cost; None where nobody said so."""
        cost = float(self._cost.upto(self.n_trials)[trial])
        return None if math.isnan(cost) else cost

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
            cost=self.trial_cost(trial),
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

    def _is_open(self, trial: int) -> bool:
        return int(self._order.upto(self.n_trials)[trial]) == NEVER

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
