"""Test problems whose feasible region is small, as the optima of designs often are at the meeting of constraints.

The numbering, bounds, best values and points are those of Liang et al., "Problem definitions and evaluation criteria
for the CEC 2006 special session on constrained real-parameter optimization" (2006).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float, Space


@dataclass(frozen=True)
class G06:
    """A crescent between two circles, 2 variables: a cubic. 0.0066 % of the box is feasible.

    Floudas & Pardalos, "A collection of test problems for constrained global optimization algorithms" (1987).
    """

    space: ClassVar[Space] = Space((Float("x1", 13.0, 100.0), Float("x2", 0.0, 100.0)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("value"),
        OutcomeConstraint("g1", upper=0.0),
        OutcomeConstraint("g2", upper=0.0),
    )
    best_value: ClassVar[float] = -6961.81387558015
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((14.09500000004834, 0.84296078931548),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        return {
            "value": (x1 - 10) ** 3 + (x2 - 20) ** 3,
            "g1": 100 - (x1 - 5) ** 2 - (x2 - 5) ** 2,
            "g2": (x1 - 6) ** 2 + (x2 - 5) ** 2 - 82.81,
        }


@dataclass(frozen=True)
class G09:
    """A polynomial with four constraints, 7 variables, two of which hold at the optimum. 0.51 % of the box is feasible.

    Problem 100 of Hock & Schittkowski, "Test examples for nonlinear programming codes" (1981).
    """

    space: ClassVar[Space] = Space(tuple(Float(f"x{j}", -10.0, 10.0) for j in range(1, 8)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("value"),
        *(OutcomeConstraint(f"g{k}", upper=0.0) for k in range(1, 5)),
    )
    best_value: ClassVar[float] = 680.630057374402
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (2.33049935105, 1.95137236842, -0.47754139945, 4.36572624918, -0.62448695911, 1.03813099395, 1.59422667842),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2, x3, x4, x5, x6, x7 = self.space.check(params).values()
        return {
            "value": (x1 - 10) ** 2
            + 5 * (x2 - 12) ** 2
            + x3**4
            + 3 * (x4 - 11) ** 2
            + 10 * x5**6
            + 7 * x6**2
            + x7**4
            - 4 * x6 * x7
            - 10 * x6
            - 8 * x7,
            "g1": 2 * x1**2 + 3 * x2**4 + x3 + 4 * x4**2 + 5 * x5 - 127,
            "g2": 7 * x1 + 3 * x2 + 10 * x3**2 + x4 - x5 - 282,
            "g3": 23 * x1 + x2**2 + 6 * x6**2 - 8 * x7 - 196,
            "g4": 4 * x1**2 + x2**2 - 3 * x1 * x2 + 2 * x3**2 + 5 * x6 - 11 * x7,
        }
