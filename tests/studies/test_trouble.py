"""What went wrong once, or nearly: interrupts, other processes, own strategies, odd numbers."""

import concurrent.futures as cf
import math
import os
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from bbo.errors import LostTrialError, ObjectiveError, SpaceError, StrategyError, StudyExistsError
from bbo.events import event
from bbo.fingerprints import fingerprint
from bbo.objective import Minimize, Tracked
from bbo.space import Categorical, Float, Int, Space
from bbo.storage import MemoryStorage
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.specification import describe
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status, Suggestion

SPACE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])


def study(**options):
    return Study(SPACE, Minimize("y"), **({"strategy": RandomSearch(), "seed": 3} | options))


def bowl(trial):
    return (trial["x"] - 0.3) ** 2 + trial["z"]


@dataclass(frozen=True)
class Own:
    """Somebody's own strategy."""

    shift: float = 0.0

    def suggest(self, history, n, *, seed):
        rng = np.random.default_rng(seed)
        return [Suggestion({"x": float(rng.random()), "z": self.shift}) for _ in range(n)]


@pytest.mark.parametrize("where", ["codes", "place"])
def test_an_interrupt_in_the_middle_of_a_fold_leaves_the_study_as_the_log_has_it(monkeypatch, where):
    s = study()
    s.run(bowl, 3)
    original = getattr(Space, where)

    def interrupted(self, *arguments):
        monkeypatch.setattr(Space, where, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(Space, where, interrupted)
    with pytest.raises(KeyboardInterrupt):
        s.ask()
    trial = s.ask()
    logged = Study.load(s.storage)
    assert logged.trial(trial.number).params == trial.params
    assert len(logged.trials) == len(s.trials)
    s.tell(trial, 1.0)
    assert s.verify().agrees


def test_a_strategy_that_took_over_elsewhere_is_at_work_here_too():
    storage = MemoryStorage()
    here = study(storage=storage)
    here.ask()
    Study.load(storage, strategy=SobolSearch())
    assert here.ask().notes["by"] == "sobol"
    assert here.verify().agrees


def test_a_report_that_is_not_a_number_fails_its_trial_and_the_study_goes_on():
    def diverging(trial):
        trial.report(math.nan if trial.number == 1 else 1.0, 0)
        if trial.number == 2:
            trial.report(1.0, -1)
        return 1.0

    s = study()
    s.run(diverging, 4)
    assert [t.reason for t in s.trials] == [None, FailureReason.INVALID, FailureReason.RAISED, None]


class Spy(MemoryStorage):
    def __init__(self):
        super().__init__()
        self.appended = []

    def append(self, name, events, **lease):
        self.appended.append([e.kind for e in events])
        return super().append(name, events, **lease)


def test_reports_and_the_end_of_a_trial_are_one_append():
    storage = Spy()
    study(storage=storage).run(lambda t: t.report(2.0, 0) or t.report(1.0, 1), 1)
    assert storage.appended[-1] == ["reported", "reported", "told"]


def orphaned(storage):
    """A study of which a dead run left two trials behind."""
    s = study(storage=storage)
    runner = {"study": "gone", "host": "nowhere", "pid": 1, "start": "0", "run": "0"}
    for trial in s.ask(2):
        body = {"attempt": 1, "runner": runner}
        storage.append("study", [event("started", f"started/{trial.number}/1", body, trial=trial.number)])
    return s


def test_an_orphan_that_another_process_took_is_left_to_it():
    class Overtaken(MemoryStorage):
        other = None

        def append(self, name, events, **lease):
            if self.other and events[0].kind == "lost" and events[0].trial == 0:
                body = {"attempt": 2, "runner": {"run": "theirs"}}
                theirs = [
                    event("lost", "lost/0/1", {"attempt": 1}, trial=0),
                    event("started", "started/0/2", body, trial=0),
                ]
                self.other = None
                self.take(name, "runner/theirs", "theirs", 60.0)
                super().append(name, theirs)
            return super().append(name, events, **lease)

    storage = Overtaken()
    s = orphaned(storage)
    storage.other = True
    evaluated = []
    s.run(lambda t: evaluated.append(t.number) or bowl(t), 2)
    assert evaluated == [1]


def test_an_orphan_that_was_cancelled_by_hand_is_not_evaluated():
    s = orphaned(MemoryStorage())
    s.cancel(0)
    evaluated = []
    s.run(lambda t: evaluated.append(t.number) or bowl(t), 3)
    assert evaluated == [1, 2, 3]


def deadly(trial):
    if trial.number == 1:
        os._exit(1)
    return bowl(trial)


def test_a_trial_that_kills_its_worker_again_and_again_fails_as_lost_and_the_study_goes_on():
    s = study()
    for _ in range(2):
        with cf.ProcessPoolExecutor(1) as executor, pytest.raises(LostTrialError):
            s.run(deadly, 4, executor=executor, retries=1)
    with cf.ProcessPoolExecutor(1) as executor:
        s.run(deadly, 4, executor=executor, retries=1)
    assert [t.reason for t in s.trials] == [None, FailureReason.LOST, None, None]
    assert not s.history.is_failed.any()


def test_a_broken_executor_is_said_also_where_nothing_ran_yet():
    s = study()
    with cf.ProcessPoolExecutor(1) as executor:
        with pytest.raises(cf.BrokenExecutor):
            executor.submit(os._exit, 1).result()
        with pytest.raises(LostTrialError, match="call run"):
            s.run(bowl, 2, executor=executor)
    s.run(bowl, 2)
    assert [t.status for t in s.trials] == [Status.COMPLETED] * 2


def test_a_message_that_utf8_cannot_hold_is_spelled_out():
    def raises(trial):
        raise ValueError("caf\udce9\0")

    s = study()
    s.run(raises, 1)
    assert "caf\\udce9\\x00" in s.trial(0).message
    s.fail(s.ask(), ValueError("boom"))
    assert s.trial(1).message == "boom"


def test_the_past_of_a_study_with_own_strategies_is_asked_by_who_was_at_work_then():
    s = study()
    s.run(bowl, 3)
    later = Study.load(s.storage, strategy=Own(0.25))
    later.run(bowl, 6)
    assert later.at(2).ask().params == s.trial(2).params
    assert later.at(4).ask().params == later.trial(4).params
    last = Study.load(s.storage, strategy=Own(0.5))
    last.run(bowl, 8)
    assert last.verify().n_left_out == 3
    assert not last.verify().agrees
    assert last.verify(Own(0.25)).agrees
    assert len(Study.load(s.storage).at(5).trials) == 5


def test_a_fork_that_is_refused_leaves_nothing_behind():
    s = Study(SPACE, [Minimize("a"), Minimize("b")], strategy=RandomSearch(), seed=1)
    target = MemoryStorage()
    with pytest.raises(StrategyError, match="takes one objective"):
        s.fork(strategy=GP(), storage=target)
    assert target.studies() == []


def test_a_class_of_ones_own_is_not_taken_for_one_of_ours_by_its_name():
    class GP:
        def suggest(self, history, n, *, seed):
            return []

    assert describe(GP()).keys() == {"own", "fingerprint"}


def test_a_fingerprint_tells_what_an_object_holds_and_not_where():
    assert fingerprint(Own(1.0)) == fingerprint(Own(1.0)) != fingerprint(Own(2.0))
    long = np.arange(5000.0)
    other = long.copy()
    other[2500] = -1.0
    assert fingerprint(Own(long)) != fingerprint(Own(other))


def test_waiting_for_trials_does_not_wait_for_those_just_asked():
    s = Study([Int("n", 1, 3)], Minimize("y"), strategy=RandomSearch(), seed=1)
    assert len(s.ask(5, wait=True)) == 3


class TooMany:
    def suggest(self, history, n, *, seed):
        return RandomSearch().suggest(history, n + 2, seed=seed)


def test_more_suggestions_than_asked_for_are_refused():
    with pytest.raises(StrategyError, match="asked for 1 points and gave 3"):
        study(strategy=TooMany()).ask()


def test_an_ask_that_one_event_cannot_hold_is_several():
    space = [Categorical(f"c{k}", [f"{letter * 1900}" for letter in "ab"]) for k in range(6)]
    s = Study(space, Minimize("y"), strategy=RandomSearch(), seed=1)
    assert len(s.ask(30)) == 30
    assert s.verify().agrees


def test_a_study_with_fixed_values_is_another_than_without():
    storage = MemoryStorage()
    Study(SPACE.fix({"z": 0.5}), Minimize("y"), strategy=RandomSearch(), storage=storage)
    with pytest.raises(StudyExistsError, match="fixed values"):
        study(storage=storage, seed=None)
    with pytest.raises(ValueError, match="Cannot fix 'q'"):
        Space([Float("x", 0.0, 1.0)], fixed={"q": 1})


def test_true_is_not_one():
    space = Space([Categorical("c", [1, True]), Float("x", 0.0, 1.0)])
    s = Study(space, Minimize("y"), strategy=RandomSearch(), seed=1)
    s.enqueue({"c": 1, "x": 0.5})
    assert s.ask(fixed={"c": True}).notes["by"] == "random"
    numbers, truths = Space([Categorical("c", [0, 1])]), Space([Categorical("c", [False, True])])
    assert numbers.difference(truths)


def test_a_status_column_of_somebody_elses_is_refused():
    frame = pd.DataFrame({"x": [0.1], "z": [0.2], "y": [1.0], "status": ["ok"]})
    with pytest.raises(ObjectiveError, match=r"got 'ok'"):
        study().add(frame)


def test_an_empty_cell_of_a_tracked_metric_is_no_value():
    s = Study(SPACE, [Minimize("y"), Tracked("t")], strategy=RandomSearch())
    frame = pd.DataFrame({"x": [0.1, 0.2, 0.3], "z": 0.2, "y": 1.0, "t": pd.array([1, None, pd.NA], dtype="Int64")})
    assert s.add(frame) == 3
    assert [t.values for t in s.trials] == [{"y": 1.0, "t": 1.0}, {"y": 1.0}, {"y": 1.0}]


@pytest.mark.parametrize(
    "parameter",
    [
        Float("v", 1e-300, 1e300, log=True),
        Float("v", 1.7e9, 1.7e9 + 1, step=0.001),
        Float("v", math.pi, 2 * math.pi, step=math.pi / 4),
        Float("v", 1 / 3, 1.0, step=1 / 3),
        Int("v", 1, 10**10),
        Int("v", 1, 10**8, log=True),
    ],
    ids=str,
)
def test_awkward_ranges_are_spread_over_and_kept_within(parameter):
    s = Study([parameter], Minimize("y"), strategy=RandomSearch(), seed=1)
    expected = min(30, parameter.n_levels or 30)
    values = [t["v"] for t in s.ask(30)]
    assert len(set(values)) == expected
    assert all(parameter.low <= v <= parameter.high for v in values)
    assert (
        parameter.n_levels is None or parameter.n_levels > 2000 or len({parameter.check(v) for v in values}) == expected
    )


def test_neighbouring_whole_numbers_of_a_wide_range_are_different_points():
    s = Study([Int("n", 1, 10**10)], Minimize("y"), strategy=RandomSearch(), seed=1)
    for n in (5_000_000_000, 5_000_000_001):
        s.enqueue({"n": n})
    assert [t["n"] for t in s.ask(2)] == [5_000_000_000, 5_000_000_001]
    space = s.space
    assert space.fresh([{"n": 5_000_000_002}], s.history) == [{"n": 5_000_000_002}]


def test_numbers_beyond_all_bounds_are_refused_in_words():
    with pytest.raises(SpaceError, match="beyond all bounds"):
        SPACE.check({"x": 10**400, "z": 0.5})
    s = study()
    with pytest.raises(ObjectiveError, match="must be finite"):
        s.tell(s.ask(), 10**400)
    with pytest.raises(ValueError, match=r"within 2\*\*53"):
        Int("n", 0, 2**60)
    with pytest.raises(ValueError, match="high - low must be finite"):
        Float("x", -1e308, 1e308)


def test_numbers_of_numpy_are_numbers():
    s = study(seed=np.int64(3))
    s.ask()
    s.tell(np.int64(0), np.float32(0.5), cost=np.float32(1.0))
    assert s.trial(0).cost == 1.0


def test_what_is_no_objective_is_refused_before_any_trial():
    s = study()
    with pytest.raises(TypeError, match="got 3"):
        s.run(3, 3)
    for options in ({"n_trials": 2.5}, {"n_trials": 3, "workers": 1.5}):
        with pytest.raises(ValueError, match="whole numbers"):
            s.run(bowl, **options)
    assert s.trials == []


def test_a_history_cannot_be_written_to():
    s = study()
    s.ask()
    with pytest.raises(ValueError, match="read-only"):
        s.history.X[0, 0] = 9.0


def test_an_adaptive_strategy_in_trial_order_is_recomputed_from_what_it_saw():
    s = study(strategy=GP(n_first=4))
    s.run(bowl, 12, workers=3, order="trial")
    assert s.verify().agrees
    changed = MemoryStorage()
    for e in s.storage.events("study"):
        body = e.read()
        if e.key == "asked/9":
            body["suggestions"][0]["notes"]["acquisition"] = 0.0
            e = event("asked", e.key, body)
        changed.append("study", [e])
    assert "acquisition of its notes" in Study.load(changed).verify().divergence


def test_a_front_of_many_is_that_of_the_definition():
    s = Study(SPACE, [Minimize("a"), Minimize("b")], strategy=RandomSearch(), seed=1)
    rng = np.random.default_rng(0)
    V = rng.integers(0, 12, (60, 2)).astype(float)
    for a, b in V:
        s.tell(s.ask(), {"a": a, "b": b})
    naive = [k for k in range(60) if not any((V[j] <= V[k]).all() and (V[j] < V[k]).any() for j in range(60))]
    assert [t.number for t in s.front] == naive
