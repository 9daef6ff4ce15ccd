"""Sobol search: a low-discrepancy sequence, blind to the observations.

Where columns are bound together, by totals and constraints, it is no sequence: of points drawn uniformly each next one
is the farthest from all that were tried (Johnson, Moore & Ylvisaker, J. Statist. Plann. Inference 26 (1990)).

Sobol', USSR Comp. Math. 7 (1967); scrambling after Owen, "Randomly permuted (t,m,s)-nets" (1995); directions of Joe &
Kuo (2008), up to 21201 dimensions.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from bbo import seeding
from bbo.history import Array, History
from bbo.space import Params, Space
from bbo.space.fresh import is_tried
from bbo.trial import Suggestion

# Of so many points drawn those far apart are taken.
_DRAWN = 256


@dataclass(frozen=True)
class SobolSearch:
    """Scrambled Sobol points, in the order of the sequence; the study's seed fixes the scrambling."""

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        if not history.space.region.is_box:
            return [Suggestion(params, notes={"by": "maximin"}) for params in _far_apart(history, n, seed)]
        rng = seeding.generator(history.seed, seeding.FIRST_DESIGN)
        engine = qmc.Sobol(history.space.dim, scramble=True, rng=rng)
        if history.n_suggested > 0:  # scipy cannot go forward by 0
            engine.fast_forward(history.n_suggested)
        with warnings.catch_warnings():
            # A sequence is taken point by point here; its balance at powers of two is not at stake.
            warnings.filterwarnings("ignore", message="The balance properties of Sobol'", category=UserWarning)
            U = engine.random(n)
        points = history.space.fresh(history.space.decode(U), history)
        return [Suggestion(params, notes={"by": "sobol"}) for params in points]


def _far_apart(history: History, n: int, seed: int) -> list[Params]:
    """Members that lie far from each other and from all trials."""
    space = history.space
    U = space.encode(space.sample(_DRAWN + n, seeding.generator(seed)))
    _, first = np.unique(U.round(9), axis=0, return_index=True)
    U = U[np.sort(first)]
    U = U[[not is_tried(u, history.X, space.same) for u in U]]
    X = _spots(space, U)
    nearest = np.full(len(X), np.inf)
    for x in _spots(space, history.X):
        nearest = np.minimum(nearest, np.square(X - x).sum(1))
    chosen: list[int] = []
    for _ in range(min(n, len(U))):
        # The first of all is the one nearest to the middle of the others.
        k = int(np.square(X - X.mean(0)).sum(1).argmin() if np.isinf(nearest).all() else nearest.argmax())
        chosen.append(k)
        nearest = np.minimum(nearest, np.square(X - X[k]).sum(1))
        nearest[k] = -1.0
    found = space.decode(U[chosen])
    if len(found) < n:  # there are hardly any: what was drawn gives way to what was not
        found += space.sample(n - len(found), seeding.generator(seed, 1))
    return space.fresh(found, history)


def _spots(space: Space, X: Array) -> Array:
    """Where points are, `n x p`, so that any two levels without order are as far apart as the ends of a range."""
    numeric = [j for j in range(space.dim) if j not in space.categorical]
    levels = [np.eye(k)[np.clip((X[:, j] * k).astype(int), 0, k - 1)] / 2**0.5 for j, k in space.categorical.items()]
    return np.hstack([X[:, numeric], *levels])
