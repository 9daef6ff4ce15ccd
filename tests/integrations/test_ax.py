"""BBONode in Ax's Client: the same points as ask and tell."""

import numpy as np
import pytest
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.exceptions.core import SearchSpaceExhausted
from ax.generation_strategy.generation_strategy import GenerationStrategy

from bbo import Categorical, Float, Int, Maximize, Minimize, Ordinal, OutcomeConstraint, Study
from bbo.errors import SpaceError, StrategyError
from bbo.integrations.ax import BBONode, notes_of, space_of
from bbo.problems import Hartmann6
from bbo.space import Linear
from bbo.strategies import RandomSearch
from tests.integrations.spy import Spy

HARTMANN = Hartmann6()


def client(parameters, node, objective="-value", constraints=(), outcome_constraints=()):
    made = Client()
    made.configure_experiment(parameters=parameters, parameter_constraints=list(constraints))
    made.configure_optimization(objective=objective, outcome_constraints=list(outcome_constraints))
    made.set_generation_strategy(GenerationStrategy(name="bbo", nodes=[node]))
    return made


def unit(*names):
    return [RangeParameterConfig(name=name, parameter_type="float", bounds=(0.0, 1.0)) for name in names]


def test_thirty_trials_of_hartmann6_are_those_of_ask_and_tell():
    names = [p.name for p in HARTMANN.space.parameters]
    ax = client(unit(*names), BBONode(seed=7))
    study = Study(HARTMANN.space, Minimize("value"), seed=7)
    for batch in range(10):
        suggested = ax.get_next_trials(max_trials=3)
        for number, params in suggested.items():
            trial = study.ask()
            assert (trial.number, trial.params) == (number, params)
        for number, params in suggested.items():
            if number == 13:
                ax.mark_trial_abandoned(number)
                study.cancel(number)
                continue
            value = HARTMANN.evaluate(params)["value"]
            ax.complete_trial(number, raw_data={"value": (value, 0.0)})
            study.tell(number, value, sd=0.0)
        assert len(study.trials) == 3 * (batch + 1)
    assert study.best.values["value"] < -2.8
    last = ax._experiment.trials[29].generator_runs[0]
    assert notes_of(last)[0] == study.trials[29].notes


def test_every_kind_of_parameter_and_constraint_is_understood():
    parameters = [
        RangeParameterConfig(name="x", parameter_type="float", bounds=(0.0, 1.0)),
        RangeParameterConfig(name="lr", parameter_type="float", bounds=(1e-4, 1.0), scaling="log"),
        RangeParameterConfig(name="n", parameter_type="int", bounds=(1, 9)),
        RangeParameterConfig(name="grid", parameter_type="float", bounds=(0.0, 1.0), step_size=0.25),
        ChoiceParameterConfig(name="kind", parameter_type="str", values=["a", "b", "c"], is_ordered=False),
        ChoiceParameterConfig(name="size", parameter_type="int", values=[1, 2, 4], is_ordered=True),
        ChoiceParameterConfig(
            name="model",
            parameter_type="str",
            values=["svm", "forest"],
            is_ordered=False,
            dependent_parameters={"svm": ["C"], "forest": ["depth"]},
        ),
        RangeParameterConfig(name="C", parameter_type="float", bounds=(0.1, 10.0)),
        RangeParameterConfig(name="depth", parameter_type="int", bounds=(1, 8)),
    ]
    spy = Spy()
    ax = client(parameters, BBONode(spy, seed=1), constraints=["x + 0.1*n <= 1.2"])
    for params in ax.get_next_trials(max_trials=6).values():
        assert params["x"] + 0.1 * params["n"] <= 1.2 + 1e-9
        assert ("C" in params) == (params["model"] == "svm") != ("depth" in params)
    found = space_of(ax._experiment.search_space)
    by_name = {p.name: p for p in found.parameters}
    assert by_name["x"] == Float("x", 0.0, 1.0)
    assert by_name["lr"] == Float("lr", 1e-4, 1.0, log=True)
    assert by_name["n"] == Int("n", 1, 9)
    assert by_name["kind"] == Categorical("kind", ["a", "b", "c"])
    assert by_name["size"] == Ordinal("size", [1, 2, 4])
    assert by_name["depth"].when == {"model": ("forest",)}
    assert found.constraints == (Linear({"n": 0.1, "x": 1.0}, upper=1.2),)


