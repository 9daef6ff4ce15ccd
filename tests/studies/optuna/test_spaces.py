"""What trials show of the space that an objective asks for."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Int, Ordinal
from bbo.studies.optuna.spaces import inferred


def shown_by(objective, n_trials=40, **options):
    """The finished trials of a random search."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=n_trials, **options)
    return study.get_trials(deepcopy=False)


def parameters(searched):
    return {p.name: p for p in searched.space.parameters}


def test_a_space_without_conditions_is_that_of_every_trial():
    def objective(trial):
        trial.suggest_float("lr", 1e-5, 1.0, log=True)
        trial.suggest_float("dropout", 0.0, 0.5, step=0.1)
        trial.suggest_int("layers", 1, 4)
        trial.suggest_categorical("kind", ["a", None, True, 2])
        trial.suggest_categorical("batch", [16, 32, 64])
        trial.suggest_float("fixed", 2.0, 2.0)
        return 0.0

    (trial,) = shown_by(objective, n_trials=1)
    searched = inferred([trial])
    assert parameters(searched) == {
        "lr": Float("lr", 1e-5, 1.0, log=True),
        "dropout": Float("dropout", 0.0, 0.5, step=0.1),
        "layers": Int("layers", 1, 4),
        "kind": Categorical("kind", ["a", None, True, 2]),
        "batch": Ordinal("batch", [16, 32, 64]),
    }
    point = searched.point(trial.params)
    assert point in searched.space
    assert searched.values(point) == {name: v for name, v in trial.params.items() if name != "fixed"}


def test_choices_may_be_objects():
    class Model:
        pass

    models = [Model(), Model()]
    with pytest.warns(UserWarning, match="persistent storage"):
        (trial,) = shown_by(lambda trial: float(trial.suggest_categorical("model", models) is None), n_trials=1)
    searched = inferred([trial])
    assert parameters(searched) == {"model": Categorical("model", [0, 1])}
    assert searched.by_place == ["model"]
    assert searched.values(searched.point(trial.params)) == trial.params
    with pytest.raises(SpaceError, match="not in"):
        searched.point({"model": "another"})


def test_a_branch_is_there_where_its_choice_was_made():
    def objective(trial):
        trial.suggest_categorical("scale", [True, False])
        if trial.suggest_categorical("model", ["svm", "forest", "linear"]) == "svm":
            trial.suggest_float("C", 0.1, 10.0)
            if trial.suggest_categorical("kernel", ["rbf", "poly"]) == "poly":
                trial.suggest_int("degree", 2, 5)
        elif trial.params["model"] == "forest":
            trial.suggest_int("depth", 1, 9)
        return 0.0

    searched = inferred(shown_by(objective))
    when = {name: p.when for name, p in parameters(searched).items()}
    assert when == {
        "scale": None,
        "model": None,
        "C": {"model": ("svm",)},
        "kernel": {"model": ("svm",)},
        "degree": {"kernel": ("poly",)},
        "depth": {"model": ("forest",)},
    }
    assert set(searched.point({"model": "forest", "scale": True, "C": 1.0, "depth": 3})) == {"scale", "model", "depth"}


def test_as_many_widths_as_layers_are_there_at_numbers_of_layers_that_were_never_tried_too():
    def objective(trial):
        for k in range(trial.suggest_int("layers", 1, 6)):
            trial.suggest_int(f"width {k}", 8, 64)
        return 0.0

    trials = [t for t in shown_by(objective) if t.params["layers"] in (1, 2, 4, 5)]
    when = {name: p.when for name, p in parameters(inferred(trials)).items()}
    assert when["width 0"] is None
    assert when["width 1"] == {"layers": (2, 3, 4, 5, 6)}
    assert when["width 2"] == {"layers": (4, 5, 6)}  # at 3 it is open
    assert when["width 4"] == {"layers": (5, 6)}
    assert "width 5" not in when


def test_of_two_explanations_the_one_that_leaves_less_open_is_taken():
    def trial(model, kernel, **more):
        params = {"model": model, **({"kernel": kernel} if kernel else {}), **more}
        distributions = {
            "model": CategoricalDistribution(["svm", "forest"]),
            "kernel": CategoricalDistribution(["rbf", "poly", "sigmoid"]),
            "C": FloatDistribution(0.1, 10.0),
        }
        return optuna.create_trial(value=0.0, params=params, distributions={n: distributions[n] for n in params})

    trials = [trial("svm", "rbf", C=1.0), trial("forest", None), trial("svm", "poly", C=2.0)]
    assert parameters(inferred(trials))["C"].when == {"model": ("svm",)}


def test_what_no_condition_explains_is_left_out():
    def objective(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        if x < 0.5:
            trial.suggest_float("y", 0.0, 1.0)
        return x

    assert list(parameters(inferred(shown_by(objective)))) == ["x"]


def test_the_latest_range_counts_and_trials_outside_of_it_inform():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 10.0), n_trials=5)
    study.optimize(lambda trial: trial.suggest_float("x", 20.0, 30.0), n_trials=1)
    searched = inferred(study.trials)
    assert parameters(searched) == {"x": Float("x", 20.0, 30.0)}
    assert searched.space.check_executed(searched.point(study.trials[0].params))["x"] < 10.0


def test_names_that_are_left_out_leave_what_depends_on_them_out():
    def objective(trial):
        if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
            trial.suggest_float("C", 0.1, 10.0)
        return trial.suggest_float("x", 0.0, 1.0)

    trials = shown_by(objective)
    assert list(parameters(inferred(trials, {"x", "C"}))) == ["x"]
    assert inferred(trials, set()) is None
    assert inferred([]) is None


def test_a_range_that_bbo_does_not_search_is_left_to_optuna():
    trial = optuna.create_trial(value=0.0, params={"n": 10**17}, distributions={"n": IntDistribution(1, 10**18)})
    assert inferred([trial]) is None
