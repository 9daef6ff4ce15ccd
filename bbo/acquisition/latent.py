"""A Gaussian process where acquisitions look at it: at many new points, at its own observations, and given more values.

| symbol | shape | is |
|---|---|---|
| F, s | m x b x p, m | scaled features of new points, outputscales |
| k, B | m x n x b | covariances with the n observations; B = R k, R the inverse of the Cholesky factor |
| Z | k x d | points whose latent values, without noise, are given beside the data |
| C, L | k x k | posterior covariance of f(Z) and its lower Cholesky factor |
| e | S x k | standard normal numbers; f(Z) = mean(Z) + L e are joint draws of the posterior |

Given f(Z), the posterior at x has, with v(x) = L^-1 cov(x, f(Z)),

    mean(x) + e'v(x)   and   variance(x) - |v(x)|^2,

so that all draws share what is expensive. Rasmussen & Williams (2006), Eq. A.6.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bbo.surrogates.conditioned import NUGGET, Conditioned, inverse_of_lower
from bbo.surrogates.fitted_gp import FittedGP
from bbo.surrogates.kernel import matern52, matern52_and_slope_, squared_distances

# How many times the nugget may grow tenfold before covariances count as broken.
_NUGGETS = 6
# Rows of a triangular matrix that are multiplied at once; the zeros beside them are left out.
_BLOCK = 256


class _Moments(torch.autograd.Function):
    """Mean and variance, `m x b`, and B at features F, with the gradient in F in closed form.

    With g the gradients that arrive, dL/dk = a g_mean + R'(g_B - 2 B g_variance), W = dL/dk dk/dr2 and
    dL/dF_b = 2 (F_b sum_a W_ab - sum_a W_ab F_a): one product with R' more than the values cost.
    """

    @staticmethod
    def forward(ctx: Any, F: Tensor, c: Conditioned, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k, slope = matern52_and_slope_(squared_distances(c.F, F))
        k, slope = k.mul_(s[:, None, None]), slope.mul_(s[:, None, None])
        B = _lower_times(c.R, k)
        ctx.save_for_backward(F, slope, B)
        ctx.conditioned = c
        ctx.set_materialize_grads(False)
        return c.constant[:, None] + (c.a[:, None] @ k)[:, 0], s[:, None] - (B * B).sum(1), B

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_mean: Tensor | None, by_variance: Tensor | None, by_B: Tensor | None) -> Any:
        F, slope, B = ctx.saved_tensors
        c = ctx.conditioned
        inner = by_B
        if by_variance is not None:
            of_variance = B * (-2 * by_variance[:, None])
            inner = of_variance if inner is None else inner + of_variance
        by_k = torch.zeros_like(B) if inner is None else _transposed_times(c.R, inner)
        if by_mean is not None:
            by_k = torch.baddbmm(by_k, c.a[..., None], by_mean[:, None])
        W = by_k.mul_(slope)
        return 2 * (F * W.sum(1)[..., None] - W.mT @ c.F), None, None


def _lower_times(R: Tensor, A: Tensor) -> Tensor:
    """R A for lower triangular R, `m x n x n` and `m x n x b`."""
    n = R.shape[1]
    return torch.cat([R[:, i : i + _BLOCK, : i + _BLOCK] @ A[:, : i + _BLOCK] for i in range(0, n, _BLOCK)], 1)


def _transposed_times(R: Tensor, A: Tensor) -> Tensor:
    """R' A for lower triangular R, `m x n x n` and `m x n x b`."""
    n = R.shape[1]
    return torch.cat([R[:, i:, i : i + _BLOCK].mT @ A[:, i:] for i in range(0, n, _BLOCK)], 1)


