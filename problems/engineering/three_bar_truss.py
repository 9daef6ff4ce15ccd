"""Three bars that meet in a loaded joint, after Nowacki (1973) and Ray & Saini (2001)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.space import Float, Space

_SPAN, _LOAD, _STRENGTH = 100.0, 2.0, 2.0  # cm, kN, kN/cm^2


@dataclass(frozen=True)
class ThreeBarTruss:
    """Three-bar truss, 2 variables: volume of the bars.

    The outer bars have the cross section x1, the middle one x2. Where both are 0, the classical bound, the stresses
    have a pole, so the box begins at 1e-5. Only the first stress binds at the optimum,
    x1 = (3 + sqrt(3)) / 6, x2 = 1 / sqrt(6).
    """

    card: ClassVar[Card] = Card(
        'Nowacki, "Optimization in pre-contract ship design", Computer Applications in the Automation of Shipyard '
        "Operation and Ship Design (1973); Ray & Saini, Engineering Optimization 33 (2001)",
        doi="10.1080/03052150108940941",
        known="in closed form",
    )
    space: ClassVar[Space] = Space((Float("outer", 1e-5, 1.0, unit="cm2"), Float("middle", 1e-5, 1.0, unit="cm2")))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("volume"),
        OutcomeConstraint("stress_1", upper=_STRENGTH),
        OutcomeConstraint("stress_2", upper=_STRENGTH),
        OutcomeConstraint("stress_3", upper=_STRENGTH),
    )
    best_value: ClassVar[float] = 100 * (math.sqrt(2) + math.sqrt(1.5))
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.788675134595, 0.408248290465),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        shared = math.sqrt(2) * x1**2 + 2 * x1 * x2
        return {
            "volume": (2 * math.sqrt(2) * x1 + x2) * _SPAN,
            "stress_1": _LOAD * (math.sqrt(2) * x1 + x2) / shared,
            "stress_2": _LOAD * x2 / shared,
            "stress_3": _LOAD / (x1 + math.sqrt(2) * x2),
        }
