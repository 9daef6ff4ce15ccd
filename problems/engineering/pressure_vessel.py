"""A cylindrical pressure vessel of rolled plate.

Sandgren, "Nonlinear integer and discrete programming in mechanical design optimization", J. Mechanical Design 112
(1990), doi:10.1115/1.2912596; the coefficients of Kannan & Kramer, J. Mechanical Design 116 (1994),
doi:10.1115/1.2919393.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float, Space

_PLATE = 1 / 16  # plate is sold in these steps of thickness, inch


@dataclass(frozen=True)
class PressureVessel:
    """Pressure vessel with hemispherical heads, 4 variables: cost of plate, forming and welding.

    | symbol | parameter | |
    |---|---|---|
    | Ts, Th | shell, head | thicknesses, in steps of 1/16 inch |
    | R, L | radius, length | of the cylinder, continuous |

    The classical fourth constraint, L <= 240, is within the box. Papers that report less than 6059.714 have continuous
    thicknesses (5885.33) or let L reach 240 (5850.38).
    """

    space: ClassVar[Space] = Space(
        (
            Float("shell", _PLATE, 99 * _PLATE, step=_PLATE, unit="in"),
            Float("head", _PLATE, 99 * _PLATE, step=_PLATE, unit="in"),
            Float("radius", 10.0, 200.0, unit="in"),
            Float("length", 10.0, 200.0, unit="in"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("cost"),
        OutcomeConstraint("shell_shortfall", upper=0.0),
        OutcomeConstraint("head_shortfall", upper=0.0),
        OutcomeConstraint("volume", lower=750.0 * 1728),
    )
    best_value: ClassVar[float] = 6059.714335048436
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.8125, 0.4375, 42.09844559585, 176.63659584273),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        Ts, Th, R, L = self.space.check(params).values()
        return {
            "cost": 0.6224 * Ts * R * L + 1.7781 * Th * R**2 + 3.1661 * Ts**2 * L + 19.84 * Ts**2 * R,
            "shell_shortfall": 0.0193 * R - Ts,
            "head_shortfall": 0.00954 * R - Th,
            "volume": math.pi * R**2 * L + 4 / 3 * math.pi * R**3,
        }
