"""Nevergrad's NGOpt, which chooses an algorithm by budget and space; constraints by its own penalty."""

from collections.abc import Sequence
from typing import Any

import nevergrad as ng
from peer import Parameter, Params, Task, Told, serve


def described(p: Parameter) -> Any:
    if p.kind == "categorical":
        return ng.p.Choice(p.choices)
    kind = ng.p.Log if p.log else ng.p.Scalar
    scalar = kind(lower=p.low, upper=p.high)
    return scalar.set_integer_casting() if p.kind == "int" else scalar


class NGOpt:
    def __init__(self, task: Task) -> None:
        space = ng.p.Dict(**{p.name: described(p) for p in task.parameters})
        space.random_state.seed(task.seed)
        self._optimizer = ng.optimizers.NGOpt(space, budget=task.n_trials, num_workers=1)
        self._asked: Any = None

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            candidate = self._asked
            if candidate is None:
                candidate = self._optimizer.parametrization.spawn_child(new_value=t.params)
            self._optimizer.tell(candidate, t.value, constraint_violation=list(t.violations) or None)
        self._asked = self._optimizer.ask()
        return {name: getattr(value, "item", lambda value=value: value)() for name, value in self._asked.value.items()}


if __name__ == "__main__":
    serve(NGOpt, "nevergrad", "cma", "numpy")
