"""The rows of a pool in the optimizer: the best of all, though only a part of many is looked at."""

import numpy as np
import pandas as pd
import pytest
import torch

from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import Options, maximize_acquisition
from bbo.space import Categorical, Float, Linear, Pool, Space

D = 4


def listed(n, seed=0, parameters=()):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.random((n, D)), columns=[f"x{k}" for k in range(D)])
    return Space([*(Float(f"x{k}", 0.0, 1.0) for k in range(D)), *parameters], [Pool(table)])


def bumps(seed):
    """A smooth function with several maxima, from `b x q x d` to `b`."""
    rng = np.random.default_rng(seed)
    centres = torch.tensor(rng.random((6, D)), dtype=torch.float64)
    heights = torch.tensor(rng.random(6), dtype=torch.float64)

    def value(X):
        apart = (X[..., 0, None, :D] - centres).square().sum(-1)
        return (heights * (-8 * apart).exp()).sum(-1)

    return value


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_many_rows_is_found_from_a_part_of_them(seed):
    domain = Domain.compile(listed(40_000, seed))
    f = bumps(seed)
    found = maximize_acquisition(f, domain, seed=seed, options=Options(n_listed=1000, n_beside=100))
    every = f(domain.pools[0].U[:, None])
    assert float(found.value) == float(every.max())
    assert (found.ranked_values[:-1] >= found.ranked_values[1:]).all()
    assert torch.cdist(found.ranked[:, 0], domain.pools[0].U).amin(1).max() < 1e-6


def test_of_few_rows_all_are_ranked():
    domain = Domain.compile(listed(300))
    f = bumps(1)
    found = maximize_acquisition(f, domain, seed=0)
    every, _ = f(domain.pools[0].U[:, None]).sort(descending=True)
    assert torch.equal(found.ranked_values, every)


def test_points_are_at_rows_whatever_else_moves():
    space = listed(500, parameters=(Float("t", 0.0, 1.0), Categorical("c", ["u", "v", "w"])))
    space = Space(space.parameters, [*space.constraints, Linear({"x0": 1, "t": 1}, upper=1.2)])
    domain = Domain.compile(space)
    f = bumps(2)
    target = maximize_acquisition(lambda X: f(X) - (X[:, 0, D] - 0.35).square() + X[:, 0, D + 1] / 9, domain, seed=3)
    points = space.decode(target.ranked[:, 0].numpy())
    assert all(point in space for point in points)
    assert points[0]["t"] == pytest.approx(0.35, abs=1e-3)
    assert points[0]["c"] == "w"
    rows = domain.pools[0].U
    allowed = rows[rows[:, 0] + 0.35 <= 1.2 + 1e-6]
    assert float(f(target.X[None])) == pytest.approx(float(f(allowed[:, None]).max()), rel=0.02)
    moved = domain.neighbours(target.X)
    assert moved.shape == (1, domain.n_moves, space.dim)
    assert (torch.cdist(moved[0, :, :D], rows).amin(1) < 1e-6).all()
    snapped = domain.snap(torch.rand(20, space.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    assert (torch.cdist(snapped[:, :D], rows).amin(1) < 1e-6).all()


def test_three_points_of_a_pool_are_sought_together():
    domain = Domain.compile(listed(200))
    f = bumps(4)
    found = maximize_acquisition(lambda X: sum(f(X[:, [k]]) * (k + 1) for k in range(3)), domain, q=3, seed=0)
    best = f(domain.pools[0].U[:, None]).max()
    assert float(found.value) >= 6 * 0.98 * float(best)
