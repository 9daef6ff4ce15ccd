"""The points of one ask, by the worth that a judge gives them: one after the other, few of them also all at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bbo import seeding
from bbo.acquisition.belief import Judge
from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.joint import improved
from bbo.acquisition.optimize import Options, maximize_acquisition
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


def batch(history: History, judge: Judge, search: Search, n: int, *, seed: int) -> tuple[list[Params], list[Judge]]:
    """Up to n untried points, fewer where the space has no more, and the judge of each that counts those before it."""
    points: list[Params] = []
    judges: list[Judge] = []
    seen = history
    for k in range(n):
        found = _best_untried(seen, judge, search, seeding.derive(seed, k))
        if not found:
            break
        points += found
        judges.append(judge)
        seen = seen.with_pending(found)
        if k < n - 1:
            judge = judge.with_pending(_positions(history, found, search))
    first = judges[0] if judges else None
    if not isinstance(first, Fantasies) or not 1 < len(points) <= MOST_TOGETHER:
        return points, judges
    moved = _moved(history, first, search, points, seeding.derive(seed, 0, _TOGETHER))
    if moved is None:
        return points, judges
    judges = [first]
    for point in moved[:-1]:
        judges.append(judges[-1].with_pending(_positions(history, [point], search)))
    return moved, judges


def _best_untried(history: History, judge: Judge, search: Search, seed: int) -> list[Params]:
    """The best untried point found, if the space has one."""
    found = maximize_acquisition(
        lambda X: judge(X[:, 0]), search.domain, seed=seed, anchors=search.anchors, options=search.work
    )
    ranked = found.ranked[:, 0].cpu().numpy()
    untried = [x for x in ranked if not is_tried(x, history.X, history.space.same)]
    return history.space.fresh(history.space.decode(np.array(untried[:1] or ranked[:1])), history)


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
