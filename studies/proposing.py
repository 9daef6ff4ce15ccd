"""What the next points of a study are, a function of its log that asking and verifying share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bbo import seeding
from bbo.errors import NoPointError, SpaceError, StrategyError
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.space.between import Left
from bbo.studies.wish import is_same
from bbo.trial import Suggestion

Queue = Mapping[str, Params]


def propose(
    strategy: Strategy,
    history: History,
    queue: Queue,
    n: int,
    *,
    seed: int,
    fixed: Mapping[str, Any],
    context: Mapping[str, Any],
    shared: Sequence[str] = (),
    earlier: Sequence[Params] = (),
    later: int = 0,
) -> list[dict[str, Any]]:
    """At most `n` suggestions as an `asked` event holds them: first what was enqueued, then what the strategy says.

    Args:
        queue: points waiting by the key of their event; those that contradict `fixed` or `context` wait on.
        shared: parameters that have one value in all suggestions: the one that the first of them has.
        earlier, later: points of the same ask that it was given before, and how many will come after these; what
            constraints between points bind together.
    Raises:
        SpaceError: constraints between points leave no so many.
    """
    if context:
        history = history.given(context)
    if history.space.between is not None:
        return _OneByOne(strategy, history, queue, seed, fixed, shared, earlier).points(n, later)
    if shared and n > 1:
        first = propose(strategy, history, queue, 1, seed=seed, fixed=fixed, context={})
        if not first:
            return []
        params = first[0]["params"]
        rest = propose(
            strategy,
            history.with_pending([params]),
            {key: point for key, point in queue.items() if key != first[0].get("enqueued")},
            n - 1,
            seed=seeding.derive(seed, seeding.SHARED),
            fixed={**fixed, **{name: params[name] for name in shared if name in params}},
            context={},
        )
        return [*first, *rest]
    given = {**fixed, **{name: history.space.fixed[name] for name in history.context}}
    waiting = [(key, point) for key, point in queue.items() if _has(point, given)][:n]
    said = [_enqueued(key, point) for key, point in waiting]
    if len(said) == n:
        return said
    if waiting:
        history = history.with_pending([p for _, p in waiting])
    if fixed:
        history = history.fix(fixed)
    return [*said, *_suggested(strategy, history, n - len(said), seed)]


def _has(point: Params, given: Mapping[str, Any]) -> bool:
    """Whether a point has these values."""
    return is_same({name: point.get(name) for name in given}, given)


def _enqueued(key: str, point: Params) -> dict[str, Any]:
    return {"params": point, "notes": {"by": "enqueued"}, "enqueued": key}


def _suggested(strategy: Strategy, history: History, n: int, seed: int) -> list[dict[str, Any]]:
    suggestions = strategy.suggest(history, n, seed=seed)
    if len(suggestions) > n:
        raise StrategyError(f"{type(strategy).__name__} was asked for {n} points and gave {len(suggestions)}.")
    return [_as_json(s, history.space) for s in suggestions]


def _as_json(suggestion: Suggestion, space: Space) -> dict[str, Any]:
    plain: dict[str, Any] = {"params": space.check(suggestion.params)}
    for key in ("fidelity", "resume", "parent", "notes"):
        value = getattr(suggestion, key)
        if value is not None and value != {}:
            plain[key] = value
    return plain


@dataclass(frozen=True)
class _OneByOne:
    """Asks a strategy for points that constraints bind together, one after the other, each within what is left.

    Args:
        earlier: points of the ask that it was given before.
    """

    strategy: Strategy
    history: History
    queue: Queue
    seed: int
    fixed: Mapping[str, Any]
    shared: Sequence[str]
    earlier: Sequence[Params]

    def points(self, n: int, later: int) -> list[dict[str, Any]]:
        """At most n, with so many to come after them.

        Where the strategy has fewer, they satisfy the constraints as they are, or are an ask of that many.

        Raises:
            SpaceError: constraints leave no so many.
            NoPointError: nonlinear ones leave none at all.
        """
        _left(self._space, self.earlier, n + later).check()
        found, none = self._walked(n, later)
        while 0 < len(found) < n:
            if _left(self._space, [*self.earlier, *(s["params"] for s in found)], 0).is_possible:
                break
            n = len(found)
            is_possible = _left(self._space, self.earlier, n).is_possible
            found, none = self._walked(n, 0) if is_possible else (found[:-1], none)
        if none is not None and not found:
            raise none
        return found

    @cached_property
    def _space(self) -> Space:
        return self.history.space.fix(self.fixed) if self.fixed else self.history.space

    def _walked(self, n: int, later: int) -> tuple[list[dict[str, Any]], NoPointError | None]:
        """As many of n as are found, so that the others can follow; and what nonlinear constraints left of the next."""
        said: list[dict[str, Any]] = []
        history, queue, space = self.history, dict(self.queue), self._space
        for k in range(n):
            before = [*self.earlier, *(s["params"] for s in said)]
            held = () if said else self.shared
            left = _left(space, before, n + later - k)
            try:
                found = self._enqueued(queue, space, left, held) or self._asked(history, space, left, held, k)
            except NoPointError as none:
                return said, none
            if found is None:
                break
            said.append(found)
            queue.pop(found.get("enqueued", ""), None)
            history = history.with_pending([found["params"]])
            if held and k < n - 1:
                space = space.fix(_values(found["params"], held))
        return said, None

    def _can_follow(self, point: Params, space: Space, left: Left, held: Sequence[str]) -> bool:
        """Whether the others can follow a point, with the values that it has of what they share."""
        if held and left.n > 1:
            try:
                between = space.fix(_values(point, held)).between
            except SpaceError:
                return False
            assert between is not None
            left = replace(left, between=between)
        return left.after(point).is_possible

    def _enqueued(self, queue: Queue, space: Space, left: Left, held: Sequence[str]) -> dict[str, Any] | None:
        """The first enqueued point that the others can follow; None without any."""
        waiting = (item for item in queue.items() if _has(item[1], space.fixed))
        return next((_enqueued(key, p) for key, p in waiting if self._can_follow(p, space, left, held)), None)

    def _asked(self, history: History, space: Space, left: Left, held: Sequence[str], k: int) -> dict[str, Any] | None:
        """The k-th point, from the strategy; None where it has none that the others can follow.

        Raises:
            NoPointError: nonlinear constraints leave none, whatever was tried.
        """
        numbers = [number for name in held for number in space.by_name[name].columns]
        seed = seeding.derive(self.seed, seeding.BETWEEN, k)
        none: list[NoPointError] = []
        tried = 0
        for constraints in (left.shares(numbers), left.held()):
            try:
                narrowed = space.of_one_point(constraints)
            except SpaceError:
                continue  # levels and mixtures may leave no even share
            try:
                found = _suggested(self.strategy, replace(history, space=narrowed), 1, seed)
            except NoPointError as error:
                none.append(error)  # nonlinear ones may leave none of a share, or of what is held
                continue
            if found and self._can_follow(found[0]["params"], space, left, held):
                return found[0]
            tried += 1
        if none and not tried:
            raise none[0]
        return None


def _values(point: Params, names: Sequence[str]) -> Params:
    return {name: point[name] for name in names if name in point}


def _left(space: Space, points: Sequence[Params], n: int) -> Left:
    """What points of an ask leave to n more of a space."""
    assert space.between is not None
    return space.between.left(points, n)
