"""Sobol search: a low-discrepancy sequence, blind to the observations.

Sobol', USSR Comp. Math. 7 (1967); scrambling after Owen, "Randomly permuted (t,m,s)-nets" (1995); directions of Joe &
Kuo (2008), up to 21201 dimensions.
"""

import warnings
from dataclasses import dataclass

from scipy.stats import qmc

from bbo import seeding
from bbo.history import History
from bbo.trial import Suggestion


@dataclass(frozen=True)
class SobolSearch:
    """Scrambled Sobol points, in the order of the sequence; the study's seed fixes the scrambling."""

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
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
