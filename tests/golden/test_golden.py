"""Logs of earlier versions, which every later one must open. They are never written again; `make.py` tells of them."""

import shutil
from pathlib import Path

import pytest

from bbo.budget import Budget
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


NEW_KINDS = {"measured", "amended", "noted", "ranked", "stopped", "budget_changed"}


@pytest.fixture(params=["v1.jsonl", "v1.db"])
def golden(request, tmp_path):
    """A copy, as opening a database may touch it."""
    study = Study.load(shutil.copy(HERE / request.param, tmp_path), "golden")
    yield study
    study.close()


@pytest.fixture(params=["v2.jsonl", "v2.db"])
def laboratory(request, tmp_path):
    """A copy of the log that has all that a laboratory says."""
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


def test_a_log_of_version_2_has_every_kind_of_event(laboratory):
    assert {e.kind for e in laboratory.storage.events("golden")} == KINDS | NEW_KINDS


def test_a_log_of_version_2_folds_to_what_it_was(laboratory):
    t = laboratory.trials
    statuses = [trial.status for trial in t]
    assert len(statuses) == 14
    assert [k for k, status in enumerate(statuses) if status is Status.CANCELLED] == [0, 6]
    assert [k for k, status in enumerate(statuses) if status is Status.RUNNING] == [7, 8, 10]
    assert statuses.count(Status.COMPLETED) == 9
    assert (t[0].message, t[0].replicates) == ("wrong bottle", {"waste": (0.5, 0.7)})
    assert (t[3].values, t[3].replicates, t[3].cost) == ({"waste": 2.0, "yield": 0.5}, {}, 2.5)
    assert (t[3]["temperature"], t[3]["ph"], t[3]["hours"]) == (133.25, 7.3, 50)
    assert (t[3].suggested["ph"] in (7.0, 7.5), t[3].note) == (False, "third lamp\npink foam")
    assert (t[4].values, t[4].replicates) == ({"waste": 0.25, "yield": 0.4}, {"yield": (0.3, 0.5)})
    assert (t[4].sd, t[4].cost, t[4].note) == ({"waste": 0.01}, 1.0, "HPLC tomorrow")
    assert (t[5].reason, t[5].message, t[5].is_feasible, t[5].cost) == (None, "", False, 3.0)
    assert (t[6].message, t[6].cost, t[6]["hours"]) == ("out of DMF", 0.5, 60)
    assert (t[7].status, t[7].values) == (Status.RUNNING, {"waste": 9.0, "colour": 410.0})
    assert (t[9].values, t[9].note, t[9].cost) == ({"waste": 3.0, "yield": 0.9}, "mine", 2.0)
    assert laboratory.best.number == 4
    assert laboratory.notes == ["lamp replaced"]
    assert laboratory.history.rankings == (((4,), (3, 5)),)
    assert laboratory.history.V_n[3:5].tolist() == [[1, 1, 1], [1, 2, 1]]
    assert laboratory.history.n_counted == 11
    assert laboratory.budget == Budget(trials=12)
    assert laboratory.objectives.units == {"waste": "g", "colour": "nm"}
    assert laboratory.output(12) == "first lines"


def test_a_log_of_version_2_is_recomputed_to_the_last_bit_and_goes_on(laboratory):
    said = laboratory.verify()
    assert said.agrees, said.divergence
    assert said.n_asks == 7
    laboratory.tell(7, {"yield": 0.5})
    assert laboratory.trial(7).status is Status.COMPLETED
    assert laboratory.ask().number == 14


@pytest.fixture(params=["v3.jsonl", "v3.db"])
def contexts(request, tmp_path):
    """A copy of the log that has asks in contexts."""
    study = Study.load(shutil.copy(HERE / request.param, tmp_path), "golden")
    yield study
    study.close()


def test_a_log_of_version_3_folds_to_what_it_was(contexts):
    t = contexts.trials
    assert [trial.notes["by"] for trial in t] == ["random", "enqueued", "random", "random", "sobol", "sobol"]
    assert {(k["solvent"], k["flask"], k["hours"]) for k in t[1:4]} == {("DMF", 25, 3)}
    assert {(k["solvent"], k["ph"]) for k in t[4:]} == {(None, 7.0)}
    bodies = [e.read() for e in contexts.storage.events("golden") if e.kind == "asked"]
    assert [body.get("context") for body in bodies] == [None, {"solvent": "DMF"}, {"ph": 7.0, "solvent": None}]
    assert contexts.best_in({"solvent": "DMF"}).number == 1
    assert contexts.best_in({"solvent": "water"}) is None


def test_a_log_of_version_3_is_recomputed_to_the_last_bit_and_goes_on(contexts):
    said = contexts.verify()
    assert said.agrees, said.divergence
    assert said.n_asks == 3
    assert contexts.ask(context={"solvent": "water"}).notes["by"] == "enqueued"


@pytest.mark.parametrize("file", ["v4.jsonl", "v4.db"])
def test_a_log_of_version_4_folds_is_recomputed_and_goes_on(file, tmp_path):
    study = Study.load(shutil.copy(HERE / file, tmp_path), "golden")
    t = study.trials
    assert [trial.status for trial in t[:3]] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
    assert (t[1].reason, t[1].message, t[1]["temperature"]) == (FailureReason.INVALID, "it boiled", 130.0)
    assert t[2].values == {"waste": 2.0, "yield": 0.1}
    assert study.history.is_failed.nonzero()[0].tolist() == [1]
    assert study.history.is_past.nonzero()[0].tolist() == [0, 1, 2]
    said = study.verify()
    assert said.agrees, said.divergence
    assert said.n_asks == 2
    assert study.ask().number == 5
    study.close()


@pytest.mark.parametrize("file", ["spaces.jsonl", "spaces.db"])
def test_a_log_of_all_that_a_space_may_have_folds_is_recomputed_and_goes_on(file, tmp_path):
    study = Study.load(shutil.copy(HERE / file, tmp_path), "golden")
    t = study.trials
    assert [len(study.at(k).space.parameters) for k in (3, 6)] == [6, 7]
    assert sum(k["mix"]["lime"] for k in t[:4]) <= 120.0 + 1e-5
    assert {k["salt"] for k in t[:4]} == {0.0}
    assert all(k["mix"]["ash"] == 0.0 and k["steps"].index("mix") < k["steps"].index("dry") for k in t[:4])
    assert all((k["alloy"], k["plate"]) in {("a", 1), ("b", 1), ("c", 2), ("a", 3)} for k in t[:4])
    assert all(k.params in study.space for k in t[4:])
    assert study.space.frame != study.space.parameters
    said = study.verify()
    assert said.agrees, said.divergence
    assert said.n_asks == 2
    assert study.ask().params in study.space
    study.close()


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4", "spaces"])
def test_both_files_hold_the_same_events(version, tmp_path):
    logs = []
    for file in (f"{version}.jsonl", f"{version}.db"):
        storage = open_storage(shutil.copy(HERE / file, tmp_path))
        logs.append(storage.events("golden"))
        storage.close()
    assert logs[0] == logs[1]
    assert [e.hash for e in logs[0]] == [e.hash for e in logs[1]]
