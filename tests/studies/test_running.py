"""Runs: how many trials, in what order, and what becomes of trouble on the way."""

import concurrent.futures as cf
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bbo.errors import LostTrialError, ObjectiveError
from bbo.events import event
from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float, Int, Space
from bbo.storage import MemoryStorage
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status

SPACE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])


def study(**options):
    return Study(SPACE, Minimize("y"), **({"strategy": RandomSearch(), "seed": 3} | options))


def bowl(trial):
    return (trial["x"] - 0.3) ** 2 + trial["z"]


def points(s):
    return [(t.number, t.params, t.values) for t in s.trials]


def test_n_trials_is_what_the_study_has_in_the_end_whoever_asked():
    s = study()
    s.tell(s.ask(), 1.0)
    s.cancel(s.ask())
    s.enqueue({"x": 0.5, "z": 0.5})
    s.run(bowl, 6)
    assert [t.status for t in s.trials].count(Status.COMPLETED) == 6
    assert s.trial(2).params == {"x": 0.5, "z": 0.5}
    s.run(bowl, 6)
    assert len(s.trials) == 7
    s.run(bowl, 8)
    assert len(s.trials) == 9


@pytest.mark.parametrize("workers", [1, 3])
def test_an_objective_that_raises_or_gives_no_number_fails_its_trial_and_the_study_goes_on(workers):
    def moody(trial):
        if trial.number % 4 == 0:
            raise RuntimeError("no luck")
        return [1.0, math.nan, None][trial.number % 4 - 1]

    s = study()
    s.run(moody, 8, workers=workers)
    reasons = [t.reason for t in s.trials]
    assert reasons == [FailureReason.RAISED, None, FailureReason.INVALID, FailureReason.INVALID] * 2
    assert "RuntimeError: no luck" in s.trial(0).message
    assert "got nan" in s.trial(2).message


def test_an_objective_with_other_metrics_stops_the_run_and_its_trial_is_evaluated_by_the_next():
    s = study()
    with pytest.raises(ObjectiveError, match=r"got values for \['wrong'\]"):
        s.run(lambda t: {"wrong": 1.0}, 4)
    assert [t.status for t in s.trials] == [Status.RUNNING]
    s.run(bowl, 4)
    assert [t.number for t in s.trials if t.status is Status.COMPLETED] == [0, 1, 2, 3]


def test_reports_are_kept_and_the_last_one_counts_when_nothing_is_returned():
    def curve(trial):
        for step in range(3):
            trial.report(trial["x"] - step, step)

    s = study()
    s.run(curve, 2)
    for t in s.trials:
        assert t.values == {"y": t["x"] - 2}
        assert [r.step for r in t.reports] == [0, 1, 2]


def test_a_full_space_ends_the_run():
    s = Study([Int("n", 1, 3)], Minimize("y"), strategy=RandomSearch(), seed=1)
    s.run(lambda t: float(t["n"]), 10)
    assert sorted(t["n"] for t in s.trials) == [1, 2, 3]


def test_after_the_timeout_no_trial_starts():
    s = study()
    s.run(lambda t: time.sleep(0.05) or 1.0, 1000, timeout=0.3)
    assert 1 <= len(s.trials) < 20
    assert all(t.status is Status.COMPLETED for t in s.trials)


def test_a_trials_seed_comes_from_its_number_and_the_studys_seed():
    seen = {}
    s = study()
    s.run(lambda t: seen.setdefault(t.number, t.seed) * 0.0, 4, workers=2)
    assert seen == {t.number: t.seed for t in s.trials}
    assert len(set(seen.values())) == 4
    assert seen[0] != study(seed=4).ask().seed


def test_threads_evaluate_at_once():
    meeting = threading.Barrier(4, timeout=20)
    s = study()
    s.run(lambda t: float(meeting.wait() >= 0), 8, workers=4)
    assert len(s.trials) == 8


def test_processes_evaluate_too_and_report():
    s = study()
    with cf.ProcessPoolExecutor(2) as executor:
        s.run(bowl, 6, workers=2, executor=executor)
    assert all(t.values["y"] == bowl(t) for t in s.trials)


