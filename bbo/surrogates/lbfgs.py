"""A quasi-Newton maximizer within bounds for many starts at once: hyperparameters and acquisitions are climbed with it.

Nocedal & Wright, Numerical Optimization (2006), Alg. 7.4 (two loops) and 16.7 (projection); Bertsekas, SIAM J. Control
Optim. 20 (1982) for leaving bound coordinates out of the quasi-Newton step. Each row is a problem of its own; all rows
are evaluated together, and no row waits for another's line search.

| symbol | shape | means |
|---|---|---|
| X, F, G | b x p, b, b x p | where each row stands, minus its value, the gradient of that |
| S, Z | b x M x p | the last M steps and the changes of G along them, the newest last; 0 where none is to be used |
| H | b x 2 x M x p | both |
| D, t | b x p, b | search direction, length of the next step along it |
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import torch
from torch import Tensor

ValueAndGrad = Callable[[Tensor], tuple[Tensor, Tensor]]

_MEMORY = 10
_SUFFICIENT = 1e-4  # Armijo's constant, Nocedal & Wright Eq. 3.4
_CURVATURE = 1e-10  # pairs with s.z below this share of |s||z| say nothing of the Hessian
_FIRST_STEP = 0.1  # of the box's width, in the coordinate that moves most
_SMALLEST_STEP = 1e-10
# Evaluations between two looks at which rows are done, by the kind of device: a look halts a GPU's queue.
_CHECK_EVERY, _CHECK_ELSEWHERE_EVERY = {"cpu": 1}, 4
_DROPPED = 0.25  # rows that are done are dropped when they are this share, so that copies cost less than they save


class Face(Protocol):
    """The directions in which each row may move from where it stands."""

    def along(self, V: Tensor) -> Tensor:
        """Vectors, `b x ... x p`, projected onto them."""
        ...


class Bounds(Protocol):
    """Where rows may be, and how they move there; `Box` and `bbo.acquisition.polytope.Polytope`."""

    @property
    def widest(self) -> Tensor:
        """What a step is measured by, `b x p`."""
        ...

    def start(self, X: Tensor) -> Tensor:
        """The nearest points that are allowed, `b x p`."""
        ...

    def moved(self, X: Tensor, t: Tensor, D: Tensor) -> Tensor:
        """X + t D, as far as that is allowed, `b x p`."""
        ...

    def face(self, X: Tensor, G: Tensor) -> Face:
        """Where bounds that hold -G back are left out."""
        ...

    def admissible(self, X: Tensor, D: Tensor, face: Any) -> Tensor:
        """D, or another direction of descent where it leads straight out, `b x p`; `face` being what `face` gave."""
        ...

    def steepness(self, X: Tensor, G: Tensor, face: Any) -> Tensor:
        """The most that a coordinate changes in a step of -G, `b`."""
        ...

    def rows(self, k: Tensor) -> Self:
        """Of some of the rows, by their indices."""
        ...


@dataclass(frozen=True)
class Coordinates:
    """The face of a box: coordinates that may move, `b x p`."""

    is_free: Tensor

    def along(self, V: Tensor) -> Tensor:
        return V * (self.is_free if V.dim() == 2 else self.is_free[:, None, None])


@dataclass(frozen=True)
class Box:
    """Bounds by coordinate, `p` or `b x p`; equal where one is given."""

    lower: Tensor
    upper: Tensor

    @cached_property
    def widest(self) -> Tensor:
        return (self.upper - self.lower).clamp(1e-12, 10.0)

    def start(self, X: Tensor) -> Tensor:
        return X.clamp(self.lower, self.upper)

    def moved(self, X: Tensor, t: Tensor, D: Tensor) -> Tensor:
        return torch.addcmul(X, t[:, None], D).clamp(self.lower, self.upper)

    def face(self, X: Tensor, G: Tensor) -> Coordinates:
        return Coordinates(~(((self.lower >= X) & (G > 0)) | ((self.upper <= X) & (G < 0))))

    def admissible(self, X: Tensor, D: Tensor, face: Any) -> Tensor:
        return D

    def steepness(self, X: Tensor, G: Tensor, face: Face) -> Tensor:
        return ((X - G).clamp(self.lower, self.upper) - X).abs().amax(1)

    def rows(self, k: Tensor) -> "Box":
        return Box(self.lower[k], self.upper[k]) if self.lower.dim() == 2 else self


def maximize(
    value_and_grad: ValueAndGrad,
    X0: Tensor,
    within: Bounds,
    *,
    max_evaluations: int,
    progress: float = 1e-10,
    slope: float = 1e-8,
    among: Callable[[Tensor], ValueAndGrad] | None = None,
) -> tuple[Tensor, Tensor]:
    """Local maxima within bounds, one from each row of `X0`.

    Args:
        value_and_grad: from `b x p` to values `b` and gradients `b x p`; a value or gradient that is not finite counts
            as minus infinity and is stepped back from.
        X0: starts, `b x p`; moved within the bounds.
        max_evaluations: calls of `value_and_grad`, each with all rows.
        progress: a row is done when two steps in a row gain less than this, relative to its value where above 1.
        slope: a row is done when no coordinate can move and gain by more than this per unit.
        among: `value_and_grad` of some of the rows only, given their indices; with it, rows that are done are evaluated
            no more.
    Returns:
        the best points, `b x p`, and their values, `b`; minus infinity for a row whose start has none.
    """
    X = within.start(X0)
    F, G, finite = _evaluate(value_and_grad, X)
    H = X.new_zeros((len(X), 2, _MEMORY, X.shape[1]))
    n_idle = torch.zeros_like(F)
    t = torch.ones_like(F)
    done = ~finite
    is_fresh = torch.ones_like(done)
    D = _direction(X, G, H, within, within.face(X, G))
    rows = torch.arange(len(X), dtype=torch.long, device=X.device)
    X_all, F_all = X.clone(), F.clone()
    check_every = _CHECK_EVERY.get(X.device.type, _CHECK_ELSEWHERE_EVERY)
    for call in range(1, max_evaluations):
        if call % check_every == 0:
            going = (~done).nonzero()[:, 0]
            if not len(going):
                break
            if among is not None and len(going) <= (1 - _DROPPED) * len(done):
                X_all[rows], F_all[rows] = X, F
                rows = rows[going]
                value_and_grad = among(rows)
                X, F, G, H, D = (state[going] for state in (X, F, G, H, D))
                is_fresh, n_idle, t, done = (state[going] for state in (is_fresh, n_idle, t, done))
                within = within.rows(going)
        X_new = torch.where(done[:, None], X, within.moved(X, t, D))
        F_new, G_new, finite = _evaluate(value_and_grad, X_new)
        pair = torch.stack([X_new - X, G_new - G], 1)  # s and z
        products = torch.cat([pair, G[:, None]], 1) @ pair.mT
        expected, gain = products[:, 2, 0], F - F_new
        accepted = finite & (expected < 0) & (gain >= -_SUFFICIENT * expected) & ~done

        is_convex = _bends(products[:, 0, 1], products[:, 0, 0], products[:, 1, 1])
        learned = accepted & is_convex
        H = torch.where(learned[:, None, None, None], torch.cat([H[:, :, 1:], pair[:, :, None]], 2), H)

        is_idle = gain <= progress * F_new.abs().clamp_min(1.0)
        n_idle = torch.where(accepted, (n_idle + 1) * is_idle, n_idle)

        # Rejected: the minimum of the parabola through both values and the slope, kept within [t/10, t/2]. Accepted
        # along a concave stretch: the memory cannot tell how far to go, so go further.
        shrink = torch.nan_to_num(0.5 * expected / (gain + expected), nan=0.1).clamp(0.1, 0.5)
        t = torch.where(accepted, torch.where(is_convex, 1.0, (2 * t).clamp_max(1e3)), t * shrink)
        F = torch.where(accepted, F_new, F)
        X = torch.where(accepted[:, None], X_new, X)
        G = torch.where(accepted[:, None], G_new, G)

        # A direction along which nothing is gained comes from a misleading memory: forget it; without one, give up.
        is_stuck = ~accepted & ((t < _SMALLEST_STEP) | (expected >= 0))
        is_fresh = is_fresh & ~learned
        forgets = is_stuck & ~is_fresh
        H = torch.where(forgets[:, None, None, None], 0.0, H)
        t = torch.where(forgets, 1.0, t)
        face = within.face(X, G)
        is_flat = within.steepness(X, G, face) <= slope
        done = done | is_flat | (n_idle >= 2) | (is_stuck & is_fresh)
        is_fresh = is_fresh | forgets
        D = torch.where((accepted | forgets)[:, None], _direction(X, G, H, within, face), D)
    X_all[rows], F_all[rows] = X, F
    return X_all, -F_all


def _evaluate(value_and_grad: ValueAndGrad, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    value, grad = value_and_grad(X)
    finite = value.isfinite() & grad.isfinite().all(1)
    return torch.where(finite, -value, torch.inf), torch.where(finite[:, None], -grad, 0.0), finite


def _bends(curvature: Tensor, step2: Tensor, change2: Tensor) -> Tensor:
    """Whether products s.z of steps and changes of the gradient are clearly positive, given s.s and z.z."""
    return curvature > _CURVATURE * (step2 * change2).sqrt()


def _direction(X: Tensor, G: Tensor, H: Tensor, within: Bounds, face: Face) -> Tensor:
    """The quasi-Newton step in the directions that are open.

    Both loops of Alg. 7.4 are substitutions in the triangle R of the products s_i.z_j, i <= j:
    R a = S g, then R' e = diag(R) a - Z r with r = gamma (g - Z' a); the step is -(r + S' e).
    """
    g = face.along(G)[..., None]
    H = face.along(H)
    squares = (H * H).sum(3)
    curvature = (H[:, 0] * H[:, 1]).sum(2)
    is_used = _bends(curvature, squares[:, 0], squares[:, 1])
    S, Z = (H * is_used[:, None, :, None]).unbind(1)
    diagonal = torch.where(is_used, curvature, 1.0)
    R = S @ Z.mT
    R.diagonal(dim1=1, dim2=2).copy_(diagonal)  # the substitutions read the upper triangle alone

    # gamma is s.z / z.z of the newest pair in use; without any, a step of a tenth of the box at most.
    newest = is_used.cumsum(1).argmax(1, keepdim=True)
    scaled = (diagonal / squares[:, 1]).gather(1, newest)
    steepest = (g[..., 0].abs() / within.widest).amax(1, keepdim=True)
    gamma = torch.where(is_used.any(1, keepdim=True), scaled, (_FIRST_STEP / steepest).clamp_max(1.0))

    a = torch.linalg.solve_triangular(R, S @ g, upper=True)
    r = gamma[..., None] * (g - Z.mT @ a)
    e = torch.linalg.solve_triangular(R.mT, diagonal[..., None] * a - Z @ r, upper=False)
    step: Tensor = torch.baddbmm(r, S.mT, e)
    return within.admissible(X, face.along(-step[..., 0]), face)
