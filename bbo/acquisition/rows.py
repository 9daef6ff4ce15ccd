"""The candidates of a pool as tensors; see `bbo.space.candidates`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bbo.space.candidates import Candidates

# Distances between so many pairs of points are looked at at once.
_PAIRS = 4_000_000


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
        return Rows(columns, torch.tensor(candidates.U, dtype=torch.float64, device=device))

    def __len__(self) -> int:
        return len(self.U)

    def placed(self, X: Tensor, k: Tensor) -> Tensor:
        """`X`, `... x d`, with these columns at the rows of numbers `k`, `...`."""
        return X.index_copy(-1, self.columns, self.U[k])

    def snap(self, X: Tensor) -> Tensor:
        """`X`, `... x d`, with these columns at the rows nearest to where they are."""
        return self.placed(X, self._nearest(X, 1)[..., 0])

    def beside(self, X: Tensor, n: int) -> Tensor:
        """Numbers of rows, `... x n`, for each point of `X`, `... x d`: the nearest, and others from all over."""
        n_near = (n + 1) // 2
        spread = torch.linspace(0, len(self) - 1, n - n_near, dtype=torch.float64, device=X.device).round().long()
        return torch.cat([self._nearest(X, n_near), spread.expand(*X.shape[:-1], -1)], -1)

    def _nearest(self, X: Tensor, n: int) -> Tensor:
        V = X[..., self.columns].flatten(0, -2)
        chunks = torch.split(V, max(1, _PAIRS // len(self)))
        found = torch.cat([torch.cdist(chunk, self.U).topk(n, largest=False).indices for chunk in chunks])
        return found.reshape(*X.shape[:-1], n)
