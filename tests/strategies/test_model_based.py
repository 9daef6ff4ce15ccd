import math
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from bbo.acquisition.optimism import UCB, Thompson
from bbo.acquisition.utilities import log_ei, log_pi
from bbo.budget import Budget, RegretBelow
from bbo.errors import StrategyError
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target
from bbo.seeding import generator
from bbo.space import Categorical, Float, Int
from bbo.storage import MemoryStorage
from bbo.strategies import GP, LatinHypercube, RandomSearch, SobolSearch, model_based
from bbo.strategies.model_based import ModelBased
from bbo.studies.study import Study
from bbo.surrogates import exact_gp
from bbo.surrogates.exact_gp import LADDER, ExactGP
from bbo.trial import FailureReason

LINE = [Float("x", 0.0, 1.0)]
RULE = Budget(stop=(RegretBelow(1e-6),))


def wave(trial):
    return math.sin(9 * trial["x"]) + trial["x"]


def told(wanted, function, n=9, space=LINE, seed=3, **options):
    s = Study(space, wanted, strategy=GP(n_first=4), seed=seed, **options)
    for _ in range(n):
        trial = s.ask()
        s.tell(trial, function(trial))
    return s


def outlook(s):
    notes = s.ask().notes
    return {key: notes[key] for key in ("gain", "noise", "regret") if key in notes}


