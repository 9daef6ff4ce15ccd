import pytest
import torch
from scipy.special import gamma, kv

from bbo.acquisition.pathwise import Paths
from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def fitted(sd=0.2, n=12, categorical=None):
    X = uniform(n, 2)
    if categorical:
        X[:, 1] = ((3 * X[:, 1]).floor() + 0.5) / 3
    Y = torch.stack([(6 * X[:, 0]).sin() + X[:, 1], X[:, 1] ** 2 - X[:, 0]], 1) + sd * normal(n, 2, seed=1)
    return ExactGP().fit(X, 50 * Y + 7, structure=Structure(categorical or {}))


@pytest.mark.parametrize("categorical", [None, {1: 3}])
@pytest.mark.parametrize("seed", range(2))
def test_mean_and_covariance_of_many_draws_are_those_of_the_posterior(categorical, seed):
    model, n = fitted(categorical=categorical), 4000
    Z = torch.cat([model.X[:3], uniform(5, 2, seed=seed + 7)])
    draws = torch.cat([Paths.draw(model, 500, seed=100 * seed + k, n_features=64)(Z) for k in range(8)])
    for j in range(2):
        posterior = model.subset_output([j]).posterior(Z)
        mean, C = posterior.mean[:, 0], posterior.distribution.covariance_matrix
        f = draws[..., j]
        assert ((f.mean(0) - mean).abs() < 5 * (C.diagonal() / n).sqrt()).all()
        centred = f - mean
        products = centred[:, :, None] * centred[:, None]
        assert ((products.mean(0) - C).abs() < 5.5 * products.std(0) / n**0.5).all()


def test_frequencies_give_the_kernel():
    """Mean of cos(w . r) over frequencies, against Matern's formula with a Bessel function."""
    model = fitted()
    w = Paths.draw(model, 200, seed=0, n_features=512).frequencies[:, 0]  # S x p x M
    r = torch.tensor([[0.3, 0.2], [1.0, -0.5], [0.0, 2.0]], dtype=D)
    cosines = torch.einsum("kp,spm->ksm", r, w).cos().flatten(1)
    a = (5**0.5 * r.norm(dim=1)).numpy()
    expected = torch.tensor(2 ** (1 - 2.5) / gamma(2.5) * a**2.5 * kv(2.5, a))
    assert ((cosines.mean(1) - expected).abs() < 5 * cosines.std(1) / cosines.shape[1] ** 0.5).all()


def test_without_noise_every_draw_goes_through_the_data():
    model = fitted(sd=0.0)
    assert (model.noise_variance < 1e-3 * model.outputscale).all()
    draws = Paths.draw(model, 3, seed=0)(model.X)
    assert ((draws - model.Y).abs() < 6 * model.noise_variance.sqrt()).all()


def test_a_draw_is_one_function_and_the_same_for_the_same_seed():
    model, X = fitted(), uniform(9, 2, seed=3)
    paths = Paths.draw(model, 2, seed=5)
    assert torch.allclose(paths(X)[:, 2:4], paths(X[2:4]), rtol=1e-10)
    assert torch.equal(paths(X), Paths.draw(model, 2, seed=5)(X))
    assert not torch.allclose(paths(X), Paths.draw(model, 2, seed=6)(X), rtol=0.01)
    assert not torch.allclose(paths(X)[0], paths(X)[1], rtol=0.01)


def test_gradients_agree_with_finite_differences():
    paths = Paths.draw(fitted(), 2, seed=5, n_features=16)
    X = (0.05 + 0.9 * uniform(4, 2, seed=3)).requires_grad_()
    assert torch.autograd.gradcheck(paths, X, eps=1e-5, rtol=1e-3, atol=1e-3)
