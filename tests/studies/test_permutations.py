"""Studies on orders of items, through tables, files, figures, the command line and the model."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bbo.cli import app
from bbo.errors import SpaceError, SpaceExhaustedError
from bbo.objective import Minimize
from bbo.plots import dependence, parameters, sensitivity, slices
from bbo.space import Categorical, Float, Linear, Permutation, Space
from bbo.strategies import GP, LatinHypercube, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file

SPACE = Space(
    [
        Permutation("steps", ["acid", "base", "heat", 4]),
        Categorical("kiln", ["gas", "none"]),
        Permutation("round", ["N", "E", "S"], cyclic=True, when={"kiln": ["gas"]}),
        Float("x", 0.0, 1.0),
    ],
    [Linear({"steps.acid": 1, "steps.base": -1}, upper=-1)],
)


def cost(params):
    return params["steps"].index("heat") + (params["x"] - 0.3) ** 2 + params.get("round", ["N"]).index("N") / 9


def told(n=12, strategy=None, seed=0):
    study = Study(SPACE, Minimize("cost"), strategy=strategy or SobolSearch(), seed=seed)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, cost(trial.params))
    return study


def test_an_order_is_a_list_in_python_and_one_cell_of_a_table():
    study = told()
    assert all(isinstance(trial["steps"], list) for trial in study.trials)
    assert json.loads(json.dumps(study.trial(0).params)) == study.trial(0).params
    frame = study.frame()
    assert frame.steps[0] == " > ".join(map(str, study.trial(0)["steps"]))
    assert frame["round"].isna().tolist() == (frame.kiln == "none").tolist()
    through_a_file = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    other = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=1)
    other.add(through_a_file)
    assert [t.params for t in other.trials] == [t.params for t in study.trials]
    third = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=1)
    third.add(pd.DataFrame([{**t.params, "round": t.params.get("round"), "cost": 1.0} for t in study.trials]))
    assert [t.params for t in third.trials] == [t.params for t in study.trials]


def test_a_sheet_that_was_filled_in_is_told_and_says_what_was_done_otherwise():
    study = Study(SPACE, Minimize("cost"), strategy=SobolSearch(), seed=0)
    sheet = study.suggest_frame(3)
    text = pd.read_csv(io.StringIO(sheet.to_csv(index=False)), dtype=str, keep_default_na=False)
    text["cost"] = ["1", "2", "3"]
    text.loc[1, "steps"] = "4.0 >Base > ACID > heat"
    study.tell_frame(text)
    assert study.trial(1).params["steps"] == [4, "base", "acid", "heat"]
    assert study.trial(1).suggested is not None
    assert study.trial(0).suggested is None
    trial = study.ask()
    study.tell(trial, 4.0, params={"steps": ["heat", "acid", "base", 4]})
    assert study.trial(trial.number)["steps"] == ["heat", "acid", "base", 4]
    with pytest.raises(SpaceError, match=r"missing are \[4\]"):
        study.tell(study.ask(), 4.0, params={"steps": ["heat", "acid", "base"]})


def test_what_breaks_a_precedence_is_refused_in_words_of_places():
    study = told(1)
    params = {"steps": ["base", "acid", "heat", 4], "kiln": "none", "x": 0.5}
    with pytest.raises(
        SpaceError, match=r"breaks steps.acid - steps.base <= -1: got \{'steps.acid': 2, 'steps.base': 1"
    ):
        study.enqueue(params)
    study.enqueue({**params, "steps": ("acid", "base", "heat", 4)})
    assert study.ask().params["steps"] == ["acid", "base", "heat", 4]


@pytest.mark.parametrize(
    "strategy", [RandomSearch(), SobolSearch(), LatinHypercube(size=4), GP(n_first=3)], ids=lambda s: type(s).__name__
)
def test_all_orders_are_tried_once_each_and_then_no_more(strategy):
    study = Study([Permutation("p", ["a", "b", "c"])], Minimize("cost"), strategy=strategy, seed=1)
    for n in (1, 3, 2):
        for trial in study.ask(n):
            study.tell(trial, float(trial["p"].index("b")))
    assert len({tuple(t["p"]) for t in study.trials}) == 6
    with pytest.raises(SpaceExhaustedError, match="All 6 points"):
        study.ask()


def test_a_model_learns_an_order_repeats_itself_and_says_so():
    study = told(14, GP(n_first=8), seed=3)
    assert study.best.params["steps"][0] == "heat"
    assert study.verify().agrees
    notes = [t.notes for t in study.trials if "length_scales" in t.notes]
    assert notes[-1]["length_scales"].keys() == {"steps", "kiln", "round", "x"}
    trials = study.ask(3, fixed={"steps": ["heat", 4, "acid", "base"]}, shared=["x"])
    assert [t["steps"] for t in trials] == [["heat", 4, "acid", "base"]] * 3
    assert len({t["x"] for t in trials}) == 1
    assert study.verify().agrees


def test_predictions_and_figures_know_places():
    study = told(10, GP(n_first=6))
    predicted = study.predict(study.frame()[["steps", "kiln", "round", "x"]])
    assert np.isfinite(predicted.filter(like="cost").to_numpy(dtype=float)).all()
    history = study.history
    assert len(parameters.parameters_figure(history).axes) == SPACE.dim
    names = [axes.get_xlabel() for axes in slices.slices_figure(history, GP()).axes]
    assert {"steps.heat", "steps.4", "round.N", "kiln", "x"} <= set(names)
    assert dependence.dependence_figure(history, GP()).axes
    assert dependence.pair_figure(history, GP()).axes
    assert sensitivity.importance(history, GP()).total["cost"].shape == (4,)  # an order is one parameter


def test_a_study_file_and_the_command_line_have_orders(tmp_path):
    path, log = tmp_path / "study.toml", str(tmp_path / "s.db")
    path.write_text(
        """
[[parameter]]
kind = "permutation"
name = "tour"
items = ["A", "B", "C", "D"]
cyclic = true

[[parameter]]
kind = "permutation"
name = "steps"
items = ["mix", 2]

[[linear]]
coefficients = {"tour.A" = 1}
lower = 1
upper = 1

[[objective]]
kind = "minimize"
metric = "length"

[strategy]
name = "RandomSearch"
"""
    )
    run = CliRunner().invoke
    said = run(app, ["new", str(path), log]).output
    assert "tour: A, B, C, D in a cycle" in said
    assert "steps: mix, 2 in some order" in said
    assert read_study_file(path).space.parameters[0] == Permutation("tour", ["A", "B", "C", "D"], cyclic=True)
    out = str(tmp_path / "next.csv")
    asked = run(app, ["ask", log, "-n", "2", "--fix", "steps=2 > mix", "-o", out])
    assert asked.exit_code == 0, asked.output
    text = (tmp_path / "next.csv").read_text()
    assert text.count("2 > mix") == 2
    filled = pd.read_csv(out, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert filled.tour.str.startswith("A > ").all()
    filled["length"] = ["3", "2"]
    filled.to_csv(out, index=False)
    assert run(app, ["tell", out, log]).exit_code == 0
    assert "A > " in run(app, ["best", log]).output


def test_spaces_that_differ_in_an_order_say_in_what():
    one = Space([Permutation("p", ["a", "b", "c"])])
    other = Space([Permutation("p", ["a", "b", "c"], cyclic=True)])
    assert "cyclic=False" in one.difference(other)
    assert "cyclic=True" in one.difference(other)
