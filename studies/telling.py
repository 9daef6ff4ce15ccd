"""What becomes of a trial: events that end it, measure a part of it or report on it, checked, and their append.

All take the trial as a number or as the `Trial` that was asked for, and check before anything is appended: after an
error the log is unchanged.

A trial whose metrics come one by one is running until the last required one is there. The parts are `measured` events;
a `told` event with all of them ends it. Whoever appends the last part appends that too; where two processes bring the
last two parts at once, each looks again after its own, and both would write the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

from bbo.errors import AlreadyToldError, ConflictError, ObjectiveError, TrialError
from bbo.events import MAX_BODY_BYTES, Event, canonical, event
from bbo.fold import Fold
from bbo.objective import Values
from bbo.space import Params
from bbo.studies.log import StudyLog, writer
from bbo.trial import FailureReason, Status, Trial, check_step

_MAX_MESSAGE = 4_000
_MAX_OUTPUT = 8_000
_ENDS = frozenset({"told", "failed", "cancelled"})
_AMEND = "To put something else in its place: amend()."


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
        fold = log.fold
    if not 0 <= trial < fold.n_trials:
        there = f"the trials 0 to {fold.n_trials - 1}" if fold.n_trials else "no trials yet"
        raise TrialError(f"Study {log.name!r} has {there}: got {trial}.")
    return int(trial)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What somebody says of a trial, checked.

    Args:
        values: by metric, the means where there are replicates.
        replicates: single measurements, of metrics that have several.
        params: as executed; those that are as suggested may be among them.
    """

    values: Values
    replicates: dict[str, list[float]] = field(default_factory=dict)
    params: Params = field(default_factory=dict)
    sd: Values = field(default_factory=dict)
    cost: float | None = None
    note: str = ""

    @staticmethod
    def of(
        fold: Fold,
        values: object,
        *,
        params: Mapping[str, Any] | None = None,
        sd: object = None,
        cost: float | None = None,
        note: str = "",
    ) -> "Result":
        """From what a user gives.

        Raises:
            ObjectiveError, SpaceError: naming what does not fit.
        """
        means, replicates = fold.objectives.check_measured(values)
        return Result(
            values=means,
            replicates=replicates,
            params=fold.space.check_executed(params or {}),
            sd={} if sd is None else _check_sd(fold, sd),
            cost=None if cost is None else check_cost(cost),
            note=clean(note),
        )

    def body(self, metrics: Sequence[str], executed: Params) -> dict[str, Any]:
        """What an event says of these metrics."""
        parts: dict[str, Any] = {
            "replicates": {m: v for m, v in self.replicates.items() if m in metrics},
            "sd": {m: v for m, v in self.sd.items() if m in metrics},
            "params": executed,
            "note": self.note,
        }
        body = {"values": {m: self.values[m] for m in metrics}} | {key: part for key, part in parts.items() if part}
        return body if self.cost is None else body | {"cost": self.cost}


# Telling.


def tell(log: StudyLog, trial: Trial | int, result: Result, *, partial: bool) -> None:
    """Appends what a trial gave: all of it, what was missing, or with `partial` a part.

    Raises:
        ObjectiveError: a required metric is missing, and it is not said that this is a part.
        AlreadyToldError: something else was told or measured.
    """
    number = known_trial(log, trial)
    with log.lock:
        log.refresh()
        events = said(log.fold, number, result, partial=partial)
    if events:
        append(log, *events)
    settle(log, number, result)


def said(fold: Fold, number: int, result: Result, *, partial: bool) -> list[Event]:
    """The events by which a result is told; none where it is known already.

    Raises:
        ObjectiveError, AlreadyToldError: as `tell`.
    """
    if not result.values:
        raise ObjectiveError(f"A result has at least one metric: got none for trial {number}.")
    executed = _differing(result.params, fold.suggested(number)) if result.params else {}
    whole = _told(number, result.body(list(result.values), executed))
    if not is_open(fold, number):
        there = fold.as_told(number).params
        others = {name: value for name, value in result.params.items() if value != there[name]}
        if others:
            raise AlreadyToldError(f"Trial {number} was executed at {there}: got {others}. The first stands. {_AMEND}")
        return [whole]  # `append` sees whether the rest is the same
    known = fold.values(number)
    missing = fold.objectives.missing({**known, **result.values})
    if missing and not partial:
        raise ObjectiveError(
            f"The study needs the metrics {list(fold.objectives.required)}: {missing} missing in {result.values!r}. "
            "Where they are to come later, tell with partial=True."
        )
    if not known and not missing:
        return [whole]
    before = fold.trial(number)
    _check_stands(before, result)
    new = [m for m in result.values if m not in known]
    parts = [
        # What is of the whole trial stands with the first.
        result.body([m], executed) if m == new[0] else replace(result, cost=None, note="").body([m], {})
        for m in new
    ]
    events = [
        event("measured", f"measured/{number}/{m}", body, trial=number, by=writer())
        for m, body in zip(new, parts, strict=True)
    ]
    return events if missing else [*events, _merged(before, result, executed)]


