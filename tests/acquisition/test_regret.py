import math

import pytest
import torch

from bbo.acquisition.belief import Belief
from bbo.acquisition.domain import Domain
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.regret import beta, regret_bound
from bbo.space import Float, Int, Space
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64
LINE = Space([Float("x", 0.0, 1.0)])
GRID = torch.linspace(0, 1, 4001, dtype=D)[:, None]
NONE = torch.empty(0, 1, dtype=D)


def sine(X):
    return (9 * X[:, :1]).sin() + X[:, :1]


def points(n, seed):
    return torch.rand(n, 1, dtype=D, generator=torch.Generator().manual_seed(seed))


def believed(X, Y, G=None, X_failed=NONE):
    return Belief.fit(ExactGP(), Outcomes(X, Y, X.new_empty(len(X), 0) if G is None else G, X_failed))


def bound(belief, X, n, space=LINE):
    return regret_bound(belief, X, n, Domain.compile(space), seed=3, anchors=X)


def counted(belief, X, Z):
    """The bound by its formula, over points `Z` instead of the space."""
    width = math.sqrt(0.4 * math.log(len(X) ** 2 * math.pi**2 / 0.6))
    mean, sd = belief.outputs.mean_sd(Z)
    at, at_sd = belief.outputs.mean_sd(X)
    highest, reached = (mean + width * sd)[:, 0].max(), (at - width * at_sd)[:, 0].max()
    return float(belief.scales[0].transform.inverse(highest) - belief.scales[0].transform.inverse(reached))


@pytest.mark.parametrize("seed", range(4))
def test_bound_is_that_of_a_fine_grid(seed):
    X = points(8, seed)
    belief = believed(X, sine(X))
    assert bound(belief, X, 8) == pytest.approx(counted(belief, X, GRID), rel=1e-3)


def test_bound_covers_the_true_regret_and_shrinks_as_points_are_added():
    X = torch.linspace(0.02, 0.98, 6, dtype=D)[:, None]
    more = torch.cat([X, torch.linspace(0, 1, 20, dtype=D)[:, None]])
    best = sine(GRID).max()
    few, many = (bound(believed(Z, sine(Z)), Z, len(Z)) for Z in (X, more))
    assert few > float(best - sine(X).max())
    assert many > float(best - sine(more).max())
    assert many < 0.2 * few


def test_points_that_are_surely_infeasible_give_no_hope():
    """The sine rises to the right of all feasible points, where the constraint forbids."""
    X = torch.linspace(0, 1, 15, dtype=D)[:, None]
    Y, G = X.clone(), X - 0.5
    feasible = X[(G <= 0)[:, 0]]
    assert bound(believed(X, Y, G), feasible, 15) < 0.15
    assert bound(believed(X, Y), feasible, 15) > 0.45
    failed = X > 0.5
    belief = believed(X[~failed][:, None], Y[~failed][:, None], None, X[failed][:, None])
    assert bound(belief, feasible, 15) < bound(believed(X[~failed][:, None], Y[~failed][:, None]), feasible, 15)


def test_bound_over_a_discrete_space_is_that_of_its_points():
    space = Space([Int("n", 0, 6)])
    X = torch.tensor(space.encode([{"n": k} for k in range(7)]), dtype=D)
    belief = believed(X[:5], sine(X[:5]))
    assert bound(belief, X[:5], 5, space) == pytest.approx(counted(belief, X[:5], X), rel=1e-9)


def test_beta_is_the_formula():
    assert beta(10, 3) == pytest.approx(2 * math.log(3 * 100 * math.pi**2 / 0.6) / 5)
