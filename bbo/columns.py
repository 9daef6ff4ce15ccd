"""A column of rows that grows while views of it stay valid."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Column:
    """Rows of an array that grows by half; a view of the first n stays valid while later rows are added.

    Rows are filled when they are first asked for, so that those kept in reserve take no memory.
    """

    def __init__(self, width: int | None, dtype: Any, fill: Any) -> None:
        self._fill = fill
        self._n_filled = 0
        self._data = np.empty((64,) if width is None else (64, width), dtype=dtype)

    def upto(self, n: int) -> NDArray[Any]:
        if n > len(self._data):
            grown = np.empty((max(n, len(self._data) * 3 // 2), *self._data.shape[1:]), dtype=self._data.dtype)
            grown[: self._n_filled] = self._data[: self._n_filled]
            self._data = grown
        if n > self._n_filled:
            self._data[self._n_filled : n] = self._fill
            self._n_filled = n
        return self._data[:n]

    def own(self) -> None:
        """Leave the rows to those who have a view of them and go on with a copy, before a row is changed."""
        self._data = self._data.copy()
