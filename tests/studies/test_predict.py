import math

import numpy as np
import pandas as pd
import pytest

from bbo.errors import ObjectiveError, SpaceError, StrategyError
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target, Tracked
from bbo.space import Categorical, Float, Int
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study

LINE = [Float("x", 0.0, 1.0)]
MOST = Maximize("y")


def smooth(x):
    return np.sin(7 * x) + x


def study(wanted=MOST, space=LINE, n=0, function=None, **options):
    """Sobol points, predicted by GP."""
    s = Study(space, wanted, strategy=SobolSearch(), seed=4, **options)
    for trial in s.ask(n) if n else []:
        s.tell(trial, function(trial))
    return s.fork(strategy=GP())


def at(*x):
    return pd.DataFrame({"x": x})


@pytest.mark.parametrize("aim", [Maximize("y"), Minimize("y"), Target("y", 0.4)], ids=repr)
def test_a_function_without_noise_is_met_at_the_data_and_near_between(aim):
    s = study(aim, n=24, function=lambda trial: smooth(trial["x"]))
    there = s.predict(s.frame())
    assert np.allclose(there["y mean"], s.frame()["y"], atol=0.02)
    x = np.linspace(0.1, 0.9, 33)
    between = s.predict(at(*x))
    assert np.allclose(between["y mean"], smooth(x), atol=0.06)
    assert (np.abs(between["y mean"] - smooth(x)) < 5 * between["y sd"] + 0.01).all()


def test_sd_grows_away_from_the_data():
    s = study()
    s.add(pd.DataFrame({"x": np.linspace(0.0, 0.5, 12), "y": smooth(np.linspace(0.0, 0.5, 12))}))
    sd = s.predict(at(0.25, 0.55, 0.65, 0.8, 1.0))["y sd"].to_numpy()
    assert (np.diff(sd) > 0).all()
    assert sd[-1] > 5 * sd[0]


def test_minimizing_and_maximizing_a_metric_predict_the_same():
    def run(aim):
        s = study(aim, n=15, function=lambda trial: smooth(trial["x"]))
        return s.predict(at(0.05, 0.4, 0.77))

    one, other = run(Minimize("y")), run(Maximize("y"))
    assert list(one.columns) == ["y mean", "y sd"]
    assert np.allclose(one, other, rtol=1e-3)


def test_units_of_the_metric_are_those_of_the_prediction():
    def run(scale, shift):
        s = study(n=15, function=lambda trial: shift + scale * smooth(trial["x"]))
        return s.predict(at(0.05, 0.4, 0.77))

    plain, large = run(1.0, 0.0), run(1e4, 300.0)
    assert np.allclose(large["y mean"], 300 + 1e4 * plain["y mean"], rtol=1e-3, atol=10)
    assert np.allclose(large["y sd"], 1e4 * plain["y sd"], rtol=1e-2)


def test_heavy_tailed_values_are_predicted_in_their_units():
    """The model sees a transform of them; predictions in between are of the right order, and finite everywhere."""
    s = study(Minimize("y"), n=40, function=lambda trial: math.exp(12 * trial["x"]))
    x = np.linspace(0.05, 0.95, 19)
    mean, sd = s.predict(at(*x)).to_numpy().T
    assert (np.abs(np.log(mean) - 12 * x) < 0.2).all()
    assert np.isfinite(sd).all()


def test_every_metric_that_steers_has_one_pair_and_the_rest_none():
    wanted = [
        Maximize("y"),
        OutcomeConstraint("y", lower=0.2),
        OutcomeConstraint("g", lower=-2.0, upper=0.5),
        OutcomeConstraint("h", upper=3.0),
        Tracked("colour"),
    ]

    def function(trial):
        x = trial["x"]
        return {"y": smooth(x), "g": 2 * x - 1, "h": 10 * x * x, "colour": 1.0}

    s = study(wanted, n=25, function=function)
    x = np.array([0.1, 0.35, 0.6, 0.85])
    said = s.predict(at(*x))
    assert list(said.columns) == ["y mean", "y sd", "g mean", "g sd", "h mean", "h sd", "feasibility"]
    for metric, truth in {"y": smooth(x), "g": 2 * x - 1, "h": 10 * x * x}.items():
        assert np.allclose(said[f"{metric} mean"], truth, atol=0.15)
    truth = (smooth(x) >= 0.2) & (2 * x - 1 <= 0.5) & (10 * x * x <= 3.0)
    assert 0 < truth.sum() < len(x)
    assert np.allclose(said["feasibility"], truth, atol=0.1)


