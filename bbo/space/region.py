"""The part of the unit cube that is a space: which positions are points of it.

| symbol | shape | is |
|---|---|---|
| U | n x d | positions |
| A, b | k x d, k | A u <= b, of the linear constraints |
| E, e | k x d, k | E u = e, of the totals of simplices, which come first, and of equalities |

Points are drawn by `bbo.space.sampling`, and members found by `bbo.space.program`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bbo.space.candidates import Candidates
from bbo.space.constraints import SLACK
from bbo.space.permutation import in_order

Positions = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Mixture:
    """Columns that are the amounts of one simplex.

    Args:
        columns: the first, and the one behind the last.
        n_present: how many parts may be above 0.
        least, most: positions of its bounds, `k`.
        none: positions of amounts of 0, `k`.
    """

    columns: tuple[int, int]
    n_present: int
    least: Positions
    most: Positions
    none: Positions

    @property
    def at(self) -> slice:
        return slice(*self.columns)

    @property
    def is_sparse(self) -> bool:
        return self.n_present < len(self.least)


@dataclass(frozen=True)
class Region:
    """Where the points of a space are.

    Args:
        lower, upper: the box, `d`; equal where a column is fixed.
        levels: positions of the levels of each discrete column.
        A, b, E, e: see above.
        mixtures: the simplices.
        tests: of whole points, from `n x d` to `n`, each behind what it asks in words.
        forbidden: positions of levels that do not go together, by discrete column; what tests say too.
        orders: columns that hold the places of items, as ranks.
        pools: of columns that are neither among `levels` nor in `orders`, what they may be together.
        is_part: whether columns that are not given vary in a part of the cube.
        most_tried: among so many points at random some must satisfy the tests; fewer where a test is slow.
        branches: regions that together are this one, where more equalities hold in some than in others.
        switches: discrete columns of which each branch has some levels.
        share: of the levels of these columns together, those of a branch.
    """

    lower: Positions
    upper: Positions
    levels: Mapping[int, Positions]
    A: Positions
    b: Positions
    E: Positions
    e: Positions
    mixtures: tuple[Mixture, ...] = ()
    tests: tuple[tuple[str, Callable[[Positions], Mask]], ...] = ()
    forbidden: tuple[Mapping[int, Sequence[float]], ...] = ()
    orders: tuple[slice, ...] = ()
    pools: tuple[Candidates, ...] = ()
    is_part: bool = False
    most_tried: int = 100_000
    branches: tuple["Region", ...] = ()
    switches: tuple[int, ...] = ()
    share: float = 1.0

    @property
    def parts(self) -> tuple["Region", ...]:
        """Its branches, or itself."""
        return self.branches or (self,)

    @property
    def dim(self) -> int:
        return len(self.lower)

    @property
    def is_box(self) -> bool:
        """Whether every column that is not given varies over all of its axis, whatever the others are."""
        return not (self.binds or self.pools or self.is_part)

    @property
    def binds(self) -> bool:
        """Whether something beside its box and pools decides what is in it."""
        return bool(len(self.A) or len(self.E) or self.tests)

    @cached_property
    def is_continuous(self) -> Mask:
        """Columns that vary in a continuum, `d`."""
        listed = [*self.discrete, *(j for pool in self.pools for j in pool.columns.tolist())]
        return (self.upper > self.lower) & ~np.isin(np.arange(self.dim), listed)

    @property
    def discrete(self) -> list[int]:
        """Columns with levels, then those of orders."""
        return [*self.levels, *(j for at in self.orders for j in range(at.start, at.stop))]

    def within(self, lower: Positions, upper: Positions) -> "Region":
        """Those with the continuous columns within a box as well, but for columns that lie outside of it: what is not
        there has a place that may be none of its own."""
        low, high = np.maximum(self.lower, lower), np.minimum(self.upper, upper)
        is_cut = self.is_continuous & (low <= high)
        low, high = np.where(is_cut, low, self.lower), np.where(is_cut, high, self.upper)
        return replace(self, lower=low, upper=high, branches=tuple(b.within(lower, upper) for b in self.branches))

    def given(self, columns: Sequence[int], positions: Positions) -> "Region":
        """Those with these columns at these positions; of an order all of them."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[list(columns)] = upper[list(columns)] = positions
        levels = {j: centres for j, centres in self.levels.items() if j not in columns}
        orders = tuple(at for at in self.orders if at.start not in columns)
        pools = tuple(pool.given(columns, positions) for pool in self.pools)
        branches = self.branches
        for j, u in zip(columns, positions.tolist(), strict=True) if branches else ():
            # Where a switch is absent itself it has no level, and tells no branches apart.
            branches = tuple(b for b in branches if b._has(j, u)) or branches if j in self.switches else branches
        branches = tuple(b.given(columns, positions) for b in branches)
        return replace(self, lower=lower, upper=upper, levels=levels, orders=orders, pools=pools, branches=branches)

    def _has(self, j: int, u: float) -> bool:
        """Whether a discrete column may be at a position."""
        return bool(np.abs(self.levels.get(j, self.lower[[j]]) - u).min() <= SLACK)

    def contains(self, U: Positions, slack: float = SLACK) -> Mask:
        """Which positions satisfy what binds columns together, `n`."""
        is_below = U @ self.A.T - self.b <= slack * self._scales(self.A, self.b)
        is_in: Mask = np.asarray(is_below.all(axis=1))
        is_in &= (np.abs(U @ self.E.T - self.e) <= slack * self._scales(self.E, self.e)).all(axis=1)
        for mixture in self.mixtures:
            if mixture.is_sparse:
                present = (U[:, mixture.at] > mixture.none + slack).sum(1)
                is_in &= present <= mixture.n_present
        for pool in self.pools:
            is_in[is_in] = pool.find(U[is_in]) >= 0
        for _, accepts in self.tests:
            is_in[is_in] = accepts(U[is_in])
        return is_in

    @staticmethod
    def _scales(A: Positions, b: Positions) -> Positions:
        scales: Positions = np.abs(A).sum(1) + np.abs(b)
        return scales

    def clipped(self, U: Positions) -> Positions:
        """Positions within the box."""
        return np.clip(U, self.lower, self.upper)

    def is_in_box(self, U: Positions) -> Mask:
        """Which positions, `n x d`, lie in the box: `n`."""
        is_in: Mask = np.asarray(((self.lower - _ROUNDING <= U) & (self.upper + _ROUNDING >= U)).all(axis=1))
        return is_in

    def on_levels(self, U: Positions) -> Positions:
        """Positions with discrete columns at their nearest levels, items at whole places, and pools at rows."""
        U = U.copy()
        for j, centres in self.levels.items():
            U[:, j] = centres[np.abs(centres[:, None] - U[:, j]).argmin(0)]
        for at in self.orders:
            U[:, at] = in_order(U[:, at])
        for pool in self.pools:
            if len(pool):
                U[:, pool.columns] = pool.U[pool.nearest(U)]
        return U
