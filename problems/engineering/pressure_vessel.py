"""A cylindrical pressure vessel of rolled plate, after Sandgren (1990) and Kannan & Kramer (1994).

| symbol | parameter | |
|---|---|---|
| Ts, Th | shell, head | thicknesses |
| R, L | radius, length | of the cylinder |
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Space

_PLATE = 1 / 16  # plate is sold in these steps of thickness, inch
_LIMITS = (
    Minimize("cost"),
    OutcomeConstraint("shell_shortfall", upper=0.0),
    OutcomeConstraint("head_shortfall", upper=0.0),
    OutcomeConstraint("volume", lower=750.0 * 1728),
)


def _values(Ts: float, Th: float, R: float, L: float) -> dict[str, float]:
    return {
        "cost": 0.6224 * Ts * R * L + 1.7781 * Th * R**2 + 3.1661 * Ts**2 * L + 19.84 * Ts**2 * R,
        "shell_shortfall": 0.0193 * R - Ts,
        "head_shortfall": 0.00954 * R - Th,
        "volume": math.pi * R**2 * L + 4 / 3 * math.pi * R**3,
    }


@dataclass(frozen=True)
class PressureVessel:
    """Pressure vessel with hemispherical heads, 4 variables: cost of plate, forming and welding.

    Thicknesses go in steps of 1/16 inch. The classical fourth constraint, L <= 240, is within the box. Papers that
    report less than 6059.714 have continuous thicknesses (5885.33) or let L reach 240 (5850.38).
    """

    card: ClassVar[Card] = Card(
        'Sandgren, "Nonlinear integer and discrete programming in mechanical design optimization", J. Mechanical '
        "Design 112 (1990); coefficients of Kannan & Kramer, J. Mechanical Design 116 (1994)",
        doi="10.1115/1.2912596",
        known="every pair of thicknesses, with a search over the rest",
    )

    space: ClassVar[Space] = Space(
        (
            Float("shell", _PLATE, 99 * _PLATE, step=_PLATE, unit="in"),
            Float("head", _PLATE, 99 * _PLATE, step=_PLATE, unit="in"),
            Float("radius", 10.0, 200.0, unit="in"),
            Float("length", 10.0, 200.0, unit="in"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 6059.714335048436
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.8125, 0.4375, 42.09844559585, 176.63659584273),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values())


@dataclass(frozen=True)
class PressureVesselYu:
    """Pressure vessel after Yu et al., 4 variables, all continuous: cost of one no longer than 190 inches."""

    card: ClassVar[Card] = Card(YU, doi=YU_DOI, known="searches from many starts")
    space: ClassVar[Space] = Space(
        (
            Float("shell", _PLATE, 99 * _PLATE, unit="in"),
            Float("head", _PLATE, 99 * _PLATE, unit="in"),
            Float("radius", 10.0, 200.0, unit="in"),
            Float("length", 0.0, 190.0, unit="in"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 5910.064472392981
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (0.7923763182191599, 0.39167202465350964, 41.055767783365795, 190.0),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values())
