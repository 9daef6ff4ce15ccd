"""Where the points of a space are in the cube, how many there are, and all of them where they are few."""

import math
from functools import cached_property
from typing import Any

import numpy as np

from bbo.space.binding import region_of
from bbo.space.constraints import Constraint
from bbo.space.encoding import Encoding
from bbo.space.fresh import ENUMERABLE, grid
from bbo.space.pool import Pool
from bbo.space.region import Mask, Positions, Region
from bbo.space.values import identity


class Extent(Encoding):
    """What a space has of its parameters, of what is fixed and of the constraints on single points.

    Args:
        constraints: what points have to satisfy; those between points do not count here.
    """

    constraints: tuple[Constraint, ...]

    @cached_property
    def region(self) -> Region:
        """Where its points are in the cube."""
        return region_of(self, self.of_points)

    @cached_property
    def of_points(self) -> tuple[Constraint, ...]:
        """The constraints that each point satisfies by itself."""
        return tuple(c for c in self.constraints if not c.between_points)

    def is_member(self, U: Positions) -> Mask:
        """Which positions of decoded points, `n x dim`, satisfy the constraints, but those between points; `n`."""
        return self.region.contains(U)

    def has_positions(self, U: Positions) -> Mask:
        """Which of any positions, `n x dim`, are of points of the space: `n`."""
        is_on_levels = (np.abs(self.region.on_levels(U) - U) <= self.same).all(1)
        within = U
        if self.is_conditional:  # what is not there may have its place outside
            is_there = np.stack([self.structure.is_there(U, j) for j in range(self.dim)], 1)
            within = np.where(is_there, U, self.region.clipped(U))
        return self.region.is_in_box(within) & is_on_levels & self.is_member(U)

    @cached_property
    def n_points(self) -> int | None:
        """How many points the space has, given what is fixed; None for a continuum.

        Where there are too many to look at each, constraints do not count.
        """
        sizes = self._sizes
        if sizes is None:
            return None
        n = math.prod(sizes)
        is_plain = (self.region.is_box and not self.is_conditional) or (self.is_listed and not self.region.binds)
        return n if is_plain or n > ENUMERABLE else len(self.members)

    @cached_property
    def _sizes(self) -> list[int] | None:
        """How many values what varies has, parameters and pools each by themselves; None for a continuum."""
        free = [
            p.n_values
            for p in self.parameters
            if p.name not in self.fixed and self._may_be_there(p) and not self._is_pooled(p)
        ]
        return None if None in free else [n for n in free if n is not None] + [len(pool) for pool in self.region.pools]

    @property
    def is_enumerable(self) -> bool:
        """Whether `members` has all points."""
        return self.is_listed or (self._sizes is not None and math.prod(self._sizes) <= ENUMERABLE)

    def _is_pooled(self, p: Any) -> bool:
        """Whether a pool has the values of a parameter."""
        return any(p.cells[0].name in c.names for c in self.constraints if isinstance(c, Pool))

    @property
    def is_listed(self) -> bool:
        """Whether all that varies stands in one pool."""
        return len(self.region.pools) == 1 and self._sizes == [len(self.region.pools[0])]

    def _may_be_there(self, p: Any) -> bool:
        """Whether what is fixed leaves room for a parameter."""
        return all(
            self._may_be_there(self.by_name[name])
            and (name not in self.fixed or identity(self.fixed[name]) in map(identity, values))
            for name, values in (p.when or {}).items()
        )

    @property
    def blocks(self) -> list[tuple[list[int], Positions]]:
        """Columns that vary together, of parameters and pools, and positions of all they can have, each `n x k`; of a
        space without a continuum."""
        fixed = {p.name: p.absent for p in self.parameters if not self._may_be_there(p)}
        fixed |= {name: self.position(name, value) for name, value in self.fixed.items()}
        blocks = [(pool.columns.tolist(), pool.U) for pool in self.region.pools]
        p: Any
        for p in self.parameters:
            columns = np.atleast_1d(np.arange(self.dim)[self.at[p.name]]).tolist()
            if p.name in fixed:
                blocks.append((columns, np.reshape(fixed[p.name], (1, -1))))
            elif not self._is_pooled(p):
                own = p.centres() if len(columns) > 1 else self.region.levels[columns[0]]
                blocks.append((columns, own.reshape(-1, len(columns))))
        return sorted(blocks, key=lambda block: block[0])

    @cached_property
    def members(self) -> Positions:
        """All points of a small space without a continuum, or of one that stands in a pool, `n x dim`."""
        columns = [j for at, _ in self.blocks for j in at]
        every = grid([u for _, u in self.blocks])
        U = np.empty((len(every), self.dim))
        U[:, columns] = every
        U = U[self.is_member(U)]
        if not self.is_conditional:
            return U
        _, first = np.unique(self.structure.settled(U).round(12), axis=0, return_index=True)
        return self.structure.settled(U)[np.sort(first)]
