import numpy as np
import pandas as pd
import pytest

from bbo.objective import Minimize, OutcomeConstraint, worst_violations
from bbo.space import Float
from bbo.strategies import GP, RandomSearch, observed
from bbo.strategies.observed import best_trials, earlier, modelled, unfinished
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


def test_of_many_outputs_fewer_trials_are_modelled():
    X = np.random.default_rng(0).random((1500, 2))
    bounds = [OutcomeConstraint(f"g{k}", upper=0.0) for k in range(24)]
    s = Study(SQUARE, [Minimize("y"), *bounds], strategy=RandomSearch(), seed=1)
    s.add(pd.DataFrame(X, columns=["x", "z"]).assign(y=bowl(X), **{f"g{k}": -1.0 for k in range(24)}))
    n = len(modelled(s.history))
    assert 700 < n < 1000
    assert n**2 * 25 <= 30_000_000


def test_a_subset_hardly_changes_with_a_further_trial():
    X = np.random.default_rng(0).random((3501, 2))
    before, after = (set(modelled(study(X[:n], bowl(X[:n])).history)) for n in (3500, 3501))
    assert len(after - before) <= 2


def test_of_many_trials_those_near_a_best_value_that_was_doubted_are_not_preferred(monkeypatch):
    monkeypatch.setattr(observed, "_MOST_MODELLED", 450)  # a fit to thousands takes a minute
    X = np.random.default_rng(0).random((500, 2))
    Y = bowl(X)
    wrong = int(np.square(X - 0.9).sum(axis=1).argmin())
    Y[wrong] = -50.0
    s = study(X, Y, GP())
    assert (np.abs(X[modelled(s.history)] - X[wrong]).max(axis=1) < 0.2).mean() > 0.1
    s.ask()
    assert wrong in s.trials[-1].notes["outliers"]
    order = np.argsort(np.square(X - X[bowl(X).argmin()]).sum(axis=1))
    assert set(order[:150]) <= set(modelled(s.history))


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
    huge = np.full((30, 1), 1e307)
    huge[:2] = -1.0
    assert (worst_violations(huge) > 0).tolist() == [False] * 2 + [True] * 28
    assert worst_violations(np.empty((0, 2))).shape == (0,)


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


@pytest.mark.parametrize("seed", range(2))
def test_under_noise_many_trials_are_modelled_around_the_best_mean_and_not_the_luckiest_value(seed):
    rng = np.random.default_rng(seed)
    X = rng.random((3300, 2))
    s = study(X, bowl(X) + 0.3 * rng.standard_normal(3300), GP())
    trials = [s.ask() for _ in range(2)]
    for trial in trials:
        incumbent = trial.notes["incumbent"]
        assert bowl(X[[incumbent]])[0] < np.quantile(bowl(X), 0.05)
    order = np.argsort(np.square(X - X[trials[-1].notes["incumbent"]]).sum(axis=1))
    assert set(order[:500]) <= set(modelled(s.history))


def test_of_many_failures_those_near_the_best_count_and_others_from_everywhere():
    s = study(np.random.default_rng(0).random((20, 2)), np.arange(20.0))
    is_wanted = np.zeros(20, dtype=bool)
    is_wanted[5:9] = True
    assert unfinished(s.history, is_wanted).tolist() == [5, 6, 7, 8]
    X = np.random.default_rng(1).random((2000, 2))
    many = study(X, bowl(X)).history
    is_wanted = np.arange(2000) % 4 != 0
    kept = unfinished(many, is_wanted)
    assert len(kept) == 1000
    assert is_wanted[kept].all()
    order = np.argsort(np.square(X - X[bowl(X).argmin()]).sum(axis=1))
    assert set([k for k in order if is_wanted[k]][:500]) <= set(kept)
