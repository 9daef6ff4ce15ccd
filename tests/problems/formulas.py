"""The formulas of the engineering problems as papers print them, and those of Yu et al.: f to be minimized, g <= 0.

Typed from the papers, in the order of their variables and constraints, to share nothing with the problems they check.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

Formula = Callable[[Sequence[float]], Any]


def _welded_beam(throat: float, buckling: float) -> tuple[Formula, Formula]:
    def f(x):
        return 1.10471 * x[0] ** 2 * x[1] + 0.04811 * x[2] * x[3] * (14.0 + x[1])

    def g(x):
        M = 6000 * (14 + x[1] / 2)
        R = math.sqrt(x[1] ** 2 / 4 + ((x[0] + x[2]) / 2) ** 2)
        J = 2 * throat * x[0] * x[1] * (x[1] ** 2 / 12 + ((x[0] + x[2]) / 2) ** 2)
        tau_1, tau_2 = 6000 / (math.sqrt(2) * x[0] * x[1]), M * R / J
        tau = math.sqrt(tau_1**2 + 2 * tau_1 * tau_2 * x[1] / (2 * R) + tau_2**2)
        return [
            tau / 13600 - 1,
            504000 / (x[3] * x[2] ** 2) / 30000 - 1,
            x[0] / x[3] - 1,
            2.1952 / (x[2] ** 3 * x[3]) / 0.25 - 1,
            1 - buckling * (1 - 0.028234621965789 * x[2]) * x[2] * x[3] ** 3 / 6000,
        ]

    return f, g


def _coello() -> tuple[Formula, Formula]:
    f, g = _welded_beam(math.sqrt(2), 4.013 * 30e6 * math.sqrt(1 / 36) / 14**2)
    return f, lambda x: [*g(x), (0.10471 * x[0] ** 2 + 0.04811 * x[2] * x[3] * (14 + x[1])) / 5 - 1]


def _spring_f(x):
    return (x[2] + 2) * x[1] * x[0] ** 2


def _spring_g(x):
    d, D, N = x
    return [
        1 - D**3 * N / (71785 * d**4),
        (4 * D**2 - d * D) / (12566 * (D * d**3 - d**4)) + 1 / (5108 * d**2) - 1,
        1 - 140.45 * d / (D**2 * N),
        (D + d) / 1.5 - 1,
    ]


def _truss_f(x):
    return (2 * math.sqrt(2) * x[0] + x[1]) * 100


def _truss_g(x):
    below = math.sqrt(2) * x[0] ** 2 + 2 * x[0] * x[1]
    return [
        (math.sqrt(2) * x[0] + x[1]) / below * 2 - 2,
        x[1] / below * 2 - 2,
        1 / (math.sqrt(2) * x[1] + x[0]) * 2 - 2,
    ]


def _vessel_f(x):
    return (
        0.6224 * x[0] * x[2] * x[3] + 1.7781 * x[1] * x[2] ** 2 + 3.1661 * x[0] ** 2 * x[3] + 19.84 * x[0] ** 2 * x[2]
    )


def _vessel_g(x):
    volume = math.pi * x[2] ** 2 * x[3] + 4 / 3 * math.pi * x[2] ** 3
    return [0.0193 * x[2] / x[0] - 1, 0.00954 * x[2] / x[1] - 1, 1 - volume / 1296000, x[3] / 240 - 1]


def _reducer_f(x):
    return (
        0.7854 * x[0] * x[1] ** 2 * (3.3333 * x[2] ** 2 + 14.9334 * x[2] - 43.0934)
        - 1.508 * x[0] * (x[5] ** 2 + x[6] ** 2)
        + 7.4777 * (x[5] ** 3 + x[6] ** 3)
        + 0.7854 * (x[3] * x[5] ** 2 + x[4] * x[6] ** 2)
    )


def _reducer_g(x):
    return [
        27 / (x[0] * x[1] ** 2 * x[2]) - 1,
        397.5 / (x[0] * x[1] ** 2 * x[2] ** 2) - 1,
        1.93 * x[3] ** 3 / (x[1] * x[2] * x[5] ** 4) - 1,
        1.93 * x[4] ** 3 / (x[1] * x[2] * x[6] ** 4) - 1,
        math.sqrt((745 * x[3] / (x[1] * x[2])) ** 2 + 16.9e6) / (110 * x[5] ** 3) - 1,
        math.sqrt((745 * x[4] / (x[1] * x[2])) ** 2 + 157.5e6) / (85 * x[6] ** 3) - 1,
        x[1] * x[2] / 40 - 1,
        5 * x[1] / x[0] - 1,
        x[0] / (12 * x[1]) - 1,
        (1.5 * x[5] + 1.9) / x[3] - 1,
        (1.1 * x[6] + 1.9) / x[4] - 1,
    ]


def _reducer_yu_g(x):
    g = _reducer_g(x)[:9]
    return [*g[:4], math.sqrt((745 * x[3] / (x[1] * x[2])) ** 2 + 1.69e6) / (110 * x[5] ** 3) - 1, *g[5:]]


def _concrete_f(x):
    return 29.4 * x[0] + 0.6 * x[2] * x[1]


def _concrete(coefficient: float) -> tuple[Formula, Formula]:
    return _concrete_f, lambda x: [
        180 + coefficient * x[0] ** 2 / x[2] - x[0] * x[1],
        x[1] / x[2] - 4,
    ]


def _exchanger(coefficient: float) -> tuple[Formula, Formula]:
    def g(x):
        return [
            0.0025 * (x[3] + x[5]) - 1,
            0.0025 * (x[4] + x[6] - x[3]) - 1,
            0.01 * (x[7] - x[4]) - 1,
            (833.33252 * x[3] + 100 * x[0] - x[0] * x[5] - 83333.333) / 1e5,
            (1250 * x[4] + x[1] * x[3] - x[1] * x[6] - coefficient * x[3]) / 1e5,
            (x[2] * x[4] - 2500 * x[4] - x[2] * x[7] + 1250000) / 1e5,
        ]

    return lambda x: x[0] + x[1] + x[2], g


def _cantilever_f(x):
    return 100 * (x[0] * x[5] + x[1] * x[6] + x[2] * x[7] + x[3] * x[8] + x[4] * x[9])


def _cantilever_g(x):
    inertia = [b * h**3 / 12 for b, h in zip(x[:5], x[5:], strict=True)]
    bent = 61 / inertia[0] + 37 / inertia[1] + 19 / inertia[2] + 7 / inertia[3] + 1 / inertia[4]
    return [
        6 * 50000 * 100 / (x[4] * x[9] ** 2) / 14000 - 1,
        6 * 50000 * 200 / (x[3] * x[8] ** 2) / 14000 - 1,
        6 * 50000 * 300 / (x[2] * x[7] ** 2) / 14000 - 1,
        6 * 50000 * 400 / (x[1] * x[6] ** 2) / 14000 - 1,
        6 * 50000 * 500 / (x[0] * x[5] ** 2) / 14000 - 1,
        50000 * 1e6 / (3 * 2e7) * bent / 2.7 - 1,
        *(x[5 + k] / x[k] / 20 - 1 for k in range(5)),
    ]


def _car_f(x):
    return 1.98 + 4.90 * x[0] + 6.67 * x[1] + 6.98 * x[2] + 4.01 * x[3] + 1.78 * x[4] + 2.73 * x[6]


def _car(criterion: float, extra: float, lower: float) -> tuple[Formula, Formula]:
    """With that limit on the viscous criteria, two terms of the middle one or none, and that term of the lower one."""

    def g(x):
        x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = x
        # fmt: off
        return [
            1.16 - 0.3717*x2*x4 - 0.00931*x2*x10 - 0.484*x3*x9 + 0.01343*x6*x10 - 1,
            0.261 - 0.0159*x1*x2 - 0.188*x1*x8 - 0.019*x2*x7 + 0.0144*x3*x5 + 0.0008757*x5*x10 + 0.08045*x6*x9
            + 0.00139*x8*x11 + 0.00001575*x10*x11 - criterion,
            0.214 + 0.00817*x5 - 0.131*x1*x8 - 0.0704*x1*x9 + 0.03099*x2*x6 - 0.018*x2*x7 + 0.0208*x3*x8
            + 0.121*x3*x9 - 0.00364*x5*x6 + 0.0007715*x5*x10 - 0.0005354*x6*x10 + 0.00121*x8*x11
            + extra*(0.00184*x9*x10 - 0.02*x2**2) - criterion,
            0.74 - lower*x2 - 0.163*x3*x8 + 0.001232*x3*x10 - 0.166*x7*x9 + 0.227*x2**2 - criterion,
            28.98 + 3.818*x3 - 4.2*x1*x2 + 0.0207*x5*x10 + 6.63*x6*x9 - 7.7*x7*x8 + 0.32*x9*x10 - 32,
            33.86 + 2.95*x3 + 0.1792*x10 - 5.057*x1*x2 - 11*x2*x8 - 0.0215*x5*x10 - 9.98*x7*x8 + 22*x8*x9 - 32,
            46.36 - 9.9*x2 - 12.9*x1*x8 + 0.1107*x3*x10 - 32,
            4.72 - 0.5*x4 - 0.19*x2*x3 - 0.0122*x4*x10 + 0.009325*x6*x10 + 0.000191*x11**2 - 4,
            10.58 - 0.674*x1*x2 - 1.95*x2*x8 + 0.02054*x3*x10 - 0.0198*x4*x10 + 0.028*x6*x10 - 9.9,
            16.45 - 0.489*x3*x7 - 0.843*x5*x6 + 0.0432*x9*x10 - 0.0556*x9*x11 - 0.000786*x11**2 - 15.7,
        ]
        # fmt: on

    return _car_f, g


FORMULAS = {
    "cantilever-beam": (_cantilever_f, _cantilever_g),
    "car-side-impact": _car(0.32, 1.0, 0.61),
    "car-side-impact-yu": _car(0.9, 0.0, 0.061),
    "compression-spring": (_spring_f, _spring_g),
    "compression-spring-yu": (_spring_f, _spring_g),
    "concrete-beam": _concrete(7.375),
    "concrete-beam-yu": _concrete(7.35),
    "heat-exchanger": _exchanger(1250),
    "heat-exchanger-yu": _exchanger(125),
    "pressure-vessel": (_vessel_f, _vessel_g),
    "pressure-vessel-yu": (_vessel_f, _vessel_g),
    "speed-reducer": (_reducer_f, _reducer_g),
    "speed-reducer-yu": (_reducer_f, _reducer_yu_g),
    "three-bar-truss": (_truss_f, _truss_g),
    "welded-beam": _welded_beam(0.707, 64746.0),
    "welded-beam-coello": _coello(),
    "welded-beam-yu": _welded_beam(0.707, 64746.0),
}
