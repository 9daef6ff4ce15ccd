"""Whether a model holds what it promises: counted over results that were told after they were foretold.

A suggestion's notes have the mean and standard deviation that the model expected of it, and how likely it is feasible.
Nothing of the result was known then, so the share of results within the 90 % intervals, and the number of feasible
ones, are honest tests of the model, whatever its kind.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.events import number
from bbo.history import History

LEVEL = 0.9
# Half the width of a Gaussian's central 90 %, in standard deviations.
_HALF = 1.6448536269514722
_LATEST = 20
# Trials that were not foretold are passed over, but no more than so many times `latest` are looked at.
_LOOKED_AT = 5
_SUREST = 0.99
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


@dataclass(frozen=True)
class Hope:
    """Of the `of` latest trials of which it was foretold how likely they are feasible, `feasible` were.

    Args:
        foretold: these probabilities, `of` of them.
    """

    feasible: int
    foretold: tuple[float, ...]

    @property
    def of(self) -> int:
        return len(self.foretold)

    @property
    def expected(self) -> float:
        return math.fsum(self.foretold)

    @property
    def p_value(self) -> float:
        """Probability that no more than these are feasible where each is with the probability foretold.

        What was foretold for certain counts as 0.99: a single surprise says little of so small a rest.
        """
        by_number = [1.0]  # of feasible ones
        for p in (min(p, _SUREST) for p in self.foretold):
            more, fewer = [0.0, *(p * q for q in by_number)], [*((1 - p) * q for q in by_number), 0.0]
            by_number = [a + b for a, b in zip(more, fewer, strict=True)]
        return min(1.0, math.fsum(by_number[: self.feasible + 1]))


def coverage(history: History, latest: int = _LATEST) -> Coverage:
    """Of the objective's latest results, as they stand after amendments, in the order in which trials ended.

    Counted are completed trials whose notes foretell the objective's metric (not those of a Target: what they foretell
    is its distance) and whose noise is known: told with the value, or noted with the suggestion. A mean of k
    measurements has 1 / sqrt(k) of the noise that was noted.
    """
    metric = history.objectives.aims[0].metric
    column = history.objectives.metrics.index(metric)
    inside = of = 0
    for k in _latest(history, history.is_completed, latest):
        foretold = _foretold(history, k, metric)
        sd = _noise(history, k, metric, column)
        if foretold is None or sd is None:
            continue
        mean, spread = foretold
        half = _HALF * math.hypot(spread, sd) + _ROUNDING * abs(mean)
        inside += bool(abs(history.V[k, column] - mean) <= half)
        of += 1
        if of == latest:
            break
    return Coverage(inside, of)


def hope(history: History, latest: int = _LATEST) -> Hope:
    """Of the latest trials that were completed, or failed because of their point, and whose notes have `feasibility`.

    A completed trial is feasible where its constraints are satisfied, a failed one never; failed ones count only where
    the model knew of failures when it was asked.
    """
    feasible, foretold = 0, list[float]()
    for k in _latest(history, history.is_completed | history.is_failed, latest):
        p = history.notes_of(k).get("feasibility")
        if not isinstance(p, (int, float)) or not 0 <= p <= 1:
            continue
        if history.is_failed[k] and not _foretells_failure(history, k):
            continue
        foretold.append(p)
        feasible += bool(history.is_feasible[k])
        if len(foretold) == latest:
            break
    return Hope(feasible, tuple(foretold))


def _latest(history: History, wanted: NDArray[np.bool_], latest: int) -> Iterator[int]:
    """Numbers of the trials wanted that a model may have foretold, those that ended last first."""
    ended = history.told_order
    # Before the first suggestion of a model nothing was foretold.
    first = history.warm_trials[0] if history.latest_warm() is not None else 0
    chosen = ended[wanted[ended] & ~history.is_past[ended] & (ended >= first)]
    return islice(reversed(chosen.tolist()), _LOOKED_AT * latest)


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


def _foretells_failure(history: History, trial: int) -> bool:
    """Whether the probability of feasibility that was noted is also that of not failing."""
    warm = _notes_of_ask(history, trial).get("warm")
    return isinstance(warm, Mapping) and bool(warm.get("success"))


def _notes_of_ask(history: History, trial: int) -> dict[str, Any]:
    """What the model noted on itself when this trial was suggested: with the first suggestion of the ask."""
    firsts = history.warm_trials
    place = bisect_right(firsts, trial) - 1
    return history.notes_of(trial if place < 0 else firsts[place])


def _noise(history: History, trial: int, metric: str, column: int) -> float | None:
    """Standard deviation of the noise of a trial's value: as told, or as noted when the trial was suggested."""
    told = float(history.V_sd[trial, column])
    if not math.isnan(told):
        return told
    noted = _of_metric(history.notes_of(trial).get("noise_sd"), metric)
    return None if noted is None else noted / math.sqrt(history.V_n[trial, column])