@pytest.mark.parametrize("seed", range(4))
def test_gain_is_the_expected_improvement_on_the_best_mean_of_the_tried_points(seed):
    s = told(Maximize("y"), wave, n=7, seed=seed)
    latest = s.ask()
    said = s.at(7).predict(s.frame())
    best, mean, sd = said["y mean"][:7].max(), said["y mean"][7], said["y sd"][7]
    z = (mean - best) / sd
    # The formula is for values that are Gaussian themselves; a transform bends it a little.
    assert latest.notes["gain"] == pytest.approx(sd * (norm.pdf(z) + z * norm.cdf(z)), rel=0.1)
    assert latest.notes["mean"]["y"] == pytest.approx(mean, rel=1e-5)
    assert latest.notes["sd"]["y"] == pytest.approx(sd, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_gain_noise_and_regret_are_in_the_units_of_the_objective_whatever_its_direction(seed):
    def run(aim, scale):
        return outlook(told(aim, lambda trial: scale * wave(trial), seed=seed, budget=RULE))

    plain = run(Maximize("y"), 1.0)
    assert plain.keys() == {"gain", "noise", "regret"}
    assert run(Minimize("y"), -1.0) == plain
    for key, value in run(Maximize("y"), 1000.0).items():
        assert value == pytest.approx(1000 * plain[key], rel=1e-2)


@pytest.mark.parametrize("sd", [0.05, 0.3])
@pytest.mark.parametrize("seed", range(2))
def test_noise_is_about_what_the_objective_has(sd, seed):
    def noisy(trial):
        return 3 * trial["x"] + sd * generator(trial.seed).normal()

    s = told(Maximize("y"), noisy, n=0, seed=seed)
    for trial in s.ask(60):
        s.tell(trial, noisy(trial))
    assert outlook(s)["noise"] == pytest.approx(sd, rel=0.4)


def test_gain_does_not_shrink_with_the_number_of_pending_trials():
    s = told(Maximize("y"), wave)
    gains = [s.ask().notes["gain"] for _ in range(6)]
    assert min(gains) > 0.9 * gains[0]


def test_only_the_first_point_of_an_ask_says_what_further_trials_may_gain():
    s = told(Maximize("y"), wave)
    assert ["gain" in trial.notes for trial in s.ask(3)] == [True, False, False]


def test_without_a_feasible_trial_nothing_is_said_of_further_ones():
    wanted = (Maximize("y"), OutcomeConstraint("g", upper=-1.0))
    s = told(wanted, lambda trial: {"y": wave(trial), "g": trial["x"]}, n=7, budget=RULE)
    assert outlook(s) == {}


def test_of_a_target_gain_and_regret_are_of_the_distance_to_it():
    notes = outlook(told(Target("y", 0.7), lambda trial: 2 * trial["x"], n=8, budget=RULE))
    assert 0 <= notes["gain"] < 2
    assert 0 <= notes["regret"] < 2


def test_heavy_tails_give_finite_notes():
    def cliff(trial):
        return math.exp(40 * trial["x"] ** 2)

    for aim in (Minimize("y"), Maximize("y")):
        for n in (8, 14):
            notes = outlook(told(aim, cliff, n=n, budget=RULE))
            assert all(0 <= value < 1e20 for value in notes.values()), notes


@pytest.mark.parametrize("seed", range(3))
def test_a_yield_that_is_known_counts_before_the_selectivity_is(seed):
    """Of two studies that differ in one partial result, the one where it is splendid asks nearby."""

    def next_to(partial):
        wanted = [Maximize("yield"), OutcomeConstraint("selectivity", lower=0.0)]
        s = Study([Float("x", 0.0, 1.0)], wanted, strategy=GP(n_first=5), seed=seed)
        for x in (0.0, 0.25, 0.5, 0.75, 1.0):
            s.enqueue({"x": x})
            s.tell(s.ask(), {"yield": 1.0 - x, "selectivity": 1.0})
        s.enqueue({"x": 0.9})
        s.tell(s.ask(), {"yield": partial}, partial=True)
        return s.ask()["x"]

    assert abs(next_to(5.0) - 0.9) < 0.15
    assert next_to(0.1) < 0.5


class Exploring:
    """An acquisition that goes where the model knows least, and keeps the incumbent that it was called with."""

    def __call__(self, mean, sd, best_f):
        self.best_f = float(best_f.mean())
        return sd.log()


GIVEN_UP = [
    Study.cancel,
    lambda s, trial: s.fail(trial, reason=FailureReason.LOST),
    lambda s, trial: s.fail(trial, reason=FailureReason.TIMEOUT),
]


@pytest.mark.parametrize("give_up", GIVEN_UP, ids=["cancelled", "lost", "timeout"])
def test_a_point_that_was_given_up_is_kept_away_from_and_is_no_incumbent(give_up):
    s = Study(LINE, Maximize("y"), strategy=RandomSearch(), seed=1)
    for x in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        s.enqueue({"x": x})
        s.tell(s.ask(), x)
    explore = Exploring()
    strategy = ModelBased(acquisition=explore, n_first=1)
    (unknown,) = strategy.suggest(s.history, 1, seed=1)
    best_f = explore.best_f
    assert unknown.params["x"] > 0.9
    s.enqueue(unknown.params)
    give_up(s, s.ask())
    (other,) = strategy.suggest(s.history, 1, seed=1)
    assert other.params["x"] < 0.9
    assert explore.best_f == pytest.approx(best_f)


@pytest.mark.parametrize("seed", range(3))
def test_gain_is_that_of_the_pending_point_where_it_promises_more_than_the_next_one(seed):
    s = Study(LINE, Maximize("y"), strategy=RandomSearch(), seed=seed)
    for x in (0.0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8):
        s.enqueue({"x": x})
        s.tell(s.ask(), -((x - 0.3) ** 2))
    explore = ModelBased(acquisition=Exploring(), n_first=1)
    (promising,) = GP(n_first=1).suggest(s.history, 1, seed=seed)
    (unknown,) = explore.suggest(s.history, 1, seed=seed)
    assert unknown.notes["gain"] < 0.5 * promising.notes["gain"]
    s.enqueue(promising.params)
    s.ask()
    (beside,) = explore.suggest(s.history, 1, seed=seed)
    assert beside.notes["gain"] == pytest.approx(promising.notes["gain"], rel=1e-3)


def test_results_that_are_all_equal_say_nothing_of_the_gain():
    for value in (0.0, 50.0, 0.1 + 0.2):
        s = told(Maximize("y"), lambda trial, value=value: value, n=7, budget=RULE)
        assert outlook(s) == {}
    s.tell(s.ask(), value + 1)
    assert outlook(s).keys() == {"gain", "noise", "regret"}


def test_values_executed_far_outside_and_off_the_grid_are_taken():
    space = [Float("t", 20.0, 120.0, step=5.0), Float("c", 1e-3, 1.0, log=True), Int("n", 1, 8)]
    executed = iter([{"t": 183.3}, {"c": 50.0, "n": 90}, {"t": -7.0, "c": 1e-9}, {"n": -3}, {"t": 42.42}])
    s = Study(space, Minimize("y"), strategy=GP(n_first=4), seed=5)
    for _ in range(8):
        trial = s.ask()
        s.tell(trial, trial["t"] / 100 + trial["n"], params=next(executed, None))
    assert s.ask().params in s.space
    assert s.recommend() is not None
    assert np.isfinite(s.predict(s.frame()).to_numpy()).all()
    assert s.verify().agrees


def test_too_few_trials_predict_nothing():
    s = told(Maximize("y"), wave, n=1)
    with pytest.raises(StrategyError, match="2 completed trials"):
        s.strategy.predict(s.history, [{"x": 0.5}])


def test_predictions_of_no_points_are_empty():
    space = [*LINE, Categorical("c", ["a", "b"])]
    s = told((Maximize("y"), OutcomeConstraint("g", upper=1.0)), lambda t: {"y": wave(t), "g": t["x"]}, space=space)
    prediction = s.strategy.predict(s.history, [])
    assert [len(v) for v in (*prediction.mean.values(), *prediction.sd.values(), prediction.feasibility)] == [0] * 5


ACQUISITIONS = [log_pi, UCB(beta=2.0), Thompson(n_features=256)]
each_acquisition = pytest.mark.parametrize("acquisition", ACQUISITIONS, ids=["log_pi", "UCB", "Thompson"])
SQUARE = [Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)]


