"""Three heat exchangers in series that heat a stream from 100 to 500 degF, each by a hotter stream of its own.

After Avriel & Williams (1971); problem 106 of Hock & Schittkowski, Test Examples for Nonlinear Programming Codes
(1981), and G10 of Liang et al. (2006).

| symbol | parameter | |
|---|---|---|
| A1, A2, A3 | area_1, area_2, area_3 | of heat transfer |
| T1, T2 | cold_1, cold_2 | of the stream, behind the first and the second |
| H1, H2, H3 | hot_1, hot_2, hot_3 | of the hot streams, which enter with 300, 400 and 600, where they leave |

What a hot stream loses is at least what the stream gains: `balance_1` T1 + H1 <= 100 + 300 and so forth. `shortfall_k`
is how much area, times degrees, lacks for it to pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Space

_LIMITS = (
    Minimize("area", unit="ft2"),
    OutcomeConstraint("balance_1", upper=400.0, unit="degF"),
    OutcomeConstraint("balance_2", upper=400.0, unit="degF"),
    OutcomeConstraint("balance_3", upper=100.0, unit="degF"),
    OutcomeConstraint("shortfall_1", upper=0.0, unit="ft2 degF"),
    OutcomeConstraint("shortfall_2", upper=0.0, unit="ft2 degF"),
    OutcomeConstraint("shortfall_3", upper=0.0, unit="ft2 degF"),
)
_NAMES = ("cold_1", "cold_2", "hot_1", "hot_2", "hot_3")


def _box(largest: float) -> Space:
    """With the second and the third area up to `largest`."""
    return Space(
        (
            Float("area_1", 100.0, 10_000.0, unit="ft2"),
            Float("area_2", 1000.0, largest, unit="ft2"),
            Float("area_3", 1000.0, largest, unit="ft2"),
            *(Float(name, 10.0, 1000.0, unit="degF") for name in _NAMES),
        )
    )


def _values(
    A1: float, A2: float, A3: float, T1: float, T2: float, H1: float, H2: float, H3: float, *, inlet: float
) -> dict[str, float]:
    """Values by metric.

    Args:
        inlet: what the second shortfall is less for each degree of T1.
    """
    return {
        "area": A1 + A2 + A3,
        "balance_1": T1 + H1,
        "balance_2": T2 - T1 + H2,
        "balance_3": H3 - T2,
        # 833.33252 and 83333.333 are Hock and Schittkowski's digits of 1e5 / 120 and 1e7 / 120.
        "shortfall_1": 833.33252 * T1 - 83_333.333 - A1 * (H1 - 100),
        "shortfall_2": 1250 * T2 - inlet * T1 - A2 * (H2 - T1),
        "shortfall_3": 2500 * (500 - T2) - A3 * (H3 - T2),
    }


@dataclass(frozen=True)
class HeatExchanger:
    """Three heat exchangers, 8 variables: their area, with six constraints that all bind at the optimum."""

    card: ClassVar[Card] = Card(
        'Avriel & Williams, "An extension of geometric programming with applications in engineering optimization", J. '
        "Engineering Mathematics 5 (1971)",
        known="searches from many starts, and as reported for G10",
        remarks=("Less than one in a hundred thousand points of the box is feasible.",),
    )
    space: ClassVar[Space] = _box(10_000.0)
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 7049.248020528665
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (
            *(579.3066844851453, 1359.970666836942, 5109.970669209596),
            *(182.01769958606658, 295.60117323166503, 217.98230041385344, 286.41652635432155, 395.601173231645),
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values(), inlet=1250.0)


@dataclass(frozen=True)
class HeatExchangerYu:
    """Three heat exchangers after Yu et al., 8 variables: their area, larger for a slip in the second.

    The second exchanger has 125 for 1250, and the areas go up to 10,900.
    """

    card: ClassVar[Card] = Card(
        YU,
        doi=YU_DOI,
        known="searches from many starts",
        remarks=("Less than one in a hundred thousand points of the box is feasible.",),
    )
    space: ClassVar[Space] = _box(10_900.0)
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _LIMITS
    best_value: ClassVar[float] = 8312.911857757637
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (
            *(100.0, 2231.4559239504592, 5981.455933810026),
            *(121.42867688781699, 260.7417626476548, 278.571323112103, 260.6869142400822, 360.7417626476348),
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(*self.space.check(params).values(), inlet=125.0)
