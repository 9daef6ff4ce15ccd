import dataclasses
import json
import sys
from pathlib import Path

import pytest
import quality
from quality_runs import OURS, PEERS, RANDOM, Ours, Running, append_record, made, read_records, run
from quality_suite import SUITE, SUITES, Penalty, evaluate, fingerprint, first_points

from bbo.problems import PROBLEMS, WeldedBeam

FAKE = (sys.executable, str(Path(__file__).with_name("fake_peer.py")))


@pytest.mark.parametrize("name", ["rosenbrock5", "mixed-ackley8", "speed-reducer"])
def test_a_peer_is_told_what_its_points_gave_and_its_record_says_it_all(name):
    record = run("fake", Running(FAKE), name, seed=7, n_trials=4)
    problem = SUITE[name](7)
    expected = [evaluate(name, problem, p, 7) for p in record.first]
    assert record.values == pytest.approx([t.value for t in expected], rel=1e-6)
    assert record.feasible == [int(t.is_feasible) for t in expected]
    assert len(record.seconds) == 4
    assert record.error == ""
    assert list(record.versions) == ["pip"]
    x = problem.space.encode(record.first[:1])[0]
    numbers = [j for j, p in enumerate(problem.space.parameters) if p.kind == "float"]
    assert x[numbers] == pytest.approx(0.507)


@pytest.mark.parametrize(("how", "n", "error"), [("dies", 3, "the model did not fit"), ("strays", 2, "lies in")])
def test_a_peer_that_fails_is_recorded_with_what_it_had_and_why(how, n, error):
    record = run("fake", Running((*FAKE, how)), "rosenbrock5", seed=0, n_trials=6)
    assert len(record.values) == n
    assert error in record.error


def test_given_first_points_are_the_same_for_all_and_count_as_trials():
    records = [run("m", m, "mixed-ackley8", 3, n_given=4, n_trials=6) for m in (Ours(), Ours(is_random=True))]
    assert records[0].values[:4] == records[1].values[:4]
    assert records[0].values[4:] != records[1].values[4:]
    assert all(len(r.values) == 6 and len(r.seconds) == 2 for r in records)


def test_a_record_read_back_is_the_same(tmp_path):
    record = run("random", Ours(is_random=True), "welded-beam", seed=1, n_trials=3)
    for _ in range(2):
        append_record(tmp_path / "records" / "m.jsonl", record)
    assert read_records(tmp_path / "records" / "m.jsonl") == [record, record]
    assert read_records(tmp_path / "none.jsonl") == []


def test_recording_goes_on_where_it_stopped_and_does_anew_what_was_made_on_another_problem(tmp_path, monkeypatch):
    ran = []

    def fake_run(label, method, name, seed, *, n_given):
        ran.append((name, seed, n_given))
        return dataclasses.replace(kept, problem=name, seed=seed, fingerprint=fingerprint(name, seed))

    kept = run("random", Ours(is_random=True), "rosenbrock5", seed=0, n_trials=1)
    monkeypatch.setattr(quality, "run", fake_run)
    path = tmp_path / "random.jsonl"
    append_record(path, kept)
    append_record(path, dataclasses.replace(kept, seed=1, fingerprint="of another function"))
    wanted = quality.cells(["rosenbrock5", "welded-beam"], [0, 1], n_given=0)
    quality.record(RANDOM, path, wanted, Path(), minutes=1)
    assert ran == [("welded-beam", 0, 0), ("rosenbrock5", 1, 0), ("welded-beam", 1, 0)]
    quality.record(RANDOM, path, wanted, Path(), minutes=1)
    assert len(ran) == 3
    assert [json.loads(line)["seed"] for line in path.read_text().splitlines()] == [0, 1, 0, 1, 1]
    assert len(quality.kept(path, wanted)) == 4
    assert quality.kept(path, quality.cells(["rosenbrock5"], [0], n_given=10)) == {}


def test_no_run_begins_after_the_minutes(tmp_path):
    quality.record(RANDOM, tmp_path / "r.jsonl", quality.cells(SUITE, [0], 0), Path(), minutes=0)
    assert not (tmp_path / "r.jsonl").exists()


def test_a_missing_environment_is_told_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pip install -r .*peers/optuna.txt"):
        made("tpe", tmp_path)


@pytest.mark.parametrize("label", PEERS)
def test_every_peer_has_a_program_and_a_lock_file(label):
    here = Path(quality.__file__).parent / "peers"
    assert (here / PEERS[label].program[0]).exists()
    lock = (here / f"{PEERS[label].environment}.txt").read_text()
    assert "+cpu" not in lock
    assert all("==" in line for line in lock.splitlines() if line and not line.startswith(("#", "-")))


def test_the_suite_has_twelve_problems_of_4_to_30_parameters():
    dims = [SUITE[name](0).space.dim for name in SUITES["general"].problems]
    assert (len(dims), min(dims), max(dims)) == (12, 4, 30)


def test_the_constrained_suite_has_all_designs_and_two_problems_of_which_hardly_anything_is_feasible():
    families = [PROBLEMS[name].family for name in SUITES["constrained"].problems]
    assert families == ["engineering"] * 5 + ["constrained"] * 2


def test_where_hardly_a_point_is_feasible_those_that_violate_least_stand_for_the_feasible_ones():
    penalty = Penalty.of(PROBLEMS["g06"]())
    assert penalty.spread > 0
    assert penalty.value([0.0, 1.0]) > penalty.middle


def test_the_seed_makes_other_problems_of_the_synthetic_ones():
    general = SUITES["general"].problems
    changed = [name for name in general if fingerprint(name, 0) != fingerprint(name, 1)]
    fixed = {"welded-beam", "speed-reducer", "gradient-boosting-diabetes", "svm-digits"}
    assert set(changed) == set(general) - fixed
    assert fingerprint("ackley10", 0) == fingerprint("ackley10", 0)


def test_a_penalty_is_worse_than_the_better_half_and_grows_with_the_violations():
    penalty = Penalty.of(WeldedBeam())
    slight, gross = penalty.value([1.0, 0, 0, 0, 0]), penalty.value([1e9, 0, 0, 0, 0])
    assert penalty.middle < slight < gross <= penalty.value([1e9] * 5) == penalty.middle + penalty.spread


def test_seeds_are_read_as_ranges_and_numbers():
    assert quality.seeds_in("0-2,7") == [0, 1, 2, 7]


def test_first_points_lie_one_in_each_tenth_of_every_parameter():
    problem = SUITE["levy30"](0)
    U = problem.space.encode(first_points(problem, 0, 10))
    assert all(sorted((U[:, j] * 10).astype(int)) == list(range(10)) for j in range(30))


def test_ours_is_the_default_strategy():
    record = run(OURS, made(OURS, Path()), "rosenbrock5", 0, n_trials=2)
    assert list(record.versions) == ["bbo", "torch", "numpy", "commit"]
