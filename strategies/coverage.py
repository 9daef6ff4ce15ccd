"""Whether a model's intervals hold what they promise: counted over results that were told after they were foretold.

A suggestion's notes have the mean and standard deviation that the model expected of it. Nothing of the result was known
then, so the share of results within the 90 % intervals is an honest test of the model, whatever its kind.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bbo.events import number
from bbo.history import History

LEVEL = 0.9
# Half the width of a Gaussian's central 90 %, in standard deviations.
_HALF = 1.6448536269514722
_LATEST = 20
# Trials that were not foretold are passed over, but no more than so many times `latest` are looked at.
_LOOKED_AT = 5
# Notes have six digits: what is left out is at most this share of the number.
_ROUNDING = 5e-6


@dataclass(frozen=True)
class Coverage:
    """Of the `of` latest results that were foretold, `inside` lay within their 90 % intervals."""

    inside: int
    of: int

    @property
    def outside(self) -> int:
        return self.of - self.inside

    @property
    def p_value(self) -> float:
        """Probability that no more than these lie inside where each does with 0.9: an exact binomial test."""
        miss = 1 - LEVEL  # scipy.stats takes longer to load than all of `bbo status`
        return math.fsum(math.comb(self.of, k) * LEVEL**k * miss ** (self.of - k) for k in range(self.inside + 1))

    def to_note(self) -> dict[str, int]:
        """As the notes of a suggestion have it."""
        return {"inside": self.inside, "of": self.of}


def coverage(history: History, latest: int = _LATEST) -> Coverage:
    """Of the objective's latest results, as they stand after amendments, in the order in which trials ended.

    Counted are completed trials whose notes foretell the objective's metric (not those of a Target: what they foretell
    is its distance) and whose noise is known: told with the value, or noted by then. A mean of k measurements has
    1 / sqrt(k) of the noise that was noted.
    """
    metric = history.objectives.aims[0].metric
    column = history.objectives.metrics.index(metric)
    ended = history.told_order
    # Before the first suggestion of a model nothing was foretold.
    first = history.warm_trials[0] if history.latest_warm() is not None else 0
    completed = ended[history.is_completed[ended] & ~history.is_past[ended] & (ended >= first)]
    inside = of = 0
    for k in islice(reversed(completed.tolist()), _LOOKED_AT * latest):
        foretold = _foretold(history, k, metric)
        sd = _noise(history, k, column)
        if foretold is None or sd is None:
            continue
        mean, spread = foretold
        half = _HALF * math.hypot(spread, sd) + _ROUNDING * abs(mean)
        inside += bool(abs(history.V[k, column] - mean) <= half)
        of += 1
        if of == latest:
            break
    return Coverage(inside, of)


def _foretold(history: History, trial: int, metric: str) -> tuple[float, float] | None:
    """Mean and standard deviation, without noise, as noted when the trial was suggested."""
    notes = history.notes_of(trial)
    mean, sd = (_of_metric(notes.get(key), metric) for key in ("mean", "sd"))
    return None if mean is None or sd is None else (mean, sd)


def _of_metric(by_metric: Any, metric: str) -> float | None:
    if not isinstance(by_metric, Mapping) or metric not in by_metric:
        return None
    value = number(by_metric[metric])
    return value if math.isfinite(value) else None


def _noise(history: History, trial: int, column: int) -> float | None:
    """Standard deviation of the noise of a trial's value: as told, or as the model had noted it.

    The first suggestion of each ask has the note.
    """
    told = float(history.V_sd[trial, column])
    if not math.isnan(told):
        return told
    firsts = history.warm_trials
    place = bisect_right(firsts, trial) - 1
    notes = history.notes_of(trial if place < 0 else firsts[place])
    if "noise" not in notes:
        return None
    return number(notes["noise"]) / math.sqrt(history.V_n[trial, column])
