import math
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from bbo.errors import FidelityError, SpaceError
from bbo.fidelity import Fidelity, paid
from bbo.objective import Minimize, Tracked
from bbo.problems import (
    Ackley,
    Branin,
    Card,
    Delayed,
    EvaluationError,
    Failing,
    GradientBoostingDiabetes,
    Griewank,
    Hartmann6,
    Levy,
    Noisy,
    Rosenbrock,
    SVMDigits,
    WeldedBeam,
)
from bbo.problems.wrappers import Categorized, Costly, Embedded, Moved, Relabelled
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Nonlinear, Ordinal, Pool, Space

POINT = {"x1": 1.0, "x2": 2.0}
BEAM = dict(zip(WeldedBeam.space.names, WeldedBeam.optima[0], strict=True))


def _is_right(params):
    return params["x1"] > 0


@pytest.mark.parametrize(
    "wrap", [lambda p: Noisy(p, sd=0.1), lambda p: Failing(p, share=0.1), lambda p: Delayed(p, seconds=0)]
)
def test_what_is_known_about_a_problem_stays_known(wrap):
    problem = wrap(wrap(Branin()))
    assert (problem.space, problem.objectives) == (Branin.space, Branin.objectives)
    assert (problem.name, problem.best_value, problem.optima) == ("Branin", Branin.best_value, Branin.optima)
    unknown = wrap(GradientBoostingDiabetes())
    assert (unknown.best_value, unknown.optima) == (None, None)


@dataclass(frozen=True)
class Oven:
    """A problem with all that one may have."""

    space: ClassVar[Space] = Space(
        (
            Float("heat", 1.0, 9.0),
            Int("minutes", 1, 60),
            Categorical("glaze", ("egg", "milk", None), descriptors={"fat": (0.1, 0.04, 0.0), "shine": (3, 2, 1)}),
            Categorical("flour", ("rye", "oat")),
            Float("fat", 0.0, 1.0, when={"glaze": ("milk", "egg")}),
        ),
        (Forbidden({"glaze": ("egg",), "flour": ("oat",)}), Linear({"heat": 1, "minutes": 1}, upper=60)),
    )
    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity("share", 0.1, 1.0),)
    best_value: ClassVar[float] = 1.0
    optima: ClassVar[tuple[tuple[Any, ...], ...]] = ((1.0, 1, None, "rye"),)
    card: ClassVar[Card] = Card(source="an oven", noise="the flour", cost_unit="s")

    def evaluate(self, params, *, fidelity=None, seed=0):
        share = paid(self.fidelities, fidelity)["share"]
        point = self.space.check(params)
        extra = {"egg": 1.0, "milk": 2.0, None: 0.0}[point["glaze"]] + point.get("fat", 0.0) + (point["flour"] == "oat")
        return {"loss": point["heat"] * share + extra}

    def cost(self, params, fidelity=None):
        return self.space.check(params)["minutes"] * paid(self.fidelities, fidelity)["share"]


BREAD = {"heat": 2.0, "minutes": 10, "glaze": "milk", "flour": "oat", "fat": 0.5}


def _in_words(problem, params):
    """A point of Oven's as a wrapper around it writes it."""
    if not isinstance(problem, Relabelled):
        return params
    names = {name: {own: label for label, own in dealt.items()} for name, dealt in problem.choices.items()}
    return {name: names[name][value] if name in names else value for name, value in params.items()}


