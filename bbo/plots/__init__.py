"""Figures of a study, made from its history: how it went, and what each parameter has to do with it.

Figures are matplotlib's `Figure` objects, free of pyplot and of any global state. Slices, dependence, importance and
predicted against observed show what a strategy's model expects: it must offer `predict` (and `leave_one_out`).
"""

from bbo.plots.dependence import dependence_figure, pair_figure
from bbo.plots.parameters import parameters_figure
from bbo.plots.predicted import predicted_figure
from bbo.plots.progress import progress_figure
from bbo.plots.saving import save_png
from bbo.plots.sensitivity import Importance, importance, importance_figure
from bbo.plots.slices import slices_figure

__all__ = [
    "Importance",
    "dependence_figure",
    "importance",
    "importance_figure",
    "pair_figure",
    "parameters_figure",
    "predicted_figure",
    "progress_figure",
    "save_png",
    "slices_figure",
]
