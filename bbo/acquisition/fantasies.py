"""What a point is worth while the values it competes with are unknown: under noise, beside pending points, in batches.

One mechanism for all three. S joint draws are made of the objective, without noise, at its rivals Z: observed points of
which noise leaves open whether they are the best, pending points, and those chosen before in the same batch. Given the
draw f_s(Z) a new point is worth u(mean_s(x), sd(x), best_s), best_s the highest of f_s(Z) at feasible points, and

    worth(x) = log 1/S sum_s exp u(mean_s(x), sd(x), best_s) + log probability of feasibility.

With log EI for u it is the noisy expected improvement of Letham, Karrer, Ottoni & Bakshy, "Constrained Bayesian
optimization with noisy experiments", Bayesian Analysis 14 (2019), Eq. 4, with pending points as in Snoek, Larochelle &
Adams, "Practical Bayesian optimization of machine learning algorithms", NeurIPS 2012. Without rivals it is
`Belief.worth`. Constraints and failure of pending points are believed to be as expected.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.stats import qmc
from torch import Tensor

from bbo.acquisition.belief import Belief, Utility
from bbo.acquisition.latent import Pinned
from bbo.errors import StrategyError
from bbo.surrogates.fitted_gp import FittedGP

N_DRAWS = 32


@dataclass(frozen=True)
class Fantasies:
    """What points are worth beside the rivals. Never changed: `with_pending` gives a new one.

    Args:
        utility: of mean, standard deviation and incumbent, as a logarithm.
        belief: of observations; of constraints and failures also what pending points are believed to give.
        model: of the objective; None where the surrogate is no Gaussian process: its mean is believed then.
        pinned: to the rivals; None while there are none.
        may_win: which rivals are feasible, and where the incumbent is sought, `k`.
        draws: standard normal numbers, `S x K` with K at least k.
    """

    utility: Utility
    belief: Belief
    model: FittedGP | None
    pinned: Pinned | None
    may_win: Tensor
    draws: Tensor

    @staticmethod
    def of(
        utility: Utility,
        belief: Belief,
        pending: Tensor,
        part: Tensor | None = None,
        *,
        n_more: int = 0,
        n_draws: int = N_DRAWS,
        seed: int,
    ) -> "Fantasies":
        """Of observations and pending points.

        Args:
            pending: `k x d`.
            part: what they have given already, utility and violations, `k x (1 + c)`; NaN where that is to come.
            n_more: how many points `with_pending` will add.
            seed: of the draws; the same seed gives the same bits.
        """
        model = belief.objective if isinstance(belief.objective, FittedGP) else None
        rivals = belief.rivals
        may_win = torch.ones(len(rivals), dtype=torch.bool, device=rivals.device)
        n_rivals = len(rivals) + len(pending) + n_more
        none = Fantasies(utility, belief, model, None, may_win, rivals.new_empty(n_draws, 0))
        if model is None:
            return none.with_pending(pending, part) if len(pending) else none
        draws = _normal_draws(n_draws, n_rivals, seed).to(rivals.device) if n_rivals else none.draws
        first = replace(none, draws=draws, pinned=Pinned.at(model, rivals) if len(rivals) else None)
        return first.with_pending(pending, part) if len(pending) else first

    def with_pending(self, X: Tensor, part: Tensor | None = None) -> "Fantasies":
        """With further pending points, `k x d`, and what they have given already as in `of`."""
        if self.model is None:
            return replace(self, belief=self.belief.believe(X, part))
        believed, is_feasible = self.belief, self.belief.is_here(X)
        if self.belief.is_doubtful:
            believed, is_feasible, _ = self.belief.told_the_mean(X, part)
        model, pinned = self.model, self.pinned
        known = torch.zeros_like(is_feasible) if part is None else ~part[:, 0].isnan()
        if part is not None and bool(known.any()):
            told = self.belief.scales[0].transform.forward(part[known, 0])
            model = model.condition_on(X[known], told[:, None])
            pinned = None if pinned is None else Pinned.at(model, pinned.Z)
        return replace(
            self,
            belief=believed,
            model=model,
            pinned=Pinned.at(model, X) if pinned is None else pinned.and_at(X),
            may_win=torch.cat([self.may_win, is_feasible]),
        )

    def __call__(self, X: Tensor) -> Tensor:
        """What evaluating each point of `X`, `b x d`, is worth, `b`, as a logarithm."""
        if self.pinned is None:
            return self.belief.worth(self.utility, X)
        feasibility = self.belief.log_feasibility(X)
        best = self.best
        if best is None:
            return feasibility
        mean, sd = self.pinned.given(X, self.draws[:, : len(self.pinned.Z)])
        utility = self.utility(mean, sd.expand_as(mean), best.expand_as(mean))
        return feasibility + torch.logsumexp(utility, 0) - math.log(len(mean))

    def jointly(self, rows: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the objective may be at batches of some of the rows, `r x d`, beside the rivals; `index` is `b x q`.

        Returns:
            means by draw, `S x b x q`; covariances, `b x q x q`; further standard normal numbers, `S x (q - 1)`.
        Raises:
            StrategyError: the surrogate is no Gaussian process.
        """
        if self.model is None:
            raise StrategyError("Only a Gaussian process says what points may give together.")
        pinned = self._unpinned if self.pinned is None else self.pinned
        k = len(pinned.Z)
        return *pinned.jointly(rows, index, self.draws[:, :k]), self.draws[:, k : k + index.shape[1] - 1]

    @cached_property
    def _unpinned(self) -> Pinned:
        """The model pinned to nothing: what `pinned` is while there are no rivals."""
        assert self.model is not None
        return Pinned.at(self.model, self.model.X[:0])

    @cached_property
    def best(self) -> Tensor | None:
        """The best feasible value by draw, `S x 1`; None while no point is feasible."""
        pinned, candidates = self.pinned, []
        if pinned is not None:
            candidates = [pinned.values(self.draws[:, : len(pinned.Z)])[:, self.may_win]]
        if self.belief.best_f is not None and not len(self.belief.rivals):
            candidates.append(self.belief.best_f.expand(len(self.draws), 1))
        values = torch.cat([self.draws[:, :0], *candidates], 1)
        return values.amax(1, keepdim=True) if values.shape[1] else None


def _normal_draws(n: int, k: int, seed: int) -> Tensor:
    """Standard normal numbers, `n x k`, by a scrambled Sobol sequence."""
    engine = qmc.Sobol(k, scramble=True, rng=np.random.default_rng(seed))
    U = torch.tensor(engine.random(n), dtype=torch.float64, device="cpu")
    draws: Tensor = torch.special.ndtri(U.clamp(1e-12, 1 - 1e-12))
    return draws
