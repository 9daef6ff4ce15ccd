"""Test functions with known minima, all to be minimized.

The boxes are the classical ones; where the minimum is the centre, the card says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.objective import Minimize, OutcomeConstraint
from bbo.problems.card import Card
from bbo.space import Float, Space

Vector = NDArray[np.float64]

_DIXON_SZEGO = 'Dixon & Szegö, "The global optimization problem: an introduction", Towards Global Optimisation 2 (1978)'
_EXACT = "in closed form"
_SOLVED = "the point where the gradient vanishes, to all digits; a search from many starts finds none lower"


def _box(dim: int, low: float, high: float) -> Space:
    return Space(tuple(Float(f"x{k}", low, high) for k in range(1, dim + 1)))


def _vector(space: Space, params: Mapping[str, Any]) -> Vector:
    return np.array(list(space.check(params).values()))


@dataclass(frozen=True)
class Branin:
    """Branin-Hoo, 2 dimensions: three global minima in curved valleys."""

    card: ClassVar[Card] = Card(_DIXON_SZEGO, known=_EXACT)

    space: ClassVar[Space] = Space((Float("x1", -5.0, 10.0), Float("x2", 0.0, 15.0)))
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("value"),)
    best_value: ClassVar[float] = 10 / (8 * math.pi)
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (-math.pi, 12.275),
        (math.pi, 2.275),
        (3 * math.pi, 2.475),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x1, x2 = _vector(self.space, params).tolist()
        valley = x2 - 5.1 / (4 * math.pi**2) * x1**2 + 5 / math.pi * x1 - 6
        return {"value": valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x1) + 10}


@dataclass(frozen=True)
class SixHumpCamel:
    """Six-hump camel back, 2 dimensions: six local minima, two of them global."""

    card: ClassVar[Card] = Card(_DIXON_SZEGO, known=_SOLVED)
    space: ClassVar[Space] = Space((Float("x1", -3.0, 3.0), Float("x2", -2.0, 2.0)))
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("value"),)
    best_value: ClassVar[float] = -1.0316284534898774
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (0.08984201310031806, -0.7126564030207396),
        (-0.08984201310031806, 0.7126564030207396),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return {"value": self.value(_vector(self.space, params))}

    def value(self, x: Vector) -> float:
        x1, x2 = x.tolist()
        return float((4 - 2.1 * x1**2 + x1**4 / 3) * x1**2 + x1 * x2 + (4 * x2**2 - 4) * x2**2)


@dataclass(frozen=True)
class Shekel:
    """Shekel's foxholes, 4 dimensions: ten narrow holes in a plain, one of them deepest."""

    card: ClassVar[Card] = Card(
        'Shekel, "Test functions for multimodal search techniques", Fifth Annual Princeton Conference on Information '
        "Science and Systems (1971); constants of Dixon & Szegö (1978)",
        known=_SOLVED,
    )
    space: ClassVar[Space] = _box(4, 0.0, 10.0)
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("value"),)
    best_value: ClassVar[float] = -10.536443153483528
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (4.000746868270634, 3.9995094800857736, 4.000746868270634, 3.9995094800857736),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return {"value": self.value(_vector(self.space, params))}

    def value(self, x: Vector) -> float:
        return -float(np.sum(1 / (((x - _SHEKEL_HOLES) ** 2).sum(axis=1) + _SHEKEL_WIDTHS)))


# The third and fourth coordinates of each hole repeat the first and second.
_SHEKEL_HOLES = np.array([[4, 4], [1, 1], [8, 8], [6, 6], [3, 7], [2, 9], [5, 3], [8, 1], [6, 2], [7, 3.6]])[
    :, [0, 1, 0, 1]
]
_SHEKEL_WIDTHS = np.array([0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5])


_HARTMANN = Card(
    'Hartman, "Some experiments in global optimization", Naval Postgraduate School (1972); constants of Dixon & Szegö '
    "(1978)",
    known=_SOLVED,
)
_HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


def _hartmann(x: Vector, A: Vector, P: Vector) -> float:
    """-sum_i alpha_i exp(-sum_j A_ij (x_j - P_ij)^2)."""
    return -float(_HARTMANN_ALPHA @ np.exp(-(A * (x - P) ** 2).sum(axis=1)))


