"""A study's verbs: what they keep, and the errors that leave the log unchanged."""

import math
import threading

import numpy as np
import pandas as pd
import pytest

from bbo.errors import (
    AlreadyToldError,
    NewerFormatError,
    NonFiniteError,
    ObjectiveError,
    SpaceError,
    SpaceExhaustedError,
    StorageError,
    StrategyError,
    StudyExistsError,
    StudyNotFoundError,
    TrialError,
    WaitForTells,
)
from bbo.events import Event, event
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target, Tracked
from bbo.space import Categorical, Float, Int, Space
from bbo.storage import JSONLinesStorage, MemoryStorage, copy_study, open_storage
from bbo.strategies import LatinHypercube, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status, Suggestion

SPACE = Space([Float("x", 0.0, 1.0), Int("n", 1, 5), Categorical("c", ["a", "b"])])
WANTED = [Minimize("y"), OutcomeConstraint("g", upper=1.0), Tracked("t")]


def study(**options):
    options = {"strategy": RandomSearch(), "seed": 7} | options
    return Study(SPACE, WANTED, **options)


def values(trial):
    return {"y": trial["x"] + trial["n"], "g": 4 * trial["x"], "t": 1.0}


def told(n, **options):
    s = study(**options)
    for _ in range(n):
        trial = s.ask()
        s.tell(trial, values(trial))
    return s


def test_best_is_the_feasible_trial_with_the_lowest_minimized_value():
    s = told(30)
    feasible = [t for t in s.trials if t.is_feasible]
    assert 0 < len(feasible) < 30
    assert s.best.values["y"] == min(t.values["y"] for t in feasible)
    assert [t.number for t in s.front] == [s.best.number]
    assert study().best is None


def test_several_objectives_have_a_front_and_no_best():
    s = Study(SPACE, [Minimize("a"), Maximize("b")], strategy=RandomSearch(), seed=1)
    for a, b in ((1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.5, 0.0)):
        s.tell(s.ask(), {"a": a, "b": b})
    assert [t.number for t in s.front] == [0, 1, 3, 4]
    with pytest.raises(ObjectiveError, match="use front"):
        _ = s.best


