"""BBOSampler: what Optuna knows reaches the strategy, and what it says reaches Optuna."""

import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from bbo import Categorical, Float, Int, Minimize, Ordinal, OutcomeConstraint, Study
from bbo.errors import SpaceError, StrategyError
from bbo.integrations.optuna import BBOSampler, notes_of, suggest
from bbo.space import Linear, Permutation, Simplex, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.optuna.distributions import distributions_of
from bbo.trial import Suggestion
from tests.integrations.spy import Spy

optuna.logging.set_verbosity(optuna.logging.WARNING)


def bowl(trial):
    x, y = trial.suggest_float("x", -5.0, 5.0), trial.suggest_float("y", 1e-3, 10.0, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return (x - 1.0) ** 2 + (math.log(y) + 2.0) ** 2 + {"a": 1.0, "b": 0.0, "c": 3.0}[kind]


BOWL = Space([Float("x", -5.0, 5.0), Float("y", 1e-3, 10.0, log=True), Categorical("kind", ["a", "b", "c"])])


def params(study):
    return [t.params for t in study.trials]


def test_trials_are_those_of_a_study_of_bbo_with_the_same_seed():
    optuna_study = optuna.create_study(sampler=BBOSampler(seed=3))
    optuna_study.optimize(bowl, n_trials=14)
    study = Study(BOWL, Minimize("value"), seed=3)
    for of_optuna in optuna_study.trials:
        trial = study.ask()
        assert trial.params == of_optuna.params
        study.tell(trial, of_optuna.value)
    assert optuna_study.best_value < 0.2


@pytest.mark.parametrize("strategy", [None, SobolSearch(), RandomSearch()], ids=["GP", "Sobol", "random"])
def test_nothing_is_kept_in_the_object(tmp_path, strategy):
    used = optuna.create_study(sampler=BBOSampler(strategy, seed=4))
    used.optimize(bowl, n_trials=12)
    url = f"sqlite:///{tmp_path}/optuna.db"
    for k in range(12):
        fresh = optuna.create_study(
            sampler=BBOSampler(strategy, seed=4), storage=url, study_name="s", load_if_exists=True
        )
        fresh.optimize(bowl, n_trials=1)
        assert fresh.trials[k].params == used.trials[k].params


def test_threads_suggest_distinct_points():
    study = optuna.create_study(sampler=BBOSampler(seed=5))
    study.optimize(bowl, n_trials=16, n_jobs=4)
    assert len({tuple(p.values()) for p in params(study)}) == 16
    assert study.best_value < 8.0


def test_attributes_are_short_enough_for_every_database(tmp_path):
    def wide(trial):
        return sum(trial.suggest_float(f"länge {k} {'x' * 40}", 0.0, 1.0) for k in range(40))

    study = optuna.create_study(sampler=BBOSampler(seed=1), storage=f"sqlite:///{tmp_path}/optuna.db")
    study.optimize(wide, n_trials=11)
    texts = [v for t in study.trials for v in t.system_attrs.values()]
    assert max(len(optuna.storages._rdb.storage.json.dumps(text)) for text in texts) < 2046
    assert {"mean", "sd", "acquisition", "length_scales", "warm"} <= set(notes_of(study.trials[-1]))
    assert notes_of(study.trials[0]) == {}


# What Optuna knows of trials.


def test_running_trials_are_pending_also_before_their_objective_asked_for_anything():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))
    first, second = study.ask(), study.ask()
    chosen = suggest(first, BOWL)
    second.suggest_float("x", -5.0, 5.0)  # the others of its values are chosen, and not asked for
    study.ask().suggest_float("x", -5.0, 5.0)
    history = spy.histories[-1]
    assert history.is_pending.tolist() == [True, True]
    assert history.space.decode(history.X)[0] == pytest.approx(chosen)


