"""BBOSearchCV: used as a grid search is."""

import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bbo import Categorical, Float, Int, Ordinal
from bbo.errors import SpaceError
from bbo.integrations.sklearn import BBOSearchCV
from bbo.strategies import RandomSearch

X, y = make_classification(n_samples=120, n_features=6, n_informative=4, random_state=0)
CV = KFold(3, shuffle=True, random_state=0)
SPACE = [Float("svc__C", 1e-3, 1e3, log=True), Float("svc__gamma", 1e-4, 1e1, log=True)]


def pipeline():
    return Pipeline([("scale", StandardScaler()), ("svc", SVC())])


def search(**options):
    return BBOSearchCV(pipeline(), SPACE, **({"n_iter": 8, "cv": CV, "random_state": 0} | options))


def test_it_finds_a_better_pipeline_than_the_default_and_predicts_with_it():
    found = search(n_iter=15).fit(X, y)
    assert found.best_score_ >= cross_val_score(pipeline(), X, y, cv=CV).mean()
    assert found.best_score_ == found.cv_results_["mean_test_score"].max() == found.study_.best.values["score"]
    assert found.best_params_ == found.study_.best.params
    again = clone(pipeline()).set_params(**found.best_params_)
    assert found.best_score_ == pytest.approx(cross_val_score(again, X, y, cv=CV).mean(), rel=1e-12)
    assert (found.predict(X) == again.fit(X, y).predict(X)).all()
    assert found.score(X, y) > 0.9


def test_results_have_the_columns_of_a_grid_search():
    found = search().fit(X, y)
    grid = GridSearchCV(pipeline(), {"svc__C": [1.0], "svc__gamma": [0.1]}, cv=CV).fit(X, y)
    assert set(found.cv_results_) == set(grid.cv_results_)
    assert len(found.cv_results_["params"]) == 8
    assert sorted(found.cv_results_["rank_test_score"])[0] == 1
    assert found.n_splits_ == 3


def test_points_do_not_depend_on_the_number_of_jobs():
    one, two = search(batch_size=2).fit(X, y), search(batch_size=2, n_jobs=2).fit(X, y)
    assert one.cv_results_["params"] == two.cv_results_["params"]
    assert (one.cv_results_["mean_test_score"] == two.cv_results_["mean_test_score"]).all()
    other = search(batch_size=2, random_state=1).fit(X, y)
    assert other.cv_results_["params"] != one.cv_results_["params"]


def test_it_can_be_cloned_and_its_options_set():
    copy = clone(search())
    assert copy.get_params()["n_iter"] == 8
    assert not hasattr(copy, "study_")
    copy.set_params(n_iter=2, estimator__svc__kernel="linear", strategy=RandomSearch()).fit(X, y)
    assert len(copy.cv_results_["params"]) == 2
    assert copy.best_estimator_.named_steps["svc"].kernel == "linear"


def test_a_fitted_search_may_be_kept_in_a_file_and_fitted_again():
    found = search(n_iter=5).fit(X, y)
    again = pickle.loads(pickle.dumps(found))
    assert again.study_.trials == found.study_.trials
    assert (again.predict(X) == found.predict(X)).all()
    first = found.cv_results_["params"]
    assert found.set_params(n_jobs=2).fit(X, y).cv_results_["params"] == first
    assert again.fit(X, y).cv_results_["params"] == first
    with pytest.raises(AttributeError, match="call fit"):
        _ = search().study_


def test_models_are_chosen_with_their_own_hyperparameters():
    pipe = Pipeline([("scale", StandardScaler()), ("model", SVC())])
    space = [
        Categorical("model", ["svm", "forest"]),
        Categorical("scale__with_mean", [True, False]),
        Float("svm__C", 1e-3, 1e3, log=True, when={"model": ["svm"]}),
        Int("forest__max_depth", 1, 8, when={"model": ["forest"]}),
        Ordinal("forest__n_estimators", [5, 10, 20], when={"model": ["forest"]}),
    ]
    objects = {"model": {"svm": SVC(gamma=0.1), "forest": RandomForestClassifier(random_state=0)}}
    found = BBOSearchCV(pipe, space, objects=objects, n_iter=12, cv=CV, random_state=1).fit(X, y)
    for trial, settings in zip(found.study_.trials, found.cv_results_["params"], strict=True):
        is_svm = trial.params["model"] == "svm"
        assert isinstance(settings["model"], SVC if is_svm else RandomForestClassifier)
        assert ("model__C" in settings) == is_svm
        assert ("model__max_depth" in settings) != is_svm
    assert {t.params["model"] for t in found.study_.trials} == {"svm", "forest"}
    assert objects["model"]["svm"].C == 1.0  # what was given is not touched


