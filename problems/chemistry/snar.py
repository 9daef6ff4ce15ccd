"""A nucleophilic aromatic substitution in a tube, from its kinetics.

| symbol | species | g/mol |
|---|---|---|
| A | 2,4-difluoronitrobenzene | 159.09 |
| B | pyrrolidine | 71.12 |
| C | the product, with pyrrolidine ortho to the nitro group | 210.21 |
| D | its isomer, para | 210.21 |
| E | both: the bis-adduct | 261.33 |

A + B -> C (k_a), A + B -> D (k_b), C + B -> E (k_c), D + B -> E (k_d), each of first order in both. The plug that
enters a tube reacts for the residence time. E-factor is the mass of the solvent and of all at the outlet that is no
product, per mass of product.

Kinetics of Hone, Holmes, Akien, Bourne & Muller, "Rapid multistep kinetic model generation from transient flow data",
React. Chem. Eng. 2 (2017), doi:10.1039/C6RE00109B; the two objectives of Schweidtmann, Clayton, Holmes, Bradford,
Bourne & Lapkin, "Machine learning meets continuous flow chemistry", Chem. Eng. J. 352 (2018),
doi:10.1016/j.cej.2018.07.031; the box and what counts as waste as in SnarBenchmark of Summit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.fidelity import paid
from bbo.objective import Maximize, Minimize
from bbo.problems.card import Card
from bbo.space import Float, Space

_GAS, _ZERO, _T_REF = 8.314e-3, 273.15, 90.0  # kJ/(mol K), K, degC
# k_a, k_b, k_c, k_d at 90 degC in 1e-2 L/(mol s), and their activation energies in kJ/mol.
_K_REF = np.array([57.9, 2.70, 0.865, 1.63])
_ENERGY = np.array([33.3, 35.3, 38.9, 44.8])
_MOLAR_MASS = np.array([159.09, 71.12, 210.21, 210.21, 261.33])
_ETHANOL = 789.0  # g/L at 25 degC


def rate_constants(temperature: float) -> NDArray[np.float64]:
    """k_a, k_b, k_c, k_d in L/(mol min) at a temperature in degC."""
    inverse = 1 / (temperature + _ZERO) - 1 / (_T_REF + _ZERO)
    return np.asarray(0.6 * _K_REF * np.exp(-_ENERGY / _GAS * inverse))


def outlet(start: NDArray[np.float64], minutes: float, k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Concentrations of A ... E after so long, mol/L, `5`.

    Args:
        start: those at the inlet, `5`.
        k: as `rate_constants` gives them.
    """
    from scipy.integrate import solve_ivp

    def rates(_: float, c: NDArray[np.float64]) -> list[float]:
        ra, rb, rc, rd = k * c[1] * c[[0, 0, 2, 3]]
        return [-ra - rb, -ra - rb - rc - rd, ra - rc, rb - rd, rc + rd]

    solved = solve_ivp(rates, (0.0, minutes), start, method="DOP853", rtol=1e-9, atol=1e-12)
    at_end: NDArray[np.float64] = solved.y[:, -1]
    return at_end


@dataclass(frozen=True)
class SnArReactor:
    """Substitution in a plug-flow reactor, 4 variables: space-time yield and waste; kinetics of Hone et al."""

    card: ClassVar[Card] = Card(
        'Hone, Holmes, Akien, Bourne & Muller, "Rapid multistep kinetic model generation from transient flow data", '
        "React. Chem. Eng. 2 (2017)",
        doi="10.1039/C6RE00109B",
        remarks=(
            "The two conflict: the highest yield found, 11562, is at 0.5 min, 5 eq and 31 degC with an E-factor of "
            "9.75, the lowest E-factor, 8.45, at 2 min, 1.18 eq and 62 degC with a yield of 2858; both at 0.5 mol/L.",
            "E-factor counts ethanol by the volume of the whole flow, and not the hydrogen fluoride that is set free.",
            "SnarBenchmark of Summit 0.8.9 is the same but for 0 degC, 273.71 K there, by which values differ by up to "
            "0.6 %; in its version 0.8.4 the para isomer came about at the rate k_a.",
        ),
    )
    space: ClassVar[Space] = Space(
        (
            Float("residence_time", 0.5, 2.0, unit="min"),
            Float("pyrrolidine", 1.0, 5.0, unit="eq"),
            Float("concentration", 0.1, 0.5, unit="mol/L"),
            Float("temperature", 30.0, 120.0, unit="degC"),
        )
    )
    objectives: ClassVar[tuple[Maximize | Minimize, ...]] = (
        Maximize("space_time_yield", unit="kg/(m3 h)"),
        Minimize("e_factor"),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        paid((), fidelity)
        minutes = point["residence_time"]
        start = np.array([1.0, point["pyrrolidine"], 0.0, 0.0, 0.0]) * point["concentration"]
        masses = _MOLAR_MASS * outlet(start, minutes, rate_constants(point["temperature"]))
        product = masses[2]
        waste = _ETHANOL + np.delete(masses, 2).sum()
        return {"space_time_yield": float(60 * product / minutes), "e_factor": float(waste / product)}
