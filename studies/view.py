"""A study as one reads it: what was asked and told, the best, the tables; nothing here adds to the log."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bbo import markup
from bbo.budget import Budget
from bbo.fold import Fold
from bbo.history import History
from bbo.objective import Objectives
from bbo.space import Space
from bbo.storage import Storage, open_storage
from bbo.studies import telling
from bbo.studies.creating import only_name
from bbo.studies.finishing import Finish, Outlook, finish, outlook
from bbo.studies.frames import to_frame
from bbo.studies.log import StudyLog
from bbo.studies.tables import to_fill_in
from bbo.trial import Trial

if TYPE_CHECKING:
    import optuna
    import pandas as pd

# Events that keep what an evaluation printed.
_PRINTING = frozenset({"told", "failed", "lost"})


# Trials that a notebook shows of the latest.
_N_LATEST = 5


class StudyView:
    """What a study's log says as of now. `Study` is a view with verbs; a view alone loads no strategy and no torch."""

    _log: StudyLog

    @classmethod
    def load(cls, storage: str | Path | Storage, name: str | None = None) -> Self:
        """A study to look at.

        Args:
            name: may be left out where the storage has a single study.
        Raises:
            StudyNotFoundError: no study of that name; names those there are.
        """
        store = open_storage(storage)
        view = cls.__new__(cls)
        view._log = StudyLog(store, only_name(store) if name is None else name)
        view._log.refresh()
        return view

    @property
    def name(self) -> str:
        return self._log.name

    @property
    def space(self) -> Space:
        return self._log.fold.space

    @property
    def objectives(self) -> Objectives:
        return self._log.fold.objectives

    @property
    def seed(self) -> int:
        return self._log.fold.seed

    @property
    def storage(self) -> Storage:
        return self._log.storage

    @property
    def problem(self) -> str:
        """Name of the problem it optimizes, where it was said."""
        return str(self._log.fold.specification.get("problem", ""))

    @property
    def budget(self) -> Budget:
        """How far the study goes; an empty one where nothing was said."""
        with self._now() as fold:
            return fold.budget or Budget()

    @property
    def first_asked_at(self) -> str:
        """When the first trial was asked for, UTC, which a budget of seconds counts from; empty before."""
        with self._now() as fold:
            return fold.first_asked_at

    @property
    def finished(self) -> Finish | None:
        """Which limit of the budget is reached, or which stop rule holds, as of now; None while none does."""
        with self._now() as fold:
            return finish(fold)

    @property
    def outlook(self) -> Outlook | None:
        """What the model said of further trials when it was last asked; None where it never did."""
        with self._now() as fold:
            return outlook(fold)

    def __repr__(self) -> str:
        with self._now() as fold:
            return f"<Study {self.name!r} in {self.storage.url}: {_counted(fold)}>"

    def _repr_html_(self) -> str:
        """In a notebook: how many trials, the best, the latest."""
        with self._now() as fold:
            history, names = fold.history(), list(fold.space.cells)
            metrics = fold.objectives.metrics
            several = len(fold.objectives.aims) > 1
            best = history.front.tolist() if several else [k for k in [history.incumbent] if k is not None]
            latest = list(range(max(0, fold.n_trials - _N_LATEST), fold.n_trials))[::-1]
            shown = dict.fromkeys([*best[:_N_LATEST], *latest])
            rows = []
            for k in shown:
                cells, values = fold.space.flat(fold.params(k)), fold.values(k)
                said = ("best" if k in best else "") if not several else ("front" if k in best else "")
                row = {**cells, **values}
                rows.append([k, said, fold.status(k), *(row.get(name, "") for name in (*names, *metrics))])
            title = f"Study {self.name}: {_counted(fold)}"
        where = markup.paragraph(f"in {self.storage.url}")
        columns = ["trial", "", "status", *names, *metrics]
        return markup.heading(title) + where + (markup.table(columns, rows) if rows else "")

    @contextmanager
    def _now(self) -> Iterator[Fold]:
        """The fold with what other processes have added, held still."""
        with self._log.lock:
            self._log.refresh()
            yield self._log.fold

    @property
    def history(self) -> History:
        """The columns that a strategy reads, as of now."""
        with self._now() as fold:
            return fold.history()

    @property
    def trials(self) -> list[Trial]:
        """All trials, by number, as of now."""
        with self._now() as fold:
            return [fold.trial(k) for k in range(fold.n_trials)]

    def trial(self, number: int) -> Trial:
        """One trial.

        Raises:
            TrialError: no trial has this number.
        """
        with self._now() as fold:
            return fold.trial(telling.known_trial(self._log, number))

    @property
    def runners(self) -> dict[int, dict[str, Any]]:
        """Who evaluates which running trial, empty for one that was lost; trials asked for by hand are not here."""
        with self._now() as fold:
            return fold.runners()

    @property
    def notes(self) -> list[str]:
        """What people noted on the study as a whole."""
        with self._now() as fold:
            return list(fold.study_notes)

    def output(self, trial: Trial | int) -> str:
        """The end of what the latest evaluation of a trial printed, where it was kept; read from the log each time.

        Raises:
            TrialError: no such trial.
        """
        number = telling.known_trial(self._log, trial)
        bodies = (e.read() for e in self.storage.events(self.name) if e.trial == number and e.kind in _PRINTING)
        return next((str(body["output"]) for body in reversed(list(bodies)) if body.get("output")), "")

    @property
    def best(self) -> Trial | None:
        """The best feasible trial observed; None while there is none.

        Raises:
            ObjectiveError: several objectives; use `front`.
        """
        return self.best_in({})

    def best_in(self, context: Mapping[str, Any]) -> Trial | None:
        """The best feasible trial observed where some parameters had these values; None while there is none.

        Raises:
            ObjectiveError: several objectives.
            SpaceError: a name or value that the space does not have.
        """
        number = self._seen_from(context).incumbent
        return None if number is None else self.trial(number)

    @property
    def front(self) -> list[Trial]:
        """The feasible trials that no other one dominates; with one objective, the best and its equals."""
        return self.front_in({})

    def front_in(self, context: Mapping[str, Any]) -> list[Trial]:
        """As `front`, of the trials made where some parameters had these values.

        Raises:
            SpaceError: a name or value that the space does not have.
        """
        return [self.trial(k) for k in self._seen_from(context).front.tolist()]

    def _seen_from(self, context: Mapping[str, Any] | None) -> History:
        return self.history.given(context) if context else self.history

    def frame(self) -> "pd.DataFrame":
        """All trials as a table: a column per parameter and metric, status, feasibility, times (UTC)."""
        with self._now() as fold:
            return to_frame(fold)

    def pending_frame(self) -> "pd.DataFrame":
        """A table to fill in: a row for each trial that waits for results, what is known of them in its cells.

        Columns are `trial`, the parameters with their units, the metrics, `cost` (`trial_cost` where a parameter or
        metric is called cost), `status` and `note`. `Study.tell_frame` takes it back.
        """
        with self._now() as fold:
            return to_fill_in(fold, [k for k in range(fold.n_trials) if telling.is_open(fold, k)])

    def to_optuna(self, storage: "str | optuna.storages.BaseStorage", name: str | None = None) -> "optuna.Study":
        """Writes the study into a storage of Optuna's, for Optuna Dashboard and the like.

        A second time it adds what is new. A value off its range widens the range of its trial; of a Target Optuna has
        the distance from it; cancelled trials are failed ones; metrics, costs and notes are among a trial's attributes.

        Args:
            storage: a URL such as `sqlite:///optuna.db`, or one of Optuna's storages.
            name: of the study there; the same when None.
        Returns:
            Optuna's study.
        Raises:
            StudyExistsError: Optuna has another study of that name, or one that went on there.
            ValueError: the storage is no URL, or that of this study's own log.
        """
        from bbo.studies.optuna.exporting import export

        with self._now() as fold:
            trials = [fold.trial(k) for k in range(fold.n_trials)]
            past = {k for k in range(fold.n_trials) if fold.is_past(k)}
            specification, space, objectives = fold.specification, fold.space, fold.objectives
        return export(specification, space, objectives, trials, past, storage, name or self.name, self.storage.url)

    def close(self) -> None:
        """Closes the storage's connections and files."""
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _counted(fold: Fold) -> str:
    counts = Counter(str(fold.status(k)) for k in range(fold.n_trials))
    return ", ".join(f"{n} {status}" for status, n in counts.items()) or "no trials"
