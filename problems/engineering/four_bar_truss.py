"""A truss of four bars under loads, and how far a joint of it gives way.

After Stadler & Dauer (1992) and Cheng & Li (1999). Stress bounds the cross sections from below, so the box holds all
constraints.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.space import Float, Space

_F, _L, _E, _SIGMA = 10.0, 200.0, 2e5, 10.0  # kN, cm, kN/cm^2, kN/cm^2
_LEAST = _F / _SIGMA
_BOX = Space(
    (
        Float("area_1", _LEAST, 3 * _LEAST, unit="cm2"),
        Float("area_2", math.sqrt(2) * _LEAST, 3 * _LEAST, unit="cm2"),
        Float("area_3", math.sqrt(2) * _LEAST, 3 * _LEAST, unit="cm2"),
        Float("area_4", _LEAST, 3 * _LEAST, unit="cm2"),
    )
)
_AIMS = (Minimize("volume", unit="cm3"), Minimize("displacement", unit="cm"))


def _displacement(x1: float, x2: float, x3: float, x4: float) -> float:
    return _F * _L / _E * (2 / x1 + 2 * math.sqrt(2) / x2 - 2 * math.sqrt(2) / x3 + 2 / x4)


@dataclass(frozen=True)
class FourBarTruss:
    """Four-bar truss, 4 variables: two objectives, volume of the bars and displacement of the joint.

    Neither objective gains from a third bar above its least, and on the front the others have x2 = x4 = sqrt(2) x1, or
    the nearest in the box.
    """

    card: ClassVar[Card] = Card(
        'Cheng & Li, "Generalized center method for multiobjective engineering optimization", Engineering Optimization '
        "31 (1999)",
        remarks=("The front is known in closed form: see the docstring of the class.",),
    )
    space: ClassVar[Space] = _BOX
    objectives: ClassVar[tuple[Minimize, ...]] = _AIMS

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2, x3, x4 = self.space.check(params).values()
        return {
            "volume": _L * (2 * x1 + math.sqrt(2) * x2 + math.sqrt(2) * x3 + x4),
            "displacement": _displacement(x1, x2, x3, x4),
        }


@dataclass(frozen=True)
class FourBarTrussTanabe:
    """Four-bar truss after Tanabe and Ishibuchi, 4 variables: two objectives, volume and displacement, as RE2-4-1.

    The volume has the root of the third area, where bars of that length have sqrt(2) times the area. The front stays
    where it was, with all volumes less by 162.16.
    """

    card: ClassVar[Card] = Card(
        'Tanabe & Ishibuchi, "An easy-to-use real-world multi-objective optimization problem suite", Applied Soft '
        "Computing 89 (2020)",
        doi="10.1016/j.asoc.2020.106078",
        remarks=("The figures of the paper belong to another modulus, ten times as large; its authors say so.",),
    )
    space: ClassVar[Space] = _BOX
    objectives: ClassVar[tuple[Minimize, ...]] = _AIMS

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2, x3, x4 = self.space.check(params).values()
        return {
            "volume": _L * (2 * x1 + math.sqrt(2) * x2 + math.sqrt(x3) + x4),
            "displacement": _displacement(x1, x2, x3, x4),
        }
