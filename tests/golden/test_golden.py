"""Logs of earlier versions, which every later one must open. They are never written again; `make.py` tells of them."""

import shutil
from pathlib import Path

import pytest

from bbo.storage import open_storage
from bbo.strategies import SobolSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status

HERE = Path(__file__).parent
SEED_OF_TRIAL_5 = 349624757614653414  # SeedSequence([2026, 2, 5]), its first 63 bits
KINDS = {
    "created",
    "opened",
    "strategy_changed",
    "enqueued",
    "attached",
    "asked",
    "started",
    "lost",
    "reported",
    "told",
    "failed",
    "cancelled",
}


@pytest.fixture(params=["v1.jsonl", "v1.db"])
def golden(request, tmp_path):
    """A copy, as opening a database may touch it."""
    study = Study.load(shutil.copy(HERE / request.param, tmp_path), "golden")
    yield study
    study.close()


def test_a_log_of_version_1_has_every_kind_of_event(golden):
    assert {e.kind for e in golden.storage.events("golden")} == KINDS


def test_a_log_of_version_1_folds_to_what_it_was(golden):
    trials = golden.trials
    statuses = [t.status for t in trials]
    assert (len(trials), statuses.count(Status.COMPLETED), statuses.count(Status.RUNNING)) == (13, 9, 1)
    assert [t.values["waste"] for t in trials[:3]] == [0.4625, 0.4625, 0.4625]
    assert trials[2].notes == {"by": "enqueued"}
    assert trials[2]["ph"] == 7.5
    told = trials[6]
    assert (told["solvent"], told.sd, told.cost, told.note) == (None, {"yield": 0.01}, 2.5, "second lamp")
    assert (trials[7].reason, trials[7].message) == (FailureReason.INVALID, "leaked")
    assert trials[8].status is Status.CANCELLED
    assert trials[9].reason is FailureReason.LOST
    assert [(r.step, r.values, r.cost) for r in trials[10].reports] == [(3, {"waste": 1.5}, 0.5)]
    assert trials[11].status is Status.COMPLETED
    assert golden.history.is_failed.nonzero()[0].tolist() == [7]
    assert golden.strategy == SobolSearch()
    assert golden.best.number == 5
    assert trials[5].seed == SEED_OF_TRIAL_5


def test_a_log_of_version_1_is_recomputed_to_the_last_bit(golden):
    said = golden.verify()
    assert said.agrees, said.divergence
    assert said.n_asks >= 7


def test_a_log_of_version_1_goes_on(golden):
    number = golden.ask().number
    golden.tell(number, {"waste": 1.0, "yield": 0.5})
    assert golden.trial(number).is_feasible


def test_both_files_hold_the_same_events(tmp_path):
    logs = []
    for file in ("v1.jsonl", "v1.db"):
        storage = open_storage(shutil.copy(HERE / file, tmp_path))
        logs.append(storage.events("golden"))
        storage.close()
    assert logs[0] == logs[1]
