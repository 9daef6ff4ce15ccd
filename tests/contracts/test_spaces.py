"""What every strategy promises on spaces whose columns are bound together, or that it refuses them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import SpaceExhaustedError
from bbo.objective import Minimize, OutcomeConstraint
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Ordinal, Permutation, Pool, Simplex, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.specification import as_objectives, refusal
from bbo.studies.study import Study
from tests.contracts.test_strategies import each
from tests.space.drawn import TREE, bound_together, constrained

SPACES = {
    "simplex": (Space([Simplex("mix", ["a", "b", "c"]), Float("x", 0.0, 1.0)]), {"x": 0.25}),
    "max_parts": (
        Space(
            [Simplex("mix", list("abcdef"), total=100.0, upper={"a": 40.0}, max_parts=3), Categorical("c", ["u", "v"])],
            [Linear({"mix.b": 1, "mix.c": 1}, upper=60.0)],
        ),
        {"c": "v"},
    ),
    "tree": (Space(TREE, [Nonlinear("k != 5"), Linear({"momentum": 1}, upper=0.9)]), {"model": "nn", "opt": "sgd"}),
    "equality": (
        Space(
            [Float("x", 0.0, 2.0), Float("z", 0.0, 1.0), Int("n", 0, 4), Int("m", 0, 4)],
            [Linear({"x": 1, "z": 1}, lower=1.2, upper=1.2), Linear({"n": 1, "m": 1, "x": 1}, upper=5.0)],
        ),
        {"n": 2},
    ),
    "lattice": (
        Space(
            [*(Int(name, 0, 99) for name in "abcd"), Float("x", 0.0, 1.0)],
            [Linear({"a": 1, "b": -1}, lower=0, upper=0), Linear({"c": 1, "d": 2}, lower=99.5, upper=100.5)],
        ),
        {"a": 30},
    ),
    "branches": (
        Space(
            [
                Categorical("k", ["mix", "pure"]),
                Simplex("m", ["u", "v", "w", "z"], max_parts=3, when={"k": ["mix"]}),
                Float("x", 0.0, 1.0),
            ],
            [Linear({"m.u": 1, "m.v": -2}, lower=0, upper=0)],
        ),
        {"k": "mix"},
    ),
    "pool": (
        Space(
            [Float("x", 0.0, 3.0), Int("n", 0, 9), Categorical("c", ["u", "v"]), Float("t", 0.0, 1.0)],
            [
                Pool({"x": [k / 10 for k in range(30)], "n": [k % 10 for k in range(30)], "c": ["u", "v", "v"] * 10}),
                Linear({"x": 1, "t": 1}, upper=3.0),
            ],
        ),
        {"c": "u"},
    ),
    "list": (
        Space(
            [Simplex("mix", ["a", "b"]), Ordinal("o", [1, 2, 4])],
            [
                Pool(
                    {
                        "mix.a": [k / 40 for k in range(41)],
                        "mix.b": [1 - k / 40 for k in range(41)],
                        "o": ([1, 2, 4] * 14)[:41],
                    }
                )
            ],
        ),
        {"o": 2},
    ),
    "forbidden": (
        Space(
            [
                Categorical("s", ["w", "d", "t"]),
                Categorical("b", ["n", "k"]),
                Ordinal("o", [1, 2, 4]),
                Float("T", 0, 9),
            ],
            [Forbidden({"s": ["w", "d"], "b": ["n"]}), Nonlinear("T <= 5 or o == 1")],
        ),
        {"b": "n"},
    ),
    "orders": (
        Space(
            [
                Permutation("tour", list("abcd"), cyclic=True),
                Categorical("m", ["u", "v"]),
                Permutation("steps", [1, 2, 3], when={"m": ["u"]}),
            ]
        ),
        {"m": "u", "steps": [2, 1, 3]},
    ),
    "precedence": (
        Space(
            [Permutation("jobs", list("abcdef")), Float("x", 0.0, 5.0), Categorical("m", ["u", "v"])],
            [
                Linear({"jobs.a": 1, "jobs.b": -1}, upper=-1),
                Linear({"jobs.b": 1, "x": 1}, upper=6),
                Nonlinear("`jobs.f` != 1 or m == 'u'"),
                Forbidden({"jobs.c": [6], "m": ["v"]}),
            ],
        ),
        {"jobs": list("abcdef")},
    ),
}


def parts(value):
    if isinstance(value, list):
        return [sorted(value, key=str).index(item) for item in value]
    return value.values() if isinstance(value, dict) else [value]


def told(params):
    """Values of any point."""
    flat = [v for value in params.values() for v in parts(value)]
    numbers = [float(v) if type(v) in (int, float) else float(len(str(v))) for v in flat]
    return {"y": sum(np.sin(3 * v + k) for k, v in enumerate(numbers)), "g": numbers[0] - 50.0}


def as_rows(space, trials):
    return {tuple(row) for row in space.encode([t.params for t in trials]).round(9).tolist()}


@each
@pytest.mark.parametrize("name", SPACES)
def test_points_are_members_and_new_alone_in_batches_and_with_something_fixed(strategy, name):
    space, fixed = SPACES[name]
    wanted = [Minimize("y"), OutcomeConstraint("g", upper=0.0)]
    if refusal(strategy, space, as_objectives(wanted)) is not None:
        with pytest.raises(ValueError, match="bound together"):
            Study(space, wanted, strategy=strategy, seed=3)
        return
    study = Study(space, wanted, strategy=strategy, seed=3)
    for n, given_values in ((3, {}), (3, {}), (2, fixed), (1, {})):
        trials = study.ask(n, fixed=given_values)
        assert len(trials) == n
        for trial in trials:
            assert trial.params in space
            assert given_values.items() <= trial.params.items()
            study.tell(trial, told(trial.params))
    assert len(as_rows(space, study.trials)) == len(study.trials)
    assert study.at(6).ask(2, fixed=fixed)[0].params == study.trial(6).params


# What the world gives, what is fixed beside, and what is shared in another ask.
CONTEXTS = {
    "simplex": ({"x": 0.25}, {}, ()),
    "max_parts": ({"c": "v"}, {}, ()),
    "tree": ({"model": "nn"}, {"opt": "sgd"}, ()),
    "equality": ({"n": 2}, {"x": 0.5}, ("m",)),
    "lattice": ({"a": 7}, {"c": 20}, ("c",)),
    "branches": ({"k": "mix"}, {"x": 0.5}, ("x",)),
    "forbidden": ({"s": "t"}, {"o": 1}, ("b",)),
    "pool": ({"c": "u"}, {"t": 0.5}, ("t",)),
    "list": ({"o": 2}, {}, ()),
    "orders": ({"m": "u"}, {"steps": [2, 1, 3]}, ("steps",)),
    "precedence": ({"m": "v"}, {"x": 1.5}, ("x",)),
}


@each
@pytest.mark.parametrize("name", SPACES)
def test_points_of_a_context_are_members_and_new_in_batches_and_with_something_fixed_and_shared_too(strategy, name):
    space, (context, fixed, shared) = SPACES[name][0], CONTEXTS[name]
    wanted = [Minimize("y"), OutcomeConstraint("g", upper=0.0)]
    if refusal(strategy, space, as_objectives(wanted)) is not None:
        return
    study = Study(space, wanted, strategy=strategy, seed=5)
    for n, given_values, fixed_values, alike in (
        (4, {}, {}, ()),
        (3, context, {}, ()),
        (2, context, fixed, ()),
        (2, context, {}, shared),
    ):
        trials = study.ask(n, context=given_values, fixed=fixed_values, shared=alike)
        assert len(trials) == n
        assert all(trial[name] == trials[0][name] for trial in trials for name in alike)
        for trial in trials:
            assert trial.params in space
            assert {**given_values, **fixed_values}.items() <= trial.params.items()
            study.tell(trial, told(trial.params))
    assert len(as_rows(space, study.trials)) == len(study.trials)
    assert study.at(7).ask(2, context=context, fixed=fixed)[0].params == study.trial(7).params


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(space=constrained(), seed=st.integers(0, 1000))
def test_any_space_is_searched_without_leaving_it_or_repeating(space, seed):
    for strategy in (RandomSearch(), SobolSearch(), GP(n_first=3)):
        study = Study(space, Minimize("y"), strategy=strategy, seed=seed)
        try:
            for n in (3, 2, 1):
                for trial in study.ask(n):
                    assert trial.params in space
                    study.tell(trial, told(trial.params)["y"])
        except SpaceExhaustedError:
            assert len(study.trials) == space.n_points
        assert len(as_rows(space, study.trials)) == len(study.trials)


def missed(constraint, space, trials):
    """By how much the points of an ask miss a constraint between them, as a share of how large its numbers are."""
    terms = [(c, space.flat(t.params)[name], name) for t in trials for name, c in constraint.coefficients.items()]
    total = sum(c * value for c, value, _ in terms)
    size = sum(abs(c) * max(space.sizes.get(name, 0.0), abs(value)) for c, value, name in terms)
    low, high = constraint.bounds
    bounds = [abs(v) for v in (low, high) if np.isfinite(v)]
    return max(low - total, total - high) / (size + max(bounds))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=bound_together(), seed=st.integers(0, 1000))
def test_points_of_any_ask_satisfy_what_holds_between_them(drawn, seed):
    space, n, fixed = drawn
    for strategy in (RandomSearch(), SobolSearch(), GP(n_first=3)):
        study = Study(space, Minimize("y"), strategy=strategy, seed=seed)
        try:
            for _ in range(2):
                trials = study.ask(n, fixed=fixed)
                for trial in trials:
                    assert trial.params in space
                    study.tell(trial, told(trial.params)["y"])
                if trials:
                    assert (
                        max((missed(c, space, trials) for c in space.constraints if c.between_points), default=0) < 2e-7
                    )
        except SpaceExhaustedError:
            pass
        assert len(as_rows(space, study.trials)) == len(study.trials) or space.fix(fixed).n_points == 1
        assert study.verify().agrees
