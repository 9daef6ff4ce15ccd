"""What constraints between points leave to each of them, compared with what trying all sets of points says."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Ordinal, Pool, Simplex, Space
from tests.space.drawn import TREE


def stock(coefficients, **bounds):
    return Linear(coefficients, between_points=True, **bounds)


def members(parameters, constraints):
    """All points of Ints, Ordinals and Categoricals that satisfy the constraints on single points."""
    space = Space(parameters, [c for c in constraints if not c.between_points])
    levels = [p.listed if hasattr(p, "listed") else range(p.low, p.high + 1, p.step or 1) for p in parameters]
    points = [dict(zip(space.names, values, strict=True)) for values in itertools.product(*levels)]
    return [p for p in points if p in space]


def amount(constraint, points):
    return sum(c * p[name] for p in points for name, c in constraint.coefficients.items())


WHOLE = Int("l", -1, 1)


@st.composite
def small(draw, last=(WHOLE,)):
    """Few points, with constraints between them and on single ones."""
    parameters = [
        Int("n", 0, draw(st.integers(1, 3))),
        Int("m", -2, 2, step=2),
        draw(st.sampled_from(last)),
        Categorical("c", ["u", "v"]),
    ]
    constraints = [Forbidden({"c": ["u"], "n": [0]})] if draw(st.booleans()) else []
    if draw(st.booleans()):
        constraints.append(Linear({"n": 1, "m": -1}, upper=draw(st.integers(0, 3))))
    for _ in range(draw(st.integers(1, 2))):
        names = draw(st.lists(st.sampled_from("nml"), min_size=1, unique=True))
        low = draw(st.none() | st.integers(-6, 12))
        high = draw(st.integers(-6, 12)) if low is None else draw(st.none() | st.integers(low, low + 4))
        constraints.append(stock({name: draw(st.sampled_from([1, -1, 2])) for name in names}, lower=low, upper=high))
    return parameters, constraints


@settings(max_examples=60, deadline=None)
@given(drawn=small(), n=st.integers(1, 3))
def test_what_is_said_to_be_possible_is_what_some_set_of_points_has(drawn, n):
    parameters, constraints = drawn
    points, stocks = members(parameters, constraints), [c for c in constraints if c.between_points]
    amounts = [tuple(amount(c, [p]) for c in stocks) for p in points]

    def is_there(first, k):
        reached = {first}
        for _ in range(k):
            reached = {tuple(np.add(some, one)) for some in reached for one in set(amounts)}
        bounds = [c.bounds for c in stocks]
        return any(all(low <= v <= high for v, (low, high) in zip(some, bounds, strict=True)) for some in reached)

    none = (0.0,) * len(stocks)
    try:
        between = Space(parameters, constraints).between
    except ValueError:
        assert not any(is_there(none, k) for k in range(1, 4))
        return
    assert between.least == pytest.approx(np.min(amounts, axis=0), abs=1e-5)
    assert between.most == pytest.approx(np.max(amounts, axis=0), abs=1e-5)
    left = between.left([], n)
    assert left.is_possible == is_there(none, n)
    for first, of_first in list(zip(points, amounts, strict=True))[::5]:
        assert left.after(first).is_possible == is_there(of_first, n - 1)
    fits = [all(low <= n <= high for low, high in map(between.numbers, range(len(between.constraints))))]
    assert fits == [True] or not left.is_possible


@settings(max_examples=30, deadline=None)
@given(
    drawn=small((Int("l", 1, 3, log=True), Ordinal("l", [1, 2.5, 7]), Float("l", 1.0, 2.0, log=True))),
    n=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_numbers_that_are_no_positions_never_make_impossible_what_is_possible(drawn, n, seed):
    parameters, constraints = drawn
    points = Space(parameters, [c for c in constraints if not c.between_points]).sample(n, np.random.default_rng(seed))
    met = [
        stock(c.coefficients, lower=amount(c, points), upper=amount(c, points) + 1e-9)
        for c in constraints
        if c.between_points
    ]
    space = Space(parameters, [c for c in constraints if not c.between_points] + met)
    left = space.between.left([], n)
    for point in points:
        assert left.is_possible
        left = left.after(point)
    assert left.is_possible


def shared_out(space, n, rng):
    """A batch whose every point is uniform within what it may take."""
    points = []
    for _ in range(n):
        left = space.between.left(points, n - len(points))
        points += space.of_one_point(left.shares()).sample(1, rng)
    return points


@pytest.mark.parametrize("n", [2, 8])
def test_points_share_alike_whatever_their_order(n):
    space = Space([Float("x", 1.0, 50.0)], [stock({"x": 1}, upper=3.0 * n)])
    rng = np.random.default_rng(0)
    X = np.array([[p["x"] for p in shared_out(space, n, rng)] for _ in range(150)])
    assert (X.sum(1) <= 3.0 * n + 1e-6).all()
    # Of what is beyond n points' least, uniform points take a share of 1 / (n + 1) each on average.
    assert X.mean(0) == pytest.approx(1.0 + 2.0 * n / (n + 1), rel=0.25)


@pytest.mark.parametrize("total", [1.0, 3.9])
def test_an_equality_is_met_and_shared_alike(total):
    space = Space([Float("x", 0.0, 1.0), Float("y", 0.0, 1.0)], [stock({"x": 1}, lower=total, upper=total)])
    rng = np.random.default_rng(0)
    X = np.array([[p["x"] for p in shared_out(space, 4, rng)] for _ in range(80)])
    assert X.sum(1) == pytest.approx(total, abs=1e-6)
    assert X.mean(0) == pytest.approx(total / 4, rel=0.25)


def test_least_and_most_count_other_constraints_mixtures_and_what_is_fixed():
    mix = Simplex("mix", ["a", "b", "c"], total=10.0, lower={"a": 1.0}, max_parts=2)
    space = Space(
        [mix, Float("x", 0, 4), Int("n", 0, 3)],
        [Linear({"mix.b": 1, "x": 1}, upper=6), stock({"mix.b": 1, "n": 2}, upper=99)],
    )
    assert (space.between.least, space.between.most) == (pytest.approx([0.0], abs=1e-6), pytest.approx([12.0]))
    fixed = space.fix({"x": 2.0, "n": 1})
    assert (fixed.between.least, fixed.between.most) == (pytest.approx([2.0], abs=1e-6), pytest.approx([6.0]))


def test_how_many_points_are_possible_is_said():
    space = Space([Int("n", 2, 4)], [stock({"n": 1}, lower=7, upper=7)])
    with pytest.raises(
        SpaceError,
        match="1 points cannot .* n = 7 over all points of an ask: one point amounts to 2 at "
        "least and 4 at most, so ask for 2 to 3 points",
    ):
        space.between.left([], 1).check()
    with pytest.raises(SpaceError, match="ask for 3 points or more"):
        Space([Float("x", 0, 2)], [stock({"x": 1}, lower=5)]).between.left([], 2).check()
    gaps = Space([Ordinal("k", [0, 3])], [])
    assert gaps.between is None
    even = Space([Int("n", 0, 4, step=2)], [stock({"n": 1}, lower=3, upper=3)])
    with pytest.raises(SpaceError, match="No 2 points together satisfy n = 3 over all points of an ask"):
        even.between.left([], 2).check()


@pytest.mark.parametrize(
    ("parameters", "constraint", "said"),
    [
        (
            [Float("x", 1, 2)],
            stock({"x": 1}, upper=0.5),
            "No number of points .* one amounts to 1 at least and 2 at most",
        ),
        ([Float("x", 1, 2)], stock({"x": -1}, lower=0.5), "No number of points"),
        ([Int("n", 2, 3)], stock({"n": 5}, lower=1, upper=9), "No number of points"),
        (TREE, stock({"C": 1}, upper=9), "'C'\\] must be always there"),
        ([Float("x", 1, 9, log=True)], stock({"x": 1}, lower=9, upper=9), "'x'\\] must not be on a logarithmic axis"),
        ([Categorical("c", ["u"]), Float("x", 0, 1)], stock({"c": 1}, upper=9), "must be numbers"),
    ],
)
def test_what_no_number_of_points_can_satisfy_is_refused(parameters, constraint, said):
    with pytest.raises(ValueError, match=said):
        Space(parameters, [constraint])


def test_single_points_are_not_judged_and_files_keep_it():
    space = Space([Float("x", 0, 9)], [stock({"x": 1}, lower=0, upper=5), Linear({"x": 1}, upper=8)])
    assert {"x": 7.0} in space
    assert {"x": 8.5} not in space
    assert space.is_member(np.array([[0.8]])).all()
    assert str(space.constraints[0]) == "0 <= x <= 5 over all points of an ask"
    plain = space.to_dict()
    assert [c.get("between_points") for c in plain["constraints"]] == [True, None]
    assert Space.from_dict(json.loads(json.dumps(plain))) == space
    assert space.difference(Space(space.parameters, [Linear({"x": 1}, lower=0, upper=5), space.constraints[1]]))
    with pytest.raises(SpaceError, match="No number of points satisfies .* with {'x': 6.0}"):
        space.fix({"x": 6.0})


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.integers(-2, 2)), min_size=1, max_size=6),
    total=st.integers(0, 30),
    n=st.integers(1, 10),
    form=st.sampled_from(["alone", "with a number", "bound to a number"]),
)
def test_what_rows_of_a_pool_make_together_is_what_is_possible(rows, total, n, form):
    terms = {"a": 2, "b": 1} | ({} if form == "alone" else {"m": 1})
    pool = Pool({"a": [float(a) for a, _ in rows], "b": [float(b) for _, b in rows]})
    bound = [Linear({"a": 1, "m": 1}, upper=7)] if form == "bound to a number" else []
    amounts = {
        2 * a + b + m
        for a, b in rows
        for m in ([0] if form == "alone" else [0, 1])
        if form != "bound to a number" or a + m <= 7
    }
    parameters = [Float("a", 0, 6), Float("b", -2, 2), Int("m", 0, 1), Float("z", 0, 1)]
    try:
        space = Space(parameters, [pool, *bound, stock(terms, lower=total, upper=total)])
    except SpaceError:
        assert total not in {sum(some) for k in range(1, 4) for some in itertools.product(amounts, repeat=k)}
        return
    between = space.between_by_rows
    assert between.has_rows
    assert (between.least, between.most) == (pytest.approx([min(amounts)]), pytest.approx([max(amounts)]))
    reached = {0}
    for _ in range(n):
        reached = {some + one for some in reached for one in amounts}
    left = between.left([], n)
    # Bound to others, beyond eight points the rest is known by its mean alone.
    if form != "bound to a number" or n <= 8:
        assert left.is_possible == (total in reached)
    if total in reached:
        assert left.is_possible
