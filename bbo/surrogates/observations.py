"""What a Gaussian process is fitted to, in the units of the fit: standardized values and what is known of their noise.

The noise of a value has the variance that is known, or else v / counts with v inferred: of a mean of independent
measurements. A value that is taken for an outlier has further variance, `extra`^2, and does not count for the units.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

# Standardized values and standard deviations end here: only outliers and noise beyond all signal get so far.
FARTHEST = 1e4


@dataclass(frozen=True)
class Observations:
    """Of m outputs.

    Args:
        Y: values, `m x n`, in their own units.
        known: standard deviation of the noise of each, `m x n`, in the same units; NaN where it is to be inferred.
        counts: of how many measurements each is the mean, `m x n`.
        scatter: sample standard deviation of these measurements, `m x n`, in the same units; NaN where it is not known.
        extra: standard deviation that makes up for what is strange about a value, `m x n`; 0 for one like the others.
    """

    Y: Tensor
    known: Tensor
    counts: Tensor
    scatter: Tensor
    extra: Tensor

    @staticmethod
    def of(
        Y: Tensor, Yvar: Tensor | None = None, counts: Tensor | None = None, scatter: Tensor | None = None
    ) -> "Observations":
        """From columns, `n x m`; single measurements and all noise to be inferred where nothing is said."""
        known = torch.full_like(Y, torch.nan) if Yvar is None else Yvar.sqrt()
        many = torch.ones_like(Y) if counts is None else counts.to(Y)
        spread = torch.full_like(Y, torch.nan) if scatter is None else scatter
        return Observations(Y.mT, known.mT, many.mT, spread.mT, torch.zeros_like(Y.mT))

    @cached_property
    def units(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each output, `m`; 1 for an output that is constant but for rounding."""
        # In order of size, so that sums are the same to the bit for the same values in any order.
        usual = torch.where(self.is_outlier, torch.nan, self.Y).sort(1).values
        # Divided out, as squares of penalties like 1e300 overflow.
        size = usual.abs().nan_to_num(0.0).amax(1, keepdim=True).clamp_min(1e-300)
        usual = usual / size
        mean = usual.nanmean(1, keepdim=True)
        sd = (usual - mean).square().nanmean(1).sqrt()
        return (size * mean)[:, 0], torch.where(sd <= 1e-14, 1.0, size[:, 0] * sd)

    @property
    def location(self) -> Tensor:
        return self.units[0]

    @property
    def scale(self) -> Tensor:
        return self.units[1]

    @cached_property
    def y(self) -> Tensor:
        """Standardized values, `m x n`."""
        return ((self.Y - self.location[:, None]) / self.scale[:, None]).clamp(-FARTHEST, FARTHEST)

    @cached_property
    def W(self) -> Tensor:
        """How much of the inferred variance the noise of each value has, `m x n`."""
        return torch.where(self.known.isnan(), 1 / self.counts, 0.0)

    def known_variance(self, least: float) -> Tensor:
        """Of the noise, standardized, `m x n`; 0 where it is to be inferred.

        Args:
            least: what a known variance counts for at least, standardized.
        """
        known = self.known / self.scale[:, None]
        return torch.where(known.isnan(), 0.0, known.clamp_max(FARTHEST).square().clamp_min(least))

    def V(self, least: float) -> Tensor:
        """All that is not inferred of each value's noise variance, standardized, `m x n`."""
        return self.known_variance(least) + self.extra_variance

    @cached_property
    def extra_variance(self) -> Tensor:
        """Of outliers, standardized, `m x n`."""
        return (self.extra / self.scale[:, None]).clamp_max(FARTHEST).square()

    @cached_property
    def freedom(self) -> Tensor:
        """Degrees of freedom that measurements of the same value have, where their variance is inferred, `m`."""
        return torch.where(self._says_scatter, self.counts - 1, 0.0).sum(1)

    @cached_property
    def squares(self) -> Tensor:
        """Sum of the squared deviations of such measurements from their means, standardized, `m`."""
        z = (self.scatter / self.scale[:, None]).clamp_max(FARTHEST)
        return torch.where(self._says_scatter, (self.counts - 1) * z.square(), 0.0).sum(1)

    @property
    def _says_scatter(self) -> Tensor:
        return self.known.isnan() & ~self.scatter.isnan()

    @property
    def is_outlier(self) -> Tensor:
        """Values that have extra variance, `m x n`."""
        return self.extra > 0

    @cached_property
    def is_all_known(self) -> Tensor:
        """Outputs that have no noise to infer, `m`."""
        return ~self.known.isnan().any(1)

    def doubting(self, extra: Tensor) -> "Observations":
        """The same values with other extra standard deviations, `m x n`."""
        return replace(self, extra=extra)

    def subset(self, k: Tensor) -> "Observations":
        """Some of the outputs, by their indices."""
        return Observations(self.Y[k], self.known[k], self.counts[k], self.scatter[k], self.extra[k])
