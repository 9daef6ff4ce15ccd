"""A study in Optuna's storage: for its dashboard, its figures, its importances.

What Optuna can hold is there as Optuna has it: parameters, values, constraints, reports, states, times. All that a
trial has beside stands in its attributes, for people and for `bbo.studies.optuna.importing`.
"""

import json
import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url

from bbo.errors import StudyExistsError
from bbo.events import canonical
from bbo.objective import Maximize, Objectives, Target
from bbo.space import Space
from bbo.studies.optuna.attributes import keep, kept
from bbo.studies.optuna.distributions import distributions_of, to_optuna
from bbo.trial import Status, Trial

STUDY, TRIAL = "bbo:study", "bbo:trial"
_STATES = {
    Status.RUNNING: TrialState.RUNNING,
    Status.PAUSED: TrialState.RUNNING,
    Status.COMPLETED: TrialState.COMPLETE,
    Status.STOPPED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
    Status.CANCELLED: TrialState.FAIL,  # Optuna has no other end without a value
}
# What the number, the parameters as Optuna has them and the study say, or what a log alone can hold.
_ELSEWHERE = frozenset({"number", "seed", "study", "is_feasible", "notes", "resume", "parent"})
_MOST_LETTERS = 1_000


def export(
    specification: Mapping[str, Any],
    space: Space,
    objectives: Objectives,
    trials: Sequence[Trial],
    past: Container[int],
    storage: "str | optuna.storages.BaseStorage",
    name: str,
    log: str,
) -> optuna.Study:
    """Writes trials to Optuna; those that are there already are completed, or where they changed written again.

    Args:
        past: numbers of those that are past data.
        log: the URL or path of the study's own log.
    Raises:
        StudyExistsError: Optuna has another study of this name.
        ValueError: the storage is no URL, or that of the log.
    """
    storage = checked(storage)
    if isinstance(storage, str) and _are_one(storage, log):
        raise ValueError(f"{storage} is bbo's own log: give Optuna another file or database.")
    study = _study(specification, objectives, storage, name)
    frozen = [_frozen(space, objectives, trial, is_past=trial.number in past) for trial in trials]
    there = study.get_trials(deepcopy=False)
    if any(kept(TRIAL, old.system_attrs) is None for old in there):
        raise StudyExistsError(
            f"The study {name!r} went on in Optuna, which has trials of its own there: export under another name, or "
            "take them over with Study.from_optuna()."
        )
    for old, new in zip(there, frozen, strict=False):
        new.user_attrs = {**old.user_attrs, **new.user_attrs}
    if not all(_may_become(old, new) for old, new in zip(there, frozen, strict=False)) or len(there) > len(frozen):
        attributes = study.user_attrs
        optuna.delete_study(study_name=name, storage=study._storage)
        study, there = _study(specification, objectives, study._storage, name), []
        for key, value in attributes.items():
            study.set_user_attr(key, value)
    for old, new in zip(there, frozen, strict=False):
        if old.state == TrialState.RUNNING:
            _complete(study, old, new)
    study.add_trials(frozen[len(there) :])
    return study


def checked(storage: "str | optuna.storages.BaseStorage") -> "str | optuna.storages.BaseStorage":
    """Raises ValueError for text that is no URL."""
    if isinstance(storage, str) and "://" not in storage:
        raise ValueError(f"An Optuna storage is a URL, such as sqlite:///optuna.db: got {storage!r}.")
    return storage


def _are_one(url: str, log: str) -> bool:
    """Whether both are one file or database, by whatever driver."""
    if "://" not in log:
        return False
    one, other = make_url(url), make_url(log)
    if one.get_backend_name() != other.get_backend_name():
        return False
    if one.get_backend_name() == "sqlite":
        return Path(one.database or "").resolve() == Path(other.database or "").resolve()
    return (one.host, one.port, one.database) == (other.host, other.port, other.database)


