"""What counts of a trial that another framework stopped early: its last report, as far as that is no better than usual.

A report on the way may be better than any end, and who stopped the trial saw no promise in it.
"""

from collections.abc import Sequence
from statistics import median

from bbo.objective import Minimize, Objectives, Values


def usual(objectives: Objectives, ends: Sequence[float]) -> float | None:
    """The median of the objective's values of completed trials; None of none, and with several objectives."""
    return median(ends) if ends and len(objectives.aims) == 1 else None


def no_better(values: Values, than: float | None, objectives: Objectives) -> Values:
    """The values of a stopped trial by metric, where the objective's is at best that of `usual`."""
    if than is None:
        return values
    (aim,) = objectives.aims
    worse = max if isinstance(aim, Minimize) else min
    return values | {aim.metric: worse(values[aim.metric], than)}
