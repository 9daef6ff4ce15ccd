import json
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from bbo.acquisition.belief import Belief, Scale
from bbo.acquisition.moments import mean_sd_of
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.utilities import log_ei, log_probability_of_feasibility
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.transforms import Bilog, YeoJohnson
from tests.acquisition.functions import NONE, D, uniform, waves


def sine(X):
    return (5 * X[:, :1]).sin() + X[:, 1:] ** 2


def cliff(X):
    return (-9 * X.sum(1, keepdim=True)).exp()


def steep(X):
    """A violation over many orders, of both signs."""
    return (6 * (X[:, :1] - 0.5)).sinh() * (4 * X[:, 1:]).exp()


def flat(X):
    return X[:, :1] + 0.3 * (4 * X[:, 1:]).cos() - 0.6


def believed(X, Y, G=None, X_failed=NONE, *, surrogate=None, **options):
    G = X.new_empty(len(X), 0) if G is None else G
    return Belief.fit(surrogate or ExactGP(), Outcomes(X, Y, G, X_failed), **options)


def unconstrained(seed=0):
    X = uniform(15, 2, seed=seed)
    return believed(X, waves(X))


def constrained(seed=0, X_failed=NONE):
    X = uniform(15, 2, seed=seed)
    return believed(X, waves(X), torch.cat([flat(X), (0.4 - X[:, 1:]).sinh()], 1), X_failed)


def log_feasibility(belief, Z):
    """By scipy, from means and standard deviations alone."""
    mean, sd = (v.numpy()[:, 1:] for v in belief.outputs.mean_sd(Z))
    value = norm.logcdf(-mean / sd).sum(1)
    if belief.success is not None:
        mean, sd = (v.numpy()[:, 0] for v in belief.success.mean_sd(Z))
        value = value + norm.logcdf(-mean / sd)
    return value


@pytest.mark.parametrize("X_failed", [NONE, 0.1 * uniform(3, 2, seed=5)], ids=["none failed", "some failed"])
def test_worth_is_log_expected_improvement_plus_log_feasibility(X_failed):
    belief, Z = constrained(X_failed=X_failed), uniform(30, 2, seed=1)
    assert (belief.success is None) == (not len(X_failed))
    mean, sd = (v.numpy()[:, 0] for v in belief.outputs.mean_sd(Z))
    z = (mean - belief.best_f.item()) / sd
    near = z > -4  # where the plain formula keeps its digits
    assert near.sum() > 5
    improvement = np.log(sd[near] * (norm.pdf(z[near]) + z[near] * norm.cdf(z[near])))
    feasibility = log_feasibility(belief, Z)
    assert np.allclose(belief.log_feasibility(Z), feasibility, rtol=1e-9)
    assert np.allclose(belief.worth(log_ei, Z).numpy()[near], improvement + feasibility[near], rtol=1e-8, atol=1e-8)


def test_what_is_found_at_a_point_is_feasible_with_the_probability_of_mean_and_noise_together():
    X, Z = uniform(60, 2), uniform(30, 2, seed=1)
    noise = 0.2 * torch.randn(60, 1, dtype=D, generator=torch.Generator().manual_seed(3))
    belief = believed(X, waves(X), flat(X) + noise, 0.1 * uniform(3, 2, seed=5))
    value = np.zeros(30)
    for model, column in ((belief.outputs, 1), (belief.success, 0)):
        mean, variance = (v.numpy()[:, column] for v in (model.mean_sd(Z)[0], model.mean_sd(Z)[1] ** 2))
        value += norm.logcdf(-mean / np.sqrt(variance + model.noise_variance[column].item()))
    found = belief.log_feasibility(Z, is_measured=True).numpy()
    assert np.allclose(found, value, rtol=1e-9)
    assert np.abs(found - belief.log_feasibility(Z).numpy()).max() > 0.05


