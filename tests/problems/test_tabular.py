"""Tables as problems: spaces, replicates, runs, fidelities, costs, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from bbo import Categorical, Float, Maximize, Minimize, OutcomeConstraint, Study
from bbo.errors import EvaluationError, FidelityError, SpaceError
from bbo.fidelity import Fidelity
from bbo.problems import Tabular
from bbo.space import Forbidden, Ordinal, Pool, Simplex
from bbo.strategies import GP

FULL = pd.DataFrame(
    {
        "solvent": ["water", "water", "None", "None"],
        "hours": [1.0, 5.0, 1.0, 5.0],
        "yield": [10.0, 20.0, 30.0, 40.0],
        "waste": [1.0, 4.0, 2.0, 3.0],
    }
)
CURVES = pd.DataFrame(
    [
        {"rate": rate, "run": run, "epoch": epoch, "loss": 100 * rate + 10 * run - epoch, "seconds": 2.0 * epoch}
        for rate in (0.1, 0.2)
        for run in (1, 2, 3)
        for epoch in range(1, 3 if (rate, run) == (0.2, 2) else 5)
    ]
)
EPOCH = Fidelity("epoch", 1, 4, is_whole=True)


def _curves():
    return Tabular(CURVES, ["rate"], (Minimize("loss"),), (EPOCH,), run="run", cost_column="seconds")


def test_a_full_factorial_is_a_space_of_choices_and_levels():
    problem = Tabular(FULL, ["solvent", "hours"], (Maximize("yield"),))
    assert list(problem.space.parameters) == [Categorical("solvent", ["water", "None"]), Ordinal("hours", [1.0, 5.0])]
    assert problem.space.constraints == ()
    assert problem.evaluate({"solvent": "None", "hours": 1.0}) == {"yield": 30.0}
    assert (problem.best_value, problem.optima) == (40.0, (("None", 5.0),))
    assert problem.card.size == "4 rows, 4 points"


def test_few_missing_combinations_are_forbidden():
    problem = Tabular(FULL.iloc[:3], ["solvent", "hours"], (Maximize("yield"),))
    assert list(problem.space.constraints) == [Forbidden({"solvent": ["None"], "hours": [5.0]})]
    with pytest.raises(SpaceError):
        problem.evaluate({"solvent": "None", "hours": 5.0})


def test_many_missing_combinations_and_many_numbers_make_a_pool():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.random(60), "kind": rng.choice(["a", "b"], 60), "k": np.arange(60), "y": rng.random(60)}
    )
    problem = Tabular(table, ["x", "kind", "k"], (Minimize("y"),))
    x, _, k = problem.space.parameters
    assert (type(x).__name__, type(k).__name__) == ("Float", "Int")
    assert isinstance(problem.space.constraints[0], Pool)
    for row in table.to_dict("records")[:5]:
        assert problem.evaluate({name: row[name] for name in ("x", "kind", "k")}) == {"y": row["y"]}
    with pytest.raises(SpaceError):
        problem.evaluate({"x": float(table["x"][0]), "kind": str(table["kind"][0]), "k": int(table["k"][1])})


def test_a_strategy_finds_the_best_row():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"u": rng.random(200), "v": rng.random(200)}).assign(y=lambda t: (t.u - 0.3) ** 2 + t.v)
    problem = Tabular(table, ["u", "v"], (Minimize("y"),))
    study = Study(problem.space, problem.objectives, strategy=GP(), seed=0)
    study.run(problem, n_trials=25)
    assert study.best.values["y"] == problem.best_value == table["y"].min()


def test_columns_of_a_mixture_are_named_as_in_tables_of_trials():
    table = pd.DataFrame({"mix.a": [0.2, 0.5], "mix.b": [0.8, 0.5], "loss": [1.0, 2.0]})
    problem = Tabular(table, [Simplex("mix", ["a", "b"])], (Minimize("loss"),))
    assert problem.evaluate({"mix": {"a": 0.5, "b": 0.5}}) == {"loss": 2.0}
    assert problem.optima == (({"a": 0.2, "b": 0.8},),)


def test_the_seed_draws_one_of_the_replicates_and_all_of_them_are_drawn():
    table = pd.concat([FULL, FULL.assign(**{"yield": FULL["yield"] + 1}), FULL.assign(**{"yield": FULL["yield"] + 5})])
    drawn = Tabular(table, ["solvent", "hours"], (Maximize("yield"), Minimize("waste")))
    point = {"solvent": "water", "hours": 5.0}
    seen = {seed: drawn.evaluate(point, seed=seed)["yield"] for seed in range(40)}
    assert set(seen.values()) == {20.0, 21.0, 25.0}
    assert {seed: drawn.evaluate(point, seed=seed)["yield"] for seed in range(40)} == seen
    assert drawn.card.noise == "which of the replicates is drawn"
    assert (drawn.best_value, drawn.optima) == (None, None)
    mean = Tabular(table, ["solvent", "hours"], (Maximize("yield"),), replicates="mean")
    assert mean.evaluate(point, seed=3) == {"yield": 22.0}
    assert mean.best_value == 42.0


def test_a_constraint_leaves_the_best_row_open():
    problem = Tabular(FULL, ["solvent", "hours"], (Maximize("yield"), OutcomeConstraint("waste", upper=2.0)))
    assert problem.best_value is None
    assert problem.evaluate({"solvent": "water", "hours": 1.0}) == {"yield": 10.0, "waste": 1.0}


def test_rows_without_a_value_are_left_out():
    table = FULL.copy()
    table.loc[3, "yield"] = np.nan
    problem = Tabular(table, ["solvent", "hours"], (Maximize("yield"),))
    assert problem.best_value == 30.0
    assert problem.card.size == "3 rows, 3 points"


def test_a_curve_is_of_one_run_and_runs_that_ended_early_are_left_out():
    problem = _curves()
    for seed in range(12):
        curve = [problem.evaluate({"rate": 0.2}, fidelity={"epoch": k}, seed=seed)["loss"] for k in range(1, 5)]
        assert np.diff(curve) == pytest.approx([-1.0] * 3)
        assert curve[-1] == problem.evaluate({"rate": 0.2}, seed=seed)["loss"]
        assert curve[-1] in (pytest.approx(26.0), pytest.approx(46.0))
    assert {problem.evaluate({"rate": 0.1}, seed=s)["loss"] for s in range(20)} == {16.0, 26.0, 36.0}


def test_costs_are_those_of_the_fidelity():
    problem = _curves()
    assert problem.cost({"rate": 0.1}) == 8.0
    assert problem.cost({"rate": 0.1}, {"epoch": 1}) == 2.0
    with pytest.raises(ValueError, match="no column of costs"):
        Tabular(FULL, ["solvent", "hours"], (Maximize("yield"),)).cost({"solvent": "water", "hours": 1.0})


def test_a_fidelity_that_a_point_does_not_have_is_no_value():
    table = CURVES[(CURVES["run"] == 1) & ~((CURVES["rate"] == 0.1) & (CURVES["epoch"] == 2))]
    problem = Tabular(table, ["rate"], (Minimize("loss"),), (EPOCH,))
    assert problem.evaluate({"rate": 0.2}, fidelity={"epoch": 2}) == {"loss": 28.0}
    with pytest.raises(EvaluationError, match=r"no row of this point at {'epoch': 2}: it has .*{'epoch': 4}"):
        problem.evaluate({"rate": 0.1}, fidelity={"epoch": 2})
    with pytest.raises(FidelityError, match=r"'epoch' lies in \[1, 4\]: got 9"):
        problem.evaluate({"rate": 0.1}, fidelity={"epoch": 9})


def test_points_without_a_row_at_full_fidelity_are_none():
    table = CURVES[(CURVES["rate"] == 0.1) | (CURVES["epoch"] < 3)]
    assert Tabular(table, ["rate"], (Minimize("loss"),), (EPOCH,)).space.parameters[0].values == (0.1, 0.2)
    with pytest.raises(SpaceError):
        Tabular(table, ["rate"], (Minimize("loss"),), (EPOCH,)).evaluate({"rate": 0.2})


def test_equal_tables_make_equal_problems():
    assert _curves() == _curves()
    assert _curves() != Tabular(CURVES, ["rate"], (Maximize("loss"),), (EPOCH,), run="run", cost_column="seconds")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": ["solvent", "minutes"]}, r"there are no \['minutes'\]"),
        ({"objectives": (Maximize("profit"),)}, r"there are no \['profit'\]"),
        ({"fidelities": (EPOCH,)}, r"there are no \['epoch'\]"),
        ({"run": "batch"}, r"there are no \['batch'\]"),
        ({"replicates": "median"}, 'takes as replicates "draw" or "mean": got \'median\''),
        ({"table": FULL.assign(solvent=["water", None, "None", "None"])}, r"Cells of inputs .* \['solvent'\]"),
        ({"table": FULL.assign(**{"yield": np.nan})}, r"No row of the table has a value of all of \['yield'\]"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(change, said):
    given = {"table": FULL, "inputs": ["solvent", "hours"], "objectives": (Maximize("yield"),)} | change
    with pytest.raises(ValueError, match=said):
        Tabular(**given)


def test_a_row_outside_of_a_parameter_is_refused():
    problem = Tabular(FULL, [Categorical("solvent", ["water", "None"]), Float("hours", 0, 2)], (Maximize("yield"),))
    with pytest.raises(SpaceError, match=r"Row 2 of the pool: 'hours' lies in \[0.0, 2.0\], got 5.0"):
        _ = problem.space
