"""What a Gaussian process is fitted by: by name, as JSON keeps it, and as the vector theta that is climbed.

theta is the logarithm of length scales, of a and b of the input warping, of noise variance and outputscale: `3 d + 2`
numbers for each of the m outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from bbo.surrogates.kernel import Columns
from bbo.surrogates.warping import warped

_T = TypeVar("_T")


@dataclass(frozen=True)
class Hyperparameters:
    """Of m outputs, in standardized units: length scales and warping `m x d`; noise variance and outputscale, `m`."""

    length_scales: Tensor
    warping_a: Tensor
    warping_b: Tensor
    noise: Tensor
    outputscale: Tensor

    @staticmethod
    def from_theta(theta: Tensor) -> "Hyperparameters":
        """From `m x (3 d + 2)`."""
        d = (theta.shape[1] - 2) // 3
        length_scales, a, b = torch.split(theta[:, :-2].exp(), d, 1)
        return Hyperparameters(length_scales, a, b, theta[:, -2].exp(), theta[:, -1].exp())

    @property
    def theta(self) -> Tensor:
        """`m x (3 d + 2)`."""
        ends = self.noise[:, None], self.outputscale[:, None]
        return torch.cat([self.length_scales, self.warping_a, self.warping_b, *ends], 1).log()

    def scaled(self, columns: Columns, features: Tensor) -> Tensor:
        """Features `b x p`, the numeric ones warped, over the length scales, `m x b x p`."""
        length = self.length_scales[:, None, columns.owner]
        if not columns.is_warped:
            return features / length
        numeric, indicators = columns.parted(features)
        owner = columns.owner[: columns.n_numeric]
        bent = warped(numeric, self.warping_a[:, None, owner], self.warping_b[:, None, owner])
        return torch.cat([bent, indicators.expand(len(bent), -1, -1)], 2) / length

    def subset(self, k: Tensor) -> "Hyperparameters":
        """Some of the outputs, by their indices."""
        return Hyperparameters(
            self.length_scales[k], self.warping_a[k], self.warping_b[k], self.noise[k], self.outputscale[k]
        )

    def to_dict(self) -> dict[str, Any]:
        """Lists of floats with four significant digits, as JSON takes them."""

        def rounded(values: Any) -> Any:
            return [rounded(v) for v in values] if isinstance(values, list) else float(f"{values:.4g}")

        return {name: rounded(getattr(self, name).tolist()) for name in self.__dataclass_fields__}

    @staticmethod
    def from_dict(plain: Mapping[str, Any], like: Tensor) -> "Hyperparameters | None":
        """What `to_dict` wrote, on the device and in the type of `like`, a theta; None where names or shapes differ."""
        m, d = len(like), (like.shape[1] - 2) // 3
        shapes = {"length_scales": [m, d], "warping_a": [m, d], "warping_b": [m, d], "noise": [m], "outputscale": [m]}
        if plain.keys() != shapes.keys():
            return None
        read = {name: torch.tensor(values, dtype=like.dtype, device=like.device) for name, values in plain.items()}
        is_alike = all(list(read[name].shape) == shape for name, shape in shapes.items())
        return Hyperparameters(**read) if is_alike else None


def by_parameter(d: int, *, length_scale: _T, warping: _T, noise: _T, outputscale: _T) -> list[_T]:
    """Something of each parameter, e.g. its range, in the order of theta, for `d` columns."""
    return [length_scale] * d + [warping] * (2 * d) + [noise, outputscale]
