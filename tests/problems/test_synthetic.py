"""The synthetic functions against BoTorch's."""

import numpy as np
import pytest
import torch
from botorch.test_functions import synthetic

from bbo.problems import PROBLEMS, Ackley, Hartmann3, Rosenbrock

OTHERS = {
    "ackley": lambda: synthetic.Ackley(5),
    "branin": lambda: synthetic.Branin(),
    "griewank": lambda: synthetic.Griewank(5),
    "hartmann6": lambda: synthetic.Hartmann(6),
    "levy": lambda: synthetic.Levy(5),
    "rastrigin": lambda: synthetic.Rastrigin(5),
    "rosenbrock": lambda: synthetic.Rosenbrock(5),
    "styblinski-tang": lambda: synthetic.StyblinskiTang(5),
}


@pytest.mark.parametrize("name", OTHERS)
def test_value_and_box_are_those_of_botorch(name):
    problem, other = PROBLEMS[name](), OTHERS[name]()
    points = problem.space.sample(50, np.random.default_rng(0))
    X = torch.tensor([list(params.values()) for params in points], dtype=torch.float64)
    values = [problem.evaluate(params)["value"] for params in points]
    # BoTorch holds Hartmann's constants in single precision.
    assert values == pytest.approx(other.to(X).evaluate_true(X).tolist(), rel=1e-6)
    assert other.bounds.T.tolist() == pytest.approx(
        np.array([[p.low, p.high] for p in problem.space.parameters]), rel=1e-6
    )


def test_hartmann3_has_the_minimum_of_the_literature_where_it_says():
    value = Hartmann3().evaluate({"x1": 0.114614, "x2": 0.555649, "x3": 0.852547})["value"]
    assert value == pytest.approx(-3.86278214782, rel=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 20])
def test_dimension_is_an_argument(dim):
    problem = Ackley(dim)
    assert problem.space.dim == dim
    assert problem.evaluate(dict(zip(problem.space.names, problem.optima[0], strict=True))) == {"value": 0.0}


def test_an_impossible_dimension_is_refused():
    with pytest.raises(ValueError, match="Ackley: dim must be at least 1, got 0"):
        Ackley(0)
    with pytest.raises(ValueError, match="Rosenbrock: dim must be at least 2, got 1"):
        Rosenbrock(1)
