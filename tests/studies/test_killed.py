"""A run that is killed, again and again, ends with the trials of the run that was not.

A short form runs by default. The long one, 40 trials and 20 kills at random moments of the clock and of the log:
`BBO_KILL_TRIALS=40 BBO_KILLS=20 pytest tests/studies/test_killed.py`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bbo.storage import MemoryStorage
from bbo.strategies import GP
from bbo.studies.study import Study
from tests.studies import victim

N_TRIALS = int(os.environ.get("BBO_KILL_TRIALS", "16"))
N_KILLS = int(os.environ.get("BBO_KILLS", "5"))
VICTIM = Path(victim.__file__)


@pytest.fixture(scope="module")
def unbroken():
    s = Study(victim.SPACE, victim.WANTED, strategy=GP(n_first=8), storage=MemoryStorage(), seed=11)
    s.run(victim.objective, N_TRIALS)
    return s


def start(where, *moment):
    command = [sys.executable, str(VICTIM), str(where), str(N_TRIALS), *moment]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(child):
    child.communicate(timeout=300)
    return child.returncode


def outcome(s):
    return [(t.number, t.params, t.values, t.notes, t.seed) for t in s.trials]


@pytest.mark.parametrize("file", ["s.db", "s.jsonl"])
def test_trials_after_kills_at_chosen_moments_equal_those_of_the_unbroken_run(tmp_path, unbroken, file):
    rng = random.Random(2 if file == "s.db" else 3)
    for kill in range(N_KILLS):
        moment = ("ask", "evaluate", "tell")[kill % 3]
        child = start(tmp_path / file, moment, str(rng.randint(1, max(1, N_TRIALS // N_KILLS))))
        assert finish(child) == -signal.SIGKILL
    assert finish(start(tmp_path / file)) == 0
    resumed = Study.load(tmp_path / file)
    assert outcome(resumed) == outcome(unbroken)
    assert resumed.verify().agrees
    resumed.close()


def test_trials_after_kills_at_random_times_equal_those_of_the_unbroken_run(tmp_path, unbroken):
    rng = random.Random(5)
    ends = []
    for _ in range(N_KILLS):
        child = start(tmp_path / "s.db")
        for _ in range(rng.randint(1, max(1, N_TRIALS // N_KILLS - 1))):
            child.stdout.readline()  # it evaluates
        time.sleep(0.1 * rng.random())  # anywhere in the next asks and tells
        child.kill()
        ends.append(finish(child))
    assert ends.count(-signal.SIGKILL) >= N_KILLS // 2  # the others had come to the end before
    assert finish(start(tmp_path / "s.db")) == 0
    resumed = Study.load(tmp_path / "s.db")
    assert outcome(resumed) == outcome(unbroken)
    assert resumed.verify().agrees
    resumed.close()
