"""A helical spring of round wire, after Belegundu (1982) and Arora (1989)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.space import Float, Space


def _box(thickest: float) -> Space:
    return Space(
        (
            Float("wire", 0.05, thickest, unit="in"),
            Float("coil", 0.25, 1.3, unit="in"),
            Float("coils", 2.0, 15.0),
        )
    )


@dataclass(frozen=True)
class CompressionSpring:
    """Tension/compression spring, 3 variables: weight, with the number of coils continuous.

    | symbol | parameter | |
    |---|---|---|
    | d, D | wire, coil | mean diameters |
    | N | coils | active ones |

    The deflection has the literature's 71785, which is 71875 with Arora's own load of 10 lb and modulus of 1.15e7 psi;
    the best value everyone reports belongs to the former.
    """

    card: ClassVar[Card] = Card(
        "Belegundu, A Study of Mathematical Programming Methods for Structural Optimization (1982); Arora, "
        "Introduction to Optimum Design (1989)",
        known="searches from many starts",
    )
    space: ClassVar[Space] = _box(thickest=2.0)
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("weight"),
        OutcomeConstraint("deflection", lower=0.5),
        OutcomeConstraint("shear_stress", upper=80_000.0),
        OutcomeConstraint("surge_frequency", lower=100.0),
        OutcomeConstraint("outer_diameter", upper=1.5),
    )
    best_value: ClassVar[float] = 0.01266523278832
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.05168906108911171, 0.3567177399477294, 11.288965743193543),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        d, D, N = self.space.check(params).values()
        # The stress has a pole where the wire fills the coil, D = d; a gap of at least 1e-3 inch keeps it finite. No
        # spring with less deflects a thousandth of what it must, so none of those is feasible with either formula.
        gap = max(D - d, 1e-3)
        bending = (4 * D**2 - D * d) / (12566 * d**3 * gap)
        return {
            "weight": (N + 2) * D * d**2,
            "deflection": 0.5 * D**3 * N / (71785 * d**4),
            "shear_stress": 80_000.0 * (bending + 1 / (5108 * d**2)),
            "surge_frequency": 100.0 * 140.45 * d / (D**2 * N),
            "outer_diameter": D + d,
        }


@dataclass(frozen=True)
class CompressionSpringYu(CompressionSpring):
    """Tension/compression spring in the box of Yu et al., 3 variables: weight, with wires of up to one inch."""

    card: ClassVar[Card] = Card(YU, doi=YU_DOI, known=CompressionSpring.card.known)
    space: ClassVar[Space] = _box(thickest=1.0)
