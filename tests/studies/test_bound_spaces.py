"""Studies on mixtures and trees of conditions, through tables, files, figures and amendments."""

import io

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bbo.cli import app
from bbo.errors import SpaceError, SpaceExhaustedError, TrialError
from bbo.objective import Minimize
from bbo.plots import dependence, parameters, sensitivity, slices
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Simplex, Space
from bbo.strategies import GP, SobolSearch
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file

SPACE = Space(
    [
        Simplex("mix", ["sand", "lime", "clay"], total=100.0, unit="g"),
        Categorical("kiln", ["gas", "none"]),
        Float("heat", 500.0, 900.0, unit="degC", when={"kiln": ["gas"]}),
    ],
    [Linear({"mix.sand": 1, "mix.lime": 1}, upper=90.0)],
)


def cost(params):
    mix = params["mix"]
    return (mix["sand"] - 40) ** 2 / 100 + (mix["lime"] - 10) ** 2 / 50 + abs(params.get("heat", 1000.0) - 800) / 100


def told(n=12, strategy=None, seed=0):
    study = Study(SPACE, Minimize("cost"), strategy=strategy or SobolSearch(), seed=seed)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, cost(trial.params))
    return study


def test_a_frame_has_a_column_for_each_part_and_goes_into_another_study():
    study = told()
    frame = study.frame()
    assert {"mix.sand", "mix.lime", "mix.clay", "kiln", "heat"} <= set(frame.columns)
    assert frame.heat.isna().tolist() == (frame.kiln == "none").tolist()
    through_a_file = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    other = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=1)
    other.add(through_a_file)
    assert [t.params for t in other.trials] == [t.params for t in study.trials]
    assert pytest.approx(study.history.X) == other.history.X


def test_a_sheet_that_was_filled_in_is_told_and_says_what_was_set_otherwise():
    study = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=0)
    sheet = study.suggest_frame(4)
    assert "mix.sand [g]" in sheet.columns
    text = pd.read_csv(io.StringIO(sheet.to_csv(index=False)), dtype=str, keep_default_na=False)
    text["cost"] = ["1", "2", "3", "4"]
    text.loc[1, ["mix.sand [g]", "mix.lime [g]", "mix.clay [g]"]] = ["30.5", "20", "49.5"]
    study.tell_frame(text)
    assert study.trial(1).params["mix"] == {"sand": 30.5, "lime": 20.0, "clay": 49.5}
    assert study.trial(0).suggested is None
    assert study.trial(1).suggested is not None


def test_past_data_that_lacks_what_is_there_is_refused_and_what_breaks_a_constraint_is_taken():
    study = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=0)
    row = {"mix.sand": 95.0, "mix.lime": 5.0, "mix.clay": 0.0, "kiln": "gas", "heat": None, "cost": 3.0}
    with pytest.raises(SpaceError, match="missing are \\['heat'\\]"):
        study.add(pd.DataFrame([row]))
    study.add(pd.DataFrame([{**row, "heat": 600.0}]))
    assert study.best.params["mix"]["sand"] == 95.0
    with pytest.raises(SpaceError, match=r"mix\.lime \+ mix\.sand <= 90"):
        study.enqueue(study.best.params)
    assert all(trial.params in SPACE for trial in study.ask(3))


def test_another_choice_that_was_executed_takes_what_depends_on_it_along():
    study = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=0)
    trial = study.ask(fixed={"kiln": "gas"})
    study.tell(trial, 1.0, params={"kiln": "none"})
    assert "heat" not in study.trial(trial.number).params
    assert study.trial(trial.number).suggested["heat"] == trial.params["heat"]


def test_predictions_and_figures_know_parts_and_conditions():
    study = told(10, GP(n_first=6))
    predicted = study.predict(study.frame()[["mix.sand", "mix.lime", "mix.clay", "kiln", "heat"]])
    assert np.isfinite(predicted.filter(like="cost").to_numpy(dtype=float)).all()
    history = study.history
    assert len(parameters.parameters_figure(history).axes) == 5
    names = [axes.get_xlabel() for axes in slices.slices_figure(history, GP()).axes]
    assert {"mix.sand (g)", "kiln", "heat (degC)"} <= set(names)
    assert dependence.dependence_figure(history, GP()).axes
    indices = sensitivity.importance(history, GP())
    assert indices.total["cost"].shape == (3,)  # the mixture is one parameter
    assert indices.total["cost"][0] > 0.2
    assert dependence.pair_figure(history, GP()).axes


