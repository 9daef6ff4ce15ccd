"""What the next points of a study are, a function of its log that asking and verifying share."""

from collections.abc import Mapping, Sequence
from typing import Any

from bbo import seeding
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space import Params
from bbo.studies.one_by_one import OneByOne
from bbo.studies.suggesting import Queue, from_queue, has_values, suggested


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
        return OneByOne(strategy, history, queue, seed, fixed, shared, earlier).points(n, later)
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
    waiting = [(key, point) for key, point in queue.items() if has_values(point, given)][:n]
    said = [from_queue(key, point) for key, point in waiting]
    if len(said) == n:
        return said
    if waiting:
        history = history.with_pending([p for _, p in waiting])
    if fixed:
        history = history.fix(fixed)
    return [*said, *suggested(strategy, history, n - len(said), seed)]
