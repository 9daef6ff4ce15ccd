"""How a study went: the value of every trial, and the best as it came."""

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bbo.history import History
from bbo.objective import Objective, Target
from bbo.plots import look
from bbo.plots.columns import (
    Trials,
    axis_label,
    best_so_far,
    has_room,
    metric_values,
    reference_of,
    wants_log,
)

_WIDTH_IN, _PANEL_IN = 8.0, 3.6


def progress_figure(
    history: History, *, name: str = "", best_known: float | Mapping[str, float] | None = None
) -> Figure:
    """Values against trial numbers, in the user's units; a row for each objective.

    The line is the best feasible value so far. Filled marks are feasible trials, hollow ones break a constraint, ticks
    on the axis failed. An axis is logarithmic where most values would crowd at its low end otherwise.

    Args:
        name: of the study, for the title.
        best_known: of the objective, or by metric where there are several; a dashed line.
    """
    aims, trials = history.objectives.aims, Trials.of(history)
    figure = look.new_figure(_WIDTH_IN, _PANEL_IN * len(aims))
    rows = figure.subplots(len(aims), 1, sharex=True, squeeze=False)[:, 0]
    unseen, has_line = [], False
    for axes, aim in zip(rows, aims, strict=True):
        known = reference_of(best_known, history, aim)
        is_shown = _draw(axes, history, aim, trials, known)
        has_line |= known is not None and is_shown
        if known is not None and not is_shown:
            unseen.append(f"best known {known:.6g} (off the axis)")
    rows[-1].set_xlabel("trial", size=look.TEXT_PT, color=look.INK)
    said = [summary(history, trials), *unseen]
    look.head(figure, name or "Progress", ", ".join(said), _legend(history, trials, has_line, best_known))
    return figure


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
    return f"best {aims[0].metric} {metric_values(history, aims[0])[number]:.6g} in trial {number}; {counts}"


def _draw(axes: Axes, history: History, aim: Objective, trials: Trials, known: float | None) -> bool:
    """Whether the best known value is in sight."""
    look.dress(axes)
    axes.set_ylabel(axis_label(aim), size=look.TEXT_PT, color=look.INK, parse_math=False)
    values = metric_values(history, aim)
    told = values[trials.completed]
    log = wants_log(history, aim)
    is_shown = known is not None and has_room(known, told, log=log)
    drawn = np.append(told, [known] if known is not None and is_shown else [])
    axes.set_xlim(look.padded(-0.7, max(history.n_trials, 1) - 0.3, log=False, share=0.01))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10), integer=True, min_n_ticks=1))
    axes.grid(visible=False, axis="x")
    if len(drawn):
        axes.set_ylim(look.padded(float(drawn.min()), float(drawn.max()), log=log, share=0.07))
        look.scale_numbers(axes, "y", log=log, n_ticks=6)
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no completed trial yet", transform=axes.transAxes, ha="center", color=look.MUTED)

    size = look.mark_size(history.n_trials)
    thick = 1.0 if size > 15 else 0.7
    if known is not None and is_shown:
        axes.axhline(known, color=look.MUTED, linestyle=(0, (5, 3)), linewidth=1.2, zorder=1.5, gid="known")
    if isinstance(aim, Target) and has_room(aim.value, told, log=log):
        axes.axhspan(aim.value - aim.tolerance, aim.value + aim.tolerance, color=look.GRID, zorder=0.5)
        axes.axhline(aim.value, color=look.RULE, linewidth=1.2, zorder=1.0, gid="target")
    k = trials.infeasible
    hollow = {"facecolors": "white", "edgecolors": look.INFEASIBLE, "linewidths": thick}
    axes.scatter(k, values[k], s=size, zorder=2.0, gid="infeasible", **hollow)
    k = trials.feasible
    axes.scatter(k, values[k], s=size, color=look.FEASIBLE, alpha=0.55, linewidths=0, zorder=2.5, gid="feasible")
    numbers, best = best_so_far(history, aim)
    (line,) = axes.plot(numbers, best, color=look.FEASIBLE, linewidth=1.8, drawstyle="steps-post", zorder=3.0)
    line.set_gid("best so far")
    if len(trials.best):
        k = trials.best
        ringed = {"color": look.BEST, "edgecolors": "white", "linewidths": 0.8}
        axes.scatter(k, values[k], s=1.4 * size + 12, zorder=4.0, gid="best", **ringed)
    if len(trials.failed):
        on_axis = {"transform": axes.get_xaxis_transform(), "clip_on": False, "linestyle": "none"}
        style = {"marker": "|", "markersize": 8.0, "markeredgewidth": 1.2, "color": look.FAILED}
        axes.plot(trials.failed, np.zeros(len(trials.failed)), zorder=5.0, gid="failed", **on_axis, **style)
    return is_shown


def _legend(
    history: History, trials: Trials, has_line: bool, best_known: float | Mapping[str, float] | None
) -> list[Artist]:
    entries: list[Artist] = []
    if len(trials.feasible):
        entries.append(Line2D([], [], color=look.FEASIBLE, linewidth=1.8, label="best so far"))
        several = len(history.objectives.aims) > 1
        entries.append(look.key_mark("on the front" if several else "best", look.BEST))
        is_constrained = bool(history.objectives.constraints)
        entries.append(look.key_mark("feasible" if is_constrained else "trial", look.FEASIBLE))
    if len(trials.infeasible):
        entries.append(look.key_mark("breaks a constraint", look.INFEASIBLE, filled=False))
    if len(trials.failed):
        entries.append(look.key_mark("failed", look.FAILED, marker="|"))
    if has_line:
        known = "" if not isinstance(best_known, (int, float)) else f" {best_known:.6g}"
        dashed = Line2D([], [], color=look.MUTED, linestyle=(0, (4, 2)), linewidth=1.2, label=f"best known{known}")
        entries.append(dashed)
    return entries
