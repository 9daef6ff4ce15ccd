"""What every problem of the list, every wrapper around one and every kind of problem of the user's promises."""

import importlib.util
import json
import math
import pickle
import random
import re
import sys

import numpy as np
import pytest
import torch

from bbo.errors import FidelityError, SpaceError
from bbo.objective import Minimize, Objectives
from bbo.problems import PROBLEMS, Branin, Delayed, Failing, Levy, Noisy, PressureVessel, Program, Proxy, SVMDigits
from bbo.problems.card import Card
from bbo.problems.wrappers import Categorized, Costly, Embedded, Moved, Relabelled
from bbo.space import Float, Int, Space


def _is_in_a_corner(params):
    return params["x1"] > 9.99 and params["x2"] > 14.99


def _price(params, fidelity):
    return params["x1"] ** 2


def _proxy():
    params = Branin.space.sample(30, np.random.default_rng(0))
    return Proxy(Branin.space, Branin.objectives, params, [Branin().evaluate(p) for p in params])


_SQUARE = "import json, os, sys; x = json.load(sys.stdin)['params']['x']; print(x**2 + int(os.environ['BBO_SEED']) % 7)"
OWN = {
    "program": lambda: Program([sys.executable, "-c", _SQUARE], Space((Float("x", -2.0, 3.0),)), (Minimize("y"),)),
    "proxy": _proxy,
}
WRAPPED = {
    "noisy": lambda: Noisy(PressureVessel(), sd={"cost": 100.0, "volume": 1e4}),
    "failing": lambda: Failing(Branin(), where=_is_in_a_corner),
    "delayed": lambda: Delayed(Branin(), seconds=0.0),
    "moved": lambda: Moved(Levy(4), seed=3),
    "embedded": lambda: Embedded(Branin(), 5, seed=2),
    "categorized": lambda: Categorized(Moved(Levy(4), seed=3), {"x1": 3, "x3": 5}, seed=4),
    "costly": lambda: Costly(Branin(), price=_price, metric="price"),
    "relabelled": lambda: Relabelled(Categorized(Branin(), {"x2": 4}, seed=1), seed=5),
    "relabelled-svm": lambda: Relabelled(SVMDigits(), seed=5),
}
EVERY = {**PROBLEMS, **WRAPPED, **OWN}
# What stands on a table that is fetched stands here on a small one; what the tables say is tested beside them.
FETCHED = {name for name, entry in PROBLEMS.items() if entry.data}
# The noise moves the value at the optimum.
KNOWN = {
    name: make
    for name, make in EVERY.items()
    if name not in FETCHED and getattr(make(), "best_value", None) is not None
}
KNOWN.pop("noisy")
# Families of which the best value is not known where something is trained or solved.
TRAINED = {"machine learning", "mixtures", "reinforcement learning", "solvers"}
FIDELITIES = {name: make for name, make in EVERY.items() if getattr(make(), "fidelities", ())}
CURVES = {name: make for name, make in EVERY.items() if hasattr(make(), "curve")}
SMOOTH = {
    name: make
    for name, make in KNOWN.items()
    if len(make().objectives) == 1 and all(isinstance(p, Float) for p in make().space.parameters)
}
# Modules of which evaluations in full take seconds and more.
TRAINING = (
    *("machine_learning", "mixtures.trained", "reinforcement_learning.ppo"),
    *("reinforcement_learning.dqn", "reinforcement_learning.deep_sea_treasure"),
)
# What stands for an extra: the packages of some are not everywhere.
MODULES = {"rl": ("gymnasium", "mo_gymnasium", "stable_baselines3")}


@pytest.fixture(autouse=True)
def _tables(generated_tables):
    pass


def _each(cases):
    return pytest.mark.parametrize(
        "make", [pytest.param(make, id=name, marks=_skips(make)) for name, make in cases.items()]
    )


def _skips(make):
    extra = getattr(make, "extra", "")
    missing = [m for m in MODULES.get(extra, ()) if importlib.util.find_spec(m) is None]
    return [pytest.mark.skip(reason=f"needs pip install 'bbo[{extra}]': {', '.join(missing)}")] if missing else []


def _points(problem, n):
    return problem.space.sample(n, np.random.default_rng(5))


def _least(problem):
    """The cheapest fidelity where evaluations train something, as what is said of it is as true in full; else none."""
    trains = type(problem).__module__.startswith(tuple(f"bbo.problems.{module}" for module in TRAINING))
    return {f.name: f.low for f in getattr(problem, "fidelities", ())} if trains else {}


def _at(problem, optimum):
    return dict(zip(problem.space.names, optimum, strict=True))


def _is_feasible(problem, values):
    wanted = Objectives(tuple(problem.objectives))
    return bool(wanted.is_feasible(np.array([[values[m] for m in wanted.metrics]]))[0])


def _utility(problem, values):
    wanted = Objectives(tuple(problem.objectives))
    return wanted.utilities(np.array([[values[m] for m in wanted.metrics]]))[0]


def test_a_best_value_is_known_of_every_problem_of_one_objective_that_trains_nothing():
    several = {name for name, make in PROBLEMS.items() if len(Objectives(tuple(make().objectives)).aims) > 1}
    assert not several & set(KNOWN)
    unknown = set(PROBLEMS) - set(KNOWN) - FETCHED - several
    assert {PROBLEMS[name].family for name in unknown} <= TRAINED


