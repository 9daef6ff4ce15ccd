"""Eight processes on one Optuna study, in each of its kinds of storage: hardly a point is tried twice."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.integrations.optuna import crowd

N_TRIALS, N_MEMBERS = 200, 8


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def where(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("fresh_postgres_url")
    return f"sqlite:///{tmp_path}/optuna.db" if request.param == "sqlite" else f"{tmp_path}/journal.log"


def test_at_most_one_in_a_hundred_of_200_trials_in_400_points_is_tried_twice(where):
    optuna.create_study(study_name="crowd", storage=crowd.storage(where))
    command = [sys.executable, str(Path(crowd.__file__)), where, str(N_TRIALS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    members = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(N_MEMBERS)]
    ends = [(member.communicate(timeout=600)[1], member.returncode) for member in members]
    assert [code for _, code in ends] == [0] * N_MEMBERS, ends
    study = optuna.load_study(study_name="crowd", storage=crowd.storage(where))
    trials = study.get_trials(states=[TrialState.COMPLETE])
    assert N_TRIALS <= len(trials) < N_TRIALS + N_MEMBERS
    times = Counter(tuple(t.params.values()) for t in trials)
    assert sum(n - 1 for n in times.values()) <= len(trials) // 100
    assert study.best_value == min(
        crowd.value(optuna.trial.FixedTrial({"x": x, "y": y})) for x in range(1, 21) for y in range(1, 21)
    )
