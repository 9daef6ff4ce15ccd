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
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from numbers import Integral
from pickle import PicklingError
from types import FrameType
from typing import Any, Literal

from bbo.errors import (
    AlreadyToldError,
    LostTrialError,
    NonFiniteError,
    SpaceExhaustedError,
    StorageError,
    StudyFinished,
)
from bbo.events import Event
from bbo.studies import telling
from bbo.studies.asking import Asker
from bbo.studies.evaluating import ObjectiveFunction, Outcome, evaluate
from bbo.studies.executors import ChildProcesses, output_of, workplace
from bbo.studies.log import StudyLog
from bbo.studies.orphans import Orphans
from bbo.studies.progress import Progress
from bbo.studies.runner import Runner, active_runner
from bbo.studies.wish import Wish
from bbo.trial import FailureReason, RunningTrial, Status

logger = logging.getLogger(__name__)
Order = Literal["tell", "trial"]
# How long to wait before asking again, when only trials of other processes are pending.
_POLL_S = 0.2
# Within so long a signal to a whole group of processes has reached all of them.
_SIGNAL_S = 0.3
# Failures without a completed trial after which it is said that something may be wrong.
_ALL_FAILED = 5
_PICKLING = (PicklingError, AttributeError, TypeError)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a run goes, and how.

    Args:
        n_trials: trials that the study is to have in the end, counted as the module's table says; None: until its
            budget ends it.
        workers: trials evaluated at once.
        timeout: seconds after which no new trial starts; running ones are waited for.
        trial_timeout: seconds after which a trial fails with the reason timeout.
        retries: how often a trial whose worker died is started again before it fails as lost; the end of the whole run
            does not count, unless it is one of many workers.
        order: "tell" asks with all that was told; "trial" asks for trial k with exactly the trials below
            k - workers + 1, so that the trials do not depend on how long each took.
        is_worker: one of many: it waits for the trials of the others to end, should one be left behind.
        grace: seconds that running trials have to end when the run is stopped; then they are left to others.
    """

    n_trials: int | None
    workers: int = 1
    timeout: float | None = None
    trial_timeout: float | None = None
    retries: int = 2
    order: Order = "tell"
    is_worker: bool = False
    grace: float = 8.0

    def __post_init__(self) -> None:
        counts = (1 if self.n_trials is None else self.n_trials, self.workers, self.retries + 1)
        if not all(isinstance(n, Integral) and n >= 1 for n in counts):
            raise ValueError(
                "A run needs whole numbers n_trials >= 1, workers >= 1 and retries >= 0: "
                f"got {self.n_trials!r}, {self.workers!r} and {self.retries!r}."
            )
        if self.trial_timeout is not None and not self.trial_timeout > 0:
            raise ValueError(f"trial_timeout is a number of seconds above 0: got {self.trial_timeout!r}.")
        if self.order not in ("tell", "trial"):
            raise ValueError(f'order is "tell" or "trial": got {self.order!r}.')


def run(
    log: StudyLog,
    asker: Asker,
    objective: ObjectiveFunction,
    limits: Limits,
    *,
    executor: Executor | None = None,
    progress: Progress,
    stop: threading.Event | None = None,
) -> None:
    """Evaluates until the study has its trials; first those that a dead run left behind, under their numbers.

    Args:
        stop: when set, no new trial starts, and the running ones are told or left to others within `limits.grace`.
    Raises:
        KeyboardInterrupt: after the log is in order; a trial that was not finished is evaluated by the next run.
        ObjectiveError: the objective returned metrics that the study does not have.
        LostTrialError: the executor is broken.
    """
    log.refresh()
    isolated = limits.is_worker or limits.trial_timeout is not None
    with (
        workplace(limits.workers, executor, isolated=isolated, timeout=limits.trial_timeout) as place,
        active_runner(log, is_worker=limits.is_worker) as runner,
        progress,
    ):
        # What runs elsewhere cannot be killed, only given up.
        patience = limits.trial_timeout if executor is not None else None
        _Run(log, asker, objective, limits, place, patience, progress, runner, stop or threading.Event()).go()


@contextmanager
def stopped_by_signals(stop: threading.Event | None) -> Iterator[threading.Event]:
    """An event to stop by: the given one, or one that SIGTERM or a first Ctrl-C sets where this is the main thread.

    Raises:
        KeyboardInterrupt: at a second Ctrl-C, or after the block where there was one.
    """
    if stop is not None or threading.current_thread() is not threading.main_thread():
        yield stop or threading.Event()
        return
    stop, interrupts = threading.Event(), []

    def interrupted(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        stop.set()
        if len(interrupts) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, lambda *_: stop.set()), signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
    if interrupts:
        raise KeyboardInterrupt


@dataclass(slots=True)
class _Running:
    number: int
    attempt: int
    began: float | None = None  # when the executor was first seen to run it


class _Run:
    def __init__(
        self,
        log: StudyLog,
        asker: Asker,
        objective: ObjectiveFunction,
        limits: Limits,
        executor: Executor,
        patience: float | None,
        progress: Progress,
        runner: Runner,
        stop: threading.Event,
    ) -> None:
        self._log, self._asker, self._objective, self._limits = log, asker, objective, limits
        self._executor, self._patience, self._progress, self._runner = executor, patience, progress, runner
        self._stop = stop
        self._deadline = None if limits.timeout is None else time.monotonic() + limits.timeout
        self._orphans = Orphans(log, runner, limits.retries)
        self._running: dict[Future[Outcome], _Running] = {}
        self._is_ending = False  # it was interrupted or stopped
        self._is_full = False  # there is nothing more to ask for
        self._n_failed = 0

    def go(self) -> None:
        self._show()
        with self._leaving_nothing(), self._interruptible():
            while not self._stop.is_set() and (self._fill() or self._running or self._waits_for_others()):
                if self._running:
                    self._await()
                else:
                    self._stop.wait(_POLL_S)  # only trials of other processes are pending
            if self._running:
                self._leave()

    @contextmanager
    def _leaving_nothing(self) -> Iterator[None]:
        """However this ends: trials that still run here are left to others at once, and it is not held against them."""
        try:
            yield
        finally:
            for future in list(self._running):
                future.cancel()
                with suppress(StorageError):  # its lease runs out by itself
                    self._give_back(future, "left by its run", counts=False)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C: no new trial, the running ones are waited for; a second one leaves them to the next run."""
        try:
            yield
        except KeyboardInterrupt:
            self._is_ending = True
            if self._stop.is_set():
                raise  # a worker's second one
            if not all(future.done() for future in self._running):
                logger.warning(
                    "Interrupted: waiting for %d running trials; Ctrl-C again leaves them.", len(self._running)
                )
            for future in self._by_number(wait(self._running).done):
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
        n = self._limits.n_trials
        return self._is_ending or self._is_full or late or (n is not None and self._log.fold.n_counted >= n)

    def _next(self) -> int | None:
        """The next trial to evaluate; None where there is none now."""
        number = None if self._is_ending else self._orphans.adopted()
        if number is not None or self._is_over():
            return number
        complete_below = None
        if self._limits.order == "trial":
            complete_below = max(0, self._log.fold.n_trials - self._limits.workers + 1)
            if any(running.number < complete_below for running in self._running.values()):
                return None
        try:
            numbers = self._asker.ask(
                Wish(n=1, complete_below=complete_below, limit=self._limits.n_trials, runner=self._runner), self._stop
            )
        except (SpaceExhaustedError, StudyFinished) as error:
            logger.warning("%s", error)
            self._is_full = True
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
        self._running[future] = _Running(number, attempt)
        self._show()

    # Ending.

    def _await(self) -> None:
        """Waits for something to happen: a trial ends or is late, or this run is to stop."""
        done, _ = wait(self._running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in self._by_number(done):
            self._settle(future)
        if self._patience is None:
            return
        now = time.monotonic()
        for future, running in list(self._running.items()):
            if running.began is None and future.running():  # what waits for a place is not late
                running.began = now
            if running.began is not None and running.began + self._patience <= now and not future.done():
                future.cancel()
                self._end(future, telling.failed, _late(self._patience), FailureReason.TIMEOUT)

    def _by_number(self, futures: "Iterable[Future[Outcome]]") -> "list[Future[Outcome]]":
        return sorted(futures, key=lambda future: self._running[future].number)

    def _settle(self, future: "Future[Outcome]") -> None:
        try:
            outcome = future.result()
        except _PICKLING:
            raise  # the objective cannot be sent to a worker: for its author to mend
        except TimeoutError:  # its process was killed; one that an objective raises is in its outcome
            self._end(future, telling.failed, _late(self._limits.trial_timeout), FailureReason.TIMEOUT)
        except (Exception, CancelledError) as error:  # `evaluate` raises none: the worker died, or its executor
            self._lose(future, error)
        else:
            self._tell(future, outcome)

    def _tell(self, future: "Future[Outcome]", outcome: Outcome) -> None:
        """Reports and end of a trial, in one append: all of it is kept, or the trial is evaluated again."""
        running, reports = self._running[future], []
        if outcome.reason is not None and self._is_stopped_soon():
            return  # what it started may have been told to stop too: others find out what is true
        try:
            for seen in outcome.reports:
                values = seen.values.get("", seen.values)
                step, attempt = seen.step or 0, running.attempt
                reports.append(telling.reported(self._log, running.number, values, step, seen.cost, attempt))
            if outcome.reason is None:
                self._end(future, telling.told, outcome.values, reports=reports)
                return
        except NonFiniteError as error:
            self._end(future, telling.failed, error, FailureReason.INVALID, reports=reports)
            return
        self._end(future, telling.failed, outcome.message, outcome.reason, reports=reports)
        self._warn_of(running.number, outcome.message)

    def _warn_of(self, number: int, message: str) -> None:
        """Of the first failure; and once of several while nothing else has come, as of a mistake in the objective."""
        self._n_failed += 1
        last = (telling.clean(message).strip().splitlines() or ["without a word"])[-1]
        if self._n_failed == 1:
            logger.warning("Trial %d failed: %s. Of further ones: trial.message, bbo status.", number, last)
        elif self._n_failed == _ALL_FAILED and not self._log.fold.count(Status.COMPLETED):
            logger.warning(
                "All of %d trials failed, and none completed. Should the objective be wrong: Ctrl-C.", self._n_failed
            )

    def _is_stopped_soon(self) -> bool:
        """Whether a worker is to stop, or is told so in this moment, as a signal may reach its children first."""
        return self._limits.is_worker and self._stop.wait(_SIGNAL_S)

    def _end(
        self, future: "Future[Outcome]", make: Callable[..., Event], *what: Any, reports: Sequence[Event] = ()
    ) -> None:
        """Appends how a trial ended, with what it printed; the room is free then."""
        number = self._running[future].number
        try:
            telling.append(self._log, *reports, make(self._log, number, *what, output=output_of(future)))
        except AlreadyToldError as error:
            logger.warning("%s", error)
        del self._running[future]
        self._show()

    def _lose(self, future: "Future[Outcome]", error: BaseException) -> None:
        """The worker died, which is counted against the trial; it is started again, here or by the next run."""
        running = self._running[future]
        logger.warning("Trial %d was lost with its worker: %r", running.number, error)
        self._give_back(future, repr(error)[-500:], counts=not self._is_stopped_soon())
        if isinstance(error, BrokenExecutor) and not isinstance(self._executor, ChildProcesses):  # those are replaced
            raise _broken(running.number, error) from error

    def _give_back(self, future: "Future[Outcome]", message: str, *, counts: bool) -> None:
        running = self._running.pop(future)
        output = output_of(future)
        self._orphans.give_back(running.number, running.attempt, counts=counts, message=message, output=output)

    def _leave(self) -> None:
        """Tells what ends in time and leaves the other trials to whoever goes on."""
        self._is_ending = True
        for future in self._by_number(wait(self._running, timeout=self._limits.grace).done):
            self._settle(future)
        for future, running in list(self._running.items()):
            future.cancel()
            logger.warning("Trial %d is returned: its evaluation gave nothing in time.", running.number)
            self._give_back(future, "returned", counts=False)

    def _waits_for_others(self) -> bool:
        return self._limits.is_worker and self._orphans.have_company()

    def _show(self) -> None:
        self._progress.show(self._log.fold, len(self._running))


def _late(timeout: float | None) -> str:
    return f"took longer than {timeout:g} s"


def _broken(number: int, error: BaseException) -> LostTrialError:
    return LostTrialError(
        f"The executor broke while trial {number} ran ({error}). Nothing told is lost: "
        "call run() again with a new executor, and the running trials are evaluated again."
    )
