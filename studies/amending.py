"""What is said of trials after they were told: what takes the place of it, notes, rankings.

Nothing that stands in the log is rewritten.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bbo.errors import ObjectiveError, TrialError
from bbo.events import Event, event, nonce
from bbo.studies.log import StudyLog, writer
from bbo.studies.telling import Result, clean, is_open, known_trial, remark
from bbo.trial import FailureReason, Status, Trial


def amended(
    log: StudyLog,
    trial: Trial | int,
    values: object,
    *,
    params: Mapping[str, Any] | None,
    sd: object,
    cost: float | None,
    note: str | None,
    status: Status | str | None,
    why: str,
) -> Event:
    """The event of what takes the place of what was told; None leaves what there is.

    Raises:
        TrialError: nothing to amend, no reason, or a trial that has nothing told.
        ObjectiveError, SpaceError: as `Result.of`; a completed trial would lack a metric.
    """
    number = known_trial(log, trial)
    with log.lock:
        log.refresh()
        before, runs = log.fold.trial(number), is_open(log.fold, number)
    given = {} if values is None else values
    result = Result.of(log.fold, given, trial=number, params=params, sd=sd, cost=cost, note=note or "")
    _check_sd(before, result)
    body: dict[str, Any] = result.body(list(result.values), result.params) | {"sd": result.sd}
    body = {key: part for key, part in body.items() if part != {}} | ({} if note is None else {"note": result.note})
    if runs:
        _check_measured(before, result, status)
    if status is not None:
        body |= _amended_status(status)
    if not body:
        raise TrialError(f"Amend what of trial {number}? Give values, params, sd, cost, note or status.")
    if not clean(why).strip():
        raise TrialError(f"Say why trial {number} is amended, e.g. why='typo in the notebook': got {why!r}.")
    becomes = body.get("status", before.status)
    missing = log.fold.objectives.missing({**before.values, **result.values})
    if becomes == Status.COMPLETED and missing:
        raise ObjectiveError(f"To complete trial {number} give the metrics {missing} too: got {result.values}.")
    if becomes in (Status.FAILED, Status.CANCELLED) and result.values and status is None:
        raise TrialError(f"Trial {number} is {becomes}; to make these values count, say status=Status.COMPLETED too.")
    body["why"] = clean(why)
    return event("amended", f"amended/{nonce()}", body, trial=number, by=writer())


def noted(log: StudyLog, text: str, trial: Trial | int | None) -> Event:
    """The event of a word on a trial, or on the study."""
    number = None if trial is None else known_trial(log, trial)
    if not clean(text).strip():
        raise TrialError(f"A note has some text: got {text!r}.")
    return remark(number, clean(text))


def ranked(log: StudyLog, groups: Sequence[Trial | int | Sequence[Trial | int]]) -> Event:
    """The event of which trials are better than which, the best first."""
    listed: list[list[Any]] = [list(group) if isinstance(group, (list, tuple)) else [group] for group in groups]
    numbers = [[known_trial(log, trial) for trial in group] for group in listed]
    if len(numbers) < 2 or not all(numbers):
        raise TrialError(f"A ranking has at least two groups, each of at least one trial: got {numbers}.")
    everyone = [k for group in numbers for k in group]
    repeated = sorted({k for k in everyone if everyone.count(k) > 1})
    if repeated:
        raise TrialError(f"A trial stands once in a ranking: {repeated} stand twice in {numbers}.")
    return event("ranked", f"ranked/{nonce()}", {"groups": numbers}, by=writer())


def _check_sd(before: Trial, result: Result) -> None:
    """Raises ObjectiveError for the standard deviation of a value that is neither there nor given."""
    alone = [metric for metric in result.sd if metric not in {**before.values, **result.values}]
    if alone:
        raise ObjectiveError(
            f"A standard deviation comes with its value: trial {before.number} has none of {alone}. Give it too."
        )


def _check_measured(before: Trial, result: Result, status: object) -> None:
    """Raises TrialError where something else than a part that was measured is to be amended in a running trial."""
    if status is not None or not before.values or not result.values.keys() <= before.values.keys():
        measured = f"only {list(before.values)} can be amended in it" if before.values else "nothing is told of it yet"
        raise TrialError(f"Trial {before.number} is {before.status}, {measured}: use tell(), fail() or cancel().")


def _amended_status(status: Status | str) -> dict[str, str]:
    if status not in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        raise TrialError(f"A trial is amended to completed, failed or cancelled: got {status!r}.")
    reason = {"reason": FailureReason.INVALID.value} if status == Status.FAILED else {}
    return {"status": Status(status).value} | reason
