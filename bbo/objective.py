"""What is wanted of a trial: objectives and outcome constraints, and the one place where signs are flipped.

Users speak of metrics in their own units and directions. Inside, every objective is a *utility* to be maximized and
every constraint a *violation* g that is feasible when g <= 0, as in BoTorch. A metric's unit is for people and headers.
"""

import json
import math
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import complaints_of_json, refused_as
from bbo.errors import NonFiniteError, ObjectiveError

Values = dict[str, float]
_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_LARGEST = 1e307


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=_CONFIG)
class Maximize:
    """The more of this metric the better."""

    metric: str
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["maximize"] = Field(default="maximize", kw_only=True, repr=False)

    def utility(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return v

    def metric_of(self, utility: float) -> float | None:
        return utility


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=_CONFIG)
class Minimize:
    """The less of this metric the better."""

    metric: str
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["minimize"] = Field(default="minimize", kw_only=True, repr=False)

    def utility(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return -v

    def metric_of(self, utility: float) -> float | None:
        return -utility


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=_CONFIG)
class Target:
    """The nearer to `value` the better; within `tolerance` of it all are equally good."""

    metric: str
    value: float
    tolerance: float = 0.0
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["target"] = Field(default="target", kw_only=True, repr=False)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if self.tolerance < 0:
            raise ValueError(f"Target {self.metric!r}: tolerance must be at least 0, got {self.tolerance!r}.")
        return self

    def utility(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.maximum(np.abs(v - self.value) - self.tolerance, 0.0)

    def metric_of(self, utility: float) -> float | None:
        return None  # two values have this utility


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=_CONFIG)
class OutcomeConstraint:
    """A metric that must stay within bounds, both included; at least one is given."""

    metric: str
    lower: float | None = Field(default=None, kw_only=True)
    upper: float | None = Field(default=None, kw_only=True)
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["constraint"] = Field(default="constraint", kw_only=True, repr=False)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError(f"OutcomeConstraint {self.metric!r}: give lower=, upper= or both, got neither.")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"OutcomeConstraint {self.metric!r}: lower={self.lower!r} is above upper={self.upper!r}.")
        return self

    def violations(self, v: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        sides = [] if self.lower is None else [self.lower - v]
        return sides if self.upper is None else [*sides, v - self.upper]


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=_CONFIG)
class Tracked:
    """A metric that is kept with the trial and does not steer; it may be missing."""

    metric: str
    unit: str | None = Field(default=None, kw_only=True)
    kind: Literal["tracked"] = Field(default="tracked", kw_only=True, repr=False)


Objective = Maximize | Minimize | Target
Wanted = Annotated[Objective | OutcomeConstraint | Tracked, Field(discriminator="kind")]


