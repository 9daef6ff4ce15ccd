import itertools
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from bbo.objective import Maximize, OutcomeConstraint, Tracked
from bbo.space import Float
from bbo.strategies import GP, RandomSearch
from bbo.strategies.coverage import Coverage, Hope, hope
from bbo.studies.auditing import Audit, audit
from bbo.studies.study import Study
from bbo.trial import Suggestion


class Foretelling(RandomSearch):
    """Random points with what a model would note."""

    def __init__(self, loo_r2=0.8):
        self.loo_r2 = loo_r2

    def suggest(self, history, n, *, seed):
        notes = {"mean": {"y": 0.0}, "sd": {"y": 1.0}, "noise_sd": {"y": 0.0}, "warm": {}, "loo_r2": self.loo_r2}
        return [Suggestion(s.params, notes=notes) for s in super().suggest(history, n, seed=seed)]


class Hopeful(RandomSearch):
    """Random points, each said to be feasible with the same probability, by a model that may know of failures."""

    def __init__(self, said=0.75, *, knows_failures=True):
        self.said, self.warm = said, {"success": {"noise": [0.1]}} if knows_failures else {"success": None}

    def suggest(self, history, n, *, seed):
        notes = {"feasibility": self.said, "warm": self.warm}
        return [Suggestion(s.params, notes=notes) for s in super().suggest(history, n, seed=seed)]


def audited(values, loo_r2=0.8, dim=1):
    space = [Float(f"x{k}", 0.0, 1.0) for k in range(dim)]
    s = Study(space, Maximize("y"), strategy=Foretelling(loo_r2), seed=1)
    for value in values:
        s.tell(s.ask(), value)
    return audit(s.history)


def doubts(inside, of):
    return Audit(Coverage(inside, of), Hope(0, ()), 0.5, (), 3, is_early=False).doubts


@pytest.mark.parametrize("of", [3, 10, 20])
def test_a_model_is_called_overconfident_where_a_binomial_test_rejects_nine_in_ten_at_one_percent(of):
    for inside in range(of + 1):
        rejects = binomtest(inside, of, 0.9, alternative="less").pvalue < 0.01
        assert bool(doubts(inside, of)) == rejects, inside
    assert doubts(0, 20)


def test_overconfidence_is_told_with_what_was_found_and_what_was_expected():
    found = audited([0.0] * 11 + [9.0] * 9)
    (said,) = found.doubts
    assert said.startswith(
        "The model is overconfident: 9 of the last 20 results lay outside its 90 % intervals (2 expected)."
    )
    assert str(found) == "11 of the last 20 results within its 90 % intervals, leave-one-out R2 0.8 (at trial 19)"


def hoped(feasible, foretold):
    return Audit(Coverage(0, 0), Hope(feasible, foretold), 0.5, (), 3, is_early=False)


def test_chances_of_so_few_feasible_ones_are_those_of_all_ways_to_get_them():
    foretold = (0.9, 0.05, 0.5, 0.99, 0.3, 0.62)
    for feasible in range(7):
        ways = [way for way in itertools.product([0, 1], repeat=6) if sum(way) <= feasible]
        exact = sum(math.prod(p if is_in else 1 - p for p, is_in in zip(foretold, way, strict=True)) for way in ways)
        assert Hope(feasible, foretold).p_value == pytest.approx(exact, rel=1e-12)
    assert Hope(12, (0.8,) * 20).p_value == pytest.approx(binom.cdf(12, 20, 0.8), rel=1e-12)
    assert Hope(0, ()).p_value == 1.0
    assert Hope(1, (1.0, 0.5)).p_value == pytest.approx(Hope(1, (0.99, 0.5)).p_value)


def test_one_surprise_is_no_alarm():
    assert hoped(19, (1.0,) * 20).doubts == ()
    assert hoped(1, (1.0,) * 2).doubts == ()
    assert len(hoped(16, (1.0,) * 20).doubts) == 1


def test_failures_count_where_the_model_knew_of_them():
    for knows_failures, expected in ((True, Hope(1, (0.75,) * 3)), (False, Hope(1, (0.75,)))):
        strategy = Hopeful(knows_failures=knows_failures)
        s = Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=strategy, seed=1)
        for trial in s.ask(2):
            s.fail(trial, "leaked")
        s.tell(s.ask(), 1.0)
        assert hope(s.history) == expected


