"""Support vector machines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.machine_learning.sets import DIGITS, cross_validated, load, random_state
from bbo.space import Categorical, Float, Int, Space


@dataclass(frozen=True)
class SVMDigits:
    """Support vector machine on handwritten digits, 5 hyperparameters: accuracy; without noise.

    `gamma` says nothing to the linear kernel, `degree` only something to the polynomial one.
    """

    card: ClassVar[Card] = replace(
        DIGITS, remarks=("Accuracies are shares of 1797 images: many points have the same.",)
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
        X, y = load("digits")
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        # Without probabilities the seed changes nothing, but without a seed SVC draws from the global generator.
        model = SVC(**point, random_state=random_state(seed))
        return {"accuracy": cross_validated(make_pipeline(StandardScaler(), model), X, y, "accuracy")}
