"""The cantilever against closed forms, integrals and Ritz's method, on finer and coarser meshes."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.stats import spearmanr

from bbo.problems import TaperedCantilever

B, L, Q, P, E, RHO = 0.05, 2.0, 300.0, 400.0, 70e9, 2700.0
EVEN = {"depth": 60.0, **{f"taper_{k}": 1.0 for k in range(1, 5)}}
TAPERED = {"depth": 110.0, "taper_1": 0.9, "taper_2": 0.6, "taper_3": 0.8, "taper_4": 0.5}


def _at(cells, params=TAPERED):
    return TaperedCantilever().evaluate(params, fidelity={"cells": cells})


def _orders(metric, exact, params):
    errors = [abs(_at(cells, params)[metric] - exact) for cells in (32, 64, 128, 256)]
    return [math.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]


def _depth(x, params):
    return np.interp(x, np.linspace(0, L, 5), np.cumprod(list(params.values()))) / 1e3


def test_a_bar_of_even_depth_bends_and_swings_as_the_closed_forms_say():
    I = B * 0.06**3 / 12  # noqa: E741
    deflection = 1e3 * (P * L**3 / 3 + Q * L**4 / 8) / (E * I)
    # The least root of cos z cosh z = -1.
    frequency = 1.8751040687119611**2 / (2 * math.pi) * math.sqrt(E * I / (RHO * B * 0.06 * L**4))
    values = _at(256, EVEN)
    assert values["sag"] == pytest.approx(deflection, rel=2e-5)
    assert values["frequency"] == pytest.approx(frequency, rel=2e-5)
    assert values["mass"] == pytest.approx(RHO * B * 0.06 * L)
    assert values["stress"] == pytest.approx(1e-6 * 6 * (P * L + Q * L**2 / 2) / (B * 0.06**2))
    assert _orders("sag", deflection, EVEN) == pytest.approx([2, 2, 2], abs=0.01)
    assert _orders("frequency", frequency, EVEN) == pytest.approx([2, 2, 2], abs=0.01)


def _virtual_work(x):
    """Of a unit force at the tip, in the bending of `TAPERED`."""
    return (P * (L - x) + Q * (L - x) ** 2 / 2) * (L - x) / (E * B * _depth(x, TAPERED) ** 3 / 12)


def test_the_deflection_of_a_tapered_bar_converges_to_the_integral_of_virtual_work():
    exact = 1e3 * sum(quad(_virtual_work, a, a + L / 4, epsabs=1e-12)[0] for a in np.arange(4) * L / 4)
    assert _orders("sag", exact, TAPERED) == pytest.approx([2, 2, 2], abs=0.02)


def test_the_frequency_of_a_tapered_bar_converges_to_that_of_ritz():
    # Of straight taper, so that few polynomials do: x^2 ... x^9, by Gauss's rule.
    params = {"depth": 100.0, "taper_1": 0.9, "taper_2": 8 / 9, "taper_3": 7 / 8, "taper_4": 6 / 7}
    nodes, weights = np.polynomial.legendre.leggauss(20)
    s, w = (nodes + 1) / 2, weights / 2 * L
    d = 0.1 * (1 - 0.4 * s)
    powers = np.arange(2, 10)
    shapes, bends = s ** powers[:, None], powers[:, None] * (powers[:, None] - 1) * s ** (powers[:, None] - 2) / L**2
    stiffness = (bends * (w * E * B * d**3 / 12)) @ bends.T
    mass = (shapes * (w * RHO * B * d)) @ shapes.T
    exact = math.sqrt(eigh(stiffness, mass, eigvals_only=True)[0]) / (2 * math.pi)
    assert _at(256, params)["frequency"] == pytest.approx(exact, rel=2e-5)
    assert _orders("frequency", exact, params) == pytest.approx([2, 2, 2], abs=0.05)


def test_stress_and_mass_are_those_of_the_section():
    x = np.linspace(0, L, 257)
    moment = P * (L - x) + Q * (L - x) ** 2 / 2
    assert _at(256)["stress"] == pytest.approx(1e-6 * (6 * moment / (B * _depth(x, TAPERED) ** 2)).max())
    assert all(_at(n)["mass"] == pytest.approx(RHO * B * np.trapezoid(_depth(x, TAPERED), x)) for n in (4, 16, 256))


def test_coarse_meshes_rank_designs_as_the_fine_one_does():
    problem = TaperedCantilever()
    points = problem.space.sample(200, np.random.default_rng(0))
    fine = [problem.evaluate(p) for p in points]
    for cells, deflection, frequency in ((4, 0.99, 0.97), (8, 0.998, 0.995)):
        coarse = [problem.evaluate(p, fidelity={"cells": cells}) for p in points]
        for metric, least in (("sag", deflection), ("frequency", frequency)):
            found = spearmanr([v[metric] for v in coarse], [v[metric] for v in fine]).statistic
            assert least < found < 1


def test_searches_from_several_starts_find_the_best_value_and_none_lower():
    problem = TaperedCantilever()
    low, high = (np.array([getattr(p, end) for p in problem.space.parameters]) for end in ("low", "high"))

    def at(u):
        x = low + np.clip(u, 0, 1) * (high - low)
        return problem.evaluate(dict(zip(problem.space.names, x.tolist(), strict=True)))

    limits = [
        lambda u: 1 - at(u)["mass"] / 16,
        lambda u: at(u)["frequency"] / 27 - 1,
        lambda u: 1 - at(u)["stress"] / 60,
    ]
    for start in np.random.default_rng(1).random((2, 5)):
        found = minimize(
            lambda u: at(u)["sag"] / 10,
            start,
            method="SLSQP",
            bounds=[(0, 1)] * 5,
            constraints=[{"type": "ineq", "fun": limit} for limit in limits],
            options={"maxiter": 200, "ftol": 1e-12},
        )
        assert at(found.x)["sag"] == pytest.approx(problem.best_value, rel=1e-7)
