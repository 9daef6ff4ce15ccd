"""BoTorch over a finite space whose points are all listed: SingleTaskGP with its defaults on one column for each level.

The closed loop that chemists run on tables of conditions (Shields et al., Nature 590, 2021): levels are one-hot, log
expected improvement is scored at all points not tried yet, and the best is next. Without given points the first five
are drawn at random.
"""

import warnings
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from botorch import fit_gpytorch_mll
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.exceptions import BotorchWarning
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from peer import Params, Task, Told, serve
from torch import Tensor

N_FIRST = 5


class OneHot:
    def __init__(self, task: Task) -> None:
        torch.manual_seed(task.seed)
        self._rng = np.random.default_rng(task.seed)
        self._names = [p.name for p in task.parameters]
        choices = [p.choices for p in task.parameters]
        forbidden = [c["combination"] for c in task.constraints]
        self._points = [x for x in product(*choices) if not any(self._is_in(x, c) for c in forbidden)]
        levels = torch.tensor([[c.index(v) for c, v in zip(choices, x, strict=True)] for x in self._points])
        columns = [torch.nn.functional.one_hot(levels[:, j], len(c)) for j, c in enumerate(choices)]
        self._X = torch.cat(columns, 1).to(torch.float64)
        self._tried: list[int] = []
        self._Y: list[float] = []

    def _is_in(self, x: tuple[object, ...], combination: dict[str, list[object]]) -> bool:
        point = dict(zip(self._names, x, strict=True))
        return all(point[name] in values for name, values in combination.items())

    def suggest(self, told: Sequence[Told]) -> Params:
        for t in told:
            self._tried.append(self._points.index(tuple(t.params[name] for name in self._names)))
            self._Y.append(-t.value)
        untried = np.setdiff1d(np.arange(len(self._points)), self._tried)
        if len(self._tried) < N_FIRST:
            k = int(self._rng.choice(untried))
        else:
            k = int(untried[int(self._worth(self._X[untried]).argmax())])
        return dict(zip(self._names, self._points[k], strict=True))

    def _worth(self, X: Tensor) -> Tensor:
        Y = torch.tensor(self._Y, dtype=torch.float64)[:, None]
        model = SingleTaskGP(self._X[self._tried], Y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            return LogExpectedImprovement(model, best_f=Y.max())(X[:, None])


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=BotorchWarning)
    serve(OneHot, "botorch", "gpytorch", "torch")
