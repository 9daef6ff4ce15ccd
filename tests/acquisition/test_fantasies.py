import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.sampling import SobolQMCNormalSampler

from bbo.acquisition.belief import Belief
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.utilities import log_ei, log_pi, log_probability_of_feasibility
from bbo.surrogates.exact_gp import ExactGP
from tests.acquisition.functions import NONE, D, flat, uniform, waves


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def belief(sd=0.0, n=40, constrained=False, X_failed=NONE, seed=0):
    X = uniform(n, 2, seed=seed)
    G = flat(X) if constrained else X.new_empty(n, 0)
    Y = waves(X) + sd * normal(n, 1, seed=seed + 1)
    return Belief.fit(ExactGP(), Outcomes(X, Y, G, X_failed))


def joint_draws(model, X, n, seed=0):
    """`n x b` of the first output, by botorch's posterior and a Cholesky factor of numpy's."""
    posterior = model.subset_output([0]).posterior(X)
    L = np.linalg.cholesky(posterior.distribution.covariance_matrix.detach().numpy())
    draws = np.random.default_rng(seed).normal(size=(n, len(X))) @ L.T
    return posterior.mean[:, 0].detach() + torch.tensor(draws)


def brute_force(known, Z, may_win, X, utility, n=20_000):
    """Mean and its standard error of `utility(f(x), best of f(Z))`, drawn jointly, one x at a time."""
    values, errors = [], []
    for k, x in enumerate(X):
        f = joint_draws(known.outputs, torch.cat([Z, x[None]]), n, seed=k)
        best = f[:, :-1][:, may_win].amax(1)
        if not len(known.rivals):
            best = best.maximum(known.best_f)
        gain = utility(f[:, -1], best)
        values.append(gain.mean())
        errors.append(gain.std() / n**0.5)
    return torch.stack(values), torch.stack(errors)


def improvement(f, best):
    return (f - best).clamp_min(0.0)


def exceedance(f, best):
    return (f > best).to(f)


