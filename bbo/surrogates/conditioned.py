"""A Gaussian process given data and hyperparameters: what its mean and variance at new points are computed from.

Rasmussen & Williams (2006), Alg. 2.1. The inverse R of the Cholesky factor is kept rather than K^-1: a product with it
is as fast, and the variance s - |R k|^2 keeps half of the digits that s - k'K^-1 k would lose beside observed points.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bbo.surrogates.kernel import beside, matern52, squared_distances, squared_distances_from

# Added to latent variances, as a share of the outputscale: rounding, of the order of n 1e-16, would leave covariances
# of points beside each other or beside observed ones not positive definite. The least noise is 100 times that.
NUGGET = 1e-10
# How many times that may grow tenfold before covariances count as broken.
_NUGGETS = 6
_SUBSTITUTED = 128


def inverse_of_lower(L: Tensor) -> Tensor:
    """The inverse of lower triangular matrices, `... x n x n`, by halves: products are faster than substitutions."""
    n = L.shape[-1]
    if n <= _SUBSTITUTED:
        eye = torch.eye(n, dtype=L.dtype, device=L.device)
        R: Tensor = torch.linalg.solve_triangular(L, eye, upper=False)
        return R
    h = n // 2
    R = torch.zeros_like(L)
    R[..., :h, :h] = inverse_of_lower(L[..., :h, :h])
    R[..., h:, h:] = inverse_of_lower(L[..., h:, h:])
    R[..., h:, :h] = -R[..., h:, h:] @ (L[..., h:, :h] @ R[..., :h, :h])
    return R


@dataclass(frozen=True)
class Conditioned:
    """Standardized data under given hyperparameters, m outputs.

    Args:
        F: features of the observed points, warped and over the length scales, `m x n x p`.
        y: standardized values, `m x n`.
        noise: variance of each observation, `m x n`.
        R: inverse of the lower Cholesky factor of K, `m x n x n`.
        constant: the mean mu, `m`.
        a: K^-1 (y - mu), `m x n`.
    """

    F: Tensor
    y: Tensor
    noise: Tensor
    R: Tensor
    constant: Tensor
    a: Tensor

    @staticmethod
    def on(F: Tensor, y: Tensor, noise: Tensor, outputscale: Tensor) -> "Conditioned | None":
        """All of it from the data; None where K is not positive definite."""
        r2 = squared_distances(F, F)
        r2.diagonal(dim1=1, dim2=2).zero_()
        K = outputscale[:, None, None] * matern52(r2) + torch.diag_embed(noise)
        L, info = torch.linalg.cholesky_ex(K)
        if bool((info != 0).any()):
            return None
        R = inverse_of_lower(L)
        white, one = (R @ y[..., None])[..., 0], R.sum(2)
        constant = (white * one).sum(1) / (one * one).sum(1)
        a = (R.mT @ (white - constant[:, None] * one)[..., None])[..., 0]
        return Conditioned(F, y, noise, R, constant, a) if bool(a.isfinite().all()) else None

    def squared_distances(self, F: Tensor) -> Tensor:
        """From each observation to features scaled alike, `m x b x p`: `m x n x b`."""
        return squared_distances_from(self._beside, F)

    @cached_property
    def _beside(self) -> Tensor:
        return beside(self.F)

    @property
    def log_likelihood(self) -> Tensor:
        """Log density of each output's values, `m`. Rasmussen & Williams (2006), Eq. 2.30."""
        fit = ((self.y - self.constant[:, None]) * self.a).sum(1)
        log_det = -2 * self.R.diagonal(dim1=1, dim2=2).log().sum(1)
        return -0.5 * (fit + log_det + self.y.shape[1] * math.log(2 * math.pi))

    def at(self, F: Tensor, outputscale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance, `m x b`, and R k, `m x n x b`, at features scaled alike, `m x b x p`."""
        s = outputscale[:, None]
        k = s[..., None] * matern52(self.squared_distances(F))
        B = self.R @ k
        mean = self.constant[:, None] + (self.a[:, None] @ k)[:, 0]
        return mean, (s - (B * B).sum(1)).clamp_min(0.0) + NUGGET * s, B

    def extended(self, F: Tensor, y: Tensor, noise: Tensor, outputscale: Tensor) -> "Conditioned":
        """With further observations and the same constant; R grows by rows, none of it is computed again.

        Noise grows by as little as rounding asks for.
        """
        s = outputscale[:, None, None]
        B = self.R @ (s * matern52(self.squared_distances(F)))  # m x n x k
        r2 = squared_distances(F, F)
        r2.diagonal(dim1=1, dim2=2).zero_()
        corner = inverse_of_lower(_cholesky(s * matern52(r2) - B.mT @ B, noise))
        above = torch.cat([self.R, self.R.new_zeros(B.shape)], 2)
        R = torch.cat([above, torch.cat([-corner @ B.mT @ self.R, corner], 2)], 1)
        y = torch.cat([self.y, y], 1)
        a = (R.mT @ (R @ (y - self.constant[:, None])[..., None]))[..., 0]
        return Conditioned(torch.cat([self.F, F], 1), y, torch.cat([self.noise, noise], 1), R, self.constant, a)

    @property
    def precision(self) -> Tensor:
        """The diagonal of K^-1, `m x n`."""
        return (self.R * self.R).sum(1)

    def noisier(self, more: Tensor) -> tuple[Tensor, Tensor]:
        """`a` and `precision` as if variances `more`, `m x n`, were added to the noise; the constant is fitted again.

        K^-1 loses a matrix whose rank is the number k of observations that change (Woodbury's identity), so nothing of
        the size of K is factorized:

            (K + D)^-1 = K^-1 - B (I + D_kk B_kk)^-1 D_kk B',  B = K^-1 in the k columns
        """
        k = (more != 0).any(0).nonzero()[:, 0]
        B = self.R.mT @ self.R[:, :, k]  # m x n x k
        eye = torch.eye(len(k), dtype=B.dtype, device=B.device)
        D = torch.diag_embed(more[:, k])
        G = torch.linalg.solve(eye + D @ B[:, k], D)
        by_one = (self.R.mT @ self.R.sum(2)[..., None])[..., 0]
        by_both = torch.stack([self.a + self.constant[:, None] * by_one, by_one], 2)  # K^-1 y and K^-1 1
        y, one = (by_both - B @ (G @ by_both[:, k])).unbind(2)
        constant = y.sum(1) / one.sum(1)
        return y - constant[:, None] * one, self.precision - ((B @ G) * B).sum(2)

    def subset(self, k: Tensor) -> "Conditioned":
        """Some of the outputs, by their indices."""
        return Conditioned(self.F[k], self.y[k], self.noise[k], self.R[k], self.constant[k], self.a[k])


def _cholesky(C: Tensor, noise: Tensor) -> Tensor:
    """The lower factors of `C + diag(noise)`, `m x k x k`, with more noise where rounding leaves them indefinite."""
    L: Tensor
    for _ in range(_NUGGETS):
        L, info = torch.linalg.cholesky_ex(C + torch.diag_embed(noise))
        if not bool(info.any()):
            return L
        noise = torch.where((info != 0)[:, None], 10 * noise, noise)
    L = torch.linalg.cholesky(C + torch.diag_embed(noise))
    return L