@dataclass(frozen=True)
class Hartmann3:
    """Hartmann, 3 dimensions: four local minima, one of them global."""

    card: ClassVar[Card] = _HARTMANN

    space: ClassVar[Space] = _box(3, 0.0, 1.0)
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("value"),)
    best_value: ClassVar[float] = -3.862782147820755
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((0.11461433858967, 0.55564884997186, 0.85254695352087),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return {"value": self.value(_vector(self.space, params))}

    def value(self, x: Vector) -> float:
        return _hartmann(x, _HARTMANN3_A, _HARTMANN3_P)


_HARTMANN3_A = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
# 0.03815 as in Dixon & Szegö; where it is cut to 0.0381 the minimum is -3.862780.
_HARTMANN3_P = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381.5, 5743, 8828]])


@dataclass(frozen=True)
class Hartmann6:
    """Hartmann, 6 dimensions: six local minima, one of them global."""

    card: ClassVar[Card] = _HARTMANN

    space: ClassVar[Space] = _box(6, 0.0, 1.0)
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("value"),)
    best_value: ClassVar[float] = -3.322368011415515
    optima: ClassVar[tuple[tuple[float, ...], ...]] = (
        (0.20168951101239, 0.1500106918225, 0.4768739741956, 0.27533243049283, 0.31165161660358, 0.65730053406622),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return {"value": self.value(_vector(self.space, params))}

    def value(self, x: Vector) -> float:
        return _hartmann(x, _HARTMANN6_A, _HARTMANN6_P)


_HARTMANN6_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN6_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


_AT_THE_CENTRE = ("The minimum is the centre of the box: a design that begins there finds it at once.",)


@dataclass(frozen=True)
class _OnBox:
    """A function of any dimension on [low, high]^dim whose minimum has all coordinates equal."""

    dim: int = 5
    low: ClassVar[float]
    high: ClassVar[float]
    optimum: ClassVar[float]
    optimum_value: ClassVar[float] = 0.0
    objectives: ClassVar[tuple[Minimize | OutcomeConstraint, ...]] = (Minimize("value"),)

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"{type(self).__name__}: dim must be at least 1, got {self.dim!r}.")

    @cached_property
    def space(self) -> Space:
        return _box(self.dim, self.low, self.high)

    @property
    def best_value(self) -> float:
        return self.optimum_value

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]:
        return ((self.optimum,) * self.dim,)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return {"value": float(self.value(_vector(self.space, params)))}

    def value(self, x: Vector) -> float:
        raise NotImplementedError


class Ackley(_OnBox):
    """Ackley, any dimension: a funnel in a nearly flat plain of ripples."""

    card: ClassVar[Card] = Card(
        "Ackley, A Connectionist Machine for Genetic Hillclimbing (1987)",
        doi="10.1007/978-1-4613-1997-9",
        known=_EXACT,
        remarks=_AT_THE_CENTRE,
    )

    low, high, optimum = -32.768, 32.768, 0.0

    def value(self, x: Vector) -> float:
        funnel = 20 - 20 * math.exp(-0.2 * math.sqrt(np.mean(x**2)))
        return funnel + math.e - math.exp(np.mean(np.cos(2 * math.pi * x)))


class Griewank(_OnBox):
    """Griewank, any dimension: a wide bowl with a fine grain."""

    card: ClassVar[Card] = Card(
        'Griewank, "Generalized descent for global optimization", J. Optimization Theory and Applications 34 (1981)',
        doi="10.1007/BF00933356",
        known=_EXACT,
        remarks=_AT_THE_CENTRE,
    )

    low, high, optimum = -600.0, 600.0, 0.0

    def value(self, x: Vector) -> float:
        grain = np.prod(np.cos(x / np.sqrt(np.arange(1, self.dim + 1))))
        return float(np.sum(x**2) / 4000 - grain + 1)