CASES = {
    "noise": (0.4, NONE),
    "pending": (0.0, uniform(3, 2, seed=7)),
    "noise and pending": (0.4, uniform(3, 2, seed=7)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("utility", "by_draw"), [(log_ei, improvement), (log_pi, exceedance)])
@pytest.mark.parametrize("seed", range(2))
def test_worth_is_the_expected_utility_over_joint_draws(case, utility, by_draw, seed):
    sd, pending = CASES[case]
    known = belief(sd, seed=seed)
    assert (len(known.rivals) > 1) == (sd > 0)
    # Many draws, so that what is tested is the formula and not the error of 32 draws.
    judge = many(Fantasies.of(utility, known, pending, seed=seed))
    X = uniform(8, 2, seed=seed + 30)
    Z = torch.cat([known.rivals, pending])
    value, error = brute_force(known, Z, torch.ones(len(Z), dtype=torch.bool), X, by_draw)
    assert ((judge(X).exp() - value).abs() < 5 * error + 0.03 * value + 1e-4).all()


def many(judge, n=4096):
    """The same with more draws."""
    return replace(judge, draws=normal(n, judge.draws.shape[1], seed=99))


@pytest.mark.parametrize("case", CASES)
def test_few_draws_give_nearly_what_many_do(case):
    sd, pending = CASES[case]
    judge = Fantasies.of(log_ei, belief(sd), pending, seed=3)
    X = uniform(200, 2, seed=30)
    few, all_ = judge(X), many(judge)(X)
    likely = all_ > all_.max() - 4
    assert (few - all_)[likely].abs().mean() < 0.4


def botorchs(known, pending):
    """Its noisy expected improvement, jointly over q points, beside the same rivals."""
    return qLogNoisyExpectedImprovement(
        model=known.outputs,
        X_baseline=torch.cat([known.outputs.X, pending]),
        sampler=SobolQMCNormalSampler(torch.Size([4096]), seed=0),
        prune_baseline=False,
        cache_root=False,
        tau_relu=1e-6,
    )


def test_botorch_agrees_under_noise_and_with_pending_points():
    known, pending = belief(0.4), uniform(2, 2, seed=7)
    judge, theirs = many(Fantasies.of(log_ei, known, pending, seed=0)), botorchs(known, pending)
    X = uniform(40, 2, seed=31)
    with torch.no_grad():
        ours, expected = judge(X).exp(), theirs(X[:, None]).exp()
    likely = ours > 0.02 * ours.max()
    assert likely.sum() > 5
    assert torch.allclose(ours[likely], expected[likely], rtol=0.1, atol=0.03 * ours.max().item())


@pytest.mark.parametrize("seed", range(3))
def test_gradients_agree_with_finite_differences(seed):
    X = (0.1 + 0.8 * uniform(5, 2, seed=seed)).requires_grad_()
    judge = Fantasies.of(log_ei, belief(0.4, n=15), uniform(2, 2, seed=7), seed=0)
    assert torch.autograd.gradcheck(judge, X, eps=1e-5, rtol=1e-3, atol=1e-3)


def test_without_noise_and_pending_points_it_is_log_ei_itself():
    known, X = belief(0.0), uniform(30, 2, seed=5)
    judge = Fantasies.of(log_ei, known, NONE, seed=0)
    assert not len(known.rivals)
    assert torch.equal(judge(X), known.worth(log_ei, X))


def test_where_the_improvement_underflows_values_and_gradients_are_finite():
    known = belief(0.0, n=60)
    judge = Fantasies.of(log_ei, known, known.outputs.X[:3] + 1e-3, seed=0)
    X = (known.outputs.X[waves(known.outputs.X).argmin()][None] + 1e-6).requires_grad_()
    value = judge(X)
    (grad,) = torch.autograd.grad(value.sum(), X)
    assert value < -700  # below what exp can tell from 0
    assert value.isfinite().all()
    assert grad.isfinite().all()


def test_rivals_are_the_points_that_may_be_best():
    """Each is above the best of the others in some joint draw; no other point is in more than a few."""
    known = belief(0.4, n=40)
    draws = joint_draws(known.outputs, known.outputs.X, 20_000)
    shares = torch.bincount(draws.argmax(1), minlength=40) / 20_000
    is_rival = (known.outputs.X[:, None] == known.rivals[None]).all(2).any(1)
    assert 1 < is_rival.sum() < 40
    assert shares[~is_rival].sum() < 0.01
    assert shares[is_rival].sum() > 0.99


@pytest.mark.parametrize("sd", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_pending_point_becomes_worth_less_than_its_neighbourhood(sd, seed):
    known, Z = belief(sd, seed=seed), uniform(400, 2, seed=seed + 20)
    first = Fantasies.of(log_ei, known, NONE, n_more=1, seed=seed)
    worth = first(Z)
    pending = Z[worth.argmax()][None]
    second = first.with_pending(pending)
    around = (pending + 0.2 * (uniform(50, 2, seed=seed + 30) - 0.5)).clamp(0, 1)
    assert second(pending) < second(around).max() - 1.0
    assert second(pending) < first(pending) - 2.0
    assert torch.equal(first(Z), worth)


def test_points_one_by_one_and_together_are_the_same():
    known, pending, X = belief(0.4, constrained=True), uniform(3, 2, seed=7), uniform(20, 2, seed=8)
    together = Fantasies.of(log_ei, known, pending, seed=4)
    one_by_one = Fantasies.of(log_ei, known, pending[:1], n_more=2, seed=4).with_pending(pending[1:2])
    assert torch.allclose(one_by_one.with_pending(pending[2:])(X), together(X), rtol=1e-5, atol=1e-5)


def test_infeasible_points_are_no_rivals_and_worth_is_weighted_by_feasibility():
    known, X = belief(0.4, n=30, constrained=True), uniform(20, 2, seed=8)
    assert (flat(known.rivals) <= 0).all()
    Z = uniform(40, 2, seed=9)
    mean, sd = known.outputs.mean_sd(Z)
    pending = torch.stack([Z[mean[:, 1].argmin()], Z[mean[:, 1].argmax()]])
    judge = Fantasies.of(log_ei, known, pending, seed=0)
    assert judge.may_win.tolist() == [True] * len(known.rivals) + [True, False]
    told = known.outputs.condition_on(pending, known.outputs.mean_sd(pending)[0])
    mean, sd = (v[:, 1:] for v in told.mean_sd(X))
    assert torch.allclose(judge.belief.log_feasibility(X), log_probability_of_feasibility(mean, sd), rtol=1e-6)
    value, error = brute_force(known, torch.cat([known.rivals, pending]), judge.may_win, X[:6], improvement)
    ours = (many(judge)(X) - judge.belief.log_feasibility(X)).exp()[:6]
    assert ((ours - value).abs() < 5 * error + 0.03 * value + 1e-4).all()


def test_without_feasible_points_worth_is_the_log_feasibility():
    X, Z = uniform(25, 2), uniform(30, 2, seed=1)
    known = Belief.fit(ExactGP(), Outcomes(X, waves(X) + 0.4 * normal(25, 1), 2 + flat(X), NONE))
    judge = Fantasies.of(log_ei, known, Z[:2], seed=0)
    assert torch.equal(judge(Z), judge.belief.log_feasibility(Z))


@pytest.mark.parametrize("seed", range(3))
def test_what_a_pending_point_has_given_already_is_known(seed):
    known, X = belief(0.0, seed=seed), uniform(1, 2, seed=seed + 40)
    mean, sd = known.mean_sd(X)
    part = mean + 3.0 * sd + 0.1
    told = Fantasies.of(log_ei, known, X, part, seed=0)
    expected = known.outputs.condition_on(X, known.scales[0].transform.forward(part))
    draws = told.pinned.values(told.draws)[:, -1]
    m, s = (v.item() for v in expected.mean_sd(X))
    assert draws.mean().item() == pytest.approx(m, abs=s)
    assert draws.std().item() == pytest.approx(s, rel=0.3)
    nothing = Fantasies.of(log_ei, known, X, torch.full_like(part, math.nan), seed=0)
    Z = uniform(10, 2, seed=3)
    assert torch.equal(nothing(Z), Fantasies.of(log_ei, known, X, seed=0)(Z))


def test_a_surrogate_that_is_no_gaussian_process_believes_its_mean():
    class Wrapped:
        """A fitted model that is a Gaussian process but does not say so."""

        def __init__(self, model):
            self.model = model

        def __getattr__(self, name):
            return getattr(self.model, name)

        def subset_output(self, idcs):
            return Wrapped(self.model.subset_output(idcs))

        def condition_on(self, X, Y, Yvar=None):
            return Wrapped(self.model.condition_on(X, Y, Yvar))

    class Other(ExactGP):
        def fit(self, *args, **options):
            return Wrapped(super().fit(*args, **options))

    X, pending, Z = uniform(40, 2), uniform(2, 2, seed=7), uniform(10, 2, seed=3)
    known = Belief.fit(Other(), Outcomes(X, waves(X), X.new_empty(40, 0), NONE))
    judge = Fantasies.of(log_ei, known, pending, n_more=1, seed=0)
    assert torch.allclose(judge(Z), belief(0.0).believe(pending).worth(log_ei, Z), rtol=1e-6)
    assert judge.with_pending(Z[:1])(Z[:1]) < judge(Z[:1])


def test_every_tensor_is_made_on_the_device_of_the_data():
    known, pending, X = belief(0.4), uniform(2, 2, seed=7), uniform(10, 2, seed=3)
    with torch.device("meta"):
        assert Fantasies.of(log_ei, known, pending, seed=0)(X).device == X.device