def _study(
    specification: Mapping[str, Any], objectives: Objectives, storage: "str | optuna.storages.BaseStorage", name: str
) -> optuna.Study:
    """The study of this name, which is new or was exported from the same one."""
    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    directions = [up if isinstance(aim, Maximize) else down for aim in objectives.aims]
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        known = kept(STUDY, study._storage.get_study_system_attrs(study._study_id)) or {}
        if known.get("id") != specification["id"]:
            raise StudyExistsError(
                f"Optuna has another study {name!r} there: choose another name, or delete that one."
            ) from None
        _describe(study, specification)  # its space may have changed
        return study
    _describe(study, specification)
    for k, side in enumerate(_sides(objectives)):
        study.set_user_attr(f"constraint {k}", side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([_title(aim) for aim in objectives.aims])
    return study


def _describe(study: optuna.Study, specification: Mapping[str, Any]) -> None:
    """Keeps what the study is, for `bbo.studies.optuna.importing`."""
    put = study._storage.set_study_system_attr
    content = {k: specification[k] for k in ("id", "space", "objectives", "seed")}
    if kept(STUDY, study._storage.get_study_system_attrs(study._study_id)) != json.loads(canonical(content)):
        keep(STUDY, content, lambda key, part: put(study._study_id, key, part))


def _title(aim: Any) -> str:
    return f"{aim.metric} off {aim.value:g}" if isinstance(aim, Target) else aim.metric


def _may_become(old: FrozenTrial, new: FrozenTrial) -> bool:
    """Whether Optuna, which changes no trial that has ended, can make one into the other."""
    if old.state.is_finished():
        return kept(TRIAL, old.system_attrs) == kept(TRIAL, new.system_attrs)
    return old.params == new.params and old.distributions == new.distributions


def _complete(study: optuna.Study, old: FrozenTrial, new: FrozenTrial) -> None:
    storage, key = study._storage, old._trial_id
    for name, value in new.user_attrs.items():
        storage.set_trial_user_attr(key, name, value)
    for name, value in new.system_attrs.items():
        storage.set_trial_system_attr(key, name, value)
    for step, value in new.intermediate_values.items():
        storage.set_trial_intermediate_value(key, step, value)
    if new.state != old.state:
        storage.set_trial_state_values(key, new.state, new.values)


def _frozen(space: Space, objectives: Objectives, trial: Trial, *, is_past: bool) -> FrozenTrial:
    values = to_optuna(space, trial.params)
    distributions = {name: _around(d, values[name]) for name, d in distributions_of(space).items() if name in values}
    state = _STATES[trial.status]
    V = np.array([[trial.values.get(metric, np.nan) for metric in objectives.metrics]])
    system_attrs: dict[str, Any] = {}
    keep(TRIAL, _record(trial) | ({"is_past": True} if is_past else {}), system_attrs.__setitem__)
    if state == TrialState.COMPLETE and objectives.constraints:
        # As a list, which Optuna Dashboard knows, and Optuna 5 still.
        system_attrs["constraints"] = objectives.violations(V)[0].tolist()
    ended = state.is_finished()
    return FrozenTrial(
        number=-1,  # Optuna's to say
        trial_id=-1,
        state=state,
        value=None,
        values=_values(objectives, V) if state == TrialState.COMPLETE else None,
        datetime_start=_local(trial.asked_at),
        datetime_complete=_local(trial.ended_at) if ended else None,
        params=values,
        distributions=distributions,
        user_attrs=_for_people(trial),
        system_attrs=system_attrs,
        intermediate_values=_reports(objectives, trial),
    )


def _around(distribution: BaseDistribution, value: Any) -> BaseDistribution:
    """The distribution, or a wider one of its kind that has a value which was executed outside of it."""
    if distribution._contains(distribution.to_internal_repr(value)):
        return distribution
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = min(distribution.low, value), max(distribution.high, value)
    if isinstance(distribution, IntDistribution):
        return IntDistribution(int(low), int(high), log=distribution.log)
    return FloatDistribution(low, high, log=distribution.log)


def _sides(objectives: Objectives) -> list[str]:
    """A name for each column of violations."""
    return [
        f"{con.metric} {sign} {bound:g}"
        for con in objectives.constraints
        for sign, bound in ((">=", con.lower), ("<=", con.upper))
        if bound is not None
    ]


def _values(objectives: Objectives, V: Any) -> list[float]:
    """As Optuna has them: of a Target how far off it is."""
    return [
        float(-aim.utility(V[:, k])[0]) if isinstance(aim, Target) else float(V[0, k])
        for aim in objectives.aims
        for k in [objectives.metrics.index(aim.metric)]
    ]


def _reports(objectives: Objectives, trial: Trial) -> dict[int, float]:
    metric = objectives.aims[0].metric
    return {r.step: r.values[metric] for r in trial.reports if r.step is not None and metric in r.values}


def _record(trial: Trial) -> dict[str, Any]:
    """What a trial has, as JSON, without what it has not."""
    record = {f.name: getattr(trial, f.name) for f in fields(trial) if f.name not in _ELSEWHERE}
    record["reports"] = [{"step": r.step, "values": r.values, "cost": r.cost} for r in trial.reports]
    return {name: value for name, value in record.items() if value not in (None, "", (), [], {})}


def _for_people(trial: Trial) -> dict[str, Any]:
    """What Optuna's dashboard shows beside a trial."""
    said: dict[str, Any] = dict(trial.values)
    said |= {} if trial.cost is None else {"cost": trial.cost}
    said |= {"status": trial.status.value} if trial.status in (Status.PAUSED, Status.CANCELLED) else {}
    said |= {} if trial.reason is None else {"reason": trial.reason.value}
    said |= {name: text[-_MOST_LETTERS:] for name in ("message", "note") if (text := getattr(trial, name))}
    return said | ({"suggested by": trial.notes["by"]} if "by" in trial.notes else {})


def _local(at: str) -> datetime:
    """As Optuna has times: of the machine's zone, which is not said."""
    then = datetime.fromisoformat(at) if at else datetime.now().astimezone()
    return then.astimezone().replace(tzinfo=None)
