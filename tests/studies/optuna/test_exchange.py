"""A study goes to Optuna and comes back; one of Optuna's becomes a study."""

import math
from dataclasses import replace
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from bbo import Categorical, Float, Int, Maximize, Minimize, OutcomeConstraint, Study, Target, Tracked
from bbo.errors import SpaceError, StudyExistsError, StudyNotFoundError
from bbo.space import Linear, Permutation, Simplex, Space
from bbo.strategies import RandomSearch
from bbo.trial import FailureReason, Status

SPACE = Space(
    [
        Float("x", 0.0, 1.0, step=0.25),
        Float("lr", 1e-4, 1.0, log=True),
        Categorical("kind", ["a", None, True, 1]),
        Int("n", 1, 9, when={"kind": ["a", True]}),
        Simplex("mix", ["sand", "lime"]),
        Permutation("steps", ["dry", "mill", "burn"]),
    ],
    [Linear({"mix.sand": 1.0}, upper=0.9)],
)
WANTED = [Maximize("yield"), OutcomeConstraint("waste", upper=3.0, lower=1.0), Tracked("colour")]


def eventful():
    """A study in which everything happened that may."""
    study = Study(SPACE, WANTED, strategy=RandomSearch(), seed=4, name="eventful")
    told, measured, failed, lost, cancelled, partial, running = study.ask(7)
    study.tell(
        told, {"yield": 0.5, "waste": 4.0, "colour": 1.0}, params={"x": 0.3}, sd={"yield": 0.1}, cost=2.0, note="hot"
    )
    study.report(measured, {"yield": 0.1}, 0)
    study.report(measured, {"yield": 0.2}, 3)
    study.tell(measured, {"yield": [0.6, 0.8], "waste": 2.0})
    study.note("smells", measured)
    study.fail(failed, "it leaked", cost=1.0)
    study.fail(lost, "power cut", reason=FailureReason.LOST)
    study.cancel(cancelled, "no time")
    study.tell(partial, {"yield": 0.9}, partial=True)
    study.report(running, {"yield": 0.3}, 1)
    return study


def said(study):
    """All that a study says of its trials, but when it was written down and why a model suggested them."""
    return [replace(t, study="", notes={}) for t in study.trials]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


def test_what_went_to_optuna_comes_back(url):
    study = eventful()
    study.to_optuna(url)
    back = Study.from_optuna(url)
    assert back.name == "eventful"
    assert back.space == study.space
    assert back.objectives == study.objectives
    assert said(back) == said(study)
    assert back.verify().agrees
    assert back.ask().number == 7


def test_optuna_has_what_it_can_hold(url):
    study = eventful()
    there = study.to_optuna(url, "there")
    trials = optuna.load_study(study_name="there", storage=url).trials
    assert [t.state.name for t in trials] == ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "FAIL", "RUNNING", "RUNNING"]
    assert there.direction.name == "MAXIMIZE"
    assert there.metric_names == ["yield"]
    assert [t.value for t in trials[:2]] == [0.5, pytest.approx(0.7)]
    assert trials[1].intermediate_values == {0: 0.1, 3: 0.2}
    assert trials[6].intermediate_values == {1: 0.3}
    assert list(trials[0].constraints.values()) == [-3.0, 1.0]
    assert there.user_attrs == {"constraint 0": "waste >= 1", "constraint 1": "waste <= 3"}
    assert trials[0].params["x"] == 0.3
    assert trials[0].distributions["x"] == FloatDistribution(0.0, 1.0)
    assert trials[1].distributions["x"] == FloatDistribution(0.0, 1.0, step=0.25)
    assert trials[0].user_attrs == {
        "yield": 0.5,
        "waste": 4.0,
        "colour": 1.0,
        "cost": 2.0,
        "note": "hot",
        "suggested by": "random",
    }
    assert trials[2].user_attrs["message"] == "it leaked"
    assert trials[4].user_attrs["status"] == "cancelled"
    assert sorted(trials[1].params) == sorted(
        name
        for name in ("x", "lr", "kind", "n", "mix.sand", "mix.lime", "steps.dry", "steps.mill", "steps.burn")
        if name != "n" or "n" in study.trials[1].params
    )
    assert there.best_trial.number == 1  # the other breaks a constraint
    assert (trials[1].datetime_complete - trials[1].datetime_start).total_seconds() >= 0.0


