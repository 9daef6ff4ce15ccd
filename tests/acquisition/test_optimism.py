import numpy as np
import pytest
import torch

from bbo.acquisition.belief import Acquisition, Belief
from bbo.acquisition.optimism import UCB, Thompson
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.pathwise import Paths
from bbo.errors import StrategyError
from bbo.surrogates.exact_gp import ExactGP
from tests.acquisition.functions import NONE, flat, uniform, waves


def belief(constrained=False, X_failed=NONE, shift=0.0):
    X = uniform(20, 2)
    G = flat(X) + shift if constrained else X.new_empty(20, 0)
    return Belief.fit(ExactGP(), Outcomes(X, waves(X), G, X_failed))


KINDS = [UCB(), Thompson()]
each = pytest.mark.parametrize("acquisition", KINDS, ids=lambda a: type(a).__name__)


def judge(acquisition, known, pending=NONE, seed=0):
    return acquisition.judge(known, pending, None, n_more=2, seed=seed)


def test_without_constraints_ucb_is_the_upper_bound():
    known, X = belief(), uniform(30, 2, seed=1)
    mean, sd = (v[:, 0] for v in known.outputs.mean_sd(X))
    assert torch.allclose(judge(UCB(beta=2.25), known)(X), mean + 1.5 * sd, rtol=1e-9)


def test_where_constraints_holds_ucb_is_the_upper_bound_and_elsewhere_much_less():
    known, X = belief(constrained=True, X_failed=0.1 * uniform(3, 2, seed=5)), uniform(300, 2, seed=1)
    mean, sd = (v.numpy() for v in known.judge(X))
    bound, feared = mean[:, 0] + 2 * sd[:, 0], mean[:, 1:] + sd[:, 1:]
    worth = judge(UCB(), known)(X).numpy()
    holds = (feared <= 0).all(1)
    assert 0 < holds.sum() < 300
    assert np.allclose(worth[holds], bound[holds])
    assert (worth[~holds] < bound[~holds]).all()
    far = (feared > 0.3 * feared.std(0)).any(1)
    assert far.any()
    assert worth[far].max() < bound[holds].max()


def test_thompson_without_constraints_is_a_draw_and_each_point_of_a_batch_has_its_own():
    known, X = belief(), uniform(30, 2, seed=1)
    first = judge(Thompson(), known)
    mean, sd = (v[:, 0] for v in known.outputs.mean_sd(X))
    assert torch.equal(first(X), first(X))
    assert ((first(X) - mean).abs() < 5 * sd + 1e-6).all()
    second = first.with_pending(X[:1])
    assert (first(X) - second(X)).abs().max() > 0.5 * sd.max()
    assert not torch.equal(first(X), judge(Thompson(), known, seed=1)(X))


def test_thompson_stays_where_the_drawn_constraints_hold():
    known, X = belief(constrained=True), uniform(500, 2, seed=1)
    best = X[judge(Thompson(), known)(X).argmax()][None]
    assert known.log_feasibility(best) > -3
    assert (known.log_feasibility(X) < -3).any()


@each
def test_without_a_feasible_point_worth_is_the_log_feasibility(acquisition):
    known, X = belief(constrained=True, shift=2.0), uniform(30, 2, seed=1)
    assert known.best_f is None
    assert torch.equal(judge(acquisition, known)(X), known.log_feasibility(X))


@each
def test_gradients_agree_with_finite_differences(acquisition):
    known = belief(constrained=True)
    X = (0.05 + 0.9 * uniform(5, 2, seed=3)).requires_grad_()
    assert torch.autograd.gradcheck(judge(acquisition, known, uniform(1, 2, seed=9)), X, eps=1e-5, rtol=1e-3, atol=1e-3)


def test_pending_points_narrow_the_bounds():
    known, X = belief(), uniform(300, 2, seed=1)
    first = judge(UCB(), known)
    pending = X[first(X).argmax()][None]
    for other in (judge(UCB(), known, pending), first.with_pending(pending)):
        assert other(pending) < first(pending) - 0.5 * known.outputs.mean_sd(pending)[1].item()


@each
def test_it_is_an_acquisition_and_every_tensor_is_made_on_the_device_of_the_data(acquisition):
    assert isinstance(acquisition, Acquisition)
    known, X = belief(constrained=True), uniform(5, 2, seed=3)
    with torch.device("meta"):
        assert judge(acquisition, known, X[:1])(X).device == X.device


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="-1"):
        UCB(beta=-1)
    with pytest.raises(ValueError, match="n_features=0"):
        Thompson(n_features=0)


def test_thompson_says_when_there_is_no_gaussian_process_to_draw_from():
    known = belief()
    with pytest.raises(StrategyError, match="object"):
        judge(Thompson(), type(known)(**vars(known) | {"outputs": object()}))


def test_the_draws_are_those_of_the_outputs():
    known, X = belief(), uniform(9, 2, seed=3)
    assert isinstance(judge(Thompson(), known).paths[0], Paths)
    assert judge(Thompson(), known).paths[0](X).shape == (1, 9, 1)
