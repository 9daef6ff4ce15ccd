import math

import gpytorch
import pytest
import torch

from bbo.surrogates.kernel import Columns, matern52, squared_distances
from bbo.surrogates.marginal import LogPosterior

D = torch.float64


def data(n=12, d=3, b=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    X, Y = torch.rand(n, d, dtype=D, generator=g), torch.randn(b, n, dtype=D, generator=g)
    V = 0.1 * torch.rand(b, n, dtype=D, generator=g)
    theta = torch.randn(b, d + 2, dtype=D, generator=g) * 0.5 - 1
    return X, Y, V, theta


def naive(X, y, V, theta, location, scale, distance):
    """The same density from the dense definition, differentiable by autograd."""
    d = X.shape[1]
    lengths, v, s = theta[:d].exp(), theta[d].exp(), theta[d + 1].exp()
    a = (5 * sum((distance(X, j) / lengths[j]) ** 2 for j in range(d)) + 1e-300).sqrt()
    K = s * (1 + a + a * a / 3) * (-a).exp() + torch.diag(v + V)
    one = torch.ones_like(y)
    mu = (one @ K.inverse() @ y) / (one @ K.inverse() @ one)
    normal = torch.distributions.MultivariateNormal(mu * one, K)
    return normal.log_prob(y) - 0.5 * (((theta - location) / scale) ** 2).sum()


def numeric(X, j):
    return X[:, None, j] - X[None, :, j]


@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient_equal_autograd_of_the_dense_formula(seed):
    X, Y, V, theta = data(seed=seed)
    location, scale = torch.zeros(5, dtype=D), torch.full((5,), 2.0, dtype=D)
    owner = torch.arange(3)
    value, grad = LogPosterior(X - 0.5, owner, Y, V, location, scale)(theta)
    for k in range(2):
        t = theta[k].clone().requires_grad_()
        reference = naive(X, Y[k], V[k], t, location, scale, numeric)
        assert value[k].item() == pytest.approx(reference.item(), rel=1e-10)
        assert torch.allclose(grad[k], torch.autograd.grad(reference, t)[0], rtol=1e-8, atol=1e-9)


def test_gradient_equals_finite_differences_also_with_a_categorical_column():
    X, Y, V, theta = data(n=15, d=3, b=1, seed=5)
    X[:, 1] = ((X[:, 1] * 4).floor() + 0.5) / 4
    columns = Columns(3, {1: 4})
    density = LogPosterior(
        columns.features(X), columns.owner(X.device), Y, V, torch.zeros(5, dtype=D), torch.ones(5, dtype=D)
    )
    value, grad = density(theta)
    eye = 1e-5 * torch.eye(5, dtype=D)
    for j in range(5):
        slope = (density(theta + eye[j])[0] - density(theta - eye[j])[0]) / 2e-5
        assert grad[0, j].item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-7)

    def distance(X, j):
        gap = numeric(X, j)
        return (gap != 0).to(D) if j == 1 else gap

    reference = naive(X, Y[0], V[0], theta[0], torch.zeros(5, dtype=D), torch.ones(5, dtype=D), distance)
    assert value.item() == pytest.approx(reference.item(), rel=1e-10)


def test_value_equals_gpytorch():
    X, Y, V, theta = data(b=1)
    kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=3)).double()
    kernel.base_kernel.lengthscale, kernel.outputscale = theta[0, :3].exp(), theta[0, 4].exp()
    K = kernel(X).to_dense().detach() + torch.diag(theta[0, 3].exp() + V[0])
    weights = torch.linalg.solve(K, torch.ones(len(X), dtype=D))
    mean = (weights @ Y[0] / weights.sum()).expand(len(X))
    reference = gpytorch.distributions.MultivariateNormal(mean, K).log_prob(Y[0])
    flat = torch.zeros(5, dtype=D), torch.full((5,), 1e6, dtype=D)
    value, _ = LogPosterior(X - 0.5, torch.arange(3), Y, V, *flat)(theta)
    assert value.item() == pytest.approx(reference.item(), rel=1e-9)


def test_repeated_rows_keep_the_gradient_finite():
    X, Y, V, theta = data(b=1)
    X[1] = X[0]
    value, grad = LogPosterior(X, torch.arange(3), Y, V, torch.zeros(5, dtype=D), torch.ones(5, dtype=D))(theta)
    assert math.isfinite(value.item())
    assert grad.isfinite().all()


def test_kernel_has_its_gradient_also_at_the_observed_points():
    X = torch.rand(5, 2, dtype=D, generator=torch.Generator().manual_seed(0))
    Z = torch.rand(4, 2, dtype=D, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda Z: matern52(squared_distances(X, Z)), Z)
    at_observed = X.clone().requires_grad_()
    (grad,) = torch.autograd.grad(matern52(squared_distances(X, at_observed))[0, 0], at_observed)
    assert grad.abs().max() < 1e-12
