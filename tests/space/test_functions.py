"""Constraints that are functions: what they are called with, and what becomes of them in JSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Linear, Nonlinear, Permutation, Simplex, Space
from tests.space.drawn import TREE, constrained

BOX = (Float("x", 0.0, 3.0), Float("y", 0.0, 3.0))
MIX = Simplex("mix", ["a", "b", "c"], total=10.0)


def has_room(p):
    return p["x"] * p["y"] <= 3


def read_again(space):
    return Space.from_dict(json.loads(json.dumps(space.to_dict())))


def test_a_function_says_what_the_same_condition_in_words_says():
    in_words = Space(BOX, [Nonlinear("x * y <= 3"), Linear({"x": 1, "y": 1}, lower=1)])
    by_function = Space(BOX, [Nonlinear(has_room), Linear({"x": 1, "y": 1}, lower=1)])
    U = np.random.default_rng(0).random((300, 2))
    assert (by_function.is_member(U) == in_words.is_member(U)).all()
    assert by_function.sample(50, np.random.default_rng(1)) == in_words.sample(50, np.random.default_rng(1))
    for point in in_words.decode(U):
        assert (point in by_function) == (point in in_words)
    with pytest.raises(SpaceError, match=r"The point breaks has_room\(point\): got {'x': 2.0, 'y': 2.0}"):
        by_function.check({"x": 2, "y": 2})


def test_a_function_gets_plain_params_of_what_is_there_and_cannot_change_them():
    seen = []

    def look(p):
        seen.append({name: type(v) for name, v in p.items()})
        kept = "momentum" not in p or (p["opt"] == "sgd" and p["momentum"] <= 0.5)
        p.get("mix", {}).clear()
        p.clear()
        return kept

    space = Space([*TREE, MIX], [Nonlinear(look)]).fix({"mix": {"a": 1.0, "b": 2.0, "c": 7.0}})
    points = space.sample(40, np.random.default_rng(0))
    assert all(p["mix"] == {"a": 1.0, "b": 2.0, "c": 7.0} for p in points)
    assert all(p.get("momentum", 0.0) <= 0.5 for p in points)
    assert any("momentum" in p for p in points)
    assert {frozenset(kinds) for kinds in seen} == {
        frozenset(["model", "mix", "C"]),
        frozenset(["model", "mix", "opt"]),
        frozenset(["model", "mix", "opt", "momentum"]),
        frozenset(["model", "mix", "k"]),
    }
    assert all(kinds["model"] is str and kinds["mix"] is dict and kinds.get("k", int) is int for kinds in seen)


def test_points_are_decoded_once_for_many(monkeypatch):
    space = Space(BOX, [Nonlinear(has_room)])
    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, U: calls.append(len(U)) or decode(self, U))
    space.is_member(np.random.default_rng(0).random((500, 2)))
    assert calls == [500]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda p: p["z"] <= 1, r"lambda p: p\[\"z\"\] <= 1 raised KeyError at {'x': 1.0, 'y': 2.0}: 'z'"),
        (lambda p: None, r"lambda p: None must return True or False: got None at {'x': 1.0"),
        (lambda p: 1, "must return True or False: got 1"),
    ],
)
def test_a_function_that_fails_is_named_with_the_point(function, said):
    space = Space(BOX, [Nonlinear(function)])
    for look in (space.check, space.__contains__, lambda p: space.is_member(space.encode([p]))):
        with pytest.raises(SpaceError, match=said):
            look({"x": 1.0, "y": 2.0})
    with pytest.raises(SpaceError, match="raised|must return"):
        space.sample(2, np.random.default_rng(0))


def test_numpy_truth_is_taken():
    assert {"x": 1.0, "y": 2.0} in Space(BOX, [Nonlinear(lambda p: np.float64(p["x"]) <= 1)])


def test_an_error_after_many_points_says_how_many_there_were():
    calls = []

    def never(p):
        calls.append(p)
        return False

    with pytest.raises(SpaceError, match=r"None of 10,000 points .* never\(point\): 0.00%; x >= 0: 100.00%"):
        Space(BOX, [Nonlinear(never), Nonlinear("x >= 0")]).sample(1, np.random.default_rng(0))
    assert len(calls) < 25_000


def test_a_space_read_again_knows_all_but_what_is_a_member():
    space = Space([*BOX, Categorical("c", ["u", "v"])], [Nonlinear(has_room), Forbidden({"c": ["u"]})])
    (plain, _) = space.to_dict()["constraints"]
    assert plain == {"kind": "nonlinear", "function": "has_room", "fingerprint": space.constraints[0].fingerprint}
    read = read_again(space)
    assert read == space
    assert hash(read.constraints[0]) == hash(space.constraints[0])
    assert read.difference(space) == ""
    point = {"x": 1.0, "y": 2.0, "c": "v"}
    assert read.decode(read.encode([point])) == [point]
    assert read.check_values(point) == point
    for look in (read.check, read.__contains__, read.fix, lambda p: read.sample(1, np.random.default_rng(0))):
        if look == read.fix:  # says nothing of members
            assert look({"c": "v"}).absent
            continue
        with pytest.raises(
            SpaceError, match=r"no more of has_room\(point\) than .* Study\.load\(\.\.\., space=space\)"
        ):
            look(point)
    filled = read.fix({"c": "v"}).filled_from(space)
    assert filled.fixed == {"c": "v"}
    assert not filled.absent
    assert point in filled
    assert {**point, "x": 2.0} not in filled


def test_a_function_that_was_changed_is_not_taken_for_the_first_and_the_difference_says_so():
    def has_room(p):
        return p["x"] * p["y"] <= 4

    first, second = Space(BOX, [Nonlinear(globals()["has_room"])]), Space(BOX, [Nonlinear(has_room)])
    assert first != second
    assert (
        first.difference(second)
        == "the function of constraint has_room(point): its source, or what it holds, is another"
    )
    assert read_again(first).filled_from(second).absent
    other = Space(BOX, [Nonlinear("x > 1")])
    assert "constraint Nonlinear(function='has_room'" in first.difference(other)


@settings(max_examples=15, deadline=None)
@given(space=constrained(), seed=st.integers(0, 1000))
def test_the_members_of_a_function_are_those_of_the_space_it_looks_up(space, seed):
    plain = Space(space.parameters)
    by_function = Space(space.parameters, [Nonlinear(lambda p: p in space)])
    U = np.random.default_rng(seed).random((40, space.dim))
    U = space.structure.settled(plain.snap(U))
    inside = [p in space for p in plain.decode(U)]
    assert by_function.is_member(U).tolist() == inside
    assert [p in by_function for p in plain.decode(U)] == inside


@pytest.mark.parametrize("fields", [{}, {"condition": 3}, {"condition": "x < 1", "function": "f"}, {"function": "f"}])
def test_what_is_neither_text_nor_function_is_refused(fields):
    with pytest.raises(ValueError, match="a text or a function"):
        Nonlinear(**fields)


def test_what_a_function_does_to_a_point_stays_with_it():
    def disorderly(p):
        p["s"].sort()
        p["mix"]["a"] = 0.0
        return True

    point = {"s": ["d", "c", "b", "a"], "mix": {"a": 0.25, "b": 0.75}}
    space = Space([Permutation("s", list("abcd")), Simplex("mix", ["a", "b"])], [Nonlinear(disorderly)])
    assert space.check(point) == {"s": ["d", "c", "b", "a"], "mix": {"a": 0.25, "b": 0.75}}
