"""The hot plate against the series of its heat, on finer and coarser meshes."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from bbo.problems import HotPlate

L, K, G, RHO = 0.3, 50.0, 20.0, 7850.0
POINT = {
    **{"thickness": 3.0, "heater": "patch"},
    **{"x_1": 0.08, "y_1": 0.11, "power_1": 60.0, "x_2": 0.21, "y_2": 0.19, "power_2": 45.0},
}


def _series(point, width, n_terms=200):
    """Coefficients of the excess in sin((m + 1/2) pi x / L) cos(n pi y / L), `n_terms x n_terms`."""
    nodes, weights = np.polynomial.legendre.leggauss(1000)
    s, w = (nodes + 1) / 2 * L, weights / 2 * L
    a = (np.arange(n_terms) + 0.5) * np.pi / L
    b = np.arange(n_terms) * np.pi / L
    along_x = np.sin(np.outer(a, s)) / (L / 2)
    along_y = np.cos(np.outer(b, s)) / np.where(b > 0, L / 2, L)[:, None]
    source = np.zeros((n_terms, n_terms))
    for k in (1, 2):
        bump_x, bump_y = (np.exp(-((s - point[f"{axis}_{k}"]) ** 2) / (2 * width**2)) for axis in "xy")
        shares = along_x @ (w * bump_x) / (w @ bump_x), along_y @ (w * bump_y) / (w @ bump_y)
        source += point[f"power_{k}"] * np.outer(*shares)
    return source / (K * point["thickness"] / 1e3 * (a[:, None] ** 2 + b**2) + G)


def _unevenness(u):
    n = np.arange(len(u))
    square = (u**2 * np.where(n > 0, 0.25, 0.5)).sum()
    mean = (u[:, 0] / ((n + 0.5) * np.pi)).sum()
    return math.sqrt(60**2 - 2 * 60 * mean + square)


def _at(cells):
    return HotPlate().evaluate(POINT, fidelity={"cells": cells})


def test_the_heat_converges_to_its_series_in_the_second_order():
    u = _series(POINT, 0.03)
    exact = _unevenness(u)
    errors = [abs(_at(cells)["error"] - exact) for cells in (8, 16, 32, 64)]
    assert errors[-1] < 2e-4 * exact
    assert [math.log2(a / b) for a, b in itertools.pairwise(errors)] == pytest.approx([2, 2, 2], abs=0.15)
    x = (np.arange(64) + 0.5) / 64 * np.pi
    n = np.arange(len(u))
    hottest = 20 + (np.sin(np.outer(x, n + 0.5)) @ u @ np.cos(np.outer(n, x))).max()
    assert _at(64)["hottest"] == pytest.approx(hottest, abs=0.1)


@pytest.mark.parametrize(("heater", "each"), [("cartridge", 0.05), ("patch", 0.2), ("foil", 0.8)])
def test_the_mass_is_that_of_steel_and_heaters_on_any_mesh(heater, each):
    params = {**POINT, "heater": heater}
    for cells in (4, 64):
        mass = HotPlate().evaluate(params, fidelity={"cells": cells})["mass"]
        assert mass == pytest.approx(RHO * L**2 * 0.003 + 2 * each)


def test_what_mirrors_or_exchanges_the_heaters_changes_nothing():
    exchanged = {
        **POINT,
        **{f"{v}_{k}": POINT[f"{v}_{3 - k}"] for v in ("x", "y", "power") for k in (1, 2)},
    }
    mirrored = {**POINT, "y_1": L - POINT["y_1"], "y_2": L - POINT["y_2"]}
    for other in (exchanged, mirrored):
        assert HotPlate().evaluate(other) == pytest.approx(HotPlate().evaluate(POINT), rel=1e-10)


def test_coarse_meshes_rank_designs_as_the_fine_one_does():
    problem = HotPlate()
    points = problem.space.sample(100, np.random.default_rng(0))
    fine = [problem.evaluate(p) for p in points]
    for cells, unevenness, hottest in ((4, 0.96, 0.93), (8, 0.995, 0.98)):
        coarse = [problem.evaluate(p, fidelity={"cells": cells}) for p in points]
        for metric, least in (("error", unevenness), ("hottest", hottest)):
            found = spearmanr([v[metric] for v in coarse], [v[metric] for v in fine]).statistic
            assert least < found < 1


def test_no_step_from_the_optimum_is_feasible_and_better():
    problem, rng = HotPlate(), np.random.default_rng(0)
    best = dict(zip(problem.space.names, problem.optima[0], strict=True))
    n_feasible = 0
    for size in 10.0 ** rng.uniform(-5, -1.5, 200):
        moved = {
            p.name: float(np.clip(best[p.name] + size * (p.high - p.low) * rng.normal(), p.low, p.high))
            for p in problem.space.parameters
            if p.name != "heater"
        }
        # The mass is at its limit.
        moved["thickness"] = min(moved["thickness"], best["thickness"])
        values = problem.evaluate({**best, **moved})
        if values["hottest"] <= 110:
            n_feasible += 1
            assert values["error"] > problem.best_value
    assert n_feasible > 20
