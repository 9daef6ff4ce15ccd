"""Optuna's samplers with their defaults: `tpe`, `gp` or `cmaes` is the argument. The first two know constraints."""

import sys
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from peer import Parameter, Params, Task, Told, serve

KINDS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler, "cmaes": optuna.samplers.CmaEsSampler}


def distribution(p: Parameter) -> BaseDistribution:
    if p.kind == "categorical":
        return CategoricalDistribution(p.choices)
    if p.kind == "int":
        return IntDistribution(int(p.low), int(p.high), log=p.log, step=int(p.step or 1))
    return FloatDistribution(p.low, p.high, log=p.log, step=p.step)


class Sampler:
    def __init__(self, task: Task, kind: str) -> None:
        self._study = optuna.create_study(sampler=KINDS[kind](seed=task.seed))
        self._space = {p.name: distribution(p) for p in task.parameters}
        self._asked: optuna.Trial | None = None

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            if self._asked is None:
                self._study.enqueue_trial(t.params)
            trial = self._asked or self._study.ask(self._space)
            for k, g in enumerate(t.violations):
                trial.set_constraint(f"g{k}", g)
            self._study.tell(trial, t.value)
        self._asked = self._study.ask(self._space)
        return self._asked.params


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    serve(lambda task: Sampler(task, sys.argv[1]), "optuna", "numpy")
