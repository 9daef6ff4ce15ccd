import numpy as np
import pandas as pd
import pytest

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float
from bbo.strategies import GP, RandomSearch
from bbo.strategies.observed import best_trials, earlier, modelled, worst_violations
from bbo.studies.study import Study

SQUARE = [Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)]


def study(X, Y, strategy=None, objectives=None):
    s = Study(SQUARE, objectives or Minimize("y"), strategy=strategy or RandomSearch(), seed=1)
    s.add(pd.DataFrame(np.column_stack([X, Y]), columns=["x", "z", "y"]))
    return s


def bowl(X):
    return np.square(X - 0.3).sum(axis=1)


def test_all_completed_trials_are_modelled_while_they_are_few():
    X = np.random.default_rng(0).random((50, 2))
    assert list(modelled(study(X, bowl(X)).history)) == list(range(50))


def test_of_many_trials_those_near_the_best_are_modelled_and_others_from_everywhere():
    X = np.random.default_rng(0).random((3500, 2))
    numbers = modelled(study(X, bowl(X)).history)
    assert len(np.unique(numbers)) == 2000
    assert (np.diff(numbers) > 0).all()
    order = np.argsort(np.square(X - X[bowl(X).argmin()]).sum(axis=1))
    assert set(order[:1000]) <= set(numbers)
    others = X[np.setdiff1d(numbers, order[:1000])]
    assert np.abs(others.mean(axis=0) - X[order[1000:]].mean(axis=0)).max() < 0.03


def test_a_subset_hardly_changes_with_a_further_trial():
    X = np.random.default_rng(0).random((3501, 2))
    before, after = (set(modelled(study(X[:n], bowl(X[:n])).history)) for n in (3500, 3501))
    assert len(after - before) <= 2


def test_a_model_of_many_trials_foretells_each_from_all_the_others():
    rng = np.random.default_rng(0)
    X = rng.random((3200, 2))
    Y = np.sin(6 * X[:, 0]) + X[:, 1] + 0.1 * rng.standard_normal(3200)
    s = study(X, Y, GP())
    said = GP().leave_one_out(s.history)
    assert said.mean["y"].shape == (3200,)
    z = (Y - said.mean["y"]) / said.sd["y"]
    assert np.std(z) == pytest.approx(1.0, abs=0.1)


def test_the_best_are_feasible_ones_by_value_then_the_least_infeasible():
    s = Study(SQUARE, [Minimize("y"), OutcomeConstraint("g", upper=0.0)], strategy=RandomSearch(), seed=1)
    rows = [(1.0, 2.0), (5.0, 0.0), (3.0, -1.0), (0.0, 1.0)]
    s.add(pd.DataFrame([{"x": 0.1 * k, "z": 0.5, "y": y, "g": g} for k, (y, g) in enumerate(rows)]))
    assert best_trials(s.history, 4).tolist() == [2, 1, 3, 0]
    assert worst_violations(np.array([[2.0, -1.0], [-2.0, -1.0], [1.0, 4.0]])) == pytest.approx([1.2, 0.0, 2.0])


def test_a_fit_goes_on_from_the_last_until_a_fifth_more_was_told():
    s = Study(SQUARE, Minimize("y"), strategy=GP(n_first=4), seed=1)
    searched = []
    for _ in range(16):
        trial = s.ask()
        if "warm" in trial.notes:
            searched.append(trial.notes["warm"]["searched"])
        s.tell(trial, (trial["x"] - 0.3) ** 2 + trial["z"])
    assert searched == [4, 5, 6, 6, 8, 8, 10, 10, 12, 12, 12, 15]
    assert earlier(s.history)["searched"] == searched[-1]
    # Notes without the number, of an older version, are no start.
    assert earlier(study(np.zeros((4, 2)), np.zeros(4)).history) is None
