"""What every surrogate must do. A new one adds itself to the list."""

import random

import numpy as np
import pytest
import torch

from bbo.integrations.botorch import BoTorchSurrogate, single_task_gp
from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.priors import SAAS


def sparse():
    return ExactGP(length_scale=SAAS())


def of_botorch():
    return BoTorchSurrogate(single_task_gp)


OWN = [ExactGP, sparse]
# BoTorch says in warnings what it makes of constant, tiny and clustered data; ours is silent.
OF_BOTORCH = pytest.param(
    of_botorch,
    marks=pytest.mark.filterwarnings(
        "ignore::botorch.exceptions.warnings.InputDataWarning",
        "ignore::linear_operator.utils.warnings.NumericalWarning",
    ),
)
SURROGATES = [*OWN, OF_BOTORCH]

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def wave(X):
    return torch.stack([(5 * X[:, 0]).sin() + X[:, -1], (3 * X.sum(1)).cos()], 1)


def repeated_rows():
    X = uniform(6, 2).repeat(4, 1)
    return X, wave(X) + 0.1 * uniform(24, 2, seed=1)


def contradicting_rows():
    X = uniform(5, 2).repeat(4, 1)
    return X, uniform(20, 1, seed=1)


def constant_values():
    return uniform(12, 3), torch.full((12, 2), 0.1, dtype=D)


def huge_values():
    X = uniform(20, 3)
    return X, 1e12 * wave(X)


def tiny_values():
    X = uniform(20, 3)
    return X, 1e-12 * wave(X)


def far_from_zero():
    X = uniform(20, 3)
    return X, 1e9 + wave(X)


def one_outlier():
    X = uniform(30, 2)
    Y = wave(X)
    Y[7, 0] = 1e12
    return X, Y


def one_observation():
    return uniform(1, 3), uniform(1, 2, seed=1)


def two_observations():
    return uniform(2, 3), uniform(2, 1, seed=1)


def many_columns():
    X = uniform(30, 60)
    return X, wave(X)


def collinear_columns():
    x = uniform(25, 1)
    X = torch.cat([x, x, 1 - x], 1)
    return X, wave(X)


def one_line():
    x = torch.linspace(0, 1, 300, dtype=D)[:, None]
    return x, x.clone()


def corners_only():
    X = uniform(40, 6).round()
    return X, wave(X)


def clustered():
    X = 0.5 + 1e-7 * uniform(50, 2)
    return X, wave(X)


def step():
    X = uniform(40, 2)
    return X, (X[:, :1] > 0.5).to(D)


NASTY = [
    repeated_rows,
    contradicting_rows,
    constant_values,
    huge_values,
    tiny_values,
    far_from_zero,
    one_outlier,
    one_observation,
    two_observations,
    many_columns,
    collinear_columns,
    one_line,
    corners_only,
    clustered,
    step,
]

every_surrogate = pytest.mark.parametrize("make", SURROGATES, ids=lambda make: make.__name__)


@every_surrogate
@pytest.mark.parametrize("data", NASTY, ids=lambda data: data.__name__)
def test_nasty_data_are_fitted(make, data):
    X, Y = data()
    model = make().fit(X, Y)
    Z = torch.cat([X[:3], uniform(7, X.shape[1], seed=5)])
    mean, sd = model.mean_sd(Z)
    assert mean.shape == sd.shape == (len(Z), Y.shape[1])
    assert mean.isfinite().all()
    assert sd.isfinite().all()
    assert (sd > 0).all()
    spread = (Y.amax(0) - Y.amin(0)).clamp_min(1.0)
    assert (mean < Y.amax(0) + 10 * spread).all()
    assert (mean > Y.amin(0) - 10 * spread).all()
    more = model.condition_on(X[:1], Y[:1])
    assert more.mean_sd(Z)[1].isfinite().all()


@every_surrogate
def test_smooth_function_is_predicted_far_better_than_by_its_mean(make):
    X, Z = uniform(40, 3), uniform(100, 3, seed=1)
    mean, sd = make().fit(X, wave(X)).mean_sd(Z)
    error = mean - wave(Z)
    assert (error.square().mean(0) < 0.05 * wave(Z).var(0)).all()
    assert (error.abs() < 4 * sd).double().mean() > 0.9


@every_surrogate
def test_same_data_give_the_same_bits_from_a_fresh_and_a_used_object(make):
    X = uniform(25, 3)
    used = make()
    used.fit(X[:10], wave(X[:10]))
    first, second = used.fit(X, wave(X)), make().fit(X, wave(X))
    Z = uniform(5, 3, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.mean_sd(Z), second.mean_sd(Z), strict=True))
    assert first.hyperparameters == second.hyperparameters


@every_surrogate
def test_fitting_and_using_change_neither_the_data_nor_the_model(make):
    X = uniform(20, 3)
    Y, Yvar = wave(X), torch.full((20, 2), 0.01, dtype=D)
    copies = X.clone(), Y.clone(), Yvar.clone()
    model = make().fit(X, Y, Yvar)
    warm = model.hyperparameters
    make().fit(X, Y, warm=warm)
    before = model.mean_sd(X)
    model.condition_on(X[:2] / 2, Y[:2])
    model.posterior(X.reshape(5, 4, 3))
    assert all(torch.equal(a, b) for a, b in zip(copies, (X, Y, Yvar), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, model.mean_sd(X), strict=True))
    assert warm == model.hyperparameters


@every_surrogate
def test_data_given_and_changed_afterwards_do_not_change_the_model(make):
    X = uniform(20, 3)
    Y, Z = wave(X), uniform(4, 3, seed=1)
    model = make().fit(X, Y)
    before = model.mean_sd(Z)
    X.zero_()
    Y.zero_()
    assert all(torch.equal(a, b) for a, b in zip(before, model.mean_sd(Z), strict=True))


@every_surrogate
def test_posterior_is_joint_over_q_points_and_agrees_with_mean_and_sd(make):
    X = uniform(20, 3)
    model = make().fit(X, wave(X))
    assert model.num_outputs == 2
    posterior = model.posterior(uniform(4, 3, 3, seed=1))
    assert posterior.mean.shape == (4, 3, 2)
    mean, sd = model.mean_sd(uniform(4, 3, 3, seed=1).reshape(12, 3))
    assert torch.allclose(posterior.mean.reshape(12, 2), mean)
    assert torch.allclose(posterior.variance.reshape(12, 2), sd**2, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("make", OWN, ids=lambda make: make.__name__)  # GPyTorch makes some on the default device
def test_every_tensor_is_made_on_the_device_of_the_data(make):
    """One made without a device would be on the default one, where here no arithmetic with the data is possible."""
    X = uniform(150, 3)
    X[:, 1] = ((2 * X[:, 1]).floor() + 0.5) / 2
    Y, Z = wave(X), uniform(4, 3, seed=1)
    with torch.device("meta"):
        model = make().fit(X, Y, torch.full_like(Y, 0.1), structure=Structure({1: 2}))
        again = make().fit(X, Y, warm=model.hyperparameters).condition_on(Z, wave(Z))
        assert all(values.device == X.device for values in again.mean_sd(Z))
        assert again.posterior(Z).mean.device == X.device


@every_surrogate
def test_no_global_random_state_is_touched(make):
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002 - it is watched
    X = uniform(420, 2)
    make().fit(X, wave(X)).mean_sd(X)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    assert states[2] == random.getstate()
