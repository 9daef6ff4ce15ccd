"""A car that is hit from the side, by response surfaces of the crash simulations of Gu et al. (2001).

After Youn et al. (2004), where the barrier's height and position are random and the rest is designed; all eleven are
designed in Gandomi, Yang & Alavi, "Mixed variable structural optimization using firefly algorithm", Computers &
Structures 89 (2011), doi:10.1016/j.compstruc.2011.08.002, and here.

| symbol | parameter | |
|---|---|---|
| x1, x2 | pillar_inner, pillar_reinforcement | thicknesses in the B-pillar |
| x3, x4 | floor, cross_members | thicknesses of the floor's inner side and of the cross members |
| x5, x6 | door_beam, door_reinforcement | thicknesses in the door, the second at the belt line |
| x7 | roof_rail | thickness |
| x8, x9 | pillar_material, floor_material | strengths in GPa: of mild steel 0.192, of high-strength steel 0.345 |
| x10, x11 | barrier_height, barrier_position | of what hits, off the nominal ones |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Ordinal, Space

_MILD, _STRONG = 0.192, 0.345
_SHEETS = ("pillar_inner", "pillar_reinforcement", "floor", "cross_members", "door_beam", "door_reinforcement")

# Of the best design, in both variants: the lower rib's deflection and the pubic force bind.
_THICKNESSES = (0.5, 1.1163655932835683, 0.5, 1.3021971800367245, 0.5, 1.5, 0.5)


def _limits(criterion: float) -> tuple[Minimize | OutcomeConstraint, ...]:
    """With that limit on the viscous criteria."""
    return (
        Minimize("weight", unit="kg"),
        OutcomeConstraint("abdomen_load", upper=1.0, unit="kN"),
        *(OutcomeConstraint(f"viscous_{rib}", upper=criterion, unit="m/s") for rib in ("upper", "middle", "lower")),
        *(OutcomeConstraint(f"deflection_{rib}", upper=32.0, unit="mm") for rib in ("upper", "middle", "lower")),
        OutcomeConstraint("pubic_force", upper=4.0, unit="kN"),
        OutcomeConstraint("pillar_velocity", upper=9.9, unit="mm/ms"),
        OutcomeConstraint("door_velocity", upper=15.7, unit="mm/ms"),
    )


def _values(x: Sequence[float], *, middle: tuple[float, float], lower: float) -> dict[str, float]:
    """Values by metric.

    Args:
        middle: coefficients of x9 x10 and x2^2 in the viscous criterion of the middle rib.
        lower: that of x2 in the lower rib's.
    """
    x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = x
    return {
        "weight": 1.98 + 4.90 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.78 * x5 + 2.73 * x7,
        "abdomen_load": 1.16 - 0.3717 * x2 * x4 - 0.00931 * x2 * x10 - 0.484 * x3 * x9 + 0.01343 * x6 * x10,
        "viscous_upper": (
            0.261
            - (0.0159 * x2 + 0.188 * x8) * x1
            - 0.019 * x2 * x7
            + (0.0144 * x3 + 0.0008757 * x10) * x5
            + 0.08045 * x6 * x9
            + (0.00139 * x8 + 0.00001575 * x10) * x11
        ),
        "viscous_middle": (
            0.214
            + (0.00817 - 0.00364 * x6 + 0.0007715 * x10) * x5
            - (0.131 * x8 + 0.0704 * x9) * x1
            + (0.03099 * x6 - 0.018 * x7 + middle[1] * x2) * x2
            + (0.0208 * x8 + 0.121 * x9) * x3
            - 0.0005354 * x6 * x10
            + 0.00121 * x8 * x11
            + middle[0] * x9 * x10
        ),
        "viscous_lower": 0.74 + lower * x2 + 0.227 * x2**2 - (0.163 * x8 - 0.001232 * x10) * x3 - 0.166 * x7 * x9,
        "deflection_upper": (
            28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 0.0207 * x5 * x10 + 6.63 * x6 * x9 - 7.7 * x7 * x8 + 0.32 * x9 * x10
        ),
        "deflection_middle": (
            33.86 + 2.95 * x3 + (0.1792 - 0.0215 * x5) * x10 - (5.057 * x1 + 11 * x8) * x2 - (9.98 * x7 - 22 * x9) * x8
        ),
        "deflection_lower": 46.36 - 9.9 * x2 - 12.9 * x1 * x8 + 0.1107 * x3 * x10,
        "pubic_force": 4.72 - 0.5 * x4 - 0.19 * x2 * x3 - (0.0122 * x4 - 0.009325 * x6) * x10 + 0.000191 * x11**2,
        "pillar_velocity": (10.58 - (0.674 * x1 + 1.95 * x8) * x2 + (0.02054 * x3 - 0.0198 * x4 + 0.028 * x6) * x10),
        "door_velocity": (
            16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6 + (0.0432 * x10 - 0.0556 * x11) * x9 - 0.000786 * x11**2
        ),
    }


@dataclass(frozen=True)
class CarSideImpact:
    """Car side impact, 11 variables, two materials among them: weight under ten limits of safety.

    Papers differ in one coefficient: the middle rib's viscous criterion has -0.02 x2^2 here and in most, -0.018 x2^2
    in others. It does not bind.
    """

    card: ClassVar[Card] = Card(
        'Youn, Choi, Yang & Gu, "Reliability-based design optimization for crashworthiness of vehicle side impact", '
        "Structural and Multidisciplinary Optimization 26 (2004)",
        doi="10.1007/s00158-003-0345-0",
        known="searches from many starts, for each pair of materials",
        remarks=("The lower rib's deflection and the pubic force decide; the floor's material does not.",),
    )
    space: ClassVar[Space] = Space(
        (
            *(Float(name, 0.5, 1.5, unit="mm") for name in (*_SHEETS, "roof_rail")),
            Ordinal("pillar_material", (_MILD, _STRONG)),
            Ordinal("floor_material", (_MILD, _STRONG)),
            Float("barrier_height", -30.0, 30.0, unit="mm"),
            Float("barrier_position", -30.0, 30.0, unit="mm"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _limits(0.32)
    best_value: ClassVar[float] = 22.842969199133012
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (*_THICKNESSES, _STRONG, _MILD, -19.561528934039174, 0.0),
        (*_THICKNESSES, _STRONG, _STRONG, -19.561528934039174, 0.0),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(list(self.space.check(params).values()), middle=(0.00184, -0.02), lower=-0.61)


@dataclass(frozen=True)
class CarSideImpactYu:
    """Car side impact after Yu et al., 11 variables, all continuous: weight under ten limits, some of them looser.

    The viscous criteria may reach 0.9, the middle one lacks two terms and the lower one has 0.061 for 0.61; the
    barrier's height and position lie in [-20, 0].
    """

    card: ClassVar[Card] = Card(
        YU,
        doi=YU_DOI,
        known="searches from many starts",
        remarks=("The optimum is the classical one, and any floor material does.",),
    )
    space: ClassVar[Space] = Space(
        (
            *(
                Float(name, 0.45, 1.35, unit="mm")
                if name == "pillar_reinforcement"
                else Float(name, 0.5, 1.5, unit="mm")
                for name in (*_SHEETS, "roof_rail")
            ),
            Float("pillar_material", _MILD, _STRONG, unit="GPa"),
            Float("floor_material", _MILD, _STRONG, unit="GPa"),
            Float("barrier_height", -20.0, 0.0, unit="mm"),
            Float("barrier_position", -20.0, 0.0, unit="mm"),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _limits(0.9)
    best_value: ClassVar[float] = 22.842969199133012
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((*_THICKNESSES, _STRONG, _MILD, -19.561528934039174, 0.0),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return _values(list(self.space.check(params).values()), middle=(0.0, 0.0), lower=-0.061)
