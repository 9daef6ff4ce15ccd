"""The progress bar of a run: trials, the best feasible value, the time left."""

import sys
from types import TracebackType
from typing import Any, Protocol, Self

from bbo.fold import Fold


class Progress(Protocol):
    """What a run tells about itself."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: Any) -> None: ...

    def show(self, fold: Fold, n_running: int) -> None: ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def show(self, fold: Fold, n_running: int) -> None:
        return None


class Bar:
    """A line on stderr: `trial 12/40 ━━━━╸ best 2.41 (trial 9) 0:00:31 left`."""

    def __init__(self, n_trials: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._n_trials = n_trials
        self._rich = Progress(
            TextColumn("trial {task.completed}" + ("" if n_trials is None else "/{task.total}")),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            TextColumn("left,"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task: Any = None
        self._told = -1
        self._best = ""

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rich.stop()

    def show(self, fold: Fold, n_running: int) -> None:
        ended = fold.n_counted - n_running
        if self._task is None:
            self._task = self._rich.add_task("", total=self._n_trials, completed=ended)
        if ended != self._told:
            self._told, self._best = ended, _best_in_words(fold)
        self._rich.update(self._task, completed=ended, description=self._best)


def progress_of(choice: bool | None, n_trials: int | None) -> Progress:
    """A bar when asked for, or when left open and stderr is a terminal."""
    return Bar(n_trials) if (sys.stderr.isatty() if choice is None else choice) else Silent()


def _best_in_words(fold: Fold) -> str:
    history = fold.history()
    if len(fold.objectives.aims) > 1:
        return f"{int(history.is_feasible.sum())} feasible trials"
    number = history.incumbent
    if number is None:
        return "no feasible trial yet" if history.objectives.constraints else "no value yet"
    return f"best {fold.trial(number).values[fold.objectives.aims[0].metric]:.6g} (trial {number})"
