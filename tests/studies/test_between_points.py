"""Asks on spaces whose constraints hold between the points of an ask."""

import concurrent.futures as cf
import itertools

import pytest
from typer.testing import CliRunner

from bbo.budget import Budget
from bbo.cli import app
from bbo.errors import NoPointError, SpaceError, SpaceExhaustedError
from bbo.objective import Minimize
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Pool, Simplex, Space
from bbo.strategies import GP, LatinHypercube, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file

MIX = Simplex("mix", ["sand", "lime", "clay"], total=10.0, max_parts=2)
PARAMETERS = [Float("x", 0.0, 10.0), Float("z", 0.0, 1.0), Int("n", 0, 5), MIX]
LEAST = 1e-6


def stock(coefficients, **bounds):
    return Linear(coefficients, between_points=True, **bounds)


X_TEN = stock({"x": 1}, upper=10)
LIME_TWELVE = stock({"mix.lime": 1, "n": 2}, lower=12, upper=12)


def study(constraints=(X_TEN,), strategy=None, parameters=PARAMETERS, **options):
    space = Space(parameters, constraints)
    return Study(space, Minimize("y"), **({"strategy": strategy or RandomSearch(), "seed": 3} | options))


def total(trials, name):
    first, _, part = name.partition(".")
    return sum(t.params[first][part] if part else t.params[first] for t in trials)


def tell(s, trials):
    for t in trials:
        s.tell(t, t.params["z"] - t.params["x"])


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
def test_every_ask_keeps_its_budget_whatever_is_fixed_and_is_recomputed(strategy):
    s = study([X_TEN, LIME_TWELVE, Linear({"x": 1, "z": 1}, upper=9)], strategy)
    for n, fixed in ((4, {}), (3, {"z": 0.5}), (5, {"n": 1}), (2, {})):
        trials = s.ask(n, fixed=fixed)
        assert len(trials) == n
        assert all(t.params in s.space and fixed.items() <= t.params.items() for t in trials)
        assert total(trials, "x") <= 10 + LEAST
        assert total(trials, "mix.lime") + 2 * total(trials, "n") == pytest.approx(12, abs=LEAST)
        tell(s, trials)
    rows = {tuple(row) for row in s.space.encode([t.params for t in s.trials]).round(9).tolist()}
    assert len(rows) == len(s.trials)
    assert s.verify().agrees
    assert s.at(7).ask(5, fixed={"n": 1})[2].params == s.trial(9).params


def test_one_point_alone_has_it_all():
    s = study([stock({"x": 1}, lower=9.5, upper=10)])
    assert 9.5 - LEAST <= s.ask().params["x"] <= 10 + LEAST
    with pytest.raises(
        SpaceError, match="x >= 45 over all points of an ask: one .* 10 at most, so ask for 5 points or more"
    ):
        study([stock({"x": 1}, lower=45)]).ask(4)


def test_a_model_that_wants_all_of_it_leaves_something_to_each():
    s = study(strategy=GP(n_first=4), parameters=PARAMETERS[:2])
    tell(s, s.ask(6))
    trials = s.ask(4)
    assert total(trials, "x") == pytest.approx(10, abs=0.5)  # more is better
    assert all(t.params["x"] <= 2 / (5 - k) * 10 + LEAST for k, t in enumerate(trials))
    assert sum(t.params["x"] > 1 for t in trials) >= 3


def test_enqueued_points_come_first_and_count_and_those_that_do_not_fit_wait():
    s = study()
    point = {"z": 0.5, "n": 1, "mix": {"sand": 5.0, "lime": 5.0, "clay": 0.0}}
    for x in (6.0, 5.0, 3.0):
        s.enqueue({**point, "x": x})
    first = s.ask(3)
    assert [t.params["x"] for t in first[:2]] == [6.0, 3.0]
    assert first[2].params["x"] <= 1 + LEAST
    assert s.ask(2)[0].params["x"] == 5.0
    assert s.verify().agrees


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("shared", [["x"], ["z"], ["mix"], ["x", "n"]])
def test_what_is_shared_counts_as_often_as_there_are_points(strategy, shared):
    s = study([X_TEN, stock({"mix.lime": 1, "n": 2}, lower=12, upper=16)], strategy)
    for _ in range(2):
        trials = s.ask(4, shared=shared)
        assert len(trials) == 4
        assert all(t.params[name] == trials[0].params[name] for t in trials for name in shared)
        assert total(trials, "x") <= 10 + LEAST
        assert 12 - LEAST <= total(trials, "mix.lime") + 2 * total(trials, "n") <= 16 + LEAST
        tell(s, trials)
    assert s.verify().agrees


