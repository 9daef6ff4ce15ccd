"""A model of BoTorch's as a surrogate of bbo's.

    surrogate = BoTorchSurrogate(single_task_gp)
    study = Study(space, Minimize("y"), strategy=GP(surrogate=surrogate))

The other way there is nothing to adapt: what `ExactGP().fit(X, Y)` gives is a BoTorch `Model`, for BoTorch's
acquisitions and `optimize_acqf`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import ModelFittingError
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.model import Model
from botorch.posteriors.posterior import Posterior
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from bbo.errors import FitError
from bbo.space.structure import Structure

FitModel = Callable[[Tensor, Tensor, Tensor | None], Model]

_SEED = 0
_DRAWING = threading.Lock()
# Where a posterior's variance is rounded to nothing.
_LEAST_VARIANCE = 1e-300


def single_task_gp(X: Tensor, Y: Tensor, Yvar: Tensor | None) -> Model:
    """BoTorch's `SingleTaskGP` with its defaults, fitted."""
    model = SingleTaskGP(X, Y, Yvar)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


@dataclass(frozen=True)
class BoTorchSurrogate:
    """A BoTorch model, by the function that makes and fits it.

    Outputs are modelled as they are, without the transforms that bbo chooses for its own models: let the model have an
    outcome transform. It is asked for `subset_output` and `condition_on_observations`. Pending points are taken to give
    what is expected of them. Columns of categories, which are positions in the cube as all are, look like numbers to
    it. A log keeps a fingerprint of the function's source, so the strategy is passed again on load.

    Args:
        fit_model: takes `X`, `n x d` in the unit cube, `Y`, `n x m` to be maximized and violations, and `Yvar`,
            `n x m`, or None where the noise of some value is not known; gives a fitted model in double precision.
            Random numbers of torch that it draws are seeded alike each time.
    """

    fit_model: FitModel

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
    ) -> "FittedModel":
        """As `Surrogate.fit`. Replicates count as their means; where known, `Yvar` has their noise.

        Raises:
            FitError: BoTorch gave up, or a matrix could not be factored.
        """
        known = None if Yvar is None or bool(Yvar.isnan().any()) else Yvar.clone()
        with _seeded(), torch.enable_grad():
            try:
                model = self.fit_model(X.clone(), Y.clone(), known)
            except (ModelFittingError, RuntimeError) as error:
                raise FitError(f"The BoTorch model was not fitted to {len(X)} points: {error}") from error
        return FittedModel(model.eval().requires_grad_(False), Y.shape[1], None if known is None else known.mean(0))


class FittedModel(Model):
    """A fitted BoTorch model with what bbo asks of one. It never changes.

    Args:
        noise: mean variance of the noise of each output, `m`, where that was given; of further observations too, then.
    """

    rung = "map"
    hyperparameters: Mapping[str, Any] = {}

    def __init__(self, model: Model, num_outputs: int, noise: Tensor | None) -> None:
        super().__init__()
        self.model = model
        self._num_outputs = num_outputs
        self._noise = noise

    @property
    def num_outputs(self) -> int:
        return self._num_outputs

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([])

    @property
    def log_evidence(self) -> Tensor:
        """Not said, so that outputs stay as they are."""
        return torch.full((self._num_outputs,), torch.nan, dtype=torch.float64)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        return self.model.posterior(
            X,
            output_indices=output_indices,
            observation_noise=observation_noise,
            posterior_transform=posterior_transform,
        )

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation without noise, both `b x m`, at `X`, `b x d`; differentiable in `X`."""
        posterior: Any = self.model.posterior(X[:, None])
        return posterior.mean[:, 0], posterior.variance[:, 0].clamp_min(_LEAST_VARIANCE).sqrt()

    def subset_output(self, idcs: list[int]) -> "FittedModel":
        noise = None if self._noise is None else self._noise[idcs]
        return FittedModel(self.model.subset_output(idcs), len(idcs), noise)

    def condition_on(self, X: Tensor, Y: Tensor, Yvar: Tensor | None = None) -> "FittedModel":
        """A new model with further observations, `k x d` and `k x m`, under the same hyperparameters."""
        with torch.no_grad():
            self.model.posterior(X)  # which BoTorch conditions from
        if self._noise is not None:
            usual = self._noise.expand(Y.shape)
            Yvar = usual if Yvar is None else torch.where(Yvar.isnan(), usual, Yvar)
        further = {} if self._noise is None else {"noise": Yvar}
        return FittedModel(self.model.condition_on_observations(X, Y, **further), self._num_outputs, self._noise)


@contextmanager
def _seeded() -> Iterator[None]:
    """Draws of torch's global generator, which BoTorch uses, are the same each time, and leave it as it was."""
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        yield
