"""What is believed of hyperparameters before any observation, as a density of theta; see `hyperparameters`."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Grid of log tau, over which the density is summed: what lies outside has no weight that matters.
_LOG_TAUS = (-12.0, 4.0, 0.5)


@dataclass(frozen=True)
class LogNormal:
    """A density of a positive parameter, by its mode and the standard deviation of the logarithm.

    As a function of log theta it is, but for a factor, normal around log(mode) with the same `scale`.
    """

    mode: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.mode < math.inf and 0 < self.scale < math.inf):
            raise ValueError(f"LogNormal needs a mode and a scale above 0, and finite: got {self!r}.")

    def for_columns(self, d: int) -> "LogNormal":
        """Of length scales in d columns: `sqrt(d)` times as long."""
        return replace(self, mode=self.mode * math.sqrt(d))


@dataclass(frozen=True)
class SAAS:
    """Of length scales, where few columns matter: the inverse squares rho_j are half-Cauchy with the scale tau, and tau
    is half-Cauchy with the scale alpha. Eriksson & Jankowiak, "High-dimensional Bayesian optimization with sparse
    axis-aligned subspaces", UAI 2021, section 4.1.

    The density is that of log rho_j, summed over tau: sum_tau p(tau) prod_j sech(log rho_j - log tau) / pi.

    Args:
        alpha: the smaller, the fewer columns matter.
    """

    alpha: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ValueError(f"SAAS needs an alpha above 0, and finite: got {self.alpha!r}.")

    def for_columns(self, d: int) -> LogNormal:
        """Where the density of a length scale is greatest for tau = alpha, and about its width; the same for any d."""
        return LogNormal(self.alpha**-0.5, 1.0)


@dataclass(frozen=True)
class Prior:
    """Of theta: independent normal densities, or for the first of its numbers, logs of length scales, that of `SAAS`.

    Args:
        location, scale: of the normal densities, `p`; of the others where they are greatest, and about their width.
        n_sparse: how many length scales have the density of `SAAS`, with `alpha`.
    """

    location: Tensor
    scale: Tensor
    n_sparse: int = 0
    alpha: float = 1.0

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Log density but for a constant, `b`, and its gradient, `b x p`, at theta, `b x p`."""
        z = (theta - self.location) / self.scale
        z[:, : self.n_sparse] = 0.0
        value, gradient = -0.5 * (z * z).sum(1), -z / self.scale
        if not self.n_sparse:
            return value, gradient
        log_tau = torch.arange(*_LOG_TAUS, dtype=theta.dtype, device=theta.device)
        log_weight = _log_sech(log_tau - theta.new_tensor(self.alpha).log())
        u = -2 * theta[:, : self.n_sparse, None] - log_tau  # b x n_sparse x taus
        each = log_weight + _log_sech(u).sum(1)
        share = torch.softmax(each, 1)
        gradient[:, : self.n_sparse] = 2 * (u.tanh() @ share[..., None])[..., 0]
        return value + torch.logsumexp(each, 1), gradient


def _log_sech(u: Tensor) -> Tensor:
    """log(2 / (e^u + e^-u)) but for log 2."""
    return -u.abs() - (-2 * u.abs()).exp().log1p()