def die_once(trial):
    marker = Path(os.environ["BBO_TEST_MARKER"])
    if trial.number == 2 and not marker.exists():
        marker.touch()
        os._exit(1)
    return bowl(trial)


def test_a_broken_executor_is_said_and_the_next_run_evaluates_what_was_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("BBO_TEST_MARKER", str(tmp_path / "died"))
    s = study()
    with cf.ProcessPoolExecutor(1) as executor, pytest.raises(LostTrialError, match="call run"):
        s.run(die_once, 4, executor=executor)
    with cf.ProcessPoolExecutor(1) as executor:
        s.run(die_once, 4, executor=executor)
    assert [t.status for t in s.trials] == [Status.COMPLETED] * 4
    assert s.trial(2).values == {"y": bowl(s.trial(2))}


class Cancelling(cf.ThreadPoolExecutor):
    """Loses the evaluation of trial 1 as often as it is told to."""

    def __init__(self, times):
        super().__init__(1)
        self.times = times

    def submit(self, fn, /, *args, **kwargs):
        if args[1].number == 1 and self.times > 0:
            self.times -= 1
            future = cf.Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize(("losses", "reason"), [(2, None), (3, FailureReason.LOST)])
def test_a_lost_trial_is_retried_and_then_fails_without_teaching(losses, reason):
    s = study()
    with Cancelling(losses) as executor:
        s.run(bowl, 3, executor=executor, retries=2)
    assert s.trial(1).reason is reason
    assert not s.history.is_failed.any()
    assert len(s.trials) == 3


@pytest.mark.parametrize("end", ["cancel", "tell"])
def test_a_trial_that_ended_by_hand_while_it_was_evaluated_is_not_evaluated_again(end):
    s = study()

    def interrupted(trial):
        if end == "cancel":
            s.cancel(trial.number)
        else:
            s.tell(trial.number, 5.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        s.run(interrupted, 1)
    ended = s.trial(0)
    log = event("lost", "lost/0/1", {"attempt": 1, "worker": True}, trial=0)
    started = event("started", "started/0/2", {"attempt": 2, "runner": {"run": "gone"}}, trial=0)
    s.storage.append(s.name, [log, started])  # of a runner that did not know
    evaluated = []
    s.run(lambda t: evaluated.append(t.number) or bowl(t), 2)
    assert 0 not in evaluated
    assert s.trial(0) == ended


def test_what_a_run_leaves_when_it_ends_by_an_error_is_left_to_others_at_once_and_not_held_against_it():
    s = study()
    for _ in range(4):
        with pytest.raises(ObjectiveError):
            s.run(lambda t: {"z": 1.0}, 1)
    assert s.trial(0).status is Status.RUNNING
    s.run(bowl, 1)
    assert s.trial(0).status is Status.COMPLETED


def test_a_trial_that_waits_for_a_place_in_an_executor_is_not_late():
    def slow(trial):
        time.sleep(0.3)
        return bowl(trial)

    s = study()
    with cf.ThreadPoolExecutor(1) as executor:
        s.run(slow, 6, workers=6, executor=executor, trial_timeout=1.2)
    assert [t.status for t in s.trials] == [Status.COMPLETED] * 6


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=6)])
def test_in_trial_order_the_trials_do_not_depend_on_how_long_each_took(strategy):
    def run(shuffle):
        def slow(trial):
            time.sleep(random.Random(1000 * shuffle + trial.number).random() * 0.02)
            return bowl(trial)

        s = study(strategy=strategy)
        s.run(slow, 24, workers=4, order="trial")
        assert s.verify().agrees
        asked = [e.read() for e in s.storage.events(s.name) if e.kind == "asked"]
        assert [body["complete_below"] for body in asked] == [max(0, k - 3) for k in range(24)]
        return points(s)

    assert run(1) == run(2) == run(3)


class Watching:
    """Notes which trials it saw completed."""

    def __init__(self):
        self.seen = []

    def suggest(self, history, n, *, seed):
        self.seen.append((history.is_completed.nonzero()[0].tolist(), history.told_order.tolist()))
        return RandomSearch().suggest(history, n, seed=seed)


