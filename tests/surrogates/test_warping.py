import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.warping import log_positions, warped, warped_and_slopes

D = torch.float64
EXTREMES = [(0.1, 0.1), (0.1, 10.0), (10.0, 0.1), (10.0, 10.0), (1.0, 1.0), (0.4, 2.5)]
extremes = pytest.mark.parametrize(("a", "b"), EXTREMES)
GRID = torch.tensor([0.0, 1e-300, 1e-12, 1e-3, 0.2, 0.5, 0.9, 0.999, 1 - 1e-12, 1.0], dtype=D)


def tensor(*values):
    return torch.tensor(values, dtype=D)


def exact(x, a, b):
    """w and its derivatives in x, log a and log b by the definition, in 50 digits."""
    with mpmath.workdps(50):

        def w(x, log_a, log_b):
            e = mpmath.mpf(1e-4) + (1 - 2 * mpmath.mpf(1e-4)) * x
            return 1 - (1 - e ** mpmath.exp(log_a)) ** mpmath.exp(log_b)

        at = mpmath.mpf(x), mpmath.log(mpmath.mpf(a)), mpmath.log(mpmath.mpf(b))
        slopes = [mpmath.diff(w, at, n) for n in [(1, 0, 0), (0, 1, 0), (0, 0, 1)]]
        return [float(v) for v in (w(*at), *slopes)]


@extremes
def test_values_and_slopes_equal_the_definition_in_many_digits_also_at_the_edges(a, b):
    x = GRID.clone().requires_grad_()
    value = warped(x, tensor(a), tensor(b))
    (by_x,) = torch.autograd.grad(value.sum(), x)
    again, by_a, by_b = warped_and_slopes(log_positions(GRID), tensor(a), tensor(b))
    assert torch.equal(value, again)
    # From q >= 1e-5 rounding of 1e-16 in 1 - q leaves 1e-11 of q.
    for k, z in enumerate(GRID.tolist()):
        for got, expected in zip((value, by_x, by_a, by_b), exact(z, a, b), strict=True):
            assert got[k].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(log_a=st.floats(-2.3, 2.3), log_b=st.floats(-2.3, 2.3), x=st.floats(0, 1))
def test_slopes_equal_autograd(log_a, log_b, x):
    t = tensor(log_a, log_b).requires_grad_()
    (expected,) = torch.autograd.grad(warped(tensor(x), *t.exp()).sum(), t)
    _, by_a, by_b = warped_and_slopes(log_positions(tensor(x)), *t.detach().exp())
    assert torch.allclose(torch.cat([by_a, by_b]), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(log_a=st.floats(-2.3, 2.3), log_b=st.floats(-2.3, 2.3))
def test_warping_is_monotone_and_stays_in_the_cube(log_a, log_b):
    w = warped(torch.linspace(0, 1, 201, dtype=D), tensor(log_a).exp(), tensor(log_b).exp())
    assert (w.diff() >= 0).all()
    assert (w >= 0).all()
    assert (w <= 1).all()


def test_exponents_of_one_leave_positions_where_they_were_but_for_the_edge():
    x = torch.linspace(0, 1, 101, dtype=D)
    w = warped(x, tensor(1.0), tensor(1.0))
    assert torch.allclose(w, 1e-4 + 0.9998 * x, rtol=0, atol=1e-15)


def test_warping_is_kumaraswamys_distribution_function():
    """Its samples become uniform."""
    g = torch.Generator().manual_seed(0)
    u = torch.rand(2000, dtype=D, generator=g)
    samples = (1 - (1 - u) ** (1 / 3.0)) ** (1 / 2.0)
    assert torch.allclose(warped(samples, tensor(2.0), tensor(3.0)), u, atol=1e-3)
    assert kstest(warped(samples, tensor(2.0), tensor(3.0)).numpy(), "uniform").pvalue > 0.01


def test_what_lies_outside_the_cube_counts_as_on_its_edge():
    w = warped(tensor(-0.3, 1.2), tensor(0.3), tensor(3.0))
    assert torch.equal(w, warped(tensor(0.0, 1.0), tensor(0.3), tensor(3.0)))


@pytest.mark.parametrize("categorical", [{}, {1: 3}])
def test_predictions_at_the_corners_have_finite_gradients(categorical):
    X = torch.rand(20, 3, dtype=D, generator=torch.Generator().manual_seed(0))
    X[:8] = X[:8].round()
    if categorical:
        X[:, 1] = ((X[:, 1] * 3).floor().clamp_max(2) + 0.5) / 3
    model = ExactGP().fit(X, (0.01 + X[:, :1]).log() - (1.01 - X[:, 2:]).log(), structure=Structure(categorical))
    Z = X.clone().requires_grad_()
    for values in model.mean_sd(Z):
        (grad,) = torch.autograd.grad(values.sum(), Z, retain_graph=True)
        assert grad.isfinite().all()
    assert model.posterior(Z[None]).mean.isfinite().all()


def near_zero(X):
    return (0.01 + X[:, :1]).log() + X[:, 1:].sin()


def pole(X):
    return 1 / (0.05 + X[:, :1]) + 3 * X[:, 1:]


def branin(X):
    x, y = 15 * X[:, :1] - 5, 15 * X[:, 1:]
    valley = y - 5.1 / (4 * torch.pi**2) * x**2 + 5 / torch.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * torch.pi)) * x.cos() + 10


def gain(function, seed):
    """Held-out log density per value with warping less that without, in nats, within the range of the data.

    Beyond it, where a steep function rises further, both are far too certain, and which of them more is chance.
    """
    g = torch.Generator().manual_seed(seed)
    X, Z = torch.rand(25, 2, dtype=D, generator=g), torch.rand(200, 2, dtype=D, generator=g)
    low, high = X.amin(0), X.amax(0)
    Z = Z[((low <= Z) & (high >= Z)).all(1)]

    def density(gp):
        model = gp.fit(X, function(X))
        mean, sd = model.mean_sd(Z)
        normal = torch.distributions.Normal(mean, (sd**2 + model.noise_variance).sqrt())
        return normal.log_prob(function(Z)).mean().item()

    return density(ExactGP()) - density(ExactGP(warping=None))


@pytest.mark.parametrize("function", [near_zero, pole])
def test_warping_helps_clearly_where_a_function_is_steep_at_an_edge(function):
    """The least gain over 20 seeds was 2.4 nats per value."""
    assert all(gain(function, seed) > 2.0 for seed in range(6))


def test_warping_costs_next_to_nothing_where_a_function_is_alike_everywhere():
    """Over 20 seeds gains went from -0.4 to 0.4 nats per value, 0.03 on average."""
    gains = [gain(branin, seed) for seed in range(8)]
    assert min(gains) > -0.4
    assert sum(gains) / len(gains) > -0.1
