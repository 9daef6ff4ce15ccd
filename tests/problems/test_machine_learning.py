import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from bbo.errors import SpaceError
from bbo.problems import (
    ForestDigitsNodes,
    GradientBoostingDiabetes,
    GradientBoostingRows,
    MLPDigits,
    MLPFriedman,
    PipelineBreastCancer,
    SGDDigits,
    SVMDigits,
)
from bbo.problems.machine_learning import sets
from bbo.problems.machine_learning.friedman import friedman

GOOD = {
    "learning_rate": 0.05,
    "n_estimators": 80,
    "max_depth": 2,
    "min_samples_leaf": 20,
    "subsample": 0.7,
    "max_features": 0.3,
    "loss": "squared_error",
}


def test_the_seed_is_the_noise_of_training():
    problem = GradientBoostingDiabetes()
    values = [problem.evaluate(GOOD, seed=seed)["rmse"] for seed in range(4)]
    assert len(set(values)) == 4
    assert np.ptp(values) < 2.0


def test_good_hyperparameters_beat_the_median_of_random_ones_by_more_than_the_noise():
    problem = GradientBoostingDiabetes()
    at_random = [problem.evaluate(p)["rmse"] for p in problem.space.sample(9, np.random.default_rng(0))]
    assert problem.evaluate(GOOD)["rmse"] < np.median(at_random) - 2.0


def test_a_network_that_trains_longer_loses_less():
    params = {"units": 32, "layers": 1, "activation": "relu", "learning_rate": 0.003, "weight_decay": 1e-4, "batch": 32}
    losses = [MLPDigits().evaluate({**params, "epochs": epochs})["log_loss"] for epochs in (2, 10)]
    assert losses[1] < losses[0] - 0.1


def test_a_support_vector_machine_has_no_noise():
    params = {"C": 10.0, "gamma": 0.01, "kernel": "rbf", "degree": 3, "coef0": 0.0}
    assert SVMDigits().evaluate(params, seed=1) == SVMDigits().evaluate(params, seed=2)


NEIGHBORS = {"model": "neighbors", "neighbors": 5, "weights": "distance", "p": 2.0}


def test_a_pipeline_is_what_its_steps_are_one_by_one():
    X, y = load_breast_cancer(return_X_y=True)
    areas = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        mean, sd = X[train].mean(axis=0), X[train].std(axis=0)
        pca = PCA(4).fit((X[train] - mean) / sd)
        model = KNeighborsClassifier(5, weights="distance").fit(pca.transform((X[train] - mean) / sd), y[train])
        areas.append(roc_auc_score(y[test], model.predict_proba(pca.transform((X[test] - mean) / sd))[:, 1]))
    point = {"scaler": "standard", "reduction": "pca", "components": 4, **NEIGHBORS}
    assert PipelineBreastCancer().evaluate(point)["roc_auc"] == pytest.approx(np.mean(areas), rel=1e-9)


def test_a_pipeline_has_the_hyperparameters_of_its_steps_and_no_others():
    problem = PipelineBreastCancer()
    point = {"scaler": "robust", "reduction": "none", **NEIGHBORS}
    assert point in problem.space
    with pytest.raises(SpaceError):
        problem.evaluate({**point, "components": 4})
    with pytest.raises(SpaceError):
        problem.evaluate({**point, "model": "svm"})
    assert {len(p) for p in problem.space.sample(60, np.random.default_rng(0))} == {5, 6, 7, 8}


def test_every_choice_of_a_pipeline_is_evaluated_and_only_the_forest_has_noise():
    problem = PipelineBreastCancer()
    seen = set()
    for point in problem.space.sample(40, np.random.default_rng(1)):
        chosen = (point["model"], point.get("kernel"))
        if chosen in seen:
            continue
        seen.add(chosen)
        one, other = (problem.evaluate(point, seed=seed) for seed in (1, 2))
        assert (one != other) == (point["model"] == "forest")
    assert len(seen) == 5


def test_nodes_are_those_that_a_walk_from_the_roots_passes():
    point = {
        "n_estimators": 4,
        "max_leaf_nodes": 30,
        "max_features": 0.3,
        "max_samples": 0.7,
        "criterion": "gini",
        "splitter": "best",
    }
    X, y = load_digits(return_X_y=True)
    passed = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        forest = RandomForestClassifier(4, max_leaf_nodes=30, max_features=0.3, max_samples=0.7, random_state=6)
        trees = [tree.tree_ for tree in forest.fit(X[train], y[train]).estimators_]
        passed.append(np.mean([sum(_walked(tree, x) for tree in trees) for x in X[test].astype(np.float32)]))
    assert ForestDigitsNodes().evaluate(point, seed=6)["nodes"] == pytest.approx(np.mean(passed), rel=1e-12)


