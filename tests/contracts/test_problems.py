"""What every problem of the list, and every wrapper around one, promises."""

import json
import math
import pickle
import random

import numpy as np
import pytest

from bbo.errors import FidelityError, SpaceError
from bbo.objective import Minimize, Objectives
from bbo.problems import PROBLEMS, Branin, Delayed, Failing, Levy, Noisy, PressureVessel
from bbo.problems.wrappers import Categorized, Embedded, Moved
from bbo.space import Float, Int, Space


def _is_in_a_corner(params):
    return params["x1"] > 9.99 and params["x2"] > 14.99


WRAPPED = {
    "noisy": lambda: Noisy(PressureVessel(), sd={"cost": 100.0, "volume": 1e4}),
    "failing": lambda: Failing(Branin(), where=_is_in_a_corner),
    "delayed": lambda: Delayed(Branin(), seconds=0.0),
    "moved": lambda: Moved(Levy(4), seed=3),
    "embedded": lambda: Embedded(Branin(), 5, seed=2),
    "categorized": lambda: Categorized(Moved(Levy(4), seed=3), {"x1": 3, "x3": 5}, seed=4),
}
EVERY = {**PROBLEMS, **WRAPPED}
# The noise moves the value at the optimum.
KNOWN = {name: make for name, make in EVERY.items() if getattr(make(), "best_value", None) is not None}
KNOWN.pop("noisy")
FIDELITIES = {name: make for name, make in EVERY.items() if getattr(make(), "fidelities", ())}
SMOOTH = {
    name: make
    for name, make in KNOWN.items()
    if len(make().objectives) == 1 and all(isinstance(p, Float) for p in make().space.parameters)
}


def _each(cases):
    return pytest.mark.parametrize("make", cases.values(), ids=cases.keys())


def _points(problem, n):
    return problem.space.sample(n, np.random.default_rng(5))


def _at(problem, optimum):
    return dict(zip(problem.space.names, optimum, strict=True))


def _is_feasible(problem, values):
    wanted = Objectives(tuple(problem.objectives))
    return bool(wanted.is_feasible(np.array([[values[m] for m in wanted.metrics]]))[0])


def _utility(problem, values):
    wanted = Objectives(tuple(problem.objectives))
    return wanted.utilities(np.array([[values[m] for m in wanted.metrics]]))[0]


def test_a_best_value_is_known_of_all_but_machine_learning_solvers_and_what_has_several_objectives():
    several = {name for name, make in PROBLEMS.items() if len(Objectives(tuple(make().objectives)).aims) > 1}
    assert not several & set(KNOWN)
    assert {name for name in PROBLEMS if name not in KNOWN} - several == {
        name for name, entry in PROBLEMS.items() if entry.family in ("machine learning", "solvers")
    }


@_each(EVERY)
def test_params_outside_the_space_are_refused(make):
    problem = make()
    inside = _points(problem, 1)[0]
    outside = [{}, {**inside, "no such parameter": 1.0}]
    for p in problem.space.parameters:
        beyond = [p.low - 1, p.high + 1, math.nan] if isinstance(p, (Float, Int)) else ["no such choice"]
        outside += [{**inside, p.name: value} for value in beyond]
        if p.name in inside:
            outside.append({name: value for name, value in inside.items() if name != p.name})
    for params in outside:
        with pytest.raises(SpaceError):
            problem.evaluate(params)


@_each(EVERY)
def test_values_are_plain_finite_floats_of_exactly_the_declared_metrics(make):
    problem = make()
    for params in _points(problem, 3):
        values = problem.evaluate(params, seed=2**62)
        assert set(values) == set(Objectives(tuple(problem.objectives)).metrics)
        assert all(type(value) is float and math.isfinite(value) for value in values.values())


@_each(EVERY)
def test_value_is_a_function_of_params_fidelity_and_seed_alone(make):
    problem = make()
    first, second = _points(problem, 2)
    given = dict(first)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not matter
    in_order = [problem.evaluate(first, seed=3), problem.evaluate(second, seed=4)]
    np.random.seed(2)  # noqa: NPY002
    in_reverse = [problem.evaluate(second, fidelity={}, seed=4), make().evaluate(first, fidelity={}, seed=3)]
    assert in_order == in_reverse[::-1]
    assert first == given


