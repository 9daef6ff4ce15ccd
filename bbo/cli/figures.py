"""The kinds of figure, by the names that are typed and that their files have."""

from enum import StrEnum


class FigureKind(StrEnum):
    PROGRESS = "progress"
    PARAMETERS = "parameters"
    SLICES = "slices"
    DEPENDENCE = "dependence"
    PAIR = "pair"
    IMPORTANCE = "importance"
    PREDICTED = "predicted"

    @property
    def is_of_model(self) -> bool:
        """Whether it shows what a model expects, rather than results alone."""
        return self not in (FigureKind.PROGRESS, FigureKind.PARAMETERS)
