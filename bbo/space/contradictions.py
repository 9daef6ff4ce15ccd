"""Whether constraints leave any point at all, by a mixed-integer program in the values that parameters have.

It knows linear constraints, forbidden combinations and the rows of short pools, on whatever axis and under whatever
conditions; conditions as text and functions it leaves out. HiGHS by scipy, which is loaded where it is needed.

| variable | |
|---|---|
| share | where a number is in its range, from 0 to 1: a Float, an Int, a part of a Simplex, the place of an item |
| cell | whether a value is taken, or one of several that nothing tells apart: 0 or 1 |
| there | whether a parameter under conditions is there: 0 or 1 |
| row | whether a point has the values of a row of a pool: 0 or 1 |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bbo.space.conditions import in_order
from bbo.space.constraints import SLACK, Constraint, Forbidden, Linear
from bbo.space.encoding import Encoding
from bbo.space.fresh import ENUMERABLE
from bbo.space.listed import Listed
from bbo.space.permutation import Permutation
from bbo.space.pool import Pool
from bbo.space.quantities import Float, Int
from bbo.space.rows import candidates_of
from bbo.space.simplex import TOLERANCE, Simplex
from bbo.space.values import identity

_MOST_NODES = 20_000  # no time: else a slow machine would say otherwise
_INFEASIBLE = 2  # as scipy says it
_MOST_ROWS = 1000

# Coefficients by variable.
Row = dict[int, float]


def culprits(space: Encoding, constraints: Sequence[Constraint]) -> list[Constraint]:
    """The fewest of the constraints that leave no point: each of them, left out, would leave some.

    Empty where there are points, as far as is known.
    """
    kept = [c for c in constraints if _is_known(c)]
    if not _is_empty(space, kept):
        return []
    for constraint in tuple(kept):
        others = [c for c in kept if c is not constraint]
        if _is_empty(space, others):
            kept = others
    return kept


def _is_known(constraint: Constraint) -> bool:
    """Whether a program can have it; pools of a log were looked at when it was begun."""
    if isinstance(constraint, Pool):
        return constraint.table.given is not None and constraint.table.n_rows <= _MOST_ROWS
    return isinstance(constraint, Linear | Forbidden)


def _is_empty(space: Encoding, constraints: Sequence[Constraint]) -> bool:
    """Whether it is known that no point satisfies the constraints; of pools alone it is not asked."""
    return not all(isinstance(c, Pool) for c in constraints) and _Program(space, constraints).is_empty


@dataclass(frozen=True)
class _Number:
    """`low` and `span` times the share that a variable says."""

    low: float
    span: float
    share: int


@dataclass
class _Variables:
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    is_whole: list[int] = field(default_factory=list)

    def add(self, low: float = 0.0, high: float = 1.0, *, is_whole: bool = False) -> int:
        self.lower.append(low)
        self.upper.append(high)
        self.is_whole.append(int(is_whole))
        return len(self.lower) - 1


class _Program:
    """What the constraints name, and what that depends on, as variables and rows."""

    def __init__(self, space: Encoding, constraints: Sequence[Constraint]) -> None:
        self._space = space
        self._variables = _Variables()
        self._rows: list[tuple[Row, float, float]] = []
        self._owner = {name: p for p in space.parameters for name in p.columns}
        self._numbers: dict[str, _Number] = {}
        # Of each parameter whose values are told apart, the cell that a value lies in.
        self._cells: dict[str, dict[Any, int]] = {}
        self._there: dict[str, int] = {}
        self._add_parameters(constraints)
        for constraint in constraints:
            if isinstance(constraint, Linear):
                self._add_linear(constraint)
            elif isinstance(constraint, Forbidden):
                self._add_forbidden(constraint)
            elif isinstance(constraint, Pool):
                self._add_pool(constraint)

    @property
    def is_empty(self) -> bool:
        """Whether it is known that nothing satisfies all rows."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import lil_array

        n = len(self._variables.lower)
        table = lil_array((len(self._rows), n))
        for i, (row, _, _) in enumerate(self._rows):
            table[i, list(row)] = np.array(list(row.values()))
        result = milp(
            np.zeros(n),
            integrality=np.array(self._variables.is_whole),
            bounds=Bounds(self._variables.lower, self._variables.upper),
            constraints=LinearConstraint(table.tocsr(), [r[1] for r in self._rows], [r[2] for r in self._rows]),
            options={"node_limit": _MOST_NODES},
        )
        return bool(result.status == _INFEASIBLE)

    # Parameters.

    def _add_parameters(self, constraints: Sequence[Constraint]) -> None:
        """Those that constraints name, and those that their conditions depend on, which come first."""
        summed = {self._owner[name].name for c in constraints if isinstance(c, Linear) for name in c.names}
        told_apart: dict[str, list[Any]] = {}
        for c in constraints:
            for name, values in c.combination.items() if isinstance(c, Forbidden) else ():
                told_apart.setdefault(name, []).extend(values)
        ordered = in_order(self._space.parameters)
        for p in reversed(ordered):
            for name, values in (p.when or {}).items() if p.name in summed or p.name in told_apart else ():
                told_apart.setdefault(name, []).extend(values)
        for p in ordered:
            if p.name not in summed and p.name not in told_apart:
                continue
            if p.when:
                self._there[p.name] = self._all_of(self._conditions(p.when))
            if isinstance(p, Simplex):
                self._add_mixture(p)
            elif isinstance(p, Permutation):
                self._add_order(p)
            elif isinstance(p, Listed):
                self._add_listed(p, p.listed if p.name in summed else told_apart[p.name])
            else:
                self._add_quantity(p, told_apart.get(p.name, ()))

    def _conditions(self, values_of: Mapping[str, Sequence[Any]]) -> list[Row]:
        """Sums that are all 1 where each parameter is there and has one of its values; else one of them is 0."""
        found: list[Row] = [{self._there[name]: 1.0} for name in values_of if name in self._there]
        for name, values in values_of.items():
            found.append(dict.fromkeys([self._cells[name][identity(value)] for value in values], 1.0))
        return found

    def _all_of(self, conditions: Sequence[Row]) -> int:
        """A variable that is 1 where all of some sums are, which are 0 or 1, and 0 elsewhere."""
        is_so = self._variables.add(is_whole=True)
        for condition in conditions:
            self._rows.append(({is_so: 1.0} | {j: -v for j, v in condition.items()}, -math.inf, 0.0))
        self._rows.append((_total(conditions) | {is_so: -1.0}, -math.inf, len(conditions) - 1.0))
        return is_so

    def _add_listed(self, p: Listed, told_apart: Sequence[Any]) -> None:
        """Cells of some values, and one of all others."""
        apart = {identity(value) for value in told_apart}
        cells: dict[Any, int] = {}
        rest = self._variables.add(is_whole=True) if len(apart) < len(p.listed) else -1
        for value in map(identity, p.listed):
            cells[value] = self._variables.add(is_whole=True) if value in apart else rest
        self._rows.append((dict.fromkeys(cells.values(), 1.0), 1.0, 1.0))
        self._cells[p.name] = cells
        if p.name in self._space.fixed:
            self._variables.lower[cells[identity(self._space.fixed[p.name])]] = 1.0
        if rest < 0 and all(type(value) in (int, float) for value in p.listed):
            self._add_sum(p.name, {cells[identity(value)]: float(value) for value in p.listed})

    def _add_sum(self, name: str, values: Mapping[int, float]) -> None:
        """A number that has the value of whichever of some variables is 1."""
        low, high = min(values.values()), max(values.values())
        span = high - low or 1.0
        number = _Number(low, span, self._variables.add())
        self._rows.append(({number.share: 1.0} | {j: -(v - low) / span for j, v in values.items()}, 0.0, 0.0))
        self._numbers[name] = number

    def _add_quantity(self, p: Float | Int, told_apart: Sequence[Any]) -> None:
        low, span = float(p.low), float(p.high) - float(p.low)
        share = self._variables.add()
        self._numbers[p.name] = _Number(low, span, share)
        if p.name in self._space.fixed:
            self._give(share, (self._space.fixed[p.name] - low) / span)
        elif p.n_levels is not None and p.n_levels <= ENUMERABLE:
            steps = self._variables.add(0.0, p.n_levels - 1.0, is_whole=True)
            self._rows.append(({share: p.n_levels - 1.0, steps: -1.0}, 0.0, 0.0))
        if told_apart and p.n_levels is not None:
            last = p.n_levels - 1
            levels = {identity(value): round((value - low) / span * last) for value in told_apart}
            single = self._add_runs(share, last, sorted(set(levels.values())))
            self._cells[p.name] = {value: single[level] for value, level in levels.items()}

    def _add_runs(self, share: int, last: int, apart: Sequence[int]) -> dict[int, int]:
        """Cells of some levels, which are given back, and of the runs of levels between."""
        singles = {level: self._variables.add(is_whole=True) for level in apart}
        gaps = zip([-1, *apart], [*apart, last + 1], strict=True)
        runs = {self._variables.add(is_whole=True): (a + 1, b - 1) for a, b in gaps if b - a > 1}
        ends = {cell: (level, level) for level, cell in singles.items()} | runs
        self._rows.append((dict.fromkeys(ends, 1.0), 1.0, 1.0))
        self._rows.append(({share: float(last)} | {cell: -float(a) for cell, (a, _) in ends.items()}, 0.0, math.inf))
        self._rows.append(({share: float(last)} | {cell: -float(b) for cell, (_, b) in ends.items()}, -math.inf, 0.0))
        return singles

    def _add_mixture(self, p: Simplex) -> None:
        least, most = (bound / p.total for bound in p.own_bounds)
        shares = [self._variables.add(*ends) for ends in zip(least.tolist(), most.tolist(), strict=True)]
        self._numbers |= {name: _Number(0.0, p.total, j) for name, j in zip(p.columns, shares, strict=True)}
        self._rows.append((dict.fromkeys(shares, 1.0), 1.0 - TOLERANCE, 1.0 + TOLERANCE))
        if p.name in self._space.fixed:
            for share, amount in zip(shares, p.code(self._space.fixed[p.name]), strict=True):
                self._give(share, amount / p.total)
        elif p.n_present < len(p.parts):
            present = [self._variables.add(is_whole=True) for _ in shares]
            for share, is_in, high in zip(shares, present, most.tolist(), strict=True):
                self._rows.append(({share: 1.0, is_in: -high}, -math.inf, 0.0))
            self._rows.append((dict.fromkeys(present, 1.0), 0.0, float(p.n_present)))

    def _add_order(self, p: Permutation) -> None:
        k = len(p.items)
        is_at = np.array([self._variables.add(is_whole=True) for _ in range(k * k)]).reshape(k, k)  # items by places
        self._rows += [(dict.fromkeys(one.tolist(), 1.0), 1.0, 1.0) for one in (*is_at, *is_at.T)]
        for name, places in zip(p.columns, is_at.tolist(), strict=True):
            self._add_sum(name, {j: 1.0 + i for i, j in enumerate(places)})
        if p.name in self._space.fixed:
            for row, place in zip(is_at, p.code(self._space.fixed[p.name]), strict=True):
                self._variables.lower[row[int(place)]] = 1.0

    def _give(self, variable: int, value: float) -> None:
        self._variables.lower[variable] = self._variables.upper[variable] = value

    # Constraints.

    def _add_linear(self, constraint: Linear) -> None:
        """Its bounds; where one of its parameters is not there, they are as wide as the sum can be."""
        at, size = 0.0, 0.0
        row: Row = {}
        for name, weight in constraint.coefficients.items():
            number = self._numbers[name]
            at += weight * number.low
            size += abs(weight) * self._space.sizes.get(name, 0.0)
            row[number.share] = weight * number.span
        low, high = constraint.bounds
        slack = SLACK * (size + max(abs(bound) for bound in (low, high) if math.isfinite(bound)))
        scale = max(map(abs, row.values())) or 1.0
        row = {j: v / scale for j, v in row.items()}
        owners = {self._owner[name].name for name in constraint.names}
        there = [self._there[name] for name in owners if name in self._there]
        for sign, bound in ((1.0, high - at), (-1.0, at - low)):
            if math.isfinite(bound):
                signed = {j: sign * v for j, v in row.items()}
                most = (bound + slack) / scale
                spare = max(0.0, math.fsum(max(v, 0.0) for v in signed.values()) - most)
                self._rows.append((signed | dict.fromkeys(there, spare), -math.inf, most + spare * len(there)))

    def _add_forbidden(self, constraint: Forbidden) -> None:
        conditions = self._conditions(constraint.combination)
        self._rows.append((_total(conditions), -math.inf, len(conditions) - 1.0))

    def _add_pool(self, pool: Pool) -> None:
        """That what it has columns for is as in one of its rows."""
        candidates = candidates_of(self._space, pool)
        rows = [self._variables.add(is_whole=True) for _ in range(len(candidates))]
        self._rows.append((dict.fromkeys(rows, 1.0), 1.0, 1.0))
        codes = dict(zip(candidates.columns.tolist(), candidates.codes.T, strict=True))
        for p in self._space.parameters:
            if p.cells[0].name not in pool.names:
                continue
            at = np.atleast_1d(np.arange(self._space.dim)[self._space.at[p.name]])
            # Where it is not there, whatever it might be.
            anything = np.atleast_1d(p.code(p.decode(p.absent[None] if len(at) > 1 else p.absent)[0]))
            for name, j, code in zip(p.columns, at.tolist(), anything.tolist(), strict=True):
                of_rows = np.where(np.isnan(codes[j]), code, codes[j])
                if isinstance(p, Listed) and p.name in self._cells:
                    self._add_cells_of_rows(p, dict(zip(rows, of_rows.tolist(), strict=True)))
                elif name in self._numbers:
                    number, first = self._numbers[name], 1.0 if isinstance(p, Permutation) else 0.0
                    shares = (first + of_rows - number.low) / number.span
                    of_row = {row: -share for row, share in zip(rows, shares.tolist(), strict=True)}
                    self._rows.append(({number.share: 1.0} | of_row, 0.0, 0.0))

    def _add_cells_of_rows(self, p: Listed, codes: Mapping[int, float]) -> None:
        cells = self._cells[p.name]
        at = {row: cells[identity(p.value(code))] for row, code in codes.items()}
        for cell in set(cells.values()):
            self._rows.append(({cell: -1.0} | {row: 1.0 for row, own in at.items() if own == cell}, 0.0, 0.0))


def _total(sums: Sequence[Row]) -> Row:
    total: Row = {}
    for one in sums:
        for j, v in one.items():
            total[j] = total.get(j, 0.0) + v
    return total
