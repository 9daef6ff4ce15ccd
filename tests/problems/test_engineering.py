"""The engineering problems against the papers' formulas, and searches over those."""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from botorch.test_functions.multi_objective import VehicleSafety
from scipy.optimize import brentq, minimize, minimize_scalar

from bbo.objective import Objectives
from bbo.problems import make
from bbo.space import Float
from tests.problems.formulas import FORMULAS, Formula

VESSEL, REDUCER = FORMULAS["pressure-vessel"], FORMULAS["speed-reducer"]


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


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_feasibility_are_those_of_the_papers_formulas(name):
    f, g = FORMULAS[name]
    problem, points = _near_and_far(name, 400)
    wanted = Objectives(problem.objectives)
    n_violated = n_held = 0
    for params in points:
        values, x = problem.evaluate(params), list(params.values())
        assert values[wanted.aims[0].metric] == pytest.approx(f(x), rel=1e-12)
        violated = (wanted.violations(np.array([[values[m] for m in wanted.metrics]]))[0] > 0).sum()
        expected = sum(side > 0 for side in g(x))
        # A wire that fills its coil has a pole of its own: see below.
        assert (violated > 0) == (expected > 0) if name.startswith("compression-spring") else violated == expected
        n_violated += violated
        n_held += len(wanted.constraints) - violated
    assert min(n_violated, n_held) > 0


CONTINUOUS = [
    name for name in FORMULAS if all(isinstance(p, Float) and p.step is None for p in make(name).space.parameters)
]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_search_from_many_starts_finds_the_best_value_and_none_lower(name):
    parameters = make(name).space.parameters
    found = _search(*FORMULAS[name], [p.low for p in parameters], [p.high for p in parameters], 60)
    assert found == pytest.approx(make(name).best_value, rel=1e-7)


def test_a_search_with_each_pair_of_materials_finds_the_car_and_its_two_floors():
    f, g = FORMULAS["car-side-impact"]
    low, high = [*[0.5] * 7, -30.0, -30.0], [*[1.5] * 7, 30.0, 30.0]
    best = {}
    for pair in product((0.192, 0.345), repeat=2):

        def whole(y, pair=pair):
            return [*y[:7], *pair, *y[7:]]

        best[pair] = _search(lambda y, w=whole: f(w(y)), lambda y, w=whole: g(w(y)), low, high, 5)
    problem = make("car-side-impact")
    assert min(best.values()) == pytest.approx(problem.best_value, rel=1e-7)
    assert {optimum[7:9] for optimum in problem.optima} == {
        pair for pair, value in best.items() if value < problem.best_value + 1e-3
    }


def test_no_steel_and_depth_make_a_cheaper_concrete_beam():
    # Cost and moment rise with the width, so the least one that is allowed is the best for its steel and depth.
    cheapest = math.inf
    for steel, depth in product(make("concrete-beam").space.by_name["steel"].values, range(28, 41)):
        spare = steel * depth - 180
        width = max(7.375 * steel**2 / spare, depth / 4, 5.0) if spare > 0 else math.inf
        if width <= 10:
            cheapest = min(cheapest, 29.4 * steel + 0.6 * width * depth)
    assert cheapest == pytest.approx(make("concrete-beam").best_value, rel=1e-12)


def test_the_steel_of_the_concrete_beam_is_that_of_the_reprinted_list():
    reprinted = """0.2 0.31 0.4 0.44 0.6 0.62 0.79 0.8 0.88 0.93 1 1.2 1.24 1.32 1.4 1.55 1.58 1.6 1.76 1.8 1.86 2 2.17
        2.2 2.37 2.4 2.48 2.6 2.64 2.79 2.8 3 3.08 3.1 3.16 3.41 3.52 3.6 3.72 3.95 3.96 4 4.03 4.2 4.34 4.4 4.65 4.74
        4.8 4.84 5 5.28 5.4 5.53 5.72 6 6.16 6.32 6.6 7.11 7.2 7.8 7.9 8 8.4 8.69 9 9.48 10.27 11 11.06 11.85 12 13 14
        15"""
    steel = set(make("concrete-beam").space.by_name["steel"].values)
    assert steel - set(map(float, reprinted.split())) == {7.0, 10.0}
    assert set(map(float, reprinted.split())) <= steel


def _reducer_best(teeth: int, lowest_length_2: float) -> float:
    def whole(y):
        return [y[0], y[1], teeth, *y[2:]]

    low, high = [2.6, 0.7, 7.3, lowest_length_2, 2.9, 5.0], [3.6, 0.8, 8.3, 8.3, 3.9, 5.5]
    return _search(lambda y: REDUCER[0](whole(y)), lambda y: REDUCER[1](whole(y)), low, high, 12)


