"""Hyperparameters of scikit-learn estimators, cross-validated on data sets that come with scikit-learn.

The folds are fixed; the seed is the estimator's `random_state`, so repeated evaluations with other seeds differ by the
noise of training. No best value is known. Values depend on the versions of scikit-learn and numpy, in the last digits
on the processor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from bbo.objective import Maximize, Minimize
from bbo.problems.card import Card
from bbo.space import Categorical, Float, Int, Ordinal, Space

_N_FOLDS = 3


_TRAINING = "the estimator's own draws"
_DIGITS_SOURCE = "Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998)"
_DIGITS_DOI, _DIGITS_LICENCE = "10.24432/C50P49", "CC BY 4.0"
_DIGITS_SIZE = "1797 images of 8 x 8, 10 classes"


@cache
def _data(name: str) -> tuple[Any, Any]:
    """Inputs, `n x d`, and targets, `n`.

    Raises:
        ImportError: scikit-learn is not installed; says how to install it.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "The problems of machine learning need scikit-learn, which is not installed: pip install 'bbo[sklearn]'"
        ) from error
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def _cross_validated(estimator: Any, X: Any, y: Any, scoring: str) -> float:
    """Mean over the folds of scikit-learn's `scoring`, which is the better the greater."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

    kind = StratifiedKFold if is_classifier(estimator) else KFold
    folds = kind(_N_FOLDS, shuffle=True, random_state=0)
    return float(np.mean(cross_val_score(estimator, X, y, cv=folds, scoring=scoring, n_jobs=1, error_score="raise")))


def _random_state(seed: int) -> int:
    """scikit-learn takes 32 bits."""
    return seed % 2**32


@dataclass(frozen=True)
class GradientBoostingDiabetes:
    """Gradient boosting on diabetes, 7 hyperparameters: root mean squared error of the disease's progression."""

    card: ClassVar[Card] = Card(
        'Efron, Hastie, Johnstone & Tibshirani, "Least angle regression", Annals of Statistics 32 (2004)',
        doi="10.1214/009053604000000067",
        licence="not stated; the data come with scikit-learn",
        size="442 rows, 10 columns",
        noise=_TRAINING,
    )

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
        X, y = _data("diabetes")
        from sklearn.ensemble import GradientBoostingRegressor

        model = GradientBoostingRegressor(**point, random_state=_random_state(seed))
        return {"rmse": -_cross_validated(model, X, y, "neg_root_mean_squared_error")}


@dataclass(frozen=True)
class RandomForestBreastCancer:
    """Random forest on breast cancer, 7 hyperparameters: log loss of the diagnosis."""

    card: ClassVar[Card] = Card(
        "Wolberg, Mangasarian, Street & Street, Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository "
        "(1995)",
        doi="10.24432/C5DW2B",
        licence="CC BY 4.0",
        size="569 rows, 30 columns, 2 classes",
        noise=_TRAINING,
    )

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
        X, y = _data("breast_cancer")
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(**point, n_jobs=1, random_state=_random_state(seed))
        return {"log_loss": -_cross_validated(model, X, y, "neg_log_loss")}


@dataclass(frozen=True)
class SVMDigits:
    """Support vector machine on handwritten digits, 5 hyperparameters: accuracy; without noise.

    `gamma` says nothing to the linear kernel, `degree` only something to the polynomial one.
    """

    card: ClassVar[Card] = Card(
        _DIGITS_SOURCE,
        doi=_DIGITS_DOI,
        licence=_DIGITS_LICENCE,
        size=_DIGITS_SIZE,
        remarks=("Accuracies are shares of 1797 images: many points have the same.",),
    )

    space: ClassVar[Space] = Space(
        (
            Float("C", 1e-3, 1e3, log=True),
            Float("gamma", 1e-5, 10.0, log=True),
            Categorical("kernel", ("linear", "poly", "rbf", "sigmoid")),
            Int("degree", 2, 5),
            Float("coef0", 0.0, 1.0),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("accuracy"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = _data("digits")
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        # Without probabilities the seed changes nothing, but without a seed SVC draws from the global generator.
        model = SVC(**point, random_state=_random_state(seed))
        return {"accuracy": _cross_validated(make_pipeline(StandardScaler(), model), X, y, "accuracy")}


@dataclass(frozen=True)
class MLPDigits:
    """Neural network on handwritten digits, 7 hyperparameters: log loss after training by Adam."""

    card: ClassVar[Card] = Card(
        _DIGITS_SOURCE, doi=_DIGITS_DOI, licence=_DIGITS_LICENCE, size=_DIGITS_SIZE, noise=_TRAINING
    )

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
        X, y = _data("digits")
        from sklearn.metrics import log_loss
        from sklearn.model_selection import StratifiedKFold
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        losses = []
        for train, test in StratifiedKFold(_N_FOLDS, shuffle=True, random_state=0).split(X, y):
            scaler = StandardScaler().fit(X[train])
            model = MLPClassifier(
                (point["units"],) * point["layers"],
                activation=point["activation"],
                learning_rate_init=point["learning_rate"],
                alpha=point["weight_decay"],
                batch_size=point["batch"],
                # An int would start each epoch with the same shuffle.
                random_state=np.random.RandomState(_random_state(seed)),
            )
            # fit() warns when it ends before convergence; the number of epochs is ours to choose here.
            for _ in range(point["epochs"]):
                model.partial_fit(scaler.transform(X[train]), y[train], classes=np.unique(y))
            losses.append(log_loss(y[test], model.predict_proba(scaler.transform(X[test]))))
        return {"log_loss": float(np.mean(losses))}
