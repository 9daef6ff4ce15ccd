"""What each parameter has to do with the value: a small panel for each, all with one value axis."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bbo.history import History
from bbo.objective import Objective
from bbo.plots import look
from bbo.plots.columns import Trials, axis_label, metric_values, wants_log
from bbo.plots.marks import draw_failed, draw_marks, failed_keys, mark_keys, summary
from bbo.plots.panels import panel_blocks, parameter_axis, spread_places
from bbo.space import Params


def parameters_figure(history: History, *, name: str = "") -> Figure:
    """The value of every completed trial against each parameter, in the user's units; rows for each objective.

    Filled marks are feasible trials, hollow ones break a constraint, the best stands out, ticks on the axis failed.
    Parameters searched by their
    logarithm have such an axis; levels without distance are strips, their marks spread out within each.

    Args:
        name: of the study, for the title.
    """
    space, aims, trials = history.space, history.objectives.aims, Trials.of(history)
    figure, blocks = panel_blocks([axis_label(aim) for aim in aims], space.dim)
    points = [space.by_term(point) for point in space.decode(history.X)]
    for aim, block in zip(aims, blocks, strict=True):
        for j, axes in enumerate(block):
            _draw(axes, history, aim, j, points, trials)
    look.head(figure, name or "Parameters", summary(history, trials), mark_keys(history, trials) + failed_keys(trials))
    return figure


def _draw(axes: Axes, history: History, aim: Objective, j: int, points: list[Params], trials: Trials) -> None:
    p = history.space.axes[j]
    values = metric_values(history, aim.metric)
    told = values[trials.completed]
    look.value_axis(axes, told, log=wants_log(history, aim), n_ticks=5)
    parameter_axis(axes, p)
    at = spread_places(p, points, np.arange(history.n_trials))
    draw_marks(axes, at, values, trials, size=0.8 * look.mark_size(len(told)))
    draw_failed(axes, at[trials.failed])
