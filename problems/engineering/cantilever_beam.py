"""A cantilever of five segments, each a rectangle of 100 cm, with a load of 50 kN at its tip.

After Thanedar & Vanderplaats (1995), all sizes continuous; in Yang & Gandomi, "Bat algorithm: a novel approach for
global engineering optimization", Engineering Computations 29 (2012), doi:10.1108/02644401211235834.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.space import Float, Space

_N = 5
_P, _L, _E = 50_000.0, 100.0, 2e7  # N, cm, N/cm^2


@dataclass(frozen=True)
class CantileverBeam:
    """Stepped cantilever beam, 10 variables: volume of five segments under limits of stress, deflection and shape.

    Segment 1 is the one at the wall. Yu, Picard & Ahmed (2024) publish this problem with a deflection that depends on
    no variable and is above its limit: no design of theirs is feasible, so it is not here.
    """

    card: ClassVar[Card] = Card(
        'Thanedar & Vanderplaats, "Survey of discrete variable optimization for structural design", J. Structural '
        "Engineering 121 (1995)",
        known="searches from many starts",
    )
    space: ClassVar[Space] = Space(
        (
            *(Float(f"width_{k}", 1.0, 5.0, unit="cm") for k in range(1, _N + 1)),
            *(Float(f"height_{k}", 30.0, 65.0, unit="cm") for k in range(1, _N + 1)),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("volume", unit="cm3"),
        *(OutcomeConstraint(f"stress_{k}", upper=14_000.0, unit="N/cm2") for k in range(1, _N + 1)),
        OutcomeConstraint("deflection", upper=2.7, unit="cm"),
        *(OutcomeConstraint(f"height_per_width_{k}", upper=20.0) for k in range(1, _N + 1)),
    )
    best_value: ClassVar[float] = 63108.747986492584
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (
            *(3.0577283024138953, 2.81326650308899, 2.523586298610466, 2.204555691542287, 1.749757011938354),
            *(61.15456604826567, 56.265330061768545, 50.47172597219922, 44.091113830836925, 34.99514023876008),
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x = list(self.space.check(params).values())
        widths, heights = x[:_N], x[_N:]
        values = {"volume": _L * sum(b * h for b, h in zip(widths, heights, strict=True)), "deflection": 0.0}
        for k, (b, h) in enumerate(zip(widths, heights, strict=True), 1):
            n_out = _N + 1 - k  # segments from the inner end of this one to the tip
            values[f"stress_{k}"] = 6 * _P * n_out * _L / (b * h**2)
            values["deflection"] += _P * _L**3 / (3 * _E) * (n_out**3 - (n_out - 1) ** 3) * 12 / (b * h**3)
            values[f"height_per_width_{k}"] = h / b
        return values
