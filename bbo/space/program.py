"""A region of the cube as a mixed-integer program, which finds members of it without its tests.

HiGHS by scipy, which is loaded where it is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.space.constraints import SLACK
from bbo.space.region import Positions, Region

_MOST_NODES = 20_000  # no time: else a slow machine would find other points
_N_VERTICES = 8

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
            gaps = [np.abs(centres - u) for u in positions]
            row |= {places[j] + int(gap.argmin()): 1.0 for gap in gaps if gap.min() <= SLACK}
        elif region.lower[j] < region.upper[j] or np.abs(region.lower[j] - np.array(positions)).min() > SLACK:
            return []  # of a pool, whose rows tell, or given at another level
    return [(row, -np.inf, n - 1.0)]


@dataclass(frozen=True)
class Program:
    """A region as a mixed-integer program, without its tests.

    Its variables are the positions of all columns, the numbers of the levels of columns in equal steps, whether a
    column that may be forbidden is at each of its levels, whether each part of a sparse mixture is there, and whether
    each item is at each place. Discrete columns that nothing binds vary as if in a continuum.
    """

    region: Region
    n_variables: int
    constraints: tuple[Any, ...]
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
        for at in region.orders:
            if not any(np.any(M[:, at]) for M in (region.A, region.E)):
                continue
            k = at.stop - at.start
            is_at = len(lower) + np.arange(k * k).reshape(k, k)  # items by places
            rows += [(dict.fromkeys(one.tolist(), 1.0), 1.0, 1.0) for one in (*is_at, *is_at.T)]
            for j, places_of in zip(range(at.start, at.stop), is_at.tolist(), strict=True):
                rows.append(({j: 1.0} | {v: -(i + 0.5) / k for i, v in enumerate(places_of)}, 0.0, 0.0))
            lower, upper, whole = [*lower, *[0.0] * k * k], [*upper, *[1.0] * k * k], [*whole, *[1] * k * k]
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
        found = [x for _ in range(_N_VERTICES) if (x := self.solve(rng.standard_normal(d))) is not None]
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

    def solve(self, objective: Positions) -> Positions | None:
        """The member at which a linear objective, `d`, is least; None where there is none."""
        from scipy.optimize import Bounds, milp

        d = self.region.dim
        result = milp(
            np.append(objective, np.zeros(self.n_variables - d)),
            integrality=self.is_whole,
            bounds=Bounds(self.lower, self.upper),
            constraints=self.constraints,
            options={"node_limit": _MOST_NODES},
        )
        return None if result.x is None else np.clip(result.x[:d], self.region.lower, self.region.upper)


def nearest(region: Region, u: Positions) -> Positions | None:
    """The member nearest to a position, `d`, by the sum of distances, tests left out; None without any."""
    found = [(x, part) for part in region.parts if (x := Program.of(part).nearest(u)) is not None]
    if not found:
        return None
    x, part = min(found, key=lambda one: float(np.abs(one[0] - u).sum()))
    return part.on_levels(x[None]).reshape(-1)


def each_on_levels(region: Region) -> Iterator[Positions]:
    """A member, `d`, of each combination of levels that has any, one after the other, tests left out.

    What is left beside one found, are boxes: those of the levels below and above its own in one column, with its own in
    the columns before that.
    """
    for part in region.parts:
        yield from _each_of(part)


def _each_of(region: Region) -> Iterator[Positions]:
    # Rows without a bound, for which the program keeps these columns to their levels.
    eye = np.eye(region.dim)[list(region.levels)]
    A, b = np.vstack([region.A, eye]), np.append(region.b, np.full(len(eye), np.inf))
    program = Program.of(replace(region, A=A, b=b))
    halves = {j: np.diff(centres).min() / 2 for j, centres in region.levels.items() if len(centres) > 1}
    boxes = [(program.lower, program.upper)]
    while boxes:
        lower, upper = boxes.pop()
        found = replace(program, lower=lower, upper=upper).solve(np.zeros(region.dim))
        if found is None:
            continue
        u = region.on_levels(found[None])[0]
        yield u
        lower, upper = lower.copy(), upper.copy()
        for j, half in halves.items():
            below, above = upper.copy(), lower.copy()
            below[j], above[j] = u[j] - half, u[j] + half
            boxes += [(lower.copy(), below)] if below[j] > lower[j] else []
            boxes += [(above, upper.copy())] if above[j] < upper[j] else []
            lower[j] = upper[j] = u[j]