def test_a_target_is_best_within_its_tolerance():
    s = Study([Float("x", 0.0, 1.0)], Target("ph", 7.0, 0.1), strategy=RandomSearch(), seed=1)
    for ph in (6.0, 7.05, 8.0):
        s.tell(s.ask(), ph)
    assert s.best.values == {"ph": 7.05}


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        ({"y": 1.0, "g": 0.0, "smell": 3.0}, ObjectiveError, r"metrics \['y', 'g', 't'\]: got values for \['smell'\]"),
        ({"y": 1.0}, ObjectiveError, r"\['g'\] missing"),
        ({"y": math.nan, "g": 0.0}, NonFiniteError, r"'y' must be finite: got nan.*use fail\(\)"),
        ({"y": math.inf, "g": 0.0}, NonFiniteError, "got inf"),
        ({"y": "low", "g": 0.0}, ObjectiveError, "got 'low'"),
        (1.0, ObjectiveError, "in a dict"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_the_log_unchanged(value, error, said):
    s = study()
    trial = s.ask()
    before = s.storage.events(s.name)
    with pytest.raises(error, match=said):
        s.tell(trial, value)
    assert s.storage.events(s.name) == before
    s.tell(trial, {"y": 1.0, "g": 0.0})


def test_another_value_told_twice_is_refused_and_the_same_is_not():
    s = told(1)
    first = s.trial(0).values
    s.tell(0, first)
    before = s.storage.events(s.name)
    with pytest.raises(AlreadyToldError, match=r"Trial 0 has .*The first stands"):
        s.tell(0, {"y": 99.0, "g": 0.0})
    with pytest.raises(AlreadyToldError, match="now failed"):
        s.fail(0)
    with pytest.raises(AlreadyToldError, match="now cancelled"):
        s.cancel(0)
    assert s.storage.events(s.name) == before
    assert s.trial(0).values == first


def test_a_trial_of_another_study_is_refused():
    mine, other = told(1), study()
    foreign = other.ask()
    with pytest.raises(TrialError, match="of another study"):
        mine.tell(foreign, values(foreign))
    for number in (-1, 1, 99):
        with pytest.raises(TrialError, match="has the trials 0 to 0"):
            mine.tell(number, {"y": 1.0, "g": 0.0})
    with pytest.raises(TrialError, match="got 'x'"):
        mine.tell("x", 1.0)


def test_a_parameter_outside_the_space_is_refused():
    s = study()
    with pytest.raises(SpaceError, match=r"'x' lies in \[0.0, 1.0\]: got 2.0"):
        s.enqueue({"x": 2.0, "n": 1, "c": "a"})
    with pytest.raises(SpaceError, match="'c' is one of"):
        s.ask(fixed={"c": "z"})
    with pytest.raises(SpaceError, match=r"Cannot give \['z'\] a value"):
        s.ask(fixed={"z": 1})
    assert len(s.trials) == 0


def test_names_that_a_table_needs_for_itself_are_refused():
    with pytest.raises(ObjectiveError, match="both a parameter and a metric"):
        Study([Float("x", 0.0, 1.0)], Minimize("x"))
    with pytest.raises(ObjectiveError, match=r"rename \['status'\]"):
        Study([Float("status", 0.0, 1.0)], Minimize("y"))


@pytest.mark.parametrize("file", ["s.db", "s.jsonl"])
def test_the_same_name_with_another_specification_is_refused_with_the_difference(tmp_path, file):
    where = tmp_path / file
    told(2, storage=where).close()
    wider = Space([Float("x", 0.0, 2.0), Int("n", 1, 5), Categorical("c", ["a", "b"])])
    for make, said in (
        (lambda: Study(wider, WANTED, storage=where), r"space: .*high=1.0.*against.*high=2.0"),
        (lambda: Study(SPACE, [Maximize("y")], storage=where), r"objectives: .*Minimize.*against.*Maximize"),
        (lambda: study(storage=where, seed=8), "seed: 7 against 8"),
        (lambda: study(storage=where, if_exists="fail"), "already"),
    ):
        with pytest.raises(StudyExistsError, match=said):
            make()
    again = study(storage=where)
    assert len(again.trials) == 2
    again.close()


def test_an_unreadable_or_newer_study_file_is_refused(tmp_path):
    noise = tmp_path / "noise.jsonl"
    noise.write_bytes(b"\x00\xff this is no log\n")
    with pytest.raises(StorageError, match="noise.jsonl"):
        Study.load(noise)
    newer = tmp_path / "newer.jsonl"
    newer.write_text('{"bbo":"log","format":99}\n')
    with pytest.raises(NewerFormatError, match="later version"):
        Study.load(newer)
    with pytest.raises(StudyNotFoundError, match="no study"):
        Study.load(tmp_path / "empty.db")


def test_a_study_with_an_event_of_a_later_version_may_be_read_but_not_asked():
    s = told(2)
    s.storage.append(s.name, [Event("teleported", "k", "{}", version=1, at="2030-01-01")])
    again = Study.load(s.storage, s.name)
    assert len(again.trials) == 2
    with pytest.raises(NewerFormatError, match="upgrade bbo"):
        again.ask()


def test_a_load_without_name_needs_a_single_study():
    storage = MemoryStorage()
    study(storage=storage, name="one")
    assert Study.load(storage).name == "one"
    study(storage=storage, name="two")
    with pytest.raises(StudyNotFoundError, match=r"\['one', 'two'\]"):
        Study.load(storage)


def test_an_ask_for_several_gives_distinct_trials_and_numbers_in_order():
    s = study()
    trials = s.ask(40)  # more than one event holds
    assert [t.number for t in trials] == list(range(40))
    assert len({tuple(t.params.values()) for t in trials}) == 40
    with pytest.raises(ValueError, match="at least one"):
        s.ask(0)


def test_fixed_values_hold_in_every_suggestion():
    for strategy in (RandomSearch(), SobolSearch(), LatinHypercube()):
        s = study(strategy=strategy)
        assert {t["n"] for t in s.ask(9, fixed={"n": 3})} == {3}
        assert len({t["x"] for t in s.trials}) == 9


def test_enqueued_points_come_first_in_order_and_once():
    s = study()
    points = [{"x": 0.1, "n": 1, "c": "a"}, {"x": 0.2, "n": 2, "c": "b"}]
    for point in (*points, *points):
        s.enqueue(point)
    assert s.ask(fixed={"n": 2}).params == points[1]
    assert s.ask().params == points[0]
    assert s.ask().notes["by"] == "random"
    s.enqueue(points[0])
    assert s.ask().notes["by"] == "random"


def test_past_data_informs_without_being_a_suggestion_and_is_added_once():
    frame = pd.DataFrame({"x": [0.1, 0.2, 0.2], "n": [1, 2, 2], "c": ["a", "b", "b"], "y": [3.0, 4.0, 4.0], "g": 0.5})
    s = study()
    assert s.add(frame, source="last year") == 3
    assert s.add(frame, source="last year") == 0
    assert s.best.values == {"y": 3.0, "g": 0.5}
    assert s.history.n_suggested == 0
    other = study()
    assert other.add(told(4).frame()) == 4


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"n": [1, 2.5]}, SpaceError, "Row 1: .*got 2.5"),
        ({"c": ["a", "z"]}, SpaceError, "Row 1: .*got 'z'.*left out, or study.change_space"),
        ({"y": [1.0, None]}, ObjectiveError, r"Row 1: It has no value of \['y'\]"),
        ({"smell": 1}, ObjectiveError, r"unknown are \['smell'\]"),
    ],
)
def test_past_data_that_does_not_fit_names_the_row_and_adds_nothing(change, error, said):
    frame = pd.DataFrame({"x": [0.1, 0.2], "n": [1, 2], "c": "a", "y": [3.0, 4.0], "g": 0.5}).assign(**change)
    s = study()
    with pytest.raises(error, match=said):
        s.add(frame)
    assert s.trials == []


