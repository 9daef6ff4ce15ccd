"""The substitution in a tube against balances, two other integrations and Summit."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from bbo.problems import SnArReactor
from bbo.problems.chemistry.snar import outlet, rate_constants

POINTS = SnArReactor().space.sample(12, np.random.default_rng(0))


def _start(p):
    return np.array([1.0, p["pyrrolidine"], 0.0, 0.0, 0.0]) * p["concentration"]


def _outlet(p):
    return outlet(_start(p), p["residence_time"], rate_constants(p["temperature"]))


def _runge_kutta(p, n_steps=4000):
    """Classical, in fixed steps; rates from the paper's table, in 1e-2 L/(mol s) at 90 degC and kJ/mol."""
    kelvin = p["temperature"] + 273.15
    k = [
        60e-2 * k_ref * math.exp(-1e3 * energy / 8.314 * (1 / kelvin - 1 / 363.15))
        for k_ref, energy in ((57.9, 33.3), (2.70, 35.3), (0.865, 38.9), (1.63, 44.8))
    ]
    stoichiometry = np.array([[-1, -1, 1, 0, 0], [-1, -1, 0, 1, 0], [0, -1, -1, 0, 1], [0, -1, 0, -1, 1]])

    def f(c):
        return (
            np.array([k[0] * c[0] * c[1], k[1] * c[0] * c[1], k[2] * c[2] * c[1], k[3] * c[3] * c[1]]) @ stoichiometry
        )

    c, h = _start(p), p["residence_time"] / n_steps
    for _ in range(n_steps):
        a = f(c)
        b = f(c + h / 2 * a)
        d = f(c + h / 2 * b)
        c = c + h / 6 * (a + 2 * b + 2 * d + f(c + h * d))
    return c


@pytest.mark.parametrize("p", POINTS)
def test_rings_and_pyrrolidine_are_conserved_and_nothing_is_negative(p):
    a, b, c, d, e = _outlet(p).tolist()
    assert a + c + d + e == pytest.approx(p["concentration"], rel=1e-10)
    assert b + c + d + 2 * e == pytest.approx(p["concentration"] * p["pyrrolidine"], rel=1e-10)
    assert min(a, b, c, d, e) > -1e-11


@pytest.mark.parametrize("p", POINTS[:4])
def test_the_outlet_is_that_of_fixed_steps(p):
    assert _outlet(p) == pytest.approx(_runge_kutta(p), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("p", POINTS[:4])
def test_the_outlet_is_that_of_the_closed_form_in_the_pyrrolidine_seen(p):
    # With s the integral of B over time all is a chain of first order.
    ka, kb, kc, kd = rate_constants(p["temperature"])
    c0, b0 = p["concentration"], p["concentration"] * p["pyrrolidine"]

    def at(s):
        a = c0 * math.exp(-(ka + kb) * s)
        c = c0 * ka / (ka + kb - kc) * (math.exp(-kc * s) - math.exp(-(ka + kb) * s))
        d = c0 * kb / (ka + kb - kd) * (math.exp(-kd * s) - math.exp(-(ka + kb) * s))
        e = c0 - a - c - d
        return [a, b0 - c - d - 2 * e, c, d, e]

    def minutes(s):
        return quad(lambda u: 1 / at(u)[1], 0, s, epsabs=1e-12, epsrel=1e-10)[0]

    # All pyrrolidine is seen for the residence time at most; none of it may run out on the way.
    most = b0 * p["residence_time"]
    while at(most)[1] < 1e-3 * b0:
        most *= 0.999
    seen = brentq(lambda s: minutes(s) - p["residence_time"], 0, most, xtol=1e-14)
    assert _outlet(p) == pytest.approx(at(seen), rel=1e-6, abs=1e-9)


def test_the_objectives_are_those_of_the_outlet():
    p = POINTS[0]
    a, b, c, d, e = _outlet(p).tolist()
    values = SnArReactor().evaluate(p)
    # kg of product from a cubic metre of tube in an hour, which is 60 / residence_time times filled.
    assert values["space_time_yield"] == pytest.approx(210.21 * c * 60 / p["residence_time"])
    waste = 159.09 * a + 71.12 * b + 210.21 * d + 261.33 * e + 789
    assert values["e_factor"] == pytest.approx(waste / (210.21 * c))


def test_in_the_limit_of_no_time_the_isomers_stand_as_their_rates():
    start = np.array([0.3, 0.6, 0.0, 0.0, 0.0])
    k = rate_constants(60.0)
    a, _, c, d, e = outlet(start, 1e-5, k).tolist()
    assert c / 1e-5 == pytest.approx(k[0] * 0.3 * 0.6, rel=1e-3)
    assert c / d == pytest.approx(k[0] / k[1], rel=1e-3)
    assert a == pytest.approx(0.3, rel=1e-3)
    assert e < 1e-8


def test_in_the_limit_of_all_time_pyrrolidine_in_excess_leaves_the_bis_adduct_alone():
    at_end = outlet(np.array([0.2, 1.0, 0.0, 0.0, 0.0]), 100.0, rate_constants(120.0))
    assert at_end == pytest.approx([0, 0.6, 0, 0, 0.2], abs=1e-6)


def test_at_90_degrees_the_rates_are_those_of_the_table():
    assert rate_constants(90.0) / 60 == pytest.approx([0.579, 0.0270, 0.00865, 0.0163])


@pytest.mark.parametrize(
    ("point", "summit"),
    [
        ((1.4, 1.8, 0.4, 75.0), (3053.87, 11.56)),
        ((0.5, 5.0, 0.4, 52.5), (8884.29, 12.32)),
        ((1.1, 4.2, 0.2, 120.0), (927.91, 50.39)),
    ],
)
def test_values_are_those_of_summit_but_for_its_zero_of_temperature(point, summit):
    # Summit 0.8.9 without noise takes 0 degC as 273.71 K, and integrates to 1e-3.
    values = SnArReactor().evaluate(dict(zip(SnArReactor().space.names, point, strict=True)))
    assert list(values.values()) == pytest.approx(summit, rel=3e-3)
