"""How much of an evaluation is paid for: what is given, what is full, what is refused."""

import pytest

from bbo.errors import FidelityError
from bbo.fidelity import Fidelity, paid

EPOCHS = Fidelity("epochs", 1, 27, is_whole=True)
SHARE = Fidelity("share", 0.1, 1.0)
SIZE = Fidelity.of_levels("size", [60e6, 1e6, 1e9], unit="parameters")


def test_what_is_not_given_is_paid_for_in_full():
    assert paid([EPOCHS, SHARE], None) == {"epochs": 27, "share": 1.0}
    assert paid([EPOCHS, SHARE], {"epochs": 3}) == {"epochs": 3, "share": 1.0}
    assert paid([], {}) == {}


def test_levels_rise_whatever_their_order():
    assert Fidelity("size", 1e6, 1e9, (1e6, 60e6, 1e9), True, "parameters") == SIZE
    assert SIZE.check(60e6) == 60_000_000


@pytest.mark.parametrize(
    ("fidelities", "given", "said"),
    [
        ([EPOCHS], {"epochs": 0}, r"'epochs' lies in \[1, 27\]: got 0"),
        ([EPOCHS], {"epochs": 2.5}, "'epochs' is a whole number: got 2.5"),
        ([EPOCHS], {"epochs": True}, r"'epochs' lies in \[1, 27\]: got True"),
        ([SHARE], {"share": float("nan")}, r"'share' lies in \[0.1, 1\]: got nan"),
        ([SIZE], {"size": 2e6}, "'size' is one of .*: got 2000000.0"),
        ([EPOCHS], {"steps": 3}, r"has the fidelities \['epochs'\]: got \['steps'\]"),
        ([], {"steps": 3}, r"has no fidelity: got \['steps'\]"),
    ],
)
def test_what_no_fidelity_has_is_refused(fidelities, given, said):
    with pytest.raises(FidelityError, match=said):
        paid(fidelities, given)


@pytest.mark.parametrize(
    ("low", "high", "levels", "said"),
    [
        (2, 1, None, "needs low < high, both finite: got 2 and 1"),
        (1, float("inf"), None, "needs low < high, both finite: got 1 and inf"),
        (1, 3, (1, 2), "rise from low=1 to high=3: got \\(1, 2\\)"),
        (1, 3, (1, 3, 2), "rise from low=1 to high=3"),
    ],
)
def test_what_cannot_be_a_fidelity_is_refused(low, high, levels, said):
    with pytest.raises(FidelityError, match=said):
        Fidelity("epochs", low, high, levels)