def test_the_frame_has_a_column_for_each_thing_and_a_row_for_each_trial():
    s = told(2)
    s.fail(s.ask(), "leaked")
    s.ask()
    frame = s.frame()
    assert frame["status"].tolist() == ["completed", "completed", "failed", "running"]
    assert frame["x"].tolist() == [t["x"] for t in s.trials]
    assert frame["y"].isna().tolist() == [False, False, True, True]
    assert frame["reason"].tolist() == ["", "", "invalid", ""]


def test_failed_and_cancelled_trials_are_not_offered_again_and_only_the_failed_teach():
    s = Study([Int("n", 1, 4)], Minimize("y"), strategy=RandomSearch(), seed=1)
    s.fail(s.ask(), "leaked")
    s.fail(s.ask(), "node rebooted", reason=FailureReason.LOST)
    s.cancel(s.ask(), "out of stock")
    assert s.history.is_failed.tolist() == [True, False, False]
    assert [t.status for t in s.trials] == [Status.FAILED, Status.FAILED, Status.CANCELLED]
    s.tell(s.ask(), 1.0)
    assert sorted(t["n"] for t in s.trials) == [1, 2, 3, 4]
    with pytest.raises(SpaceExhaustedError, match="All 4 points"):
        s.ask()


def test_reports_keep_their_step_and_end_with_the_trial():
    s = study()
    trial = s.ask()
    s.report(trial, {"y": 3.0}, 1)
    s.report(trial, {"y": 2.0}, 2, cost=0.5)
    with pytest.raises(AlreadyToldError, match="was reported already"):
        s.report(trial, {"y": 9.0}, 2)
    s.tell(trial, values(trial), cost=1.5, sd={"y": 0.1}, note="second lamp")
    seen = s.trial(0)
    assert [(r.step, dict(r.values)) for r in seen.reports] == [(1, {"y": 3.0}), (2, {"y": 2.0})]
    assert (seen.cost, seen.sd, seen.note) == (1.5, {"y": 0.1}, "second lamp")
    with pytest.raises(AlreadyToldError, match="only a running trial"):
        s.report(trial, {"y": 1.0}, 3)


class Waiting:
    """Suggests one point at a time, the next when the last is told."""

    def suggest(self, history, n, *, seed):
        if history.is_pending.any():
            return []
        return [Suggestion(p) for p in history.space.sample(1, np.random.default_rng(seed))]


def test_a_strategy_may_wait_for_tells_and_asks_may_wait_for_it():
    s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=Waiting(), seed=1)
    (first,) = s.ask(3)
    assert s.ask(2) == []
    with pytest.raises(WaitForTells, match="wait=True"):
        s.ask()
    teller = threading.Timer(0.3, lambda: s.tell(first, 1.0))
    teller.start()
    assert s.ask(wait=True).number == 1
    teller.join()


def test_a_strategy_of_ones_own_is_passed_again_on_load_and_never_imported_by_name():
    storage = MemoryStorage()
    s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=Waiting(), storage=storage, seed=1)
    s.tell(s.ask(), 1.0)
    loaded = Study.load(storage)
    assert loaded.best.number == 0
    with pytest.raises(StrategyError, match="'Waiting'.*pass the object again"):
        loaded.ask()
    assert Study.load(storage, strategy=Waiting()).ask().number == 1
    assert loaded.storage.events("study")[-1].kind == "asked"
    assert s.verify().agrees