WRAPS = {
    "noisy": lambda p: Noisy(p, sd=0.1),
    "failing": lambda p: Failing(p, share=0.1),
    "delayed": lambda p: Delayed(p, seconds=0),
    "costly": lambda p: Costly(p, price="minutes", unit="min"),
    "relabelled": lambda p: Relabelled(p, seed=3),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_card_fidelities_and_cost_go_through_every_wrapper(wrap):
    problem = Delayed(wrap(Oven()), seconds=0)
    assert problem.card.source == "an oven"
    assert problem.fidelities == Oven.fidelities
    point = _in_words(problem.problem, BREAD)
    is_costly = isinstance(problem.problem, Costly)
    assert problem.cost(point, {"share": 0.5}) == (10.0 if is_costly else 5.0)
    assert problem.cost(point, None) == 10.0
    seed = 1
    noise = Noisy(Oven(), sd=0.1).evaluate(BREAD, seed=seed)["loss"] - Oven().evaluate(BREAD)["loss"]
    found = problem.evaluate(point, fidelity={"share": 0.5}, seed=seed)["loss"]
    expected = 4.5 + (noise if isinstance(problem.problem, Noisy) else 0.0)
    assert found == pytest.approx(expected, abs=1e-12)
    with pytest.raises(FidelityError):
        problem.evaluate(point, fidelity={"epochs": 3}, seed=seed)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_what_a_problem_does_not_have_its_wrapper_has_not(wrap):
    @dataclass(frozen=True)
    class Plain:
        space: ClassVar[Space] = Space((Int("minutes", 1, 60),))
        objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss"),)

        def evaluate(self, params, *, fidelity=None, seed=0):
            return {"loss": 1.0}

    problem = wrap(Plain())
    assert (problem.card, problem.fidelities, problem.name) == (None, (), "Plain")
    if not isinstance(problem, Costly):
        assert problem.cost is None


def test_categories_and_idle_parameters_have_the_cost_of_the_point_within():
    @dataclass(frozen=True)
    class Priced(Branin):
        def cost(self, params, fidelity=None):
            return self.space.check(params)["x1"] + 10

    embedded = Embedded(Priced(), 5, seed=1)
    assert embedded.cost({**dict.fromkeys(embedded.space.names, 0.5), "x1": 3.0}, None) == 13.0
    categorized = Categorized(Priced(), {"x1": 4}, seed=0)
    for letter, x1 in categorized.levels["x1"].items():
        assert categorized.cost({"x1": letter, "x2": 3.0}, None) == x1 + 10
    assert Moved(Levy(3), seed=0).cost is None
    with pytest.raises(FidelityError):
        Moved(Levy(3), seed=0).evaluate({"x1": 0.0, "x2": 0.0, "x3": 0.0}, fidelity={"epochs": 1})


def test_idle_parameters_leave_conditions_and_constraints_as_they_are():
    problem = Embedded(Oven(), 8, seed=2)
    assert len(problem.space.names) == 8
    for params in problem.space.sample(20, np.random.default_rng(0)):
        own = {name: value for name, value in params.items() if not name.startswith("idle")}
        assert problem.evaluate(params) == Oven().evaluate(own)


def test_noise_stands_on_the_card_beside_that_of_the_problem():
    assert Noisy(Oven(), sd=0.1).card.noise == "the flour; Gaussian, with the standard deviations loss 0.1"


def test_a_price_is_a_parameter_or_a_function_and_told_where_it_has_a_name():
    problem = Costly(
        Oven(), price=lambda params, fidelity: params["minutes"] * fidelity["share"], unit="min", metric="t"
    )
    assert problem.objectives == (Minimize("loss"), Tracked("t", unit="min"))
    assert problem.evaluate(BREAD, fidelity={"share": 0.5}) == {"loss": 4.5, "t": 5.0}
    assert problem.evaluate(BREAD) == {"loss": 5.5, "t": 10.0}
    assert problem.card.cost_unit == "min"
    assert Costly(Branin(), price=lambda params, fidelity: 2).cost(POINT, None) == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"price": "flour"}, r"one of the numbers \['heat', 'minutes'\] of Oven: got 'flour'"),
        ({"price": "fat"}, "got 'fat'"),
        ({"price": "heat", "metric": "loss"}, r"has the metrics \['loss'\]"),
    ],
)
def test_an_impossible_price_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Costly(Oven(), **options)


@pytest.mark.parametrize("price", [-1.0, math.inf, math.nan])
def test_a_price_below_zero_or_without_bound_is_an_error(price):
    with pytest.raises(ValueError, match="finite number, at least 0"):
        Costly(Branin(), price=lambda params, fidelity: price).cost(POINT, None)


def test_neutral_names_have_the_values_of_the_choices_and_tell_nothing_of_them():
    problem = Relabelled(Oven(), seed=3)
    said = str(problem.space.to_dict())
    assert not any(repr(choice) in said for choice in ("egg", "milk", "rye", "oat"))
    assert problem.space.by_name["glaze"].choices == ("c1", "c2", "c3")
    assert set(problem.choices["glaze"].values()) == {"egg", "milk", None}
    for params in Oven.space.sample(50, np.random.default_rng(0)):
        assert problem.evaluate(_in_words(problem, params)) == Oven().evaluate(params)
    orders = {tuple(Relabelled(Oven(), seed).choices["glaze"].values()) for seed in range(40)}
    assert len(orders) == 6


