"""A study: one optimization of one black box, as a log of events and the verbs that add to it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from bbo import seeding
from bbo.errors import ConflictError, StrategyError, StudyExistsError, StudyNotFoundError, WaitForTells
from bbo.events import canonical, digest, event, nonce
from bbo.fold import Fold
from bbo.history import History
from bbo.objective import Objectives, Wanted
from bbo.protocols import Problem, Strategy
from bbo.space import Parameter, Space
from bbo.storage import Storage, open_storage
from bbo.studies import specification, telling
from bbo.studies.asking import Asker
from bbo.studies.branching import branch, described, prefix
from bbo.studies.evaluating import Evaluating, ObjectiveFunction
from bbo.studies.frames import check_names, rows_of, to_frame
from bbo.studies.log import StudyLog, writer
from bbo.studies.progress import progress_of
from bbo.studies.running import Limits, Order, run
from bbo.studies.verify import Verification, verify
from bbo.trial import FailureReason, Trial

if TYPE_CHECKING:
    import pandas as pd

_POLL_S = 0.2


class Study:
    """One optimization: what may be varied, what is wanted, and all that was asked and told.

    The log is the state. A study of the same name in the same storage is resumed, exactly where it was.

    Args:
        space: parameters, or a Space.
        objectives: one of Maximize, Minimize, Target; or several, with OutcomeConstraint and Tracked among them.
        strategy: proposes points; `GP()` when None, or the one in the log when the study exists. Another one than the
            log's takes over from here.
        storage: None for memory, a path (`runs.db`, `runs.jsonl`), a URL (`sqlite:///runs.db`), or a Storage.
        name: of the study within its storage.
        seed: of everything random in it; drawn and recorded when None.
        if_exists: "resume" goes on with a study of this name, "fail" refuses.
    Raises:
        StudyExistsError: the name is taken by a study with another space, other objectives or another seed; or at all,
            under `if_exists="fail"`.
        ObjectiveError: a parameter and a metric of one name.
        StrategyError: the strategy cannot take this study.
    """

    def __init__(
        self,
        space: Space | Sequence[Parameter],
        objectives: Objectives | Wanted | Sequence[Wanted],
        *,
        strategy: Strategy | None = None,
        storage: str | Path | Storage | None = None,
        name: str = "study",
        seed: int | None = None,
        if_exists: Literal["resume", "fail"] = "resume",
    ) -> None:
        space, wanted = specification.as_space(space), specification.as_objectives(objectives)
        check_names(space, wanted)
        if seed is not None:
            specification.check_seed(seed)
        if strategy is not None:
            specification.check_strategy(strategy)
        log = StudyLog(open_storage(storage), name)
        _create_or_compare(log, space, wanted, strategy, seed, if_exists)
        self._attach_log(log, strategy)

    @classmethod
    def load(cls, storage: str | Path | Storage, name: str | None = None, *, strategy: Strategy | None = None) -> Self:
        """A study from its log.

        Args:
            name: may be left out where the storage has a single study.
            strategy: to be passed where the log's is not one of bbo's own; another one than in the log takes over.
        Raises:
            StudyNotFoundError: no study of that name; names those there are.
        """
        store = open_storage(storage)
        log = StudyLog(store, _only_name(store) if name is None else name)
        log.refresh()
        return cls._of_log(log, strategy)

    @classmethod
    def _of_log(cls, log: StudyLog, strategy: Strategy | None) -> Self:
        study = cls.__new__(cls)
        study._attach_log(log, strategy)
        return study

    def _attach_log(self, log: StudyLog, strategy: Strategy | None) -> None:
        self._log = log
        self._strategy: Strategy | None = None
        self._described = ""
        if strategy is not None:
            self._take_over(strategy)
        self._asker = Asker(log, lambda: self.strategy)

    def _take_over(self, strategy: Strategy) -> None:
        refusal = specification.refusal(strategy, self.space, self.objectives)
        if refusal is not None:
            raise StrategyError(refusal)
        description = specification.describe(strategy)
        if canonical(description) != canonical(self._log.fold.specification["strategy"]):
            changed = event("strategy_changed", f"strategy/{nonce()}", {"strategy": description}, by=writer())
            self._log.append(changed)
        self._strategy, self._described = strategy, canonical(description)

    # What it is.

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
    def strategy(self) -> Strategy:
        """The strategy at work: the one passed, or built from the log where it was not, or where another took over."""
        logged = self._log.fold.specification["strategy"]
        if self._strategy is None or canonical(logged) != self._described:
            built: Strategy = specification.rebuild(logged)
            refusal = specification.refusal(built, self.space, self.objectives)
            if refusal is not None:
                raise StrategyError(refusal)
            self._strategy, self._described = built, canonical(logged)
        return self._strategy

    def __repr__(self) -> str:
        with self._now() as fold:
            counts = Counter(str(fold.status(k)) for k in range(fold.n_trials))
        said = ", ".join(f"{n} {status}" for status, n in counts.items()) or "no trials"
        return f"<Study {self.name!r} in {self.storage.url}: {said}>"

    # Asking and telling.

    @overload
    def ask(self, n: None = None, *, wait: bool = ..., fixed: Mapping[str, Any] | None = ...) -> Trial: ...
    @overload
    def ask(self, n: int, *, wait: bool = ..., fixed: Mapping[str, Any] | None = ...) -> list[Trial]: ...

    def ask(
        self, n: int | None = None, *, wait: bool = False, fixed: Mapping[str, Any] | None = None
    ) -> Trial | list[Trial]:
        """The next trial to evaluate, or with `n` a list of up to n, chosen together.

        Args:
            wait: block until there is at least one trial, where the strategy has to wait for pending ones.
            fixed: values of parameters that are given, not chosen, in this ask.
        Raises:
            WaitForTells: without `n` and `wait`, when pending trials must be told first.
            SpaceExhaustedError: every point was tried and none is pending.
            SpaceError: `fixed` has a name or value that the space does not have.
        """
        if n is not None and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
            raise ValueError(f"Ask for at least one trial: got n={n!r}.")
        wanted = 1 if n is None else int(n)
        numbers = self._asker.ask(wanted, fixed=fixed)
        while wait and not numbers:
            with self._log.lock:
                self._log.changed.wait(_POLL_S)  # other processes tell unheard, so look again after a while
            numbers = self._asker.ask(wanted, fixed=fixed)
        with self._log.lock:
            trials = [self._log.fold.trial(k) for k in numbers]
        if n is not None:
            return trials
        if not trials:
            raise WaitForTells("The strategy waits for pending trials: tell them first, or ask(wait=True).")
        return trials[0]

    def tell(
        self,
        trial: Trial | int,
        values: float | Mapping[str, float],
        *,
        sd: float | Mapping[str, float] | None = None,
        cost: float | None = None,
        note: str = "",
    ) -> None:
        """What a trial gave.

        Args:
            trial: as asked for, or its number.
            values: a number where the study has one metric, else by metric, in your units.
            sd: standard deviation of the noise, where known, in the same units; kept with the trial, `GP` infers the
                noise itself for now.
            cost: what the evaluation cost, in your unit of cost.
            note: free text.
        Raises:
            ObjectiveError: an unknown or missing metric, or a value that is not a finite number.
            AlreadyToldError: the trial has ended with something else. The same values again are no error.
            TrialError: no such trial, or one of another study.
        """
        telling.append(self._log, telling.told(self._log, trial, values, sd=sd, cost=cost, note=note))

    def fail(self, trial: Trial | int, message: str = "", *, reason: FailureReason = FailureReason.INVALID) -> None:
        """The evaluation gave no values. By default, and when it raised, that says something about the point, and
        strategies learn to avoid its like; after a timeout or a lost worker it does not.

        Raises:
            AlreadyToldError, TrialError: as `tell`.
        """
        telling.append(self._log, telling.failed(self._log, trial, message, reason))

    def cancel(self, trial: Trial | int, message: str = "") -> None:
        """The trial will not be evaluated; it teaches nothing and is not offered again.

        Raises:
            AlreadyToldError, TrialError: as `tell`.
        """
        telling.append(self._log, telling.cancelled(self._log, trial, message))

    def report(
        self, trial: Trial | int, values: float | Mapping[str, float], step: int, *, cost: float | None = None
    ) -> None:
        """What a running trial has so far.

        Args:
            step: a whole number from 0, e.g. the epoch; once per step.
            cost: spent so far.
        Raises:
            ObjectiveError: an unknown metric or a value that is not a finite number.
            AlreadyToldError: another report at this step, or the trial has ended.
        """
        telling.append(self._log, telling.reported(self._log, trial, values, step, cost))

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Has this point asked for next; points wait in the order in which they were enqueued.

        The same point again changes nothing, so that a script may be started twice.

        Raises:
            SpaceError: not a point of the space.
        """
        checked = self.space.check(params)
        self._log.append(event("enqueued", f"enqueued/{digest(checked)}", {"params": checked}, by=writer()))

    def add(self, frame: "pd.DataFrame", *, source: str = "") -> int:
        """Past data: a row per trial, a column per parameter and metric.

        The same rows of the same source again change nothing, so that a script may be started twice.

        Args:
            frame: may be the `frame()` of another study; trials there that did not complete are passed over.
            source: where it comes from, for the log.
        Returns:
            how many rows are new.
        Raises:
            ObjectiveError, SpaceError: naming the row or column; nothing is added.
        """
        before = self._log.fold.n_attached
        seen: Counter[str] = Counter()
        events = []
        for params, values in rows_of(frame, self.space, self.objectives):
            body = {"params": params, "values": values} | ({"source": source} if source else {})
            name = digest(body)
            events.append(event("attached", f"attached/{name}/{seen[name]}", body, by=writer()))
            seen[name] += 1
        if events:
            self._log.append(*events)
        return self._log.fold.n_attached - before

    # Running.

    def run(
        self,
        objective: ObjectiveFunction | Problem,
        n_trials: int,
        *,
        workers: int = 1,
        executor: Executor | None = None,
        timeout: float | None = None,
        retries: int = 2,
        order: Order = "tell",
        progress: bool | None = None,
    ) -> None:
        """Asks, evaluates and tells until the study has `n_trials` trials, those of earlier runs included.

        Trials that a killed run left behind are evaluated first, under their numbers and with their seeds.

        Args:
            objective: takes a RunningTrial, returns a number, values by metric, or None for its last report; what it
                raises fails the trial. Or a Problem.
            n_trials: see the table in `bbo.studies.running` for what counts.
            workers: trials at once; in threads, unless there is an executor.
            executor: anything with the interface of `concurrent.futures.Executor`, e.g. a ProcessPoolExecutor; it stays
                open.
            timeout: seconds after which no new trial starts.
            retries: how often a trial whose worker died is started again.
            order: "trial" makes the trials independent of how long each takes; see `Limits`.
            progress: whether to show a bar; when None, where stderr is a terminal.
        Raises:
            KeyboardInterrupt: on Ctrl-C, with the log in order.
            ObjectiveError: the objective returned metrics that the study does not have.
            LostTrialError: the executor broke.
        """
        limits = Limits(n_trials=n_trials, workers=workers, timeout=timeout, retries=retries, order=order)
        if not callable(objective) and not callable(getattr(objective, "evaluate", None)):
            raise TypeError(f"An objective is a function of a RunningTrial, or a Problem: got {objective!r}.")
        function = objective if callable(objective) else Evaluating(objective)
        own = ThreadPoolExecutor(workers) if executor is None and workers > 1 else None
        try:
            bar = progress_of(progress, n_trials)
            run(self._log, self._asker, function, limits, executor=executor or own, progress=bar)
        finally:
            if own is not None:
                own.shutdown(wait=False, cancel_futures=True)

    # Reading.

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
    def best(self) -> Trial | None:
        """The best feasible trial observed; None while there is none.

        Raises:
            ObjectiveError: several objectives; use `front`.
        """
        number = self.history.incumbent
        return None if number is None else self.trial(number)

    def recommend(self) -> Trial | None:
        """The trial to use in the end: the best by the strategy's posterior mean, where it has one, as the luckiest
        observation of a noisy problem is not the best point; else `best`. None while no trial is feasible.

        Raises:
            ObjectiveError: several objectives; use `front`.
        """
        judge = getattr(self.strategy, "recommend", None)
        history = self.history
        number = history.incumbent
        if judge is not None and number is not None:
            number = judge(history)
        return None if number is None else self.trial(number)

    @property
    def front(self) -> list[Trial]:
        """The feasible trials that no other one dominates; with one objective, the best and its equals."""
        return [self.trial(k) for k in self.history.front.tolist()]

    def frame(self) -> "pd.DataFrame":
        """All trials as a table: a column per parameter and metric, status, feasibility, times (UTC)."""
        with self._now() as fold:
            return to_frame(fold)

    # Other studies from this one.

    def at(self, n_ended: int) -> "Study":
        """The study as it was when `n_ended` trials had ended (past data counts), in memory.

        `study.at(20).ask()` is what this study asked, or would have asked, then.

        Raises:
            TrialError: fewer trials have ended.
        """
        return self.fork(at=n_ended)

    def fork(
        self,
        *,
        at: int | None = None,
        strategy: Strategy | None = None,
        storage: str | Path | Storage | None = None,
        name: str | None = None,
    ) -> "Study":
        """Another study with the same past.

        Args:
            at: fork from the moment when so many trials had ended; now, when None.
            strategy: goes on from there; the same when None.
            storage: memory when None.
        Raises:
            StudyExistsError: the storage has a study of that name.
            TrialError: fewer trials have ended than `at`.
        """
        events = self.storage.events(self.name)
        past = branch(events if at is None else prefix(events, at))
        if strategy is None:
            strategy = self._own(described(past))
        else:
            specification.check_strategy(strategy)
            refusal = specification.refusal(strategy, self.space, self.objectives)
            if refusal is not None:
                raise StrategyError(refusal)
        log = StudyLog(open_storage(storage), name or self.name)
        target = log.storage
        try:
            target.append(log.name, past)
        except ConflictError as conflict:
            raise StudyExistsError(
                f"{target.url} has a study {log.name!r} already; give the fork another name."
            ) from conflict
        log.refresh()
        return Study._of_log(log, strategy)

    def _own(self, description: specification.Description, *others: Strategy) -> Strategy | None:
        """The strategy at hand that is none of bbo's and has this description; None where there is none."""
        at_hand = [s for s in (self._strategy, *others) if s is not None and "own" in description]
        return next((s for s in at_hand if specification.describe(s) == description), None)

    def verify(self, *own: Strategy) -> Verification:
        """Recomputes every suggestion from the log and says where the first differs.

        Args:
            own: strategies that are none of bbo's and were at work earlier; asks of others of that kind are left out
                and counted.
        """
        return verify(self.storage.events(self.name), lambda d: self._own(d, *own) or specification.rebuild(d))

    def close(self) -> None:
        """Closes the storage's connections and files."""
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _create_or_compare(
    log: StudyLog,
    space: Space,
    objectives: Objectives,
    strategy: Strategy | None,
    seed: int | None,
    if_exists: str,
) -> None:
    if if_exists not in ("resume", "fail"):
        raise ValueError(f'if_exists is "resume" or "fail": got {if_exists!r}.')
    try:
        log.refresh()
    except StudyNotFoundError:
        description = specification.DEFAULT_STRATEGY if strategy is None else specification.describe(strategy)
        if strategy is None and len(objectives.aims) > 1:
            strategy = specification.rebuild(description)  # loads its libraries, only to say that it refuses
        refusal = None if strategy is None else specification.refusal(strategy, space, objectives)
        if refusal is not None:
            raise StrategyError(refusal) from None
        body = specification.specify(space, objectives, description, seeding.draw() if seed is None else int(seed))
        try:
            log.append(event("created", "created", body, by=writer()))
            return
        except ConflictError:
            log.refresh()  # another process created it in between
    if if_exists == "fail":
        raise StudyExistsError(f"{log.storage.url} has a study {log.name!r} already; use another name, or resume it.")
    said = specification.difference(log.fold.specification, space, objectives, seed)
    if said:
        raise StudyExistsError(
            f"{log.storage.url} has another study {log.name!r}: {said}. Use another name, or the logged specification."
        )


def _only_name(storage: Storage) -> str:
    names = storage.studies()
    if not names:
        raise StudyNotFoundError(f"{storage.url} has no study: check the path, or create one with Study(...).")
    if len(names) > 1:
        raise StudyNotFoundError(f"{storage.url} has the studies {names}: say which one by name.")
    return names[0]
