"""Studies whose points are rows of a table."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bbo.budget import Budget
from bbo.cli import app
from bbo.errors import SpaceError, SpaceExhaustedError, StudyFileError, StudyFinished
from bbo.objective import Minimize
from bbo.space import Categorical, Float, Linear, Pool, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file

PARAMETERS = (Float("x", 0.0, 1.0), Float("z", 0.0, 1.0), Categorical("c", ["u", "v"]))


def table(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.random(n), "z": rng.random(n), "c": rng.choice(["u", "v"], n)})


def cost(p):
    return (p["x"] - 0.3) ** 2 + (p["z"] - 0.6) ** 2 + 0.2 * (p["c"] == "u")


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
def test_every_row_is_asked_for_once_and_then_the_pool_is_exhausted(strategy):
    frame = table(14)
    study = Study(Space(PARAMETERS, [Pool(frame)]), Minimize("y"), strategy=strategy, seed=3)
    for n in (3, 1, 4, 2, 4):
        for trial in study.ask(n):
            study.tell(trial, cost(trial.params))
    asked = sorted(tuple(t.params.values()) for t in study.trials)
    assert asked == sorted(frame.itertuples(index=False, name=None))
    with pytest.raises(SpaceExhaustedError, match="All 14 points"):
        study.ask()


def test_the_model_finds_the_best_row_of_many_soon():
    frame = table(3000)
    best = frame.iloc[int(np.argmin([cost(p) for p in frame.to_dict("records")]))].to_dict()
    study = Study(Space(PARAMETERS, [Pool(frame)]), Minimize("y"), strategy=GP(), seed=0)
    for _ in range(25):
        trial = study.ask()
        study.tell(trial, cost(trial.params))
    ranks = np.sort([cost(p) for p in frame.to_dict("records")])
    assert cost(study.best.params) <= ranks[2], (study.best.params, best)


def test_a_pool_beside_free_parameters_and_something_fixed():
    space = Space([*PARAMETERS, Float("heat", 0.0, 1.0)], [Pool(table(60))])
    study = Study(space, Minimize("y"), strategy=GP(n_first=5), seed=0)
    rows = set(table(60).itertuples(index=False, name=None))
    for n, fixed in [(5, {})] + [(2, {}), (2, {"c": "u"})] * 4:
        for trial in study.ask(n, fixed=fixed):
            assert (trial["x"], trial["z"], trial["c"]) in rows
            assert fixed.items() <= trial.params.items()
            study.tell(trial, cost(trial.params) + (trial["heat"] - 0.4) ** 2)
    assert abs(study.best["heat"] - 0.4) < 0.1


def test_a_study_file_has_the_table_beside_it(tmp_path):
    table().assign(price=1.5).to_csv(tmp_path / "stock.csv", index=False)
    path = tmp_path / "study.toml"
    path.write_text(
        """
[[parameter]]
name = "x"
kind = "float"
low = 0.0
high = 1.0

[[parameter]]
name = "z"
kind = "float"
low = 0.0
high = 1.0

[[parameter]]
name = "c"
kind = "categorical"
choices = ["u", "v"]

[[pool]]
table = "stock.csv"
costs = "price"

