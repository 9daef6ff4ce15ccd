"""Where candidates may be and how they climb there, against scipy's SLSQP."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from bbo.acquisition.polytope import Polytope
from bbo.surrogates.lbfgs import maximize

D = torch.float64


def some(seed, d, n_rows, n_equal):
    """A polytope in the cube with a point of the cube inside, as arrays A, b, E, e."""
    rng = np.random.default_rng(seed)
    inside = rng.uniform(0.2, 0.8, d)
    A, E = rng.standard_normal((n_rows, d)), rng.standard_normal((n_equal, d))
    return A, A @ inside + rng.uniform(0.0, 0.3, n_rows), E, E @ inside


def polytope(A, b, E, e, n):
    d = A.shape[1]
    of = [torch.tensor(v, dtype=D) for v in (A, b, E, e)]
    zeros = torch.zeros(n, d, dtype=D)
    return Polytope.of(of[0], of[1].expand(n, -1), of[2], of[3].expand(n, -1), zeros, zeros + 1.0)


def by_slsqp(f, jac, x0, A, b, E, e):
    bound = [{"type": "ineq", "fun": lambda x: b - A @ x, "jac": lambda x: -A}]
    bound += [{"type": "eq", "fun": lambda x: E @ x - e, "jac": lambda x: E}] if len(E) else []
    options = {"maxiter": 500, "ftol": 1e-14}
    return minimize(f, x0, jac=jac, bounds=[(0, 1)] * len(x0), constraints=bound, method="SLSQP", options=options)


SHAPES = [(2, 1, 0), (4, 3, 0), (5, 0, 1), (6, 4, 2), (12, 6, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_projection_is_the_nearest_point(shape, seed):
    d = shape[0]
    A, b, E, e = some(seed, *shape)
    Y = np.random.default_rng(seed + 100).uniform(-0.5, 1.5, (8, d))
    P = polytope(A, b, E, e, len(Y))
    X = P.project(torch.tensor(Y))
    assert X.shape == Y.shape
    assert P.violation(X).max() < 1e-8
    for y, x in zip(Y, X.numpy(), strict=True):
        nearest = by_slsqp(lambda z, y=y: ((z - y) ** 2).sum(), lambda z, y=y: 2 * (z - y), x, A, b, E, e)
        assert ((x - y) ** 2).sum() <= nearest.fun + 1e-6


def test_members_are_their_own_projections():
    A, b, E, e = some(0, 6, 4, 2)
    P = polytope(A, b, E, e, 5)
    X = P.project(torch.rand(5, 6, dtype=D, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(P.project(X), X)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_climbs_on_a_concave_function_end_where_slsqp_ends(shape, seed):
    d = shape[0]
    A, b, E, e = some(seed, *shape)
    rng = np.random.default_rng(seed + 50)
    H = rng.standard_normal((d, d))
    H, peak = H @ H.T + 0.1 * np.eye(d), rng.uniform(-0.5, 1.5, d)

    def loss(x):
        return 0.5 * (x - peak) @ H @ (x - peak)

    def value_and_grad(X):
        G = (X - torch.tensor(peak)) @ torch.tensor(H)
        return -0.5 * (G * (X - torch.tensor(peak))).sum(1), -G

    starts = torch.tensor(rng.uniform(0, 1, (6, d)))
    within = polytope(A, b, E, e, len(starts))
    X, value = maximize(value_and_grad, starts, within, max_evaluations=300)
    assert within.violation(X).max() < 1e-8
    best = by_slsqp(loss, lambda x: H @ (x - peak), X[0].numpy(), A, b, E, e)
    assert np.allclose(-value.numpy(), best.fun, rtol=1e-4, atol=1e-6)


def test_climb_leaves_a_vertex_that_is_no_maximum():
    """On the simplex of three parts, from a corner to the other end."""
    ones = torch.ones(1, 3, dtype=D)
    empty = torch.zeros(0, 3, dtype=D)
    zeros = torch.zeros(1, 3, dtype=D)
    within = Polytope.of(empty, torch.zeros(1, 0, dtype=D), ones, torch.ones(1, 1, dtype=D), zeros, zeros + 1)
    w = torch.tensor([0.1, 0.2, 1.0], dtype=D)
    X, value = maximize(
        lambda X: (X @ w, w.expand_as(X)), torch.tensor([[1.0, 0.0, 0.0]], dtype=D), within, max_evaluations=40
    )
    assert torch.allclose(X, torch.tensor([[0.0, 0.0, 1.0]], dtype=D), atol=1e-9)
    assert value.item() == pytest.approx(1.0)
