"""Pools: points are rows of a table, and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Int, Linear, Nonlinear, Permutation, Pool, Simplex, Space
from tests.space.drawn import TREE, pooled

PARAMETERS = (Float("x", 0.0, 3.0), Int("n", 1, 4), Categorical("c", ["a", "b", "z"]))


def table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    columns = {"x": rng.random(n) * 3, "n": rng.integers(1, 5, n), "c": rng.choice(["a", "b", "z"], n)}
    return pd.DataFrame({**columns, "price": rng.random(n) + 0.1})


def rows_of(frame, names=("x", "n", "c")):
    return {tuple(row) for row in frame[list(names)].itertuples(index=False)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=pooled(), seed=st.integers(0, 1000))
def test_samples_are_rows_to_the_last_digit_and_every_row_is_a_member(drawn, seed):
    space, points = drawn
    for point in points:
        assert point in space
    for point in space.sample(8, np.random.default_rng(seed)):
        assert point in points
        assert space.decode(space.encode([point])) == [point]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=pooled(), seed=st.integers(0, 1000))
def test_fresh_gives_each_row_once_and_then_none(drawn, seed):
    space, _ = drawn

    class Tried:
        X = np.empty((0, space.dim))

    Tried.seed = seed
    n = space.n_points
    proposals = space.sample(n + 2, np.random.default_rng(seed))
    found = space.fresh(proposals, Tried())
    assert len(found) == n
    assert len({json.dumps(point, sort_keys=True) for point in found}) == n


def test_what_is_fixed_and_what_other_constraints_say_leaves_rows_out():
    frame = table()
    space = Space(PARAMETERS, [Pool(frame, costs="price"), Linear({"x": 1, "n": 1}, upper=4)])
    wanted = frame[frame.x + frame.n <= 4]
    assert space.n_points == len(wanted)
    fixed = space.fix({"c": "a"})
    assert fixed.n_points == int((wanted.c == "a").sum())
    assert {tuple(p.values()) for p in fixed.sample(40, np.random.default_rng(0))} <= rows_of(wanted[wanted.c == "a"])
    outside = frame[frame.x + frame.n > 4].iloc[0]
    with pytest.raises(SpaceError, match=r"breaks n \+ x <= 4"):
        space.check({"x": float(outside.x), "n": int(outside.n), "c": outside.c})


def test_of_equal_rows_one_is_kept_at_its_least_cost():
    space = Space(
        [Int("n", 0, 9)],
        [Pool({"n": [3, 5, 3, 7], "price": [2.0, 1.0, 0.5, 4.0]}, costs="price")],
    )
    (pool,) = space.region.pools
    assert dict(zip(pool.codes[:, 0], pool.costs, strict=True)) == {3.0: 0.5, 5.0: 1.0, 7.0: 4.0}
    assert space.n_points == 3


def test_a_function_judges_whole_points_of_rows_and_of_what_varies_beside_them():
    def is_allowed(p):
        return p["n"] * (1.0 + p.get("t", 0.0)) < 4.5

    frame = table()[["x", "n", "c"]]
    whole = Space(PARAMETERS, [Pool(frame), Nonlinear(is_allowed)])
    assert whole.n_points == int((frame.n < 4.5).sum())
    narrower = Space(PARAMETERS, [Pool(frame), Nonlinear(lambda p: p["n"] < 3)])
    assert narrower.n_points == int((frame.n < 3).sum())
    partial = Space([*PARAMETERS, Float("t", 0, 1)], [Pool(frame), Nonlinear(is_allowed)])
    points = partial.sample(80, np.random.default_rng(0))
    assert all(is_allowed(p) and (p["x"], p["n"], p["c"]) in rows_of(frame) for p in points)
    assert {p["n"] for p in points} == {1, 2, 3, 4}
    assert max(p["t"] for p in points if p["n"] == 2) > 0.5 > min(p["t"] for p in points if p["n"] == 2)


def test_parameters_without_a_column_vary_freely():
    space = Space([*PARAMETERS, Float("t", 0, 1), Categorical("k", ["u", "v"])], [Pool(table()[["x", "n", "c"]])])
    points = space.sample(60, np.random.default_rng(1))
    assert space.n_points is None
    assert {(p["x"], p["n"], p["c"]) for p in points} <= rows_of(table())
    assert len({p["t"] for p in points}) == 60
    assert {p["k"] for p in points} == {"u", "v"}


def test_a_pool_and_choices_beside_it_are_counted_and_searched_whole():
    space = Space([Int("n", 0, 9), Categorical("k", ["u", "v"])], [Pool({"n": [3, 5, 7]})])

    class Tried:
        X = space.encode([{"n": n, "k": k} for n in (3, 5, 7) for k in "uv"][:5])
        seed = 0

    assert space.n_points == 6
    assert space.fresh([{"n": 3, "k": "u"}, {"n": 3, "k": "u"}], Tried()) == [{"n": 7, "k": "v"}]


def test_rows_have_empty_cells_where_conditions_say_so():
    columns = {
        "model": ["svm", "nn", "knn", "nn"],
        "C": [0.1, None, None, None],
        "opt": [None, "sgd", None, "adam"],
        "momentum": [None, 0.5, None, None],
        "k": [None, None, 3, None],
    }
    space = Space(TREE, [Pool(columns)])
    assert space.n_points == 4
    assert {"model": "nn", "opt": "sgd", "momentum": 0.5} in space
    assert {"model": "nn", "opt": "sgd", "momentum": 0.6} not in space
    with pytest.raises(ValueError, match="Row 1 of the pool: the cell of 'C' is empty"):
        Space(TREE, [Pool({**columns, "C": [None] * 4})])
    with pytest.raises(ValueError, match="Row 3 of the pool: 'C' is there where model is one of"):
        Space(TREE, [Pool({**columns, "C": [0.1, None, 0.2, None]})])


def test_a_file_and_a_table_of_the_same_contents_are_one_pool(tmp_path):
    frame, path = table(2000), tmp_path / "candidates.csv"
    frame.to_csv(path, index=False)
    of_file, of_table = Pool(path, costs="price"), Pool(frame, costs="price")
    assert "columns" not in of_file.table.to_dict()
    assert of_file == of_table
    assert of_file != Pool(table(2000, seed=1), costs="price")
    again = Space.from_dict(Space(PARAMETERS, [of_file]).to_dict())
    assert again.sample(5, np.random.default_rng(0)) == Space(PARAMETERS, [of_table]).sample(
        5, np.random.default_rng(0)
    )
    path.write_text(path.read_text().replace("z", "a"))
    changed = Space.from_dict(again.to_dict())
    with pytest.raises(SpaceError, match="candidates.csv' is not there or has changed: pass the space again"):
        changed.sample(1, np.random.default_rng(0))


def test_rows_that_are_not_at_hand_are_asked_for_and_all_else_works():
    space = Space(PARAMETERS, [Pool(table(2000), costs="price")])
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    point = space.sample(1, np.random.default_rng(0))[0]
    assert again.point(again.codes(point)) == point
    assert (again.encode([point]) == space.encode([point])).all()
    with pytest.raises(SpaceError, match=r"does not hold the 2,000 rows of the study's pool: pass the space again"):
        again.check(point)


def test_a_short_table_stands_in_the_log():
    columns = {"model": ["svm", "knn", "nn"], "C": [0.1, None, None], "k": [None, 3, None]}
    columns |= {"opt": [None, None, "sgd"], "momentum": [None, None, 0.5]}
    for space in (Space(PARAMETERS, [Pool(table(), costs="price")]), Space(TREE, [Pool(columns)])):
        again = Space.from_dict(json.loads(json.dumps(space.to_dict(), allow_nan=False)))
        assert again == space
        assert again.sample(5, np.random.default_rng(0)) == space.sample(5, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("columns", "costs", "message"),
    [
        ({"x": [], "n": [], "c": []}, None, "no row, so there is nothing to choose from"),
        ({"x": [1.0], "n": [1], "c": ["a"]}, "price", "no column 'price' of costs"),
        ({"x": [1.0], "n": [1], "c": ["a"], "price": [0.0]}, "price", "costs are finite numbers above 0"),
        ({"x": [1.0, 2.0], "n": [1], "c": ["a"]}, None, "have one length"),
        ({"x": [1.0], "n": [1], "c": ["a"], "id": [7]}, None, "unknown are \\['id'\\]"),
        ({"x": [3.5], "n": [1], "c": ["a"]}, None, "Row 1 of the pool: 'x' lies in \\[0.0, 3.0\\], got 3.5"),
        ({"x": [1.0, 1.0], "n": [1, 9], "c": ["a", "b"]}, None, "Row 2 of the pool: .*'n' lies in \\[1, 4\\]"),
        ({"x": [1.0], "n": [1], "c": ["q"]}, None, "Row 1 of the pool: .*'c' is one of"),
        ({"x": [None], "n": [1], "c": ["a"]}, None, "Row 1 of the pool: the cell of 'x' is empty"),
        ({"x": ["much"], "n": [1], "c": ["a"]}, None, "Row 1 of the pool: .*'x' is a number"),
    ],
)
def test_a_pool_that_cannot_be_is_refused_by_name(columns, costs, message):
    with pytest.raises(ValueError, match=message):
        Space(PARAMETERS, [Pool(columns, costs=costs)])


def test_a_pool_without_a_candidate_is_refused_and_says_why():
    with pytest.raises(ValueError, match=r"none of its 50 rows satisfies x >= 2.999"):
        Space(PARAMETERS, [Pool(table()[["x", "n", "c"]]), Linear({"x": 1}, lower=2.999)])
    with pytest.raises(SpaceError, match=r"none of its 50 rows has \{'x': 0.5\}"):
        Space(PARAMETERS, [Pool(table()[["x", "n", "c"]])]).fix({"x": 0.5})
    with pytest.raises(ValueError, match=r"Two pools have columns \['x'\]"):
        Space(PARAMETERS, [Pool(table()[["x", "n"]]), Pool(table()[["x", "c"]])])
    with pytest.raises(ValueError, match=r"speaks of 'mix', so it needs the columns \['mix.b'\] too"):
        Space([Simplex("mix", ["a", "b"])], [Pool({"mix.a": [0.5]})])


def test_many_rows_are_found_again():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.integers(0, 5, (20_000, 8)), columns=[f"n{k}" for k in range(8)])
    space = Space([Int(f"n{k}", 0, 4) for k in range(8)], [Pool(frame)])
    distinct = {tuple(row) for row in frame.to_numpy().tolist()}
    (pool,) = space.region.pools
    assert len(pool) == len(distinct)
    queries = rng.integers(0, 5, (3000, 8))
    wanted = [tuple(row) in distinct for row in queries.tolist()]
    points = [dict(zip(frame.columns, row, strict=True)) for row in queries.tolist()]
    assert (pool.find(space.encode(points)) >= 0).tolist() == wanted
    nearest = pool.U[pool.nearest(space.encode(points[:20]))]
    gaps = np.square(pool.U[None] - space.encode(points[:20])[:, None]).sum(2).min(1)
    assert np.square(nearest - space.encode(points[:20])).sum(1) == pytest.approx(gaps)


def test_a_row_that_is_no_mixture_is_refused_by_its_number():
    mix = Simplex("mix", ["a", "b", "c"], max_parts=2)
    with pytest.raises(SpaceError, match=r"Row 2 of the pool: the amounts of 'mix' sum to 1, got 0\.9"):
        Space([mix], [Pool({"mix.a": [0.5, 0.4], "mix.b": [0.5, 0.5], "mix.c": [0.0, 0.0]})])
    with pytest.raises(SpaceError, match="Row 1 of the pool: 'mix' has at most 2 parts above 0, got 3"):
        Space([mix], [Pool({"mix.a": [0.5], "mix.b": [0.25], "mix.c": [0.25]})])


def test_amounts_that_were_rounded_are_candidates_as_they_stand():
    row = {"mix.a": [0.333333, 0.2], "mix.b": [0.333333, 0.3], "mix.c": [0.3333335, 0.5]}
    space = Space([Simplex("mix", ["a", "b", "c"])], [Pool(row)])
    assert space.n_points == 2
    assert {"mix": {"a": 0.333333, "b": 0.333333, "c": 0.3333335}} in space


def test_columns_that_say_nothing_of_points_are_ignored():
    frame = table().assign(number=range(50))
    with pytest.raises(SpaceError, match=r"unknown are \['number'\].*ignore"):
        Space(PARAMETERS, [Pool(frame, costs="price")])
    pool = Pool(frame, costs="price", ignore=["number"])
    space = Space(PARAMETERS, [pool])
    assert space.n_points == len(rows_of(frame))
    assert Space.from_dict(space.to_dict()).constraints == (pool,)
    with pytest.raises(SpaceError, match="no columns"):
        Pool(frame, ignore=["nummer"])


def test_two_pools_of_one_table_are_placed_by_their_own_columns():
    frame = pd.DataFrame({"x": [0.5, 1.0], "n": [1, 2], "price": [3.0, 4.0]})
    parameters = [Float("x", 0.0, 3.0), Int("n", 1, 4)]
    pool = Pool(frame, costs="price")
    assert Space(parameters, [pool]).price({"x": 1.0, "n": 2}) == 4.0
    other = Pool(pool.table, ignore=["n", "price"])
    assert {p["n"] for p in Space(parameters, [other]).sample(50, np.random.default_rng(0))} == {1, 2, 3, 4}
    assert Space(parameters, [other]).price({"x": 1.0, "n": 2}) is None


def test_orders_may_stand_in_a_pool():
    orders = [["a", "b", "c"], ["c", "b", "a"]]
    space = Space([Permutation("s", list("abc"))], [Pool({"s": orders})])
    assert {tuple(p["s"]) for p in space.sample(20, np.random.default_rng(0))} == set(map(tuple, orders))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame([[0.1, 0.2]], columns=["x", "x"]), r"more than one column named \['x'\]"),
        (pd.DataFrame({"x": [0.1, 0.2], "price": [1.0, -2.0]}), r"row 2 has -2\.0 in the column 'price'"),
    ],
)
def test_a_table_that_cannot_be_says_which_column(frame, said):
    with pytest.raises(SpaceError, match=said):
        Pool(frame, costs="price" if "price" in frame else None)


def test_a_file_that_is_no_csv_is_refused(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04\x85\xff\xfe")
    with pytest.raises(SpaceError, match="is no CSV file"):
        Pool(str(tmp_path / "t.xlsx"))


def test_a_table_is_the_same_wherever_it_was_read_from(tmp_path):
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        table().to_csv(folder / "t.csv", index=False)
    spaces = [
        Space(PARAMETERS, [Pool(source, costs="price")])
        for source in (tmp_path / "t.csv", tmp_path / "sub" / "t.csv", pd.read_csv(tmp_path / "t.csv"))
    ]
    assert spaces[0].difference(spaces[1]) == spaces[0].difference(spaces[2]) == ""
    assert spaces[0].difference(Space(PARAMETERS, [Pool(table(seed=1), costs="price")]))


def test_choices_that_look_alike_are_told_apart_in_lists():
    choices = [1, "1", "a\x00", "a"]
    space = Space([Categorical("c", choices)], [Pool({"c": ["1", 1, "a\x00"]})])
    assert [choice for choice in choices if {"c": choice} in space] == [1, "1", "a\x00"]
