"""How far the best point evaluated may be from the optimum: a bound on its regret that holds in all likelihood.

Makarova et al., "Automatic termination for hyperparameter optimization", AutoML 2022 (arXiv 2104.08166): for a function
f to be maximized, with the posterior mean mu and standard deviation s,

    regret <= max over the space of (mu + sqrt(beta) s) - max over evaluated points of (mu - sqrt(beta) s),
    beta = 2/5 log(d n^2 pi^2 / (6 delta)),  delta = 0.1,

n observations in d columns: beta is that of Srinivas et al., ICML 2010, for d points, a fifth of it, as both do in
their experiments. So the bound is a heuristic: it does not hold with probability 1 - delta in the strict sense.

Theirs is for an objective alone. Here the first maximum is over points that may be feasible: whose constraints, and
whose failure, have a lower bound mean - sqrt(beta) s of at most 0. The second is over points observed to be feasible.
The bound is computed for the transformed objective and brought to its units at both ends, as the map is monotone.
"""

import math

import torch
from torch import Tensor

from bbo.acquisition.belief import Belief
from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import ALONG_RIDGES, maximize_acquisition

_DELTA = 0.1
_SHARE = 1 / 5


def beta(n: int, d: int) -> float:
    """Square of the half-width of confidence bounds, in standard deviations, after n observations in d columns."""
    return 2 * _SHARE * math.log(d * n**2 * math.pi**2 / (6 * _DELTA))


def regret_bound(belief: Belief, X: Tensor, n: int, domain: Domain, *, seed: int, anchors: Tensor) -> float:
    """In the units of the utility, at least 0.

    Args:
        belief: of observations alone, without pending points.
        X: points observed to be feasible, `k x d`.
        n: how many observations the belief has.
        seed, anchors: of the search for the highest upper bound, as `maximize_acquisition` takes them.
    """
    width = math.sqrt(beta(n, X.shape[1]))
    with torch.no_grad():
        mean, sd = belief.judge(X)
        attained = (mean[:, 0] - width * sd[:, 0]).max()
        # A lower bound of a violation that is one standard deviation above 0 takes away more than bounds can differ by.
        price = (mean[:, 0] + width * sd[:, 0]).max() - (mean[:, 0] - width * sd[:, 0]).min()

    def hoped(Z: Tensor) -> Tensor:
        mean, sd = belief.judge(Z[:, 0])
        excess = (mean[:, 1:] / sd[:, 1:] - width).clamp_min(0.0).sum(1)
        return mean[:, 0] + width * sd[:, 0] - price * excess

    most = maximize_acquisition(hoped, domain, seed=seed, anchors=anchors, options=ALONG_RIDGES).value.maximum(
        hoped(X[:, None]).max()
    )
    top, reached = belief.scales[0](torch.stack([most, attained])).tolist()
    return float(max(0.0, top - reached))
