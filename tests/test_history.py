from bbo.objective import Minimize
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
