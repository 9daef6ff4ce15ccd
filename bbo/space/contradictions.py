"""Whether constraints leave any point at all, by a mixed-integer program in the values that parameters have.

It knows linear constraints, forbidden combinations and the rows of short pools, on whatever axis and under whatever
conditions; conditions as text and functions it leaves out. HiGHS by scipy, which is loaded where it is needed.

| variable | |
|---|---|
| share | where a number is in its range, from 0 to 1; an amount as a share of the total |
| step | the number of a level in equal steps |
| cell | whether a value is taken, or one of several that nothing tells apart: 0 or 1 |
| there | whether a parameter under conditions is there: 0 or 1 |
| row | whether a point has the values of a row of a pool: 0 or 1 |
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
from bbo.space.simplex import Simplex
from bbo.space.values import identity

_MOST_NODES = 2000  # no time: else a slow machine would say otherwise
_INFEASIBLE = 2  # as scipy says it
_MOST_ROWS = 1000
# HiGHS keeps rows to a millionth; one that is missed by less than this share of its largest coefficient may hold.
_FINE = 1e-5
# Beyond, a level is lost in what rows may be missed by.
_MOST_STEPS = 2**30

# Coefficients by variable.
Row = dict[int, float]


def culprits(space: Encoding, constraints: Sequence[Constraint]) -> list[Constraint]:
    """Constraints that leave no point, each of them needed for that: the others would leave some.

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
    """A constant and a weighted sum of variables, between two ends."""

    constant: float
    weights: Row
    low: float
    high: float

    @staticmethod
    def one_of(values: Mapping[int, float]) -> "_Number":
        """Of variables of which one is 1 and the others are 0."""
        low, high = min(values.values()), max(values.values())
        return _Number(low, {j: value - low for j, value in values.items() if value != low}, low, high)


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
        # By term: numbers; and of each value that matters, what is 1 where it is taken.
        self._numbers: dict[str, _Number] = {}
        self._cells: dict[str, dict[Any, Row]] = {}
        self._owner = {name: p.name for p in space.parameters for name in p.columns}
        self._there: dict[str, int] = {}
        self._pooled: dict[str, _Rows] = {}
        self._is_out_of_reach = False
        for constraint in constraints:
            if isinstance(constraint, Pool):
                self._add_pool(constraint)
        self._add_parameters(constraints)
        for constraint in constraints:
            if isinstance(constraint, Linear):
                self._add_linear(constraint)
            elif isinstance(constraint, Forbidden):
                self._rows.append(_not_all_of(self._conditions(constraint.combination)))

    @property
    def is_empty(self) -> bool:
        """Whether it is known that nothing satisfies all rows."""
        if self._is_out_of_reach or not self._rows:
            return self._is_out_of_reach
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

    def _add_pool(self, pool: Pool) -> None:
        """Its rows that have what is given, of which a point has one."""
        candidates = candidates_of(self._space, pool)
        named = [p for p in self._space.parameters if p.cells[0].name in pool.names]
        for p in named:
            if p.name in self._space.fixed:
                at = np.atleast_1d(np.arange(self._space.dim)[self._space.at[p.name]])
                given = np.atleast_1d(self._space.position(p.name, self._space.fixed[p.name]))
                candidates = candidates.given(at.tolist(), given)
        variables = [self._variables.add(is_whole=True) for _ in range(len(candidates))]
        self._rows.append((dict.fromkeys(variables, 1.0), 1.0, 1.0))
        codes = dict(zip(candidates.columns.tolist(), candidates.codes.T.tolist(), strict=True))
        self._pooled |= dict.fromkeys([p.name for p in named], _Rows(variables, codes))

    def _add_parameters(self, constraints: Sequence[Constraint]) -> None:
        """Those that constraints name, and those that their conditions depend on, which come first."""
        summed = {name for c in constraints if isinstance(c, Linear) for name in c.names}
        told_apart: dict[str, list[Any]] = {}
        for c in constraints:
            for name, values in c.combination.items() if isinstance(c, Forbidden) else ():
                told_apart.setdefault(name, []).extend(values)
        ordered = in_order(self._space.parameters)
        needed = []
        for p in reversed(ordered):
            if any(name in summed or name in told_apart for name in p.columns):
                needed.append(p)
                for name, values in (p.when or {}).items():
                    told_apart.setdefault(name, []).extend(values)
        for p in reversed(needed):
            if p.when:
                self._there[p.name] = self._all_of(self._conditions(p.when))
            wanted = {
                name: [v for v in told_apart[name] if identity(term.check(v)) == identity(v)]
                for name, term in zip(p.columns, p.terms, strict=True)
                if name in told_apart
            }
            if p.name in self._space.fixed:
                self._add_given(p, wanted)
            elif p.name in self._pooled:
                self._add_pooled(p, self._pooled[p.name], wanted)
            elif isinstance(p, Simplex):
                self._add_mixture(p)
            elif isinstance(p, Permutation):
                self._add_order(p)
            elif isinstance(p, Listed):
                self._add_listed(p, wanted.get(p.name, ()), is_summed=p.name in summed)
            else:
                self._add_quantity(p, wanted.get(p.name, ()))

    def _conditions(self, values_of: Mapping[str, Sequence[Any]]) -> list[Row]:
        """Sums that are all 1 where each parameter is there and has one of its values; else one of them is 0."""
        owners = dict.fromkeys(self._owner[name] for name in values_of)
        found: list[Row] = [{self._there[name]: 1.0} for name in owners if name in self._there]
        for name, values in values_of.items():
            distinct = {identity(value) for value in values}
            found.append(_total(self._cells[name].get(value, {}) for value in distinct))
        return found

    def _all_of(self, conditions: Sequence[Row]) -> int:
        """A variable that is 1 where all of some sums are, which are 0 or 1, and 0 elsewhere."""
        is_so = self._variables.add(is_whole=True)
        for condition in conditions:
            self._rows.append((_total([{is_so: 1.0}, *({j: -v} for j, v in condition.items())]), -math.inf, 0.0))
        row, low, high = _not_all_of(conditions)
        self._rows.append((row | {is_so: -1.0}, low, high))
        return is_so

    def _add_given(self, p: Any, wanted: Mapping[str, Sequence[Any]]) -> None:
        for name, value in p.by_term(self._space.fixed[p.name]).items():
            if type(value) in (int, float):
                self._numbers[name] = _Number(float(value), {}, float(value), float(value))
            if name in wanted:
                self._cells[name] = {identity(value): {self._one: 1.0}}

    @cached_property
    def _one(self) -> int:
        return self._variables.add(1.0, 1.0)

    def _add_pooled(self, p: Any, rows: "_Rows", wanted: Mapping[str, Sequence[Any]]) -> None:
        at = np.atleast_1d(np.arange(self._space.dim)[self._space.at[p.name]])
        wide = self._space.framed[p.name]
        for name, j in zip(p.columns, at.tolist(), strict=True):
            taken: dict[int, Any] = {}
            for row, code in zip(rows.variables, rows.codes[j], strict=True):
                if not math.isnan(code):
                    taken[row] = 1 + int(code) if isinstance(p, Permutation) else code
                    taken[row] = wide.value(code) if isinstance(p, Listed) else taken[row]
            if taken and all(type(value) in (int, float) for value in taken.values()):
                self._numbers[name] = _Number.one_of({row: float(value) for row, value in taken.items()})
            elif not taken:
                self._numbers[name] = _Number(0.0, {}, 0.0, 0.0)  # as it is never there
            cells: dict[Any, Row] = {identity(value): {} for value in wanted.get(name, ())}
            for row, value in taken.items():
                if identity(value) in cells:
                    cells[identity(value)][row] = 1.0
            self._cells[name] = cells

    def _add_listed(self, p: Listed, wanted: Sequence[Any], *, is_summed: bool) -> None:
        """Cells of some values, all where it is a number in a sum, and one of all others."""
        apart = dict.fromkeys(map(identity, p.listed if is_summed else wanted))
        cells = {value: self._variables.add(is_whole=True) for value in apart}
        others = [] if len(cells) == len(p.listed) else [self._variables.add(is_whole=True)]
        self._rows.append((dict.fromkeys([*cells.values(), *others], 1.0), 1.0, 1.0))
        self._cells[p.name] = {value: {cell: 1.0} for value, cell in cells.items()}
        if is_summed:
            self._numbers[p.name] = _Number.one_of({cells[identity(value)]: float(value) for value in p.listed})

    def _add_quantity(self, p: Float | Int, wanted: Sequence[Any]) -> None:
        low, high, n = float(p.low), float(p.high), p.n_levels
        if n is None or n > _MOST_STEPS:
            self._numbers[p.name] = _Number(low, {self._variables.add(): high - low}, low, high)
            if n is not None:
                self._cells[p.name] = {identity(v): {self._variables.add(is_whole=True): 1.0} for v in wanted}
            return
        step = (high - low) / (n - 1)
        at = self._variables.add(0.0, n - 1.0, is_whole=n <= ENUMERABLE)
        self._numbers[p.name] = _Number(low, {at: step}, low, high)
        levels = {identity(value): round((value - low) / step) for value in wanted}
        single = self._add_runs(at, n - 1, sorted(set(levels.values()))) if levels else {}
        self._cells[p.name] = {value: {single[level]: 1.0} for value, level in levels.items()}

    def _add_runs(self, at: int, last: int, apart: Sequence[int]) -> dict[int, int]:
        """Cells of some levels, which are given back, and of the runs of levels between."""
        singles = {level: self._variables.add(is_whole=True) for level in apart}
        gaps = zip([-1, *apart], [*apart, last + 1], strict=True)
        runs = {self._variables.add(is_whole=True): (a + 1, b - 1) for a, b in gaps if b - a > 1}
        ends = {cell: (level, level) for level, cell in singles.items()} | runs
        self._rows.append((dict.fromkeys(ends, 1.0), 1.0, 1.0))
        # A quarter of a step from the next level, for rounding.
        self._rows.append(({at: 1.0} | {cell: -float(a) for cell, (a, _) in ends.items()}, -0.25, math.inf))
        self._rows.append(({at: 1.0} | {cell: -float(b) for cell, (_, b) in ends.items()}, -math.inf, 0.25))
        return singles

    def _add_mixture(self, p: Simplex) -> None:
        least, most = p.own_bounds
        shares = []
        for name, low, high in zip(p.columns, least.tolist(), most.tolist(), strict=True):
            shares.append(self._variables.add(low / p.total, high / p.total))
            self._numbers[name] = _Number(0.0, {shares[-1]: p.total}, low, high)
        self._rows.append((dict.fromkeys(shares, 1.0), 1.0 - _FINE, 1.0 + _FINE))
        if p.n_present < len(p.parts):
            present = [self._variables.add(is_whole=True) for _ in shares]
            for share, is_in, high in zip(shares, present, (most / p.total).tolist(), strict=True):
                self._rows.append(({share: 1.0, is_in: -high}, -math.inf, _FINE))
            self._rows.append((dict.fromkeys(present, 1.0), 0.0, float(p.n_present)))

    def _add_order(self, p: Permutation) -> None:
        k = len(p.items)
        is_at = np.array([self._variables.add(is_whole=True) for _ in range(k * k)]).reshape(k, k)  # items by places
        self._rows += [(dict.fromkeys(one.tolist(), 1.0), 1.0, 1.0) for one in (*is_at, *is_at.T)]
        for name, places in zip(p.columns, is_at.tolist(), strict=True):
            self._numbers[name] = _Number.one_of({j: 1.0 + i for i, j in enumerate(places)})
            self._cells[name] = {identity(1 + i): {j: 1.0} for i, j in enumerate(places)}

    # Constraints.

    def _add_linear(self, constraint: Linear) -> None:
        """Its bounds; where one of its parameters is not there, they are as wide as the sum can be."""
        constant, size, least, most = 0.0, 0.0, 0.0, 0.0
        row: Row = {}
        for name, weight in constraint.coefficients.items():
            number = self._numbers[name]
            constant += weight * number.constant
            size += abs(weight) * self._space.sizes.get(name, 0.0)
            ends = weight * number.low, weight * number.high
            least, most = least + min(ends), most + max(ends)
            row = _total([row, {j: weight * v for j, v in number.weights.items()}])
        low, high = constraint.bounds
        scale = max(map(abs, row.values()), default=0.0)
        if not all(map(math.isfinite, (constant, size, least, most, scale))):
            return  # beyond what a program can tell
        slack = SLACK * (size + max(abs(bound) for bound in (low, high) if math.isfinite(bound)))
        owners = dict.fromkeys(self._owner[name] for name in constraint.names)
        there = [self._there[name] for name in owners if name in self._there]
        if least > high + slack or most < low - slack:
            self._rows.append(_not_all_of([{j: 1.0} for j in there]))
            self._is_out_of_reach |= not there
        elif scale > 0:
            for sign, bound, end in ((1.0, high, most), (-1.0, -low, -least)):
                if math.isfinite(bound) and end > bound:
                    spare = (end - bound) / scale
                    signed = {j: sign * v / scale for j, v in row.items()}
                    within = (bound - sign * constant + slack) / scale + _FINE
                    self._rows.append((signed | dict.fromkeys(there, spare), -math.inf, within + spare * len(there)))


@dataclass(frozen=True)
class _Rows:
    """Those of a pool: a variable of each, and by column their codes."""

    variables: list[int]
    codes: dict[int, list[float]]


def _not_all_of(sums: Sequence[Row]) -> tuple[Row, float, float]:
    """The row by which one of some sums, which are 0 or 1, is 0."""
    return _total(sums), -math.inf, len(sums) - 1.0


def _total(sums: Iterable[Row]) -> Row:
    total: Row = {}
    for one in sums:
        for j, v in one.items():
            total[j] = total.get(j, 0.0) + v
    return total
