"""Domains with orders of items: where candidates lie, which moves there are, and what is found."""

import itertools

import numpy as np
import pytest
import torch

from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import Options, maximize_acquisition
from bbo.acquisition.reorder import reorderings
from bbo.space import Categorical, Float, Linear, Permutation, Space

D = torch.float64
FREE = Space(
    [
        Float("x", 0.0, 1.0),
        Permutation("p", list("abcd")),
        Categorical("m", ["u", "v"]),
        Permutation("q", list(range(20)), cyclic=True, when={"m": ["u"]}),
    ]
)
BOUND = Space(
    [Permutation("p", list("abcdef")), Float("x", 0.0, 6.0), Categorical("m", ["u", "v"])],
    [Linear({"p.a": 1, "p.b": -1}, upper=-1), Linear({"p.c": 1, "x": 1}, lower=5, upper=5)],
)


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("space", [FREE, FREE.fix({"p": list("badc")}), FREE.fix({"m": "v"}), BOUND])
def test_candidates_are_snapped_to_the_orders_that_the_space_decodes(space):
    domain = Domain.compile(space)
    X = domain.snap(2 * uniform(3, 40, space.dim) - 0.5)
    assert torch.allclose(domain.snap(X), X, atol=1e-9)
    assert np.allclose(space.snap(X.reshape(-1, space.dim).numpy()), X.reshape(-1, space.dim).numpy(), atol=1e-9)
    sampled = domain.sample(50, seed=1)
    assert all(point in space for point in space.decode(sampled[domain.contains(sampled)].numpy()))
    assert len(sampled) == 50


@pytest.mark.parametrize("space", [FREE, BOUND])
def test_moves_lead_to_members_and_change_one_parameter_and_what_is_bound_to_it(space):
    domain = Domain.compile(space)
    X = domain.sample(6, seed=3)
    moved = domain.neighbours(X)
    assert moved.shape == (6, domain.n_moves, space.dim)
    before = space.decode(X.numpy())
    for point, row in zip(before, moved, strict=True):
        for other in space.decode(row[domain.contains(row)].numpy()):
            assert other in space
            changed = {name for name in ("p", "q", "m") if point.get(name) != other.get(name)}
            assert len(changed) <= 1 or changed == {"m", "q"}


def test_moves_are_all_exchanges_insertions_and_turns_of_few_items():
    k = 6
    table = reorderings(k, 512)
    assert len({tuple(row) for row in table.tolist()}) == len(table)
    own = list(range(k))
    expected = set()
    for i, j in itertools.combinations(range(k), 2):
        swapped = own.copy()
        swapped[i], swapped[j] = j, i
        expected.add(tuple(swapped))
        expected.add(tuple(own[:i] + own[i : j + 1][::-1] + own[j + 1 :]))
    for i, j in itertools.permutations(range(k), 2):
        rest = [v for v in own if v != i]
        expected.add((*rest[:j], i, *rest[j:]))
    # A move that is told by where places go, or by who comes there, is the other's inverse.
    assert {tuple(np.argsort(row)) for row in table.tolist()} == expected
    assert len(reorderings(50, 512)) == 512


def test_a_small_domain_is_given_whole():
    space = Space(
        [Permutation("p", list("abcd")), Categorical("m", ["u", "v"]), Permutation("q", [1, 2], when={"m": ["u"]})]
    )
    domain = Domain.compile(space)
    grid = domain.grid()
    assert len(torch.unique(grid, dim=0)) == len(grid) == space.n_points == 24 * 3
    fixed = Domain.compile(space.fix({"p": list("dcba"), "m": "v"}))
    assert space.decode(fixed.grid().numpy()) == [{"p": list("dcba"), "m": "v"}]


def test_points_beside_one_have_its_order():
    domain = Domain.compile(BOUND)
    x = domain.sample(1, seed=0)[0]
    beside = domain.beside(x, 0.1)
    X = beside.sample(20, seed=1)
    assert (X[:, :6] == x[:6]).all()
    assert beside.n_moves == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_function_of_an_order_and_a_number_is_maximized(seed):
    """Largest at one order of nine, of which none drawn is near, and at x = 0.3."""
    space = Space([Float("x", 0.0, 1.0), Permutation("p", list("abcdefghi"))])
    target = torch.tensor(space.encode([{"x": 0.3, "p": list("gabichfde")}]))

    def worth(X):
        return -(X - target).square().sum((-1, -2))

    anchors = Domain.compile(space).sample(4, seed=seed + 10)
    found = maximize_acquisition(worth, Domain.compile(space), seed=seed, anchors=anchors)
    assert torch.allclose(found.X, target, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_a_bound_domain_is_the_best_of_all_its_orders(seed):
    w = uniform(6, seed=seed)
    domain = Domain.compile(BOUND)

    def worth(X):
        return (X[:, 0, :6] * w).sum(-1) - X[:, 0, 6]

    found = maximize_acquisition(worth, domain, seed=seed, options=Options(max_evaluations=60))
    values = []
    for order in itertools.permutations("abcdef"):
        x = 5.0 - (order.index("c") + 1)
        if order.index("a") < order.index("b") and 0 <= x <= 6:
            values.append(float(worth(torch.tensor(BOUND.encode([{"p": list(order), "x": x, "m": "u"}]))[:, None])))
    assert domain.contains(found.X).all()
    assert found.value.item() == pytest.approx(max(values), abs=1e-6)
