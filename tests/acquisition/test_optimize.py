import random

import numpy as np
import pytest
import torch

from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import Options, maximize_acquisition
from bbo.acquisition.utilities import log_ei
from bbo.space import Categorical, Float, Int, Ordinal, Space
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64


def floats(d):
    return Space(tuple(Float(f"x{j}", 0.0, 1.0) for j in range(d)))


def peak(centre):
    """A smooth function of one point, largest at `centre`."""
    centre = torch.tensor(centre, dtype=D)
    return lambda X: -((X[:, 0] - centre) ** 2).sum(-1)


def many_hills(X):
    """Largest at 0.5 in every column, with ten local maxima in each; after Rastrigin."""
    x = X[:, 0] - 0.5
    return -(20 * x * x - (20 * torch.pi * x).cos()).sum(-1)


def test_smooth_peak_is_found_inside_and_on_the_border():
    best = maximize_acquisition(peak([0.2, 0.7, 1.3]), Domain.compile(floats(3)), seed=0)
    assert torch.allclose(best.X, torch.tensor([[0.2, 0.7, 1.0]], dtype=D), atol=1e-4)
    assert best.value.item() == pytest.approx(-0.09, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_highest_of_many_hills_is_found(seed):
    best = maximize_acquisition(many_hills, Domain.compile(floats(2)), seed=seed)
    assert torch.allclose(best.X, torch.full((1, 2), 0.5, dtype=D), atol=1e-3)


def test_narrow_peak_beside_an_anchor_is_found_in_many_dimensions():
    centre = torch.linspace(0.1, 0.9, 30, dtype=D)

    def needle(X):
        return (-((X[:, 0] - centre) ** 2).sum(-1) / 2e-3).exp()

    anchors = (centre + 0.01)[None]
    best = maximize_acquisition(needle, Domain.compile(floats(30)), seed=0, anchors=anchors)
    assert best.value > 0.999


MIXED = Space(
    (
        Float("a", 0.0, 1.0),
        Int("b", 1, 40),
        Categorical("c", ("v", "w", "x", "y", "z")),
        Ordinal("d", (1, 2, 5)),
        Int("e", 1, 5000, log=True),
        Float("f", 0.0, 1.0),
    )
)


def mixed_best(domain):
    target = domain.snap(torch.tensor([[0.37, 0.6, 0.7, 0.9, 0.4, 0.0]], dtype=D))[0]

    def acquisition(X):
        gap = X[:, 0] - target
        other = (gap[:, 2].abs() > 1e-6).to(D)
        return -(gap[:, [0, 1, 3, 4]] ** 2).sum(-1) - gap[:, 5] ** 2 - 0.3 * other * (1 + X[:, 0, 0])

    return acquisition, target


@pytest.mark.parametrize("seed", range(5))
def test_mixed_space_is_solved(seed):
    domain = Domain.compile(MIXED)
    acquisition, target = mixed_best(domain)
    best = maximize_acquisition(acquisition, domain, seed=seed)
    assert torch.allclose(best.X[0], target, atol=2e-4)


def test_purely_discrete_space_too_large_to_enumerate_is_solved():
    space = Space(
        tuple(Int(f"i{j}", 0, 6) for j in range(4)) + tuple(Categorical(f"c{j}", tuple("abcdef")) for j in range(4))
    )
    domain = Domain.compile(space)
    target = domain.sample(1, seed=99)[0]

    def acquisition(X):
        gap = (X[:, 0] - target).abs()
        return -gap[:, :4].sum(-1) - (gap[:, 4:] > 1e-6).to(D).sum(-1)

    best = maximize_acquisition(acquisition, domain, seed=0)
    assert torch.equal(best.X[0], target)


def test_small_discrete_space_is_scored_whole():
    space = Space((Int("a", 0, 30), Categorical("b", tuple("pqrstuv"))))
    domain = Domain.compile(space)
    values = torch.rand(31 * 7, dtype=D, generator=torch.Generator().manual_seed(0))
    grid = domain.grid()

    def table(X):
        return values[(X[:, 0, None] - grid).abs().sum(-1).argmin(1)]

    best = maximize_acquisition(table, domain, seed=0)
    assert best.value == values.max()
    assert torch.equal(best.ranked_values, values.sort(descending=True).values)


def test_several_points_are_placed_together():
    def pair(X):
        apart = (X[:, 0] - X[:, 1]).abs().sum(-1)
        return -((X - 0.5) ** 2).sum((1, 2)) - (apart - 0.4) ** 2

    best = maximize_acquisition(pair, Domain.compile(floats(2)), q=2, seed=0)
    assert best.X.shape == (2, 2)
    assert (best.X[0] - best.X[1]).abs().sum().item() == pytest.approx(0.32, abs=0.01)
    domain = Domain.compile(MIXED)
    acquisition, target = mixed_best(domain)
    both = maximize_acquisition(lambda X: acquisition(X[:, :1]) + acquisition(X[:, 1:]), domain, q=2, seed=0)
    assert torch.allclose(both.X, target.expand(2, -1), atol=0.03)


@pytest.mark.parametrize(
    "space",
    [
        MIXED,
        MIXED.fix({"c": "y", "a": 0.123, "b": 7}),
        MIXED.fix({name: value for name, value in MIXED.decode(np.full((1, 6), 0.3))[0].items() if name != "c"}),
        MIXED.fix(MIXED.decode(np.full((1, 6), 0.3))[0]),
        floats(1),
    ],
)
@pytest.mark.parametrize("q", [1, 2])
def test_results_are_distinct_members_ranked_and_the_same_twice(space, q):
    domain = Domain.compile(space)

    def acquisition(X):
        return ((7 * X).sin() + X).sum((1, 2))

    anchors = domain.sample(2, seed=3)
    first, second = (maximize_acquisition(acquisition, domain, q=q, seed=1, anchors=anchors) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(first.X, first.ranked[0])
    assert first.X.shape == (q, space.dim)
    assert (first.ranked_values.diff() <= 0).all()
    assert torch.allclose(acquisition(first.ranked), first.ranked_values)
    points = first.ranked.reshape(-1, space.dim).numpy()
    assert np.allclose(space.snap(points), points, atol=1e-9)
    rows = {tuple(np.round(row, 6).ravel()) for row in first.ranked.numpy()}
    assert len(rows) == len(first.ranked)


@pytest.mark.parametrize("q", [1, 2])
def test_in_a_box_candidates_climbing_and_moves_stay_inside_and_find_its_best_corner(q):
    lower = torch.tensor([0.3, 0.0, 0.0, 0.0, 0.2, 0.5], dtype=D)
    upper = torch.tensor([0.4, 1.0, 1.0, 1.0, 0.7, 0.5], dtype=D)
    domain = Domain.compile(MIXED).within(lower, upper)
    seen = []

    def acquisition(X):
        seen.append(X.detach())
        return X.sum((1, 2))

    anchors = Domain.compile(MIXED).sample(3, seed=0)
    best = maximize_acquisition(acquisition, domain, q=q, seed=0, anchors=anchors)
    visited = torch.cat([X.reshape(-1, 6) for X in seen])
    assert (visited[:, domain.free] >= lower[domain.free] - 1e-12).all()
    assert (visited[:, domain.free] <= upper[domain.free] + 1e-12).all()
    assert torch.allclose(best.X[:, [0, 5]], upper[[0, 5]].expand(q, -1), atol=1e-6)
    assert (best.X[:, 4] > 0.699).all()
    assert (best.X[:, 1:4] > torch.tensor([0.98, 0.89, 0.83], dtype=D)).all()


def test_values_that_are_not_finite_are_avoided():
    def half(X):
        return torch.where(X[:, 0, 0] < 0.5, X[:, 0].sum(-1), torch.nan)

    best = maximize_acquisition(half, Domain.compile(floats(2)), seed=0)
    assert best.value.isfinite()
    assert best.X[0, 0] < 0.5
    assert best.value > 1.45


def test_work_is_bounded_and_no_global_random_state_is_touched():
    calls = []

    def acquisition(X):
        calls.append(len(X))
        return (20 * X[:, 0]).sin().sum(-1)

    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002 - it is watched
    domain = Domain.compile(floats(4))
    options = Options(n_raw=64, n_local=32, n_restarts=4, max_evaluations=10)
    maximize_acquisition(acquisition, domain, seed=0, anchors=domain.sample(1, seed=0), options=options)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert states[2] == random.getstate()
    assert len(calls) <= 1 + 10 + 1
    assert sum(calls) <= 96 + 40 + 68


def test_every_tensor_is_made_on_the_device_of_the_domain():
    """One made without a device would be on the default one, where here no arithmetic with the domain is possible."""
    with torch.device("meta"):
        domain = Domain.compile(MIXED.fix({"d": 5}), device="cpu")
        anchors = domain.sample(3, seed=0)
        best = maximize_acquisition(lambda X: X.sum((1, 2)), domain, q=2, seed=0, anchors=anchors)
        assert best.X.device == anchors.device


def test_expected_improvement_of_a_fitted_model_is_no_less_than_on_a_fine_grid():
    domain = Domain.compile(floats(2))
    X = domain.sample(12, seed=0)
    Y = -((X - 0.4) ** 2).sum(1, keepdim=True) + 0.1 * (12 * X[:, :1]).sin()
    model = ExactGP().fit(X, Y)

    def acquisition(X):
        mean, sd = model.mean_sd(X[:, 0])
        return log_ei(mean[:, 0], sd[:, 0], Y.max())

    best = maximize_acquisition(acquisition, domain, seed=0, anchors=X[Y.argmax()][None])
    side = torch.linspace(0, 1, 201, dtype=D)
    assert best.value >= acquisition(torch.cartesian_prod(side, side)[:, None]).max() - 1e-6
