"""A square plate of steel with two heaters, held in a cold frame at one edge: the heat equation by finite volumes.

| symbol | parameter | |
|---|---|---|
| t | thickness | of the plate |
| s | heater | the kind: its heat spreads as a Gaussian of this width, and heaters that spread more weigh more |
| x, y, P | x_1, y_1, power_1, ... | centre and power of each heater |
| L, k, rho | | side 0.3 m, conductivity 50 W/(m K), density 7850 kg/m3 |
| g | | loss at both faces together, 20 W/(m2 K), to air of 20 degC |

In the steady state k t (u_xx + u_yy) - g u + q = 0 for the excess u over the air; u = 0 at the frame, x = 0, and no
heat flows through the other edges. Each of n x n cells has one temperature; a heater's power is shared among them by
the integral over each, and nothing of it is lost beyond the edges. The error is the root of the mean over the plate of
the squared difference from 80 degC.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.space import Categorical, Float, Space

_L, _K, _RHO, _G, _AIR, _WANTED = 0.3, 50.0, 7850.0, 20.0, 20.0, 80.0
# Width in m and mass in kg of each heater of a kind.
_KINDS = {"cartridge": (0.012, 0.05), "patch": (0.03, 0.2), "foil": (0.055, 0.8)}
_HEATERS = (1, 2)


@cache
def _exchange(n: int) -> tuple[Any, Any]:
    """What `n x n` cells of u = 1 give their neighbours and the frame, per k t; and the identity."""
    from scipy import sparse

    beside = [-1.0] * (n - 1)
    # The frame is half a cell from the first, and takes twice of what a neighbour would.
    framed = sparse.diags_array([beside, [3.0] + [2.0] * (n - 2) + [1.0], beside], offsets=[-1, 0, 1])
    free = sparse.diags_array([beside, [1.0] + [2.0] * (n - 2) + [1.0], beside], offsets=[-1, 0, 1])
    one = sparse.eye_array(n)
    return (sparse.kron(framed, one) + sparse.kron(one, free)).tocsc(), sparse.eye_array(n * n, format="csc")


def _excess(n: int, thickness: float, sources: NDArray[np.float64]) -> NDArray[np.float64]:
    """u in K on `n x n` cells, of sources in W, `n x n`."""
    from scipy.sparse.linalg import splu

    exchange, identity = _exchange(n)
    A = _K * thickness * exchange + _G * (_L / n) ** 2 * identity
    lu = splu(A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    u: NDArray[np.float64] = lu.solve(sources.ravel()).reshape(n, n)
    return u


def _shares(n: int, centre: float, width: float) -> NDArray[np.float64]:
    """Of a heater's power along one axis, `n`; they sum to 1."""
    edges = [math.erf((x - centre) / (math.sqrt(2) * width)) for x in np.linspace(0.0, _L, n + 1)]
    shares: NDArray[np.float64] = np.diff(edges) / (edges[-1] - edges[0])
    return shares


@dataclass(frozen=True)
class HotPlate:
    """Hot plate with two heaters, 8 variables: error from 80 degC, within mass and hottest point; by mesh."""

    card: ClassVar[Card] = Card(
        "bbo; finite volumes as in Patankar, Numerical Heat Transfer and Fluid Flow (1980)",
        known="searches from many starts for each kind of heater",
        cost_unit="full evaluations",
        remarks=(
            "Two optima: the heaters may change places.",
            "A mesh's cost is its number of temperatures to the power 1.2, as measured: 32, 64, 128 and 256 cells a "
            "side took 2.7, 10, 59 and 408 ms on one core.",
            "Over the box, the error on 4, 8, 16 cells a side has the rank correlation 0.984, 0.9991, 0.9999 with "
            "that on 64, the hottest point 0.964, 0.993, 0.9993.",
        ),
    )
    space: ClassVar[Space] = Space(
        (
            Float("thickness", 1.0, 6.0, unit="mm"),
            Categorical("heater", tuple(_KINDS)),
            *(
                p
                for k in _HEATERS
                for p in (
                    Float(f"x_{k}", 0.03, 0.27, unit="m"),
                    Float(f"y_{k}", 0.03, 0.27, unit="m"),
                    Float(f"power_{k}", 10.0, 100.0, unit="W"),
                )
            ),
        )
    )
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("error", unit="K"),
        OutcomeConstraint("hottest", upper=110.0, unit="degC"),
        OutcomeConstraint("mass", upper=3.0, unit="kg"),
    )
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity.of_levels("cells", (4, 8, 16, 32, 64), unit="a side"),)
    best_value: ClassVar[float] = 20.228045051184495
    optima: ClassVar[tuple[tuple[Any, ...], ...]] = tuple(
        (1.9815994338267515, "foil", *heaters)
        for heaters in (
            (0.03, 0.15, 94.14735576712351, 0.2349796324567106, 0.15, 51.77321192374704),
            (0.2349796324567106, 0.15, 51.77321192374704, 0.03, 0.15, 94.14735576712351),
        )
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        n = int(paid(self.fidelities, fidelity)["cells"])
        width, heater_mass = _KINDS[point["heater"]]
        sources = np.zeros((n, n))
        for k in _HEATERS:
            x, y = (_shares(n, point[f"{axis}_{k}"], width) for axis in "xy")
            sources += point[f"power_{k}"] * np.outer(x, y)
        thickness = point["thickness"] / 1e3
        heat = _AIR + _excess(n, thickness, sources)
        return {
            "error": float(np.sqrt(np.mean((heat - _WANTED) ** 2))),
            "hottest": float(heat.max()),
            "mass": _RHO * thickness * _L**2 + len(_HEATERS) * heater_mass,
        }

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """In units of a full evaluation: what grows with the mesh is the factorization."""
        share = paid(self.fidelities, fidelity)["cells"] / self.fidelities[0].high
        return float(share ** (2 * 1.2))
