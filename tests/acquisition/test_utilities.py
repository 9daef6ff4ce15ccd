import mpmath
import pytest
import torch
from scipy.stats import norm

from bbo.acquisition.utilities import log_ei, log_pi, log_probability_of_feasibility, ucb

D = torch.float64
ZS = [-3e3, -300.01, -299.99, -60.0, -30.0, -25.0, -5.0, -1.0001, -0.9999, -1.0, 0.0, 3.0, 30.0]


def exact_log_h(z):
    with mpmath.workdps(100):
        # ncdf as erfc, which keeps its digits in the lower tail
        z = mpmath.mpf(z)
        return float(mpmath.log(mpmath.npdf(z) + z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2))


@pytest.mark.parametrize("z", ZS)
def test_log_ei_equals_high_precision_formula(z):
    mean, sigma = torch.tensor([2 * z + 1], dtype=D), torch.full((1,), 2.0, dtype=D)
    expected = exact_log_h((2 * z + 1 - 1.0) / 2) + float(mpmath.log(2))
    assert log_ei(mean, sigma, best_f=1.0).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("z", [-1e2, -1e3, -1e6])
def test_log_ei_and_its_gradient_stay_finite_and_right_far_below(z):
    x = torch.tensor([z], dtype=D, requires_grad=True)
    value = log_ei(x, torch.ones_like(x), 0.0)
    (slope,) = torch.autograd.grad(value, x)
    # Leading terms of the expansion: -z^2/2 - log sqrt(2 pi) - 2 log|z| - 3/z^2
    expected = -z * z / 2 - 0.9189385332046727 - 2 * float(mpmath.log(-z)) - 3 / z**2
    assert value.item() == pytest.approx(expected, rel=1e-9)
    assert slope.item() == pytest.approx(-z - 2 / z, rel=1e-6)


@pytest.mark.parametrize("z", [*ZS, -1e3, -1e5])
def test_slopes_of_log_ei_are_those_of_the_definition(z):
    """dEI/dmean is Phi and dEI/dsigma is phi."""
    mean, sigma, best = (torch.tensor([v], dtype=D, requires_grad=True) for v in (2 * z, 2.0, 0.0))
    slopes = torch.autograd.grad(log_ei(mean, sigma, best), (mean, sigma, best))
    with mpmath.workdps(100):
        h = 2 * mpmath.exp(exact_h_log(z))
        by_mean = mpmath.erfc(-mpmath.mpf(z) / mpmath.sqrt(2)) / 2 / h
        expected = [float(by_mean), float(mpmath.npdf(z) / h), -float(by_mean)]
    assert [s.item() for s in slopes] == pytest.approx(expected, rel=1e-8)


def test_slopes_are_summed_over_what_is_shared():
    mean = torch.tensor([[-0.5, 0.2], [1.0, -3.0]], dtype=D, requires_grad=True)
    sigma = torch.tensor([0.6, 1.0], dtype=D, requires_grad=True)
    best = torch.tensor([[0.3], [-0.2]], dtype=D, requires_grad=True)
    assert torch.autograd.gradcheck(log_ei, (mean, sigma, best))


def exact_h_log(z):
    z = mpmath.mpf(z)
    return mpmath.log(mpmath.npdf(z) + z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2)


def test_gradients_pass_gradcheck():
    mean = torch.tensor([-20.0, -3.0, -0.5, 0.2, 4.0], dtype=D, requires_grad=True)
    sigma = torch.tensor([0.6, 1.0, 2.0, 0.5, 1.5], dtype=D, requires_grad=True)
    for utility in (log_ei, log_pi):
        assert torch.autograd.gradcheck(lambda m, s, u=utility: u(m, s, 0.3), (mean, sigma))
    assert torch.autograd.gradcheck(log_probability_of_feasibility, (mean[:, None], sigma[:, None]))


