"""A quasi-Newton maximizer with bounds for many starts at once: hyperparameters and acquisitions are climbed with it.

Nocedal & Wright, Numerical Optimization (2006), Alg. 7.4 (two loops) and 16.7 (projection); Bertsekas, SIAM J. Control
Optim. 20 (1982) for leaving bound coordinates out of the quasi-Newton step. Each row is a problem of its own; all rows
are evaluated together, and no row waits for another's line search.

| symbol | shape | means |
|---|---|---|
| X, F, G | b x p, b, b x p | where each row stands, minus its value, the gradient of that |
| S, Z | b x M x p | the last M steps and the changes of G along them; the newest last |
| D, t | b x p, b | search direction, length of the next step along it |
"""

from collections.abc import Callable

import torch
from torch import Tensor

ValueAndGrad = Callable[[Tensor], tuple[Tensor, Tensor]]

_MEMORY = 10
_SUFFICIENT = 1e-4  # Armijo's constant, Nocedal & Wright Eq. 3.4
_CURVATURE = 1e-10  # pairs with s.z below this share of |s||z| say nothing of the Hessian
_FIRST_STEP = 0.1  # of the box's width, in the coordinate that moves most
_SMALLEST_STEP = 1e-10
_CHECK_EVERY = 4  # evaluations between two looks at which rows are done; a look halts a GPU's queue
_DROPPED = 0.25  # rows that are done are dropped when they are this share, so that copies cost less than they save


def maximize(
    value_and_grad: ValueAndGrad,
    X0: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    max_evaluations: int,
    progress: float = 1e-10,
    slope: float = 1e-8,
    among: Callable[[Tensor], ValueAndGrad] | None = None,
) -> tuple[Tensor, Tensor]:
    """Local maxima in the box, one from each row of `X0`.

    Args:
        value_and_grad: from `b x p` to values `b` and gradients `b x p`; a value or gradient that is not finite counts
            as minus infinity and is stepped back from.
        X0: starts, `b x p`; moved into the box.
        lower, upper: bounds, `p` or `b x p`; equal where a coordinate is given.
        max_evaluations: calls of `value_and_grad`, each with all rows.
        progress: a row is done when two steps in a row gain less than this, relative to its value where above 1.
        slope: a row is done when no coordinate can move and gain by more than this per unit.
        among: `value_and_grad` of some of the rows only, given their indices; with it, rows that are done are evaluated
            no more.
    Returns:
        the best points, `b x p`, and their values, `b`; minus infinity for a row whose start has none.
    """
    lower, upper = lower.expand_as(X0), upper.expand_as(X0)
    X = X0.clamp(lower, upper)
    F, G, finite = _evaluate(value_and_grad, X)
    S = X.new_zeros((*X.shape[:1], _MEMORY, X.shape[1]))
    Z = torch.zeros_like(S)
    n_pairs = X.new_zeros(len(X))
    n_idle = torch.zeros_like(n_pairs)
    widest = (upper - lower).clamp(1e-12, 10.0)
    t = torch.ones_like(F)
    done = ~finite
    D = _direction(X, G, S, Z, lower, upper, widest)
    rows = torch.arange(len(X), dtype=torch.long, device=X.device)
    X_all, F_all = X.clone(), F.clone()
    for call in range(1, max_evaluations):
        if call % _CHECK_EVERY == 0:
            going = (~done).nonzero()[:, 0]
            if not len(going):
                break
            if among is not None and len(going) <= (1 - _DROPPED) * len(done):
                X_all[rows], F_all[rows] = X, F
                rows = rows[going]
                value_and_grad = among(rows)
                X, F, G, S, Z, D = (state[going] for state in (X, F, G, S, Z, D))
                n_pairs, n_idle, t, done = (state[going] for state in (n_pairs, n_idle, t, done))
                lower, upper, widest = (bound[going] for bound in (lower, upper, widest))
        X_new = torch.where(done[:, None], X, (X + t[:, None] * D).clamp(lower, upper))
        F_new, G_new, finite = _evaluate(value_and_grad, X_new)
        step = X_new - X
        expected = (G * step).sum(1)
        accepted = finite & (expected < 0) & (F_new <= F + _SUFFICIENT * expected) & ~done

        change = G_new - G
        curvature = (step * change).sum(1)
        is_convex = _bends(curvature, step, change)
        learned = accepted & is_convex
        S = torch.where(learned[:, None, None], torch.cat([S[:, 1:], step[:, None]], 1), S)
        Z = torch.where(learned[:, None, None], torch.cat([Z[:, 1:], change[:, None]], 1), Z)
        n_pairs = n_pairs + learned.to(n_pairs)

        is_idle = accepted & (F - F_new <= progress * F_new.abs().clamp_min(1.0))
        n_idle = torch.where(accepted, torch.where(is_idle, n_idle + 1, 0.0), n_idle)

        # Rejected: the minimum of the parabola through both values and the slope, kept within [t/10, t/2]. Accepted
        # along a concave stretch: the memory cannot tell how far to go, so go further.
        bend = F_new - F - expected
        shrink = torch.nan_to_num(-expected / (2 * bend), nan=0.1).clamp(0.1, 0.5)
        t = torch.where(accepted, torch.where(is_convex, 1.0, (2 * t).clamp_max(1e3)), t * shrink)
        X = torch.where(accepted[:, None], X_new, X)
        F = torch.where(accepted, F_new, F)
        G = torch.where(accepted[:, None], G_new, G)

        # A direction along which nothing is gained comes from a misleading memory: forget it; without one, give up.
        is_stuck = ~accepted & ((t < _SMALLEST_STEP) | (expected >= 0))
        is_fresh = n_pairs == 0
        forgets = is_stuck & ~is_fresh
        S = torch.where(forgets[:, None, None], 0.0, S)
        Z = torch.where(forgets[:, None, None], 0.0, Z)
        n_pairs = torch.where(forgets, 0.0, n_pairs)
        t = torch.where(forgets, 1.0, t)
        is_flat = ((X - G).clamp(lower, upper) - X).abs().amax(1) <= slope
        done = done | is_flat | (n_idle >= 2) | (is_stuck & is_fresh)
        D = torch.where((accepted | forgets)[:, None], _direction(X, G, S, Z, lower, upper, widest), D)
    X_all[rows], F_all[rows] = X, F
    return X_all, -F_all


