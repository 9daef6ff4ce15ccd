import json

import pytest

from bbo.budget import Budget, GainBelow, GainBelowNoise, RegretBelow
from bbo.errors import BudgetError

BUDGETS = [
    Budget(),
    Budget(trials=60),
    Budget(cost=100, seconds=3.5),
    Budget(stop=[GainBelow(0.02)]),
    Budget(trials=5, cost=1e-3, stop=[GainBelowNoise(0.3, patience=5), RegretBelow(2, patience=2), GainBelowNoise()]),
]


@pytest.mark.parametrize("budget", BUDGETS, ids=repr)
def test_a_budget_is_read_back_equal_from_json(budget):
    again = Budget.from_dict(json.loads(json.dumps(budget.to_dict())))
    assert again == budget
    assert [type(rule) for rule in again.stop] == [type(rule) for rule in budget.stop]


def test_budgets_that_differ_in_one_field_are_not_equal():
    for k, one in enumerate(BUDGETS):
        assert all(one != other for other in BUDGETS[k + 1 :])
    assert Budget(stop=[GainBelow(0.1)]) != Budget(stop=[GainBelow(0.1, patience=4)])
    assert Budget(stop=[GainBelow(0.1)]) != Budget(stop=[RegretBelow(0.1)])


def test_json_holds_only_what_was_said():
    assert Budget().to_dict() == {"stop": []}
    assert Budget(trials=3, stop=[GainBelow(1)]).to_dict() == {
        "trials": 3,
        "stop": [{"kind": "gain_below", "gain": 1.0, "patience": 3}],
    }


def test_only_an_empty_budget_is_without_limit():
    assert [budget.is_limited for budget in BUDGETS] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trials", 0),
        ("trials", True),
        ("trials", 2.5),
        ("trials", "60"),
        ("cost", 0.0),
        ("cost", -1),
        ("cost", float("inf")),
        ("cost", "dear"),
        ("seconds", float("nan")),
        ("stop", 3),
        ("hours", 2),
    ],
)
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(BudgetError, match=field):
        Budget(**{field: value})
    with pytest.raises(BudgetError, match=field):
        Budget.from_dict({field: value})


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "gain_below", "gain": 0}, "gain"),
        ({"kind": "gain_below"}, "gain"),
        ({"kind": "gain_below_noise", "factor": -1}, "factor"),
        ({"kind": "gain_below_noise", "patience": 0}, "patience"),
        ({"kind": "regret_below", "regret": "small"}, "regret"),
        ({"kind": "regret_below", "regret": 1.0, "beta": 2}, "beta"),
        ({"kind": "no_such_rule"}, "no_such_rule"),
        ({"gain": 1.0}, "kind"),
    ],
)
def test_a_wrong_field_of_a_rule_is_named(rule, field):
    with pytest.raises(BudgetError, match=rf"(?s)stop\.0.*{field}"):
        Budget.from_dict({"stop": [rule]})


def test_what_is_not_json_is_not_a_budget():
    with pytest.raises(BudgetError, match="not a budget"):
        Budget.from_dict({"trials": object()})
