"""Constraints between points: weighted sums over all points of an ask that stay within bounds.

An ask is made point after point, each within what those before it left, less what those behind it need at least. What
they need comes from the mixed-integer program of one point, and of several points side by side; where it is looked at
closer, rows of pools are in it, and of few points the untried ones are counted (see `bbo.space.counting`).

| symbol | shape | is |
|---|---|---|
| least, most | k | of the sums of one point, over all points of the space |
| low, high | k | bounds of the sums over the points to come |
| x | v | variables of one point: those of its program, and its loose numbers |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.errors import SpaceError
from bbo.space.binding import region_of
from bbo.space.candidates import Candidates
from bbo.space.constraints import SLACK, Constraint, Linear
from bbo.space.counting import Sums
from bbo.space.encoding import Encoding, Params
from bbo.space.fresh import ENUMERABLE
from bbo.space.listed import Listed
from bbo.space.program import Program
from bbo.space.region import Positions

_MOST_NODES = 2_000  # no time: else a slow machine would find other points
_OPTIMAL, _INFEASIBLE = 0, 2  # as scipy says it
# Of so many points to come each is looked at by itself; of more, the others by their mean, whose levels are not whole.
_MOST_APART = 8
# A program has a variable for each row of a pool and for each of these points.
_MOST_ROWS = 1_000
_MOST_WORK = 50_000  # nodes times rows
_SAME = 1e-9


@dataclass(frozen=True)
class Between:
    """The constraints between points of one space, and what a point can contribute to each of them.

    Args:
        space: its parameters and what is fixed.
        constraints: those between points, k.
        places: by number, the variable that it is of, the number where that is 0, and what a step to 1 adds.
        lower, upper, is_whole: of the variables of a point, v.
        M, row_lower, row_upper: rows that bind these variables, and their bounds.
        alone: of pools whose rows are known and that nothing else binds, the variables that are their columns, and
            distinct rows of these. What such variables add is not among the rows of M, where they are 0.
        has_rows: whether rows of pools are known; else the ranges of their columns are.
    """

    space: Encoding
    constraints: tuple[Linear, ...]
    places: Mapping[str, tuple[int, float, float]]
    lower: Positions
    upper: Positions
    is_whole: NDArray[np.int64]
    M: Positions
    row_lower: Positions
    row_upper: Positions
    alone: tuple[tuple[NDArray[np.int64], Positions], ...] = ()
    has_rows: bool = False

    @staticmethod
    def of(space: Encoding, of_points: Sequence[Constraint], between: Sequence[Linear]) -> "Between":
        """Of a space in which each point satisfies some constraints by itself.

        Numbers that are no positions, as on a logarithmic axis, are loose: nothing but their range is known of them.
        """
        names = list(dict.fromkeys(name for constraint in between for name in constraint.names))
        loose = [name for name in names if not _is_position(space, name)]
        columns = {name: space.columns.index(name) for name in names if name not in loose}
        region = region_of(space, of_points)
        # Rows without a bound, for which the program keeps these columns to their levels.
        eye = np.eye(space.dim)[list(columns.values())]
        A, b = np.vstack([region.A, eye]), np.append(region.b, np.full(len(eye), np.inf))
        program = Program.of(replace(region, A=A, b=b))
        tables = [np.asarray(c.A) for c in program.constraints]
        bounds = [np.broadcast_to([c.lb, c.ub], (2, len(A))) for c, A in zip(program.constraints, tables, strict=True)]
        ranges = np.array([_range(space, name) for name in loose]).reshape(-1, 2)
        n = program.n_variables
        return Between(
            space,
            tuple(between),
            {name: (j, *space.lines[name]) for name, j in columns.items()}
            | {name: (n + j, 0.0, 1.0) for j, name in enumerate(loose)},
            np.append(program.lower, ranges[:, 0]),
            np.append(program.upper, ranges[:, 1]),
            np.append(program.is_whole, [space.terms[name].kind == "int" for name in loose]).astype(int),
            np.pad(np.vstack([np.empty((0, n)), *tables]), ((0, 0), (0, len(loose)))),
            *np.hstack([np.empty((2, 0)), *bounds]),
        )

    def with_rows(self, pools: Sequence[Candidates]) -> "Between":
        """The same, where it is known which rows a pool has, of those that have few that differ in what is bound."""
        found = self
        for pool in pools:
            found = found._with_rows_of(pool)
        return found

    def _with_rows_of(self, pool: Candidates) -> "Between":
        is_used = (self.M[:, pool.columns] != 0).any(0)
        at = pool.columns[is_used]
        U = np.unique(pool.U[:, is_used].round(12), axis=0)
        if not len(at) or len(U) > _MOST_ROWS:
            return self
        is_bounded = np.isfinite(self.row_lower) | np.isfinite(self.row_upper)
        if not self.M[is_bounded][:, at].any():
            lower, upper = self.lower.copy(), self.upper.copy()
            lower[at] = upper[at] = 0.0
            return replace(self, lower=lower, upper=upper, alone=(*self.alone, (at, U)), has_rows=True)
        n, v = len(U), len(self.lower)
        # Each bound column is at that of the one row that is taken.
        own = np.zeros((len(at) + 1, v + n))
        own[np.arange(len(at)), at] = 1.0
        own[:-1, v:] = -U.T
        own[-1, v:] = 1.0
        amounts = np.append(np.zeros(len(at)), 1.0)
        return replace(
            self,
            lower=np.append(self.lower, np.zeros(n)),
            upper=np.append(self.upper, np.ones(n)),
            is_whole=np.append(self.is_whole, np.ones(n, dtype=int)),
            M=np.vstack([np.pad(self.M, ((0, 0), (0, n))), own]),
            row_lower=np.append(self.row_lower, amounts),
            row_upper=np.append(self.row_upper, amounts),
            has_rows=True,
        )

    @cached_property
    def sizes(self) -> Positions:
        """How large the numbers of each constraint are, of which rounding is a share, k."""
        of_names = {name: max(abs(start), abs(start + step)) for name, (_, start, step) in self.places.items()}
        of_names |= {name: max(map(abs, _range(self.space, name))) for name in of_names if name not in self.space.lines}
        terms = [math.fsum(abs(c) * of_names[name] for name, c in con.coefficients.items()) for con in self.constraints]
        finite = [max(abs(v) for v in con.bounds if math.isfinite(v)) for con in self.constraints]
        return np.array(terms, dtype=float) + finite

    def weights(self, coefficients: Mapping[str, float]) -> tuple[Positions, float]:
        """A weighted sum of numbers as one of the variables of a point, v, and what is to be added to that."""
        w, offset = np.zeros(len(self.lower)), 0.0
        for name, c in coefficients.items():
            j, start, step = self.places[name]
            w[j] += c * step
            offset += c * start
        return w, offset

    def extremes(self, coefficients: Mapping[str, float]) -> tuple[float, float]:
        """The least and the most of a weighted sum over the points of the space."""
        w, offset = self.weights(coefficients)
        return self._least(w) + offset, -self._least(-w) + offset

    def _least(self, w: Positions) -> float:
        """Of a sum of variables; by the ranges alone, where the program takes too long."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        result = milp(
            w,
            integrality=self.is_whole,
            bounds=Bounds(self.lower, self.upper),
            constraints=LinearConstraint(self.M, self.row_lower, self.row_upper),
            options={"node_limit": _MOST_NODES},
        )
        of_ranges = float(np.minimum(w * self.lower, w * self.upper).sum())
        of_rows = math.fsum(float((U @ w[at]).min()) for at, U in self.alone)
        if result.fun is None or result.status != _OPTIMAL:
            return of_ranges + of_rows
        return max(float(result.fun), of_ranges) + of_rows

    @cached_property
    def least(self) -> Positions:
        return np.array([self.extremes(c.coefficients)[0] for c in self.constraints])

    @cached_property
    def most(self) -> Positions:
        return np.array([self.extremes(c.coefficients)[1] for c in self.constraints])

    @property
    def slack(self) -> Positions:
        return SLACK * self.sizes

    def numbers(self, k: int) -> tuple[int, float] | None:
        """The fewest and the most points whose sum may be within the bounds of one constraint; None without any."""
        low, high = self.constraints[k].bounds
        fewest, most = 1, math.inf
        for one, bound in ((self.least[k], high), (-self.most[k], -low)):  # n points have at least n times that
            room = bound + self.slack[k]
            if room == math.inf:
                continue
            if abs(one) <= _SAME * self.sizes[k]:
                most = most if room >= 0 else 0
            elif one > 0:
                most = min(most, room // one)
            elif room < 0:
                fewest = max(fewest, math.ceil(room / one))
        return None if fewest > most else (fewest, most)

    def check(self) -> None:
        """Raises ValueError where a constraint is such that no number of points satisfies it."""
        for k, constraint in enumerate(self.constraints):
            if self.numbers(k) is None:
                given = f" with {self.space.fixed!r}" if self.space.fixed else ""
                raise ValueError(
                    f"No number of points satisfies {constraint}{given}: one amounts to {self.least[k]:g} at least and "
                    f"{self.most[k]:g} at most."
                )

    def left(self, points: Sequence[Params], n: int) -> "Left":
        """What points of an ask leave to n more."""
        bounds = np.array([constraint.bounds for constraint in self.constraints])
        left = Left(self, bounds[:, 0], bounds[:, 1], n + len(points))
        for point in points:
            left = left.after(point)
        return left

    def sums(self, point: Params) -> Positions:
        numbers = self.space.by_term(point)
        return np.array(
            [math.fsum(c * float(numbers[name]) for name, c in con.coefficients.items()) for con in self.constraints]
        )


@dataclass(frozen=True)
class Left:
    """What is left to the points of an ask that are still to come.

    Args:
        n: how many these are.
        sums: of single points that were not tried, where these are counted.
    """

    between: Between
    low: Positions
    high: Positions
    n: int
    sums: Sums | None = None

    def after(self, point: Params) -> "Left":
        """What is left once the next point is this."""
        sums = self.between.sums(point)
        return replace(self, low=self.low - sums, high=self.high - sums, n=self.n - 1, sums=None)

    @cached_property
    def is_possible(self) -> bool:
        """Whether there may be such points; tests do not count."""
        if self._is_out_of_reach.any():
            return False
        b = self.between
        is_one_range = self.sums is None and len(b.constraints) == 1 and not (b.is_whole.any() or b.alone)
        return self.n == 0 or is_one_range or self._first is not None

    @property
    def is_known(self) -> bool:
        """Whether it is said for certain whether there are such points, tests left out."""
        return not self.is_possible or self.n == 0 or self._first is None or not np.isnan(self._first).any()

    @property
    def _is_out_of_reach(self) -> NDArray[np.bool_]:
        """Constraints whose sums are beyond their bounds whatever the points, k."""
        b = self.between
        too_much, too_little = self.n * b.least > self.high + b.slack, self.n * b.most < self.low - b.slack
        return np.asarray(too_much | too_little)

    @cached_property
    def _first(self) -> Positions | None:
        """As `_side_by_side`, by counting where the points are few."""
        return self._side_by_side if self.sums is None else self.sums.first(self.n, self.low, self.high)

    @cached_property
    def _side_by_side(self) -> Positions | None:
        """Sums of the first of points that leave nothing to be wished for, k; NaN where the program takes too long, and
        None where there are none."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array, hstack, kron

        b, n_apart = self.between, min(self.n, _MOST_APART)
        weights = [1.0] * n_apart + [float(self.n - n_apart)] * (self.n > n_apart)
        k, is_apart = len(weights), np.arange(len(weights)) < n_apart
        W, offsets = zip(*(b.weights(c.coefficients) for c in b.constraints), strict=True)
        offset = np.array(offsets)
        rows: Any = kron(csr_array(np.eye(k)), csr_array(b.M))
        sums = hstack([csr_array(w * np.array(W)) for w in weights])
        slack = 0.1 * b.slack
        # Of pools alone it matters how many of the points have which row, not which of them.
        added = [np.array(W)[:, at] @ U.T for at, U in b.alone]
        n_rows = np.array([a.shape[1] for a in added], dtype=int)
        v, r = k * len(b.lower), int(n_rows.sum())
        taking = []
        if r:
            each = np.repeat(np.eye(len(n_rows)), n_rows, axis=1)
            taking = [LinearConstraint(hstack([csr_array((len(n_rows), v)), csr_array(each)]), self.n, self.n)]
            rows = hstack([rows, csr_array((rows.shape[0], r))])
            sums = hstack([sums, *map(csr_array, added)])
        result = milp(
            np.zeros(v + r),
            integrality=np.append(np.outer(is_apart, b.is_whole).ravel(), np.ones(r)).astype(int),
            bounds=Bounds(
                np.append(np.tile(b.lower, k), np.zeros(r)), np.append(np.tile(b.upper, k), np.full(r, float(self.n)))
            ),
            constraints=[
                LinearConstraint(rows, np.tile(b.row_lower, k), np.tile(b.row_upper, k)),
                LinearConstraint(sums, self.low - self.n * offset - slack, self.high - self.n * offset + slack),
                *taking,
            ],
            options={"node_limit": min(_MOST_NODES, _MOST_WORK // max(1, r))},
        )
        if result.status == _INFEASIBLE:
            return None
        if result.x is None:
            return np.full(len(b.constraints), np.nan)
        found = np.array(W) @ result.x[: len(b.lower)] + offset
        counts = np.split(result.x[v:], np.cumsum(n_rows)[:-1]) if r else []
        for a, count in zip(added, counts, strict=True):
            taken = a[:, count > 0.5]
            even = (a * count).sum(1, keepdims=True) / self.n
            found = found + taken[:, np.abs(taken - even).sum(0).argmin()]
        return np.asarray(found)

    def shares(self, shared: Sequence[str] = ()) -> list[Linear]:
        """What the next point has to satisfy, so that it takes twice its even share at most of what is beyond what all
        points need.

        Points uniform within it take as much on average as points uniform within all that is left.

        Args:
            shared: numbers of which the points to come have the values of this one, so that these count n times. What
                else such a constraint leaves is not shared out.
        """
        b, n, rows = self.between, self.n, list[Linear]()
        for k, constraint in enumerate(b.constraints):
            terms = constraint.coefficients
            others = {name: c for name, c in terms.items() if name not in shared}
            if len(others) < len(terms):
                least, most = b.extremes(others)
                terms = {name: c * (n if name in shared else 1) for name, c in terms.items()}
                bounds = (self.low[k] - (n - 1) * most, self.high[k] - (n - 1) * least)
                rows += _within(terms, b.extremes(terms), bounds, n * b.sizes[k])
                continue
            share = min(1.0, 2 / n) if self.low[k] == self.high[k] else 2 / (n + 1)
            low = b.most[k] - share * (n * b.most[k] - self.low[k])
            high = b.least[k] + share * (self.high[k] - n * b.least[k])
            rows += _within(terms, (b.least[k], b.most[k]), (low, high), b.sizes[k])
        return rows

    def held(self) -> list[Linear]:
        """What the next point has to satisfy to be as the first of some points that are possible together."""
        b, at, rows = self.between, self._first, list[Linear]()
        if at is None or np.isnan(at).any():
            return rows
        reach = 10 * b.slack
        for k, constraint in enumerate(b.constraints):
            bounds = (at[k] - reach[k], at[k] + reach[k])
            rows += _within(constraint.coefficients, (b.least[k], b.most[k]), bounds, b.sizes[k])
        return rows

    def check(self) -> None:
        """Raises SpaceError where no so many points are possible; says how many are."""
        if self.is_possible:
            return
        b, said = self.between, ""
        given = f" with {b.space.fixed!r}" if b.space.fixed else ""
        for k in np.flatnonzero(self._is_out_of_reach):
            fewest, most = b.numbers(int(k)) or (0, 0)  # none, as rows of pools are known here that were not before
            said += (
                f" {b.constraints[k]}: one point amounts to {b.least[k]:g} at least and {b.most[k]:g} at most{given}, "
                + (
                    "so no number of points does."
                    if most == 0
                    else f"so ask for {fewest} points or more."
                    if math.isinf(most)
                    else f"so ask for {fewest} to {most:g} points."
                )
            )
        raise SpaceError(
            f"{self.n} points cannot be asked for together.{said}"
            if said
            else f"No {self.n} points together satisfy {' and '.join(map(str, b.constraints))}{given}"
            f"{': no rows of the pool add up to that' if b.has_rows else ''}. Ask for another number of points, or for "
            "one at a time."
        )


def _within(
    terms: Mapping[str, float], extremes: tuple[float, float], bounds: tuple[float, float], size: float
) -> list[Linear]:
    """That a weighted sum stays within bounds, of a point; nothing where it does so anyway."""
    (least, most), near = extremes, _SAME * size
    if most - least <= near:
        return []
    low, high = min(bounds[0], most), max(bounds[1], least)  # but for rounding they are
    if high - max(low, least) <= near:
        low = high = min(max(high, least), most)
    elif min(high, most) - low <= near:
        low = high = most
    is_equal = low == high
    lower = float(low) if is_equal or low > least else None
    upper = float(high) if is_equal or high < most else None
    return [] if lower is upper is None else [Linear(dict(terms), lower=lower, upper=upper)]


def _is_position(space: Encoding, name: str) -> bool:
    """Whether a number is a position but for units, and the program keeps it to its levels."""
    n_levels = space.terms[name].n_levels
    return name in space.lines and (n_levels is None or n_levels <= ENUMERABLE)


def _range(space: Encoding, name: str) -> tuple[float, float]:
    """The least and the largest of a number that is no part of a simplex."""
    p = space.terms[name]
    if name in space.fixed:
        return float(space.fixed[name]), float(space.fixed[name])
    return (min(p.listed), max(p.listed)) if isinstance(p, Listed) else (p.low, p.high)
