"""Random forests: one that is to predict well, and one that is to predict well and fast."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bbo.objective import Maximize, Minimize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import (
    BREAST_CANCER,
    DIGITS,
    TRAINING,
    cross_validated,
    folds,
    load,
    random_state,
)
from bbo.space import Categorical, Float, Int, Space


@dataclass(frozen=True)
class RandomForestBreastCancer:
    """Random forest on breast cancer, 7 hyperparameters: log loss of the diagnosis."""

    card: ClassVar[Card] = replace(BREAST_CANCER, noise=TRAINING)

    space: ClassVar[Space] = Space(
        (
            Int("n_estimators", 10, 100, log=True),
            Int("max_depth", 1, 20, log=True),
            Int("min_samples_leaf", 1, 50, log=True),
            Float("max_features", 0.05, 1.0),
            Float("max_samples", 0.1, 1.0),
            Categorical("criterion", ("gini", "entropy")),
            Categorical("class_weight", (None, "balanced")),
        )
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("log_loss"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = load("breast_cancer")
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(**point, n_jobs=1, random_state=random_state(seed))
        return {"log_loss": -cross_validated(model, X, y, "neg_log_loss")}


@dataclass(frozen=True)
class ForestDigitsNodes:
    """Random forest on handwritten digits, 6 hyperparameters: accuracy against what a prediction costs.

    The cost is counted, not timed: the nodes that an image passes, leaves included, over all trees, in the mean.
    """

    card: ClassVar[Card] = replace(DIGITS, noise=TRAINING)
    space: ClassVar[Space] = Space(
        (
            Int("n_estimators", 1, 60, log=True),
            Int("max_leaf_nodes", 2, 300, log=True),
            Float("max_features", 0.02, 1.0, log=True),
            Float("max_samples", 0.1, 1.0),
            Categorical("criterion", ("gini", "entropy")),
            Categorical("splitter", ("best", "random")),
        )
    )
    objectives: ClassVar[tuple[Maximize | Minimize, ...]] = (Maximize("accuracy"), Minimize("nodes"))

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = load("digits")
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        kind = {"best": RandomForestClassifier, "random": ExtraTreesClassifier}[point.pop("splitter")]
        accuracies, nodes = [], []
        for train, test in folds(X, y):
            model = kind(**point, bootstrap=True, n_jobs=1, random_state=random_state(seed)).fit(X[train], y[train])
            accuracies.append(model.score(X[test], y[test]))
            passed, _ = model.decision_path(X[test])
            nodes.append(passed.sum() / len(test))
        return {"accuracy": float(np.mean(accuracies)), "nodes": float(np.mean(nodes))}
