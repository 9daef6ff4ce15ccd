"""What the model expects around the best point: a slice along each parameter, the others held."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bbo.errors import StrategyError
from bbo.history import History
from bbo.objective import worst_violations
from bbo.plots import look
from bbo.plots.columns import Trials, Values, bounds_of, log_scale, metric_label, metric_values
from bbo.plots.curves import HALF_WIDTH, Curve, curve_keys, draw_bounds, draw_curve, draw_forbidden, frame
from bbo.plots.marks import draw_failed, failed_keys
from bbo.plots.panels import panel_blocks, spread_places
from bbo.plots.posterior import expected, grid
from bbo.protocols import Prediction, Strategy
from bbo.space import Space
from bbo.space.region import Mask

FEASIBLE = "probability of feasibility"
# So many parameters at most have slices: those along which the objective changes most.
MOST_PANELS = 24
# For the legend.
WIDTH_IN = 6.6
# Distance from the slice, root mean square over the other columns, at which an observation has faded by exp(-1/2).
_NEAR = 0.2
_FAINTEST, _CLEAREST = 0.07, 0.85


def slices_figure(history: History, strategy: Strategy, *, name: str = "") -> Figure:
    """Posterior mean and 90 % interval, without noise, of each metric along each parameter through the best point.

    Rows are the metrics that steer, and the probability of feasibility where it is in doubt. Observations fade with
    their distance from the slice, and so do the ticks on the axis, where trials failed.

    Args:
        name: of the study, for the title.
    Raises:
        StrategyError: the strategy has no model, or too few trials are completed for it.
    """
    space = history.space
    number, said = _centre(history)
    x = history.X[number].clip(0.0, 1.0)
    grids = [grid(p) for p in space.axes]
    points = [_along(space, x, j, u) for j, u in enumerate(grids)]
    allowed = [space.region.is_in_box(U) & space.is_member(U) for U in points]
    slices = expected(history, strategy, np.vstack(points))
    curves = {metric: _curves(grids, slices, metric) for metric in rows_of(history, slices)}
    shown = most_moving(curves[history.objectives.aims[0].metric])
    figure, blocks = panel_blocks(
        [row_label(history, metric) for metric in curves], len(shown), least_width_in=WIDTH_IN
    )
    for (metric, along), block in zip(curves.items(), blocks, strict=True):
        _draw_row(history, metric, along, shown, block, number)
        for j, axes in zip(shown, block, strict=True):
            _draw_where(axes, history, number, j, grids[j], allowed[j])
    n_left_out = space.dim - len(shown)
    said += f"; {n_left_out} parameters are left out, along which little changes" if n_left_out else ""
    is_bound = bool(history.objectives.constraints) or not all(allowed[j].all() for j in shown)
    look.head(figure, f"{name or 'Model'}: slices", said, _legend(history, is_bound=is_bound))
    return figure


def rows_of(history: History, prediction: Prediction) -> list[str]:
    """The metrics that were predicted, in order, and feasibility where it is in doubt."""
    metrics = [metric for metric in history.objectives.required if metric in prediction.mean]
    return metrics if prediction.feasibility is None else [*metrics, FEASIBLE]


def row_label(history: History, row: str) -> str:
    return row if row == FEASIBLE else metric_label(history.objectives, row)


def most_moving(curves: list[Curve]) -> list[int]:
    """Columns of the parameters whose middle moves most, in their order."""
    spans = np.array([np.ptp(curve.middle) for curve in curves])
    return sorted(np.argsort(-spans, kind="stable")[:MOST_PANELS].tolist())


def value_rows(block: list[Axes], curves: list[Curve], others: Values, *, log: bool, is_share: bool) -> None:
    """One axis of values for all panels of a row; a share goes from 0 to 1."""
    ends, is_log = (np.array([0.0, 1.0]), False) if is_share else frame(curves, others, log=log)
    for axes in block:
        look.value_axis(axes, ends, log=is_log, n_ticks=5)


def _centre(history: History) -> tuple[int, str]:
    """Number of the trial that slices go through, and what it is."""
    done = np.flatnonzero(history.is_completed)
    if len(done) == 0:
        raise StrategyError("Slices go through a completed trial: the study has none yet. Tell results first.")
    aims = history.objectives.aims
    best = history.front[:1].tolist() if len(aims) > 1 else [history.incumbent]
    if best and best[0] is not None:
        number = int(best[0])
        what = "on the front" if len(aims) > 1 else "the best"
    else:
        number, what = int(done[worst_violations(history.G[done]).argmin()]), "nearest to feasible"
    value = metric_values(history, aims[0].metric)[number]
    return number, f"through trial {number}, {what}: {aims[0].metric} {value:.6g}; model of {len(done)} trials"


def _along(space: Space, x: Values, j: int, u: Values) -> Values:
    return np.vstack([space.moved(x[None], j, v) for v in u.tolist()])


def _curves(grids: list[Values], slices: Prediction, row: str) -> list[Curve]:
    ends = np.cumsum([len(u) for u in grids])[:-1]
    if row == FEASIBLE:
        assert slices.feasibility is not None
        parts = np.split(slices.feasibility, ends)
        return [Curve(u, share, share, share) for u, share in zip(grids, parts, strict=True)]
    means, sds = np.split(slices.mean[row], ends), np.split(slices.sd[row], ends)
    return [
        Curve(u, mean, mean - HALF_WIDTH * sd, mean + HALF_WIDTH * sd)
        for u, mean, sd in zip(grids, means, sds, strict=True)
    ]


def _draw_row(
    history: History, row: str, curves: list[Curve], shown: list[int], block: list[Axes], number: int
) -> None:
    done, failed = np.flatnonzero(history.is_completed), Trials.of(history).failed
    is_share = row == FEASIBLE
    values = np.full(history.n_trials, np.nan) if is_share else metric_values(history, row)
    lower, upper = (None, None) if is_share else bounds_of(history.objectives, row)
    others = np.array([*values[done].tolist(), *(bound for bound in (lower, upper) if bound is not None)])
    log = not is_share and log_scale(history, row)
    value_rows(block, [curves[j] for j in shown], others, log=log, is_share=is_share)
    points = [history.space.by_term(point) for point in history.space.decode(history.X)]
    for j, axes in zip(shown, block, strict=True):
        p = history.space.axes[j]
        draw_curve(axes, p, curves[j])
        at = spread_places(p, points, np.arange(history.n_trials))
        here = at[number]
        axes.axvline(here, color=look.BEST, linewidth=0.8, alpha=0.6, zorder=1.3)
        clearness: Any = _clearness(history.X, history.X[number], j)  # one of each mark, which its type lacks
        draw_failed(axes, at[failed], alpha=clearness[failed])
        if is_share:
            continue
        draw_bounds(axes, lower, upper)
        mark: dict[str, Any] = {"alpha": clearness[done], "linewidths": 0, "gid": "observed"}
        axes.scatter(at[done], values[done], s=12, color=look.INK, zorder=3.5, **mark)
        axes.scatter(
            [here], [values[number]], s=34, color=look.BEST, edgecolors="white", linewidths=0.8, zorder=4.0, gid="best"
        )


def _draw_where(axes: Axes, history: History, number: int, j: int, u: Values, is_allowed: Mask) -> None:
    """Where along a column points may be, and whether it is there at all."""
    space = history.space
    if space.structure.is_there(history.X[number : number + 1], j)[0]:
        draw_forbidden(axes, space.axes[j], u, is_allowed)
        return
    said = "not there in this trial"
    axes.text(0.5, 0.96, said, transform=axes.transAxes, ha="center", va="top", color=look.MUTED, fontsize=look.TEXT_PT)


def _clearness(X: Values, x: Values, j: int) -> Values:
    """How clearly each observation is marked, `n`, by its distance from the slice along column j."""
    others = np.delete(np.abs(X - x), j, axis=1)
    if others.shape[1] == 0:
        return np.full(len(X), _CLEAREST)
    away = np.square(others).mean(axis=1) / _NEAR**2
    alpha: Values = _FAINTEST + (_CLEAREST - _FAINTEST) * np.exp(-0.5 * away)
    return alpha


def _legend(history: History, *, is_bound: bool) -> list[Artist]:
    keys = curve_keys("mean", "90 % interval")
    keys += [look.key_mark("best", look.BEST), look.key_mark("trial, faint off the slice", look.INK)]
    keys += failed_keys(Trials.of(history))
    if is_bound:
        keys.append(Patch(facecolor=look.GRID, edgecolor=look.MUTED, linewidth=0.6, label="not allowed"))
    return keys
