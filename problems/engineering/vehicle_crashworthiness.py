"""The front of a car that runs into a wall, by response surfaces of crash simulations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.space import Float, Space


@dataclass(frozen=True)
class VehicleCrashworthiness:
    """Vehicle crashworthiness, 5 variables: three objectives, mass, acceleration and intrusion of the toe board.

    The variables are the thicknesses of five reinforced members around the front. The acceleration is that of a full
    frontal crash, the intrusion that of an offset one. RE3-5-4 of Tanabe & Ishibuchi, "An easy-to-use real-world
    multi-objective optimization problem suite", Applied Soft Computing 89 (2020), doi:10.1016/j.asoc.2020.106078.
    """

    card: ClassVar[Card] = Card(
        'Liao, Li, Yang, Zhang & Li, "Multiobjective optimization for crash safety design of vehicles using stepwise '
        'regression model", Structural and Multidisciplinary Optimization 35 (2008)',
        doi="10.1007/s00158-007-0163-x",
    )
    space: ClassVar[Space] = Space(tuple(Float(f"t{k}", 1.0, 3.0, unit="mm") for k in range(1, 6)))
    objectives: ClassVar[tuple[Minimize, ...]] = (
        Minimize("mass", unit="kg"),
        Minimize("acceleration"),
        Minimize("intrusion", unit="m"),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        t1, t2, t3, t4, t5 = self.space.check(params).values()
        return {
            "mass": 1640.2823 + 2.3573285 * t1 + 2.3220035 * t2 + 4.5688768 * t3 + 7.7213633 * t4 + 4.4559504 * t5,
            "acceleration": (
                6.5856
                + (1.15 - 0.1106 * t1 - 0.3695 * t4 + 0.0861 * t5) * t1
                - 1.0427 * t2
                + (0.9738 - 0.3437 * t3) * t3
                + (0.8364 + 0.3628 * t2 + 0.1764 * t4) * t4
            ),
            "intrusion": (
                -0.0551
                + 0.0181 * t1
                + (0.1024 - 0.0073 * t1 - 0.0241 * t2 - 0.0118 * t4) * t2
                + (0.0421 + 0.024 * t2 - 0.0204 * t4 - 0.008 * t5) * t3
                + 0.0109 * t4**2
            ),
        }
