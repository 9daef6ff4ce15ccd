"""What a model expects along a parameter: a line with a band, or a mark with whiskers for each level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bbo.plots import look
from bbo.plots.columns import Values
from bbo.plots.panels import is_listed, parameter_axis, places
from bbo.space.region import Mask

# Half the width of a Gaussian's central 90 %, in standard deviations.
HALF_WIDTH = 1.6448536269514722
# What surrounds the curves may take so many times their own span on either side of an axis; the rest lies beyond it.
_ROOM = 0.6
_BAND = 0.18
# Of a level, to either side.
_BESIDE = 0.4


@dataclass(frozen=True)
class Curve:
    """A middle and two bounds along a parameter, each `n`, at positions of the unit interval."""

    u: Values
    middle: Values
    low: Values
    high: Values


def draw_curve(axes: Axes, p: Any, curve: Curve) -> None:
    """The curve over the parameter's axis; `middle` and `band` are the gids. Values must have their axis."""
    parameter_axis(axes, p)
    at = places(p, p.decode(curve.u))
    # A logarithmic axis has no place for what is not positive: it goes off the axis.
    low = curve.low.clip(min=0.1 * axes.get_ylim()[0]) if axes.get_yscale() == "log" else curve.low
    if is_listed(p):
        spans = np.array([curve.middle - low, curve.high - curve.middle]).clip(min=0.0)
        axes.errorbar(
            at,
            curve.middle,
            yerr=spans,
            fmt="none",
            ecolor=look.FEASIBLE,
            elinewidth=5.0,
            alpha=2 * _BAND,
            zorder=2.2,
        )
        axes.plot(
            at, curve.middle, linestyle="none", marker="_", ms=14, mew=1.8, color=look.FEASIBLE, zorder=3, gid="middle"
        )
        return
    axes.fill_between(at, low, curve.high, color=look.FEASIBLE, alpha=_BAND, linewidth=0, zorder=1.5, gid="band")
    axes.plot(at, curve.middle, color=look.FEASIBLE, linewidth=1.6, zorder=3.0, gid="middle")


def curve_keys(middle: str, band: str) -> list[Artist]:
    """The same for the legend."""
    return [
        Line2D([], [], color=look.FEASIBLE, linewidth=1.6, label=middle),
        Patch(facecolor=look.FEASIBLE, alpha=_BAND, linewidth=0, label=band),
    ]


def frame(curves: Sequence[Curve], others: Values, *, log: bool) -> tuple[Values, bool]:
    """Lowest and highest value of an axis for these curves, and whether it can be logarithmic.

    It shows the middle of each whole; of the bounds and of `others` what is not so far off that the curves would be
    lost.
    """
    core = np.concatenate([curve.middle for curve in curves])
    around = np.concatenate([others, *(bound for curve in curves for bound in (curve.low, curve.high))])
    is_log = log and bool(core.min() > 0)
    if is_log:
        core, around = np.log(core), np.log(around[around > 0])
    around = around[np.isfinite(around)]
    low, high = core.min(), core.max()
    room = _ROOM * (high - low)
    if len(around) and room > 0:
        low, high = min(low, max(around.min(), low - room)), max(high, min(around.max(), high + room))
    elif len(around):
        low, high = min(low, around.min()), max(high, around.max())
    ends = np.array([low, high])
    return (np.exp(ends) if is_log else ends), is_log


def draw_bounds(axes: Axes, lower: float | None, upper: float | None) -> None:
    """What a constraint forbids, shaded, as far as the axis shows it. The axis must have its limits."""
    bottom, top = axes.get_ylim()
    for bound, end in ((lower, bottom), (upper, top)):
        if bound is not None and bottom < bound < top:
            axes.axhspan(min(bound, end), max(bound, end), color=look.GRID, zorder=0.4, linewidth=0)
            axes.axhline(bound, color=look.MUTED, linestyle=(0, (5, 3)), linewidth=1.0, zorder=1.2, gid="bound")


def draw_forbidden(axes: Axes, p: Any, u: Values, is_allowed: Mask) -> None:
    """Where along the parameter's axis no point may be, shaded; of positions `n`, which are allowed, `n`."""
    at = np.asarray(places(p, p.decode(u)), dtype=float)
    half = (at[1:] + at[:-1]) / 2
    begins, ends = np.append(at[:1], half), np.append(half, at[-1:])
    if is_listed(p):
        begins, ends = at - _BESIDE, at + _BESIDE
    for begin, end in zip(begins[~is_allowed].tolist(), ends[~is_allowed].tolist(), strict=True):
        axes.axvspan(begin, end, color=look.GRID, zorder=0.4, linewidth=0, gid="forbidden")
