"""Test functions under constraints that are functions too; where they bind is for a strategy to find out.

G06 and G09 are numbered, bounded and solved in Liang et al., "Problem definitions and evaluation criteria for the CEC
2006 special session on constrained real-parameter optimization" (2006). The others, from JLH1 to Keane's bump, are the
analytic ones among the constrained problems of Yu, Picard & Ahmed (2024), which they maximize with the sign changed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bbo.objective import Maximize, Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.problems.sources import YU, YU_DOI
from bbo.problems.synthetic import Ackley
from bbo.space import Float, Space

_ONE_LIMIT = (Minimize("value"), OutcomeConstraint("g1", upper=0.0))


@dataclass(frozen=True)
class G06:
    """A crescent between two circles, 2 variables: a cubic. 0.0066 % of the box is feasible."""

    card: ClassVar[Card] = Card(
        "Floudas & Pardalos, A Collection of Test Problems for Constrained Global Optimization Algorithms (1990)",
        doi="10.1007/3-540-53032-0",
        known="as reported; searches beside it find none lower",
    )

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
    """A polynomial with four constraints, 7 variables: two hold at the optimum. 0.51 % of the box is feasible."""

    card: ClassVar[Card] = Card(
        "Hock & Schittkowski, Test Examples for Nonlinear Programming Codes (1981), problem 100",
        doi="10.1007/978-3-642-48320-2",
        known="as reported; searches beside it find none lower",
    )

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


_JLH = (
    'Jetton, Li & Hoyle, "Constrained Bayesian optimization methods using regression and classification Gaussian '
    f'processes as constraints", IDETC-CIE (2023), V03BT03A033; as in {YU}'
)


@dataclass(frozen=True)
class JLH1:
    """Jetton, Li and Hoyle's first, 2 variables: a bowl whose centre a line cuts off."""

    card: ClassVar[Card] = Card(_JLH, doi=YU_DOI, known="in closed form")
    space: ClassVar[Space] = Space((Float("x1", 0.0, 1.0), Float("x2", 0.0, 1.0)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _ONE_LIMIT
    best_value: ClassVar[float] = 0.03125
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.375, 0.375),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        return {"value": (x1 - 0.5) ** 2 + (x2 - 0.5) ** 2, "g1": x1 + x2 - 0.75}


def _waves(x1: float, x2: float) -> float:
    return math.cos(2 * x1) * math.cos(x2) + math.sin(x1)


@dataclass(frozen=True)
class JLH2:
    """Jetton, Li and Hoyle's second, 2 variables: waves within an ellipse, on whose edge the lowest point lies."""

    card: ClassVar[Card] = Card(_JLH, doi=YU_DOI, known="in closed form")
    space: ClassVar[Space] = Space((Float("x1", -5.0, 0.0), Float("x2", -5.0, 5.0)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _ONE_LIMIT
    best_value: ClassVar[float] = _waves(math.sqrt(10) - 5, 0.0)
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((math.sqrt(10) - 5 - 1e-12, 0.0),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        return {"value": _waves(x1, x2), "g1": (x1 + 5) ** 2 / 4 + x2**2 / 100 - 2.5}


_GKXWC = (
    'Gardner, Kusner, Xu, Weinberger & Cunningham, "Bayesian optimization with inequality constraints", ICML (2014)'
)


@dataclass(frozen=True)
class GKXWC1:
    """Gardner et al.'s first, 2 variables: waves in two stripes; no constraint binds at the lowest point."""

    card: ClassVar[Card] = Card(_GKXWC, known="in closed form")
    space: ClassVar[Space] = Space((Float("x1", 0.0, 6.0), Float("x2", 0.0, 6.0)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _ONE_LIMIT
    best_value: ClassVar[float] = -2.0
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((3 * math.pi / 2, 0.0),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        return {"value": _waves(x1, x2), "g1": math.cos(x1) * math.cos(x2) - math.sin(x1) * math.sin(x2) - 0.5}


@dataclass(frozen=True)
class GKXWC2:
    """Gardner et al.'s second, 2 variables: a slope on two small islands. 1.7 % of the box is feasible."""

    card: ClassVar[Card] = Card(_GKXWC, known="in closed form")
    space: ClassVar[Space] = Space((Float("x1", 0.0, 6.0), Float("x2", 0.0, 6.0)))
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = _ONE_LIMIT
    best_value: ClassVar[float] = math.asin(0.95) - 1
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((3 * math.pi / 2, math.asin(0.95) + 1e-12),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = self.space.check(params).values()
        return {"value": math.sin(x1) + x2, "g1": math.sin(x1) * math.sin(x2) + 0.95}


@dataclass(frozen=True)
class ConstrainedAckley(Ackley):
    """Ackley under two constraints, any dimension: the minimum is where one of them begins to hold.

    Yu et al. take it in 2, 6 and 10 dimensions.
    """

    dim: int = 10
    card: ClassVar[Card] = Card(
        'Eriksson & Poloczek, "Scalable constrained Bayesian optimization", AISTATS (2021)',
        doi="arXiv:2002.08526",
        known="in closed form",
        remarks=("The tip of the funnel lies on the first constraint: half of the ways to it are infeasible.",),
    )
    low, high = -5.0, 10.0
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (
        Minimize("value"),
        OutcomeConstraint("sum", upper=0.0),
        OutcomeConstraint("norm", upper=5.0),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x = np.array(list(self.space.check(params).values()))
        return {"value": self.value(x), "sum": float(x.sum()), "norm": float(np.linalg.norm(x))}


@dataclass(frozen=True)
class KeaneBump:
    """Keane's bump, 18 variables: ridges and peaks by the thousand, the highest where a constraint cuts one."""

    card: ClassVar[Card] = Card(
        'Keane, "Experiences with optimizers in structural design", Adaptive Computing in Engineering Design and '
        "Control (1994)",
        known="the best of local searches from a start in every pattern of high and low coordinates; unproven",
        remarks=(
            "Nearly all of the box is feasible; the product of the coordinates decides at the optimum and spans 18 "
            "powers of ten.",
            "Local searches from random points end far below.",
        ),
    )
    space: ClassVar[Space] = Space(tuple(Float(f"x{k}", 0.0, 10.0) for k in range(1, 19)))
    objectives: ClassVar[tuple[Maximize | OutcomeConstraint, ...]] = (
        Maximize("value"),
        OutcomeConstraint("product", lower=0.75),
        OutcomeConstraint("mean", upper=7.5),
    )
    best_value: ClassVar[float] = 0.7971138758120397
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (
            *(3.1603255700366195, 3.122177040037067, 3.0846763700375184, 3.0472770800379787, 3.0094367800384556),
            *(2.9705439600389596, 2.929815530039501, 0.5137439002252685, 0.5053966902289889, 0.4977645402325),
            *(0.49072206023583675, 0.48417580023902534, 0.4780541902420862, 0.4723008102450351, 0.4668704202478852),
            *(0.46172606025064705, 0.4568371202533294, 0.45217780025593973),
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x = np.array(list(self.space.check(params).values()))
        squares = np.cos(x) ** 2
        # The formula has a pole where all are 0. Where the product is allowed the root is above 11, so a root of at
        # least 1e-3 keeps the value finite and changes no feasible one.
        root = max(math.sqrt(np.arange(1, len(x) + 1) @ x**2), 1e-3)
        return {
            "value": abs(float(np.sum(squares**2) - 2 * np.prod(squares))) / root,
            "product": float(np.prod(x)),
            "mean": float(np.mean(x)),
        }
