"""What becomes of a trial: events that end it or report on it, checked, and their append.

All take the trial as a number or as the `Trial` that was asked for, and check before anything is appended: after an
error the log is unchanged.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from bbo.errors import AlreadyToldError, ConflictError, ObjectiveError, TrialError
from bbo.events import Event, event
from bbo.fold import Fold
from bbo.studies.log import StudyLog, writer
from bbo.trial import FailureReason, Status, Trial, check_step

_MAX_MESSAGE = 4_000


def known_trial(log: StudyLog, trial: Trial | int) -> int:
    """The number of a trial of this study.

    Raises:
        TrialError: of another study, or a number that no trial has.
    """
    fold = log.fold
    if isinstance(trial, Trial):
        if trial.study != fold.specification["id"]:
            raise TrialError(
                f"Trial {trial.number} is of another study than {log.name!r}: tell it there, or use add()."
            )
        trial = trial.number
    if isinstance(trial, bool) or not isinstance(trial, Integral):
        raise TrialError(f"A trial is given as a Trial or its number: got {trial!r}.")
    if trial >= fold.n_trials:
        log.refresh()
    if not 0 <= trial < fold.n_trials:
        there = f"the trials 0 to {fold.n_trials - 1}" if fold.n_trials else "no trials yet"
        raise TrialError(f"Study {log.name!r} has {there}: got {trial}.")
    return int(trial)


def told(
    log: StudyLog,
    trial: Trial | int,
    values: object,
    *,
    sd: object = None,
    cost: float | None = None,
    note: str = "",
) -> Event:
    """The event of what a trial gave."""
    number = known_trial(log, trial)
    body: dict[str, Any] = {"values": log.fold.objectives.check(values)}
    if sd is not None:
        body["sd"] = _check_sd(log.fold, sd)
    if cost is not None:
        body["cost"] = _check_cost(cost)
    if note:
        body["note"] = _text(note)
    return event("told", f"ended/{number}", body, trial=number, by=writer())


def failed(log: StudyLog, trial: Trial | int, message: object, reason: FailureReason | str) -> Event:
    """The event of an evaluation without values; of a long message the end is kept."""
    number = known_trial(log, trial)
    if reason not in tuple(FailureReason):
        raise TrialError(f"A reason of failure is one of {[r.value for r in FailureReason]}: got {reason!r}.")
    body = {"reason": FailureReason(reason).value, "message": _text(message)[-_MAX_MESSAGE:]}
    return event("failed", f"ended/{number}", body, trial=number, by=writer())


def cancelled(log: StudyLog, trial: Trial | int, message: object) -> Event:
    """The event of a trial that will not be evaluated."""
    number = known_trial(log, trial)
    body = {"message": _text(message)[-_MAX_MESSAGE:]}
    return event("cancelled", f"ended/{number}", body, trial=number, by=writer())


def reported(log: StudyLog, trial: Trial | int, values: object, step: int, cost: float | None = None) -> Event:
    """The event of what a running trial has at a step; of each attempt its own."""
    number = known_trial(log, trial)
    check_step(step)
    body: dict[str, Any] = {"values": log.fold.objectives.check_some(values), "step": int(step)}
    if cost is not None:
        body["cost"] = _check_cost(cost)
    key = f"reported/{number}/{log.fold.attempt(number)}/{step}"
    return event("reported", key, body, trial=number, by=writer())


def append(log: StudyLog, *events: Event) -> None:
    """Appends what became of one trial, all or nothing.

    Raises:
        AlreadyToldError: the trial has ended with something else, or has reported otherwise at a step.
    """
    last = events[-1]
    with log.lock:
        if last.kind == "reported" and log.fold.status(last.trial or 0) is not Status.RUNNING:
            raise AlreadyToldError(f"Trial {last.trial} is not running; only a running trial reports.")
    try:
        log.append(*events)
    except ConflictError as conflict:
        raise AlreadyToldError(
            f"Trial {last.trial} of {log.name!r} was {conflict.kind} already, with {conflict.body}; "
            f"now {last.kind} with {last.body}. The first stands."
        ) from conflict


def _text(message: object) -> str:
    """Text that every storage takes: what UTF-8 cannot hold, and NUL, are spelled out."""
    return str(message).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _check_sd(fold: Fold, sd: object) -> Mapping[str, float]:
    checked = fold.objectives.check_some(sd)
    negative = {m: v for m, v in checked.items() if v < 0}
    if negative:
        raise ObjectiveError(f"A standard deviation is at least 0: got {negative}.")
    return checked


def _check_cost(cost: float) -> float:
    if isinstance(cost, bool) or not isinstance(cost, Real) or not 0 <= cost < float("inf"):
        raise ObjectiveError(f"A cost is a finite number of at least 0: got {cost!r}.")
    return float(cost)
