"""What figures read of a history: the best as it came, the best in the end, and which scale shows the values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbo.history import History
from bbo.objective import Maximize, Minimize, Objective, Objectives
from bbo.trial import Status

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]

# A logarithmic axis must be worth its strangeness: so many times from the lowest to the highest value, ...
_LOG_RATIO = 30.0
# ... and what lies between the best and the middling must take so many times its share of a linear axis.
_LOG_GAIN = 1.5
# A reference so far off that it would take more than this share of the axis is told in words instead.
_ROOM_FOR_REFERENCE = 0.75


@dataclass(frozen=True)
class Trials:
    """Numbers of the trials by what became of them; `best` is the incumbent, or with several objectives the front."""

    feasible: Numbers
    infeasible: Numbers
    failed: Numbers
    best: Numbers

    @classmethod
    def of(cls, history: History) -> "Trials":
        best = history.front if len(history.objectives.aims) > 1 else [k for k in [history.incumbent] if k is not None]
        return cls(
            feasible=np.flatnonzero(history.is_feasible),
            infeasible=np.flatnonzero(history.is_completed & ~history.is_feasible),
            failed=np.flatnonzero(history.has_status(Status.FAILED)),
            best=np.array(best, dtype=np.int64),
        )

    @property
    def completed(self) -> Numbers:
        return np.sort(np.concatenate([self.feasible, self.infeasible]))


def metric_values(history: History, metric: str) -> Values:
    """The values of a metric, `n`, in the user's units; NaN where there is none."""
    return history.V[:, history.objectives.metrics.index(metric)]


def best_so_far(history: History, aim: Objective) -> tuple[Numbers, Values]:
    """Trial numbers from the first feasible one on, and the value of the best feasible trial up to each.

    Values are in the user's units. With several objectives the others are left out of account.
    """
    if not history.is_feasible.any():
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    utility = history.Y[:, history.objectives.aims.index(aim)]
    worth = np.where(history.is_feasible, utility, -np.inf)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(worth)[:-1]])
    numbers = np.arange(history.n_trials)
    holder = np.maximum.accumulate(np.where(worth > before, numbers, -1))
    since = numbers[holder >= 0]
    return since, metric_values(history, aim.metric)[holder[since]]


def wants_log(history: History, aim: Objective) -> bool:
    """Whether a logarithmic axis shows better how the good trials differ: the values are positive and span
    decades, and the good ones crowd at the low end of a linear axis."""
    values = metric_values(history, aim.metric)
    told = values[history.is_completed]
    if len(told) < 2 or told.min() <= 0 or told.max() < _LOG_RATIO * told.min():
        return False
    among = history.is_feasible if history.is_feasible.any() else history.is_completed
    utility = np.where(among, history.Y[:, history.objectives.aims.index(aim)], -np.inf)
    best, middling = values[np.argmax(utility)], np.median(told)
    linear = abs(best - middling) / (told.max() - told.min())
    logarithmic = abs(np.log(best / middling)) / np.log(told.max() / told.min())
    return bool(logarithmic > _LOG_GAIN * linear)


def has_room(reference: float, values: Values, *, log: bool) -> bool:
    """Whether an axis over the values can take in the reference and still show them."""
    values = values[np.isfinite(values)]
    if log and reference <= 0:
        return False
    if len(values) == 0:
        return True
    low, high, at = values.min(), values.max(), reference
    if log:
        low, high, at = np.log(low), np.log(high), np.log(at)
    outside = max(low - at, at - high, 0.0)
    span = high - low or abs(high) or 1.0
    return bool(outside <= _ROOM_FOR_REFERENCE / (1 - _ROOM_FOR_REFERENCE) * span)


def reference_of(known: float | Mapping[str, float] | None, history: History, aim: Objective) -> float | None:
    """The best known value of this objective, from a number for a single one or from values by metric."""
    if isinstance(known, Mapping):
        return known.get(aim.metric)
    return known if len(history.objectives.aims) == 1 else None


def axis_label(aim: Objective) -> str:
    """The metric, its unit, and which way is up."""
    unit = f"{aim.unit}, " if aim.unit else ""
    match aim:
        case Minimize():
            return f"{aim.metric} ({unit}lower is better)"
        case Maximize():
            return f"{aim.metric} ({unit}higher is better)"
    return f"{aim.metric} ({unit}target {aim.value:g})"


def metric_label(objectives: Objectives, metric: str) -> str:
    """The same for any metric that steers: of a constraint, its bounds."""
    for aim in objectives.aims:
        if aim.metric == metric:
            return axis_label(aim)
    con = next(con for con in objectives.constraints if con.metric == metric)
    unit = f"{objectives.units[metric]}, " if metric in objectives.units else ""
    match (con.lower, con.upper):
        case (None, upper):
            return f"{metric} ({unit}at most {upper:g})"
        case (lower, None):
            return f"{metric} ({unit}at least {lower:g})"
    return f"{metric} ({unit}{con.lower:g} to {con.upper:g})"


def bounds_of(objectives: Objectives, metric: str) -> tuple[float | None, float | None]:
    """The lower and the upper bound that a constraint sets to a metric; None where there is none."""
    return next(((con.lower, con.upper) for con in objectives.constraints if con.metric == metric), (None, None))


def log_scale(history: History, metric: str) -> bool:
    """Whether a logarithmic axis shows a metric better; see `wants_log`. Those of constraints are linear."""
    return any(wants_log(history, aim) for aim in history.objectives.aims if aim.metric == metric)
