"""Panels of a figure: an axis for a parameter, words for a metric, and how the panels stand together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bbo.plots import look

_PANEL_IN = 2.15
_MOST_COLUMNS = 6
_LABEL_CHARS, _VALUE_CHARS = 26, 30
_MOST_NAMED = 12
# Labels of levels stand upright while all of them together are no longer than this.
_LEVEL_CHARS = 20
_GOLDEN = (math.sqrt(5) - 1) / 2
_JITTER = 0.5


def panel_blocks(
    labels: Sequence[str], n_panels: int, *, least_width_in: float = 4.6
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a block of so many panels for each label, which stands at the left of the block's rows.

    A block is a single row where there are several of them and the row is not too long.
    """
    n_columns = n_panels if len(labels) > 1 and n_panels <= _MOST_COLUMNS else columns_for(n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    width_in = max(least_width_in, _PANEL_IN * n_columns + 0.6)
    figure = look.new_figure(width_in, (_PANEL_IN + 0.15) * n_rows * len(labels))
    grid = figure.subplots(n_rows * len(labels), n_columns, squeeze=False)
    blocks = []
    for i, label in enumerate(labels):
        block = list(grid[i * n_rows : (i + 1) * n_rows].ravel())
        for j, axes in enumerate(block):
            if j >= n_panels:
                axes.remove()
                continue
            look.dress(axes)
            if j % n_columns == 0:
                axes.set_ylabel(look.folded(label, _VALUE_CHARS), size=look.SMALL_PT, color=look.INK, parse_math=False)
            else:
                axes.tick_params(labelleft=False)
        blocks.append(block[:n_panels])
    return figure, blocks


def columns_for(n: int) -> int:
    """How many panels stand side by side, so that the last row is not much emptier than the others."""
    if n <= 4:
        return n
    n_rows = math.ceil(n / _MOST_COLUMNS) if n > 8 else 2
    return math.ceil(n / n_rows)


def parameter_axis(axes: Axes, p: Any, *, vertical: bool = False) -> None:
    """An axis over the range of a parameter, or a strip for each of its levels, with its name and unit."""
    unit = f" ({p.unit})" if getattr(p, "unit", None) else ""
    label: dict[str, Any] = {"size": look.SMALL_PT, "color": look.INK, "parse_math": False}
    if vertical:
        axes.set_ylabel(look.folded(p.name + unit, _LABEL_CHARS), **label)
    else:
        axes.set_xlabel(look.folded(p.name + unit, _LABEL_CHARS), **label)
    which: Literal["x", "y"] = "y" if vertical else "x"
    if is_listed(p):
        _strips(axes, [str(level) for level in p.listed], vertical=vertical)
        return
    axes.set(**{f"{which}lim": look.padded(p.low, p.high, log=p.log, share=0.05)})
    look.scale_numbers(axes, which, log=p.log, n_ticks=5)


def is_listed(p: Any) -> bool:
    """Whether a parameter's values stand in a list, so that they have places and no distances."""
    return p.kind in ("categorical", "ordinal", "molecule")


def places(p: Any, values: Sequence[Any]) -> NDArray[np.float64]:
    """Where values stand on the parameter's axis, `n`."""
    return np.array([p.code(value) if is_listed(p) else value for value in values], dtype=np.float64)


def spread_places(p: Any, points: Sequence[Mapping[str, Any]], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where trials of these numbers stand, values by the names of terms; NaN for one that lacks the parameter.

    Marks of a strip lie apart.
    """
    at = np.full(len(points), np.nan)
    there = [k for k, point in enumerate(points) if p.name in point]
    at[there] = places(p, [points[k][p.name] for k in there])
    return at + jitter(numbers) if is_listed(p) else at


def jitter(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Offsets within a strip, evenly spread and always the same for a trial."""
    return ((numbers.astype(np.float64) * _GOLDEN) % 1.0 - 0.5) * _JITTER


def _strips(axes: Axes, levels: list[str], *, vertical: bool) -> None:
    """A place for each level; its name upright where all fit, else slanted; of many levels only some are named."""
    every = math.ceil(len(levels) / _MOST_NAMED)
    named = list(range(0, len(levels), every))
    names = [look.shortened(levels[k], 12) for k in named]
    ends = (-0.6, len(levels) - 0.4)
    if vertical:
        axes.set_ylim(ends)
        axes.set_yticks(named, names, parse_math=False)
        axes.grid(visible=False, axis="y")
        return
    axes.set_xlim(ends)
    axes.set_xticks(named, names, parse_math=False)
    axes.grid(visible=False, axis="x")
    widest = max(len(name) for name in names) * len(names)
    if widest > _LEVEL_CHARS and len(names) > 1:
        axes.tick_params(axis="x", labelrotation=35.0, pad=1.0)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
