"""The problems of `spaces.py`, and what it says of made-up runs."""

import argparse
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import spaces
from quality_runs import Ours, Record, Running, peak_mb, run
from quality_suite import SUITE, SUITES, fingerprint
from rdkit import Chem
from spaces import CELLS, Compared, Molecules, comparison, regrets
from spaces_molecules import Batch, FourMolecules, Watched, asked_after, smiles
from spaces_pool import asked_of_pool
from spaces_problems import ManyCategories, ModelChoice, ModelChoiceDiabetes, SparseMixture
from spaces_tours import Salesman, searched, two_opt

from bbo import Study
from bbo.strategies import GP, ModelBased, RandomSearch

FAKE = (sys.executable, str(Path(__file__).with_name("fake_peer.py")))
KINDS = (ManyCategories, SparseMixture, ModelChoice, FourMolecules)


def _run(method, seed, values, seconds=0.5):
    return Record(
        method=method,
        problem="model-choice",
        fingerprint="",
        seed=seed,
        n_given=0,
        values=values,
        feasible=[1] * len(values),
        first=[],
        seconds=[seconds] * len(values),
        versions={},
        machine="",
        peak_mb=300,
    )


@pytest.mark.parametrize("core", ["halide", "amine", "ligand", "additive"])
def test_smiles_are_valid_distinct_and_canonical(core):
    written = smiles(core)
    assert len(set(written)) == len(written) == 144
    assert [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in written] == written
    assert all("." not in text for text in written)


def test_the_space_of_molecules_is_as_said():
    parameters = FourMolecules(0).space.parameters
    assert [p.kind for p in parameters] == ["molecule"] * 4 + ["float"] * 4 + ["simplex"]
    assert [p.n_levels for p in parameters[:4]] == [140] * 4


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_seed_makes_other_problems_and_the_same_one_again(kind):
    one, again, other = kind(1), kind(1), kind(2)
    points = one.space.sample(5, np.random.default_rng(0))
    values = [one.evaluate(p) for p in points]
    assert values == [again.evaluate(p) for p in points]
    if kind is not SparseMixture:  # of which a point of one seed may be none of another
        assert values != [other.evaluate(p) for p in points]
    assert len({str(v) for v in values}) > 2


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_categories_is_that_of_all_combinations(seed):
    problem = ManyCategories(seed, n=5, n_levels=3)
    values = [
        problem.evaluate(dict(zip(problem.space.names, x, strict=True)))["cost"]
        for x in itertools.product(["c0", "c1", "c2"], repeat=5)
    ]
    assert problem.best_value == pytest.approx(min(values))


def test_half_of_what_categories_do_depends_on_one_another():
    problem = ManyCategories(0)
    rng = np.random.default_rng(0)
    values = np.array([problem.evaluate(p)["cost"] for p in problem.space.sample(4000, rng)])
    shifted = np.array([problem.evaluate(p)["cost"] for p in problem.space.sample(4000, rng)])
    assert values.std() == pytest.approx(math.sqrt(15 + 14), rel=0.35)
    assert min(values.min(), shifted.min()) > problem.best_value


@pytest.mark.parametrize("seed", range(10))
def test_the_product_is_a_mixture_of_five_parts_and_nothing_matches_it_better(seed):
    problem = SparseMixture(seed)
    point = {"mix": problem.optimum}
    assert point in problem.space
    assert sum(v > 0 for v in problem.optimum.values()) == 5
    assert problem.evaluate(point)["mismatch"] == pytest.approx(0.0, abs=1e-20)
    others = problem.space.sample(30, np.random.default_rng(seed))
    assert all(p in problem.space for p in others)
    assert min(problem.evaluate(p)["mismatch"] for p in others) > 1e-3


@pytest.mark.parametrize("seed", range(30))
def test_no_model_is_better_than_the_best_floor_and_the_best_branch_reaches_it(seed):
    problem = ModelChoice(seed)
    values = [problem.evaluate(p)["error"] for p in problem.space.sample(300, np.random.default_rng(seed))]
    assert min(values) >= problem.best_value
    made = problem._made
    at = {
        "rbf": {
            "model": "svm",
            "kernel": "rbf",
            "C": 10 ** (6 * made["C at"] - 3),
            "gamma": 10 ** (6 * made["gamma at"] - 5),
        },
        "linear": {"model": "svm", "kernel": "linear", "C": 10 ** (6 * made["linear C at"] - 3)},
        "forest": {"model": "forest", "depth": made["depth at"]},
        "knn": {"model": "knn", "neighbours": made["neighbours at"]},
    }
    floors = {branch: problem.evaluate(point)["error"] for branch, point in at.items()}
    assert floors == pytest.approx({branch: made[branch] for branch in at})
    assert min(floors.values()) == pytest.approx(problem.best_value)


def test_the_narrow_branch_is_the_best_in_most_seeds_but_not_in_all():
    shares = np.mean([ModelChoice(s)._made["rbf"] == ModelChoice(s).best_value for s in range(200)])
    assert 0.5 < shares < 0.8


def test_a_model_has_its_own_hyperparameters_alone():
    points = ModelChoice(0).space.sample(200, np.random.default_rng(0))
    assert {tuple(sorted(p)) for p in points} == {
        ("C", "kernel", "model"),
        ("C", "gamma", "kernel", "model"),
        ("depth", "model"),
        ("model", "neighbours"),
    }


