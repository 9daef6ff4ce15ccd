"""What is believed of hyperparameters before any observation, as a density of theta; see `hyperparameters`."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

# Grid of log tau, over which the density is summed: what lies outside has no weight that matters.
_LOG_TAUS = (-12.0, 4.0, 0.5)
# The same of mu, in standard deviations.
_REACH = 4.0


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
class Hierarchical:
    """Of length scales that are alike but for some: log l_j = mu + delta_j, and how long they are together is unknown.

    mu is normal around log(mode) with the standard deviation `common`, and each delta_j is Cauchy with the scale `own`:
    most of them are small, and a few may be large. The density is that of log l, summed over mu. A prior that is learnt
    with the parameters: Gelman et al., Bayesian Data Analysis (2013), chapter 5; with heavy tails, section 17.2.

    Args:
        mode: of a length scale in one column; in d columns they are `sqrt(d)` times as long.
    """

    mode: float = 1.0
    common: float = 1.7
    own: float = 0.25

    def __post_init__(self) -> None:
        if not all(0 < v < math.inf for v in (self.mode, self.common, self.own)):
            raise ValueError(f"Hierarchical needs numbers above 0, and finite: got {self!r}.")

    def for_columns(self, d: int) -> LogNormal:
        """Where the density of a length scale is greatest, and about its width."""
        return LogNormal(self.mode, math.hypot(self.common, self.own)).for_columns(d)

    def log_density(self, log_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """But for a constant, of each row of `b x d`, `b`, and its gradient, `b x d`."""
        mu, half_squares = _means(self, log_lengths.shape[1], log_lengths.dtype, log_lengths.device)
        delta = log_lengths[..., None] - mu  # b x d x n
        spread = delta.square().add_(self.own**2)
        each = -spread.log().sum(1) - half_squares
        share = torch.softmax(each, 1)
        return torch.logsumexp(each, 1), -2 * ((delta / spread) @ share[..., None])[..., 0]


@lru_cache(maxsize=16)
def _means(prior: Hierarchical, d: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """A grid of mu, and half the square of how many standard deviations each is off, both `n`."""
    # Steps that are narrow beside `own`, and in many columns beside what they say of mu together.
    n = 2 * math.ceil(_REACH * prior.common * math.sqrt(4 + d / 2) / prior.own) + 1
    offset = torch.linspace(-_REACH, _REACH, n, dtype=dtype, device=device)
    return math.log(prior.for_columns(d).mode) + prior.common * offset, 0.5 * offset * offset


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

    def log_density(self, log_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """But for a constant, of each row of `b x d`, `b`, and its gradient, `b x d`."""
        log_tau = torch.arange(*_LOG_TAUS, dtype=log_lengths.dtype, device=log_lengths.device)
        u = -2 * log_lengths[..., None] - log_tau  # b x d x taus
        each = _log_sech(log_tau - math.log(self.alpha)) + _log_sech(u).sum(1)
        share = torch.softmax(each, 1)
        return torch.logsumexp(each, 1), 2 * (u.tanh() @ share[..., None])[..., 0]


@dataclass(frozen=True)
class Prior:
    """Of theta: independent normal densities, but where its first numbers, logs of length scales, have another.

    Args:
        location, scale: of the normal densities, `p`; of the others where they are greatest, and about their width.
        lengths: the density of the first numbers; None where that is normal too.
        d: how many these are.
    """

    location: Tensor
    scale: Tensor
    lengths: Hierarchical | SAAS | None = None
    d: int = 0

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Log density but for a constant, `b`, and its gradient, `b x p`, at theta, `b x p`."""
        z = (theta - self.location) / self.scale
        if self.lengths is None:
            return -0.5 * (z * z).sum(1), -z / self.scale
        z[:, : self.d] = 0.0
        value, gradient = -0.5 * (z * z).sum(1), -z / self.scale
        of_lengths, gradient[:, : self.d] = self.lengths.log_density(theta[:, : self.d])
        return value + of_lengths, gradient


def _log_sech(u: Tensor) -> Tensor:
    """log(2 / (e^u + e^-u)) but for log 2."""
    return -u.abs() - (-2 * u.abs()).exp().log1p()
