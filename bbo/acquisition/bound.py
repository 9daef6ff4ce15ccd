"""What binds the columns of a domain together, as tensors: where candidates may go, and which are members.

See `bbo.space.region`; tests are done where the space does them, on the CPU.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bbo.acquisition.polytope import Polytope
from bbo.space.constraints import SLACK
from bbo.space.region import Mixture, Region


@dataclass(frozen=True)
class Bound:
    """What binds columns together, as tensors; see `bbo.space.region.Region`.

    Args:
        none: positions of amounts of 0 by column, `d`; of the columns of sparse mixtures.
    """

    region: Region
    A: Tensor
    b: Tensor
    E: Tensor
    e: Tensor
    none: Tensor

    @staticmethod
    def of(region: Region, device: torch.device | str) -> "Bound":
        none = np.zeros(region.dim)
        for mixture in region.mixtures:
            none[mixture.at] = mixture.none
        tensors = (
            torch.tensor(v, dtype=torch.float64, device=device) for v in (region.A, region.b, region.E, region.e, none)
        )
        return Bound(region, *tensors)

    def within(self, lower: Tensor, upper: Tensor) -> "Bound":
        return replace(self, region=self.region.within(lower.cpu().numpy(), upper.cpu().numpy()))

    def given(self, columns: Tensor, positions: Tensor) -> "Bound":
        """With these columns given."""
        return replace(self, region=self.region.given(columns.tolist(), positions.cpu().numpy()))

    @property
    def has_rows(self) -> bool:
        """Whether there is more than tests."""
        return len(self.A) + len(self.E) > 0

    @property
    def columns(self) -> list[int]:
        """Those in a total or a linear constraint."""
        return np.flatnonzero(np.any(self.region.A, axis=0) | np.any(self.region.E, axis=0)).tolist()

    @property
    def sparse(self) -> list[Mixture]:
        return [mixture for mixture in self.region.mixtures if mixture.is_sparse]

    def polytope(self, columns: Tensor, X: Tensor, lower: Tensor, upper: Tensor) -> Polytope:
        """Of some columns of `X`, `b x d`, the others staying where they are.

        Args:
            lower, upper: the box, `b x d`; of a part of a sparse mixture that is absent, where it is.
        """
        rest = X.index_fill(1, columns, 0.0)
        lower, upper = self._kept_out(X, lower), self._kept_out(X, upper)
        A, E = self.A[:, columns], self.E[:, columns]
        is_kept = (E != 0).any(1)
        b, e = self.b - rest @ self.A.mT, (self.e - rest @ self.E.mT)[:, is_kept]
        return Polytope.of(A, b, E[is_kept], e, lower[:, columns], upper[:, columns])

    def _kept_out(self, X: Tensor, bound: Tensor) -> Tensor:
        for mixture in self.sparse:
            at = mixture.at
            is_absent = X[:, at] <= self.none[at] + SLACK
            bound = bound.clone()
            bound[:, at] = torch.where(is_absent, self.none[at], bound[:, at])
        return bound

    def project(self, X: Tensor, box: tuple[Tensor, Tensor]) -> Tensor:
        """The nearest members, `... x d`, of those with as many parts as a mixture may have: those that have most."""
        if not self.has_rows:
            return X
        rows = X.reshape(-1, X.shape[-1])
        for mixture in self.sparse:
            at, n = mixture.at, mixture.n_present
            amounts = rows[:, at] - self.none[at]
            rank = amounts.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)
            is_in = rank < n
            rows = torch.cat(
                [rows[:, : at.start], torch.where(is_in, rows[:, at], self.none[at]), rows[:, at.stop :]], 1
            )
        lower, upper = (v.reshape(-1, X.shape[-1]) for v in box)
        everything = torch.arange(X.shape[-1], dtype=torch.long, device=X.device)
        return self.polytope(everything, rows, lower, upper).project(rows).reshape(X.shape)

    def contains(self, X: Tensor) -> Tensor:
        """Which points, `... x d`, are members: `...`."""
        rows = X.reshape(-1, X.shape[-1])
        scales = [(M.abs().sum(1) + v.abs()) * SLACK for M, v in ((self.A, self.b), (self.E, self.e))]
        is_in = (rows @ self.A.mT <= self.b + scales[0]).all(1)
        is_in = is_in & ((rows @ self.E.mT - self.e).abs() <= scales[1]).all(1)
        for mixture in self.sparse:
            present = (rows[:, mixture.at] > self.none[mixture.at] + SLACK).sum(1)
            is_in = is_in & (present <= mixture.n_present)
        for _, accepts in self.region.tests:
            is_accepted = accepts(rows.detach().cpu().numpy())
            is_in = is_in & torch.tensor(is_accepted, dtype=torch.bool, device=rows.device)
        return is_in.reshape(X.shape[:-1])

    @property
    def n_exchanges(self) -> int:
        return sum(mixture.n_present * len(mixture.least) for mixture in self.sparse)

    def exchanges(self, X: Tensor) -> list[Tensor]:
        """Points with each present part of a sparse mixture exchanged for each other part, `... x M x d` a mixture.

        A part that is exchanged for one that is present gives it its amount.
        """
        moved = []
        for mixture in self.sparse:
            at, k, n = mixture.at, len(mixture.least), mixture.n_present
            row = self.region.mixtures.index(mixture)
            weights, none = self.E[row, at], self.none[at]
            amounts = (X[..., at] - none) * weights
            present = amounts.topk(n, -1).indices  # ... x n
            given = amounts.gather(-1, present)
            taker = torch.eye(k, dtype=X.dtype, device=X.device)
            left = amounts[..., None, :] - torch.nn.functional.one_hot(present, k) * given[..., None]
            changed = left[..., :, None, :] + given[..., None, None] * taker
            placed = (none + changed / weights).flatten(-3, -2)
            others = X[..., None, :].expand(*X.shape[:-1], n * k, X.shape[-1])
            moved.append(torch.cat([others[..., : at.start], placed, others[..., at.stop :]], -1))
        return moved