def settle(log: StudyLog, number: int, result: Result) -> None:
    """After a result was appended: completes the trial where the last part came from somebody else at the same time.

    Raises:
        AlreadyToldError: somebody else told something else at the same time, and was first.
    """
    with log.lock:
        known = log.fold.values(number)
        is_whole = is_open(log.fold, number) and known and not log.fold.objectives.missing(known)
        merged = _merged(log.fold.as_told(number), Result(values={}), {}) if is_whole else None
    if merged is not None:
        append(log, merged)
    elif any(known.get(m) != v for m, v in result.values.items()):
        raise AlreadyToldError(
            f"Trial {number} of {log.name!r} was told {known} meanwhile, now {result.values}. "
            f"The first stands. {_AMEND}"
        )


def told(log: StudyLog, trial: Trial | int, values: object, *, output: str = "") -> Event:
    """The event of all that an evaluation gave and printed."""
    number = known_trial(log, trial)
    result = Result.of(log.fold, values)
    log.fold.objectives.check(result.values)
    return _told(number, result.body(list(result.values), {}) | _kept(output))


def failed(
    log: StudyLog, trial: Trial | int, message: object, reason: FailureReason | str, *, output: str = ""
) -> Event:
    """The event of an evaluation without values; of a long message the end is kept."""
    number = known_trial(log, trial)
    if reason not in tuple(FailureReason):
        raise TrialError(f"A reason of failure is one of {[r.value for r in FailureReason]}: got {reason!r}.")
    body = {"reason": FailureReason(reason).value, "message": clean(message)[-_MAX_MESSAGE:]} | _kept(output)
    return event("failed", f"ended/{number}", body, trial=number, by=writer())


def cancelled(log: StudyLog, trial: Trial | int, message: object) -> Event:
    """The event of a trial that will not be evaluated."""
    number = known_trial(log, trial)
    body = {"message": clean(message)[-_MAX_MESSAGE:]}
    return event("cancelled", f"ended/{number}", body, trial=number, by=writer())


def reported(
    log: StudyLog,
    trial: Trial | int,
    values: object,
    step: int,
    cost: float | None = None,
    attempt: int | None = None,
) -> Event:
    """The event of what a running trial has at a step; of each attempt its own."""
    number = known_trial(log, trial)
    check_step(step)
    body: dict[str, Any] = {"values": log.fold.objectives.check_some(values), "step": int(step)}
    if cost is not None:
        body["cost"] = check_cost(cost)
    key = f"reported/{number}/{log.fold.attempt(number) if attempt is None else attempt}/{step}"
    return event("reported", key, body, trial=number, by=writer())


# Appending.


def append(log: StudyLog, *events: Event) -> None:
    """Appends what became of one trial, all or nothing; what was said before in the same words is no error.

    Raises:
        AlreadyToldError: the trial has ended with something else, or has reported otherwise at a step.
    """
    last = events[-1]
    with log.lock:
        if _is_known(log.fold, last):
            return
    try:
        log.append(*events)
    except ConflictError as conflict:
        mine = next(e for e in events if e.key == conflict.key)
        if not _agrees(mine, conflict.kind, json.loads(conflict.body)):
            raise AlreadyToldError(
                f"Trial {mine.trial} of {log.name!r} was {conflict.kind} already, with {conflict.body}; "
                f"now {mine.kind} with {mine.body}. The first stands. {_AMEND}"
            ) from conflict
        log.refresh()
        rest = [e for e in events if e.key != conflict.key]
        if mine.kind == "measured" and rest:
            append(log, *rest)


