"""What evaluations cost, and what points are worth per unit of it.

Snoek, Larochelle & Adams, "Practical Bayesian optimization of machine learning algorithms", NeurIPS 2012, section 3.2:
the logarithm of the cost is modelled by a Gaussian process of its own, and the expected improvement is divided by the
cost expected. Costs of the rows of a pool are known and need no model. Of a worth that is a logarithm that takes away
the mean of the logarithm of the cost. The unit of cost does not matter, as it takes the same away everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from bbo.acquisition.belief import Judge
from bbo.acquisition.latent import Latent
from bbo.acquisition.rows import Rows
from bbo.history import Array
from bbo.space.region import Region
from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.fitted_gp import FittedGP

# A single cost says nothing of where others are higher.
FEWEST = 2


@dataclass(frozen=True)
class Costs:
    """What evaluations are expected to cost, from what some did.

    Args:
        model: of the logarithm of the cost, in the unit that costs were told in.
    """

    model: FittedGP

    @staticmethod
    def fit(
        X: Tensor, cost: Tensor, *, structure: Structure | None = None, warm: Mapping[str, Any] | None = None
    ) -> "Costs | None":
        """From costs that were told; None where fewer than two were, or none of them is above 0.

        A cost of 0 counts as the least that is above it: what comes for nothing now and then, as from a cache, is not
        infinitely better than all the rest.

        Args:
            X: the points, `n x d`.
            cost: at least 0, `n`.
            structure: what the columns mean.
            warm: the `hyperparameters` of an earlier model, to start from.
        """
        if len(cost) < FEWEST or not bool((cost > 0).any()):
            return None
        least = cost[cost > 0].min()
        return Costs(ExactGP().fit(X, cost.maximum(least).log()[:, None], structure=structure, warm=warm))

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """As JSON keeps them; what the next `fit` takes as `warm`."""
        return self.model.hyperparameters

    def log(self, X: Tensor) -> Tensor:
        """The expected logarithm of the cost of each point of `X`, `b x d`: `b`; differentiable."""
        return Latent(self.model).mean_sd(X)[0][:, 0]


@dataclass(frozen=True)
class Prices:
    """What the rows of pools are known to cost. `Prices.of` makes it.

    Args:
        lists: of each pool with costs its rows, keys by which they are sorted, `n`, weights of these, `k`, and costs,
            `n`.
    """

    lists: tuple[tuple[Rows, Tensor, Tensor, Tensor], ...]
    hyperparameters: ClassVar[None] = None

    @staticmethod
    def of(region: Region, device: torch.device | str) -> "Prices | None":
        """Of the pools of a space; None where none has costs."""

        def tensor(values: Array) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64, device=device)

        lists = [
            (Rows.of(pool, device), tensor(pool.key), tensor(pool.weights), tensor(pool.costs))
            for pool in region.pools
            if pool.costs is not None
        ]
        return Prices(tuple(lists)) if lists else None

    def log(self, X: Tensor) -> Tensor:
        """The logarithm of what points at rows, `b x d`, cost in all: `b`."""
        total = X.new_zeros(len(X))
        for rows, key, weights, costs in self.lists:
            V = X[:, rows.columns].detach()
            # Keys of equal rows agree but for rounding: the row is one of the few about its place.
            beside = torch.arange(-2, 2, dtype=torch.long, device=X.device)
            k = (torch.searchsorted(key, V @ weights)[:, None] + beside).clamp(0, len(rows) - 1)
            nearest = (rows.U[k] - V[:, None]).abs().amax(2).argmin(1, keepdim=True)
            total = total + costs[k.gather(1, nearest)[:, 0]]
        return total.log()


@dataclass(frozen=True)
class PerCost:
    """What points are worth per unit of cost, as a logarithm; see `Judge`.

    Args:
        judge: what they are worth, as a logarithm.
    """

    judge: Judge
    costs: Costs | Prices

    def __call__(self, X: Tensor) -> Tensor:
        return self.judge(X) - self.costs.log(X)

    def with_pending(self, X: Tensor) -> "PerCost":
        return replace(self, judge=self.judge.with_pending(X))
