"""A suggestion, and a trial as people see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Integral
from typing import Any

from bbo import markup
from bbo.errors import ObjectiveError

Params = dict[str, Any]
Notes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A point proposed by a strategy.

    Args:
        params: a member of the space.
        fidelity: how much of the full evaluation is to be paid for; empty for all of it.
        resume: number of the trial that this continues.
        parent: number of the trial whose checkpoint this starts from.
        notes: small JSON that says why; keys that others read are listed in `bbo.events`.
    """

    params: Params
    fidelity: Mapping[str, float] = field(default_factory=dict)
    resume: int | None = None
    parent: int | None = None
    notes: Notes = field(default_factory=dict)


class Status(StrEnum):
    """Where a trial is in its life."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"


class FailureReason(StrEnum):
    """Why a trial failed; strategies see the first two, see `TELLING`."""

    RAISED = "raised"
    INVALID = "invalid"
    TIMEOUT = "timeout"
    LOST = "lost"


# Failures that say something about the point; a timeout or a lost worker does not.
TELLING = (FailureReason.RAISED, FailureReason.INVALID)


@dataclass(frozen=True, slots=True)
class Observation:
    """What an evaluation gave.

    Args:
        values: by metric, in the user's units.
        sd: standard deviation of the noise by metric, in the same units; empty when unknown.
        cost: in the study's unit of cost; None when not said.
        step: of a report within a trial; None for the final observation.
    """

    values: Mapping[str, float]
    sd: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A suggestion with a number and a life, as it was when it was read.

    `trial["lr"]` is `trial.params["lr"]`. `seed` makes noise and training of its evaluation reproducible; it comes from
    the study's seed and the number.

    Args:
        params: as executed, where that was told; else as suggested.
        suggested: what was suggested, where something else was executed.
        values: by metric; empty until told, some of them while `status` is running when the rest is to come. The mean,
            where there are replicates.
        replicates: single measurements by metric, where several were told.
        note: free text of people, a line each.
        notes: why it was suggested; see `bbo.events`.
    """

    number: int
    params: Params
    status: Status
    seed: int
    study: str = ""
    fidelity: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    is_feasible: bool | None = None
    sd: Mapping[str, float] = field(default_factory=dict)
    replicates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cost: float | None = None
    reports: tuple[Observation, ...] = ()
    reason: FailureReason | None = None
    message: str = ""
    note: str = ""
    notes: Notes = field(default_factory=dict)
    resume: int | None = None
    parent: int | None = None
    suggested: Params | None = None
    asked_at: str = ""
    ended_at: str = ""

    def __getitem__(self, name: str) -> Any:
        return _value(self.params, name)

    def _repr_html_(self) -> str:
        """In a notebook: what it is, what it gave, why it was suggested."""
        title = f"Trial {self.number}: {self.status.value}"
        if self.is_feasible is not None:
            title += ", feasible" if self.is_feasible else ", infeasible"
        said = {"cost": self.cost, "note": self.note, "reason": self.reason, "message": self.message}
        expected = {f"expected {metric}": mean for metric, mean in (self.notes.get("mean") or {}).items()}
        why = {"suggested by": self.notes.get("by")} | expected
        others = {name: v for name, v in {**said, **why}.items() if v not in (None, "")}
        return markup.heading(title) + markup.pairs({**self.params, **self.values, **others})


@dataclass(slots=True)
class RunningTrial:
    """What an objective is called with: the point, and a way to report on the way.

    `trial["lr"]` is `trial.params["lr"]`. `seed` is the same whenever this trial is evaluated, also after a crash.
    """

    number: int
    params: Params
    seed: int
    fidelity: Mapping[str, float] = field(default_factory=dict)
    attempt: int = 1
    resume: int | None = None
    reports: list[Observation] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return _value(self.params, name)

    def report(self, values: float | Mapping[str, float], step: int, *, cost: float | None = None) -> None:
        """Says how far the evaluation is; steps must increase. An objective that returns None is told its last report.

        Reports are kept with the trial when its evaluation ends.

        Args:
            values: a number where the study has one metric, else by metric.
            step: a whole number from 0, e.g. the epoch.
            cost: spent so far, in the study's unit.
        """
        check_step(step)
        if self.reports and step <= (self.reports[-1].step or 0):
            raise ValueError(f"Steps must increase: got {step!r} after {self.reports[-1].step!r}.")
        by_metric = values if isinstance(values, Mapping) else {"": values}
        self.reports.append(Observation(by_metric, cost=cost, step=step))


def check_step(step: object) -> None:
    """Raises ObjectiveError for what is no step of a report."""
    if isinstance(step, bool) or not isinstance(step, Integral) or step < 0:
        raise ObjectiveError(f"A report's step is a whole number from 0: got {step!r}.")


def _value(params: Params, name: str) -> Any:
    if name not in params:
        raise KeyError(f"The point has {list(params)}: got {name!r}.")
    return params[name]
