"""What a model expects of each of its observations, given all the others: how well it explains what it has seen.

Hyperparameters are those of all data; Sundararajan & Keerthi, "Predictive approaches for choosing hyperparameters in
Gaussian processes", Neural Computation 13 (2001).
"""

from typing import Any

import torch
from torch import Tensor

from bbo.acquisition.belief import Belief
from bbo.acquisition.moments import mean_sd_of
from bbo.surrogates.protocol import Fitted

# Of fewer values each is predicted from one or two others.
_FEWEST = 4


def loo_r2(outputs: Fitted) -> float | None:
    """Share of the variance of the first output, in its own (transformed) units, that is explained one by one.

    1 - sum (y_i - m_i)^2 / sum (y_i - ybar_i)^2, where m_i is what the model expects of y_i given all others, and
    ybar_i their mean: at most 1, and negative where that mean predicts better than the model. Values that the model
    takes for outliers are left out of both.

    Returns:
        None for fewer than 4 or equal values, and for a model that does not offer `leave_one_out`.
    """
    leave_one_out = getattr(outputs, "leave_one_out", None)
    if leave_one_out is None:
        return None
    y, mean = outputs.Y[:, 0], leave_one_out()[0][:, 0]  # type: ignore[attr-defined]
    outliers = getattr(outputs, "outliers", None)
    if outliers is not None:
        y, mean = y[~outliers[:, 0]], mean[~outliers[:, 0]]
    n = len(y)
    if n < _FEWEST:
        return None
    of_others = n / (n - 1) * (y - y.mean())
    total = of_others.square().sum()
    return None if total <= 0 else float(1 - (y - mean).square().sum() / total)


def left_out(belief: Belief, others: Tensor) -> tuple[Tensor, Tensor] | None:
    """Mean and standard deviation, noise included, of utility and violations of each completed trial given the others.

    Both `n x (1 + c)`, in their units: of those that the belief was fitted to, in order, then of trials at `others`,
    `k x d`, that it was not fitted to. None for a model without `leave_one_out`.
    """
    if not hasattr(belief.outputs, "leave_one_out"):
        return None
    mean, sd = left_out_by(belief.outputs, others)
    columns = [mean_sd_of(scale, mean[:, k], sd[:, k]) for k, scale in enumerate(belief.scales)]
    return torch.stack([m for m, _ in columns], 1), torch.stack([s for _, s in columns], 1)


def left_out_by(model: Any, others: Tensor) -> tuple[Tensor, Tensor]:
    """As `left_out`, of the model's own outputs: `n x m`."""
    mean, sd = model.leave_one_out()
    if not len(others):
        return mean, sd
    posterior = model.posterior(others[:, None], observation_noise=True)
    return torch.cat([mean, posterior.mean[:, 0]]), torch.cat([sd, posterior.variance[:, 0].sqrt()])
