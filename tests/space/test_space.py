"""Spaces: what they accept, how they are encoded, and that what they hand out is fresh."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Int, Nonlinear, Ordinal, Simplex, Space
from tests.space.drawn import spaces


@dataclass
class Tried:
    X: NDArray[np.float64]
    seed: int = 0


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_decoded_points_are_members_and_round_trip(space, seed):
    points = space.sample(8, np.random.default_rng(seed))
    assert all(point in space for point in points)
    again = space.decode(space.encode(points))
    for point, back in zip(points, again, strict=True):
        for p in space.parameters:
            if p.n_values is None:
                width = np.log(p.high / p.low) * abs(point[p.name]) if p.log else p.high - p.low
                assert abs(point[p.name] - back[p.name]) <= 1e-12 * max(width, abs(p.low), abs(p.high))
            else:
                assert point[p.name] == back[p.name]
                assert type(point[p.name]) is type(back[p.name])


@given(space=spaces())
def test_a_space_survives_json(space):
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
def test_codes_stand_for_points_exactly(space, seed):
    for point in space.sample(4, np.random.default_rng(seed)):
        assert space.point(space.codes(point)) == point
        assert json.dumps(space.point(space.codes(point))) == json.dumps(point)


@given(space=spaces(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_fresh_points_are_members_new_and_distinct(space, seed):
    rng = np.random.default_rng(seed)
    tried = space.encode(space.sample(6, rng))
    proposals = space.decode(tried) + space.sample(6, rng)
    fresh = space.fresh(proposals, Tried(tried, seed))
    assert all(point in space for point in fresh)
    rows = np.vstack([np.unique(np.round(tried, 10), axis=0), np.round(space.encode(fresh), 10)])
    assert len(np.unique(rows, axis=0)) == len(rows)
    if space.n_points is None or space.n_points > len(rows) + 12:
        assert len(fresh) == len(proposals)


def test_every_point_of_a_small_space_is_offered_once_before_it_is_exhausted():
    space = Space([Int("n", 1, 3), Categorical("c", ["a", "b"])])
    offered = space.fresh([{"n": 1, "c": "a"}] * 9, Tried(np.zeros((0, 2))))
    assert {(p["n"], p["c"]) for p in offered} == {(n, c) for n in (1, 2, 3) for c in "ab"}
    assert space.fresh(offered, Tried(space.encode(offered))) == []


def test_a_replaced_point_is_near_the_one_proposed():
    space = Space([Int("n", 0, 9), Float("s", 0.0, 1.0, step=0.1)])
    (other,) = space.fresh([{"n": 5, "s": 0.5}], Tried(space.encode([{"n": 5, "s": 0.5}])))
    assert abs(other["n"] - 5) + round(abs(other["s"] - 0.5) * 10) == 1


def test_fixed_values_are_given_whatever_the_position_says_and_a_fixed_point_is_a_replicate():
    space = Space([Float("x", 0.0, 1.0), Categorical("c", ["a", "b", "d"])])
    fixed = space.fix({"c": "b"})
    points = fixed.sample(20, np.random.default_rng(0))
    assert {p["c"] for p in points} == {"b"}
    tried = Tried(space.encode([{"x": 0.5, "c": "b"}]))
    assert fixed.fix({"x": 0.5}).fresh([{"x": 0.5, "c": "b"}], tried) == [{"x": 0.5, "c": "b"}]
    levels = Space([Int("n", 1, 3), Categorical("c", ["a", "b"])]).fix({"c": "b"})
    seen = Tried(levels.encode([{"n": n, "c": c} for n, c in ((1, "a"), (2, "a"), (3, "a"), (2, "b"))]))
    assert sorted(p["n"] for p in levels.fresh([{"n": 2, "c": "b"}] * 5, seen)) == [1, 3]


def test_a_finite_rest_beside_a_fixed_real_number_is_searched_whole():
    space = Space([Float("x", 0.0, 1.0), Int("n", 1, 3)]).fix({"x": 0.25})
    offered = space.fresh([{"x": 0.25, "n": 2}] * 5, Tried(space.encode([{"x": 0.25, "n": 1}, {"x": 0.5, "n": 3}])))
    assert sorted((p["x"], p["n"]) for p in offered) == [(0.25, 2), (0.25, 3)]


@pytest.mark.parametrize(
    ("parameter", "value", "stored", "position"),
    [
        (Float("p", 0.0, 10.0), 12.5, 12.5, 1.25),
        (Float("p", 0.0, 1.0, step=0.1), 0.30000000001, 0.3, 3.5 / 11),
        (Float("p", 0.0, 1.0, step=0.1), 0.35, 0.35, 4.0 / 11),
        (Float("p", 0.0, 1.0, step=0.1), -0.2, -0.2, -1.5 / 11),
        (Float("p", 1.0, 100.0, log=True), 1000.0, 1000.0, 1.5),
        (Int("p", 0, 8, step=2), 3.0, 3, 2.0 / 5),
        (Int("p", 1, 4), 9, 9, 8.5 / 4),
        (Categorical("p", ["a", "b"]), "b", "b", 0.75),
    ],
)
def test_an_executed_value_is_kept_and_placed_where_it_lies(parameter, value, stored, position):
    space = Space([parameter])
    executed = space.check_executed({"p": value})
    assert (executed["p"], type(executed["p"])) == (stored, type(stored))
    assert space.encode([executed])[0, 0] == pytest.approx(position, abs=1e-12)
    assert space.point(space.codes(executed)) == executed


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Float("p", 1.0, 9.0, log=True), 0.0),
        (Float("p", 1.0, 9.0), float("inf")),
        (Float("p", 1.0, 9.0), "3"),
        (Int("p", 1, 9), 2.5),
        (Int("p", 1, 9), float("nan")),
        (Int("p", 1, 9), 10**400),
        (Int("p", 1, 9, log=True), 0),
        (Ordinal("p", [1, 2]), 3),
    ],
)
def test_an_executed_value_that_no_parameter_can_have_is_refused(parameter, value):
    with pytest.raises(SpaceError, match="'p'"):
        Space([parameter]).check_executed({"p": value})


def test_uniform_positions_are_uniform_over_levels():
    space = Space([Int("n", 1, 4), Float("s", 0.0, 1.0, step=0.25), Ordinal("o", [1, 2, 4])])
    points = space.decode(np.random.default_rng(3).random((6000, 3)))
    for name, n_levels in (("n", 4), ("s", 5), ("o", 3)):
        counts = np.unique([p[name] for p in points], return_counts=True)[1]
        assert len(counts) == n_levels
        assert abs(counts / 6000 - 1 / n_levels).max() < 0.03  # five standard deviations


def test_a_value_from_a_spreadsheet_takes_the_level_it_means():
    space = Space([Float("s", 0.0, 1.0, step=0.1), Int("n", 1, 5), Categorical("c", [None, 3, "x", True])])
    stored = space.check({"c": np.int64(3), "n": 2.0, "s": 0.30000000001})
    assert stored == {"s": 0.3, "n": 2, "c": 3}
    assert [type(v) for v in stored.values()] == [float, int, int]
    assert list(stored) == ["s", "n", "c"]
    assert space.check({"s": 0.1, "n": 1, "c": True})["c"] is True


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Float("x", 2.0, 1.0), "low must be below high, got low=2.0, high=1.0"),
        (lambda: Float("x", 1.0, 1.0), "low must be below high"),
        (lambda: Float("x", 0.0, 1.0, log=True), "log needs low > 0, got low=0.0"),
        (lambda: Int("n", 0, 9, log=True), "log needs low > 0"),
        (lambda: Float("x", 0.0, 1.0, step=0.3), "whole number of steps, got 3.33333"),
        (lambda: Float("x", 0.0, 1.0, step=-0.5), "step must be positive"),
        (lambda: Float("x", 1.0, 2.0, step=0.5, log=True), "exclude each other"),
        (lambda: Float("x", float("nan"), 1.0), "finite"),
        (lambda: Int("n", 0, 10, step=3), "Use high=9"),
        (lambda: Categorical("c", []), "at least one of choices"),
        (lambda: Categorical("c", ["a", "b", "a"]), "'a' stands twice"),
        (lambda: Ordinal("o", [1, 1.0]), "stands twice"),
        (lambda: Space([]), "at least one parameter"),
        (lambda: Space([Float("x", 0.0, 1.0), Int("x", 0, 1)]), "Two parameters are named 'x'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(make, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        make()


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"x": 0.5}, r"missing are \['n'\]"),
        ({"x": 0.5, "n": 1, "y": 2}, r"unknown are \['y'\]"),
        ({"x": 1.5, "n": 1}, r"'x' lies in \[0.0, 1.0\]: got 1.5"),
        ({"x": float("nan"), "n": 1}, "got nan"),
        ({"x": "0.5", "n": 1}, "'x' is a number: got '0.5'"),
        ({"x": True, "n": 1}, "'x' is a number: got True"),
        ({"x": 0.5, "n": 1.5}, "'n' is a whole number"),
    ],
)
def test_a_point_outside_is_refused_with_what_was_got(point, said):
    space = Space([Float("x", 0.0, 1.0), Int("n", 1, 3)])
    assert point not in space
    with pytest.raises(SpaceError, match=said):
        space.check(point)


def test_an_unknown_file_form_is_refused_as_a_space():
    with pytest.raises(SpaceError, match="parameters"):
        Space.from_dict({"parameters": [{"kind": "float", "name": "x", "low": 1}]})


def test_a_difference_is_said_in_words():
    one = Space([Float("x", 0.0, 1.0), Int("n", 1, 3)])
    assert one.difference(one) == ""
    assert "'n' is only in the first" in one.difference(Space([Float("x", 0.0, 1.0)]))
    assert "high=2.0" in one.difference(Space([Float("x", 0.0, 2.0), Int("n", 1, 3)]))
    assert "order" in one.difference(Space([Int("n", 1, 3), Float("x", 0.0, 1.0)]))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("x <= 0.5 or s != 'Water'", r"'s' is never 'Water', it is one of \['water', 'dmf'\]"),
        ("o == 3", r"'o' is never 3, it is one of \[1, 2\]"),
        ("not 'DMF' == s", "'s' is never 'DMF'"),
        ("x == 'a'", "'x' is a number, never 'a'"),
    ],
)
def test_a_condition_on_what_never_is_is_refused(condition, said):
    parameters = [Float("x", 0, 1), Categorical("s", ["water", "dmf"]), Ordinal("o", [1, 2])]
    with pytest.raises(SpaceError, match=said):
        Space(parameters, [Nonlinear(condition)])
    Space(parameters, [Nonlinear("s != 'water' or o == 2 and x != 0.3"), Nonlinear("o * 2 != 3 or o == o")])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Float("T", "20", 120), "^Float: low should be a valid number, got '20'$"),
        (lambda: Float("T", 0, 1, units="C"), "^Float: units is no argument, there are name, low, high, "),
        (lambda: Float("T", 0), "^Float: high is missing$"),
        (lambda: Float("T", 2, 1), "^Float 'T': low must be below high"),
        (lambda: Categorical("b", "KOH"), "^Categorical: choices should be a list, got 'KOH'$"),
        (lambda: Forbidden({"b": "KOH"}), r"^Forbidden: combination\['b'\] should be a list, got 'KOH'$"),
        (lambda: Space([1]), r"^Space: parameters\[0\] should be one of bbo's objects, got 1$"),
    ],
)
def test_what_cannot_be_declared_is_said_in_a_line(make, said):
    with pytest.raises(SpaceError, match=said):
        make()


def test_executed_amounts_may_miss_the_total_by_what_weighing_does():
    mix = Simplex("mix", ["a", "b"], total=100.0)
    space = Space([mix])
    assert space.check_executed({"mix": {"a": 60.0, "b": 39.1}}) == {"mix": {"a": 60.0, "b": 39.1}}
    with pytest.raises(SpaceError, match="which sum to 180"):
        space.check_executed({"mix": {"a": 90.0, "b": 90.0}})


def test_a_part_is_not_fixed_by_itself():
    space = Space([Simplex("mix", ["a", "b"])])
    with pytest.raises(SpaceError, match="Of a mixture all parts are fixed"):
        space.fix({"mix.a": 0.5})


def test_a_space_in_words_has_the_conditions():
    kiln = Categorical("kiln", ["gas", "oil", "none"])
    space = Space([kiln, Float("heat", 500.0, 900.0, when={"kiln": ["gas", "oil"]})])
    assert "when={'kiln': ('gas', 'oil')}" in str(space)
    assert eval(repr(space)) == space
    other = Space([kiln, Float("heat", 500.0, 900.0)])
    assert "when={'kiln': ('gas', 'oil')}" in space.difference(other)
