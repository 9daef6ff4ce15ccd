"""A context: some parameters have values that the world gives, and the best is wanted where they are so.

So it is in a space that became narrower while trials were there: the best is wanted within, and what lies outside is
carried over to the nearest point of it.

The model is that of all trials, so those of other contexts inform; what changes is the point that is to be improved on.
Trials made in the context are points of it. All others are carried over: their own values, but for the context's. The
incumbent is the highest posterior mean among the points so found, as far as they are feasible: as observed in the
context, and else by the mean of the constraints. Where noise, or that they were not observed there, leaves open which
of them is the best, these are its rivals. With the highest mean alone to improve on, the last trials of 36 to 45 had
twice the regret, on two functions whose optimum moves with the context (9 seeds).

Krause & Ong, "Contextual Gaussian process bandit optimization", NeurIPS 2011; for expected improvement among tasks
Swersky, Snoek & Adams, "Multi-task Bayesian optimization", NeurIPS 2013, section 3.2.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bbo.acquisition.belief import Belief
from bbo.acquisition.domain import Domain
from bbo.history import History
from bbo.objective import worst_violations
from bbo.strategies.observed import modelled

# Points that agree to so many digits of the cube are one.
_DIGITS = 9


@dataclass(frozen=True)
class Context:
    """The points of a context that observations lead to.

    Args:
        here: positions of the columns that are given, NaN in the others, `d`.
        X: points observed in the context, then those carried over into it, `k x d`.
        is_feasible: of the former, as observed.
    """

    here: Tensor
    X: Tensor
    is_feasible: Tensor

    @staticmethod
    def of(history: History, device: torch.device | str) -> "Context | None":
        """Of the trials that a model is fitted to; None where the best of all is wanted."""
        if history.aim is None:
            return None
        domain, rows = Domain.compile(history.aim, device), modelled(history)
        is_here = history.is_in_context[rows]
        if history.aim.wide is not None:
            is_here = is_here & history.aim.has_positions(history.X[rows])
        X = torch.tensor(history.X[rows].clip(0.0, 1.0), dtype=torch.float64, device=device)
        observed, carried = X[is_here], domain.snap(X[~is_here])
        X = torch.cat([observed, carried[domain.contains(carried)]])
        # Different trials may have been carried over to one point.
        _, first = np.unique(X.cpu().numpy().round(_DIGITS), axis=0, return_index=True)
        kept = np.union1d(np.arange(len(observed)), first)
        return Context(
            here=X.new_full((domain.dim,), torch.nan).index_copy(0, domain.fixed, domain.positions),
            X=X[kept],
            is_feasible=torch.tensor(history.is_feasible[rows[is_here]], dtype=torch.bool, device=device),
        )

    def seen(self, belief: Belief) -> Belief:
        """The belief with the incumbent of this context."""
        return belief.among(self.feasible(belief), self.here)

    def feasible(self, belief: Belief) -> Tensor:
        """Those of the points among which the incumbent is, `j x d`."""
        return self.X[self._may_win(belief)]

    def best(self, belief: Belief, k: int) -> Tensor:
        """The best of the points by the model, at most `k x d`: feasible ones, then those that break least."""
        with torch.no_grad():
            mean = belief.judge(self.X)[0].cpu().numpy()
        broken = worst_violations(mean[:, 1:])
        order = np.lexsort((-mean[:, 0], broken, ~self._may_win(belief).cpu().numpy()))
        return self.X[order[:k]]

    def _may_win(self, belief: Belief) -> Tensor:
        with torch.no_grad():
            violations = belief.judge(self.X)[0][:, 1:]
        n = len(self.is_feasible)
        return torch.cat([self.is_feasible, (violations[n:] <= 0).all(1)])