class Outside:
    def suggest(self, history, n, *, seed):
        return [Suggestion({"x": 3.0})]


def test_a_suggestion_outside_the_space_is_refused_before_it_is_logged():
    s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=Outside())
    with pytest.raises(SpaceError, match="got 3.0"):
        s.ask()
    assert s.trials == []


class Choosy(RandomSearch):
    def refuses(self, space, objectives):
        return "Choosy takes one objective; use RandomSearch." if len(objectives.aims) > 1 else None


def test_a_strategy_that_refuses_a_study_says_what_can():
    with pytest.raises(StrategyError, match="use RandomSearch"):
        Study(SPACE, [Minimize("a"), Minimize("b")], strategy=Choosy())
    assert Study(SPACE, Minimize("a"), strategy=Choosy()).ask()


@pytest.mark.parametrize("strategy", ["GP", RandomSearch, 3])
def test_what_is_no_strategy_is_refused(strategy):
    with pytest.raises(StrategyError, match="object with a method suggest"):
        study(strategy=strategy)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="at least 0: got"):
        study(seed=seed)


def test_the_default_strategy_refuses_several_objectives_before_anything_is_logged():
    storage = MemoryStorage()
    with pytest.raises(StrategyError, match="use RandomSearch"):
        Study(SPACE, [Minimize("a"), Minimize("b")], storage=storage)
    assert storage.studies() == []


def test_a_study_without_a_seed_draws_one_and_records_it():
    storage = MemoryStorage()
    s = Study(SPACE, Minimize("y"), strategy=RandomSearch(), storage=storage)
    assert Study.load(storage).seed == s.seed
    assert Study(SPACE, Minimize("y"), strategy=RandomSearch()).seed != s.seed


def test_a_study_as_it_was_asks_what_it_asked_then():
    s = told(12)
    for k in (0, 1, 7):
        past = s.at(k)
        assert len(past.trials) == k
        assert past.ask().params == s.trial(k).params
    with pytest.raises(TrialError, match="12 trials that ended"):
        s.at(13)


def test_a_fork_goes_its_own_way_and_leaves_the_first_alone(tmp_path):
    s = told(6)
    fork = s.fork(at=4, strategy=SobolSearch(), storage=tmp_path / "fork.db", name="other")
    trial = fork.ask()
    assert trial.notes["by"] == "sobol"
    assert trial.params != s.trial(4).params
    with pytest.raises(TrialError, match="another study"):
        s.tell(trial, values(trial))
    assert fork.verify().agrees
    assert len(s.trials) == 6
    with pytest.raises(StudyExistsError, match="another name"):
        s.fork(storage=tmp_path / "fork.db", name="other")
    fork.close()


def test_another_strategy_takes_over_and_the_log_says_so():
    storage = MemoryStorage()
    told(3, storage=storage)
    s = Study.load(storage, strategy=SobolSearch())
    assert s.ask().notes["by"] == "sobol"
    assert Study.load(storage).ask().notes["by"] == "sobol"
    assert s.verify().agrees


@pytest.mark.parametrize("file", ["s.db", "s.jsonl"])
def test_a_study_copied_to_another_storage_goes_on_with_the_same_suggestions(tmp_path, file):
    s = told(5)
    target = open_storage(tmp_path / file)
    copy_study(s.storage, s.name, target)
    copied = Study.load(target)
    assert copied.ask().params == s.ask().params
    assert copied.verify().agrees
    target.close()


def test_verify_names_the_first_suggestion_that_was_changed():
    s = told(5)
    events = s.storage.events(s.name)
    changed = MemoryStorage()
    for e in events:
        body = e.read()
        if e.key == "asked/3":
            body["suggestions"][0]["params"]["x"] += 1e-12
            e = event("asked", e.key, body)
        changed.append("study", [e])
    assert s.verify().agrees
    said = Study.load(changed).verify()
    assert not said.agrees
    assert said.n_asks == 4
    assert "trial 3 (ask 3): x of its params" in said.divergence


def test_a_resumed_study_says_what_differs_from_the_machine_before(caplog, tmp_path):
    s = told(1, storage=tmp_path / "s.jsonl")
    body = s.storage.events(s.name)[1].read() | {"cpus": 999}
    s.storage.append(s.name, [event("opened", "opened/else", body)])
    again = Study.load(JSONLinesStorage(tmp_path / "s.jsonl"))
    again.ask()
    assert "cpus 999 then" in caplog.text
    again.close()
    s.close()
