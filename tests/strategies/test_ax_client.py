"""Ax as a strategy. `BBO_LONG=1 pytest tests/contracts/test_strategies.py` has it in the suite of all strategies."""

import subprocess
import sys
import threading

import pandas as pd
import pytest
import torch

from bbo import Categorical, Float, Int, Maximize, Minimize, Ordinal, Study
from bbo.errors import StrategyError
from bbo.space import Forbidden, Linear, Permutation, Simplex, Space
from bbo.strategies import GP, AxClient, ax_client

SQUARE = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], [Linear({"x": 1.0, "z": 1.0}, upper=1.5)])


def bowl(p):
    return (p["x"] - 0.3) ** 2 + (p["z"] - 0.6) ** 2


def test_it_goes_to_the_optimum_is_recomputed_and_compares_with_another_in_one_study():
    study = Study(SQUARE, Minimize("y"), strategy=AxClient(n_first=4), seed=1)
    state = torch.get_rng_state()
    for k in range(5):
        trial = study.ask()
        assert trial.params in SQUARE
        assert trial.notes["by"] == ("middle" if k == 0 else "maximin" if k < 4 else "ax")
        study.tell(trial, bowl(trial.params))
    study.ask()
    assert len({tuple(t.params.values()) for t in study.trials}) == 6
    assert study.best.values["y"] < 0.03
    assert study.verify().agrees
    assert torch.equal(state, torch.get_rng_state())
    other = study.fork(strategy=GP())
    assert other.ask().notes["by"] == "GP"


def test_a_space_of_every_kind_it_knows_is_kept_to():
    space = Space(
        [
            Simplex("mix", ["a", "b c"], total=2.0),
            Categorical("model", ["p", "q", None]),
            Float("x", 1e-3, 1.0, log=True, when={"model": ["p"]}),
            Float("s", 0.0, 1.0, step=0.1),
            Int("n", 1, 9),
            Ordinal("size", ["S", "M", "L"]),
        ],
        [Linear({"mix.a": 1.0, "n": 0.1}, upper=1.9)],
    )
    study = Study(space, Maximize("v"), strategy=AxClient(n_first=3), seed=1)
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, trial["mix"]["a"] - trial.params.get("x", 0.5))
    trial = study.ask()
    assert trial.params in space
    assert trial.notes == {"by": "ax"}
    study.fail(trial, "leaked")
    fixed = study.ask(fixed={"model": "q"})  # of which Ax finds no point in such a space, and that is said
    assert fixed.params in space
    assert fixed.params["model"] == "q"
    assert fixed.notes["fall"] == "unproposed"


def test_trials_outside_of_a_space_that_was_narrowed_are_left_out_and_the_others_are_where_they_were():
    study = Study([Float("x", 0.0, 10.0), Int("n", 1, 9)], Minimize("y"), strategy=AxClient(), seed=1)
    study.add(pd.DataFrame({"x": [1.0, 6.0, 9.0], "n": [2, 3, 4], "y": [1.0, 2.0, 3.0]}))
    study.change_space([Float("x", 5.0, 8.0), Int("n", 1, 9)])
    (trial,) = ax_client._task(study.history)["trials"]
    assert trial["params"] == {"x0": pytest.approx(6.0), "x1": 3}
    assert trial["told"] == [-2.0]


def test_a_thread_that_draws_meanwhile_changes_no_bit():
    def drawing(until):
        while not until.wait(1e-3):
            torch.rand(10)

    def asked(until):
        study = Study(SQUARE, Minimize("y"), strategy=AxClient(n_first=2), seed=3)
        thread = threading.Thread(target=drawing, args=(until,))
        thread.start()
        for _ in range(3):
            trial = study.ask()
            study.tell(trial, bowl(trial.params))
        until.set()
        thread.join()
        return [t.params for t in study.trials]

    idle = threading.Event()
    idle.set()
    assert asked(threading.Event()) == asked(idle)


@pytest.mark.parametrize(
    ("parameters", "constraints", "said"),
    [
        ([Permutation("tour", ["a", "b"])], [], "no Permutation"),
        ([Simplex("mix", ["a", "b", "c"], max_parts=2)], [], "number of parts"),
        ([Ordinal("many", list(range(2000)))], [], "up to 1000 choices"),
        ([Int("n", 1, 3), Float("x", 0.0, 1.0, when={"n": [1]})], [], "conditions on choices alone"),
        ([Int("n", 1, 3), Int("m", 1, 3)], [Forbidden({"n": [1], "m": [2]})], "linear inequalities"),
        ([Int("n", 1, 3), Int("m", 1, 3)], [Linear({"n": 1.0, "m": 1.0}, lower=4.0, upper=4.0)], "linear inequalities"),
    ],
)
def test_what_it_does_not_know_is_refused(parameters, constraints, said):
    with pytest.raises(StrategyError, match=said):
        Study(Space(parameters, constraints), Minimize("y"), strategy=AxClient())


def test_a_plain_script_may_ask_it_and_its_process_may_die(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from bbo import Float, Minimize, Study\n"
        "from bbo.errors import StrategyError\n"
        "from bbo.strategies import AxClient, ax_client\n"
        "study = Study([Float('x', 0, 1)], Minimize('y'), strategy=AxClient(n_first=1), seed=1)\n"
        "study.tell(study.ask(), 1.0)\n"
        "print(study.ask().notes['by'])\n"
        "ax_client._AX._process.kill()\n"
        "ax_client._AX._process.wait()\n"
        "print(study.ask().notes['by'])\n"
    )
    assert subprocess.check_output([sys.executable, str(script)], text=True, cwd=tmp_path).split() == ["ax", "ax"]


def test_wrong_options_are_named():
    with pytest.raises(StrategyError, match="method"):
        AxClient(method="best")
    with pytest.raises(StrategyError, match="n_first"):
        AxClient(n_first=0)
