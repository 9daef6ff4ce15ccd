"""Problems on spaces that real work has: many categories, a sparse mixture under constraints, a tree of conditions.

Each is a function of its seed, to be minimized, and without noise. The best value is known by construction, but of
models on data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bbo.objective import Minimize
from bbo.space import Categorical, Float, Int, Linear, Simplex, Space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ManyCategories:
    """Choices whose effects depend on one another: `sum_i a_i[x_i] + sum_{i > 0} B_i[x_p(i), x_i]`.

    Effects and interactions are standard normal; p(i) is a choice before i at random, so that the interactions make a
    tree and the best of all combinations is found by dynamic programming.
    """

    seed: int
    n: int = 15
    n_levels: int = 6
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("cost"),)

    @cached_property
    def space(self) -> Space:
        return Space([Categorical(f"x{i}", [f"c{k}" for k in range(self.n_levels)]) for i in range(self.n)])

    @cached_property
    def _tables(self) -> tuple[Array, Array, list[int]]:
        """Effects, `n x L`; interactions, `n x L x L`, the first of no use; p."""
        rng = np.random.default_rng([self.seed, 15])
        effects = rng.standard_normal((self.n, self.n_levels))
        interactions = rng.standard_normal((self.n, self.n_levels, self.n_levels))
        return effects, interactions, [0, *(int(rng.integers(i)) for i in range(1, self.n))]

    @cached_property
    def best_value(self) -> float:
        effects, interactions, before = self._tables
        best = effects.copy()  # of a choice and all that hang on it, by its level
        for i in range(self.n - 1, 0, -1):
            best[before[i]] += (interactions[i] + best[i]).min(1)
        return float(best[0].min())

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        x = [int(value[1:]) for value in self.space.check(params).values()]
        effects, interactions, before = self._tables
        total = sum(effects[i, k] for i, k in enumerate(x))
        total += sum(interactions[i, x[before[i]], x[i]] for i in range(1, self.n))
        return {"cost": float(total)}


_N_PARTS, _MOST_PARTS, _N_PROPERTIES, _N_GROUP = 20, 5, 8, 6


@dataclass(frozen=True)
class SparseMixture:
    """A formulation of at most 5 of 20 parts that is to have the properties of a product.

    Property k of the amounts x is `p_k x + sum_ij Q_kij x_i x_j`: parts blend linearly but for what pairs of them do to
    each other. The mismatch is the mean over 8 properties of the squared distance from the product's, in standard
    deviations over mixtures of 5 parts at random. The product has 5 parts and satisfies the constraints, so the least
    mismatch is 0: its price is the most that is allowed, its density lies in the range, and a fifth less of the first
    six parts would do.
    """

    seed: int
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("mismatch"),)
    best_value: ClassVar[float] = 0.0

    @cached_property
    def _made(self) -> tuple[Array, Array, Array, Array, Array, Array]:
        """Product; p, `8 x 20`; Q, `8 x 20 x 20`; standard deviations; prices and densities of parts."""
        rng = np.random.default_rng([self.seed, 20])
        inside, outside = (
            rng.choice(_N_GROUP, 2, replace=False),
            rng.choice(np.arange(_N_GROUP, _N_PARTS), _MOST_PARTS - 2, replace=False),
        )
        product = np.zeros(_N_PARTS)
        product[[*inside, *outside]] = 0.05 + 0.75 * rng.dirichlet(np.ones(_MOST_PARTS))
        linear = rng.standard_normal((_N_PROPERTIES, _N_PARTS))
        pairs = 0.5 * rng.standard_normal((_N_PROPERTIES, _N_PARTS, _N_PARTS))
        others = np.zeros((500, _N_PARTS))
        for row in others:
            row[rng.choice(_N_PARTS, _MOST_PARTS, replace=False)] = rng.dirichlet(np.ones(_MOST_PARTS))
        sd = np.std([_properties(linear, pairs, row) for row in others], axis=0)
        return product, linear, pairs, sd, rng.uniform(1.0, 10.0, _N_PARTS), rng.uniform(0.8, 1.6, _N_PARTS)

    @cached_property
    def optimum(self) -> dict[str, float]:
        return dict(zip(self._parts, self._made[0].tolist(), strict=True))

    @property
    def _parts(self) -> list[str]:
        return [f"p{k + 1}" for k in range(_N_PARTS)]

    @cached_property
    def space(self) -> Space:
        product, *_, price, density = self._made
        names = [f"mix.{part}" for part in self._parts]
        mean = float(product @ density)
        return Space(
            [Simplex("mix", self._parts, max_parts=_MOST_PARTS)],
            [
                Linear(dict(zip(names, price.tolist(), strict=True)), upper=float(product @ price)),
                Linear(dict(zip(names, density.tolist(), strict=True)), lower=mean - 0.05, upper=mean + 0.05),
                Linear(dict.fromkeys(names[:_N_GROUP], 1.0), lower=0.8 * float(product[:_N_GROUP].sum())),
            ],
        )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        product, linear, pairs, sd, *_ = self._made
        amounts = np.array(list(self.space.check(params)["mix"].values()))
        gap = (_properties(linear, pairs, amounts) - _properties(linear, pairs, product)) / sd
        return {"mismatch": float((gap * gap).mean())}


def _properties(linear: Array, pairs: Array, x: Array) -> Array:
    values: Array = linear @ x + x @ pairs @ x
    return values


# A choice of model with its own hyperparameters, one of which has one of its own.
_MODELS = Space(
    [
        Categorical("model", ["svm", "forest", "knn"]),
        Categorical("kernel", ["linear", "rbf"], when={"model": ["svm"]}),
        Float("C", 1e-3, 1e3, log=True, when={"model": ["svm"]}),
        Float("gamma", 1e-5, 10.0, log=True, when={"kernel": ["rbf"]}),
        Int("depth", 1, 32, log=True, when={"model": ["forest"]}),
        Int("neighbours", 1, 64, log=True, when={"model": ["knn"]}),
    ]
)


@dataclass(frozen=True)
class ModelChoice:
    """An error rate in the shape of those of real models: every branch has a valley of its own and its own floor.

    The support vector machine with an rbf kernel has a narrow slanted valley in log C and log gamma, away from which
    its error is that of guessing; the linear one a wide valley in log C; forests are better the deeper they are, up to
    a depth; neighbours have a wide valley. Where valleys lie and how deep they are is the seed's; rbf is the best
    branch in about two of three seeds, the forest in most others.
    """

    seed: int
    space: ClassVar[Space] = _MODELS
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("error"),)

    @cached_property
    def _made(self) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, 6])
        floors = {"rbf": (0.01, 0.09), "linear": (0.06, 0.12), "forest": (0.04, 0.10), "knn": (0.05, 0.12)}
        made = {name: float(rng.uniform(*ends)) for name, ends in floors.items()}
        made |= {f"{name} at": float(rng.uniform(0.25, 0.75)) for name in ("C", "gamma", "linear C")}
        return made | {"depth at": int(rng.integers(5, 21)), "neighbours at": int(rng.integers(2, 25))}

    @property
    def best_value(self) -> float:
        return min(self._made[name] for name in ("rbf", "linear", "forest", "knn"))

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point, made = self.space.check(params), self._made
        if point["model"] == "forest":
            lacks = np.log2(point["depth"] / made["depth at"])
            return {"error": made["forest"] + (0.02 if lacks < 0 else 0.005) * float(lacks * lacks)}
        if point["model"] == "knn":
            off = np.log2(point["neighbours"] / made["neighbours at"])
            return {"error": made["knn"] + 0.006 * float(off * off)}
        c = (np.log10(point["C"]) + 3) / 6
        if point["kernel"] == "linear":
            off = (c - made["linear C at"]) / 0.3
            return {"error": made["linear"] + 0.2 * float(1 - np.exp(-off * off / 2))}
        u, v = (c - made["C at"]) / 0.2, ((np.log10(point["gamma"]) + 5) / 6 - made["gamma at"]) / 0.12
        return {"error": made["rbf"] + 0.4 * float(1 - np.exp(-(u * u + 1.2 * u * v + v * v) / 2))}


@cache
def _diabetes() -> tuple[Any, Any]:
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)


@dataclass(frozen=True)
class ModelChoiceDiabetes:
    """scikit-learn on diabetes: root mean squared error over 3 folds, which are the seed's; no best value is known."""

    seed: int
    space: ClassVar[Space] = _MODELS
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("rmse"),)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.model_selection import KFold, cross_val_score
        from sklearn.neighbors import KNeighborsRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVR

        point = self.space.check(params)
        X, y = _diabetes()
        if point["model"] == "forest":
            model = RandomForestRegressor(20, max_depth=point["depth"], random_state=self.seed)
        elif point["model"] == "knn":
            model = KNeighborsRegressor(point["neighbours"])
        else:
            model = SVR(kernel=point["kernel"], C=point["C"], gamma=point.get("gamma", "scale"))
        folds = KFold(3, shuffle=True, random_state=self.seed)
        scaled = make_pipeline(StandardScaler(), model)
        scores = cross_val_score(scaled, X, y, cv=folds, scoring="neg_root_mean_squared_error", error_score="raise")
        return {"rmse": float(-scores.mean())}
