"""What several points are worth together, when all are chosen at once.

The worth of a batch x_1, ..., x_q is the sum of what its points are worth one after the other: x_i as in `fantasies`,
beside what x_1, ..., x_(i-1) may give. With log EI for the utility that is the log of the improvement which the best of
them is expected to bring, q-EI: Ginsbourger, Le Riche & Carraro, "Kriging is well-suited to parallelize optimization"
(2010), section 3. With L the lower Cholesky factor of the posterior covariance at the batch and e standard normal
numbers,

    f_i = mean_i + sum_(j <= i) L_ij e_j,   x_i given those before:  mean_i + sum_(j < i) L_ij e_j   and   sd L_ii,

so the last step of each point is taken in closed form, and only what comes before it is drawn. Where constraints or
failure leave it open whether points count, each set of those that do has its own incumbent: 2^q of them.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.optimize import Options, maximize_acquisition

# One after the other needs fewer: the last step of each point is exact, and here points move against the draws.
DRAWS_TOGETHER = 128
# The start is good already, so what is sought is near it.
_NEAR = Options(n_raw=32, n_local=128, n_restarts=8)


@dataclass(frozen=True)
class Batch:
    """What batches of few points are worth.

    Args:
        alone: what single points are worth, with draws for q - 1 more; of a Gaussian process.
        best: the incumbent by draw, `S x 1`.
    """

    alone: Fantasies
    best: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Of each batch of `X`, `b x q x d`: `b`, as a logarithm; differentiable."""
        q = X.shape[1]
        rows, index = _distinct(X)
        means, covariance, draws = self.alone.jointly(rows, index)
        best = self.best
        L, _ = torch.linalg.cholesky_ex(covariance)
        log_p = self.alone.belief.log_feasibility(rows)[index]
        log_q = _log_of_not(log_p)
        # Which of the points before count: how likely that is, and the incumbent then.
        cases = [(torch.zeros_like(log_p[:, 0]), self.best)]
        worth = []
        for i in range(q):
            mean, sd = means[..., i] + draws[:, :i] @ L[:, i, :i].mT, L[:, i, i]
            for log_weight, best in cases:
                utility = self.alone.utility(mean, sd.expand_as(mean), best.expand_as(mean))
                worth.append(log_weight + log_p[:, i] + utility)
            if i == q - 1:
                break
            value = mean + draws[:, i : i + 1] * sd
            counts = [(log_weight + log_p[:, i], best.maximum(value)) for log_weight, best in cases]
            cases = counts + [(w + log_q[:, i], best) for w, best in cases if self.alone.belief.is_doubtful]
        return torch.logsumexp(torch.cat(worth), 0) - math.log(len(draws))


def _distinct(X: Tensor) -> tuple[Tensor, Tensor]:
    """The points of batches `b x q x d` as rows, `r x d`, and which of them each batch has, `b x q`.

    Once each, but where gradients are asked for: batches that differ by moves of one point share all the others.
    """
    rows = X.reshape(-1, X.shape[2])
    if X.requires_grad:
        return rows, torch.arange(len(rows), dtype=torch.long, device=X.device).reshape(X.shape[:2])
    distinct, index = torch.unique(rows, dim=0, return_inverse=True)
    return distinct, index.reshape(X.shape[:2])


def _log_of_not(log_p: Tensor) -> Tensor:
    """log(1 - p), any shape; where p is 1 it is as if it were a hair less."""
    return (-torch.expm1(log_p.clamp_max(-1e-12))).log()


def improved(alone: Fantasies, X: Tensor, domain: Domain, *, seed: int) -> Tensor:
    """A batch that is worth at least as much as `X`, `q x d`, found by moving all of its points at once.

    Args:
        alone: has draws for q - 1 further points.
    """
    if alone.best is None or alone.model is None:
        return X
    batch = Batch(alone, alone.best)
    with torch.no_grad():
        before = batch(X[None])[0]
    found = maximize_acquisition(batch, domain, q=len(X), seed=seed, anchors=X, options=_NEAR)
    return found.X if bool(found.value > before) else X
