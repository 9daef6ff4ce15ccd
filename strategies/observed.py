"""What of a history a model is fitted to, and what it goes on from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbo.history import History

# With more completed trials than the first number, those nearest to the best are modelled, and some of the others.
_MOST_MODELLED, _N_NEAR, _N_SPREAD = 3000, 1000, 1000
_GOLDEN = (5**0.5 - 1) / 2
# Hyperparameters, transforms and outliers are sought anew once there are so many times the trials of the last time;
# until then they are followed by a few steps.
_GROWTH = 1.2


def modelled(history: History) -> NDArray[np.int64]:
    """Numbers of the completed trials that a surrogate is fitted to: all, or where these are many a local subset."""
    done = np.flatnonzero(history.is_completed)
    if len(done) <= _MOST_MODELLED:
        return done
    apart = np.square(history.X[done] - history.X[best_trials(history, 1)]).sum(axis=1)
    order = np.argsort(apart, kind="stable")
    near, far = done[order[:_N_NEAR]], done[order[_N_NEAR:]]
    # Spread over the study's time evenly, and the same as trials are added.
    spread = far[np.argsort(far * _GOLDEN % 1.0, kind="stable")[:_N_SPREAD]]
    return np.sort(np.concatenate([near, spread]))


def best_trials(history: History, k: int) -> NDArray[np.int64]:
    """Numbers of the best completed trials: feasible ones by utility, then the others by their worst violation."""
    done = np.flatnonzero(history.is_completed)
    order = np.lexsort((-history.Y[done, 0], worst_violations(history.G[done])))
    return np.asarray(done[order[:k]])


def worst_violations(G: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of `n x c` violations the worst of each row, `n`, in units of the mean size of its kind; 0 where feasible."""
    spread = np.maximum(np.abs(G).mean(axis=0), 1e-300) if len(G) else 1.0
    return np.asarray(np.max(np.maximum(G, 0.0) / spread, axis=1, initial=0.0))


def n_told(history: History) -> int:
    """Trials that say something: completed and failed ones."""
    return int((history.is_completed | history.is_failed).sum())


def earlier(history: History) -> dict[str, Any] | None:
    """The `warm` of the latest notes, where the next fit goes on; None once so many more were told that it is due."""
    latest = history.latest_warm()
    warm: dict[str, Any] = {} if latest is None else latest[1]["warm"]
    searched = warm.get("searched", 0)
    return warm if searched <= n_told(history) < _GROWTH * searched else None
