"""What Optuna's trials say, as a strategy of bbo understands it."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from bbo.objective import Maximize, Minimize, Objectives, OutcomeConstraint
from bbo.studies.stopped import no_better, usual
from bbo.trial import FailureReason, Status

# Beyond it constraints are as broken as can be.
_LARGEST = 1e300
_CONSTRAINTS = "constraints"
_NUMBERS = re.compile(r"([0-9]+)")


def constraints_of(trial: FrozenTrial) -> dict[str, float]:
    """By name the values of a trial's constraints, feasible when <= 0, whichever way Optuna was told them."""
    attributes = trial.system_attrs
    listed = attributes.get(_CONSTRAINTS) or ()
    named = {str(k): value for k, value in enumerate(listed)}
    prefix = f"{_CONSTRAINTS}:"
    return named | {key[len(prefix) :]: v for key, v in attributes.items() if key.startswith(prefix)}


def objectives_of(directions: Sequence[StudyDirection], trials: Sequence[FrozenTrial]) -> Objectives:
    """The objectives by direction, and a constraint for each that a trial told."""
    wanted: list[Any] = [
        (Maximize if direction == StudyDirection.MAXIMIZE else Minimize)(f"value {k}")
        for k, direction in enumerate(directions)
    ]
    return Objectives((*wanted, *(OutcomeConstraint(_metric(name), upper=0.0) for name in constraint_names(trials))))


def constraint_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """The constraints that any trial told, `g2` before `g10`."""
    names = {name for trial in trials for name in constraints_of(trial)}

    def order(name: str) -> list[tuple[int, str]]:
        parts = enumerate(_NUMBERS.split(name))
        return [*((int(part), "") if k % 2 else (-1, part) for k, part in parts), (-1, name)]

    return sorted(names, key=order)


def _metric(constraint: str) -> str:
    return f"constraint {constraint}"


def outcomes(trials: Sequence[FrozenTrial], objectives: Objectives) -> list[tuple[Status, dict[str, float]]]:
    """What became of each trial, and its values by metric.

    A pruned trial counts with its last report, as Optuna has it, as far as `bbo.studies.stopped` says. One without a
    report has failed. So has one that ended in infinity, on the bad side; as has one that Optuna calls failed.

    A constraint that a trial did not tell counts as fulfilled, as it does in Optuna: with the median of those that are.
    """
    ends = [t.values[0] for t in trials if t.state == TrialState.COMPLETE and t.values and math.isfinite(t.values[0])]
    best = usual(objectives, ends)
    found = [_outcome(t, objectives, best) for t in trials]
    for con in objectives.constraints:
        fulfilled = [v[con.metric] for _, v in found if v.get(con.metric, 1.0) <= 0]
        held = statistics.median(fulfilled) if fulfilled else 0.0
        for status, values in found:
            if status is Status.COMPLETED:
                values.setdefault(con.metric, held)
    return found


def _outcome(trial: FrozenTrial, objectives: Objectives, best: float | None) -> tuple[Status, dict[str, float]]:
    if trial.state in (TrialState.RUNNING, TrialState.WAITING):
        return Status.RUNNING, {}
    values = _values(trial, objectives)
    if values is None:
        return Status.FAILED, {}
    if trial.state == TrialState.PRUNED:
        values = no_better(values, best, objectives)
    return Status.COMPLETED, values


def _values(trial: FrozenTrial, objectives: Objectives) -> dict[str, float] | None:
    """By metric; None where there is no value."""
    if trial.state == TrialState.FAIL or trial.values is None:
        return None
    values: dict[str, float] = {}
    for aim, value in zip(objectives.aims, trial.values, strict=True):
        if math.isinf(value) and (value > 0) == isinstance(aim, Minimize):
            return None
        values[aim.metric] = finite(value)
    return values | {_metric(name): finite(value) for name, value in constraints_of(trial).items()}


def finite(value: float) -> float:
    """The value, or where that is infinite one beyond all that are measured."""
    return min(max(value, -_LARGEST), _LARGEST)


def reasons(trials: Sequence[FrozenTrial]) -> Mapping[int, FailureReason]:
    """By number why a trial failed, where Optuna knows that it does not lie in the point: it was tried again."""
    first = [t.system_attrs.get("failed_trial") for t in trials]
    later = [number for t in trials for number in t.system_attrs.get("retry_history", ())]
    return {number: FailureReason.LOST for number in (*first, *later) if isinstance(number, int)}
