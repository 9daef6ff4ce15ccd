"""Parameters that change nothing, around a problem."""

from dataclasses import dataclass
from functools import cached_property

from bbo import seeding
from bbo.problems.wrappers.base import ORDER, Optima, Translated
from bbo.space import Float, Params, Space


@dataclass(frozen=True)
class Embedded(Translated):
    """A problem among further parameters, numbers in [0, 1] that change nothing; the seed deals their order.

    Of `optima` these have the value 0.5.

    Args:
        n_parameters: of the whole space.
        seed: decides where in it the problem's own parameters stand.
    """

    n_parameters: int
    seed: int

    def __post_init__(self) -> None:
        own = len(self.problem.space.names)
        if self.n_parameters < own:
            raise ValueError(f"{self.name} has {own} parameters: got n_parameters={self.n_parameters}.")
        taken = [name for name in self.problem.space.names if name.startswith("idle")]
        if taken:
            raise ValueError(f"Embedded calls its parameters idle1, idle2, ...: {self.name} has {taken}.")

    @cached_property
    def space(self) -> Space:
        n_idle = self.n_parameters - len(self.problem.space.names)
        every = [*self.problem.space.parameters, *(Float(f"idle{k + 1}", 0.0, 1.0) for k in range(n_idle))]
        rng = seeding.generator(self.seed, seeding.NOISE, ORDER)
        return Space(tuple(every[k] for k in rng.permutation(len(every)).tolist()), self.problem.space.constraints)

    @property
    def optima(self) -> Optima | None:
        known = super().optima
        if known is None:
            return None
        at = [dict(zip(self.problem.space.names, optimum, strict=True)) for optimum in known]
        return tuple(tuple(values.get(name, 0.5) for name in self.space.names) for values in at)

    def _within(self, point: Params) -> Params:
        return {name: point[name] for name in self.problem.space.names if name in point}
