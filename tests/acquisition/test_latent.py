import math

import pytest
import torch

from bbo.acquisition.latent import Latent, Pinned
from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def fitted(sd=0.3, n=20, seed=0, categorical=None, faint=0.0):
    """Of two outputs in three columns, the second without noise or nearly."""
    X = uniform(n, 3, seed=seed)
    if categorical:
        X[:, 2] = ((3 * X[:, 2]).floor() + 0.5) / 3
    Y = torch.stack([(6 * X[:, 0]).sin() + X[:, 1], X[:, 1] ** 2 - X[:, 2]], 1)
    Y[:, 0] += sd * normal(n, seed=seed + 1)
    Y[:, 1] += faint * normal(n, seed=seed + 2)
    return ExactGP().fit(X, 50 * Y + 7, structure=Structure(categorical or {}))


@pytest.mark.parametrize("categorical", [None, {2: 3}])
def test_mean_and_sd_are_those_of_the_model(categorical):
    model = fitted(categorical=categorical)
    X = torch.cat([uniform(30, 3, seed=5), model.X[:4]])
    for ours, theirs in zip(Latent(model).mean_sd(X), model.mean_sd(X), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("categorical", [None, {2: 3}])
def test_gradients_of_mean_and_sd_agree_with_finite_differences(categorical):
    model = fitted(categorical=categorical, faint=0.01)  # else differences of sd are mostly rounding
    latent = Latent(model)
    X = 0.05 + 0.9 * uniform(6, 3, seed=5)
    if categorical:
        X[:, 2] = 0.5
    free = X[:, :2].clone().requires_grad_()

    def of(V):
        return latent.mean_sd(torch.cat([V, X[:, 2:]], 1))

    assert torch.autograd.gradcheck(of, free, eps=1e-5, rtol=1e-3, atol=1e-3)
    for k in range(2):
        (ours,) = torch.autograd.grad(of(free)[k].sum(), free)
        (by_model,) = torch.autograd.grad(model.mean_sd(torch.cat([free, X[:, 2:]], 1))[k].sum(), free)
        assert torch.allclose(ours, by_model, rtol=1e-6, atol=1e-6)


def test_of_many_observations_mean_sd_and_gradients_are_those_of_the_model():
    X = uniform(700, 3)
    model = ExactGP(max_evaluations=2).fit(X, (6 * X[:, :1]).sin() + 0.3 * normal(700, 1))
    Z = uniform(20, 3, seed=5).requires_grad_()
    for ours, theirs in zip(Latent(model).mean_sd(Z), model.mean_sd(Z), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-8)
        grads = [torch.autograd.grad(v.sum(), Z, retain_graph=True)[0] for v in (ours, theirs)]
        assert torch.allclose(*grads, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("sd", [0.0, 0.3])
def test_at_the_observations_mean_and_sd_are_those_of_the_model(sd):
    model = fitted(sd=sd)
    for ours, theirs in zip(Latent(model).at_observations(), model.mean_sd(model.X), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_draws_at_the_points_have_the_joint_posterior(seed):
    """The mean and covariance of the linear map from e, against botorch's posterior of the same model."""
    model = fitted(seed=seed).subset_output([0])
    Z = torch.cat([model.X[:3], uniform(4, 3, seed=seed + 9)])
    pinned = Pinned.at(model, Z)
    mean = pinned.values(torch.zeros(1, 7, dtype=D))[0]
    root = pinned.values(torch.eye(7, dtype=D)) - mean
    posterior = model.posterior(Z)
    assert torch.allclose(mean, posterior.mean[:, 0], rtol=1e-8)
    assert torch.allclose(root.mT @ root, posterior.distribution.covariance_matrix, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_given_a_draw_the_posterior_is_that_of_a_model_told_these_values(seed):
    """Against plain Gaussian conditioning of the joint posterior of new points and Z."""
    model = fitted(seed=seed).subset_output([0])
    Z, X = torch.cat([model.X[:3], uniform(4, 3, seed=seed + 9)]), uniform(15, 3, seed=seed + 20)
    pinned, e = Pinned.at(model, Z), normal(5, 7, seed=seed)
    mean, sd = pinned.given(X, e)
    joint = model.posterior(torch.cat([X, Z])).distribution
    m, C = joint.mean, joint.covariance_matrix
    gain = torch.linalg.solve(C[15:, 15:], C[15:, :15]).mT
    expected = m[:15] + (pinned.values(e) - m[15:]) @ gain.mT
    variance = (C[:15, :15] - gain @ C[15:, :15]).diagonal()
    assert torch.allclose(mean, expected, rtol=1e-4, atol=1e-3)
    assert torch.allclose(sd, variance.sqrt(), rtol=1e-3, atol=1e-3)


def test_gradients_given_a_draw_agree_with_finite_differences():
    model = fitted().subset_output([0])
    pinned, e = Pinned.at(model, uniform(4, 3, seed=9)), normal(3, 4)
    X = (0.05 + 0.9 * uniform(5, 3, seed=5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda V: pinned.given(V, e), X, eps=1e-5, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sd", [0.0, 0.3])
def test_at_a_pinned_point_nothing_is_left_to_know(sd):
    model = fitted(sd=sd).subset_output([0])
    Z = torch.cat([model.X[:3], uniform(4, 3, seed=9)])
    pinned, e = Pinned.at(model, Z), normal(5, 7)
    mean, sd_left = pinned.given(Z, e)
    scale = math.sqrt(model.outputscale.item())
    assert torch.allclose(mean, pinned.values(e), atol=1e-3 * scale)
    assert (sd_left < 1e-3 * scale).all()


def test_points_repeated_a_hundred_times_break_nothing():
    model = fitted().subset_output([0])
    Z = model.X[:2].repeat(50, 1)
    mean, sd = Pinned.at(model, Z).given(uniform(5, 3, seed=3), normal(4, 100))
    assert mean.isfinite().all()
    assert (sd > 0).all()


def test_the_first_points_have_the_same_draws_whatever_comes_after():
    model = fitted().subset_output([0])
    Z, e = uniform(6, 3, seed=3), normal(4, 6)
    assert torch.allclose(Pinned.at(model, Z).values(e)[:, :4], Pinned.at(model, Z[:4]).values(e[:, :4]), rtol=1e-9)
