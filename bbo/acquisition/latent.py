"""A Gaussian process where acquisitions look at it: at many new points, at its own observations, and given more values.

| symbol | shape | is |
|---|---|---|
| F, s | m x b x p, m | scaled features of new points, outputscales |
| k, B | m x n x b | covariances with the n observations; B = R k, R the inverse of the Cholesky factor |
| Z | k x d | points whose latent values, without noise, are given beside the data |
| L | k x k | lower Cholesky factor of the posterior covariance of f(Z) |
| e | S x k | standard normal numbers; f(Z) = mean(Z) + L e are joint draws of the posterior |

f(Z) are further observations, without noise, so that R grows by k rows. Where these values are their means the data say
what they said before; and with v(x) the last k rows of B, given f(Z) the posterior at x has

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

# Rows of a triangular matrix that are multiplied at once; the zeros beside them are left out.
_BLOCK = 256
# As `NUGGET`, for points that may come to lie beside each other while all of them move.
_JOINT_NUGGET = 1e-8


class _Moments(torch.autograd.Function):
    """Mean and standard deviation, `m x b`, and B, at `X`, `b x d`, with the gradient in X in closed form.

    With g the gradients that arrive and sd^2 = s - |B|^2, dL/dk = a g_mean + R'(g_B - B g_sd / sd), W = dL/dk dk/dr2,
    dL/dF_b = 2 (F_b sum_a W_ab - sum_a W_ab F_a), and dL/dX by the slopes of the features: one product with R' more
    than the values cost.
    """

    @staticmethod
    def forward(ctx: Any, X: Tensor, model: FittedGP, c: Conditioned) -> tuple[Tensor, Tensor, Tensor]:
        F, slope_x = model.scaling.with_slope(model.columns.features(X))
        slope_x = model.columns.slopes(X, slope_x)
        s = model.settled.outputscale
        k, slope = matern52_and_slope_(c.squared_distances(F))
        k.mul_(s[:, None, None])
        B = _lower_times(c.R, k)
        variance = s[:, None] - (B * B).sum(1)
        sd = (variance.clamp_min(0.0) + NUGGET * s[:, None]).sqrt()
        ctx.save_for_backward(F, slope_x, slope, B, variance, sd)
        ctx.model, ctx.conditioned = model, c
        ctx.set_materialize_grads(False)
        return c.constant[:, None] + (c.a[:, None] @ k)[:, 0], sd, B

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_mean: Tensor | None, by_sd: Tensor | None, by_B: Tensor | None) -> Any:
        F, slope_x, slope, B, variance, sd = ctx.saved_tensors
        model, c = ctx.model, ctx.conditioned
        inner = by_B
        if by_sd is not None:
            of_sd = B * (by_sd / -sd).masked_fill(variance < 0, 0.0)[:, None]
            inner = of_sd if inner is None else inner + of_sd
        by_k = torch.zeros_like(B) if inner is None else _transposed_times(c.R, inner)
        if by_mean is not None:
            by_k = torch.baddbmm(by_k, c.a[..., None], by_mean[:, None])
        W = by_k.mul_(slope).mul_(2 * model.settled.outputscale[:, None, None])
        numeric = slice(model.columns.n_numeric)
        by_F = F[..., numeric] * W.sum(1)[..., None] - W.mT @ c.F[..., numeric]
        return model.columns.by_position_in_cube((by_F * slope_x).sum(0)), None, None


def _lower_times(R: Tensor, A: Tensor) -> Tensor:
    """R A for lower triangular R, `m x n x n` and `m x n x b`."""
    n = R.shape[1]
    if n <= _BLOCK:
        return R @ A
    return torch.cat([R[:, i : i + _BLOCK, : i + _BLOCK] @ A[:, : i + _BLOCK] for i in range(0, n, _BLOCK)], 1)


def _transposed_times(R: Tensor, A: Tensor) -> Tensor:
    """R' A for lower triangular R, `m x n x n` and `m x n x b`."""
    n = R.shape[1]
    if n <= _BLOCK:
        return R.mT @ A
    return torch.cat([R[:, i:, i : i + _BLOCK].mT @ A[:, i:] for i in range(0, n, _BLOCK)], 1)


