"""BBONode: any strategy of bbo as a generation node of Ax.

    client.set_generation_strategy(GenerationStrategy(name="bbo", nodes=[BBONode()]))

What Ax knows is read anew at each call. Why a point was suggested, which the next fit goes on from, stands in the
metadata of its generator run; the node itself keeps that only until Ax has made a trial of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ax.core.arm import Arm
from ax.core.base_trial import BaseTrial
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.objective import Objective as AxObjective
from ax.core.optimization_config import OptimizationConfig
from ax.core.parameter import ChoiceParameter, DerivedParameter, FixedParameter, ParameterType, RangeParameter
from ax.core.search_space import SearchSpace
from ax.core.trial_status import TrialStatus
from ax.core.types import ComparisonOp, TParameterization
from ax.exceptions.core import SearchSpaceExhausted
from ax.generation_strategy.external_generation_node import ExternalGenerationNode

from bbo import seeding
from bbo.errors import SpaceError, StrategyError
from bbo.events import digest
from bbo.integrations.seen import SeenLog, SeenTrial, next_point, noted
from bbo.objective import Maximize, Minimize, Objectives, OutcomeConstraint
from bbo.protocols import Strategy
from bbo.space import Categorical, Float, Int, Linear, Ordinal, Params, Space
from bbo.space.counting import members_of
from bbo.studies import specification
from bbo.studies.stopped import no_better, usual
from bbo.trial import FailureReason, Notes, Status

_KEY = "bbo"
# Ax takes up failed trials again, and abandoned ones no more; neither says that the point is to blame.
_STATUSES = {
    TrialStatus.COMPLETED: Status.COMPLETED,
    TrialStatus.EARLY_STOPPED: Status.COMPLETED,
    TrialStatus.FAILED: Status.FAILED,
    TrialStatus.ABANDONED: Status.CANCELLED,
}


class BBONode(ExternalGenerationNode):
    """A node for Ax's `GenerationStrategy`, alone or after others.

    Trials that were not completed count as pending, noise (`sem`) counts where it is said. Abandoned trials are not
    suggested again; failed ones teach nothing, as Ax means them to be run again. Those that were stopped early count
    with what they have, as far as that is no better than the median of the completed ones. A hierarchical space has
    conditions in bbo, and linear constraints on parameters are kept. Fixed parameters of a call are values that its
    points have, as in Ax; they are no context to find a best point for. Where a space of up to 10,000 points has fewer
    untried ones than trials are asked for, there are fewer. Points do not depend on the client's seed.

    Args:
        strategy: any of bbo's, or one of your own; `GP()` when None.
        seed: of all random numbers; drawn when None.
        name: of the node.
        transition_criteria: of Ax, where other nodes follow.
    Raises:
        StrategyError: what is no strategy; or, when a trial is asked for, one that cannot take the experiment.
        SpaceError: when a trial is asked for: a fidelity or a task among the parameters; a fixed value that cannot be.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        seed: int | None = None,
        name: str = "bbo",
        transition_criteria: Sequence[Any] | None = None,
    ) -> None:
        if strategy is None:
            strategy = specification.rebuild(specification.DEFAULT_STRATEGY)
        specification.check_strategy(strategy)
        if seed is not None:
            specification.check_seed(seed)
        super().__init__(name=name, transition_criteria=transition_criteria)
        self._strategy = strategy
        self._seed = seeding.draw() if seed is None else int(seed)
        self._log = SeenLog()
        self._fixed: Params = {}
        # Of one generator run, in its order; and by point of those that are no trials yet.
        self._notes: list[Notes] = []
        self._given: dict[str, Notes] = {}

    def new_trial_limit(self, raise_generation_errors: bool = False) -> int:
        """As Ax says, and no more than the untried points of a space that has few; -1 for any number."""
        limit: int = super().new_trial_limit(raise_generation_errors)
        space = space_of(self.experiment.search_space)
        members = members_of(space)
        if members is None:
            return limit
        arms = [arm for trial in self.experiment.trials.values() if not _is_to_come(trial) for arm in trial.arms]
        tried = [digest(point) for arm in arms if (point := _point(space, arm)) is not None]
        n_untried = len(set(map(digest, space.decode(members))) - set(tried))
        return n_untried if limit == -1 else min(limit, n_untried)

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:
        self._experiment, self._data = experiment, data

    def _gen(self, experiment: Experiment, *args: Any, **options: Any) -> GeneratorRun:
        features = options.pop("fixed_features", None)
        self._fixed = {} if features is None else _given(experiment.search_space, features.parameters)
        self._notes = []
        run = super()._gen(experiment, *args, **options)
        run._gen_metadata = {**(run.gen_metadata or {}), _KEY: self._notes}
        return run

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:
        space = space_of(self._experiment.search_space)
        objectives, sums = objectives_of(self._experiment.optimization_config)
        refusal = specification.refusal(self._strategy, space, objectives)
        if refusal is not None:
            raise StrategyError(refusal)
        seen = list(_seen(self._experiment, self._data, space, objectives, sums))
        others = _beyond(self._experiment, pending_parameters)
        self._given = {key: notes for key, notes in self._given.items() if key in map(digest, others)}
        for params in others:
            point = {name: value for name, value in params.items() if name in space.by_name}
            seen.append(SeenTrial(number=len(seen), params=point, notes=self._given.get(digest(params), {})))
        history = self._log.history(space, objectives, self._seed, seen)
        said = next_point(self._strategy, history, len(seen), self._fixed)
        if said is None:
            raise SearchSpaceExhausted("bbo has no untried point to suggest, or waits for pending trials.")
        point, notes = said
        values = _whole(self._experiment.search_space, point)
        self._notes.append(noted(notes, seen))
        self._given[digest(values)] = self._notes[-1]
        return values


