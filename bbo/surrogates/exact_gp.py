"""Exact Gaussian process regression, hyperparameters by maximum a posteriori.

Kernel and marginal likelihood: Rasmussen & Williams (2006), Eq. 4.17 and 2.30; the gradient stands in `marginal.py`.
Length-scale prior: Hvarfner et al., "Vanilla Bayesian optimization performs great in high dimensions", ICML 2024.

theta is log length scales, log noise variance, log outputscale: `d + 2` numbers for each of the m outputs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bbo.errors import FitError
from bbo.surrogates.fitted_gp import Conditioned, FittedGP, Hyperparameters
from bbo.surrogates.kernel import Columns
from bbo.surrogates.lbfgs import maximize
from bbo.surrogates.marginal import LogPosterior

# Starts compete on so many observations; only the best goes on with more.
_COARSE = 128
_SUBSET_SEED = 2024
_LENGTH_SCALES = (5e-3, 1e4)
_LARGEST_NOISE = 10.0
_OUTPUTSCALES = (1e-3, 1e3)
# Other starts, as factors of the modes of length scales, noise and outputscale: a wiggly function seen clearly and a
# smooth one seen through noise, the two ways to explain the same data (Rasmussen & Williams, Fig. 5.5).
_OTHERS = ((0.3, 0.1, 1.0), (2.0, 30.0, 1.0))


@dataclass(frozen=True)
class LogNormal:
    """A density of a positive parameter, by its mode and the standard deviation of the logarithm.

    As a function of log theta it is, but for a factor, normal around log(mode) with the same `scale`.
    """

    mode: float
    scale: float


@dataclass(frozen=True)
class Rung:
    """One attempt of the ladder: the least noise variance, and whether hyperparameters are fitted at all."""

    name: str
    least_noise: float
    is_fitted: bool


LADDER = (Rung("map", 1e-6, True), Rung("jitter", 1e-4, True), Rung("prior", 1e-2, False))


@dataclass(frozen=True, kw_only=True)
class ExactGP:
    """Matern-5/2 Gaussian process with a length scale per column, a constant mean and homoscedastic noise.

    Args:
        length_scale: prior of the length scales over sqrt(d).
        noise, outputscale: priors of the noise variance and the outputscale, for standardized values.
        max_evaluations: of the marginal likelihood in one fit.
        subset: hyperparameters are fitted on so many observations at most; the posterior uses all.
    """

    length_scale: LogNormal = LogNormal(math.exp(math.sqrt(2) - 3), math.sqrt(3))
    noise: LogNormal = LogNormal(math.exp(-4), 2.0)
    outputscale: LogNormal = LogNormal(1.0, 2.0)
    max_evaluations: int = 60
    subset: int = 400

    def fit(
        self,
        X: Tensor,
        Y: Tensor,
        Yvar: Tensor | None = None,
        *,
        categorical: Mapping[int, int] | None = None,
        warm: Mapping[str, Any] | None = None,
    ) -> FittedGP:
        """Condition on data.

        Args:
            X: inputs in the unit cube, `n x d`, float64.
            Y: m outputs, `n x m`, each modelled by itself; standardized here, un-standardized in the posterior.
            Yvar: known noise variance in the units of `Y` squared, `n x m`; inferred when None.
            categorical: number of levels by column, for columns whose levels have no order.
            warm: `hyperparameters` of an earlier fit, where to start; not used when of another shape.
        Raises:
            ValueError: if the shapes disagree or a value is not finite.
            FitError: if no rung of the ladder gave a finite posterior.
        """
        _check(X, Y, Yvar)
        columns = Columns(X.shape[1], dict(categorical or {}))
        owner = columns.owner(X.device)
        # Sorted rows give the same hyperparameters, to the bit, to the same observations in any order.
        order = torch.unique(torch.cat([X, Y], 1), dim=0, return_inverse=True)[1].argsort(stable=True)
        location, scale = _standardization(Y[order])
        y = ((Y - location) / scale).mT
        V = torch.zeros_like(y) if Yvar is None else (Yvar / scale**2).mT
        features = columns.features(X)
        sorted_data = LogPosterior(features[order], owner, y[:, order], V[:, order], *self._prior(X))
        for rung in LADDER:
            theta = self._settle(sorted_data, rung, warm, is_noise_known=Yvar is not None)
            settled = Hyperparameters(theta[:, :-2].exp(), theta[:, -2].exp(), theta[:, -1].exp())
            F = features / settled.length_scales[:, None, owner]
            conditioned = Conditioned.on(F, y, settled.noise[:, None] + V, settled.outputscale)
            if conditioned is not None:
                return FittedGP(X, Y, columns, owner, location, scale, settled, conditioned, rung.name)
        raise FitError(
            f"No Gaussian process fits {len(X)} observations in {X.shape[1]} columns: the covariance is not positive "
            f"definite even with hyperparameters from the prior and a noise variance of {LADDER[-1].least_noise}."
        )

    def _prior(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Location and scale of the normal prior of theta, both `d + 2`."""
        d = X.shape[1]
        modes = [self.length_scale.mode * math.sqrt(d)] * d + [self.noise.mode, self.outputscale.mode]
        scales = [self.length_scale.scale] * d + [self.noise.scale, self.outputscale.scale]
        return X.new_tensor(modes).log(), X.new_tensor(scales)

    def _settle(self, data: LogPosterior, rung: Rung, warm: Mapping[str, Any] | None, *, is_noise_known: bool) -> Tensor:
        """theta of each output, `m x (d + 2)`; the best that a fit reached, or the prior's mode."""
        m, n = data.Y.shape
        d = len(data.location) - 2
        least, most = math.log(rung.least_noise), math.log(rung.least_noise if is_noise_known else _LARGEST_NOISE)
        ranges = [tuple(map(math.log, _LENGTH_SCALES))] * d + [(least, most), tuple(map(math.log, _OUTPUTSCALES))]
        lower, upper = data.location.new_tensor(ranges).unbind(1)
        mode = data.location.clamp(lower, upper)
        if not rung.is_fitted:
            return mode.expand(m, -1)
        factors = data.location.new_tensor([[a] * d + [b, c] for a, b, c in _OTHERS]).log()
        starts = (torch.cat([mode[None], mode + factors])[:, None]).expand(-1, m, -1)  # r x m x (d + 2)
        warm_start = _warm_start(warm, mode.expand(m, -1))
        if warm_start is not None:
            starts = torch.cat([warm_start[None], starts[:1]])
        generator = torch.Generator().manual_seed(_SUBSET_SEED)
        shuffled = torch.randperm(n, generator=generator).to(data.Y.device)
        coarse = _subset(data, shuffled[:_COARSE], len(starts))
        theta, value = maximize(
            coarse, starts.reshape(-1, d + 2), lower, upper, max_evaluations=self.max_evaluations, progress=1e-5
        )
        theta, value = theta.reshape(starts.shape), value.reshape(starts.shape[:2])
        if n > _COARSE:
            theta = torch.cat([theta, starts]).clamp(lower, upper)
            value, _ = _subset(data, shuffled[: self.subset], len(theta))(theta.reshape(-1, d + 2))
            value = value.nan_to_num(nan=-torch.inf).reshape(theta.shape[:2])
        best = theta.gather(0, value.argmax(0)[None, :, None].expand(1, -1, d + 2))[0]
        if n > _COARSE:
            fine = _subset(data, shuffled[: self.subset], 1)
            best, _ = maximize(fine, best, lower, upper, max_evaluations=self.max_evaluations // 3, progress=1e-5)
        return best


def _subset(data: LogPosterior, rows: Tensor, n_starts: int) -> LogPosterior:
    """The same density on some observations, for `n_starts x m` pairs of start and output."""
    return replace(
        data,
        features=data.features[rows],
        Y=data.Y[:, rows].repeat(n_starts, 1),
        V=data.V[:, rows].repeat(n_starts, 1),
    )


def _warm_start(warm: Mapping[str, Any] | None, like: Tensor) -> Tensor | None:
    """theta, `m x (d + 2)` as `like`, from what `FittedGP.hyperparameters` gave; None when it has another shape."""
    if warm is None:
        return None
    settled = Hyperparameters.from_dict(warm, like)
    parts = [settled.length_scales, settled.noise[:, None], settled.outputscale[:, None]]
    if any(part.shape != want.shape for part, want in zip(parts, like.split([like.shape[1] - 2, 1, 1], 1), strict=True)):
        return None
    return torch.cat(parts, 1).log()


def _standardization(Y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each output, `m`; 1 for an output that is constant but for rounding."""
    location = Y.mean(0)
    scale = (Y - location).square().mean(0).sqrt()
    return location, torch.where(scale <= 1e-14 * Y.abs().amax(0), 1.0, scale)


def _check(X: Tensor, Y: Tensor, Yvar: Tensor | None) -> None:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be n x d with at least one observation and one column, got shape {tuple(X.shape)}.")
    if Y.ndim != 2 or len(Y) != len(X) or Y.shape[1] == 0:
        raise ValueError(
            f"Y must be n x m with the n of X: X has shape {tuple(X.shape)}, Y has shape {tuple(Y.shape)}. "
            "A single objective is a column: pass Y.unsqueeze(-1)."
        )
    if Yvar is not None and Yvar.shape != Y.shape:
        raise ValueError(f"Yvar must have the shape of Y, {tuple(Y.shape)}, got {tuple(Yvar.shape)}.")
    for name, values in (("X", X), ("Y", Y), ("Yvar", Yvar)):
        if values is None:
            continue
        if values.dtype != torch.float64:
            raise ValueError(f"{name} must be float64, got {values.dtype}: pass {name}.double().")
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} has {int((~values.isfinite()).sum())} values that are not finite; drop those rows.")
    if Yvar is not None and bool((Yvar < 0).any()):
        raise ValueError(f"Yvar is a variance: got {Yvar.min().item()!r}.")
