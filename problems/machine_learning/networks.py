"""Networks of scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import DIGITS, TRAINING, folds, load, random_state
from bbo.space import Categorical, Float, Int, Ordinal, Space


@dataclass(frozen=True)
class MLPDigits:
    """Neural network on handwritten digits, 7 hyperparameters: log loss after training by Adam."""

    card: ClassVar[Card] = replace(DIGITS, noise=TRAINING)

    space: ClassVar[Space] = Space(
        (
            Ordinal("units", (8, 16, 32, 64, 128)),
            Int("layers", 1, 3),
            Categorical("activation", ("relu", "tanh", "logistic")),
            Float("learning_rate", 1e-4, 1e-1, log=True),
            Float("weight_decay", 1e-6, 1.0, log=True),
            Ordinal("batch", (32, 64, 128, 256)),
            Int("epochs", 2, 12),
        )
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("log_loss"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = load("digits")
        from sklearn.metrics import log_loss
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        losses = []
        for train, test in folds(X, y):
            scaler = StandardScaler().fit(X[train])
            model = MLPClassifier(
                (point["units"],) * point["layers"],
                activation=point["activation"],
                learning_rate_init=point["learning_rate"],
                alpha=point["weight_decay"],
                batch_size=point["batch"],
                # An int would start each epoch with the same shuffle.
                random_state=np.random.RandomState(random_state(seed)),
            )
            # fit() warns when it ends before convergence; the number of epochs is ours to choose here.
            for _ in range(point["epochs"]):
                model.partial_fit(scaler.transform(X[train]), y[train], classes=np.unique(y))
            losses.append(log_loss(y[test], model.predict_proba(scaler.transform(X[test]))))
        return {"log_loss": float(np.mean(losses))}
