import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.acquisition.domain import Domain
from bbo.space import Categorical, Float, Int, Ordinal, Space

D = torch.float64
MIXED = Space(
    (
        Float("a", -1.0, 3.0),
        Int("b", 1, 12),
        Categorical("c", ("x", "y", "z")),
        Float("d", 1e-4, 1.0, log=True),
        Ordinal("e", (1, 4, 9)),
        Float("f", 0.0, 1.0, step=0.25),
        Int("g", 1, 300, log=True),
        Int("h", 0, 50_000),
        Int("i", 1, 20_000, log=True),
    )
)
SPACES = [
    MIXED,
    MIXED.fix({"c": "y", "a": 0.5, "g": 17, "h": 5}),
    Space((Float("a", 0.0, 1.0), Float("b", 0.0, 1.0))),
    Space((Int("a", 0, 3), Categorical("b", ("p", "q")))),
    Space((Int("a", 0, 3), Categorical("b", ("p", "q")))).fix({"a": 2, "b": "q"}),
]


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_snapping_gives_positions_of_members(space, seed):
    X = Domain.compile(space).snap(3 * uniform(20, space.dim, seed=seed) - 1)
    assert np.allclose(space.snap(X.numpy()), X.numpy(), atol=1e-9)
    assert ((X >= 0) & (X <= 1)).all()


def test_snapping_equals_that_of_the_space_where_cells_are_even():
    space = Space(tuple(p for p in MIXED.parameters if not getattr(p, "log", False)))
    X = uniform(200, space.dim)
    assert np.allclose(space.snap(X.numpy()), Domain.compile(space).snap(X).numpy(), atol=1e-12)


def test_snapping_takes_any_batch_shape_and_is_idempotent():
    domain = Domain.compile(MIXED)
    X = domain.snap(uniform(4, 3, MIXED.dim))
    assert X.shape == (4, 3, MIXED.dim)
    assert torch.allclose(domain.snap(X), X, atol=1e-14)
    assert torch.equal(domain.snap(X[0]), domain.snap(X)[0])


@pytest.mark.parametrize("space", SPACES)
def test_samples_are_members_and_the_same_for_the_same_seed(space):
    domain = Domain.compile(space)
    X = domain.sample(37, seed=5)
    assert X.shape == (37, space.dim)
    assert torch.equal(X, Domain.compile(space).sample(37, seed=5))
    assert np.allclose(space.snap(X.numpy()), X.numpy(), atol=1e-9)


def test_samples_are_spread_over_levels_evenly():
    domain = Domain.compile(Space((Int("a", 0, 3), Categorical("b", ("p", "q")))))
    levels = domain.levels(domain.sample(64, seed=0))
    assert torch.bincount(levels[:, 0]).tolist() == [16] * 4
    assert torch.bincount(levels[:, 1]).tolist() == [32] * 2


def test_neighbours_differ_in_one_discrete_column_and_reach_all_other_choices():
    domain = Domain.compile(MIXED)
    X = domain.sample(6, seed=1)
    moved = domain.neighbours(X)
    assert moved.shape == (6, domain.n_moves, MIXED.dim)
    changed = (moved - X[:, None]).abs() > 1e-12
    assert (changed.sum(-1) <= 1).all()
    assert not changed[..., [0, 3, 7, 8]].any()
    column = MIXED.names.index("c")
    for x, around in zip(X, moved, strict=True):
        reached = {round(v, 6) for v in around[:, column].tolist()}
        assert len(reached) == 3
        assert round(x[column].item(), 6) in reached


@pytest.mark.parametrize(("n_columns", "n_each"), [(5, 39), (20, 25), (400, 4)])
def test_of_many_categories_each_has_fewer_moves(n_columns, n_each):
    levels = tuple(f"l{k}" for k in range(40))
    domain = Domain.compile(Space(tuple(Categorical(f"c{k}", levels) for k in range(n_columns))))
    assert domain.n_moves == n_columns * n_each


