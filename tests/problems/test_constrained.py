"""The problems with a small feasible region against what the report that numbers them says of them."""

import numpy as np
import pytest
from scipy.optimize import minimize

from bbo.objective import Objectives
from bbo.problems import make

# Share of feasible points at random, in per cent, by a million of them, and the constraints that bind at the optimum:
# table 1 of the report.
REPORTED = {"g06": (0.0066, {"g1", "g2"}), "g09": (0.5121, {"g1", "g4"})}


def _at(problem, x):
    return problem.evaluate(dict(zip(problem.space.names, np.asarray(x).tolist(), strict=True)))


@pytest.mark.parametrize("name", REPORTED)
def test_the_share_of_feasible_points_is_the_reported_one(name):
    problem, n = make(name), 100_000
    share = REPORTED[name][0] / 100
    wanted = Objectives(tuple(problem.objectives))
    points = problem.space.sample(n, np.random.default_rng(2))
    found = wanted.is_feasible(np.array([[problem.evaluate(p)[m] for m in wanted.metrics] for p in points])).sum()
    # Five standard errors of the count.
    assert abs(found - n * share) <= 5 * np.sqrt(n * share)
    assert found > 0


@pytest.mark.parametrize("name", REPORTED)
def test_the_reported_constraints_bind_at_the_optimum_and_a_search_beside_it_finds_nothing_better(name):
    problem = make(name)
    optimum = np.array(problem.optima[0])
    values = _at(problem, optimum)
    binding = {m for m, v in values.items() if m != "value" and v > -1e-4}
    assert binding == REPORTED[name][1]
    box = [(p.low, p.high) for p in problem.space.parameters]
    for step in np.random.default_rng(0).normal(size=(5, len(box))):
        found = minimize(
            lambda x: _at(problem, np.clip(x, *zip(*box, strict=True)))["value"] / 1000,
            np.clip(optimum + 0.1 * step, *zip(*box, strict=True)),
            method="SLSQP",
            bounds=box,
            constraints=[
                {"type": "ineq", "fun": lambda x, g=g: -_at(problem, np.clip(x, *zip(*box, strict=True)))[g]}
                for g in values
                if g != "value"
            ],
            options={"maxiter": 500, "ftol": 1e-14},
        )
        assert found.fun * 1000 == pytest.approx(problem.best_value, rel=1e-6)