@pytest.mark.parametrize("said", [{"g": 0.9}, None, "high", math.nan, 2.0])
def test_what_is_no_probability_is_passed_over(said):
    s = Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=Hopeful(said), seed=1)
    s.tell(s.ask(), 1.0)
    assert hope(s.history) == Hope(0, ())


def test_outliers_that_were_mended_since_are_named_no_more():
    s = Study([Float("x", 0.0, 1.0)], [Maximize("y"), Tracked("t")], strategy=GP(n_first=12), seed=1)
    for trial in s.ask(12):
        s.tell(trial, {"y": 950.0 if trial.number == 4 else trial["x"]})
    s.ask()
    assert audit(s.history).outliers == (4,)
    s.amend(4, {"t": 1.0}, why="forgotten")
    assert audit(s.history).outliers == (4,)
    before = s.history
    s.amend(4, s.trial(4)["x"], why="typo")
    assert audit(s.history).outliers == ()
    assert audit(before).outliers == (4,)


def test_a_model_that_foretells_feasible_trials_which_fail_is_called_too_hopeful():
    (said,) = hoped(1, (0.6,) * 12).doubts
    assert said.startswith("The model is too hopeful: 1 of the last 12 trials were feasible, it foretold 7.2.")
    assert hoped(5, (0.6,) * 12).doubts == ()
    assert str(hoped(5, (0.6,) * 12)).startswith("5 of the last 12 feasible, 7.2 foretold, leave-one-out R2")


def test_feasible_ones_are_counted_among_trials_of_which_it_was_foretold():
    constraints = [Maximize("y"), OutcomeConstraint("g", upper=0.0)]
    s = Study([Float("x", 0.0, 1.0)], constraints, strategy=Hopeful(), seed=1)
    for g in (1.0, -1.0, 0.0):
        s.tell(s.ask(), {"y": 0.0, "g": g})
    s.fail(s.ask())
    s.fail(s.ask(), reason="timeout")
    s.cancel(s.ask())
    s.ask()
    assert hope(s.history) == Hope(2, (0.75,) * 4)
    s.amend(2, {"g": 5.0}, why="typo")
    assert hope(s.history) == Hope(1, (0.75,) * 4)
    for _ in range(30):
        s.tell(s.ask(), {"y": 0.0, "g": 1.0})
    assert hope(s.history) == Hope(0, (0.75,) * 20)


def test_a_model_that_predicts_worse_than_the_mean_explains_nothing():
    found = audited([0.0] * 12, loo_r2=-0.25)
    assert [d.partition(":")[0] for d in found.doubts] == ["The model explains nothing"]
    assert "(leave-one-out R2 -0.25)" in found.doubts[0]
    assert audited([0.0] * 12, loo_r2=0.01).doubts == ()


def test_early_on_a_model_need_not_explain_anything():
    assert audited([0.0] * 9, loo_r2=-0.25).doubts == ()
    assert audited([0.0] * 12, loo_r2=-0.25, dim=13).doubts == ()
    assert audited([0.0] * 13, loo_r2=-0.25, dim=13).doubts != ()


def test_coverage_is_as_of_now_and_not_as_of_the_last_ask():
    s = Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=Foretelling(), seed=1)
    trials = s.ask(5)
    assert str(audit(s.history)) == "leave-one-out R2 0.8 (at trial 4)"
    for trial in trials:
        s.tell(trial, 5.0)
    assert audit(s.history).coverage == Coverage(0, 5)


def test_of_a_strategy_without_a_model_nothing_is_said():
    s = Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=RandomSearch(), seed=1)
    for _ in range(12):
        s.tell(s.ask(), 1.0)
    found = audit(s.history)
    assert (str(found), found.doubts) == ("", ())


def test_an_audit_loads_no_torch():
    code = "import bbo.studies.auditing, sys; print([m for m in ('torch', 'scipy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_values_that_the_model_hardly_believes_are_named():
    s = Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=GP(), seed=1)
    x = np.arange(20) / 20
    s.add(pd.DataFrame({"x": x, "y": np.where(np.isin(range(20), (4, 11)), -50.0, x)}))
    assert "outlier" not in str(audit(s.history))
    s.ask()
    assert audit(s.history).outliers == (4, 11)
    assert str(audit(s.history)).endswith("(at trial 20), taken for outliers: 4, 11")


def test_of_many_outliers_the_latest_are_named():
    found = Audit(Coverage(0, 0), Hope(0, ()), None, tuple(range(10, 80, 10)), 80, is_early=False)
    assert str(found) == "taken for outliers: 30, 40, 50, 60, 70 and 2 before"
