"""A peer that proposes the middle of the space and then the last point told, moved a little; or dies when told to."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "peers"))

from peer import serve


class Fake:
    def __init__(self, task):
        print("noise on stdout is no answer")
        self.task, self.n_told = task, 0

    def suggest(self, told):
        self.n_told += len(told)
        if "dies" in sys.argv and self.n_told == 3:
            raise RuntimeError("the model did not fit")
        if "strays" in sys.argv and self.n_told == 2:
            return {p.name: p.high + 1 for p in self.task.parameters}
        assert len(told) == (1 if self.n_told > 1 else self.n_told)
        u = 0.5 + self.n_told / 100 + self.task.seed / 1000
        point = {}
        for p in self.task.parameters:
            if p.is_there(point):
                point[p.name] = p.choices[0] if p.choices else p.value(u)
        return point


serve(Fake, "pip")
