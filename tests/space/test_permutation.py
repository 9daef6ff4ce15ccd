"""Orders of items: what is one, how they are drawn, bound and counted."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Permutation, Space
from bbo.space.sampling import Sampler
from tests.space.drawn import permutations
from tests.space.test_space import Tried

TOUR = Permutation("tour", ["A", "B", "C", "D"])


def before(*pairs, name="tour"):
    """Constraints that the first of each pair comes before the second."""
    return [Linear({f"{name}.{a}": 1, f"{name}.{b}": -1}, upper=-1) for a, b in pairs]


def is_before(order, *pairs):
    return all(order.index(a) < order.index(b) for a, b in pairs)


def assert_uniform(orders, expected):
    """By a chi-square test that a uniform draw fails once in 10,000."""
    counts = Counter(map(tuple, orders))
    assert set(counts) <= set(expected)
    assert chisquare([counts[order] for order in expected]).pvalue > 1e-4


def test_uniform_positions_are_uniform_over_orders():
    U = np.random.default_rng(0).random((12_000, 4))
    assert_uniform(TOUR.decode(U), list(itertools.permutations("ABCD")))


@given(p=permutations("p"), seed=st.integers(0, 2**32 - 1))
def test_a_value_is_its_places_its_cell_and_its_codes(p, seed):
    order = np.random.default_rng(seed).permutation(len(p.items)).tolist()
    value = [p.items[k] for k in order]
    assert p.check(tuple(value)) == value
    assert p.check(np.array(value, dtype=object)) == value
    places = p.by_term(value)
    assert [places[f"p.{item}"] for item in value] == list(range(1, len(value) + 1))
    assert p.value(p.code(value)) == value
    assert p.decode(p.place(np.array([p.code(value)]))) == [value]
    (cell,) = p.flat(value).values()
    assert isinstance(cell, str)
    assert p.gathered({"p": cell}) == value
    assert [type(item) for item in p.parse(f" {cell.replace(' > ', '>  ')} ")] == [type(item) for item in value]


def test_a_cell_spells_items_as_people_do():
    p = Permutation("p", ["Add acid", 1, 2.5, None])
    assert p.parse("1.0>2.50 > none >add ACID") == [1, 2.5, None, "Add acid"]
    assert Permutation("p", ["a", "A"]).parse("A > a") == ["A", "a"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["A", "B", "C"], r"has each of \['A', 'B', 'C', 'D'\] once: missing are \['D'\], got \['A', 'B', 'C'\]"),
        (["A", "B", "C", "C"], r"missing are \['D'\] and more than once are \['C'\]"),
        (["A", "B", "C", "D", "E"], r"unknown are \['E'\], got"),
        ("ABCD", r"is a list of \['A', 'B', 'C', 'D'\] in some order: got 'ABCD'"),
        ({"A": 1}, "is a list of"),
        (None, "is a list of"),
        ([["A"], "B", "C", "D"], r"unknown are \[\['A'\]\]"),
    ],
)
def test_what_is_no_order_is_refused_with_what_was_got(value, said):
    space = Space([TOUR])
    assert {"tour": value} not in space
    with pytest.raises(SpaceError, match=said):
        space.check({"tour": value})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Permutation("p", ["a"]), "'p' needs 2 items or more"),
        (lambda: Permutation("p", ["a", "b"], cyclic=True), "'p' needs 3 items or more"),
        (lambda: Permutation("p", ["a", "b", "a"]), "'a' stands twice in items"),
        (lambda: Permutation("p", [1, True]), "True stands twice"),
        (lambda: Permutation("p", [1, "1"]), "'1' stands twice"),
        (lambda: Permutation("p", ["a", "b > c"]), "'b > c' cannot be read from a cell"),
        (lambda: Permutation("p", ["a", " b"]), "no space at its ends"),
        (lambda: Permutation("p", ["a", ""]), "cannot be read from a cell"),
        (lambda: Space([Permutation("p", ["a", "b"]), Float("p.a", 0, 1)]), "would be named 'p.a'"),
        (lambda: Space([Permutation("p", ["a", "b"]), Float("x", 0, 1, when={"p": ["a"]})]), "no list of values"),
        (lambda: Space([TOUR], [Forbidden({"tour.A": [0]})]), "from 1 to 4: got 0"),
        (lambda: Space([TOUR], [Nonlinear("tour == 1")]), r"unknown are \['tour'\]; there are \['tour.A'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_orders_are_counted_offered_once_each_and_then_exhausted():
    space = Space([Permutation("p", ["a", "b", "c"]), Categorical("c", ["u", "v"])])
    assert space.n_points == 12
    offered = space.fresh([{"p": ["a", "b", "c"], "c": "u"}] * 15, Tried(np.zeros((0, 4))))
    assert len({(*point["p"], point["c"]) for point in offered}) == len(offered) == 12
    assert space.fresh(offered, Tried(space.encode(offered))) == []


def test_orders_that_are_there_under_conditions_or_bound_are_counted_once_each():
    tree = Space([Categorical("m", ["u", "v"]), Permutation("p", ["a", "b", "c"], when={"m": ["u"]}), Int("n", 1, 2)])
    assert tree.n_points == 14
    assert Space([TOUR], before(("A", "B"), ("C", "D"))).n_points == 6
    assert Space([TOUR]).fix({"tour": ["A", "B", "C", "D"]}).n_points == 1


def test_what_was_tried_gives_way_to_an_order_beside_it():
    for k in (6, 12):  # looked at one by one, and by moves
        items = [f"i{j}" for j in range(k)]
        space = Space([Permutation("p", items)])
        (other,) = space.fresh([{"p": items}], Tried(space.encode([{"p": items}])))
        places = space.by_term({"p": other["p"]})
        moved = [abs(places[f"p.{item}"] - 1 - j) for j, item in enumerate(items)]
        assert 2 <= sum(moved) <= 6


@pytest.mark.parametrize("seed", range(3))
def test_draws_among_precedences_are_uniform(seed):
    pairs = [("A", "B"), ("C", "B"), ("C", "D")]
    space = Space([TOUR], before(*pairs))
    expected = [order for order in itertools.permutations("ABCD") if is_before(order, *pairs)]
    assert_uniform([p["tour"] for p in space.sample(3000, np.random.default_rng(seed))], expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_among_orders_is_as_uniform_as_rejection(seed):
    """From one order: where a precedence and a place bind, and a condition that no line says."""
    space = Space([TOUR], [*before(("A", "C")), Nonlinear("`tour.B` != 2 or `tour.D` == 4")])
    expected = [
        order
        for order in itertools.permutations("ABCD")
        if is_before(order, ("A", "C")) and (order[1] != "B" or order[3] == "D")
    ]
    start = space.encode([{"tour": ["A", "C", "D", "B"]}])
    walked = Sampler(space.region)._walk(np.repeat(start, 3000, 0), np.random.default_rng(seed))
    assert_uniform([p["tour"] for p in space.decode(walked)], expected)


def test_a_chain_of_precedences_is_met_though_hardly_any_order_does():
    items = [f"i{j}" for j in range(12)]
    chain = list(itertools.pairwise(items[:10]))
    space = Space(
        [Permutation("p", items), Float("x", 0, 12)], [*before(*chain, name="p"), Linear({"p.i11": 1, "x": 1}, upper=9)]
    )
    points = space.sample(60, np.random.default_rng(0))
    assert all(point in space and is_before(point["p"], *chain) for point in points)
    assert len({tuple(point["p"]) for point in points}) > 30
    assert {point["p"].index("i10") for point in points} >= set(range(2, 10))


def test_a_place_is_given_by_an_equality_and_shared_with_a_number():
    space = Space(
        [TOUR, Float("x", 0, 4)],
        [Linear({"tour.B": 1}, lower=2, upper=2), Linear({"tour.A": 1, "x": 1}, lower=4, upper=4)],
    )
    points = space.sample(200, np.random.default_rng(0))
    assert all(p["tour"][1] == "B" and p["x"] == pytest.approx(3 - p["tour"].index("A")) for p in points)
    assert {p["tour"].index("A") for p in points} == {0, 2, 3}


def test_precedences_in_a_circle_are_refused_and_named():
    with pytest.raises(ValueError, match=r"No point satisfies tour.A - tour.B <= -1 and") as caught:
        Space([TOUR], [*before(("C", "D")), *before(("A", "B"), ("B", "D"), ("D", "A"))])
    assert "tour.C" not in str(caught.value)
    with pytest.raises(ValueError, match="No point satisfies tour.A = 1 and tour.B = 1"):
        Space([TOUR], [Linear({f"tour.{item}": 1}, lower=1, upper=1) for item in "AB"])


def test_a_proposal_that_breaks_a_precedence_gives_way_to_a_member_near_it():
    space = Space([TOUR], before(("A", "B")))
    (mended,) = space.fresh([{"tour": ["B", "A", "C", "D"]}], Tried(np.zeros((0, 4))))
    assert mended == {"tour": ["A", "B", "C", "D"]}


def test_an_item_that_is_moved_leaves_the_others_in_their_order():
    space = Space([Float("x", 0, 1), TOUR])
    X = space.encode([{"x": 0.5, "tour": ["A", "B", "C", "D"]}, {"x": 0.5, "tour": ["D", "C", "B", "A"]}])
    moved = [p["tour"] for p in space.decode(space.moved(X, 2, 0.9))]
    assert moved == [["A", "C", "D", "B"], ["D", "C", "A", "B"]]
    assert space.moved(X, 2, 0.9)[:, 2].tolist() == [0.875, 0.875]


@settings(max_examples=30)
@given(p=permutations("p"), seed=st.integers(0, 2**32 - 1))
def test_what_is_spread_or_moved_is_an_order(p, seed):
    space = Space([p])
    rng = np.random.default_rng(seed)
    X = space.spread(rng.random((5, space.dim)))
    for j in range(space.dim):
        moved = space.moved(X, j, rng.random())
        assert np.allclose(space.snap(moved), moved, atol=1e-12)
