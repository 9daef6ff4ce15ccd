import itertools

import numpy as np
import pytest
import torch

from bbo.acquisition.domain import Domain
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.joint import Batch, improved
from bbo.acquisition.utilities import log_ei
from bbo.space import Categorical, Float, Int, Space
from tests.acquisition.functions import NONE, uniform
from tests.acquisition.test_fantasies import belief, botorchs, joint_draws, many

# Failures in a corner.
FAILED = 0.25 * uniform(6, 2, seed=11)
SQUARE = Space((Float("a", 0.0, 1.0), Float("b", 0.0, 1.0)))


def alone(known, pending=NONE, q=3, seed=0):
    return Fantasies.of(log_ei, known, pending, n_more=q - 1, seed=seed)


def batch(judge):
    return Batch(judge, judge.best)


def greedy(judge, X, q):
    """Of the candidates X, one after the other."""
    chosen = []
    for _ in range(q):
        chosen.append(X[judge(X).argmax()])
        judge = judge.with_pending(chosen[-1][None])
    return torch.stack(chosen)


@pytest.mark.parametrize("sd", [0.0, 0.4])
@pytest.mark.parametrize("pending", [NONE, uniform(2, 2, seed=7)], ids=["none pending", "two pending"])
def test_botorch_agrees(sd, pending):
    known = belief(sd)
    X = uniform(60, 2, seed=31).reshape(20, 3, 2)
    theirs = botorchs(known, pending)
    with torch.no_grad():
        ours, expected = batch(many(alone(known, pending)))(X).exp(), theirs(X).exp()
    assert torch.allclose(ours, expected, rtol=0.1, atol=0.03 * ours.max().item())


@pytest.mark.parametrize("case", ["constrained", "failing", "both"])
def test_where_points_may_not_count_it_is_the_mean_over_all_sets_of_those_that_do(case):
    failed = NONE if case == "constrained" else FAILED
    known = belief(0.0, n=12, constrained=case != "failing", X_failed=failed)
    # Points that promise much and yet may not count.
    tried = uniform(500, 2, seed=31)
    doubtful = tried[(known.log_feasibility(tried).exp() - 0.5).abs() < 0.4]
    X = doubtful[alone(known)(doubtful).argsort(descending=True)[[0, 5, 10]]]
    value = batch(many(alone(known)))(X[None])[0].exp()
    p = known.log_feasibility(X).exp().detach().numpy()
    assert value > 0.01
    drawn = joint_draws(known.outputs, torch.cat([known.rivals, X]), 200_000).numpy()
    best, f = drawn[:, :-3], drawn[:, -3:]
    best = best.max(axis=1, keepdims=True) if best.shape[1] else float(known.best_f)
    expected = np.zeros(len(f))
    for counts in itertools.product([False, True], repeat=3):
        weight = np.prod(np.where(counts, p, 1 - p))
        gain = np.where(counts, f - best, 0.0).max(axis=1).clip(0.0)
        expected += weight * gain
    assert float(value) == pytest.approx(expected.mean(), abs=5 * expected.std() / 200_000**0.5 + 0.03 * float(value))


@pytest.mark.parametrize("doubtful", [False, True])
def test_batches_that_share_points_are_worth_what_each_is_by_itself(doubtful):
    """Also where gradients are asked for, so that points are not put together."""
    known = belief(0.4, n=12, constrained=doubtful)
    worth = batch(alone(known, uniform(2, 2, seed=7)))
    first = uniform(3, 2, seed=5)
    X = first.repeat(10, 1, 1)
    X[1:, 1] = uniform(9, 2, seed=6)
    X[5] = X[5, [2, 1, 0]]
    with torch.no_grad():
        together, each = worth(X), torch.cat([worth(x[None]) for x in X])
    assert torch.allclose(together, each, rtol=1e-9, atol=1e-9)
    assert torch.allclose(together, worth(X.clone().requires_grad_()).detach(), rtol=1e-9, atol=1e-9)
    assert len(together.unique()) == 10


@pytest.mark.parametrize("sd", [0.0, 0.4])
def test_a_batch_of_one_is_worth_what_the_point_is(sd):
    judge, X = alone(belief(sd, n=12), uniform(2, 2, seed=7), q=1), uniform(20, 2, seed=5)
    assert torch.allclose(batch(judge)(X[:, None]), judge(X), rtol=1e-3, atol=1e-3)


def test_a_batch_is_worth_what_its_points_are_one_after_the_other():
    judge, X = many(alone(belief(0.0)), 100_000), uniform(2, 2, seed=6)
    one_by_one = judge(X[:1]).exp() + judge.with_pending(X[:1])(X[1:]).exp()
    assert batch(judge)(X[None]).exp().item() == pytest.approx(one_by_one.item(), rel=1e-3)


def test_the_order_of_the_points_does_not_matter():
    judge, X = many(alone(belief(0.4)), 100_000), uniform(3, 2, seed=8)
    worth = [batch(judge)(X[None, list(order)]).item() for order in itertools.permutations(range(3))]
    assert np.ptp(worth) < 0.02


@pytest.mark.parametrize("constrained", [False, True])
def test_gradients_agree_with_finite_differences(constrained):
    known = belief(0.4, n=15, constrained=constrained, X_failed=FAILED if constrained else NONE)
    X = (0.1 + 0.8 * uniform(6, 2, seed=3)).reshape(2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(batch(alone(known, uniform(1, 2, seed=7))), X, eps=1e-6, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sd", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_moving_all_points_at_once_is_never_worse_than_one_after_the_other_and_often_better(sd, seed):
    known = belief(sd, n=12, seed=seed)
    judge = alone(known, seed=seed)
    start = greedy(judge, uniform(500, 2, seed=seed), 3)
    moved = improved(judge, start, Domain.compile(SQUARE, "cpu"), seed=seed)
    # By other draws than those against which they were moved.
    fresh = batch(many(judge))
    assert fresh(moved[None]) > fresh(start[None]) - 0.02
    assert batch(judge)(moved[None]) > batch(judge)(start[None])


def test_without_an_incumbent_points_stay_where_they_are():
    known = belief(0.0, constrained=True)
    hopeless = Fantasies.of(log_ei, type(known)(**(vars(known) | {"best_f": None})), NONE, n_more=1, seed=0)
    start = uniform(2, 2, seed=1)
    assert torch.equal(improved(hopeless, start, Domain.compile(SQUARE, "cpu"), seed=0), start)


def test_points_stay_in_a_space_with_levels():
    space = Space((Int("k", 1, 5), Categorical("c", ["u", "v", "w"])))
    domain = Domain.compile(space, "cpu")
    start = domain.snap(uniform(2, 2, seed=4))
    moved = improved(alone(belief(0.0), q=2), start, domain, seed=0)
    assert torch.equal(domain.snap(moved), moved)
