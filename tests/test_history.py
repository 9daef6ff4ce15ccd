import numpy as np

from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Float
from bbo.strategies import RandomSearch
from bbo.studies.study import Study


def test_told_order_is_that_of_the_ends_whatever_the_numbers():
    s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1)
    s.ask(5)
    s.tell(3, 1.0)
    s.fail(0)
    s.tell(4, 2.0)
    s.cancel(1)
    assert s.history.told_order.tolist() == [3, 0, 4, 1]


def test_what_is_seen_below_a_trial_is_the_history_of_the_time_when_only_those_before_had_ended():
    wanted = [Minimize("y"), OutcomeConstraint("g", upper=0.0)]
    s = Study([Float("x", 0.0, 1.0)], wanted, strategy=RandomSearch(), seed=1)
    s.ask(5)
    ends = [
        lambda k: s.tell(k, {"y": [1.0, 3.0], "g": -1.0}, sd={"y": 0.5}, cost=2.0),
        lambda k: s.fail(k, "broken"),
        lambda k: s.cancel(k),
        lambda k: s.tell(k, {"y": 4.0, "g": [0.5, 0.7]}, sd={"g": 0.1}),
        lambda k: s.tell(k, {"y": [2.0, 5.0, 6.0], "g": [0.0, 1.0]}, sd={"y": 0.2, "g": 0.3}, cost=1.0),
    ]
    then = []
    for k, end in enumerate(ends):
        then.append(s.history)
        end(k)
    for k, before in enumerate(then):
        seen = s.history.seen_below(k)
        for name in ("X", "V", "V_sd", "V_n", "V_scatter", "cost", "status", "fails", "told_order", "is_feasible"):
            np.testing.assert_array_equal(getattr(seen, name), getattr(before, name), err_msg=name)