def test_a_grid_of_more_points_than_a_float_can_count_is_one():
    assert Domain.compile(Space(tuple(Int(f"i{k}", 0, 99) for k in range(160)))).n_points == 100**160


def test_inside_are_the_points_that_lie_in_the_box():
    domain = Domain.compile(SPACES[2]).within(torch.tensor([0.2, 0.0], dtype=D), torch.tensor([0.6, 1.0], dtype=D))
    X = torch.tensor([[0.2, 0.0], [0.6, 1.0], [0.19, 0.5], [0.61, 0.5]], dtype=D)
    assert torch.equal(domain.inside(X), X[:2])


def test_neighbours_of_an_ordered_column_include_both_adjacent_levels():
    domain = Domain.compile(Space((Int("a", 0, 9),)))
    levels = domain.levels(domain.neighbours(torch.tensor([[0.55]], dtype=D)))
    assert {4, 6} <= set(levels.flatten().tolist())
    assert domain.levels(domain.neighbours(torch.tensor([[0.99]], dtype=D))).max() == 9


def test_fixed_columns_never_move():
    space = MIXED.fix({"c": "y", "b": 3})
    domain = Domain.compile(space)
    expected = space.encode([MIXED.decode(np.full((1, 9), 0.5))[0] | {"c": "y", "b": 3}])[0]
    for X in (domain.sample(8, seed=0), domain.neighbours(domain.sample(8, seed=0))):
        assert (X[..., 2] == expected[2]).all()
        assert (X[..., 1] == expected[1]).all()


def test_grid_has_every_point_once():
    space = Space((Int("a", 0, 3), Categorical("b", ("p", "q")), Ordinal("c", (1, 2, 5))))
    domain = Domain.compile(space)
    assert domain.n_points == 24
    assert len({tuple(p.values()) for p in space.decode(domain.grid().numpy())}) == 24
    fixed = Domain.compile(space.fix({"a": 2, "b": "p", "c": 5}))
    assert fixed.n_points == 1
    assert space.decode(fixed.grid().numpy()) == [{"a": 2, "b": "p", "c": 5}]
    assert Domain.compile(MIXED).n_points is None


def box(domain, seed=0):
    """Corners somewhere in the domain, at least 0.05 apart."""
    a, b = uniform(2, domain.dim, seed=seed)
    return a.minimum(b) * 0.9, a.maximum(b) * 0.9 + 0.05


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("seed", range(10))
def test_within_a_box_all_is_members_of_the_space_inside_the_box(space, seed):
    whole = Domain.compile(space)
    lower, upper = box(whole, seed)
    domain = whole.within(lower, upper)
    X = torch.cat([domain.sample(40, seed), domain.snap(3 * uniform(40, space.dim, seed=seed) - 1)])
    assert np.allclose(space.snap(X.numpy()), X.numpy(), atol=1e-9)
    free = domain.free
    is_coarse = torch.zeros(space.dim, dtype=torch.bool)
    for j in (grid.column for grid in domain.fine):
        values = whole.snap(torch.linspace(0, 1, 400_001, dtype=D)[:, None].expand(-1, space.dim))[:, j]
        is_coarse[j] = not ((values >= lower[j]) & (values <= upper[j])).any()
    free = free[~is_coarse[free]]
    assert (X[:, free] >= lower[free] - 1e-12).all()
    assert (X[:, free] <= upper[free] + 1e-12).all()
    others = torch.ones(space.dim, dtype=torch.bool)
    others[whole.free] = False
    assert torch.equal(domain.snap(X)[:, others], whole.snap(X)[:, others])


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("seed", range(5))
def test_points_beside_another_are_members_close_to_it_with_its_levels(space, seed):
    whole = Domain.compile(space)
    x = whole.sample(8, seed)[5]
    domain = whole.beside(x, 0.05)
    X = torch.cat([domain.sample(40, seed), domain.snap(uniform(40, space.dim, seed=seed))])
    assert np.allclose(space.snap(X.numpy()), X.numpy(), atol=1e-9)
    assert ((X - x).norm(dim=1) <= 0.05 + 1e-9).all()
    others = torch.ones(space.dim, dtype=torch.bool)
    others[whole.free] = False
    assert (X[:, others] == x[others]).all()
    assert domain.n_moves == 0
    if len(whole.free):
        assert ((X - x).abs().amax(0)[whole.free] > 0.005).all()


