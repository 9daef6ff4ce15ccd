"""How trials are marked in all figures: filled when feasible, hollow when not, the best in a colour of its own.

Each kind of mark carries its name as `gid`: `feasible`, `infeasible`, `best`, `failed`.
"""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from bbo.history import History
from bbo.plots import look
from bbo.plots.columns import Trials, Values, metric_values


def draw_marks(axes: Axes, at: Values, values: Values, trials: Trials, *, size: float) -> None:
    """A mark for each completed trial.

    Args:
        at: positions along the axis, of all trials.
        values: of all trials.
        size: area of a mark, square points.
    """
    k = trials.infeasible
    edge = 1.0 if size > 15 else 0.7
    axes.scatter(
        at[k],
        values[k],
        s=size,
        facecolors="white",
        edgecolors=look.INFEASIBLE,
        linewidths=edge,
        zorder=2.0,
        gid="infeasible",
    )
    k = trials.feasible
    axes.scatter(at[k], values[k], s=size, color=look.FEASIBLE, alpha=0.55, linewidths=0, zorder=2.5, gid="feasible")
    k = trials.best
    axes.scatter(
        at[k],
        values[k],
        s=1.4 * size + 12,
        facecolors=look.BEST,
        edgecolors="white",
        linewidths=0.8,
        zorder=4.0,
        gid="best",
    )


def draw_failed(axes: Axes, at: Values, *, alpha: Any = None) -> None:
    """A tick on the axis for each trial that failed, as it has no value.

    Args:
        at: positions along the axis, of these trials.
        alpha: opacity, of all or of each.
    """
    if len(at) == 0:
        return
    axes.scatter(
        at,
        np.zeros(len(at)),
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        marker="|",
        s=64.0,
        linewidths=1.2,
        color=look.FAILED,
        alpha=alpha,
        zorder=5.0,
        gid="failed",
    )


def failed_keys(trials: Trials) -> list[Artist]:
    """The same for the legend, where there are any."""
    return [look.key_mark("failed", look.FAILED, marker="|")] if len(trials.failed) else []


def mark_keys(history: History, trials: Trials) -> list[Artist]:
    """What the legend says of the marks that there are."""
    keys: list[Artist] = []
    if len(trials.feasible):
        several = len(history.objectives.aims) > 1
        keys.append(look.key_mark("on the front" if several else "best", look.BEST))
        keys.append(look.key_mark("feasible" if history.objectives.constraints else "trial", look.FEASIBLE))
    if len(trials.infeasible):
        keys.append(look.key_mark("breaks a constraint", look.INFEASIBLE, filled=False))
    return keys


def summary(history: History, trials: Trials) -> str:
    """What there is in the figure, in words."""
    aims = history.objectives.aims
    counts = f"{history.n_trials} {'trial' if history.n_trials == 1 else 'trials'}"
    if history.objectives.constraints and len(trials.feasible):
        counts += f", {len(trials.feasible)} feasible"
    if len(trials.failed):
        counts += f", {len(trials.failed)} failed"
    if len(trials.best) == 0:
        return f"no {'feasible' if len(trials.completed) else 'completed'} trial yet; {counts}"
    if len(aims) > 1:
        return f"{len(trials.best)} on the Pareto front; {counts}"
    number = int(trials.best[0])
    return f"best {aims[0].metric} {metric_values(history, aims[0].metric)[number]:.6g} in trial {number}; {counts}"
