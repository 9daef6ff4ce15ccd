"""The search for the hyperparameters of greatest posterior density, and observations under those found.

Above some hundred observations starts compete on a few, and only the best goes on with more; see `ModeSearch`.

| symbol | means |
|---|---|
| m, n, p | outputs, observations, numbers in theta |
| r | starts |
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bbo.surrogates.conditioned import Conditioned
from bbo.surrogates.hyperparameters import Hyperparameters, Scaling
from bbo.surrogates.kernel import Columns
from bbo.surrogates.lbfgs import Box, maximize
from bbo.surrogates.marginal import LogPosterior, log_density_of_scatter
from bbo.surrogates.observations import Observations
from bbo.surrogates.priors import Prior

# Starts compete on so many observations; only the best goes on with more.
_COARSE = 128
_SUBSET_SEED = 2024
# What features are multiplied by before the whole part is dropped; the rest is as good as random.
_MIXED = 1e6
# Evaluations of the density that hyperparameters of nearly the same observations are given: any more gain less than a
# tenth of a nat in the median, and less than two thirds of one nine times in ten.
_FEW = 8
# Gains below a thousandth of a nat, at some hundred nats, change no prediction that anyone would notice.
_PROGRESS = 1e-5


@dataclass(frozen=True)
class Settled:
    """Observations conditioned under hyperparameters.

    Args:
        theta: `m x p`.
        evidence: log density of all values of each output in their units and, but for a constant, of theta; `m`.
    """

    observations: Observations
    theta: Tensor
    conditioned: Conditioned
    evidence: Tensor

    def hyperparameters(self, search: "ModeSearch") -> Hyperparameters:
        """Of this model; the noise of an output whose noise is all known is the mean of that."""
        h = Hyperparameters.from_theta(self.theta, search.columns.dim)
        known = self.observations.known_variance(search.least_noise).mean(1)
        return replace(h, noise=torch.where(self.observations.is_all_known, known, h.noise))

    def subset(self, k: Tensor) -> "Settled":
        """Some of the outputs, by their indices."""
        return Settled(self.observations.subset(k), self.theta[k], self.conditioned.subset(k), self.evidence[k])


@dataclass(frozen=True)
class ModeSearch:
    """What stays the same while hyperparameters are sought.

    Args:
        features: of the observations, `n x p'`.
        order: of the rows, `n`, such that the same observations in any order give the same bits.
        prior: of theta.
        lower, upper: bounds of theta, `p`.
        least_noise: what a known noise variance counts for at least, standardized.
        max_evaluations: of the density in one search.
        subset: hyperparameters are fitted on so many observations at most.
    """

    columns: Columns
    features: Tensor
    order: Tensor
    prior: Prior
    lower: Tensor
    upper: Tensor
    least_noise: float
    max_evaluations: int
    subset: int

    def mode(self, m: int) -> Tensor:
        """Of the prior, `m x p`."""
        return self.prior.location.clamp(self.lower, self.upper).expand(m, -1)

    def climb(self, observations: Observations, starts: Tensor, is_placed: Tensor) -> tuple[Tensor, Tensor]:
        """The best that is reached from starts `r x m x p`, `m x p`, and its log density on the subset, `m`.

        Args:
            is_placed: outputs that learn where levels are, `m`; levels of the others stay at 0.
        """
        shuffled = self._shuffled()
        box = self._box(observations, is_placed)
        theta, value = self._climb(observations, shuffled[:_COARSE], starts, box, self.max_evaluations)
        if len(self.order) > _COARSE:
            rows = shuffled[: self.subset]
            theta, value = self._climb(observations, rows, torch.cat([theta, starts]), box, 1)
            theta, value = self._climb(observations, rows, _best(theta, value)[None], box, self.max_evaluations // 3)
        return _best(theta, value), value.amax(0)

    def refine(self, observations: Observations, theta: Tensor) -> Tensor:
        """After a few steps from theta, `m x p`, that was found for nearly the same observations."""
        is_placed = (theta[:, 3 * self.columns.dim + 2 :] != 0).any(1)
        rows = self._shuffled()[: self.subset]
        refined, _ = self._climb(observations, rows, theta[None], self._box(observations, is_placed), _FEW)
        return refined[0]

    def settle(self, observations: Observations, theta: Tensor) -> Settled | None:
        """All observations under theta, `m x p`; None where their covariance is not positive definite."""
        h = Hyperparameters.from_theta(theta, self.columns.dim)
        F = Scaling.of(h, self.columns)(self.features)
        noise = h.noise[:, None] * observations.W + observations.V(self.least_noise)
        conditioned = Conditioned.on(F, observations.y, noise, h.outputscale)
        if conditioned is None:
            return None
        n = len(self.order) + observations.freedom
        prior, _ = self.prior(theta)
        of_scatter = log_density_of_scatter(observations.squares, observations.freedom, h.noise)
        likelihood = conditioned.log_likelihood + of_scatter - n * observations.scale.log()
        return Settled(observations, theta, conditioned, likelihood + prior)

    def _shuffled(self) -> Tensor:
        """Indices into `order` by something like a random number of each row's own.

        So a subset of the first ones hardly changes as rows are added, whatever their order.
        """
        if len(self.order) <= min(_COARSE, self.subset):
            return torch.arange(len(self.order), dtype=torch.long, device=self.order.device)
        generator = torch.Generator("cpu").manual_seed(_SUBSET_SEED)
        weight = torch.rand(self.features.shape[1], dtype=torch.float64, device="cpu", generator=generator)
        key = (self.features[self.order] * (_MIXED * weight.to(self.features))).sum(1).frac()
        return key.argsort(stable=True)

    def _box(self, observations: Observations, is_placed: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds by output, `m x p`: what has nothing to be learnt from stays where the prior has its mode."""
        is_held = torch.zeros(len(is_placed), self.lower.shape[0], dtype=torch.bool, device=is_placed.device)
        k = 3 * self.columns.dim
        is_held[:, k] = observations.is_all_known
        is_held[:, k + 2 :] = ~is_placed[:, None]
        mode = self.mode(len(is_placed))
        return torch.where(is_held, mode, self.lower), torch.where(is_held, mode, self.upper)

    def _density(self, observations: Observations) -> LogPosterior:
        """Rows in order."""
        y, V, W = observations.y, observations.V(self.least_noise), observations.W
        y, V, W = (values[:, self.order] for values in (y, V, W))
        squares, freedom = observations.squares, observations.freedom
        return LogPosterior(self.columns, self.features[self.order], y, V, W, self.prior, squares, freedom)

    def _climb(
        self,
        observations: Observations,
        rows: Tensor,
        starts: Tensor,
        box: tuple[Tensor, Tensor],
        max_evaluations: int,
    ) -> tuple[Tensor, Tensor]:
        """Local maxima `r x m x p` and their log densities `r x m` on some of the observations."""
        r, m, p = starts.shape
        data = self._density(observations)
        Y, V, W = (values[:, rows].repeat(r, 1) for values in (data.Y, data.V, data.W))
        S, f = (values.repeat(r) for values in (observations.squares, observations.freedom))
        density = replace(data, features=data.features[rows], Y=Y, V=V, W=W, squares=S, freedom=f)
        with torch.inference_mode():  # where tensors are small, a fifth cheaper
            theta, value = maximize(
                density,
                starts.reshape(-1, p),
                Box(*(bound.repeat(r, 1) for bound in box)),
                max_evaluations=max_evaluations,
                progress=_PROGRESS,
                among=lambda k: replace(density, Y=Y[k], V=V[k], W=W[k], squares=S[k], freedom=f[k]),
            )
        return theta.clone().reshape(r, m, p), value.clone().reshape(r, m)


def _best(theta: Tensor, value: Tensor) -> Tensor:
    """The best of each output, `m x p`, from `r x m x p` and `r x m`."""
    return theta.gather(0, value.argmax(0)[None, :, None].expand(1, -1, theta.shape[2]))[0]
