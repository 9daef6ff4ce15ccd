"""BBOSearchCV: hyperparameters of scikit-learn's estimators and pipelines, by cross-validation.

It is used as `GridSearchCV` is, of which it has all that is not about the choice of points.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection._search import BaseSearchCV  # what every search of scikit-learn's is made of
from sklearn.utils import check_random_state

from bbo.errors import SpaceError, SpaceExhaustedError
from bbo.objective import Maximize, Tracked
from bbo.protocols import Strategy
from bbo.space import Parameter, Params, Space
from bbo.storage import MemoryStorage
from bbo.studies import specification
from bbo.studies.study import Study
from bbo.trial import Status, Trial

_SCORE = "score"
_NAME = "search"
_LARGEST_SEED = 2**31 - 1

Results = Mapping[str, Any]


class BBOSearchCV(BaseSearchCV):  # type: ignore[misc]
    """Searches a space of hyperparameters for the best mean score over the folds.

    The points depend on `random_state`, `batch_size` and the scores alone, whatever `n_jobs` is. A point whose fits
    fail in every fold is told as a failure, which the strategy learns to avoid; it is not among `cv_results_`.

    Args:
        estimator: as `GridSearchCV` takes it.
        space: parameters named as `estimator.set_params` has them, such as `Float("svc__C", 1e-3, 1e3, log=True)`.
        n_iter: how many points are tried; fewer, where the space has no more.
        batch_size: how many are chosen at once, to occupy more jobs than there are folds.
        objects: estimators to choose among, by the name of a parameter and its choice: with
            `objects={"model": {"svm": SVC(), "forest": RandomForestClassifier()}}` and a
            `Categorical("model", ["svm", "forest"])`, a `Float("svm__C", ..., when={"model": ["svm"]})` is set as
            `model__C` of the one and `Int("forest__max_depth", ...)` as `model__max_depth` of the other.
        strategy: `GP()` when None.
        scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score: as `GridSearchCV`. Of
            several scores the one that `refit` names is maximized, the others are kept.
        random_state: seeds the study.

    Attributes:
        study_: the `Study` of it, in memory; `study_.trials[k].params` are the points as the space has them.
        best_params_, best_score_, best_index_, best_estimator_, cv_results_, scorer_, n_splits_, refit_time_,
            multimetric_: as `GridSearchCV`.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        space: Space | Sequence[Parameter],
        *,
        n_iter: int = 50,
        batch_size: int = 1,
        objects: Mapping[str, Mapping[Any, Any]] | None = None,
        strategy: Strategy | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.objects = objects
        self.strategy = strategy
        self.random_state = random_state

    @property
    def study_(self) -> Study:
        """Of the last `fit`.

        Raises:
            AttributeError: nothing was fitted.
        """
        kept = self.__dict__
        if "_events" in kept:  # it was read from a file
            storage, events = MemoryStorage(), kept.pop("_events")
            storage.append(_NAME, events)
            self._study = Study.load(storage, _NAME, strategy=self.strategy, space=specification.as_space(self.space))
        if "_study" not in kept:
            raise AttributeError("This BBOSearchCV has no study yet: call fit() first.")
        return self._study

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {**super().__getstate__()}
        study = state.pop("_study", None)
        return state if study is None else state | {"_events": study.storage.events(study.name)}

    def _run_search(self, evaluate_candidates: Callable[[Iterable[Params]], Results]) -> None:
        for name in ("n_iter", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} is a whole number of at least 1: got {value!r}.")
        space = specification.as_space(self.space)
        self._check_names(space)
        seed = None
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(_LARGEST_SEED))
        steering = self._steering()
        for name in ("_study", "_events"):  # what evaluates the folds takes this object to other processes
            self.__dict__.pop(name, None)
        study = Study(space, self._objectives(steering), strategy=self.strategy, seed=seed, name=_NAME)
        n_left = int(self.n_iter)
        while n_left > 0:
            try:
                trials = study.ask(min(int(self.batch_size), n_left), wait=True)
            except SpaceExhaustedError:
                break
            n_left -= len(trials)
            self._evaluate(study, trials, steering, evaluate_candidates)
        _check_hope(study, 1)
        self._study = study

    def _evaluate(
        self,
        study: Study,
        trials: Sequence[Trial],
        steering: str,
        evaluate_candidates: Callable[[Iterable[Params]], Results],
    ) -> None:
        """Tells the study what the folds say of these trials."""
        try:
            results = evaluate_candidates([self._settings(t.params) for t in trials])
        except ValueError as error:
            # So it ends where every fit of all of them failed, be it for the point or for a mistake in the program.
            if not _ALL_FAILED.match(str(error).strip()):
                raise
            if len(trials) > 1:
                for t in trials:
                    self._evaluate(study, [t], steering, evaluate_candidates)
                return
            study.fail(trials[0], str(error).strip())
            _check_hope(study, _HOPELESS)
            return
        scores = {m: results[f"mean_test_{m}"][-len(trials) :] for m in study.objectives.metrics}
        for k, t in enumerate(trials):
            finite = {m: float(v[k]) for m, v in scores.items() if np.isfinite(v[k])}
            if steering in finite:
                study.tell(t, finite)
            else:
                study.fail(t, f"the score was {scores[steering][k]}")

    def _steering(self) -> str:
        """The score that is maximized."""
        if isinstance(self.refit, str):
            return self.refit
        if isinstance(self.scoring, (list, tuple, set, dict)):
            raise ValueError(
                f"Of several scores the one to maximize is named by refit=: got refit={self.refit!r}, "
                f"scoring={self.scoring!r}."
            )
        return _SCORE

    def _objectives(self, steering: str) -> list[Maximize | Tracked]:
        several = self.scoring if isinstance(self.scoring, (list, tuple, set, dict)) else ()
        return [Maximize(steering), *(Tracked(name) for name in sorted(several) if name != steering)]

    def _settings(self, params: Params) -> Params:
        """What `set_params` takes for a point."""
        objects = self.objects or {}
        return {
            self._setting(name): clone(objects[name][value], safe=False) if name in objects else value
            for name, value in params.items()
        }

    def _setting(self, name: str) -> str:
        """`svm__C` is `model__C`, where "svm" is an object that the parameter `model` may be."""
        label, _, rest = name.partition("__")
        steps = [step for step, named in (self.objects or {}).items() if label in named]
        is_own = name in self.estimator.get_params() or label in self.estimator.get_params()
        return f"{steps[0]}__{rest}" if rest and steps and not is_own else name

    def _check_names(self, space: Space) -> None:
        """Raises SpaceError where objects and parameters do not go together."""
        for name, named in (self.objects or {}).items():
            choices = getattr(space.by_name.get(name), "listed", None)
            if choices is None:
                raise SpaceError(
                    f"objects= names {name!r}, which is no choice of the space: it has {list(space.names)}."
                )
            missing = [choice for choice in choices if choice not in named]
            if missing:
                raise SpaceError(f"objects[{name!r}] has an object for each choice: missing are {missing}.")
        there = self.estimator.get_params()
        for p in space.parameters:
            now = there.get(p.name)
            texts = [c for c in getattr(p, "listed", ()) if isinstance(c, str) and c not in _STEPS_WITHOUT_OBJECT]
            if texts and p.name not in (self.objects or {}) and (hasattr(now, "fit") or isinstance(now, tuple)):
                raise SpaceError(
                    f"The choices {texts} of {p.name!r} are texts, where the estimator has {now!r}: say what they "
                    f"stand for, objects={{{p.name!r}: {{{texts[0]!r}: {now!r}, ...}}}}."
                )


# What may stand for a step of a pipeline, or a column transformer's.
_STEPS_WITHOUT_OBJECT = ("passthrough", "drop")
# How scikit-learn's error begins where no fit of what was to be evaluated succeeded.
_ALL_FAILED = re.compile(r"All the (\d+) fits failed\.")
# So many points whose every fit fails, before any that succeeded, are a mistake in the program.
_HOPELESS = 5


def _check_hope(study: Study, n: int) -> None:
    """Raises ValueError where every fit of all points failed, of n at least that have ended."""
    ended = [t for t in study.trials if t.status is not Status.RUNNING]
    failures = [_ALL_FAILED.match(t.message) for t in ended]
    if len(ended) >= n and all(failures):
        n_fits = sum(int(found[1]) for found in failures if found)
        raise ValueError(
            f"All the {n_fits} fits failed; points tried: {len(ended)}. Mend the estimator or the space. "
            f"The last of them:\n{ended[-1].message}"
        )
