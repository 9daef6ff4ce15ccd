"""The conversation of a peer's program with `quality_runs.py`: lines of JSON, over stdin and stdout.

The first line that comes is the task, and what goes back are the versions in use. Then each line that comes holds the
trials that were evaluated since, and what goes back is the next point, and the seconds of CPU that it took. Nothing
here imports bbo.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

Params = dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A number in [low, high], whole or not, one of some choices, or a mixture of parts.

    Args:
        kind: "float", "int", "categorical", "ordinal" or "simplex".
        low, high: bounds of a number, both attainable.
        log: whether the logarithm is searched.
        step: of a number that is a multiple of it above `low`; None where it may be any.
        choices: of a category, strings; of one that has an order, whatever they are.
        parts, total, max_parts: of a mixture, whose value is a dict from part to amount; None for any number of parts.
        when: by the names of others, values which they have where this one is there; None where it always is.
    """

    name: str
    kind: str
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    parts: tuple[str, ...] = ()
    total: float = math.nan
    max_parts: int | None = None
    when: Mapping[str, Sequence[Any]] | None = None

    def is_there(self, point: Params) -> bool:
        """Whether a point that has the others has this one."""
        return all(name in point and point[name] in values for name, values in (self.when or {}).items())

    def position(self, value: Any) -> float:
        """Of a number, in [0, 1]."""
        low, high, v = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return (v - low) / (high - low)

    def value(self, position: float) -> float | int:
        """The number at a position in [0, 1]; whole numbers are the nearest."""
        low, high = (math.log(x) if self.log else x for x in (self.low, self.high))
        v = low + min(max(position, 0.0), 1.0) * (high - low)
        v = min(max(math.exp(v) if self.log else v, self.low), self.high)
        if self.step is not None:
            v = self.low + self.step * round((v - self.low) / self.step)
        return round(v) if self.kind == "int" else v

    @property
    def levels(self) -> list[float] | None:
        """Positions in [0, 1] of the values of a number that has few; None of others."""
        step = 1 if self.kind == "int" and self.step is None else self.step
        if self.choices or step is None:
            return None
        return [self.position(self.low + k * step) for k in range(round((self.high - self.low) / step) + 1)]


@dataclass(frozen=True)
class Task:
    """What is to be minimized.

    Args:
        n_violations: of the constraints' sides.
        n_trials: the budget.
        constraints: on points, as bbo's `Space` writes them.
    """

    parameters: tuple[Parameter, ...]
    n_violations: int
    seed: int
    n_trials: int
    constraints: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def read(cls, line: str) -> "Task":
        said = json.loads(line)
        names = Parameter.__dataclass_fields__
        listed = [p | {"choices": p.get("choices", p.get("values", ()))} for p in said["parameters"]]
        parameters = tuple(Parameter(**{k: v for k, v in p.items() if k in names}) for p in listed)
        return cls(parameters, said["n_violations"], said["seed"], said["n_trials"], said["constraints"])


@dataclass(frozen=True)
class Told:
    """An evaluated point.

    Args:
        value: to be minimized.
        violations: feasible when none is above 0.
        penalized: `value`, or where the point is infeasible what methods without constraints take for it.
    """

    params: Params
    value: float
    violations: Sequence[float]
    penalized: float


class Optimizer(Protocol):
    def suggest(self, told: Sequence[Told]) -> Mapping[str, Any]:
        """The next point.

        Args:
            told: all that was evaluated since the last call; the first call may be given points that it did not ask
                for.
        """
        ...


def serve(make: Callable[[Task], Optimizer], *packages: str) -> None:
    """Answers until stdin ends; what the packages print goes to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(said: object) -> None:
        out.write(json.dumps(said) + "\n")

    optimizer = make(Task.read(sys.stdin.readline()))
    answer({name: version(name) for name in packages})
    for line in sys.stdin:
        started = time.process_time()
        point = optimizer.suggest([Told(**t) for t in json.loads(line)])
        answer([point, time.process_time() - started])
