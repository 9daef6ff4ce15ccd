import math

import pytest
import torch
from botorch.test_functions import Ackley, Branin

from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.outliers import confirmed_best, neighbourhood, price, told_apart, unconfirmed_best

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def on_cube(problem):
    low, high = problem.bounds.double()
    return lambda X: -problem(low + (high - low) * X).double()[:, None]


branin, ackley = on_cube(Branin()), on_cube(Ackley(5))


def spoilt(Y, k, size=10.0):
    """Values `k` off by so many standard deviations, to either side in turn."""
    off = torch.zeros_like(Y)
    off[k, 0] = size * Y.std() * torch.tensor([1.0, -1.0], dtype=D).repeat(len(k))[: len(k)]
    return Y + off


def error(model, Y, rows):
    """Of predictions of observations by all others, root mean square over some rows."""
    return (model.leave_one_out()[0] - Y)[rows].square().mean().sqrt().item()


@pytest.mark.parametrize("seed", range(3))
def test_outliers_are_found_and_the_others_predicted_as_if_there_were_none(seed):
    X = uniform(40, 2, seed=seed)
    Y, k = branin(X), [7, 22]
    clean = torch.ones(40, dtype=torch.bool)
    clean[k] = False
    model = ExactGP().fit(X, spoilt(Y, k))
    assert model.outliers[:, 0].nonzero()[:, 0].tolist() == k
    base = error(ExactGP().fit(X, Y), Y, clean)
    assert error(model, Y, clean) < 1.3 * base
    assert error(ExactGP(outliers=None).fit(X, spoilt(Y, k)), Y, clean) > 3 * base
    mean, sd = model.mean_sd(X[k])
    assert ((mean - Y[k]).abs() < 4 * sd + 0.02 * Y.std()).all()


def test_outliers_of_one_output_leave_the_other_as_it_is_and_outlive_conditioning():
    X = uniform(40, 2)
    Y = torch.cat([branin(X), (5 * X).sin().sum(1, keepdim=True)], 1)
    both = ExactGP().fit(X, torch.cat([spoilt(Y[:, :1], [4, 9]), Y[:, 1:]], 1))
    alone = ExactGP().fit(X, Y[:, 1:])
    assert both.outliers.sum(0).tolist() == [2, 0]
    assert torch.allclose(both.mean_sd(X)[0][:, 1:], alone.mean_sd(X)[0], rtol=1e-4, atol=1e-4)
    more = both.condition_on(X[:2] / 2, Y[:2]).subset_output([1, 0])
    assert more.outliers.shape == (42, 2)
    assert more.outliers[:, 1].nonzero()[:, 0].tolist() == [4, 9]
    assert not more.outliers[:, 0].any()


def test_trusted_values_are_never_outliers():
    X = uniform(40, 2)
    Y = spoilt(branin(X), [7, 22])
    trusted = torch.zeros(40, 1, dtype=torch.bool)
    trusted[7] = True
    assert not ExactGP().fit(X, Y, trusted=trusted).outliers[7]
    trusted[:] = True
    everything = ExactGP().fit(X, Y, trusted=trusted)
    assert not everything.outliers.any()
    assert torch.equal(everything.mean_sd(X)[0], ExactGP(outliers=None).fit(X, Y).mean_sd(X)[0])


def search_history(f, d, n, seed):
    """Points as a search leaves them: some at random, most about the best so far, ever nearer."""
    g = torch.Generator().manual_seed(seed)
    X, width = uniform(10, d, seed=seed), 0.15
    Y = f(X)
    while len(X) < n:
        step = width * torch.randn(1, d, dtype=D, generator=g)
        x = torch.rand(1, d, dtype=D, generator=g) if len(X) % 4 == 0 else (X[Y.argmax()] + step).clamp(0, 1)
        y = f(x)
        width = min(0.3, 1.3 * width) if y > Y.max() else max(0.003, 0.9 * width)
        X, Y = torch.cat([X, x]), torch.cat([Y, y])
    return X, Y


@pytest.mark.parametrize("n", [20, 50])
@pytest.mark.parametrize("seed", range(2))
def test_a_narrow_peak_that_a_search_has_met_is_no_outlier(n, seed):
    X, Y = search_history(ackley, 5, n, seed)
    assert not ExactGP().fit(X, Y).outliers.any()


