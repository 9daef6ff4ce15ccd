"""A study: one optimization of one black box, as a log of events and the verbs that add to it."""

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from bbo import seeding
from bbo.budget import Budget
from bbo.errors import ConflictError, StrategyError, StudyExistsError, WaitForTells
from bbo.events import canonical, digest, event, nonce
from bbo.objective import Objectives, Wanted
from bbo.protocols import Problem, Strategy
from bbo.space import Parameter, Space
from bbo.storage import Storage, open_storage
from bbo.studies import amending, changing, specification, telling
from bbo.studies.asking import Asker
from bbo.studies.branching import branch, described, prefix
from bbo.studies.creating import check_same, create_or_compare, only_name
from bbo.studies.evaluating import ObjectiveFunction, objective_function
from bbo.studies.finishing import check_rules
from bbo.studies.frames import attached, check_names, past_rows
from bbo.studies.log import StudyLog, writer
from bbo.studies.predicting import predict
from bbo.studies.progress import progress_of
from bbo.studies.running import Limits, Order, run, stopped_by_signals
from bbo.studies.tables import Told, tell_table, to_fill_in
from bbo.studies.verify import Verification, verify
from bbo.studies.view import StudyView
from bbo.studies.wish import Wish
from bbo.trial import FailureReason, Status, Trial

if TYPE_CHECKING:
    import optuna
    import pandas as pd

_POLL_S = 0.2


