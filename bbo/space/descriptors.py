"""What is known of choices: a table of numbers, and how far apart it puts any two of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Descriptors that tell the same, up to sign, are one: so alike are they by the correlation over choices.
_ALIKE = 0.98
# The mean of the squared distances of choices: as if they stood on a line from 0 to 1, evenly.
SPREAD = 1 / 6


def by_descriptor(given: Any, choices: Sequence[Any]) -> Any:
    """A pandas table with a row for each choice, as a dict from descriptor to values in the order of the choices.

    Anything else is given back as it is.

    Raises:
        ValueError: a choice without a row, or with two.
    """
    if not hasattr(given, "columns") or not hasattr(given, "index"):
        return given
    rows = list(given.index)
    missing = [choice for choice in choices if rows.count(choice) != 1]
    if missing:
        raise ValueError(f"A table of descriptors has one row for each choice, by its index: not so for {missing!r}.")
    return {str(name): [float(given[name][choice]) for choice in choices] for name in given.columns}


def spots(descriptors: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    """Where choices stand, `n x k`, by descriptors that differ among them, each in units of its standard deviation.

    Of descriptors that tell the same only the first counts. Outcomes are not looked at. Axes are turned so that few of
    them are needed, which changes no distance.
    """
    Z = np.array(list(descriptors.values()), dtype=float)
    Z = Z[Z.std(1) > 1e-9 * np.maximum(np.abs(Z).max(1), 1e-300)]
    if not len(Z):
        return np.zeros((Z.shape[1], 0))
    Z = (Z - Z.mean(1, keepdims=True)) / Z.std(1, keepdims=True)
    likeness = np.abs(Z @ Z.T) / Z.shape[1]
    kept: list[int] = []
    for k in range(len(Z)):
        if not kept or likeness[k, kept].max() < _ALIKE:
            kept.append(k)
    U, s, _ = np.linalg.svd(Z[kept].T, full_matrices=False)
    turned = (U * s)[:, s > 1e-9 * s[0]]
    n = len(turned)
    mean_square = 2 * turned.var(0).sum() * n / (n - 1)
    placed: NDArray[np.float64] = turned * np.sqrt(SPREAD / mean_square)
    return placed
