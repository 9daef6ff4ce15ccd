"""One evaluation, wherever it happens: in this thread, another, or another process."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bbo.errors import InvalidPointError
from bbo.protocols import Problem
from bbo.trial import FailureReason, Observation, RunningTrial

Returned = float | Mapping[str, float] | None
ObjectiveFunction = Callable[[RunningTrial], Returned]


@dataclass(frozen=True)
class Outcome:
    """What came of an evaluation: values, or why there are none."""

    values: Returned = None
    reports: list[Observation] = field(default_factory=list)
    reason: FailureReason | None = None
    message: str = ""


@dataclass(frozen=True)
class Evaluating:
    """A problem as an objective; pickles when the problem does."""

    problem: Problem

    def __call__(self, trial: RunningTrial) -> dict[str, float]:
        return self.problem.evaluate(trial.params, fidelity=trial.fidelity or None, seed=trial.seed)


def objective_function(objective: ObjectiveFunction | Problem) -> ObjectiveFunction:
    """What is called with each trial.

    Raises:
        TypeError: neither a function nor a problem.
    """
    if callable(objective):
        return objective
    if not callable(getattr(objective, "evaluate", None)):
        raise TypeError(f"An objective is a function of a RunningTrial, or a Problem: got {objective!r}.")
    return Evaluating(objective)


def evaluate(objective: ObjectiveFunction, trial: RunningTrial) -> Outcome:
    """Calls the objective; whatever it raises, short of an interrupt, is an outcome too."""
    try:
        values = objective(trial)
    except InvalidPointError as error:
        return Outcome(reports=trial.reports, reason=FailureReason.INVALID, message=str(error))
    except Exception:
        return Outcome(reports=trial.reports, reason=FailureReason.RAISED, message=traceback.format_exc())
    if values is None and trial.reports:
        last = trial.reports[-1].values
        values = last.get("", last)
    if values is None:
        return Outcome(reason=FailureReason.INVALID, message="The objective returned None and reported nothing.")
    return Outcome(values=values, reports=trial.reports)
