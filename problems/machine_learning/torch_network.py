"""A network of torch for regression, trained epoch by epoch on one thread, so that bits do not depend on the load.

All randomness is numpy's: torch's global state is neither read nor changed.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear, relu, silu
from torch.nn.utils import clip_grad_norm_

from bbo.space import Params
from bbo.surrogates.threads import pinned_threads

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "tanh": torch.tanh, "silu": silu}


class Network:
    """Layers of equal width, and a number in the end.

    Args:
        point: hyperparameters, by the names of `MLPFriedman`.
        X, y: to be trained on, `n x d` and `n`; `y` is standardized here, and predictions are given back as it was.
        rng: draws the first weights, the order of the rows and what is dropped.

    The first weights are those of He et al., "Delving deep into rectifiers", ICCV 2015.
    """

    def __init__(self, point: Params, X: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator) -> None:
        self._point, self._rng = point, rng
        self._mean, self._sd = float(y.mean()), float(y.std())
        self._X = torch.from_numpy(X.astype(np.float32))
        self._y = torch.from_numpy(((y - self._mean) / self._sd).astype(np.float32))
        widths = [X.shape[1], *[point["units"]] * point["layers"], 1]
        self._weights = [self._drawn(n_out, n_in) for n_in, n_out in pairwise(widths)]
        self._biases = [torch.from_numpy(np.zeros(n, dtype=np.float32)).requires_grad_() for n in widths[1:]]
        self._all = [*self._weights, *self._biases]
        decay = point["weight_decay"]
        self._optimizer: torch.optim.Optimizer = (
            torch.optim.SGD(self._all, momentum=point["momentum"], weight_decay=decay)
            if point["optimizer"] == "sgd"
            else torch.optim.AdamW(self._all, weight_decay=decay)
        )

    def _drawn(self, n_out: int, n_in: int) -> Tensor:
        values = self._rng.standard_normal((n_out, n_in), dtype=np.float32) * np.float32(math.sqrt(2 / n_in))
        return torch.from_numpy(values).requires_grad_()

    def train(self, learning_rate: float) -> None:
        """An epoch."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        order = torch.from_numpy(self._rng.permutation(len(self._y)))
        with pinned_threads(1), torch.enable_grad():
            for rows in torch.split(order, self._point["batch"]):
                self._optimizer.zero_grad()
                errors = self._values(self._X[rows], self._point["dropout"]) - self._y[rows]
                torch.autograd.backward((errors**2).mean())
                clip_grad_norm_(self._all, 1.0)
                self._optimizer.step()

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """At `n x d`, `n`, cut to the range of what it is trained on."""
        with pinned_threads(1), torch.no_grad():
            values = self._values(torch.from_numpy(X.astype(np.float32)), 0.0).clamp(self._y.min(), self._y.max())
        predicted: NDArray[np.float64] = self._mean + self._sd * values.numpy().astype(np.float64)
        return predicted

    def _values(self, X: Tensor, dropout: float) -> Tensor:
        """`n`, of what is left of the hidden units where some are dropped."""
        hidden, activation = X, _ACTIVATIONS[self._point["activation"]]
        for W, b in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = activation(linear(hidden, W, b))
            if dropout > 0:
                is_kept = self._rng.random(tuple(hidden.shape), dtype=np.float32) >= dropout
                hidden = hidden * torch.from_numpy(is_kept / np.float32(1 - dropout))
        return linear(hidden, self._weights[-1], self._biases[-1]).squeeze(-1)
