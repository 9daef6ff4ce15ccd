"""A second look at a value that is too good to be believed.

One of the best values that the model takes for an outlier may be one, or a narrow peak that the search has just met.
Believed at once, it bends everything that is known of the other points; doubted for good, the peak is lost. So a point
close beside it is proposed, once, where the model that believes it expects most: a peak that is wider than that is seen
there again and believed from then on, see `bbo.surrogates.outliers.confirmed_best`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bbo.acquisition.domain import Domain
from bbo.history import History
from bbo.strategies.observed import modelled
from bbo.surrogates.outliers import neighbourhood, told_apart, unconfirmed_best
from bbo.surrogates.protocol import Fitted

# How far the look goes at most, as a share of the distance within which a neighbour may confirm a value. Looks that
# went farther came down on the far side of narrow peaks, and refuted them.
_BESIDE = 0.2
# Positions of what is fixed agree but for so much.
_SAME = 1e-9


@dataclass(frozen=True)
class SecondLook:
    """At one trial.

    Args:
        trial: its number.
        x: where it was evaluated, `d`.
        domain: the points close beside it.
    """

    trial: int
    x: Tensor
    domain: Domain


def is_possible(X: Tensor, domain: Domain) -> Tensor:
    """Whether a look at each of these trials, `n x d`, could see anything: it has other points close beside it; `n`."""
    return domain.has_beside(X, _BESIDE * neighbourhood(X))


def second_look(history: History, outputs: Fitted, domain: Domain) -> SecondLook | None:
    """At the best of the values that the model takes for outliers and nobody has looked at again; None without any.

    Of trials that are not feasible no value is too good: there is nothing to be gained beside them.

    Args:
        outputs: fitted to `modelled(history)`, the objective first.
        domain: where candidates may lie.
    """
    outliers = getattr(outputs, "outliers", None)
    if outliers is None or not bool(outliers[:, 0].any()) or not len(domain.free):
        return None
    rows = modelled(history)
    like = outliers.new_empty(0, dtype=torch.float64)
    X, Y = (like.new_tensor(values) for values in (history.X[rows].clip(0.0, 1.0), history.Y[rows, 0]))
    n_values = history.space.structure.apart
    apart = told_apart(X, n_values)
    others = told_apart(like.new_tensor(history.X[history.is_pending | history.is_failed]), n_values)
    reach = neighbourhood(X)
    is_feasible = torch.tensor(history.is_feasible[rows], dtype=torch.bool, device=outliers.device)
    # Where something is fixed, only points of that kind lie close beside.
    is_near = ((X[:, domain.fixed] - domain.positions).abs() <= _SAME).all(1)
    is_near &= ((domain.lower <= X) & (domain.upper >= X)).all(1)
    is_doubted = outliers[:, 0] & unconfirmed_best(apart, Y)
    strange = (is_doubted & is_feasible & is_near & is_possible(X, domain)).nonzero()[:, 0]
    for k in strange[Y[strange].argsort(descending=True, stable=True)].tolist():
        trial = int(rows[k])
        is_looked_at = bool((torch.cdist(apart[k : k + 1], others) <= reach).any()) or _was_proposed(history, trial)
        if not is_looked_at:
            return SecondLook(trial, X[k], domain.beside(X[k], _BESIDE * reach))
    return None


def _was_proposed(history: History, trial: int) -> bool:
    """Whether a look at this trial was proposed, wherever it is evaluated and whatever becomes of it."""
    return history.looks.get(trial, history.n_trials) < history.n_trials
