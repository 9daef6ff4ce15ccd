"""The progress bar of a run: trials, the best feasible value, the time left."""

import importlib
import math
import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

from bbo import markup
from bbo.fold import Fold

_BETWEEN_DRAWINGS_S = 0.2


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


class _Counting:
    """What a bar says: how many trials have ended, and which is the best."""

    def __init__(self) -> None:
        self._told = -1
        self._best = ""

    def read(self, fold: Fold, n_running: int) -> tuple[int, str]:
        ended = fold.n_counted - n_running
        if ended != self._told:
            self._told, self._best = ended, _best_in_words(fold)
        return ended, self._best


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
        self._counting = _Counting()

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rich.stop()

    def show(self, fold: Fold, n_running: int) -> None:
        ended, best = self._counting.read(fold, n_running)
        if self._task is None:
            self._task = self._rich.add_task("", total=self._n_trials, completed=ended)
        self._rich.update(self._task, completed=ended, description=best)


class NotebookBar:
    """A bar under the cell of a notebook, which needs no widgets and stays when the run has ended."""

    def __init__(self, n_trials: int | None) -> None:
        self._n_trials = n_trials
        self._counting = _Counting()
        self._said = ""
        self._drawn_at = -math.inf
        self._shown: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._draw()

    def show(self, fold: Fold, n_running: int) -> None:
        ended, best = self._counting.read(fold, n_running)
        of = "" if self._n_trials is None else f"/{self._n_trials}"
        share = None if self._n_trials is None else min(1.0, ended / self._n_trials)
        said = markup.bar(share, f"trial {ended}{of}, {best}")
        if said != self._said:
            self._said = said
            if time.monotonic() - self._drawn_at >= _BETWEEN_DRAWINGS_S:
                self._draw()

    def _draw(self) -> None:
        ipython: Any = importlib.import_module("IPython.display")
        if self._shown is None:
            self._shown = ipython.display(ipython.HTML(self._said), display_id=True)
        else:
            self._shown.update(ipython.HTML(self._said))
        self._drawn_at = time.monotonic()


def _is_notebook() -> bool:
    """Whether this runs in a kernel that shows HTML."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def progress_of(choice: bool | None, n_trials: int | None) -> Progress:
    """A bar when asked for, or when left open and stderr is a terminal, or a notebook shows it."""
    is_notebook = _is_notebook()
    if not (sys.stderr.isatty() or is_notebook if choice is None else choice):
        return Silent()
    return NotebookBar(n_trials) if is_notebook else Bar(n_trials)


def _best_in_words(fold: Fold) -> str:
    history = fold.history()
    if len(fold.objectives.aims) > 1:
        return f"{int(history.is_feasible.sum())} feasible trials"
    number = history.incumbent
    if number is None:
        return "no feasible trial yet" if history.objectives.constraints else "no value yet"
    return f"best {fold.trial(number).values[fold.objectives.aims[0].metric]:.6g} (trial {number})"
