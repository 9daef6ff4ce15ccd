"""A network of torch on a function of Friedman's, whose error is known after each epoch of its training."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo import seeding
from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.space import Categorical, Float, Int, Ordinal, Space

_N_TRAIN, _N_TEST, _N_EPOCHS = 800, 1000, 20


def friedman(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """The function of `n x 10` that is learnt, `n`; the last five columns tell nothing."""
    return 10 * np.sin(math.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]


@cache
def _data() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs, those to train on first, `1800 x 10`, and targets, `1800`, of which those to train on have noise."""
    rng = np.random.default_rng(1991)
    X = rng.random((_N_TRAIN + _N_TEST, 10))
    y = friedman(X)
    y[:_N_TRAIN] += rng.standard_normal(_N_TRAIN)
    return X, y


@dataclass(frozen=True)
class MLPFriedman:
    """Network on Friedman's function, 10 hyperparameters, some conditional: root mean squared error after each epoch.

    It is trained on 800 points with noise of variance 1; the error is that against the function without noise, at 1000
    others. Predictions are cut to the range of what was trained on, gradients to norm 1: no training ends in infinity.
    """

    card: ClassVar[Card] = Card(
        'Friedman, "Multivariate adaptive regression splines", Annals of Statistics 19 (1991), Eq. 61',
        doi="10.1214/aos/1176347963",
        size="1800 points, 10 columns of which 5 tell nothing",
        noise="first weights, order of the points and dropout",
        cost_unit="multiply-adds",
    )
    space: ClassVar[Space] = Space(
        (
            Int("layers", 1, 3),
            Ordinal("units", (16, 32, 64, 128)),
            Categorical("activation", ("relu", "tanh", "silu")),
            Float("dropout", 0.0, 0.5),
            Categorical("optimizer", ("sgd", "adam")),
            Float("momentum", 0.0, 0.95, when={"optimizer": ("sgd",)}),
            Float("learning_rate", 1e-4, 1e-1, log=True),
            Categorical("schedule", ("constant", "cosine")),
            Float("weight_decay", 1e-6, 1e-1, log=True),
            Ordinal("batch", (32, 64, 128, 256)),
        )
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("rmse"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity("epochs", 1, _N_EPOCHS, is_whole=True),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        *_, (_, values) = self.curve(params, fidelity=fidelity, seed=seed)
        return values

    def curve(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> Iterator[tuple[int, dict[str, float]]]:
        n_epochs = int(paid(self.fidelities, fidelity)["epochs"])
        point = self.space.check(params)
        from bbo.problems.machine_learning.torch_network import Network

        X, y = _data()
        network = Network(point, 2 * X[:_N_TRAIN] - 1, y[:_N_TRAIN], seeding.generator(seed, seeding.NOISE))
        for epoch in range(1, n_epochs + 1):
            fall = (1 + math.cos(math.pi * (epoch - 1) / _N_EPOCHS)) / 2 if point["schedule"] == "cosine" else 1.0
            network.train(point["learning_rate"] * fall)
            error = network.predict(2 * X[_N_TRAIN:] - 1) - y[_N_TRAIN:]
            yield epoch, {"rmse": math.sqrt(float(np.mean(error**2)))}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """A training step is three passes of its batch, one forward and two backward; biases are left out."""
        widths = [10, *[params["units"]] * params["layers"], 1]
        n_weights = sum(a * b for a, b in pairwise(widths))
        return paid(self.fidelities, fidelity)["epochs"] * float((3 * _N_TRAIN + _N_TEST) * n_weights)
