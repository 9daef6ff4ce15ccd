"""A Gaussian process with its hyperparameters settled: the posterior at new points.

Rasmussen & Williams (2006), Alg. 2.1. The inverse R of the Cholesky factor is kept rather than K^-1: a product with it
is as fast, and the variance s - |R k|^2 keeps half of the digits that s - k'K^-1 k would lose beside observed points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

from bbo.surrogates.kernel import Columns, matern52, squared_distances
from bbo.surrogates.warping import warped

# Added to latent variances, as a share of the outputscale: rounding, of the order of n 1e-16, would leave covariances
# of points beside each other or beside observed ones not positive definite. The least noise is 1e4 times as large.
_NUGGET = 1e-10
_SUBSTITUTED = 128


@dataclass(frozen=True)
class Hyperparameters:
    """Of m outputs, in standardized units: length scales and warping `m x d`; noise variance and outputscale, `m`."""

    length_scales: Tensor
    warping_a: Tensor
    warping_b: Tensor
    noise: Tensor
    outputscale: Tensor

    def scaled(self, columns: Columns, features: Tensor) -> Tensor:
        """Features `b x p`, the numeric ones warped, over the length scales, `m x b x p`."""
        owner = columns.owner(features.device)
        a, b, length = (h[:, None, owner] for h in (self.warping_a, self.warping_b, self.length_scales))
        return torch.where(columns.is_numeric(features.device), warped(features, a, b), features) / length

    def to_dict(self) -> dict[str, Any]:
        """Lists of floats with four significant digits, as JSON takes them."""

        def rounded(values: Any) -> Any:
            return [rounded(v) for v in values] if isinstance(values, list) else float(f"{values:.4g}")

        return {name: rounded(getattr(self, name).tolist()) for name in self.__dataclass_fields__}

    @staticmethod
    def from_dict(plain: Mapping[str, Any], like: Tensor) -> "Hyperparameters":
        """What `to_dict` wrote, on the device and in the type of `like`."""
        names = Hyperparameters.__dataclass_fields__
        return Hyperparameters(
            **{name: torch.tensor(plain[name], dtype=like.dtype, device=like.device) for name in names}
        )


def inverse_of_lower(L: Tensor) -> Tensor:
    """The inverse of lower triangular matrices, `... x n x n`, by halves: products are faster than substitutions."""
    n = L.shape[-1]
    if n <= _SUBSTITUTED:
        eye = torch.eye(n, dtype=L.dtype, device=L.device)
        R: Tensor = torch.linalg.solve_triangular(L, eye, upper=False)
        return R
    h = n // 2
    R = torch.zeros_like(L)
    R[..., :h, :h] = inverse_of_lower(L[..., :h, :h])
    R[..., h:, h:] = inverse_of_lower(L[..., h:, h:])
    R[..., h:, :h] = -R[..., h:, h:] @ (L[..., h:, :h] @ R[..., :h, :h])
    return R


@dataclass(frozen=True)
class Conditioned:
    """Standardized data under given hyperparameters, m outputs.

    Args:
        F: features of the observed points over the length scales, `m x n x p`.
        y: standardized values, `m x n`.
        noise: variance of each observation, `m x n`.
        R: inverse of the lower Cholesky factor of K, `m x n x n`.
        constant: the mean mu, `m`.
        a: K^-1 (y - mu), `m x n`.
    """

    F: Tensor
    y: Tensor
    noise: Tensor
    R: Tensor
    constant: Tensor
    a: Tensor

    @staticmethod
    def on(F: Tensor, y: Tensor, noise: Tensor, outputscale: Tensor) -> "Conditioned | None":
        """All of it from the data; None where K is not positive definite."""
        r2 = squared_distances(F, F)
        r2.diagonal(dim1=1, dim2=2).zero_()
        K = outputscale[:, None, None] * matern52(r2) + torch.diag_embed(noise)
        L, info = torch.linalg.cholesky_ex(K)
        if bool((info != 0).any()):
            return None
        R = inverse_of_lower(L)
        white, one = (R @ y[..., None])[..., 0], R.sum(2)
        constant = (white * one).sum(1) / (one * one).sum(1)
        a = (R.mT @ (white - constant[:, None] * one)[..., None])[..., 0]
        return Conditioned(F, y, noise, R, constant, a) if bool(a.isfinite().all()) else None

    def at(self, F: Tensor, outputscale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance, `m x b`, and R k, `m x n x b`, at features over the length scales, `m x b x p`."""
        s = outputscale[:, None]
        k = s[..., None] * matern52(squared_distances(self.F, F))
        B = self.R @ k
        mean = self.constant[:, None] + (self.a[:, None] @ k)[:, 0]
        return mean, (s - (B * B).sum(1)).clamp_min(0.0) + _NUGGET * s, B

    def extended(self, F: Tensor, y: Tensor, noise: Tensor, outputscale: Tensor) -> "Conditioned":
        """With further observations and the same constant; R grows by rows, none of it is computed again."""
        s = outputscale[:, None, None]
        B = self.R @ (s * matern52(squared_distances(self.F, F)))  # m x n x k
        C = s * matern52(squared_distances(F, F)) + torch.diag_embed(noise) - B.mT @ B
        corner = inverse_of_lower(torch.linalg.cholesky(C))
        above = torch.cat([self.R, self.R.new_zeros(B.shape)], 2)
        R = torch.cat([above, torch.cat([-corner @ B.mT @ self.R, corner], 2)], 1)
        y = torch.cat([self.y, y], 1)
        a = (R.mT @ (R @ (y - self.constant[:, None])[..., None]))[..., 0]
        return Conditioned(torch.cat([self.F, F], 1), y, torch.cat([self.noise, noise], 1), R, self.constant, a)