def test_states_noise_and_pending_trials_reach_the_strategy():
    spy = Spy()
    ax = client(unit("x"), BBONode(spy, seed=1), objective="loss", outcome_constraints=["memory <= 3.0"])
    ax.get_next_trials(max_trials=6)
    ax.complete_trial(0, raw_data={"loss": (1.0, 0.1), "memory": (2.0, 0.0)})
    ax.complete_trial(1, raw_data={"loss": 2.0, "memory": 4.0})
    ax.mark_trial_failed(2)
    ax.mark_trial_abandoned(3)
    ax.attach_data(4, raw_data={"loss": 9.0, "memory": 1.0})
    ax.mark_trial_early_stopped(4)
    ax.get_next_trials(max_trials=1)
    history = spy.histories[-1]
    assert history.objectives.wanted == (Maximize("loss"), OutcomeConstraint("memory", upper=3.0))
    assert history.is_completed.tolist() == [True, True, False, False, True, False]
    assert history.is_given_up.tolist() == [False, False, True, True, False, False]
    assert history.is_pending.tolist() == [False] * 5 + [True]
    assert history.V[:2].tolist() == [[1.0, 2.0], [2.0, 4.0]]
    assert history.V[4].tolist() == [1.5, 1.0]  # what was stopped is no better than the usual
    assert history.V_sd[0].tolist() == [0.1, 0.0]
    assert np.isnan(history.V_sd[1]).all()
    assert history.is_feasible.tolist() == [True, False, False, False, True, False]
    # Those of one call see each other.
    ax.get_next_trials(max_trials=2)
    assert [h.is_pending.sum() for h in spy.histories[-2:]] == [2, 3]


def test_sums_of_metrics_are_wanted():
    spy = Spy()
    bounds = ["c >= 1.0", "c <= 4.0", "c + d <= 9.0"]
    ax = client(unit("x"), BBONode(spy, seed=1), objective="2*a - b", outcome_constraints=bounds)
    ax.get_next_trials(max_trials=1)
    ax.complete_trial(0, raw_data={"a": (3.0, 0.3), "b": (1.0, 0.8), "c": 2.0, "d": 3.0})
    ax.get_next_trials(max_trials=1)
    history = spy.histories[-1]
    assert history.Y[0].tolist() == [5.0]
    assert history.V_sd[0, 0] == pytest.approx(1.0)  # of 2 * 0.3 and 0.8
    assert [(c.lower, c.upper) for c in history.objectives.constraints] == [(1.0, 4.0), (None, 9.0)]
    assert history.V[0, 1:].tolist() == [2.0, 5.0]


def test_fixed_parameters_are_given():
    ax = client(unit("x", "z"), BBONode(RandomSearch(), seed=1))
    (params,) = ax.get_next_trials(max_trials=1, fixed_parameters={"x": 0.25}).values()
    assert params["x"] == 0.25
    for fixed, said in (({"y": 1.0}, "Cannot fix 'y' at 1.0: the parameters are"), ({"x": 2.0}, "'x' lies in")):
        with pytest.raises(SpaceError, match=said):
            ax.get_next_trials(max_trials=1, fixed_parameters=fixed)


def test_trials_that_were_attached_inform():
    spy = Spy()
    ax = client(unit("x"), BBONode(spy, seed=1))
    index = ax.attach_trial({"x": 0.5})
    ax.complete_trial(index, raw_data={"value": 1.0})
    ax.get_next_trials(max_trials=1)
    assert spy.histories[-1].X.tolist() == [[0.5]]


def test_what_the_strategy_does_not_take_is_said():
    with pytest.raises(StrategyError, match="object with a method suggest"):
        BBONode("GP")
    with pytest.raises(StrategyError, match="one objective"):
        client(unit("x"), BBONode(seed=1), objective="a, -b").get_next_trials(max_trials=1)
    ax = Client()
    ax.configure_experiment(
        parameters=[*unit("x"), RangeParameterConfig(name="s", parameter_type="float", bounds=(0.0, 1.0))]
    )
    ax._experiment.search_space.parameters["s"]._is_fidelity = True
    with pytest.raises(SpaceError, match="fidelity"):
        space_of(ax._experiment.search_space)


def test_a_space_without_an_untried_point_ends_in_ax_s_error():
    parameters = [ChoiceParameterConfig(name="n", parameter_type="int", values=[1, 2], is_ordered=True)]
    ax = client(parameters, BBONode(seed=1))
    assert {p["n"] for p in ax.get_next_trials(max_trials=2).values()} == {1, 2}
    with pytest.raises(SearchSpaceExhausted, match="no untried point"):
        ax.get_next_trials(max_trials=1)


def test_near_its_end_a_space_gives_the_points_that_it_has():
    parameters = [
        RangeParameterConfig(name="n", parameter_type="int", bounds=(1, 3)),
        ChoiceParameterConfig(name="kind", parameter_type="str", values=["a", "b"], is_ordered=False),
    ]
    ax = client(parameters, BBONode(RandomSearch(), seed=1), constraints=["n <= 2"])
    first = ax.get_next_trials(max_trials=3)
    ax.complete_trial(0, raw_data={"value": 1.0})
    ax.mark_trial_failed(1)
    rest = ax.get_next_trials(max_trials=5)
    points = {(p["n"], p["kind"]) for p in (*first.values(), *rest.values())}
    assert points == {(n, kind) for n in (1, 2) for kind in "ab"}
    with pytest.raises(SearchSpaceExhausted, match="no untried point"):
        ax.get_next_trials(max_trials=5)
