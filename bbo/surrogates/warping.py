"""Input warping: each numeric column bent so that the function is equally wiggly all along it.

    w(x) = 1 - (1 - x^a)^b,  a, b > 0; the identity at a = b = 1

Kumaraswamy's distribution function; Snoek, Swersky, Zemel & Adams, "Input warping for Bayesian optimization of
non-stationary functions", ICML 2014. Positions are first moved off the edges by `_EDGE`, where a slope may be infinite;
what lies outside [0, 1] counts as on the edge.
"""

import torch
from torch import Tensor

# With exponents in [0.1, 10], q = 1 - x^a stays above 1e-5 and no slope in x is above 1e5.
_EDGE = 1e-4


def warped(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """w(x) of positions in [0, 1], of any shapes that broadcast; differentiable at the edges also."""
    return -torch.expm1(b * (-torch.expm1(a * log_positions(x))).log())


def warped_and_slope(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """w(x) and dw/dx = a b x^(a-1) (1 - x^a)^(b-1), of any shapes that broadcast; outside [0, 1] the slope is 0."""
    log_x = log_positions(x)
    log_power = a * log_x
    log_q = (-torch.expm1(log_power)).log()
    slope = (1 - 2 * _EDGE) * a * b * (log_power - log_x + (b - 1) * log_q).exp()
    return -torch.expm1(b * log_q), slope * ((x >= 0) & (x <= 1))


def warped_and_slopes(log_x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w(x) and its derivatives in log a and in log b, given `log_positions` of x.

    With q = 1 - x^a: w = 1 - q^b, dw/dlog a = a b x^a q^(b-1) log x, dw/dlog b = -b q^b log q.
    """
    log_power = a * log_x
    log_q = (-torch.expm1(log_power)).log()
    remainder = b * log_q
    by_b = -remainder * remainder.exp()
    by_a = b * log_power * (log_power + remainder - log_q).exp()
    return -torch.expm1(remainder), by_a, by_b


def log_positions(x: Tensor) -> Tensor:
    """log x, x moved off the edges."""
    return (_EDGE + (1 - 2 * _EDGE) * x.clamp(0.0, 1.0)).log()
