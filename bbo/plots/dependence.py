"""What the model expects over the whole space: along each parameter, and over a pair, averaged over all the others.

Partial dependence: Friedman, "Greedy function approximation: a gradient boosting machine", Ann. Statist. 29 (2001),
section 8.2. Averages are over a Sobol sequence, so over levels and over the logarithm where one is searched.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bbo.errors import StrategyError
from bbo.history import History
from bbo.plots import look
from bbo.plots.columns import Trials, Values, bounds_of, log_scale
from bbo.plots.curves import Curve, curve_keys, draw_bounds, draw_curve
from bbo.plots.panels import columns_for, is_listed, panel_blocks, parameter_axis, places, spread_places
from bbo.plots.posterior import expected, grid, scattered
from bbo.plots.sensitivity import Importance, importance
from bbo.plots.slices import FEASIBLE, WIDTH_IN, most_moving, row_label, rows_of, value_rows
from bbo.protocols import Prediction, Strategy
from bbo.space import Space

# Points along a parameter, and predictions in all that a figure is averaged from.
_N_GRID, _N_GRID_OF_PAIR = 25, 21
_BUDGET = 2**14
_FEWEST, _MOST = 16, 256
_MIDDLE = (0.1, 0.9)
_MAP_IN = 3.4
# What is drawn over what, above the map and its bounds.
_ORDER = {"infeasible": 3.0, "failed": 3.2, "feasible": 3.5, "best": 4.0}


def dependence_figure(history: History, strategy: Strategy, *, name: str = "", seed: int = 0) -> Figure:
    """Partial dependence of each metric on each parameter: the model's mean, averaged over all other parameters.

    The band holds the middle 80 % of what the mean is at the points averaged over: where it is wide, much depends on
    the others. Rows as in `slices_figure`.

    Args:
        name: of the study, for the title.
        seed: of the points.
    Raises:
        StrategyError: the strategy has no model, or too few trials are completed for it.
    """
    space = history.space
    grids = [grid(p, _N_GRID) for p in space.axes]
    base = _base(space, sum(len(u) for u in grids), seed)
    U = np.vstack([space.moved(base, j, v) for j, u in enumerate(grids) for v in u.tolist()])
    prediction = expected(history, strategy, U)
    ends = np.cumsum([len(u) for u in grids])[:-1]
    curves = {}
    for row in rows_of(history, prediction):
        by_point = np.split(_of(prediction, row).reshape(-1, len(base)), ends)
        curves[row] = [
            Curve(u, values.mean(axis=1), *np.quantile(values, _MIDDLE, axis=1))
            for u, values in zip(grids, by_point, strict=True)
        ]
    shown = most_moving(curves[history.objectives.aims[0].metric])
    figure, blocks = panel_blocks([row_label(history, row) for row in curves], len(shown), least_width_in=WIDTH_IN)
    for (row, along), block in zip(curves.items(), blocks, strict=True):
        log = row != FEASIBLE and log_scale(history, row)
        value_rows(block, [along[j] for j in shown], np.zeros(0), log=log, is_share=row == FEASIBLE)
        for j, axes in zip(shown, block, strict=True):
            draw_curve(axes, space.axes[j], along[j])
            if row != FEASIBLE:
                draw_bounds(axes, *bounds_of(history.objectives, row))
    said = f"model of {int(history.is_completed.sum())} trials, averaged over the other parameters"
    n_left_out = space.dim - len(shown)
    said += f"; {n_left_out} are left out, on which little depends" if n_left_out else ""
    keys = curve_keys("average", "middle 80 % of the points averaged over")
    look.head(figure, f"{name or 'Model'}: partial dependence", said, keys)
    return figure


def pair_figure(history: History, strategy: Strategy, *, name: str = "", seed: int = 0) -> Figure:
    """Partial dependence of each metric on the two parameters that matter most to the objective, as maps.

    These have the largest total indices, see `importance`. Trials are marked where they lie, failed ones by a cross.

    Args:
        name: of the study, for the title.
        seed: of the points.
    Raises:
        StrategyError: the strategy has no model, too few trials are completed for it, or the space has one parameter.
    """
    space = history.space
    if len(_mapped(history)) < 2:
        raise StrategyError(
            "A map needs two parameters that are numbers or choices: the space has fewer. Its slices show all there is."
        )
    i, j = _most_important(importance(history, strategy, seed=seed), history)
    u, v = grid(space.axes[i], _N_GRID_OF_PAIR), grid(space.axes[j], _N_GRID_OF_PAIR)
    # With two parameters there is nothing to average over.
    base = _base(space, len(u) * len(v), seed)[: None if space.dim > 2 else 1]
    U = np.vstack([space.moved(space.moved(base, i, a), j, b) for b in v.tolist() for a in u.tolist()])
    prediction = expected(history, strategy, U)
    rows = rows_of(history, prediction)
    n_columns = columns_for(len(rows))
    n_rows = math.ceil(len(rows) / n_columns)
    figure = look.new_figure(max(4.6, (_MAP_IN + 0.9) * n_columns), (_MAP_IN - 0.3) * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in panels[len(rows) :]:
        axes.remove()
    for row, axes in zip(rows, panels, strict=False):
        values = _of(prediction, row).reshape(len(v), len(u), len(base)).mean(axis=2)
        _draw_map(axes, history, row, (i, u), (j, v), values)
    rest = "" if space.dim == 2 else ", averaged over the other parameters"
    title = f"{name or 'Model'}: {space.columns[i]} and {space.columns[j]}"
    look.head(figure, title, f"the model's mean{rest}; its two most important parameters", _keys(history))
    return figure


def _base(space: Space, n_places: int, seed: int) -> Values:
    """Points to average over, a power of 2 of them, so that all places together stay within the budget."""
    n = 2 ** int(np.log2(max(_BUDGET // n_places, 1)))
    return space.spread(scattered(space.dim, min(max(n, _FEWEST), _MOST), seed))


def _of(prediction: Prediction, row: str) -> Values:
    if row != FEASIBLE:
        return prediction.mean[row]
    assert prediction.feasibility is not None
    return prediction.feasibility


def _most_important(indices: Importance, history: History) -> tuple[int, int]:
    """Columns of the two parameters with the largest total index, in their order, of those of one column."""
    total = indices.total[history.objectives.aims[0].metric]
    mapped = _mapped(history)
    i, j = sorted(mapped[k] for k in np.argsort(-total[list(mapped)], kind="stable")[:2].tolist())
    space = history.space
    return space.at[space.names[i]], space.at[space.names[j]]


def _mapped(history: History) -> list[int]:
    """Numbers of the parameters that have one axis."""
    return [k for k, p in enumerate(history.space.parameters) if len(p.columns) == 1]


def _draw_map(
    axes: Axes, history: History, row: str, across: tuple[int, Values], up: tuple[int, Values], values: Values
) -> None:
    """A map of `values`, `len(up) x len(across)`: contours, or a tile for each level."""
    look.dress(axes)
    axes.grid(visible=False)
    (i, u), (j, v) = across, up
    p: Any = history.space.axes[i]
    q: Any = history.space.axes[j]
    x, y = places(p, p.decode(u)), places(q, q.decode(v))
    parameter_axis(axes, p)
    parameter_axis(axes, q, vertical=True)
    is_log = row != FEASIBLE and log_scale(history, row) and values.min() > 0
    norm = LogNorm(values.min(), values.max()) if is_log and values.max() > values.min() else None
    if len(u) == len(v) == _N_GRID_OF_PAIR and not (is_listed(p) or is_listed(q)) and np.ptp(values) > 0:
        levels: Sequence[float]
        if row == FEASIBLE:
            levels = np.linspace(0.0, 1.0, 11).tolist()
        elif norm is not None:
            levels = np.geomspace(values.min(), values.max(), 15).tolist()
        else:
            levels = MaxNLocator(14, steps=[1, 2, 2.5, 5, 10]).tick_values(values.min(), values.max())
        drawn: Any = axes.contourf(x, y, values, levels=levels, cmap="viridis", norm=norm, zorder=0.5)
        lines = axes.contour(x, y, values, levels=drawn.levels, colors="white", linewidths=0.3, alpha=0.6, zorder=0.6)
        lines.set_gid("contours")
    else:
        drawn = axes.pcolormesh(x, y, values, shading="nearest", cmap="viridis", norm=norm, zorder=0.5)
    _draw_boundary(axes, history, row, x, y, values)
    _draw_trials(axes, history, i, j)
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.03, aspect=24)
    bar.set_label(look.folded(row_label(history, row), 34), size=look.SMALL_PT, color=look.INK, parse_math=False)
    bar.outline.set_visible(False)
    bar.ax.tick_params(color=look.RULE, labelcolor=look.MUTED, labelsize=look.SMALL_PT, width=0.8, length=3.0)
    bar.ax.yaxis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0)) if norm is not None else MaxNLocator(6, steps=[1, 2, 5, 10])
    )
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: look.tick(value)))


def _draw_boundary(axes: Axes, history: History, row: str, x: Values, y: Values, values: Values) -> None:
    """Where a constraint begins to be broken, by the averages."""
    bounds = () if row == FEASIBLE else bounds_of(history.objectives, row)
    levels = sorted(b for b in bounds if b is not None and values.min() < b < values.max())
    if levels and len(x) > 1 and len(y) > 1:
        drawn = axes.contour(x, y, values, levels=levels, colors=look.INK, linewidths=1.4, zorder=1.0)
        drawn.set_gid("bound")


def _draw_trials(axes: Axes, history: History, i: int, j: int) -> None:
    trials = Trials.of(history)
    points = [history.space.by_term(point) for point in history.space.decode(history.X)]
    numbers = np.arange(history.n_trials)
    x, y = (spread_places(p, points, numbers) for p in (history.space.axes[i], history.space.axes[j]))
    size = 0.7 * look.mark_size(len(trials.completed))
    drawn: dict[str, tuple[Any, float, dict[str, Any]]] = {
        "failed": (trials.failed, size, {"marker": "X", "facecolors": "white", "edgecolors": look.INK}),
        "infeasible": (trials.infeasible, size, {"facecolors": "none", "edgecolors": "white"}),
        "feasible": (trials.feasible, size, {"facecolors": "white", "edgecolors": look.INK}),
        "best": (trials.best, 2.0 * size + 12, {"facecolors": look.BEST, "edgecolors": "white"}),
    }
    for gid, (rows, s, colours) in drawn.items():
        width = 0.7 if colours["edgecolors"] == look.INK else 0.9
        axes.scatter(x[rows], y[rows], s=s, linewidths=width, zorder=_ORDER[gid], gid=gid, **colours)


def _keys(history: History) -> list[Artist]:
    keys: list[Artist] = [look.key_mark("best", look.BEST)]
    keys.append(look.key_mark("feasible" if history.objectives.constraints else "trial", look.INK, filled=False))
    if len(Trials.of(history).failed):
        keys.append(look.key_mark("failed", look.INK, marker="X", filled=False))
    if history.objectives.constraints:
        keys.append(look.key_mark("breaks a constraint (ring)", look.INFEASIBLE, filled=False))
        keys.append(Line2D([], [], color=look.INK, linewidth=1.4, label="bound"))
    return keys