def test_an_export_is_brought_up_to_date(url):
    study = eventful()
    first = study.to_optuna(url)
    study.tell(5, {"waste": 2.0})
    study.tell(6, {"yield": 0.2, "waste": 2.0})
    study.tell(study.ask(), {"yield": 0.1, "waste": 2.0})
    second = study.to_optuna(url)
    assert second._study_id == first._study_id
    assert [t.state for t in second.trials[5:]] == [TrialState.COMPLETE] * 3
    assert said(Study.from_optuna(url)) == said(study)
    study.amend(1, {"waste": 2.5}, why="misread")
    study.to_optuna(url)
    assert Study.from_optuna(url).trials[1].values["waste"] == 2.5
    assert optuna.get_all_study_names(url) == ["eventful"]


def test_an_export_does_not_touch_another_study(url):
    optuna.create_study(storage=url, study_name="eventful")
    with pytest.raises(StudyExistsError, match="another name"):
        eventful().to_optuna(url)
    eventful().to_optuna(url, "ours")
    with pytest.raises(StudyExistsError, match="another name"):
        eventful().to_optuna(url, "ours")  # made alike, but another
    assert len(optuna.get_all_study_names(url)) == 2


def test_a_study_that_went_on_in_optuna_is_not_written_over(url):
    study = eventful()
    there = study.to_optuna(url)
    there.set_user_attr("mine", 1)
    study.amend(1, {"waste": 2.5}, why="misread")
    assert study.to_optuna(url).user_attrs["mine"] == 1
    optuna.load_study(study_name="eventful", storage=url).ask()
    with pytest.raises(StudyExistsError, match="went on in Optuna"):
        study.to_optuna(url)


def test_the_space_of_an_export_is_that_of_now_and_past_data_stay_past(url):
    study = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1)
    study.add(pd.DataFrame({"x": [0.5], "y": [3.0]}))
    study.tell(study.ask(), 1.0)
    study.to_optuna(url)
    study.change_space([Float("x", 0.0, 5.0)])
    study.tell(study.ask(), 1.0)
    study.to_optuna(url)
    back = Study.from_optuna(url)
    assert back.space == study.space
    assert back.history.is_past.tolist() == [True, False, False]
    assert said(back) == said(study)


def test_names_that_clash_are_told_apart():
    source = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))

    def objective(trial):
        trial.set_constraint("value", -5.0)
        trial.set_constraint("x", -4.0)
        return trial.suggest_float("x", 0.0, 1.0)

    source.optimize(objective, n_trials=2)
    study = Study.from_optuna(source, seed=1)
    assert study.objectives.metrics == ("value", "value (Optuna)", "x (Optuna)")
    assert study.trials[0].values == {"value": source.trials[0].value, "value (Optuna)": -5.0, "x (Optuna)": -4.0}


def test_what_people_noted_on_failed_trials_comes_along_and_a_failed_import_leaves_nothing(url, tmp_path):
    source = optuna.create_study(storage=url, study_name="s", sampler=optuna.samplers.RandomSampler(seed=2))

    def objective(trial):
        trial.suggest_float("x", 0.0, 1.0)
        trial.set_user_attr("why", "important" * 20_000)
        raise ValueError

    source.optimize(objective, n_trials=1, catch=ValueError)
    source.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=1)
    study = Study.from_optuna(source, storage=tmp_path / "bbo.db")
    assert study.trials[0].note.startswith("why: importantimportant")
    assert study.trials[1].status is Status.COMPLETED


def test_of_a_target_optuna_has_the_distance(url):
    study = Study([Float("x", 0.0, 1.0)], Target("ph", 7.0, 0.5), strategy=RandomSearch(), seed=1)
    study.tell(study.ask(), 9.0)
    there = study.to_optuna(url)
    assert there.metric_names == ["ph off 7"]
    assert (there.best_value, there.direction.name) == (1.5, "MINIMIZE")
    assert Study.from_optuna(url).best.values == {"ph": 9.0}