def test_a_large_ask_is_several_events_and_one_budget():
    s = study([X_TEN, stock({"n": 1}, lower=150, upper=150)])
    trials = s.ask(60)
    bodies = [e.read() for e in s.storage.events(s.name) if e.kind == "asked"]
    assert len(bodies) > 1
    assert [b.get("later", 0) for b in bodies] == [
        60 - sum(b["n"] for b in bodies[: k + 1]) for k in range(len(bodies))
    ]
    assert [len(b.get("earlier", ())) for b in bodies] == [sum(b["n"] for b in bodies[:k]) for k in range(len(bodies))]
    assert len(trials) == 60
    assert total(trials, "x") <= 10 + LEAST
    assert total(trials, "n") == 150
    assert s.verify().agrees


def test_points_too_long_for_one_event_are_one_budget_still():
    long = Categorical("c", [f"{k}{'x' * 5000}" for k in range(9)])
    s = study(parameters=[*PARAMETERS, long], constraints=[stock({"n": 1}, lower=20, upper=20)])
    trials = s.ask(14)
    assert sum(e.kind == "asked" for e in s.storage.events(s.name)) > 1
    assert len(trials) == 14
    assert total(trials, "n") == 20
    assert s.verify().agrees


def test_the_budget_of_the_study_makes_the_ask_smaller_before_it_is_shared_out():
    s = study([stock({"n": 1}, lower=9, upper=9)], budget=Budget(trials=3))
    trials = s.ask(8)
    assert len(trials) == 3
    assert total(trials, "n") == 9


def test_several_who_ask_have_a_budget_each(tmp_path):
    url = tmp_path / "s.db"
    study([stock({"x": 1}, lower=9, upper=10)], storage=url).close()

    def ask(k):
        with Study.load(url) as s:
            return s.ask(3)

    with cf.ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(ask, range(4)))
    assert sorted(t.number for trials in asked for t in trials) == list(range(12))
    assert all(9 - LEAST <= total(trials, "x") <= 10 + LEAST for trials in asked)
    assert Study.load(url).verify().agrees


def test_where_there_are_fewer_points_they_satisfy_it_alone():
    s = study(
        parameters=[Int("n", 1, 4), Categorical("c", ["u", "v"])], constraints=[stock({"n": 1}, lower=6, upper=8)]
    )
    for _ in range(9):
        trials = s.ask(3)
        assert not trials or 6 <= total(trials, "n") <= 8
    assert len(s.trials) >= 4
    assert s.verify().agrees


def test_points_of_one_ask_differ():
    s = study(parameters=PARAMETERS[:2])
    trials = s.ask(6)
    assert len({t.params["z"] for t in trials}) == 6


def test_a_latin_hypercube_says_that_it_cannot():
    with pytest.raises(ValueError, match="bound together"):
        study(strategy=LatinHypercube())


def test_a_run_asks_within_it():
    s = study([stock({"x": 1}, upper=4)])
    s.run(lambda trial: trial["x"], 6)
    assert all(t.params["x"] <= 4 + LEAST for t in s.trials)


def test_a_study_file_and_the_command_line_take_it(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        """
[[parameter]]
name = "x"
kind = "float"
low = 0.0
high = 10.0

[[linear]]
coefficients = {x = 1.0}
upper = 10.0
between_points = true

[[objective]]
kind = "minimize"
metric = "y"

[strategy]
name = "RandomSearch"
"""
    )
    assert read_study_file(path).space.constraints == (X_TEN,)
    run = CliRunner()
    assert "x <= 10 over all points of an ask" in run.invoke(app, ["new", str(path), str(tmp_path / "s.db")]).output
    assert run.invoke(app, ["ask", "-n", "4", str(tmp_path / "s.db")]).exit_code == 0
    assert sum(t.params["x"] for t in Study.load(tmp_path / "s.db").trials) <= 10 + LEAST


def test_levels_that_leave_gaps_are_looked_at_together():
    # Each constraint by itself, and each level by itself, would let points begin what no others can complete.
    parameters = [Int("n", 0, 6, step=3), Int("m", 0, 4, step=2), Float("z", 0, 1)]
    s = study(
        [stock({"n": 1, "m": 1}, lower=17, upper=17), stock({"n": 1, "m": -1}, lower=1, upper=1)], parameters=parameters
    )
    for _ in range(6):
        trials = s.ask(4)
        assert (len(trials), total(trials, "n"), total(trials, "m")) == (4, 9, 8)


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=2)], ids=lambda s: type(s).__name__)
def test_what_a_condition_leaves_is_given_where_more_is_asked_for(strategy):
    s = study(
        [Nonlinear("n == 2"), stock({"n": 1}, upper=12)], strategy, [Int("n", 0, 6), Categorical("k", ["b", "c"])]
    )
    trials = s.ask(3)
    assert sorted(t.params["k"] for t in trials) == ["b", "c"]
    for t in trials:
        s.tell(t, 1.0)
    with pytest.raises(SpaceExhaustedError):
        s.ask()
    assert s.verify().agrees


def test_a_condition_that_leaves_no_point_of_a_sum_is_named():
    s = study([Nonlinear("n == 2"), stock({"n": 1}, lower=5, upper=5)], parameters=PARAMETERS)
    with pytest.raises(NoPointError, match="n == 2: 0.00%"):
        s.ask(2)


