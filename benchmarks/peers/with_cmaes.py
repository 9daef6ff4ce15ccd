"""CMA-ES of `cmaes`, from the middle of the box with a step of 0.3 of its width; it knows no constraints.

The step is Hansen's advice, "The CMA evolution strategy: a tutorial" (2016), section B.1; the package names no default.
Spaces with whole numbers or categories get its CatCMA with margin, which takes both.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cmaes import CMA, CatCMAwM
from peer import Params, Task, Told, serve

_STEP = 0.3


class Evolution:
    def __init__(self, task: Task) -> None:
        self._floats = [p for p in task.parameters if p.kind == "float"]
        self._ints = [p for p in task.parameters if p.kind == "int"]
        self._categories = [p for p in task.parameters if p.kind == "categorical"]
        unit = np.array([[0.0, 1.0]] * len(self._floats))
        if self._ints or self._categories:
            n_numbers = len(self._floats) + len(self._ints)
            grids = [[p.position(v) for v in range(int(p.low), int(p.high) + 1)] for p in self._ints]
            self._algorithm: Any = CatCMAwM(
                x_space=unit if self._floats else None,
                z_space=grids if self._ints else None,
                c_space=[len(p.choices) for p in self._categories] if self._categories else None,
                mean=np.full(n_numbers, 0.5),
                sigma=_STEP,
                seed=task.seed % 2**32,
            )
        else:
            self._algorithm = CMA(np.full(len(unit), 0.5), _STEP, bounds=unit, seed=task.seed % 2**32)
        self._asked: Any = None
        self._generation: list[tuple[Any, float]] = []

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            self._generation.append((self._asked, t.penalized))
            if len(self._generation) == self._algorithm.population_size:
                self._algorithm.tell(self._generation)
                self._generation = []
        self._asked = self._algorithm.ask()
        if not (self._ints or self._categories):
            return {p.name: p.value(float(u)) for p, u in zip(self._floats, self._asked, strict=True)}
        # A part of the point is None where the space has nothing of its kind.
        x, z, c = ([] if part is None else part for part in (self._asked.x, self._asked.z, self._asked.c))
        numbers = zip([*self._floats, *self._ints], [*x, *z], strict=True)
        chosen = zip(self._categories, c, strict=True)
        point: Params = {p.name: p.value(float(u)) for p, u in numbers}
        return point | {p.name: p.choices[int(np.argmax(hot))] for p, hot in chosen}


if __name__ == "__main__":
    serve(Evolution, "cmaes", "numpy")
