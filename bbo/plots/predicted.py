"""Predicted against observed: each completed trial as the model expects it from all the others."""

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bbo.errors import StrategyError
from bbo.history import History
from bbo.plots import look
from bbo.plots.columns import Values, log_scale, metric_label, metric_values
from bbo.plots.curves import HALF_WIDTH
from bbo.plots.panels import columns_for
from bbo.plots.posterior import left_out
from bbo.protocols import Strategy

_PANEL_IN = 3.3
# Whiskers may reach so many spans of the values beyond them.
_ROOM = 0.5


def predicted_figure(history: History, strategy: Strategy, *, name: str = "") -> Figure:
    """What the model expects of each completed trial from all others, against what was told; a panel for each metric.

    Whiskers are 90 % intervals, noise included; those that miss the diagonal stand out. About one in ten should, and
    where many do the model is overconfident.

    Args:
        name: of the study, for the title.
    Raises:
        StrategyError: the strategy has no model that leaves trials out, or too few trials are completed for it.
    """
    prediction = left_out(history, strategy)
    metrics = [metric for metric in history.objectives.required if metric in prediction.mean]
    if not metrics:
        raise StrategyError(f"{type(strategy).__name__} leaves no trials out for {list(history.objectives.required)}.")
    n_columns = columns_for(len(metrics))
    n_rows = math.ceil(len(metrics) / n_columns)
    figure = look.new_figure(max(4.6, _PANEL_IN * n_columns + 0.3), (_PANEL_IN + 0.2) * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in panels[len(metrics) :]:
        axes.remove()
    for metric, axes in zip(metrics, panels, strict=False):
        _draw(axes, history, metric, prediction.mean[metric], prediction.sd[metric])
    n = int(history.is_completed.sum())
    said = f"each of {n} trials from the others; about {round(0.1 * n)} may lie outside"
    look.head(figure, f"{name or 'Model'}: predicted against observed", said, _legend())
    return figure


def _draw(axes: Axes, history: History, metric: str, mean: Values, sd: Values) -> None:
    look.dress(axes)
    told = metric_values(history, metric)[history.is_completed]
    is_inside = np.abs(told - mean) <= HALF_WIDTH * sd
    is_log = log_scale(history, metric) and bool(mean.min() > 0)
    low, high = look.padded(*_reach(told, mean, sd, is_log=is_log), log=is_log, share=0.05)
    axes.set(xlim=(low, high), ylim=(low, high))
    for which in ("x", "y"):
        look.scale_numbers(axes, which, log=is_log, n_ticks=5)
    axes.set_box_aspect(1.0)
    axes.plot([low, high], [low, high], color=look.MUTED, linewidth=1.0, linestyle=(0, (5, 3)), zorder=1.0, gid="equal")
    size = 0.45 * look.mark_size(len(told))
    for kind, is_kind, colour in (("inside", is_inside, look.FEASIBLE), ("outside", ~is_inside, look.BEST)):
        whiskers = HALF_WIDTH * sd[is_kind]
        axes.errorbar(
            told[is_kind],
            mean[is_kind],
            # A logarithmic axis has no place for what is not positive.
            yerr=[np.minimum(whiskers, mean[is_kind] - 0.1 * low) if is_log else whiskers, whiskers],
            fmt="none",
            ecolor=colour,
            elinewidth=0.9,
            alpha=0.55,
            zorder=2.0,
        )
        axes.scatter(told[is_kind], mean[is_kind], s=size, color=colour, linewidths=0, zorder=3.0, gid=kind)
    axes.set_xlabel(
        look.folded(f"observed {metric_label(history.objectives, metric)}", 40),
        size=look.SMALL_PT,
        color=look.INK,
        parse_math=False,
    )
    axes.set_ylabel("expected from the others", size=look.SMALL_PT, color=look.INK)
    axes.set_title(
        f"{int(is_inside.sum())} of {len(told)} within", loc="left", size=look.SMALL_PT, color=look.MUTED, pad=4.0
    )


def _reach(told: Values, mean: Values, sd: Values, *, is_log: bool) -> tuple[float, float]:
    """Lowest and highest value of both axes."""
    core = np.concatenate([told, mean])
    ends = np.concatenate([mean - HALF_WIDTH * sd, mean + HALF_WIDTH * sd])
    if is_log:
        core, ends = np.log(core), np.log(ends[ends > 0])
    low, high = core.min(), core.max()
    room = _ROOM * (high - low)
    low, high = min(low, max(ends.min(), low - room)), max(high, min(ends.max(), high + room))
    return (float(np.exp(low)), float(np.exp(high))) if is_log else (float(low), float(high))


def _legend() -> list[Artist]:
    return [
        look.key_mark("within its 90 % interval", look.FEASIBLE),
        look.key_mark("outside", look.BEST),
        Line2D([], [], color=look.MUTED, linewidth=1.0, linestyle=(0, (3, 1.5)), label="equal"),
    ]
