"""A pipeline whose steps are chosen: which hyperparameters there are depends on the choices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import BREAST_CANCER, TRAINING, cross_validated, load, random_state
from bbo.space import Categorical, Float, Int, Params, Space


@dataclass(frozen=True)
class PipelineBreastCancer:
    """Scaling, reduction and one of three models on breast cancer, 14 hyperparameters, most of them conditional.

    The metric is the area under the receiver operating characteristic.
    """

    card: ClassVar[Card] = replace(
        BREAST_CANCER,
        noise=f"{TRAINING}; there are none but with a forest",
        remarks=(
            'Choice of algorithm and hyperparameters together: Thornton, Hutter, Hoos & Leyton-Brown, "Auto-WEKA", KDD '
            "2013.",
        ),
    )
    space: ClassVar[Space] = Space(
        (
            Categorical("scaler", ("standard", "robust", "min-max", "quantile")),
            Categorical("reduction", ("none", "pca")),
            Int("components", 1, 30, when={"reduction": ("pca",)}),
            Categorical("model", ("svm", "neighbors", "forest")),
            Float("C", 1e-3, 100.0, log=True, when={"model": ("svm",)}),
            Categorical("kernel", ("linear", "poly", "rbf"), when={"model": ("svm",)}),
            Float("gamma", 1e-4, 10.0, log=True, when={"kernel": ("poly", "rbf")}),
            Int("degree", 2, 4, when={"kernel": ("poly",)}),
            Int("neighbors", 1, 50, log=True, when={"model": ("neighbors",)}),
            Categorical("weights", ("uniform", "distance"), when={"model": ("neighbors",)}),
            Float("p", 1.0, 4.0, when={"model": ("neighbors",)}),
            Int("trees", 5, 100, log=True, when={"model": ("forest",)}),
            Int("leaf", 1, 50, log=True, when={"model": ("forest",)}),
            Float("features", 0.05, 1.0, when={"model": ("forest",)}),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("roc_auc"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        X, y = load("breast_cancer")
        from sklearn.pipeline import make_pipeline

        pipeline = make_pipeline(_scaler(point), _reduction(point, seed), _model(point, seed))
        return {"roc_auc": cross_validated(pipeline, X, y, "roc_auc")}


def _scaler(point: Params) -> Any:
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

    return {
        "standard": StandardScaler(),
        "robust": RobustScaler(),
        "min-max": MinMaxScaler(),
        "quantile": QuantileTransformer(n_quantiles=100, random_state=0),
    }[point["scaler"]]


def _reduction(point: Params, seed: int) -> Any:
    from sklearn.decomposition import PCA

    if point["reduction"] == "none":
        return "passthrough"
    return PCA(point["components"], svd_solver="full", random_state=random_state(seed))


def _model(point: Params, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    state = random_state(seed)
    if point["model"] == "neighbors":
        return KNeighborsClassifier(point["neighbors"], weights=point["weights"], p=point["p"])
    if point["model"] == "forest":
        return RandomForestClassifier(
            point["trees"], min_samples_leaf=point["leaf"], max_features=point["features"], random_state=state
        )
    own = {name: point[name] for name in ("C", "kernel", "gamma", "degree") if name in point}
    return SVC(**own, random_state=state)
