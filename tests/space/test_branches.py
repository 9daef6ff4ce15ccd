"""Parts of a space in which more equalities hold than in the rest."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.objective import Maximize
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Ordinal, Pool, Simplex, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study
from tests.space.drawn import trees
from tests.space.test_space import Tried

MIX = Space(
    [Categorical("k", ["mix", "pure"]), Simplex("m", ["u", "v", "w"], when={"k": ["mix"]}), Float("x", 0, 1)],
    [Linear({"m.u": 1, "m.v": -2}, lower=0, upper=0)],
)
SUM = Space(
    [Categorical("k", ["x", "y", "z"]), Float("a", 0, 1, when={"k": ["x", "y"]}), Float("b", 0, 1)],
    [Linear({"a": 1, "b": 1}, lower=1, upper=1), Linear({"b": 1}, upper=0.75), Nonlinear("k != 'y' or b > 0.2")],
)
WHOLE = Space(
    [Categorical("k", ["x", "y"]), Int("a", 0, 999, when={"k": ["x"]}), Int("b", 0, 999), Ordinal("o", [1, 2, 3])],
    [Linear({"a": 1, "b": -3}, lower=7, upper=7), Forbidden({"k": ["y"], "o": [2]})],
)
NESTED = Space(
    [
        Categorical("k", ["x", "y"]),
        Int("n", 1, 4, when={"k": ["x"]}),
        Float("a", 0, 5, when={"n": [2, 3]}),
        Float("b", 0, 5, when={"k": ["x"]}),
        Float("c", 0, 5),
    ],
    [Linear({"a": 1, "b": 1}, lower=4, upper=4), Linear({"b": 1, "c": 1}, lower=6, upper=6)],
)


def counts(points, *names):
    return Counter(tuple(p.get(name) for name in names) for p in points)


@pytest.mark.parametrize(
    ("space", "names", "n_kinds"),
    [(MIX, ("k",), 2), (SUM, ("k",), 3), (WHOLE, ("k", "o"), 5), (NESTED, ("k", "n"), 5)],
    ids=["mixture", "sum", "whole", "nested"],
)
def test_all_branches_are_drawn(space, names, n_kinds):
    points = space.sample(400, np.random.default_rng(0))
    assert all(p in space for p in points)
    found = counts(points, *names)
    assert len(found) == n_kinds
    assert min(found.values()) > 20
    alone = [space.sample(1, np.random.default_rng(seed))[0] for seed in range(15)]
    assert set(counts(alone, "k")) == set(counts(points, "k"))


def test_points_of_a_branch_are_as_uniform_as_without_the_others():
    """In u = 2 v, u + v + w = 1 the amount v is uniform up to 1/3."""
    v = np.array([p["m"]["v"] for p in MIX.sample(2000, np.random.default_rng(0)) if p["k"] == "mix"])
    assert 850 < len(v) < 1150
    assert v.mean() == pytest.approx(1 / 6, abs=0.016)
    assert v.std() == pytest.approx(1 / 3 / 12**0.5, rel=0.1)


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=6)], ids=["random", "sobol", "gp"])
@pytest.mark.parametrize(("space", "wanted", "other"), [(MIX, "mix", "pure"), (SUM, "x", "z")], ids=["mixture", "sum"])
def test_a_study_tries_the_branch_in_which_an_equality_holds(space, wanted, other, strategy):
    study = Study(space, Maximize("y"), strategy=strategy, seed=1)
    for _ in range(12):
        trial = study.ask()
        assert trial.params in space
        study.tell(trial, float(trial["k"] == wanted))
    assert {trial["k"] for trial in study.trials} >= {
        wanted,
        next(k for k in ("pure", "z") if k in space.by_name["k"].choices),
    }
    assert study.best["k"] == wanted


@pytest.mark.parametrize("n", [1, 30])
def test_what_is_fixed_leaves_the_branches_that_have_it(n):
    rng = np.random.default_rng(0)
    for space, fixed in ((MIX, {"k": "mix"}), (SUM, {"k": "y"}), (WHOLE, {"k": "x"}), (NESTED, {"k": "x", "n": 3})):
        points = space.fix(fixed).sample(n, rng)
        assert len(points) == n
        assert all(p in space and fixed.items() <= p.items() for p in points)
        assert not space.fix(fixed).region.branches
    assert {p["a"] for p in WHOLE.fix({"b": 14}).sample(60, rng) if p["k"] == "x"} == {49}
    assert SUM.fix({"a": 0.25, "k": "x"}).sample(2, rng) == [{"k": "x", "a": 0.25, "b": 0.75}] * 2


def test_a_point_that_breaks_an_equality_gives_way_to_the_nearest_in_its_branch():
    (point,) = SUM.fresh([{"k": "x", "a": 0.5, "b": 0.25}], Tried(np.zeros((0, 3))))
    assert point["k"] == "x"
    assert point["a"] + point["b"] == pytest.approx(1)
    assert abs(point["a"] - 0.5) + abs(point["b"] - 0.25) == pytest.approx(0.25)


def test_a_branch_without_points_is_left_out_and_a_space_of_such_is_refused():
    parameters = [Categorical("k", ["x", "y"]), Float("a", 0, 1, when={"k": ["x"]}), Float("b", 0, 1)]
    space = Space(parameters, [Linear({"a": 1, "b": 1}, lower=3, upper=3)])
    assert counts(space.sample(20, np.random.default_rng(0)), "k") == {("y",): 20}
    with pytest.raises(SpaceError, match=r"No point satisfies a \+ b = 3 with \{'k': 'x'\}"):
        space.fix({"k": "x"})
    with pytest.raises(SpaceError, match=r"No point satisfies a \+ b = 3 and never k in \['y'\]"):
        Space(parameters, [*space.constraints, Forbidden({"k": ["y"]})])


def test_the_choice_may_stand_in_a_pool():
    pool = Pool({"k": ["x", "y", "y", "x"], "t": [1.0, 2.0, 3.0, 4.0]})
    space = Space([*SUM.parameters, Float("t", 0, 9)], [pool, SUM.constraints[0]])
    points = space.sample(200, np.random.default_rng(0))
    assert all(p in space for p in points)
    assert min(counts(points, "k", "t").values()) > 20
    assert len(counts(points, "k", "t")) == 4


def test_an_equality_that_would_hardly_ever_be_met_is_refused():
    parameters = [Categorical("k", ["x", "y"]), Float("a", 1, 9, log=True, when={"k": ["x"]}), Float("b", 0, 1)]
    with pytest.raises(SpaceError, match=r"a \+ b = 3: \['a'\] must not be on a logarithmic axis"):
        Space(parameters, [Linear({"a": 1, "b": 1}, lower=3, upper=3)])
    many = [Categorical(f"k{j}", ["x", "y"]) for j in range(9)]
    amounts = [Float(f"a{j}", 0, 1, when={f"k{j}": ["x"]}) for j in range(9)]
    with pytest.raises(SpaceError, match="make 512 cases .* 256 at most"):
        Space([*many, *amounts, Float("b", 0, 1)], [Linear({f"a{j}": 1, "b": 1}, lower=1, upper=1) for j in range(9)])


def test_sets_of_parts_that_an_equality_binds_come_up_as_often_as_the_others():
    """Four sets of 3 of 6 parts have both u and v, and four have neither."""
    space = Space([Simplex("m", list("uvwxyz"), max_parts=3)], [Linear({"m.u": 1, "m.v": -1}, lower=0, upper=0)])
    points = [p for seed in range(8) for p in space.sample(32, np.random.default_rng(seed))]
    assert all(p in space for p in points)
    sets = Counter("".join(part for part, amount in p["m"].items() if amount > 0) for p in points)
    assert set(sets) == {"uvw", "uvx", "uvy", "uvz", "wxy", "wxz", "wyz", "xyz"}
    assert min(sets.values()) > 10
    u = np.array([p["m"]["u"] for p in points if p["m"]["u"] > 0])
    assert u.mean() == pytest.approx(1 / 4, abs=0.06)


def test_a_conditional_mixture_of_few_parts_is_drawn_by_sets_of_parts():
    mix = Simplex("m", list("uvwx"), max_parts=2, when={"k": ["mix"]})
    space = Space([Categorical("k", ["mix", "pure"]), mix], [Linear({"m.u": 1, "m.v": -3}, lower=0, upper=0)])
    points = space.sample(300, np.random.default_rng(0))
    assert all(p in space for p in points)
    sets = Counter("".join(part for part, amount in p.get("m", {}).items() if amount > 0) for p in points)
    assert set(sets) == {"", "uv", "wx"}
    assert min(sets.values()) > 30


@st.composite
def with_an_equality(draw):
    """Trees with an equality that a point, drawn first, satisfies; and that point."""
    plain = draw(trees(("float", "step", "int", "stepint", "ordinal", "categorical", "simplex")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    drawn = plain.sample(1, rng)[0]
    point = plain.by_term(drawn)
    numbers = [name for name in point if plain.terms[name].kind in ("float", "int", "part")]
    if not numbers:
        return plain, drawn
    chosen = draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3, unique=True))
    terms = {name: draw(st.sampled_from([-1.0, 1.0, 2.0])) for name in chosen}
    at = sum(c * point[name] for name, c in terms.items())
    return Space(plain.parameters, [Linear(terms, lower=at, upper=at)]), drawn


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=with_an_equality(), seed=st.integers(0, 2**32 - 1))
def test_points_of_any_tree_with_an_equality_are_members_where_it_holds_too(drawn, seed):
    space, point = drawn
    rng = np.random.default_rng(seed)
    assert all(p in space for p in space.sample(5, rng))
    given = {
        p.name: point[p.name] for p in space.parameters if p.kind in ("categorical", "ordinal") and p.name in point
    }
    points = space.fix(given).sample(3, rng)
    assert len(points) == 3
    assert all(p in space and given.items() <= p.items() for p in points)
    assert all(p in space for p in space.fresh(points, Tried(space.encode([point]))))
