"""`bbo run`: new, resumed, refused, interrupted."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from bbo.errors import EvaluationError, StudyNotFoundError
from bbo.problems import PROBLEMS, Failing, make
from bbo.storage import open_storage
from bbo.strategies import RandomSearch
from bbo.studies.study import Study

CHILD = """
import signal
from bbo.problems import PROBLEMS, Delayed, make
from bbo.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
PROBLEMS["slow"] = lambda: Delayed(make("branin"), seconds=60.0)
main()
"""


def rows(said):
    return [line.split() for line in said.splitlines()]


def test_a_run_shows_the_best_design_with_units_constraints_and_what_to_type_next(bbo):
    result = bbo("run", "welded-beam", "--strategy", "SobolSearch", "--trials", 30, "--seed", 1)
    assert result.exit_code == 0
    with Study.load("bbo.db") as study:
        best = study.best
        n_feasible = int(study.history.is_feasible.sum())
    said = result.stdout
    assert "welded-beam: SobolSearch, 30 trials, seed 1\nThe log is bbo.db in the current directory.\n" in said
    assert f"Best design of welded-beam: trial {best.number}" in said
    assert ["weld", f"{best['weld']:.6g}", "in"] in rows(said)
    percent = 100 * (best.values["cost"] / 2.38113434175 - 1)
    row = next(row for row in rows(said) if row[:1] == ["cost"])
    assert row[:3] == ["cost", f"{best.values['cost']:.6g}", "2.38113"]
    assert float(row[3]) == pytest.approx(percent, rel=0.05)
    assert row[4:] == ["%", "above"]
    stress = best.values["shear_stress"]
    assert ["shear_stress", f"{stress:.6g}", "<=", "13600", f"{13600 - stress:.6g}", "ok"] in rows(said)
    load = best.values["buckling_load"]
    assert ["buckling_load", f"{load:.6g}", ">=", "6000", f"{load - 6000:.6g}", "ok"] in rows(said)
    assert f"30 trials: 30 completed ({n_feasible} feasible)." in said
    assert "bbo run welded-beam --trials 60" in said
    assert "bbo verify " in said


def test_a_second_run_resumes_and_a_third_finds_all_trials_there(bbo):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 7, "--seed", 5, "--name", "mine")
    second = bbo("run", "branin", "--trials", 12, "--name", "mine")
    assert "mine: resumed at trial 7 of 12 with RandomSearch" in second.stdout
    third = bbo("run", "branin", "--trials", 12, "--name", "mine")
    assert "mine: has its 12 trials already" in third.stdout
    assert "mine: has 12 trials already, 3 wanted" in bbo("run", "branin", "--trials", 3, "--name", "mine").stdout
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 12, "--seed", 5, "--storage", "other.jsonl")
    with Study.load("bbo.db") as resumed, Study.load("other.jsonl") as unbroken:
        assert [t.params for t in resumed.trials] == [t.params for t in unbroken.trials]


def test_past_data_and_cancelled_and_pending_trials_do_not_count_as_done(bbo):
    branin = make("branin")
    with Study(branin.space, branin.objectives, strategy=RandomSearch(), storage="bbo.db", name="branin") as study:
        study.run(branin, 3)
        study.add(study.frame(), source="a table")
        study.cancel(study.ask())
        study.ask()
    said = bbo("run", "branin", "--trials", 6).stdout
    assert "branin: resumed at trial 3 of 6 with RandomSearch" in said
    assert "10 trials: 8 completed, 1 running, 1 cancelled." in said


def test_another_strategy_takes_over_and_says_so(bbo):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 3)
    said = bbo("run", "branin", "--strategy", "SobolSearch", "--trials", 5).stdout
    assert "resumed at trial 3 of 5 with SobolSearch" in said
    assert "The strategy was RandomSearch; SobolSearch takes over." in said


def test_the_default_strategy_of_a_new_study_is_the_gp(bbo):
    assert "branin: GP, 2 trials" in bbo("run", "branin", "--trials", 2).stdout


def test_a_missing_folder_of_the_log_is_made_and_figures_are_written(bbo, tmp_path):
    result = bbo(
        "run", "branin", "--strategy", "RandomSearch", "--trials", 5, "--storage", "a/b/log.db", "--plots", "a"
    )
    assert "Figure: a/branin-progress.png\nFigure: a/branin-parameters.png\n" in result.stdout
    for kind in ("progress", "parameters"):
        assert (tmp_path / f"a/branin-{kind}.png").read_bytes().startswith(b"\x89PNG")
    assert "bbo status a/b/log.db" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["braninn"], "There is no problem named 'braninn'. Did you mean 'branin'"),
        (["branin", "--strategy", "sobol"], "There is no strategy named 'sobol'. Did you mean SobolSearch?"),
        (["branin", "--strategy", "xyz"], "There is no strategy named 'xyz'. The names are: GP, "),
        (["branin", "--storage", "log.txt"], "No storage of the form 'log.txt'."),
    ],
)
def test_what_cannot_be_is_a_line_on_stderr_and_writes_nothing(bbo, tmp_path, arguments, said):
    result = bbo("run", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_another_problem_or_seed_under_the_name_of_a_study_is_an_error(bbo):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 2, "--seed", 1, "--name", "mine")
    other = bbo("run", "ackley", "--strategy", "RandomSearch", "--trials", 2, "--name", "mine")
    assert other.exit_code == 2
    assert "has another study 'mine': space: " in other.stderr
    assert "seed: 1 against 2" in bbo("run", "branin", "--name", "mine", "--seed", 2).stderr


def test_a_strategy_that_refuses_the_problem_is_an_error_before_anything_is_written(bbo, monkeypatch, tmp_path):
    class Two:
        from bbo.objective import Maximize, Minimize

        space, objectives = make("branin").space, (Minimize("cost"), Maximize("strength"))

        def evaluate(self, params, *, fidelity=None, seed=0):
            return {"cost": params["x1"], "strength": params["x1"] - params["x2"]}

    monkeypatch.setitem(PROBLEMS, "two", Two)
    refused = bbo("run", "two", "--trials", 4, "--strategy", "GP")
    assert (refused.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "error: GP takes one objective" in refused.stderr
    other = bbo("run", "two", "--trials", 4, "--name", "other")
    assert "so SobolSearch does it" in other.stdout
    assert "SobolSearch, 4 trials" in other.stdout
    taken = bbo("run", "two", "--trials", 9, "--strategy", "RandomSearch")
    with Study.load("bbo.db", "two") as study:
        assert f"two: {len(study.front)} trial" in taken.stdout
        assert {row[0] for row in rows(taken.stdout) if len(row) == 5 and row[0].isdigit()} == {
            str(t.number) for t in study.front
        }


def test_failed_trials_are_counted_and_the_last_reason_is_shown(bbo, monkeypatch):
    monkeypatch.setitem(PROBLEMS, "moody", lambda: Failing(make("branin"), where=lambda p: p["x1"] > 2.5))
    said = bbo("run", "moody", "--strategy", "SobolSearch", "--trials", 16, "--seed", 0)
    assert said.exit_code == 0
    assert "16 trials: 8 completed, 8 failed.\n" in said.stdout
    assert f"failed with: bbo.errors.{EvaluationError.__name__}: Branin fails in the region" in said.stdout


def test_a_run_without_a_completed_trial_ends_with_an_error(bbo, monkeypatch):
    monkeypatch.setitem(PROBLEMS, "hopeless", lambda: Failing(make("branin"), where=lambda p: True))
    result = bbo("run", "hopeless", "--strategy", "RandomSearch", "--trials", 3)
    assert result.exit_code == 1
    assert "3 trials: 0 completed, 3 failed." in result.stdout
    assert result.stderr.endswith("\nerror: No trial completed.\n")


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
    )


def wait_for_events(path, study, n):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(StudyNotFoundError):
            if len(open_storage(path).events(study)) >= n:
                return
        time.sleep(0.05)
    raise AssertionError(f"{path} has no {n} events of {study!r} after 20 s")


def test_ctrl_c_says_the_best_so_far_and_how_to_go_on_and_the_next_run_finishes(bbo, tmp_path):
    log = tmp_path / "log.jsonl"
    child = start(tmp_path, "ackley", "--strategy", "SobolSearch", "--trials", "1000000", "--storage", "log.jsonl")
    wait_for_events(log, "ackley", 12)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "Traceback" not in said
    assert "Interrupted after " in said
    assert "Best so far: " in said
    assert "To go on:    bbo run ackley --trials 1000000 --storage log.jsonl" in said
    with Study.load(log) as study:
        n = len(study.trials)
    result = bbo("run", "ackley", "--trials", n + 3, "--storage", log)
    assert f" of {n + 3} with SobolSearch" in result.stdout
    assert f"{n + 3} trials: {n + 3} completed." in result.stdout
    assert "all agree" in bbo("verify", log).stdout


def test_a_second_ctrl_c_leaves_running_evaluations_to_the_next_run(tmp_path):
    log = tmp_path / "slow.jsonl"
    words = ["slow", "--strategy", "RandomSearch", "--trials", "4", "--workers", "2"]
    child = start(tmp_path, *words, "--storage", "slow.jsonl")
    wait_for_events(log, "slow", 4)  # created, opened, two asked
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    assert "waiting for 2 running trials" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)  # an evaluation takes a minute
    assert child.returncode == 130
    assert "Traceback" not in said
    assert "Interrupted after 0 of 4 trials" in said


@pytest.mark.parametrize("name", [name for name, entry in PROBLEMS.items() if not (entry.extra or entry.data)])
def test_every_problem_that_needs_nothing_more_runs(bbo, name):
    ran = bbo("run", name, "--trials", 5, "--seed", 0)
    assert ran.exit_code == 0
    assert "5 trials: 5 completed" in ran.stdout


def test_a_table_that_cannot_be_fetched_is_a_line(bbo, monkeypatch):
    monkeypatch.setenv("BBO_DATA", "nowhere")
    result = bbo("run", "suzuki-yield", "--trials", 2)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: BBO_DATA=nowhere has no 'chemistry/suzuki_yield/levels.csv'")


def test_a_problem_on_a_table_is_run_resumed_and_looked_at(bbo, generated_tables):
    assert "4 trials: 4 completed" in bbo("run", "regmix", "--trials", 4, "--seed", 0).stdout
    assert "6 trials: 6 completed" in bbo("run", "regmix", "--trials", 6).stdout
    assert "mixture.uspto_backgrounds" in bbo("status").stdout
