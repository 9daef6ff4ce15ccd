"""Random search: independent points, blind to the observations. The baseline that every other strategy must beat.

Bergstra & Bengio, "Random search for hyper-parameter optimization", JMLR 13 (2012).
"""

from dataclasses import dataclass

from bbo import seeding
from bbo.history import History
from bbo.trial import Suggestion


@dataclass(frozen=True)
class RandomSearch:
    """Points uniform in the cube: uniform over levels, and over the logarithm where a parameter says so."""

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        points = history.space.sample(n, seeding.generator(seed))
        return [Suggestion(params, notes={"by": "random"}) for params in history.space.fresh(points, history)]