class Study(StudyView):
    """One optimization: what may be varied, what is wanted, and all that was asked and told.

    The log is the state. A study of the same name in the same storage is resumed, exactly where it was.

    Args:
        space: parameters, or a Space.
        objectives: one of Maximize, Minimize, Target; or several, with OutcomeConstraint and Tracked among them.
        strategy: proposes points; `GP()` when None, or the one in the log when the study exists. Another one than the
            log's takes over from here.
        storage: None for memory, a path (`runs.db`, `runs.jsonl`), a URL (`sqlite:///runs.db`), or a Storage.
        name: of the study within its storage.
        budget: how far the study goes; the log's when None, or without end. Another one than the log's takes its place.
        problem: name of the problem that it optimizes, where it is one of bbo's, for people and workers.
        seed: of everything random in it; drawn and recorded when None.
        if_exists: "resume" goes on with a study of this name, "fail" refuses.
    Raises:
        StudyExistsError: the name is taken by a study with another space, other objectives or another seed; or at all,
            under `if_exists="fail"`.
        ObjectiveError: a parameter and a metric of one name.
        StrategyError: the strategy cannot take this study.
        BudgetError: the budget has a stop rule that would never hold with this strategy.
    """

    def __init__(
        self,
        space: Space | Sequence[Parameter],
        objectives: Objectives | Wanted | Sequence[Wanted],
        *,
        strategy: Strategy | None = None,
        storage: str | Path | Storage | None = None,
        name: str = "study",
        budget: Budget | None = None,
        problem: str = "",
        seed: int | None = None,
        if_exists: Literal["resume", "fail"] = "resume",
    ) -> None:
        space, wanted = specification.as_space(space), specification.as_objectives(objectives)
        check_names(space, wanted)
        specification.check_budget(budget)
        if seed is not None:
            specification.check_seed(seed)
        if strategy is not None:
            specification.check_strategy(strategy)
            check_rules(budget or Budget(), strategy)
        log = StudyLog(open_storage(storage), name, space)
        create_or_compare(log, space, wanted, strategy, seed, if_exists, problem)
        self._attach_log(log, strategy, budget)
        if budget is not None:
            self.set_budget(budget)

    @classmethod
    def load(
        cls,
        storage: str | Path | Storage,
        name: str | None = None,
        *,
        strategy: Strategy | None = None,
        space: Space | None = None,
    ) -> Self:
        """A study from its log.

        Args:
            name: may be left out where the storage has a single study.
            strategy: to be passed where the log's is not one of bbo's own; another one than in the log takes over.
            space: to be passed where it has what a log cannot hold, such as a function; without it the study can be
                read and told, but not asked.
        Raises:
            StudyNotFoundError: no study of that name; names those there are.
            StudyExistsError: the study has another space.
            StrategyError, BudgetError: the strategy cannot take this study, or its stop rules.
        """
        store = open_storage(storage)
        log = StudyLog(store, only_name(store) if name is None else name, space)
        log.refresh()
        if space is not None:
            check_same(log, space, log.fold.objectives, None)
        return cls._of_log(log, strategy)

    @classmethod
    def from_optuna(
        cls,
        study: "optuna.Study | str",
        named: str | None = None,
        *,
        space: Space | Sequence[Parameter] | None = None,
        strategy: Strategy | None = None,
        storage: str | Path | Storage | None = None,
        name: str | None = None,
        seed: int | None = None,
    ) -> Self:
        """A study with the trials of one of Optuna's, as if each had been enqueued, asked for and told.

        The space is what its trials show, with the conditions under which parameters are there. Pruned trials are
        cancelled, with their reports. A study that `to_optuna` wrote comes back with its trials as they were; what
        models noted on their suggestions, points that wait, notes on the study, its budget and strategy stay behind.

        Args:
            study: or the URL of an Optuna storage.
            named: the study's name there, where a URL has several.
            space: where trials do not show it, or to search another: trials with values outside of it inform too.
            strategy, storage, name, seed: as `Study`; the name is Optuna's when None.
        Raises:
            SpaceError: no trial shows a parameter, or one has choices that bbo does not know.
            StudyExistsError: the storage has a study of that name.
            StrategyError: the strategy cannot take it, such as `GP` several objectives.
        """
        from bbo.studies.optuna.importing import opened, read

        source = opened(study, named)
        imported = read(source, None if space is None else specification.as_space(space))
        seed = imported.seed if seed is None else seed
        seed = seeding.draw() if seed is None else seed
        events = imported.events(1, seed)  # behind that of the study's creation
        made = cls(
            imported.searched.space,
            imported.objectives,
            strategy=strategy,
            storage=storage,
            name=source.study_name if name is None else name,
            seed=seed,
            if_exists="fail",
        )
        if events:
            made._log.append(*events)
        return made

    @classmethod
    def _of_log(cls, log: StudyLog, strategy: Strategy | None) -> Self:
        study = cls.__new__(cls)
        study._attach_log(log, strategy)
        return study

    def _attach_log(self, log: StudyLog, strategy: Strategy | None, budget: Budget | None = None) -> None:
        self._log = log
        self._strategy: Strategy | None = None
        self._described: specification.Description = {}  # as the log has that of the strategy
        if strategy is not None:
            self._take_over(strategy, self.budget if budget is None else budget)
        self._asker = Asker(log, lambda: self.strategy)

    def _take_over(self, strategy: Strategy, budget: Budget) -> None:
        refusal = specification.refusal(strategy, self.space, self.objectives)
        if refusal is not None:
            raise StrategyError(refusal)
        check_rules(budget, strategy)
        description: specification.Description = json.loads(canonical(specification.describe(strategy)))
        if description != self._log.fold.specification["strategy"]:
            changed = event("strategy_changed", f"strategy/{nonce()}", {"strategy": description}, by=writer())
            self._log.append(changed)
        self._strategy, self._described = strategy, description

    @property
    def strategy(self) -> Strategy:
        """The strategy at work: the one passed, or built from the log where it was not, or where another took over."""
        logged = self._log.fold.specification["strategy"]
        if self._strategy is None or logged != self._described:
            built: Strategy = specification.rebuild(logged)
            refusal = specification.refusal(built, self.space, self.objectives)
            if refusal is not None:
                raise StrategyError(refusal)
            self._strategy, self._described = built, logged
        return self._strategy

    # Asking and telling.

    @overload
    def ask(
        self,
        n: None = None,
        *,
        wait: bool = ...,
        fixed: Mapping[str, Any] | None = ...,
        context: Mapping[str, Any] | None = ...,
        shared: Sequence[str] = ...,
    ) -> Trial: ...
    @overload
    def ask(
        self,
        n: int,
        *,
        wait: bool = ...,
        fixed: Mapping[str, Any] | None = ...,
        context: Mapping[str, Any] | None = ...,
        shared: Sequence[str] = ...,
    ) -> list[Trial]: ...

    def ask(
        self,
        n: int | None = None,
        *,
        wait: bool = False,
        fixed: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        shared: Sequence[str] = (),
    ) -> Trial | list[Trial]:
        """The next trial to evaluate, or with `n` a list of up to n, chosen together.

        Args:
            wait: block until there is at least one trial, where the strategy has to wait for pending ones.
            fixed: values of parameters that are given, not chosen, in this ask; the best of all is what is sought.
            context: values of parameters that the world gives: the best is sought where they are so, and trials made
                where they are not inform. See docs/spaces.md.
            shared: names of parameters that are chosen, but have one value in all trials of this ask.
        Raises:
            WaitForTells: without `n` and `wait`, when pending trials must be told first.
            SpaceExhaustedError: every point was tried and none is pending.
            StudyFinished: the budget is spent, or a stop rule holds.
            SpaceError: `fixed`, `context` or `shared` has a name or value that the space does not have, or a name
                stands in both `fixed` and `context`; so many points cannot satisfy what holds between them; or the
                space has something that the log cannot hold and that was not passed again.
        """
        if n is not None and (isinstance(n, bool) or not isinstance(n, Integral) or n < 1):
            raise ValueError(f"Ask for at least one trial, a whole number of them: got n={n!r}.")
        wish = Wish.of(self.space, 1 if n is None else int(n), fixed=fixed, context=context, shared=shared)
        numbers = self._asker.ask(wish)
        while wait and not numbers:
            with self._log.lock:
                self._log.changed.wait(_POLL_S)  # other processes tell unheard, so look again after a while
            numbers = self._asker.ask(wish)
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
        values: float | Sequence[float] | Mapping[str, float | Sequence[float]],
        *,
        params: Mapping[str, Any] | None = None,
        sd: float | Mapping[str, float] | None = None,
        cost: float | None = None,
        note: str = "",
        partial: bool = False,
    ) -> None:
        """What a trial gave.

        Args:
            trial: as asked for, or its number.
            values: a number where the study has one metric, else by metric, in your units. A list of replicates stands
                for their mean; the single ones are kept.
            params: as executed, where something else was set than what was suggested: off the grid or out of the range
                too. Strategies take them for what was tried.
            sd: standard deviation of the noise of the values as told, where known, in the same units; of replicates
                that of their mean. `GP` infers the noise of the others.
            cost: what the evaluation cost in all, in your unit of cost; that of a later part takes the place of this.
            note: free text.
            partial: metrics that are missing will be told later; the trial is completed by the last required one.
        Raises:
            ObjectiveError: an unknown or missing metric, or a value that is not a finite number.
            SpaceError: `params` has a name that the space does not have, or a value that the parameter cannot take.
            AlreadyToldError: something else was told. The same values again are no error, nor is what was missing
                before: a tracked metric, or the cost.
            TrialError: no such trial, or one of another study.
        """
        number = telling.known_trial(self._log, trial)
        result = telling.Result.of(self._log.fold, values, trial=number, params=params, sd=sd, cost=cost, note=note)
        telling.tell(self._log, number, result, partial=partial)

    def fail(
        self,
        trial: Trial | int,
        message: str = "",
        *,
        reason: FailureReason = FailureReason.INVALID,
        cost: float | None = None,
    ) -> None:
        """The evaluation gave no values. By default, and when it raised, that says something about the point, and
        strategies learn to avoid its like; after a timeout or a lost worker it does not.

        Args:
            cost: what it cost nevertheless, in your unit of cost.
        Raises:
            AlreadyToldError, TrialError: as `tell`.
            ObjectiveError: the cost is none.
        """
        telling.append(self._log, telling.failed(self._log, trial, message, reason, cost=cost))

    def cancel(self, trial: Trial | int, message: str = "", *, cost: float | None = None) -> None:
        """The trial will not be evaluated; it teaches nothing and is not offered again.

        Args:
            cost: what it cost until then.
        Raises:
            AlreadyToldError, TrialError: as `tell`.
            ObjectiveError: the cost is none.
        """
        telling.append(self._log, telling.cancelled(self._log, trial, message, cost=cost))

    def amend(
        self,
        trial: Trial | int,
        values: float | Sequence[float] | Mapping[str, float | Sequence[float]] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        sd: float | Mapping[str, float] | None = None,
        cost: float | None = None,
        note: str | None = None,
        status: Status | None = None,
        why: str,
    ) -> None:
        """Puts something in the place of what was told, e.g. after a typo; what is not given stays.

        The log keeps both, and why.

        Args:
            trial: one that has ended, past data too; or, of its measured metrics, one that was told in part.
            values, params, sd, cost, note: as `tell`; of single metrics and parameters.
            status: COMPLETED makes the values count; FAILED says that the point gives none; CANCELLED withdraws the
                result, which then teaches nothing.
            why: for those who read the log.
        Raises:
            ObjectiveError, SpaceError: as `tell`.
            TrialError: no such trial, one of which nothing was told yet, nothing to amend, or no `why`.
        """
        amended = amending.amended(
            self._log, trial, values, params=params, sd=sd, cost=cost, note=note, status=status, why=why
        )
        self._log.append(amended)

    def note(self, text: str, trial: Trial | int | None = None) -> None:
        """Keeps a word on a trial, which goes on with its `note`, or on the study, which goes on with its `notes`.

        Raises:
            TrialError: no such trial, or no text.
        """
        self._log.append(amending.noted(self._log, text, trial))

    def rank(self, groups: Sequence[Trial | int | Sequence[Trial | int]]) -> None:
        """Keeps which trials are better than which: the best first, equals in a list: `study.rank([3, [1, 2], 0])`.

        Raises:
            TrialError: no such trial, one that stands twice, or fewer than two groups.
        """
        self._log.append(amending.ranked(self._log, groups))

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

    def set_budget(self, budget: Budget) -> None:
        """From now on the study goes so far; a study that was finished may go on.

        The same budget again changes nothing.

        Raises:
            BudgetError: a stop rule that would never hold, as the strategy does not say what it reads.
        """
        specification.check_budget(budget)
        if budget.stop:
            check_rules(budget, self.strategy)
        if canonical(budget.to_dict()) != canonical(self.budget.to_dict()):
            changed = event("budget_changed", f"budget/{nonce()}", {"budget": budget.to_dict()}, by=writer())
            self._log.append(changed)

    def change_space(
        self, space: Space | Sequence[Parameter], *, given: Mapping[str, Any] | None = None, why: str = ""
    ) -> None:
        """From now on the study has this space: ranges and choices may be narrower or wider, constraints others, and
        there may be new parameters. Trials outside of it stay, and inform.

        Enqueued points that are none of the new space are dropped. The same space again changes nothing.

        Args:
            given: by name of each new parameter the value that it had in the trials so far, in its range or not.
            why: for those who read the log.
        Raises:
            SpaceError: a parameter went or changed its kind or conditions, or a new one has no value for a trial.
            ObjectiveError: a parameter and a metric of one name.
            StrategyError: the strategy cannot take the new space.
        """
        changing.change_space(self._log, specification.as_space(space), dict(given or {}), why, lambda: self.strategy)

    def add(self, frame: "pd.DataFrame", *, source: str = "", ignore: Sequence[str] = ()) -> int:
        """Past data: a row per trial, a column per parameter and metric.

        The same rows of the same source again change nothing, so that a script may be started twice. Rows whose column
        `status` says "failed" are failed trials, with `note` as the message; they teach strategies where not to go.

        Args:
            frame: may be the `frame()` of another study, with replicates and known noise (`sd of <metric>`). Numbers
                may lie off the grid and outside the range. Rows without any cell, and those of trials that are running
                or were cancelled, lost or out of time, are passed over.
            source: where it comes from, for the log.
            ignore: columns to pass over.
        Returns:
            how many rows are new.
        Raises:
            ObjectiveError, SpaceError: naming the row or column, as where a row that did not fail has no result;
                nothing is added.
        """
        specification.check_table("add", frame)
        rows = attached(past_rows(frame, self.space, self.objectives, source, ignore))
        with self._log.lock:
            self._log.refresh()
            before = self._log.fold.n_attached
            events = [e for e in rows if self._log.fold.attached_as(e.key) is None]
        if events:
            self._log.append(*events)
        return self._log.fold.n_attached - before

    # Tables.

    def suggest_frame(
        self,
        n: int,
        *,
        fixed: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        shared: Sequence[str] = (),
    ) -> "pd.DataFrame":
        """Asks for up to n trials and gives a table to fill in: see `pending_frame`.

        Args:
            fixed, context, shared: as `ask`.
        Raises:
            SpaceExhaustedError, StudyFinished, SpaceError: as `ask`.
        """
        trials = self.ask(n, fixed=fixed, context=context, shared=shared)
        with self._now() as fold:
            return to_fill_in(fold, [trial.number for trial in trials])

    def tell_frame(self, frame: "pd.DataFrame", *, ignore: Sequence[str] = ()) -> Told:
        """Takes a table that was filled in, all of it or, after an error, nothing.

        A cell is a value, or text as a CSV has it; several measurements in one stand as `81; 83; 80`, and a column `sd
        of <metric>` has the standard deviation of the noise where it is known. Headers may have the unit or not. Where
        a parameter was set otherwise than suggested, its cell says how. `status` may be empty, completed, failed,
        timeout, lost or cancelled, with `note` as the message. A row with some of the metrics is told in part, one
        without results waits. A row without a trial number is an experiment of one's own: past data, known again by its
        conditions and required results. The same table again changes nothing; what was missing in a row, such as a
        note, the cost or a tracked metric, may be filled in later.

        Args:
            frame: as `suggest_frame` or `pending_frame` gave it, columns and rows in any order, some missing.
            ignore: columns to pass over.
        Returns:
            what became of which row; as text, for people.
        Raises:
            ObjectiveError, SpaceError: a column or a cell that does not fit, naming both; a completed row with metrics
                missing.
            AlreadyToldError: a row of a trial that has ended with something else.
            TrialError: a trial number that does not exist or stands twice; the conditions of another pending trial; a
                cost or other conditions in a row without results.
        """
        specification.check_table("tell_frame", frame)
        return tell_table(self._log, frame, ignore)

    # Running.

    def run(
        self,
        objective: ObjectiveFunction | Problem,
        n_trials: int | None = None,
        *,
        workers: int = 1,
        executor: Executor | None = None,
        timeout: float | None = None,
        trial_timeout: float | None = None,
        retries: int = 2,
        order: Order = "tell",
        progress: bool | None = None,
    ) -> None:
        """Asks, evaluates and tells until the study has `n_trials` trials, those of earlier runs included.

        Trials that a killed run left behind are evaluated first, under their numbers and with their seeds. Several
        processes may run one study at once.

        Args:
            objective: takes a RunningTrial, returns a number, values by metric, or None for its last report; what it
                raises fails the trial. Or a Problem.
            n_trials: see the table in `bbo.studies.running` for what counts; may be left out where the study has a
                budget, which ends a run in any case.
            workers: trials at once; in threads, unless there is an executor.
            executor: anything with the interface of `concurrent.futures.Executor`, e.g. a ProcessPoolExecutor; it stays
                open.
            timeout: seconds after which no new trial starts.
            trial_timeout: seconds after which a trial fails with the reason timeout. Its evaluation then runs in a
                process of its own, which is killed: the objective must be importable there. With an `executor` the
                trial is given up, and what its evaluation returns later is passed over.
            retries: how often a trial whose worker died is started again.
            order: "trial" makes the trials independent of how long each takes; see `Limits`.
            progress: whether to show a bar; when None, where stderr is a terminal.
        Raises:
            KeyboardInterrupt: on Ctrl-C, with the log in order.
            ObjectiveError: the objective returned metrics that the study does not have.
            LostTrialError: the executor broke.
        """
        if n_trials is None and not self.budget.is_limited:
            raise ValueError("How far? Give n_trials, or the study a budget: study.set_budget(Budget(trials=60)).")
        limits = Limits(
            n_trials=n_trials,
            workers=workers,
            timeout=timeout,
            trial_timeout=trial_timeout,
            retries=retries,
            order=order,
        )
        bar = progress_of(progress, n_trials or self.budget.trials)
        run(self._log, self._asker, objective_function(objective), limits, executor=executor, progress=bar)

    def work(
        self,
        objective: ObjectiveFunction | Problem,
        n_trials: int | None = None,
        *,
        workers: int = 1,
        trial_timeout: float | None = None,
        retries: int = 2,
        grace: float = 8.0,
        progress: bool | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """`run` as one of many independent workers on a study, each a process of its own, on any machine.

        Evaluations run in child processes, so that one can be killed, and what it prints is kept: see `output`. The
        worker ends when the study is finished and no trial of another worker is left that might be lost. Its own death
        is counted against the trial that it had.

        Args:
            objective, n_trials, workers, trial_timeout, retries, progress: as `run`; the objective must be importable
                in a child process. Without `n_trials` and without a budget it works until it is stopped.
            grace: seconds that running trials have to end when the worker is stopped; then they are returned, and
                others take them up.
            stop: when set, the worker stops; when None, SIGTERM and Ctrl-C do it.
        Raises:
            KeyboardInterrupt: on Ctrl-C, after the worker has stopped; on a second one at once.
        """
        limits = Limits(
            n_trials=n_trials,
            workers=workers,
            trial_timeout=trial_timeout,
            retries=retries,
            is_worker=True,
            grace=grace,
        )
        bar = progress_of(progress, n_trials or self.budget.trials)
        with stopped_by_signals(stop) as stop:
            run(self._log, self._asker, objective_function(objective), limits, progress=bar, stop=stop)

    # Reading.

    def recommend(self, context: Mapping[str, Any] | None = None) -> Trial | None:
        """The trial to use in the end: the best by the strategy's posterior mean, where it has one, as the luckiest
        observation of a noisy problem is not the best point; else `best`. None while no trial is feasible.

        Args:
            context: as `ask`: the best of the trials that were made with these values.
        Raises:
            ObjectiveError: several objectives; use `front`.
            SpaceError: `context` has a name or value that the space does not have.
        """
        judge = getattr(self.strategy, "recommend", None)
        history = self._seen_from(context)
        number = history.incumbent
        if judge is not None and number is not None:
            number = judge(history)
        return None if number is None else self.trial(number)

    def predict(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """What the strategy's model expects at given conditions, from the completed trials.

        Args:
            frame: a row per point, a column per parameter, with or without its unit. Values may lie off the grid or
                outside the range, where the model takes them for the end of the range. Metrics and a trial's other
                columns are passed over, so a study's own `frame()` will do.
        Returns:
            the same rows with `<metric> mean` and `<metric> sd`, in your units, of the metric without noise; and, where
            there are constraints or failures, `feasibility`: the probability that the evaluation gives values and that
            they satisfy every constraint.
        Raises:
            StrategyError: the strategy has no model, or fewer than 2 trials are completed.
            SpaceError, ObjectiveError: a column that is missing or unknown, or a value that cannot be; names the row.
        """
        return predict(self.strategy, self.history, frame)

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
        log = StudyLog(open_storage(storage), name or self.name, self.space)
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
        """The strategy at hand that is none of bbo's, or has parts that are none, and has this description; or None."""
        has_own = '"own":' in canonical(description)
        at_hand = [s for s in (self._strategy, *others) if s is not None and has_own]
        return next((s for s in at_hand if specification.describe(s) == description), None)

    def verify(self, *own: Strategy) -> Verification:
        """Recomputes every suggestion from the log and says where the first differs.

        Args:
            own: strategies that are none of bbo's and were at work earlier; asks of others of that kind are left out
                and counted.
        """
        events = self.storage.events(self.name)
        return verify(events, lambda d: self._own(d, *own) or specification.rebuild(d), self.space)
