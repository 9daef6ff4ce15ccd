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
from bbo.events import MAX_BODY_BYTES, Event, canonical, event, nonce
from bbo.fold import Fold
from bbo.objective import Values
from bbo.space import Params
from bbo.studies.log import StudyLog, writer
from bbo.trial import FailureReason, Status, Trial, check_step

_MAX_MESSAGE = 4_000
_MAX_OUTPUT = 8_000
_OPEN = (Status.RUNNING, Status.PAUSED)
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
        trial: int | None = None,
        params: Mapping[str, Any] | None = None,
        sd: object = None,
        cost: float | None = None,
        note: str = "",
    ) -> "Result":
        """From what a user gives.

        Args:
            trial: whose parameters were set, where `params` says to what.
        Raises:
            ObjectiveError, SpaceError: naming what does not fit.
        """
        means, replicates = fold.objectives.check_measured(values)
        return Result(
            values=means,
            replicates=replicates,
            params={} if trial is None else fold.space.check_set(fold.params(trial), params or {}),
            sd={} if sd is None else fold.objectives.check_sd(sd),
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
    result = replace(result, cost=_cost(fold, number, result.cost))
    if not result.values:
        raise ObjectiveError(f"A result has at least one metric: got none for trial {number}.")
    if not result.values.keys() >= result.sd.keys():
        raise ObjectiveError(
            f"A standard deviation comes with its value: got sd of {list(result.sd)}, values of {list(result.values)}."
        )
    if fold.is_untouched(number) and not (result.params or result.note or fold.objectives.missing(result.values)):
        return [_told(number, result.body(list(result.values), {}))]  # nearly all, so without the work below
    stood = fold.stood(number)
    before, runs = stood[-1], is_open(fold, number)
    if not runs and all(t.status is not Status.COMPLETED for t in stood):
        raise AlreadyToldError(f"Trial {number} is {before.status}: got {result.values}. The first stands. {_AMEND}")
    missing = fold.objectives.missing({**before.values, **result.values})
    if runs and missing and not partial:
        raise ObjectiveError(
            f"The study needs the metrics {list(fold.objectives.required)}: {missing} missing in {result.values!r}. "
            "Where they are to come later, tell with partial=True."
        )
    news = further(stood, result)
    if news.note and not news.values:
        raise AlreadyToldError(f"Trial {number} has these values already; for a further word use note().")
    if not runs or (missing and not news.values):
        return added(number, news)
    if not before.values and not missing:
        return [_told(number, news.body(list(news.values), news.params))]
    parts = [
        # What is of the whole trial stands with the first.
        news.body([m], news.params) if k == 0 else replace(news, cost=None, note="").body([m], {})
        for k, m in enumerate(news.values)
    ]
    events = [
        event("measured", f"measured/{number}/{m}", body, trial=number, by=writer())
        for m, body in zip(news.values, parts, strict=True)
    ]
    return events if missing else [*events, _merged(before, news, news.params)]


def further(stood: Sequence[Trial], result: Result, *, ends: bool = False) -> Result:
    """What of a result is new, against all that ever stood of the trial, part by part.

    Args:
        stood: as `Fold.stood` gives it.
        ends: the trial ends by it.
    Raises:
        AlreadyToldError: a part that is neither what ever stood nor to be had beside it.
    """
    now, runs = stood[-1], stood[-1].status in _OPEN
    values = {m: v for m, v in result.values.items() if m not in now.values}
    params = {n: v for n, v in result.params.items() if all(t.params.get(n) != v for t in stood)}
    cost = None if any(t.cost == result.cost for t in stood) else result.cost
    others: dict[str, Any] = {
        m: result.replicates.get(m, v)
        for m, v in result.values.items()
        if m not in values and not any(_is_measured_so(t, m, v, result.replicates.get(m)) for t in stood)
    }
    others |= {
        f"sd of {m}": v for m, v in result.sd.items() if m not in values and all(t.sd.get(m) != v for t in stood)
    }
    suggested = now.suggested or now.params
    may_be_set = runs and bool(values or ends)
    others |= {n: v for n, v in params.items() if not may_be_set or now.params.get(n) != suggested.get(n)}
    if cost is not None and now.cost is not None and not runs:
        others["cost"] = cost
    if others:
        there: dict[str, Any] = {**now.values, **{f"sd of {m}": v for m, v in now.sd.items()}, **now.params}
        there |= {m: list(singles) for m, singles in now.replicates.items()} | {"cost": now.cost}
        raise AlreadyToldError(
            f"Trial {now.number} has { {name: there.get(name) for name in others} } by what was told before: "
            f"got {others}. The first stands. {_AMEND}"
        )
    return Result(
        values=values,
        replicates={m: v for m, v in result.replicates.items() if m in values},
        params=params,
        sd={m: v for m, v in result.sd.items() if m in values},
        cost=cost,
        note="" if is_noted(stood, result.note) else result.note,
    )


def is_noted(stood: Sequence[Trial], note: str) -> bool:
    """Whether a note says nothing, or its lines stand with the trial already."""
    return not note or any(f"\n{note}\n" in f"\n{text}\n" for t in stood for text in (t.note, t.message))


def added(number: int, news: Result) -> list[Event]:
    """The events of what was missing in a trial that has ended, or of another cost of one that was told in part."""
    body = {key: part for key, part in replace(news, note="").body(list(news.values), {}).items() if part != {}}
    events = [_amended(number, body | {"why": "told later"})] if body else []
    return [*events, remark(number, news.note)] if news.note else events


def remark(number: int | None, text: str) -> Event:
    """The event of a word on a trial, or on the study."""
    return event("noted", f"noted/{nonce()}", {"text": text}, trial=number, by=writer())


def settle(log: StudyLog, number: int, result: Result) -> None:
    """After a result was appended: completes the trial where the last part came from somebody else at the same time.

    Raises:
        AlreadyToldError: somebody else told something else at the same time, and was first.
    """
    with log.lock:
        known, runs = log.fold.values(number), is_open(log.fold, number)
        if not runs and result.values.items() <= known.items():
            return
        stood = log.fold.stood(number)
        is_whole = runs and known and not log.fold.objectives.missing(known)
    if is_whole:
        append(log, _merged(stood[-1], Result(values={}), {}))
    elif any(all(t.values.get(m) != v for t in stood) for m, v in result.values.items()):
        raise AlreadyToldError(
            f"Trial {number} of {log.name!r} was told {dict(known)} meanwhile, now {result.values}. "
            f"The first stands. {_AMEND}"
        )


def told(log: StudyLog, trial: Trial | int, values: object, *, output: str = "") -> Event:
    """The event of all that an evaluation gave and printed."""
    number = known_trial(log, trial)
    if isinstance(values, tuple):  # several metrics, by the looks of it, and no measurements of one
        raise ObjectiveError(
            f"Return several metrics in a dict, such as {{{log.fold.objectives.required[0]!r}: ...}}, and several "
            f"measurements of one in a list: got the tuple {values!r}."
        )
    result = Result.of(log.fold, values)
    log.fold.objectives.check(result.values)
    result = replace(result, cost=_cost(log.fold, number, None))
    return _told(number, result.body(list(result.values), {}) | _kept(output))


def failed(
    log: StudyLog,
    trial: Trial | int,
    message: object,
    reason: FailureReason | str,
    *,
    cost: float | None = None,
    params: Params | None = None,
    output: str = "",
) -> Event:
    """The event of an evaluation without values; of a long message the end is kept.

    Args:
        params: executed values, checked, of those parameters that were set otherwise.
    """
    number = known_trial(log, trial)
    if reason not in tuple(FailureReason):
        raise TrialError(f"A reason of failure is one of {[r.value for r in FailureReason]}: got {reason!r}.")
    cost = _cost(log.fold, number, cost)
    body = {"reason": FailureReason(reason).value} | _without_values(message, cost, params) | _kept(output)
    return event("failed", f"ended/{number}", body, trial=number, by=writer())


def cancelled(
    log: StudyLog, trial: Trial | int, message: object, *, cost: float | None = None, params: Params | None = None
) -> Event:
    """The event of a trial that will not be evaluated; `cost` and `params` as `failed`."""
    number = known_trial(log, trial)
    return event("cancelled", f"ended/{number}", _without_values(message, cost, params), trial=number, by=writer())


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


def _amended(number: int, body: Mapping[str, Any]) -> Event:
    return event("amended", f"amended/{nonce()}", body, trial=number, by=writer())


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
    return fold.status(number) in _OPEN


def _is_measured_so(there: Trial, metric: str, value: float, singles: Sequence[float] | None) -> bool:
    """Whether a metric has this value; where single measurements are given, by these."""
    is_so = there.values.get(metric) == value
    return is_so and (singles is None or list(there.replicates.get(metric, ())) == list(singles))


def _without_values(message: object, cost: float | None, params: Params | None) -> dict[str, Any]:
    body: dict[str, Any] = {"message": clean(message)[-_MAX_MESSAGE:]}
    body |= {} if cost is None else {"cost": check_cost(cost)}
    return body | ({"params": params} if params else {})


def _kept(output: str) -> dict[str, str]:
    """The end of what an evaluation printed, as a body has it."""
    text = clean(output)[-_MAX_OUTPUT:]
    while len(canonical({"": text}).encode()) > MAX_BODY_BYTES // 2:  # control characters take six bytes each
        text = text[len(text) // 4 :]
    return {"output": text} if text else {}


def clean(message: object) -> str:
    """Text that every storage takes: what UTF-8 cannot hold, and NUL, are spelled out."""
    return str(message).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _cost(fold: Fold, number: int, told: float | None) -> float | None:
    """What a trial cost: as told, else, where nothing is known yet, the price of its row in a pool."""
    if told is not None or fold.trial_cost(number) is not None or not is_open(fold, number):
        return told
    return fold.space.price(fold.params(number))


def check_cost(cost: float) -> float:
    """Raises ObjectiveError for what is no cost."""
    if isinstance(cost, bool) or not isinstance(cost, Real) or not 0 <= cost < float("inf"):
        raise ObjectiveError(f"A cost is a finite number of at least 0: got {cost!r}.")
    return float(cost)
