"""What becomes of a trial: the verbs that end it or report on it, each one event.

All take the trial as a number or as the `Trial` that was asked for, and check before they append: after an error the
log is unchanged.
"""

from collections.abc import Mapping
from typing import Any

from bbo.errors import AlreadyToldError, ConflictError, ObjectiveError, TrialError
from bbo.events import Event, event
from bbo.history import Fold
from bbo.studies.log import StudyLog, writer
from bbo.trial import FailureReason, Status, Trial

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
    if isinstance(trial, bool) or not isinstance(trial, int):
        raise TrialError(f"A trial is given as a Trial or its number: got {trial!r}.")
    if trial >= fold.n_trials:
        log.refresh()
    if not 0 <= trial < fold.n_trials:
        raise TrialError(f"Study {log.name!r} has the trials 0 to {fold.n_trials - 1}: got {trial}.")
    return trial


def tell(
    log: StudyLog,
    trial: Trial | int,
    values: object,
    *,
    sd: object = None,
    cost: float | None = None,
    note: str = "",
) -> None:
    number = known_trial(log, trial)
    body: dict[str, Any] = {"values": log.fold.objectives.check(values)}
    if sd is not None:
        body["sd"] = _check_sd(log.fold, sd)
    if cost is not None:
        body["cost"] = _check_cost(cost)
    if note:
        body["note"] = note
    _end(log, event("told", f"ended/{number}", body, trial=number, by=writer()))


def fail(log: StudyLog, trial: Trial | int, message: str, reason: FailureReason) -> None:
    number = known_trial(log, trial)
    body = {"reason": FailureReason(reason).value, "message": message[-_MAX_MESSAGE:]}
    _end(log, event("failed", f"ended/{number}", body, trial=number, by=writer()))


def cancel(log: StudyLog, trial: Trial | int, message: str) -> None:
    number = known_trial(log, trial)
    _end(log, event("cancelled", f"ended/{number}", {"message": message}, trial=number, by=writer()))


def report(log: StudyLog, trial: Trial | int, values: object, step: int, cost: float | None = None) -> None:
    number = known_trial(log, trial)
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ObjectiveError(f"A report's step is a whole number from 0: got {step!r}.")
    if log.fold.status(number) is not Status.RUNNING:
        raise AlreadyToldError(f"Trial {number} is {log.fold.status(number)}; only a running trial reports.")
    body: dict[str, Any] = {"values": log.fold.objectives.check_some(values), "step": step}
    if cost is not None:
        body["cost"] = _check_cost(cost)
    try:
        log.append(event("reported", f"reported/{number}/0/{step}", body, trial=number, by=writer()))
    except ConflictError as conflict:
        raise AlreadyToldError(
            f"Trial {number} has reported {conflict.body} at step {step} already: got {body['values']!r}."
        ) from conflict


def _end(log: StudyLog, end: Event) -> None:
    try:
        log.append(end)
    except ConflictError as conflict:
        raise AlreadyToldError(
            f"Trial {end.trial} of {log.name!r} was {conflict.kind} already, with {conflict.body}; "
            f"now {end.kind} with {end.body}. The first stands."
        ) from conflict


def _check_sd(fold: Fold, sd: object) -> Mapping[str, float]:
    checked = fold.objectives.check_some(sd)
    negative = {m: v for m, v in checked.items() if v < 0}
    if negative:
        raise ObjectiveError(f"A standard deviation is at least 0: got {negative}.")
    return checked


def _check_cost(cost: float) -> float:
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 <= cost < float("inf"):
        raise ObjectiveError(f"A cost is a finite number of at least 0: got {cost!r}.")
    return float(cost)