@pytest.mark.parametrize("distance", [1e-4, 1e-3, 0.02, 0.2])
def test_a_point_of_a_fine_grid_has_others_beside_it_where_levels_are_so_close(distance):
    uneven, even = Int("i", 1, 20_000, log=True), Int("h", 0, 50_000)
    for p in (uneven, even):
        centres = torch.tensor(p.centres(), dtype=D)
        numbers = torch.cat([torch.arange(40), torch.arange(40, len(centres), 997), torch.tensor([len(centres) - 1])])
        x = centres[numbers]
        apart = (x[:, None] - centres).abs()
        expected = ((apart > 1e-12) & (apart <= distance)).any(1)
        domain = Domain.compile(Space((p,)))
        assert torch.equal(domain.has_beside(x[:, None], distance), expected)
        for k in expected.nonzero()[:3, 0].tolist():
            X = domain.beside(x[k : k + 1], distance).sample(64, seed=k)
            assert (x[k] != X).any()
        both = Domain.compile(Space((p, Float("a", 0.0, 1.0))))
        assert both.has_beside(torch.stack([x, x], 1), distance).all()
    coarse = Domain.compile(Space((Int("a", 0, 9), Categorical("b", ("p", "q")))))
    assert not coarse.has_beside(coarse.sample(9, 0), distance).any()


def test_a_fine_grid_without_a_level_in_the_box_keeps_the_one_at_its_middle():
    whole = Domain.compile(Space((Int("h", 0, 50_000), Int("i", 1, 20_000, log=True))))
    middle = torch.tensor([0.4, 0.05], dtype=D)
    domain = whole.within(middle - 1e-7, middle + 1e-7)
    X = domain.snap(uniform(20, 2))
    assert torch.equal(X, whole.snap(middle[None]).expand(20, -1))


def test_samples_fill_the_box():
    whole = Domain.compile(SPACES[2])
    lower, upper = torch.tensor([0.2, 0.7], dtype=D), torch.tensor([0.3, 0.9], dtype=D)
    X = whole.within(lower, upper).sample(64, seed=0)
    assert torch.allclose(X.amin(0), lower, atol=0.01)
    assert torch.allclose(X.amax(0), upper, atol=0.01)


def test_a_box_in_a_box_is_their_common_part_and_the_first_stays():
    whole = Domain.compile(SPACES[2])
    first = whole.within(torch.tensor([0.1, 0.1], dtype=D), torch.tensor([0.6, 0.6], dtype=D))
    second = first.within(torch.tensor([0.3, -1.0], dtype=D), torch.tensor([0.9, 0.4], dtype=D))
    assert (second.lower.tolist(), second.upper.tolist()) == ([0.3, 0.1], [0.6, 0.4])
    assert (first.lower.tolist(), whole.lower.tolist()) == ([0.1, 0.1], [0.0, 0.0])


def test_an_empty_box_is_refused():
    whole = Domain.compile(SPACES[2])
    with pytest.raises(ValueError, match="column 1: it goes from 1.2"):
        whole.within(torch.tensor([0.1, 1.2], dtype=D), torch.tensor([0.6, 1.3], dtype=D))
    with pytest.raises(ValueError, match="2 columns"):
        whole.within(torch.zeros(3, dtype=D), torch.ones(3, dtype=D))
