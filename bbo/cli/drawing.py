"""A study's figures as files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bbo.cli.figures import FigureKind
from bbo.cli.lists import best_known, make_strategy
from bbo.cli.logs import logged_strategy
from bbo.errors import StrategyError
from bbo.plots import (
    dependence_figure,
    importance_figure,
    pair_figure,
    parameters_figure,
    predicted_figure,
    progress_figure,
    save_png,
    slices_figure,
)
from bbo.protocols import Problem, Strategy
from bbo.studies.specification import rebuild, refusal
from bbo.studies.view import StudyView

_OF_MODEL = {
    FigureKind.SLICES: slices_figure,
    FigureKind.DEPENDENCE: dependence_figure,
    FigureKind.PAIR: pair_figure,
    FigureKind.IMPORTANCE: importance_figure,
    FigureKind.PREDICTED: predicted_figure,
}
# A model of fewer trials than this shows little but what it assumes.
_FEWEST = 4


def draw(
    study: StudyView, problem: Problem | None, folder: Path, kinds: Sequence[FigureKind], strategy: Strategy | None
) -> Iterator[Path]:
    """The paths of the figures, each written into the folder, which is made where it is missing.

    Args:
        strategy: whose model is drawn; None where no kind needs one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study"
    for kind in kinds:
        yield save_png(_figure(study, problem, kind, strategy), folder / f"{stem}-{kind}.png")


def model_of(study: StudyView, name: str | None) -> Strategy:
    """The strategy whose model is drawn: the one of this name, or the study's own.

    Raises:
        StrategyError: it is not at hand, refuses the study, or has no model; says what to do.
    """
    strategy: Strategy = (
        rebuild(logged_strategy(study.storage.events(study.name))) if name is None else make_strategy(name)
    )
    why_not = refusal(strategy, study.space, study.objectives)
    if why_not is not None:
        raise StrategyError(why_not)
    if not hasattr(strategy, "predict"):
        raise StrategyError(f"{type(strategy).__name__} has no model to draw: --strategy GP reads the same trials.")
    n = int(study.history.is_completed.sum())
    if n < _FEWEST:
        raise StrategyError(f"A model is drawn from {_FEWEST} completed trials on: {study.name} has {n}.")
    return strategy


def kinds_for(study: StudyView, strategy: Strategy | None) -> list[FigureKind]:
    """The kinds of figure that this study and this strategy's model, if any, allow."""
    kinds = [kind for kind in FigureKind if strategy is not None or not kind.is_of_model]
    if study.space.dim < 2 and FigureKind.PAIR in kinds:
        kinds.remove(FigureKind.PAIR)
    if not hasattr(strategy, "leave_one_out") and FigureKind.PREDICTED in kinds:
        kinds.remove(FigureKind.PREDICTED)
    return kinds


def _figure(study: StudyView, problem: Problem | None, kind: FigureKind, strategy: Strategy | None) -> Figure:
    history, name = study.history, study.name
    if kind is FigureKind.PROGRESS:
        return progress_figure(history, name=name, best_known=best_known(problem))
    if kind is FigureKind.PARAMETERS:
        return parameters_figure(history, name=name)
    assert strategy is not None
    return _OF_MODEL[kind](history, strategy, name=name)