@dataclass(frozen=True)
class Latent:
    """The function that a model of one or more outputs believes in, without noise, in the model's units."""

    model: FittedGP

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """As the model's, both `b x m`; what is differentiated is cheaper."""
        mean, variance, _ = self.moments(X)
        return self._location + self._scale * mean.mT, self._scale * variance.sqrt().mT

    def moments(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Standardized mean and variance, both `m x b`, and B."""
        s = self.model._settled.outputscale
        moments: tuple[Tensor, Tensor, Tensor] = _Moments.apply(  # type: ignore[no-untyped-call]
            self.features(X), self.model._conditioned, s
        )
        mean, variance, B = moments
        return mean, variance.clamp_min(0.0) + NUGGET * s[:, None], B

    def features(self, X: Tensor) -> Tensor:
        """Scaled features of `X`, `m x b x p`."""
        return self.model._scaled_features(X)

    def at_observations(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation at the observed points, both `n x m`, at n^2 operations.

        With D the noise variances and K the covariance of the noisy values, y - D K^-1 (y - mu) and the diagonal of
        D - D K^-1 D.
        """
        c = self.model._conditioned
        variance = c.noise - c.noise.square() * c.R.square().sum(1)
        variance = variance.clamp_min(0.0) + NUGGET * self.model._settled.outputscale[:, None]
        return self._location + self._scale * (c.y - c.noise * c.a).mT, self._scale * variance.sqrt().mT

    @property
    def _location(self) -> Tensor:
        return self.model._location

    @property
    def _scale(self) -> Tensor:
        return self.model._scale


@dataclass(frozen=True)
class Pinned:
    """A Gaussian process of one output, and joint draws of its values at some points. `Pinned.at` makes one.

    Args:
        latent: of the model.
        Z: the points, `k x d`.
        features: of them, scaled, `1 x k x p`.
        B: `1 x n x k`.
        mean: of f(Z), standardized, `k`.
        L, L_inverse: `k x k`.
    """

    latent: Latent
    Z: Tensor
    features: Tensor
    B: Tensor
    mean: Tensor
    L: Tensor
    L_inverse: Tensor

    @staticmethod
    def at(model: FittedGP, Z: Tensor) -> "Pinned":
        """At points `Z`, `k x d`; those that come first have the same draws whatever comes after them."""
        latent = Latent(model)
        with torch.no_grad():
            mean, _, B = latent.moments(Z)
            F, s = latent.features(Z), model._settled.outputscale
            r2 = squared_distances(F, F)
            r2.diagonal(dim1=1, dim2=2).zero_()
            C = s[:, None, None] * matern52(r2) - B.mT @ B
            C.diagonal(dim1=1, dim2=2).add_(NUGGET * s[:, None])
            L = _cholesky(C[0], NUGGET * s)
        return Pinned(latent, Z, F, B, mean[0], L, inverse_of_lower(L))

    def values(self, e: Tensor) -> Tensor:
        """f(Z) by draw, `S x k`, in the model's units."""
        standardized = self.mean + e @ self.L.mT
        return self.latent.model._location + self.latent.model._scale * standardized

    def given(self, X: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Mean by draw, `S x b`, and the standard deviation that all share, `b`, at `X`, `b x d`; differentiable."""
        model = self.latent.model
        s = model._settled.outputscale
        mean, variance, B = self.latent.moments(X)
        covariance = s[:, None, None] * matern52(squared_distances(self.features, self.latent.features(X)))
        v = self.L_inverse @ (covariance - self.B.mT @ B)[0]
        variance = (variance[0] - (v * v).sum(0)).clamp_min(NUGGET * s)
        return model._location + model._scale * (mean + e @ v), model._scale * variance.sqrt()


def _cholesky(C: Tensor, nugget: Tensor) -> Tensor:
    """The lower factor, with as little added to the diagonal as rounding asks for."""
    L: Tensor
    for _ in range(_NUGGETS):
        L, info = torch.linalg.cholesky_ex(C)
        if not bool(info):
            return L
        nugget = 10 * nugget
        C = C + torch.diag(nugget.expand(len(C)))
    L = torch.linalg.cholesky(C)
    return L