[[objective]]
kind = "minimize"
metric = "y"
"""
    )
    said = CliRunner().invoke(app, ["new", str(path), str(tmp_path / "s.db")]).output
    assert "the pool of 40 rows of" in said
    study = Study.load(tmp_path / "s.db")
    assert tuple(study.ask().params.values()) in set(table().itertuples(index=False, name=None))
    path.write_text(path.read_text().replace("stock.csv", "stork.csv"))
    with pytest.raises(StudyFileError, match=r"1st \[\[pool\]\].*there is no file.*stork.csv"):
        read_study_file(path)


def test_per_unit_of_cost_the_cheaper_of_two_equal_valleys_is_searched():
    frame = table(300)[["x", "z"]]
    frame["price"] = np.where(frame.x < 0.5, 1.0, 10.0)
    space = Space(PARAMETERS[:2], [Pool(frame, costs="price")])
    spent = {False: 0.0, True: 0.0}
    for seed in range(3):
        for per_cost in spent:
            study = Study(space, Minimize("y"), strategy=GP(per_cost=per_cost, n_first=4), seed=seed)
            for _ in range(20):
                trial = study.ask()
                price = 1.0 if trial["x"] < 0.5 else 10.0
                spent[per_cost] += price
                study.tell(trial, min((trial["x"] - 0.2) ** 2, (trial["x"] - 0.8) ** 2) + (trial["z"] - 0.6) ** 2)
                if per_cost and trial.number >= 4:
                    assert trial.notes["cost"] == pytest.approx(price)
            assert study.best.values["y"] < 0.003
    assert spent[True] < 0.8 * spent[False]


def test_rows_of_an_ask_together_stay_within_a_stock():
    stock = Linear({"grams": 1}, upper=14.0, between_points=True)
    pool = Pool({"grams": [3.0, 4.0, 5.0, 6.0], "c": ["u", "v", "u", "v"]})
    space = Space([Float("grams", 0.0, 10.0), Categorical("c", ["u", "v"])], [pool, stock])
    for seed in range(5):
        trials = Study(space, Minimize("y"), strategy=RandomSearch(), seed=seed).ask(3)
        assert len(trials) == 3
        assert sum(t["grams"] for t in trials) <= 14.0
    with pytest.raises(SpaceError, match="amounts to 3 at least and 6 at most, so ask for 1 to 4 points"):
        Study(space, Minimize("y"), strategy=RandomSearch(), seed=0).ask(5)


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
def test_a_pool_in_a_changed_space_has_its_rows_beside_trials_outside(strategy):
    study = Study(PARAMETERS, Minimize("y"), strategy=strategy, seed=1)
    study.enqueue({"x": 0.9, "z": 0.1, "c": "u"})
    for _ in range(5):
        trial = study.ask()
        study.tell(trial, cost(trial.params))
    rows = {"x": [0.2, 0.35, 0.1, 0.3], "z": [0.5, 0.7, 0.55, 0.6], "c": ["w", "v", "v", "w"]}
    narrower = Space([Float("x", 0.1, 0.4), PARAMETERS[1], Categorical("c", ["w", "v"])], [Pool(rows)])
    study.change_space(narrower)
    assert study.space.wide is not None
    assert study.trial(0).params == {"x": 0.9, "z": 0.1, "c": "u"}
    asked = sorted(tuple(t.params.values()) for t in study.ask(4))
    assert asked == sorted(zip(*rows.values(), strict=True))
    for t in study.trials[5:]:
        study.tell(t, cost(t.params))
    with pytest.raises(SpaceExhaustedError, match="All 4 points"):
        study.ask()


def test_the_price_of_a_row_is_its_cost_where_none_is_told():
    frame = table().assign(price=np.arange(40) + 1.0)
    price = {(r.x, r.z, r.c): r.price for r in frame.itertuples()}
    study = Study(
        Space(PARAMETERS, [Pool(frame, costs="price")]),
        Minimize("y"),
        strategy=RandomSearch(),
        seed=1,
        budget=Budget(cost=100.0),
    )
    spent = 0.0
    while spent < 100.0:
        trial = study.ask()
        spent += price[tuple(trial.params.values())]
        study.tell(trial, 1.0)
        study.tell(trial, 1.0)  # the same again
        assert study.trials[-1].cost == price[tuple(trial.params.values())]
    with pytest.raises(StudyFinished):
        study.ask()
    study.set_budget(Budget())
    dear, failed, cancelled = study.ask(3)
    study.tell(dear, 1.0, cost=0.5)
    study.tell(dear, 1.0)
    study.fail(failed)
    study.fail(failed)
    study.cancel(cancelled)
    costs = [study.trials[t.number].cost for t in (dear, failed, cancelled)]
    assert costs == [0.5, price[tuple(failed.params.values())], None]


def test_prices_count_in_a_run_and_in_parts_too():
    frame = table().assign(price=2.5)
    space = Space(PARAMETERS, [Pool(frame, costs="price")])
    study = Study(space, [Minimize("y"), Minimize("w")], strategy=RandomSearch(), seed=1)
    study.run(lambda trial: {"y": 1.0, "w": 2.0}, n_trials=2)
    trial = study.ask()
    study.tell(trial, {"y": 1.0}, partial=True)
    study.tell(trial, {"w": 1.0})
    assert [t.cost for t in study.trials] == [2.5] * 3
