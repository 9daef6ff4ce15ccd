import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bbo.surrogates.transforms import Bilog, YeoJohnson

D = torch.float64
# Below the normal numbers a quotient may be 0, and with it the sign is gone.
values = st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=30).map(
    lambda v: torch.tensor(v, dtype=D)
)


def normal(n=60, seed=0):
    return torch.randn(n, dtype=D, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=200, deadline=None)
@given(y=values)
def test_power_transform_keeps_the_order_and_comes_back(y):
    transform = YeoJohnson.fit(y)
    t = transform.forward(y)
    order = y.argsort(stable=True)
    assert t.isfinite().all()
    assert (t[order].diff() >= 0).all()
    tolerance = 1e-7 * float((y - transform.location).abs().amax()) + 1e-9 * transform.scale
    assert torch.allclose(transform.inverse(t), y, rtol=1e-7, atol=tolerance)


@pytest.mark.parametrize("power", [-2.0, -0.5, 0.0, 0.3, 1.0, 2.0, 2.7, 4.0])
def test_power_transform_equals_scipy(power):
    y = 3 * normal()
    assert np.allclose(YeoJohnson(0.0, 1.0, power).forward(y), scipy.stats.yeojohnson(y.numpy(), power), rtol=1e-12)


@pytest.mark.parametrize("shape", [torch.exp, lambda z: -torch.exp(z), lambda z: torch.exp(-1.5 * z)])
def test_power_is_at_least_as_likely_as_scipys_in_the_same_units(shape):
    y = shape(normal())
    fitted = YeoJohnson.fit(y)
    x = ((y - fitted.location) / fitted.scale).numpy()
    theirs = scipy.stats.yeojohnson_normmax(x, brack=(0.0, 1.0))
    if -2 <= theirs <= 4:
        assert fitted.power == pytest.approx(theirs, abs=1e-3)
    assert scipy.stats.skew(fitted.forward(y)) == pytest.approx(0.0, abs=0.5)


def test_gaussian_values_and_few_values_keep_their_shape():
    assert YeoJohnson.fit(5 + 2 * normal(200)).power == 1.0
    assert YeoJohnson.fit(torch.tensor([1.0, 3.0], dtype=D)).power == 1.0
    constant = torch.full((9,), 7.0, dtype=D)
    assert YeoJohnson.fit(constant).forward(constant).tolist() == [0.0] * 9


def test_one_huge_value_does_not_squeeze_the_others_together():
    y = torch.cat([normal(40), torch.tensor([1e12], dtype=D)])
    t = YeoJohnson.fit(y).forward(y)
    assert t[:40].std() > 0.1 * t.std()


def test_values_near_the_largest_float_are_transformed_to_finite_ones():
    y = torch.cat([normal(20), torch.tensor([1.7e308, 1.7e308], dtype=D)])
    t = YeoJohnson.fit(y).forward(y)
    assert t.isfinite().all()
    assert t[:20].std() > 0


@settings(max_examples=50, deadline=None)
@given(power=st.floats(-2, 4), t=st.floats(-1e6, 1e6))
def test_inverse_is_finite_and_increasing_also_beyond_the_range(power, t):
    transform = YeoJohnson(1.0, 2.0, power)
    here, above = transform.inverse(torch.tensor([t, t + 1.0 + abs(t) * 0.1], dtype=D))
    assert math.isfinite(here)
    assert above >= here


@settings(max_examples=200, deadline=None)
@given(g=values)
def test_bilog_keeps_order_sign_and_zero_and_comes_back(g):
    transform = Bilog.fit(g)
    t = transform.forward(g)
    assert (t[g.argsort(stable=True)].diff() >= 0).all()
    assert (t.sign() == g.sign()).all()
    assert transform.forward(torch.zeros(1, dtype=D)).item() == 0.0
    smallest = 0.0 if transform.scale is None else transform.scale * 1e-9
    assert torch.allclose(transform.inverse(t), g, rtol=1e-9, atol=smallest)


def test_bilog_is_taken_for_values_over_many_orders_and_not_for_gaussian_ones():
    assert Bilog.fit(normal(100)).scale is None
    g = normal(60).sign() * torch.logspace(-2, 7, 60, dtype=D)
    transform = Bilog.fit(g)
    assert transform.scale is not None
    t = transform.forward(g)
    assert scipy.stats.kurtosis(t) < scipy.stats.kurtosis(g) - 3
    assert t.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
def test_bilog_does_not_depend_on_units(factor, seed):
    g = normal(30, seed) ** 5
    plain, scaled = Bilog.fit(g), Bilog.fit(factor * g)
    assume(plain.scale is not None)
    assert scaled.scale == pytest.approx(factor * plain.scale, rel=1e-6)


@pytest.mark.parametrize(
    "transform",
    [*(YeoJohnson(0.3, 2.0, p) for p in (-2.0, 0.0, 0.5, 1.0, 2.0, 4.0)), Bilog(0.7), Bilog(None)],
    ids=repr,
)
def test_log_slope_equals_finite_differences(transform):
    y = 2 * normal(40)
    h = 1e-6
    slope = (transform.forward(y + h) - transform.forward(y - h)) / (2 * h)
    assert torch.allclose(transform.log_slope(y), slope.log(), rtol=0, atol=1e-6)


def test_identity_is_linear_and_the_transform_of_itself():
    y = torch.exp(normal())
    power, bilog = YeoJohnson.fit(y), Bilog.fit(y**9)
    assert power != power.identity
    assert bilog != bilog.identity
    assert torch.allclose(power.identity.forward(y), (y - power.location) / power.scale, rtol=1e-12, atol=1e-12)
    assert torch.equal(bilog.identity.forward(y), y)
    for transform in (power, bilog):
        assert transform.identity.identity == transform.identity


@pytest.mark.parametrize(
    ("strange", "low", "high"), [([-60.0], -2.0, 2.0), ([60.0], 0.0, 4.0), ([-60.0, 60.0], 0.0, 2.0)]
)
def test_power_has_no_bound_on_the_side_of_strange_values(strange, low, high):
    for y in ((2 * normal()).exp(), -(2 * normal()).exp()):
        free = YeoJohnson.fit(y)
        assert free.power < -0.1 or free.power > 2.1
        fitted = YeoJohnson.fit(y, strange=torch.tensor(strange, dtype=D))
        assert fitted.power == pytest.approx(min(max(free.power, low), high), abs=1e-3)
