"""Levels that several equalities bind, or bounds as close as one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceExhaustedError
from bbo.objective import Maximize
from bbo.space import Float, Int, Linear, Nonlinear, Space
from bbo.space.lattice import kernel
from bbo.space.program import each_on_levels
from bbo.strategies import RandomSearch, SobolSearch
from bbo.studies.study import Study
from tests.space.test_space import Tried

SUM = dict.fromkeys("abc", 1.0)
# By name a space and all of its points.
LISTED = {
    "two equalities": (
        Space(
            [Int(c, 0, 99) for c in "abc"],
            [Linear(SUM, lower=120, upper=120), Linear({"a": 1, "c": -1}, lower=0, upper=0)],
        ),
        [(a, 120 - 2 * a, a) for a in range(11, 61)],
    ),
    "steps": (
        Space(
            [Float(c, 0, 10, step=0.1) for c in "abc"],
            [Linear(SUM, lower=10, upper=10), Linear({"a": 2, "b": -1}, lower=0, upper=0)],
        ),
        [(k / 10, k / 5, (100 - 3 * k) / 10) for k in range(34)],
    ),
    "bounds as close as an equality": (
        Space([Int(c, 0, 60) for c in "abc"], [Linear(SUM, lower=9.5, upper=10.5)]),
        [(a, b, 10 - a - b) for a in range(11) for b in range(11 - a)],
    ),
    "a number between two equalities": (
        Space(
            [Int("a", 0, 400), Int("b", 0, 400), Float("x", 0, 30)],
            [Linear({"a": 1, "x": 1}, lower=50.5, upper=50.5), Linear({"b": 1, "x": 1}, lower=40.5, upper=40.5)],
        ),
        [(a, a - 10, 50.5 - a) for a in range(21, 51)],
    ),
    "weights without a common measure but one": (
        Space(
            [Int(c, 0, 99) for c in "abcd"],
            [
                Linear({"a": 3, "b": 5, "c": 7, "d": 11}, lower=200, upper=200),
                Linear({"a": 1, "b": -2, "c": 1}, lower=1, upper=1),
            ],
        ),
        [
            (a, b, c, (200 - 3 * a - 5 * b - 7 * c) // 11)
            for a, b, c in product(range(70), range(41), range(30))
            if a - 2 * b + c == 1 and 3 * a + 5 * b + 7 * c <= 200 and (200 - 3 * a - 5 * b - 7 * c) % 11 == 0
        ],
    ),
}


def rows(points):
    return np.array([list(p.values()) for p in points], dtype=float).round(6)


@pytest.mark.parametrize("name", LISTED)
def test_all_points_of_a_lattice_come_up_equally_often(name):
    space, listed = LISTED[name]
    n = 100 * len(listed)
    found, counts = np.unique(rows(space.sample(n, np.random.default_rng(0))), axis=0, return_counts=True)
    assert found == pytest.approx(np.unique(np.array(listed, dtype=float), axis=0), abs=1e-6)
    assert np.abs(counts - 100).max() < 55  # five and a half standard deviations
    assert np.square(counts - 100).mean() < 100 * (1 + 6 * (2 / len(listed)) ** 0.5)


def test_points_of_a_large_lattice_lie_all_over_it():
    """Amounts in steps of 1/100 are nearly uniform on a simplex: mean 1/4, variance 3/80."""
    space = Space(
        [Float(c, 0, 1, step=0.01) for c in "abcd"], [Linear(dict.fromkeys("abcd", 1), lower=0.995, upper=1.005)]
    )
    X = rows(space.sample(1000, np.random.default_rng(0)))
    assert len(np.unique(X, axis=0)) > 980
    assert np.allclose(X.mean(0), 1 / 4, atol=0.04)
    assert np.allclose(X.var(0), 3 / 80, rtol=0.3)


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch()], ids=["random", "sobol"])
def test_a_study_ends_when_all_points_of_a_lattice_were_tried_and_not_before(strategy):
    total = Linear(SUM, lower=120, upper=120)
    parameters = [Int(c, 0, 99) for c in "abc"]
    space = Space(parameters, [total, Linear({"a": 1, "c": -1}, lower=0, upper=0), Linear({"a": 1}, upper=22)])
    study = Study(space, Maximize("y"), strategy=strategy, seed=1)
    for _ in range(12):
        trial = study.ask()
        study.tell(trial, float(trial["a"]))
    assert {trial["a"] for trial in study.trials} == set(range(11, 23))
    with pytest.raises(SpaceExhaustedError):
        study.ask()


@pytest.mark.parametrize("seed", range(3))
def test_the_last_of_many_points_is_found(seed):
    """Points drawn at random miss the last of these 496 three times in ten."""
    space = Space([Int("a", 0, 499), Int("b", 0, 499)], [Linear({"a": 1, "b": 1}, upper=30)])
    left = {"a": 11, "b": 17}
    others = [{"a": a, "b": b} for a in range(31) for b in range(31 - a) if (a, b) != (11, 17)]
    assert space.fresh([{"a": 30, "b": 0}], Tried(space.encode(others), seed)) == [left]
    assert space.fresh([{"a": 30, "b": 0}], Tried(space.encode([*others, left]), seed)) == []


@settings(max_examples=30, deadline=None)
@given(data=st.data(), n=st.integers(1, 4), k=st.integers(1, 3))
def test_a_kernel_spans_all_whole_numbers_that_rows_take_to_0(data, n, k):
    R = np.array(data.draw(st.lists(st.lists(st.integers(-4, 4), min_size=n, max_size=n), min_size=k, max_size=k)))
    basis = kernel(R.tolist())
    assert len(basis) == n - np.linalg.matrix_rank(R)
    assert not np.any(R @ basis.T)
    every = np.array(list(product(range(-3, 4), repeat=n)))
    for d in every[~np.any(every @ R.T, axis=1)]:
        weights = np.linalg.lstsq(basis.T, d, rcond=None)[0] if len(basis) else np.zeros(0)
        assert np.allclose(weights, weights.round(), atol=1e-9)
        assert np.allclose(weights @ basis, d)


def test_each_combination_of_levels_is_found_once():
    space = Space(
        [Int("a", 0, 9), Int("b", 0, 9), Float("x", 0, 1)],
        [Linear({"a": 1, "b": 2}, lower=11, upper=14), Linear({"a": 0.1, "x": 1}, upper=0.75), Nonlinear("a != 3")],
    )
    found = [(p["a"], p["b"]) for p in space.decode(np.array(list(each_on_levels(space.region))))]
    assert sorted(found) == [(a, b) for a in range(8) for b in range(10) if 11 <= a + 2 * b <= 14]
