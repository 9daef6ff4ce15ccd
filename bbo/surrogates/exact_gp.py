"""Exact Gaussian process regression, hyperparameters by maximum a posteriori.

Kernel and marginal likelihood: Rasmussen & Williams (2006), Eq. 4.17 and 2.30; the gradient stands in `marginal.py`.
Length-scale prior: around that of Hvarfner et al., "Vanilla Bayesian optimization performs great in high dimensions",
ICML 2024, but shared by the columns; see `priors.Hierarchical`.
Input warping: Snoek et al., "Input warping for Bayesian optimization of non-stationary functions", ICML 2014.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bbo.errors import FitError
from bbo.space.structure import Structure
from bbo.surrogates.fitted_gp import FittedGP
from bbo.surrogates.hyperparameters import Earlier, by_parameter
from bbo.surrogates.kernel import Columns
from bbo.surrogates.mode import ModeSearch, Settled
from bbo.surrogates.observations import Observations
from bbo.surrogates.outliers import doubt_again, in_units, is_stranger, price, pursue
from bbo.surrogates.positions import place
from bbo.surrogates.priors import SAAS, Hierarchical, LogNormal, Prior

_LENGTH_SCALES = (5e-3, 1e4)
_LARGEST_NOISE = 10.0
_WARPING = (0.1, 10.0)
_OUTSIDE = 1e-9  # what rounding may put a position outside of the cube
_OUTPUTSCALES = (1e-3, 1e3)
_START_SEED = 2025
_FARTHEST = 5.0  # coordinate of a level: such distances leave no correlation
# Starts, as factors of the modes of length scales, noise and outputscale: the mode, then a wiggly function seen clearly
# and a smooth one seen through noise, the two ways to explain the same data (Rasmussen & Williams, Fig. 5.5). Clearly
# means next to exactly: from a tenth of the mode's noise, formulas without noise (g06, 60 points) ended 0.9 to 1.7 nats
# per value below the best, from 1e-4 of it 0.1; of functions with and without noise in 1 to 6 columns none changed.
_STARTS = ((1.0, 1.0, 1.0), (0.5, 1e-4, 1.0), (2.0, 30.0, 1.0))
# A sparse prior has many modes. From starts like these it is mostly one of the lesser ones that is reached; from the
# mode of a prior that is not sparse, its differences between columns enlarged by so much, mostly the best.
_SHARPENED = (0.0, 0.5, 1.0)


# Hvarfner et al.: the logarithm has mean sqrt(2) + log(d) / 2, and about this variance. The best of 60 trials was
# better than with independent ones in 23 of 28 runs on functions in 5 to 30 columns, and about as good on designs.
_SMOOTH = Hierarchical(math.exp(math.sqrt(2) - 3))
# By held-out log density on 8 test functions in 2 to 8 columns, 15 to 60 observations, noise of 0 to 30 % of the
# spread: 0.03 to 0.27 nats per value above log-normal(-4, 1) and outputscale 1 without noise, no less with it.
_NOISE = LogNormal(math.exp(-4), 2.0)
_OUTPUTSCALE = LogNormal(1.0, 2.0)
_NEARLY_STRAIGHT = LogNormal(1.0, 0.5)


@dataclass(frozen=True)
class Rung:
    """One attempt of the ladder.

    Args:
        least_noise: the least noise variance, for standardized values.
        is_fitted: whether hyperparameters are fitted at all.
        narrowing: power to which ranges of hyperparameters are taken, about the mode of the prior.
        n_drawn: further starts, drawn from the prior.
        subset: hyperparameters are fitted on so many observations at most; None for as many as usual.
    """

    name: str
    least_noise: float
    is_fitted: bool
    narrowing: float = 1.0
    n_drawn: int = 0
    subset: int | None = None


# Most designs are formulas without noise. With 1e-6 the last digits of their best are lost (speed reducer, 60 trials:
# 2994.51 to .54 for 2994.48 to .49); 1e-10 finds no better ones.
LADDER = (
    Rung("map", 1e-8, True),
    Rung("jitter", 1e-4, True),
    Rung("bounds", 1e-4, True, narrowing=0.3),
    Rung("restarts", 1e-4, True, narrowing=0.3, n_drawn=16),
    Rung("subset", 1e-4, True, narrowing=0.3, n_drawn=16, subset=32),
    Rung("prior", 1e-2, False),
)


@dataclass(frozen=True, kw_only=True)
class ExactGP:
    """Matern-5/2 Gaussian process: length scale and warping by column, a constant mean, outliers.

    The noise of a value is known, or has the same variance for every measurement.

    Args:
        length_scale: prior of the length scales over sqrt(d): `Hierarchical()`, where most are alike and some differ;
            `LogNormal()`, where none says anything of the others; or `SAAS()`, where few of many columns matter.
        warping: prior of both exponents of the input warping; None for no warping.
        noise, outputscale: priors of the noise variance and the outputscale, for standardized values.
        outliers: share of values that are outliers, before any are seen; None for none.
        max_evaluations: of the marginal likelihood in one search.
        subset: hyperparameters are fitted on so many observations at most; the posterior uses all.
    """

    length_scale: LogNormal | Hierarchical | SAAS = _SMOOTH
    noise: LogNormal = _NOISE
    outputscale: LogNormal = _OUTPUTSCALE
    warping: LogNormal | None = _NEARLY_STRAIGHT
    outliers: float | None = 0.02
    max_evaluations: int = 100
    subset: int = 400

    def __post_init__(self) -> None:
        if not isinstance(self.length_scale, LogNormal | Hierarchical | SAAS):
            raise ValueError(
                "ExactGP takes for length_scale a prior, Hierarchical(), LogNormal() or SAAS(): "
                f"got {self.length_scale!r}."
            )
        for name in ("noise", "outputscale", "warping"):
            given = getattr(self, name)
            if not isinstance(given, LogNormal) and not (name == "warping" and given is None):
                raise ValueError(
                    f"ExactGP takes for {name} a prior, LogNormal(mode, scale)"
                    f"{', or None for no warping' if name == 'warping' else ''}: got {given!r}."
                )
        if self.outliers is not None and not 0 < self.outliers < 1:
            raise ValueError(f"outliers is a share between 0 and 1, or None for no outliers: got {self.outliers!r}.")
        for name in ("max_evaluations", "subset"):
            if getattr(self, name) < 1:
                raise ValueError(f"ExactGP needs {name} of at least 1: got {getattr(self, name)!r}.")

    def fit(
        self,
        X: Tensor,
        Y: Tensor,
        Yvar: Tensor | None = None,
        counts: Tensor | None = None,
        scatter: Tensor | None = None,
        *,
        structure: Structure | None = None,
        warm: Mapping[str, Any] | None = None,
        trusted: Tensor | None = None,
    ) -> FittedGP:
        """Condition on data.

        Args:
            X: inputs in the unit cube, `n x d`, float64.
            Y: m outputs, `n x m`, each modelled by itself; standardized here, un-standardized in the posterior.
            Yvar: noise variance of each value in the units of `Y` squared, `n x m`; NaN where it is to be inferred,
                everywhere when None.
            counts: of how many measurements each value is the mean, `n x m`; the inferred variance is that of one. 1
                when None.
            scatter: sample standard deviation of these measurements, `n x m`, in the units of `Y`; NaN where it is not
                known, everywhere when None.
            structure: what the columns mean; numbers, all of them, when None.
            warm: `hyperparameters` of an earlier fit to nearly the same data: they are followed by a few steps, and its
                choices are kept, unless a value has come that is stranger than all before. Not used when of another
                shape.
            trusted: values that are no outliers, however strange, `n x m`; none when None.
        Raises:
            ValueError: if the shapes disagree, a value is not finite or `X` leaves the cube.
            FitError: if no rung of the ladder gave a finite posterior.
        """
        _check(X, Y, Yvar, counts, scatter)
        columns = Columns(
            X.shape[1], structure or Structure(), X.device, is_warped=self.warping is not None, has_positions=True
        )
        observations = Observations.of(Y.clone(), Yvar, counts, scatter)
        # Sorted rows give the same hyperparameters, to the bit, to the same observations in any order.
        everything = torch.cat([X, Y, observations.known.mT.nan_to_num(-1.0), observations.counts.mT], 1)
        order = torch.unique(everything, dim=0, return_inverse=True)[1].argsort(stable=True)
        is_trusted = torch.zeros_like(Y, dtype=torch.bool) if trusted is None else trusted
        attempts: list[tuple[Rung, Earlier | None]] = [(rung, None) for rung in LADDER]
        if warm is not None:
            like = X.new_empty(Y.shape[1], 3 * columns.dim + 2 + columns.n_positions)
            earlier = Earlier.from_dict(warm, like, columns.dim)
            attempts = attempts if earlier is None else [(LADDER[0], earlier), *attempts]
        for rung, before in attempts:
            search = self._search(rung, columns, columns.features(X), order, float(observations.counts.max()))
            if before is None:
                settled = self._settle(search, rung, observations, is_trusted.mT)
            else:
                settled = self._resume(search, observations, before, is_trusted.mT)
            if settled is not None:
                seen = settled.observations
                cost = 0.0 if self.outliers is None else price(self.outliers) * seen.is_outlier.sum(1)
                return FittedGP(
                    X.clone(),
                    Y.clone(),
                    seen.extra_variance.mT,
                    columns,
                    seen.location,
                    seen.scale,
                    settled.hyperparameters(search),
                    settled.conditioned,
                    (settled.evidence - cost) / len(X),
                    rung.name,
                )
        raise FitError(
            f"No Gaussian process fits {len(X)} observations in {X.shape[1]} columns: the covariance is not positive "
            f"definite even with hyperparameters from the prior and a noise variance of {LADDER[-1].least_noise}."
        )

    def _search(self, rung: Rung, columns: Columns, features: Tensor, order: Tensor, count: float) -> ModeSearch:
        """Args: count: of how many measurements a value is the mean at most; the noise of one is as much larger."""
        d = columns.dim
        ranges = by_parameter(
            d,
            columns.n_positions,
            length_scale=_LENGTH_SCALES,
            warping=_WARPING if columns.is_warped else (1.0, 1.0),
            noise=(rung.least_noise, count * _LARGEST_NOISE),
            outputscale=_OUTPUTSCALES,
            position=(math.exp(-_FARTHEST), math.exp(_FARTHEST)),
        )
        prior = self._prior(columns, features)
        lower, upper = features.new_tensor(ranges).log().unbind(1)
        mode = prior.location.clamp(lower, upper)
        lower, upper = (torch.lerp(mode, bound, rung.narrowing) for bound in (lower, upper))
        subset = self.subset if rung.subset is None else rung.subset
        return ModeSearch(columns, features, order, prior, lower, upper, rung.least_noise, self.max_evaluations, subset)

    def _prior(self, columns: Columns, like: Tensor) -> Prior:
        d = columns.dim
        priors = by_parameter(
            d,
            columns.n_positions,
            length_scale=self.length_scale.for_columns(d),
            warping=self.warping or LogNormal(1.0, 1.0),
            noise=self.noise,
            outputscale=self.outputscale,
            position=LogNormal(1.0, 1.0),  # coordinates are not logarithms: standard normal
        )
        location, scale = like.new_tensor([p.mode for p in priors]).log(), like.new_tensor([p.scale for p in priors])
        lengths = None if isinstance(self.length_scale, LogNormal) else self.length_scale
        return Prior(location, scale, lengths, d)

    def _settle(
        self,
        search: ModeSearch,
        rung: Rung,
        observations: Observations,
        trusted: Tensor,
    ) -> Settled | None:
        """The model of greatest density that was reached, or that of the prior's mode; None where there is none."""
        m = len(observations.Y)
        mode = search.mode(m)
        if not rung.is_fitted:
            return search.settle(observations, mode)
        nowhere = torch.zeros(m, dtype=torch.bool, device=mode.device)
        starts = _starts(search, mode, rung.n_drawn)
        if isinstance(self.length_scale, SAAS):
            dense = replace(search, prior=replace(self, length_scale=_SMOOTH)._prior(search.columns, search.features))
            smooth, _ = dense.climb(observations, starts, nowhere)
            starts = torch.cat([starts, *(_sharpened(smooth, search.columns.dim, by) for by in _SHARPENED)])
        theta, value = search.climb(observations, starts, nowhere)
        if not bool(value.isfinite().all()):
            return None
        if search.columns.blocks:
            theta = place(search, observations, theta, value)
        plain = search.settle(observations, theta)
        if plain is None or self.outliers is None:
            return plain
        return pursue(search, plain, _explanations(search, mode)[-1], trusted, self.outliers)

    def _resume(
        self, search: ModeSearch, observations: Observations, earlier: Earlier, trusted: Tensor
    ) -> Settled | None:
        """From an earlier fit; None where that leads nowhere, or a value is too strange for it."""
        if self.outliers is not None:
            observations = doubt_again(search, observations, earlier, trusted, self.outliers)
        settled = search.settle(
            observations, search.refine(observations, in_units(search, earlier, observations.scale))
        )
        if settled is None or not bool(settled.evidence.isfinite().all()):
            return None
        return None if self.outliers is not None and is_stranger(settled, earlier, trusted) else settled