def test_conditions_constraints_descriptors_and_optima_follow_their_choices():
    problem = Relabelled(Oven(), seed=3)
    own, glaze = Oven.space, problem.space.by_name["glaze"]
    fat = dict(zip(("egg", "milk", None), (0.1, 0.04, 0.0), strict=True))
    assert [fat[problem.choices["glaze"][c]] for c in glaze.choices] == list(glaze.descriptors["fat"])
    for params in problem.space.sample(200, np.random.default_rng(1)):
        meant = {n: problem.choices[n][v] if n in problem.choices else v for n, v in params.items()}
        assert meant in own
    forbidden = {**BREAD, "glaze": "egg"}
    assert forbidden not in own
    assert _in_words(problem, forbidden) not in problem.space
    at = dict(zip(problem.space.names, problem.optima[0], strict=False))
    assert problem.evaluate(at) == {"loss": 1.0}
    assert problem.best_value == 1.0


def test_only_some_parameters_are_relabelled_and_the_others_keep_their_names():
    every, one = Relabelled(Oven(), seed=3), Relabelled(Oven(), seed=3, only=("flour",))
    assert one.choices == {"flour": every.choices["flour"]}
    assert one.space.by_name["glaze"].choices == ("egg", "milk", None)
    with pytest.raises(ValueError, match=r"has the Categorical parameters \['glaze', 'flour'\]: got only=\['heat'\]"):
        Relabelled(Oven(), seed=3, only=("heat",))


def _with_constraint(constraint):
    parameters = (Categorical("base", ("K", 1, True)), Ordinal("size", (1, 2)))

    @dataclass(frozen=True)
    class Constrained:
        space: ClassVar[Space] = Space(parameters, (constraint,))
        objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss"),)

        def evaluate(self, params, *, fidelity=None, seed=0):
            point = self.space.check(params)
            return {"loss": float(("K", 1, True).index(point["base"])) + (point["base"] is True)}

    return Constrained()


def test_rows_of_a_pool_have_neutral_names_too():
    problem = Relabelled(_with_constraint(Pool({"base": ["K", "1", "True"], "size": [1, 2, 2]})), seed=0)
    assert all(str(cell).startswith("c") for cell in problem.space.constraints[0].columns["base"])
    points = problem.space.sample(60, np.random.default_rng(0))
    rows = {(str(problem.choices["base"][p["base"]]), p["size"]) for p in points}  # as text: 1 == True
    assert rows == {("K", 1), ("1", 2), ("True", 2)}


def test_a_condition_in_words_that_names_a_choice_is_not_written_anew():
    constraint = Nonlinear("base != 'K' or size > 1")
    with pytest.raises(ValueError, match="leave out, by only="):
        Relabelled(_with_constraint(constraint), seed=0)
    assert Relabelled(_with_constraint(Nonlinear("size > 1")), seed=0).space.constraints == (Nonlinear("size > 1"),)


def test_noise_over_seeds_has_mean_zero_and_the_given_sd():
    exact = Branin().evaluate(POINT)["value"]
    noise = [Noisy(Branin(), sd=2.0).evaluate(POINT, seed=seed)["value"] - exact for seed in range(2000)]
    # Five standard errors of the mean and of the sd.
    assert np.mean(noise) == pytest.approx(0, abs=5 * 2 / np.sqrt(2000))
    assert np.std(noise) == pytest.approx(2.0, abs=5 * 2 / np.sqrt(2 * 2000))


def test_one_sd_is_that_of_the_objectives_and_leaves_constraints_exact():
    exact, noisy = WeldedBeam().evaluate(BEAM), Noisy(WeldedBeam(), sd=0.1).evaluate(BEAM, seed=1)
    assert [m for m in exact if noisy[m] != exact[m]] == ["cost"]


