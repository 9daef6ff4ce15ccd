import pytest
import torch

from bbo.acquisition.belief import Belief
from bbo.acquisition.outcomes import Outcomes
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64


def rows(n, d, seed):
    return torch.rand(n, d, dtype=D, generator=torch.Generator().manual_seed(seed))


def shortfall(X):
    return 0.6 * X[:, :1] - 0.9 * X[:, 2:3] - 0.05


def searched(n_bound, seed, n_spread=15):
    """What a search leaves: points anywhere, and more and more of them nearly on the bound of a constraint."""
    X = rows(n_spread + n_bound, 4, seed)
    off = (
        1e-4
        * torch.randn(n_bound, dtype=D, generator=torch.Generator().manual_seed(seed))
        * rows(n_bound, 1, seed + 1)[:, 0] ** 3
    )
    X[n_spread:, 2] = X[n_spread:, 2] / 2
    X[n_spread:, 0] = (0.05 + off + 0.9 * X[n_spread:, 2]) / 0.6
    return X.clamp(0.0, 1.0)


@pytest.mark.parametrize("n_bound", [10, 25, 40, 60])
@pytest.mark.parametrize("seed", range(3))
def test_a_linear_constraint_stays_one_however_many_points_lie_on_its_bound(n_bound, seed):
    X = searched(n_bound, seed)
    belief = Belief.fit(ExactGP(), Outcomes(X, (3 * X).sin().sum(1, keepdim=True), shortfall(X), X[:0]))
    new = rows(200, 4, seed + 100)
    mean, _ = belief.mean_sd(new)
    assert (mean[:, 1:] - shortfall(new)).square().mean() < 1e-5 * shortfall(new).var()
