import math

import numpy as np
import pandas as pd
import pytest

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Categorical, Float
from bbo.strategies import GP, RandomSearch, model_based
from bbo.strategies.trust_region import TrustRegion, failures, improvements
from bbo.studies.study import Study

D = 20
CUBE = [Float(f"x{k}", 0.0, 1.0) for k in range(D)]


def history(values, X=None, G=None):
    wanted = [Minimize("y")] if G is None else [Minimize("y"), OutcomeConstraint("g", upper=0.0)]
    s = Study(CUBE, wanted, strategy=RandomSearch(), seed=1)
    X = np.random.default_rng(0).random((len(values), D)) if X is None else X
    table = pd.DataFrame(X, columns=[p.name for p in CUBE]).assign(y=values)
    s.add(table if G is None else table.assign(g=G))
    return s.history


def length(values, n_first=1):
    region = TrustRegion.of(history(values), 0, n_first)
    return None if region is None else region.length


IN_VAIN = failures(D)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], 0.8),
        ([5.0, 4.0, 3.0], 0.8),
        ([5.0, 4.0, 3.0, 2.0], 1.6),
        ([5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0], 1.6),
        ([5.0] + [6.0] * (IN_VAIN - 1), 0.8),
        ([5.0] + [6.0] * IN_VAIN, 0.4),
        ([5.0] + [6.0] * (IN_VAIN - 1) + [4.0] + [6.0] * (IN_VAIN - 1), 0.8),
        ([5.0] + [6.0] * (2 * IN_VAIN), 0.2),
    ],
)
def test_length_follows_what_the_trials_gained(values, expected):
    assert length(values) == expected


def test_a_region_that_has_become_too_short_gives_way_to_one_search_everywhere_and_begins_anew():
    n_halvings = math.ceil(math.log2(0.8 / 0.5**7))
    in_vain = [5.0] + [6.0] * (n_halvings * IN_VAIN)
    assert length(in_vain[:-1]) == 0.8 / 2 ** (n_halvings - 1)
    assert length(in_vain) is None
    assert length([*in_vain, 6.0]) == 0.8


def test_the_first_design_teaches_nothing_of_the_length():
    assert length([5.0] + [6.0] * IN_VAIN, n_first=2) == 0.8


def test_an_improvement_of_next_to_nothing_is_none():
    assert improvements(history([5.0, 9.0, 7.0, 8.0, 5.0 - 1e-6, 4.9])) == [True, False, False, False, False, True]
    assert improvements(history([1e300, -1e300, -1.1e300])) == [True, True, True]


def test_with_constraints_a_lesser_violation_is_an_improvement_and_feasible_beats_infeasible():
    G = [3.0, 2.0, 2.5, -1.0, 1.0, -1.0, -1.0]
    values = [0.0, 0.0, 0.0, 9.0, 0.0, 8.0, 8.5]
    assert improvements(history(values, G=G)) == [True, True, False, True, False, True, False]


def test_a_box_lies_around_the_centre_and_in_the_cube_and_is_long_where_the_objective_changes_slowly():
    X = np.full((1, D), 0.5)
    X[0, 0] = 0.95
    lower, upper = TrustRegion.of(history([1.0], X), 0, 1).box()
    assert lower == pytest.approx([0.55] + [0.1] * (D - 1))
    assert upper == pytest.approx([1.0] + [0.9] * (D - 1))
    scales = np.ones(D)
    scales[1], scales[2] = 2.0, 0.5
    lower, upper = TrustRegion(X[0], 0.1).box(scales)
    assert upper - lower == pytest.approx([0.1, 0.2, 0.05] + [0.1] * (D - 3))


def test_a_value_that_is_not_believed_is_no_improvement_and_hides_none():
    told = history([5.0, -900.0, 4.0, 4.5, 3.0])
    assert improvements(told) == [True, True, False, False, False]
    assert improvements(told, np.array([-5.0, -np.inf, -4.0, -4.5, -3.0])) == [True, False, True, False, True]
    assert improvements(told, np.array([-5.0, -4.0, -6.0, -3.0, -2.0])) == [True, True, False, True, True]


def test_a_false_best_value_does_not_hold_the_search_in_many_dimensions():
    s = Study(CUBE, Minimize("y"), strategy=GP(n_first=6), seed=2)
    apart = []
    for k in range(24):
        x = np.array(list(s.ask().params.values()))
        s.tell(s.trials[-1], -1e4 if k == 3 else 100 * float(np.square(x - 0.7).mean()))
        apart.append(float(np.abs(x - 0.7).mean()))
    assert 3 in s.trials[-1].notes["outliers"]
    assert np.mean(apart[-4:]) < 0.6 * np.mean(apart[:6])


@pytest.mark.parametrize("seed", range(3))
def test_where_noise_matters_the_region_lies_around_the_best_mean_and_grows_with_the_means(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    X = rng.random((120, D))
    s = Study(CUBE, Minimize("y"), strategy=GP(), seed=seed)
    s.add(pd.DataFrame(X, columns=[p.name for p in CUBE]).assign(y=3 * X[:, 0] + rng.standard_normal(120)))
    asked = []

    def of(history, best, n_first, values=None):
        asked.append((best, values))
        return TrustRegion(history.X[best], 0.8)

    monkeypatch.setattr(model_based.TrustRegion, "of", staticmethod(of))
    means = GP().predict(s.history, [t.params for t in s.trials]).mean["y"]
    s.ask()
    [(best, values)] = asked
    assert best == s.recommend().number
    assert values[:120] == pytest.approx(-means, abs=0.1)  # but for what a transform of values makes of a mean


def test_in_many_dimensions_points_are_sought_near_the_best():
    space = [*CUBE, Categorical("c", ["a", "b", "c"])]
    s = Study(space, Minimize("y"), strategy=GP(n_first=6), seed=2)
    best, apart = None, []
    for k in range(6 + 4 * failures(D + 1)):
        trial = s.ask()
        x = np.array([trial[f"x{j}"] for j in range(D)])
        if k > 6 + 3 * failures(D + 1):
            apart.append(np.abs(x - best).max())
        # Too wiggly to be learnt, and not so far above the best that it would pass for an outlier.
        s.tell(trial, 0.0 if k == 2 else 1.0 + 0.9 * np.sin(40 * x.sum()))
        best = x if k == 2 else best
    # Nothing was gained since, so the region was halved three times; its sides are unequal by a factor of 4 at most.
    assert max(apart) <= 4 * 0.8 / 2**3 / 2
