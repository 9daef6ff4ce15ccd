import numpy as np
import pytest
import torch

from bbo.acquisition.belief import Belief
from bbo.acquisition.outcomes import Outcomes
from bbo.strategies.left_out import left_out, loo_r2
from bbo.surrogates.exact_gp import ExactGP

NONE = torch.empty(0, 2, dtype=torch.float64)


class Said:
    """A model that leaves out by saying this."""

    def __init__(self, y, mean, outliers=None):
        if outliers is not None:
            self.outliers = torch.tensor([[is_outlier, True] for is_outlier in outliers])
        self.Y = torch.tensor([[v, 0.0] for v in y], dtype=torch.float64)
        self.mean = torch.tensor([[v, 9.9] for v in mean], dtype=torch.float64)

    def leave_one_out(self):
        return self.mean, torch.ones_like(self.mean)


def points(n, d, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, d, dtype=torch.float64, generator=generator)


def belief(X, Y, G=None):
    G = X.new_zeros((len(X), 0)) if G is None else G
    return Belief.fit(ExactGP(), Outcomes(X, Y, G, X.new_zeros((0, X.shape[1]))))


def test_r2_is_one_minus_the_squared_errors_over_those_of_the_mean_of_the_others():
    y, mean = [1.0, 4.0, 2.0, 8.0, 5.0], [1.5, 3.0, 2.0, 6.0, 6.0]
    errors = sum((v - m) ** 2 for v, m in zip(y, mean, strict=True))
    of_mean = sum((v - np.mean(y[:k] + y[k + 1 :])) ** 2 for k, v in enumerate(y))
    assert loo_r2(Said(y, mean)) == pytest.approx(1 - errors / of_mean, rel=1e-12)
    others = [np.mean(y[:k] + y[k + 1 :]) for k in range(5)]
    assert loo_r2(Said(y, others)) == pytest.approx(0.0, abs=1e-12)
    assert loo_r2(Said(y, y)) == 1.0
    assert loo_r2(Said(y, [-v for v in y])) < 0


def test_what_the_model_takes_for_an_outlier_is_not_held_against_it():
    y, mean = [1.0, 4.0, 99.0, 2.0, 8.0, 5.0], [1.5, 3.0, 4.0, 2.0, 6.0, 6.0]
    without = loo_r2(Said(y[:2] + y[3:], mean[:2] + mean[3:]))
    assert loo_r2(Said(y, mean, outliers=[k == 2 for k in range(6)])) == pytest.approx(without, rel=1e-12)


def test_of_few_or_equal_values_or_a_model_that_leaves_nothing_out_there_is_none():
    assert loo_r2(Said([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])) is None
    assert loo_r2(Said([2.0] * 8, [2.0] * 8)) is None
    assert loo_r2(object()) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_smooth_function_is_explained_and_noise_is_not(seed):
    X = points(40, 2, seed)
    smooth = (3 * X[:, :1]).sin() + X[:, 1:] ** 2
    noise = torch.randn(40, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert loo_r2(belief(X, smooth).outputs) > 0.98
    assert loo_r2(belief(X, noise).outputs) < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_left_out_values_of_a_straight_scale_are_those_of_models_without_the_trial(seed):
    """By plain algebra on the covariance, with the hyperparameters of all data."""
    X, n = points(12, 1, seed), 12
    # Noise keeps the covariance far from singular.
    Y = (4 * X).sin() + 0.2 * torch.randn(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    fitted = belief(X, Y)
    model = fitted.outputs
    mean, sd = (v[:, 0].numpy() for v in left_out(fitted, NONE))
    at = 1e-4 + (1 - 2e-4) * X.numpy()[:, 0]  # off the edges, as `bbo.surrogates.warping` says
    a, b = (float(v[0, 0]) for v in model.warping)
    warped = 1 - (1 - at**a) ** b
    r = np.sqrt(5) * np.abs(warped[:, None] - warped) / float(model.length_scales[0, 0])
    K = float(model.outputscale[0]) * (1 + r + r**2 / 3) * np.exp(-r) + float(model.noise_variance[0]) * np.eye(n)
    y = model.Y[:, 0].numpy()
    constant = float(model.constant_mean[0])
    for k in range(n):
        others = np.arange(n) != k
        weights = np.linalg.solve(K[np.ix_(others, others)], K[others, k])
        expected = constant + weights @ (y[others] - constant)
        variance = K[k, k] - weights @ K[others, k]
        scale = fitted.scales[0].transform
        back = scale.location + scale.scale * expected
        assert scale.power == 1.0
        assert mean[k] == pytest.approx(back, rel=1e-6)
        assert sd[k] == pytest.approx(scale.scale * np.sqrt(variance), rel=1e-4)


def test_left_out_values_of_a_bent_scale_are_the_moments_of_what_it_bends():
    X = points(30, 1, 5)
    Y = (6 * X).exp()
    fitted = belief(X, Y)
    assert fitted.scales[0].transform.power != 1.0
    mean, sd = left_out(fitted, NONE)
    t, spread = (v[:, :1] for v in fitted.outputs.leave_one_out())
    draws = fitted.scales[0](t + spread * torch.randn(30, 20000, dtype=torch.float64, generator=torch.Generator()))
    error = draws.std(1) / 20000**0.5
    assert ((draws.mean(1) - mean[:, 0]).abs() < 5 * error + 1e-12).all()
    assert draws.std(1).numpy() == pytest.approx(sd[:, 0].numpy(), rel=0.1)


def test_constraints_are_left_out_beside_the_objective():
    X = points(20, 2, 1)
    G = torch.cat([X[:, :1] - 0.5, X[:, 1:] * X[:, :1]], 1)
    mean, sd = left_out(belief(X, (3 * X[:, :1]).sin(), G), NONE)
    assert mean.shape == sd.shape == (20, 3)
    assert (mean[:, 1:] - G).abs().max() < 0.1


def test_an_outlier_is_foretold_by_the_others_alone_and_as_surely_as_any_value():
    X = points(30, 2, 1)
    Y = (5 * X[:, :1]).sin() + X[:, 1:]
    Y[7] += 40.0
    model = ExactGP().fit(X, Y)
    assert model.outliers[:, 0].nonzero()[:, 0].tolist() == [7]
    mean, sd = model.leave_one_out()
    others = torch.arange(30) != 7
    without = ExactGP().fit(X[others], Y[others]).posterior(X[7:8][:, None], observation_noise=True)
    assert mean[7].item() == pytest.approx(without.mean.item(), abs=0.3 * sd[others].max().item())
    assert sd[7].item() == pytest.approx(without.variance.sqrt().item(), rel=0.5)
    assert abs(Y[7] - mean[7]) > 10 * sd[7]