def test_expected_improvement_equals_quadrature():
    mean, sigma, best = 0.3, 0.7, 0.9
    expected = mpmath.quad(lambda y: (y - best) * mpmath.npdf(y, mean, sigma), [best, mpmath.inf])
    value = log_ei(torch.tensor(mean, dtype=D), torch.tensor(sigma, dtype=D), best)
    assert value.exp().item() == pytest.approx(float(expected), rel=1e-12)


def test_feasibility_multiplies_over_constraints_and_stays_finite():
    mean, sigma = torch.tensor([[0.5, -1.0], [1e5, 0.0]], dtype=D), torch.tensor([[1.0, 2.0], [1.0, 1.0]], dtype=D)
    value = log_probability_of_feasibility(mean, sigma)
    assert value.shape == (2,)
    assert value[0].item() == pytest.approx(norm.logcdf(-0.5) + norm.logcdf(0.5), rel=1e-12)
    assert value[1].item() == pytest.approx(-0.5e10, rel=1e-6)
    shifted = log_probability_of_feasibility(mean + 1, sigma, threshold=torch.ones(2, dtype=D))
    assert torch.allclose(shifted, value)


def test_probability_of_improvement_and_upper_bound_are_their_formulas():
    mean, sigma = torch.tensor([0.2], dtype=D), torch.tensor([0.5], dtype=D)
    assert log_pi(mean, sigma, 0.7).item() == pytest.approx(norm.logcdf(-1.0), rel=1e-12)
    assert ucb(mean, sigma, beta=4.0).item() == pytest.approx(1.2)


@pytest.mark.parametrize(("m", "s"), [(0.5, 0.1), (0.3, 0.02), (-4.0, 0.1), (9.0, 0.1), (0.46, 1e-4), (0.0, 50.0)])
def test_both_sides_of_a_band_hold_with_the_mass_between_them(m, s):
    """Of y ~ N(m, s^2): 0.45 <= y <= 0.55, beside an independent constraint."""
    mean = torch.tensor([[0.45 - m, m - 0.55, -0.2]], dtype=D, requires_grad=True)
    sigma = torch.tensor([[s, s, 0.3]], dtype=D, requires_grad=True)
    value = log_probability_of_feasibility(mean, sigma, bands=[(0, 1)])
    with mpmath.workdps(2000):  # the smallest mass is 1e-1550
        low, high = ((mpmath.mpf(v) - m) / s / mpmath.sqrt(2) for v in (0.45, 0.55))
        mass = (mpmath.erfc(low) - mpmath.erfc(high)) / 2
        expected = float(mpmath.log(mass)) + norm.logcdf(0.2 / 0.3)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    slopes = torch.autograd.grad(value.sum(), (mean, sigma))
    assert all(bool(slope.isfinite().all()) for slope in slopes)


@pytest.mark.parametrize("far", [1e100, 1e160, 1e300])
def test_beyond_all_bounds_the_probability_of_feasibility_is_still_a_number(far):
    mean = torch.tensor([[-far, far], [far, far], [-far, -far]], dtype=D)
    for bands in [(), [(0, 1)]]:
        value = log_probability_of_feasibility(mean, torch.full((3, 2), 0.1, dtype=D), bands=bands)
        assert value.isfinite().all()
        assert value[2] == 0
        assert (value[:2] < -1e190).all()


def test_a_band_whose_sides_contradict_each_other_is_hardly_possible_but_has_a_way_out():
    mean = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]], dtype=D, requires_grad=True)
    value = log_probability_of_feasibility(mean, torch.ones(3, 2, dtype=D), bands=[(0, 1)])
    assert (value.diff() < 0).all()
    assert value.max() < -13
    assert (torch.autograd.grad(value.sum(), mean)[0] < 0).all()
    wide = torch.tensor([[-3.0, -0.5], [0.4, -2.0]], dtype=D, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda m: log_probability_of_feasibility(m, torch.ones(2, 2, dtype=D), bands=[(0, 1)]), (wide,)
    )
