"""Where an acquisition is largest, over any space: many candidates, some of them climbed, all at once.

Raw candidates are a Sobol sequence and small changes of the anchors. The best of them, and some that lie far from the
best, become restarts: quasi-Newton steps on the columns with a gradient alternate with one-change moves of the discrete
ones. Work is bounded, so time is predictable. On a GPU nothing is read back for a value's sake; but for which climbs
have ended, now and then, so that the others go on alone.

| symbol | shape | means |
|---|---|---|
| X | b x q x d | b candidates of q points each, judged together |
| acquisition(X) | b | larger is better; not finite counts as minus infinity |
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bbo.acquisition.domain import Domain
from bbo.errors import NoPointError
from bbo.surrogates.lbfgs import ValueAndGrad, maximize

Worth = Callable[[Tensor], Tensor]

# Standard deviations of the changes of anchors, in widths of the domain's box, each for a quarter of them.
_SCALES = (0.2, 0.05, 0.01, 0.002)
# An ordered column with more levels than this is climbed as if it were a continuum, then rounded.
_RELAXED = 8
# Restarts that must lie far from the others are taken from so many times the number of restarts.
_POOL = 4
# Two results are the same when no column differs by more.
_SAME = 1e-6
_CHUNK = 2048


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much work `maximize_acquisition` does.

    Args:
        n_raw, n_local: Sobol candidates, and changes of anchors.
        n_restarts: candidates that are climbed.
        max_evaluations: of the acquisition with its gradient, for all restarts together.
        rounds: of climbing and moving in turn, on a space with discrete columns.
        n_sweeps: one-change moves in each round.
        n_enumerated: a discrete space of at most so many points is scored whole, for q = 1, and given whole.
        n_listed: of the rows of a pool so many are scored, evenly from all over it; then for `n_rounds` those beside
            the best, `n_beside` for each.
        n_ranked: results to give at most, else.
        progress, slope: a climb ends when it gains less, relative to values above 1, or could; by default nothing that
            matters beside the error of the model, for acquisitions that are logarithms or in units of the spread.
    """

    n_raw: int = 512
    n_local: int = 256
    n_restarts: int = 12
    max_evaluations: int = 30
    rounds: int = 2
    n_sweeps: int = 4
    n_enumerated: int = 4000
    n_listed: int = 50_000
    n_rounds: int = 3
    n_beside: int = 1000
    n_ranked: int = 64
    progress: float = 1e-3
    slope: float = 1e-5


# Where feasibility falls off steeply a climb goes along a ridge in many short steps.
ALONG_RIDGES = Options(n_restarts=16, max_evaluations=100, progress=1e-6, slope=1e-7)


class Maximum(NamedTuple):
    """The best candidate, `q x d`, and its value; and the distinct ones found, `k x q x d`, the best first."""

    X: Tensor
    value: Tensor
    ranked: Tensor
    ranked_values: Tensor


def maximize_acquisition(
    acquisition: Worth,
    domain: Domain,
    *,
    q: int = 1,
    seed: int,
    anchors: Tensor | None = None,
    options: Options = Options(),
) -> Maximum:
    """The q points of the domain that are best together.

    Args:
        acquisition: from `b x q x d` to `b`, each value by its own row alone; differentiable in the columns that vary
            in a continuum.
        seed: of the raw candidates; the same seed gives the same bits.
        anchors: points around which to look closely, e.g. incumbents, `k x d`.
    Raises:
        NoPointError: it has few points to look at, and none is a member.
    """
    acquisition = _among_members(acquisition, domain)
    with torch.no_grad():
        if q == 1 and domain.is_listed:
            return _of_pool(acquisition, domain, seed, anchors, options)
        if q == 1 and domain.n_points is not None and domain.n_points <= options.n_enumerated:
            grid = domain.grid()[:, None]
            if not len(grid):
                raise NoPointError("No point of the space satisfies its constraints with what is given.")
            value = _score(acquisition, grid)
            order = value.argsort(descending=True, stable=True)
            return Maximum(grid[order[0]], value[order[0]], grid[order], value[order])
        raw = _raw_candidates(domain, q, seed, anchors, options)
        value = _score(acquisition, raw)
        X = _restarts(raw, value, options.n_restarts)
        is_fine = domain.is_ordered & (domain.n_levels > _RELAXED)
        relaxed = torch.cat([domain.free, domain.discrete[is_fine]])
        if not domain.n_moves:
            X = _climb(acquisition, domain, X, domain.free, options.max_evaluations, options)
        else:
            for columns in [relaxed] + [domain.free] * (options.rounds - 1):
                share = options.max_evaluations // options.rounds
                X = domain.snap(_climb(acquisition, domain, X, columns, share, options))
                for _ in range(options.n_sweeps):
                    X = _best_move(acquisition, domain, X)
        best_raw = raw[value.argsort(descending=True, stable=True)[: options.n_ranked]]
        return _ranked(acquisition, domain.snap(torch.cat([X, best_raw])), options.n_ranked)


