"""Who counts as alive, and the heartbeat that keeps a living one's claims."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bbo.errors import StorageError
from bbo.objective import Minimize
from bbo.space import Float, Space
from bbo.storage import Lease, MemoryStorage
from bbo.strategies import RandomSearch
from bbo.studies import desk, heart, runner
from bbo.studies.study import Study

SPACE = Space([Float("x", 0.0, 1.0)])


def lease(process, seconds_left=10.0):
    return Lease("runner/r", "r", json.dumps(process), 0.0, seconds_left)


def of(pid):
    """What another process says of itself, as far as it can be seen from outside."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return runner.identity() | {"pid": pid, "start": stat[19]}


@pytest.fixture
def sleeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


def test_a_process_of_this_machine_is_alive_until_it_has_ended_whatever_its_lease(sleeper):
    process = of(sleeper.pid)
    assert runner.is_alive(lease(process))
    assert runner.is_alive(lease(process, seconds_left=-100.0))
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet collected by its parent
    assert not runner.is_alive(lease(process))
    sleeper.wait()
    assert not runner.is_alive(lease(process))


def test_a_process_that_has_the_number_of_a_dead_one_is_not_it(sleeper):
    assert not runner.is_alive(lease(of(sleeper.pid) | {"start": "1"}))


def test_a_stopped_process_and_one_elsewhere_are_alive_as_long_as_their_leases(sleeper):
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    for process in (of(sleeper.pid), of(os.getpid()) | {"place": "another boot"}, {}):
        assert runner.is_alive(lease(process, seconds_left=0.1))
        assert not runner.is_alive(lease(process, seconds_left=0.0))


def test_a_runner_has_its_lease_from_the_start_of_its_run_to_the_end():
    s = Study(SPACE, Minimize("y"), strategy=RandomSearch())
    with runner.active_runner(s._log) as mine:
        assert set(runner.live_runners(s._log)) == {mine["run"]}
    assert runner.live_runners(s._log) == {}
    assert s.storage.leases(s.name) == []


def test_a_run_that_could_not_give_its_lease_up_is_over_all_the_same():
    s = Study(SPACE, Minimize("y"), strategy=RandomSearch())
    with runner.active_runner(s._log) as mine:
        pass
    s.storage.take(s.name, f"runner/{mine['run']}", mine["run"], 60.0, runner.myself())
    assert runner.live_runners(s._log) == {}


def test_a_process_that_runs_and_is_not_heard_of_for_long_is_dead(sleeper):
    process = of(sleeper.pid)
    assert runner.is_alive(lease(process, seconds_left=-599.0))
    assert not runner.is_alive(lease(process, seconds_left=-601.0))


def test_a_process_that_the_system_hides_is_alive_as_long_as_its_lease(sleeper, monkeypatch):
    process = of(sleeper.pid)
    monkeypatch.setattr(runner, "_stat", lambda pid: None)
    assert runner.is_alive(lease(process))
    assert not runner.is_alive(lease(process, seconds_left=-1.0))

    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert runner.is_alive(lease(process))


def test_a_runner_whose_lease_was_forgotten_takes_it_anew(monkeypatch):
    monkeypatch.setattr(runner, "RUNNER_S", 4.0)
    s = Study(SPACE, Minimize("y"), strategy=RandomSearch())
    with runner.active_runner(s._log) as mine:
        s.storage.release(s.name, s.storage.leases(s.name)[0])
        until(lambda: mine["run"] in runner.live_runners(s._log))


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_claim_is_renewed_until_it_is_given_up():
    beats = []
    with heart.keeps(lambda: beats.append(time.monotonic()), 0.5):
        until(lambda: len(beats) >= 3)
    n = len(beats)
    time.sleep(1.5)
    assert len(beats) <= n + 1  # one may have been under way


def test_a_claim_that_cannot_be_renewed_is_tried_again_and_does_not_stop_the_others(caplog):
    good, bad = [], []

    def fails():
        bad.append(1)
        raise StorageError("gone for a while")

    with heart.keeps(fails, 0.5), heart.keeps(lambda: good.append(1), 0.5):
        until(lambda: len(bad) >= 2 and len(good) >= 2)
    assert "gone for a while" in caplog.text


def test_no_renewal_comes_after_a_claim_was_given_up_and_one_under_way_is_waited_for():
    under_way, go, done = threading.Event(), threading.Event(), []

    def slow():
        under_way.set()
        go.wait(30)
        done.append(time.monotonic())

    with heart.keeps(slow, 0.5):
        assert under_way.wait(30)
        threading.Timer(0.3, go.set).start()
    given_up = time.monotonic()
    assert len(done) == 1
    assert done[0] <= given_up
    time.sleep(1.2)
    assert len(done) == 1


def test_an_error_of_any_kind_and_a_slow_renewal_do_not_keep_others_from_theirs(caplog):
    go, beats = threading.Event(), []

    def odd():
        raise KeyError("no such study")

    with heart.keeps(lambda: go.wait(60), 0.5), heart.keeps(odd, 0.5), heart.keeps(lambda: beats.append(1), 0.5):
        until(lambda: len(beats) >= 4 and "no such study" in caplog.text)
        go.set()


def beats_in_fork(queue):
    beats = []
    with heart.keeps(lambda: beats.append(1), 0.5):
        until(lambda: beats)
    queue.put(len(beats))


def test_the_heart_beats_in_a_fork_too():
    with heart.keeps(lambda: None, 0.5):
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=beats_in_fork, args=(queue,))
        child.start()
        assert queue.get(timeout=30) >= 1
        child.join(10)
        queue.close()
        queue.join_thread()


def test_the_lease_on_the_desk_is_renewed_while_a_strategy_computes_for_long(monkeypatch):
    monkeypatch.setattr(desk, "LEASE_S", 2.0)
    computing, go = threading.Event(), threading.Event()

    class Slow(RandomSearch):
        def suggest(self, history, n, *, seed):
            computing.set()
            go.wait(30)
            return super().suggest(history, n, seed=seed)

    storage = MemoryStorage()
    s = Study(SPACE, Minimize("y"), strategy=Slow(), storage=storage)
    asking = threading.Thread(target=s.ask)
    asking.start()
    computing.wait(10)
    time.sleep(3.0)  # longer than the lease
    (held,) = storage.leases(s.name)
    assert held.seconds_left > 0
    assert storage.take(s.name, "ask", "another", 1.0) is None
    go.set()
    asking.join(10)
    assert [t.number for t in s.trials] == [0]
