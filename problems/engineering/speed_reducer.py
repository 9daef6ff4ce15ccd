"""A gearbox between the engine and the propeller of a light aircraft, after Golinski (1970) and Ray (2003).

| symbol | parameter | |
|---|---|---|
| b, m, z | face, module, teeth | width of the teeth, their module, their number on the pinion |
| L1, L2 | length_1, length_2 | of the shafts between bearings |
| d1, d2 | diameter_1, diameter_2 | of the shafts |

`tooth_bending`, `tooth_contact` and the deflections are ratios to what is allowed; shaft stresses are in kgf/cm^2; b/m
is bounded on both sides.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Int, Space

_LIMITS = (
    Minimize("volume"),
    OutcomeConstraint("tooth_bending", upper=1.0),
    OutcomeConstraint("tooth_contact", upper=1.0),
    OutcomeConstraint("deflection_1", upper=1.0),
    OutcomeConstraint("deflection_2", upper=1.0),
    OutcomeConstraint("stress_1", upper=1100.0),
    OutcomeConstraint("stress_2", upper=850.0),
    OutcomeConstraint("pitch_diameter", upper=40.0),
    OutcomeConstraint("face_per_module", lower=5.0, upper=12.0),
)


def _box(teeth: Float | Int) -> Space:
    return Space(
        (
            Float("face", 2.6, 3.6, unit="cm"),
            Float("module", 0.7, 0.8, unit="cm"),
            teeth,
            Float("length_1", 7.3, 8.3, unit="cm"),
            Float("length_2", 7.3, 8.3, unit="cm"),
            Float("diameter_1", 2.9, 3.9, unit="cm"),
            Float("diameter_2", 5.0, 5.5, unit="cm"),
        )
    )


def _values(
    b: float, m: float, z: float, L1: float, L2: float, d1: float, d2: float, *, torsion_1: float
) -> dict[str, float]:
    """Values by metric.

    Args:
        torsion_1: what twisting adds to the square of what bends the first shaft.
    """
    gears = 0.7854 * b * m**2 * (3.3333 * z**2 + 14.9334 * z - 43.0934)
    return {
        "volume": (gears - 1.508 * b * (d1**2 + d2**2) + 7.4777 * (d1**3 + d2**3) + 0.7854 * (L1 * d1**2 + L2 * d2**2)),
        "tooth_bending": 27 / (b * m**2 * z),
        "tooth_contact": 397.5 / (b * m**2 * z**2),
        "deflection_1": 1.93 * L1**3 / (m * z * d1**4),
        "deflection_2": 1.93 * L2**3 / (m * z * d2**4),
        "stress_1": math.sqrt((745 * L1 / (m * z)) ** 2 + torsion_1) / (0.1 * d1**3),
        "stress_2": math.sqrt((745 * L2 / (m * z)) ** 2 + 157.5e6) / (0.1 * d2**3),
        "pitch_diameter": m * z,
        "face_per_module": b / m,
    }


@dataclass(frozen=True)
class SpeedReducer:
    """Speed reducer, 7 variables, the teeth whole: volume (weight) of gears and shafts under eleven constraints.

    Best 2994.471 with L2 >= 7.3, as here; papers with 7.8 <= L2 report 2996.348.
    """

    card: ClassVar[Card] = Card(
        'Golinski, "Optimal synthesis problems solved by means of nonlinear programming and random methods", J. '
        'Mechanisms 5 (1970); Ray, "Golinski\'s speed reducer problem revisited", AIAA J. 41 (2003)',
        doi="10.1016/0022-2569(70)90064-9",
        known="searches from many starts, for each number of teeth",
    )
    space: ClassVar[Space] = _box(Int("teeth", 17, 28))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        *_LIMITS,
        OutcomeConstraint("bearing_1_excess", upper=0.0),
        OutcomeConstraint("bearing_2_excess", upper=0.0),
    )
    best_value: ClassVar[float] = 2994.47106614
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (3.5, 0.7, 17, 7.3, 7.715319911547655, 3.3502146661076146, 5.286654464997867),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x = list(self.space.check(params).values())
        _, _, _, L1, L2, d1, d2 = x
        return {
            **_values(*x, torsion_1=16.9e6),
            "bearing_1_excess": 1.5 * d1 + 1.9 - L1,
            "bearing_2_excess": 1.1 * d2 + 1.9 - L2,
        }


@dataclass(frozen=True)
class SpeedReducerYu:
    """Speed reducer after Yu et al., 7 variables, all continuous: volume (weight) under nine constraints.

    The bearings ask for no room along the shafts, and the first shaft's torsion has 1.69e6 for 16.9e6.
    """

    card: ClassVar[Card] = Card(YU, doi=YU_DOI, known="searches from many starts")
    space: ClassVar[Space] = _box(Float("teeth", 17.0, 28.0))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 2885.179265920232
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((3.5000000000007, 0.7, 17.0, 7.3, 7.3, 2.9, 5.286517921717917),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values(), torsion_1=1.69e6)
