"""How a suggestion that was tried before gives way to one that was not.

Two points are duplicates when all discrete values are equal and floats agree within 1e-9 of the cube. In the encoded
columns both are one comparison with the tolerance `same`, `dim`, which is less than a cell in a discrete column.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bbo.space.program import each_on_levels
from bbo.space.region import Region
from bbo.space.sampling import sample

Positions = NDArray[np.float64]

# A space of at most so many points is searched whole for the nearest untried one; a larger one by random moves.
ENUMERABLE = 100_000
_MOVES = 400
_BOXES, _IN_A_BOX, _AT_RANDOM = 5, 16, 512
_MOST_REFUSED = 256  # of what programs find, by tests


def is_tried(x: Positions, tried: Positions, same: Positions) -> bool:
    """Whether the position `x`, `dim`, is a row of `tried`, `n x dim`."""
    return bool(is_same(tried, x, same).any())


def is_same(A: Positions, B: Positions, same: Positions) -> NDArray[np.bool_]:
    """Which rows agree, `n`; either may be a single position."""
    return np.asarray((np.abs(A - B) <= same).all(axis=1))


def replace_tried(
    U: Sequence[Positions],
    tried: Positions,
    same: Positions,
    alternatives: Callable[[], Callable[[Positions, Positions], Iterator[Positions]]],
) -> list[Positions | None]:
    """The rows of `U`, each exchanged for the first of its alternatives when it was tried or stands twice.

    Args:
        alternatives: gives, where it is needed, what gives other positions from a position and all that was tried, the
            best first; they may end.
    Returns:
        a position for each row; None where the alternatives ended.
    """
    seen = np.vstack([tried, *U])
    n = len(tried)
    kept: list[Positions | None] = []
    for x in U:
        y: Positions | None = x
        if is_tried(x, seen[:n], same):
            y = next((y for y in alternatives()(x, seen[:n]) if not is_tried(y, seen[:n], same)), None)
        if y is not None:
            seen[n] = y
            n += 1
        kept.append(y)
    return kept


def grid(blocks: Sequence[Positions]) -> Positions:
    """All points of a finite space, `n x d`, the last parameter changing fastest; positions of each, `n_values x k`."""
    values = np.meshgrid(*(np.arange(len(block)) for block in blocks), indexing="ij")
    return np.hstack([block[k.ravel()] for block, k in zip(blocks, values, strict=True)])


def nearest_of_grid(
    centres: Sequence[Positions],
    is_ordered: Sequence[bool],
    same: Positions,
) -> Callable[..., Iterator[Positions]]:
    """Alternatives in a finite space: the untried point nearest in the cube; unordered levels are 1 apart."""
    sizes = [len(c) for c in centres]

    def alternatives(x: Positions, tried: Positions) -> Iterator[Positions]:
        is_free = np.ones(sizes, dtype=bool)
        levels = [_levels(tried[:, j], c) for j, c in enumerate(centres)]
        on_grid = is_same(np.stack([c[k] for c, k in zip(centres, levels, strict=True)], axis=1), tried, same)
        is_free[tuple(k[on_grid] for k in levels)] = False
        distance = np.zeros(sizes)
        for j, c in enumerate(centres):
            gap = np.abs(c - x[j])
            shape = [1] * len(sizes)
            shape[j] = -1
            distance = distance + (gap**2 if is_ordered[j] else 1.0 * (gap > same[j])).reshape(shape)
        distance[~is_free] = np.inf
        best = int(np.argmin(distance))
        if is_free.flat[best]:
            cell = np.unravel_index(best, sizes)
            yield np.array([c[k] for c, k in zip(centres, cell, strict=True)])

    return alternatives


def nearest_of_list(
    members: Positions, is_ordered: Sequence[bool], same: Positions
) -> Callable[..., Iterator[Positions]]:
    """Alternatives among points, `n x d`: the nearest in the cube; unordered levels are 1 apart."""

    def alternatives(x: Positions, tried: Positions) -> Iterator[Positions]:
        gaps = np.abs(members - x)
        distance = np.where(is_ordered, gaps**2, gaps > same).sum(1)
        yield from members[np.argsort(distance, kind="stable")]

    return alternatives


def random_moves(
    levels: Sequence[int | None],
    is_ordered: Sequence[bool],
    free: Sequence[int],
    snap: Callable[[Positions], Positions],
    rng: np.random.Generator,
) -> Callable[..., Iterator[Positions]]:
    """Alternatives in a large space: one column moved a little, then more columns and further.

    Args:
        levels, is_ordered: of each column; None levels for a continuum.
        free: the columns that may move.
        snap: sends positions, `1 x dim`, to those of the points they decode to.
    """

    def alternatives(x: Positions, tried: Positions) -> Iterator[Positions]:
        for move in range(_MOVES if free else 0):
            y = x.copy()
            for j in rng.choice(free, size=min(len(free), 1 + move // 50), replace=False):
                n = levels[j]
                if n is not None and not is_ordered[j]:
                    y[j] = rng.random()
                else:
                    reach = 1e-3 if n is None else 1.0 / n
                    y[j] = np.clip(y[j] + rng.normal() * reach * 2 ** (move // 25), 0.0, 1.0)
            yield snap(y[None])[0]

    return alternatives


def members_around(
    region: Region, snap: Callable[[Positions], Positions], rng: np.random.Generator
) -> Callable[..., Iterator[Positions]]:
    """Alternatives where columns are bound together: members from ever larger boxes about the point, then many from all
    over, then one of each combination of levels that has any."""

    def alternatives(x: Positions, tried: Positions) -> Iterator[Positions]:
        for box in range(_BOXES):
            reach = 1e-3 * 6.0**box
            U = snap(sample(region.within(x - reach, x + reach), _IN_A_BOX, rng))
            yield from np.unique(U[region.contains(U)], axis=0)
        U = snap(sample(region, _AT_RANDOM, rng))
        yield from U[region.contains(U)]
        for u in islice(each_on_levels(region), len(tried) + _MOST_REFUSED) if region.levels else ():
            U = snap(u[None])
            yield from U[region.contains(U)]

    return alternatives


def members_at_random(region: Region, x: Positions) -> Positions:
    """Some members, those nearest to a position first, by the sum of distances by column."""
    U = sample(region, _AT_RANDOM, np.random.default_rng(0))
    return U[np.argsort(np.abs(U - x).sum(1), kind="stable")]


def _levels(column: Positions, centres: Positions) -> NDArray[np.int64]:
    """The level of each position: the nearest centre."""
    right = np.clip(np.searchsorted(centres, column), 1, max(1, len(centres) - 1))
    if len(centres) == 1:
        return np.zeros(len(column), dtype=np.int64)
    return np.where(column - centres[right - 1] <= centres[right] - column, right - 1, right)
