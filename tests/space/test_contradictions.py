"""What no point satisfies is refused when a space is made, against looking at each point of small spaces."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Ordinal, Permutation, Pool, Simplex, Space
from bbo.space.conditions import is_there
from tests.space.drawn import KINDS, constrained, spaces, trees

NUMBERS = (Int, Ordinal, Float)


@st.composite
def small(draw):
    """A few parameters of few values, some under conditions, and constraints of which nothing is promised."""
    made = []
    for j in range(draw(st.integers(1, 4))):
        name, when = f"p{j}", None
        if made and draw(st.booleans()):
            parent = draw(st.sampled_from(made))
            when = {parent.name: draw(st.lists(st.sampled_from(values_of(parent)), min_size=1, unique=True))}
        kind = draw(st.sampled_from(["int", "logint", "stepfloat", "ordinal", "categorical"]))
        made.append(
            {
                "int": Int(name, draw(st.integers(-2, 0)), draw(st.integers(1, 3)), when=when),
                "logint": Int(name, 1, draw(st.integers(2, 5)), log=True, when=when),
                "stepfloat": Float(name, -0.25, 0.5, step=0.25, when=when),
                "ordinal": Ordinal(name, draw(st.sampled_from([[1, 2, 4], [0.5, -3, 10]])), when=when),
                "categorical": Categorical(name, ["a", "b", "c"][: draw(st.integers(1, 3))], when=when),
            }[kind]
        )
    constraints = []
    for _ in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique_by=lambda p: p.name))
        numbers = [p for p in chosen if isinstance(p, NUMBERS)]
        if numbers and draw(st.booleans()):
            weights = {p.name: draw(st.sampled_from([-2.0, -1.0, 1.0, 3.0])) for p in numbers}
            low, room = draw(st.integers(-8, 16)) / 2, draw(st.sampled_from([0.0, 0.5, math.inf]))
            constraints.append(Linear(weights, lower=low, upper=None if room == math.inf else low + room))
        else:
            constraints.append(
                Forbidden(
                    {p.name: draw(st.lists(st.sampled_from(values_of(p)), min_size=1, unique=True)) for p in chosen}
                )
            )
    return made, constraints


def values_of(p):
    if isinstance(p, Int):
        return list(range(p.low, p.high + 1))
    return [-0.25, 0.0, 0.25, 0.5] if isinstance(p, Float) else list(p.listed)


def points_of(parameters):
    """All of them, by trying."""
    found = [{}]
    for p in parameters:  # each stands behind its parents
        found = [
            point | ({p.name: value} if is_there(p, point) else {})
            for point in found
            for value in (values_of(p) if is_there(p, point) else [None])
        ]
    return found


def satisfies(point, c):
    if any(name not in point for name in c.names):
        return True
    if isinstance(c, Forbidden):
        return not all(point[name] in values for name, values in c.combination.items())
    total = sum(weight * point[name] for name, weight in c.coefficients.items())
    low, high = c.bounds
    return low - 1e-9 <= total <= high + 1e-9


def leaves_some(parameters, constraints):
    return any(all(satisfies(point, c) for c in constraints) for point in points_of(parameters))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=small())
def test_a_space_is_refused_where_each_of_its_points_breaks_something_and_only_there(drawn):
    parameters, constraints = drawn
    try:
        space = Space(parameters, constraints)
    except SpaceError as error:
        event("refused")
        assert not leaves_some(parameters, constraints)
        named = [c for c in constraints if str(c) in str(error)]
        assert not leaves_some(parameters, named)
        assert any(leaves_some(parameters, [c for c in named if str(c) != str(one)]) for one in named)
    else:
        event("taken")
        assert leaves_some(parameters, constraints)
        assert space.sample(1, np.random.default_rng(0))[0] in space


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=small(), data=st.data())
def test_so_it_is_with_values_that_are_given(drawn, data):
    parameters, constraints = drawn
    always = [p for p in parameters if not p.when]
    p = data.draw(st.sampled_from(always))
    value = data.draw(st.sampled_from(values_of(p)))
    here = [point for point in points_of(parameters) if point[p.name] == value]
    is_possible = any(all(satisfies(point, c) for c in constraints) for point in here)
    assume(leaves_some(parameters, constraints))
    space = Space(parameters, constraints)
    if is_possible:
        assert space.fix({p.name: value}).fixed == {p.name: value}
    else:
        with pytest.raises(SpaceError, match=f"No point satisfies .* with .*{p.name}"):
            space.fix({p.name: value})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=small(), data=st.data())
def test_so_it_is_where_a_pool_has_some_of_the_parameters(drawn, data):
    parameters, constraints = drawn
    n = data.draw(st.integers(1, len(parameters)))
    names = [p.name for p in parameters[:n]]  # with those that they depend on
    points = points_of(parameters)
    rows = data.draw(st.lists(st.sampled_from(points), min_size=1, max_size=3))
    own = [{name: row.get(name) for name in names} for row in rows]
    pool = Pool({name: [row[name] for row in own] for name in names})
    among = [point for point in points if {name: point.get(name) for name in names} in own]
    is_possible = any(all(satisfies(point, c) for c in constraints) for point in among)
    if is_possible:
        event("taken")
        assert Space(parameters, [*constraints, pool]).sample(1, np.random.default_rng(0))[0] in among
    else:
        event("refused")
        with pytest.raises(SpaceError, match="No point satisfies|has no candidate"):
            Space(parameters, [*constraints, pool])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(space=constrained(), seed=st.integers(0, 2**32 - 1))
def test_no_space_is_refused_whose_point_is_given(space, seed):
    """Continua, logarithms, mixtures and orders too: fixing all of a member leaves that member."""
    point = space.sample(1, np.random.default_rng(seed))[0]
    assert space.fix(point).sample(1, np.random.default_rng(0))[0] in space


@st.composite
def tight(draw):
    """Constraints that a point meets exactly, and the point: sums of any weights, combinations, rows of a pool."""
    plain = draw(trees() | spaces((*KINDS, "simplex")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = plain.sample(4, rng)
    point = points[0]
    values = plain.by_term(point)
    numbers = [
        name
        for name, value in values.items()
        if type(value) in (int, float) and plain.terms[name].kind != "categorical"
    ]
    numbers = [name for name in numbers if not isinstance(plain.terms[name], Ordinal) or is_numeric(plain.terms[name])]
    constraints = []
    for _ in range(draw(st.integers(0, 3)) if numbers else 0):
        weights = {
            name: draw(st.sampled_from([1.0, -1.0, 0.37, 1e3, 1e-4]))
            for name in draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=4, unique=True))
        }
        at = sum(weight * values[name] for name, weight in weights.items())
        room = draw(st.sampled_from([0.0, 0.0, 1e-6, 1.0]))
        constraints.append(Linear(weights, lower=at - room, upper=at + room))
    for p in plain.parameters:
        if isinstance(p, Categorical | Ordinal) and p.n_levels > 1 and draw(st.booleans()):
            others = [v for v in p.listed if p.name not in point or v is not point[p.name]]
            constraints.append(Forbidden({p.name: others}))
    if draw(st.booleans()):
        cells = [plain.flat(one) for one in points]
        constraints.append(Pool({name: [row.get(name) for row in cells] for name in plain.cells}))
    return plain, constraints, point


def is_numeric(p):
    return all(type(value) in (int, float) for value in p.listed)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=tight())
def test_no_space_is_refused_that_has_a_point_however_little_room_there_is(drawn):
    plain, constraints, point = drawn
    space, refusal = None, ""
    try:
        space = Space(plain.parameters, constraints)
    except (
        SpaceError
    ) as error:  # some equalities are refused whatever they leave, and cells of a pool that mean nothing
        refusal = str(error)
    assert "No point satisfies" not in refusal
    assert "has no candidate" not in refusal
    if space is not None:
        event("taken")
        assert point in space
        assert space.fix(point).fixed == point


@pytest.mark.parametrize(
    ("parameters", "constraints", "said"),
    [
        (
            [Float("x", 0, 1), Float("lr", 1e-4, 1e-1, log=True)],
            [Linear({"x": 1, "lr": 1}, lower=1), Linear({"x": 1}, upper=0.8)],
            "lr + x >= 1 and x <= 0.8",
        ),
        (
            [Float("x", 0, 1), Simplex("mix", ["a", "b"], when={"m": ["v"]}), Categorical("m", ["u", "v"])],
            [
                Pool({"m": ["u", "v"], "mix.a": [None, 0.3], "mix.b": [None, 0.7]}),
                Linear({"mix.a": 1, "x": 1}, lower=2),
                Forbidden({"m": ["u"]}),
            ],
            "the pool of 2 rows, by m, mix.a, mix.b and mix.a + x >= 2 and never m in ['u']",
        ),
        (
            [Float("x", 0, 1), Ordinal("o", [1, 2, 4])],
            [Linear({"x": 1, "o": 1}, lower=3.1, upper=3.9)],
            "3.1 <= o + x <= 3.9",
        ),
        (
            [Categorical("m", ["a", "b"]), Categorical("s", ["u", "v"], when={"m": ["a"]})],
            [Forbidden({"m": ["b"]}), Forbidden({"s": ["u"]}), Forbidden({"s": ["v"]})],
            "never m in ['b'] and never s in ['u'] and never s in ['v']",
        ),
        (
            [Categorical("m", ["a", "b"]), Float("x", 1e-3, 1, log=True, when={"m": ["a"]})],
            [Forbidden({"m": ["b"]}), Linear({"x": 1}, lower=2)],
            "never m in ['b'] and x >= 2",
        ),
        (
            [Int("n", 0, 10**6), Float("x", 0, 1, when={"n": [3, 5]})],
            [Linear({"n": 1}, lower=4, upper=6), Forbidden({"n": [4, 6]}), Linear({"n": 1, "x": 1}, lower=20)],
            "4 <= n <= 6 and never n in [4, 6] and n + x >= 20",
        ),
        (
            [Simplex("mix", ["a", "b", "c"], max_parts=2, when={"m": ["a"]}), Ordinal("m", ["a"])],
            [Linear({f"mix.{part}": 1}, lower=0.1) for part in "abc"],
            "mix.a >= 0.1 and mix.b >= 0.1 and mix.c >= 0.1",
        ),
        ([Permutation("tour", ["A", "B", "C"])], [Linear({"tour.A": 1, "tour.B": 1}, upper=2)], "tour.A + tour.B <= 2"),
        (
            [Permutation("tour", ["A", "B", "C"]), Ordinal("o", [1, 5])],
            [Linear({"tour.A": 1, "o": -1}, lower=0), Linear({"tour.A": 1}, lower=2, upper=2), Forbidden({"o": [1]})],
            "- o + tour.A >= 0 and never o in [1]",
        ),
    ],
)
def test_contradictions_on_any_axis_and_under_conditions_are_named(parameters, constraints, said):
    with pytest.raises(SpaceError) as caught:
        Space(parameters, constraints)
    assert f"No point satisfies {said} within" in str(caught.value)


def test_values_of_a_pool_in_a_space_that_was_wider_are_its_own():
    """Codes of rows count the choices that trials had too."""
    wide = (Categorical("c", ["a", "gone", "b"]), Ordinal("o", [1, 2, 4, 8]), Float("y", 0, 1))
    own = [Categorical("c", ["a", "b"]), Ordinal("o", [1, 4, 8]), Float("y", 0, 1)]
    pool = Pool({"c": ["a", "b"], "o": [8, 4]})
    few = [pool, Forbidden({"c": ["a"]}), Linear({"o": 1, "y": 1}, lower=4.5, upper=4.8)]
    point = Space(own, few, wide=wide).sample(1, np.random.default_rng(0))[0]
    assert (point["c"], point["o"]) == ("b", 4)
    with pytest.raises(SpaceError, match="No point satisfies"):
        Space(own, [pool, Forbidden({"c": ["b"]}), Linear({"o": 1, "y": 1}, lower=4.5, upper=4.8)], wide=wide)


def test_items_have_places_that_may_be_forbidden():
    tour = [Permutation("tour", ["A", "B", "C"])]
    assert Space(tour, [Forbidden({"tour.A": [1, 2]})]).sample(1, np.random.default_rng(0))[0]["tour"][2] == "A"
    with pytest.raises(SpaceError, match=r"never tour.A in \[1, 2\] and never tour.A in \[3\]"):
        Space(tour, [Forbidden({"tour.A": [1, 2]}), Forbidden({"tour.A": [3]})])


def test_numbers_beyond_what_a_program_can_tell_are_let_be():
    n = 2**40 + 12_345
    space = Space([Int("n", 0, 2**50), Ordinal("o", [1, 2])], [Forbidden({"n": [n], "o": [1]})])
    assert space.fix({"n": n}).sample(1, np.random.default_rng(0)) == [{"n": n, "o": 2}]
    tree = [Categorical("m", ["a", "b"]), Float("x", 0, 1, when={"m": ["a"]})]
    assert Space(tree, [Linear({"x": 1}, lower=1e16)]).sample(1, np.random.default_rng(0)) == [{"m": "b"}]
    with pytest.raises(SpaceError, match=r"No point satisfies x \+ y >= 2 within"):
        Space([Float("x", 0, 1), Float("y", 0, 1)], [Linear({"x": 1, "y": 1}, lower=2 + 1e-6)])


def test_what_binds_only_where_it_is_there_is_no_contradiction():
    tree = [Categorical("m", ["a", "b"]), Float("x", 0, 1, when={"m": ["a"]})]
    space = Space(tree, [Linear({"x": 1}, lower=2)])
    assert space.sample(20, np.random.default_rng(0)) == [{"m": "b"}] * 20
