"""A Gaussian process with its hyperparameters settled: the posterior at new points, in the units of the data."""

from functools import cached_property
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

from bbo.surrogates.conditioned import NUGGET, Conditioned
from bbo.surrogates.hyperparameters import Hyperparameters, Scaling, shortened
from bbo.surrogates.kernel import Columns, matern52, squared_distances
from bbo.surrogates.observations import FARTHEST

# What a known variance counts for at least, standardized: rows may repeat.
_LEAST_NOISE = 1e-8


class FittedGP(Model):
    """Independent Gaussian processes for m outputs over the unit cube. What `ExactGP.fit` gives; it never changes.

    Attributes:
        X, Y: the observations, `n x d` and `n x m`, in the units given.
        extra: variance that each value has beyond its noise, standardized, `n x m`; above 0 for outliers.
        log_evidence: how well each output is explained, `m`: log density of its values, and but for a constant of its
            hyperparameters, per observation of the fit and in the units of `Y`.
        rung: the rung of the ladder that gave it, see `exact_gp.LADDER`.
        columns: how columns become features.
        location, scale: what the outputs are standardized by, `m`.
        settled: hyperparameters, in standardized units.
        conditioned: the standardized observations under them.
    """

    def __init__(
        self,
        X: Tensor,
        Y: Tensor,
        extra: Tensor,
        columns: Columns,
        location: Tensor,
        scale: Tensor,
        settled: Hyperparameters,
        conditioned: Conditioned,
        log_evidence: Tensor,
        rung: str,
    ) -> None:
        super().__init__()
        self.X, self.Y, self.extra, self.rung = X, Y, extra, rung
        self.log_evidence = log_evidence
        self.columns = columns
        self.location, self.scale = location, scale
        self.settled, self.conditioned = settled, conditioned

    @property
    def num_outputs(self) -> int:
        return self.Y.shape[1]

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([])

    @property
    def outliers(self) -> Tensor:
        """Values that are hardly believed, `n x m`."""
        return self.extra > 0

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What `ExactGP.fit` takes as `warm`, as JSON keeps it; see `bbo.surrogates.hyperparameters.Earlier`."""
        c = self.conditioned
        z2 = c.a.square() / c.precision
        strangest = torch.where(self.outliers.mT, 0.0, z2).amax(1)
        return self.settled.to_dict() | {
            "scale": shortened(self.scale.tolist()),
            "strangest": shortened(strangest.tolist()),
            "n_outliers": self.outliers.sum(0).tolist(),
        }

    @property
    def length_scales(self) -> Tensor:
        """By output and column, `m x d`, in units of the warped cube.

        Of a categorical column such that levels which differ are `kernel.LEVELS_APART` apart, in the mean square. All
        columns of an order have the one by which it matters as much as a number with that.
        """
        lengths = self.settled.mean_length_scales(self.columns)
        return self.columns.by_column(lengths, self.columns.lengths_of_orders(lengths))

    @property
    def length_scales_of_spots(self) -> list[tuple[int, Tensor]]:
        """Of what is known of levels the column and a length scale, `m`; a short one says that it matters."""
        of_spots = self.columns.scales_of_spots(self.settled.length_scales).unbind(1)
        return list(zip(self.columns.known_columns, of_spots, strict=True))

    @property
    def warping(self) -> tuple[Tensor, Tensor]:
        """The exponents a and b by output and column, both `m x d`; 1 where nothing is warped."""
        a, b = self.settled.warping_a, self.settled.warping_b
        straight = [torch.ones_like(a[:, 0])] * len(self.columns.orders)
        return self.columns.by_column(a, straight), self.columns.by_column(b, straight)

    @property
    def positions(self) -> dict[int, Tensor]:
        """Where the levels of categorical columns of three or more are, each `m x n_levels x 2`; see `kernel`.

        0 for an output of which nothing was learnt.
        """
        placed = self.columns.placed_columns
        return dict(zip(placed, self.columns.positions(self.settled.positions), strict=True)) if placed else {}

    @property
    def noise_variance(self) -> Tensor:
        """Of a further measurement, by output, `m`, in the units of `Y` squared.

        Inferred from the values of which it is not known; where it is known of all, the mean.
        """
        return self.settled.noise * self.scale**2

    @property
    def outputscale(self) -> Tensor:
        """Prior variance of each output, `m`, in the units of `Y` squared."""
        return self.settled.outputscale * self.scale**2

    @property
    def constant_mean(self) -> Tensor:
        """Prior mean of each output, `m`, in the units of `Y`."""
        return self.location + self.scale * self.conditioned.constant

    @cached_property
    def scaling(self) -> Scaling:
        return Scaling.of(self.settled, self.columns)

    def scaled_features(self, X: Tensor) -> Tensor:
        """What the kernel compares of `X`, `b x d`: `m x b x p`."""
        return self.scaling(self.columns.features(X))

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each output without its noise, both `b x m`, at `X`, `b x d`."""
        mean, variance, _ = self.conditioned.at(self.scaled_features(X), self.settled.outputscale)
        return self.location + self.scale * mean.mT, self.scale * variance.sqrt().mT

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
        F = self.scaled_features(X.reshape(-1, d))
        mean, _, B = self.conditioned.at(F, self.settled.outputscale)
        F = F.reshape(self.num_outputs, *batch, q, F.shape[-1])
        B = B.mT.reshape(self.num_outputs, *batch, q, -1)
        s = self.settled.outputscale.reshape(-1, *[1] * (len(batch) + 2))
        covariance = s * matern52(squared_distances(F, F)) - B @ B.mT
        added = (-covariance.diagonal(dim1=-2, dim2=-1)).clamp_min(0.0) + NUGGET * s[..., 0]
        if isinstance(observation_noise, Tensor):
            added = added + (observation_noise / self.scale**2).movedim(-1, 0)
        elif observation_noise:
            added = added + self.settled.noise.reshape(s.shape)[..., 0]
        covariance = covariance + torch.diag_embed(added)
        mean = mean.reshape(self.num_outputs, *batch, q)
        chosen = range(self.num_outputs) if output_indices is None else output_indices
        normals = [
            # As an operator, it is factored when samples are drawn, not here.
            MultivariateNormal(
                self.location[k] + self.scale[k] * mean[k],
                to_linear_operator(self.scale[k] ** 2 * covariance[k]),
            )
            for k in chosen
        ]
        joint = normals[0] if len(normals) == 1 else MultitaskMultivariateNormal.from_independent_mvns(normals)
        posterior = GPyTorchPosterior(joint)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def condition_on(self, X: Tensor, Y: Tensor, Yvar: Tensor | None = None) -> "FittedGP":
        """A new model with further observations; hyperparameters, constant mean and units stay.

        Args:
            X, Y: `k x d` and `k x m`, in the units of `fit`.
            Yvar: noise variance of each value, `k x m`; `noise_variance` where it is NaN, everywhere when None.
        """
        noise = self.settled.noise[:, None].expand(-1, len(X))
        if Yvar is not None:
            known = (Yvar / self.scale**2).clamp_min(_LEAST_NOISE).mT
            noise = torch.where(known.isnan(), noise, known)
        y = ((Y - self.location) / self.scale).clamp(-FARTHEST, FARTHEST)
        conditioned = self.conditioned.extended(self.scaled_features(X), y.mT, noise, self.settled.outputscale)
        return FittedGP(
            torch.cat([self.X, X]),
            torch.cat([self.Y, Y]),
            torch.cat([self.extra, torch.zeros_like(Y)]),
            self.columns,
            self.location,
            self.scale,
            self.settled,
            conditioned,
            self.log_evidence,
            self.rung,
        )

    def subset_output(self, idcs: list[int]) -> "FittedGP":
        """A new model of some of the outputs, in this order."""
        k = torch.tensor(idcs, dtype=torch.long, device=self.X.device)
        return FittedGP(
            self.X,
            self.Y[:, k],
            self.extra[:, k],
            self.columns,
            self.location[k],
            self.scale[k],
            self.settled.subset(k),
            self.conditioned.subset(k),
            self.log_evidence[k],
            self.rung,
        )

    def leave_one_out(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each observation, noise included, given the others; both `n x m`.

        Hyperparameters and the constant mean are those of all data. What makes up for an outlier was learnt from the
        value itself, so it is left out with it. Rasmussen & Williams (2006), Eq. 5.12.
        """
        c = self.conditioned
        mean = c.y - c.a / c.precision
        variance = torch.where(self.outliers.mT, 1 / c.precision - self.extra.mT, 1 / c.precision)
        # Beside an outlier's own variance what is left may drown in rounding.
        sd = variance.maximum(c.noise - self.extra.mT).clamp_min(_LEAST_NOISE).sqrt()
        return self.location + self.scale * mean.mT, self.scale * sd.mT