def test_evidence_pays_for_outliers_and_beats_the_model_without():
    X = uniform(40, 2)
    Y = spoilt(branin(X), [7, 22])
    model, plain = ExactGP().fit(X, Y), ExactGP(outliers=None).fit(X, Y)
    assert 40 * (model.log_evidence - plain.log_evidence).item() > 3.0
    dearer = ExactGP(outliers=1e-4).fit(X, Y)
    assert dearer.outliers.sum() == 2
    gap = 40 * (model.log_evidence - dearer.log_evidence).item()
    assert gap == pytest.approx(2 * (price(1e-4) - price(0.02)), rel=1e-3)


@pytest.mark.parametrize("size", [1e12, 1e150, 1e300])
def test_one_huge_value_ruins_no_prediction_of_the_others(size):
    X = uniform(30, 2)
    Y = (5 * X).sin().sum(1, keepdim=True)
    spoilt = Y.clone()
    spoilt[7] = size
    model = ExactGP().fit(X, spoilt)
    assert model.outliers[:, 0].nonzero()[:, 0].tolist() == [7]
    rest = torch.arange(30) != 7
    assert error(model, Y, rest) < 1.3 * error(ExactGP().fit(X[rest], Y[rest]), Y[rest], slice(None)) + 1e-3
    assert all(values.isfinite().all() for values in model.leave_one_out())


def test_the_best_is_confirmed_by_a_neighbour_nearer_than_chance_would_put_it():
    X = uniform(30, 3)
    y = -(X - 0.5).square().sum(1)
    best = y.topk(3).indices
    apart = torch.cdist(X, X).fill_diagonal_(torch.inf).amin(1)
    # By Monte Carlo: half the mean distance to the nearest of 30 points per unit of volume, far from any edge.
    crowd = 3 * uniform(200, 30 * 27, 3, seed=1) - 1.5
    half = 0.5 * crowd.norm(dim=2).amin(1).mean().item()
    expected = [i for i in best.tolist() if apart[i] > half]
    assert unconfirmed_best(X, y).nonzero()[:, 0].tolist() == sorted(expected)
    near = torch.cat([X, X[best] + 0.3 * half / math.sqrt(3)])
    assert not unconfirmed_best(near, torch.cat([y, y[best] - 1.0])).any()


def test_the_best_is_confirmed_by_the_nearest_neighbour_alone_and_by_one_that_is_like_it():
    X = uniform(40, 2, seed=3)
    X = X[torch.cdist(X, X[:1])[:, 0] > 0.3]  # nothing else is near x = X[0]
    x = uniform(40, 2, seed=3)[:1]
    near = 0.5 * neighbourhood(X) / math.sqrt(2)
    rest = torch.sin(5 * X).sum(1) / 10

    def is_confirmed(*others):
        """The value 5 at x, given (offset, value) of others."""
        points = torch.cat([X, x, *(x + offset for offset, _ in others)])
        values = torch.cat([rest, torch.tensor([5.0, *(v for _, v in others)], dtype=D)])
        return bool(confirmed_best(points, values)[len(X)])

    assert not is_confirmed()
    assert is_confirmed((near, 4.0))
    assert not is_confirmed((near, 1.0))
    assert not is_confirmed((4 * near, 4.0))
    assert not is_confirmed((near, 4.0), (-near / 2, 0.1))
    assert is_confirmed((near / 2, 4.0), (-near, 0.1))


@pytest.mark.parametrize("other", [3, 4, 17])
def test_a_point_with_another_level_is_no_neighbour_wherever_the_level_stands(other):
    X = torch.rand(40, 3, dtype=D, generator=torch.Generator().manual_seed(0))
    X[:, 2] = 0.1
    X[7, 2], X[8] = (2 + 0.5) / 20, X[7]
    X[8, 2] = (other + 0.5) / 20
    y = X[:, 0].clone()
    y[7] = 50.0
    assert unconfirmed_best(told_apart(X, {2: 20}), y)[7]
    X[8, 2] = X[7, 2]
    assert not unconfirmed_best(told_apart(X, {2: 20}), y)[7]
