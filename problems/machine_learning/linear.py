"""A linear classifier, trained epoch by epoch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bbo.fidelity import Fidelity, paid
from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import DIGITS, TRAINING, folds, load, random_state
from bbo.space import Categorical, Float, Space


@dataclass(frozen=True)
class SGDDigits:
    """Linear classifier of handwritten digits by stochastic gradients, 8 hyperparameters: accuracy after 20 epochs."""

    card: ClassVar[Card] = replace(DIGITS, noise=TRAINING, cost_unit="epochs")
    space: ClassVar[Space] = Space(
        (
            Categorical("loss", ("hinge", "log_loss", "perceptron")),
            Categorical("penalty", ("l1", "l2", "elasticnet")),
            Float("l1_ratio", 0.0, 1.0, when={"penalty": ("elasticnet",)}),
            Float("alpha", 1e-6, 1e-1, log=True),
            Categorical("learning_rate", ("constant", "invscaling", "optimal")),
            Float("eta0", 1e-4, 1.0, log=True, when={"learning_rate": ("constant", "invscaling")}),
            Float("power_t", 0.1, 0.9, when={"learning_rate": ("invscaling",)}),
            # Under a penalty with l1 the averaged weights of scikit-learn 1.9.1 are useless: accuracies of 0 were seen.
            Categorical("average", (False, True), when={"penalty": ("l2",)}),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("accuracy"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity("epochs", 1, 20, is_whole=True),)

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
        X, y = load("digits")
        from sklearn.linear_model import SGDClassifier
        from sklearn.preprocessing import StandardScaler

        parts = []
        for train, test in folds(X, y):
            scaler = StandardScaler().fit(X[train])
            # An int would start each epoch with the same shuffle.
            model = SGDClassifier(**point, random_state=np.random.RandomState(random_state(seed)))
            parts.append((model, scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test]))
        for epoch in range(1, n_epochs + 1):
            for model, X_train, y_train, _, _ in parts:
                model.partial_fit(X_train, y_train, classes=np.arange(10))
            yield epoch, {"accuracy": float(np.mean([m.score(X_test, y_test) for m, _, _, X_test, y_test in parts]))}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return paid(self.fidelities, fidelity)["epochs"]