def test_in_trial_order_ask_k_sees_exactly_the_trials_below_k_minus_workers_plus_one():
    watching = Watching()
    s = study(strategy=watching)
    s.run(lambda t: time.sleep(0.01 * (t.number % 3)) or bowl(t), 10, workers=3, order="trial")
    assert watching.seen == [([*range(max(0, k - 2))],) * 2 for k in range(10)]


def test_plain_asynchronous_runs_can_be_verified():
    s = study(strategy=SobolSearch())
    s.run(lambda t: time.sleep(0.002 * (t.number % 5)) or bowl(t), 40, workers=4)
    assert s.verify().agrees


def test_an_interrupt_leaves_the_log_in_order_and_the_trial_to_the_next_run():
    def interrupted(trial):
        if trial.number == 3:
            raise KeyboardInterrupt
        return bowl(trial)

    s = study()
    with pytest.raises(KeyboardInterrupt):
        s.run(interrupted, 6)
    assert s.trial(3).status is Status.RUNNING
    s.run(bowl, 6)
    unbroken = study()
    unbroken.run(bowl, 6)
    assert points(s) == points(unbroken)


INTERRUPTED = """
import sys, time
from bbo import Study, Space, Float, Minimize
from bbo.strategies import RandomSearch
s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1, storage=sys.argv[1])
def slow(trial):
    print(trial.number, flush=True)
    time.sleep(0.4)
    return trial["x"]
s.run(slow, 400, workers=3)
"""


def test_ctrl_c_waits_for_running_threads_and_loses_nothing(tmp_path):
    where = tmp_path / "s.db"
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(where)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore interrupts, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout.readline()
    time.sleep(0.6)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode != 0
    assert "waiting for" in said
    s = Study.load(where)
    assert len(s.trials) >= 3
    assert all(t.status is Status.COMPLETED for t in s.trials)
    s.close()


def test_trials_in_good_hands_are_not_evaluated_twice():
    storage = MemoryStorage()
    first = study(storage=storage)
    calls = []

    def nested(trial):
        calls.append(trial.number)
        if trial.number == 0:
            Study.load(storage).run(lambda t: calls.append(t.number) or bowl(t), 3)
        return bowl(trial)

    first.run(nested, 3)
    assert sorted(calls) == [0, 1, 2]


def test_trials_asked_for_by_hand_are_left_to_the_hand():
    s = study()
    mine = s.ask()
    s.run(bowl, 4)
    assert s.trial(mine.number).status is Status.RUNNING
    assert len(s.trials) == 4


@pytest.mark.parametrize(
    "options", [{"n_trials": 0}, {"n_trials": 3, "workers": 0}, {"n_trials": 3, "order": "random"}]
)
def test_limits_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="got"):
        study().run(bowl, **options)


def test_the_progress_bar_shows_trials_and_the_best_feasible_value(capfd):
    s = Study(SPACE, [Minimize("y"), OutcomeConstraint("g", upper=0.5)], strategy=SobolSearch(), seed=3)
    s.run(lambda t: {"y": bowl(t), "g": t["x"]}, 5, progress=True)
    shown = capfd.readouterr().err
    assert "trial 5/5" in shown
    assert f"best {s.best.values['y']:.6g} (trial {s.best.number})" in shown


def test_failures_are_said_and_that_all_of_them_failed(caplog):
    study = Study([Float("x", 0, 1)], Minimize("y"), strategy=RandomSearch(), seed=1)
    study.run(lambda trial: trial["X"], n_trials=7)
    assert [r.getMessage() for r in caplog.records] == [
        """Trial 0 failed: KeyError: "The point has ['x']: got 'X'.". Of further ones: trial.message, bbo status.""",
        "All of 5 trials failed, and none completed. Should the objective be wrong: Ctrl-C.",
    ]


def test_a_tuple_is_no_result():
    study = Study([Float("x", 0, 1)], Minimize("y"), strategy=RandomSearch(), seed=1)
    with pytest.raises(ObjectiveError, match="several metrics in a dict"):
        study.run(lambda trial: (0.2, 0.9), n_trials=1)
