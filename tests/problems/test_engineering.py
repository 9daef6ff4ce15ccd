"""The engineering problems against the papers' normalized formulas, written again here, and searches over those."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize, minimize_scalar

from bbo.objective import Objectives
from bbo.problems import make

Formula = Callable[[Sequence[float]], Any]


def _welded_beam(throat: float, buckling: float) -> tuple[Formula, Formula]:
    def f(x):
        return 1.10471 * x[0] ** 2 * x[1] + 0.04811 * x[2] * x[3] * (14.0 + x[1])

    def g(x):
        M = 6000 * (14 + x[1] / 2)
        R = math.sqrt(x[1] ** 2 / 4 + ((x[0] + x[2]) / 2) ** 2)
        J = 2 * throat * x[0] * x[1] * (x[1] ** 2 / 12 + ((x[0] + x[2]) / 2) ** 2)
        tau_1, tau_2 = 6000 / (math.sqrt(2) * x[0] * x[1]), M * R / J
        tau = math.sqrt(tau_1**2 + 2 * tau_1 * tau_2 * x[1] / (2 * R) + tau_2**2)
        return [
            tau / 13600 - 1,
            504000 / (x[3] * x[2] ** 2) / 30000 - 1,
            x[0] / x[3] - 1,
            2.1952 / (x[2] ** 3 * x[3]) / 0.25 - 1,
            1 - buckling * (1 - 0.028234621965789 * x[2]) * x[2] * x[3] ** 3 / 6000,
        ]

    return f, g


def _coello() -> tuple[Formula, Formula]:
    f, g = _welded_beam(math.sqrt(2), 4.013 * 30e6 * math.sqrt(1 / 36) / 14**2)
    return f, lambda x: [*g(x), (0.10471 * x[0] ** 2 + 0.04811 * x[2] * x[3] * (14 + x[1])) / 5 - 1]


def _spring_f(x):
    return (x[2] + 2) * x[1] * x[0] ** 2


def _spring_g(x):
    d, D, N = x
    return [
        1 - D**3 * N / (71785 * d**4),
        (4 * D**2 - d * D) / (12566 * (D * d**3 - d**4)) + 1 / (5108 * d**2) - 1,
        1 - 140.45 * d / (D**2 * N),
        (D + d) / 1.5 - 1,
    ]


def _truss_f(x):
    return (2 * math.sqrt(2) * x[0] + x[1]) * 100


def _truss_g(x):
    below = math.sqrt(2) * x[0] ** 2 + 2 * x[0] * x[1]
    return [
        (math.sqrt(2) * x[0] + x[1]) / below * 2 - 2,
        x[1] / below * 2 - 2,
        1 / (math.sqrt(2) * x[1] + x[0]) * 2 - 2,
    ]


def _vessel_f(x):
    return (
        0.6224 * x[0] * x[2] * x[3] + 1.7781 * x[1] * x[2] ** 2 + 3.1661 * x[0] ** 2 * x[3] + 19.84 * x[0] ** 2 * x[2]
    )


def _vessel_g(x):
    volume = math.pi * x[2] ** 2 * x[3] + 4 / 3 * math.pi * x[2] ** 3
    return [0.0193 * x[2] / x[0] - 1, 0.00954 * x[2] / x[1] - 1, 1 - volume / 1296000, x[3] / 240 - 1]


def _reducer_f(x):
    return (
        0.7854 * x[0] * x[1] ** 2 * (3.3333 * x[2] ** 2 + 14.9334 * x[2] - 43.0934)
        - 1.508 * x[0] * (x[5] ** 2 + x[6] ** 2)
        + 7.4777 * (x[5] ** 3 + x[6] ** 3)
        + 0.7854 * (x[3] * x[5] ** 2 + x[4] * x[6] ** 2)
    )


def _reducer_g(x):
    return [
        27 / (x[0] * x[1] ** 2 * x[2]) - 1,
        397.5 / (x[0] * x[1] ** 2 * x[2] ** 2) - 1,
        1.93 * x[3] ** 3 / (x[1] * x[2] * x[5] ** 4) - 1,
        1.93 * x[4] ** 3 / (x[1] * x[2] * x[6] ** 4) - 1,
        math.sqrt((745 * x[3] / (x[1] * x[2])) ** 2 + 16.9e6) / (110 * x[5] ** 3) - 1,
        math.sqrt((745 * x[4] / (x[1] * x[2])) ** 2 + 157.5e6) / (85 * x[6] ** 3) - 1,
        x[1] * x[2] / 40 - 1,
        5 * x[1] / x[0] - 1,
        x[0] / (12 * x[1]) - 1,
        (1.5 * x[5] + 1.9) / x[3] - 1,
        (1.1 * x[6] + 1.9) / x[4] - 1,
    ]


CLASSICAL = {
    "compression-spring": (_spring_f, _spring_g),
    "pressure-vessel": (_vessel_f, _vessel_g),
    "speed-reducer": (_reducer_f, _reducer_g),
    "three-bar-truss": (_truss_f, _truss_g),
    "welded-beam": _welded_beam(0.707, 64746.0),
    "welded-beam-coello": _coello(),
}


def _search(f: Formula, g: Formula, low: Sequence[float], high: Sequence[float], n_starts: int) -> float:
    """The lowest feasible value that local searches from random starts reach."""
    low, span = np.array(low), np.array(high) - low
    scale = abs(f(low + span / 2))
    best = math.inf
    for u in np.random.default_rng(0).random((n_starts, len(low))):
        found = minimize(
            lambda u: f(low + u * span) / scale,
            u,
            method="SLSQP",
            bounds=[(0, 1)] * len(low),
            constraints={"type": "ineq", "fun": lambda u: -np.array(g(low + u * span))},
            options={"maxiter": 300, "ftol": 1e-13},
        )
        x = low + np.clip(found.x, 0, 1) * span
        if max(g(x)) <= 1e-9:
            best = min(best, f(x))
    return best


def _near_and_far(name: str, n: int):
    """Points of the space, half of them within a thousandth of the optimum, where constraints change sides."""
    problem, rng = make(name), np.random.default_rng(1)
    U = rng.random((n, problem.space.dim))
    optimum = problem.space.encode([dict(zip(problem.space.names, problem.optima[0], strict=True))])
    U[n // 2 :] = np.clip(optimum + 1e-3 * (2 * U[n // 2 :] - 1), 0, 1)
    return problem, problem.space.decode(U)


@pytest.mark.parametrize("name", CLASSICAL)
def test_value_and_feasibility_are_those_of_the_papers_formulas(name):
    f, g = CLASSICAL[name]
    problem, points = _near_and_far(name, 400)
    wanted = Objectives(problem.objectives)
    n_feasible = 0
    for params in points:
        values, x = problem.evaluate(params), list(params.values())
        assert values[wanted.aims[0].metric] == pytest.approx(f(x), rel=1e-12)
        is_feasible = bool(wanted.is_feasible(np.array([[values[m] for m in wanted.metrics]]))[0])
        assert is_feasible == (max(g(x)) <= 0)
        n_feasible += is_feasible
    assert 0 < n_feasible < len(points)


@pytest.mark.parametrize(
    ("name", "n_starts"),
    [("compression-spring", 60), ("three-bar-truss", 20), ("welded-beam", 60), ("welded-beam-coello", 60)],
)
def test_a_search_from_many_starts_finds_the_best_value_and_none_lower(name, n_starts):
    parameters = make(name).space.parameters
    found = _search(*CLASSICAL[name], [p.low for p in parameters], [p.high for p in parameters], n_starts)
    assert found == pytest.approx(make(name).best_value, rel=1e-7)


def _reducer_best(teeth: int, lowest_length_2: float) -> float:
    def whole(y):
        return [y[0], y[1], teeth, *y[2:]]

    low, high = [2.6, 0.7, 7.3, lowest_length_2, 2.9, 5.0], [3.6, 0.8, 8.3, 8.3, 3.9, 5.5]
    return _search(lambda y: _reducer_f(whole(y)), lambda y: _reducer_g(whole(y)), low, high, 12)


def test_a_search_at_each_number_of_teeth_finds_the_speed_reducer():
    best = [_reducer_best(teeth, 7.3) for teeth in range(17, 29)]
    assert min(best) == best[0] == pytest.approx(make("speed-reducer").best_value, rel=1e-7)


def test_a_longer_second_shaft_gives_the_other_best_value_of_the_literature():
    assert _reducer_best(17, 7.8) == pytest.approx(2996.348, abs=1e-3)


def _vessel_best(longest: float) -> float:
    """All pairs of thicknesses; the rest is one variable, as no vessel is longer than its volume asks for."""

    def cost(R, Ts, Th):
        L = np.maximum((1296000 - 4 / 3 * math.pi * R**3) / (math.pi * R**2), 10)
        return _vessel_f([Ts, Th, R, L])

    narrowest = brentq(lambda R: math.pi * R**2 * longest + 4 / 3 * math.pi * R**3 - 1296000, 10, 200)
    Ts, Th = (T.ravel() for T in np.meshgrid(np.arange(1, 100) / 16, np.arange(1, 100) / 16))
    widest = np.minimum(np.minimum(Ts / 0.0193, Th / 0.00954), 200.0)
    holds = widest >= narrowest
    Ts, Th, widest = Ts[holds], Th[holds], widest[holds]
    costs = cost(narrowest + np.linspace(0, 1, 400)[:, None] * (widest - narrowest), Ts, Th).min(axis=0)
    best = float(costs.min())
    for k in np.argsort(costs)[:200]:
        fine = minimize_scalar(cost, bounds=(narrowest, widest[k]), args=(Ts[k], Th[k]), method="bounded")
        best = min(best, float(fine.fun))
    return best


def test_a_search_over_all_thicknesses_finds_the_pressure_vessel():
    assert _vessel_best(200.0) == pytest.approx(make("pressure-vessel").best_value, rel=1e-7)


def test_a_vessel_of_240_inches_is_the_cheaper_one_of_other_papers():
    assert _vessel_best(240.0) == pytest.approx(5850.383, abs=1e-2)


def test_a_vessel_of_any_thickness_is_the_cheaper_one_of_other_papers():
    found = _search(_vessel_f, _vessel_g, [0.0625, 0.0625, 10, 10], [6.1875, 6.1875, 200, 200], 20)
    assert found == pytest.approx(5885.333, abs=1e-2)


@pytest.mark.parametrize(("wire", "coil"), [(1.0, 1.0), (2.0, 0.25), (0.3, 0.3005)])
def test_a_wire_that_fills_its_coil_has_a_finite_stress_and_too_little_deflection(wire, coil):
    values = make("compression-spring").evaluate({"wire": wire, "coil": coil, "coils": 15.0})
    assert math.isfinite(values["shear_stress"])
    assert values["deflection"] < 1e-3 * 0.5
