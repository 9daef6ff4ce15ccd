"""The synthetic functions against BoTorch's."""

import numpy as np
import pytest
import torch
from botorch.test_functions import synthetic
from scipy.optimize import minimize

from bbo.problems import PROBLEMS, Ackley, Hartmann3, Michalewicz, Rosenbrock

OTHERS = {
    "ackley": lambda: synthetic.Ackley(5),
    "branin": lambda: synthetic.Branin(),
    "griewank": lambda: synthetic.Griewank(5),
    "hartmann6": lambda: synthetic.Hartmann(6),
    "levy": lambda: synthetic.Levy(5),
    "michalewicz": lambda: synthetic.Michalewicz(5),
    "rastrigin": lambda: synthetic.Rastrigin(5),
    "rosenbrock": lambda: synthetic.Rosenbrock(5),
    "shekel": lambda: synthetic.Shekel(10),
    "six-hump-camel": lambda: synthetic.SixHumpCamel(),
    "styblinski-tang": lambda: synthetic.StyblinskiTang(5),
}


@pytest.mark.parametrize("name", OTHERS)
def test_value_and_box_are_those_of_botorch(name):
    problem, other = PROBLEMS[name](), OTHERS[name]()
    points = problem.space.sample(50, np.random.default_rng(0))
    X = torch.tensor([list(params.values()) for params in points], dtype=torch.float64)
    values = [problem.evaluate(params)["value"] for params in points]
    # BoTorch holds Hartmann's and Shekel's constants in single precision.
    assert values == pytest.approx(other.to(X).evaluate_true(X).tolist(), rel=1e-6)
    assert other.bounds.T.tolist() == pytest.approx(
        np.array([[p.low, p.high] for p in problem.space.parameters]), rel=1e-6
    )


def test_hartmann3_has_the_minimum_of_the_literature_where_it_says():
    value = Hartmann3().evaluate({"x1": 0.114614, "x2": 0.555649, "x3": 0.852547})["value"]
    assert value == pytest.approx(-3.86278214782, rel=1e-9)


@pytest.mark.parametrize("name", ["branin", "hartmann3", "hartmann6", "shekel", "six-hump-camel"])
def test_a_search_from_many_starts_finds_the_best_value_and_none_lower(name):
    problem = PROBLEMS[name]()
    box = [(p.low, p.high) for p in problem.space.parameters]

    def value(x):
        return problem.evaluate(
            dict(zip(problem.space.names, np.clip(x, *zip(*box, strict=True)).tolist(), strict=True))
        )["value"]

    starts = np.array([list(params.values()) for params in problem.space.sample(40, np.random.default_rng(0))])
    found = [minimize(value, start, method="L-BFGS-B", bounds=box) for start in starts]
    best = min(end.fun for end in found)
    assert best == pytest.approx(problem.best_value, rel=1e-6)
    assert best >= problem.best_value - 1e-12
    # Each of the optima is where one of the searches ends.
    for optimum in problem.optima:
        assert min(np.abs(end.x - optimum).max() for end in found) < 1e-3


@pytest.mark.parametrize("k", [1, 2, 3, 7, 30])
def test_the_groove_of_each_coordinate_of_michalewicz_is_the_lowest_on_a_fine_grid(k):
    x = np.linspace(0, np.pi, 400_001)
    depth = np.sin(x) * np.sin(k * x**2 / np.pi) ** 20
    optimum = Michalewicz(k).optima[0][k - 1]
    assert optimum == pytest.approx(x[np.argmax(depth)], abs=1e-5)
    assert np.sin(optimum) * np.sin(k * optimum**2 / np.pi) ** 20 >= depth.max()


@pytest.mark.parametrize(("dim", "reported"), [(2, -1.80130341), (5, -4.687658), (10, -9.66015)])
def test_the_minimum_of_michalewicz_is_the_reported_one(dim, reported):
    assert Michalewicz(dim).best_value == pytest.approx(reported, abs=3e-6)


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
