"""The trials of an Optuna study as a study of bbo's.

Each is a point that somebody enqueued, asked for and told. One that lies outside of the space, as where a range was
another then, is past data.
"""

import math
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from bbo.errors import SpaceError, StudyNotFoundError
from bbo.events import Event, event, nonce
from bbo.objective import Maximize, Minimize, Objectives, OutcomeConstraint
from bbo.space import Params, Space
from bbo.studies.asking import ask_seed
from bbo.studies.log import writer
from bbo.studies.optuna.attributes import kept
from bbo.studies.optuna.exporting import STUDY, TRIAL, checked
from bbo.studies.optuna.spaces import Given, Searched, inferred
from bbo.studies.optuna.told import constraint_names, constraints_of, finite, reasons
from bbo.trial import FailureReason, Status

_METRIC_NAMES = "study:metric_names"
_MOST_LETTERS = 2_000


@dataclass(frozen=True)
class Imported:
    """An Optuna study as bbo sees it.

    Args:
        seed: of the study that was exported there, where one was.
        metrics: by constraint of Optuna's what it is called here.
    """

    searched: Searched
    objectives: Objectives
    trials: Sequence[FrozenTrial]
    seed: int | None
    metrics: Mapping[str, str] = field(default_factory=dict)

    def events(self, last_event: int, seed: int) -> list[Event]:
        """What to append to a log of no trials.

        Args:
            last_event: the `seq` of the event before.
            seed: of the study.
        """
        events: list[Event] = []
        lost, n_asks, n_trials = reasons(self.trials), 0, 0
        for t in self.trials:
            said = _said(t, self, lost.get(t.number, FailureReason.RAISED))
            if said is None:
                warnings.warn(f"Trial {t.number} of Optuna is no point of the space and was left out.", stacklevel=3)
                continue
            may_lie_outside = said.status is Status.COMPLETED or (said.status is Status.FAILED and said.is_past)
            if not may_lie_outside and said.point not in self.searched.space:
                warnings.warn(f"Trial {t.number} of Optuna lies outside of the space, without a value.", stacklevel=3)
                continue
            is_past = said.is_past or said.point not in self.searched.space
            if is_past:
                n_trials += 1
                body = {"params": said.point | said.executed, **said.told, "source": "optuna"}
                body |= {"note": said.note} if said.note else {}
                if said.status is Status.FAILED:
                    body |= {"reason": said.reason.value, "message": said.message}
                events.append(_at(event("attached", f"attached/optuna/{t.number}", body, by=writer()), said.ended_at))
                continue
            key = f"enqueued/optuna/{t.number}"
            events.append(_at(event("enqueued", key, {"params": said.point}, by=writer()), said.asked_at))
            if t.state == TrialState.WAITING:
                continue
            asked = _asked(key, said.point, n_asks, last_event + len(events), ask_seed(seed, n_asks))
            events += [_at(asked, said.asked_at), *_ends(said, n_trials, self.objectives)]
            n_asks, n_trials = n_asks + 1, n_trials + 1
        return events


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What Optuna says of a trial.

    Args:
        point: as suggested; `executed` are those of its values that were set otherwise.
        told: the body of what was told, without executed values and notes.
        reports: bodies by step.
        asked_at, ended_at: UTC, as events have it.
    """

    point: Params
    status: Status
    executed: Params
    told: dict[str, Any]
    reports: list[dict[str, Any]]
    reason: FailureReason
    message: str
    note: str
    asked_at: str
    ended_at: str
    is_past: bool = False


def opened(study: optuna.Study | str, named: str | None) -> optuna.Study:
    """The study itself, or the one of this name at a URL.

    Raises:
        StudyNotFoundError: there is none, or there are several and no name was given.
    """
    if not isinstance(study, str):
        return study
    names = optuna.get_all_study_names(checked(study))
    if named not in names and (named is not None or len(names) != 1):
        raise StudyNotFoundError(f"Optuna has the studies {names} there: say which one by name, got {named!r}.")
    return optuna.load_study(study_name=named or names[0], storage=study)


def read(study: optuna.Study, space: Space | None) -> Imported:
    """What an Optuna study has.

    Args:
        space: that of the trials; what they show where it is None.
    Raises:
        SpaceError: no trial shows a parameter, or choices are objects; or the given space has a name that no trial has.
    """
    record = kept(STUDY, study._storage.get_study_system_attrs(study._study_id))
    trials = study.get_trials(deepcopy=False)
    if record is not None:
        exported = Space.from_dict(record["space"])
        if space is not None:
            exported = space if exported.difference(space) else exported.filled_from(space)
        return Imported(Given(exported), Objectives.from_list(record["objectives"]), trials, record["seed"])
    names = study._storage.get_study_system_attrs(study._study_id).get(_METRIC_NAMES)
    searched = _shown(trials) if space is None else Given(space)
    taken = {*searched.space.names, *searched.space.cells}
    if names is None:
        names = [
            _free("value" if len(study.directions) == 1 else f"value {k}", taken) for k in range(len(study.directions))
        ]
    wanted: list[Any] = [
        Maximize(metric) if direction == optuna.study.StudyDirection.MAXIMIZE else Minimize(metric)
        for direction, metric in zip(study.directions, names, strict=True)
    ]
    metrics = {c: _free(c, {*taken, *names}) for c in constraint_names(trials)}
    wanted += [OutcomeConstraint(metric, upper=0.0) for metric in metrics.values()]
    return Imported(searched, Objectives(tuple(wanted)), trials, None, metrics)


def _free(name: str, taken: Container[str]) -> str:
    """A name for a metric, other than those that are taken."""
    return name if name not in taken else _free(f"{name} (Optuna)", taken)


def _shown(trials: Sequence[FrozenTrial]) -> Searched:
    shown = inferred([t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)])
    if shown is None:
        raise SpaceError("No finished trial of this Optuna study has a parameter: pass space=.")
    if shown.by_place:
        raise SpaceError(
            f"{shown.by_place} have choices that are no numbers and texts, which no parameter has: these trials cannot "
            "be taken over. BBOSampler searches such choices in Optuna."
        )
    there = {name for t in trials for name, d in t.distributions.items() if not d.single()}
    left_out = sorted(there - set(shown.space.names))
    if left_out:
        warnings.warn(
            f"Some trials have {left_out}, others not, under no condition that is seen: left out.", stacklevel=4
        )
    return shown


def _said(t: FrozenTrial, study: Imported, reason: FailureReason) -> _Said | None:
    """None for what is no point of the space, on its grid or off."""
    record = kept(TRIAL, t.system_attrs)
    if record is not None:
        return _of_record(record)
    searched, objectives, space = study.searched, study.objectives, study.searched.space
    try:
        values = t.system_attrs.get("fixed_params", {}) if t.state == TrialState.WAITING else t.params
        point = space.there(space.check_executed(searched.point(values)))
        space.check_names(point)
    except SpaceError:
        return None
    status = {TrialState.COMPLETE: Status.COMPLETED, TrialState.FAIL: Status.FAILED}.get(t.state, Status.RUNNING)
    told: dict[str, Any] = {}
    message = ""
    if t.state == TrialState.COMPLETE:
        by_metric = dict(zip((aim.metric for aim in objectives.aims), t.values, strict=True))
        if not all(map(math.isfinite, by_metric.values())):
            status, message, reason = Status.FAILED, f"its values were {by_metric}", FailureReason.INVALID
        else:
            by_metric |= {study.metrics[c]: finite(v) for c, v in constraints_of(t).items()}
            told = {"values": {m: float(by_metric[m]) for m in objectives.metrics if m in by_metric}}
            open_ = objectives.missing(by_metric)
            if open_:
                warnings.warn(f"Trial {t.number} of Optuna did not tell {open_}, and runs on here.", stacklevel=4)
    if t.state == TrialState.PRUNED:
        status, message = Status.CANCELLED, "pruned" if t.last_step is None else f"pruned after step {t.last_step}"
    note = ", ".join(f"{name}: {value}" for name, value in t.user_attrs.items())
    metric = objectives.aims[0].metric
    return _Said(
        point=point,
        status=status,
        executed={},
        told=told,
        reports=[
            {"step": k, "values": {metric: v}} for k, v in sorted(t.intermediate_values.items()) if math.isfinite(v)
        ],
        reason=reason,
        message=message,
        note=note[:_MOST_LETTERS],
        asked_at=_utc(t.datetime_start),
        ended_at=_utc(t.datetime_complete),
    )


def _of_record(record: Mapping[str, Any]) -> _Said:
    """What was exported."""
    params, suggested = record["params"], record.get("suggested", record["params"])
    told = {key: record[key] for key in ("values", "sd", "replicates", "cost") if key in record}
    reports = {r["step"]: {key: v for key, v in r.items() if v is not None} for r in record.get("reports", ())}
    return _Said(
        point=suggested,
        status=Status(record["status"]),
        executed={name: value for name, value in params.items() if suggested.get(name) != value},
        told=told,
        reports=list(reports.values()),
        reason=FailureReason(record.get("reason", FailureReason.RAISED)),
        message=record.get("message", ""),
        note=record.get("note", ""),
        is_past=bool(record.get("is_past")),
        asked_at=record.get("asked_at", ""),
        ended_at=record.get("ended_at", ""),
    )


def _asked(key: str, point: Params, index: int, seen: int, seed: int) -> Event:
    suggestion = {"params": point, "notes": {"by": "enqueued"}, "enqueued": key}
    body = {"index": index, "n": 1, "seen": seen, "seed": seed, "suggestions": [suggestion]}
    body["meta"] = {"seconds": 0.0, "tickets": [{"id": nonce(), "n": 1}]}
    return event("asked", f"asked/{index}", body, by=writer())


def _ends(said: _Said, trial: int, objectives: Objectives) -> Iterator[Event]:
    """What became of a trial that was asked for."""
    for report in said.reports:
        key = f"reported/{trial}/1/{report['step']}"
        yield _at(event("reported", key, report, trial=trial, by=writer()), said.ended_at)
    executed = {"params": said.executed} if said.executed else {}
    cost = {"cost": said.told["cost"]} if "cost" in said.told else {}
    key = f"ended/{trial}"
    if said.status is Status.COMPLETED and not objectives.missing(said.told["values"]):
        note = {"note": said.note} if said.note else {}
        yield _at(event("told", key, said.told | executed | note, trial=trial, by=writer()), said.ended_at)
    elif said.status is Status.FAILED:
        body = {"reason": said.reason.value, "message": said.message} | executed | cost
        yield _at(event("failed", key, body, trial=trial, by=writer()), said.ended_at)
    elif said.status is Status.CANCELLED:
        yield _at(
            event("cancelled", key, {"message": said.message} | executed | cost, trial=trial, by=writer()),
            said.ended_at,
        )
    else:  # some of its values may be known
        for metric, value in said.told.get("values", {}).items():
            part = {"values": {metric: value}}
            yield _at(event("measured", f"measured/{trial}/{metric}", part, trial=trial, by=writer()), said.ended_at)
    if said.note and said.status is not Status.COMPLETED:
        yield event("noted", f"noted/{nonce()}", {"text": said.note}, trial=trial, by=writer())


def _at(e: Event, at: str) -> Event:
    """The event, of another time where one is known."""
    return replace(e, at=at) if at else e


def _utc(then: datetime | None) -> str:
    """Optuna's times are of the machine's zone."""
    return "" if then is None else then.astimezone(UTC).isoformat(timespec="milliseconds")
