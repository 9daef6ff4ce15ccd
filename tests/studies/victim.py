"""A run that ends itself by SIGKILL: `python victim.py STORAGE N_TRIALS [MOMENT WHICH]`.

MOMENT is `ask` (a suggestion was computed and is not appended), `evaluate` (in the middle of an evaluation) or `tell`
(evaluated, not told), at the WHICH-th time; without it the run goes to its end. Each evaluation prints its trial.
"""

import math
import os
import random
import signal
import sys

from bbo import Categorical, Float, Int, Minimize, OutcomeConstraint, Space, Study
from bbo.storage import open_storage
from bbo.strategies import GP

SPACE = Space([Float("x", 0.0, 1.0), Float("lr", 1e-4, 1.0, log=True), Int("n", 1, 30), Categorical("c", ["a", "b"])])
WANTED = [Minimize("y"), OutcomeConstraint("g", upper=0.6)]


class Fatal:
    """A storage that dies before an append of a kind, when it is the n-th."""

    def __init__(self, storage, moment, which):
        self.storage, self.moment, self.which, self.url = storage, moment, which, storage.url

    def append(self, study, events, **lease):
        kind = {"ask": "asked", "tell": "told"}.get(self.moment)
        if events[0].kind == kind:
            self.which -= 1
            if self.which == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.storage.append(study, events, **lease)

    def __getattr__(self, name):
        return getattr(self.storage, name)


def objective(trial):
    noise = 0.01 * random.Random(trial.seed).random()  # the seed must survive the kill too
    y = (trial["x"] - 0.4) ** 2 + math.log10(trial["lr"] / 0.02) ** 2 / 4 + abs(trial["n"] - 11) / 30
    return {"y": y + (trial["c"] == "a") / 5 + noise, "g": trial["x"] + noise}


def main(where, n_trials, moment="", which="0"):
    calls = 0

    def evaluated(trial):
        nonlocal calls
        calls += 1
        print(trial.number, flush=True)
        if moment == "evaluate" and calls == int(which):
            os.kill(os.getpid(), signal.SIGKILL)
        return objective(trial)

    storage = Fatal(open_storage(where), moment, int(which))
    study = Study(SPACE, WANTED, strategy=GP(n_first=8), storage=storage, seed=11)
    study.run(evaluated, int(n_trials))
    study.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