ROWS = [1.0, 2.0, 3.0, 5.0, 10.0]


def of_rows(total, *others, **options):
    constraints = [Pool({"g": ROWS}), stock({"g": 1}, lower=total, upper=total), *others]
    return study(constraints, parameters=[Float("g", 0, 10), Float("x", 0, 1)], **options)


@pytest.mark.parametrize("total", sorted({sum(some) for some in itertools.product(ROWS, repeat=3)}))
def test_every_sum_that_three_rows_of_a_pool_have_is_met_by_three_points(total):
    trials = of_rows(total).ask(3)
    assert [t.params["g"] in ROWS for t in trials] == [True] * 3
    assert sum(t.params["g"] for t in trials) == total


def test_a_sum_that_no_rows_have_is_said_to_be_such():
    with pytest.raises(SpaceError, match="No 3 points together satisfy g = 4.5 .*: no rows of the pool add up to that"):
        of_rows(4.5).ask(3)


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
def test_rows_of_a_pool_and_a_number_bound_to_them_make_a_sum(strategy):
    parameters = [Float("g", 0, 10), Int("n", 0, 2), Float("x", 0, 1)]
    constraints = [Pool({"g": [3.0, 10.0]}), Linear({"g": 1, "n": 1}, upper=11)]
    s = study([*constraints, stock({"g": 1, "n": 3}, lower=38, upper=38)], strategy, parameters)
    for _ in range(3):
        trials = s.ask(4)
        assert len(trials) == 4
        assert total(trials, "g") + 3 * total(trials, "n") == 38
        for t in trials:
            s.tell(t, t.params["x"])
    assert s.verify().agrees


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("shared", ["mix", "k"])
def test_points_that_must_differ_beside_what_they_share_make_a_sum(strategy, shared):
    # Of 1 to 5, four that differ make 12 by 1 + 2 + 4 + 5 alone.
    parameters = [Categorical("sub", ["A", "B"]), MIX if shared == "mix" else Int("k", 1, 2), Int("n", 1, 5)]
    s = study([stock({"n": 1}, lower=12, upper=12)], strategy, parameters)
    for k in range(4):
        trials = s.ask(4, context={"sub": "AB"[k % 2]}, shared=[shared])
        assert sorted(t.params["n"] for t in trials) == [1, 2, 4, 5]
        assert all(t.params[shared] == trials[0].params[shared] for t in trials)
        for t in trials:
            s.tell(t, float(t.params["n"]))
    if shared == "k":
        with pytest.raises(SpaceExhaustedError, match="No untried points were found that together satisfy n = 12"):
            s.ask(4, context={"sub": "A"}, shared=["k"])
    assert s.verify().agrees


def test_as_many_untried_points_are_given_as_there_are_of_few():
    s = study([stock({"n": 1}, lower=10, upper=10)], parameters=[Int("n", 1, 4), Categorical("c", ["u", "v"])])
    # Twice 1 to 4 makes 20: where four points took 10, the other four have it.
    first = s.ask(4)
    assert (len(first), total(first, "n")) == (4, 10)
    second = s.ask(5)
    assert (len(second), total(second, "n")) == (4, 10)
    assert len({tuple(t.params.values()) for t in [*first, *second]}) == 8


def test_rows_of_a_pool_make_a_sum_over_several_events():
    # Ten times 10.5 and fifteen times 10 are the only way, which the first event has to know.
    constraints = [Pool({"g": [0.0, 10.0, 10.5]}), stock({"g": 1}, lower=255, upper=255)]
    s = study(constraints, parameters=[Float("g", 0, 11), Float("x", 0, 1)])
    trials = s.ask(50)
    assert sum(e.kind == "asked" for e in s.storage.events(s.name)) > 1
    assert (len(trials), total(trials, "g")) == (50, 255)
    assert s.verify().agrees


def test_a_sum_that_no_number_of_rows_of_a_pool_has_is_said_to_be_such():
    rows = Pool({"g": [4.0, 0.0], "h": [0.0, 4.0]})
    s = study([rows, stock({"g": 1, "h": 1}, lower=2, upper=3)], parameters=[Float("g", 0, 4), Float("h", 0, 4)])
    with pytest.raises(SpaceError, match="one point amounts to 4 at least and 4 at most, so no number of points does"):
        s.ask()


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch()], ids=lambda s: type(s).__name__)
def test_what_does_not_go_with_some_rows_of_a_pool_goes_with_the_others(strategy):
    space = Space(
        [Categorical("k", ["a", "b"]), Int("m", 0, 1), Float("x", 0, 1)],
        [
            Pool({"k": ["a", "b"]}),
            Forbidden({"k": ["a"], "m": [0]}),
            Linear({"m": 1}, lower=0, upper=0, between_points=True),
        ],
    )
    trials = Study(space, Minimize("y"), strategy=strategy, seed=1).ask(3)
    assert [(t["k"], t["m"]) for t in trials] == [("b", 0)] * 3
