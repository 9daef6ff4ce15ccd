"""A function moved and turned, so that its optimum lies where nobody expects it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.fidelity import Fidelity, paid
from bbo.problems.wrappers.base import MOTION, Wrapper
from bbo.protocols import Problem
from bbo.space import Float


class Function(Problem, Protocol):
    """A problem on a box of numbers whose formula holds beyond the box too."""

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]: ...

    def value(self, x: NDArray[np.float64]) -> float:
        """The objective at any `x`, `dim`, in the units of the parameters."""
        ...


@dataclass(frozen=True)
class Moved(Wrapper):
    """A function whose optimum the seed puts anywhere, and whose axes it turns.

    The position u of the unit cube has the function's value at x = x* + width R (u - u*): u* is uniform in
    [0.15, 0.85]^dim, R uniform among the rotations, x* the first of the function's optima and width that of its box.
    Where the function has more optima, they may come to lie outside; u* is the one that is told.

    Args:
        problem: all of its parameters are numbers on a linear scale.
        seed: decides u* and R.

    Rotations after Mezzadri, "How to generate random matrices from the classical compact groups", Notices of the AMS
    54 (2007), section 5.
    """

    problem: Function
    seed: int

    def __post_init__(self) -> None:
        odd = [p.name for p in self.space.parameters if not isinstance(p, Float) or p.log or p.step is not None]
        if odd:
            raise ValueError(f"Moved takes parameters that are Float without log and step: {self.name} has {odd}.")

    @cached_property
    def _motion(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """u*, `dim`, and R, `dim x dim`."""
        rng = seeding.generator(self.seed, seeding.NOISE, MOTION)
        centre = rng.uniform(0.15, 0.85, self.space.dim)
        Q, T = np.linalg.qr(rng.standard_normal((self.space.dim, self.space.dim)))
        R = Q * np.sign(np.diag(T))
        R[:, 0] *= np.linalg.det(R)  # 1 or -1: a reflection becomes a rotation
        return centre, R

    @property
    def rotation(self) -> NDArray[np.float64]:
        """R, `dim x dim`."""
        return self._motion[1].copy()

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]:
        return (tuple(self.space.decode(self._motion[0][None])[0].values()),)

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        return ()  # beyond the box there is the formula alone

    @property
    def cost(self) -> None:
        return None

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        paid(self.fidelities, fidelity)
        u = self.space.encode([self.space.check(params)])[0]
        centre, R = self._motion
        width = np.array([p.high - p.low for p in self.space.parameters if isinstance(p, Float)])
        x = np.array(self.problem.optima[0]) + width * (R @ (u - centre))
        return {self.objectives[0].metric: float(self.problem.value(x))}