def _starts(search: ModeSearch, mode: Tensor, n_drawn: int) -> Tensor:
    """Where to climb from, `r x m x p`, given the mode of the prior, `m x p`."""
    generator = torch.Generator("cpu").manual_seed(_START_SEED)
    z = torch.randn(n_drawn, 1, mode.shape[1], generator=generator, dtype=mode.dtype, device="cpu").to(mode.device)
    return torch.cat([_explanations(search, mode), mode + search.prior.scale * z])


def _sharpened(theta: Tensor, d: int, by: float) -> Tensor:
    """theta, `m x p`, with length scales that differ more from the shortest; `1 x m x p`."""
    lengths = theta[:, :d]
    longer = lengths + by * (lengths - lengths.amin(1, keepdim=True))
    return torch.cat([longer, theta[:, d:]], 1)[None]


def _explanations(search: ModeSearch, mode: Tensor) -> Tensor:
    """`_STARTS` as thetas, `3 x m x p`."""
    d, n_positions = search.columns.dim, search.columns.n_positions
    factors = [
        by_parameter(d, n_positions, length_scale=lengths, warping=1.0, noise=noise, outputscale=scale, position=1.0)
        for lengths, noise, scale in _STARTS
    ]
    return mode + mode.new_tensor(factors).log()[:, None]


