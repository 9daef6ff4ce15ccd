import math

import numpy as np
import pytest
import scipy
import torch

from bbo.strategies import GP
from bbo.studies.specification import describe, rebuild
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.priors import SAAS, LogNormal, Prior

D = torch.float64


def test_the_prior_of_few_columns_is_the_sum_over_tau_of_half_cauchy_densities():
    """rho = 1 / l^2 is half-Cauchy(tau), tau half-Cauchy(alpha); quadrature over tau, differences for the gradient."""
    alpha, d, p = 0.3, 4, 3 * 4 + 2
    location, scale = torch.linspace(-1.0, 1.0, p, dtype=D), torch.linspace(0.5, 2.0, p, dtype=D)
    prior = Prior(location, scale, n_sparse=d, alpha=alpha)

    def log_density(theta):
        rho = np.exp(-2 * theta[:d])

        def at(log_tau):
            tau = math.exp(log_tau)
            of_tau = tau * scipy.stats.halfcauchy.pdf(tau, scale=alpha)
            return of_tau * np.prod(rho * scipy.stats.halfcauchy.pdf(rho, scale=tau))

        normal = ((theta - location.numpy()) / scale.numpy())[d:]
        return math.log(scipy.integrate.quad(at, -25, 15, limit=500)[0]) - 0.5 * (normal**2).sum()

    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, p)) + 1.0
    value, gradient = prior(torch.tensor(points))
    expected = np.array([log_density(x) for x in points])
    # Up to a constant.
    assert np.ptp(value.numpy() - expected) < 1e-3
    step = 1e-5
    for row, by in zip(points, gradient.numpy(), strict=True):
        slopes = [(log_density(row + step * e) - log_density(row - step * e)) / (2 * step) for e in np.eye(p)]
        assert by == pytest.approx(slopes, abs=2e-3)


def _of_few(X):
    return ((5 * X[:, 3]).sin() + 3 * (X[:, 20] - 0.4) ** 2 + X[:, 3] * X[:, 41])[:, None]


@pytest.mark.parametrize("seed", range(3))
def test_where_few_of_many_columns_matter_the_sparse_prior_finds_them_and_predicts_better(seed):
    g = torch.Generator().manual_seed(seed)
    X, X_new = torch.rand(50, 60, dtype=D, generator=g), torch.rand(500, 60, dtype=D, generator=g)
    sparse, usual = (gp.fit(X, _of_few(X)) for gp in (ExactGP(length_scale=SAAS()), ExactGP()))
    assert set(sparse.length_scales[0].argsort()[:2].tolist()) == {3, 20}
    errors = [float((model.mean_sd(X_new)[0] - _of_few(X_new)).square().mean()) for model in (sparse, usual)]
    assert errors[0] < 0.7 * errors[1]


def test_where_all_columns_matter_the_sparse_prior_loses_little():
    g = torch.Generator().manual_seed(0)
    X, X_new = torch.rand(60, 6, dtype=D, generator=g), torch.rand(500, 6, dtype=D, generator=g)

    def f(X):
        return (3 * X + torch.arange(6, dtype=D)).sin().sum(1, keepdim=True)

    sparse, usual = (gp.fit(X, f(X)) for gp in (ExactGP(length_scale=SAAS()), ExactGP()))
    errors = [float((model.mean_sd(X_new)[0] - f(X_new)).square().mean()) for model in (sparse, usual)]
    assert errors[0] < 1.5 * errors[1]


@pytest.mark.parametrize("bad", [0, -1.0, math.inf, math.nan])
def test_what_is_no_scale_is_refused(bad):
    for make in (lambda: SAAS(bad), lambda: LogNormal(mode=bad), lambda: LogNormal(scale=bad)):
        with pytest.raises(ValueError, match="above 0, and finite: got"):
            make()


@pytest.mark.parametrize("prior", [SAAS(0.03), LogNormal(0.4, 1.0)])
def test_a_study_keeps_the_prior_of_its_strategy(prior):
    strategy = GP(surrogate=ExactGP(length_scale=prior))
    assert rebuild(describe(strategy)) == strategy
    assert "own" not in describe(strategy)["options"]["surrogate"]
