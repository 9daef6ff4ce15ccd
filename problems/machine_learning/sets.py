"""The data sets that come with scikit-learn, what is known of them, and folds of them that are always the same."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from bbo.problems.card import Card

_N_FOLDS = 3

TRAINING = "the estimator's own draws"
BREAST_CANCER = Card(
    "Wolberg, Mangasarian, Street & Street, Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository "
    "(1995)",
    doi="10.24432/C5DW2B",
    licence="CC BY 4.0",
    size="569 rows, 30 columns, 2 classes",
)
DIABETES = Card(
    'Efron, Hastie, Johnstone & Tibshirani, "Least angle regression", Annals of Statistics 32 (2004)',
    doi="10.1214/009053604000000067",
    licence="not stated; the data come with scikit-learn",
    size="442 rows, 10 columns",
)
DIGITS = Card(
    "Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998)",
    doi="10.24432/C50P49",
    licence="CC BY 4.0",
    size="1797 images of 8 x 8, 10 classes",
)


def require_sklearn() -> None:
    """Raises ImportError where scikit-learn is not installed, and says how to install it."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The problems of machine learning need scikit-learn, which is not installed: pip install 'bbo[sklearn]'"
        ) from error


@cache
def load(name: str) -> tuple[Any, Any]:
    """Inputs, `n x d`, and targets, `n`.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    require_sklearn()
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def folds(X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    """Rows to train on and rows to test on, of each fold; every class has its share in each."""
    from sklearn.model_selection import StratifiedKFold

    yield from StratifiedKFold(_N_FOLDS, shuffle=True, random_state=0).split(X, y)


def cross_validated(estimator: Any, X: Any, y: Any, scoring: str) -> float:
    """Mean over the folds of scikit-learn's `scoring`, which is the better the greater."""
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, cross_val_score

    cv = list(folds(X, y)) if is_classifier(estimator) else KFold(_N_FOLDS, shuffle=True, random_state=0)
    return float(np.mean(cross_val_score(estimator, X, y, cv=cv, scoring=scoring, n_jobs=1, error_score="raise")))


def random_state(seed: int) -> int:
    """scikit-learn takes 32 bits."""
    return seed % 2**32
