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
from bbo.plots.columns import Trials, axis_label, best_so_far, has_room, metric_values, reference_of, wants_log
from bbo.plots.marks import draw_failed, draw_marks, failed_keys, mark_keys, summary

_WIDTH_IN, _PANEL_IN = 8.0, 3.6


def progress_figure(
    history: History, *, name: str = "", best_known: float | Mapping[str, float] | None = None
) -> Figure:
    """Values against trial numbers, in the user's units; a row for each objective.

    The line is the best feasible value so far. Filled marks are feasible trials, hollow ones break a constraint, ticks
    on the axis failed. An axis is logarithmic where the good values would crowd at its low end otherwise.

    Args:
        name: of the study, for the title.
        best_known: of the objective, or by metric where there are several; a dashed line.
    """
    aims, trials = history.objectives.aims, Trials.of(history)
    figure = look.new_figure(_WIDTH_IN, _PANEL_IN * len(aims))
    rows = figure.subplots(len(aims), 1, sharex=True, squeeze=False)[:, 0]
    said, dashed = [summary(history, trials)], ""
    for axes, aim in zip(rows, aims, strict=True):
        log = wants_log(history, aim)
        known = reference_of(best_known, history, aim)
        if known is not None and not has_room(known, metric_values(history, aim.metric)[trials.completed], log=log):
            said.append(f"best known {known:.6g} is off the axis")
            known = None
        if known is not None:
            dashed = "best known" if len(aims) > 1 else f"best known {known:.6g}"
        _draw(axes, history, aim, trials, known, log=log)
    rows[-1].set_xlabel("trial", size=look.TEXT_PT, color=look.INK)
    look.head(figure, name or "Progress", "; ".join(said), _legend(history, trials, dashed))
    return figure


def _draw(axes: Axes, history: History, aim: Objective, trials: Trials, known: float | None, *, log: bool) -> None:
    look.dress(axes)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(axis_label(aim), size=look.TEXT_PT, color=look.INK, parse_math=False)
    axes.set_xlim(look.padded(-0.7, max(history.n_trials, 1) - 0.3, log=False, share=0.01))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    values = metric_values(history, aim.metric)
    look.value_axis(axes, np.append(values[trials.completed], [] if known is None else [known]), log=log, n_ticks=6)

    if isinstance(aim, Target):
        axes.axhspan(aim.value - aim.tolerance, aim.value + aim.tolerance, color=look.GRID, zorder=0.5)
        axes.axhline(aim.value, color=look.RULE, linewidth=1.2, zorder=1.0, gid="target")
    if known is not None:
        axes.axhline(known, color=look.MUTED, linestyle=(0, (5, 3)), linewidth=1.2, zorder=1.5, gid="best known")
    numbers = np.arange(history.n_trials, dtype=np.float64)
    draw_marks(axes, numbers, values, trials, size=look.mark_size(history.n_trials))
    since, best = best_so_far(history, aim)
    axes.plot(since, best, color=look.FEASIBLE, linewidth=1.8, drawstyle="steps-post", zorder=3.0, gid="best so far")
    draw_failed(axes, numbers[trials.failed])


def _legend(history: History, trials: Trials, dashed: str) -> list[Artist]:
    entries: list[Artist] = []
    if len(trials.feasible):
        entries.append(Line2D([], [], color=look.FEASIBLE, linewidth=1.8, label="best so far"))
    entries += mark_keys(history, trials) + failed_keys(trials)
    if dashed:
        entries.append(Line2D([], [], color=look.MUTED, linestyle=(0, (3, 1.5)), linewidth=1.2, label=dashed))
    return entries