def test_a_study_file_has_simplices_conditions_and_constraints(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        """
[[parameter]]
name = "mix"
kind = "simplex"
parts = ["sand", "lime", "clay"]
total = 100.0
max_parts = 2

[[parameter]]
name = "kiln"
kind = "categorical"
choices = ["gas", "none"]

[[parameter]]
name = "heat"
kind = "float"
low = 500.0
high = 900.0
when = {kiln = ["gas"]}

[[linear]]
coefficients = {"mix.sand" = 1.0, "mix.lime" = 1.0}
upper = 90.0

[[nonlinear]]
condition = "heat < 850 or mix.clay > 20"

[[forbidden]]
combination = {kiln = ["none"]}

[[objective]]
kind = "minimize"
metric = "cost"
"""
    )
    said = CliRunner().invoke(app, ["new", str(path), str(tmp_path / "s.db")]).output
    assert "heat: 500 to 900, where kiln is one of ['gas']" in said
    assert "mix.lime + mix.sand <= 90" in said
    space = read_study_file(path).space
    assert space.parameters[0] == Simplex("mix", ["sand", "lime", "clay"], total=100.0, max_parts=2)
    assert space.parameters[2].when == {"kiln": ("gas",)}
    assert space.constraints == (
        Linear({"mix.sand": 1.0, "mix.lime": 1.0}, upper=90.0),
        Nonlinear("heat < 850 or mix.clay > 20"),
        Forbidden({"kiln": ["none"]}),
    )


KILN = Space([Categorical("kiln", ["gas", "none"]), Float("heat", 0, 1000, when={"kiln": ["gas"]}), Int("h", 1, 50)])


def test_values_of_what_is_not_there_are_refused_and_what_is_there_is_asked_for():
    study = Study(KILN, Minimize("cost"), strategy=SobolSearch(), seed=1)
    with pytest.raises(SpaceError, match="'heat' is there where kiln is one of \\['gas'\\]: leave it out"):
        study.add(pd.DataFrame([{"kiln": "none", "heat": 600.0, "h": 3, "cost": 1.0}]))
    trial = study.ask(fixed={"kiln": "none"})
    with pytest.raises(SpaceError, match="there are \\['heat'\\] too"):
        study.tell(trial, 1.0, params={"kiln": "gas"})
    with pytest.raises(SpaceError, match="leave it out"):
        study.tell(trial, 1.0, params={"heat": 650.0})
    study.tell(trial, 1.0, params={"kiln": "gas", "heat": 650.0})
    assert study.trial(0).params["heat"] == 650.0
    with pytest.raises(SpaceError, match="share or fix that as well"):
        study.ask(2, shared=["heat"])
    assert len({t.params.get("heat") for t in study.ask(3, shared=["heat", "kiln"])}) == 1


def test_rows_at_conditions_that_lack_something_are_known_again():
    study = Study(KILN, Minimize("cost"), strategy=SobolSearch(), seed=1)
    study.ask(fixed={"kiln": "none", "h": 3})
    row = {"trial": [None], "kiln": ["none"], "heat": [None], "h": [3], "cost": [5.0]}
    with pytest.raises(TrialError, match="conditions of trial 0, which is pending"):
        study.tell_frame(pd.DataFrame(row))


def test_none_among_the_choices_of_what_is_there_comes_back_from_a_table():
    space = Space([Categorical("kiln", ["gas", "none"]), Categorical("base", [None, "NaH"], when={"kiln": ["gas"]})])
    study = Study(space, Minimize("cost"), strategy=SobolSearch(), seed=1)
    for _ in range(3):
        study.tell(study.ask(), 1.0)
    other = Study(space, Minimize("cost"), strategy=SobolSearch(), seed=1)
    other.add(study.frame())
    assert [t.params for t in other.trials] == [t.params for t in study.trials]
    with pytest.raises(SpaceExhaustedError, match="All 3 points"):
        study.ask()


@pytest.mark.parametrize(
    ("space", "n_points"),
    [
        (Space([Float("x", 0, 1), Float("y", 0, 1)], [Linear({"x": 1, "y": 1}, lower=2)]), 1),
        (Space([Simplex("m", list("abcd"), max_parts=1)]), 4),
        (Space([Int(f"n{k}", 0, 20) for k in range(4)], [Linear({f"n{k}": 1 for k in range(4)}, lower=1, upper=1)]), 4),
    ],
)
def test_a_bound_space_of_few_points_is_searched_whole_and_then_exhausted(space, n_points):
    study = Study(space, Minimize("cost"), strategy=SobolSearch(), seed=1)
    for _ in range(n_points):
        study.tell(study.ask(), 1.0)
    with pytest.raises(SpaceExhaustedError, match="No untried point was found"):
        study.ask()
