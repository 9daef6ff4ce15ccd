"""Objectives: what they accept, and the one flip of signs."""

import json

import numpy as np
import pytest

from bbo.errors import NonFiniteError, ObjectiveError
from bbo.objective import Maximize, Minimize, Objectives, OutcomeConstraint, Target, Tracked

FULL = Objectives(
    (
        Minimize("cost"),
        Maximize("yield"),
        Target("ph", 7.0, tolerance=0.5),
        OutcomeConstraint("stress", lower=-1.0, upper=3.0),
        OutcomeConstraint("cost", upper=10.0),
        Tracked("colour"),
    )
)


def test_utilities_are_maximized_and_violations_feasible_at_zero_and_below():
    assert FULL.metrics == ("cost", "yield", "ph", "stress", "colour")
    V = np.array([[2.0, 5.0, 7.4, 3.0, np.nan], [11.0, 5.0, 8.0, 0.0, 1.0]])
    np.testing.assert_allclose(FULL.utilities(V), [[-2.0, 5.0, 0.0], [-11.0, 5.0, -0.5]])
    np.testing.assert_allclose(FULL.violations(V), [[-4.0, 0.0, -8.0], [-1.0, -3.0, 1.0]])
    assert FULL.is_feasible(V).tolist() == [True, False]


def test_without_constraints_everything_is_feasible():
    objectives = Objectives((Maximize("y"),))
    assert objectives.violations(np.ones((3, 1))).shape == (3, 0)
    assert objectives.is_feasible(np.ones((3, 1))).all()


def test_units_are_by_metric_and_one_of_an_older_log_is_none():
    wanted = (
        Maximize("yield", unit="%"),
        OutcomeConstraint("yield", lower=0.3),
        Target("ph", 7.0, unit=None),
        Minimize("cost", unit="EUR"),
        Tracked("colour", unit="nm"),
    )
    objectives = Objectives(wanted)
    assert objectives.units == {"yield": "%", "cost": "EUR", "colour": "nm"}
    assert Objectives.from_list(json.loads(json.dumps(objectives.to_list()))) == objectives
    old = [{k: v for k, v in plain.items() if k != "unit"} for plain in FULL.to_list()]
    assert Objectives.from_list(old) == FULL


def test_replicates_are_checked_one_by_one_and_stand_as_their_mean():
    values, singles = FULL.check_measured({"yield": [1.0, 2.0, 6.0], "cost": 3, "ph": np.array([7.0])})
    assert values == {"cost": 3.0, "yield": 3.0, "ph": 7.0}
    assert singles == {"yield": [1.0, 2.0, 6.0]}
    assert FULL.missing(values) == ["stress"]
    with pytest.raises(ObjectiveError, match="got 'x'"):
        FULL.check_measured({"yield": [1.0, "x"]})


def test_objectives_survive_json():
    assert Objectives.from_list(json.loads(json.dumps(FULL.to_list()))) == FULL


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cost": 1.0}, r"missing"),
        ({"cost": 1, "yield": 1, "ph": 1, "stress": 1, "smell": 1}, r"got values for \['smell'\]"),
        ({"cost": "1", "yield": 1, "ph": 1, "stress": 1}, "'cost' is a number: got '1'"),
        ({"cost": True, "yield": 1, "ph": 1, "stress": 1}, "got True"),
        (3.0, "in a dict: got 3.0"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, said):
    with pytest.raises(ObjectiveError, match=said):
        FULL.check(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf])
def test_a_value_that_is_not_finite_is_refused_and_names_the_remedy(value):
    with pytest.raises(NonFiniteError, match=r"use fail\(\)"):
        Objectives((Minimize("y"),)).check(value)


def test_a_bare_number_serves_a_study_of_one_metric():
    assert Objectives((Minimize("y"), Tracked("t"))).check(np.float64(2.5)) == {"y": 2.5}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Objectives(()), "at least one objective"),
        (lambda: Objectives((OutcomeConstraint("g", upper=0.0),)), "at least one objective"),
        (lambda: Objectives((Minimize("y"), Maximize("y"))), "'y' stands twice"),
        (lambda: Objectives((Minimize("y"), Tracked("y"))), "drop Tracked"),
        (lambda: Objectives((Maximize("y", unit="g"), OutcomeConstraint("y", upper=1.0, unit="kg"))), "one unit"),
        (lambda: OutcomeConstraint("g"), "got neither"),
        (lambda: OutcomeConstraint("g", lower=2.0, upper=1.0), "is above"),
        (lambda: Target("y", 1.0, tolerance=-1.0), "tolerance must be at least 0"),
    ],
)
def test_objectives_that_cannot_be_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
