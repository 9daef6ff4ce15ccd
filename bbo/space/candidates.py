"""Candidates that stand in a list, as positions, found again fast among many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A sum of positions with weights at random tells rows apart; these are the same everywhere.
_SEED = 2026
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Candidates:
    """What some columns of the cube may be together. `Candidates.of` makes it.

    Args:
        columns: their numbers, `k`.
        U: distinct rows, `n x k`, sorted by `key`.
        codes: the numbers that stand for their values, exactly, `n x k`.
        costs: of each row, `n`, where they are known; of equal rows the least.
        key: `U @ weights`, `n`.
        weights, same: by column, `k`; positions that differ by less than `same` are one value.
        is_ordered: of each column, `k`.
    """

    columns: NDArray[np.int64]
    U: Positions
    codes: Positions
    costs: Positions | None
    key: Positions
    weights: Positions
    same: Positions
    is_ordered: Mask

    @staticmethod
    def of(
        columns: NDArray[np.int64],
        U: Positions,
        codes: Positions,
        costs: Positions | None,
        same: Positions,
        is_ordered: Mask,
    ) -> "Candidates":
        """Of rows in any order and with repeats."""
        weights = np.random.default_rng(_SEED).uniform(1.0, 2.0, len(columns))
        key = U @ weights
        order = np.argsort(key, kind="stable") if costs is None else np.lexsort((costs, key))
        costs = None if costs is None else costs[order]
        ordered = Candidates(columns, U[order], codes[order], costs, key[order], weights, same, is_ordered)
        is_first = np.ones(len(U), dtype=bool)
        near = np.flatnonzero(np.diff(ordered.key) <= ordered._slack)
        is_first[near + 1] = (np.abs(ordered.U[near + 1] - ordered.U[near]) > same).any(1)
        return ordered.where(is_first)

    def __len__(self) -> int:
        return len(self.U)

    def where(self, is_kept: Mask) -> "Candidates":
        """Some of the rows."""
        if is_kept.all():
            return self
        costs = None if self.costs is None else self.costs[is_kept]
        return replace(self, U=self.U[is_kept], codes=self.codes[is_kept], key=self.key[is_kept], costs=costs)

    def given(self, columns: Sequence[int], positions: Positions) -> "Candidates":
        """The rows that have these columns of the cube at these positions."""
        wanted = dict(zip(columns, positions.tolist(), strict=True))
        is_kept = np.ones(len(self), dtype=bool)
        for i, j in enumerate(self.columns.tolist()):
            if j in wanted:
                is_kept &= np.abs(self.U[:, i] - wanted[j]) <= self.same[i]
        return self.where(is_kept)

    def find(self, X: Positions) -> NDArray[np.int64]:
        """The row that each of some positions, `m x d`, has in these columns: `m`, -1 for none."""
        V = X[:, self.columns]
        key = V @ self.weights
        low = np.searchsorted(self.key, key - self._slack)
        high = np.searchsorted(self.key, key + self._slack, side="right")
        found = np.full(len(V), -1, dtype=np.int64)
        for step in range(int((high - low).max(initial=0))):
            at = low + step
            left = np.flatnonzero((at < high) & (found < 0))
            is_it = (np.abs(self.U[at[left]] - V[left]) <= self.same).all(1)
            found[left[is_it]] = at[left[is_it]]
        return found

    @property
    def _slack(self) -> float:
        """By how much the keys of equal rows may differ."""
        return float(self.weights @ self.same) + _ROUNDING * len(self.weights)

    def nearest(self, X: Positions) -> NDArray[np.int64]:
        """The row nearest to each of some positions, `m x d`, unordered levels being 1 apart: `m`."""
        return np.array([self._apart(x[self.columns]).argmin() for x in X], dtype=np.int64)

    def _apart(self, v: Positions) -> Positions:
        apart = np.zeros(len(self))
        for i, column in enumerate(self.U.T):
            gap = np.abs(column - v[i])
            apart += gap**2 if self.is_ordered[i] else gap > self.same[i]
        return apart
