import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target
from bbo.space import Float
from bbo.strategies import GP, RandomSearch
from bbo.strategies.coverage import Coverage, coverage
from bbo.studies.study import Study
from bbo.trial import FailureReason, Suggestion

LINE = [Float("x", 0.0, 1.0)]
SD, NOISE = 3.0, 4.0
# With a spread of 5 the 90 % interval reaches 8.22 to either side.
REACH = 1.6448536 * 5.0


class Foretelling:
    """Says the same of every point; of their noise too, or of each point's in turn."""

    def __init__(self, mean=100.0, sd=SD, noise=NOISE):
        self.mean, self.sd, self.noise = mean, sd, noise

    def suggest(self, history, n, *, seed):
        points = history.space.sample(n, np.random.default_rng(seed))
        notes = {"mean": {"y": self.mean}, "sd": {"y": self.sd}, "warm": {}}
        noise = list(np.broadcast_to(self.noise, n)) if self.noise is not None else []
        noted = [{"noise_sd": {"y": float(sd)}} for sd in noise] or [{}] * n
        return [Suggestion(p, notes=notes | more) for p, more in zip(points, noted, strict=True)]


def study(aim=Maximize, **said):
    return Study(LINE, aim("y"), strategy=Foretelling(**said), seed=1)


def told(*off, **said):
    """The coverage after results that lie so far off what was foretold."""
    s = study(**said)
    for value in off:
        s.tell(s.ask(), 100.0 + value)
    return coverage(s.history)


def test_inside_are_results_within_the_interval_of_the_spread_of_mean_and_noise_together():
    assert told(0.99 * REACH, -0.99 * REACH) == Coverage(2, 2)
    assert told(1.01 * REACH, -1.01 * REACH) == Coverage(0, 2)
    assert told(1.6 * SD, 1.7 * SD, noise=0.0) == Coverage(1, 2)


def test_without_trials_there_is_nothing_to_count():
    assert told() == Coverage(0, 0)
    assert Coverage(0, 0).p_value == 1.0


def test_each_result_is_judged_by_the_noise_at_its_own_point():
    s = study(noise=[4.0, 40.0, 4.0, 40.0])
    for trial in s.ask(4):
        s.tell(trial, 100.0 + 1.01 * REACH)
    assert coverage(s.history) == Coverage(2, 4)


def test_noise_that_grows_with_the_value_is_noted_for_the_point_and_not_for_the_best():
    rng = np.random.default_rng(0)
    s = Study([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], Minimize("y"), strategy=GP(), seed=1)
    X = rng.random((60, 2))
    level = np.exp(4 * X.sum(1) - 4)
    s.add(pd.DataFrame(X, columns=["x", "z"]).assign(y=level * np.exp(0.3 * rng.standard_normal(60))))
    low, high = (s.ask(fixed=fixed).notes["noise_sd"]["y"] for fixed in ({"x": 0.1, "z": 0.2}, {"x": 0.9, "z": 0.8}))
    assert low < high / 10  # it is a fifteenth


def test_noise_that_is_told_counts_in_place_of_the_models():
    s = study()
    for sd, off in ((0.0, 1.1 * 1.645 * SD), (0.0, 0.9 * 1.645 * SD), (40.0, 60.0)):
        s.tell(s.ask(), 100.0 + off, sd=sd)
    assert coverage(s.history) == Coverage(2, 3)


def test_a_mean_of_several_measurements_has_less_noise():
    s = study()
    half = 1.6448536 * np.hypot(SD, NOISE / 2)
    for share in (0.99, 1.01):
        s.tell(s.ask(), [100.0 + share * half] * 4)
    assert coverage(s.history) == Coverage(1, 2)


def test_where_the_noise_is_not_known_a_result_is_not_counted():
    s = study(noise=None)
    s.tell(s.ask(), 100.0)
    s.tell(s.ask(), 100.0, sd=1.0)
    assert coverage(s.history) == Coverage(1, 1)


def test_the_latest_are_those_that_were_told_last():
    s = study()
    trials = s.ask(30)
    for trial in trials[::-1]:
        s.tell(trial, 100.0 if trial.number < 12 else 200.0)
    assert coverage(s.history) == Coverage(12, 20)
    assert coverage(s.history, latest=15) == Coverage(12, 15)