def test_a_study_of_optuna_becomes_one_of_bbo(url):
    def objective(trial):
        if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
            x = trial.suggest_float("C", 0.1, 10.0, log=True)
        else:
            x = float(trial.suggest_int("depth", 1, 8))
        trial.set_constraint("memory", x - 5.0)
        trial.set_user_attr("seconds", 3)
        for step in range(3):
            trial.report(x + step, step)
            if trial.number == 4 and step == 1:
                raise optuna.TrialPruned
        if trial.number == 3:
            raise ValueError("broken")
        return x if trial.number != 2 else math.inf

    source = optuna.create_study(storage=url, study_name="s", sampler=optuna.samplers.RandomSampler(seed=2))
    source.optimize(objective, n_trials=10, catch=ValueError)
    source.enqueue_trial({"model": "forest", "depth": 3})
    study = Study.from_optuna(source, seed=1)
    assert study.name == "s"
    assert study.space == Space(
        [
            Categorical("model", ["svm", "forest"]),
            *sorted(
                [
                    Float("C", 0.1, 10.0, log=True, when={"model": ["svm"]}),
                    Int("depth", 1, 8, when={"model": ["forest"]}),
                ],
                key=lambda p: [name for t in source.trials for name in t.params].index(p.name),
            ),
        ]
    )
    assert study.objectives.wanted == (Minimize("value"), OutcomeConstraint("memory", upper=0.0))
    assert [t.params for t in study.trials] == [t.params for t in source.trials[:10]]
    statuses = {2: Status.FAILED, 3: Status.FAILED, 4: Status.CANCELLED}
    assert [t.status for t in study.trials] == [statuses.get(k, Status.COMPLETED) for k in range(10)]
    assert study.trials[4].message == "pruned after step 1"
    assert [r.step for r in study.trials[4].reports] == [0, 1]
    assert study.trials[2].reason is FailureReason.INVALID
    assert study.trials[0].note == "seconds: 3"
    feasible = [
        t for t in source.trials if t.state == TrialState.COMPLETE and t.constraints["memory"] <= 0 and t.number != 2
    ]
    assert study.best.values["value"] == min(t.value for t in feasible)
    assert study.verify().agrees
    assert study.ask().params == {"model": "forest", "depth": 3}
    study.ask(2)


def test_trials_outside_of_the_space_are_past_data(url):
    source = optuna.create_study(storage=url, study_name="s", sampler=optuna.samplers.RandomSampler(seed=2))
    source.optimize(lambda trial: trial.suggest_float("x", 0.0, 10.0), n_trials=3)
    source.optimize(lambda trial: trial.suggest_float("x", 0.0, 10.0) * math.nan, n_trials=1)
    with pytest.warns(UserWarning, match="without a value"):
        study = Study.from_optuna(source, space=[Float("x", 20.0, 30.0)])
    assert [t.params for t in study.trials] == [t.params for t in source.trials[:3]]
    assert study.history.is_past.all()


def test_what_cannot_be_imported_is_said(url):
    with pytest.raises(ValueError, match="is a URL, such as"):
        Study.from_optuna("optuna.db")
    with pytest.raises(ValueError, match="is a URL, such as"):
        eventful().to_optuna("optuna.db")
    with pytest.raises(StudyNotFoundError, match="has the studies"):
        Study.from_optuna(url)
    empty = optuna.create_study(storage=url, study_name="empty")
    with pytest.raises(SpaceError, match="pass space="):
        Study.from_optuna(url, "empty")
    with pytest.raises(StudyNotFoundError, match="got 'other'"):
        Study.from_optuna(url, "other")
    empty.optimize(lambda trial: trial.suggest_float("x", 0, 1) and trial.suggest_float("y", 0, 1), n_trials=1)
    empty.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    storage = "sqlite:///" + url.removeprefix("sqlite:///").replace("optuna.db", "bbo.db")
    with pytest.warns(UserWarning, match="left out"):
        study = Study.from_optuna(empty, storage=storage)
    assert study.space.names == ("x",)
    with pytest.raises(StudyExistsError):
        Study.from_optuna(empty, space=study.space, storage=storage)


def test_the_own_log_is_no_storage_of_optunas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study([Float("x", 0, 1)], Minimize("value"), storage="bbo.db?durability=process", seed=1)
    study.tell(study.ask(), 1.0)
    before = Path("bbo.db").read_bytes()
    for url in ("sqlite:///bbo.db", f"sqlite:///{tmp_path}/bbo.db", "sqlite+pysqlite:///./bbo.db"):
        with pytest.raises(ValueError, match=r"is bbo's own log: give Optuna another file"):
            study.to_optuna(url)
    assert Path("bbo.db").read_bytes() == before
    assert len(study.to_optuna("sqlite:///optuna.db").trials) == 1


def test_past_data_that_failed_goes_there_and_comes_back(url):
    study = Study([Float("x", 0, 1)], Minimize("value"), seed=1)
    study.add(pd.DataFrame({"x": [0.5, 1.75], "value": [1.0, None], "status": [None, "failed"], "note": [None, "hot"]}))
    assert [t.state for t in study.to_optuna(url).trials] == [TrialState.COMPLETE, TrialState.FAIL]
    again = Study.from_optuna(url)
    assert [(t.params, t.status, t.reason, t.message) for t in again.trials] == [
        (t.params, t.status, t.reason, t.message) for t in study.trials
    ]
    assert again.history.is_past.all()
