"""Ax's Client with its defaults; constraints as outcome constraints."""

import logging
from collections.abc import Sequence

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from peer import Parameter, Params, Task, Told, serve


def config(p: Parameter) -> RangeParameterConfig | ChoiceParameterConfig:
    if p.kind == "categorical":
        return ChoiceParameterConfig(name=p.name, values=list(p.choices), parameter_type="str", is_ordered=False)
    return RangeParameterConfig(
        name=p.name, bounds=(p.low, p.high), parameter_type=p.kind, scaling="log" if p.log else None
    )


class AxClient:
    def __init__(self, task: Task) -> None:
        self._client = Client(random_seed=task.seed)
        self._client.configure_experiment(parameters=[config(p) for p in task.parameters])
        self._client.configure_optimization(
            objective="-value", outcome_constraints=[f"g{k} <= 0" for k in range(task.n_violations)]
        )
        self._asked: int | None = None

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            trial = self._client.attach_trial(t.params) if self._asked is None else self._asked
            gs = {f"g{k}": g for k, g in enumerate(t.violations)}
            self._client.complete_trial(trial, raw_data={"value": t.value, **gs})
        ((self._asked, params),) = self._client.get_next_trials(max_trials=1).items()
        return params


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(AxClient, "ax-platform", "botorch", "torch")