def notes_of(run: GeneratorRun) -> list[Notes]:
    """Why bbo suggested the arms of a generator run; empty where it did not. The keys are those of `bbo.events`."""
    notes: list[Notes] = (run.gen_metadata or {}).get(_KEY, [])
    return notes


# Spaces.


def space_of(search_space: SearchSpace) -> Space:
    """The space of an experiment: what can be chosen, with its conditions and constraints.

    Raises:
        SpaceError: a fidelity or a task among the parameters.
    """
    whens: dict[str, dict[str, tuple[Any, ...]]] = {}
    for p in search_space.parameters.values():
        if isinstance(p, ChoiceParameter) and p.is_hierarchical:
            for value, names in p.dependents.items():
                for name in names:
                    known = whens.setdefault(name, {})
                    known[p.name] = (*known.get(p.name, ()), value)
    chosen = [p for p in search_space.parameters.values() if isinstance(p, (RangeParameter, ChoiceParameter))]
    parameters = tuple(_parameter(p, whens.get(p.name)) for p in chosen)
    chosen_names = {p.name for p in parameters}
    constraints = []
    for c in search_space.parameter_constraints:
        fixed = {name: _fixed_value(search_space, name) for name in c.constraint_dict if name not in chosen_names}
        bound = c.bound - sum(c.constraint_dict[name] * value for name, value in fixed.items())
        coefficients = {name: float(v) for name, v in c.constraint_dict.items() if name in chosen_names}
        if coefficients:
            constraints.append(Linear(coefficients, lower=bound if c.is_equality else None, upper=bound))
    return Space(parameters, tuple(constraints))