class FittedGP(Model):
    """Independent Gaussian processes for m outputs over the unit cube. What `ExactGP.fit` gives; it never changes.

    Attributes:
        X, Y: the observations, `n x d` and `n x m`, in the units given.
        log_evidence: log density of each output's values and hyperparameters per observation, `m`, in the units of `Y`.
        rung: the rung of the ladder that gave it: "map", "jitter" or "prior".
    """

    def __init__(
        self,
        X: Tensor,
        Y: Tensor,
        columns: Columns,
        location: Tensor,
        scale: Tensor,
        settled: Hyperparameters,
        conditioned: Conditioned,
        log_evidence: Tensor,
        rung: str,
    ) -> None:
        super().__init__()
        self.X, self.Y, self.rung = X, Y, rung
        self.log_evidence = log_evidence
        self._columns = columns
        self._location, self._scale = location, scale
        self._settled, self._conditioned = settled, conditioned

    @property
    def num_outputs(self) -> int:
        return self.Y.shape[1]

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([])

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What `ExactGP.fit` takes as `warm`, as JSON keeps it."""
        return self._settled.to_dict()

    @property
    def length_scales(self) -> Tensor:
        """By output and column, `m x d`, in units of the cube; a categorical column's is in units of its Hamming 1."""
        return self._settled.length_scales

    @property
    def noise_variance(self) -> Tensor:
        """Inferred, by output, `m`, in the units of `Y` squared; where `Yvar` was given, what was added to it."""
        return self._settled.noise * self._scale**2

    @property
    def outputscale(self) -> Tensor:
        """Prior variance of each output, `m`, in the units of `Y` squared."""
        return self._settled.outputscale * self._scale**2

    @property
    def constant_mean(self) -> Tensor:
        """Prior mean of each output, `m`, in the units of `Y`."""
        return self._location + self._scale * self._conditioned.constant

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each output without its noise, both `b x m`, at `X`, `b x d`."""
        mean, variance, _ = self._conditioned.at(self._scaled_features(X), self._settled.outputscale)
        return self._location + self._scale * mean.mT, self._scale * variance.sqrt().mT

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """The joint distribution over q points, of each batch, at `X`, `batch x q x d`.

        Args:
            observation_noise: whether to add the inferred noise, or a variance of the shape of the result.
        """
        *batch, q, d = X.shape
        F = self._scaled_features(X.reshape(-1, d))
        mean, _, B = self._conditioned.at(F, self._settled.outputscale)
        F = F.reshape(self.num_outputs, *batch, q, F.shape[-1])
        B = B.mT.reshape(self.num_outputs, *batch, q, -1)
        s = self._settled.outputscale.reshape(-1, *[1] * (len(batch) + 2))
        covariance = s * matern52(squared_distances(F, F)) - B @ B.mT
        added = (-covariance.diagonal(dim1=-2, dim2=-1)).clamp_min(0.0) + _NUGGET * s[..., 0]
        if isinstance(observation_noise, Tensor):
            added = added + (observation_noise / self._scale**2).movedim(-1, 0)
        elif observation_noise:
            added = added + self._settled.noise.reshape(s.shape)[..., 0]
        covariance = covariance + torch.diag_embed(added)
        mean = mean.reshape(self.num_outputs, *batch, q)
        chosen = range(self.num_outputs) if output_indices is None else output_indices
        normals = [
            # As an operator, it is factored when samples are drawn, not here.
            MultivariateNormal(
                self._location[k] + self._scale[k] * mean[k],
                to_linear_operator(self._scale[k] ** 2 * covariance[k]),
            )
            for k in chosen
        ]
        joint = normals[0] if len(normals) == 1 else MultitaskMultivariateNormal.from_independent_mvns(normals)
        posterior = GPyTorchPosterior(joint)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def condition_on(self, X: Tensor, Y: Tensor, Yvar: Tensor | None = None) -> "FittedGP":
        """A new model with further observations; hyperparameters, constant mean and units stay.

        Args:
            X, Y, Yvar: `k x d`, `k x m` and `k x m`, in the units of `fit`; the inferred noise alone when None.
        """
        noise = self._settled.noise[:, None].expand(-1, len(X))
        if Yvar is not None:
            noise = noise + (Yvar / self._scale**2).mT
        conditioned = self._conditioned.extended(
            self._scaled_features(X), ((Y - self._location) / self._scale).mT, noise, self._settled.outputscale
        )
        return FittedGP(
            torch.cat([self.X, X]),
            torch.cat([self.Y, Y]),
            self._columns,
            self._location,
            self._scale,
            self._settled,
            conditioned,
            self.log_evidence,
            self.rung,
        )

    def subset_output(self, idcs: list[int]) -> "FittedGP":
        """A new model of some of the outputs, in this order."""
        k = torch.tensor(idcs, dtype=torch.long, device=self.X.device)
        settled, conditioned = (
            type(part)(*(getattr(part, name)[k] for name in part.__dataclass_fields__))
            for part in (self._settled, self._conditioned)
        )
        return FittedGP(
            self.X,
            self.Y[:, k],
            self._columns,
            self._location[k],
            self._scale[k],
            settled,
            conditioned,
            self.log_evidence[k],
            self.rung,
        )

    def leave_one_out(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each observation, noise included, given the others; both `n x m`.

        Hyperparameters and the constant mean are those of all data. Rasmussen & Williams (2006), Eq. 5.12.
        """
        c = self._conditioned
        precision = (c.R * c.R).sum(1)
        mean = c.y - c.a / precision
        return self._location + self._scale * mean.mT, self._scale * precision.rsqrt().mT

    def _scaled_features(self, X: Tensor) -> Tensor:
        return self._settled.scaled(self._columns, self._columns.features(X))
