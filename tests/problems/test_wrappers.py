import time

import numpy as np
import pytest

from bbo.errors import SpaceError
from bbo.problems import (
    Branin,
    Delayed,
    EvaluationError,
    Failing,
    GradientBoostingDiabetes,
    Hartmann6,
    Noisy,
    WeldedBeam,
)

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