def test_only_completed_trials_that_were_foretold_count():
    s = Study(LINE, [Maximize("y"), OutcomeConstraint("g", upper=0.0)], strategy=Foretelling(), seed=1)
    s.add(pd.DataFrame([{"x": 0.5, "y": 1e9, "g": 0.0}]))
    s.enqueue({"x": 0.25})
    s.tell(s.ask(), {"y": 1e9, "g": 0.0})
    s.fail(s.ask(), "leaked")
    s.fail(s.ask(), reason=FailureReason.LOST)
    s.cancel(s.ask(), "no")
    s.ask()
    half, whole = s.ask(2)
    s.tell(half, {"y": 1e9}, partial=True)
    s.tell(whole, {"y": 100.0}, partial=True)
    assert coverage(s.history) == Coverage(0, 0)
    s.tell(whole, {"g": 5.0})
    assert coverage(s.history) == Coverage(1, 1)
    s.tell(half, {"g": 0.0})
    assert coverage(s.history) == Coverage(1, 2)


def test_a_correction_takes_the_place_of_what_was_told():
    s = study()
    s.tell(s.ask(), 1000.0)
    assert coverage(s.history) == Coverage(0, 1)
    s.amend(0, 100.0, why="a zero too many")
    assert coverage(s.history) == Coverage(1, 1)


def test_trials_of_a_strategy_without_a_model_are_passed_over():
    s = study()
    for _ in range(3):
        s.tell(s.ask(), 100.0)
    other = s.fork(strategy=RandomSearch())
    for _ in range(10):
        other.tell(other.ask(), 1e9)
    assert coverage(other.history) == Coverage(3, 3)


def test_a_target_foretells_a_distance_and_no_metric():
    s = Study(LINE, Target("y", 0.5), strategy=GP(n_first=2), seed=1)
    for _ in range(5):
        trial = s.ask()
        s.tell(trial, trial["x"])
    assert coverage(s.history) == Coverage(0, 0)


def test_digits_that_the_notes_leave_out_put_nothing_outside():
    s = study(mean=123457.0, sd=1e-4, noise=1e-4)
    s.tell(s.ask(), 123456.6)
    s.tell(s.ask(), 123454.0)
    assert coverage(s.history) == Coverage(1, 2)


def test_notes_of_somebodys_own_that_are_no_numbers_by_metric_are_passed_over():
    class Odd(RandomSearch):
        def suggest(self, history, n, *, seed):
            found = super().suggest(history, n, seed=seed)
            return [Suggestion(s.params, notes={"mean": 3.0, "sd": None}) for s in found]

    s = Study(LINE, Maximize("y"), strategy=Odd(), seed=1)
    s.tell(s.ask(), 1.0)
    assert coverage(s.history) == Coverage(0, 0)


def test_a_history_counts_the_same_whatever_was_asked_and_told_later():
    s = study(aim=Minimize)
    for value in (100.0, 200.0):
        s.tell(s.ask(), value)
    then = s.history
    s.amend(0, 500.0, why="typo")
    s.tell(s.ask(), 900.0)
    assert coverage(then) == Coverage(1, 2)
    assert coverage(s.at(2).history) == coverage(s.fork(at=2).history) == coverage(then)


@pytest.mark.parametrize("seed", range(3))
def test_results_that_are_as_foretold_lie_inside_nine_times_in_ten(seed):
    rng = np.random.default_rng(seed)
    s = study()
    for trial in s.ask(2000):
        s.tell(trial, rng.normal(100.0, np.hypot(SD, NOISE)))
    found = coverage(s.history, latest=2000)
    assert found.of == 2000
    assert binomtest(found.inside, 2000, 0.9).pvalue > 1e-3


@pytest.mark.parametrize(("inside", "of"), [(0, 3), (13, 20), (14, 20), (18, 20), (20, 20), (0, 20)])
def test_the_p_value_is_that_of_an_exact_binomial_test(inside, of):
    assert Coverage(inside, of).p_value == pytest.approx(binomtest(inside, of, 0.9, alternative="less").pvalue)
