"""What the columns of the cube mean, as far as a model of them needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Where a column that is not there is put.
MIDDLE = 0.5


@dataclass(frozen=True)
class Condition:
    """Another column is at one of some positions.

    Args:
        column: its number.
        positions: of the values that are asked for.
        same: a position that differs by less from one of them is it.
    """

    column: int
    positions: tuple[float, ...]
    same: float


@dataclass(frozen=True)
class Order:
    """Columns that hold the places of items in an order, (place + 1/2) / k of k.

    Args:
        start, stop: the first, and the one behind the last.
        is_cyclic: the first item follows the last.
    """

    start: int
    stop: int
    is_cyclic: bool

    @property
    def at(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def n_items(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Structure:
    """Of the columns that are not just numbers which are always there.

    Args:
        categorical: number of levels by column, for columns whose levels have no order.
        conditions: by column, all of what must hold for it to be there, the conditions of those others too.
        absent: by such column, the position that stands for its being absent.
        spots: by categorical column of whose levels something is known, where that puts them, each `n_levels x k`;
            of one kind of knowledge or several.
        orders: columns that are the places of items.
    """

    categorical: Mapping[int, int] = field(default_factory=dict)
    conditions: Mapping[int, tuple[Condition, ...]] = field(default_factory=dict)
    absent: Mapping[int, float] = field(default_factory=dict)
    spots: Mapping[int, tuple[NDArray[np.float64], ...]] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()

    @property
    def apart(self) -> dict[int, int]:
        """Number of values by column, where no two of them are near each other: levels without order, and places."""
        return {**self.categorical, **{j: o.n_items for o in self.orders for j in range(o.start, o.stop)}}

    def settled(self, U: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions, `n x d`, with the columns that are not there where such a column is."""
        U = U.copy()
        for j in self.conditions:
            U[~self.is_there(U, j), j] = self.absent[j]
        return U

    def is_there(self, U: NDArray[np.float64], j: int) -> NDArray[np.bool_]:
        """Whether column j is there at positions `U`, `n x d`: `n`."""
        holds = np.ones(len(U), dtype=bool)
        for c in self.conditions.get(j, ()):
            holds &= np.abs(U[:, c.column, None] - np.array(c.positions)).min(1) <= c.same
        return holds