def _check(X: Tensor, Y: Tensor, Yvar: Tensor | None, counts: Tensor | None, scatter: Tensor | None) -> None:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be n x d with at least one observation and one column, got shape {tuple(X.shape)}.")
    if Y.ndim != 2 or len(Y) != len(X) or Y.shape[1] == 0:
        raise ValueError(
            f"Y must be n x m with the n of X: X has shape {tuple(X.shape)}, Y has shape {tuple(Y.shape)}. "
            "A single objective is a column: pass Y.unsqueeze(-1)."
        )
    for name, values in (("Yvar", Yvar), ("counts", counts), ("scatter", scatter)):
        if values is not None and values.shape != Y.shape:
            raise ValueError(f"{name} must have the shape of Y, {tuple(Y.shape)}, got {tuple(values.shape)}.")
    for name, values in (("X", X), ("Y", Y), ("Yvar", Yvar)):
        if values is None:
            continue
        if values.dtype != torch.float64:
            raise ValueError(f"{name} must be float64, got {values.dtype}: pass {name}.double().")
        is_bad = values.isinf() if name == "Yvar" else ~values.isfinite()
        if bool(is_bad.any()):
            raise ValueError(f"{name} has {int(is_bad.sum())} values that are not finite; drop those rows.")
    outside = ((X < -_OUTSIDE) | (X > 1 + _OUTSIDE)).any(0)
    if bool(outside.any()):
        j = int(outside.to(torch.int).argmax())
        raise ValueError(
            f"X must lie in the unit cube, column {j} goes from {X[:, j].min().item()!r} to {X[:, j].max().item()!r}: "
            "map the range that inputs may take to [0, 1]."
        )
    if Yvar is not None and bool((Yvar < 0).any()):
        raise ValueError(f"Yvar is a variance: got {Yvar.nan_to_num(0.0).min().item()!r}.")
    if scatter is not None and bool(((scatter < 0) | scatter.isinf()).any()):
        worst = scatter.nan_to_num(0.0, posinf=math.inf).amin() if bool((scatter < 0).any()) else math.inf
        raise ValueError(f"scatter has standard deviations, finite and at least 0, or NaN: got {float(worst)!r}.")
    if counts is not None and not bool((counts >= 1).all()):
        raise ValueError(f"counts are of measurements, at least 1 each: got {counts.min().item()!r}.")