def bowl(trial):
    return (trial["x"] - 0.31) ** 2 + (trial["z"] - 0.77) ** 2


@each_acquisition
def test_another_acquisition_searches_better_than_random_and_is_rebuilt_from_the_log(acquisition):
    storage = MemoryStorage()
    ours, theirs = [], []
    for seed in range(3):
        for strategy, found in ((GP(acquisition=acquisition), ours), (RandomSearch(), theirs)):
            s = Study(SQUARE, Minimize("y"), strategy=strategy, seed=seed, storage=storage, name=f"{seed} {strategy}")
            s.run(bowl, 16)
            found.append(s.best.values["y"])
    assert np.median(ours) < np.median(theirs) / 3
    loaded = Study.load(storage, f"0 {GP(acquisition=acquisition)}")
    assert loaded.strategy == GP(acquisition=acquisition)
    assert loaded.verify().agrees


@each_acquisition
def test_another_acquisition_respects_constraints_failures_and_pending_points(acquisition):
    """The optimum of the bowl is infeasible, the best feasible x is 0.5; where z < 0.3 evaluations fail.

    At random 10.8 of 36 points would fail, and 5 or fewer in one case of fifty.
    """
    wanted = (Minimize("y"), OutcomeConstraint("side", lower=0.5))
    n_failed, best = 0, []
    for seed in range(1, 4):
        s = Study(SQUARE, wanted, strategy=GP(n_first=8, acquisition=acquisition), seed=seed)
        for _ in range(6):
            batch = s.ask(4)
            X = torch.tensor([list(t.params.values()) for t in batch])
            gaps = torch.cdist(X, X) + torch.eye(len(batch))
            assert gaps.min() > 1e-8  # what differs by less than 1e-9 is one point
            for trial in batch:
                if trial["z"] < 0.3:
                    s.fail(trial, "leaked")
                else:
                    s.tell(trial, {"y": bowl(trial), "side": trial["x"]})
        n_failed += sum(t["z"] < 0.3 for t in s.trials[12:])
        best.append(s.best.values["y"])
        assert s.best.values["side"] >= 0.5
    assert n_failed <= 5
    assert np.median(best) < 0.19**2 + 0.02


def test_under_noise_batches_are_spread_and_the_recommended_point_is_good():
    def noisy(trial):
        return bowl(trial) + 0.1 * generator(trial.seed).normal()

    found = []
    for seed in range(3):
        s = Study(SQUARE, Minimize("y"), strategy=GP(), seed=seed)
        for _ in range(10):
            batch = s.ask(4)
            assert len({(t["x"], t["z"]) for t in batch}) == 4
            for trial in batch:
                s.tell(trial, noisy(trial))
        found.append(bowl(s.recommend()))
    # Of 30 seeds three quarters are below 0.025, nine tenths below 0.06.
    assert np.median(found) < 0.06


