"""A bar welded to a support, in the two forms that the literature mixes; they have different best values.

| symbol | parameter | |
|---|---|---|
| h, l | weld, weld_length | size and length of the weld |
| t, b | depth, width | of the bar |
| P, L | | load 6000 lb at 14 in from the support |
| E, G | | moduli 30e6 and 12e6 psi |
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Space

_P, _L, _E, _G = 6000.0, 14.0, 30e6, 12e6
_LIMITS = (
    Minimize("cost"),
    OutcomeConstraint("shear_stress", upper=13_600.0),
    OutcomeConstraint("bending_stress", upper=30_000.0),
    OutcomeConstraint("buckling_load", lower=_P),
    OutcomeConstraint("deflection", upper=0.25),
    OutcomeConstraint("weld_excess", upper=0.0),
)


def _box(thickest: float, longest: float = 10.0) -> Space:
    return Space(
        (
            Float("weld", 0.125, thickest, unit="in"),
            Float("weld_length", 0.1, longest, unit="in"),
            Float("depth", 0.1, 10.0, unit="in"),
            Float("width", 0.1, thickest, unit="in"),
        )
    )


def _response(h: float, l: float, t: float, b: float, *, throat: float, buckling: float) -> dict[str, float]:  # noqa: E741
    """Values by metric.

    Args:
        throat: of the weld, in units of h, within its polar moment of inertia.
        buckling: load in lb of a bar with t b^3 = 1, before the correction for depth.
    """
    R = math.hypot(l, h + t) / 2
    direct = _P / (math.sqrt(2) * h * l)
    torsion = _P * (_L + l / 2) * R / (2 * throat * h * l * (l**2 / 12 + (h + t) ** 2 / 4))
    return {
        "cost": 1.10471 * h**2 * l + 0.04811 * t * b * (_L + l),
        "shear_stress": math.sqrt(direct**2 + direct * torsion * l / R + torsion**2),
        "bending_stress": 6 * _P * _L / (b * t**2),
        "buckling_load": buckling * (1 - t / (2 * _L) * math.sqrt(_E / (4 * _G))) * t * b**3,
        "deflection": 4 * _P * _L**3 / (_E * t**3 * b),
        "weld_excess": h - b,
    }


@dataclass(frozen=True)
class WeldedBeam:
    """Welded beam after Ragsdell and Phillips, 4 variables: cost of weld and bar; best 2.3811.

    The numbers and the box are those of Deb (2000).
    """

    card: ClassVar[Card] = Card(
        'Ragsdell & Phillips, "Optimal design of a class of welded structures using geometric programming", J. '
        'Engineering for Industry 98 (1976); Deb, "An efficient constraint handling method for genetic algorithms", '
        "Comput. Methods Appl. Mech. Eng. 186 (2000)",
        doi="10.1115/1.3438995",
        known="searches from many starts",
    )

    space: ClassVar[Space] = _box(thickest=10.0)
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 2.38113434175
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (0.24436900665425, 6.2186058886008, 8.2914708671132, 0.24436900665425),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        h, l, t, b = self.space.check(params).values()  # noqa: E741
        # Deb's rounding of 1/sqrt(2) and of 4.013 sqrt(E G / 36) / L^2; unrounded the best is 2.3809565.
        return _response(h, l, t, b, throat=0.707, buckling=64746.0)


@dataclass(frozen=True)
class WeldedBeamYu(WeldedBeam):
    """Welded beam in the box of Yu et al., 4 variables: cost of weld and bar, with welds of up to 15 inches."""

    card: ClassVar[Card] = Card(YU, doi=YU_DOI, known=WeldedBeam.card.known)
    space: ClassVar[Space] = _box(thickest=10.0, longest=15.0)


@dataclass(frozen=True)
class WeldedBeamCoello:
    """Welded beam after Coello Coello, 4 variables: cost of weld and bar; best 1.7249.

    Unlike in Ragsdell and Phillips, the weld's moment of inertia has sqrt(2) h for h / sqrt(2), the buckling load has E
    for sqrt(E G), and most of the cost is bounded.
    """

    card: ClassVar[Card] = Card(
        'Coello Coello, "Use of a self-adaptive penalty approach for engineering optimization problems", Computers in '
        "Industry 41 (2000)",
        doi="10.1016/S0166-3615(99)00046-9",
        known="searches from many starts",
    )

    space: ClassVar[Space] = _box(thickest=2.0)
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        *_LIMITS,
        OutcomeConstraint("bounded_cost", upper=5.0),
    )
    best_value: ClassVar[float] = 1.72485230859
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (0.2057296397866, 3.4704886656473, 9.0366239103915, 0.2057296397866),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        h, l, t, b = self.space.check(params).values()  # noqa: E741
        values = _response(h, l, t, b, throat=math.sqrt(2), buckling=4.013 * _E / (6 * _L**2))
        return {**values, "bounded_cost": 0.10471 * h**2 + 0.04811 * t * b * (_L + l)}