def _parameter(p: RangeParameter | ChoiceParameter, when: dict[str, tuple[Any, ...]] | None) -> Any:
    if p.is_fidelity or getattr(p, "is_task", False):
        raise SpaceError(
            f"Parameter {p.name!r} is a {'fidelity' if p.is_fidelity else 'task'}, which bbo does not take."
        )
    if isinstance(p, ChoiceParameter):
        return (Ordinal if p.is_ordered and len(p.values) > 2 else Categorical)(p.name, tuple(p.values), when=when)
    if p.parameter_type == ParameterType.INT:
        return Int(p.name, int(p.lower), int(p.upper), log=p.log_scale, when=when)
    low, high = float(p.lower), float(p.upper)
    if p.digits is not None and not p.log_scale:
        try:
            return Float(p.name, low, high, step=10.0**-p.digits, when=when)
        except SpaceError:
            pass  # bounds of more digits
    return Float(p.name, low, high, log=p.log_scale, when=when)


def _fixed_value(search_space: SearchSpace, name: str) -> float:
    p = search_space.parameters[name]
    if not isinstance(p, FixedParameter):
        raise SpaceError(f"A constraint names {name!r}, which is derived from others: name those.")
    return float(p.value or 0.0)


def _given(search_space: SearchSpace, features: TParameterization) -> Params:
    """Of the values that a call fixes those that are chosen otherwise.

    Raises:
        SpaceError: one of a parameter that is not there, is derived, or has another value.
    """
    given: Params = {}
    for name, value in features.items():
        p = search_space.parameters.get(name)
        if isinstance(p, FixedParameter) and p.value == value:
            continue
        if not isinstance(p, (RangeParameter, ChoiceParameter)):
            said = f"the parameters are {list(search_space.parameters)}" if p is None else f"it is {p}"
            raise SpaceError(f"Cannot fix {name!r} at {value!r}: {said}.")
        given[name] = value
    return given


def _whole(search_space: SearchSpace, point: Params) -> TParameterization:
    """A point with what is not chosen: fixed values and derived ones, as far as they are there."""
    fixed = {p.name: p.value for p in search_space.parameters.values() if isinstance(p, FixedParameter)}
    values: TParameterization = {**fixed, **point}
    for p in search_space.parameters.values():
        if isinstance(p, DerivedParameter):
            values[p.name] = p.compute(values)
    return {name: values[name] for name in search_space.parameters if name in values}


# Values.


def objectives_of(config: OptimizationConfig | None) -> tuple[Objectives, dict[str, list[tuple[str, float]]]]:
    """What is wanted, and by each metric of it the weighted sum of Ax's metrics that it is.

    Raises:
        StrategyError: nothing is wanted, or bounds are relative to a baseline.
    """
    if config is None:
        raise StrategyError("The experiment has no objective: call configure_optimization() first.")
    wanted: list[Any] = []
    sums: dict[str, list[tuple[str, float]]] = {}
    objective = config.objective
    for text in objective.expression.split(","):
        part = AxObjective(expression=text.strip(), metric_name_to_signature=objective.metric_name_to_signature)
        weights = list(zip(part.metric_names, (w for _, w in part.metric_weights), strict=True))
        if len(weights) == 1 and abs(weights[0][1]) == 1.0:
            name, weight = weights[0]
            wanted.append(Maximize(name) if weight > 0 else Minimize(name))
            sums[name] = [(name, 1.0)]
        else:
            wanted.append(Maximize(text.strip()))
            sums[text.strip()] = weights
    for c in config.outcome_constraints:
        if c.relative:
            raise StrategyError(f"The outcome constraint {c.expression!r} is relative to a baseline: give a number.")
        weights = list(zip(c.metric_names, (w for _, w in c.metric_weights), strict=True))
        name = weights[0][0] if len(weights) == 1 and weights[0][1] == 1.0 else c.expression
        known = next((w for w in wanted if isinstance(w, OutcomeConstraint) and w.metric == name), None)
        lower, upper = (None, None) if known is None else (known.lower, known.upper)
        if known is not None:
            wanted.remove(known)
        lower, upper = (c.bound, upper) if c.op == ComparisonOp.GEQ else (lower, c.bound)
        wanted.append(OutcomeConstraint(name, lower=lower, upper=upper))
        sums[name] = weights
    return Objectives(tuple(wanted)), sums


