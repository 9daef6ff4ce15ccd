"""Utilities of evaluating a point, from the mean and standard deviation predicted there. Larger is better.

z = (mean - best_f) / sigma; phi and Phi are the standard Gaussian's density and distribution.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_LOG_SQRT_HALF_PI = 0.5 * math.log(math.pi / 2)
# Below this two terms of the series are exact to 1e-13; above it the formula with erfcx is to z^2 times rounding.
_FAR = -300.0
_FARTHEST = 1e150  # its square is the largest that does not overflow
# Sum of the logits of both sides of a band, at least: two models of one quantity may contradict each other a little.
_NARROWEST = 1e-6


def log_ei(mean: Tensor, sigma: Tensor, best_f: Tensor | float) -> Tensor:
    """Log of the expected improvement above `best_f` under a Gaussian.

    log EI = log h(z) + log sigma,  h(z) = phi(z) + z Phi(z)

    Args:
        mean, sigma: posterior mean and standard deviation, `batch`; `sigma` > 0.
        best_f: value of the incumbent, in the same units as `mean`.
    Returns:
        `batch`; finite and with finite gradient also where EI underflows (z < -38 in float64).

    Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023, Eq. 9.
    """
    best = best_f if isinstance(best_f, Tensor) else mean.new_full((), best_f)
    value: Tensor = _LogEI.apply(mean, sigma, best)  # type: ignore[no-untyped-call]
    return value


class _LogEI(torch.autograd.Function):
    """Differentiated once, in closed form: as h' = Phi, by the mean Phi / (h sigma) and by sigma phi / (h sigma)."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor, sigma: Tensor, best_f: Tensor) -> Tensor:
        z = (mean - best_f) / sigma
        value = log_h(z)
        ctx.save_for_backward(z, value, sigma)
        ctx.shapes = mean.shape, sigma.shape, best_f.shape
        return value + sigma.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        z, value, sigma = ctx.saved_tensors
        # Far below, where the difference loses its digits, the ratio of both series; Abramowitz & Stegun 26.2.12.
        far = z.clamp_max(_FAR)
        u = (far * far).reciprocal()
        h = 1 + _series(u)
        is_near = z > _FAR
        by_z = torch.where(is_near, (_log_ndtr(z) - value).exp(), -far * (1 + u * (-1 + u * 3)) / h)
        rest = torch.where(is_near, (-0.5 * z * z - _LOG_SQRT_2PI - value).exp(), far * far / h)
        by_mean = grad * by_z / sigma
        wanted = zip((by_mean, grad * rest / sigma, -by_mean), ctx.shapes, ctx.needs_input_grad, strict=True)
        return tuple(g.sum_to_size(shape) if is_needed else None for g, shape, is_needed in wanted)


def log_h(z: Tensor) -> Tensor:
    """log(phi(z) + z Phi(z)) of any shape.

    Three forms, each where it is exact: the definition; with erfcx, phi factored out; and far below the asymptotic
    series h = phi(z) z^-2 (1 - 3 z^-2 + 15 z^-4 - ...), from Abramowitz & Stegun 26.2.12.
    """
    near = z.clamp_min(-1.0)
    plain = ((-0.5 * near * near - _LOG_SQRT_2PI).exp() + near * torch.special.ndtr(near)).log()

    # h / phi = 1 - |z| Phi(z) / phi(z), and Phi(z) / phi(z) = sqrt(pi / 2) erfcx(|z| / sqrt 2)
    middle = z.clamp(_FAR, -1.0)
    log_ratio = (torch.special.erfcx(-middle * 0.5**0.5) * -middle).log() + _LOG_SQRT_HALF_PI
    scaled = -0.5 * middle * middle - _LOG_SQRT_2PI + (-torch.expm1(log_ratio)).log()

    far = z.clamp_max(_FAR)
    u = (far * far).reciprocal()
    tail = -0.5 * far * far - _LOG_SQRT_2PI - 2 * (-far).log() + _series(u).log1p()
    return torch.where(z > -1.0, plain, torch.where(z > _FAR, scaled, tail))


def _series(u: Tensor) -> Tensor:
    """h(z) z^2 / phi(z) - 1 with u = z^-2."""
    return u * (-3 + u * 15)


def log_pi(mean: Tensor, sigma: Tensor, best_f: Tensor | float) -> Tensor:
    """Log of the probability of improvement, log Phi(z), `batch`. Kushner, J. Basic Eng. 86 (1964)."""
    return _log_ndtr((mean - best_f) / sigma)


def ucb(mean: Tensor, sigma: Tensor, beta: float) -> Tensor:
    """Upper confidence bound mean + sqrt(beta) sigma, `batch`. Srinivas et al., ICML 2010."""
    return mean + math.sqrt(beta) * sigma


def log_probability_of_feasibility(
    mean: Tensor, sigma: Tensor, threshold: Tensor | float = 0.0, bands: Sequence[tuple[int, int]] = ()
) -> Tensor:
    """Log of the probability that all outputs are at most `threshold`.

    Outputs are independent, but for pairs that are the two sides of one quantity: no value of it is above both
    thresholds, so with probabilities p and p' for the sides both hold with p + p' - 1.

    Args:
        mean, sigma: of the constraints, `batch x m`.
        threshold: a number or `m`.
        bands: pairs of outputs that are such sides.
    Returns:
        `batch`: the sum over constraints of log Phi((threshold - mean) / sigma), and over bands of
        log((p + p' - 1) / (p p')).

    Gardner et al., "Bayesian optimization with inequality constraints", ICML 2014.
    """
    z = ((threshold - mean) / sigma).clamp(-_FARTHEST, _FARTHEST)
    log_p = _log_ndtr(z)
    if not bands:
        return log_p.sum(-1)
    # p + p' - 1 = p p' (1 - exp(-t)), t the sum of the logits of both.
    logit = log_p - _log_ndtr(-z)
    t = torch.stack([logit[..., i] + logit[..., j] for i, j in bands], -1)
    return log_p.sum(-1) + torch.log(-torch.expm1(-t.clamp_min(_NARROWEST))).sum(-1)


def _log_ndtr(z: Tensor) -> Tensor:
    log_phi: Tensor = torch.special.log_ndtr(z)
    return log_phi
