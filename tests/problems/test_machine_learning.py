import sys

import numpy as np
import pytest

from bbo.problems import GradientBoostingDiabetes, MLPDigits, SVMDigits, machine_learning

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


def test_without_scikit_learn_an_evaluation_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    machine_learning._data.cache_clear()
    problem = GradientBoostingDiabetes()
    with pytest.raises(ImportError, match=r"pip install 'bbo\[sklearn\]'"):
        problem.evaluate(GOOD)
