"""The sums that single points can have, and how many points have each: what points that must differ can make together.

Of a space with few points those count that were not tried. Beside a continuum no two points need have the same place,
so that each row of a pool may stand as often as there are points.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bbo.space.constraints import Linear
from bbo.space.extent import Extent
from bbo.space.fresh import is_same
from bbo.space.region import Positions
from bbo.space.structure import MIDDLE

# Of more points than this, or with more distinct sums, nothing is counted.
MOST_COUNTED = 10_000
_MOST_SUMS = 1_000
_MOST_NODES = 2_000  # no time: else a slow machine would find other points
_OPTIMAL, _INFEASIBLE = 0, 2  # as scipy says it
# Sums are one where they differ by no more than this share of how large they are; and bounds may be missed by so much.
_SAME, _MISSED = 1e-9, 1e-8
_SCALE = 1e3  # of shares in a program, whose rows may be missed by 1e-7


@dataclass(frozen=True)
class Sums:
    """The sums of single points, of k constraints.

    Args:
        values: those that some point has, as shares of how large the sums of each constraint are, `s x k`.
        most: how many points may have each of them, `s`; infinite beside a continuum.
        sizes: how large the sums are, `k`.
    """

    values: Positions
    most: Positions
    sizes: Positions

    @property
    def n_points(self) -> float:
        return float(self.most.sum()) if len(self.most) else 0.0

    def first(self, n: int, low: Positions, high: Positions) -> Positions | None:
        """The sums of one of n points that are within bounds together, `k`, the one nearest to an even share.

        NaN where the program takes too long, and None where there are no such points.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        if self.n_points < n:
            return None
        low, high = low / self.sizes, high / self.sizes
        result = milp(
            np.zeros(len(self.most)),
            integrality=np.ones(len(self.most), dtype=int),
            bounds=Bounds(0.0, np.minimum(self.most, n)),
            constraints=[
                LinearConstraint(np.ones((1, len(self.most))), n, n),
                LinearConstraint(_SCALE * self.values.T, _SCALE * (low - _MISSED), _SCALE * (high + _MISSED)),
            ],
            options={"node_limit": _MOST_NODES},
        )
        if result.status == _INFEASIBLE:
            return None
        if result.x is None:
            return np.full(len(self.sizes), np.nan)
        taken = self.values[result.x > 0.5]
        apart = np.abs(taken - np.clip(taken, low / n, high / n)).sum(1)
        return np.asarray(taken[apart.argmin()] * self.sizes)


def members_of(space: Extent) -> Positions | None:
    """All points of a space that has few, `n x dim`; None of a larger one, and where nothing is left to be chosen."""
    if set(space.names) <= set(space.fixed) or space.n_points is None or space.n_points > MOST_COUNTED:
        return None
    return space.members


def sums_of(space: Extent, constraints: Sequence[Linear], sizes: Positions, X: Positions) -> Sums | None:
    """Of the points of a space that are none of those tried, `n x dim`; None where they are too many to be counted.

    Args:
        sizes: how large the sums of each constraint are, `k`.
    """
    names = list(dict.fromkeys(name for c in constraints for name in c.names))
    U = members_of(space)
    is_counted = U is not None
    if U is not None:
        is_tried = np.zeros(len(U), dtype=bool)
        for x in X:
            is_tried |= is_same(U, x, space.same)
        U = U[~is_tried]
    else:
        U = _rows_alone(space, names)
    if U is None:
        return None
    columns, _ = space.values_at(U, names)
    terms = [[w * np.asarray(columns[name], dtype=float) for name, w in c.coefficients.items()] for c in constraints]
    values = np.array([np.sum(of_one, axis=0) for of_one in terms]).reshape(len(sizes), -1).T / sizes
    _, first, counts = np.unique((values / _SAME).round(), axis=0, return_index=True, return_counts=True)
    if len(first) > _MOST_SUMS:
        return None
    return Sums(values[first], counts.astype(float) if is_counted else np.full(len(first), math.inf), sizes)


def _rows_alone(space: Extent, names: Sequence[str]) -> Positions | None:
    """The rows of a pool that has some columns by itself, `n x dim`; None where others are bound to these."""
    region, wanted = space.region, [space.columns.index(name) for name in names]
    for pool in region.pools:
        at = pool.columns
        is_bound = region.A[:, at].any() or region.E[:, at].any() or any(j in f for f in region.forbidden for j in at)
        if set(wanted) <= set(at.tolist()) and not is_bound:
            U = np.full((len(pool), space.dim), MIDDLE)
            U[:, at] = pool.U
            return U
    return None
