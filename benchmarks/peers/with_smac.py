"""SMAC's facade for hyperparameters, a random forest, with its defaults; it knows conditions and no constraints."""

import tempfile
from collections.abc import Sequence

from ConfigSpace import AndConjunction, Categorical, ConfigurationSpace, Float, InCondition, Integer
from ConfigSpace.hyperparameters import Hyperparameter
from peer import Parameter, Params, Task, Told, serve
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue


def hyperparameter(p: Parameter) -> Hyperparameter:
    if p.kind == "categorical":
        return Categorical(p.name, list(p.choices))
    if p.kind == "int":
        return Integer(p.name, (int(p.low), int(p.high)), log=p.log)
    return Float(p.name, (p.low, p.high), log=p.log)


def described(parameters: Sequence[Parameter]) -> ConfigurationSpace:
    space = ConfigurationSpace({p.name: hyperparameter(p) for p in parameters})
    for p in parameters:
        conditions = [InCondition(space[p.name], space[name], list(v)) for name, v in (p.when or {}).items()]
        if conditions:
            space.add(AndConjunction(*conditions) if len(conditions) > 1 else conditions[0])
    return space


def not_called(config: object, seed: int = 0) -> float:
    raise AssertionError("points are evaluated elsewhere")


class Facade:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._space = described(task.parameters)
        self._smac: HyperparameterOptimizationFacade | None = None
        self._asked: TrialInfo | None = None

    def suggest(self, told: Sequence[Told]) -> Params:
        smac = self._smac or self._started(with_design=not told)
        self._smac = smac
        for t in told:
            info = self._asked or TrialInfo(config=self._configuration(t.params), seed=0)
            smac.tell(info, TrialValue(cost=t.penalized))
        self._asked = smac.ask()
        point = dict(self._asked.config)
        return {p.name: _plain(p, point[p.name]) for p in self._task.parameters if p.name in point}

    def _started(self, *, with_design: bool) -> HyperparameterOptimizationFacade:
        scenario = Scenario(
            self._space,
            deterministic=True,
            n_trials=self._task.n_trials,
            seed=self._task.seed,
            output_directory=tempfile.mkdtemp(dir="."),
        )
        facade = HyperparameterOptimizationFacade
        design = {} if with_design else {"initial_design": facade.get_initial_design(scenario, n_configs=0)}
        return facade(scenario, not_called, logging_level=40, **design)

    def _configuration(self, params: Params) -> object:
        return self._space.get_default_configuration().__class__(self._space, values=params)


def _plain(p: Parameter, value: object) -> object:
    return {"categorical": str, "int": int, "float": float}[p.kind](value)


if __name__ == "__main__":
    serve(Facade, "smac", "ConfigSpace", "numpy")
