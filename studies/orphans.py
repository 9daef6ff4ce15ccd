"""Trials that dead runners left behind, and how they are taken over; how a trial is returned."""

import time
from collections import deque
from contextlib import suppress
from typing import Any

from bbo.errors import AlreadyToldError, ConflictError
from bbo.events import event
from bbo.studies import telling
from bbo.studies.log import StudyLog, writer
from bbo.studies.runner import Runner, live_runners
from bbo.trial import FailureReason

# How often to look for them.
_EVERY_S = 2.0


class Orphans:
    """Running trials that nobody alive evaluates, as one runner finds them.

    Args:
        runner: who takes them over.
        retries: how often a trial is started again whose worker died; then it fails as lost.
    """

    def __init__(self, log: StudyLog, runner: Runner, retries: int) -> None:
        self._log, self._runner, self._retries = log, runner, retries
        self._found: deque[int] = deque()
        self._next_look = 0.0

    def __bool__(self) -> bool:
        return bool(self._found)

    def adopted(self) -> int | None:
        """The number of a trial that was taken over; None where there is none now."""
        if not self._found and time.monotonic() >= self._next_look:
            self._found.extend(self._left_behind())
            self._next_look = time.monotonic() + _EVERY_S
        while self._found:
            number = self._found.popleft()
            if self._adopt(number):
                return number
        return None

    def give_back(self, number: int, attempt: int, *, counts: bool, message: str, output: str) -> None:
        """Leaves a trial of this runner to whoever goes on, this runner included.

        Args:
            attempt: that this runner began; a later one is somebody else's.
            counts: against the trial, as its worker died under it.
        """
        body: dict[str, Any] = {"attempt": attempt, "worker": counts, "message": message}
        body |= {"output": output} if output else {}
        with suppress(ConflictError):  # somebody took this runner for dead and started the trial again
            self._log.append(event("lost", f"lost/{number}/{attempt}", body, trial=number, by=writer()))
        self._next_look = 0.0

    def have_company(self) -> bool:
        """Whether anybody else has trials, which may yet be left behind."""
        with self._log.lock:
            return any(runner.get("run") != self._runner["run"] for runner in self._log.fold.runners().values())

    def _left_behind(self) -> list[int]:
        self._log.refresh()
        with self._log.lock:
            runners = sorted(self._log.fold.runners().items())
        if not runners:
            return []
        alive = live_runners(self._log)
        return [number for number, runner in runners if runner.get("run") not in alive]

    def _adopt(self, number: int) -> bool:
        """Takes a trial over from a dead runner; false where it has ended, was lost too often, or somebody else did."""
        with self._log.lock:
            self._log.refresh()
            fold = self._log.fold
            runner, attempt, losses = fold.runners().get(number), fold.attempt(number), fold.worker_losses(number)
        if runner is None or runner.get("run") == self._runner["run"]:
            return False  # it has ended, or is at work here
        counts = bool(runner.get("worker"))
        lost = {"attempt": attempt} | ({"worker": True, "message": "its worker died"} if counts else {})
        events = [event("lost", f"lost/{number}/{attempt}", lost, trial=number, by=writer())] if runner else []
        try:
            if losses + counts > self._retries:
                message = f"lost with its worker {losses + counts} times"
                telling.append(self._log, *events, telling.failed(self._log, number, message, FailureReason.LOST))
                return False
            started = {"attempt": attempt + 1, "runner": self._runner}
            key = f"started/{number}/{attempt + 1}"
            self._log.append(*events, event("started", key, started, trial=number, by=writer()))
        except (ConflictError, AlreadyToldError):
            return False
        return True
