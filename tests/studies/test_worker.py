"""Workers: evaluations in processes of their own, killed when they take too long; what they print is kept."""

import concurrent.futures as cf
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from bbo.budget import Budget
from bbo.objective import Minimize
from bbo.space import Float, Space
from bbo.strategies import RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status
from tests.studies import objectives

SPACE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])
FILE = Path(objectives.__file__)


def study(**options):
    return Study(SPACE, Minimize("y"), **({"strategy": RandomSearch(), "seed": 3} | options))


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def exists(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def losses(s):
    return [e.read() for e in s.storage.events(s.name) if e.kind == "lost"]


def test_what_a_trial_prints_is_kept_with_it_also_when_it_raises():
    s = study()
    s.work(objectives.talkative, 2)
    for number in (0, 1):
        lines = s.output(number).splitlines()
        assert sorted(lines) == ["a program too", "and to stderr", f"trial {number} to stdout"]
    assert [t.status for t in s.trials] == [Status.COMPLETED, Status.FAILED]
    assert s.trial(1).reason is FailureReason.RAISED
    assert "no luck" in s.trial(1).message


def test_a_trial_that_takes_too_long_is_killed_and_fails_and_teaches_nothing():
    s = study()
    s.run(objectives.slow_first, 3, trial_timeout=1.0)
    first, *others = s.trials
    assert (first.status, first.reason) == (Status.FAILED, FailureReason.TIMEOUT)
    assert "longer than 1 s" in first.message
    assert s.output(0).strip() == "going to sleep"
    assert [t.status for t in others] == [Status.COMPLETED] * 2
    assert not s.history.is_failed.any()


def test_a_late_trial_in_an_executor_of_the_users_is_given_up_and_its_value_passed_over():
    go = threading.Event()

    def late(trial):
        if trial.number == 0:
            go.wait(30)
        return 1.0

    s = study()
    with cf.ThreadPoolExecutor(2) as executor:
        s.run(late, 3, workers=2, executor=executor, trial_timeout=0.5)
        go.set()
    assert [t.status for t in s.trials] == [Status.FAILED, Status.COMPLETED, Status.COMPLETED]
    assert s.trial(0).reason is FailureReason.TIMEOUT


def test_the_end_of_what_was_printed_is_kept_also_of_an_evaluation_that_was_killed(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    s = study()
    s.run(objectives.wordy_then_slow, 1, trial_timeout=2.0)
    assert s.output(0).endswith("xx\nthe end\n")
    assert len(s.output(0)) == 8_000


def test_a_worker_leaves_the_signals_of_its_process_as_they_were():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    study().work(objectives.bowl, 1)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_timeout_that_cannot_be_is_refused(timeout):
    with pytest.raises(ValueError, match="trial_timeout"):
        study().run(objectives.bowl, 1, trial_timeout=timeout)


def test_a_trial_that_kills_its_process_is_retried_then_lost_and_the_others_go_on():
    s = study()
    s.work(objectives.deadly_first, 3, workers=2, retries=1)
    assert [t.status for t in s.trials] == [Status.FAILED, Status.COMPLETED, Status.COMPLETED]
    assert s.trial(0).reason is FailureReason.LOST
    assert [loss["worker"] for loss in losses(s)] == [True, True]
    assert s.output(0).strip() == "last words"
    assert not s.history.is_failed.any()


def test_an_objective_that_a_process_cannot_import_is_an_error_and_no_trial_fails():
    s = study()
    with pytest.raises((AttributeError, TypeError, OSError), match="pickle|local"):
        s.work(lambda trial: 1.0, 2)
    assert not any(t.status is Status.FAILED for t in s.trials)


def worker(where, folder, seconds, *options, new_group=False, objective="slow"):
    environment = {
        **os.environ,
        "BBO_TEST_FOLDER": str(folder),
        "BBO_TEST_SECONDS": str(seconds),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        str(Path(sys.executable).with_name("bbo")),
        "worker",
        str(where),
        "study",
        "--objective",
        f"{FILE}:{objective}",
        *options,
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stderr=pipe, text=True, start_new_session=new_group)


@pytest.fixture
def at_work(tmp_path):
    """A study with a budget of 2 trials, a folder where evaluations leave their process, and workers."""
    folder = tmp_path / "at-work"
    folder.mkdir()
    where = tmp_path / "s.db"
    with study(storage=where, budget=Budget(trials=2)) as s:
        started = []

        def start(seconds, *options, **more):
            started.append(worker(where, folder, seconds, *options, **more))
            return started[-1]

        yield s, folder, start
        for child in started:
            child.kill()
            child.communicate()


@pytest.mark.parametrize("is_group", [False, True], ids=["alone", "with its processes"])
def test_a_worker_that_is_to_stop_returns_a_long_trial_and_another_takes_it_up(at_work, is_group):
    s, folder, start = at_work
    first = start(600, "--grace", "1", new_group=is_group)
    until(lambda: any(folder.iterdir()))
    evaluation = int((folder / "0-1").read_text())
    asked_to_stop = time.monotonic()
    (os.killpg if is_group else os.kill)(first.pid, signal.SIGTERM)
    _, said = first.communicate(timeout=30)
    assert time.monotonic() - asked_to_stop < 10.0
    assert first.returncode == 0, said
    until(lambda: not exists(evaluation))
    assert s.trial(0).status is Status.RUNNING
    assert [loss["worker"] for loss in losses(s)] == [False]
    second = start(0)
    assert second.wait(60) == 0
    assert [t.status for t in s.trials] == [Status.COMPLETED] * 2
    assert (folder / "0-2").exists()


@pytest.mark.parametrize("is_group", [False, True], ids=["alone", "with its processes"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_worker_that_is_to_stop_tells_a_trial_that_ends_in_time(at_work, number, code, is_group):
    s, folder, start = at_work
    child = start(2, new_group=is_group)
    until(lambda: any(folder.iterdir()))
    (os.killpg if is_group else os.kill)(child.pid, number)
    _, said = child.communicate(timeout=30)
    assert child.returncode == code, said
    assert [t.status for t in s.trials] == [Status.COMPLETED]
    assert losses(s) == []


def test_an_evaluation_that_fails_because_its_program_was_told_to_stop_too_is_returned(at_work):
    s, folder, start = at_work
    child = start(600, new_group=True, objective="program")
    until(lambda: any(folder.iterdir()))
    time.sleep(0.5)  # it starts the program
    os.killpg(child.pid, signal.SIGTERM)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 0, said
    assert s.trial(0).status is Status.RUNNING
    assert [loss["worker"] for loss in losses(s)] == [False]


def test_a_second_ctrl_c_ends_a_worker_at_once_and_is_not_held_against_the_trial(at_work):
    s, folder, start = at_work
    for _ in range(4):  # more often than a trial may be lost
        before = len(list(folder.iterdir()))
        child = start(600, "--grace", "60")
        until(lambda before=before: len(list(folder.iterdir())) > before)
        for _ in range(2):
            child.send_signal(signal.SIGINT)
            time.sleep(0.5)
        assert child.wait(20) == 130
    assert s.trial(0).status is Status.RUNNING
    assert not any(loss["worker"] for loss in losses(s))


def test_a_killed_worker_takes_its_evaluation_along_and_another_worker_that_waits_takes_the_trial_up(at_work):
    s, folder, start = at_work
    first = start(600)
    until(lambda: (folder / "0-1").exists())
    second = start(0.1)
    until(lambda: s.trials[-1].number == 1 and s.trials[-1].status is Status.COMPLETED)
    assert second.poll() is None  # it waits for the trial of the first
    evaluation = int((folder / "0-1").read_text())
    first.kill()
    assert second.wait(60) == 0
    assert [t.status for t in s.trials] == [Status.COMPLETED] * 2
    assert [loss["worker"] for loss in losses(s)] == [True]
    until(lambda: not exists(evaluation))
    # Nor is a folder of its output left.
    until(lambda: not any(f"bbo-{first.pid}-" in folder.name for folder in Path(tempfile.gettempdir()).iterdir()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(trial:\n", "SyntaxError"),
        ("import no_such_module\n", "no_such_module"),
        ("\n\n1 / 0\n", "division by zero (line 3)"),
        ("def g(trial):\n    return 1.0\n", "has no function or problem 'f'; it has g"),
        (None, "no Python file"),
    ],
)
def test_an_objective_that_cannot_be_loaded_is_an_error_in_a_line_and_no_trial_starts(tmp_path, at_work, text, said):
    s, *_ = at_work
    file = tmp_path / "mine.py"
    if text is not None:
        file.write_text(text)
    command = [str(Path(sys.executable).with_name("bbo")), "worker", str(tmp_path / "s.db"), "--objective", f"{file}:f"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert s.trials == []


def test_a_problem_in_a_file_is_evaluated_such_as_a_program(tmp_path):
    file = tmp_path / "mine.py"
    lines = (
        "import sys",
        "from bbo import Float, Minimize, Space",
        "from bbo.problems import Program",
        "space = Space((Float('x', 0, 1), Float('z', 0, 1)))",
        "command = [sys.executable, '-c', 'import sys; print(float(sys.argv[1]) * 2)', '{x}', '{z}']",
        "problem = Program(command, space, [Minimize('y')])",
    )
    file.write_text("\n".join(lines))
    s = study(storage=tmp_path / "s.db", name="s")
    command = [str(Path(sys.executable).with_name("bbo")), "worker", str(tmp_path / "s.db"), "--trials", "2"]
    ended = subprocess.run([*command, "--objective", f"{file}:problem"], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert [t.values["y"] for t in s.trials] == [2 * t["x"] for t in s.trials]
    assert len(s.trials) == 2


def test_a_trial_under_which_workers_die_again_and_again_fails_as_lost(at_work):
    s, folder, start = at_work
    for attempt in (1, 2):
        child = start(600, "--retries", "1")
        until(lambda attempt=attempt: (folder / f"0-{attempt}").exists())
        child.kill()
        child.wait()
    assert start(0, "--retries", "1").wait(60) == 0
    assert [t.reason for t in s.trials] == [FailureReason.LOST, None]
    assert not s.history.is_failed.any()


def test_a_stopped_study_has_no_lease_left(at_work):
    s, _, start = at_work
    assert start(0).wait(60) == 0
    assert s.storage.leases(s.name) == []
