"""BoTorch with the defaults of its models, one point at a time, in the analytic form of its "closed loop" tutorial.

10 Sobol points, then SingleTaskGP on the unit cube for the objective and for each side of a constraint;
LogExpectedImprovement or, with constraints, LogConstrainedExpectedImprovement (LogProbabilityOfFeasibility until a
feasible point is known); optimize_acqf with the tutorial's 10 restarts from 512 points. With categories the model is
MixedSingleTaskGP; with them or whole numbers optimize_acqf_mixed_alternating takes the place of optimize_acqf.
"""

import warnings
from collections.abc import Sequence

import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import (
    LogConstrainedExpectedImprovement,
    LogExpectedImprovement,
    LogProbabilityOfFeasibility,
)
from botorch.exceptions import BotorchWarning
from botorch.models import MixedSingleTaskGP, ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from gpytorch.mlls import ExactMarginalLogLikelihood
from peer import Params, Task, Told, serve
from torch import Tensor
from torch.quasirandom import SobolEngine

N_FIRST = 10
N_RESTARTS, N_RAW = 10, 512


class ClosedLoop:
    """Columns of numbers lie in [0, 1]; those of categories hold the number of the choice."""

    def __init__(self, task: Task) -> None:
        torch.manual_seed(task.seed)
        self._parameters = task.parameters
        self._first = SobolEngine(len(task.parameters), scramble=True, seed=task.seed)
        self._X: list[list[float]] = []
        self._Y: list[list[float]] = []
        columns = list(enumerate(task.parameters))
        self._ints = {j: p.levels for j, p in columns if p.levels is not None}
        self._categories = {j: list(range(len(p.choices))) for j, p in columns if p.choices}

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            values = [(p, t.params[p.name]) for p in self._parameters]
            self._X.append([p.choices.index(v) if p.choices else p.position(v) for p, v in values])
            self._Y.append([-t.value, *t.violations])  # to be maximized; feasible at most 0
        if len(self._X) < N_FIRST:
            u = self._first.draw(1)[0].tolist()
            x = [int(v * len(p.choices)) if p.choices else v for p, v in zip(self._parameters, u, strict=True)]
        else:
            x = self._by_model().tolist()
        chosen = zip(self._parameters, x, strict=True)
        return {p.name: p.choices[round(v)] if p.choices else p.value(v) for p, v in chosen}

    def _by_model(self) -> Tensor:
        X = torch.tensor(self._X, dtype=torch.float64)
        Y = torch.tensor(self._Y, dtype=torch.float64)
        acquisition = self._acquisition([self._fitted(X, Y[:, [k]]) for k in range(Y.shape[1])], Y)
        upper = [len(p.choices) - 1.0 if p.choices else 1.0 for p in self._parameters]
        bounds = torch.tensor([[0.0] * len(upper), upper], dtype=torch.float64)
        if self._ints or self._categories:
            best, _ = optimize_acqf_mixed_alternating(
                acquisition,
                bounds,
                discrete_dims=self._ints,
                cat_dims=self._categories,
                raw_samples=N_RAW,
                num_restarts=N_RESTARTS,
            )
        else:
            best, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=N_RESTARTS, raw_samples=N_RAW)
        return best[0]

    def _acquisition(self, models: list[SingleTaskGP], Y: Tensor) -> AcquisitionFunction:
        if len(models) == 1:
            return LogExpectedImprovement(models[0], best_f=Y.max())
        constraints = dict.fromkeys(range(1, len(models)), (None, 0.0))
        is_feasible = (Y[:, 1:] <= 0).all(dim=1)
        if not is_feasible.any():
            return LogProbabilityOfFeasibility(ModelListGP(*models), constraints)
        best_f = Y[is_feasible, 0].max()
        return LogConstrainedExpectedImprovement(ModelListGP(*models), best_f, 0, constraints)

    def _fitted(self, X: Tensor, Y: Tensor) -> SingleTaskGP:
        model = MixedSingleTaskGP(X, Y, cat_dims=list(self._categories)) if self._categories else SingleTaskGP(X, Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=BotorchWarning)
    serve(ClosedLoop, "botorch", "gpytorch", "torch")