def test_one_failed_point_alone_is_kept_away_from_and_two_teach_where_others_fail():
    s = Study(LINE, Maximize("y"), strategy=RandomSearch(), seed=1)
    for x in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        s.enqueue({"x": x})
        s.tell(s.ask(), x)
    strategy = ModelBased(acquisition=Exploring(), n_first=1)
    (first,) = strategy.suggest(s.history, 1, seed=1)
    s.enqueue(first.params)
    s.fail(s.ask(), "leaked")
    (second,) = strategy.suggest(s.history, 1, seed=1)
    assert abs(second.params["x"] - first.params["x"]) > 0.01
    assert "feasibility" not in second.notes
    s.enqueue(second.params)
    s.fail(s.ask(), "leaked")
    (third,) = strategy.suggest(s.history, 1, seed=1)
    assert third.notes["feasibility"] < 1.0


@pytest.mark.parametrize("give_up", [Study.fail, Study.cancel])
@pytest.mark.parametrize("slope", [1.0, 5.0, 20.0])
def test_the_point_after_one_that_came_to_nothing_is_not_beside_it(give_up, slope):
    s = Study(LINE, Maximize("y"), strategy=GP(n_first=4), seed=1)
    for x in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        s.enqueue({"x": x})
        s.tell(s.ask(), slope * x + 0.1 * math.sin(9 * x))
    first = s.ask()
    assert first["x"] > 0.55
    give_up(s, first)
    assert abs(s.ask()["x"] - first["x"]) > 0.02


def test_notes_say_what_was_predicted_whatever_is_pending():
    s = told(Maximize("y"), wave, n=7)
    alone = s.ask()
    mean, sd = (alone.notes[key]["y"] for key in ("mean", "sd"))
    s.ask(3)
    said = s.at(7).predict(s.frame())
    assert mean == pytest.approx(said["y mean"][7], rel=1e-5)
    assert sd == pytest.approx(said["y sd"][7], rel=1e-5)


@pytest.mark.parametrize("k", range(3))
def test_notes_name_the_rung_that_the_fit_came_from_where_it_is_not_the_first(k, monkeypatch):
    s = told(Minimize("y"), wave, n=6)
    unfit = tuple(replace(rung, least_noise=math.nan) for rung in LADDER[:k])
    monkeypatch.setattr(exact_gp, "LADDER", (*unfit, *LADDER[k:]))
    assert s.ask().notes.get("rung") == (None if k == 0 else LADDER[k].name)


def test_many_points_are_predicted_in_parts_as_at_once(monkeypatch):
    s = told([Minimize("y"), OutcomeConstraint("g", upper=0.0)], lambda t: {"y": wave(t), "g": t["x"] - 0.5}, n=8)
    points = s.space.sample(700, np.random.default_rng(0))
    whole = GP().predict(s.history, points)
    monkeypatch.setattr(model_based, "_MOST_AT_ONCE", 1)
    parts = GP().predict(s.history, points)
    assert np.allclose(parts.feasibility, whole.feasibility, rtol=1e-10)
    for metric in ("y", "g"):
        assert np.allclose(parts.mean[metric], whole.mean[metric], rtol=1e-10)
        assert np.allclose(parts.sd[metric], whole.sd[metric], rtol=1e-6, atol=1e-10)


def test_a_first_design_that_is_given_is_taken_as_it_is():
    space = [Float(f"x{k}", 0.0, 1.0) for k in range(3)]
    s = Study(space, Minimize("y"), strategy=GP(n_first=10, first=LatinHypercube(size=10)), seed=1)
    X = np.array([list(trial.params.values()) for trial in s.ask(10)])
    for column in X.T:
        assert sorted((10 * column).astype(int)) == list(range(10))
    s = Study(space, Minimize("y"), strategy=GP(), seed=1)
    assert s.ask().params == {f"x{k}": 0.5 for k in range(3)}


