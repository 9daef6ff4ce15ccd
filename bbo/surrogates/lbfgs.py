"""A quasi-Newton maximizer with bounds for many starts at once: hyperparameters and acquisitions are climbed with it.

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
    H = X.new_zeros((len(X), 2, _MEMORY, X.shape[1]))
    n_idle = torch.zeros_like(F)
    widest = (upper - lower).clamp(1e-12, 10.0)
    t = torch.ones_like(F)
    done = ~finite
    is_fresh = torch.ones_like(done)
    D = _direction(X, G, H, lower, upper, widest)
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
                lower, upper, widest = (bound[going] for bound in (lower, upper, widest))
        X_new = torch.where(done[:, None], X, torch.addcmul(X, t[:, None], D).clamp(lower, upper))
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
        is_flat = ((X - G).clamp(lower, upper) - X).abs().amax(1) <= slope
        done = done | is_flat | (n_idle >= 2) | (is_stuck & is_fresh)
        is_fresh = is_fresh | forgets
        D = torch.where((accepted | forgets)[:, None], _direction(X, G, H, lower, upper, widest), D)
    X_all[rows], F_all[rows] = X, F
    return X_all, -F_all


def _evaluate(value_and_grad: ValueAndGrad, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    value, grad = value_and_grad(X)
    finite = value.isfinite() & grad.isfinite().all(1)
    return torch.where(finite, -value, torch.inf), torch.where(finite[:, None], -grad, 0.0), finite


def _bends(curvature: Tensor, step2: Tensor, change2: Tensor) -> Tensor:
    """Whether products s.z of steps and changes of the gradient are clearly positive, given s.s and z.z."""
    return curvature > _CURVATURE * (step2 * change2).sqrt()


def _direction(X: Tensor, G: Tensor, H: Tensor, lower: Tensor, upper: Tensor, widest: Tensor) -> Tensor:
    """The quasi-Newton step within the coordinates that may move.

    Both loops of Alg. 7.4 are substitutions in the triangle R of the products s_i.z_j, i <= j:
    R a = S g, then R' e = diag(R) a - Z r with r = gamma (g - Z' a); the step is -(r + S' e).
    """
    is_free = ~(((lower >= X) & (G > 0)) | ((upper <= X) & (G < 0)))
    g = (G * is_free)[..., None]
    H = H * is_free[:, None, None]
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
    steepest = (g[..., 0].abs() / widest).amax(1, keepdim=True)
    gamma = torch.where(is_used.any(1, keepdim=True), scaled, (_FIRST_STEP / steepest).clamp_max(1.0))

    a = torch.linalg.solve_triangular(R, S @ g, upper=True)
    r = gamma[..., None] * (g - Z.mT @ a)
    e = torch.linalg.solve_triangular(R.mT, diagonal[..., None] * a - Z @ r, upper=False)
    step: Tensor = torch.baddbmm(r, S.mT, e)
    return -step[..., 0] * is_free
