"""BayBE's Campaign with its defaults; it knows no constraints on outcomes.

It knows no logarithmic scale and multiplies all discrete values out to one table, so that numbers on such a scale are
given as their position, and whole numbers of more than 12 levels as continuous ones, rounded.
"""

from collections.abc import Sequence

import pandas as pd
from baybe import Campaign
from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget
from peer import Parameter, Params, Task, Told, serve

_MOST_LEVELS = 12
_TARGET = "target value"


def is_discrete(p: Parameter) -> bool:
    return p.kind == "int" and not p.log and p.high - p.low < _MOST_LEVELS


def described(p: Parameter) -> object:
    if p.choices:
        return CategoricalParameter(p.name, p.choices)
    if is_discrete(p):
        return NumericalDiscreteParameter(p.name, range(int(p.low), int(p.high) + 1))
    return NumericalContinuousParameter(p.name, (0.0, 1.0))


class OneCampaign:
    def __init__(self, task: Task) -> None:
        self._task = task
        space = SearchSpace.from_product([described(p) for p in task.parameters])
        self._campaign = Campaign(space, NumericalTarget(_TARGET, minimize=True).to_objective())

    def suggest(self, told: Sequence[Told]) -> Params:
        if told:
            rows = [{p.name: self._given(p, t.params[p.name]) for p in self._task.parameters} for t in told]
            frame = pd.DataFrame(rows)
            frame[_TARGET] = [t.penalized for t in told]
            self._campaign.add_measurements(frame)
        row = self._campaign.recommend(1).iloc[0]
        return {p.name: self._taken(p, row[p.name]) for p in self._task.parameters}

    @staticmethod
    def _given(p: Parameter, value: object) -> object:
        return value if p.choices or is_discrete(p) else p.position(value)

    @staticmethod
    def _taken(p: Parameter, value: object) -> object:
        if p.choices:
            return str(value)
        return int(value) if is_discrete(p) else p.value(float(value))


def seeded(task: Task) -> OneCampaign:
    Settings(random_seed=task.seed).activate()
    return OneCampaign(task)


if __name__ == "__main__":
    serve(seeded, "baybe", "botorch", "torch")