def test_values_that_the_model_takes_for_outliers_are_named_in_the_notes():
    s = Study(SQUARE, Minimize("y"), strategy=SobolSearch(), seed=1)
    for trial in s.ask(30):
        s.tell(trial, bowl(trial) + (10.0 if trial.number == 12 else 0.0))
    (said,) = GP().suggest(s.history, 1, seed=1)
    assert said.notes["outliers"] == [12]
    s.amend(12, {"y": bowl(s.trials[12])}, why="typo")
    (said,) = GP().suggest(s.history, 1, seed=1)
    assert "outliers" not in said.notes


def test_a_constraint_with_two_bounds_holds_with_the_mass_between_them():
    s = Study(LINE, [Minimize("y"), OutcomeConstraint("c", lower=0.47, upper=0.53)], strategy=GP(n_first=8), seed=2)
    noise = np.random.default_rng(0)
    for trial in s.ask(8):
        s.tell(trial, {"y": trial["x"], "c": trial["x"] + 0.2 * noise.standard_normal()})
    table = pd.DataFrame({"x": np.linspace(0.3, 0.7, 9)})
    said = s.predict(table)
    z = [(bound - said["c mean"]) / said["c sd"] for bound in (0.47, 0.53)]
    # Both sides are modelled, each under its own transform.
    assert said["feasibility"].to_numpy() == pytest.approx(norm.cdf(z[1]) - norm.cdf(z[0]), abs=0.05)
    assert (said["feasibility"] < 0.9 * norm.cdf(z[1]) * norm.cdf(-z[0])).any()


@pytest.mark.parametrize(
    "wanted",
    [[Minimize("y")], [Target("y", -1e308)], [Maximize("y"), OutcomeConstraint("y", lower=-1e308, upper=1e308)]],
)
def test_the_largest_numbers_there_are_break_nothing(wanted):
    s = Study(LINE, wanted, strategy=GP(n_first=4), seed=1)
    for trial, value in zip(s.ask(4), (sys.float_info.max, -sys.float_info.max, 1.0, 1e308), strict=True):
        s.tell(trial, value)
    assert s.ask().notes["by"] == "GP"


def test_an_acquisition_that_gives_no_number_is_an_error_and_one_without_any_hope_is_noted():
    def study(value):
        s = Study(LINE, Minimize("y"), strategy=GP(acquisition=lambda mean, sd, best: 0 * mean + value), seed=1)
        for trial in s.ask(4):
            s.tell(trial, trial["x"])
        return s

    with pytest.raises(StrategyError, match="NaN at every candidate"):
        study(math.nan).ask()
    assert study(-math.inf).ask().notes["fall"] == "unjudged"
    assert "fall" not in study(1.0).ask().notes


