"""BayBE's Campaign with its defaults; it knows no constraints on outcomes.

It knows no logarithmic scale and multiplies all discrete values out to one table, so that numbers on such a scale are
given as their position, and whole numbers of more than 12 levels as continuous ones, rounded. A mixture is a continuous
number for each part with a sum and a cardinality; bounds of sums are drawn in by a hair, for its points are off by as
much.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from baybe import Campaign
from baybe.constraints import ContinuousCardinalityConstraint, ContinuousLinearConstraint
from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget
from peer import Parameter, Params, Task, Told, serve

_MOST_LEVELS = 12
_HAIR = 1e-4
_NONE = 1e-5  # a smaller amount is none
_TARGET = "target value"


def is_discrete(p: Parameter) -> bool:
    return p.kind == "int" and not p.log and p.high - p.low < _MOST_LEVELS


def described(p: Parameter) -> list[object]:
    if p.choices:
        return [CategoricalParameter(p.name, p.choices)]
    if is_discrete(p):
        return [NumericalDiscreteParameter(p.name, range(int(p.low), int(p.high) + 1))]
    if p.parts:
        return [NumericalContinuousParameter(f"{p.name}.{part}", (0.0, p.total)) for part in p.parts]
    return [NumericalContinuousParameter(p.name, (0.0, 1.0))]


def constraints(task: Task) -> list[object]:
    """Of mixtures, and linear ones on their parts."""
    made: list[object] = []
    for p in task.parameters:
        names = [f"{p.name}.{part}" for part in p.parts]
        if names:
            made.append(ContinuousLinearConstraint(names, "=", [1.0] * len(names), p.total))
        if p.max_parts is not None:
            made.append(ContinuousCardinalityConstraint(names, max_cardinality=p.max_parts))
    for c in task.constraints:
        names, weights = list(c["coefficients"]), list(c["coefficients"].values())
        hair = _HAIR * max(map(abs, weights))
        if c["upper"] is not None:
            made.append(ContinuousLinearConstraint(names, "<=", weights, c["upper"] - hair))
        if c["lower"] is not None:
            made.append(ContinuousLinearConstraint(names, ">=", weights, c["lower"] + hair))
    return made


class OneCampaign:
    def __init__(self, task: Task) -> None:
        self._task = task
        parameters = [made for p in task.parameters for made in described(p)]
        space = SearchSpace.from_product(parameters, constraints(task))
        self._campaign = Campaign(space, NumericalTarget(_TARGET, minimize=True).to_objective())

    def suggest(self, told: Sequence[Told]) -> Params:
        if told:
            rows = [
                dict(pair for p in self._task.parameters for pair in self._given(p, t.params[p.name])) for t in told
            ]
            frame = pd.DataFrame(rows)
            frame[_TARGET] = [t.penalized for t in told]
            self._campaign.add_measurements(frame)
        row = self._campaign.recommend(1).iloc[0]
        return {p.name: self._taken(p, row) for p in self._task.parameters}

    def _row(self, params: Params) -> dict[str, object]:
        return dict(pair for p in self._task.parameters for pair in self._given(p, params[p.name]))

    @staticmethod
    def _given(p: Parameter, value: Any) -> list[tuple[str, object]]:
        if p.parts:
            return [(f"{p.name}.{part}", amount) for part, amount in value.items()]
        return [(p.name, value if p.choices or is_discrete(p) else p.position(value))]

    @staticmethod
    def _taken(p: Parameter, row: Mapping[str, Any]) -> object:
        if p.parts:
            amounts = {part: float(row[f"{p.name}.{part}"]) for part in p.parts}
            kept = {part: v if v > _NONE * p.total else 0.0 for part, v in amounts.items()}
            return {part: v * p.total / sum(kept.values()) for part, v in kept.items()}
        if p.choices:
            return str(row[p.name])
        return int(row[p.name]) if is_discrete(p) else p.value(float(row[p.name]))


def seeded(task: Task) -> OneCampaign:
    Settings(random_seed=task.seed).activate()
    return OneCampaign(task)


if __name__ == "__main__":
    serve(seeded, "baybe", "botorch", "torch")
