"""The trials of an Optuna study as a study of bbo's.

Each is a point that somebody enqueued, asked for and told. One that lies outside of the space, as where a range was
another then, is past data.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from bbo.studies.optuna.exporting import STUDY, TRIAL
from bbo.studies.optuna.spaces import Given, Searched, inferred
from bbo.studies.optuna.told import constraint_names, constraints_of, reasons
from bbo.trial import FailureReason, Status

_METRIC_NAMES = "study:metric_names"


@dataclass(frozen=True)
class Imported:
    """An Optuna study as bbo sees it.

    Args:
        seed: of the study that was exported there, where one was.
    """

    searched: Searched
    objectives: Objectives
    trials: Sequence[FrozenTrial]
    seed: int | None

    def events(self, last_event: int, seed: int) -> list[Event]:
        """What to append to a log of no trials.

        Args:
            last_event: the `seq` of the event before.
            seed: of the study.
        """
        events: list[Event] = []
        lost, n_asks = reasons(self.trials), 0
        for t in self.trials:
            said = _said(t, self.searched, self.objectives, lost.get(t.number, FailureReason.RAISED))
            if said is None:
                warnings.warn(f"Trial {t.number} of Optuna is no point of the space and was left out.", stacklevel=3)
                continue
            if said.point not in self.searched.space and t.state != TrialState.COMPLETE:
                warnings.warn(f"Trial {t.number} of Optuna lies outside of the space, without a value.", stacklevel=3)
                continue
            if said.point not in self.searched.space:
                body = {"params": said.point | said.executed, **said.told, "source": "optuna"}
                events.append(_at(event("attached", f"attached/optuna/{t.number}", body, by=writer()), said.ended_at))
                continue
            key = f"enqueued/optuna/{t.number}"
            events.append(_at(event("enqueued", key, {"params": said.point}, by=writer()), said.asked_at))
            if t.state == TrialState.WAITING:
                continue
            asked = _asked(key, said.point, n_asks, last_event + len(events), ask_seed(seed, n_asks))
            trial = sum(e.kind in ("asked", "attached") for e in events)
            n_asks += 1
            events += [_at(asked, said.asked_at), *_ends(t, said, trial, self.objectives)]
        return events


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What Optuna says of a trial.

    Args:
        point: as suggested; `executed` are those of its values that were set otherwise.
        told: the body of what was told, without executed values.
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
    asked_at: str
    ended_at: str


def opened(study: optuna.Study | str, named: str | None) -> optuna.Study:
    """The study itself, or the one of this name at a URL.

    Raises:
        StudyNotFoundError: there is none, or there are several and no name was given.
    """
    if not isinstance(study, str):
        return study
    names = optuna.get_all_study_names(study)
    if named not in names and (named is not None or len(names) != 1):
        raise StudyNotFoundError(f"Optuna has the studies {names} there: got {named!r}.")
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
        exported = exported if space is None else exported.filled_from(space)
        return Imported(Given(exported), Objectives.from_list(record["objectives"]), trials, record["seed"])
    names = study._storage.get_study_system_attrs(study._study_id).get(_METRIC_NAMES)
    if names is None:
        names = ["value"] if len(study.directions) == 1 else [f"value {k}" for k in range(len(study.directions))]
    wanted: list[Any] = [
        Maximize(metric) if direction == optuna.study.StudyDirection.MAXIMIZE else Minimize(metric)
        for direction, metric in zip(study.directions, names, strict=True)
    ]
    wanted += [OutcomeConstraint(c, upper=0.0) for c in constraint_names(trials)]
    return Imported(_shown(trials) if space is None else Given(space), Objectives(tuple(wanted)), trials, None)


def _shown(trials: Sequence[FrozenTrial]) -> Searched:
    shown = inferred([t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)])
    if shown is None:
        raise SpaceError("No finished trial of this Optuna study has a parameter: pass space=.")
    if shown.by_place:
        raise SpaceError(
            f"{shown.by_place} have choices that are no numbers and texts, which no parameter has: pass space=, and "
            "name them otherwise."
        )
    there = {name for t in trials for name, d in t.distributions.items() if not d.single()}
    left_out = sorted(there - set(shown.space.names))
    if left_out:
        warnings.warn(
            f"Some trials have {left_out}, others not, under no condition that is seen: left out.", stacklevel=4
        )
    return shown


def _said(t: FrozenTrial, searched: Searched, objectives: Objectives, reason: FailureReason) -> _Said | None:
    """None for what is no point of the space, on its grid or off."""
    record = kept(TRIAL, t.system_attrs)
    if record is not None:
        return _of_record(record)
    space = searched.space
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
        by_metric = dict(zip((aim.metric for aim in objectives.aims), t.values, strict=True)) | constraints_of(t)
        finite = {m: float(v) for m, v in by_metric.items() if math.isfinite(v)}
        told = {"values": {m: finite[m] for m in objectives.metrics if m in finite}}
        if len(finite) < len(by_metric):
            status, message, told = Status.FAILED, f"its values were {by_metric}", {}
            reason = FailureReason.INVALID
    if t.state == TrialState.PRUNED:
        status, message = Status.CANCELLED, "pruned" if t.last_step is None else f"pruned after step {t.last_step}"
    note = ", ".join(f"{name}: {value}" for name, value in t.user_attrs.items())
    metric = objectives.aims[0].metric
    return _Said(
        point=point,
        status=status,
        executed={},
        told=told | ({"note": note} if note and told else {}),
        reports=[
            {"step": k, "values": {metric: v}} for k, v in sorted(t.intermediate_values.items()) if math.isfinite(v)
        ],
        reason=reason,
        message=message,
        asked_at=_utc(t.datetime_start),
        ended_at=_utc(t.datetime_complete),
    )


def _of_record(record: Mapping[str, Any]) -> _Said:
    """What was exported."""
    params, suggested = record["params"], record.get("suggested", record["params"])
    told = {key: record[key] for key in ("values", "sd", "replicates", "cost", "note") if key in record}
    return _Said(
        point=suggested,
        status=Status(record["status"]),
        executed={name: value for name, value in params.items() if suggested.get(name) != value},
        told=told,
        reports=[{key: v for key, v in report.items() if v is not None} for report in record.get("reports", ())],
        reason=FailureReason(record.get("reason", FailureReason.RAISED)),
        message=record.get("message", ""),
        asked_at=record.get("asked_at", ""),
        ended_at=record.get("ended_at", ""),
    )


def _asked(key: str, point: Params, index: int, seen: int, seed: int) -> Event:
    suggestion = {"params": point, "notes": {"by": "enqueued"}, "enqueued": key}
    body = {"index": index, "n": 1, "seen": seen, "seed": seed, "suggestions": [suggestion]}
    body["meta"] = {"seconds": 0.0, "tickets": [{"id": nonce(), "n": 1}]}
    return event("asked", f"asked/{index}", body, by=writer())


def _ends(t: FrozenTrial, said: _Said, trial: int, objectives: Objectives) -> Iterator[Event]:
    """What became of a trial that was asked for."""
    for report in said.reports:
        key = f"reported/{trial}/1/{report['step']}"
        yield _at(event("reported", key, report, trial=trial, by=writer()), said.ended_at)
    executed = {"params": said.executed} if said.executed else {}
    cost = {"cost": said.told["cost"]} if "cost" in said.told else {}
    key = f"ended/{trial}"
    if said.status is Status.COMPLETED and not objectives.missing(said.told["values"]):
        yield _at(event("told", key, said.told | executed, trial=trial, by=writer()), said.ended_at)
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
    if said.told.get("note") and said.status is not Status.COMPLETED:
        yield event("noted", f"noted/{nonce()}", {"text": said.told["note"]}, trial=trial, by=writer())


def _at(e: Event, at: str) -> Event:
    """The event, of another time where one is known."""
    return replace(e, at=at) if at else e


def _utc(then: datetime | None) -> str:
    """Optuna's times are of the machine's zone."""
    return "" if then is None else then.astimezone(UTC).isoformat(timespec="milliseconds")