class Levy(_OnBox):
    """Levy, any dimension: ripples of differing depth along each axis."""

    card: ClassVar[Card] = Card(
        'Levy & Montalvo, "The tunneling algorithm for the global minimization of functions", SIAM J. Sci. Stat. '
        "Comput. 6 (1985); the form of Laguna & Martí, J. Global Optimization 33 (2005)",
        doi="10.1137/0906002",
        known=_EXACT,
    )

    low, high, optimum = -10.0, 10.0, 1.0

    def value(self, x: Vector) -> float:
        w = 1 + (x - 1) / 4
        between = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2))
        last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
        return float(math.sin(math.pi * w[0]) ** 2 + between + last)


class Michalewicz(_OnBox):
    """Michalewicz, any dimension: steep grooves across a plateau, the more the further along the coordinates."""

    card: ClassVar[Card] = Card(
        "Michalewicz, Genetic Algorithms + Data Structures = Evolution Programs (1992)",
        known="coordinate by coordinate, each the root of an equation, to all digits",
    )
    low, high = 0.0, math.pi

    @property
    def best_value(self) -> float:
        return self.value(np.array(self.optima[0]))

    @property
    def optima(self) -> tuple[tuple[float, ...], ...]:
        return (tuple(map(_michalewicz_groove, range(1, self.dim + 1))),)

    def value(self, x: Vector) -> float:
        k = np.arange(1, self.dim + 1)
        return -float(np.sum(np.sin(x) * np.sin(k * x**2 / math.pi) ** 20))


def _michalewicz_groove(k: int) -> float:
    """Where sin(x) sin(k x^2 / pi)^20 is greatest in [0, pi].

    There is a peak beside each x at which the second sine is 1 or -1; Newton's method takes the logarithm to it.
    """
    x = math.pi * np.sqrt((np.arange(k) + 0.5) / k)
    for _ in range(20):
        u, slope = k * x**2 / math.pi, 2 * k * x / math.pi
        rise = 1 / np.tan(x) + 20 * slope / np.tan(u)
        bend = -1 / np.sin(x) ** 2 + 20 * (2 * k / math.pi / np.tan(u) - slope**2 / np.sin(u) ** 2)
        x = x - rise / bend
    return float(x[np.argmax(np.sin(x) * np.sin(k * x**2 / math.pi) ** 20)])


class Rastrigin(_OnBox):
    """Rastrigin, any dimension: a bowl with a minimum near every point of whole numbers."""

    card: ClassVar[Card] = Card(
        "Rastrigin, Systems of Extremal Control (1974); in any dimension by Mühlenbein, Schomisch & Born, Parallel "
        "Computing 17 (1991)",
        doi="10.1016/S0167-8191(05)80052-3",
        known=_EXACT,
        remarks=_AT_THE_CENTRE,
    )

    low, high, optimum = -5.12, 5.12, 0.0

    def value(self, x: Vector) -> float:
        return float(np.sum(x**2 + 10 * (1 - np.cos(2 * math.pi * x))))


class Rosenbrock(_OnBox):
    """Rosenbrock, 2 dimensions or more: a flat curved valley."""

    card: ClassVar[Card] = Card(
        'Rosenbrock, "An automatic method for finding the greatest or least value of a function", Computer J. 3 (1960)',
        doi="10.1093/comjnl/3.3.175",
        known=_EXACT,
    )

    low, high, optimum = -5.0, 10.0, 1.0

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise ValueError(f"Rosenbrock: dim must be at least 2, got {self.dim!r}.")

    def value(self, x: Vector) -> float:
        return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


class StyblinskiTang(_OnBox):
    """Styblinski-Tang, any dimension: a sum of quartics, two minima along each axis."""

    card: ClassVar[Card] = Card(
        'Styblinski & Tang, "Experiments in nonconvex optimization", Neural Networks 3 (1990)',
        doi="10.1016/0893-6080(90)90029-K",
        known="a root of a cubic, to all digits",
    )

    # The lowest root of 4 x^3 - 32 x + 5, and half of x^4 - 16 x^2 + 5 x there.
    low, high, optimum, optimum_value = -5.0, 5.0, -2.903534027771177, -39.16616570377142

    @property
    def best_value(self) -> float:
        return self.dim * self.optimum_value

    def value(self, x: Vector) -> float:
        return float(np.sum(x**4 - 16 * x**2 + 5 * x) / 2)