def test_sd_by_metric_makes_constraints_noisy_too_and_independently():
    problem = Noisy(WeldedBeam(), sd={"cost": 1.0, "shear_stress": 1.0})
    exact = WeldedBeam().evaluate(BEAM)
    noise = [[problem.evaluate(BEAM, seed=s)[m] - exact[m] for m in ("cost", "shear_stress")] for s in range(500)]
    assert abs(np.corrcoef(np.array(noise).T)[0, 1]) < 5 / np.sqrt(500)


@pytest.mark.parametrize(
    ("sd", "message"), [(-1.0, "at least 0, got -1.0"), ({"valeu": 1.0}, r"got sd for \['valeu'\]")]
)
def test_an_impossible_sd_is_refused(sd, message):
    with pytest.raises(ValueError, match=message):
        Noisy(Branin(), sd=sd)


def test_evaluation_fails_in_the_region_and_only_there():
    problem = Failing(Branin(), where=_is_right)
    with pytest.raises(EvaluationError, match=r"Branin fails in the region of \{'x1': 1.0, 'x2': 2.0\}"):
        problem.evaluate(POINT)
    assert problem.evaluate({"x1": -1.0, "x2": 2.0}) == Branin().evaluate({"x1": -1.0, "x2": 2.0})


def test_evaluation_fails_under_the_given_share_of_seeds_always_the_same():
    problem = Failing(Branin(), share=0.3)

    def fails(seed):
        try:
            return problem.evaluate(POINT, seed=seed) is None
        except EvaluationError:
            return True

    first = [fails(seed) for seed in range(1000)]
    assert first == [fails(seed) for seed in range(1000)]
    assert np.mean(first) == pytest.approx(0.3, abs=5 * np.sqrt(0.3 * 0.7 / 1000))


def test_failures_do_not_tell_the_noise():
    failing, noisy = Failing(Branin(), share=0.5), Noisy(Branin(), sd=1.0)
    noise = {True: [], False: []}
    for seed in range(600):
        try:
            failed = failing.evaluate(POINT, seed=seed) is None
        except EvaluationError:
            failed = True
        noise[failed].append(noisy.evaluate(POINT, seed=seed)["value"])
    assert np.mean(noise[True]) == pytest.approx(np.mean(noise[False]), abs=5 * 2 / np.sqrt(600))


def test_a_point_outside_the_space_is_an_error_and_not_a_failure():
    with pytest.raises(SpaceError):
        Failing(Branin(), where=_is_right, share=1.0).evaluate({"x1": 99.0, "x2": 0.0})


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match="share lies in"):
        Failing(Branin(), share=share)


def test_delay_is_a_number_or_a_function_of_params_and_seed():
    slept = []

    def seconds(params, seed):
        slept.append((params["x1"], seed))
        return 0.0

    assert Delayed(Branin(), seconds=seconds).evaluate(POINT, seed=4) == Branin().evaluate(POINT)
    assert slept == [(1.0, 4)]
    begun = time.monotonic()
    Delayed(Hartmann6(), seconds=0.05).evaluate({f"x{k}": 0.5 for k in range(1, 7)})
    assert time.monotonic() - begun >= 0.05


def test_a_negative_delay_is_refused():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        Delayed(Branin(), seconds=-1)


@pytest.mark.parametrize("dim", [1, 2, 7, 30])
@pytest.mark.parametrize("seed", range(5))
def test_a_moved_function_is_turned_by_a_rotation(dim, seed):
    R = Moved(Levy(dim), seed).rotation
    assert np.allclose(R @ R.T, np.eye(dim), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)


def test_rotations_favour_no_direction():
    # The entries of a uniform rotation have mean 0 and variance 1 / dim, whichever row and column.
    R = np.array([Moved(Levy(3), seed).rotation for seed in range(600)])
    assert np.abs(R.mean(axis=0)).max() < 5 * math.sqrt(1 / 3 / 600)
    # The square of an entry has variance 4 / 45 on the sphere in 3 dimensions.
    assert np.abs((R**2).mean(axis=0) - 1 / 3).max() < 5 * math.sqrt(4 / 45 / 600)


def test_the_optimum_of_a_moved_function_lies_anywhere_within_and_is_known():
    centres = np.array(
        [p.space.encode([dict(zip(p.space.names, p.optima[0], strict=True))])[0] for p in map(_moved, range(400))]
    )
    assert centres.min() >= 0.15 - 1e-12
    assert centres.max() <= 0.85 + 1e-12
    assert centres.mean(axis=0) == pytest.approx(0.5, abs=5 * 0.7 / math.sqrt(12 * 400))
    for problem in map(_moved, range(5)):
        assert problem.best_value == Ackley(4).best_value
        at = dict(zip(problem.space.names, problem.optima[0], strict=True))
        assert problem.evaluate(at)["value"] == pytest.approx(0.0, abs=1e-12)


