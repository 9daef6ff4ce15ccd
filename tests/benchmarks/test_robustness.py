import math
from dataclasses import astuple

import numpy as np
import pytest
import robustness
from quality_suite import SUITE
from robustness import MODES, QUIET, InHalfSpace, OffNowAndThen, Run, Scale, Wanted

NAME = "rosenbrock5"


@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_the_space_fails_and_not_the_best_point(seed):
    problem = SUITE[NAME](seed)
    best = dict(zip(problem.space.names, problem.optima[0], strict=True))
    fails = InHalfSpace.away_from(problem, best)
    assert not fails(best)
    points = problem.space.sample(2000, np.random.default_rng(9))
    assert np.mean([fails(p) for p in points]) == pytest.approx(0.2, abs=0.04)


def test_one_measurement_in_twenty_is_off_either_way_and_the_same_when_repeated():
    problem = SUITE[NAME](0)
    measured = OffNowAndThen(problem, 7.0)
    errors = np.array([measured.off_by(seed) for seed in range(4000)])
    assert set(errors) == {-7.0, 0.0, 7.0}
    assert np.mean(errors != 0) == pytest.approx(0.05, abs=0.015)
    point = problem.space.sample(1, np.random.default_rng(0))[0]
    seed = int(np.flatnonzero(errors)[0])
    for _ in range(2):
        gap = measured.evaluate(point, seed=seed)["value"] - problem.evaluate(point, seed=seed)["value"]
        assert gap == pytest.approx(errors[seed])


def test_the_scale_is_that_of_points_at_random():
    scale = Scale.of(SUITE["hartmann6"](0))
    assert 2.0 < scale.range < 3.33
    assert 0.1 < scale.sd < 0.5 * scale.range


def test_trials_to_a_target_count_from_one():
    run = Run("noise", NAME, 0, [5.0, 3.0, 3.0, 1.0], {}, [(5, 4.0), (10, 0.5)])
    assert [run.trials_to(t) for t in (5.0, 3.0, 1.0, 0.9)] == [1, 2, 4, math.inf]
    assert [run.recommended_at(t) for t in (4.0, 1.0, 0.1)] == [5, 10, math.inf]


@pytest.mark.parametrize("mode", [QUIET, "batches of 4", "8 pending", "failing", "noise"])
def test_a_run_ends_at_the_target_or_the_limit_and_counts_what_was_told(mode, monkeypatch):
    monkeypatch.setattr(robustness, "N_TRIALS", 9)
    monkeypatch.setattr(robustness, "_MOST", 12)
    problem = SUITE[NAME](0)
    known = dict(zip(problem.space.names, problem.optima[0], strict=True))
    quiet = Run(QUIET, NAME, 0, [], known, [], scale=astuple(Scale.of(problem)))
    never = Wanted(mode, NAME, 0, -math.inf, quiet).run()
    assert len(never.best) == (9 if mode == QUIET else 12)
    assert never.best == sorted(never.best, reverse=True)
    at_once = Wanted(mode, NAME, 0, math.inf, quiet).run()
    assert (never.scale == quiet.scale) is (mode == QUIET)
    assert len(at_once.best) <= max(MODES[mode].together if mode in MODES else 1, 5 if mode == "noise" else 1)


def test_ratios_are_those_of_the_median_runs():
    def made(mode, values):
        return [Run(mode, NAME, seed, best, {}, [], scale=(6.0, 1.0)) for seed, best in enumerate(values)]

    first = [9.0] * 10
    quiet = made(QUIET, [[*first, 2.0], [*first, 4.0], [*first, 3.0]])  # the median reaches 3 at the eleventh trial
    slow = made("batches of 4", [[*first, *first, 9.0, 3.0]] * 3)
    text = robustness.tables(quiet, slow, {})
    assert f"| {NAME} | 11 | 10 | 2.00 |" in text  # (9 - 3) / (0.1 * 6)
    assert "1.25: MISSED" in text
