"""A gearbox between the engine and the propeller of a light aircraft.

Golinski, "Optimal synthesis problems solved by means of nonlinear programming and random methods", J. Mechanisms 5
(1970), doi:10.1016/0022-2569(70)90064-9; Ray, "Golinski's speed reducer problem revisited", AIAA J. 41 (2003),
doi:10.2514/2.1984.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float, Int, Space


@dataclass(frozen=True)
class SpeedReducer:
    """Speed reducer, 7 variables, the teeth whole: volume (weight) of gears and shafts under eleven constraints.

    | symbol | parameter | |
    |---|---|---|
    | b, m, z | face, module, teeth | width of the teeth, their module, their number on the pinion |
    | L1, L2 | length_1, length_2 | of the shafts between bearings |
    | d1, d2 | diameter_1, diameter_2 | of the shafts |

    Best 2994.471 with L2 >= 7.3, as here; papers with 7.8 <= L2 report 2996.348. `tooth_bending`, `tooth_contact` and
    the
    deflections are ratios to what is allowed; shaft stresses are in kgf/cm^2; b/m is bounded on both sides.
    """

    space: ClassVar[Space] = Space(
        (
            Float("face", 2.6, 3.6, unit="cm"),
            Float("module", 0.7, 0.8, unit="cm"),
            Int("teeth", 17, 28),
            Float("length_1", 7.3, 8.3, unit="cm"),
            Float("length_2", 7.3, 8.3, unit="cm"),
            Float("diameter_1", 2.9, 3.9, unit="cm"),
            Float("diameter_2", 5.0, 5.5, unit="cm"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("volume"),
        OutcomeConstraint("tooth_bending", upper=1.0),
        OutcomeConstraint("tooth_contact", upper=1.0),
        OutcomeConstraint("deflection_1", upper=1.0),
        OutcomeConstraint("deflection_2", upper=1.0),
        OutcomeConstraint("stress_1", upper=1100.0),
        OutcomeConstraint("stress_2", upper=850.0),
        OutcomeConstraint("pitch_diameter", upper=40.0),
        OutcomeConstraint("face_per_module", lower=5.0, upper=12.0),
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
        b, m, z, L1, L2, d1, d2 = self.space.check(params).values()
        gears = 0.7854 * b * m**2 * (3.3333 * z**2 + 14.9334 * z - 43.0934)
        return {
            "volume": (
                gears - 1.508 * b * (d1**2 + d2**2) + 7.4777 * (d1**3 + d2**3) + 0.7854 * (L1 * d1**2 + L2 * d2**2)
            ),
            "tooth_bending": 27 / (b * m**2 * z),
            "tooth_contact": 397.5 / (b * m**2 * z**2),
            "deflection_1": 1.93 * L1**3 / (m * z * d1**4),
            "deflection_2": 1.93 * L2**3 / (m * z * d2**4),
            "stress_1": math.sqrt((745 * L1 / (m * z)) ** 2 + 16.9e6) / (0.1 * d1**3),
            "stress_2": math.sqrt((745 * L2 / (m * z)) ** 2 + 157.5e6) / (0.1 * d2**3),
            "pitch_diameter": m * z,
            "face_per_module": b / m,
            "bearing_1_excess": 1.5 * d1 + 1.9 - L1,
            "bearing_2_excess": 1.1 * d2 + 1.9 - L2,
        }
