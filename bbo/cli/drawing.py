"""A study's figures as files."""

import re
from pathlib import Path

from bbo.cli.lists import best_known
from bbo.plots import parameters_figure, progress_figure, save_png
from bbo.protocols import Problem
from bbo.studies.view import StudyView


def draw(study: StudyView, problem: Problem | None, folder: Path) -> list[Path]:
    """The paths of the figures, written into the folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", study.name).strip("-.") or "study"
    progress = progress_figure(study.history, name=study.name, best_known=best_known(problem))
    parameters = parameters_figure(study.history, name=study.name)
    return [
        save_png(progress, folder / f"{stem}-progress.png"),
        save_png(parameters, folder / f"{stem}-parameters.png"),
    ]
