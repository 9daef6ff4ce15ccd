"""Many processes on one study: every number once, none lost, none told twice, whoever is killed and whatever is cut.

A form of two minutes runs by default. The long one, 200 trials of `GP` by 8 processes and 5,000 of 10 ms by 64:
`BBO_LONG=1 pytest tests/studies/test_crowd.py`.
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bbo.budget import Budget
from bbo.objective import Minimize
from bbo.space import Float, Space
from bbo.strategies import GP, RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status
from tests import postgres
from tests.proxy import Proxy
from tests.studies import crowd, objectives

LONG = bool(os.environ.get("BBO_LONG"))
SPACE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])
MEMBER = Path(crowd.__file__)
# A member that waits longer than this for its point has been forgotten.
LONGEST_WAIT_S = 60.0


def create(where, strategy, n_trials):
    budget = Budget(trials=n_trials)
    return Study(SPACE, Minimize("y"), strategy=strategy, storage=where, name="crowd", seed=5, budget=budget)


def member(where, folder, seconds, **environment):
    command = [sys.executable, str(MEMBER), str(where), "crowd", str(folder), str(seconds)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def finish(members, timeout=600):
    until = time.monotonic() + timeout
    errors = [child.communicate(timeout=max(1.0, until - time.monotonic()))[1] for child in members]
    return [(child.returncode, error) for child, error in zip(members, errors, strict=True)]


def evaluated(folder):
    lines = [line for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    waits = [float(line.split()[1]) for line in lines if line.startswith("waited")]
    return [tuple(map(int, line.split())) for line in lines if not line.startswith("waited")], waits


def check_whole(s, n_trials):
    """Every number once, every trial told once with what its point gives, and the log recomputes."""
    events = s.storage.events(s.name)
    suggestions = [p for e in events if e.kind == "asked" for p in e.read()["suggestions"]]
    told = Counter(e.trial for e in events if e.kind == "told")
    assert len(suggestions) == n_trials
    assert told == Counter(range(n_trials))
    assert [t.number for t in s.trials] == list(range(n_trials))
    assert all(t.values["y"] == pytest.approx(crowd.value(t.params), rel=1e-12) for t in s.trials)
    assert len({tuple(t.params.values()) for t in s.trials}) == n_trials
    assert [e.read()["index"] for e in events if e.kind == "asked"] == list(range(s.history.n_asks))
    assert s.verify().agrees


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/crowd.db"
    return request.getfixturevalue("fresh_postgres_url")


def test_processes_that_ask_a_gp_get_every_number_once_and_tell_each_once(where, tmp_path):
    n_members, n = (8, 200) if LONG else (4, 30)
    folder = tmp_path / "members"
    folder.mkdir()
    with create(where, GP(n_first=8), n) as s:
        ends = finish([member(where, folder, 0.05) for _ in range(n_members)])
        assert [code for code, _ in ends] == [0] * n_members, ends
        check_whole(s, n)
        lines, waits = evaluated(folder)
        assert Counter(number for number, _ in lines) == Counter(range(n))
        assert max(waits) < LONGEST_WAIT_S


def test_a_crowd_that_asks_at_once_is_served_in_joint_batches(fresh_postgres_url, tmp_path):
    n_members, n = (64, 5_000) if LONG else (12, 400)
    folder = tmp_path / "members"
    folder.mkdir()
    with create(fresh_postgres_url, RandomSearch(), n) as s:
        ends = finish([member(fresh_postgres_url, folder, 0.01) for _ in range(n_members)])
        assert [code for code, _ in ends] == [0] * n_members, ends
        assert not any("locked" in error for _, error in ends)
        check_whole(s, n)
        lines, waits = evaluated(folder)
        assert Counter(number for number, _ in lines) == Counter(range(n))
        assert max(waits) < LONGEST_WAIT_S
        sizes = Counter(len(e.read()["suggestions"]) for e in s.storage.events("crowd") if e.kind == "asked")
        assert max(sizes) > 1


def run_with_losses(where, folder, n_members, is_over, disturb):
    """A crowd in which whoever dies is replaced until the study is finished; the exits of those who were not killed.

    The first members begin together: the one that is to die in its first evaluation gets one, however busy the machine.
    """
    rng = random.Random(7)
    moments = itertools.cycle(["evaluate:1", "ask:2", "evaluate:3", "", "ask:1", ""])
    go = folder / "go"

    def new():
        return member(where, folder, 0.05, BBO_DIE=next(moments) or ":", BBO_GO=str(go))

    members = [new() for _ in range(n_members)]
    ends = []
    until = time.monotonic() + 600
    while len(list(folder.glob("*.ready"))) < n_members and time.monotonic() < until:
        assert all(m.poll() is None for m in members), "a member ended before it began"
        time.sleep(0.05)
    go.touch()
    while members and time.monotonic() < until:
        time.sleep(0.2)
        disturb(members, rng)
        for child in [m for m in members if m.poll() is not None]:
            members.remove(child)
            _, error = child.communicate()
            if child.returncode != -signal.SIGKILL:
                ends.append((child.returncode, error))
            elif not is_over():
                members.append(new())
    assert not members, "the crowd did not come to an end"
    return ends


def kill_one(chance):
    def disturb(members, rng):
        alive = [m for m in members if m.poll() is None]
        if alive and rng.random() < chance:
            rng.choice(alive).kill()

    return disturb


def n_told(s):
    return sum(t.status is Status.COMPLETED for t in s.trials)


def run_to_the_end(where, folder, s, n, disturb, n_members=4):
    """Crowds until all is told: whoever is last may be killed with a trial in hand, and then others must come."""
    for _ in range(20):
        ends = run_with_losses(where, folder, n_members, lambda: n_told(s) == n, disturb)
        assert all(code == 0 for code, _ in ends), ends
        if n_told(s) == n:
            return
    pytest.fail(f"{n_told(s)} of {n} trials told")


def check_retried(s, folder):
    """Trials were lost and evaluated again, and no strategy could see it."""
    assert not any(t.reason is FailureReason.LOST for t in s.trials)
    assert not s.history.is_failed.any()
    lines, _ = evaluated(folder)
    assert max(attempt for _, attempt in lines) > 1


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=8)], ids=["random", "gp"])
def test_members_that_are_killed_lose_nothing_and_teach_nothing(where, tmp_path, strategy):
    n = (200 if LONG else 40) if isinstance(strategy, RandomSearch) else (60 if LONG else 16)
    folder = tmp_path / "members"
    folder.mkdir()
    with create(where, strategy, n) as s:
        # A process with a model takes seconds to load it; most are to die at the moments they are given.
        run_to_the_end(where, folder, s, n, kill_one(0.1 if isinstance(strategy, RandomSearch) else 0.01))
        check_whole(s, n)
        check_retried(s, folder)


def test_workers_that_are_killed_are_followed_by_others(fresh_postgres_url, tmp_path):
    n, counted = (100 if LONG else 20), tmp_path / "counted"
    objective = f"{Path(objectives.__file__)}:counted"
    command = [
        str(Path(sys.executable).with_name("bbo")),
        "worker",
        fresh_postgres_url,
        "crowd",
        "--objective",
        objective,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "BBO_TEST_FILE": str(counted)}

    def start():
        return subprocess.Popen([*command, "--retries", "9"], env=environment, stderr=subprocess.PIPE, text=True)

    rng = random.Random(3)
    with create(fresh_postgres_url, RandomSearch(), n) as s:
        workers = [start() for _ in range(3)]
        n_kills, until = 0, time.monotonic() + 300
        while n_told(s) < n and time.monotonic() < until:
            time.sleep(0.3)
            if n_kills < 5 and n_told(s) >= n_kills * n // 8:
                victim = rng.choice(workers)
                victim.kill()
                victim.communicate()
                workers[workers.index(victim)] = start()
                n_kills += 1
        ends = finish(workers, timeout=60)
        assert [code for code, _ in ends] == [0] * 3, ends
        assert n_kills >= 3
        assert Counter(e.trial for e in s.storage.events("crowd") if e.kind == "told") == Counter(range(n))
        assert {int(line.split()[0]) for line in counted.read_text().splitlines()} == set(range(n))
        assert not any(t.reason is FailureReason.LOST for t in s.trials)
        assert s.verify().agrees


def test_a_database_that_crashes_under_a_crowd_loses_nothing(postgres_bin, tmp_path):
    n = 200 if LONG else 60
    folder = tmp_path / "members"
    folder.mkdir()
    kill, n_restarts = kill_one(0.05), 0
    with postgres.server(postgres_bin) as server, create(server.url, RandomSearch(), n) as s:

        def disturb(members, rng):
            nonlocal n_restarts
            if n_told(s) > (n_restarts + 1) * n / 3:
                server.restart_immediately()
                n_restarts += 1
            kill(members, rng)

        run_to_the_end(server.url, folder, s, n, disturb)
        assert n_restarts
        check_whole(s, n)
        assert not any(t.reason is FailureReason.LOST for t in s.trials)


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_a_connection_that_is_gone_for_a_while_is_waited_for(postgres_server, fresh_postgres_url, tmp_path, how):
    n = 60
    folder = tmp_path / "members"
    folder.mkdir()
    with create(fresh_postgres_url, RandomSearch(), n) as s, Proxy("127.0.0.1", postgres_server.port) as proxy:
        through = make_url(fresh_postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
        members = [member(through, folder, 0.1) for _ in range(4)]
        while n_told(s) < n // 4:
            time.sleep(0.05)
        getattr(proxy, how)()
        time.sleep(20.0 if how == "cut" else 5.0)
        before = n_told(s)
        proxy.resume()
        ends = finish(members)
        assert [code for code, _ in ends] == [0] * 4, ends
        assert before < n
        check_whole(s, n)
        lines, _ = evaluated(folder)
        assert Counter(number for number, _ in lines) == Counter(range(n))