def _evaluate(value_and_grad: ValueAndGrad, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    value, grad = value_and_grad(X)
    finite = value.isfinite() & grad.isfinite().all(1)
    return torch.where(finite, -value, torch.inf), torch.where(finite[:, None], -grad, 0.0), finite


def _bends(curvature: Tensor, steps: Tensor, changes: Tensor) -> Tensor:
    """Whether products s.z, `...`, of steps and changes of the gradient, `... x p`, are clearly positive."""
    return curvature > _CURVATURE * ((steps * steps).sum(-1) * (changes * changes).sum(-1)).sqrt()


def _direction(X: Tensor, G: Tensor, S: Tensor, Z: Tensor, lower: Tensor, upper: Tensor, widest: Tensor) -> Tensor:
    """The quasi-Newton step within the coordinates that may move.

    Both loops of Alg. 7.4 are substitutions in the triangle R of the products s_i.z_j, i <= j:
    R a = S g, then R' e = diag(R) a - Z r with r = gamma (g - Z' a); the step is -(r + S' e).
    """
    is_free = ~(((lower >= X) & (G > 0)) | ((upper <= X) & (G < 0)))
    g = G * is_free
    S, Z = S * is_free[:, None], Z * is_free[:, None]
    curvature = (S * Z).sum(2)
    is_used = _bends(curvature, S, Z)
    S, Z = S * is_used[..., None], Z * is_used[..., None]
    diagonal = torch.where(is_used, curvature, 1.0)
    R = S @ Z.mT
    R.diagonal(dim1=1, dim2=2).copy_(diagonal)  # the substitutions read the upper triangle alone

    # gamma is s.z / z.z of the newest pair in use; without any, a step of a tenth of the box at most.
    newest = (is_used * torch.arange(1, S.shape[1] + 1, dtype=torch.long, device=X.device)).argmax(1, keepdim=True)
    last = Z.gather(1, newest[..., None].expand(-1, -1, Z.shape[2]))[:, 0]
    scaled = diagonal.gather(1, newest)[:, 0] / (last * last).sum(1)
    steepest = (g.abs() / widest).amax(1)
    gamma = torch.where(is_used.any(1), scaled, (_FIRST_STEP / steepest).clamp_max(1.0))[:, None]

    a = torch.linalg.solve_triangular(R, S @ g[..., None], upper=True)
    r = gamma[..., None] * (g[..., None] - Z.mT @ a)
    e = torch.linalg.solve_triangular(R.mT, diagonal[..., None] * a - Z @ r, upper=False)
    step: Tensor = r + S.mT @ e
    return -step[..., 0] * is_free
