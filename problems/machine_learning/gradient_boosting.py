"""Gradient boosting: of few rows, and of as many as one pays for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from bbo import seeding
from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import (
    DIABETES,
    TRAINING,
    cross_validated,
    load,
    random_state,
    require_sklearn,
)
from bbo.space import Categorical, Float, Int, Space


@dataclass(frozen=True)
class GradientBoostingDiabetes:
    """Gradient boosting on diabetes, 7 hyperparameters: root mean squared error of the disease's progression."""

    card: ClassVar[Card] = replace(DIABETES, noise=TRAINING)

    space: ClassVar[Space] = Space(
        (
            Float("learning_rate", 0.005, 1.0, log=True),
            Int("n_estimators", 10, 150, log=True),
            Int("max_depth", 1, 5),
            Int("min_samples_leaf", 1, 50, log=True),
            Float("subsample", 0.3, 1.0),
            Float("max_features", 0.1, 1.0),
            Categorical("loss", ("squared_error", "absolute_error", "huber")),
        )
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("rmse"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = load("diabetes")
        from sklearn.ensemble import GradientBoostingRegressor

        model = GradientBoostingRegressor(**point, random_state=random_state(seed))
        return {"rmse": -cross_validated(model, X, y, "neg_root_mean_squared_error")}


@cache
def _clusters() -> tuple[Any, Any]:
    """Inputs, `12000 x 20`, and classes, `12000`."""
    from sklearn.datasets import make_classification

    X, y = make_classification(
        12_000, 20, n_informative=8, n_redundant=4, n_clusters_per_class=8, flip_y=0.05, class_sep=0.8, random_state=0
    )
    return X, y


@dataclass(frozen=True)
class GradientBoostingRows:
    """Gradient boosting of clusters of two classes, 6 hyperparameters: log loss; fewer rows to train on are cheaper.

    As many of 8000 rows as the fidelity says are trained on; the loss is of 4000 others.
    """

    card: ClassVar[Card] = Card(
        'Guyon, "Design of experiments for the NIPS 2003 variable selection benchmark" (2003), as in scikit-learn\'s '
        "make_classification",
        size="12000 rows, 20 columns of which 8 are redundant or tell nothing, 2 classes in 8 clusters each",
        noise="which rows are trained on",
        cost_unit="rows times trees",
        remarks=(
            'Subsets of the data as fidelity: Klein, Falkner, Bartels, Hennig & Hutter, "Fast Bayesian optimization of '
            'machine learning hyperparameters on large datasets", AISTATS 2017.',
            "One label in 40 is wrong.",
        ),
    )
    space: ClassVar[Space] = Space(
        (
            Float("learning_rate", 0.01, 1.0, log=True),
            Int("max_iter", 10, 100, log=True),
            Int("max_leaf_nodes", 2, 64, log=True),
            Int("min_samples_leaf", 1, 100, log=True),
            Float("l2_regularization", 1e-3, 100.0, log=True),
            Float("max_features", 0.1, 1.0),
        )
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("log_loss"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity("rows", 100, 4000, is_whole=True),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        n_rows = int(paid(self.fidelities, fidelity)["rows"])
        point = self.space.check(params)
        require_sklearn()
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import log_loss
        from threadpoolctl import threadpool_limits

        X, y = _clusters()
        # A subset of fewer rows is the beginning of one of more.
        rows = seeding.generator(seed, seeding.NOISE).permutation(8000)[:n_rows]
        model = HistGradientBoostingClassifier(**point, early_stopping=False, random_state=random_state(seed))
        with threadpool_limits(1):
            model.fit(X[rows], y[rows])
            return {"log_loss": float(log_loss(y[8000:], model.predict_proba(X[8000:])))}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return paid(self.fidelities, fidelity)["rows"] * float(params["max_iter"])
