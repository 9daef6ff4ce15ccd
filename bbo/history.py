"""The columns a strategy reads: the trials as they stood at one event, never changed afterwards.

`bbo.fold` makes them from the events.

| symbol | shape | is |
|---|---|---|
| X | n x d | positions in the unit cube, all trials |
| V | n x k | values by metric (columns as `objectives.metrics`), in the user's units; NaN where there are none |
| V_sd | n x k | standard deviation of their noise where it was told, else NaN |
| V_n | n x k | of how many measurements each value is the mean |
| V_scatter | n x k | sample standard deviation of these measurements, NaN of a single one |
| Y | n x m | utilities to be maximized |
| G | n x c | violations, feasible when <= 0 |
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.budget import Budget
from bbo.errors import ObjectiveError
from bbo.objective import Objectives
from bbo.space import Params, Space
from bbo.trial import Status

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ranking = tuple[tuple[int, ...], ...]

# Statuses are small numbers in the columns.
STATUSES = tuple(Status)
STATUS_CODES = {status: code for code, status in enumerate(STATUSES)}
_RUNNING, _PAUSED, _COMPLETED, _FAILED = (
    STATUS_CODES[s] for s in (Status.RUNNING, Status.PAUSED, Status.COMPLETED, Status.FAILED)
)
# `order` of a trial that has not ended.
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class History:
    """What is known of a study at one event.

    Args:
        seed: the study's.
        last_event: `seq` of the last event folded.
        n_asks: asks before this one.
        status: code of each trial's status, `n`.
        fails: trials that failed for a reason that lies in the point, `n`.
        order: `seq` of the event that ended each trial, `n`.
        is_past: trials that nobody proposed: past data, `n`.
        notes_of: of a trial, by its number.
        warm_trials: those whose notes have the key `warm`, in order.
        looks: by trial, the first other that was proposed to look at it again.
        regional: those whose notes have the key `region`, in order.
        mended: by trial, how many trials there were when something of it was last replaced.
        rankings: each a tuple of groups of trials, the best group first.
        budget: how far the study goes; None where nothing was said.
        context: names of the parameters that the world gives, whose values are fixed in the space; see `given`.
        aim: where the best is wanted, in a context or a space that trials lie outside of, nothing chosen being fixed;
            None where that is everywhere.
    """

    space: Space
    objectives: Objectives
    seed: int
    last_event: int
    n_asks: int
    X: Array
    V: Array
    V_sd: Array
    V_n: NDArray[np.int32]
    V_scatter: Array
    cost: Array
    status: NDArray[np.int8]
    fails: Mask
    order: NDArray[np.int64]
    is_past: Mask
    notes_of: Callable[[int], dict[str, Any]]
    warm_trials: Sequence[int]
    looks: Mapping[int, int]
    regional: Sequence[int]
    mended: Mapping[int, int]
    rankings: tuple[Ranking, ...] = ()
    budget: Budget | None = None
    context: tuple[str, ...] = ()
    aim: Space | None = None

    @property
    def n_trials(self) -> int:
        return len(self.X)

    @property
    def n_suggested(self) -> int:
        """Trials that strategies proposed so far, or people enqueued."""
        return int(np.count_nonzero(~self.is_past))

    @cached_property
    def is_completed(self) -> Mask:
        return np.equal(self.status, _COMPLETED)

    @cached_property
    def is_pending(self) -> Mask:
        return np.isin(self.status, (_RUNNING, _PAUSED))

    @cached_property
    def is_failed(self) -> Mask:
        return np.equal(self.status, _FAILED) & self.fails

    @cached_property
    def is_given_up(self) -> Mask:
        """Trials that ended without a word: cancelled, or failed for a reason that does not lie in the point."""
        return self.has_status(Status.CANCELLED) | (self.has_status(Status.FAILED) & ~self.fails)

    @cached_property
    def Y(self) -> Array:
        return self.objectives.utilities(self.V)

    @cached_property
    def G(self) -> Array:
        return self.objectives.violations(self.V)

    @cached_property
    def is_feasible(self) -> Mask:
        """Completed trials that satisfy every constraint."""
        return self.is_completed & (self.G <= 0).all(axis=1)

    @cached_property
    def is_in_context(self) -> Mask:
        """Trials made in the context; all where there is none."""
        return self.space.has(self.X, {name: self.space.fixed[name] for name in self.context})

    def carried(self, X: Array) -> Array:
        """Positions, `n x d`, with the context's values in place of their own."""
        X = X.copy()
        for name in self.context:
            X[:, self.space.at[name]] = self.space.position(name, self.space.fixed[name])
        return X

    def has_status(self, status: Status) -> Mask:
        """Trials of this status, for whatever reason."""
        return np.equal(self.status, STATUS_CODES[status])

    @property
    def n_counted(self) -> int:
        """Trials as the budget of a run counts them: not past data, not cancelled ones."""
        return int(np.count_nonzero(~self.is_past & ~self.has_status(Status.CANCELLED)))

    @cached_property
    def incumbent(self) -> int | None:
        """Number of the feasible trial with the highest utility, the earliest of equals; None while there is none.

        In a context, of those made in it.

        Raises:
            ObjectiveError: several objectives.
        """
        if len(self.objectives.aims) > 1:
            metrics = [aim.metric for aim in self.objectives.aims]
            raise ObjectiveError(f"There is no single best trial with the objectives {metrics}: use front.")
        feasible = np.flatnonzero(self.is_feasible & self.is_in_context)
        return int(feasible[np.argmax(self.Y[feasible, 0])]) if len(feasible) else None

    @cached_property
    def front(self) -> NDArray[np.int64]:
        """Numbers of the feasible trials that no other feasible trial dominates; of equal ones all.

        In a context, of those made in it.
        """
        feasible = np.flatnonzero(self.is_feasible & self.is_in_context)
        Y = self.Y[feasible]
        best = np.zeros((0, Y.shape[1]))
        kept: list[int] = []
        for k in np.lexsort(-Y.T[::-1]):  # whoever dominates a point comes before it
            if not ((best >= Y[k]).all(axis=1) & (best > Y[k]).any(axis=1)).any():
                best = np.vstack([best, Y[k]])
                kept.append(int(k))
        return np.asarray(feasible[np.sort(np.array(kept, dtype=np.int64))])

    @cached_property
    def told_order(self) -> NDArray[np.int64]:
        """Numbers of the ended trials in the order in which they ended, in which a population is kept up to date."""
        ended = np.flatnonzero(self.order < NEVER)
        return ended[np.argsort(self.order[ended], kind="stable")]

    def latest_warm(self) -> tuple[int, dict[str, Any]] | None:
        """Number and notes of the latest trial whose notes have the key `warm`; None before the first."""
        k = bisect_left(self.warm_trials, self.n_trials) - 1
        return None if k < 0 else (self.warm_trials[k], self.notes_of(self.warm_trials[k]))

    def seen_below(self, first_unseen: int) -> "History":
        """This history with the trials from `first_unseen` on still pending, the others ended in order of number."""
        unseen = np.arange(self.n_trials) >= first_unseen
        V, V_sd, V_n, cost = self.V.copy(), self.V_sd.copy(), self.V_n.copy(), self.cost.copy()
        V[unseen], V_sd[unseen], V_n[unseen], cost[unseen] = np.nan, np.nan, 1, np.nan
        V_scatter = np.where(unseen[:, None], np.nan, self.V_scatter)
        return replace(
            self,
            V=V,
            V_sd=V_sd,
            V_n=V_n,
            V_scatter=V_scatter,
            cost=cost,
            status=np.where(unseen, np.int8(_RUNNING), self.status),
            fails=self.fails & ~unseen,
            order=np.where(unseen | (self.order == NEVER), NEVER, np.arange(self.n_trials)),
        )

    def with_pending(self, points: Sequence[Params]) -> "History":
        """This history and more trials, asked for but not ended."""
        n, k = len(points), self.V.shape[1]
        return replace(
            self,
            X=np.vstack([self.X, self.space.encode(points)]),
            V=np.vstack([self.V, np.full((n, k), np.nan)]),
            V_sd=np.vstack([self.V_sd, np.full((n, k), np.nan)]),
            V_n=np.vstack([self.V_n, np.ones((n, k), dtype=np.int32)]),
            V_scatter=np.vstack([self.V_scatter, np.full((n, k), np.nan)]),
            cost=np.append(self.cost, np.full(n, np.nan)),
            status=np.append(self.status, np.full(n, _RUNNING, dtype=np.int8)),
            fails=np.append(self.fails, np.zeros(n, dtype=bool)),
            order=np.append(self.order, np.full(n, NEVER)),
            is_past=np.append(self.is_past, np.zeros(n, dtype=bool)),
        )

    def fix(self, values: Mapping[str, Any]) -> "History":
        """This history in the space with some parameters given; what is wanted stays the best of all."""
        return replace(self, space=self.space.fix(values))

    def given(self, values: Mapping[str, Any]) -> "History":
        """This history in a context, where the world gives some parameters: the best is wanted with these values."""
        space = self.space.fix(values)
        return replace(self, space=space, context=tuple(values), aim=space)
