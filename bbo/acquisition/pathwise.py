"""Functions drawn from a Gaussian process's posterior: each can be evaluated anywhere, again and again, with gradients.

A draw of the prior f0, corrected by what it misses of the data,

    f(x) = mu + f0(x) + k(x, X) K^-1 (y - mu - f0(X) - noise),

Wilson, Borovitskiy, Terenin, Mostowsky & Deisenroth, "Efficiently sampling functions from Gaussian process posteriors",
ICML 2020, Eq. 13. The prior by random Fourier features (Rahimi & Recht, NeurIPS 2007): of Matern-5/2 with a = sqrt(5) r
the spectral density is Student's t with 5 degrees of freedom, so w = z sqrt(5 / chi2_5) for standard normal z.

| symbol | shape | is |
|---|---|---|
| F, w | m x b x p, S x m x p x M | scaled features; frequencies, of each draw its own |
| amplitudes | S x m x 2M | of cosines and sines |
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bbo.surrogates.fitted_gp import FittedGP
from bbo.surrogates.kernel import matern52

_DEGREES = 5  # twice the smoothness of Matern-5/2


@dataclass(frozen=True)
class Paths:
    """Joint draws of all outputs of a model, without noise. `Paths.draw` makes them.

    Args:
        corrections: K^-1 times what the prior's draw misses of the data, `S x m x n`.
    """

    model: FittedGP
    frequencies: Tensor
    amplitudes: Tensor
    corrections: Tensor

    @staticmethod
    def draw(model: FittedGP, n: int, *, seed: int, n_features: int = 512) -> "Paths":
        """`n` functions; the same seed gives the same.

        Args:
            n_features: frequencies of the prior, M; its covariances err by about the outputscale over sqrt(2 M).
        """
        c, s = model.conditioned, model.settled.outputscale
        m, n_observed, p = c.F.shape
        generator = torch.Generator("cpu").manual_seed(seed % 2**63)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, dtype=torch.float64, device="cpu", generator=generator).to(c.F.device)

        chi2 = normal(_DEGREES, n, m, 1, n_features).square().sum(0)
        frequencies = normal(n, m, p, n_features) * (_DEGREES / chi2).sqrt()
        amplitudes = normal(n, m, 2 * n_features) * (s / n_features).sqrt()[:, None]
        missed = c.y - c.constant[:, None] - _prior(c.F, frequencies, amplitudes)
        missed = missed - normal(n, m, n_observed) * c.noise.sqrt()
        corrections = (c.R.mT @ (c.R @ missed[..., None]))[..., 0]
        return Paths(model, frequencies, amplitudes, corrections)

    def __call__(self, X: Tensor) -> Tensor:
        """Values of each draw at `X`, `b x d`: `S x b x m`, in the model's units."""
        settled, c = self.model.settled, self.model.conditioned
        F = self.model.scaled_features(X)
        k = settled.outputscale[:, None, None] * matern52(c.squared_distances(F))
        values = _prior(F, self.frequencies, self.amplitudes) + (self.corrections[..., None, :] @ k)[..., 0, :]
        return self.model.location + self.model.scale * (c.constant[:, None] + values).mT


def _prior(F: Tensor, frequencies: Tensor, amplitudes: Tensor) -> Tensor:
    """Draws of a Gaussian process without data at features F: `S x m x b`."""
    angles = F @ frequencies
    waves = torch.cat([angles.cos(), angles.sin()], -1)
    return (waves @ amplitudes[..., None])[..., 0]
