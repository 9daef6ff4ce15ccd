"""Steps along which levels change together, where equalities bind them.

Where whole numbers k satisfy R k = r, they differ by members of a lattice, the kernel of R. A basis of it comes from
Euclid's algorithm on the columns of R; Cohen, A Course in Computational Algebraic Number Theory (1993), Section 2.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bbo.space.region import Positions, Region

# A sum within bounds counts as an equality where so few steps of some column cross them.
_NARROW = 4.0
_LARGEST_DENOMINATOR = 100_000
_ROUNDING = 1e-12
_ZERO = 1e-9


@dataclass(frozen=True)
class Lattice:
    """How levels may change together.

    Args:
        steps: changes of discrete columns, `m x d`; what satisfies the equalities of these columns alone still does
            after a whole number of such steps.
        rows: weights of the sums that a step must not change, `k x d`; columns of a continuum make up for the rest.
    """

    steps: Positions
    rows: Positions

    @staticmethod
    def of(region: Region) -> "Lattice | None":
        """None where one equality at most binds levels alone, so that two of them make up for each other."""
        gaps = {j: gap for j, centres in region.levels.items() if (gap := _gap(centres)) > 0}
        windows = _windows(region, gaps)
        rows = np.vstack([region.E, windows])
        alone = _eliminated(rows, region.is_continuous)
        columns = [j for j in gaps if np.any(np.abs(rows[:, j]) > _ZERO)]
        alone = alone[np.any(np.abs(alone[:, columns]) > _ZERO, axis=1)]
        n_plain = int((~np.any(np.abs(rows[:, region.is_continuous]) > _ZERO, axis=1)).sum())
        is_combined = len(alone) > n_plain  # equalities that share a column of a continuum bind levels by that
        if len(alone) < 2 and not len(windows) and not is_combined:
            return None
        scale = np.array([gaps[j] for j in columns])
        basis = kernel(_whole(alone[:, columns] * scale))
        sizes = np.array([len(region.levels[j]) for j in columns])
        basis = basis[(np.abs(basis) < sizes).all(1)]
        steps = np.zeros((len(basis), region.dim))
        steps[:, columns] = basis * scale
        return Lattice(steps, rows) if len(steps) else None

    def directions(self, n: int, rng: np.random.Generator) -> Positions:
        """Sums of some steps at random, forth or back, one at least: `n x d`."""
        m = len(self.steps)
        signs = rng.choice([-1.0, 1.0], size=(n, m))
        weights = np.where(rng.random((n, m)) < 1 / m, signs, 0.0)
        first = rng.integers(m, size=n)
        weights[np.arange(n), first] = signs[np.arange(n), first]
        directions: Positions = weights @ self.steps
        return directions


def kernel(R: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """A basis of the whole numbers d with R d = 0, of short vectors, `m x n`."""
    basis = np.eye(len(R[0]), dtype=int).astype(object)  # Python's whole numbers, which do not overflow
    for row in R:
        while True:
            values = basis @ np.array(row, dtype=object)
            others = np.flatnonzero(values)
            if len(others) <= 1:
                break
            least = min(others, key=lambda i: abs(values[i]))
            for i in others:
                if i != least:
                    basis[i] -= _nearest(values[i], values[least]) * basis[least]
        basis = np.delete(basis, others, axis=0)
    return _shortened(basis).astype(float)


def _shortened(basis: NDArray[np.object_]) -> NDArray[np.object_]:
    """Each vector less whole multiples of the others, as long as one becomes shorter."""
    is_changed = True
    while is_changed:
        is_changed = False
        gram = basis @ basis.T
        for i in range(len(basis)):
            for j in range(len(basis)):
                if i != j and 2 * abs(gram[i, j]) > gram[j, j]:
                    basis[i] -= _nearest(gram[i, j], gram[j, j]) * basis[j]
                    gram[i] = gram[:, i] = basis @ basis[i]
                    is_changed = True
    return basis


def _nearest(a: int, b: int) -> int:
    """The whole number nearest to a / b."""
    return (2 * a + b) // (2 * b)


def _gap(centres: Positions) -> float:
    """Between neighbours among levels in equal steps; 0 where they are not, or there is one alone."""
    gaps = np.diff(centres)
    return float(gaps.mean()) if len(gaps) and np.ptp(gaps) <= _ZERO * gaps.mean() * len(centres) else 0.0


def _windows(region: Region, gaps: dict[int, float]) -> Positions:
    """Weights of the sums of levels that bounds leave hardly any room, `k x d`."""
    found = []
    for i, row in enumerate(region.A):
        steps = [abs(row[j]) * gap for j, gap in gaps.items()]
        is_opposite = np.abs(region.A[:i] + row).max(1, initial=0.0) <= _ROUNDING
        widths = region.b[:i][is_opposite] + region.b[i]
        if len(widths) and widths.min() < _NARROW * max(steps, default=0.0):
            found.append(row)
    return np.array(found).reshape(-1, region.dim)


def _eliminated(rows: Positions, is_continuous: NDArray[np.bool_]) -> Positions:
    """What rows demand of the other columns alone, whatever the columns of a continuum are."""
    rows = rows.copy()
    for j in np.flatnonzero(is_continuous):
        pivot = int(np.abs(rows[:, j]).argmax()) if len(rows) else 0
        if len(rows) and abs(rows[pivot, j]) > _ZERO:
            rows = np.delete(rows - np.outer(rows[:, j] / rows[pivot, j], rows[pivot]), pivot, axis=0)
    return rows


def _whole(rows: Positions) -> list[list[int]]:
    """Rows as multiples of whole numbers; in the place of one that is none, that its columns stay."""
    found: list[list[int]] = []
    for row in rows:
        ratios = row / np.abs(row).max()
        shares = [Fraction(v).limit_denominator(_LARGEST_DENOMINATOR) for v in ratios.tolist()]
        if np.abs(ratios - np.array(shares, dtype=float)).max() <= _ROUNDING:
            multiple = math.lcm(*(share.denominator for share in shares))
            found.append([int(share * multiple) for share in shares])
        else:
            found += np.eye(len(row), dtype=int)[np.abs(ratios) > _ZERO].tolist()
    return found
