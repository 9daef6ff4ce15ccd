"""The sums that single points can have, and how many points have each: what points that differ can make together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bbo.space.constraints import Linear
from bbo.space.extent import Extent
from bbo.space.fresh import is_same
from bbo.space.region import Positions

# Of more points than this, or with more distinct sums, nothing is counted.
MOST_COUNTED = 10_000
_MOST_SUMS = 1_000
_MOST_WORK = 50_000  # nodes times sums, no time: else a slow machine would find other points
_OPTIMAL, _INFEASIBLE = 0, 2  # as scipy says it
# Sums are one where they differ by no more than this share of how large they are; and bounds may be missed by so much.
_SAME, _MISSED = 1e-9, 1e-8
_SCALE = 1e3  # of shares in a program, whose rows may be missed by 1e-7


@dataclass(frozen=True)
class Sums:
    """The sums of single points, of k constraints.

    Args:
        values: those that some point has, as shares of how large the sums of each constraint are, `s x k`.
        most: how many points have each of them, `s`.
        sizes: how large the sums are, `k`.
    """

    values: Positions
    most: Positions
    sizes: Positions

    @property
    def n_points(self) -> int:
        return int(self.most.sum())

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
            options={"node_limit": _MOST_WORK // len(self.most)},
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
    U = members_of(space)
    if U is None:
        return None
    is_tried = np.zeros(len(U), dtype=bool)
    for x in X:
        is_tried |= is_same(U, x, space.same)
    U = U[~is_tried]
    names = list(dict.fromkeys(name for c in constraints for name in c.names))
    columns, _ = space.values_at(U, names)
    terms = [[w * np.asarray(columns[name], dtype=float) for name, w in c.coefficients.items()] for c in constraints]
    values = np.array([np.sum(of_one, axis=0) for of_one in terms]).reshape(len(sizes), -1).T / sizes
    _, first, counts = np.unique((values / _SAME).round(), axis=0, return_index=True, return_counts=True)
    if len(first) > _MOST_SUMS:
        return None
    return Sums(values[first], counts.astype(float), sizes)
