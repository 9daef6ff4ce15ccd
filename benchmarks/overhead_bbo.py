"""What `overhead.py` measures of bbo, one function per process: `python overhead_bbo.py pairs_s memory://`."""

import random
import sys
import time

import numpy as np
from overhead_shared import (
    METRIC,
    N_OPENED,
    N_PAIRS,
    N_REMEMBERED,
    N_SMALL,
    NAMES,
    call_named,
    help_s,
    max_rss_mb,
    notes,
)

from bbo import Float, Minimize, Space, Study, Suggestion
from bbo.history import History
from bbo.protocols import Strategy
from bbo.storage import MemoryStorage, copy_study, open_storage
from bbo.strategies import RandomSearch

SPACE = Space([Float(name, 0.0, 1.0) for name in NAMES])


class Noting:
    """Random points with notes as a model would give them."""

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        rng = random.Random(seed)
        return [Suggestion({name: rng.random() for name in NAMES}, notes=notes(rng)) for _ in range(n)]


def new_study(where: str | MemoryStorage, strategy: Strategy) -> Study:
    return Study(SPACE, Minimize(METRIC), strategy=strategy, storage=where, seed=0)


def ask_and_tell(study: Study, n: int) -> None:
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, trial["x0"])


def pairs_s(where: str) -> float:
    study = new_study(where, RandomSearch())
    started = time.perf_counter()
    ask_and_tell(study, N_PAIRS)
    return time.perf_counter() - started


def added_mb(where: str) -> float:
    study = new_study(where, Noting())
    ask_and_tell(study, 1)
    before = max_rss_mb()
    ask_and_tell(study, N_REMEMBERED)
    return max_rss_mb() - before


def opened_s(where: str, other: str) -> float:
    """Opens `other` first, so that what its kind of storage imports does not count."""
    _ = Study.load(other).history
    started = time.perf_counter()
    history = Study.load(where).history
    seconds = time.perf_counter() - started
    assert history.n_trials == N_OPENED
    return seconds


def told_mb(where: str) -> float:
    study = Study.load(where)
    study.tell(int(np.flatnonzero(study.history.is_pending)[0]), 1.0)
    return max_rss_mb()


def told_modules(where: str) -> int:
    """How many of torch and botorch a process has loaded that only tells."""
    told_mb(where)
    return len({"torch", "botorch"} & sys.modules.keys())


def prepare() -> None:
    """The studies that are opened, in a database and in JSON lines, into the working folder."""
    opened, small = MemoryStorage(), MemoryStorage()
    ask_and_tell(new_study(opened, Noting()), N_OPENED)
    study = new_study(small, Noting())
    ask_and_tell(study, N_SMALL // 2)
    study.ask(N_SMALL // 2)
    for suffix in ("db", "jsonl"):
        copy_study(opened, "study", open_storage(f"opened.{suffix}"))
        copy_study(small, "study", open_storage(f"small.{suffix}"))


if __name__ == "__main__":
    call_named([pairs_s, added_mb, opened_s, told_mb, told_modules, help_s, prepare])
