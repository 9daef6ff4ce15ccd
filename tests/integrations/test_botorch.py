"""BoTorch's models in bbo; bbo's in BoTorch's optimizer stand in `tests/surrogates/test_exact_gp.py`."""

import pytest
import torch
from botorch.acquisition import qLogExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.models.model import Model
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler

from bbo import Study
from bbo.errors import FitError, StrategyError
from bbo.integrations.botorch import BoTorchSurrogate, single_task_gp
from bbo.problems import Branin
from bbo.strategies import GP
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def wave(X):
    return (5 * X[:, :1]).sin() + X[:, -1:]


def test_a_fitted_gp_of_bbo_goes_through_botorch_s_optimizer():
    X = uniform(20, 2)
    model = ExactGP().fit(X, wave(X))
    assert isinstance(model, Model)
    worth = qLogExpectedImprovement(model, wave(X).max(), sampler=SobolQMCNormalSampler(torch.Size([64]), seed=0))
    bounds = torch.tensor([[0.0] * 2, [1.0] * 2], dtype=D)
    x, _ = optimize_acqf(worth, bounds=bounds, q=2, num_restarts=4, raw_samples=64)
    assert x.shape == (2, 2)
    assert wave(x).max() > 1.9  # the maximum is 2, at x_1 = pi / 10 and x_2 = 1


def test_the_posterior_is_that_of_the_model_and_further_observations_move_it_as_botorch_says():
    X, Z = uniform(15, 2), uniform(6, 2, seed=1)
    ours = BoTorchSurrogate(single_task_gp).fit(X, wave(X))
    theirs = single_task_gp(X, wave(X), None)
    mean, sd = ours.mean_sd(Z)
    posterior = theirs.posterior(Z)
    assert torch.allclose(mean, posterior.mean, rtol=1e-6)
    assert torch.allclose(sd**2, posterior.variance, rtol=1e-4, atol=1e-10)
    more = ours.condition_on(Z[:2], wave(Z[:2]) + 1.0)
    assert ((more.mean_sd(Z)[0] - mean)[:2] > 0.5).all()
    assert torch.equal(ours.mean_sd(Z)[0], mean)


def test_a_study_with_a_model_of_botorch_finds_the_optimum_and_is_recomputed():
    strategy = GP(surrogate=BoTorchSurrogate(single_task_gp))
    study = Study(Branin().space, Branin().objectives, strategy=strategy, seed=1)
    study.run(Branin(), 20)
    assert study.best.values["value"] < 1.0  # random search: 4 to 7 in the median
    assert study.verify().agrees
    assert study.trials[-1].notes["by"] == "GP"
    again = Study.load(study.storage, study.name)
    assert again.verify(strategy).agrees
    with pytest.raises(StrategyError, match="pass the object again"):
        again.ask()
    assert study.predict(study.frame())["value mean"].corr(study.frame()["value"]) > 0.9


def test_what_botorch_does_not_fit_is_a_fit_error():
    def broken(X, Y, Yvar):
        raise RuntimeError("singular")

    with pytest.raises(FitError, match="not fitted to 4 points: singular"):
        BoTorchSurrogate(broken).fit(uniform(4, 2), uniform(4, 1))


def test_global_draws_of_a_fit_are_seeded_and_leave_no_trace():
    drawn = []

    def drawing(X, Y, Yvar):
        drawn.append(torch.rand(3))
        return single_task_gp(X, Y, Yvar)

    state = torch.get_rng_state()
    for _ in range(2):
        BoTorchSurrogate(drawing).fit(uniform(5, 2), uniform(5, 1))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(state, torch.get_rng_state())


def test_known_noise_reaches_the_model():
    seen = []

    def spy(X, Y, Yvar):
        seen.append(Yvar)
        return SingleTaskGP(X, Y, Yvar)

    X, Yvar = uniform(5, 2), torch.full((5, 1), 0.1, dtype=D)
    BoTorchSurrogate(spy).fit(X, wave(X), Yvar)
    BoTorchSurrogate(spy).fit(X, wave(X), torch.where(torch.arange(5)[:, None] < 2, torch.nan, Yvar))
    assert torch.equal(seen[0], Yvar)
    assert seen[1] is None