def _among_members(acquisition: Worth, domain: Domain) -> Worth:
    """Minus infinity for candidates of which a point is none."""
    if domain.bound is None:
        return acquisition
    return lambda X: torch.where(domain.contains(X).all(-1), acquisition(X), -torch.inf)


def _score(acquisition: Worth, X: Tensor) -> Tensor:
    """Values of many candidates, `b`, in chunks that bound the memory."""
    if not len(X):
        return X.new_empty(0)
    value = torch.cat([acquisition(chunk) for chunk in torch.split(X, _CHUNK)])
    return torch.where(value.isfinite(), value, -torch.inf)


def _of_pool(acquisition: Worth, domain: Domain, seed: int, anchors: Tensor | None, options: Options) -> Maximum:
    """The best rows of a pool: of all, or of many those that are found from a part of them."""
    (pool,) = domain.pools
    n, n_listed = len(pool), min(len(pool), options.n_listed)
    spread = torch.arange(n_listed, dtype=torch.long, device=domain.centres.device) * n // n_listed
    k = spread + seed % max(1, n // n_listed)
    if n > n_listed and anchors is not None:
        k = torch.unique(torch.cat([k, pool.nearest(anchors, options.n_beside).flatten()]))
    value = _score(acquisition, domain.listed(k)[:, None])
    for _ in range(options.n_rounds if n > n_listed else 0):
        best = domain.listed(k[value.topk(options.n_restarts // 2).indices])
        more = torch.unique(pool.nearest(best, options.n_beside))
        more = more[~torch.isin(more, k)]
        k = torch.cat([k, more])
        value = torch.cat([value, _score(acquisition, domain.listed(more)[:, None])])
    order = value.argsort(descending=True, stable=True)[: options.n_enumerated]
    X = domain.listed(k[order])[:, None]
    return Maximum(X[0], value[order[0]], X, value[order])


def _raw_candidates(domain: Domain, q: int, seed: int, anchors: Tensor | None, options: Options) -> Tensor:
    """`b x q x d`."""
    spread = domain.sample(options.n_raw * q, seed)
    spread = spread[: len(spread) // q * q].reshape(-1, q, domain.dim)
    if anchors is None or not len(anchors):
        return spread
    n, d = options.n_local * q, domain.dim
    generator = torch.Generator("cpu").manual_seed(seed % 2**63)

    def draw(kind: Callable[..., Tensor], *shape: int) -> Tensor:
        return kind(*shape, dtype=torch.float64, device="cpu", generator=generator).to(spread.device)

    index = torch.arange(n, dtype=torch.long, device=spread.device)
    scale = spread.new_tensor(_SCALES)[index * len(_SCALES) // n][:, None] * (domain.upper - domain.lower)
    # A change of an ordered column reaches the next level at least, and one of an item the next place; one of an
    # unordered column, any other.
    reach = scale.index_copy(1, domain.discrete, scale[:, domain.discrete].maximum(1.0 / domain.n_levels.to(scale)))
    for at in domain.orders:
        reach[:, at] = reach[:, at].clamp_min(1.0 / (at.stop - at.start))
    centre = anchors[index % len(anchors)]
    moved = centre + reach * draw(torch.randn, n, d)
    unordered = domain.discrete[~domain.is_ordered]
    moved = moved.index_copy(1, unordered, draw(torch.rand, n, d)[:, unordered])
    # Every second candidate changes a few columns only, in many dimensions the surer gain; unordered columns rarely. Of
    # an even number of anchors each has candidates of one kind, the best of the former. With both kinds at each, 12 of
    # 30 runs on six problems in 8 to 30 columns were better and 18 worse.
    share = torch.where(index % 2 == 0, 1.0, min(1.0, 3.0 / d))[:, None].expand(-1, d)
    share = share.index_copy(1, unordered, share[:, : len(unordered)].clamp_max(0.3))
    local = torch.where(draw(torch.rand, n, d) < share, moved, centre)
    return torch.cat([spread, domain.snap(local).reshape(-1, q, d)])


def _restarts(raw: Tensor, value: Tensor, n: int) -> Tensor:
    """The best half of `n`, and from the next best those that lie farthest from all that were taken."""
    pool = raw[value.argsort(descending=True, stable=True)[: _POOL * n]]
    distance = torch.cdist(pool.flatten(1), pool.flatten(1))
    taken = list(torch.arange(min(len(pool), (n + 1) // 2), dtype=torch.long, device=raw.device)[:, None])
    nearest = distance[:, : len(taken)].amin(1)
    for _ in range(min(n, len(pool)) - len(taken)):
        taken.append(nearest.argmax(0, keepdim=True))
        nearest = nearest.minimum(distance.index_select(1, taken[-1])[:, 0])
    return pool[torch.cat(taken)]


def _climb(
    acquisition: Worth, domain: Domain, X: Tensor, columns: Tensor, max_evaluations: int, options: Options
) -> Tensor:
    """Each candidate at a local maximum in these columns."""
    if not len(columns):
        return X
    b, q, d = X.shape
    moves_all = columns is domain.free and len(columns) == d

    def of(rows: Tensor) -> ValueAndGrad:
        candidates = X[rows]

        def value_and_grad(V: Tensor) -> tuple[Tensor, Tensor]:
            with torch.inference_mode(False), torch.enable_grad():
                V = V.clone().requires_grad_()
                moved = V.reshape(len(V), q, -1)
                value = acquisition(moved if moves_all else candidates.index_copy(-1, columns, moved))
                # A candidate's value depends on its own row alone, so the gradient of the sum has them all.
                (grad,) = torch.autograd.grad(value.sum(), V)
            return value.detach(), grad

        return value_and_grad

    start = X[..., columns].reshape(b, -1)
    within = domain.bounds(X, columns)
    everyone = of(torch.arange(b, dtype=torch.long, device=X.device))
    with torch.inference_mode():  # where tensors are small, all but the gradients costs a fifth less
        V, _ = maximize(
            everyone,
            start,
            within,
            max_evaluations=max_evaluations,
            progress=options.progress,
            slope=options.slope,
            among=of,
        )
    return X.index_copy(-1, columns, V.reshape(b, q, -1))


def _best_move(acquisition: Worth, domain: Domain, X: Tensor) -> Tensor:
    """Each candidate after the best one-change move of one of its points, or as it was."""
    b, q, d = X.shape
    n = domain.n_moves
    moved = X[:, None, None].repeat(1, q, n, 1, 1)  # b x q x n x q x d
    own = torch.arange(q, dtype=torch.long, device=X.device)
    moved[:, own, :, own] = domain.neighbours(X).transpose(0, 1)
    choices = torch.cat([X[:, None], moved.reshape(b, q * n, q, d)], 1)
    value = _score(acquisition, choices.reshape(-1, q, d)).reshape(b, -1)
    return choices.gather(1, value.argmax(1)[:, None, None, None].expand(-1, 1, q, d))[:, 0]


def _ranked(acquisition: Worth, X: Tensor, n: int) -> Maximum:
    value = _score(acquisition, X)
    order = value.argsort(descending=True, stable=True)
    X, value = X[order], value[order]
    gap = (X[:, None] - X[None]).abs().amax((2, 3))
    is_repeat = (torch.tril(gap <= _SAME, diagonal=-1)).any(1)
    X, value = X[~is_repeat][:n], value[~is_repeat][:n]
    return Maximum(X[0], value[0], X, value)
