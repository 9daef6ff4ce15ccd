import math

import gpytorch
import pytest
import torch
from botorch.models.transforms.input import Warp

from bbo.space.structure import Structure
from bbo.surrogates.kernel import Columns, matern52, squared_distances
from bbo.surrogates.marginal import LogPosterior
from bbo.surrogates.priors import SAAS, Hierarchical, Prior

D = torch.float64


def data(n=12, d=3, b=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    X, Y = torch.rand(n, d, dtype=D, generator=g), torch.randn(b, n, dtype=D, generator=g)
    V = 0.1 * torch.rand(b, n, dtype=D, generator=g)
    theta = torch.randn(b, 3 * d + 2, dtype=D, generator=g) * 0.5 - 1
    theta[:, d:-2] += 1
    return X, Y, V, theta


def standard(d=3, n_positions=0):
    """Location and scale of the prior of theta."""
    p = 3 * d + 2 + n_positions
    return torch.linspace(-1.0, 1.0, p, dtype=D), torch.linspace(0.5, 2.0, p, dtype=D)


def shares(V, seed=3):
    """How much of the inferred noise each value has: of some none, of others a half or a third."""
    return torch.tensor([0.0, 1.0, 1 / 2, 1 / 3], dtype=D)[
        torch.randint(4, V.shape, generator=torch.Generator().manual_seed(seed))
    ]


def naive(X, y, V, W, theta, distance, places=None):
    """The same density from the dense definition, differentiable by autograd.

    `places(X, z)` is what positions of levels add to the squared distance.
    """
    d = X.shape[1]
    lengths, a, b = theta[: 3 * d].exp().reshape(3, d)
    v, s = theta[3 * d : 3 * d + 2].exp()
    warped = 1 - (1 - (1e-4 + 0.9998 * X) ** a) ** b
    r2 = sum((distance(X, warped, j) / lengths[j]) ** 2 for j in range(d))
    if places is not None:
        r2 = r2 + places(X, theta[3 * d + 2 :])
    r = (5 * r2 + 1e-300).sqrt()
    K = s * (1 + r + r * r / 3) * (-r).exp() + torch.diag(v * W + V)
    one = torch.ones_like(y)
    mu = (one @ K.inverse() @ y) / (one @ K.inverse() @ one)
    normal = torch.distributions.MultivariateNormal(mu * one, K)
    location, scale = standard(d, len(theta) - 3 * d - 2)
    return normal.log_prob(y) - 0.5 * (((theta - location) / scale) ** 2).sum()


def numeric(X, warped, j):
    return warped[:, None, j] - warped[None, :, j]


def plain(X, warped, j):
    return X[:, None, j] - X[None, :, j]


def columns(d=3, categorical=None, is_warped=True, has_positions=False):
    return Columns(
        d, Structure(categorical or {}), torch.device("cpu"), is_warped=is_warped, has_positions=has_positions
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("distance", [numeric, plain])
def test_value_and_gradient_equal_autograd_of_the_dense_formula(seed, distance):
    X, Y, V, theta = data(seed=seed)
    W = shares(V)
    value, grad = LogPosterior(columns(is_warped=distance is numeric), X, Y, V, W, Prior(*standard()))(theta)
    assert value.shape == (2,)
    assert grad.shape == (2, 11)
    for k in range(2):
        t = theta[k].clone().requires_grad_()
        reference = naive(X, Y[k], V[k], W[k], t, distance)
        assert value[k].item() == pytest.approx(reference.item(), rel=1e-10)
        assert torch.allclose(grad[k], torch.autograd.grad(reference, t)[0], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("is_warped", [True, False])
def test_gradient_equals_finite_differences_also_with_a_categorical_column(is_warped):
    X, Y, V, theta = data(n=15, d=3, b=1, seed=5)
    X[:, 1] = ((X[:, 1] * 4).floor() + 0.5) / 4
    kinds = columns(3, {1: 4}, is_warped)
    W = shares(V)
    density = LogPosterior(kinds, kinds.features(X), Y, V, W, Prior(*standard()))
    value, grad = density(theta)
    eye = 1e-5 * torch.eye(11, dtype=D)
    for j in range(11):
        slope = (density(theta + eye[j])[0] - density(theta - eye[j])[0]) / 2e-5
        assert grad[0, j].item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-7)

    def distance(X, warped, j):
        return 0.3 * (plain(X, warped, j) != 0).to(D) if j == 1 else (numeric if is_warped else plain)(X, warped, j)

    reference = naive(X, Y[0], V[0], W[0], theta[0], distance)
    assert value.item() == pytest.approx(reference.item(), rel=1e-10)


@pytest.mark.parametrize("is_warped", [True, False])
def test_gradient_equals_autograd_and_finite_differences_also_in_positions_of_levels(is_warped):
    X, Y, V, theta = data(n=15, d=3, b=2, seed=6)
    X[:, 0] = ((X[:, 0] * 2).floor() + 0.5) / 2
    X[:, 1] = ((X[:, 1] * 4).floor() + 0.5) / 4
    kinds = columns(3, {0: 2, 1: 4}, is_warped, has_positions=True)
    assert kinds.n_positions == 8
    theta = torch.cat([theta, torch.randn(2, 8, dtype=D, generator=torch.Generator().manual_seed(1))], 1)
    W = shares(V)
    density = LogPosterior(kinds, kinds.features(X), Y, V, W, Prior(*standard(3, 8)))
    value, grad = density(theta)

    def distance(X, warped, j):
        return 0.3 * (plain(X, warped, j) != 0).to(D) if j < 2 else (numeric if is_warped else plain)(X, warped, j)

    def places(X, z):
        place = z.reshape(4, 2)[(X[:, 1] * 4).long()]
        return (place[:, None] - place[None]).square().sum(2)

    for k in range(2):
        t = theta[k].clone().requires_grad_()
        reference = naive(X, Y[k], V[k], W[k], t, distance, places)
        assert value[k].item() == pytest.approx(reference.item(), rel=1e-10)
        assert torch.allclose(grad[k], torch.autograd.grad(reference, t)[0], rtol=1e-8, atol=1e-9)
    eye = 1e-5 * torch.eye(19, dtype=D)
    for j in range(19):
        slope = (density(theta + eye[j])[0] - density(theta - eye[j])[0]) / 2e-5
        assert torch.allclose(grad[:, j], slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_means_of_replicates_and_their_scatter_say_the_same_as_rows(seed):
    X, Y, V, theta = data(b=1, seed=seed)
    V.zero_()
    counts = torch.randint(1, 5, (len(X),), generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(len(X)).repeat_interleave(counts)
    singles = Y[0, rows] + 0.1 * torch.randn(len(rows), dtype=D, generator=torch.Generator().manual_seed(seed + 9))
    means = torch.zeros(len(X), dtype=D).index_add_(0, rows, singles) / counts
    squares, freedom = ((singles - means[rows]) ** 2).sum()[None], torch.tensor([len(rows) - len(X)], dtype=D)
    flat = torch.zeros(11, dtype=D), torch.full((11,), 1e9, dtype=D)
    zeros = torch.zeros(1, len(rows), dtype=D)
    by_rows = LogPosterior(columns(), X[rows], singles[None], zeros, zeros + 1, Prior(*flat))
    W = 1 / counts[None].to(D)
    by_means = LogPosterior(columns(), X, means[None], V, W, Prior(*flat), squares, freedom)
    values, gradients = zip(by_rows(theta), by_means(theta), strict=True)
    # The density of a mean is that of sqrt(m) times as wide a coordinate.
    assert values[0].item() == pytest.approx(values[1].item() - 0.5 * counts.to(D).log().sum().item(), rel=1e-9)
    assert torch.allclose(*gradients, rtol=1e-7, atol=1e-8)


def test_value_equals_gpytorch():
    X, Y, V, theta = data(b=1)
    kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=3)).double()
    kernel.base_kernel.lengthscale, kernel.outputscale = theta[0, :3].exp(), theta[0, -1].exp()
    warp = Warp(3, [0, 1, 2], eps=1e-4, bounds=torch.tensor([[0.0] * 3, [1.0] * 3])).double()
    warp._set_concentration(1, theta[0, 3:6].exp())
    warp._set_concentration(0, theta[0, 6:9].exp())
    K = kernel(warp(X)).to_dense().detach() + torch.diag(theta[0, -2].exp() + V[0])
    weights = torch.linalg.solve(K, torch.ones(len(X), dtype=D))
    mean = (weights @ Y[0] / weights.sum()).expand(len(X))
    reference = gpytorch.distributions.MultivariateNormal(mean, K).log_prob(Y[0])
    flat = torch.zeros(11, dtype=D), torch.full((11,), 1e6, dtype=D)
    value, _ = LogPosterior(columns(), X, Y, V, torch.ones_like(V), Prior(*flat))(theta)
    assert value.item() == pytest.approx(reference.item(), rel=1e-9)


def test_repeated_rows_keep_the_gradient_finite():
    X, Y, V, theta = data(b=1)
    X[1] = X[0]
    value, grad = LogPosterior(columns(), X, Y, V, torch.ones_like(V), Prior(*standard()))(theta)
    assert math.isfinite(value.item())
    assert grad.isfinite().all()


@pytest.mark.parametrize("exponents", [(0.1, 0.1), (0.1, 10.0), (10.0, 0.1), (10.0, 10.0)])
def test_corners_of_the_cube_under_extreme_exponents_keep_value_and_gradient_finite(exponents):
    X, Y, V, theta = data(n=15, b=1, seed=5)
    X[:, 0] = (X[:, 0] > 0.5).to(D)
    X[:, 1] = ((X[:, 1] * 4).floor() + 0.5) / 4
    theta[:, 3:6], theta[:, 6:9] = (math.log(e) for e in exponents)
    kinds = columns(3, {1: 4})
    value, grad = LogPosterior(kinds, kinds.features(X), Y, V, torch.ones_like(V), Prior(*standard()))(theta)
    assert math.isfinite(value.item())
    assert grad.isfinite().all()


def test_singular_covariance_gives_nan_and_leaves_the_other_rows_as_they_are():
    X, Y, V, theta = data(b=2)
    X[1] = X[0]
    V.zero_()
    alone, _ = LogPosterior(columns(), X, Y[1:], V[1:], torch.ones_like(V[1:]), Prior(*standard()))(theta[1:])
    theta[0, -2:] = torch.tensor([-800.0, 0.0])
    value, _ = LogPosterior(columns(), X, Y, V, torch.ones_like(V), Prior(*standard()))(theta)
    assert value[0].isnan()
    assert value[1].item() == pytest.approx(alone.item(), rel=1e-12)


def test_kernel_has_its_gradient_also_at_the_observed_points():
    X = torch.rand(5, 2, dtype=D, generator=torch.Generator().manual_seed(0))
    Z = torch.rand(4, 2, dtype=D, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda Z: matern52(squared_distances(X, Z)), Z)
    at_observed = X.clone().requires_grad_()
    (grad,) = torch.autograd.grad(matern52(squared_distances(X, at_observed))[0, 0], at_observed)
    assert grad.abs().max() < 1e-12


@pytest.mark.parametrize("lengths", [SAAS(), Hierarchical()])
def test_the_density_has_its_gradient_with_any_prior_of_length_scales(lengths):
    X, Y, V, theta = data()
    density = LogPosterior(columns(), X, Y, V, torch.ones_like(V), Prior(*standard(), lengths, 3))
    value, gradient = density(theta)
    step = 1e-6
    for k in range(theta.shape[1]):
        shift = torch.zeros_like(theta)
        shift[:, k] = step
        slope = (density(theta + shift)[0] - density(theta - shift)[0]) / (2 * step)
        assert gradient[:, k].tolist() == pytest.approx(slope.tolist(), rel=1e-4, abs=1e-4)
    assert value.isfinite().all()
