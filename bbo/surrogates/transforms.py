"""Monotone maps that make outputs look Gaussian before a Gaussian process sees them.

Each is fitted to values by the profile likelihood of a Gaussian after the map: with t = map(y),

    -n/2 log var(t) + sum_i log t'(y_i),

mean and variance of t being at their best values. It is taken over the identity only when it gains more than `_GAIN`.
That is cheap and looks at the values alone; whoever fits a surrogate compares both again by its evidence, with the
`log_slope` that brings densities of t to the units of y.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Nats by which a map with one more parameter must beat the identity; AIC would ask for 1.
_GAIN = 2.0
_POWERS = (-2.0, 4.0)
# Below the first the values above the location end at a bound, above the second those below it do.
_BOUNDLESS = (0.0, 2.0)
_GRID = 13
_REFINEMENTS = 6
# Beyond this logarithm an inverse saturates: it stays finite where a posterior sample has left the range of the map.
_LARGEST_LOG = 700.0
_LARGEST = 1e308
# Where a power leaves the range of numbers; differences of such values are still numbers.
_LARGEST_POWER = 1e300


@dataclass(frozen=True)
class YeoJohnson:
    """A power transform of either sign, for objectives; increasing. `power` 1 is the identity up to units.

    With x = (y - location) / scale: ((1 + x)^power - 1) / power for x >= 0, and
    -((1 - x)^(2 - power) - 1) / (2 - power) for x < 0; logarithms where an exponent is 0.

    Yeo & Johnson, "A new family of power transformations", Biometrika 87 (2000).
    """

    location: float
    scale: float
    power: float

    @classmethod
    def fit(cls, y: Tensor, strange: Tensor | None = None) -> "YeoJohnson":
        """From finite values, `n`; the identity unless another power is clearly more likely.

        Units are mean and standard deviation, or median and interquartile range where that is more likely: one huge
        value would otherwise squeeze all others to the same number.

        Args:
            strange: further values, far from these, that are to stay so: no bound on their side, before which huge
                ones would look like large ones.
        """
        size = y.abs().amax().clamp_min(1e-300)  # divided out, as squares of penalties like 1e300 overflow
        plain = (float(size * (y / size).mean()), float(size * (y / size).std(correction=0)))
        if len(y) < 3 or plain[1] <= 1e-14 * float(size):
            return cls(plain[0], 1.0, 1.0)
        low, middle, high = torch.quantile(y, y.new_tensor([0.25, 0.5, 0.75])).tolist()
        powers = _POWERS if strange is None else _without_bound(strange > middle)
        units = [plain]
        if high > low:
            units.append((middle, (high - low) / 1.349))  # the interquartile range of a unit Gaussian
        identity = -len(y) * math.log(plain[1])
        best, most = cls(*plain, 1.0), identity + _GAIN
        for location, scale in units:
            power, likelihood = _best_power((y - location) / scale, powers)
            if likelihood - len(y) * math.log(scale) > most:
                best, most = cls(location, scale, power), likelihood - len(y) * math.log(scale)
        return best

    def forward(self, y: Tensor) -> Tensor:
        t = _power((y - self.location) / self.scale, y.new_tensor(self.power))
        return t.clamp(-_LARGEST_POWER, _LARGEST_POWER)

    @property
    def identity(self) -> "YeoJohnson":
        """The same but for the power, which is 1."""
        return replace(self, power=1.0)

    def log_slope(self, y: Tensor) -> Tensor:
        """log of d forward / dy, `n`."""
        x = (y - self.location) / self.scale
        return (self.power - 1) * x.abs().log1p().copysign(x) - math.log(self.scale)

    def inverse(self, t: Tensor) -> Tensor:
        """The values that `forward` sends to `t`; beyond its range huge, but finite."""
        x = torch.where(t >= 0, _unpower(t, self.power), -_unpower(-t, 2 - self.power))
        return (self.location + self.scale * x).clamp(-_LARGEST, _LARGEST)


def _power(x: Tensor, power: Tensor) -> Tensor:
    exponent = torch.where(x >= 0, power, 2 - power)
    log = x.abs().log1p()
    is_zero = exponent.abs() < 1e-12
    safe = torch.where(is_zero, 1.0, exponent)
    return torch.where(is_zero, log, torch.expm1(safe * log) / safe).copysign(x)


def _unpower(t: Tensor, exponent: float) -> Tensor:
    if abs(exponent) < 1e-12:
        return torch.expm1(t.clamp_max(_LARGEST_LOG))
    log = torch.log1p((exponent * t).clamp_min(-1 + 1e-15)) / exponent
    return torch.expm1(log.clamp_max(_LARGEST_LOG))


def _without_bound(is_above: Tensor) -> tuple[float, float]:
    """The least and the greatest power under which values end nowhere on the sides where some lie."""
    low = _BOUNDLESS[0] if bool(is_above.any()) else _POWERS[0]
    high = _BOUNDLESS[1] if not bool(is_above.all()) else _POWERS[1]
    return low, high


def _best_power(x: Tensor, powers: tuple[float, float]) -> tuple[float, float]:
    """The likeliest power of values `n` in their units, and its log-likelihood; by a grid that closes in."""
    jacobian = (x.abs().log1p().copysign(x)).sum()
    low, high = powers
    best, most = 1.0, -math.inf
    for _ in range(_REFINEMENTS):
        tried = torch.linspace(low, high, _GRID, dtype=x.dtype, device=x.device)
        t = _power(x, tried[:, None])
        likelihood = (tried - 1) * jacobian - 0.5 * len(x) * t.var(1, correction=0).log()
        likelihood = torch.where(likelihood.isfinite(), likelihood, -torch.inf)
        k = int(likelihood.argmax())
        if float(likelihood[k]) > most:
            best, most = float(tried[k]), float(likelihood[k])
        width = (high - low) / (_GRID - 1)
        low, high = max(powers[0], best - width), min(powers[1], best + width)
    return best, most


@dataclass(frozen=True)
class Bilog:
    """sign(g) log(1 + |g| / scale), for constraints: 0 stays 0 and signs stay. `scale` None is the identity.

    Eriksson & Poloczek, "Scalable constrained Bayesian optimization", AISTATS 2021 (there with scale 1).
    """

    scale: float | None

    @classmethod
    def fit(cls, g: Tensor) -> "Bilog":
        """From finite values, `n`; the scale is the likeliest of some quantiles of |g|, or none."""
        spread = float(g.std(correction=0))
        size = g.abs()[g != 0]
        if len(g) < 3 or not spread > 1e-14 * float(g.abs().amax()):
            return cls(None)
        scales = torch.quantile(size, g.new_tensor([0.05, 0.1, 0.25, 0.5, 0.75, 1.0]))[:, None]
        scales = scales.clamp_min(1e-12 * float(size.amax()))
        t = (g.abs() / scales).log1p().copysign(g)
        likelihood = -(scales + g.abs()).log().sum(1) - 0.5 * len(g) * t.var(1, correction=0).log()
        k = int(torch.where(likelihood.isfinite(), likelihood, -torch.inf).argmax())
        is_better = float(likelihood[k]) > -len(g) * math.log(spread) + _GAIN
        return cls(float(scales[k, 0]) if is_better else None)

    def forward(self, g: Tensor) -> Tensor:
        return g if self.scale is None else (g.abs() / self.scale).log1p().copysign(g)

    @property
    def identity(self) -> "Bilog":
        return Bilog(None)

    def log_slope(self, g: Tensor) -> Tensor:
        """log of d forward / dg, `n`."""
        return torch.zeros_like(g) if self.scale is None else -(self.scale + g.abs()).log()

    def inverse(self, t: Tensor) -> Tensor:
        """The values that `forward` sends to `t`; huge, but finite, far beyond those fitted."""
        if self.scale is None:
            return t
        return (self.scale * t.abs().clamp_max(_LARGEST_LOG).expm1().copysign(t)).clamp(-_LARGEST, _LARGEST)
