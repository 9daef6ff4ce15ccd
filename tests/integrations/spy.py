"""A strategy that tests look through."""

import numpy as np

from bbo.trial import Suggestion


class Spy:
    """Notes the histories that it is shown, and proposes at random."""

    def __init__(self):
        self.histories = []

    def suggest(self, history, n, *, seed):
        self.histories.append(history)
        return [Suggestion(p, notes={"by": "spy"}) for p in history.space.sample(n, np.random.default_rng(seed))]
