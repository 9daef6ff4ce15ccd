"""Values that a Gaussian process had better not believe: further noise variance where the others say so.

Ament, Santorella, Eriksson, Letham, Balandat & Bakshy, "Robust Gaussian processes via relevance pursuit", NeurIPS 2024,
in a cheap form. With r_i the residual of value i given all others and s_i^2 its variance without what was added, the
further variance that makes the data likeliest is r_i^2 - s_i^2, for z_i = r_i / s_i beyond 1; it gains

    (z_i^2 - 1 - log z_i^2) / 2 nats

under the same hyperparameters. Those were stretched by the outliers also: where the scale of the covariance is at its
best before and after, as many values as are removed at once gain, by the fall of r'K^-1 r from n to n - sum z_i^2,

    -n/2 log(1 - sum z_i^2 / n) - sum (1 + log z_i^2) / 2.

Values whose gain beats the price of being outliers get the variance, hyperparameters are fitted again, and so on; a
model that explains all values without outliers is then sought once more, and preferred unless it is clearly worse.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from bbo.surrogates.hyperparameters import Earlier
from bbo.surrogates.mode import ModeSearch, Settled
from bbo.surrogates.observations import Observations

# Nats for one more parameter, as AIC has it; and by how many the model without outliers must be worse.
_PER_PARAMETER = 1.0
_CLEARLY = 3.0
_ROUNDS = 6
# Of all values at most this share are taken for outliers.
_MOST = 0.1
# A z^2 of less than this share of the greatest waits for the next round: a strange value makes its neighbours strange.
_BESIDE_THE_GREATEST = 0.5
_LARGEST_FALL = 0.95  # of r'K^-1 r by several outliers; neighbours' z^2 do not add up to n
# The rival without outliers also starts from length scales so much shorter: a narrow peak needs them.
_SHORTER = 0.3
# A z^2 of at least this, and so many times the greatest that an earlier fit believed, asks for a new pursuit.
_STRANGE = 25.0
_STRANGER = 2.0
# Scales of values with and without outliers that differ by no more leave the same hyperparameters in reach.
_SAME_UNITS = 10.0
# Of `unconfirmed_best` and `confirmed_best`.
_BEST = 0.1
_NEAR = 0.5
_APART = 10.0  # of levels of a category, beyond any neighbourhood


def price(share: float) -> float:
    """What an outlier costs, nats: its log odds, where so large a share of values are outliers, and its variance."""
    return math.log(1 / share - 1) + _PER_PARAMETER


def pursue(search: ModeSearch, plain: Settled, smooth: Tensor, trusted: Tensor, share: float) -> Settled:
    """The model with outliers where one without is clearly worse, output by output; `plain` where nothing is strange.

    Args:
        plain: fitted without outliers.
        smooth: theta, `m x p`, of a smooth function seen through noise, under which outliers are seen best.
        trusted: values that are none, `m x n`.
        share: of values that are outliers, before any are seen.
    """
    # Either may be blind: what a wiggly function has followed looks usual, and all is usual where noise is believed in.
    seen = [plain, search.settle(plain.observations, smooth) or plain]
    looks = [_strange_in(search, settled, trusted, price(share)) for settled in seen]
    first = torch.stack([torch.where(chosen, more, 0.0) for chosen, more in looks]).amax(0)
    is_strange = (first > 0).any(1)
    if not bool(is_strange.any()):
        return plain
    k = is_strange.nonzero()[:, 0]
    before = plain.subset(k)
    doubting = _doubting(search, seen[-1].subset(k), first[k], trusted[k], price(share))
    rival, evidence = _rival(search, before, doubting)
    cost = price(share) * doubting.observations.is_outlier.sum(1)
    is_kept = (doubting.evidence - cost > evidence + _CLEARLY)[:, None]
    extra = torch.where(is_kept, doubting.observations.extra, 0.0)
    theta = torch.where(is_kept, doubting.theta, rival)
    observations = plain.observations.doubting(plain.observations.extra.index_copy(0, k, extra))
    return search.settle(observations, plain.theta.index_copy(0, k, theta)) or plain


def doubt_again(
    search: ModeSearch, observations: Observations, earlier: Earlier, trusted: Tensor, share: float
) -> Observations:
    """Observations with outliers, as the hyperparameters of an earlier fit see them, where that had some.

    Args:
        observations: without outliers.
        trusted, share: as in `pursue`.
    """
    k = (earlier.n_outliers > 0).nonzero()[:, 0]
    for _ in range(_ROUNDS if len(k) else 0):
        settled = search.settle(observations, in_units(search, earlier, observations.scale))
        if settled is None:
            break
        extra = _doubted(search, settled.subset(k), trusted[k], price(share))
        before = observations.scale
        observations = observations.doubting(observations.extra.index_copy(0, k, extra))
        if bool((before <= _SAME_UNITS * observations.scale).all()):
            break
    return observations


def is_stranger(settled: Settled, earlier: Earlier, trusted: Tensor) -> bool:
    """Whether a value is far stranger than any that an earlier fit believed."""
    c = settled.conditioned
    z2 = c.a.square() / c.precision
    z2 = torch.where(settled.observations.is_outlier | trusted, 0.0, z2).amax(1)
    return bool((z2 > (_STRANGER * earlier.strangest).clamp_min(_STRANGE)).any())


def in_units(search: ModeSearch, earlier: Earlier, scale: Tensor) -> Tensor:
    """theta of an earlier fit, `m x p`, in the units of values that are over other scales, `m`."""
    theta = _rescaled(search, earlier.hyperparameters.theta, earlier.scale, scale)
    return theta.clamp(search.lower, search.upper)


def _left_out(search: ModeSearch, a: Tensor, precision: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
    """z^2 of each value, without what was added to its variance, and the variance that is best added: both `m x n`.

    Args:
        a, precision: K^-1 (y - mu) and the diagonal of K^-1, `m x n`.
        extra: what was added to variances, `m x n`, in the same units.
    """
    r2 = (a / precision).square()
    s2 = (1 / precision - extra).clamp_min(search.least_noise)
    return r2 / s2, (r2 - s2).clamp_min(0.0)


def _doubted(search: ModeSearch, settled: Settled, trusted: Tensor, price: float) -> Tensor:
    """What is best added to standard deviations under the same hyperparameters, in the units of Y, `m x n`."""
    observations, c = settled.observations, settled.conditioned
    a, precision, extra = c.a, c.precision, observations.extra_variance
    for _ in range(_ROUNDS):
        z2, best = _left_out(search, a, precision, extra)
        chosen = _strange(z2, extra > 0, trusted, price)
        if bool((chosen == (extra > 0)).all()):
            break
        extra = torch.where(chosen, best, 0.0)
        a, precision = c.noisier(extra - observations.extra_variance)
    return extra.sqrt() * observations.scale[:, None]


def _strange_in(search: ModeSearch, settled: Settled, trusted: Tensor, price: float) -> tuple[Tensor, Tensor]:
    """Values of a model that `_strange` finds, and what is best added to standard deviations in the units of Y."""
    observations, c = settled.observations, settled.conditioned
    z2, best = _left_out(search, c.a, c.precision, observations.extra_variance)
    return _strange(z2, observations.is_outlier, trusted, price), best.sqrt() * observations.scale[:, None]


def _strange(z2: Tensor, is_outlier: Tensor, trusted: Tensor, price: float) -> Tensor:
    """Values that are worth the price of outliers, `m x n`."""
    z2 = torch.where(trusted, 1.0, z2.clamp_min(1.0))
    is_still = is_outlier & (0.5 * (z2 - 1 - z2.log()) > price)
    n = z2.shape[1]
    n_more = int(_MOST * n)
    if n_more == 0:
        return is_still
    fresh = torch.where(is_outlier, 1.0, z2)
    fresh = torch.where(fresh >= _BESIDE_THE_GREATEST * fresh.amax(1, keepdim=True), fresh, 1.0)
    most, indices = fresh.topk(n_more, 1)
    fall = (most.cumsum(1) / n).clamp_max(_LARGEST_FALL)
    number = torch.arange(1, n_more + 1, dtype=z2.dtype, device=z2.device)
    gain = -0.5 * n * (-fall).log1p() - 0.5 * (1 + most.log()).cumsum(1) - price * number
    best, at = gain.max(1, keepdim=True)
    is_taken = (number <= at + 1) & (best > 0) & (most > 1)
    # The least strange go first where there are too many.
    chosen = is_still | torch.zeros_like(is_still).scatter(1, indices, is_taken)
    ranked = torch.where(chosen, z2, 0.0)
    return chosen & (ranked >= ranked.topk(n_more, 1).values[:, -1:])


def _doubting(search: ModeSearch, settled: Settled, first: Tensor, trusted: Tensor, price: float) -> Settled:
    """With outliers, a few more in every round; those that later rounds explain are let go.

    Args:
        first: what is added to standard deviations in the first round, `m x n`.
    """
    extra = first
    for _ in range(_ROUNDS):
        observations = settled.observations.doubting(extra)
        starts = torch.stack([_in_units(search, settled, observations.scale), search.mode(len(extra))])
        theta, _ = search.climb(observations, starts, _is_placed(search, settled))
        again = search.settle(observations, theta)
        if again is None:
            break
        settled = again
        chosen, extra = _strange_in(search, settled, trusted, price)
        if bool((chosen == settled.observations.is_outlier).all()):
            break
        extra = torch.where(chosen, extra, 0.0)
    return settled


def _rival(search: ModeSearch, plain: Settled, doubting: Settled) -> tuple[Tensor, Tensor]:
    """theta without outliers, `m x p`, and its evidence, `m`: the best from both models and short length scales."""
    d = search.columns.dim
    mode = search.mode(len(plain.theta))
    shorter = mode.clone()
    shorter[:, :d] += math.log(_SHORTER)
    starts = torch.stack([plain.theta, _in_units(search, doubting, plain.observations.scale), mode, shorter])
    theta, _ = search.climb(plain.observations, starts, _is_placed(search, plain))
    again = search.settle(plain.observations, theta)
    if again is None:
        return plain.theta, plain.evidence
    is_better = again.evidence > plain.evidence
    return torch.where(is_better[:, None], again.theta, plain.theta), again.evidence.maximum(plain.evidence)


def _in_units(search: ModeSearch, settled: Settled, scale: Tensor) -> Tensor:
    return _rescaled(search, settled.theta, settled.observations.scale, scale)


def _rescaled(search: ModeSearch, theta: Tensor, before: Tensor, scale: Tensor) -> Tensor:
    k = 3 * search.columns.dim
    theta = theta.clone()
    theta[:, k : k + 2] += 2 * (before / scale).log()[:, None]
    return theta


def _is_placed(search: ModeSearch, settled: Settled) -> Tensor:
    """Outputs that have learnt where levels are, `m`."""
    return (settled.theta[:, 3 * search.columns.dim + 2 :] != 0).any(1)


def told_apart(X: Tensor, n_values: Mapping[int, int]) -> Tensor:
    """Points `n x d` such that those with different levels of a category, or orders, are farther apart than neighbours.

    Args:
        n_values: by column, for those no two of whose values are near each other.
    """
    scale = torch.ones(X.shape[1], dtype=X.dtype, device=X.device)
    for j, n in n_values.items():
        scale[j] = _APART * n
    return X * scale


def neighbourhood(X: Tensor) -> float:
    """The distance within which a neighbour may speak for or against a value at one of `X`, `n x d`, in the unit cube.

    Half of that at which points that are spread evenly have their nearest one.
    """
    n, d = X.shape
    log_ball = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
    # The mean distance to the nearest of n points of a Poisson process of density n.
    return _NEAR * math.gamma(1 + 1 / d) * math.exp(-(math.log(n) + log_ball) / d)


def unconfirmed_best(X: Tensor, y: Tensor) -> Tensor:
    """The best values, a tenth of all, that have no neighbour as yet which could speak for or against them; `n`.

    Where a search has just met a narrow peak, its value looks like an outlier.

    Args:
        X: inputs, `n x d`, as `told_apart` gives them where there are categories.
        y: values, the larger the better, `n`.
    """
    best, distance, _ = _best_and_nearest(X, y)
    return torch.zeros_like(y, dtype=torch.bool).index_copy(0, best, distance > neighbourhood(X))


def confirmed_best(X: Tensor, y: Tensor) -> Tensor:
    """The best values, a tenth of all, that their nearest neighbour speaks for; `n`.

    It does where its value is nearer to theirs than to the median of all.

    Args:
        X, y: as of `unconfirmed_best`.
    """
    best, distance, nearest = _best_and_nearest(X, y)
    is_alike = (y[nearest] - y[best]).abs() < (y[nearest] - y.median()).abs()
    is_confirmed = is_alike & (distance <= neighbourhood(X))
    return torch.zeros_like(y, dtype=torch.bool).index_copy(0, best, is_confirmed)


def _best_and_nearest(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of the best values, `k`, the distance of each to the nearest other point, and that one's index."""
    best = y.topk(math.ceil(_BEST * len(X))).indices
    apart = torch.cdist(X[best], X)
    apart[torch.arange(len(best), dtype=torch.long, device=X.device), best] = torch.inf
    distance, nearest = apart.min(1)
    return best, distance, nearest
