"""A beam of reinforced concrete, 30 ft between supports, under a live load of 2 klbf/ft and a dead one of 1 klbf/ft.

After Amir & Hasegawa (1989), in the form of Gandomi, Yang & Alavi, "Mixed variable structural optimization using
firefly algorithm", Computers & Structures 89 (2011), doi:10.1016/j.compstruc.2011.08.002.

| symbol | parameter | |
|---|---|---|
| As | steel | area of the reinforcing bars |
| h, b | depth, width | of the beam |

The moment 36 (As h - c As^2 / b), with steel of 50 ksi and concrete of 5 ksi, has c = 0.59 50 / (0.8 5) = 7.375, and
must bear 1.4 times the dead and 1.7 times the live load: 1.4 1350 + 1.7 2700 = 6480 kip in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Int, Ordinal, Space

_LIMITS = (
    Minimize("cost", unit="USD"),
    OutcomeConstraint("moment", lower=6480.0, unit="kip in"),
    OutcomeConstraint("depth_per_width", upper=4.0),
)
# One to fifteen bars of one size, number 4 to number 9; reprints of the list lack 7 and 10 square inches.
_BARS = (0.2, 0.31, 0.44, 0.6, 0.79, 1.0)
_STEEL = tuple(sorted({round(n * area, 2) for n in range(1, 16) for area in _BARS}))


def _values(As: float, h: float, b: float, *, c: float) -> dict[str, float]:
    return {
        "cost": 29.4 * As + 0.6 * b * h,
        "moment": 36 * (As * h - c * As**2 / b),
        "depth_per_width": h / b,
    }


@dataclass(frozen=True)
class ConcreteBeam:
    """Reinforced concrete beam, 3 variables, the steel from a list and the depth whole: cost of material."""

    card: ClassVar[Card] = Card(
        'Amir & Hasegawa, "Nonlinear mixed-discrete structural optimization", J. Structural Engineering 115 (1989)',
        doi="10.1061/(ASCE)0733-9445(1989)115:3(626)",
        known="every steel and depth, with the width in closed form",
    )
    space: ClassVar[Space] = Space(
        (
            Ordinal("steel", _STEEL),
            Int("depth", 28, 40, unit="in"),
            Float("width", 5.0, 10.0, unit="in"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 359.208
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((6.32, 34, 8.5),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values(), c=7.375)


@dataclass(frozen=True)
class ConcreteBeamYu:
    """Reinforced concrete beam after Yu et al., 3 variables, all continuous: cost of material.

    Its moment has 7.35 for 7.375.
    """

    card: ClassVar[Card] = Card(YU, doi=YU_DOI, known="searches from many starts")
    space: ClassVar[Space] = Space(
        (
            Float("steel", 0.2, 15.0, unit="in2"),
            Float("depth", 28.0, 40.0, unit="in"),
            Float("width", 5.0, 10.0, unit="in"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 358.54570343513296
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((6.4705216849399045, 33.49749900096402, 8.37437475024268),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values(), c=7.35)
