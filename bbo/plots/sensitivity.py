"""How much each parameter matters to the model: Sobol' indices of its mean.

Of the variance of the mean over the space, the first-order index of a parameter is the share that it explains by
itself, the total index the share that goes with it, interactions with others included. Sobol', Math. Comp. Simul. 55
(2001); estimators of Saltelli et al., Comp. Phys. Comm. 181 (2010), and for the total index of Jansen (1999), on a
Sobol sequence.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.stats import sobol_indices

from bbo.history import History
from bbo.plots import look
from bbo.plots.columns import Values
from bbo.plots.posterior import expected, scattered
from bbo.protocols import Strategy

# Predictions in all, for as many points as there are parameters and two more.
_BUDGET = 2**14
_FEWEST, _MOST = 64, 2048
# A mean that varies by less, as a share of its size, is flat but for rounding.
_FLAT = 1e-9
_MOST_BARS = 20
_BAR_IN, _WIDTH_IN = 0.27, 3.6
_NAME_CHARS = 24
_SHADE = 0.3


@dataclass(frozen=True)
class Importance:
    """Sobol' indices of the model's mean by metric, by parameter in their order; 0 where it is flat.

    A simplex is one parameter, and so is a permutation. Constraints, which would make parameters depend on each other,
    are left out of account.
    """

    first: dict[str, Values]
    total: dict[str, Values]


def importance(history: History, strategy: Strategy, *, seed: int = 0) -> Importance:
    """Of each metric that steers, over the space: uniform over levels, and over the logarithm of what is searched so.

    Args:
        seed: of the points.
    Raises:
        StrategyError: the strategy has no model, or too few trials are completed for it.
    """
    space, d = history.space, len(history.space.parameters)
    n = min(max(2 ** int(np.log2(_BUDGET / (d + 2))), _FEWEST), _MOST)
    A, B = (space.spread(half) for half in np.split(scattered(2 * space.dim, n, seed), 2, axis=1))
    mixed = np.tile(A, (d, 1, 1))
    for k, name in enumerate(space.names):
        mixed[k][:, space.at[name]] = B[:, space.at[name]]
    prediction = expected(history, strategy, np.vstack([A, B, *mixed]))
    first, total = {}, {}
    for metric, mean in prediction.mean.items():
        first[metric], total[metric] = _indices(mean.reshape(d + 2, n))
    return Importance(first, total)


def importance_figure(history: History, strategy: Strategy, *, name: str = "", seed: int = 0) -> Figure:
    """Sobol' indices of the model's mean: for each metric, the parameters by how much they matter to it.

    Args:
        name: of the study, for the title.
        seed: of the points.
    Raises:
        StrategyError: the strategy has no model, or too few trials are completed for it.
    """
    indices = importance(history, strategy, seed=seed)
    metrics = [metric for metric in history.objectives.required if metric in indices.total]
    n_bars = min(len(history.space.names), _MOST_BARS)
    figure = look.new_figure(max(4.6, _WIDTH_IN * len(metrics)), _BAR_IN * n_bars + 0.75)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for metric, axes in zip(metrics, panels, strict=True):
        _draw(axes, metric, history.space.names, indices.first[metric], indices.total[metric])
    said = f"model of {int(history.is_completed.sum())} trials: shares of the variance of its mean"
    keys = [
        Patch(facecolor=look.FEASIBLE, label="by itself"),
        Patch(facecolor=look.FEASIBLE, alpha=_SHADE, label="with interactions"),
    ]
    look.head(figure, f"{name or 'Model'}: importance", said, keys)
    return figure


def _indices(mean: Values) -> tuple[Values, Values]:
    """First-order and total indices, `d` each, from values at A, at B and at A with each column of B, `(d + 2) x n`."""
    d = len(mean) - 2
    if np.ptp(mean) <= _FLAT * np.abs(mean).max():
        return np.zeros(d), np.zeros(d)
    if d == 1:  # one parameter explains all; scipy cannot take it
        return np.ones(1), np.ones(1)
    found = sobol_indices(func={"f_A": mean[:1], "f_B": mean[1:2], "f_AB": mean[2:, None]}, n=mean.shape[1])
    return np.asarray(found.first_order), np.asarray(found.total_order)


def _draw(axes: Axes, metric: str, names: tuple[str, ...], first: Values, total: Values) -> None:
    look.dress(axes)
    axes.grid(visible=False, axis="y")
    order = np.argsort(total, kind="stable")[-_MOST_BARS:]
    at = np.arange(len(order))
    axes.barh(at, total[order], height=0.62, color=look.FEASIBLE, alpha=_SHADE, linewidth=0, gid="total")
    axes.barh(at, first[order].clip(min=0.0), height=0.62, color=look.FEASIBLE, linewidth=0, gid="first")
    for y, share in enumerate(total[order].tolist()):
        axes.text(share + 0.015, y, f"{share:.2f}", va="center", size=look.SMALL_PT, color=look.MUTED)
    axes.set_yticks(at, [look.shortened(names[k], _NAME_CHARS) for k in order], parse_math=False)
    axes.tick_params(axis="y", length=0, labelcolor=look.INK)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(0.0, 1.12 * max(1.0, float(total.max())))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    left_out = f", {len(names) - len(order)} more below" if len(order) < len(names) else ""
    axes.set_xlabel(
        look.folded(f"share of the variance of {metric}{left_out}", 40),
        size=look.SMALL_PT,
        color=look.INK,
        parse_math=False,
    )
