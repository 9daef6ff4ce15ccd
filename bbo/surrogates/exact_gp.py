"""Exact Gaussian process regression, hyperparameters by maximum a posteriori.

Kernel and marginal likelihood: Rasmussen & Williams (2006), Eq. 4.17 and 2.30; the gradient stands in `marginal.py`.
Length-scale prior: Hvarfner et al., "Vanilla Bayesian optimization performs great in high dimensions", ICML 2024.
Input warping: Snoek et al., "Input warping for Bayesian optimization of non-stationary functions", ICML 2014.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bbo.errors import FitError
from bbo.surrogates.conditioned import Conditioned
from bbo.surrogates.fitted_gp import FittedGP
from bbo.surrogates.hyperparameters import Hyperparameters, by_parameter
from bbo.surrogates.kernel import Columns
from bbo.surrogates.lbfgs import maximize
from bbo.surrogates.marginal import LogPosterior

# Starts compete on so many observations; only the best goes on with more.
_COARSE = 128
_SUBSET_SEED = 2024
_LENGTH_SCALES = (5e-3, 1e4)
_LARGEST_NOISE = 10.0
_WARPING = (0.1, 10.0)
_OUTSIDE = 1e-9  # what rounding may put a position outside of the cube
_OUTPUTSCALES = (1e-3, 1e3)
# Starts, as factors of the modes of length scales, noise and outputscale: the mode, then a wiggly function seen clearly
# and a smooth one seen through noise, the two ways to explain the same data (Rasmussen & Williams, Fig. 5.5).
_STARTS = ((1.0, 1.0, 1.0), (0.3, 0.1, 1.0), (2.0, 30.0, 1.0))
# Gains below a thousandth of a nat, at some hundred nats, change no prediction that anyone would notice.
_PROGRESS = 1e-5


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
    """Matern-5/2 Gaussian process: length scale and warping by column, a constant mean, homoscedastic noise.

    Args:
        length_scale: prior of the length scales over sqrt(d).
        warping: prior of both exponents of the input warping; None for no warping.
        noise, outputscale: priors of the noise variance and the outputscale, for standardized values.
        max_evaluations: of the marginal likelihood in one fit.
        subset: hyperparameters are fitted on so many observations at most; the posterior uses all.
    """

    # Hvarfner et al.: the logarithm has mean sqrt(2) + log(d) / 2.
    length_scale: LogNormal = LogNormal(math.exp(math.sqrt(2) - 3), math.sqrt(3))
    # By held-out log density on 8 test functions in 2 to 8 columns, 15 to 60 observations, noise of 0 to 30 % of the
    # spread: 0.03 to 0.27 nats per value above log-normal(-4, 1) and outputscale 1 without noise, no less with it.
    noise: LogNormal = LogNormal(math.exp(-4), 2.0)
    outputscale: LogNormal = LogNormal(1.0, 2.0)
    warping: LogNormal | None = LogNormal(1.0, 0.5)
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
            ValueError: if the shapes disagree, a value is not finite or `X` leaves the cube.
            FitError: if no rung of the ladder gave a finite posterior.
        """
        _check(X, Y, Yvar)
        columns = Columns(X.shape[1], dict(categorical or {}), X.device, is_warped=self.warping is not None)
        # Sorted rows give the same hyperparameters, to the bit, to the same observations in any order.
        known = torch.zeros_like(Y) if Yvar is None else Yvar
        order = torch.unique(torch.cat([X, Y, known], 1), dim=0, return_inverse=True)[1].argsort(stable=True)
        location, scale = _standardization(Y[order])
        y, V = ((Y - location) / scale).mT, (known / scale**2).mT
        features = columns.features(X)
        sorted_data = LogPosterior(columns, features[order], y[:, order], V[:, order], *self._prior(X))
        for rung in LADDER:
            theta = self._settle(sorted_data, rung, warm, is_noise_known=Yvar is not None)
            settled = Hyperparameters.from_theta(theta)
            F = settled.scaled(columns, features)
            conditioned = Conditioned.on(F, y, settled.noise[:, None] + V, settled.outputscale)
            if conditioned is not None:
                evidence = (conditioned.log_likelihood + sorted_data.log_prior(theta)) / len(X) - scale.log()
                return FittedGP(
                    X.clone(), Y.clone(), columns, location, scale, settled, conditioned, evidence, rung.name
                )
        raise FitError(
            f"No Gaussian process fits {len(X)} observations in {X.shape[1]} columns: the covariance is not positive "
            f"definite even with hyperparameters from the prior and a noise variance of {LADDER[-1].least_noise}."
        )

    def _prior(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Location and scale of the normal prior of theta, both `3 d + 2`."""
        d = X.shape[1]
        priors = by_parameter(
            d,
            length_scale=replace(self.length_scale, mode=self.length_scale.mode * math.sqrt(d)),
            warping=self.warping or LogNormal(1.0, 1.0),
            noise=self.noise,
            outputscale=self.outputscale,
        )
        return X.new_tensor([p.mode for p in priors]).log(), X.new_tensor([p.scale for p in priors])

    def _settle(
        self, data: LogPosterior, rung: Rung, warm: Mapping[str, Any] | None, *, is_noise_known: bool
    ) -> Tensor:
        """theta of each output, `m x (3 d + 2)`; the best that a fit reached, or the prior's mode."""
        m, n = data.Y.shape
        ranges = by_parameter(
            data.columns.dim,
            length_scale=_LENGTH_SCALES,
            warping=_WARPING if data.columns.is_warped else (1.0, 1.0),
            noise=(rung.least_noise, rung.least_noise if is_noise_known else _LARGEST_NOISE),
            outputscale=_OUTPUTSCALES,
        )
        lower, upper = data.location.new_tensor(ranges).log().unbind(1)
        mode = data.location.clamp(lower, upper).expand(m, -1)
        if not rung.is_fitted:
            return mode
        starts = _starts(mode, warm, data.columns.dim)
        generator = torch.Generator("cpu").manual_seed(_SUBSET_SEED)
        shuffled = torch.randperm(n, generator=generator, device="cpu").to(mode.device)
        theta, value = _climb(data, shuffled[:_COARSE], starts, lower, upper, self.max_evaluations)
        if n > _COARSE:
            rows = shuffled[: self.subset]
            theta, value = _climb(data, rows, torch.cat([theta, starts]), lower, upper, 1)
            theta, value = _climb(data, rows, _best(theta, value)[None], lower, upper, self.max_evaluations // 3)
        return _best(theta, value)


def _starts(mode: Tensor, warm: Mapping[str, Any] | None, d: int) -> Tensor:
    """Where to climb from, `r x m x (3 d + 2)`, given the mode of the prior, `m x (3 d + 2)`."""
    before = None if warm is None else Hyperparameters.from_dict(warm, mode)
    if before is not None:
        return torch.stack([before.theta, mode])
    factors = [
        by_parameter(d, length_scale=lengths, warping=1.0, noise=noise, outputscale=scale)
        for lengths, noise, scale in _STARTS
    ]
    return mode + mode.new_tensor(factors).log()[:, None]


def _climb(
    data: LogPosterior, rows: Tensor, starts: Tensor, lower: Tensor, upper: Tensor, max_evaluations: int
) -> tuple[Tensor, Tensor]:
    """Local maxima `r x m x (3 d + 2)` and their log densities `r x m` on some of the observations."""
    r, m, p = starts.shape
    density = replace(
        data, features=data.features[rows], Y=data.Y[:, rows].repeat(r, 1), V=data.V[:, rows].repeat(r, 1)
    )
    theta, value = maximize(
        density,
        starts.reshape(-1, p),
        lower,
        upper,
        max_evaluations=max_evaluations,
        progress=_PROGRESS,
        among=lambda pairs: replace(density, Y=density.Y[pairs], V=density.V[pairs]),
    )
    return theta.reshape(r, m, p), value.reshape(r, m)


def _best(theta: Tensor, value: Tensor) -> Tensor:
    """The best of each output, `m x (3 d + 2)`, from `r x m x (3 d + 2)` and `r x m`."""
    return theta.gather(0, value.argmax(0)[None, :, None].expand(1, -1, theta.shape[2]))[0]


def _standardization(Y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each output, `m`; 1 for an output that is constant but for rounding."""
    size = Y.abs().amax(0).clamp_min(1e-300)  # divided out, as squares of penalties like 1e300 overflow
    location, scale = size * (Y / size).mean(0), size * (Y / size).std(0, correction=0)
    return location, torch.where(scale <= 1e-14 * size, 1.0, scale)


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
            raise ValueError(
                f"{name} has {int((~values.isfinite()).sum())} values that are not finite; drop those rows."
            )
    outside = ((X < -_OUTSIDE) | (X > 1 + _OUTSIDE)).any(0)
    if bool(outside.any()):
        j = int(outside.to(torch.int).argmax())
        raise ValueError(
            f"X must lie in the unit cube, column {j} goes from {X[:, j].min().item()!r} to {X[:, j].max().item()!r}: "
            "map the range that inputs may take to [0, 1]."
        )
    if Yvar is not None and bool((Yvar < 0).any()):
        raise ValueError(f"Yvar is a variance: got {Yvar.min().item()!r}.")
