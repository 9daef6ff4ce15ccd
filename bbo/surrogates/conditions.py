"""Columns that are there under conditions, as tensors; see `bbo.space.structure`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bbo.space.structure import Structure


@dataclass(frozen=True)
class Conditions:
    """Of k columns. `Conditions.of` makes it.

    Args:
        columns: their numbers, `k`.
        absent: the positions that stand for their being absent, `k`.
        holds: for each the columns that it depends on, with positions that are asked for and how near one has to be.
    """

    columns: Tensor
    absent: Tensor
    holds: tuple[tuple[tuple[int, Tensor, float], ...], ...]

    @staticmethod
    @torch.inference_mode(False)  # is kept, and may be needed where autograd looks
    def of(structure: Structure, device: torch.device | str) -> "Conditions | None":
        """None where all columns are always there."""
        if not structure.conditions:
            return None
        columns = sorted(structure.conditions)
        return Conditions(
            torch.tensor(columns, dtype=torch.long, device=device),
            torch.tensor([structure.absent[j] for j in columns], dtype=torch.float64, device=device),
            tuple(
                tuple(
                    (c.column, torch.tensor(c.positions, dtype=torch.float64, device=device), c.same)
                    for c in structure.conditions[j]
                )
                for j in columns
            ),
        )

    def hold(self, X: Tensor) -> Tensor:
        """Which of the columns are there at `X`, `... x d`: `... x k`."""
        found = []
        for conditions in self.holds:
            is_there = torch.ones(X.shape[:-1], dtype=torch.bool, device=X.device)
            for column, positions, same in conditions:
                is_there = is_there & ((X[..., column, None] - positions).abs() <= same).any(-1)
            found.append(is_there)
        return torch.stack(found, -1)

    def settled(self, X: Tensor) -> Tensor:
        """`X` with those columns that are not there where such a column is; no gradient reaches them."""
        return X.index_copy(-1, self.columns, torch.where(self.hold(X), X[..., self.columns], self.absent.to(X)))

    def kept(self, X: Tensor, slopes: Tensor, columns: Tensor) -> Tensor:
        """Slopes `m x n x p` of features of `columns`, `p`, at `X`, `n x d`; 0 for those that are not there."""
        is_there = torch.ones_like(X, dtype=torch.bool).index_copy(-1, self.columns, self.hold(X))
        return torch.where(is_there[:, columns], slopes, 0.0)