@dataclass(frozen=True)
class Latent:
    """The function that a model of one or more outputs believes in, without noise, in the model's units."""

    model: FittedGP

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """As the model's, both `b x m`; what is differentiated is cheaper."""
        mean, sd, _ = _moments(self.model, self.model.conditioned, X)
        return self.model.location + self.model.scale * mean.mT, self.model.scale * sd.mT

    def at_observations(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation at the observed points, both `n x m`, at n^2 operations.

        With D the noise variances and K the covariance of the noisy values, y - D K^-1 (y - mu) and the diagonal of
        D - D K^-1 D.
        """
        c, model = self.model.conditioned, self.model
        variance = c.noise - c.noise.square() * c.precision
        variance = variance.clamp_min(0.0) + NUGGET * model.settled.outputscale[:, None]
        return model.location + model.scale * (c.y - c.noise * c.a).mT, model.scale * variance.sqrt().mT


def _moments(model: FittedGP, c: Conditioned, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Standardized mean and standard deviation, both `m x b`, and B."""
    moments: tuple[Tensor, Tensor, Tensor] = _Moments.apply(X, model, c)  # type: ignore[no-untyped-call]
    return moments


@dataclass(frozen=True)
class Pinned:
    """A Gaussian process of one output, and joint draws of its values at some points. `Pinned.at` makes one.

    Args:
        Z: the points, `k x d`.
        conditioned: observations, then the means at Z as further ones.
        L: `k x k`.
    """

    model: FittedGP
    Z: Tensor
    conditioned: Conditioned
    L: Tensor

    @staticmethod
    def at(model: FittedGP, Z: Tensor) -> "Pinned":
        """At points `Z`, `k x d`; those that come first have the same draws whatever comes after them."""
        none = Pinned(model, Z[:0], model.conditioned, Z.new_empty(0, 0))
        return none.and_at(Z)

    def and_at(self, Z: Tensor) -> "Pinned":
        """At further points, `k x d`."""
        with torch.no_grad():
            F, s, c = self.model.scaled_features(Z), self.model.settled.outputscale, self.model.conditioned
            mean, _, _ = c.at(F, s)
            conditioned = self.conditioned.extended(F, mean, (NUGGET * s[:, None]).expand_as(mean), s)
            n = c.y.shape[1]
            L = inverse_of_lower(conditioned.R[0, n:, n:])
        return Pinned(self.model, torch.cat([self.Z, Z]), conditioned, L)

    def values(self, e: Tensor) -> Tensor:
        """f(Z) by draw, `S x k`, in the model's units."""
        standardized = self.conditioned.y[0, self.conditioned.y.shape[1] - len(self.Z) :] + e @ self.L.mT
        return self.model.location + self.model.scale * standardized

    def given(self, X: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Mean by draw, `S x b`, and the standard deviation that all share, `b`, at `X`, `b x d`; differentiable."""
        model = self.model
        mean, sd, B = _moments(model, self.conditioned, X)
        return model.location + model.scale * self._by_draw(mean, B, e), model.scale * sd[0]

    def jointly(self, rows: Tensor, index: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Means by draw, `S x b x q`, and the covariances that all share, `b x q x q`, of batches of some of the rows.

        Args:
            rows: points, `r x d`.
            index: which of them are in each batch, `b x q`.
        """
        model, q = self.model, index.shape[1]
        mean, _, B = _moments(model, self.conditioned, rows)
        F = model.scaled_features(rows)[0][index]
        s = model.settled.outputscale[0]
        V = B[0][:, index].movedim(1, 0)
        nugget = _JOINT_NUGGET * torch.eye(q, dtype=rows.dtype, device=rows.device)
        covariance = s * (matern52(squared_distances(F, F)) + nugget) - V.mT @ V
        means = self._by_draw(mean, B, e)[:, index]
        return model.location + model.scale * means, model.scale.square() * covariance

    def _by_draw(self, mean: Tensor, B: Tensor, e: Tensor) -> Tensor:
        return mean + e @ B[0, B.shape[1] - len(self.Z) :]
