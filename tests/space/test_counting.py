"""What points that must differ can make together, compared with what trying all sets of them says."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Int, Linear, Nonlinear, Space
from bbo.space.counting import sums_of

PARAMETERS = [Int("n", 0, 4), Int("m", -1, 1), Categorical("c", ["u", "v"])]


def stock(coefficients, **bounds):
    return Linear(coefficients, between_points=True, **bounds)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 4),
    total=st.integers(-2, 14),
    width=st.integers(0, 1),
    condition=st.sampled_from(["n != 2", "n * m >= -2", "n >= 2 or c == 'u'"]),
    is_twofold=st.booleans(),
    n_tried=st.integers(0, 24),
    seed=st.integers(0, 99),
)
def test_sums_are_those_that_some_set_of_untried_points_has(n, total, width, condition, is_twofold, n_tried, seed):
    stocks = [stock({"n": 1, "m": -1}, lower=total, upper=total + width)]
    stocks += [stock({"m": 2}, lower=-2, upper=0)] * is_twofold
    try:
        space = Space(PARAMETERS, [Nonlinear(condition), *stocks])
    except SpaceError:
        return  # said by ranges alone
    members = space.decode(space.members)
    order = np.random.default_rng(seed).permutation(len(members))
    tried, left = [members[k] for k in order[:n_tried]], [members[k] for k in order[n_tried:]]
    amounts = [[sum(w * p[name] for name, w in c.coefficients.items()) for c in stocks] for p in left]

    def fits(some):
        sums = np.sum(some, axis=0)
        return all(c.lower <= v <= c.upper for v, c in zip(sums, stocks, strict=True))

    fitting = [some for some in itertools.combinations(amounts, n) if fits(some)]
    sums = sums_of(space, stocks, space.between.sizes, space.encode(tried))
    assert sums.n_points == len(left)
    low, high = np.array([c.bounds for c in stocks], dtype=float).T
    first = sums.first(n, low, high)
    assert (first is not None) == bool(fitting)
    assert first is None or any(one == pytest.approx(first.tolist()) for some in fitting for one in some)


def test_a_continuum_many_points_and_one_that_is_wholly_given_are_not_counted():
    one = [stock({"n": 1}, upper=9)]
    none = np.empty((0, 2))
    for other in (Float("x", 0, 1), Int("l", 1, 50_000)):
        space = Space([Int("n", 0, 4), other], one)
        assert sums_of(space, one, space.between.sizes, none) is None
        assert sums_of(space.fix({other.name: 1}), one, space.between.sizes, none).n_points == 5
    given_all = Space([Int("n", 0, 4), Int("m", 0, 4)], one).fix({"n": 1, "m": 2})
    assert sums_of(given_all, one, given_all.between.sizes, none) is None