def _moved(seed):
    return Moved(Ackley(4), seed)


def test_a_moved_function_keeps_distances_from_the_optimum():
    # Griewank's bowl |x|^2 / 4000 is the same all around, its grain within 0 and 2.
    problem = Moved(Griewank(6), seed=2)
    optimum = np.array(problem.optima[0])
    for x in problem.space.sample(50, np.random.default_rng(1)):
        bowl = np.sum((np.array(list(x.values())) - optimum) ** 2) / 4000
        assert bowl <= problem.evaluate(x)["value"] <= bowl + 2


def test_a_moved_function_is_the_function_at_the_point_that_the_rotation_says():
    problem, base = Moved(Rosenbrock(3), seed=5), Rosenbrock(3)
    low, width = -5.0, 15.0
    (x,) = problem.space.sample(1, np.random.default_rng(0))
    moved = np.array(list(x.values())) - np.array(problem.optima[0])
    at = np.ones(3) + sum(problem.rotation[:, j] * moved[j] for j in range(3))
    a, b, c = at.tolist()
    expected = 100 * (b - a**2) ** 2 + (1 - a) ** 2 + 100 * (c - b**2) ** 2 + (1 - b) ** 2
    assert problem.evaluate(x)["value"] == pytest.approx(expected, rel=1e-12)
    assert (base.space.parameters[0].low, base.space.parameters[0].high - low) == (low, width)


def test_other_seeds_move_otherwise_and_the_same_alike():
    assert Moved(Levy(4), 1).optima == Moved(Levy(4), 1).optima != Moved(Levy(4), 2).optima
    assert np.array_equal(Moved(Levy(4), 1).rotation, Moved(Levy(4), 1).rotation)


def test_only_numbers_on_a_linear_scale_are_moved():
    with pytest.raises(ValueError, match=r"SVMDigits has \['C', 'gamma', 'kernel', 'degree'\]"):
        Moved(SVMDigits(), seed=0)


def test_letters_stand_for_levels_in_an_order_of_the_seed_and_one_is_the_optimum():
    base = Moved(Levy(4), seed=3)
    problem = Categorized(base, {"x2": 5, "x4": 3}, seed=1)
    assert [p.kind for p in problem.space.parameters] == ["float", "categorical", "float", "categorical"]
    levels = problem.levels["x2"]
    assert sorted(levels) == list("abcde")
    even = np.linspace(-8, 8, 5)
    apart = np.abs(np.sort(list(levels.values())) - even)
    assert (apart > 1e-9).sum() <= 1
    assert apart.max() <= 2
    assert levels[problem.optima[0][1]] == base.optima[0][1]
    assert Categorized(base, {"x2": 5, "x4": 3}, seed=1).levels == problem.levels
    orders = {tuple(Categorized(base, {"x2": 5}, seed).levels["x2"].values()) for seed in range(20)}
    assert len(orders) > 10


def test_categories_have_the_values_of_their_levels():
    base = Branin()
    problem = Categorized(base, {"x1": 4}, seed=0)
    for letter, x1 in problem.levels["x1"].items():
        assert problem.evaluate({"x1": letter, "x2": 3.0}) == base.evaluate({"x1": x1, "x2": 3.0})


def test_categories_of_a_problem_without_a_known_optimum_lie_evenly():
    problem = Categorized(GradientBoostingDiabetes(), {"subsample": 2}, seed=0)
    assert sorted(problem.levels["subsample"].values()) == pytest.approx([0.475, 0.825])
    assert (problem.best_value, problem.optima) == (None, None)


@pytest.mark.parametrize(
    ("n_levels", "message"), [({"loss": 2}, r"n_levels for \['loss'\]"), ({"subsample": 1}, r"lie in \[2, 26\]")]
)
def test_impossible_levels_are_refused(n_levels, message):
    with pytest.raises(ValueError, match=message):
        Categorized(GradientBoostingDiabetes(), n_levels, seed=0)
