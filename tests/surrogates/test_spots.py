"""A Gaussian process that is told how alike the levels of a column are."""

import numpy as np
import pytest
import torch

from bbo.acquisition.latent import Latent
from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.hyperparameters import Hyperparameters
from bbo.surrogates.kernel import LEVELS_APART, Columns
from bbo.surrogates.marginal import LogPosterior
from bbo.surrogates.priors import Prior

D = torch.float64
N_LEVELS = 24
AT = np.random.default_rng(3).uniform(size=(N_LEVELS, 2))
STRUCTURE = Structure({1: N_LEVELS}, spots={1: (AT,)})


def data(n=40, seed=0, levels=range(N_LEVELS)):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, dtype=D, generator=generator)
    level = torch.tensor(list(levels))[torch.randint(len(levels), (n,), generator=generator)]
    X = torch.stack([x, (level + 0.5) / N_LEVELS, torch.rand(n, dtype=D, generator=generator)], 1)
    at = torch.tensor(AT)[level]
    return X, ((4 * at[:, 0]).sin() + at[:, 1].square() + (3 * x).cos())[:, None]


def naive_kernel(model, A, B):
    """r2 summed column by column, and the Matern formula, with loops."""
    own, ((_, (of_spots,)),) = model.length_scales[0], model.length_scales_of_spots
    a, b = (v[0] for v in model.warping)
    K = torch.zeros(len(A), len(B), dtype=D)
    for i, x in enumerate(A):
        for k, z in enumerate(B):
            r2 = 0.0
            for j in (0, 2):
                bent = [1 - (1 - u[j] ** a[j]) ** b[j] for u in (x, z)]
                r2 += ((bent[0] - bent[1]) / own[j]) ** 2
            one, other = (int(u[1] * N_LEVELS) for u in (x, z))
            if one != other:
                r2 += (LEVELS_APART / own[1]) ** 2
            r2 += float(((AT[one] - AT[other]) ** 2).sum()) / of_spots**2
            r = (5 * r2) ** 0.5
            K[i, k] = (1 + r + r**2 / 3) * torch.exp(torch.as_tensor(-r))
    return K


def test_posterior_is_that_of_the_formula():
    X, Y = data(25)
    model = ExactGP(warping=None).fit(X, Y, structure=STRUCTURE)
    assert not model.positions or all((at == 0).all() for at in model.positions.values())
    Z, _ = data(6, seed=1)
    s, noise = model.outputscale[0], model.noise_variance[0]
    K = s * naive_kernel(model, X, X) + noise * torch.eye(len(X), dtype=D)
    cross = s * naive_kernel(model, Z, X)
    mean = model.constant_mean[0] + cross @ torch.linalg.solve(K, Y[:, 0] - model.constant_mean[0])
    assert torch.allclose(model.mean_sd(Z)[0][:, 0], mean, atol=1e-5)


@pytest.mark.parametrize("is_warped", [False, True])
def test_gradient_of_the_likelihood_equals_finite_differences(is_warped):
    X, Y = data(20)
    columns = Columns(3, STRUCTURE, X.device, is_warped=is_warped)
    d = columns.dim
    assert d == 4
    flat = Prior(torch.zeros(3 * d + 2, dtype=D), torch.full((3 * d + 2,), 1e6, dtype=D))
    y = (Y.mT - Y.mean()) / Y.std()
    density = LogPosterior(columns, columns.features(X), y, torch.zeros_like(y), torch.ones_like(y), flat)
    theta = 0.3 * torch.randn(1, 3 * d + 2, dtype=D, generator=torch.Generator().manual_seed(1)) - 0.5
    _, gradient = density(theta)
    for k in range(theta.shape[1]):
        step = torch.zeros_like(theta)
        step[0, k] = 1e-5
        rise = density(theta + step)[0] - density(theta - step)[0]
        assert gradient[0, k].item() == pytest.approx(rise.item() / 2e-5, rel=1e-4, abs=1e-5)
    assert Hyperparameters.from_theta(theta, d).length_scales.shape == (1, 4)


@pytest.mark.parametrize("seed", range(3))
def test_levels_that_were_never_tried_are_foretold_from_those_like_them(seed):
    told = [k for k in range(N_LEVELS) if k % 4 != seed]
    X, Y = data(60, seed=seed, levels=told)
    Z, truth = data(60, seed=seed + 50, levels=[k for k in range(N_LEVELS) if k % 4 == seed])
    errors = []
    for structure in (STRUCTURE, Structure({1: N_LEVELS})):
        mean, _ = ExactGP().fit(X, Y, structure=structure).mean_sd(Z)
        errors.append((mean - truth).square().mean().sqrt() / truth.std())
    assert errors[0] < 0.4 * errors[1]


def test_gradients_of_predictions_agree_with_finite_differences_beside_known_levels():
    X, Y = data()
    model = ExactGP().fit(X, Y, structure=STRUCTURE)
    Z, _ = data(6, seed=2)
    Z = (0.1 + 0.8 * Z).requires_grad_()
    (grad,) = torch.autograd.grad(Latent(model).mean_sd(Z)[0].sum(), Z)
    assert (grad[:, 1] == 0).all()
    for j in (0, 2):
        step = torch.zeros_like(Z.detach())
        step[:, j] = 1e-4
        with torch.no_grad():
            rise = Latent(model).mean_sd(Z.detach() + step)[0] - Latent(model).mean_sd(Z.detach() - step)[0]
        assert torch.allclose(grad[:, j], rise[:, 0] / 2e-4, rtol=1e-3, atol=1e-4)
