"""The candidates of a pool as tensors; see `bbo.space.candidates`."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bbo.space.candidates import Candidates

# Distances between so many pairs of points are looked at at once.
_PAIRS = 16_000_000


@dataclass(frozen=True)
class Rows:
    """What some columns may be together.

    Args:
        columns: their numbers, `k`.
        U: positions, `n x k`.
    """

    columns: Tensor
    U: Tensor

    @staticmethod
    def of(candidates: Candidates, device: torch.device | str) -> "Rows":
        columns = torch.tensor(candidates.columns, dtype=torch.long, device=device)
        return Rows(columns, torch.as_tensor(candidates.U, dtype=torch.float64, device=device))

    @cached_property
    def _squares(self) -> Tensor:
        return (self.U * self.U).sum(1)

    def __len__(self) -> int:
        return len(self.U)

    def placed(self, X: Tensor, k: Tensor) -> Tensor:
        """`X`, `... x d`, with these columns at the rows of numbers `k`, `...`."""
        return X.index_copy(-1, self.columns, self.U[k])

    def snap(self, X: Tensor) -> Tensor:
        """`X`, `... x d`, with these columns at the rows nearest to where they are."""
        return self.placed(X, self.nearest(X, 1)[..., 0])

    def beside(self, X: Tensor, n: int) -> Tensor:
        """Numbers of rows, `... x n`, for each point of `X`, `... x d`: the nearest, and others from all over."""
        n_near = (n + 1) // 2
        spread = torch.linspace(0, len(self) - 1, n - n_near, dtype=torch.float64, device=X.device).round().long()
        return torch.cat([self.nearest(X, n_near), spread.expand(*X.shape[:-1], -1)], -1)

    def nearest(self, X: Tensor, n: int) -> Tensor:
        """Numbers of the n nearest rows, `... x n`, for each point of `X`, `... x d`."""
        V = X[..., self.columns].flatten(0, -2)
        chunks = torch.split(V, max(1, _PAIRS // len(self)))
        # Of squared distances all that differs between rows.
        apart = (torch.addmm(self._squares, chunk, self.U.mT, alpha=-2.0) for chunk in chunks)
        found = torch.cat([each.topk(n, largest=False).indices for each in apart])
        return found.reshape(*X.shape[:-1], n)