@refused_as(ObjectiveError)
@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Objectives:
    """All that is wanted of a study, in the order given: at least one objective, any constraints, tracked metrics."""

    wanted: tuple[Wanted, ...]

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if not self.aims:
            raise ValueError("A study needs at least one objective: Maximize, Minimize or Target; got none.")
        for kind in (self.aims, self.constraints, self.tracked):
            names = [w.metric for w in kind]
            for k, name in enumerate(names):
                if name in names[:k]:
                    raise ValueError(f"Metric {name!r} stands twice among the {type(kind[k]).__name__} and its like.")
        for w in self.tracked:
            if w.metric in self.required:
                raise ValueError(f"Metric {w.metric!r} is both tracked and an objective or constraint; drop Tracked.")
        for metric in self.required:
            units = {w.unit for w in (*self.aims, *self.constraints) if w.metric == metric and w.unit is not None}
            if len(units) > 1:
                raise ValueError(f"Metric {metric!r} has one unit: got {sorted(units)}.")
        return self

    @cached_property
    def aims(self) -> tuple[Objective, ...]:
        """The objectives proper."""
        return tuple(w for w in self.wanted if isinstance(w, (Maximize, Minimize, Target)))

    @cached_property
    def constraints(self) -> tuple[OutcomeConstraint, ...]:
        return tuple(w for w in self.wanted if isinstance(w, OutcomeConstraint))

    @cached_property
    def tracked(self) -> tuple[Tracked, ...]:
        return tuple(w for w in self.wanted if isinstance(w, Tracked))

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The metrics that a completed trial must have."""
        return tuple(dict.fromkeys(w.metric for w in (*self.aims, *self.constraints)))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """All metrics, the required first: the columns of `V`."""
        return (*self.required, *(w.metric for w in self.tracked))

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The metric that each column of utilities, then of violations, is made from."""
        sides = [con.metric for con in self.constraints for bound in (con.lower, con.upper) if bound is not None]
        return (*(aim.metric for aim in self.aims), *sides)

    @cached_property
    def bands(self) -> tuple[tuple[int, int], ...]:
        """Pairs of columns of violations that are the two sides of one metric; no value violates both."""
        metrics = self.sources[len(self.aims) :]
        return tuple((k, k + 1) for k in range(len(metrics) - 1) if metrics[k] == metrics[k + 1])

    @cached_property
    def units(self) -> dict[str, str]:
        """By metric, where one was said."""
        return {w.metric: w.unit for w in self.wanted if w.unit is not None}

    def check(self, values: object) -> Values:
        """A trial's values by metric, from what an objective returned; a bare number serves a study of one metric.

        Raises:
            ObjectiveError: an unknown or missing metric, or a value that is not a finite number.
        """
        checked = self.check_some(values)
        missing = self.missing(checked)
        if missing:
            raise ObjectiveError(f"The study needs the metrics {list(self.required)}: {missing} missing in {values!r}.")
        return checked

    def missing(self, metrics: Container[str]) -> list[str]:
        """The metrics that a completed trial must have beside these."""
        return [m for m in self.required if m not in metrics]

    def check_some(self, values: object) -> Values:
        """As `check`, where metrics may be missing."""
        return {m: _finite(m, value) for m, value in self._by_metric(values).items()}

    def check_sd(self, sd: object) -> Values:
        """As `check_some`, of standard deviations."""
        try:
            checked = self.check_some(sd)
        except ObjectiveError as error:
            raise ObjectiveError(f"sd: {error}") from error
        negative = {m: v for m, v in checked.items() if v < 0}
        if negative:
            raise ObjectiveError(f"A standard deviation is at least 0: got {negative}.")
        return checked

    def check_measured(self, values: object) -> tuple[Values, dict[str, list[float]]]:
        """As `check_some`, where a list stands for several measurements of a metric: the value is their mean.

        Returns:
            the values, and the single measurements of those metrics that have several.
        """
        by_metric = {m: _singles(m, value) for m, value in self._by_metric(values).items()}
        means = {m: _finite(m, _mean(singles)) for m, singles in by_metric.items()}
        return means, {m: singles for m, singles in by_metric.items() if len(singles) > 1}

    def _by_metric(self, values: object) -> dict[str, object]:
        """In the order of the metrics; a value that stands alone is that of the only required metric."""
        if not isinstance(values, Mapping):
            if len(self.required) > 1:
                raise ObjectiveError(f"A value for each of {list(self.required)} is needed in a dict: got {values!r}.")
            values = {self.required[0]: values}
        unknown = [m for m in values if m not in self.metrics]
        if unknown:
            raise ObjectiveError(
                f"The study has the metrics {list(self.metrics)}: got values for {unknown}. "
                "Add Tracked(metric) to the objectives to keep a metric that does not steer."
            )
        return {m: values[m] for m in self.metrics if m in values}

    def utilities(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Objectives to be maximized, `n x m`, from values of all metrics, `n x len(metrics)`.

        They end at 1e307 either way: models take differences.
        """
        with np.errstate(over="ignore"):
            columns = [aim.utility(V[:, self.metrics.index(aim.metric)]) for aim in self.aims]
        return np.clip(np.stack(columns, axis=1), -_LARGEST, _LARGEST)

    def violations(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        """Constraints, feasible when <= 0, `n x c`, from values of all metrics; one column per bound, to 1e307."""
        with np.errstate(over="ignore"):
            sides = [g for con in self.constraints for g in con.violations(V[:, self.metrics.index(con.metric)])]
        return np.clip(np.stack(sides, axis=1), -_LARGEST, _LARGEST) if sides else np.zeros((len(V), 0))

    def metrics_of(
        self, means: NDArray[np.float64], sds: NDArray[np.float64]
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Means and standard deviations of metrics, `n` each, from those of utilities and violations, `n x (m + c)`.

        A metric with several columns is read from the first. Those of a Target alone are missing: two values have the
        same utility.
        """
        mean: dict[str, NDArray[np.float64]] = {}
        sd: dict[str, NDArray[np.float64]] = {}
        for k, aim in enumerate(self.aims):
            values = [aim.metric_of(u) for u in means[:, k].tolist()]
            if None not in values:
                mean[aim.metric], sd[aim.metric] = np.array(values, dtype=np.float64), sds[:, k]
        column = len(self.aims)
        for con in self.constraints:
            for bound, sign in ((con.lower, -1.0), (con.upper, 1.0)):
                if bound is None:
                    continue
                if con.metric not in mean:
                    mean[con.metric], sd[con.metric] = bound + sign * means[:, column], sds[:, column]
                column += 1
        return mean, sd

    def is_feasible(self, V: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which rows satisfy every constraint, `n`; a missing value satisfies none."""
        return np.asarray((self.violations(V) <= 0).all(axis=1))

    def to_list(self) -> list[dict[str, Any]]:
        """As JSON keeps it; `Objectives.from_list` reads it back."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        wanted: list[dict[str, Any]] = plain["wanted"]
        return wanted

    @staticmethod
    def from_list(plain: Sequence[Mapping[str, Any]]) -> "Objectives":
        """Reads what `to_list` wrote.

        Raises:
            ObjectiveError: naming the field that is wrong.
        """
        try:
            return _ADAPTER.validate_json(json.dumps({"wanted": list(plain)}))
        except ValidationError as error:
            raise ObjectiveError(f"These are not objectives: {complaints_of_json(error)}") from error


_ADAPTER = TypeAdapter(Objectives)


def worst_violations(G: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `n x c` violations the worst of each row, `n`, in units of the mean size of its kind; 0 where feasible."""
    if not len(G):
        return np.empty(0)
    shares = G / np.maximum(np.abs(G).max(axis=0), 1e-300)  # a sum of sizes may overflow, one of shares does not
    usual = np.maximum(np.abs(shares).mean(axis=0), 1e-300)
    return np.asarray(np.max(np.maximum(shares, 0.0) / usual, axis=1, initial=0.0))


def _singles(metric: str, value: object) -> list[float]:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    singles = value if isinstance(value, (list, tuple)) else [value]
    if not singles:
        raise ObjectiveError(f"Metric {metric!r} needs at least one measurement: got an empty list.")
    return [_finite(metric, single) for single in singles]


def _mean(singles: Sequence[float]) -> float:
    try:
        return fmean(singles)
    except OverflowError:
        return math.inf  # the sum is beyond all floats


def _finite(metric: str, value: object) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ObjectiveError(f"Metric {metric!r} is a number: got {value!r}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf  # a whole number of more than 308 digits
    if not math.isfinite(number):
        raise NonFiniteError(
            f"Metric {metric!r} must be finite: got {number!r}. An evaluation without a value has failed: use fail()."
        )
    return number
