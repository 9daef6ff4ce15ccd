"""Columns of candidates that hold the places of items: orders made whole, and moves from one order to others.

An item at place i of k, from 0, has the position (i + 1/2) / k.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def columns_of(orders: Sequence[slice]) -> list[int]:
    return [j for at in orders for j in range(at.start, at.stop)]


def in_order(X: Tensor, at: slice) -> Tensor:
    """Candidates `... x d` with the items in the order of their positions, each at its place."""
    place = X[..., at].argsort(dim=-1, stable=True).argsort(dim=-1, stable=True)
    return _with(X, at, _positions(X, place))


def in_every_order(X: Tensor, at: slice) -> Tensor:
    """Each of the candidates `n x d` in all orders, `n k! x d`."""
    k = at.stop - at.start
    every = torch.tensor(list(itertools.permutations(range(k))), dtype=torch.long, device=X.device)
    place = every.repeat(len(X), 1)
    return _with(X.repeat_interleave(len(every), 0), at, _positions(X, place))


def reordered(X: Tensor, at: slice, table: Tensor) -> Tensor:
    """Candidates `... x d` after each of some moves, `... x M x d`.

    Args:
        table: where a move takes each place, `M x k`.
    """
    place = (X[..., at] * table.shape[1]).long().clamp(0, table.shape[1] - 1)
    moved = table[:, place].movedim(0, -2)
    return _with(X[..., None, :].expand(*moved.shape[:-1], -1), at, _positions(X, moved))


def reorderings(k: int, most: int) -> NDArray[np.int64]:
    """Where moves take each of k places, `M x k`: two items exchanged, one put elsewhere, a stretch turned around.

    Of more than `most` an even part. Lin, "Computer solutions of the traveling salesman problem", Bell Syst. Tech. J.
    44 (1965).
    """
    own = list(range(k))
    moves: dict[tuple[int, ...], None] = {}
    for i, j in itertools.combinations(range(k), 2):
        stretch = own[i : j + 1]
        for turned in (stretch[::-1], [j, *own[i + 1 : j], i], [j, *stretch[:-1]], [*stretch[1:], i]):
            moves[tuple(own[:i] + turned + own[j + 1 :])] = None
    every = np.array(list(moves), dtype=np.int64)
    return every[np.unique(np.linspace(0, len(every) - 1, min(len(every), most)).round().astype(np.int64))]


def _positions(like: Tensor, place: Tensor) -> Tensor:
    return (place.to(like) + 0.5) / place.shape[-1]


def _with(X: Tensor, at: slice, positions: Tensor) -> Tensor:
    return torch.cat([X[..., : at.start], positions, X[..., at.stop :]], -1)
