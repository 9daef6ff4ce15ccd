"""What acquisitions and strategies ask of a surrogate. A class needs no base: it fits when it has these methods."""

from collections.abc import Mapping
from typing import Any, Protocol

from botorch.acquisition.objective import PosteriorTransform
from botorch.posteriors.posterior import Posterior
from torch import Tensor

from bbo.space.structure import Structure


class Fitted(Protocol):
    """A surrogate that has seen data. It never changes; a BoTorch `Model` also, so BoTorch's acquisitions take it.

    Those which condition a model on fantasies (`qKnowledgeGradient`) or read its training data (entropy search) ask for
    more than this.

    What some models know besides is used where they have it, under these names: `outliers`, values hardly believed,
    `n x m`; `noise_variance`, of a further measurement, `m`; `length_scales`, `m x d`; `leave_one_out()`, mean and
    standard deviation of each value given the others, both `n x m`.
    """

    @property
    def num_outputs(self) -> int: ...

    @property
    def rung(self) -> str:
        """The rung of the ladder that gave it, for notes."""
        ...

    @property
    def log_evidence(self) -> Tensor:
        """How well each output is explained, `m`: log density per observation, to compare transforms by."""
        ...

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """As JSON keeps it; what the next `fit` takes as `warm`."""
        ...

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """The joint distribution over q points at `X`, `batch x q x d`."""
        ...

    def mean_sd(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation without noise, both `b x m`, at `X`, `b x d`; differentiable in `X`."""
        ...

    def subset_output(self, idcs: list[int]) -> "Fitted":
        """A new model of some of the outputs, in this order."""
        ...

    def condition_on(self, X: Tensor, Y: Tensor, Yvar: Tensor | None = None) -> "Fitted":
        """A new model with further observations, `k x d` and `k x m`, under the same hyperparameters."""
        ...


class Surrogate(Protocol):
    """Gives a fitted model from data; the same data give the same bits."""

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
    ) -> Fitted:
        """Condition on data.

        Args:
            X, Y: inputs in the unit cube, `n x d`, and outputs, `n x m`.
            Yvar: noise variance of each value, `n x m`; NaN where it is to be inferred, everywhere when None.
            counts: of how many measurements each value is the mean, `n x m`; 1 when None.
            scatter: sample standard deviation of these measurements, `n x m`; NaN where it is not known, everywhere
                when None.
            structure: what the columns mean; numbers, all of them, when None.
            warm: `hyperparameters` of an earlier fit; may shorten the work, not needed.
            trusted: values, `n x m`, that are to be believed however strange; for a surrogate that doubts some.
        Raises:
            ValueError: if the shapes disagree or a value is not finite.
            FitError: if no rung of the ladder gave a posterior.
        """
        ...
