"""The loop that asks, evaluates and tells until a study has its trials.

| n_trials counts | |
|---|---|
| trials asked for by a run, by hand, in an earlier process | yes |
| enqueued points, once asked | yes |
| failed trials | yes |
| running ones | yes |
| a trial lost and evaluated again | once |
| cancelled trials | no |
| past data from `add` | no |

So a killed script that is started again with the same `n_trials` goes on to the same end.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from numbers import Integral
from pickle import PicklingError
from typing import Literal

from bbo.errors import AlreadyToldError, ConflictError, LostTrialError, NonFiniteError, SpaceExhaustedError
from bbo.events import Event, event
from bbo.studies import telling
from bbo.studies.asking import Asker
from bbo.studies.evaluating import InlineExecutor, ObjectiveFunction, Outcome, evaluate
from bbo.studies.log import StudyLog, writer
from bbo.studies.progress import Progress
from bbo.studies.runner import Runner, active_runner, is_alive
from bbo.trial import FailureReason, RunningTrial, Status

logger = logging.getLogger(__name__)
Order = Literal["tell", "trial"]
# How long to wait before asking again, when only trials of other processes are pending.
_POLL_S = 0.2
_PICKLING = (PicklingError, AttributeError, TypeError)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a run goes, and how.

    Args:
        n_trials: trials that the study is to have in the end, counted as the module's table says.
        workers: trials evaluated at once.
        timeout: seconds after which no new trial starts; running ones are waited for.
        retries: how often a trial whose worker died is started again before it fails as lost; the end of the whole run
            does not count.
        order: "tell" asks with all that was told; "trial" asks for trial k with exactly the trials below
            k - workers + 1, so that the trials do not depend on how long each took.
    """

    n_trials: int
    workers: int = 1
    timeout: float | None = None
    retries: int = 2
    order: Order = "tell"

    def __post_init__(self) -> None:
        counts = (self.n_trials, self.workers, self.retries + 1)
        if not all(isinstance(n, Integral) and n >= 1 for n in counts):
            raise ValueError(
                "A run needs whole numbers n_trials >= 1, workers >= 1 and retries >= 0: "
                f"got {self.n_trials!r}, {self.workers!r} and {self.retries!r}."
            )
        if self.order not in ("tell", "trial"):
            raise ValueError(f'order is "tell" or "trial": got {self.order!r}.')


def run(
    log: StudyLog,
    asker: Asker,
    objective: ObjectiveFunction,
    limits: Limits,
    *,
    executor: Executor | None,
    progress: Progress,
) -> None:
    """Evaluates until the study has its trials; first those that a dead run left behind, under their numbers.

    Raises:
        KeyboardInterrupt: after the log is in order; a trial that was not finished is evaluated by the next run.
        ObjectiveError: the objective returned metrics that the study does not have.
        LostTrialError: the executor is broken.
    """
    log.refresh()
    with active_runner(log.fold.specification["id"]) as runner, progress:
        _Run(log, asker, objective, limits, executor or InlineExecutor(), progress, runner).go()


