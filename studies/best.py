"""The incumbent and the front: the best of what was observed."""

import numpy as np
from numpy.typing import NDArray

from bbo.errors import ObjectiveError
from bbo.history import History


def best_number(history: History) -> int | None:
    """The feasible trial with the highest utility, the earliest of equals; None when no trial is feasible.

    Raises:
        ObjectiveError: several objectives.
    """
    if history.Y.shape[1] > 1:
        metrics = [aim.metric for aim in history.objectives.aims]
        raise ObjectiveError(f"There is no single best trial with the objectives {metrics}: use front.")
    feasible = np.flatnonzero(history.is_feasible)
    return int(feasible[np.argmax(history.Y[feasible, 0])]) if len(feasible) else None


def front_numbers(history: History) -> list[int]:
    """The feasible trials that no other feasible trial dominates, by number; of equal ones all."""
    feasible = np.flatnonzero(history.is_feasible)
    keep = ~_is_dominated(history.Y[feasible])
    return [int(number) for number in feasible[keep]]


def _is_dominated(Y: NDArray[np.float64]) -> NDArray[np.bool_]:
    dominated = np.zeros(len(Y), dtype=bool)
    for i, y in enumerate(Y):
        dominated[i] = bool(((y <= Y).all(axis=1) & (y < Y).any(axis=1)).any())
    return dominated
