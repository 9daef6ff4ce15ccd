"""Trust regions: in many dimensions a model is good near what was seen, so the next point is sought near the best.

Eriksson, Pearce, Gardner, Turner & Poloczek, "Scalable global optimization via local Bayesian optimization", NeurIPS
2019 (TuRBO); with constraints Eriksson & Poloczek, "Scalable constrained Bayesian optimization", AISTATS 2021 (SCBO),
whose order of trials is taken: feasible ones by utility, before them the others by their worst violation.

The region is a box around the best trial, wide where the objective changes slowly. Its length follows from the
trials that were sought in one, in the order in which they ended: twice as long after some in a row that were better
than all before, half as long after some that were not. A region that has become too short has served: the next point is
sought everywhere, and the length begins anew. What was not sought in a region, as past data, a first design or other
strategies' trials, says where the best is and nothing of how far to look. Nothing is kept but the note `region` of such
trials: the same history has the same region.
"""

import math
from dataclasses import dataclass

import numpy as np

from bbo.history import Array, History
from bbo.objective import worst_violations

_MANY_COLUMNS = 20
_MANY_TRIALS = 300
_FIRST_LENGTH = 0.8
_LONGEST = 1.6
_SHORTEST = 0.5**7
_N_SUCCESSES = 3
# An improvement counts when it is at least so large a share of the distance between the quartiles of all values.
_SLIGHT = 1e-3
# A side is at most so many times as long, or as short, as the mean one.
_UNEQUAL = 4.0


@dataclass(frozen=True)
class TrustRegion:
    """A box in the unit cube.

    Args:
        centre: `d`.
        length: mean side.
    """

    centre: Array
    length: float

    @staticmethod
    def of(history: History, best: int, values: Array | None = None) -> "TrustRegion | None":
        """Around the best trial; None where the next point is to be sought everywhere.

        Args:
            best: number of the trial that is best by model or observation.
            values: utility of each trial, as far as it is believed, NaN where it says nothing; as told when None.
        """
        length = _length(improvements(history, values), failures(history.space.dim))
        return None if length is None else TrustRegion(np.clip(history.X[best], 0.0, 1.0), length)

    def box(self, length_scales: Array | None = None) -> tuple[Array, Array]:
        """Lower and upper positions, both `d`, within the cube.

        Args:
            length_scales: of the objective, `d`; sides are in proportion to them, TuRBO's section 2.
        """
        sides = np.full(len(self.centre), self.length)
        if length_scales is not None:
            logs = np.log(length_scales)
            sides = sides * np.exp(np.clip(logs - logs.mean(), -math.log(_UNEQUAL), math.log(_UNEQUAL)))
        return np.clip(self.centre - sides / 2, 0.0, 1.0), np.clip(self.centre + sides / 2, 0.0, 1.0)


def is_wanted(d: int, n: int) -> bool:
    """Whether `d` parameters, or `n` trials that were told, are too many to seek everywhere."""
    return d >= _MANY_COLUMNS or n >= _MANY_TRIALS


def failures(d: int) -> int:
    """How many trials in a row without an improvement halve the length."""
    return max(4, math.ceil(d / 4))


def improvements(history: History, values: Array | None = None) -> list[bool]:
    """Of each trial sought in a region whose value is known, in the order in which they ended, whether it was the best.

    In a context, of those made in it: how far to look in another says nothing of it.

    Args:
        values: as of `TrustRegion.of`.
    """
    done = history.told_order[(history.is_completed & history.is_in_context)[history.told_order]]
    if values is not None:
        done = done[~np.isnan(values[done])]
    Y, violation = (history.Y[:, 0] if values is None else values)[done], worst_violations(history.G[done])
    believed = Y[np.isfinite(Y)]
    low, high = np.quantile(believed, [0.25, 0.75]) if len(believed) else (0.0, 0.0)
    slight = _SLIGHT * float(high - low)
    is_regional = np.isin(done, history.regional)
    found: list[bool] = []
    best_y, best_v = -math.inf, math.inf
    for y, v, counts in zip(Y.tolist(), violation.tolist(), is_regional.tolist(), strict=True):
        is_better = (v < best_v - _SLIGHT) if best_v > 0 and v > 0 else (v == 0 and (best_v > 0 or y > best_y + slight))
        if counts:
            found.append(is_better)
        if v < best_v or (v == 0 and y > best_y):
            best_y, best_v = (y if v == 0 else -math.inf), v
    return found


def _length(found: list[bool], n_failures: int) -> float | None:
    length, successes, in_vain = _FIRST_LENGTH, 0, 0
    is_over = False
    for is_better in found:
        if is_over:
            length, successes, in_vain, is_over = _FIRST_LENGTH, 0, 0, False
        successes, in_vain = (successes + 1, 0) if is_better else (0, in_vain + 1)
        if successes == _N_SUCCESSES:
            length, successes = min(2 * length, _LONGEST), 0
        elif in_vain == n_failures:
            length, in_vain = length / 2, 0
            is_over = length < _SHORTEST
    return None if is_over else length
