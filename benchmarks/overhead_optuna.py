"""What `overhead.py` measures of Optuna, one function per process; the twin of `overhead_bbo.py`."""

import random
import time

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from overhead_shared import (
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

SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in NAMES
}


def storage_at(where: str) -> str | BaseStorage:
    if where == "memory":
        return InMemoryStorage()
    return JournalStorage(JournalFileBackend(where)) if where.endswith(".log") else where


def new_study(storage: str | BaseStorage) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name="study", sampler=optuna.samplers.RandomSampler(seed=0))


def ask_and_tell(study: optuna.Study, n: int) -> None:
    for _ in range(n):
        trial = study.ask(SPACE)
        study.tell(trial, trial.params["x0"])


def ask_and_tell_noting(study: optuna.Study, n: int, rng: random.Random) -> None:
    for _ in range(n):
        trial = study.ask(SPACE)
        trial.set_user_attr("notes", notes(rng))
        study.tell(trial, trial.params["x0"])


def pairs_s(where: str) -> float:
    study = new_study(storage_at(where))
    started = time.perf_counter()
    ask_and_tell(study, N_PAIRS)
    return time.perf_counter() - started


def added_mb(where: str) -> float:
    study, rng = new_study(storage_at(where)), random.Random(0)
    ask_and_tell_noting(study, 1, rng)
    before = max_rss_mb()
    ask_and_tell_noting(study, N_REMEMBERED, rng)
    return max_rss_mb() - before


def opened_s(where: str, other: str) -> float:
    _ = optuna.load_study(study_name="study", storage=storage_at(other)).trials
    started = time.perf_counter()
    trials = optuna.load_study(study_name="study", storage=storage_at(where)).trials
    seconds = time.perf_counter() - started
    assert len(trials) == N_OPENED
    return seconds


def told_mb(where: str) -> float:
    study = optuna.load_study(study_name="study", storage=storage_at(where))
    study.tell(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))[0].number, 1.0)
    return max_rss_mb()


def prepare() -> None:
    """The studies that are opened, in a database and in a journal, into the working folder.

    Finished trials are added: asking for 10,000 in a database takes many minutes.
    """
    opened = new_study(InMemoryStorage())
    ask_and_tell_noting(opened, N_OPENED, random.Random(0))
    for kind in ("sqlite:///{}.db", "{}.log"):
        new_study(storage_at(kind.format("opened"))).add_trials(opened.get_trials(deepcopy=False))
        small = new_study(storage_at(kind.format("small")))
        ask_and_tell_noting(small, N_SMALL // 2, random.Random(0))
        for _ in range(N_SMALL // 2):
            small.ask(SPACE)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    call_named([pairs_s, added_mb, opened_s, told_mb, help_s, prepare])
