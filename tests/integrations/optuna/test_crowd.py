"""Many processes on one Optuna study, in each of its kinds of storage: hardly a point is tried twice.

A short form runs by default. The long one, 200 trials by 8 processes: `BBO_LONG=1 pytest tests/integrations/optuna`.
"""

import contextlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.integrations.optuna import crowd

N_TRIALS, N_MEMBERS = (200, 8) if os.environ.get("BBO_LONG") else (60, 4)


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def where(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("fresh_postgres_url")
    return f"sqlite:///{tmp_path}/optuna.db" if request.param == "sqlite" else f"{tmp_path}/journal.log"


@contextlib.contextmanager
def opened(where):
    storage = crowd.storage(where)
    yield storage
    if isinstance(storage, optuna.storages.RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def test_at_most_one_in_a_hundred_of_the_trials_in_400_points_is_tried_twice(where):
    with opened(where) as storage:
        optuna.create_study(study_name="crowd", storage=storage)
    command = [sys.executable, str(Path(crowd.__file__)), where, str(N_TRIALS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    members = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(N_MEMBERS)]
    ends = [(member.communicate(timeout=900)[1], member.returncode) for member in members]
    assert [code for _, code in ends] == [0] * N_MEMBERS, ends
    with opened(where) as storage:
        study = optuna.load_study(study_name="crowd", storage=storage)
        trials = study.get_trials(states=[TrialState.COMPLETE])
    assert N_TRIALS <= len(trials) < N_TRIALS + N_MEMBERS
    times = Counter(tuple(t.params.values()) for t in trials)
    assert sum(n - 1 for n in times.values()) <= max(
        1, N_TRIALS // 100
    )  # one, by the chance of trials before the first has ended
    values = [(x - 7) ** 2 + (y - 13) ** 2 + 0.5 * x * y for x in range(1, 21) for y in range(1, 21)]
    assert min(t.value for t in trials) == min(values)
