"""Spaces whose columns are bound together: simplices, conditions, constraints."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Ordinal, Permutation, Simplex, Space
from bbo.space.sampling import sample
from tests.space.drawn import TREE, constrained
from tests.space.test_space import Tried

RECIPE = Simplex("mix", ["a", "b", "c", "d"], upper={"a": 0.4}, lower={"d": 0.1}, max_parts=3)


def same(point, other):
    """Equal, numbers but for rounding."""
    assert point.keys() == other.keys()
    for name, value in point.items():
        if isinstance(value, dict):
            assert value == pytest.approx(other[name], rel=1e-9, abs=1e-12)
        elif isinstance(value, float):
            assert value == pytest.approx(other[name], rel=1e-9, abs=1e-12 * 1e6)
        else:
            assert value == other[name]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(space=constrained(), seed=st.integers(0, 2**32 - 1))
def test_samples_are_members_and_come_back_from_the_cube_and_from_codes_and_tables(space, seed):
    points = space.sample(8, np.random.default_rng(seed))
    assert len(points) == 8
    assert all(point in space for point in points)
    U = space.encode(points)
    assert ((U >= -1e-9) & (U <= 1 + 1e-9)).all()
    assert space.is_member(U).all()
    for point, again in zip(points, space.decode(U), strict=True):
        same(point, again)
        assert space.point(space.codes(point)) == point
        assert space.gathered(space.flat(point)) == point
    assert np.allclose(space.snap(U), U, atol=1e-9)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(space=constrained(), seed=st.integers(0, 2**32 - 1))
def test_fresh_points_are_members_new_and_distinct_whatever_was_proposed(space, seed):
    rng = np.random.default_rng(seed)
    tried = space.encode(space.sample(4, rng))
    proposals = space.decode(np.vstack([tried, rng.random((4, space.dim))]))
    fresh = space.fresh(proposals, Tried(tried, seed % 1000))
    assert all(point in space for point in fresh)
    rows = np.vstack([np.unique(tried.round(10), axis=0), space.encode(fresh).round(10)])
    assert len(np.unique(rows, axis=0)) == len(rows)
    if space.n_points is None:
        assert len(fresh) == len(proposals)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(space=constrained())
def test_a_space_with_conditions_and_constraints_survives_json(space):
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert not space.difference(again)


def test_amounts_of_a_simplex_are_uniform_where_nothing_else_binds():
    """Each amount of k is Beta(1, k - 1): mean 1/k, variance (k - 1) / (k^2 (k + 1))."""
    space = Space([Simplex("mix", ["a", "b", "c", "d"], total=2.0)])
    amounts = np.array([list(p["mix"].values()) for p in space.sample(20_000, np.random.default_rng(0))]) / 2
    assert np.allclose(amounts.sum(1), 1)
    assert np.allclose(amounts.mean(0), 1 / 4, atol=0.006)
    assert np.allclose(amounts.var(0), 3 / 16 / 5, rtol=0.05)


def test_sets_of_parts_come_up_equally_often():
    space = Space([Simplex("mix", ["a", "b", "c", "d"], max_parts=2)])
    sets = [tuple(part for part, v in p["mix"].items() if v > 0) for p in space.sample(6000, np.random.default_rng(1))]
    counts = np.unique(sets, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 150  # five standard deviations


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_among_constraints_is_as_uniform_as_rejection(seed):
    """Means and covariances of points of a thin polytope, against those of the few of many that lie in it."""
    space = Space(
        [Float(f"x{k}", 0, 1) for k in range(4)],
        [Linear({f"x{k}": 1.0 for k in range(4)}, upper=0.5), Linear({"x0": 1.0, "x1": -1.0}, lower=-0.05)],
    )
    U = np.random.default_rng(seed + 50).random((4_000_000, 4))
    kept = U[space.is_member(U)]
    assert 1000 < len(kept) < len(U) / 64
    walked = sample(space.region, 4000, np.random.default_rng(seed))
    error = kept.std(0) * (1 / len(kept) + 1 / len(walked)) ** 0.5
    assert (np.abs(walked.mean(0) - kept.mean(0)) < 5 * error).all()
    assert np.allclose(np.cov(walked.T), np.cov(kept.T), atol=0.15 * np.var(kept, 0).max())


def test_equalities_of_whole_and_real_numbers_are_met_by_all_points():
    space = Space(
        [Int("n", 0, 6), Int("m", 0, 6), Float("x", 0, 1), Float("y", 0, 1)],
        [Linear({"n": 1, "m": 1}, lower=6, upper=6), Linear({"x": 1, "y": 1, "n": 0.1}, lower=1, upper=1)],
    )
    points = space.sample(400, np.random.default_rng(0))
    assert all(p["n"] + p["m"] == 6 and p["x"] + p["y"] + 0.1 * p["n"] == pytest.approx(1) for p in points)
    assert {p["n"] for p in points} == set(range(7))


def test_a_point_that_breaks_something_is_refused_by_name():
    space = Space([RECIPE, Float("x", 0, 10)], [Linear({"mix.a": 10, "x": 1}, upper=5), Nonlinear("x != 3")])
    good = {"mix": {"a": 0.2, "b": 0.3, "c": 0.0, "d": 0.5}, "x": 1.0}
    assert space.check(good) == good
    for part, amount, said in (("a", 0.5, "'a' lies in"), ("b", 0.2, "sum to"), ("c", 0.1, "at most 3 parts")):
        bad = {**good["mix"], part: amount}
        if part == "c":
            bad["b"] = 0.2
        with pytest.raises(SpaceError, match=said):
            space.check({**good, "mix": bad})
    with pytest.raises(SpaceError, match=r"10 mix\.a \+ x <= 5"):
        space.check({**good, "x": 4.0})
    with pytest.raises(SpaceError, match="x != 3"):
        space.check({**good, "x": 3.0})
    with pytest.raises(SpaceError, match="missing are"):
        space.check({**good, "mix": {"a": 1.0}})


def test_a_parameter_is_there_where_its_conditions_hold_and_nowhere_else():
    space = Space(TREE)
    assert space.check({"model": "nn", "opt": "sgd", "momentum": 0.5})["momentum"] == 0.5
    assert space.check({"model": "nn", "opt": "adam"}) == {"model": "nn", "opt": "adam"}
    with pytest.raises(SpaceError, match="missing are \\['momentum'\\]"):
        space.check({"model": "nn", "opt": "sgd"})
    with pytest.raises(SpaceError, match="'k' is there where model is one of \\['knn'\\]"):
        space.check({"model": "svm", "C": 1.0, "k": 3})
    with pytest.raises(SpaceError, match="fix that as well"):
        space.fix({"k": 3})
    assert space.fix({"model": "knn", "k": 3}).sample(3, np.random.default_rng(0)) == [{"model": "knn", "k": 3}] * 3


def test_points_of_a_tree_are_counted_once_each_and_all_offered():
    space = Space([Categorical("m", ["a", "b"]), Int("k", 1, 4, when={"m": ["a"]}), Ordinal("o", [1, 2])])
    assert space.n_points == 10
    offered = space.fresh([{"m": "b", "o": 1}] * 12, Tried(np.zeros((0, 3))))
    assert len({tuple(p.items()) for p in offered}) == len(offered) == 10


@pytest.mark.parametrize(
    ("parameters", "constraints", "said"),
    [
        (
            [Float("x", 0, 1), Float("y", 0, 1)],
            [Linear({"x": 1}, upper=2), Linear({"x": 1, "y": 1}, lower=3)],
            "x + y >= 3",
        ),
        ([Int("n", 0, 3)], [Linear({"n": 2}, lower=3, upper=3)], "2 n = 3"),
        (
            [Categorical("a", ["u", "v"]), Categorical("b", ["u", "v"])],
            [Forbidden({"a": ["u"]}), Forbidden({"a": ["v"], "b": ["u"]}), Forbidden({"b": ["v"]})],
            "never a in ['u'] and never a in ['v'] with b in ['u'] and never b in ['v']",
        ),
        ([RECIPE], [Linear({"mix.b": 1, "mix.c": 1}, lower=0.95)], "mix.b + mix.c >= 0.95"),
        ([Float("x", 0, 1, when={"y": [1]})], [], "but the parameters are ['x']"),
        ([Int("a", 0, 1, when={"b": [1]}), Int("b", 0, 1, when={"a": [1]})], [], "in a circle: 'a' needs ['b']"),
        ([Float("y", 0, 1), Float("x", 0, 1, when={"y": [1]})], [], "'y' has no list of values"),
        ([Float("x", 0, 1)], [Nonlinear("z < 1")], "unknown are ['z']"),
        ([Categorical("c", ["u"])], [Nonlinear("c < 1")], "['c'] must be numbers"),
        ([Float("x", 0, 1), Simplex("x", ["a", "b"])], [], "Two parameters are named 'x'"),
        ([Float("x.a", 0, 1), Simplex("x", ["a", "b"])], [], "would be named 'x.a'"),
    ],
)
def test_contradictions_are_refused_and_the_culprit_named(parameters, constraints, said):
    with pytest.raises(ValueError, match="(?s).*") as caught:
        Space(parameters, constraints)
    assert said in str(caught.value)
    if "No point" in str(caught.value):
        assert "x <= 2" not in str(caught.value)


def test_nonlinear_contradictions_say_what_each_accepts():
    space = Space([Float("x", 0, 1), Float("y", 0, 1)], [Nonlinear("x + y > 1.9999999"), Nonlinear("x < y")])
    with pytest.raises(SpaceError, match=r"100,000 points.*x \+ y > 1.9999999: 0.00%; x < y: (49|50)\."):
        space.sample(1, np.random.default_rng(0))


def test_names_are_those_that_were_written_though_python_would_spell_them_otherwise():
    unit, letter = "\u00b5", "\u03bc"  # of one look
    space = Space([Float(unit, 0, 1), Simplex("\ufb01x", ["a", unit])], [Nonlinear(f"{unit} + \ufb01x.{unit} <= 1")])
    assert space.constraints[0].names == (unit, f"\ufb01x.{unit}")
    assert Nonlinear(f"`{unit}` < {letter}").names == (unit, letter)
    with pytest.raises(ValueError, match="look alike .* in backticks"):
        Nonlinear(f"{unit} < {letter}")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "x.__class__ == 1",
        "(lambda: 1)() == 1",
        "[1][0] == x",
        "x + 'a' * 10**9 < 2",
        "x if x else 1",
        "open('f') == 1",
        "f'{x}' == 'a'",
        "(" * 300 + "x" + ")" * 300 + " < 1",
        "x",
        "",
        "x <",
    ],
)
def test_text_that_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match="."):
        Space([Float("x", 0, 1)], [Nonlinear(text)])


def test_conditions_say_what_python_would():
    text = "2 * x**2 - y / 3 >= 0.1 and not (c == 'u' or min(x, y, 0.7) > abs(-0.6)) and 0 < x <= 0.9 and c != None"
    space = Space([Float("x", 0, 1), Float("y", 0, 1), Categorical("c", ["u", "v", None])], [Nonlinear(text)])
    free = Space(space.parameters)
    points = free.sample(500, np.random.default_rng(0))
    expected = [eval(text, {"min": min, "abs": abs}, dict(p)) for p in points]
    assert [p in space for p in points] == expected
    assert 20 < sum(expected) < 480


def test_a_constraint_on_what_is_not_there_says_nothing():
    space = Space(TREE, [Nonlinear("k <= 5"), Linear({"momentum": 1}, upper=0.5), Linear({"C": 1}, upper=1)])
    assert {"model": "svm", "C": 0.5} in space
    assert {"model": "knn", "k": 6} not in space
    points = space.sample(300, np.random.default_rng(0))
    assert {p["model"] for p in points} == {"svm", "nn", "knn"}
    assert all(p.get("k", 0) <= 5 and p.get("momentum", 0) <= 0.5 and p.get("C", 0) <= 1 for p in points)


def test_points_beside_a_choice_lie_inside_a_thin_polytope_and_not_at_its_corners():
    names = [f"x{k}" for k in range(12)]
    parameters = [Float(name, 0, 1) for name in names]
    constraint = Linear(dict.fromkeys(names, 1.0), upper=1.5)
    alone = sample(Space(parameters, [constraint]).region, 400, np.random.default_rng(0))
    with_choice = Space([*parameters, Categorical("c", ["a", "b"])], [constraint])
    beside = sample(with_choice.region, 400, np.random.default_rng(1))
    error = alone.std(0) * (2 / 400) ** 0.5
    assert (np.abs(beside[:, :12].mean(0) - alone.mean(0)) < 5 * error).all()
    sparse = Space([Simplex("m", [f"p{k}" for k in range(16)], upper=0.12, max_parts=10)])
    U = sample(sparse.region, 100, np.random.default_rng(0))
    assert ((U > 1e-6).sum(1) == 10).all()
    assert (U > 1 - 1e-6).mean() < 0.01


def test_what_is_fixed_at_the_edge_of_a_constraint_is_within_it():
    log = Space([Float("lr", 1e-5, 1, log=True), Float("y", 0, 1)], [Nonlinear("lr <= 0.01")])
    assert log.fix({"lr": 0.01}).sample(2, np.random.default_rng(0))[0]["lr"] == 0.01
    pair = Space([Float("x", 0.1, 0.7), Float("y", 0.2, 0.9), Float("w", 0, 1)], [Nonlinear("x <= y")])
    for v in np.arange(0.2, 0.7, 0.01).tolist():
        (point,) = pair.fix({"x": v, "y": v}).sample(1, np.random.default_rng(0))
        assert pair.fresh([point], Tried(np.zeros((0, 3)))) == [point]
    line = Space([Float("x", -1, 1.7), Float("y", -1, 3.1)], [Linear({"x": 1, "y": -1}, lower=0, upper=0)])
    (point,) = line.fix({"x": 0.0}).fresh([{"x": 0.0, "y": 0.5}], Tried(np.zeros((0, 2))))
    assert point in line


def test_two_constraints_that_print_alike_both_count():
    space = Space([Float("x", 1.0, 1e7, log=True)], [Linear({"x": 1}, upper=1000004), Linear({"x": 1}, upper=1000001)])
    assert len(space.region.tests) == 2
    assert {"x": 1000003.0} not in space


@pytest.mark.parametrize(
    "text",
    ["log(x, 2) <= 1", "sqrt(x, y) < 5", "x < " + "9" * 400, "-" * 200 + "x < 1", "x + " * 150 + "x < 1", "abs() < x"],
)
def test_conditions_that_would_fail_later_are_refused_at_once(text):
    with pytest.raises(ValueError, match="cannot stand|too deeply"):
        Space([Float("x", 0, 1), Float("y", 0, 1)], [Nonlinear(text)])


def test_a_quotient_by_0_does_not_hold_and_is_no_error():
    space = Space([Float("x", 0, 1)], [Nonlinear("x / 0 < 1 or x > 0.5")])
    assert all(p["x"] > 0.5 for p in space.sample(20, np.random.default_rng(0)))


def test_a_condition_on_a_number_of_billions_of_values_takes_no_room():
    space = Space([Int("n", 0, 3 * 10**9), Float("y", 0, 1, when={"n": [0, 7]})])
    assert "y" in space.check({"n": 7, "y": 0.5})
    assert space.decode(space.encode([{"n": 7, "y": 0.25}, {"n": 8}])) == [{"n": 7, "y": 0.25}, {"n": 8}]


def test_what_was_tried_gives_way_to_another_branch_of_which_little_is_allowed():
    space = Space(
        [Categorical("m", ["a", "b", "c"]), Float("x", 1, 7, log=True, when={"m": ["c"]})], [Linear({"x": 1}, lower=5)]
    )
    tried = space.encode([{"m": "a"}, {"m": "b"}])
    for seed in range(30):
        (other,) = space.fresh([{"m": "b"}], Tried(tried, seed))
        assert other["m"] == "c"


@pytest.mark.parametrize(
    "parameter",
    [Float("x", 1, 10, log=True), Ordinal("x", [1, 2, 10]), Int("x", 1, 10, log=True), Int("x", 1, 10)],
    ids=lambda p: p.kind,
)
def test_a_sum_that_is_never_within_its_bounds_is_refused_on_any_axis(parameter):
    for bounds, said in (({"upper": 0.9}, "x <= 0.9"), ({"lower": 10.1}, "x >= 10.1")):
        with pytest.raises(SpaceError, match=f"No point satisfies {said} within the ranges"):
            Space([parameter], [Linear({"x": 1}, **bounds)])
    space = Space([parameter], [Linear({"x": 1}, lower=1, upper=2)])
    assert {1, 2} >= {round(p["x"]) for p in space.sample(4, np.random.default_rng(0))}
    with pytest.raises(SpaceError, match="No point satisfies"):
        space.fix({"x": 10})


def test_a_sum_of_places_that_is_never_within_its_bounds_is_refused():
    with pytest.raises(SpaceError, match="No point satisfies"):
        Space([Permutation("s", list("abc"))], [Linear({"s.a": 1}, lower=4)])
