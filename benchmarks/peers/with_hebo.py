"""HEBO with its defaults; it knows no constraints."""

import random
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO
from peer import Parameter, Params, Task, Told, serve


def described(p: Parameter) -> dict[str, object]:
    if p.choices:
        return {"name": p.name, "type": "cat", "categories": list(p.choices)}
    kind = {("float", False): "num", ("float", True): "pow", ("int", False): "int", ("int", True): "pow_int"}
    low, high = (int(p.low), int(p.high)) if p.kind == "int" else (p.low, p.high)
    return {"name": p.name, "type": kind[p.kind, p.log], "lb": low, "ub": high}


class Heteroscedastic:
    def __init__(self, task: Task) -> None:
        random.seed(task.seed)
        np.random.seed(task.seed % 2**32)  # noqa: NPY002 - HEBO draws from it
        torch.manual_seed(task.seed)
        self._task = task
        space = DesignSpace().parse([described(p) for p in task.parameters])
        self._optimizer = HEBO(space, scramble_seed=task.seed)

    def suggest(self, told: Sequence[Told]) -> Params:
        if told:
            names = [p.name for p in self._task.parameters]
            frame = pd.DataFrame([t.params for t in told])[names]
            self._optimizer.observe(frame, np.array([[t.penalized] for t in told]))
        row = self._optimizer.suggest(1).iloc[0]
        return {p.name: self._taken(p, row[p.name]) for p in self._task.parameters}

    @staticmethod
    def _taken(p: Parameter, value: object) -> object:
        if p.choices:
            return str(value)
        number = min(max(float(value), p.low), p.high)
        return round(number) if p.kind == "int" else number


if __name__ == "__main__":
    serve(Heteroscedastic, "HEBO", "torch", "numpy")
