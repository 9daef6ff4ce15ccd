"""What of a history a model is fitted to, and what it goes on from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.acquisition.belief import Belief
from bbo.history import History
from bbo.objective import worst_violations
from bbo.surrogates.protocol import Fitted

# With more completed trials than the first number, those nearest to the best are modelled, and as many of the others,
# each so large a share of it. It is less where the covariances of all outputs would have more entries than the second
# number: a few times 240 MB.
_MOST_MODELLED, _MOST_ENTRIES = 3000, 30_000_000
_SHARE = 1 / 3
# Of more failed trials than twice this, so many of those nearest to the best count and so many others; so of given-up.
_N_WITHOUT = 500
_GOLDEN = (5**0.5 - 1) / 2
# Hyperparameters, transforms and outliers are sought anew once there are so many times the trials of the last time;
# until then they are followed by a few steps.
_GROWTH = 1.2


def modelled(history: History) -> NDArray[np.int64]:
    """Numbers of the completed trials that a surrogate is fitted to: all, or where these are many a local subset."""
    done = np.flatnonzero(history.is_completed)
    n_outputs = 1 + history.G.shape[1]
    most = min(_MOST_MODELLED, math.isqrt(_MOST_ENTRIES // n_outputs))
    if len(done) <= most:
        return done
    return _thinned(history, done, round(_SHARE * most), round(_SHARE * most))


def unfinished(history: History, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers of the trials without a result that count in a model, of those wanted: all, or a subset as `modelled`."""
    numbers = np.flatnonzero(wanted)
    return numbers if len(numbers) <= 2 * _N_WITHOUT else _thinned(history, numbers, _N_WITHOUT, _N_WITHOUT)


def _thinned(history: History, numbers: NDArray[np.int64], n_near: int, n_spread: int) -> NDArray[np.int64]:
    """Those of the numbers whose trials are nearest to the best, and others from all of the study's time.

    In a context the best is that of the trials made in it, or of all, carried over, where there are none.
    """
    latest = history.latest_warm()
    notes: Mapping[str, Any] = {} if latest is None else latest[1]
    values = history.Y[:, 0].copy()
    values[notes.get("outliers", [])] = -np.inf
    is_here = history.is_completed & history.is_in_context
    values[~is_here] = -np.inf if is_here.any() else values[~is_here]
    # A single value that is better than all may be luck where the model says so, and need not be.
    best = int(best_trials(history, 1, values)[0])
    centres = {best, notes.get("incumbent", best)} if history.aim is None else {best}
    near: list[int] = []
    for centre in centres:
        apart = np.square(history.X[numbers] - history.carried(history.X[[centre]])).sum(axis=1)
        near += numbers[np.argsort(apart, kind="stable")[: n_near // len(centres)]].tolist()
    far = np.setdiff1d(numbers, near)
    # Spread over the study's time evenly, and the same as trials are added.
    spread = far[np.argsort(far * _GOLDEN % 1.0, kind="stable")[:n_spread]]
    return np.union1d(near, spread).astype(np.int64)


def best_trials(history: History, k: int, values: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """Numbers of the best completed trials: feasible ones by utility, then the others by their worst violation.

    Args:
        values: utility of each trial, as far as it is believed; as told when None. NaN comes last.
    """
    done = np.flatnonzero(history.is_completed)
    utility = (history.Y[:, 0] if values is None else values)[done]
    order = np.lexsort((-utility, worst_violations(history.G[done])))
    return np.asarray(done[order[:k]])


def doubted(history: History, outputs: Fitted, columns: Sequence[int]) -> NDArray[np.int64]:
    """Numbers of the trials with a value that the model takes for an outlier.

    Args:
        outputs: fitted to `modelled(history)`.
        columns: the outputs that are asked about.
    """
    outliers = getattr(outputs, "outliers", None)
    if outliers is None:
        return np.empty(0, dtype=np.int64)
    is_doubted: NDArray[np.bool_] = outliers[:, list(columns)].any(1).cpu().numpy()
    return modelled(history)[is_doubted]


def undoubted(history: History, outputs: Fitted) -> NDArray[np.float64]:
    """Utility of each trial, -inf for those whose objective the model takes for an outlier; args as of `doubted`."""
    values = history.Y[:, 0].copy()
    values[doubted(history, outputs, [0])] = -np.inf
    return values


def believed(history: History, belief: Belief) -> NDArray[np.float64]:
    """As `undoubted`, but where noise matters the mean of each trial that is modelled, and NaN for the others.

    Args:
        belief: fitted to `modelled(history)`.
    """
    values = undoubted(history, belief.outputs)
    if not belief.is_noisy:
        return values
    rows = modelled(history)
    means = belief.scales[0](belief.means[:, 0]).cpu().numpy()
    smooth = np.full_like(values, np.nan)
    smooth[rows] = np.where(np.isinf(values[rows]), values[rows], means)
    return smooth


def n_told(history: History) -> int:
    """Trials that say something: completed and failed ones."""
    return int((history.is_completed | history.is_failed).sum())


def earlier(history: History) -> dict[str, Any] | None:
    """The `warm` of the latest notes, where the next fit goes on; None once so many more were told that it is due."""
    latest = history.latest_warm()
    warm: dict[str, Any] = {} if latest is None else latest[1]["warm"]
    searched = warm.get("searched", 0)
    return warm if searched <= n_told(history) < _GROWTH * searched else None