def test_failed_trials_teach_and_those_that_were_tried_again_do_not():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))
    with pytest.raises(ZeroDivisionError):
        study.optimize(lambda trial: suggest(trial, BOWL) and 1 / 0, n_trials=1)
    study.optimize(lambda trial: (suggest(trial, BOWL), math.nan)[1], n_trials=1)
    study.optimize(lambda trial: (suggest(trial, BOWL), math.inf)[1], n_trials=1)
    study.add_trial(
        optuna.create_trial(
            value=1.0,
            params=study.trials[0].params,
            distributions=study.trials[0].distributions,
            system_attrs={"failed_trial": 0},
        )
    )
    study.optimize(lambda trial: (suggest(trial, BOWL), 1.0)[1], n_trials=1)
    history = spy.histories[-1]
    assert history.is_failed.tolist() == [False, True, True, False]
    assert history.is_given_up.tolist() == [True, False, False, False]
    assert history.is_completed.tolist() == [False, False, False, True]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_pruned_trials_count_with_their_last_report_which_is_never_the_best(direction):
    sign = 1.0 if direction == "minimize" else -1.0
    spy = Spy()
    study = optuna.create_study(direction=direction, sampler=BBOSampler(spy, space=BOWL, seed=1))

    def objective(trial):
        suggest(trial, BOWL)
        if trial.number < 3:
            return sign * (1.0 + trial.number)
        for step, value in enumerate({3: [9.0, 7.0], 4: [0.5], 5: []}.get(trial.number, [])):
            trial.report(sign * value, step)
        raise optuna.TrialPruned

    study.optimize(objective, n_trials=7)
    history = spy.histories[-1]
    assert history.V[:5, 0].tolist() == [sign * v for v in (1.0, 2.0, 3.0, 7.0, 2.0)]
    assert history.is_failed.tolist() == [False] * 5 + [True]
    assert history.incumbent == 0


@pytest.mark.parametrize("way", ["set_constraint", "constraints_func"])
def test_constraints_are_told_either_way(way):
    def objective(trial):
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_float("y", 0.0, 1.0)
        if way == "set_constraint":
            trial.set_constraint("sum", 1.2 - x - y)
        return x + 2 * y

    by_func = (lambda t: (1.2 - t.params["x"] - t.params["y"],)) if way == "constraints_func" else None
    study = optuna.create_study(sampler=BBOSampler(seed=2, constraints_func=by_func))
    study.optimize(objective, n_trials=20)
    assert study.best_value == pytest.approx(1.4, abs=0.02)  # x = 1, y = 0.2
    expected = Study(
        [Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)], [Minimize("v"), OutcomeConstraint("c", upper=0.0)], seed=2
    )
    for of_optuna in study.trials:
        trial = expected.ask()
        assert trial.params == of_optuna.params
        x, y = trial.params.values()
        expected.tell(trial, {"v": of_optuna.value, "c": 1.2 - x - y})


def test_a_constraint_that_a_trial_did_not_tell_counts_as_fulfilled():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))

    def objective(trial):
        suggest(trial, BOWL)
        if trial.number:
            trial.set_constraint("late", [None, 1.0, -3.0, -1.0][trial.number])
        return 2.0

    study.optimize(objective, n_trials=4)
    study.optimize(lambda trial: (suggest(trial, BOWL), 2.0)[1], n_trials=2)
    history = spy.histories[-1]
    assert history.is_completed.all()
    assert history.V[:, 1].tolist() == [-2.0, 1.0, -3.0, -1.0, -2.0]
    assert history.is_feasible.tolist() == [True, False, True, True, True]


