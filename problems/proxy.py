"""A model of recorded trials as a problem, where the experiment itself is slow or gone.

After Krishnan et al., "ArchGym: an open-source gymnasium for machine learning assisted architecture design", ISCA 2023,
doi:10.1145/3579371.3589049, whose proxies are random forests on the logs of a simulator. Here they are extremely
randomized trees, which vary more smoothly between the trials: Geurts, Ernst & Wehenkel, Machine Learning 63 (2006),
doi:10.1007/s10994-006-6226-1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbo.fidelity import paid
from bbo.history import History
from bbo.objective import Objective, Objectives, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.space import Params, Space

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
_N_FOLDS = 5
# A proxy needs so many points, and so many for each parameter.
_FEWEST, _FEWEST_EACH = 20, 2


@dataclass(frozen=True)
class Error:
    """How far a proxy is from trials that it had not seen, by cross-validation in five folds.

    Args:
        r2: share of the variance that it explains; NaN where all values are the same.
        rmse: root mean squared error, the noise of the trials included, in the metric's units.
    """

    r2: float
    rmse: float


@dataclass(frozen=True)
class Proxy:
    """A problem made of a study's trials: for each metric a model of what they gave, without noise.

    `Proxy.of_history(study.history)` and `Proxy.of_frame(space, objectives, frame)` make one of a study or a table.
    `errors` says how far it can be trusted, and its card says it in words.

    Args:
        params: of each trial, a point of the space; values of trials at one point are averaged.
        values: of each trial, by metric; all metrics are needed.
        model: a regressor of scikit-learn's, fitted anew for each metric; extremely randomized trees when None.
        source: where the trials come from, for the card.
    Raises:
        ValueError: too few points, or a trial without a finite value of each metric.
        SpaceError: params outside the space.
    """

    space: Space
    objectives: Sequence[Objective | OutcomeConstraint | Tracked]
    params: Sequence[Mapping[str, Any]] = field(repr=False)
    values: Sequence[Mapping[str, float]] = field(repr=False)
    model: Any = field(default=None, kw_only=True)
    source: str = field(default="trials of a study", kw_only=True)

    def __post_init__(self) -> None:
        if len(self.params) != len(self.values):
            raise ValueError(
                f"A proxy has params and values of each trial: got {len(self.params)}, {len(self.values)}."
            )
        for k, values in enumerate(self.values):
            if not _is_complete(values, self._metrics):
                raise ValueError(f"Trial {k} needs a finite value of each of {self._metrics}: got {dict(values)!r}.")
        fewest = max(_FEWEST, _FEWEST_EACH * len(self.space.names))
        n = len(self._observed[0])
        if n < fewest:
            raise ValueError(
                f"A proxy of {n} different points would be a guess: with {len(self.space.names)} parameters it needs "
                f"{fewest} or more."
            )

    @classmethod
    def of_history(cls, history: History, *, model: Any = None, source: str = "trials of a study") -> "Proxy":
        """Of the completed trials of a study; without metrics that are only tracked, and without trials that were
        executed at no point of the space."""
        space, metrics = history.space.unfixed, history.objectives.required
        X, V = history.X[history.is_completed], history.V[history.is_completed]
        points = space.decode(X)
        is_there = (np.abs(space.encode(points) - X) <= space.same).all(axis=1)
        columns = [history.objectives.metrics.index(metric) for metric in metrics]
        kept = [k for k in np.flatnonzero(is_there & np.isfinite(V[:, columns]).all(axis=1)) if points[k] in space]
        wanted = tuple(w for w in history.objectives.wanted if not isinstance(w, Tracked))
        values = [dict(zip(metrics, V[k, columns].tolist(), strict=True)) for k in kept]
        return cls(space.unframed, wanted, [points[k] for k in kept], values, model=model, source=source)

    @classmethod
    def of_frame(
        cls,
        space: Space,
        objectives: Sequence[Objective | OutcomeConstraint | Tracked],
        frame: "pd.DataFrame",
        *,
        model: Any = None,
        source: str = "a table of trials",
    ) -> "Proxy":
        """Of a pandas table with a column for each parameter, or part of one, and for each metric, such as
        `study.frame()`; without the rows that have no value of some metric.

        Raises:
            ValueError: a column is missing.
        """
        metrics = Objectives(tuple(objectives)).metrics
        missing = [name for name in (*space.cells, *metrics) if name not in frame.columns]
        if missing:
            raise ValueError(f"The table has the columns {list(frame.columns)}: {missing} are missing.")
        rows = [row for row in frame.to_dict("records") if _is_complete(row, metrics)]
        params = [_point(space, row) for row in rows]
        values = [{metric: float(row[metric]) for metric in metrics} for row in rows]
        return cls(space, tuple(objectives), params, values, model=model, source=source)

    @property
    def _metrics(self) -> tuple[str, ...]:
        return Objectives(tuple(self.objectives)).metrics

    @cached_property
    def _observed(self) -> tuple[Array, Array]:
        """Features of the different points, `n x k`, and the mean values there, `n x m`."""
        features = self._features([self.space.check(params) for params in self.params])
        V = np.array([[values[metric] for metric in self._metrics] for values in self.values])
        by_point: dict[bytes, list[int]] = {}
        for k, row in enumerate(features):
            by_point.setdefault(row.tobytes(), []).append(k)
        places = list(by_point.values())
        at = [each[0] for each in places]
        return features[at], np.array([V[each].mean(axis=0) for each in places]).reshape(-1, len(self._metrics))

    def _features(self, points: Sequence[Params]) -> Array:
        """Positions in the cube, with a column of zeros and ones for each choice."""
        U = self.space.encode(points)
        columns = []
        for j, u in enumerate(U.T):
            n = self.space.categorical.get(j)
            columns.append(u[:, None] if n is None else np.floor(u * n)[:, None] == np.arange(n))
        return np.concatenate(columns, axis=1).astype(np.float64)

    def _new_model(self) -> Any:
        try:
            from sklearn.base import clone
        except ImportError as error:
            raise ImportError(
                "A proxy needs scikit-learn, which is not installed: pip install 'bbo[sklearn]'"
            ) from error
        return _Trees() if self.model is None else clone(self.model)

    @cached_property
    def _models(self) -> tuple[Any, ...]:
        F, V = self._observed
        return tuple(self._new_model().fit(F, v) for v in V.T)

    @cached_property
    def errors(self) -> dict[str, Error]:
        """By metric."""
        F, V = self._observed
        fold_of = np.random.default_rng(0).permutation(len(F)) % _N_FOLDS
        found = {}
        for metric, v in zip(self._metrics, V.T, strict=True):
            residuals = np.empty(len(v))
            for k in range(_N_FOLDS):
                is_out = fold_of == k
                residuals[is_out] = v[is_out] - self._new_model().fit(F[~is_out], v[~is_out]).predict(F[is_out])
            variance = float(np.var(v))
            mse = float(np.mean(residuals**2))
            found[metric] = Error(1 - mse / variance if variance > 0 else float("nan"), mse**0.5)
        return found

    @property
    def card(self) -> Card:
        """With the error of each metric."""
        V = self._observed[1]
        said = (
            f"{metric}, {v.min():.4g} to {v.max():.4g}: R2 {error.r2:.2f}, root mean squared error {error.rmse:.3g}"
            for (metric, error), v in zip(self.errors.items(), V.T, strict=True)
        )
        return Card(
            source=self.source,
            size=f"{len(self.params)} trials at {len(V)} points",
            remarks=(
                f"A model of these trials, cross-validated in {_N_FOLDS} folds: {'; '.join(said)}.",
                "The errors are those among points such as the study tried; far from these it says little. It is "
                "without noise: Noisy(proxy, sd=...) adds some.",
            ),
        )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        paid((), fidelity)
        features = self._features([self.space.check(params)])
        return {m: float(fitted.predict(features)[0]) for m, fitted in zip(self._metrics, self._models, strict=True)}


class _Trees:
    """Extremely randomized trees, asked one after the other: for one point that is 20 times as fast as by
    scikit-learn's own loop over them."""

    def fit(self, F: Array, v: Array) -> "_Trees":
        from sklearn.ensemble import ExtraTreesRegressor

        self._trees = [fitted.tree_ for fitted in ExtraTreesRegressor(random_state=0).fit(F, v).estimators_]
        return self

    def predict(self, F: Array) -> Array:
        x = F.astype(np.float32)
        return np.asarray(np.mean([tree.predict(x)[:, 0] for tree in self._trees], axis=0))


def _is_complete(values: Mapping[Any, Any], metrics: Sequence[str]) -> bool:
    return all(values.get(metric) is not None and np.isfinite(float(values[metric])) for metric in metrics)


def _point(space: Space, row: Mapping[Any, Any]) -> Params:
    """The point of a row; where a parameter is under a condition, an empty cell says that it is not there."""
    there = {}
    for p in space.parameters:
        for cell in p.cells:
            value = row[cell.name]
            if value == value and not (value is None and p.when):
                there[cell.name] = cell.parse(value)
    return space.gathered(there)