def _seen(
    experiment: Experiment,
    data: Data,
    space: Space,
    objectives: Objectives,
    sums: Mapping[str, Sequence[tuple[str, float]]],
) -> Iterator[SeenTrial]:
    """The arms of all trials that are points of the space, or lie around it."""
    rows = _rows(data)
    best = usual(objectives, _ends(experiment, rows, objectives, sums))
    number = 0
    for index, trial in experiment.trials.items():
        if _is_to_come(trial):
            continue
        for run in trial.generator_runs:
            for arm, notes in zip(run.arms, notes_of(run) or [{}] * len(run.arms), strict=True):
                status = _STATUSES.get(trial.status, Status.RUNNING)
                is_abandoned = arm.name in {a.name for a in getattr(trial, "abandoned_arms", ())}
                status = Status.CANCELLED if is_abandoned else status
                values, sd = _observed(rows.get((index, arm.name), {}), sums)
                if trial.status == TrialStatus.EARLY_STOPPED and not objectives.missing(values):
                    values = no_better(values, best, objectives)
                if status is Status.COMPLETED and objectives.missing(values):
                    status = Status.RUNNING
                point = _point(space, arm)
                if point is None:
                    continue
                yield SeenTrial(
                    number=number,
                    params=point,
                    status=status,
                    values=values,
                    sd=sd,
                    reason=FailureReason.LOST,
                    notes=notes,
                )
                number += 1


def _is_to_come(trial: BaseTrial) -> bool:
    """Whether a trial was never run, and is to be suggested again."""
    return bool(trial.status == TrialStatus.STALE)


def _point(space: Space, arm: Arm) -> Params | None:
    """None for an arm of another space."""
    try:
        point = space.there(space.check_executed({n: v for n, v in arm.parameters.items() if n in space.by_name}))
        space.check_names(point)
    except SpaceError:
        return None
    return point


def _beyond(experiment: Experiment, pending: Sequence[TParameterization]) -> list[TParameterization]:
    """Of the points that Ax calls pending those that are in no trial yet."""
    tried = [arm.parameters for trial in experiment.trials.values() for arm in trial.arms]
    return [params for params in pending if params not in tried]


def _rows(data: Data) -> dict[tuple[int, str], dict[str, tuple[float, float]]]:
    """By trial and arm the mean and its standard error of each metric."""
    rows: dict[tuple[int, str], dict[str, tuple[float, float]]] = {}
    frame = data.df
    for index, arm, metric, mean, sem in zip(
        *(frame[column].tolist() for column in ("trial_index", "arm_name", "metric_name", "mean", "sem")), strict=True
    ):
        rows.setdefault((int(index), arm), {})[metric] = (float(mean), float(sem))
    return rows


def _observed(
    told: Mapping[str, tuple[float, float]], sums: Mapping[str, Sequence[tuple[str, float]]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Values of the metrics of bbo and the standard deviations that are known, from those of Ax's metrics."""
    values, sd = {}, {}
    for name, weights in sums.items():
        if all(metric in told and math.isfinite(told[metric][0]) for metric, _ in weights):
            values[name] = sum(weight * told[metric][0] for metric, weight in weights)
            deviation = math.hypot(*(weight * told[metric][1] for metric, weight in weights))
            if math.isfinite(deviation):
                sd[name] = deviation
    return values, sd


def _ends(
    experiment: Experiment,
    rows: Mapping[tuple[int, str], Mapping[str, tuple[float, float]]],
    objectives: Objectives,
    sums: Mapping[str, Sequence[tuple[str, float]]],
) -> list[float]:
    """The first objective's values of the completed trials."""
    metric = objectives.aims[0].metric
    return [
        values[metric]
        for (index, _), told in rows.items()
        if experiment.trials[index].status == TrialStatus.COMPLETED and metric in (values := _observed(told, sums)[0])
    ]
