"""Domains whose columns are bound together or absent: what moves there, and where acquisitions are largest."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import Options, maximize_acquisition
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Simplex, Space

D = torch.float64
SPARSE = Space(
    [Simplex("mix", list("abcdef"), max_parts=3, upper=0.7), Categorical("c", ["u", "v"]), Float("x", 0.0, 1.0)],
    [Linear({"mix.a": 1, "x": 1}, upper=1.0)],
)
TREE = Space(
    [
        Categorical("m", ["p", "q", "r"]),
        Float("x", 0.0, 1.0, when={"m": ["p"]}),
        Categorical("c", ["u", "v"], when={"m": ["q"]}),
        Float("y", 0.0, 1.0, when={"c": ["v"]}),
    ],
    [Nonlinear("x <= 0.8")],
)
MIXED = Space(
    [Float("x", 0.0, 2.0), Int("n", 0, 4), Categorical("c", ["u", "v"]), Int("k", 1, 5000)],
    [Linear({"x": 1, "n": 1}, upper=4.0), Forbidden({"c": ["u"], "n": [3, 4]}), Linear({"k": 1, "x": 100}, lower=900)],
)
SPACES = [SPARSE, TREE, MIXED]


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def are_members(space, X):
    points = space.decode(X.reshape(-1, space.dim).numpy())
    return [point in space for point in points]


@pytest.mark.parametrize("space", SPACES)
def test_what_is_sampled_is_a_member_and_stays_where_it_is(space):
    domain = Domain.compile(space)
    X = domain.sample(60, seed=2)
    assert X.shape == (60, space.dim)
    assert domain.contains(X).all()
    assert all(are_members(space, X))
    assert torch.allclose(domain.snap(X), X, atol=1e-9)


@pytest.mark.parametrize("space", SPACES)
def test_what_the_domain_takes_for_a_member_is_one(space):
    domain = Domain.compile(space)
    for X in (domain.snap(uniform(200, space.dim)), domain.neighbours(domain.sample(12, seed=3))):
        is_in = domain.contains(X).reshape(-1)
        assert are_members(space, X[domain.contains(X)]) == [True] * int(is_in.sum())
        assert is_in.double().mean() > 0.4


def test_moves_exchange_each_present_part_for_each_other():
    domain = Domain.compile(SPARSE)
    x = domain.sample(1, seed=0)
    (moved,) = domain.neighbours(x)
    assert moved.shape == (domain.n_moves, SPARSE.dim)
    present = {tuple((row[:6] > 1e-9).nonzero()[:, 0].tolist()) for row in moved[domain.contains(moved)]}
    own = set((x[0, :6] > 1e-9).nonzero()[:, 0].tolist())
    assert {tuple(sorted((own - {i}) | {j})) for i in own for j in set(range(6)) - own} & present
    assert torch.allclose(0.7 * moved[:, :6].sum(1), torch.ones(len(moved), dtype=D))


def test_absent_columns_are_in_the_middle_and_their_neighbours_are_branches():
    domain = Domain.compile(TREE)
    X = domain.snap(uniform(50, 4))
    is_p, is_q = X[:, 0] < 1 / 3, (X[:, 0] > 1 / 3) & (X[:, 0] < 2 / 3)
    assert (X[~is_p, 1] == 0.5).all()
    assert (X[~is_q, 2] == 0.5).all()
    assert (X[~(is_q & (X[:, 2] > 0.5)), 3] == 0.5).all()
    assert len({round(v, 6) for v in domain.neighbours(X[:1])[0, :, 0].tolist()}) == 3


@pytest.mark.parametrize("seed", range(3))
def test_the_largest_value_on_a_polytope_is_the_one_slsqp_finds(seed):
    rng = np.random.default_rng(seed)
    space = Space(
        [Simplex("mix", ["a", "b", "c", "d"]), Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)],
        [Linear({"mix.a": 2, "x": 1}, upper=1.1), Linear({"z": 1, "x": -1}, lower=0.2, upper=0.2)],
    )
    peak, H = rng.uniform(0, 1, 6), rng.standard_normal((6, 6))
    H = H @ H.T + np.eye(6)
    domain = Domain.compile(space)
    found = maximize_acquisition(
        lambda X: -((X[:, 0] - torch.tensor(peak)) @ torch.tensor(H) * (X[:, 0] - torch.tensor(peak))).sum(1),
        domain,
        seed=seed,
        options=Options(max_evaluations=150, progress=1e-9, slope=1e-9),
    )
    region = space.region
    bound = [
        {"type": "ineq", "fun": lambda x: region.b - region.A @ x},
        {"type": "eq", "fun": lambda x: region.E @ x - region.e},
    ]
    best = minimize(
        lambda x: (x - peak) @ H @ (x - peak),
        domain.sample(1, seed=9)[0].numpy(),
        bounds=[(0, 1)] * 6,
        constraints=bound,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    assert domain.contains(found.X).all()
    assert -found.value.item() == pytest.approx(best.fun, rel=1e-4, abs=1e-6)


def test_the_best_parts_of_a_sparse_mixture_are_found():
    """A sum in which three parts of six are worth something, of which two are rarely drawn together."""
    w = torch.tensor([0.1, 0.9, 0.2, 0.95, 0.3, 0.9], dtype=D)
    domain = Domain.compile(SPARSE)

    def worth(X):
        return (w * (X[:, 0, :6] + 1e-4).sqrt()).sum(1)

    found = maximize_acquisition(worth, domain, seed=0)
    assert set((found.X[0, :6] > 1e-6).nonzero()[:, 0].tolist()) == {1, 3, 5}
    exact = (w[[1, 3, 5]].square() / w[[1, 3, 5]].square().sum()).tolist()  # of a sum of roots, by Lagrange
    assert (0.7 * found.X[0, [1, 3, 5]]).tolist() == pytest.approx(exact, abs=0.02)  # amounts go to 0.7


def test_several_points_at_once_stay_within_their_constraints():
    domain = Domain.compile(MIXED)
    found = maximize_acquisition(
        lambda X: X[..., 0].sum(1) - (X[:, 0, 0] - X[:, 1, 0]).abs(),
        domain,
        q=2,
        seed=0,
        anchors=domain.sample(2, seed=1),
    )
    assert found.X.shape == (2, 4)
    assert all(are_members(MIXED, found.X))
