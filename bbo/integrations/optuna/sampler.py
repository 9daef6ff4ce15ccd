"""BBOSampler: any strategy of bbo inside Optuna.

Optuna asks for a trial's values in two ways. The values of parameters that it knows are chosen together (`relative`);
those that an objective asks for unexpectedly are drawn one by one (`independent`). What is known is the space that was
given, or what trials so far have shown of it, see `bbo.studies.optuna.spaces`.

Nothing is kept between asks but in Optuna's storage: each ask reads the trials there, and what it chose, and why,
stands in the system attributes of its trial. So any number of processes may work on one study. Optuna has no atomic
ask: two processes that ask at once do not see each other, and may choose the same. Here each writes down what it chose,
then reads what others wrote, and where nobody else has it writes that it is settled. Where a trial of a lower number
has the same, or one that is settled, it chooses again; for one of a higher number, which may not have looked since, it
waits until that is settled or has chosen again. Of two with one choice the later writer sees both: never both settle.
"""

import math
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from bbo import seeding, strategies
from bbo.errors import SpaceError, StrategyError
from bbo.history import History
from bbo.integrations.seen import SeenLog, SeenTrial, next_point, noted
from bbo.objective import Objectives
from bbo.protocols import Strategy
from bbo.space import Float, Parameter, Params, Space
from bbo.studies import specification
from bbo.studies.optuna.attributes import keep, kept
from bbo.studies.optuna.distributions import check_choices, parameter_of
from bbo.studies.optuna.spaces import Given, Searched, external, inferred, name_of
from bbo.studies.optuna.told import objectives_of, outcomes, reasons
from bbo.trial import FailureReason, Notes

_KEY, _SETTLED = "bbo", "bbo:settled"
_SHOWING = (TrialState.COMPLETE, TrialState.PRUNED)
# How often one trial chooses again where another has the same; each time it knows what the others chose.
_MOST_CHOICES = 50
# Seconds for which a trial waits for one of a higher number that may be of a process that has died, and between looks.
_PATIENCE_S, _LOOKS_S = 10.0, 0.005
# Several threads of one process may ask; torch's number of threads is one for all.
_ASKING = threading.Lock()