@_each(EVERY)
def test_no_global_random_state_is_touched(make):
    problem = make()
    params = _points(problem, 1)[0]
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    expected = np.random.random(), random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    problem.evaluate(params, seed=1)
    assert (np.random.random(), random.random()) == expected  # noqa: NPY002


@_each(EVERY)
def test_pickled_problem_evaluates_to_the_same_bits(make):
    problem = make()
    params = _points(problem, 1)[0]
    copy = pickle.loads(pickle.dumps(problem))
    assert copy == problem
    assert copy.evaluate(params, seed=2) == problem.evaluate(params, seed=2)


@_each(EVERY)
def test_space_and_objectives_survive_json(make):
    problem = make()
    wanted = Objectives(tuple(problem.objectives))
    assert Space.from_dict(json.loads(json.dumps(problem.space.to_dict()))) == problem.space
    assert Objectives.from_list(json.loads(json.dumps(wanted.to_list()))) == wanted


@_each(KNOWN)
def test_every_optimum_is_feasible_and_has_the_best_value(make):
    problem = make()
    assert problem.optima
    for optimum in problem.optima:
        values = problem.evaluate(_at(problem, optimum))
        assert _is_feasible(problem, values)
        # Optima on constraints stand 1e-11 of them inside, so that rounding cannot make them infeasible.
        assert values[problem.objectives[0].metric] == pytest.approx(problem.best_value, rel=1e-10, abs=1e-12)


@_each(KNOWN)
def test_no_random_point_is_feasible_and_better_than_the_best_value(make):
    problem = make()
    best = _utility(problem, problem.evaluate(_at(problem, problem.optima[0])))
    for params in _points(problem, 300):
        values = problem.evaluate(params)
        assert not _is_feasible(problem, values) or _utility(problem, values) <= best


@_each(SMOOTH)
def test_an_interior_optimum_has_zero_gradient(make):
    problem = make()
    assert isinstance(problem.objectives[0], Minimize)
    step = 1e-5
    for optimum in problem.optima:
        for k, p in enumerate(problem.space.parameters):
            assert p.low < optimum[k] < p.high
            metric = problem.objectives[0].metric
            ends = [
                problem.evaluate(
                    _at(
                        problem,
                        [*optimum[:k], optimum[k] * math.exp(h) if p.log else optimum[k] + h, *optimum[k + 1 :]],
                    )
                )[metric]
                for h in (-step, step)
            ]
            # Central differences err by step^2 / 6 of the third derivative, 2400 for Rosenbrock.
            assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(0.0, abs=1e-6)


@_each(FIDELITIES)
def test_less_fidelity_costs_less_and_the_full_one_is_what_is_paid_where_nothing_is_said(make):
    problem = make()
    params = _points(problem, 1)[0]
    full = {f.name: f.high for f in problem.fidelities}
    assert problem.evaluate(params, fidelity=full, seed=1) == problem.evaluate(params, seed=1)
    for fidelity in problem.fidelities:
        low = {fidelity.name: fidelity.low}
        assert problem.evaluate(params, fidelity=low).keys() == problem.evaluate(params).keys()
        assert 0 < problem.cost(params, low) < problem.cost(params, full) == problem.cost(params, None)
        for beyond in (fidelity.low / 2, fidelity.high + 1, math.nan):
            with pytest.raises(FidelityError, match=fidelity.name):
                problem.evaluate(params, fidelity={fidelity.name: beyond})
    with pytest.raises(FidelityError, match=r"has the fidelities .*: got \['no such fidelity'\]"):
        problem.evaluate(params, fidelity={"no such fidelity": 1.0})


@_each({name: make for name, make in PROBLEMS.items() if hasattr(make(), "card")})
def test_a_card_says_where_the_problem_comes_from_what_it_costs_and_how_its_best_value_is_known(make):
    problem = make()
    assert problem.card.source
    assert bool(problem.card.cost_unit) == hasattr(problem, "cost")
    assert bool(problem.card.known) == (getattr(problem, "best_value", None) is not None)


@_each({name: make for name, make in PROBLEMS.items() if hasattr(make(), "cost")})
def test_a_cost_is_positive_and_a_function_of_what_is_evaluated(make):
    problem = make()
    for params in _points(problem, 2):
        cost = problem.cost(params, None)
        assert math.isfinite(cost)
        assert cost > 0
        assert make().cost(dict(params), {}) == cost