@_each(PROBLEMS)
def test_a_card_says_where_the_problem_comes_from_and_how_its_best_value_is_known(make):
    problem = make()
    card = problem.card
    assert isinstance(card, Card)
    assert card.source
    assert not card.doi or re.fullmatch(r"10\.\d{4,}/\S+|arXiv:\d{4}\.\d{4,5}", card.doi)
    assert bool(card.known) == (getattr(problem, "best_value", None) is not None)
    assert bool(card.cost_unit) == hasattr(problem, "cost")
    assert not make.data or (card.size and card.licence)


@_each(EVERY)
def test_params_outside_the_space_are_refused(make):
    problem = make()
    inside = _points(problem, 1)[0]
    outside = [{}, {**inside, "no such parameter": 1.0}]
    for p in problem.space.parameters:
        if p.name not in inside:  # its condition does not hold: it may have no value at all
            outside.append({**inside, p.name: p.low if isinstance(p, (Float, Int)) else p.choices[0]})
            continue
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
    for params in _points(problem, 1 if getattr(make, "extra", "") == "rl" else 3):
        values = problem.evaluate(params, fidelity=_least(problem), seed=2**62)
        assert set(values) == set(Objectives(tuple(problem.objectives)).metrics)
        assert all(type(value) is float and math.isfinite(value) for value in values.values())


@_each(EVERY)
def test_value_is_a_function_of_params_fidelity_and_seed_alone(make):
    problem = make()
    first, second = _points(problem, 2)
    given, least = dict(first), _least(problem)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not matter
    torch.manual_seed(1)
    in_order = [problem.evaluate(p, fidelity=least or None, seed=s) for p, s in ((first, 3), (second, 4))]
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    with torch.no_grad():
        in_reverse = [
            problem.evaluate(second, fidelity=least, seed=4),
            make().evaluate(first, fidelity=least, seed=3),
        ]
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
    of_torch = torch.get_rng_state(), torch.get_num_threads()
    problem.evaluate(params, fidelity=_least(problem), seed=1)
    assert (np.random.random(), random.random()) == expected  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), of_torch[0])
    assert torch.get_num_threads() == of_torch[1]


@_each(EVERY)
def test_pickled_problem_evaluates_to_the_same_bits(make):
    problem = make()
    params = _points(problem, 1)[0]
    copy = pickle.loads(pickle.dumps(problem))
    assert copy == problem
    least = _least(problem)
    assert copy.evaluate(params, fidelity=least, seed=2) == problem.evaluate(params, fidelity=least, seed=2)


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
    low = _least(problem)
    for params in _points(problem, 30 if low else 300):
        values = problem.evaluate(params, fidelity=low)
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
def test_fidelities_change_what_is_paid_and_others_are_refused(make):
    problem = make()
    params = _points(problem, 1)[0]
    full = {f.name: f.high for f in problem.fidelities}
    metrics = set(problem.evaluate(params, fidelity=_least(problem), seed=1))
    if getattr(make, "extra", "") != "rl":  # agents train for a minute
        assert problem.evaluate(params, fidelity=full, seed=1) == problem.evaluate(params, seed=1)
    for fidelity in problem.fidelities:
        low = {**_least(problem), fidelity.name: fidelity.low}
        assert set(problem.evaluate(params, fidelity=low)) == metrics
        if hasattr(problem, "cost"):
            assert 0 < problem.cost(params, low) < problem.cost(params, full) == problem.cost(params, None)
        for beyond in (fidelity.low / 2, fidelity.high + 1, math.nan):
            with pytest.raises(FidelityError, match=fidelity.name):
                problem.evaluate(params, fidelity={fidelity.name: beyond})
    with pytest.raises(FidelityError, match=r"has the fidelities .*: got \['no such fidelity'\]"):
        problem.evaluate(params, fidelity={"no such fidelity": 1.0})


@_each(CURVES)
def test_a_curve_has_the_values_of_evaluations_that_end_at_its_steps(make):
    problem = make()
    params = _points(problem, 1)[0]
    along, *others = problem.fidelities
    least = {f.name: f.low for f in others}
    curve = list(problem.curve(params, fidelity=least, seed=3))
    steps = [step for step, _ in curve]
    assert steps == sorted(set(steps))
    assert len(steps) > 3
    assert steps[-1] == along.high
    for step, values in (curve[0], curve[2], curve[-1]):
        assert problem.evaluate(params, fidelity={**least, along.name: step}, seed=3) == values
    for part in (along.low, steps[2]):
        ends = list(problem.curve(params, fidelity={**least, along.name: part}, seed=3))
        assert ends[-1][0] == part
        assert all(reported in curve for reported in ends[:-1])
    with pytest.raises(SpaceError):
        next(iter(problem.curve({}, seed=3)))


@_each({name: make for name, make in PROBLEMS.items() if hasattr(make(), "cost")})
def test_a_cost_is_positive_and_a_function_of_what_is_evaluated(make):
    problem = make()
    for params in _points(problem, 2):
        cost = problem.cost(params, None)
        assert math.isfinite(cost)
        assert cost > 0
        assert make().cost(dict(params), {}) == cost
