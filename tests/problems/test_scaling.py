import math

import numpy as np
import pytest
from scipy.optimize import minimize

from bbo.problems import StepLaw


def _at(problem, rate, batch, **fidelity):
    return problem.evaluate({"learning_rate": rate, "batch": batch}, fidelity=fidelity)["loss"]


@pytest.mark.parametrize(("N", "D"), [(1e9, 1e11), (4e8, 4e10), (6e7, 2e9)])
def test_a_search_finds_the_optimum_of_the_paper(N, D):
    problem = StepLaw(N, D)
    found = minimize(
        lambda u: 1e3 * _at(problem, math.exp(u[0]), math.exp(u[1])),
        np.log([1e-3, 3e5]),
        method="Nelder-Mead",
        bounds=np.log([(2e-4, 1e-2), (4e4, 7e6)]),
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    assert np.exp(found.x) == pytest.approx([1.79 * N**-0.713 * D**0.307, 0.58 * D**0.571], rel=1e-4)
    assert problem.optima[0] == pytest.approx(np.exp(found.x), rel=1e-4)
    assert found.fun / 1e3 == pytest.approx(1.69 + 406.4 / N**0.34 + 410.7 / D**0.28, rel=1e-9)
    assert problem.best_value == pytest.approx(found.fun / 1e3, rel=1e-9)


def test_twice_or_half_of_the_optimum_loses_what_the_card_says():
    problem = StepLaw()
    rate, batch = problem.optima[0]
    for factor in (0.5, 2.0):
        assert _at(problem, rate * factor, batch) == pytest.approx(1.0025 * problem.best_value)
        assert _at(problem, rate * math.sqrt(factor), batch * factor) == pytest.approx(1.0015 * problem.best_value)


def test_the_loss_is_convex_in_the_logarithms():
    problem = StepLaw()
    U = problem.space.sample(200, np.random.default_rng(0))
    for a, b in zip(U[::2], U[1::2], strict=True):
        middle = {name: math.sqrt(a[name] * b[name]) for name in a}
        ends = problem.evaluate(a)["loss"] + problem.evaluate(b)["loss"]
        assert problem.evaluate(middle)["loss"] <= ends / 2 + 1e-12


def test_a_share_is_a_smaller_problem_that_costs_less_and_has_its_optimum_elsewhere():
    problem, small = StepLaw(), StepLaw(0.1 * 1e9, 0.2 * 1e11)
    shares = {"params_share": 0.1, "tokens_share": 0.2}
    assert _at(problem, 1e-3, 5e5, **shares) == _at(small, 1e-3, 5e5)
    params = {"learning_rate": 1e-3, "batch": 5e5}
    assert problem.cost(params, None) == pytest.approx(6e20)
    assert problem.cost(params, shares) == pytest.approx(0.02 * 6e20)
    rates = [StepLaw(*size).optima[0][0] for size in ((1e9, 1e11), (1e8, 1e11), (1e9, 1e10))]
    assert rates[2] < rates[0] < rates[1]
    assert all(
        p.low < x < p.high
        for size in ((1e9, 1e11), (6e7, 1e11), (1e9, 2e9), (6e7, 2e9))
        for p, x in zip(StepLaw.space.parameters, StepLaw(*size).optima[0], strict=True)
    )
