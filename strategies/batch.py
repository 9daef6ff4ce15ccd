"""The points of one ask, by the worth that a judge gives them: one after the other, few of them also all at once."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Judge
from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.joint import improved
from bbo.acquisition.optimize import Maximum, Options, Worth, maximize_acquisition
from bbo.errors import StrategyError
from bbo.history import Array, History
from bbo.space import Params
from bbo.space.fresh import is_same, is_tried

# Moving all points of a larger batch at once costs more and gains less than one after the other.
MOST_TOGETHER = 4
# Below the seed of an ask stand those of its points, and below that of the first the one of moving all.
_TOGETHER = 3


@dataclass(frozen=True)
class Search:
    """Where points are sought, and with how much work.

    Args:
        anchors: points around which to look closely, `k x d`.
    """

    domain: Domain
    anchors: Tensor
    work: Options


@dataclass(frozen=True)
class Proposed:
    """A point that was not tried.

    Args:
        judge: what its worth is seen by: counts the points before it.
        fall: why it is not the best by that, None where it is: "moved", all candidates were tried already, so it lies
            somewhere beside the best of them; "unjudged", none of them had a finite worth.
    """

    params: Params
    judge: Judge
    fall: Literal["moved", "unjudged"] | None = None


def batch(history: History, judge: Judge, search: Search, n: int, *, seed: int) -> list[Proposed]:
    """Up to n untried points, fewer where the space has no more.

    Raises:
        StrategyError: the judge gives no number for any point.
    """
    proposed: list[Proposed] = []
    seen = history
    for k in range(n):
        found = _best_untried(seen, judge, search, seeding.derive(seed, k))
        if found is None:
            break
        proposed.append(found)
        seen = seen.with_pending([found.params])
        if k < n - 1:
            judge = judge.with_pending(_positions(history, [found.params], search))
    first = proposed[0].judge if proposed else None
    if not isinstance(first, Fantasies) or not 1 < len(proposed) <= MOST_TOGETHER:
        return proposed
    moved = _moved(history, first, search, [p.params for p in proposed], seeding.derive(seed, 0, _TOGETHER))
    if moved is None:
        return proposed
    judges = [first]
    for point in moved[:-1]:
        judges.append(judges[-1].with_pending(_positions(history, [point], search)))
    return [Proposed(point, judge) for point, judge in zip(moved, judges, strict=True)]


def _best_untried(history: History, judge: Judge, search: Search, seed: int) -> Proposed | None:
    """The best untried point found; None where the space has none."""
    space = history.space
    found = _sought(lambda X: judge(X.squeeze(1)), search, seed)
    is_judged = bool(found.value.isfinite())
    if not is_judged and bool(judge(found.X).isnan().all()):
        raise StrategyError(
            "The acquisition gives no number: it is NaN at every candidate. It must be larger the better a point is, "
            "for any mean and any standard deviation above 0."
        )
    ranked = found.ranked[:, 0].cpu().numpy()
    untried = next((x for x in ranked if not is_tried(x, history.X, space.same)), None)
    if untried is None and is_judged:  # all climbs ended where few values are left, so others are to begin elsewhere
        found = _sought(_among_untried(judge, history), search, seed)
        untried = found.X[0].cpu().numpy() if bool(found.value.isfinite()) else None
    fresh = space.fresh(space.decode((ranked[0] if untried is None else untried)[None]), history)
    if not fresh:
        return None
    return Proposed(fresh[0], judge, "unjudged" if not is_judged else "moved" if untried is None else None)


def _sought(acquisition: Worth, search: Search, seed: int) -> Maximum:
    return maximize_acquisition(acquisition, search.domain, seed=seed, anchors=search.anchors, options=search.work)


def _among_untried(judge: Judge, history: History) -> Worth:
    """What single points are worth, minus infinity where they were tried."""

    def worth(X: Tensor) -> Tensor:
        value, same = judge(X[:, 0]), X.new_tensor(history.space.same)
        apart = torch.cdist(X[:, 0].detach() / same, X.new_tensor(history.X) / same, p=torch.inf)
        return torch.where((apart <= 1.0).any(1), -torch.inf, value)

    return worth


def _moved(history: History, judge: Fantasies, search: Search, points: list[Params], seed: int) -> list[Params] | None:
    """Other points that are worth more together; None where none were found, or some of them were tried."""
    space = history.space
    start = search.domain.snap(_positions(history, points, search))
    X = improved(judge, start, search.domain, seed=seed)
    if torch.equal(X, start):
        return None
    wanted: Array = X.cpu().numpy()
    moved = space.fresh(space.decode(wanted), history)
    is_kept = len(moved) == len(points) and bool(is_same(space.encode(moved), wanted, space.same).all())
    return moved if is_kept else None


def _positions(history: History, points: list[Params], search: Search) -> Tensor:
    return torch.tensor(history.space.encode(points), dtype=torch.float64, device=search.anchors.device)
