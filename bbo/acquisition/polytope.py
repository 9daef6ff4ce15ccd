"""Candidates bound by linear constraints: where they may move, how far, and the nearest that are allowed.

| symbol | shape | is |
|---|---|---|
| X, Y, G, D | b x p | candidates, any points, gradients of what is to be least, directions |
| C, c | k x p, b x k | C x <= c: bounds of the coordinates, then inequalities, with rows of length 1 |
| E, e | l x p, b x l | E x = e, rows of length 1 |
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

_TIGHT = 1e-9  # a constraint with less room than this holds a candidate back
_RATE = 1e-10  # a slower approach to a constraint is rounding
_ROUNDS = 5  # of taking up and letting go of constraints
_REDUNDANT = 1e-13  # added to products of constraints, of which some may follow from others
_ITERATIONS, _PENALTY = 150, 1.0
_AT_BOUND = 1e-7


@dataclass(frozen=True)
class Along:
    """A face: the projection onto its directions, `b x p x p`, and -G so projected, `b x p`."""

    P: Tensor
    downhill: Tensor

    def along(self, V: Tensor) -> Tensor:
        rows = V.flatten(1, -2) if V.dim() > 2 else V[:, None]
        return (rows @ self.P).reshape(V.shape)


@dataclass(frozen=True)
class Polytope:
    """What candidates have to satisfy, as `bbo.surrogates.lbfgs` takes it. `Polytope.of` makes one.

    Args:
        lower, upper: `b x p`; equal where a coordinate is given.
    """

    C: Tensor
    c: Tensor
    E: Tensor
    e: Tensor
    lower: Tensor
    upper: Tensor

    @staticmethod
    def of(A: Tensor, b: Tensor, E: Tensor, e: Tensor, lower: Tensor, upper: Tensor) -> "Polytope":
        """A x <= b and E x = e in a box; bounds `b x k`, `b x l` and `b x p`."""
        of_a, of_e = _lengths(A), _lengths(E)
        eye = torch.eye(lower.shape[1], dtype=lower.dtype, device=lower.device)
        c = torch.cat([upper, -lower, b / of_a], 1)
        return Polytope(torch.cat([eye, -eye, A / of_a[:, None]]), c, E / of_e[:, None], e / of_e, lower, upper)

    def together(self, q: int) -> "Polytope":
        """Of each q of the candidates in one row."""
        if q == 1:
            return self
        p = self.lower.shape[1]
        A = self.C[2 * p :]
        of_each = [_block_diagonal(M, q) for M in (A, self.E)]
        n = len(self.lower) // q
        bounds = self.c[:, 2 * p :], self.e, self.lower, self.upper
        b, e, lower, upper = (v.reshape(n, q * v.shape[1]) for v in bounds)
        return Polytope.of(of_each[0], b, of_each[1], e, lower, upper)

    def rows(self, k: Tensor) -> "Polytope":
        """Of some of the candidates."""
        return replace(self, c=self.c[k], e=self.e[k], lower=self.lower[k], upper=self.upper[k])

    @cached_property
    def widest(self) -> Tensor:
        """The box, `b x p`, for lengths of steps."""
        return (self.upper - self.lower).clamp(1e-12, 10.0)

    def start(self, X: Tensor) -> Tensor:
        return self.project(X)

    def moved(self, X: Tensor, t: Tensor, D: Tensor) -> Tensor:
        """X + t D, or as far along as the constraints allow."""
        rate = D @ self.C.mT
        room = (self.c - X @ self.C.mT).clamp_min(0.0)
        is_near = rate > _RATE * D.norm(dim=1, keepdim=True).clamp_min(1e-300)
        farthest = torch.where(is_near, room / rate, torch.inf).amin(1)
        return torch.addcmul(X, t.minimum(farthest)[:, None], D).clamp(self.lower, self.upper)

    def face(self, X: Tensor, G: Tensor) -> Along:
        """Along the constraints that hold -G back; those with a negative multiplier do not.

        Up to some rounds of taking constraints up and letting them go, its `downhill` is the nearest to -G of all
        directions that lead nowhere out.
        """
        is_tight = self.c - X @ self.C.mT <= _TIGHT
        held, k = is_tight, len(self.C)
        for _ in range(_ROUNDS):
            multipliers = self._multipliers(held, -G)
            downhill = -G - multipliers @ self._all
            held = (held & (multipliers[:, :k] >= 0)) | (is_tight & ~held & (downhill @ self.C.mT > _RATE))
        N = torch.where(self._is_held(held)[..., None], self._all, 0.0)
        eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
        P = eye - N.mT @ torch.linalg.solve(self._gram(held), N)
        return Along(P, -(P @ G[..., None])[..., 0])

    def admissible(self, X: Tensor, D: Tensor, face: Along) -> Tensor:
        """D, or downhill where D leads straight out."""
        is_tight = self.c - X @ self.C.mT <= _TIGHT
        leads_out = (is_tight & (D @ self.C.mT > _RATE * D.norm(dim=1, keepdim=True))).any(1)
        return torch.where(leads_out[:, None], face.downhill, D)

    def steepness(self, X: Tensor, G: Tensor, face: Along) -> Tensor:
        """The most that a coordinate can move along -G, a step of length 1 at most, `b`."""
        return (self.moved(X, torch.ones_like(X[:, 0]), face.downhill) - X).abs().amax(1)

    @cached_property
    def _all(self) -> Tensor:
        return torch.cat([self.C, self.E])

    @cached_property
    def _products(self) -> Tensor:
        return self._all @ self._all.mT

    def _is_held(self, held: Tensor) -> Tensor:
        """Equalities hold always, `b x (k + l)`."""
        return torch.cat([held, held.new_ones(len(held), len(self.E))], 1)

    def _gram(self, held: Tensor) -> Tensor:
        is_held = self._is_held(held)
        both = is_held[:, :, None] & is_held[:, None, :]
        gram = torch.where(both, self._products, 0.0)
        diagonal = torch.where(is_held, _REDUNDANT, 1.0)
        return gram + torch.diag_embed(diagonal)

    def _multipliers(self, held: Tensor, D: Tensor) -> Tensor:
        """Of all constraints, `b x (k + l)`, by which those held would keep D back; 0 of the others."""
        wanted = torch.where(self._is_held(held), D @ self._all.mT, 0.0)
        found: Tensor = torch.linalg.solve(self._gram(held), wanted[..., None])[..., 0]
        return found

    def project(self, Y: Tensor) -> Tensor:
        """The nearest allowed point to each, `b x p`; where there is none, or it is not found, somewhere near.

        The alternating direction method of multipliers (Stellato et al., "OSQP", Math. Prog. Comp. 12 (2020)), then the
        exact solution with those constraints that hold at its end.
        """
        is_in = self.violation(Y) <= _TIGHT
        M, eye = self._all, torch.eye(Y.shape[1], dtype=Y.dtype, device=Y.device)
        low = torch.cat([torch.full_like(self.c, -torch.inf), self.e], 1)
        high = torch.cat([self.c, self.e], 1)
        inverse = torch.linalg.inv(eye + _PENALTY * M.mT @ M)
        z = (Y @ M.mT).clamp(low, high)
        w = torch.zeros_like(z)
        for _ in range(_ITERATIONS):
            x = (Y + (_PENALTY * z - w) @ M) @ inverse
            Mx = x @ M.mT
            z = (Mx + w / _PENALTY).clamp(low, high)
            w = w + _PENALTY * (Mx - z)
        held = (w > _AT_BOUND)[:, : len(self.C)]
        wanted = torch.where(self._is_held(held), Y @ M.mT - high, 0.0)
        exact = Y - (torch.linalg.solve(self._gram(held), wanted[..., None]).mT @ M)[:, 0]
        is_better = self.violation(exact) <= self.violation(x)
        found = torch.where(is_better[:, None], exact, x).clamp(self.lower, self.upper)
        return torch.where(is_in[:, None], Y, found)

    def violation(self, X: Tensor) -> Tensor:
        """By how much a constraint is missed at most, `b`."""
        over = torch.cat([X @ self.C.mT - self.c, (X @ self.E.mT - self.e).abs()], 1)
        most: Tensor = over.amax(1)
        return most.clamp_min(0.0)


def _block_diagonal(M: Tensor, q: int) -> Tensor:
    """q times M, `q k x q p`."""
    return torch.kron(torch.eye(q, dtype=M.dtype, device=M.device), M)


def _lengths(A: Tensor) -> Tensor:
    lengths: Tensor = A.norm(dim=1)
    return lengths.clamp_min(1e-300)
