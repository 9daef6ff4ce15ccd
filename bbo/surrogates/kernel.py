"""The Matern-5/2 kernel over columns of the unit cube, categorical columns by Hamming distance and learnt positions.

| symbol | shape | means |
|---|---|---|
| F | n x p | features of X: numeric columns x_j first, maybe warped; a categorical one as indicators of w / sqrt(2) |
| l | d | length scales; all indicators of a column share its own, and all features of a group of an order |
| z | by level, q | positions of the levels of a column, which say how alike they are; 0 where nothing is learnt |
| t | by level, k | where what is known of the levels puts them; all of it has a length scale of its own |
| | by order | features of a permutation's columns, in groups: see `bbo.surrogates.orders` |
| w | | how far apart any two levels of a column are, where 1 is as far as the ends of a range |
| r2 | n x n' | sum of (x_j - x'_j)^2 / l_j^2, or w^2 / l_j^2 + (z - z')^2 where levels differ |

Positions: Zhang, Tao, Chen & Apley, "A latent variable approach to Gaussian process modeling with qualitative and
quantitative factors", Technometrics 62 (2020), Eq. 4; there without the Hamming part.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bbo.space.structure import Order, Structure
from bbo.surrogates import orders
from bbo.surrogates.conditions import Conditions

_POSITION_DIM = 2
# w: as most length scales are alike, it says how much a level is believed to matter beside a number. With 1 a result
# says next to nothing of other levels. On six functions of numbers and categories, 60 trials each, 0.3 was better than
# 1 in 27 of 36 runs and worse in 6, and better than 0.47 (as far as numbers at random) in 37 of 72 and worse in 20.
# What was held out of tables of reactions was foretold as well with 0.2 to 1.
LEVELS_APART = 0.3
# What an indicator is.
_INDICATOR = LEVELS_APART / 2**0.5


@dataclass(frozen=True)
class Columns:
    """What columns mean, and how each becomes features.

    Args:
        width: number of columns of X.
        structure: a categorical column holds (k + 1/2) / n_levels.
        device: where the observations are.
        is_warped: whether numeric columns are warped before they are compared.
        has_positions: whether levels have positions, in columns of three or more; two are as alike as they are.
    """

    width: int
    structure: Structure
    device: torch.device
    is_warped: bool
    has_positions: bool = False

    @property
    def dim(self) -> int:
        """How many length scales there are, d: of columns, then of what is known of levels, then of groups of orders.

        The columns of an order have none of their own.
        """
        return len(self._own) + len(self._spots) + len(self._groups)

    @property
    def orders(self) -> tuple[Order, ...]:
        return self.structure.orders

    @cached_property
    def _own(self) -> list[int]:
        """The columns with a length scale of their own, in order."""
        placed = {j for order in self.orders for j in range(order.start, order.stop)}
        return [j for j in range(self.width) if j not in placed]

    @cached_property
    def _groups(self) -> list[tuple[Order, int]]:
        """Of each group of features the order, and how many there are."""
        return [(order, width) for order in self.orders for width in orders.widths(order)]

    @property
    def are_numbers(self) -> bool:
        """Whether all columns are features as they are."""
        return not (self.categorical or self.orders)

    def scales_of_spots(self, values: Tensor) -> Tensor:
        """Those of what is known of levels, of `m x d`."""
        return values[:, len(self._own) : len(self._own) + len(self._spots)]

    def by_column(self, values: Tensor, of_orders: Sequence[Tensor]) -> Tensor:
        """Values of the columns, `m x width`, from `m x d`; those of an order's columns, `m` each, as given."""
        own = values[:, : len(self._own)]
        if not self.orders:
            return own
        columns = torch.tensor(self._own, dtype=torch.long, device=values.device)
        wide = values.new_empty(len(values), self.width).index_copy(1, columns, own)
        for order, value in zip(self.orders, of_orders, strict=True):
            wide[:, order.at] = value[:, None]
        return wide

    def lengths_of_orders(self, lengths: Tensor) -> list[Tensor]:
        """Of each order, `m`, that of a number that would keep two values as far apart as all its groups do two orders,
        both at random; from `m x d`."""
        of_groups = lengths[:, len(self._own) + len(self._spots) :]
        parts = torch.split(of_groups, [len(orders.widths(order)) for order in self.orders], 1)
        return [part.square().reciprocal().sum(1).rsqrt() for part in parts]

    @cached_property
    @torch.inference_mode(False)  # is kept, and may be needed where autograd looks
    def _spots(self) -> list[tuple[int, Tensor]]:
        """Of each kind of knowledge the column, and where it puts the levels."""
        every = [(j, at) for j, kinds in sorted(self.structure.spots.items()) for at in kinds]
        return [(j, torch.tensor(at, dtype=torch.float64, device=self.device)) for j, at in every]

    @property
    def known_columns(self) -> list[int]:
        """Of each length scale behind those of the columns, the column of whose levels something is known."""
        return [j for j, _ in self._spots]

    @property
    def categorical(self) -> Mapping[int, int]:
        return self.structure.categorical

    @cached_property
    def conditions(self) -> Conditions | None:
        return Conditions.of(self.structure, self.device)

    @property
    def n_numeric(self) -> int:
        """How many features, the first ones, are positions in the cube; the others are indicators."""
        return len(self._numeric)

    @cached_property
    @torch.inference_mode(False)  # is kept, and may be needed where autograd looks
    def owner(self) -> Tensor:
        """Which of the length scales each feature has, `p`."""
        numeric = [self._own.index(j) for j in self._numeric]
        indicators = [self._own.index(j) for j, n_levels in sorted(self.categorical.items()) for _ in range(n_levels)]
        n = len(self._own)
        known = [n + k for k, (_, at) in enumerate(self._spots) for _ in range(at.shape[1])]
        n += len(self._spots)
        placed = [n + k for k, (_, width) in enumerate(self._groups) for _ in range(width)]
        return torch.tensor(numeric + indicators + known + placed, dtype=torch.long, device=self.device)

    @cached_property
    @torch.inference_mode(False)  # is kept, and may be needed where autograd looks
    def numeric(self) -> Tensor:
        """The column of each numeric feature, `n_numeric`."""
        return torch.tensor(self._numeric, dtype=torch.long, device=self.device)

    def features(self, X: Tensor) -> Tensor:
        """From `... x width` to `... x p`; no gradient reaches categorical columns, orders, and what is not there.

        The latter are in the middle: as near to one value as to others, and in one place whatever `X` says.
        """
        if self.conditions is not None:
            X = self.conditions.settled(X)
        if self.are_numbers:
            return X
        blocks = [X[..., self._numeric]]
        for j, n_levels in sorted(self.categorical.items()):
            level = (X[..., j].detach() * n_levels).long().clamp(0, n_levels - 1)
            blocks.append(torch.nn.functional.one_hot(level, n_levels).to(X) * _INDICATOR)
        for j, at in self._spots:
            blocks.append(at.to(X)[(X[..., j].detach() * len(at)).long().clamp(0, len(at) - 1)])
        blocks += [orders.features(X[..., order.at], order) for order in self.orders if orders.widths(order)]
        return torch.cat(blocks, -1)

    def by_feature(self, values: Tensor) -> Tensor:
        """What each feature has of its column, `m x 1 x p`, from `m x d`."""
        return values[:, None] if self.are_numbers else values[:, None, self.owner]

    def parted(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The positions among features, `... x p`, and the others: indicators first."""
        return features[..., : self.n_numeric], features[..., self.n_numeric :]

    def slopes(self, X: Tensor, slopes: Tensor) -> Tensor:
        """Those of numeric features, `m x n x n_numeric`, in their columns at `X`, `n x d`; 0 where one is absent."""
        if self.conditions is None:
            return slopes
        return self.conditions.kept(X, slopes, self.numeric)

    def by_position_in_cube(self, by_numeric: Tensor) -> Tensor:
        """The gradient in X, `b x d`, from that in the numeric features, `b x n_numeric`."""
        if self.are_numbers:
            return by_numeric
        return by_numeric.new_zeros(len(by_numeric), self.width).index_copy(1, self.numeric, by_numeric)

    @property
    def placed_columns(self) -> list[int]:
        """The columns whose levels have positions."""
        return [j for j, n_levels in sorted(self.categorical.items()) if n_levels > 2] if self.has_positions else []

    @property
    def placed_scales(self) -> list[int]:
        """Which of the length scales those columns have."""
        return [self._own.index(j) for j in self.placed_columns]

    @cached_property
    def blocks(self) -> list[tuple[slice, int]]:
        """Of each column whose levels have positions: which of the indicators are its own, and in how many dimensions.

        Two suffice: more than these gained nothing in Zhang et al., section 4.
        """
        if not self.has_positions:
            return []
        counts = [n_levels for _, n_levels in sorted(self.categorical.items())]
        ends = list(itertools.accumulate(counts))
        return [(slice(end - k, end), _POSITION_DIM) for end, k in zip(ends, counts, strict=True) if k > 2]

    @property
    def n_positions(self) -> int:
        """Coordinates of all positions, of a model of one output."""
        return sum((levels.stop - levels.start) * q for levels, q in self.blocks)

    def positions(self, z: Tensor) -> list[Tensor]:
        """The coordinates `b x n_positions` by column, each `b x n_levels x q`."""
        sizes = [(levels.stop - levels.start) * q for levels, q in self.blocks]
        parts = torch.split(z, sizes, 1)
        return [part.reshape(len(part), -1, q) for part, (_, q) in zip(parts, self.blocks, strict=True)]

    def placed(self, indicators: Tensor, z: Tensor) -> Tensor:
        """Where levels are, `b x n x sum of q`, given indicators `n x p` and all coordinates `b x n_positions`."""
        columns = zip(self.blocks, self.positions(z), strict=True)
        return torch.cat([indicators[:, levels] @ (place / _INDICATOR) for (levels, _), place in columns], 2)

    def by_position(self, indicators: Tensor, by_place: Tensor) -> Tensor:
        """The gradient in the coordinates, `b x n_positions`, from that in what `placed` gives."""
        parts = torch.split(by_place, [q for _, q in self.blocks], 2)
        columns = zip(self.blocks, parts, strict=True)
        sums = [indicators[:, levels].mT @ part for (levels, _), part in columns]
        return torch.cat([by_level.flatten(1) / _INDICATOR for by_level in sums], 1)

    @property
    def _numeric(self) -> list[int]:
        return [j for j in self._own if j not in self.categorical]


def squared_distances(A: Tensor, B: Tensor) -> Tensor:
    """`... x n x n'` from rows `... x n x p` and `... x n' x p`; rounding may leave -1e-16 |A||B| where rows agree."""
    return squared_distances_from(beside(A), B)


def beside(A: Tensor) -> Tensor:
    """What `squared_distances` from rows `A` to any others takes of them, `... x n x (p + 2)`."""
    a = (A * A).sum(-1, keepdim=True)
    return torch.cat([-2 * A, a, torch.ones_like(a)], -1)


def squared_distances_from(beside_a: Tensor, B: Tensor) -> Tensor:
    """As `squared_distances`, given `beside(A)`."""
    b = (B * B).sum(-1, keepdim=True)
    r2: Tensor = beside_a @ torch.cat([B, torch.ones_like(b), b], -1).mT
    return r2


class _Matern52(torch.autograd.Function):
    """k(r2) and its slope in r2, which is finite at 0 although that of sqrt is not; differentiated once."""

    @staticmethod
    def forward(ctx: Any, r2: Tensor) -> Tensor:
        k, slope = matern52_and_slope_(r2.clone())
        ctx.save_for_backward(slope)
        return k

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return grad.mul(slope)


def matern52(r2: Tensor) -> Tensor:
    """(1 + a + a^2/3) exp(-a), a = sqrt(5 r2), of any shape. Rasmussen & Williams (2006), Eq. 4.17."""
    return cast(Tensor, _Matern52.apply(r2))  # type: ignore[no-untyped-call]


def matern52_and_slope_(r2: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel, in the memory of `r2`, and dk/dr2 = -(5/6) (1 + a) exp(-a), a = sqrt(5 r2), of any shape."""
    a = r2.clamp_min_(0.0).mul(5.0).sqrt_()
    decay = a.neg().exp_()
    slope = a.add_(1.0).mul_(decay)
    k = r2.mul_(5.0 / 3.0).mul_(decay).add_(slope)
    return k, slope.mul_(-5.0 / 6.0)
