"""TuRBO-1 as BoTorch's tutorial has it: Thompson sampling in a trust region, four points at a time.

Eriksson et al., "Scalable global optimization via local Bayesian optimization", NeurIPS 2019. The tutorial begins with
two points a dimension; here with at most a third of the trials, as there would be no others in 200 dimensions. It knows
no constraints.
"""

import math
import warnings
from collections.abc import Sequence

import torch
from botorch import fit_gpytorch_mll
from botorch.exceptions import BotorchWarning
from botorch.generation import MaxPosteriorSampling
from botorch.models import SingleTaskGP
from gpytorch.constraints import Interval
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.warnings import NumericalWarning
from peer import Params, Task, Told, serve
from torch import Tensor
from torch.quasirandom import SobolEngine

BATCH = 4
FIRST_LENGTH, SHORTEST, LONGEST = 0.8, 0.5**7, 1.6
N_SUCCESSES = 10


class TrustRegion:
    def __init__(self, task: Task) -> None:
        torch.manual_seed(task.seed)
        self._parameters, self._seed = task.parameters, task.seed
        self._d = len(task.parameters)
        self._n_first = min(2 * self._d, task.n_trials // 3)
        self._n_failures = math.ceil(max(4.0 / BATCH, self._d / BATCH))
        self._restart()

    def _restart(self) -> None:
        self._X = torch.empty(0, self._d, dtype=torch.float64)
        self._Y = torch.empty(0, 1, dtype=torch.float64)
        self._length, self._successes, self._in_vain, self._best = FIRST_LENGTH, 0, 0, -math.inf
        self._seed += 1
        self._waiting = list(SobolEngine(self._d, scramble=True, seed=self._seed).draw(self._n_first).double())
        self._is_first = True
        self._news: list[float] = []
        self._asked: list[Tensor] = []

    def suggest(self, told: Sequence[Told]) -> Params:
        self._news += [-t.penalized for t in told]
        if not self._waiting:
            self._take()
        x = self._waiting.pop(0)
        self._asked.append(x)
        return {p.name: p.value(u) for p, u in zip(self._parameters, x.tolist(), strict=True)}

    def _take(self) -> None:
        """What the last batch gave, and the next batch."""
        Y = torch.tensor(self._news, dtype=torch.float64)[:, None]
        if not self._is_first:
            is_better = float(Y.max()) > self._best + 1e-3 * abs(self._best)
            self._successes, self._in_vain = (self._successes + 1, 0) if is_better else (0, self._in_vain + 1)
            if self._successes == N_SUCCESSES:
                self._length, self._successes = min(2 * self._length, LONGEST), 0
            elif self._in_vain == self._n_failures:
                self._length, self._in_vain = self._length / 2, 0
        self._X, self._Y = torch.cat([self._X, torch.stack(self._asked)]), torch.cat([self._Y, Y])
        self._best = max(self._best, float(Y.max()))
        self._asked, self._news, self._is_first = [], [], False
        if self._length < SHORTEST:
            self._restart()
        else:
            self._waiting = list(self._batch())

    def _batch(self) -> Tensor:
        Y = (self._Y - self._Y.mean()) / self._Y.std()
        kernel = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=self._d, lengthscale_constraint=Interval(0.005, 4.0)))
        likelihood = GaussianLikelihood(noise_constraint=Interval(1e-8, 1e-3))
        model = SingleTaskGP(self._X, Y, likelihood=likelihood, covar_module=kernel, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        centre = self._X[Y.argmax()]
        weights = kernel.base_kernel.lengthscale.squeeze().detach()
        weights = weights / weights.mean()
        weights = weights / weights.log().mean().exp()
        lower = (centre - weights * self._length / 2).clamp(0, 1)
        upper = (centre + weights * self._length / 2).clamp(0, 1)
        n = min(5000, max(2000, 200 * self._d))
        drawn = lower + (upper - lower) * SobolEngine(self._d, scramble=True, seed=self._seed).draw(n).double()
        is_changed = torch.rand(n, self._d) <= min(20.0 / self._d, 1.0)
        none = (~is_changed.any(1)).nonzero()[:, 0]
        is_changed[none, torch.randint(self._d, (len(none),))] = True
        candidates = torch.where(is_changed, drawn, centre)
        with torch.no_grad():
            chosen: Tensor = MaxPosteriorSampling(model=model, replacement=False)(candidates, num_samples=BATCH)
        return chosen


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=BotorchWarning)
    warnings.filterwarnings("ignore", category=NumericalWarning)
    serve(TrustRegion, "botorch", "gpytorch", "torch")
