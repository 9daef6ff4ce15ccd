"""Improvement per unit of cost: what is chosen, noted and refused."""

import numpy as np
import pytest

from bbo.acquisition.optimism import UCB, Thompson
from bbo.acquisition.utilities import log_pi
from bbo.budget import Budget, GainBelow
from bbo.errors import StrategyError
from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Categorical, Float
from bbo.strategies import GP
from bbo.studies.specification import describe, rebuild
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file

SQUARE = [Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)]


def twins(params):
    """Two basins alike, one where trials are dear."""
    return min((params["x"] - m) ** 2 for m in (0.25, 0.75)) * 10 + (params["y"] - 0.4) ** 2 * 5


def dear(params):
    return 10.0 if params["x"] > 0.5 else 1.0


def told(n, cost=dear, seed=1, wanted=None, **options):
    s = Study(SQUARE, wanted or Minimize("v"), strategy=GP(per_cost=True, **options), seed=seed)
    for _ in range(n):
        trial = s.ask()
        s.tell(trial, twins(trial.params), cost=None if cost is None else cost(trial.params))
    return s


def search(strategy, seed, n=14):
    """What the trials of the model cost, and how near the best of all `n` is to the optimum."""
    s = Study(SQUARE, Minimize("v"), strategy=strategy, seed=seed)
    for _ in range(n):
        trial = s.ask()
        s.tell(trial, twins(trial.params), cost=dear(trial.params))
    return sum(t.cost for t in s.trials if t.notes["by"] == "GP"), min(twins(t.params) for t in s.trials)


def test_less_is_spent_where_one_half_of_the_space_costs_ten_times_as_much_and_as_much_is_found():
    ours, theirs = (np.array([search(strategy, seed) for seed in range(3)]) for strategy in (GP(per_cost=True), GP()))
    assert ours[:, 0].sum() < 0.7 * theirs[:, 0].sum()
    assert np.median(ours[:, 1]) < 0.02


def test_notes_say_what_a_trial_is_expected_to_cost():
    s = told(8)
    trial = s.ask()
    assert trial.notes["cost"] == pytest.approx(dear(trial.params), rel=0.5)
    assert "costs" in trial.notes["warm"]
    assert s.verify().agrees


@pytest.mark.parametrize("n_told", [0, 1])
def test_until_two_costs_are_told_it_is_as_without_and_the_notes_say_so(n_told):
    plain, per_cost = (Study(SQUARE, Minimize("v"), strategy=s, seed=3) for s in (GP(), GP(per_cost=True)))
    for k in range(8):
        one, other = plain.ask(), per_cost.ask()
        assert one.params == other.params
        if other.notes["by"] == "GP":
            assert other.notes.pop("cost") is None
            assert other.notes == one.notes
        for s, trial in ((plain, one), (per_cost, other)):
            s.tell(trial, twins(trial.params), cost=5.0 if k < n_told else None)


def test_costs_of_failed_trials_count_and_those_of_trials_that_say_nothing_do_not():
    s = told(6, cost=None)
    s.cancel(s.ask(), cost=99.0)
    s.ask()
    assert s.ask().notes["cost"] is None
    for _ in range(2):
        s.fail(s.ask(), cost=4.0)
    assert s.ask().notes["cost"] == pytest.approx(4.0)


def test_costs_alike_change_no_choice():
    s = told(8, cost=lambda p: 5.0, seed=3)
    one, other = s.fork(strategy=GP()).ask(), s.ask()
    assert other.notes["cost"] == pytest.approx(5.0)
    assert [one["x"], one["y"]] == pytest.approx([other["x"], other["y"]], abs=0.02)


def test_a_batch_and_a_space_with_choices_constraints_and_failures_are_asked_per_cost():
    space = [*SQUARE, Categorical("c", ["u", "v"])]
    wanted = [Minimize("v"), OutcomeConstraint("g", upper=0.0)]
    s = Study(space, wanted, strategy=GP(per_cost=True, n_first=6), seed=1)
    for n in (6, 2):
        for trial in s.ask(n):
            if trial["y"] > 0.9:
                s.fail(trial, cost=0.5)
            else:
                s.tell(trial, {"v": twins(trial.params), "g": 0.2 - trial["x"]}, cost=1.0 + 9 * (trial["c"] == "v"))
    last = s.ask(3)
    assert all(t.notes["cost"] > 0 for t in last)
    assert len({(t["x"], t["y"], t["c"]) for t in last}) == 3
    assert s.verify().agrees


def test_a_rule_on_the_gain_reads_what_the_dear_half_still_promises():
    """Where little is left to be gained for little money, much may be left to be gained."""
    s = Study([Float("x", 0.0, 1.0)], Minimize("v"), strategy=GP(per_cost=True, n_first=5), seed=1)
    for x in (0.0, 0.45, 0.6, 0.7, 1.0):
        trial = s.ask(fixed={"x": x})
        s.tell(trial, -4 * max(0.0, x - 0.5) * (1.05 - x), cost=1e9 if x > 0.55 else 1.0)
    s.set_budget(Budget(stop=[GainBelow(1e-9)]))
    trial = s.ask()
    plain = s.fork(at=5, strategy=GP(n_first=5)).ask()
    assert trial["x"] < 0.45 < 0.7 < plain["x"]
    assert trial.notes["gain"] == pytest.approx(plain.notes["gain"], rel=0.05)


@pytest.mark.parametrize("acquisition", [UCB(), Thompson()])
def test_acquisitions_that_are_no_logarithms_are_refused(acquisition):
    with pytest.raises(StrategyError, match="divides a utility by the cost"):
        GP(per_cost=True, acquisition=acquisition)


def test_other_utilities_are_taken_and_no_number_is():
    assert GP(per_cost=True, acquisition=log_pi).per_cost
    with pytest.raises(StrategyError, match="True or False"):
        GP(per_cost=1)


def test_it_is_described_and_read_from_a_study_file(tmp_path):
    assert describe(GP(per_cost=True)) == {"name": "GP", "options": {"per_cost": True}}
    assert rebuild(describe(GP(per_cost=True))) == GP(per_cost=True)
    assert describe(GP()) == {"name": "GP", "options": {}}
    path = tmp_path / "study.toml"
    path.write_text(
        '[[parameter]]\nkind = "float"\nname = "x"\nlow = 0\nhigh = 1\n\n'
        '[[objective]]\nkind = "minimize"\nmetric = "v"\n\n[strategy]\nname = "GP"\nper_cost = true\n'
    )
    assert read_study_file(path).strategy == GP(per_cost=True)
