"""What all wrappers share: they pass on what is known of the problem within."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bbo.fidelity import Fidelity
from bbo.objective import Objective, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.protocols import Problem
from bbo.space import Params, Space

# What a wrapper's seed is for, below the words of `bbo.seeding`, so that what the wrappers draw is independent.
NOISE, FAILURE, MOTION, LETTERS, ORDER, LABELS = 1, 2, 3, 4, 5, 6

Cost = Callable[[Mapping[str, Any], Mapping[str, float] | None], float]
Optima = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Wrapper:
    """Forwards what is known about a problem; None where nothing is."""

    problem: Problem

    @property
    def space(self) -> Space:
        return self.problem.space

    @property
    def objectives(self) -> Sequence[Objective | OutcomeConstraint | Tracked]:
        return self.problem.objectives

    @property
    def name(self) -> str:
        return str(getattr(self.problem, "name", type(self.problem).__name__))

    @property
    def best_value(self) -> float | None:
        return getattr(self.problem, "best_value", None)

    @property
    def optima(self) -> Optima | None:
        return getattr(self.problem, "optima", None)

    @property
    def card(self) -> Card | None:
        return getattr(self.problem, "card", None)

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        return tuple(getattr(self.problem, "fidelities", ()))

    @property
    def cost(self) -> Cost | None:
        return getattr(self.problem, "cost", None)


@dataclass(frozen=True)
class Translated(Wrapper):
    """A problem whose points are written otherwise; `_within` says which of its own a point is."""

    def _within(self, point: Params) -> Params:
        raise NotImplementedError

    @property
    def cost(self) -> Cost | None:
        own = super().cost
        return None if own is None else partial(self._cost, own)

    def _cost(self, own: Cost, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return own(self._within(self.space.check(params)), fidelity)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return self.problem.evaluate(self._within(self.space.check(params)), fidelity=fidelity, seed=seed)