@pytest.mark.parametrize(
    "point",
    [
        {"model": "svm", "kernel": "rbf", "C": 10.0, "gamma": 0.01},
        {"model": "forest", "depth": 4},
        {"model": "knn", "neighbours": 15},
    ],
    ids=lambda point: point["model"],
)
def test_models_on_data_are_better_than_the_mean(point):
    pytest.importorskip("sklearn")
    rmse = ModelChoiceDiabetes(0).evaluate(point)["rmse"]
    assert 45 < rmse < 70  # the standard deviation of the target is 77
    assert rmse == ModelChoiceDiabetes(0).evaluate(point)["rmse"] != ModelChoiceDiabetes(1).evaluate(point)["rmse"]


@pytest.mark.parametrize("name", ["fifteen-categories", "sparse-mixture", "model-choice"])
def test_a_peer_is_told_of_conditions_and_mixtures(name):
    record = run("random", Ours(is_random=True), name, seed=3, n_trials=3)
    assert len(record.values) == 3
    assert record.fingerprint == fingerprint(name, 3) != fingerprint(name, 4)
    assert record.peak_mb > 50


def test_a_peer_leaves_out_what_is_not_there():
    record = run("fake", Running(FAKE), "model-choice", seed=0, n_trials=3)
    assert record.error == ""
    assert set(record.first[0]) == {"model", "kernel", "C"}


def test_given_points_of_a_space_with_constraints_are_members():
    records = [run("m", m, "sparse-mixture", 3, n_given=4, n_trials=5) for m in (Ours(), Ours(is_random=True))]
    assert records[0].values[:4] == records[1].values[:4]
    assert all(p in SUITE["sparse-mixture"](3).space for p in records[0].first)


def test_memory_is_known_of_this_process_alone():
    assert peak_mb("self") > 50
    assert peak_mb(2**22 + 1) is None


def test_what_is_watched_suggests_what_the_default_strategy_does():
    problem = ModelChoice(0)
    studies = [
        Study(problem.space, problem.objectives, strategy=s, seed=1) for s in (GP(), ModelBased(acquisition=Watched()))
    ]
    for study in studies:
        for trial in study.ask(8):
            study.tell(trial, problem.evaluate(trial.params))
    asked = [[trial.params for trial in study.ask(3)] for study in studies]
    assert asked[0] == asked[1]


def test_points_asked_for_together_are_judged_as_they_were_chosen():
    batch = asked_after(FourMolecules(0, n_of_each=5), 10, seed=0)
    assert len(batch.ahead) == 3
    assert batch.seconds > 0


def test_regret_is_above_the_least_value_or_else_above_the_best_of_all_runs():
    runs = {"bbo": [_run("bbo", 0, [3.0, 1.0]), _run("bbo", 1, [2.0])], "tpe": [_run("tpe", 1, [1.5, 4.0])]}
    assert regrets(runs, {0: 0.25}) == {"bbo": {0: 0.75, 1: 0.5}, "tpe": {1: 0.0}}
    assert regrets(runs, {0: 1.0 + 1e-10})["bbo"][0] == 0.0


def test_methods_are_compared_in_pairs():
    ours = [_run("bbo", s, [ModelChoice(s).best_value + 0.1]) for s in range(6)]
    theirs = [_run("tpe", s, [ModelChoice(s).best_value + 0.3]) for s in range(2, 6)]
    header, mine, other = comparison("model-choice", {"bbo": ours, "tpe": theirs})
    assert len({len(header), len(mine), len(other)}) == 1
    assert mine[:3] == ["bbo", "6", "0.1 (0.1 to 0.1)"]
    assert other[1:5] == ["4", "0.3 (0.3 to 0.3)", "+0.2 (+0.2 to +0.2)", "100% (100% to 100%)"]
    assert other[5:] == ["0.500, 0.50", "300"]


def test_equal_runs_count_as_half_won():
    pairs = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 3.0], [3.0, 1.0]])
    assert spaces.in_pairs(pairs)[1].startswith("50%")


def test_every_cell_of_runs_has_a_suite():
    assert {c.suite for c in CELLS.values() if isinstance(c, Compared)} <= set(SUITES)


def test_the_aim_of_molecules_is_missed_by_a_point_that_is_worse_than_a_random_one():
    rows = [Molecules._row(0, Batch(10.0, 900, ahead)) for ahead in ([0.1, 0.2, 0.3], [0.1, -0.2, 0.3])]
    assert ["met" in row[-1] for row in rows] == [True, False]
    assert "MISSED" in Molecules._row(0, Batch(61.0, 900, [0.1]))[-1]


def test_cells_take_the_seeds_that_are_wanted():
    wanted = CELLS["trees"].wanted(argparse.Namespace(seeds=[3]))
    assert wanted == [("model-choice", 3, 0), ("model-choice-diabetes", 3, 0)]


def test_the_shortest_tour_is_that_of_all_orders():
    problem = Salesman(3, n=7)
    every = min(problem.length([0, *order]) for order in itertools.permutations(range(1, 7)))
    assert problem.shortest == pytest.approx(every)
    assert two_opt(problem, 0, 400) == pytest.approx(every)
    assert searched(problem, RandomSearch(), 30) >= problem.shortest - 1e-12


def test_of_a_local_search_so_many_tours_count_as_it_may_look_at(monkeypatch):
    lengths = []
    length = Salesman.length

    def watched(problem, tour):
        lengths.append(length(problem, tour))
        return lengths[-1]

    monkeypatch.setattr(Salesman, "length", watched)
    found = two_opt(Salesman(1), 2, 20)
    assert found == min(lengths[:20]) > min(lengths)


def test_a_suggestion_among_many_rows_is_worth_most():
    asked = asked_of_pool(0, n_rows=3000)
    assert asked.better == [0] * 5
    assert len(asked.seconds) == 5