def test_a_trial_that_ended_before_it_asked_for_all_counts_with_what_was_chosen():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))

    def broken(trial):
        trial.suggest_float("x", -5.0, 5.0)
        raise ValueError

    study.optimize(broken, n_trials=3, catch=ValueError)
    assert spy.histories[-1].is_failed.tolist() == [True, True]
    gp = optuna.create_study(sampler=BBOSampler(space=BOWL, seed=1))
    gp.optimize(broken, n_trials=6, catch=ValueError)
    assert len({t.params["x"] for t in gp.trials}) == 6


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (lambda trial: trial.suggest_float("x", -5.0, 5.0), r"did not ask for \['y', 'kind'\]"),
        (lambda trial: suggest(trial, [Float("x", 8.0, 9.0), *BOWL.parameters[1:]])["x"], r"other ranges of \['x'\]"),
    ],
)
def test_an_objective_that_does_not_fit_the_given_space_is_said_once(objective, said):
    study = optuna.create_study(sampler=BBOSampler(RandomSearch(), space=BOWL, seed=1))
    study.optimize(objective, n_trials=1)
    with pytest.warns(UserWarning, match=said):
        study.optimize(objective, n_trials=1)
    study.optimize(objective, n_trials=1)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution should be")
def test_choices_may_be_anything_from_the_first_trial_on():
    layers = [(50,), (50, 50), (100, 50, 25)]
    study = optuna.create_study(sampler=BBOSampler(seed=1))
    study.optimize(lambda trial: len(trial.suggest_categorical("layers", layers)), n_trials=5)
    assert study.trials[0].params["layers"] == (50, 50)
    assert study.best_params["layers"] == (50,)


@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental")
def test_values_that_a_partial_fixed_sampler_holds_are_given_to_the_strategy():
    space = Space([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)], [Linear({"x": 1.0, "y": 1.0}, upper=1.0)])
    sampler = optuna.samplers.PartialFixedSampler({"x": 0.9}, BBOSampler(space=space, seed=1))
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: -suggest(trial, space)["y"], n_trials=6)
    assert all(t.state == TrialState.COMPLETE and t.params["x"] == 0.9 for t in study.trials)


def test_all_that_failed_of_a_trial_that_was_tried_again_and_again_is_lost():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))
    for attrs in ({}, {"failed_trial": 0, "retry_history": [0]}, {"failed_trial": 0, "retry_history": [0, 1]}):
        params = {"x": 0.0, "y": 1.0, "kind": "a"}
        distributions = distributions_of(BOWL)
        study.add_trial(
            optuna.create_trial(state=TrialState.FAIL, params=params, distributions=distributions, system_attrs=attrs)
        )
    study.optimize(lambda trial: (suggest(trial, BOWL), 1.0)[1], n_trials=1)
    assert spy.histories[-1].is_failed.tolist() == [False, False, True]


class Stubborn:
    """Says the same again and again."""

    def __init__(self):
        self.n_calls = 0

    def suggest(self, history, n, *, seed):
        self.n_calls += 1
        return [Suggestion({"n": 1})]


def test_a_strategy_that_repeats_itself_is_not_asked_without_end():
    strategy = Stubborn()
    study = optuna.create_study(sampler=BBOSampler(strategy, space=[Int("n", 1, 3)], seed=1))
    study.optimize(lambda trial: trial.suggest_int("n", 1, 3), n_trials=4)
    assert strategy.n_calls <= 8


def test_constraints_have_the_order_of_their_numbers():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1, constraints_func=lambda trial: [-1.0] * 12))
    study.optimize(lambda trial: (suggest(trial, BOWL), 1.0)[1], n_trials=2)
    assert [c.metric for c in spy.histories[-1].objectives.constraints] == [f"constraint {k}" for k in range(12)]


def test_constraints_func_gives_no_nan():
    study = optuna.create_study(sampler=BBOSampler(seed=1, constraints_func=lambda trial: [math.nan]))
    with pytest.raises(ValueError, match="none of them NaN"):
        study.optimize(bowl, n_trials=1)