def test_one_of_several_scores_steers_and_the_others_are_kept():
    found = search(scoring=["accuracy", "roc_auc"], refit="roc_auc").fit(X, y)
    assert found.best_score_ == found.cv_results_["mean_test_roc_auc"].max()
    assert [t.values["accuracy"] for t in found.study_.trials] == found.cv_results_["mean_test_accuracy"].tolist()
    with pytest.raises(ValueError, match="named by refit="):
        search(scoring=["accuracy", "roc_auc"], refit=False).fit(X, y)


class Fragile(ClassifierMixin, BaseEstimator):
    """Fails for half of its parameter's range."""

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        if self.x > 0.5:
            raise ValueError("too much")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
@pytest.mark.parametrize("batch_size", [1, 3])
def test_points_that_cannot_be_fitted_are_failures(batch_size):
    found = BBOSearchCV(Fragile(), [Float("x", 0.0, 1.0)], n_iter=9, batch_size=batch_size, cv=CV, random_state=0).fit(
        X, y
    )
    failed = [t.params["x"] > 0.5 for t in found.study_.trials]
    assert found.study_.history.is_failed.tolist() == failed
    assert True in failed
    assert found.best_params_["x"] <= 0.5


def test_a_mistake_that_every_point_shares_is_an_error():
    with pytest.raises(ValueError, match="too much"):
        BBOSearchCV(Fragile(), [Float("x", 0.6, 1.0)], n_iter=9, cv=CV, random_state=0).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_small_space_of_which_no_point_can_be_fitted_is_an_error_too(batch_size):
    hopeless = BBOSearchCV(Fragile(), [Ordinal("x", [0.6, 0.8])], n_iter=9, batch_size=batch_size, cv=CV)
    with pytest.raises(ValueError, match=r"(?s)^All the 6 fits failed; points tried: 2\..*ValueError: too much"):
        hopeless.fit(X, y)


def test_a_space_with_fewer_points_is_tried_whole():
    found = BBOSearchCV(pipeline(), [Ordinal("svc__C", [0.1, 1.0, 10.0])], n_iter=9, cv=CV).fit(X, y)
    assert sorted(p["svc__C"] for p in found.cv_results_["params"]) == [0.1, 1.0, 10.0]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"n_iter": 0}, ValueError, "n_iter is a whole number"),
        ({"batch_size": 1.5}, ValueError, "batch_size is a whole number"),
        ({"objects": {"svc": {}}}, SpaceError, "no choice of the space"),
        ({"space": "svc__C"}, TypeError, "list of parameters"),
    ],
)
def test_wrong_options_are_named(options, error, said):
    with pytest.raises(error, match=said):
        search().set_params(**options).fit(X, y)


def test_a_choice_without_an_object_is_named():
    space = [Categorical("svc", ["a", "b"])]
    with pytest.raises(SpaceError, match=r"missing are \['b'\]"):
        BBOSearchCV(pipeline(), space, objects={"svc": {"a": SVC()}}, n_iter=2).fit(X, y)


def test_objects_as_choices_are_told_how_to_be_given():
    with pytest.raises(SpaceError, match=r"got SVC\(C=2\)\. Name such .* objects=\{'svc': \{\"a\": SVC\(C=2\)"):
        Categorical("svc", [SVC(C=2), RandomForestClassifier()])
    with pytest.raises(SpaceError, match=r"got \(10, 10\)\. Name such .* objects="):
        Ordinal("hidden_layer_sizes", [(10, 10), (20, 20)])


@pytest.mark.parametrize(
    ("estimator", "name"), [(pipeline(), "svc"), (MLPClassifier(hidden_layer_sizes=(9,)), "hidden_layer_sizes")]
)
def test_names_in_the_place_of_objects_need_the_objects(estimator, name):
    with pytest.raises(SpaceError, match=rf"\['a', 'b'\] of '{name}' are texts, .* objects=\{{'{name}': \{{'a': "):
        BBOSearchCV(estimator, [Categorical(name, ["a", "b"])], n_iter=2, cv=CV).fit(X, y)


def test_a_step_may_be_passed_through():
    found = BBOSearchCV(pipeline(), [Categorical("scale", ["passthrough", None])], n_iter=2, cv=CV).fit(X, y)
    assert {p["scale"] for p in found.cv_results_["params"]} == {"passthrough", None}