def _is_known(fold: Fold, e: Event) -> bool:
    """Whether what is said of past data stands there already; for others the keys of the log know.

    Raises:
        AlreadyToldError: it comes too late.
    """
    if e.kind == "reported" and fold.status(e.trial or 0) is not Status.RUNNING:
        raise AlreadyToldError(f"Trial {e.trial} is not running; only a running trial reports.")
    if e.kind not in _ENDS or e.trial is None or not fold.is_past(e.trial):
        return False
    there = _merged(fold.as_told(e.trial), Result(values={}), {})
    if not _agrees(e, there.kind, there.read()):
        raise AlreadyToldError(f"Trial {e.trial} is past data, with {there.body}; now {e.kind} with {e.body}. {_AMEND}")
    return True


def _agrees(e: Event, kind: str, there: Mapping[str, Any]) -> bool:
    """Whether all that an event says is said by what stands; what was printed does not matter."""

    def is_there(key: str, value: Any) -> bool:
        other = there.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            return all(k in other and other[k] == v for k, v in value.items())
        return bool(value == other)

    return e.kind == kind and all(is_there(key, value) for key, value in e.read().items() if key != "output")


# Parts of bodies.


def _told(number: int, body: Mapping[str, Any]) -> Event:
    return event("told", f"ended/{number}", body, trial=number, by=writer())


def _merged(before: Trial, result: Result, executed: Params) -> Event:
    """The end of a trial that was measured in parts; notes stand with the parts."""
    was_executed = {} if before.suggested is None else _differing(before.params, before.suggested)
    whole = Result(
        values={**before.values, **result.values},
        replicates={**{m: list(v) for m, v in before.replicates.items()}, **result.replicates},
        sd={**before.sd, **result.sd},
        cost=before.cost if result.cost is None else result.cost,
    )
    return _told(before.number, whole.body(list(whole.values), {**was_executed, **executed}))


def _differing(params: Params, others: Params) -> Params:
    return {name: value for name, value in params.items() if value != others[name]}


def is_open(fold: Fold, number: int) -> bool:
    """Whether the trial has not ended."""
    return fold.status(number) in (Status.RUNNING, Status.PAUSED)


def _check_stands(before: Trial, result: Result) -> None:
    """Raises where a part contradicts what was said before of the trial, or says nothing new that can be kept."""
    others = {m: v for m, v in result.values.items() if before.values.get(m, v) != v}
    suggested = before.suggested or before.params
    is_new = result.values.keys() - before.values.keys()
    for name, value in result.params.items():
        if value != before.params[name] and (suggested[name] != before.params[name] or not is_new):
            others[name] = value
    if not is_new and result.cost not in (None, before.cost):
        others["cost"] = result.cost
    if others:
        there = {**before.values, **before.params, "cost": before.cost}
        raise AlreadyToldError(
            f"Trial {before.number} has { {name: there[name] for name in others} } by what was told before: "
            f"got {others}. The first stands. {_AMEND}"
        )
    if not is_new and result.note and result.note not in before.note:
        raise AlreadyToldError(f"Trial {before.number} has these values already; for a further word use note().")
    if not result.values.keys() >= result.sd.keys():
        raise ObjectiveError(
            f"A standard deviation comes with its value: got sd of {list(result.sd)}, values of {list(result.values)}."
        )


def _kept(output: str) -> dict[str, str]:
    """The end of what an evaluation printed, as a body has it."""
    text = clean(output)[-_MAX_OUTPUT:]
    while len(canonical({"": text}).encode()) > MAX_BODY_BYTES // 2:  # control characters take six bytes each
        text = text[len(text) // 4 :]
    return {"output": text} if text else {}


def clean(message: object) -> str:
    """Text that every storage takes: what UTF-8 cannot hold, and NUL, are spelled out."""
    return str(message).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _check_sd(fold: Fold, sd: object) -> Values:
    checked = fold.objectives.check_some(sd)
    negative = {m: v for m, v in checked.items() if v < 0}
    if negative:
        raise ObjectiveError(f"A standard deviation is at least 0: got {negative}.")
    return checked


def check_cost(cost: float) -> float:
    """Raises ObjectiveError for what is no cost."""
    if isinstance(cost, bool) or not isinstance(cost, Real) or not 0 <= cost < float("inf"):
        raise ObjectiveError(f"A cost is a finite number of at least 0: got {cost!r}.")
    return float(cost)