def test_values_that_were_enqueued_are_taken_and_the_others_chosen_beside_them():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, space=BOWL, seed=1))
    study.enqueue_trial({"x": 2.0, "kind": "b"})
    study.enqueue_trial({"x": 99.0})
    study.optimize(lambda trial: (suggest(trial, BOWL), 1.0)[1], n_trials=1)
    assert study.trials[0].params | {"y": None} == {"x": 2.0, "y": None, "kind": "b"}
    assert spy.histories[0].space.fixed == {"x": 2.0, "kind": "b"}
    with pytest.warns(UserWarning, match="out of range"), pytest.raises(SpaceError, match="lies in"):
        study.optimize(lambda trial: (suggest(trial, BOWL), 1.0)[1], n_trials=1)


def test_trials_that_were_added_inform():
    spy = Spy()
    study = optuna.create_study(sampler=BBOSampler(spy, seed=1))
    source = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    source.optimize(bowl, n_trials=6)
    study.add_trials(source.trials)
    study.optimize(bowl, n_trials=1)
    assert spy.histories[-1].is_completed.sum() == 6
    assert spy.histories[-1].Y[:, 0].tolist() == [-t.value for t in source.trials]


def test_several_objectives_are_handed_to_a_strategy_that_takes_them():
    spy = Spy()
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=BBOSampler(spy, space=BOWL, seed=1))
    study.optimize(lambda trial: (suggest(trial, BOWL)["x"], 3.0), n_trials=3)
    x = [t.params["x"] for t in study.trials[:2]]
    assert spy.histories[-1].Y.tolist() == [[-x[0], 3.0], [-x[1], 3.0]]
    with pytest.raises(StrategyError, match="one objective"):
        optuna.create_study(directions=["minimize", "minimize"], sampler=BBOSampler(GP())).optimize(bowl, n_trials=1)


# Spaces.


def test_a_branch_is_searched_with_what_all_trials_say():
    def objective(trial):
        if trial.suggest_categorical("model", ["svm", "forest"]) == "svm":
            return (trial.suggest_float("C", -5.0, 5.0) - 1.0) ** 2
        return 2.0 + (trial.suggest_float("depth", -5.0, 5.0) - 2.0) ** 2

    ends = []
    for seed in range(3):
        study = optuna.create_study(sampler=BBOSampler(seed=seed))
        study.optimize(objective, n_trials=30)
        assert study.best_params["model"] == "svm"
        ends.append(study.best_value)
    assert np.median(ends) < 1e-3


REAL = Space(
    [
        Simplex("mix", ["sand", "lime", "clay"], max_parts=2),
        Categorical("oven", ["gas", "wood"]),
        Float("airflow", 0.0, 1.0, when={"oven": ["wood"]}),
        Permutation("steps", ["dry", "mill", "burn"]),
        Ordinal("size", [1, 2, 4]),
        Int("n", 1, 9),
    ],
    [Linear({"mix.sand": 1.0, "n": 0.1}, upper=1.0)],
)


def test_a_space_with_a_mixture_an_order_conditions_and_constraints_is_kept_to():
    def objective(trial):
        point = suggest(trial, REAL)
        assert point in REAL
        misplaced = point["steps"].index("mill") != 0
        return abs(point["mix"]["sand"] - 0.6) + misplaced + point.get("airflow", 0.2) + abs(point["n"] - 4)

    study = optuna.create_study(sampler=BBOSampler(space=REAL, seed=1))
    study.optimize(objective, n_trials=25)
    expected = Study(REAL, Minimize("value"), seed=1)
    for of_optuna in study.trials:
        trial = expected.ask()
        assert "airflow" in of_optuna.params or trial.params["oven"] == "gas"
        expected.tell(trial, of_optuna.value)
    assert study.best_value < 0.6
    assert study.trials[-1].params.keys() >= {"mix.sand", "steps.dry", "oven"}


