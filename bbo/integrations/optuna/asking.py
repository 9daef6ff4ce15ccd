"""A whole point of a space, asked for as an objective asks Optuna."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bbo.space import Parameter, Params, Space
from bbo.space.conditions import in_order, is_there
from bbo.studies import specification
from bbo.studies.optuna.distributions import distributions_for, from_optuna


def suggest(trial: optuna.trial.BaseTrial, space: Space | Sequence[Parameter]) -> Params:
    """The trial's point of a space, by `trial.suggest_float` and the like: what its conditions leave out is not asked.

    Whatever the sampler, the names and ranges are the same. One that does not know the space, such as TPE, may give
    what is no point of it.

    Args:
        space: as `BBOSampler(space=)` has it.
    Raises:
        SpaceError: the values are no point of the space: a constraint is broken, or amounts miss their total.
    """
    space = specification.as_space(space)
    point: Params = {}
    for p in in_order(space.parameters):
        if is_there(p, point):
            asked = {name: _asked(trial, name, distribution) for name, distribution in distributions_for(p).items()}
            point |= from_optuna(space, asked)
    return space.check(point)


def _asked(trial: optuna.trial.BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, FloatDistribution):
        low, high, step, log = distribution.low, distribution.high, distribution.step, distribution.log
        return trial.suggest_float(name, low, high, step=step, log=log)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(name, distribution.choices)
