"""A bar of aluminium that is held at one end, its depth given at five stations, by finite differences.

| symbol | parameter | |
|---|---|---|
| d | depth, taper_1 ... taper_4 | at the wall; at each quarter of the length in units of that before; linear between |
| b, L | | width 50 mm, length 2 m |
| q, P | | load 300 N/m all along, and 400 N at the tip |
| E, rho | | modulus 70 GPa, density 2700 kg/m3 |

Euler-Bernoulli: bending moment M = E I w'', with I = b d^3 / 12, on nodes that are evenly apart. Masses and loads are
lumped at the nodes; the curvatures at the nodes are summed to deflections by the trapezoidal rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.space import Float, Space

_B, _L, _Q, _P, _E, _RHO = 0.05, 2.0, 300.0, 400.0, 70e9, 2700.0
_N_STATIONS = 5


@dataclass(frozen=True)
class TaperedCantilever:
    """Cantilever of varying depth, 5 variables: the sag of its tip at a given mass and lowest frequency; by mesh."""

    card: ClassVar[Card] = Card(
        "bbo; the beam of Euler and Bernoulli, as in Timoshenko, Vibration Problems in Engineering (1928)",
        known="searches from many starts",
        cost_unit="full evaluations",
        remarks=(
            "The mass is that of the formula on any mesh whose cells end at the stations, as all do.",
            "A mesh's cost is its number of cells to the power 2.2, as measured: the frequency on 64, 128, 256 and 512 "
            "cells took 0.35, 1.2, 6.0 and 35 ms on one core.",
            "Over the box, the sag on 4, 8, 16 cells has the rank correlation 0.998, 0.9997, 0.99996 with that "
            "on 256, the frequency 0.983, 0.998, 0.9998.",
        ),
    )
    space: ClassVar[Space] = Space(
        (Float("depth", 60.0, 140.0, unit="mm"), *(Float(f"taper_{k}", 0.3, 1.0) for k in range(1, _N_STATIONS)))
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("sag", unit="mm"),
        OutcomeConstraint("mass", upper=16.0, unit="kg"),
        OutcomeConstraint("frequency", lower=27.0, unit="Hz"),
        OutcomeConstraint("stress", upper=60.0, unit="MPa"),
    )
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity.of_levels("cells", (4, 8, 16, 32, 64, 128, 256)),)
    best_value: ClassVar[float] = 15.31226917804651
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (98.054001, 0.82665957, 0.7661019890332803, 0.6281027524984225, 0.3),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        stations = np.cumprod(list(self.space.check(params).values())) / 1e3
        n = int(paid(self.fidelities, fidelity)["cells"])
        x = np.linspace(0.0, _L, n + 1)
        d = np.interp(x, np.linspace(0.0, _L, _N_STATIONS), stations)
        share = np.full(n + 1, _L / n)
        share[[0, n]] /= 2
        load = _Q * share
        load[n] += _P
        # Of the force at node j at node i, and of the curvature there to the deflection of j.
        arm = np.maximum(x[:, None] - x, 0.0)
        moment = load @ arm
        turn = share * 12 / (_E * _B * d**3)
        mass = _RHO * _B * d * share
        return {
            "sag": float(1e3 * arm[n] @ (turn * moment)),
            "mass": float(mass.sum()),
            "frequency": _lowest_frequency(arm, turn, mass),
            "stress": float(1e-6 * (6 * moment / (_B * d**2)).max()),
        }

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """In units of a full evaluation: what grows with the mesh is the frequency."""
        share = paid(self.fidelities, fidelity)["cells"] / self.fidelities[0].high
        return float(share**2.2)


def _lowest_frequency(arm: NDArray[np.float64], turn: NDArray[np.float64], mass: NDArray[np.float64]) -> float:
    """In Hz: the flexibility F has the eigenvalues 1 / omega^2 of F M, of which the largest is the most exact."""
    half = np.sqrt(mass[:, None] * turn) * arm
    return float(1 / (2 * np.pi * np.linalg.norm(half, ord=2)))
