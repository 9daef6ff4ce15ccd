"""The relaxation factor of SOR, successive over-relaxation, on a stream of systems that differ in a shift.

After Khodak, Chow, Balcan & Talwalkar, "Learning to relax: setting solver parameters across a sequence of linear system
instances", ICLR 2024, arXiv:2310.02246: (A + c I) x = b with A the Laplacian on 10 x 10 points, from x = 0 until the
residual is 1e-8 of b. Its theory is Young's, "Iterative methods for solving partial difference equations of elliptic
type", Trans. Amer. Math. Soc. 76 (1954).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.fidelity import paid
from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.space import Float, Space

# What a seed is for, below the words of `bbo.seeding`.
_SHIFT, _SIDE = 11, 12
_N_SIDE = 10
_TOLERANCE, _MOST = 1e-8, 10_000
_LEAST, _GREATEST = -0.15, 0.45
_SOURCE = (
    'Khodak, Chow, Balcan & Talwalkar, "Learning to relax: setting solver parameters across a sequence of linear '
    'system instances", ICLR 2024'
)


@cache
def _laplacian() -> NDArray[np.float64]:
    """Of five points, zero beyond the edges, `n x n`."""
    one = np.eye(_N_SIDE)
    line = 2 * one - np.eye(_N_SIDE, k=1) - np.eye(_N_SIDE, k=-1)
    return np.kron(line, one) + np.kron(one, line)


def _iterations(omega: float, shift: float, seed: int) -> int:
    """Of SOR for a right-hand side of which the seed draws the direction; its length changes nothing."""
    n = _N_SIDE**2
    A = _laplacian() + shift * np.eye(n)
    residual = seeding.generator(seed, seeding.NOISE, _SIDE).standard_normal(n)
    # x <- x + M^-1 r with M = D / omega + L, and so r <- r - A M^-1 r.
    M = np.tril(A, -1) + np.diag(np.diag(A)) / omega
    change = np.eye(n) - np.linalg.solve(M.T, A).T
    enough = _TOLERANCE * np.linalg.norm(residual)
    for k in range(1, _MOST + 1):
        residual = change @ residual
        if np.linalg.norm(residual) <= enough:
            return k
    return _MOST


@dataclass(frozen=True)
class SORContext:
    """Relaxation factor of SOR for a system whose shift is given, 2 variables: iterations to a residual of 1e-8.

    The shift is a context: `study.ask(context={"shift": problem.shift(k)})` is for the k-th system of the stream, whose
    shift is 0.6 times a Beta variable, less 0.15.

    Args:
        beta: of the shifts' distribution. The paper's other one is (0.5, 1.5), with more variance.
    """

    beta: tuple[float, float] = (2.0, 6.0)

    card: ClassVar[Card] = Card(
        _SOURCE,
        doi="arXiv:2310.02246",
        noise="the direction of the right-hand side",
        cost_unit="iterations",
        remarks=(
            "The shift is a context: over both parameters the optimum is only the best conditioned system.",
            "For each shift the best factor is near that of Young's theory, 1 + (b / (1 + sqrt(1 - b^2)))^2 with "
            "b = 4 cos(pi / 11) / (4 + shift).",
            "The cost is the number of iterations for the seed 0.",
        ),
    )
    space: ClassVar[Space] = Space((Float("omega", 1.0, 1.95), Float("shift", _LEAST, _GREATEST)))
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("iterations"),)

    def shift(self, seed: int) -> float:
        """That of the system which the seed draws."""
        drawn = seeding.generator(seed, seeding.NOISE, _SHIFT).beta(*self.beta)
        return min(_LEAST + (_GREATEST - _LEAST) * float(drawn), _GREATEST)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        paid((), fidelity)
        return {"iterations": float(_iterations(point["omega"], point["shift"], seed))}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return self.evaluate(params, fidelity=fidelity)["iterations"]


@dataclass(frozen=True)
class SORStream:
    """Relaxation factor of SOR for systems of which each seed draws one, 1 variable: iterations to 1e-8; noisy.

    Args:
        beta: of the shifts' distribution, as in `SORContext`.
    """

    beta: tuple[float, float] = (2.0, 6.0)

    card: ClassVar[Card] = Card(
        _SOURCE,
        doi="arXiv:2310.02246",
        noise="the system: its shift, which makes most of the difference, and its right-hand side",
        cost_unit="iterations",
        remarks=(
            "With one factor for all systems; sor-context is told the shift.",
            "On average over 60 systems the best of factors 0.05 apart is 1.7, with 64 iterations; for beta=(0.5, 1.5) "
            "it is 1.75, with 100.",
            "The cost is the number of iterations for the seed 0.",
        ),
    )
    space: ClassVar[Space] = Space((SORContext.space.by_name["omega"],))
    objectives: ClassVar[tuple[Minimize, ...]] = SORContext.objectives

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        system = SORContext(self.beta)
        return system.evaluate({**point, "shift": system.shift(seed)}, fidelity=fidelity, seed=seed)

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return self.evaluate(params, fidelity=fidelity)["iterations"]
