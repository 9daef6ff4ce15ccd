"""A first design: the middle of the space, then the points of another strategy."""

import numpy as np

from bbo.history import History
from bbo.protocols import Strategy
from bbo.trial import Suggestion


def first_design(others: Strategy, history: History, n: int, seed: int) -> list[Suggestion]:
    """At most `n` points, of which the study's first is the middle.

    An optimum is hardly ever where all parameters are at their ends, and in many dimensions every other point is far
    from the middle. On a line a sequence alone is spread better.
    """
    if n == 0:
        return []
    if history.n_trials or history.space.dim == 1:
        return others.suggest(history, n, seed=seed)
    middle = history.space.fresh(history.space.decode(np.full((1, history.space.dim), 0.5)), history)
    rest = others.suggest(history.with_pending(middle), n - 1, seed=seed) if n > 1 else []
    return [*(Suggestion(params, notes={"by": "middle"}) for params in middle), *rest]
