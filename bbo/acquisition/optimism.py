"""Acquisitions that maximize what the objective may be where the constraints hold, instead of an expected utility.

`UCB` takes upper bounds for it; pending points are believed to give their mean, which narrows the bounds near them:
Desautels, Krause & Burdick, JMLR 15 (2014). Its bounds of violations are upper ones too: with lower ones, where an
optimum lies on a boundary, nearly all points come to lie just beyond it. `Thompson` takes a draw of each, another for
every point of a batch: Thompson, Biometrika 25 (1933); with constraints Eriksson & Poloczek, AISTATS 2021. With h the
objective hoped for, g_j these violations and s_j the spread of each over the observed points,

    worth(x) = h(x) - price s_0 sum_j max(0, g_j(x)) / s_j.

While no feasible point is known, the probability of feasibility alone.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Belief, Judge
from bbo.acquisition.pathwise import Paths
from bbo.acquisition.utilities import ucb
from bbo.errors import StrategyError
from bbo.surrogates.fitted_gp import FittedGP

# A violation of a hundredth of its spread costs a tenth of the spread of the objective.
_PRICE = 10.0
# Standard deviations above its mean at which UCB takes a violation: points hold with 84 %.
_CAUTION = 1.0
# Below a seed stand those of the outputs, of failure, and of the next point of the batch.
_NEXT = 2


@dataclass(frozen=True, kw_only=True)
class UCB:
    """Upper confidence bound mean + sqrt(beta) sd of the objective. Srinivas, Krause, Kakade & Seeger, ICML 2010.

    Args:
        beta: square of the half-width of the bounds, in standard deviations.
    """

    beta: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"UCB needs a finite beta of at least 0: got {self.beta!r}.")

    def judge(
        self, belief: Belief, pending: Tensor, part: Tensor | None = None, *, n_more: int = 0, seed: int
    ) -> Judge:
        """By the belief, and pending points as `Fantasies.of` takes them; `n_more` and `seed` are not needed."""
        return _Bounds(belief.believe(pending, part) if len(pending) else belief, self.beta)


@dataclass(frozen=True)
class _Bounds:
    belief: Belief
    beta: float

    def __call__(self, X: Tensor) -> Tensor:
        if self.belief.best_f is None:
            return self.belief.log_feasibility(X)
        mean, sd = self.belief.judge(X)
        feared = mean[:, 1:] + _CAUTION * sd[:, 1:]
        return _hoped(self.belief, torch.cat([ucb(mean[:, :1], sd[:, :1], self.beta), feared], 1))

    def with_pending(self, X: Tensor) -> "_Bounds":
        return replace(self, belief=self.belief.believe(X))


@dataclass(frozen=True, kw_only=True)
class Thompson:
    """Thompson sampling: where a function drawn from the posterior is highest. Needs a Gaussian process.

    Args:
        n_features: of the draws, see `Paths.draw`.
    """

    n_features: int = 512

    def __post_init__(self) -> None:
        if self.n_features < 1:
            raise ValueError(f"Thompson needs at least one feature: got n_features={self.n_features!r}.")

    def judge(
        self, belief: Belief, pending: Tensor, part: Tensor | None = None, *, n_more: int = 0, seed: int
    ) -> Judge:
        """By the belief, and pending points as `Fantasies.of` takes them; `n_more` is not needed."""
        return _Draw.of(belief.believe(pending, part) if len(pending) else belief, self.n_features, seed)


@dataclass(frozen=True)
class _Draw:
    belief: Belief
    n_features: int
    seed: int
    paths: tuple[Paths, ...]

    @staticmethod
    def of(belief: Belief, n_features: int, seed: int) -> "_Draw":
        paths = []
        for k, model in enumerate((belief.outputs, belief.success)):
            if model is None:
                continue
            if not isinstance(model, FittedGP):
                raise StrategyError(
                    f"Thompson draws functions from a Gaussian process, the surrogate gave a {type(model).__name__}: "
                    "use ExactGP, or another acquisition."
                )
            paths.append(Paths.draw(model, 1, seed=seeding.derive(seed, k), n_features=n_features))
        return _Draw(belief, n_features, seed, tuple(paths))

    def __call__(self, X: Tensor) -> Tensor:
        if self.belief.best_f is None:
            return self.belief.log_feasibility(X)
        return _hoped(self.belief, torch.cat([draw(X)[0] for draw in self.paths], 1))

    def with_pending(self, X: Tensor) -> "_Draw":
        return _Draw.of(self.belief.believe(X), self.n_features, seeding.derive(self.seed, _NEXT))


def _hoped(belief: Belief, values: Tensor) -> Tensor:
    """Of objective and violations, `b x (1 + c)`: `b`."""
    # Labels of failure are -1 and 1.
    spread = torch.cat([belief.spread, belief.spread.new_ones(values.shape[1] - len(belief.spread))])
    excess = (values[:, 1:] / spread[1:]).clamp_min(0.0).sum(1)
    return values[:, 0] - _PRICE * spread[0] * excess
