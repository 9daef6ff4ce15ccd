import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import norm

from bbo.acquisition.moments import expected_gain, mean_sd_of
from bbo.surrogates.transforms import Bilog, YeoJohnson

D = torch.float64
MEANS = torch.tensor([-1.3, 0.0, 0.4, 2.5], dtype=D)
SDS = torch.tensor([0.05, 0.7, 1.2, 0.3], dtype=D)
MAPS = {
    "power 0.4": YeoJohnson(3.0, 2.0, 0.4).inverse,
    "power 0": YeoJohnson(-1.0, 0.5, 0.0).inverse,
    "power 1.7": YeoJohnson(0.0, 1.0, 1.7).inverse,
    "bilog": Bilog(0.2).inverse,
}
each_map = pytest.mark.parametrize("inverse", MAPS.values(), ids=MAPS.keys())


def sampled(inverse, seed):
    """Values by map and a million draws for each mean, `4 x n`."""
    t = np.random.default_rng(seed).normal(MEANS[:, None], SDS[:, None], (4, 1_000_000))
    return inverse(torch.tensor(t)).numpy()


@each_map
@pytest.mark.parametrize("seed", [0, 1])
def test_mean_and_sd_are_those_of_draws_sent_through_the_inverse(inverse, seed):
    y = sampled(inverse, seed)
    mean, sd = (v.numpy() for v in mean_sd_of(inverse, MEANS, SDS))
    # Six standard errors; that of a standard deviation from the fourth moment.
    error = y.std(axis=1) / 1000
    assert (np.abs(mean - y.mean(axis=1)) < 6 * error).all()
    kurtosis = ((y - y.mean(axis=1, keepdims=True)) ** 4).mean(axis=1) / y.var(axis=1) ** 2
    assert (np.abs(sd / y.std(axis=1) - 1) < 6 * np.sqrt(kurtosis) / 2 / 1000).all()


@each_map
@pytest.mark.parametrize("seed", [0, 1])
def test_gain_is_that_of_draws_sent_through_the_inverse(inverse, seed):
    best = MEANS + torch.tensor([-0.5, 0.0, 0.9, 2.0], dtype=D) * SDS
    improvement = np.maximum(sampled(inverse, seed) - inverse(best).numpy()[:, None], 0)
    gain = expected_gain(inverse, MEANS, SDS, best).numpy()
    assert (np.abs(gain - improvement.mean(axis=1)) < 6 * improvement.std(axis=1) / 1000).all()


def test_through_a_straight_line_moments_are_those_of_the_gaussian():
    mean, sd = mean_sd_of(lambda t: 3 * t - 7, MEANS, SDS)
    assert torch.allclose(mean, 3 * MEANS - 7, rtol=1e-13)
    assert torch.allclose(sd, 3 * SDS, rtol=1e-12)


@pytest.mark.parametrize("z", [-30.0, -9.5, -4.0, -0.3, 0.0, 0.3, 4.0, 12.0, 35.0])
def test_through_a_straight_line_gain_is_the_closed_formula_far_and_near(z):
    # The incumbent lies z standard deviations above the mean.
    gain = expected_gain(lambda t: t, *(torch.tensor(v, dtype=D) for v in (1.0, 0.5, 1 + z / 2)))
    with mpmath.workdps(100):
        exact = (mpmath.npdf(z) - mpmath.mpf(z) * mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)) / 2) / 2
    assert gain.item() == pytest.approx(float(exact), rel=1e-11)


@pytest.mark.parametrize("z", [-2.0, 0.0, 1.5, 4.0])
def test_gain_of_a_log_normal_is_the_formula_of_black_and_scholes(z):
    mean, sd = 0.2, 0.6
    strike = math.exp(mean + z * sd)
    gain = expected_gain(torch.exp, *(torch.tensor(v, dtype=D) for v in (mean, sd, mean + z * sd)))
    exact = math.exp(mean + sd**2 / 2) * norm.cdf(sd - z) - strike * norm.cdf(-z)
    assert gain.item() == pytest.approx(exact, rel=1e-9)


def test_moments_of_penalties_as_large_as_floats_go_stay_finite():
    mean, sd = mean_sd_of(lambda t: 1e300 * t, MEANS, SDS)
    assert torch.allclose(mean / 1e300, MEANS)
    assert torch.allclose(sd / 1e300, SDS)
