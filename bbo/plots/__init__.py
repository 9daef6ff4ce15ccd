"""Figures of a study, made from its history: how it went, and what each parameter has to do with it.

Figures are matplotlib's `Figure` objects, free of pyplot and of any global state.
"""

from bbo.plots.parameters import parameters_figure
from bbo.plots.progress import progress_figure
from bbo.plots.saving import save_png

__all__ = ["parameters_figure", "progress_figure", "save_png"]
