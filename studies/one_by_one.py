"""Points of an ask that constraints bind together, chosen one after the other, each within what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bbo import seeding
from bbo.errors import NoPointError, SpaceError
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.space.between import Left
from bbo.space.counting import members_of, sums_of
from bbo.studies.suggesting import Queue, from_queue, has_values, suggested

# Where points are missing: how many numbers of points below that asked for are looked at, and for how many of these the
# strategy is asked.
_MOST_LEFT_OUT, _MOST_WALKS = 16, 3
# ... and of how many points drawn the shared values are taken, how many of which are looked at.
_DRAWN, _MOST_OTHERS = 256, 64


@dataclass(frozen=True)
class OneByOne:
    """Asks a strategy for points that constraints bind together, one after the other, each within what is left.

    Args:
        earlier: points of the ask that it was given before.
        is_counting: whether it is looked at which rows pools have, how many points are left of few, and what else may
            be shared. That takes longer, and is done where points are missing without.
    """

    strategy: Strategy
    history: History
    queue: Queue
    seed: int
    fixed: Mapping[str, Any]
    shared: Sequence[str]
    earlier: Sequence[Params]
    is_counting: bool = False

    def points(self, n: int, later: int) -> list[dict[str, Any]]:
        """At most n, with so many to come after them.

        Where there are fewer, they satisfy the constraints as they are, or are an ask of that many.

        Raises:
            SpaceError: constraints leave no so many.
            NoPointError: nonlinear ones leave none at all.
        """
        self._left(self._space, self.earlier, n + later, self.history).check()
        found, none = self._shortened(n, later)
        counting = replace(self, is_counting=True)
        rest = n + later - len(found)  # what these leave enough to is asked for after them
        if rest and not (found and counting._can_others_follow(found, rest)):
            found = counting._longest(n, later, min(len(found), n - 1)) or found
        by_rows = self._space.between_by_rows
        if not found and by_rows is not None:
            by_rows.left(self.earlier, n + later).check()
        if none is not None and not found:
            raise none
        return found

    @cached_property
    def _space(self) -> Space:
        return self.history.space.fix(self.fixed) if self.fixed else self.history.space

    def _left(self, space: Space, points: Sequence[Params], n: int, history: History) -> Left:
        """What points of an ask leave to n more of a space, of those that were not tried."""
        between = space.between_by_rows if self.is_counting else space.between
        assert between is not None
        left = between.left(points, n)
        if not self.is_counting:
            return left
        return replace(left, sums=sums_of(space, between.constraints, between.sizes, history.X))

    def _shortened(self, n: int, later: int) -> tuple[list[dict[str, Any]], NoPointError | None]:
        """Points that satisfy the constraints, as many of n as are found by asking for fewer and fewer; and what
        nonlinear constraints left where none were."""
        found, none = self._walked(n, later)
        while 0 < len(found) < n:
            if self._left(self._space, [*self.earlier, *(s["params"] for s in found)], 0, self.history).is_possible:
                break
            n = len(found)
            is_possible = self._left(self._space, self.earlier, n, self.history).is_possible
            found, none = self._walked(n, 0) if is_possible else (found[:-1], none)
        return found, none

    def _longest(self, n: int, later: int, n_found: int) -> list[dict[str, Any]]:
        """More points than were found, the most of n with others to come after them; none where there are no more."""
        left, n_walks = self._left(self._space, self.earlier, n + later, self.history), 0
        most = n + later if left.sums is None else int(min(n + later, left.sums.n_points))
        for total in range(most, max(n_found, most - _MOST_LEFT_OUT), -1):
            left = self._left(self._space, self.earlier, total, self.history)
            if not left.is_known:
                break  # nor are others then
            if not left.is_possible:
                continue
            found, _ = self._walked(min(n, total), max(0, total - n))
            if len(found) == min(n, total):
                return found
            n_walks += 1
            if n_walks == _MOST_WALKS:
                break
        return []

    def _walked(self, n: int, later: int) -> tuple[list[dict[str, Any]], NoPointError | None]:
        """As many of n as are found, so that the others can follow; and what nonlinear constraints left of the next."""
        said: list[dict[str, Any]] = []
        history, queue, space = self.history, dict(self.queue), self._space
        for k in range(n):
            before = [*self.earlier, *(s["params"] for s in said)]
            step = _Step(space, history, before, n + later - k, () if said else self.shared, k)
            try:
                found = self._enqueued(queue, step) or self._asked(step)
            except NoPointError as none:
                return said, none
            if found is None:
                break
            said.append(found)
            queue.pop(found.get("enqueued", ""), None)
            history = history.with_pending([found["params"]])
            if step.held and k < n - 1:
                space = space.fix(_values(found["params"], step.held))
        return said, None

    def _can_others_follow(self, found: Sequence[Mapping[str, Any]], n: int) -> bool:
        """Whether n points can follow those found."""
        points = [s["params"] for s in found]
        space = self._space.fix(_values(points[0], self.shared)) if self.shared else self._space
        return self._left(space, [*self.earlier, *points], n, self.history.with_pending(points)).is_possible

    def _can_follow(self, point: Params, step: "_Step") -> bool:
        """Whether the others can follow a point, with the values that it has of what they share."""
        space = step.space
        if step.held and step.n > 1:
            try:
                space = space.fix(_values(point, step.held))
            except SpaceError:
                return False
        return self._left(space, [*step.before, point], step.n - 1, step.history.with_pending([point])).is_possible

    def _enqueued(self, queue: Queue, step: "_Step") -> dict[str, Any] | None:
        """The first enqueued point that the others can follow; None without any."""
        waiting = (item for item in queue.items() if has_values(item[1], step.space.fixed))
        return next((from_queue(key, p) for key, p in waiting if self._can_follow(p, step)), None)

    def _asked(self, step: "_Step") -> dict[str, Any] | None:
        """The next point, from the strategy; None where it has none that the others can follow.

        Raises:
            NoPointError: nonlinear constraints leave none, whatever was tried.
        """
        numbers = [number for name in step.held for number in step.space.by_name[name].columns]
        seed = seeding.derive(self.seed, seeding.BETWEEN, step.k)
        left = self._left(step.space, step.before, step.n, step.history)
        none: NoPointError | None = None
        wanted: list[Params] = []
        n_asked = 0
        for constraints in (left.shares(numbers), left.held()):
            try:
                narrowed = step.space.of_one_point(constraints)
            except SpaceError:
                continue  # levels and mixtures may leave no even share
            try:
                found = suggested(self.strategy, replace(step.history, space=narrowed), 1, seed)
            except NoPointError as error:
                none = none or error  # nonlinear ones may leave none of a share, or of what is held
                continue
            if found and self._can_follow(found[0]["params"], step):
                return found[0]
            n_asked += 1
            wanted += [s["params"] for s in found]
        if self.is_counting and step.held and step.n > 1:
            return self._asked_with_others(step, wanted)
        if none is not None and not n_asked:
            raise none
        return None

    def _asked_with_others(self, step: "_Step", wanted: Sequence[Params]) -> dict[str, Any] | None:
        """The next point with values of what is shared that leave enough to the others, by those that were wanted
        first and then near them."""
        for values in [*(_values(p, step.held) for p in wanted), *self._shareable(step, wanted)]:
            try:
                given = replace(step, space=step.space.fix(values), held=())
            except SpaceError:
                continue
            if self._left(given.space, given.before, given.n, given.history).is_possible:
                found = self._asked(given)
                if found is not None:
                    return found
        return None

    def _shareable(self, step: "_Step", wanted: Sequence[Params]) -> list[Params]:
        """Some values of what is shared: those near the first that was wanted, where one was."""
        space, members = step.space, members_of(step.space)
        rng = seeding.generator(self.seed, seeding.BETWEEN, step.k, seeding.SHARED)
        U = space.encode(space.sample(_DRAWN, rng)) if members is None else members
        at = [j for j, p in enumerate(space.owners) if p.name in step.held]
        _, first = np.unique(U[:, at].round(9), axis=0, return_index=True)
        U = U[rng.permutation(first)]
        if wanted:
            apart = np.abs(U[:, at] - space.encode(wanted[:1])[:, at]).sum(1)
            U = U[np.argsort(apart, kind="stable")]
        return [_values(point, step.held) for point in space.decode(U[:_MOST_OTHERS])]


@dataclass(frozen=True)
class _Step:
    """What is known where the next point is chosen.

    Args:
        before: points of the ask that are chosen.
        n: how many points there are to come, with this one.
        held: what all of them share, where this one chooses it.
        k: how many the strategy and the queue gave before.
    """

    space: Space
    history: History
    before: Sequence[Params]
    n: int
    held: Sequence[str]
    k: int


def _values(point: Params, names: Sequence[str]) -> Params:
    return {name: point[name] for name in names if name in point}