def test_feasibility_falls_where_evaluations_failed():
    s = study(n=0)
    for k in range(20):
        s.enqueue({"x": k / 19})
    for trial in s.ask(20):
        if trial["x"] > 0.7:
            s.fail(trial, "leaked")
        else:
            s.tell(trial, smooth(trial["x"]))
    low, high = s.predict(at(0.2, 0.95))["feasibility"]
    assert low > 0.9
    assert high < 0.2


def test_rows_keep_their_index_and_a_studys_own_table_will_do():
    space = [Float("x", 0.0, 1.0, unit="m"), Categorical("c", ["a", None]), Int("n", 1, 9)]
    s = study(space=space, n=8, function=lambda trial: smooth(trial["x"]) + trial["n"])
    said = s.predict(s.frame().set_index(np.arange(100, 108)))
    assert said.index.tolist() == list(range(100, 108))
    text = pd.DataFrame({"X [m]": ["0.5", " 0.25"], "n": ["3", "12"], "c": ["a", ""], "y": ["", ""]}, index=["p", "q"])
    typed = pd.DataFrame({"x": [0.5, 0.25], "n": [3, 12], "c": ["a", None]}, index=["p", "q"])
    assert s.predict(text).equals(s.predict(typed))


def test_values_off_the_grid_or_outside_the_range_are_taken_for_what_is_nearest_in_it():
    space = [Float("x", 0.0, 1.0, step=0.25), Float("z", 0.1, 10.0, log=True)]
    s = study(space=space, n=12, function=lambda trial: smooth(trial["x"]) + math.log(trial["z"]))
    said = s.predict(pd.DataFrame({"x": [0.25, 0.3, 0.5], "z": [10.0, 10.0, 50.0]}))["y mean"]
    assert said[0] != said[1]
    edge = s.predict(pd.DataFrame({"x": [0.5], "z": [10.49]}))["y mean"]
    assert said[2] == pytest.approx(edge[0], rel=1e-9)


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"x": [0.5], "c": ["z"]}, SpaceError, "Row 0"),
        ({"x": ["warm"], "c": ["a"]}, SpaceError, "Row 0"),
        ({"x": [None], "c": ["a"]}, SpaceError, "Row 0"),
        ({"x": [0.5]}, SpaceError, r"missing are \['c'\]"),
        ({"x": [0.5], "c": ["a"], "operator": ["me"]}, ObjectiveError, "operator"),
        ({"x [K]": [0.5], "c": ["a"]}, SpaceError, "the table says K"),
    ],
)
def test_a_wrong_table_is_refused_by_row_or_column(columns, error, words):
    space = [Float("x", 0.0, 1.0, unit="m"), Categorical("c", ["a", "b"])]
    s = study(space=space, n=4, function=lambda trial: trial["x"])
    with pytest.raises(error, match=words):
        s.predict(pd.DataFrame(columns))


def test_a_strategy_without_a_model_and_too_few_trials_say_what_is_needed():
    s = Study(LINE, Maximize("y"), strategy=RandomSearch(), seed=1)
    with pytest.raises(StrategyError, match=r"RandomSearch has no model.*GP"):
        s.predict(at(0.5))
    s.tell(s.ask(), 1.0)
    with pytest.raises(StrategyError, match="2 completed trials on: the study has 1"):
        s.fork(strategy=GP()).predict(at(0.5))


def test_predicting_adds_nothing_to_the_log():
    s = study(n=6, function=lambda trial: smooth(trial["x"]))
    before = s.storage.events(s.name)
    s.predict(at(0.5))
    assert s.storage.events(s.name) == before
