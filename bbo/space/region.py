"""The part of the unit cube that is a space: which positions are points of it, and how they are drawn.

| symbol | shape | is |
|---|---|---|
| U | n x d | positions |
| A, b | k x d, k | A u <= b, of the linear constraints |
| E, e | k x d, k | E u = e, of the totals of simplices, which come first, and of equalities |

Where columns are bound together points are drawn by a Markov chain whose limit is uniform: hit-and-run on the columns
that vary in a continuum (Smith, Oper. Res. 32 (1984)), and changes of levels and of the parts that are present.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.errors import SpaceError
from bbo.space.constraints import SLACK

Positions = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TIGHT = 1e-9
_MAKES_UP = 0.7  # how often two discrete columns move together, where equalities bind them
_ROUNDING = 1e-12
# What is drawn independently is kept where it satisfies all; a chain is walked where fewer than one in so many do.
_TRIES = 64
_STEPS = 32  # of a chain, for each column
_MOST_STEPS = 2000
_N_STARTS = 8
_MOST_NODES = 20_000  # of a program, no time: else a slow machine would find other points
_INFEASIBLE = 2  # as scipy says it
# Points at random among which some must satisfy the tests.
_MOST_TRIED = 100_000


@dataclass(frozen=True)
class Mixture:
    """Columns that are the amounts of one simplex.

    Args:
        columns: the first, and the one behind the last.
        n_present: how many parts may be above 0.
        least, most: positions of its bounds, `k`.
        none: positions of amounts of 0, `k`.
    """

    columns: tuple[int, int]
    n_present: int
    least: Positions
    most: Positions
    none: Positions

    @property
    def at(self) -> slice:
        return slice(*self.columns)

    @property
    def is_sparse(self) -> bool:
        return self.n_present < len(self.least)


@dataclass(frozen=True)
class Region:
    """Where the points of a space are.

    Args:
        lower, upper: the box, `d`; equal where a column is fixed.
        levels: positions of the levels of each discrete column.
        A, b, E, e: see above.
        mixtures: the simplices.
        tests: of whole points, from `n x d` to `n`, each behind what it asks in words.
        forbidden: positions of levels that do not go together, by discrete column; what tests say too.
    """

    lower: Positions
    upper: Positions
    levels: Mapping[int, Positions]
    A: Positions
    b: Positions
    E: Positions
    e: Positions
    mixtures: tuple[Mixture, ...] = ()
    tests: tuple[tuple[str, Callable[[Positions], Mask]], ...] = ()
    forbidden: tuple[Mapping[int, Sequence[float]], ...] = ()

    @property
    def dim(self) -> int:
        return len(self.lower)

    @property
    def is_box(self) -> bool:
        """Whether every column varies whatever the others are."""
        return not (len(self.A) or len(self.E) or self.tests)

    @cached_property
    def is_continuous(self) -> Mask:
        """Columns that vary in a continuum, `d`."""
        return (self.upper > self.lower) & ~np.isin(np.arange(self.dim), list(self.levels))

    def within(self, lower: Positions, upper: Positions) -> "Region":
        """Those with the continuous columns within a box as well."""
        low, high = np.maximum(self.lower, lower), np.minimum(self.upper, upper)
        is_cut = self.is_continuous
        return replace(self, lower=np.where(is_cut, low, self.lower), upper=np.where(is_cut, high, self.upper))

    def given(self, columns: Sequence[int], positions: Positions) -> "Region":
        """Those with these columns at these positions."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[list(columns)] = upper[list(columns)] = positions
        levels = {j: centres for j, centres in self.levels.items() if j not in columns}
        return replace(self, lower=lower, upper=upper, levels=levels)

    def contains(self, U: Positions, slack: float = SLACK) -> Mask:
        """Which positions satisfy what binds columns together, `n`."""
        is_below = U @ self.A.T - self.b <= slack * self._scales(self.A, self.b)
        is_in: Mask = np.asarray(is_below.all(axis=1))
        is_in &= (np.abs(U @ self.E.T - self.e) <= slack * self._scales(self.E, self.e)).all(axis=1)
        for mixture in self.mixtures:
            if mixture.is_sparse:
                present = (U[:, mixture.at] > mixture.none + slack).sum(1)
                is_in &= present <= mixture.n_present
        for _, accepts in self.tests:
            is_in[is_in] = accepts(U[is_in])
        return is_in

    @staticmethod
    def _scales(A: Positions, b: Positions) -> Positions:
        scales: Positions = np.abs(A).sum(1) + np.abs(b)
        return scales

    # Points at random.

    def sample(self, n: int, rng: np.random.Generator) -> Positions:
        """Uniform over what is there, `n x d`; fewer, even none, where the box has no member.

        Raises:
            SpaceError: hardly any point satisfies the tests.
        """
        if n == 0:
            return np.empty((0, self.dim))
        kept = np.empty((0, self.dim))
        tried, least = 0, 4 * max(n, _TRIES)
        while len(kept) < n and (tried < least or len(kept) * _TRIES >= tried):
            U = self._independent(max(n, _TRIES), rng)
            tried += max(n, _TRIES)
            kept = np.vstack([kept, U[self.contains(U)]])
        if len(kept) >= n:
            return kept[:n]
        starts = np.vstack([kept, self.starts(rng)])
        if not len(starts) and self.tests:
            starts = self._searched(rng)
        return self._walk(starts[rng.integers(len(starts), size=n)], rng) if len(starts) else starts

    def _searched(self, rng: np.random.Generator) -> Positions:
        """Members among many points that satisfy all but the tests.

        Raises:
            SpaceError: there are none; says what each test accepts.
        """
        U = replace(self, tests=(), forbidden=()).sample(_MOST_TRIED, rng)
        is_in = self.contains(U)
        if not is_in.any():
            rates = "; ".join(f"{said}: {accepts(U).mean():.2%}" for said, accepts in self.tests)
            raise SpaceError(
                f"None of {len(U):,} points that satisfy all else was accepted. By constraint: {rates}. "
                "Mend the one that accepts too little, or narrow the ranges to where it holds."
            )
        return U[is_in]

    def _independent(self, n: int, rng: np.random.Generator) -> Positions:
        """Columns drawn by themselves, simplices as wholes and within their lower bounds alone."""
        U = self.lower + (self.upper - self.lower) * rng.random((n, self.dim))
        for j, centres in self.levels.items():
            U[:, j] = centres[rng.integers(len(centres), size=n)]
        for row, mixture in enumerate(self.mixtures):
            if (self.lower == self.upper)[mixture.at].all():
                continue
            weights, room = self.E[row, mixture.at], self.e[row]
            shares = rng.exponential(size=(n, len(weights)))
            low = np.maximum(mixture.least, self.lower[mixture.at])
            if mixture.is_sparse:
                is_in = _supports(n, low > mixture.none, mixture.n_present, rng)
                low = np.where(is_in, low, mixture.none)
                shares *= is_in
            shares /= shares.sum(1, keepdims=True)
            left = room - (low * weights).sum(-1)
            U[:, mixture.at] = low + shares * np.reshape(left, (-1, 1)) / weights
        return np.clip(U, self.lower, self.upper)[self._is_in_box(U)]

    def _is_in_box(self, U: Positions) -> Mask:
        is_in: Mask = np.asarray(((self.lower - _ROUNDING <= U) & (self.upper + _ROUNDING >= U)).all(axis=1))
        return is_in

    def starts(self, rng: np.random.Generator) -> Positions:
        """Some members, found by mixed-integer programs with objectives at random, and moved inwards; `k x d`."""
        found = Program.of(self).vertices(rng)
        if not len(found):
            return found
        U = self.on_levels(found)
        if self.levels or any(m.is_sparse for m in self.mixtures):
            U = np.array([self._inward(u, rng) for u in U])
        else:
            U = U.mean(0, keepdims=True)
        return U[self.contains(U)]

    def _inward(self, u: Positions, rng: np.random.Generator) -> Positions:
        """A point in the middle of the face that a member, `d`, is on: with its levels, and as many parts."""
        face = self.given(list(self.levels), u[list(self.levels)])
        for mixture in self.mixtures:
            if mixture.is_sparse:
                order = np.argsort(rng.random(len(mixture.none)) - 2.0 * (u[mixture.at] > mixture.none + SLACK))
                absent = order[mixture.n_present :]
                face = face.given((mixture.columns[0] + absent).tolist(), mixture.none[absent])
        found = Program.of(replace(face, mixtures=())).vertices(rng)
        middle: Positions = found.mean(0) if len(found) else u
        return middle

    def on_levels(self, U: Positions) -> Positions:
        """Positions with each discrete column at its nearest level."""
        U = U.copy()
        for j, centres in self.levels.items():
            U[:, j] = centres[np.abs(centres[:, None] - U[:, j]).argmin(0)]
        return U

    def nearest(self, u: Positions) -> Positions | None:
        """The member nearest to a position, `d`, by the sum of distances, tests left out; None without any."""
        x = Program.of(self).nearest(u)
        if x is None:
            return None
        return self.on_levels(x[None]).reshape(-1)

    def _walk(self, U: Positions, rng: np.random.Generator) -> Positions:
        """The ends of Markov chains, one from each row."""
        U = U.copy()
        movable = np.broadcast_to(self.is_continuous, U.shape).copy()
        for mixture in self.mixtures:
            if mixture.is_sparse:
                movable[:, mixture.at] &= U[:, mixture.at] > mixture.none + SLACK
        n_kinds = 1 + bool(self.levels) + sum(m.is_sparse for m in self.mixtures)
        for step in range(min(_MOST_STEPS, _STEPS * self.dim * n_kinds)):
            kind = step % n_kinds
            if kind == 0:
                self._slide(U, movable, rng)
            elif kind == 1 and self.levels:
                self._change_level(U, movable, rng)
            else:
                sparse = [m for m in self.mixtures if m.is_sparse]
                self._exchange(U, movable, sparse[(step // n_kinds) % len(sparse)], rng)
        return U

    def _slide(self, U: Positions, movable: Mask, rng: np.random.Generator) -> None:
        """A step of hit-and-run, in place."""
        D = self._along(rng.standard_normal(U.shape) * movable, movable)
        low, high = _chord(U, D, self.lower, self.upper, self.A, self.b)
        V = np.clip(U + (low + (high - low) * rng.random(len(U)))[:, None] * D, self.lower, self.upper)
        self._take(U, V, np.ones(len(U), dtype=bool))

    def _along(self, D: Positions, movable: Mask) -> Positions:
        """Directions within the equalities, of the movable columns."""
        if not len(self.E):
            return D
        return D - self._pulled(D @ self.E.T, movable)

    def _pulled(self, missed: Positions, movable: Mask) -> Positions:
        """The least change of the movable columns by which equalities change by so much, `n x d`."""
        E = self.E * movable[:, None, :]
        is_held = np.abs(E).sum(2) == 0  # rows without a movable column
        gram = E @ self.E.T + np.eye(len(self.E)) * (1e-14 + is_held)[:, :, None]
        pulled: Positions = (E.mT @ np.linalg.solve(gram, missed[..., None]))[..., 0]
        return pulled

    def _change_level(self, U: Positions, movable: Mask, rng: np.random.Generator) -> None:
        """One or two discrete columns of each row at other levels, where that is allowed; in place.

        What equalities lose by that the continuous columns make up for, and two columns may for each other.
        """
        V = U.copy()
        columns, rows = list(self.levels), np.arange(len(U))
        moved = np.array(columns)[rng.integers(len(columns), size=len(U))]
        for j in columns:
            is_moved = moved == j
            V[is_moved, j] = self.levels[j][rng.integers(len(self.levels[j]), size=int(is_moved.sum()))]
        if len(self.E) and len(columns) > 1:
            # Another one makes up for it in one of the equalities, where it has a level for that.
            row, other = rng.integers(len(self.E)), np.array(columns)[rng.integers(len(columns), size=len(U))]
            weight = self.E[row, other]
            missed = V @ self.E[row] - self.e[row]
            makes_up = (other != moved) & (weight != 0) & (rng.random(len(U)) < _MAKES_UP)
            V[rows[makes_up], other[makes_up]] -= (missed / np.where(weight == 0, 1.0, weight))[makes_up]
            V = self.on_levels(V)
        if len(self.E):
            V -= self._pulled(V @ self.E.T - self.e, movable)
        self._take(U, V, np.ones(len(U), dtype=bool))

    def _exchange(self, U: Positions, movable: Mask, mixture: Mixture, rng: np.random.Generator) -> None:
        """One part of a mixture gives its amount to one that is absent, or both stay; in place."""
        n, at = len(U), mixture.at
        row = self.mixtures.index(mixture)
        weights = self.E[row, at]
        is_present = movable[:, at]
        gives = np.argmax(rng.random(is_present.shape) * (is_present & (mixture.least <= mixture.none + SLACK)), 1)
        takes = np.argmax(rng.random(is_present.shape) * ~is_present, 1)
        rows = np.arange(n)
        V = U.copy()
        amount = (V[rows, at.start + gives] - mixture.none[gives]) * weights[gives]
        V[rows, at.start + gives] = mixture.none[gives]
        V[rows, at.start + takes] = mixture.none[takes] + amount / weights[takes]
        may = is_present[rows, gives] & ~is_present[rows, takes]
        is_taken = self._take(U, V, may)
        movable[rows[is_taken], at.start + gives[is_taken]] = False
        movable[rows[is_taken], at.start + takes[is_taken]] = True

    def _take(self, U: Positions, V: Positions, may: Mask) -> Mask:
        """Puts rows of V that are members in the place of those of U; which they are."""
        is_taken = may & self._is_in_box(V)
        is_taken[is_taken] = self.contains(V[is_taken], slack=_TIGHT)
        U[is_taken] = V[is_taken]
        return is_taken


def _chord(
    U: Positions, D: Positions, lower: Positions, upper: Positions, A: Positions, b: Positions
) -> tuple[Positions, Positions]:
    """How far one can go from each row along its direction, back and forth, `n` each."""
    rates = np.hstack([D, -D, D @ A.T])
    room = np.maximum(np.hstack([upper - U, U - lower, b - U @ A.T]), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = room / rates
    ahead = np.where(rates > 1e-13, steps, np.inf).min(1)
    back = np.where(rates < -1e-13, steps, -np.inf).max(1)
    return np.where(np.isfinite(back), back, 0.0), np.where(np.isfinite(ahead), ahead, 0.0)


def _supports(n: int, is_needed: Mask, size: int, rng: np.random.Generator) -> Mask:
    """Sets of parts at random, `n x k`, those needed among them."""
    order = np.argsort(rng.random((n, len(is_needed))) - 2.0 * is_needed, axis=1)
    is_in = np.zeros((n, len(is_needed)), dtype=bool)
    np.put_along_axis(is_in, order[:, :size], True, axis=1)
    return is_in


# Coefficients by variable, and the bounds of their sum.
Row = tuple[dict[int, float], float, float]


def _kept_apart(region: Region, combination: Mapping[int, Sequence[float]], places: Mapping[int, int]) -> list[Row]:
    """That one column at least is at another level than those of a combination.

    Args:
        places: the first of the variables that say which level a column is at.
    """
    row: dict[int, float] = {0: 0.0}
    n = 0
    for j, positions in combination.items():
        if j in places:
            n += 1
            centres = region.levels[j]
            row |= {places[j] + int(np.abs(centres - u).argmin()): 1.0 for u in positions}
        elif np.abs(region.lower[j] - np.array(positions)).min() > SLACK:
            return []  # given, at another level
    return [(row, -np.inf, n - 1.0)]


@dataclass(frozen=True)
class Program:
    """A region as a mixed-integer program, without its tests.

    Its variables are the positions of all columns, the numbers of the levels of columns in equal steps, whether a
    column that may be forbidden is at each of its levels, and whether each part of a sparse mixture is there. Discrete
    columns that nothing binds vary as if in a continuum.
    """

    region: Region
    n_variables: int
    constraints: tuple[Any, ...]  # of scipy, which is loaded where it is needed
    lower: Positions
    upper: Positions
    is_whole: NDArray[np.int64]

    @staticmethod
    def of(region: Region) -> "Program":
        d = region.dim
        lower, upper, whole = list(region.lower), list(region.upper), [0] * d
        rows: list[Row] = []
        places: dict[int, int] = {}
        for j, centres in region.levels.items():
            gaps = np.diff(centres)
            is_bound = any(np.any(M[:, j]) for M in (region.A, region.E)) or any(j in f for f in region.forbidden)
            if region.lower[j] == region.upper[j] or not is_bound:
                continue
            is_told_apart = any(j in levels for levels in region.forbidden)
            if len(centres) == 1 or (np.ptp(gaps) <= 1e-9 and not is_told_apart):
                step = float(gaps[0]) if len(gaps) else 1.0
                rows.append(({j: 1.0, len(lower): -step}, float(centres[0]), float(centres[0])))
                lower, upper, whole = [*lower, 0.0], [*upper, len(centres) - 1.0], [*whole, 1]
            else:
                first = len(lower)
                own = {first + k: -float(c) for k, c in enumerate(centres)}
                rows.append(({j: 1.0, **own}, 0.0, 0.0))
                rows.append((dict.fromkeys(own, 1.0), 1.0, 1.0))
                k, places[j] = len(centres), first
                lower, upper, whole = [*lower, *[0.0] * k], [*upper, *[1.0] * k], [*whole, *[1] * k]
        for combination in region.forbidden:
            rows += _kept_apart(region, combination, places)
        for mixture in region.mixtures:
            if not mixture.is_sparse:
                continue
            first = len(lower)
            for i, j in enumerate(range(*mixture.columns)):
                room = float(mixture.most[i] - mixture.none[i])
                rows.append(({j: 1.0, first + i: -room}, -np.inf, float(mixture.none[i])))
            k = len(mixture.least)
            rows.append(({first + i: 1.0 for i in range(k)}, 0.0, float(mixture.n_present)))
            lower, upper, whole = [*lower, *[0.0] * k], [*upper, *[1.0] * k], [*whole, *[1] * k]
        n = len(lower)
        from scipy.optimize import LinearConstraint

        table = np.zeros((len(rows), n))
        for i, (row, _, _) in enumerate(rows):
            table[i, list(row)] = list(row.values())

        def widened(M: Positions) -> Positions:
            return np.hstack([M, np.zeros((len(M), n - d))])

        constraints = []
        if len(rows):
            constraints.append(LinearConstraint(table, [r[1] for r in rows], [r[2] for r in rows]))
        if len(region.A):
            constraints.append(LinearConstraint(widened(region.A), -np.inf, region.b))
        if len(region.E):
            constraints.append(LinearConstraint(widened(region.E), region.e, region.e))
        return Program(region, n, tuple(constraints), np.array(lower), np.array(upper), np.array(whole))

    def vertices(self, rng: np.random.Generator) -> Positions:
        """Some, by objectives at random, `k x d`; none where there is no member."""
        d = self.region.dim
        found = [x for _ in range(_N_STARTS) if (x := self.solve(rng.standard_normal(d))) is not None]
        return np.array(found).reshape(-1, d)

    def nearest(self, u: Positions) -> Positions | None:
        """The member at the least sum of distances by column from a position, `d`; None where there is none."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        d, n = self.region.dim, self.n_variables
        eye, zero = np.eye(d), np.zeros((d, n - d))
        # t >= x - u and t >= u - x, with t least.
        apart = LinearConstraint(np.block([[eye, zero, -eye], [-eye, zero, -eye]]), -np.inf, np.append(u, -u))
        others = [LinearConstraint(np.pad(np.asarray(c.A), ((0, 0), (0, d))), c.lb, c.ub) for c in self.constraints]
        result = milp(
            np.append(np.zeros(n), np.ones(d)),
            integrality=np.append(self.is_whole, np.zeros(d)),
            bounds=Bounds(np.append(self.lower, np.zeros(d)), np.append(self.upper, np.full(d, np.inf))),
            constraints=[*others, apart],
            options={"node_limit": _MOST_NODES},
        )
        return None if result.x is None else np.clip(result.x[:d], self.region.lower, self.region.upper)

    @property
    def is_empty(self) -> bool:
        """Whether it is known that there is no member."""
        return bool(self._solved(np.zeros(self.region.dim)).status == _INFEASIBLE)

    def _solved(self, objective: Positions) -> Any:
        from scipy.optimize import Bounds, milp

        return milp(
            np.append(objective, np.zeros(self.n_variables - self.region.dim)),
            integrality=self.is_whole,
            bounds=Bounds(self.lower, self.upper),
            constraints=self.constraints,
            options={"node_limit": _MOST_NODES},
        )

    def solve(self, objective: Positions) -> Positions | None:
        """The member at which a linear objective, `d`, is least; None where there is none."""
        d = self.region.dim
        result = self._solved(objective)
        return None if result.x is None else np.clip(result.x[:d], self.region.lower, self.region.upper)
