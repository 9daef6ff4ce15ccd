"""What each parameter has to do with the value: a small panel for each, all with one value axis."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bbo.history import History
from bbo.objective import Objective
from bbo.plots import look
from bbo.plots.columns import Trials, axis_label, metric_values, wants_log
from bbo.plots.marks import draw_marks, mark_keys, summary
from bbo.space import Params

_PANEL_IN = 2.15
_MOST_COLUMNS = 6
_LABEL_CHARS, _VALUE_CHARS = 26, 30
_MOST_NAMED = 12
# Labels of levels stand upright while all of them together are no longer than this.
_LEVEL_CHARS = 20
_GOLDEN = (math.sqrt(5) - 1) / 2
_JITTER = 0.5


def parameters_figure(history: History, *, name: str = "") -> Figure:
    """The value of every completed trial against each parameter, in the user's units; rows for each objective.

    Filled marks are feasible trials, hollow ones break a constraint, the best stands out. Parameters searched by their
    logarithm have such an axis; levels without distance are strips, their marks spread out within each.

    Args:
        name: of the study, for the title.
    """
    space, aims, trials = history.space, history.objectives.aims, Trials.of(history)
    n_columns = columns_for(space.dim)
    n_rows = math.ceil(space.dim / n_columns)
    width_in = max(4.6, _PANEL_IN * n_columns + 0.6)
    figure = look.new_figure(width_in, (_PANEL_IN + 0.15) * n_rows * len(aims))
    panels = figure.subplots(n_rows * len(aims), n_columns, squeeze=False)
    points = space.decode(history.X[trials.completed])
    for i, aim in enumerate(aims):
        block = panels[i * n_rows : (i + 1) * n_rows].ravel()
        for j, axes in enumerate(block):
            if j >= space.dim:
                axes.remove()
                continue
            _draw(axes, history, aim, j, points, trials)
            if j % n_columns == 0:
                axes.set_ylabel(look.folded(axis_label(aim), _VALUE_CHARS), size=look.SMALL_PT, color=look.INK)
                axes.yaxis.label.set_parse_math(False)
            else:
                axes.tick_params(labelleft=False)
    look.head(figure, name or "Parameters", summary(history, trials), mark_keys(history, trials))
    return figure


def columns_for(n: int) -> int:
    """How many panels stand side by side, so that the last row is not much emptier than the others."""
    if n <= 4:
        return n
    n_rows = math.ceil(n / _MOST_COLUMNS) if n > 8 else 2
    return math.ceil(n / n_rows)


def jitter(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Offsets within a strip, evenly spread and always the same for a trial."""
    return ((numbers.astype(np.float64) * _GOLDEN) % 1.0 - 0.5) * _JITTER


def _draw(axes: Axes, history: History, aim: Objective, j: int, points: list[Params], trials: Trials) -> None:
    look.dress(axes)
    p: Any = history.space.parameters[j]
    values = metric_values(history, aim)
    told = values[trials.completed]
    look.value_axis(axes, told, log=wants_log(history, aim), n_ticks=5)
    unit = f" ({p.unit})" if getattr(p, "unit", None) else ""
    axes.set_xlabel(look.folded(p.name + unit, _LABEL_CHARS), size=look.SMALL_PT, color=look.INK, parse_math=False)
    at = np.full(history.n_trials, np.nan)
    if p.kind in ("categorical", "ordinal"):
        at[trials.completed] = [p.code(point[p.name]) for point in points] + jitter(trials.completed)
        _strips(axes, [str(level) for level in p.listed])
    else:
        at[trials.completed] = [point[p.name] for point in points]
        axes.set_xlim(look.padded(p.low, p.high, log=p.log, share=0.05))
        look.scale_numbers(axes, "x", log=p.log, n_ticks=4)
    draw_marks(axes, at, values, trials, size=0.8 * look.mark_size(len(told)))


def _strips(axes: Axes, levels: list[str]) -> None:
    """A place for each level; its name upright where all fit, else slanted; of many levels only some are named."""
    every = math.ceil(len(levels) / _MOST_NAMED)
    named = list(range(0, len(levels), every))
    axes.set_xlim(-0.6, len(levels) - 0.4)
    names = [look.shortened(levels[k], 12) for k in named]
    axes.set_xticks(named, names, parse_math=False)
    axes.grid(visible=False, axis="x")
    widest = max(len(name) for name in names) * len(names)
    if widest > _LEVEL_CHARS and len(names) > 1:
        axes.tick_params(axis="x", labelrotation=35.0, pad=1.0)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
