"""What a Gaussian process is fitted by: by name, as JSON keeps it, and as the vector theta that is climbed.

theta is the logarithm of length scales, of a and b of the input warping, of noise variance and outputscale, `3 d + 2`
numbers for each of the m outputs, then the coordinates of the positions of levels: p numbers in all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from bbo.surrogates.kernel import LEVELS_APART, Columns
from bbo.surrogates.warping import warped, warped_and_slope

_T = TypeVar("_T")


@dataclass(frozen=True)
class Hyperparameters:
    """Of m outputs, in standardized units: length scales and warping `m x d`; noise variance and outputscale, `m`;
    coordinates of the positions of levels, `m x n_positions`."""

    length_scales: Tensor
    warping_a: Tensor
    warping_b: Tensor
    noise: Tensor
    outputscale: Tensor
    positions: Tensor

    @staticmethod
    def from_theta(theta: Tensor, d: int) -> "Hyperparameters":
        """From `m x p`, for d columns."""
        positive, positions = theta[:, : 3 * d + 2].exp(), theta[:, 3 * d + 2 :]
        length_scales, a, b, ends = torch.split(positive, [d, d, d, 2], 1)
        return Hyperparameters(length_scales, a, b, ends[:, 0], ends[:, 1], positions)

    @property
    def theta(self) -> Tensor:
        """`m x p`."""
        ends = self.noise[:, None], self.outputscale[:, None]
        positive = torch.cat([self.length_scales, self.warping_a, self.warping_b, *ends], 1)
        return torch.cat([positive.log(), self.positions], 1)

    def mean_length_scales(self, columns: Columns) -> Tensor:
        """Length scales, `m x d`; with positions, of equally distant levels whose squared distance is the mean one."""
        if not columns.blocks:
            return self.length_scales
        lengths = self.length_scales.clone()
        for j, z in zip(columns.placed_scales, columns.positions(self.positions), strict=True):
            # The mean over pairs of |z - z'|^2 is twice the variance with n - 1 below.
            lengths[:, j] = (lengths[:, j] ** -2 + 2 * z.var(1).sum(1) / LEVELS_APART**2).rsqrt()
        return lengths

    def subset(self, k: Tensor) -> "Hyperparameters":
        """Some of the outputs, by their indices."""
        return Hyperparameters(*(getattr(self, name)[k] for name in self.__dataclass_fields__))

    def to_dict(self) -> dict[str, Any]:
        """Lists of floats with four significant digits, as JSON takes them."""
        return {name: shortened(getattr(self, name).tolist()) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Scaling:
    """From features of points to what the kernel compares, under hyperparameters of m outputs.

    Args:
        lengths: of each feature the length scale, `m x 1 x p`.
        a, b: exponents of the warping of numeric features, `m x 1 x n_numeric`.
        positions: coordinates of the positions of levels, `m x n_positions`.
    """

    columns: Columns
    lengths: Tensor
    a: Tensor
    b: Tensor
    positions: Tensor

    @staticmethod
    def of(settled: Hyperparameters, columns: Columns) -> "Scaling":
        lengths, a, b = (columns.by_feature(v) for v in (settled.length_scales, settled.warping_a, settled.warping_b))
        return Scaling(columns, lengths, a[..., : columns.n_numeric], b[..., : columns.n_numeric], settled.positions)

    def __call__(self, features: Tensor) -> Tensor:
        """Features `n x p`, the numeric ones warped, over the length scales, and positions of levels: `m x n x p'`."""
        numeric, _ = self.columns.parted(features)
        if not self.columns.is_warped:
            return self._assembled(features, numeric.expand(len(self.lengths), -1, -1))
        return self._assembled(features, warped(numeric, self.a, self.b))

    def with_slope(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """As a call, and how those of numeric columns depend on their positions, `m x n x n_numeric`."""
        numeric, _ = self.columns.parted(features)
        lengths = self.lengths[..., : self.columns.n_numeric]
        if not self.columns.is_warped:
            bent = numeric.expand(len(lengths), -1, -1)
            return self._assembled(features, bent), (1 / lengths).expand_as(bent)
        bent, slope = warped_and_slope(numeric, self.a, self.b)
        return self._assembled(features, bent), slope / lengths

    def _assembled(self, features: Tensor, bent: Tensor) -> Tensor:
        if self.columns.are_numbers:
            return bent / self.lengths
        _, indicators = self.columns.parted(features)
        F = torch.cat([bent, indicators.expand(len(bent), -1, -1)], 2) / self.lengths
        return torch.cat([F, self.columns.placed(indicators, self.positions)], 2) if self.columns.blocks else F


@dataclass(frozen=True)
class Earlier:
    """What a fit takes from an earlier one to nearly the same observations.

    Args:
        hyperparameters: of m outputs.
        scale: standard deviations that the outputs were divided by, `m`.
        strangest: the greatest square of a standardized leave-one-out error among values that are no outliers, `m`.
        n_outliers: how many values were outliers, `m`.
    """

    hyperparameters: Hyperparameters
    scale: Tensor
    strangest: Tensor
    n_outliers: Tensor

    @staticmethod
    def from_dict(plain: Mapping[str, Any], like: Tensor, d: int) -> "Earlier | None":
        """What `FittedGP.hyperparameters` gives, on the device and in the type of `like`, a theta of d columns.

        None where names or shapes differ.
        """
        m, p = like.shape
        shapes = {"length_scales": [m, d], "warping_a": [m, d], "warping_b": [m, d], "noise": [m], "outputscale": [m]}
        shapes |= {"positions": [m, p - 3 * d - 2]}
        others = {"scale": [m], "strangest": [m], "n_outliers": [m]}
        if plain.keys() != (shapes | others).keys():
            return None
        read = {name: torch.tensor(values, dtype=like.dtype, device=like.device) for name, values in plain.items()}
        if any(list(read[name].shape) != shape for name, shape in (shapes | others).items()):
            return None
        return Earlier(Hyperparameters(**{name: read[name] for name in shapes}), *(read[name] for name in others))


def shortened(values: Any) -> Any:
    """Floats, in lists as deep as may be, with four significant digits."""
    return [shortened(v) for v in values] if isinstance(values, list) else float(f"{values:.4g}")


def by_parameter(
    d: int, n_positions: int, *, length_scale: _T, warping: _T, noise: _T, outputscale: _T, position: _T
) -> list[_T]:
    """Something of each parameter, e.g. its range, in the order of theta, for `d` columns."""
    return [length_scale] * d + [warping] * (2 * d) + [noise, outputscale] + [position] * n_positions