def test_a_list_of_parameters_is_a_space():
    study = optuna.create_study(direction="maximize", sampler=BBOSampler(space=[Int("n", 1, 3)], seed=1))
    study.optimize(lambda trial: suggest(trial, [Int("n", 1, 3)])["n"], n_trials=3)
    assert sorted(t.params["n"] for t in study.trials) == [1, 2, 3]


def test_every_point_of_a_small_space_is_tried_once_and_then_again():
    def objective(trial):
        return trial.suggest_int("n", 1, 4) + len(trial.suggest_categorical("kind", ["a", "bb", "ccc"]))

    study = optuna.create_study(sampler=BBOSampler(seed=1))
    study.optimize(objective, n_trials=15)
    assert len({tuple(p.values()) for p in params(study)[:12]}) == 12


def test_suggest_works_with_any_sampler_and_says_what_is_no_point():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    point = suggest(study.ask(), BOWL)
    assert point in BOWL
    with pytest.raises(SpaceError, match="amounts sum to"):
        suggest(study.ask(), [Simplex("mix", ["a", "b"])])


# What cannot be.


def test_what_is_no_strategy_seed_or_space_is_refused():
    with pytest.raises(StrategyError, match="object with a method suggest"):
        BBOSampler("GP")
    with pytest.raises(ValueError, match="whole number"):
        BBOSampler(seed=-1)
    with pytest.raises(TypeError, match="list of parameters"):
        BBOSampler(space="x")


def test_maximizing_is_minimizing_the_negative():
    study = optuna.create_study(direction="maximize", sampler=BBOSampler(seed=1))
    study.optimize(lambda trial: -bowl(trial), n_trials=10)
    mirrored = optuna.create_study(sampler=BBOSampler(seed=1))
    mirrored.optimize(bowl, n_trials=10)
    assert params(study) == params(mirrored)


def test_notes_are_there_while_the_objective_runs():
    said = []

    def objective(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        said.append(notes_of(trial))
        return x

    study = optuna.create_study(sampler=BBOSampler(space=[Float("x", 0.0, 1.0)], seed=1))
    study.optimize(objective, n_trials=2)
    assert said == [notes_of(t) for t in study.trials]
    assert [notes["by"] for notes in said] == ["sobol", "sobol"]


def test_a_sampler_in_words_is_how_it_was_made():
    space = Space([Float("x", 0.0, 1.0)])
    made = eval(repr(BBOSampler(RandomSearch(), space=space, seed=3)))
    assert repr(made) == f"BBOSampler(strategy={RandomSearch()!r}, space={space!r}, seed=3)"
    assert repr(BBOSampler(seed=1)) == "BBOSampler(seed=1)"


@pytest.mark.parametrize("choices", [[True, 1], [1, 1.0], ["a", False, 0.0]])
@pytest.mark.parametrize("n_random", [0, 2])
def test_choices_that_optuna_takes_for_one_are_refused(choices, n_random):
    objective = lambda trial: float(trial.suggest_categorical("k", choices) == "a")  # noqa: E731
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=n_random)
    study.sampler = BBOSampler(seed=1)
    with pytest.raises(SpaceError, match=rf"Optuna takes {choices[-2]} and {choices[-1]}, choices of 'k', for one"):
        study.optimize(objective, n_trials=1)


def test_such_choices_of_a_given_space_go_by_their_spelling():
    space = Space([Categorical("k", [True, 1, "a", None]), Float("x", 0.0, 1.0)])
    study = optuna.create_study(sampler=BBOSampler(SobolSearch(), space=space, seed=1))
    points = []

    def objective(trial):
        points.append(suggest(trial, space))
        return points[-1]["x"]

    study.optimize(objective, n_trials=12)
    assert {repr(point["k"]) for point in points} == {"True", "1", "'a'", "None"}
    assert [t.params["k"] for t in study.trials] == [repr(point["k"]) for point in points]
    taken = Study.from_optuna(study, space=space)
    assert [repr(t.params["k"]) for t in taken.trials] == [repr(point["k"]) for point in points]
