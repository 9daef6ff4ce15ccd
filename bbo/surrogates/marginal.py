"""The log posterior density of a Gaussian process's hyperparameters and its gradient, in closed form.

Many (output, start) pairs at once; the b below counts them.

| symbol | shape | means |
|---|---|---|
| theta | b x p | log of length scales, of a and b of the warping, of noise variance and outputscale; then z of levels |
| s, v | b | outputscale, inferred noise variance |
| W, V | b x n | noise of observation i has the variance v W_i + V_i |
| S, f | b | squared deviations of single measurements from their means, summed, and their degrees of freedom |
| x, l, F | b x n x p' | features, the numeric ones warped; the length scale of each; x / l, then where levels are |
| k, K | b x n x n | correlations of F; K = s k + diag(v W + V) |
| mu, r | b, b x n | constant mean mu = 1'K^-1 y / 1'K^-1 1, residuals y - mu |
| a | b x n | K^-1 r |
| A | b x n x n | a a' - K^-1 |

    L        = -(r'K^-1 r + log|K| + n log 2 pi) / 2                        Rasmussen & Williams (2006), Eq. 2.30
    dL/dtheta_j = tr(A dK/dtheta_j) / 2                                     Eq. 5.9

and -(S / v + f log 2 pi v) / 2, as deviations of measurements from their means are independent of the means.

mu maximizes L for given theta, so its own change adds nothing to the gradient (envelope theorem). By parameter:

- log v: dK = v diag(W), hence v sum_i A_ii W_i / 2; and (S / v - f) / 2.
- log s: dK = s k = K - diag(v W + V), hence (a'r - n - sum_i A_ii (v W_i + V_i)) / 2.
- log l_j: dr2 = -2 (x_j - x'_j)^2 / l_j^2. With C = -s A o k'(r2) and c = C 1,
  sum_ab C_ab (x_aj - x_bj)^2 / l_j^2 = 2 (sum_a c_a x_aj^2 - x_j'C x_j) / l_j^2,
  which for all j is one product C F; no n x n x d tensor arises.
- log a_j, log b_j of the warping: the same product gives dL/dF_aj = 2 (sum_b C_ab F_bj - c_a F_aj), hence dL/dx_aj, and
  `warped_and_slopes` how x_aj depends on them.
- z of a level: the sum of dL/dF_aj over the rows a that have the level.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bbo.surrogates.hyperparameters import Hyperparameters
from bbo.surrogates.kernel import Columns, matern52_and_slope_, squared_distances
from bbo.surrogates.priors import Prior
from bbo.surrogates.warping import log_positions, warped_and_slopes


@dataclass(frozen=True)
class LogPosterior:
    """Log marginal likelihood plus log prior, as a function of theta.

    Args:
        columns: which column each feature belongs to, and whether positions are warped.
        features: `n x p'`.
        Y: standardized values of each pair's output, `b x n`.
        V: the part of each value's noise variance that is given, in the same units, `b x n`.
        W: how much of the inferred variance the noise of each value has, `b x n`.
        prior: of theta.
        squares, freedom: S and f, `b`; 0 when None.
    """

    columns: Columns
    features: Tensor
    Y: Tensor
    V: Tensor
    W: Tensor
    prior: Prior
    squares: Tensor | None = None
    freedom: Tensor | None = None

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Values `b` and gradients `b x p`; NaN where K is not positive definite."""
        n, d = self.Y.shape[1], self.columns.dim
        h = Hyperparameters.from_theta(theta, d)
        v, s = h.noise, h.outputscale
        owner, n_numeric = self.columns.owner, self.columns.n_numeric
        length = self.columns.by_feature(h.length_scales)
        _, indicators = self.columns.parted(self.features)
        if self.columns.is_warped:
            a, b = (self.columns.by_feature(v)[..., :n_numeric] for v in (h.warping_a, h.warping_b))
            bent, by_a, by_b = warped_and_slopes(self._log_positions, a, b)
            F = torch.cat([bent, indicators.expand(len(theta), -1, -1)], 2) / length  # b x n x p'
        else:
            F = self.features / length
        if self.columns.blocks:
            F = torch.cat([F, self.columns.placed(indicators, h.positions)], 2)
        r2 = squared_distances(F, F)
        r2.diagonal(dim1=1, dim2=2).zero_()
        k, slope = matern52_and_slope_(r2)
        inferred = v[:, None] * self.W
        noise = inferred + self.V
        K = k.mul_(s[:, None, None])
        K.diagonal(dim1=1, dim2=2).add_(noise)
        L, info = torch.linalg.cholesky_ex(K)
        # What is left of a failed factor may have a zero there, for which `cholesky_inverse` would raise.
        L.diagonal(dim1=1, dim2=2).masked_fill_((info != 0)[:, None], 1.0)
        white = torch.linalg.solve_triangular(L, torch.stack([self.Y, torch.ones_like(self.Y)], 2), upper=False)
        y, one = white[..., 0], white[..., 1]
        residual = y - ((y * one).sum(1) / (one * one).sum(1))[:, None] * one
        alpha = torch.linalg.solve_triangular(L.mT, residual[..., None], upper=True)
        fit = (residual * residual).sum(1)
        log_det = 2 * L.diagonal(dim1=1, dim2=2).log().sum(1)
        value = -0.5 * (fit + log_det + n * math.log(2 * math.pi))

        # Transposed, as it is symmetric and comes in columns.
        A = torch.cholesky_inverse(L).mT.baddbmm_(alpha, alpha.mT, beta=-1)
        diagonal = A.diagonal(dim1=1, dim2=2)
        by_noise = 0.5 * (diagonal * inferred).sum(1)
        if self.squares is not None and self.freedom is not None:
            value = value + log_density_of_scatter(self.squares, self.freedom, v)
            by_noise = by_noise + 0.5 * (self.squares / v - self.freedom)
        by_scale = 0.5 * (fit - n - (diagonal * noise).sum(1))
        C = A.mul_(slope).mul_(-s[:, None, None])
        by_F = 2 * (C @ F - C.sum(2, keepdim=True) * F)
        by_column = theta.new_zeros(len(theta), 3 * d)
        by_column.index_add_(1, owner, -(F * by_F)[..., : len(owner)].sum(1))
        if self.columns.is_warped:
            bent_owner = owner[:n_numeric]
            by_bent = (by_F[..., : len(owner)] / length)[..., :n_numeric]
            by_column.index_copy_(1, bent_owner + d, (by_bent * by_a).sum(1))
            by_column.index_copy_(1, bent_owner + 2 * d, (by_bent * by_b).sum(1))
        parts = [by_column, by_noise[:, None], by_scale[:, None]]
        if self.columns.blocks:
            parts.append(self.columns.by_position(indicators, by_F[..., len(owner) :]))

        log_prior, by_prior = self.prior(theta)
        return torch.where(info == 0, value + log_prior, torch.nan), torch.cat(parts, 1) + by_prior

    @cached_property
    def _log_positions(self) -> Tensor:
        """Of the numeric features, `n x n_numeric`, which stay while theta changes."""
        return log_positions(self.columns.parted(self.features)[0])


def log_density_of_scatter(squares: Tensor, freedom: Tensor, noise: Tensor) -> Tensor:
    """What single measurements say of the variance of their noise, any shape: -(S / v + f log 2 pi v) / 2."""
    return -0.5 * (squares / noise + freedom * (2 * math.pi * noise).log())
