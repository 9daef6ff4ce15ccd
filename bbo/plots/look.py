"""The look that all figures share: type, colours, axes, the band of title and legend on top.

Colours are of Okabe & Ito's palette, which people with any common colour blindness can tell apart; every kind of mark
also differs in shape or fill. Everything is set on the artists themselves, so a user's matplotlibrc stays in force for
their own figures.
"""

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

INK = "#22272e"
MUTED = "#68707a"
RULE = "#c4c9cf"
GRID = "#eceef0"
FEASIBLE = "#0072b2"
INFEASIBLE = "#98a0a8"
FAILED = "#22272e"
BEST = "#d55e00"

TITLE_PT, TEXT_PT, SMALL_PT = 12.0, 9.0, 8.0
_DPI = 150
_MARGIN_IN = 0.18
_BAND_IN = 0.88
_TITLE_CHARS_PER_IN = 9.5
_TEXT_CHARS_PER_IN = 14.0
# Fewer decades than this have ticks at 2 and 5 as well.
_FEW_DECADES = 2.5
_PLAIN = (1e-3, 1e5)
_ROUND = [1, 2, 2.5, 5, 10]


class Shown(Figure):
    """A figure that a notebook shows, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, white, whose axes lie below the band of title and legend."""
    figure = Shown(figsize=(width_in, height_in + _BAND_IN), dpi=_DPI, facecolor="white", layout="constrained")
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    share = _BAND_IN / (height_in + _BAND_IN)
    pad = _MARGIN_IN / 2
    engine.set(rect=(0.0, 0.0, 1.0, 1.0 - share), w_pad=pad, h_pad=pad, wspace=0.0, hspace=0.0)
    return figure


def head(figure: Figure, title: str, subtitle: str, handles: Sequence[Artist]) -> None:
    """Title, subtitle and legend, left-aligned above the axes."""
    width_in, height_in = figure.get_size_inches()
    left = _MARGIN_IN / width_in

    def at(inches: float) -> float:
        return float(1 - inches / height_in)

    title = shortened(title, int(_TITLE_CHARS_PER_IN * width_in))
    figure.text(left, at(0.16), title, ha="left", va="top", size=TITLE_PT, weight="bold", color=INK, parse_math=False)
    subtitle = shortened(subtitle, int(_TEXT_CHARS_PER_IN * width_in))
    figure.text(left, at(0.42), subtitle, ha="left", va="top", size=TEXT_PT, color=MUTED, parse_math=False)
    if handles:
        legend = figure.legend(
            handles=list(handles),
            loc="upper left",
            bbox_to_anchor=(left, at(0.64)),
            ncols=len(handles),
            frameon=False,
            fontsize=TEXT_PT,
            labelcolor=INK,
            borderpad=0.0,
            borderaxespad=0.0,
            handletextpad=0.5,
            handlelength=1.2,
            columnspacing=1.8,
        )
        legend.set_in_layout(False)


def dress(axes: Axes) -> None:
    """Two thin axes, a faint grid behind the marks, small type."""
    axes.set_facecolor("white")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(which="both", color=RULE, labelcolor=MUTED, labelsize=SMALL_PT, width=0.8, length=3.0)
    axes.tick_params(which="minor", length=1.5)
    axes.grid(visible=True, which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def value_axis(axes: Axes, values: NDArray[np.float64], *, log: bool, n_ticks: int) -> None:
    """A vertical axis that holds the values; where there are none, a line that says so."""
    if len(values) == 0:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no completed trial yet", transform=axes.transAxes, ha="center", size=TEXT_PT, color=MUTED)
        return
    axes.set_ylim(padded(float(values.min()), float(values.max()), log=log, share=0.07))
    scale_numbers(axes, "y", log=log, n_ticks=n_ticks)


def scale_numbers(axes: Axes, which: Literal["x", "y"], *, log: bool, n_ticks: int) -> None:
    """Few round ticks, in plain numbers as long as these are short. The axis must have its limits."""
    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    if not log:
        axis.set_major_locator(MaxNLocator(n_ticks, steps=_ROUND))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        return
    limits = axes.get_xlim() if which == "x" else axes.get_ylim()
    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    decades = math.log10(limits[1] / limits[0])
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(n_ticks, steps=_ROUND))
    else:
        subs = (1.0, 2.0, 5.0) if decades < 0.3 * n_ticks else (1.0,) if decades > _FEW_DECADES else (1.0, 3.0)
        axis.set_major_locator(LogLocator(subs=subs, numticks=n_ticks + 2))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def tick(value: float) -> str:
    """A number on an axis: plain where short, else with a power of ten."""
    if value == 0 or _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return f"{value:.8g}".replace("-", "\N{MINUS SIGN}")
    mantissa, _, exponent = f"{value:.6e}".partition("e")
    factor = {"1": "", "-1": "-"}.get(f"{float(mantissa):g}", f"{float(mantissa):g} \\times ")
    return f"${factor}10^{{{int(exponent)}}}$"


def padded(low: float, high: float, *, log: bool, share: float) -> tuple[float, float]:
    """Limits of an axis from low to high with a margin on either side."""
    if log:
        factor = (high / low) ** share if high > low else 2.0
        return low / factor, high * factor
    margin = share * (high - low) if high > low else 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def mark_size(n: int) -> float:
    """Area of a mark in square points: the more marks, the smaller."""
    return min(30.0, max(9.0, 30.0 * math.sqrt(60 / max(n, 1))))


def key_mark(label: str, colour: str, *, marker: str = "o", filled: bool = True) -> Line2D:
    """A mark for the legend."""
    face = colour if filled else "white"
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=5.5, color=colour, markerfacecolor=face, label=label
    )


def shortened(text: str, n_chars: int) -> str:
    """At most so many characters; what is left out in the middle is an ellipsis."""
    text = " ".join(text.split())
    if len(text) <= n_chars:
        return text
    front = (n_chars - 1) // 2
    return f"{text[:front]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (n_chars - 1 - front) :]}"


def folded(text: str, n_chars: int) -> str:
    """On at most two lines of so many characters, broken at spaces and underscores where it can be."""
    if len(text) <= n_chars:
        return text
    breakable = text.replace("_", "_ ")
    lines = [line.replace("_ ", "_") for line in textwrap.wrap(breakable, n_chars)]
    if len(lines) == 2:
        return "\n".join(lines)
    return f"{text[: n_chars - 1]}\N{HORIZONTAL ELLIPSIS}\n{text[-n_chars:]}"