class _Run:
    def __init__(
        self,
        log: StudyLog,
        asker: Asker,
        objective: ObjectiveFunction,
        limits: Limits,
        executor: Executor,
        progress: Progress,
        runner: Runner,
    ) -> None:
        self._log, self._asker, self._objective, self._limits = log, asker, objective, limits
        self._executor, self._progress, self._runner = executor, progress, runner
        self._deadline = None if limits.timeout is None else time.monotonic() + limits.timeout
        self._orphans = deque(self._left_behind())
        self._running: dict[Future[Outcome], int] = {}
        self._is_ending = False

    def go(self) -> None:
        self._show()
        with self._interruptible():
            while self._fill() or self._running:
                if not self._running:
                    time.sleep(_POLL_S)  # only trials of other processes are pending
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=self._running.__getitem__):
                    self._settle(future)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C: no new trial, the running ones are waited for; a second one leaves them to the next run."""
        try:
            yield
        except KeyboardInterrupt:
            self._is_ending = True
            if not all(future.done() for future in self._running):
                logger.warning(
                    "Interrupted: waiting for %d running trials; Ctrl-C again leaves them.", len(self._running)
                )
            for future in sorted(wait(self._running).done, key=self._running.__getitem__):
                with suppress(KeyboardInterrupt, LostTrialError):  # it reached the worker too: left to the next run
                    self._settle(future)
            raise

    # Starting.

    def _fill(self) -> bool:
        """Starts trials while there is room; whether any further one is to come."""
        while len(self._running) < self._limits.workers:
            number = self._next()
            if number is None:
                break
            self._start(number)
        return bool(self._orphans) or not self._is_over()

    def _is_over(self) -> bool:
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self._is_ending or late or self._log.fold.n_counted >= self._limits.n_trials

    def _next(self) -> int | None:
        """The next trial to evaluate; None where there is none now."""
        while self._orphans and not self._is_ending:
            number = self._orphans.popleft()
            if self._adopt(number):
                return number
        if self._is_over():
            return None
        complete_below = None
        if self._limits.order == "trial":
            complete_below = max(0, self._log.fold.n_trials - self._limits.workers + 1)
            if any(number < complete_below for number in self._running.values()):
                return None
        try:
            numbers = self._asker.ask(1, complete_below=complete_below, runner=self._runner)
        except SpaceExhaustedError as error:
            logger.warning("%s", error)
            self._is_ending = True
            return None
        return numbers[0] if numbers else None

    def _start(self, number: int) -> None:
        with self._log.lock:
            trial, attempt = self._log.fold.trial(number), self._log.fold.attempt(number)
        running = RunningTrial(
            number=number,
            params=trial.params,
            seed=trial.seed,
            fidelity=trial.fidelity,
            attempt=attempt,
            resume=trial.resume,
        )
        try:
            future = self._executor.submit(evaluate, self._objective, running)
        except BrokenExecutor as error:
            raise _broken(number, error) from error
        self._running[future] = number
        self._show()

    # Ending.

    def _settle(self, future: "Future[Outcome]") -> None:
        number = self._running[future]
        try:
            outcome = future.result()
        except _PICKLING:
            raise  # the objective cannot be sent to a worker: for its author to mend
        except (Exception, CancelledError) as error:  # `evaluate` raises none: the worker died, or its executor
            del self._running[future]
            self._lose(number, error)
            return
        try:
            telling.append(self._log, *self._events(number, outcome))
        except AlreadyToldError as error:
            logger.warning("%s", error)
        del self._running[future]
        self._show()

    def _events(self, number: int, outcome: Outcome) -> list[Event]:
        """Reports and end of a trial, for one append: all of it is kept, or the trial is evaluated again."""
        reports: list[Event] = []
        try:
            for seen in outcome.reports:
                values = seen.values.get("", seen.values)
                reports.append(telling.reported(self._log, number, values, seen.step or 0, seen.cost))
            if outcome.reason is None:
                return [*reports, telling.told(self._log, number, outcome.values)]
        except NonFiniteError as error:
            return [*reports, telling.failed(self._log, number, error, FailureReason.INVALID)]
        return [*reports, telling.failed(self._log, number, outcome.message, outcome.reason)]

    def _lose(self, number: int, error: BaseException) -> None:
        """The worker died, which is counted against the trial; it is started again, here or by the next run."""
        attempt = self._log.fold.attempt(number)
        body = {"attempt": attempt, "worker": True, "message": repr(error)[-500:]}
        logger.warning("Trial %d was lost with its worker: %r", number, error)
        telling.append(self._log, event("lost", f"lost/{number}/{attempt}", body, trial=number, by=writer()))
        if isinstance(error, BrokenExecutor):
            raise _broken(number, error) from error
        self._orphans.append(number)

    # What a dead run left behind.

    def _left_behind(self) -> list[int]:
        fold = self._log.fold
        return [
            number
            for number, runner in sorted(fold.runners().items())
            if fold.status(number) is Status.RUNNING
            and not (runner and runner["study"] == self._runner["study"] and is_alive(runner))
        ]

    def _adopt(self, number: int) -> bool:
        """Takes a trial over from a dead runner; false where it has ended, was lost too often, or somebody else did."""
        with self._log.lock:
            self._log.refresh()
            fold = self._log.fold
            status, attempt, losses = fold.status(number), fold.attempt(number), fold.worker_losses(number)
        if status is not Status.RUNNING:
            return False
        try:
            if losses > self._limits.retries:
                message = f"lost with its worker {losses} times"
                telling.append(self._log, telling.failed(self._log, number, message, FailureReason.LOST))
                return False
            started = {"attempt": attempt + 1, "runner": self._runner}
            self._log.append(
                *self._loss(number, attempt),
                event("started", f"started/{number}/{attempt + 1}", started, trial=number, by=writer()),
            )
        except (ConflictError, AlreadyToldError):
            return False
        return True

    def _loss(self, number: int, attempt: int) -> list[Event]:
        """That the runner died, unless it is in the log that the worker did."""
        if not self._log.fold.runners().get(number):
            return []
        return [event("lost", f"lost/{number}/{attempt}", {"attempt": attempt}, trial=number, by=writer())]

    def _show(self) -> None:
        self._progress.show(self._log.fold, len(self._running))


def _broken(number: int, error: BaseException) -> LostTrialError:
    return LostTrialError(
        f"The executor broke while trial {number} ran ({error}). Nothing told is lost: "
        "call run() again with a new executor, and the running trials are evaluated again."
    )
