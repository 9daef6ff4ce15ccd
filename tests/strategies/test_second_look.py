import math

import numpy as np
import pandas as pd
import pytest
import torch

from bbo.objective import Maximize, Minimize, OutcomeConstraint
from bbo.space import Categorical, Float, Int
from bbo.strategies import GP
from bbo.studies.study import Study
from bbo.surrogates.outliers import neighbourhood

SQUARE = (Float("x", 0.0, 1.0), Float("y", 0.0, 1.0))
MIXED = (*SQUARE, Int("k", 0, 3), Categorical("c", ("p", "q")))
FALSE = 12


def bowl(params):
    return 10 * ((params["x"] - 0.3) ** 2 + (params["y"] - 0.6) ** 2) + np.sin(6 * params["x"])


def with_a_false_best(space=SQUARE, seed=1, n=30):
    """A study in which the value of one trial of the first design is far better than it should be."""
    s = Study(space, Minimize("v"), strategy=GP(n_first=n), seed=seed)
    for trial in s.ask(n):
        s.tell(trial, bowl(trial.params) - (30.0 if trial.number == FALSE else 0.0))
    return s


def is_beside(s, trial):
    X = s.history.X[:30]
    reach = neighbourhood(torch.tensor(X))
    return np.linalg.norm(s.space.encode([trial.params])[0] - X[FALSE]) <= 0.21 * reach


@pytest.mark.parametrize("space", [SQUARE, MIXED])
@pytest.mark.parametrize("seed", range(4))
def test_a_false_best_value_is_looked_at_once_and_refuted(space, seed):
    s = with_a_false_best(space, seed)
    look = s.ask()
    assert look.notes["looks_at"] == FALSE
    assert is_beside(s, look)
    assert [look.params[name] for name in s.space.names[2:]] == [s.trials[FALSE].params[n] for n in s.space.names[2:]]
    for _ in range(6):
        s.tell(s.trials[-1], bowl(s.trials[-1].params))
        following = s.ask()
        assert "looks_at" not in following.notes
        assert FALSE in following.notes["outliers"]
    assert s.recommend().number != FALSE


@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_peak_is_seen_again_and_climbed(seed):
    rng = np.random.default_rng(seed)
    peak = rng.uniform(0.2, 0.8, 2)

    def function(params):
        away = np.array([params["x"], params["y"]]) - peak
        return bowl(params) - 30 * np.exp(-float(away @ away) / (2 * 0.06**2))

    s = Study(SQUARE, Minimize("v"), strategy=GP(n_first=30), seed=seed)
    for trial in s.ask(30):
        s.tell(trial, function(trial.params))
    direction = rng.standard_normal(2)
    x, y = peak + 0.07 * direction / np.linalg.norm(direction)
    found = {"x": float(x), "y": float(y)}
    s.enqueue(found)
    s.tell(s.ask(), function(found))
    for _ in range(15):
        trial = s.ask()
        s.tell(trial, function(trial.params))
    assert s.best.values["v"] < function({"x": peak[0], "y": peak[1]}) + 1.0


def test_of_a_batch_one_point_looks_and_while_it_is_pending_none_does_again():
    s = with_a_false_best()
    batch = s.ask(3)
    assert [trial.notes.get("looks_at") for trial in batch] == [FALSE, None, None]
    assert is_beside(s, batch[0])
    assert len({tuple(trial.params.values()) for trial in batch}) == 3
    assert "looks_at" not in s.ask().notes


def test_a_look_that_fails_is_not_taken_again():
    s = with_a_false_best()
    s.fail(s.ask(), "broken")
    assert "looks_at" not in s.ask().notes


def test_a_look_that_is_cancelled_is_not_taken_again():
    s = with_a_false_best()
    s.cancel(s.ask())
    assert "looks_at" not in s.ask().notes


def test_a_look_that_was_executed_elsewhere_is_not_taken_again():
    s = with_a_false_best()
    look = s.ask()
    s.tell(look, bowl({"x": 0.9, "y": 0.1}), params={"x": 0.9, "y": 0.1})
    assert "looks_at" not in s.ask().notes


def test_an_infeasible_trial_is_not_looked_at():
    s = Study(SQUARE, [Minimize("v"), OutcomeConstraint("g", upper=0.0)], strategy=GP(n_first=30), seed=1)
    for trial in s.ask(30):
        is_false = trial.number == FALSE
        s.tell(trial, {"v": bowl(trial.params) - 30.0 * is_false, "g": trial.params["x"] - 0.5 + is_false})
    notes = s.ask().notes
    assert FALSE in notes["outliers"]
    assert "looks_at" not in notes


def test_where_no_point_is_close_beside_another_the_best_value_is_believed():
    space = (Int("x", 0, 9), Int("y", 0, 9))

    def value(params):
        return bowl({"x": params["x"] / 9, "y": params["y"] / 9})

    s = Study(space, Minimize("v"), strategy=GP(n_first=20), seed=1)
    first = s.ask(20)
    least = min(first, key=lambda trial: value(trial.params)).number
    for trial in first:
        s.tell(trial, value(trial.params) - (30.0 if trial.number == least else 0.0))
    notes = s.ask().notes
    assert "looks_at" not in notes
    assert least not in notes.get("outliers", [])


def test_where_a_parameter_is_fixed_elsewhere_the_look_waits_until_it_is_free():
    s = with_a_false_best(MIXED)
    other = {"c": "q" if s.trials[FALSE].params["c"] == "p" else "p"}
    elsewhere = s.ask(fixed=other)
    assert "looks_at" not in elsewhere.notes
    assert s.ask(fixed={"c": s.trials[FALSE].params["c"]}).notes["looks_at"] == FALSE


def test_what_is_fixed_for_one_ask_changes_nothing_of_what_is_believed():
    s = with_a_false_best(MIXED, 0)
    s.cancel(s.ask(fixed={"x": 0.5, "y": 0.5}))
    look = s.ask()
    assert look.notes["looks_at"] == FALSE
    s.tell(look, bowl(look.params))
    assert FALSE in s.ask().notes["outliers"]


def test_where_levels_of_a_fine_grid_lie_far_apart_the_best_value_is_believed():
    """The low end of a logarithmic axis."""

    def value(n):
        return math.sin(math.log(n) / 3) + 30 * math.exp(-(((math.log(n) - math.log(3.6)) / 0.25) ** 2))

    levels = [1, 3, 8, 12, 20, 30, 50, 80, 120, 200, 300, 400, 500, 650, 800, 1000, 1200, 1600, 2000, 2500, 3000, 8000]
    s = Study([Int("n", 1, 10_000, log=True)], Maximize("v"), strategy=GP(), seed=1)
    s.add(pd.DataFrame({"n": levels, "v": [value(n) for n in levels]}))
    for _ in range(3):
        trial = s.ask()
        assert "looks_at" not in trial.notes
        assert not {1} & set(trial.notes.get("outliers", []))
        s.tell(trial, value(trial["n"]))
    assert s.best["n"] == 4


def test_a_fine_grid_has_points_close_beside():
    s = with_a_false_best([Float("x", 0.0, 1.0, step=1e-4), Float("y", 0.0, 1.0, step=1e-4)], 0)
    assert s.ask().notes["looks_at"] == FALSE