def test_without_feasible_points_worth_is_the_log_feasibility():
    X, Z = uniform(25, 2), uniform(30, 2, seed=1)
    belief = believed(X, waves(X), 0.05 + flat(X).abs())
    assert belief.best_f is None
    assert np.allclose(belief.worth(log_ei, Z), log_feasibility(belief, Z), rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_gain_is_the_integral_of_the_improvement_in_units_of_the_utility_times_feasibility(seed):
    X = uniform(30, 2, seed=seed)
    belief = believed(X, -cliff(X), flat(X), 0.1 * uniform(3, 2, seed=5))
    inverse = belief.scales[0].transform.inverse
    assert belief.scales[0].transform.power > 1.1
    Z = uniform(6, 2, seed=seed + 10)
    mean, sd = (v.numpy()[:, 0] for v in belief.outputs.mean_sd(Z))
    best = belief.best_f.item()

    def improvement(t, m, s):
        return (inverse(torch.tensor(t, dtype=D)) - inverse(belief.best_f)).item() * norm.pdf(t, m, s)

    feasibility = np.exp(log_feasibility(belief, Z))
    ends = np.maximum(best, mean) + 9 * sd
    expected = [quad(improvement, best, e, (m, s), limit=200)[0] for m, s, e in zip(mean, sd, ends, strict=True)]
    assert np.allclose(belief.gain(Z), feasibility * expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_moments_and_noise_are_those_of_draws_sent_through_the_inverse(seed):
    X = uniform(30, 2, seed=seed)
    belief = believed(X, cliff(X) + 0.05 * uniform(30, 1, seed=seed + 9), steep(X))
    Z = uniform(5, 2, seed=seed + 10)
    draws = np.random.default_rng(seed).normal(size=(200_000, 1, 1))
    mean, sd = (v.numpy() for v in belief.outputs.mean_sd(Z))
    t = torch.tensor(mean + sd * draws)
    values = np.stack([belief.scales[k](t[..., k]).numpy() for k in range(2)], -1)
    ours = [v.numpy() for v in belief.mean_sd(Z)]
    assert (np.abs(ours[0] - values.mean(0)) < 6 * values.std(0) / 200_000**0.5).all()
    assert np.allclose(ours[1], values.std(0), rtol=0.1)
    noise = belief.outputs.noise_variance[0].sqrt().item()
    values = belief.scales[0](belief.best_f + noise * torch.tensor(draws[:, 0, 0]))
    assert belief.noise(belief.best_f) == pytest.approx(values.std().item(), rel=0.1)


def test_where_the_inverse_has_a_pole_moments_stay_within_a_range_of_the_data():
    Y = torch.tensor([0.0, 1.0, 5.0], dtype=D)
    scale = Scale.of(YeoJohnson(0.0, 1.0, -1.0), Y)
    assert scale.transform.inverse(torch.tensor(0.999, dtype=D)) > 900
    mean, sd = mean_sd_of(scale, torch.tensor([0.9], dtype=D), torch.tensor([0.3], dtype=D))
    assert 5 < mean < 10
    assert 1 < sd < 10
    inside = torch.tensor([-3.0, 0.1, 0.9], dtype=D)
    assert torch.equal(scale(inside), scale.transform.inverse(inside))


def test_without_an_incumbent_there_is_neither_gain_nor_noise():
    X = uniform(25, 2)
    hopeless = believed(X, waves(X), 2 + flat(X))
    assert hopeless.gain(X) is None
    assert hopeless.noise(hopeless.best_f) is None


def test_incumbent_is_the_highest_mean_among_feasible_points():
    belief = constrained()
    X = belief.outputs.X
    is_feasible = (flat(X) <= 0)[:, 0] & (X[:, 1] >= 0.4)
    assert 0 < is_feasible.sum() < 15
    expected = belief.outputs.mean_sd(X)[0][is_feasible, 0].max()
    assert belief.best_f.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [constrained, unconstrained])
def test_pending_point_becomes_worth_less_than_its_neighbourhood_and_the_first_belief_stays(make, seed):
    first = make(seed)
    Z = uniform(400, 2, seed=seed + 20)
    worth, best_f = first.worth(log_ei, Z), first.best_f.clone()
    pending = Z[worth.argmax()][None]
    around = (pending + 0.2 * (uniform(50, 2, seed=seed + 30) - 0.5)).clamp(0, 1)
    second = first.believe(pending)
    assert second.worth(log_ei, pending) < second.worth(log_ei, around).max()
    assert second.worth(log_ei, pending) < first.worth(log_ei, pending)
    assert torch.equal(first.worth(log_ei, Z), worth)
    assert first.best_f == best_f
    # What was expected there is believed: means stay.
    assert torch.allclose(second.outputs.mean_sd(Z)[0], first.outputs.mean_sd(Z)[0], atol=1e-6)


def test_incumbent_is_the_best_of_what_is_observed_and_believed():
    belief = constrained()
    Z = uniform(200, 2, seed=1)
    mean = belief.outputs.mean_sd(Z)[0]
    is_feasible = (mean[:, 1:] <= 0).all(1)
    assert is_feasible.any()
    assert (~is_feasible).any()
    best = max(belief.best_f.item(), mean[is_feasible, 0].max().item())
    assert belief.believe(Z[:100]).believe(Z[100:]).best_f.item() == pytest.approx(best, rel=1e-6)
    infeasible = Z[~is_feasible][:5]
    assert belief.believe(infeasible).best_f == belief.best_f
    X = uniform(25, 2)
    hopeless = believed(X, waves(X), 2 + flat(X))
    assert hopeless.best_f is None
    assert hopeless.believe(Z[:5]).best_f is None


@pytest.mark.parametrize("seed", range(3))
def test_what_a_pending_point_has_given_already_is_known_and_the_rest_is_expected(seed):
    belief = constrained()
    X = uniform(1, 2, seed=seed)
    mean = belief.mean_sd(X)[0]
    surprise = mean[0, 0].item() + 3.0 * belief.mean_sd(X)[1][0, 0].item() + 0.1
    part = torch.full_like(mean, math.nan)
    part[0, 0] = surprise
    told = belief.believe(X, part).mean_sd(X)[0]
    # Noise keeps a single value from being taken at its word.
    assert mean[0, 0] + 0.2 * (surprise - mean[0, 0]) < told[0, 0] < surprise + 1e-6
    assert told[0, 1:].tolist() == pytest.approx(mean[0, 1:].tolist(), abs=1e-5)
    nothing = belief.believe(X, torch.full_like(part, math.nan))
    assert torch.equal(nothing.outputs.mean_sd(X)[0], belief.believe(X).outputs.mean_sd(X)[0])


def test_points_passed_over_keep_others_away_and_are_no_incumbents():
    belief = constrained()
    Z = uniform(200, 2, seed=1)
    best = Z[belief.worth(log_ei, Z).argmax()][None]
    passed = belief.pass_over(best)
    assert passed.worth(log_ei, best) < belief.worth(log_ei, best) - 1.0
    assert passed.best_f == belief.best_f
    assert belief.believe(best).best_f >= belief.best_f


@pytest.mark.parametrize("seed", range(5, 10))
def test_failed_points_lower_feasibility_near_them_and_not_far_away(seed):
    X = uniform(30, 2)
    X = X[(X > 0.3).any(1)]
    X_failed = 0.2 * uniform(5, 2, seed=seed)
    before, after = believed(X, waves(X)), believed(X, waves(X), X_failed=X_failed)
    near, far = X_failed + 0.03 * uniform(5, 2, seed=seed + 50), 0.7 + 0.2 * uniform(10, 2, seed=7)
    assert (before.log_feasibility(near) == 0).all()
    assert (after.log_feasibility(near).exp() < 0.3).all()
    assert (after.log_feasibility(far).exp() > 0.95).all()


def test_one_failure_alone_says_nothing_of_where_others_fail():
    X = uniform(30, 2)
    one, two = (believed(X, waves(X), X_failed=0.1 * uniform(k, 2, seed=5)) for k in (1, 2))
    assert not one.is_doubtful
    assert (one.log_feasibility(X) == 0).all()
    assert two.is_doubtful
    assert two.log_feasibility(0.1 * uniform(2, 2, seed=5)).max() < -0.5


def evidence(X, values, transform):
    """Log density per observation in the units of the values, from a fit of this output alone."""
    t = transform.forward(values)
    slope = torch.autograd.functional.jacobian(transform.forward, values).diagonal()
    return ExactGP().fit(X, t[:, None]).log_evidence.item() + slope.log().mean().item()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("function", [sine, cliff, steep])
def test_output_is_transformed_if_the_evidence_is_higher_so(function, seed):
    X = uniform(30, 2, seed=seed)
    y = function(X)
    power, bilog = YeoJohnson.fit(y[:, 0]), Bilog.fit(y[:, 0])
    belief = believed(X, y, y)
    gain = evidence(X, y[:, 0], power) - evidence(X, y[:, 0], power.identity)
    assert belief.scales[0].transform == (power if gain > 0 else power.identity)
    gain = evidence(X, y[:, 0], bilog) - evidence(X, y[:, 0], bilog.identity)
    expected = (bilog if gain > 0 else bilog.identity).forward(y[:, 0])
    assert torch.equal(belief.outputs.Y[:, 1], expected)


@pytest.mark.parametrize("seed", range(5))
def test_a_heavy_tail_is_transformed_and_a_sine_is_not(seed):
    X = uniform(30, 2, seed=seed)
    assert believed(X, cliff(X)).scales[0].transform.power < 0.9
    assert believed(X, sine(X)).scales[0].transform.power == 1.0


class Recording(ExactGP):
    """Keeps how many outputs each fit had, and whether it went on from an earlier one."""

    def fit(self, X, Y, *args, **options):
        FITS.append((Y.shape[1], options["warm"] is not None))
        return super().fit(X, Y, *args, **options)


FITS = []


def fits_of(X, *values, **options):
    """A belief, and what `Recording` kept while it was made."""
    FITS.clear()
    return believed(X, *values, surrogate=Recording(), **options), list(FITS)


def test_the_spread_of_penalties_is_theirs():
    X = uniform(12, 2)
    Y = torch.tensor([-1e300, 1e300], dtype=D).repeat(6)[:, None]
    belief = believed(X, Y, Y)
    assert belief.spread.isfinite().all()
    assert belief.spread[1] == pytest.approx(1e300 * (belief.means[:, 1] / 1e300).numpy().std(), rel=1e-12)


def test_output_whose_transform_is_the_identity_is_fitted_once():
    X = uniform(30, 2)
    assert Bilog.fit(flat(X)[:, 0]).scale is None
    assert YeoJohnson.fit(cliff(X)[:, 0]).power != 1.0
    belief, fits = fits_of(X, cliff(X), flat(X))
    assert fits == [(3, False)]
    assert len(belief.warm["outputs"]["noise"]) == 2


def test_next_fit_goes_on_where_the_last_ended_and_agrees_with_a_cold_one():
    X, Z = uniform(30, 2), uniform(20, 2, seed=1)
    first = believed(X[:28], cliff(X[:28]), flat(X[:28]), 0.1 * uniform(3, 2, seed=5))
    warm = json.loads(json.dumps(first.warm))
    assert [t for t in warm["transforms"] if t.get("power", 1.0) != 1.0] == warm["transforms"][:1]
    assert len(warm["outputs"]["noise"]) == 2
    again, fits = fits_of(X, cliff(X), flat(X), 0.1 * uniform(3, 2, seed=5), warm=warm)
    assert fits == [(2, True)]
    cold = believed(X, cliff(X), flat(X), 0.1 * uniform(3, 2, seed=5))
    # The transform of the objective stayed that of fewer points, so medians are compared, under one of them.
    ours, theirs = (b.scales[0](b.outputs.mean_sd(Z)[0][:, 0]) for b in (again, cold))
    bent = cold.scales[0].transform
    assert torch.allclose(bent.forward(ours), bent.forward(theirs), rtol=0.05, atol=0.02)
    for ours, theirs in zip(again.outputs.mean_sd(Z), cold.outputs.mean_sd(Z), strict=True):
        assert torch.allclose(ours[:, 1], theirs[:, 1], rtol=0.05, atol=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_outliers_do_not_bend_the_objective_or_straighten_it(seed):
    """Values over decades, three of them far below: the transform is that of the others, the strange ones are seen."""
    X = uniform(50, 2, seed=seed)
    Y = (2 * waves(X)).exp()
    off = torch.tensor([4, 21, 33])
    told = Y.clone()
    told[off] -= 10.0 * Y.std()
    with_outliers, clean = (believed(X, values, X.new_empty(50, 0)) for values in (told, Y))
    assert clean.scales[0].transform.power < 0.5
    assert with_outliers.scales[0].transform.power == pytest.approx(clean.scales[0].transform.power, abs=0.3)
    Z = uniform(200, 2, seed=seed + 50)
    truth = (2 * waves(Z)).exp()
    bent = clean.scales[0].transform
    errors = [
        (bent.forward(truth[:, 0]) - bent.forward(b.scales[0](b.outputs.mean_sd(Z)[0][:, 0]))).square().mean()
        for b in (with_outliers, clean)
    ]
    assert errors[0] < 2 * errors[1] + 0.02 * bent.forward(truth[:, 0]).var()
    assert (with_outliers.outputs.outliers[:, 0].nonzero()[:, 0] == off).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_narrow_feasible_region_that_a_search_has_met_is_no_outlier_of_a_constraint(seed):
    """One value says that all others, close to each other, are not what the constraint is everywhere."""
    X = uniform(30, 3, seed=seed)
    alone = torch.full((1, 3), 0.99, dtype=D)
    X = torch.cat([X[(X - alone).norm(dim=1) > 0.3], alone - 0.02, alone])
    Y, G = (5 * X[:, :1]).sin(), 1.0 + 0.01 * (X.sum(1, keepdim=True) - 1.5)
    G[-1] = -5.0
    unconfirmed = torch.arange(len(X)) != len(X) - 2
    b = believed(X[unconfirmed], Y[unconfirmed], G[unconfirmed])
    assert not b.outputs.outliers[-1, 1]
    # It is one where a neighbour speaks against it.
    b = believed(X, Y, G)
    assert b.outputs.outliers[:, 1].nonzero()[:, 0].tolist() == [len(X) - 1]


def test_worst_rung_is_told():
    class Stiff(ExactGP):
        def fit(self, *args, **options):
            model = super().fit(*args, **options)
            model.rung = "jitter" if model.num_outputs == 1 else "map"
            return model

    X = uniform(12, 2)
    fits = X, waves(X), flat(X)
    assert Belief.fit(ExactGP(), Outcomes(*fits, NONE)).rung == "map"
    assert Belief.fit(ExactGP(), Outcomes(*fits, X[:2]), of_failure=Stiff()).rung == "jitter"


def test_feasible_values_that_agree_are_believed_where_all_others_are_far_from_feasible():
    X = uniform(60, 3)
    X[58], X[59] = torch.tensor([0.8, 0.8, 0.8], dtype=D), torch.tensor([0.81, 0.8, 0.79], dtype=D)
    away = (X - 0.8).square().sum(1, keepdim=True)
    belief = believed(X, waves(X), 1 - 6 * (-away / (2 * 0.12**2)).exp())
    assert not belief.outputs.outliers[58:, 1].any()
    assert belief.log_feasibility(X[58:]).exp().min() > 0.5


def test_a_band_counts_in_what_a_point_is_worth_and_in_what_it_may_gain():
    X = uniform(8, 2)
    value = waves(X)
    sides = torch.cat([value - 0.1, -0.1 - value], 1)
    alone, banded = (
        Belief.fit(ExactGP(), Outcomes(X, waves(X), sides, NONE, bands=bands)) for bands in ((), ((0, 1),))
    )
    new = uniform(40, 2, seed=9)
    mean, sd = alone.judge(new)
    more = log_probability_of_feasibility(mean[:, 1:], sd[:, 1:], bands=[(0, 1)]) - log_probability_of_feasibility(
        mean[:, 1:], sd[:, 1:]
    )
    assert (more < -1e-3).any()
    assert torch.allclose(banded.worth(log_ei, new) - alone.worth(log_ei, new), more)
    assert torch.allclose(banded.gain(new).log() - alone.gain(new).log(), more, atol=1e-9)
