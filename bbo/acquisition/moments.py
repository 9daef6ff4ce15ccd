"""Moments, in the units of the values, of what is Gaussian after a monotone map: y = inverse(t), t ~ N(mean, sd^2).

By Gauss quadrature; for a straight line exact but for rounding. Gains have a kink at the incumbent and are integrated
from there on, as a rule across the kink would lose its accuracy.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]

_N_NODES = 64
_HERMITE = np.polynomial.hermite_e.hermegauss(_N_NODES)
_LEGENDRE = np.polynomial.legendre.leggauss(_N_NODES)
# In standard deviations: what lies farther out than this has a probability below 1e-18.
_FAR = 9.0


def mean_sd_of(inverse: Map, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of y, of the shape of `mean`.

    Gauss-Hermite quadrature with 64 nodes; Golub & Welsch, Math. Comp. 23 (1969).

    Args:
        inverse: elementwise, any shape; finite.
        mean, sd: of t.
    """
    z, w = (mean.new_tensor(v) for v in _HERMITE)
    y = inverse(mean[..., None] + sd[..., None] * z)
    size = y.abs().amax(-1, keepdim=True).clamp_min(1e-300)  # divided out, as squares of penalties like 1e300 overflow
    y, w = y / size, w / w.sum()
    centre = (w * y).sum(-1, keepdim=True)
    spread = (w * (y - centre).square()).sum(-1, keepdim=True).sqrt()
    return (size * centre)[..., 0], (size * spread)[..., 0]


def expected_gain(inverse: Map, mean: Tensor, sd: Tensor, best: Tensor) -> Tensor:
    """E[max(y - inverse(best), 0)], of the shape of `mean`: the expected improvement in the units of y.

    With z = (t - mean) / sd and from z0 = (best - mean) / sd on, where the improvement begins; Gauss-Legendre up to
    where the density is exp(-40) of what it is at its highest, so that small gains are as exact as large ones.

    Args:
        inverse: elementwise and increasing.
        mean, sd: of t; `sd` > 0.
        best: t of the incumbent, one or as many as means.
    """
    u, w = (mean.new_tensor(v) for v in _LEGENDRE)
    z0 = ((best - mean) / sd).clamp_min(-_FAR)
    width = (z0.clamp_min(0.0).square() + 80.0).sqrt() - z0
    z = z0[..., None] + width[..., None] * (u + 1) / 2
    gain = inverse(mean[..., None] + sd[..., None] * z) - inverse(best)[..., None]
    density = (-0.5 * z.square()).exp() / (2 * torch.pi) ** 0.5
    mean_gain: Tensor = width / 2 * (w * gain * density).sum(-1)
    return mean_gain
