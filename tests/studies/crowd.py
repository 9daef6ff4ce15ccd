"""One of many processes on a study: `python crowd.py STORAGE NAME FOLDER SECONDS [TRIALS]`.

It runs the study until it is finished, or has so many trials, with evaluations of SECONDS. In a file of its
own in the folder it leaves a line per evaluation (`trial attempt`) and a last one, `waited SECONDS`: its longest wait
for a point.
`BBO_DIE=ask:3` makes it kill itself when its third suggestion was computed and is not appended, `BBO_DIE=evaluate:3` in
its third evaluation. With `BBO_GO=file` it makes `<process>.ready` in the folder and begins when the file is there.
"""

import os
import signal
import sys
import time
from pathlib import Path

from bbo import Study
from bbo.storage import open_storage


class Fatal:
    """A storage that dies before an append of suggestions, when it is the n-th."""

    def __init__(self, storage, n):
        self.storage, self.n = storage, n

    def append(self, study, events, **lease):
        if events[0].kind == "asked":
            self.n -= 1
            if self.n == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.storage.append(study, events, **lease)

    def __getattr__(self, name):
        return getattr(self.storage, name)


def value(params):
    return sum((v - 0.3) ** 2 for v in params.values())


def main(where, name, folder, seconds, n_trials=None):
    moment, _, n = os.environ.get("BBO_DIE", ":").partition(":")
    storage = open_storage(where)
    study = Study.load(Fatal(storage, int(n)) if moment == "ask" else storage, name)
    longest, n_evaluated = 0.0, 0
    ask = study._asker.ask

    def timed(wish, stop):
        nonlocal longest
        start = time.monotonic()
        try:
            return ask(wish, stop)
        finally:
            longest = max(longest, time.monotonic() - start)

    study._asker.ask = timed
    if "BBO_GO" in os.environ:
        (Path(folder) / f"{os.getpid()}.ready").touch()
        while not Path(os.environ["BBO_GO"]).exists():
            time.sleep(0.01)
    with (Path(folder) / f"{os.getpid()}.txt").open("a", buffering=1) as lines:

        def evaluate(trial):
            nonlocal n_evaluated
            n_evaluated += 1
            lines.write(f"{trial.number} {trial.attempt}\n")
            if moment == "evaluate" and n_evaluated == int(n):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(float(seconds))
            return value(trial.params)

        study.run(evaluate, None if n_trials is None else int(n_trials))
        lines.write(f"waited {longest:.3f}\n")
    study.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