def test_a_search_at_each_number_of_teeth_finds_the_speed_reducer():
    best = [_reducer_best(teeth, 7.3) for teeth in range(17, 29)]
    assert min(best) == best[0] == pytest.approx(make("speed-reducer").best_value, rel=1e-7)


def test_a_longer_second_shaft_gives_the_other_best_value_of_the_literature():
    assert _reducer_best(17, 7.8) == pytest.approx(2996.348, abs=1e-3)


def _vessel_best(longest: float) -> float:
    """All pairs of thicknesses; the rest is one variable, as no vessel is longer than its volume asks for."""

    def cost(R, Ts, Th):
        L = np.maximum((1296000 - 4 / 3 * math.pi * R**3) / (math.pi * R**2), 10)
        return VESSEL[0]([Ts, Th, R, L])

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
    found = _search(*VESSEL, [0.0625, 0.0625, 10, 10], [6.1875, 6.1875, 200, 200], 20)
    assert found == pytest.approx(5885.333, abs=1e-2)


@pytest.mark.parametrize(("wire", "coil"), [(1.0, 1.0), (2.0, 0.25), (0.3, 0.3005)])
def test_a_wire_that_fills_its_coil_has_a_finite_stress_and_too_little_deflection(wire, coil):
    values = make("compression-spring").evaluate({"wire": wire, "coil": coil, "coils": 15.0})
    assert math.isfinite(values["shear_stress"])
    assert values["deflection"] < 1e-3 * 0.5


def test_the_crash_of_a_car_is_that_of_botorch():
    problem = make("vehicle-crashworthiness")
    points = problem.space.sample(50, np.random.default_rng(0))
    X = torch.tensor([list(params.values()) for params in points], dtype=torch.float64)
    values = [list(problem.evaluate(params).values()) for params in points]
    assert np.array(values) == pytest.approx(VehicleSafety().evaluate_true(X).numpy(), rel=1e-12)
    assert [(p.low, p.high) for p in problem.space.parameters] == [(1.0, 3.0)] * 5


def _truss_values(x1: float, x2: float, x3: float, x4: float, third: float) -> list[float]:
    root = math.sqrt(2)
    return [200 * (2 * x1 + root * x2 + third + x4), 0.01 * (2 / x1 + 2 * root / x2 - 2 * root / x3 + 2 / x4)]


@pytest.mark.parametrize("name", ["four-bar-truss", "four-bar-truss-tanabe"])
def test_the_front_of_the_truss_is_where_its_docstring_says(name):
    problem, root = make(name), math.sqrt(2)

    def of(x1, x2, x3, x4):
        return _truss_values(x1, x2, x3, x4, math.sqrt(x3) if name.endswith("tanabe") else root * x3)

    points = problem.space.sample(500, np.random.default_rng(0))
    values = np.array([list(problem.evaluate(params).values()) for params in points])
    assert values == pytest.approx(np.array([of(*params.values()) for params in points]), rel=1e-12)
    t = np.linspace(1 / root, 3, 4000)
    front = np.array(
        [of(max(x1, 1.0), np.clip(root * x1, root, 3), root, np.clip(root * x1, 1.0, 3)) for x1 in t.tolist()]
    )
    # Along the front one objective falls as the other rises, and no design is below it in both.
    assert (np.diff(front[:, 0]) >= 0).all()
    assert (np.diff(front[:, 1]) <= 0).all()
    for volume, displacement in values:
        assert displacement > np.interp(volume, front[:, 0], front[:, 1])
    # A weighted sum is least on the front, whatever the weights.
    low, high = [p.low for p in problem.space.parameters], [p.high for p in problem.space.parameters]
    for weight in (0.1, 0.5, 0.9):
        scaled = np.array([weight / 1000, (1 - weight) / 0.01])
        found = _search(lambda x, w=scaled: float(w @ of(*x)), lambda x: [-1.0], low, high, 3)
        assert found == pytest.approx((front @ scaled).min(), rel=1e-6)


def test_the_volumes_of_the_two_trusses_differ_on_the_front_as_said():
    params = {"area_1": 1.5, "area_2": 2.0, "area_3": math.sqrt(2), "area_4": 2.0}
    apart = [make(name).evaluate(params)["volume"] for name in ("four-bar-truss", "four-bar-truss-tanabe")]
    assert apart[0] - apart[1] == pytest.approx(162.16, abs=0.01)
