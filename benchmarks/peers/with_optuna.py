"""Optuna's samplers with their defaults: `tpe`, `tpe-group`, `gp` or `cmaes` is the argument.

All but the last know constraints on outcomes, none any on points. `tpe-group` is TPE with `multivariate=True` and
`group=True`, which is made for parameters that are there under conditions.
"""

import sys
from collections.abc import Sequence
from functools import partial

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from peer import Parameter, Params, Task, Told, serve

KINDS = {
    "tpe": optuna.samplers.TPESampler,
    "tpe-group": partial(optuna.samplers.TPESampler, multivariate=True, group=True),
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
}


def distribution(p: Parameter) -> BaseDistribution:
    if p.kind == "categorical":
        return CategoricalDistribution(p.choices)
    if p.kind == "int":
        return IntDistribution(int(p.low), int(p.high), log=p.log, step=int(p.step or 1))
    return FloatDistribution(p.low, p.high, log=p.log, step=p.step)


def suggest(trial: optuna.Trial, p: Parameter) -> None:
    if p.kind == "categorical":
        trial.suggest_categorical(p.name, p.choices)
    elif p.kind == "int":
        trial.suggest_int(p.name, int(p.low), int(p.high), log=p.log, step=int(p.step or 1))
    else:
        trial.suggest_float(p.name, p.low, p.high, log=p.log, step=p.step)


class Sampler:
    def __init__(self, task: Task, kind: str) -> None:
        self._study = optuna.create_study(sampler=KINDS[kind](seed=task.seed))
        self._parameters = task.parameters
        self._asked: optuna.Trial | None = None

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            if self._asked is None:
                self._study.enqueue_trial(t.params)
            trial = self._asked or self._next()
            for k, g in enumerate(t.violations):
                trial.set_constraint(f"g{k}", g)
            self._study.tell(trial, t.value)
        self._asked = self._next()
        return self._asked.params

    def _next(self) -> optuna.Trial:
        if not any(p.when for p in self._parameters):
            return self._study.ask({p.name: distribution(p) for p in self._parameters})
        trial = self._study.ask()
        for p in self._parameters:
            if p.is_there(trial.params):
                suggest(trial, p)
        return trial


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    serve(lambda task: Sampler(task, sys.argv[1]), "optuna", "numpy")