def _walked(tree, x):
    node, n_passed = 0, 1
    while tree.children_left[node] >= 0:
        is_left = x[tree.feature[node]] <= tree.threshold[node]
        node = (tree.children_left if is_left else tree.children_right)[node]
        n_passed += 1
    return n_passed


def test_stumps_cost_two_nodes_a_tree_and_predict_worse_than_what_costs_more():
    point = {"n_estimators": 20, "max_features": 0.2, "max_samples": 1.0, "criterion": "gini", "splitter": "random"}
    stumps, trees = (ForestDigitsNodes().evaluate({**point, "max_leaf_nodes": n}) for n in (2, 200))
    assert stumps["nodes"] == 40.0
    assert trees["nodes"] > 100
    assert trees["accuracy"] > stumps["accuracy"] + 0.1


def test_more_rows_lose_less_and_which_they_are_is_the_noise():
    problem = GradientBoostingRows()
    point = {
        "learning_rate": 0.1,
        "max_iter": 60,
        "max_leaf_nodes": 16,
        "min_samples_leaf": 10,
        "l2_regularization": 1.0,
        "max_features": 0.5,
    }
    losses = [
        [problem.evaluate(point, fidelity={"rows": rows}, seed=seed)["log_loss"] for seed in range(3)]
        for rows in (200, 1000, 4000)
    ]
    assert np.all(np.diff(np.mean(losses, axis=1)) < -0.03)
    assert all(len(set(of_seeds)) == 3 for of_seeds in losses)
    assert losses[-1][0] < np.log(2) - 0.1
    assert problem.cost(point, {"rows": 200}) == 200 * 60


def test_a_linear_classifier_of_digits_learns_with_the_epochs():
    point = {
        "loss": "log_loss",
        "penalty": "l2",
        "alpha": 1e-4,
        "learning_rate": "invscaling",
        "eta0": 0.01,
        "power_t": 0.2,
        "average": False,
    }
    accuracies = [values["accuracy"] for _, values in SGDDigits().curve(point)]
    assert len(accuracies) == 20
    assert accuracies[0] < accuracies[-1]
    assert accuracies[-1] > 0.93


def test_no_linear_classifier_is_worse_than_chance():
    problem = SGDDigits()
    points = problem.space.sample(20, np.random.default_rng(2))
    assert all(("average" in point) == (point["penalty"] == "l2") for point in points)
    assert min(problem.evaluate(point, fidelity={"epochs": 2})["accuracy"] for point in points) > 0.15


NETWORK = {
    "layers": 2,
    "units": 64,
    "activation": "silu",
    "dropout": 0.0,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": "cosine",
    "weight_decay": 1e-4,
    "batch": 32,
}


def test_friedmans_function_is_scikit_learns():
    X, y = make_friedman1(50, random_state=3)
    assert friedman(X) == pytest.approx(y, rel=1e-12)


def test_a_network_finds_out_more_of_friedmans_function_than_a_straight_line():
    X, y = make_friedman1(1800, random_state=4)
    X = np.column_stack([X, np.ones(len(X))])
    noise = np.random.default_rng(0).standard_normal(800)
    line = X[800:] @ np.linalg.lstsq(X[:800], y[:800] + noise, rcond=None)[0]
    errors = [values["rmse"] for _, values in MLPFriedman().curve(NETWORK, seed=1)]
    assert errors[-1] < 1.0 < np.sqrt(np.mean((line - y[800:]) ** 2))
    assert errors[-1] < errors[4] < errors[0]


def test_no_training_of_a_network_ends_in_infinity():
    wild = {**NETWORK, "layers": 3, "optimizer": "sgd", "momentum": 0.95, "learning_rate": 0.1, "weight_decay": 0.1}
    values = MLPFriedman().evaluate({**wild, "schedule": "constant", "activation": "relu"}, fidelity={"epochs": 5})
    assert 0 < values["rmse"] < 30


def test_a_training_costs_three_passes_of_the_weights_and_a_test_one():
    layers = torch.nn.Sequential(
        torch.nn.Linear(10, 64, bias=False), torch.nn.Linear(64, 64, bias=False), torch.nn.Linear(64, 1, bias=False)
    )
    n_weights = sum(W.numel() for W in layers.parameters())
    assert MLPFriedman().cost(NETWORK, {"epochs": 3}) == 3 * (3 * 800 + 1000) * n_weights


def test_a_network_has_the_same_bits_whatever_torchs_threads():
    before = torch.get_num_threads()
    values = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            values.append(MLPFriedman().evaluate({**NETWORK, "dropout": 0.2}, fidelity={"epochs": 2}, seed=5))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)
    assert values[0] == values[1]


def test_without_scikit_learn_an_evaluation_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    sets.load.cache_clear()
    problem = GradientBoostingDiabetes()
    with pytest.raises(ImportError, match=r"pip install 'bbo\[sklearn\]'"):
        problem.evaluate(GOOD)