class BBOSampler(BaseSampler):
    """A sampler for `optuna.create_study(sampler=BBOSampler())`.

    Running trials count as pending, failed ones teach where not to go, pruned ones count with their last report, as far
    as that is no better than the median of the completed ones. Constraints are those of `trial.set_constraint`, or of
    `constraints_func`. Enqueued and added trials are taken into account.

    Args:
        strategy: any of bbo's, or one of your own. By default `GP()`, and `SobolSearch()` for several objectives.
        space: where parameters depend on each other: with conditions, constraints, mixtures, orders. `suggest` asks for
            the values of such a space. Without it, the space is what trials show.
        seed: of all random numbers; drawn when None. The same trials under the same numbers get the same values, in
            whatever process.
        constraints_func: takes a finished trial, gives numbers that are <= 0 where it is feasible. In Optuna 5
            `trial.set_constraint` takes its place.
    Raises:
        StrategyError: what is no strategy; or, when a study asks, one that cannot take it, such as one for a single
            objective.
        SpaceError: when a study asks: choices that Optuna takes for one, such as True and 1.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        space: Space | Sequence[Parameter] | None = None,
        seed: int | None = None,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ) -> None:
        if strategy is not None:
            specification.check_strategy(strategy)
        if seed is not None:
            specification.check_seed(seed)
        self._strategy = strategy
        self._given = None if space is None else Given(specification.as_space(space))
        self._seed = seeding.draw() if seed is None else int(seed)
        self._constraints_func = constraints_func
        self._memo = _Memo()
        self._has_warned = False

    def __repr__(self) -> str:
        given = {
            "strategy": self._strategy,
            "space": None if self._given is None else self._given.space,
            "seed": self._seed,
            "constraints_func": self._constraints_func,
        }
        return f"BBOSampler({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memo": _Memo()}  # another process reads the trials anew

    def reseed_rng(self) -> None:
        """Does nothing: random numbers come from the seed and the trial's number, so those of two processes differ."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        searched = self._searched(_others(study, trial))
        return {} if searched is None else dict(sorted(searched.distributions.items()))

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._check(study)
        if not search_space:
            return {}
        enqueued = {**trial.system_attrs.get("fixed_params", {}), **_partly_fixed(study)}
        with _ASKING:
            before: dict[str, Any] | None = None
            for _ in range(_MOST_CHOICES):
                trials = _others(study, trial)
                self._warn_of_misfits(trials)
                searched = self._searched(trials, {*search_space, *enqueued})
                if searched is None:
                    return {}
                values, is_new = self._choose(study, trial, trials, searched, enqueued)
                if not is_new or values == before or _is_alone(study, trial, values, searched):
                    break
                before = values
            study._storage.set_trial_system_attr(trial._trial_id, _SETTLED, True)
        return {name: value for name, value in values.items() if name in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Of the very first trial the middle, where a first design of bbo begins; drawn, later."""
        self._check(study)
        check_choices(param_name, param_distribution)
        if trial.number == 0:
            try:
                (middle,) = parameter_of(param_name, param_distribution).decode(np.array([0.5]))
                return external(param_distribution, middle)
            except SpaceError:
                pass  # a single value, or nothing that bbo searches
        seed = seeding.derive(self._seed, seeding.ASK, trial.number, zlib.crc32(param_name.encode()))
        drawing = RandomSampler(seed=seed % 2**32)
        return drawing.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        if self._constraints_func is None or state not in _SHOWING:
            return
        constraints = tuple(float(c) for c in self._constraints_func(trial))
        if any(math.isnan(c) for c in constraints):
            raise ValueError(f"constraints_func gives numbers, none of them NaN: got {constraints}.")
        study._storage.set_trial_system_attr(trial._trial_id, "constraints", constraints)

    def _searched(self, trials: Sequence[FrozenTrial], names: Container[str] | None = None) -> Searched | None:
        if self._given is not None:
            return self._given
        return inferred([t for t in trials if t.state in _SHOWING], names)

    def _warn_of_misfits(self, trials: Sequence[FrozenTrial]) -> None:
        """Says once where the objective does not ask for what the given space has."""
        done = [t for t in trials if t.state in _SHOWING and kept(_KEY, t.system_attrs) is not None]
        if self._given is None or self._has_warned or not done:
            return
        latest = done[-1]
        codes = (kept(_KEY, latest.system_attrs) or {})["codes"]
        known = {name: d for name, d in self._given.distributions.items() if name in codes and not d.single()}
        unasked = [name for name in known if name not in latest.params]
        others = [
            name
            for name, d in known.items()
            if name in latest.params and latest.params[name] != d.to_external_repr(codes[name])
        ]
        if unasked or others:
            self._has_warned = True
            misfits = {"did not ask for": unasked, "asked for other ranges of": others}
            said = " and ".join(f"{verb} {names}" for verb, names in misfits.items() if names)
            warnings.warn(
                f"The objective {said}, which the space of BBOSampler(space=) has, so what was suggested "
                "was not tried: ask with bbo.integrations.optuna.suggest(trial, space), or give the sampler the space "
                "that the objective has.",
                stacklevel=2,
            )

    def _check(self, study: optuna.Study) -> None:
        """Raises StrategyError where the strategy does not take the study's objectives, whatever its space is."""
        self._strategy_for(Space((Float("x", 0.0, 1.0),)), objectives_of(study.directions, []))

    def _strategy_for(self, space: Space, objectives: Objectives) -> Strategy:
        strategy = self._strategy
        if strategy is None:
            strategy = strategies.GP() if len(objectives.aims) == 1 else strategies.SobolSearch()
        refusal = specification.refusal(strategy, space, objectives)
        if refusal is not None:
            raise StrategyError(refusal)
        return strategy

    def _choose(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        trials: Sequence[FrozenTrial],
        searched: Searched,
        enqueued: Mapping[str, Any],
    ) -> tuple[dict[str, Any], bool]:
        """Values by name, written down with the trial; and whether no other trial known so far has them.

        Args:
            enqueued: values that are given.
        """
        objectives = objectives_of(study.directions, trials)
        strategy = self._strategy_for(searched.space, objectives)
        seen = self._memo.seen(trials, searched, objectives)
        history = self._memo.log.history(searched.space, objectives, self._seed, seen)
        said = _said(strategy, history, trial.number, _fixed(enqueued, searched))
        point, notes = said or (_drawn(searched.space, self._seed, trial.number), {"by": "random"})
        values = searched.values(point)
        codes = {name: searched.distributions[name].to_internal_repr(value) for name, value in values.items()}
        record = {"codes": codes, "notes": noted(notes, seen), "space": name_of(searched.space)}
        keep(_KEY, record, lambda key, part: study._storage.set_trial_system_attr(trial._trial_id, key, part))
        return values, said is not None


def notes_of(trial: FrozenTrial | optuna.trial.Trial) -> Notes:
    """Why bbo suggested a trial of an Optuna study; empty where it did not. The keys are those of `bbo.events`.

    Args:
        trial: of `study.trials`, or the one that an objective is given, once that asked for a value.
    """
    attributes: Mapping[str, Any]
    if isinstance(trial, optuna.trial.Trial):
        attributes = trial.storage.get_trial_system_attrs(trial._trial_id)
    else:
        attributes = trial.system_attrs
    record = kept(_KEY, attributes) or {}
    notes: Notes = record.get("notes", {})
    return notes


def _others(study: optuna.Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """All trials that were started but this one, by number."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.number != trial.number and t.state != TrialState.WAITING]


def _known(trial: FrozenTrial, searched: Searched) -> dict[str, Any]:
    """A trial's values; those that its objective did not ask for, or not yet, as they were chosen."""
    record = kept(_KEY, trial.system_attrs)
    chosen = {
        name: searched.distributions[name].to_external_repr(code)
        for name, code in (record or {}).get("codes", {}).items()
        if name in searched.distributions and name not in trial.params
    }
    return {**chosen, **trial.params}


def _is_alone(study: optuna.Study, trial: FrozenTrial, values: Mapping[str, Any], searched: Searched) -> bool:
    """Whether a trial may keep these values, once they are written down."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        same = [t for t in _others(study, trial) if _has(t, values, searched)]
        if any(t.number < trial.number or _is_settled(t) for t in same):
            return False
        if not same:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_LOOKS_S)


def _is_settled(trial: FrozenTrial) -> bool:
    return trial.state != TrialState.RUNNING or bool(trial.params) or _SETTLED in trial.system_attrs


def _has(trial: FrozenTrial, values: Mapping[str, Any], searched: Searched) -> bool:
    known = _known(trial, searched)
    return all(name in known and known[name] == value for name, value in values.items())


class _Memo:
    """What was made of trials at the last ask: what has ended Optuna never changes."""

    def __init__(self) -> None:
        self.log = SeenLog()
        self._of: tuple[str, Objectives] | None = None
        self._ended: dict[int, tuple[FrozenTrial, SeenTrial | None]] = {}

    def seen(self, trials: Sequence[FrozenTrial], searched: Searched, objectives: Objectives) -> list[SeenTrial]:
        """The trials that are points of the space, or lie around it."""
        name, lost = name_of(searched.space), reasons(trials)
        if self._of != (name, objectives):
            self._of, self._ended = (name, objectives), {}
        seen = []
        for t, (status, values) in zip(trials, outcomes(trials, objectives), strict=True):
            before, known = self._ended.get(t.number, (None, None))
            reason = lost.get(t.number, FailureReason.RAISED)
            if before is not t or (known is not None and (known.values != values or known.reason != reason)):
                known = _seen(t, searched, name, status=status, values=values, reason=reason)
            if t.state.is_finished():
                self._ended[t.number] = t, known
            if known is not None:
                seen.append(known)
        return seen


def _seen(t: FrozenTrial, searched: Searched, name: str, **outcome: Any) -> SeenTrial | None:
    """None for what is of a space that was another then, or not all of it asked for yet."""
    space = searched.space
    try:
        point = space.there(space.check_executed(searched.point(_known(t, searched))))
        space.check_names(point)
    except SpaceError:
        return None
    record = kept(_KEY, t.system_attrs) or {}
    notes = record["notes"] if record.get("space") == name else {}
    ended = t.datetime_complete.isoformat() if t.datetime_complete is not None else ""
    return SeenTrial(number=t.number, params=point, ended=ended, notes=notes, **outcome)


def _said(strategy: Strategy, history: History, number: int, fixed: Params) -> tuple[Params, Notes] | None:
    """What the strategy says, given some values; None where it has nothing new."""
    try:
        return next_point(strategy, history, number, fixed)
    except SpaceError:
        if not fixed:
            raise
        return next_point(strategy, history, number)  # they contradict a constraint, and Optuna takes them


def _partly_fixed(study: optuna.Study) -> dict[str, Any]:
    """The values that a PartialFixedSampler around this one has."""
    fixed: dict[str, Any] = getattr(study.sampler, "_fixed_params", {})
    return fixed


def _fixed(enqueued: Mapping[str, Any], searched: Searched) -> Params:
    """Values that are given, as far as they lie in the space."""
    space = searched.space
    try:
        point = searched.point(enqueued)
    except SpaceError:
        return {}
    fixed: Params = {}
    for name, value in point.items():
        with suppress(SpaceError):
            fixed[name] = space.by_name[name].check(value)
    return space.there(fixed)


def _drawn(space: Space, seed: int, number: int) -> Params:
    """A random point, where all were tried, or the strategy waits for what Optuna will not wait for."""
    (point,) = space.sample(1, seeding.generator(seed, seeding.ASK, number))
    return point