def test_on_a_grid_the_best_untried_point_is_taken_however_many_better_ones_were_tried():
    grid = [Int("a", 0, 39), Int("b", 0, 39)]
    s = Study(grid, Minimize("y"), strategy=GP(acquisition=UCB(beta=0.0)), seed=1)
    points = pd.DataFrame([{"a": a, "b": b} for a in range(40) for b in range(40)])
    away = np.hypot(points["a"] - 15, points["b"] - 20)
    near = away.argsort()[:100]
    s.add(points.loc[near].assign(y=away[near] ** 2))
    trial = s.ask()
    left = points.drop(index=near)
    best = left.loc[s.at(100).predict(left)["y mean"].idxmin()]
    assert trial.params == best.to_dict()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"acquisition": "ei"}, "takes as acquisition a function"),
        ({"acquisition": UCB}, "takes as acquisition a function"),
        ({"surrogate": ExactGP}, "takes as surrogate an object with a method `fit`: got <class"),
        ({"surrogate": None}, "takes as surrogate an object with a method `fit`: got None"),
        ({"first": "sobol"}, "takes as first an object with a method `suggest`: got 'sobol'"),
        ({"device": "gpu"}, 'takes as device "cpu" or "cuda": got \'gpu\''),
        ({"n_first": -3}, "n_first a whole number of at least 0: got -3"),
        ({"n_first": 2.5}, "n_first a whole number of at least 0: got 2.5"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options, said):
    with pytest.raises(StrategyError, match=said):
        GP(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused_with_the_study():
    with pytest.raises(StrategyError, match="computes on 'cuda', which torch does not see here"):
        Study(LINE, Minimize("y"), strategy=GP(device="cuda"))


@pytest.mark.parametrize("seed", range(6))
def test_replicates_say_how_large_the_noise_is(seed):
    """10 trials of 5 measurements each: the pooled standard deviation has 40 degrees of freedom, the means say less."""
    s = Study(LINE, Minimize("y"), strategy=GP(n_first=10), seed=seed)
    rng = np.random.default_rng(seed)
    scatter = []
    for trial in s.ask(10):
        singles = math.sin(9 * trial["x"]) + 0.1 * rng.standard_normal(5)
        scatter.append(singles.var(ddof=1))
        s.tell(trial, {"y": singles.tolist()})
    assert s.ask().notes["noise"] == pytest.approx(np.sqrt(np.mean(scatter)), rel=0.25)


@pytest.mark.parametrize("seed", range(4))
def test_the_only_success_among_failures_says_where_others_lie(seed):
    """A ball of 4.5 % of the cube is feasible, so a first design alone would hardly meet it again."""
    s = Study([Float(name, 0.0, 1.0) for name in "xyz"], Minimize("v"), strategy=GP(), seed=seed)
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0.3, 0.7, 3)

    def evaluate(trial):
        away = np.linalg.norm(np.array(list(trial.params.values())) - centre)
        if away > 0.22:
            s.fail(trial, "no result")
        else:
            s.tell(trial, float(away**2))

    for point in [centre + 0.1, *rng.random((11, 3))]:
        s.enqueue(dict(zip("xyz", point, strict=True)))
        evaluate(s.ask())
    for _ in range(20):
        evaluate(s.ask())
    assert s.history.is_completed[12:].sum() >= 8


SQUARE_OF_TWO = [Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)]


def peaked(n):
    """Past data of a peak, whose values take a power transform."""
    X = np.random.default_rng(0).random((n, 2))
    return pd.DataFrame(X, columns=["x", "z"]).assign(v=np.exp(-20 * ((X - 0.3) ** 2).sum(axis=1)))


@pytest.mark.parametrize("value", [1e78, -1e100, 1e155, -1e300, 1.7e308])
@pytest.mark.parametrize("wanted", [Minimize("v"), Maximize("v")])
def test_values_beyond_what_a_power_can_hold_are_taken(wanted, value):
    s = Study(SQUARE_OF_TWO, wanted, strategy=GP(), seed=1)
    s.add(peaked(24))
    trial = s.ask()
    assert trial.notes["warm"]["transforms"][0]["power"] != 1.0
    s.tell(trial, value)
    assert s.ask().notes["by"] == "GP"


@pytest.mark.parametrize("part", [{"g": -1e308}, {"g": 1e308}, {"v": 1e160}, {"v": -1e300}])
@pytest.mark.parametrize("acquisition", [log_ei, UCB(), Thompson()])
def test_parts_of_pending_trials_may_be_of_any_size(part, acquisition):
    wanted = [Maximize("v"), OutcomeConstraint("g", upper=0.5)]
    s = Study(SQUARE_OF_TWO, wanted, strategy=GP(acquisition=acquisition), seed=1)
    s.add(peaked(24).assign(g=lambda rows: rows["x"]))
    s.tell(s.ask(), part, partial=True)
    trial = s.ask()
    assert trial.notes["by"] == "GP"
    assert math.isfinite(trial.notes["acquisition"])


@pytest.mark.parametrize(("value", "options"), [(0.4, {"sd": 1e160}), ([1.7e308, -1.7e308], {})])
def test_a_target_is_foretold_whatever_noise_was_told(value, options):
    s = Study(LINE, Target("v", 0.3), strategy=GP(), seed=1)
    for k in range(6):
        trial = s.ask()
        s.tell(trial, value if k == 2 else trial["x"], **(options if k == 2 else {}))
    s.ask()
    assert np.isfinite(s.predict(pd.DataFrame({"x": [0.5]})).to_numpy()).all()
