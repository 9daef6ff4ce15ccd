"""A space compiled once to tensors, so that candidates are made, moved and snapped where they are scored.

Positions are those of the space's encoding, `... x d`. Columns are of five kinds: fixed ones; discrete ones with a
table of the positions of their levels; those of a pool, which are at one of its rows; those of orders, see
`bbo.acquisition.reorder`; and the others, which vary freely. A discrete column with more than 1000 ordered levels
counts among the others and is snapped by formula. What binds columns together, totals and linear constraints, is kept
by projection where only columns bound are moved, and is else a test.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.stats import qmc
from torch import Tensor

from bbo.acquisition.bound import Bound
from bbo.acquisition.reorder import columns_of, in_every_order, in_order, reordered, reorderings
from bbo.acquisition.rows import Rows
from bbo.space import Int, Parameter, Permutation, Space
from bbo.space.sampling import sample
from bbo.surrogates.conditions import Conditions
from bbo.surrogates.lbfgs import Bounds, Box

_TABLED = 1000
# Other levels of an unordered column that one move may reach; more are visited by the raw candidates alone.
_MOST_MOVES, _FEWEST_MOVES, _MOST_IN_ALL = 64, 4, 512


@dataclass(frozen=True)
class FineGrid:
    """A free column whose values are whole numbers of many: equal cells, or on a logarithmic axis ever narrower ones.

    Args:
        column: its number.
        first, last: the numbers of its cells, from one to the other.
        edges: logarithms of where the first cell begins and the last one ends, where they are not equal.
    """

    column: int
    first: int
    last: int
    edges: tuple[float, float] | None

    @staticmethod
    def of(column: int, parameter: Parameter) -> "FineGrid":
        if isinstance(parameter, Int) and parameter.log:
            edges = (math.log(parameter.low - 0.5), math.log(parameter.high + 0.5))
            return FineGrid(column, parameter.low, parameter.high, edges)
        assert parameter.n_levels is not None
        return FineGrid(column, 0, parameter.n_levels - 1, None)

    def cell(self, u: Tensor) -> Tensor:
        """Number of the cell that a position lies in."""
        if self.edges is None:
            k = (u * (self.last + 1)).floor()
        else:
            low, high = self.edges
            k = (low + u * (high - low)).exp().round()
        return k.clamp(self.first, self.last)

    def centre(self, k: Tensor) -> Tensor:
        """Position of what stands for a cell."""
        if self.edges is None:
            return (k + 0.5) / (self.last + 1)
        low, high = self.edges
        return (k.log() - low) / (high - low)

    def nearest(self, u: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """Where positions lie once rounded.

        Only cells with their centre between `lower` and `upper` are taken, or else the one at the middle of them.
        """
        first, last, middle = self.cell(lower), self.cell(upper), self.cell((lower + upper) / 2)
        first = torch.where(self.centre(first) < lower, first + 1, first)
        last = torch.where(self.centre(last) > upper, last - 1, last)
        is_empty = first > last
        k = self.cell(u).clamp(torch.where(is_empty, middle, first), torch.where(is_empty, middle, last))
        return self.centre(k)

    def has_within(self, u: Tensor, distance: float) -> Tensor:
        """Whether a point of the grid, at position `u`, has another one at most so far away."""
        k = self.cell(u)
        beside = torch.stack([k - 1, k + 1])
        is_there = (beside >= self.first) & (beside <= self.last)
        near = (self.centre(beside.clamp(self.first, self.last)) - u).abs() <= distance
        return (is_there & near).any(0)


@dataclass(frozen=True)
class Domain:
    """Where candidates may lie. `Domain.compile` makes one, `within` a part of one.

    Args:
        dim: number of columns, d.
        free: columns that vary in a continuum, fine grids included.
        discrete: columns with a table of levels, `k`.
        centres: positions of their levels, `k x L`; rows with fewer are filled with their last.
        n_levels, is_ordered: of the discrete columns, `k`.
        orders: columns that hold the places of items.
        fixed, positions: columns that are given, and where.
        fine: the free columns that are grids.
        lower, upper: the box of the free columns, `d`; 0 and 1 in the others.
        bound: what binds columns together; None in a box.
        conditions: under which columns are there; None where all always are.
        pools: what columns may be together that are of no other kind.
    """

    dim: int
    free: Tensor
    discrete: Tensor
    centres: Tensor
    n_levels: Tensor
    is_ordered: Tensor
    fixed: Tensor
    positions: Tensor
    fine: tuple[FineGrid, ...]
    lower: Tensor
    upper: Tensor
    bound: Bound | None = None
    conditions: Conditions | None = None
    pools: tuple[Rows, ...] = ()
    orders: tuple[slice, ...] = ()

    @staticmethod
    def compile(space: Space, device: torch.device | str = "cpu") -> "Domain":
        free, tables, ordered, fine = [], {}, [], []
        listed = [j for pool in space.region.pools for j in pool.columns.tolist()]
        for j, p in enumerate(space.owners):
            if p.name in space.fixed or j in listed or isinstance(p, Permutation):
                continue
            if p.n_levels is None:
                free.append(j)
            elif p.is_ordered and p.n_levels > _TABLED:
                free.append(j)
                fine.append(FineGrid.of(j, p))
            else:
                tables[j] = space.region.levels[j]
                ordered.append(p.is_ordered)
        given = space.encode([{**space.decode(np.full((1, space.dim), 0.5))[0], **space.fixed}])[0]
        fixed = [j for j, p in enumerate(space.owners) if p.name in space.fixed]
        longest = max(map(len, tables.values()), default=1)
        padded = [np.pad(c, (0, longest - len(c)), mode="edge") for c in tables.values()]

        def column(values: object, dtype: torch.dtype) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        return Domain(
            dim=space.dim,
            free=column(free, torch.long),
            discrete=column(list(tables), torch.long),
            centres=column(np.array(padded).reshape(-1, longest), torch.float64),
            n_levels=column([len(c) for c in tables.values()], torch.long),
            is_ordered=column(ordered, torch.bool),
            fixed=column(fixed, torch.long),
            positions=column(given[fixed], torch.float64),
            fine=tuple(fine),
            lower=column(np.where(np.isin(range(space.dim), free), space.region.lower, 0.0), torch.float64),
            upper=column(np.where(np.isin(range(space.dim), free), space.region.upper, 1.0), torch.float64),
            bound=None if space.region.is_box else Bound.of(space.region, device),
            conditions=Conditions.of(space.structure, device),
            pools=tuple(Rows.of(pool, device) for pool in space.region.pools),
            orders=space.region.orders,
        )

    def within(self, lower: Tensor, upper: Tensor) -> "Domain":
        """The same domain with the free columns restricted to a box; the other columns stay as they are.

        Args:
            lower, upper: positions, `d`, with lower <= upper; what lies outside the box of this domain is cut off. Of a
                fine grid without a level inside, the level nearest to the middle stays.
        Raises:
            ValueError: the shapes are not `d`, or the box and that of this domain have no point in common.
        """
        if lower.shape != self.lower.shape or upper.shape != self.upper.shape:
            raise ValueError(
                f"lower and upper must have one position for each of the {self.dim} columns: got shapes "
                f"{tuple(lower.shape)} and {tuple(upper.shape)}."
            )
        low, high = self.lower.clone(), self.upper.clone()
        low[self.free] = lower[self.free].maximum(self.lower[self.free])
        high[self.free] = upper[self.free].minimum(self.upper[self.free])
        if bool((low > high).any()):
            j = int((low - high).argmax())
            raise ValueError(
                f"The box is empty in column {j}: it goes from {lower[j].item()!r} to {upper[j].item()!r}, the domain "
                f"from {self.lower[j].item()!r} to {self.upper[j].item()!r}."
            )
        bound = None if self.bound is None else self.bound.within(low, high)
        return replace(self, lower=low, upper=high, bound=bound)

    def inside(self, X: Tensor) -> Tensor:
        """Those of the points `n x d` that lie in the box."""
        return X[((self.lower <= X) & (self.upper >= X)).all(1)]

    def has_beside(self, X: Tensor, distance: float) -> Tensor:
        """Whether `beside` has other points than these themselves, of each of `X`, `n x d`: `n`."""
        is_continuous = len(self.free) > len(self.fine)
        found = torch.full((len(X),), is_continuous, dtype=torch.bool, device=X.device)
        half = distance / math.sqrt(max(1, len(self.free)))
        for grid in self.fine:
            found |= grid.has_within(X[:, grid.column], half)
        return found

    def beside(self, x: Tensor, distance: float) -> "Domain":
        """The points of this domain at most so far from its point `x`, `d`, and with the levels and orders of that."""
        half = distance / math.sqrt(max(1, len(self.free)))
        placed = torch.tensor(columns_of(self.orders), dtype=torch.long, device=self.discrete.device)
        held = torch.cat([self.discrete, placed, *(pool.columns for pool in self.pools)])
        given = replace(
            self,
            discrete=self.discrete[:0],
            centres=self.centres[:0],
            n_levels=self.n_levels[:0],
            is_ordered=self.is_ordered[:0],
            fixed=torch.cat([self.fixed, held]),
            positions=torch.cat([self.positions, x[held]]),
            bound=None if self.bound is None else self.bound.given(held, x[held]),
            orders=(),
            pools=(),
        )
        return given.within(x - half, x + half)

    @cached_property
    def n_points(self) -> int | None:
        """How many points there are; None for a continuum or a fine grid."""
        if len(self.free):
            return None
        sizes: list[int] = self.n_levels.tolist()
        orders = [math.factorial(at.stop - at.start) for at in self.orders]
        return math.prod([*sizes, *orders, *map(len, self.pools)])

    @property
    def is_listed(self) -> bool:
        """Whether its points are the rows of one pool."""
        return len(self.pools) == 1 and self.n_points == len(self.pools[0])

    @cached_property
    def _edges(self) -> Tensor:
        """Where one cell ends and the next begins, `k x (L - 1)`; infinite past the last."""
        edges = (self.centres[:, 1:] + self.centres[:, :-1]) / 2
        cells = torch.arange(1, self.centres.shape[1], dtype=torch.long, device=edges.device)
        return torch.where(cells < self.n_levels[:, None], edges, torch.inf)

    def levels(self, X: Tensor) -> Tensor:
        """The level nearest to each position in the discrete columns, `... x k`."""
        columns = X[..., self.discrete].flatten(0, -2).mT.contiguous()
        return torch.searchsorted(self._edges, columns, right=True).mT.reshape(*X.shape[:-1], len(self.discrete))

    def placed(self, X: Tensor, levels: Tensor) -> Tensor:
        """`X` with the discrete columns at the centres of these levels, `... x k`."""
        centres = self.centres.expand(*levels.shape, -1).gather(-1, levels[..., None])[..., 0]
        return X.index_copy(-1, self.discrete, centres)

    def snap(self, X: Tensor) -> Tensor:
        """The nearest points of the domain, `... x d`: inside the box, on grids, in an order, fixed columns as given.

        What binds columns together is kept by the columns of a continuum; where they cannot, the point is no member.
        """
        for pool in self.pools:
            X = pool.snap(X)
        return self._snapped(X)

    def _snapped(self, X: Tensor) -> Tensor:
        """As `snap`, of points whose columns of pools are at rows."""
        for at in self.orders:
            X = in_order(X, at)
        X = self.placed(X.clamp(self.lower, self.upper), self.levels(X))
        X = X.index_copy(-1, self.fixed, self.positions.expand(*X.shape[:-1], -1))
        for grid in self.fine:
            j = grid.column
            column = torch.tensor([j], dtype=torch.long, device=X.device)
            X = X.index_copy(-1, column, grid.nearest(X[..., [j]], self.lower[j], self.upper[j]))
        X = X if self.bound is None else self.bound.project(X, self._box(X))
        return X if self.conditions is None else self.conditions.settled(X)

    def _box(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Where the columns of a continuum may go from `X`, `... x d`; the others stay."""
        is_held = torch.ones(self.dim, dtype=torch.bool, device=X.device)
        is_held[self.free] = False
        for grid in self.fine:
            is_held[grid.column] = True
        return torch.where(is_held, X, self.lower), torch.where(is_held, X, self.upper)

    def bounds(self, X: Tensor, columns: Tensor) -> Bounds:
        """Of these columns of candidates `X`, `b x q x d`, of all points of one in a row."""
        b, q, _ = X.shape
        lower, upper = self.lower.expand(b * q, -1), self.upper.expand(b * q, -1)
        if self.bound is None or not self.bound.has_rows:
            return Box(self.lower[columns].repeat(q), self.upper[columns].repeat(q))
        return self.bound.polytope(columns, X.reshape(b * q, -1), lower, upper).together(q)

    def contains(self, X: Tensor) -> Tensor:
        """Which points of the grids and the box, `... x d`, satisfy what binds columns together: `...`."""
        if self.bound is None:
            return torch.ones(X.shape[:-1], dtype=torch.bool, device=X.device)
        return self.bound.contains(X)

    def sample(self, n: int, seed: int) -> Tensor:
        """`n` points of a scrambled Sobol sequence, snapped, `n x d`; uniform ones where columns are bound together,
        and fewer where there are hardly any."""
        if self.bound is not None:
            U = sample(self.bound.region, n, np.random.default_rng(seed))
            X = torch.tensor(U, dtype=torch.float64, device=self.centres.device)
            return self._snapped(X)
        engine = qmc.Sobol(self.dim, scramble=True, rng=np.random.default_rng(seed))
        U = engine.random_base2(max(0, (n - 1).bit_length()))[:n]
        positions = torch.tensor(U, dtype=torch.float64, device=self.centres.device)
        return self.snap(self.lower + (self.upper - self.lower) * positions)

    @cached_property
    def _moves(self) -> tuple[Tensor, Tensor]:
        """Discrete column and change of level of each move, `M`."""
        moves: list[tuple[int, int]] = []
        n_unordered = max(1, int((~self.is_ordered).sum()))
        most = max(_FEWEST_MOVES, min(_MOST_MOVES, _MOST_IN_ALL // n_unordered))
        for i, (n, ordered) in enumerate(zip(self.n_levels.tolist(), self.is_ordered.tolist(), strict=True)):
            if ordered:
                sizes = sorted({1, 2, n // 8, n // 3} & set(range(1, n)))
                moves += [(i, sign * size) for size in sizes for sign in (-1, 1)]
            else:
                moves += [(i, int(k)) for k in np.unique(np.linspace(1, n - 1, min(n - 1, most)).round())]
        table = torch.tensor(moves, dtype=torch.long, device=self.centres.device).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    @cached_property
    def _bound_moves(self) -> Tensor:
        """Those of the moves that change a column which others have to give way to."""
        assert self.bound is not None
        column, _ = self._moves
        bound = torch.tensor(self.bound.columns, dtype=torch.long, device=self.discrete.device)
        sizes = zip(self.orders, map(len, self._reorderings), strict=True)
        first = torch.tensor([at.start for at, n in sizes for _ in range(n)], dtype=torch.long, device=bound.device)
        return torch.isin(torch.cat([self.discrete[column], first]), bound).nonzero()[:, 0]

    @cached_property
    def _reorderings(self) -> list[Tensor]:
        """Where each move takes each place, `M x k`, by order."""
        most = _MOST_IN_ALL // max(1, len(self.orders))
        tables = [reorderings(at.stop - at.start, most) for at in self.orders]
        return [torch.tensor(table, dtype=torch.long, device=self.centres.device) for table in tables]

    @property
    def n_moves(self) -> int:
        n_exchanges = 0 if self.bound is None else self.bound.n_exchanges
        n_rows = sum(min(_MOST_MOVES, len(pool)) for pool in self.pools)
        return len(self._moves[0]) + sum(map(len, self._reorderings)) + n_exchanges + n_rows

    def neighbours(self, X: Tensor) -> Tensor:
        """Points with one discrete column changed, an order, a part of a mixture or the row of a pool, `... x M x d`.

        An ordered column takes steps of a few sizes, which stop at the ends; an unordered one takes each other level,
        or 64 of them, or of many such columns fewer, 512 in all as far as each has 4. An order has those moves that
        `reorderings` gives.
        """
        column, change = self._moves
        levels = self.levels(X)[..., None, :].expand(*X.shape[:-1], len(column), -1)
        n = self.n_levels[column]
        moved = levels.gather(-1, column.expand(*levels.shape[:-1])[..., None])[..., 0] + change
        moved = torch.where(self.is_ordered[column], moved.clamp_min(0).minimum(n - 1), moved % n)
        levels = levels.scatter(-1, column.expand(*levels.shape[:-1])[..., None], moved[..., None])
        moved = self.placed(X[..., None, :].expand(*levels.shape[:-1], -1), levels)
        orders = zip(self.orders, self._reorderings, strict=True)
        moved = torch.cat([moved, *(reordered(X, at, table) for at, table in orders)], -2) if self.orders else moved
        if self.conditions is not None:
            moved = self.conditions.settled(moved)
        if self.bound is None:
            return moved
        if len(self._bound_moves):
            changed = moved.index_select(-2, self._bound_moves)
            moved = moved.index_copy(-2, self._bound_moves, self.bound.project(changed, self._box(changed)))
        return torch.cat([moved, *self.bound.exchanges(X), *self._other_rows(X)], -2)

    def _other_rows(self, X: Tensor) -> list[Tensor]:
        """Points with the columns of a pool at other of its rows, `... x M x d` a pool."""
        found = []
        for pool in self.pools:
            k = pool.beside(X, min(_MOST_MOVES, len(pool)))
            moved = pool.placed(X[..., None, :].expand(*k.shape, -1), k)
            found.append(self._snapped(moved))
        return found

    def listed(self, k: Tensor) -> Tensor:
        """Points of a domain that `is_listed` by the numbers of their rows, `n`: `n x d`."""
        X = self.centres.new_zeros((len(k), self.dim))
        return self._snapped(self.pools[0].placed(X, k))

    def grid(self) -> Tensor:
        """All points of a purely discrete domain, `n_points x d`; fewer where columns are bound together or absent."""
        assert self.n_points is not None
        sizes = [*self.n_levels.tolist(), *map(len, self.pools)]
        axes = [torch.arange(n, dtype=torch.long, device=self.centres.device) for n in sizes]
        levels = torch.cartesian_prod(*axes).reshape(-1, len(axes)) if axes else self.n_levels.reshape(1, 0)
        X = self.placed(self.centres.new_zeros((len(levels), self.dim)), levels[:, : len(self.n_levels)])
        for k, pool in enumerate(self.pools, len(self.n_levels)):
            X = pool.placed(X, levels[:, k])
        for at in self.orders:
            X = in_every_order(X, at)
        X = self._snapped(X)
        X = X[self.contains(X)]
        return X if self.conditions is None else torch.unique(X, dim=0)
