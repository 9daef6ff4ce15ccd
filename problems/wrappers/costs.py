"""A price for each evaluation of a problem."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bbo.fidelity import paid
from bbo.objective import Objective, Objectives, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.problems.wrappers.base import Cost, Wrapper
from bbo.space import Float, Int


@dataclass(frozen=True)
class Costly(Wrapper):
    """A problem whose evaluations do not cost the same: `Costly(problem, price="n_estimators", unit="trees")`.

    Args:
        price: name of the parameter that is the price, a number that is always there; or a function of (params,
            fidelity), where fidelities have their values by name, in full where nothing was said.
        unit: of the price.
        metric: by which the price is told with the values, tracked; it is not told when None.
    """

    price: str | Callable[[dict[str, Any], dict[str, float]], float]
    unit: str = ""
    metric: str | None = None

    def __post_init__(self) -> None:
        numbers = [p.name for p in self.space.parameters if isinstance(p, Float | Int) and not p.when]
        if isinstance(self.price, str) and self.price not in numbers:
            raise ValueError(f"A price may be one of the numbers {numbers} of {self.name}: got {self.price!r}.")
        metrics = Objectives(tuple(self.problem.objectives)).metrics
        if self.metric in metrics:
            raise ValueError(f"{self.name} has the metrics {list(metrics)}: tell the price by another name.")

    @property
    def objectives(self) -> Sequence[Objective | OutcomeConstraint | Tracked]:
        own = tuple(self.problem.objectives)
        return own if self.metric is None else (*own, Tracked(self.metric, unit=self.unit or None))

    @property
    def card(self) -> Card | None:
        own = super().card
        return None if own is None else replace(own, cost_unit=self.unit)

    @property
    def cost(self) -> Cost:
        return self._cost

    def _cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        point, full = self.space.check(params), paid(self.fidelities, fidelity)
        cost = float(point[self.price] if isinstance(self.price, str) else self.price(point, full))
        if not 0 <= cost < math.inf:
            raise ValueError(f"A price is a finite number, at least 0: got {cost!r} for {point!r}.")
        return cost

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        values = self.problem.evaluate(params, fidelity=fidelity, seed=seed)
        return values if self.metric is None else {**values, self.metric: self._cost(params, fidelity)}
