import numpy as np
import pytest
import torch

from bbo.surrogates.conditioned import Conditioned
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.observations import Observations

D = torch.float64
NAN = float("nan")


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def wave(X):
    return (5 * X[:, :1]).sin() + X[:, 1:2] ** 2


def numpy_kernel(model, A, B):
    """Matern-5/2 over warped columns by its definition, of the first output, in the units of Y."""
    a, b = (exponents[0].numpy() for exponents in model.warping)

    def bent(X):
        return 1 - (1 - (1e-4 + 0.9998 * X.numpy()) ** a) ** b

    gap = (bent(A)[:, None] - bent(B)[None]) / model.length_scales[0].numpy()
    r = np.sqrt(5 * (gap**2).sum(2))
    return model.outputscale[0].item() * (1 + r + r * r / 3) * np.exp(-r)


def numpy_posterior(model, noise, Z, rows=slice(None)):
    """Rasmussen & Williams (2006), Eq. 2.25 and 2.26, with a noise variance of its own for each observation."""
    X, y = model.X[rows], model.Y[rows, 0].numpy()
    inverse = np.linalg.inv(numpy_kernel(model, X, X) + np.diag(noise[rows]))
    cross, c = numpy_kernel(model, Z, X), model.constant_mean.item()
    variance = model.outputscale[0].item() - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    return c + cross @ inverse @ (y - c), np.sqrt(variance)


def told(n=24, seed=0):
    """Of every third value the noise is known, of another third the value is a mean of four."""
    X = uniform(n, 2, seed=seed)
    sd = torch.where(torch.arange(n) % 3 == 0, 0.3, NAN).to(D)[:, None]
    sd[3] = 0.05
    counts = torch.ones(n, 1, dtype=D)
    counts[1::3] = 4
    Y = wave(X) + torch.where(sd.isnan(), 0.2 / counts.sqrt(), sd) * normal(n, 1, seed=seed)
    return X, Y, sd**2, counts


def test_known_noise_and_counts_give_the_posterior_of_the_dense_formula():
    X, Y, Yvar, counts = told()
    Z = uniform(9, 2, seed=1)
    model = ExactGP().fit(X, Y, Yvar, counts)
    assert not model.outliers.any()
    noise = torch.where(Yvar.isnan(), model.noise_variance / counts, Yvar)[:, 0].numpy()
    for ours, reference in zip(model.mean_sd(Z), numpy_posterior(model, noise, Z), strict=True):
        assert np.allclose(ours[:, 0], reference, rtol=1e-5, atol=1e-7)
    mean, sd = model.leave_one_out()
    for i in range(len(X)):
        left_out = numpy_posterior(model, noise, X[i : i + 1], [j for j in range(len(X)) if j != i])
        assert mean[i, 0].item() == pytest.approx(left_out[0][0], abs=1e-7)
        assert sd[i, 0].item() == pytest.approx((left_out[1][0] ** 2 + noise[i]) ** 0.5, rel=1e-6)


def test_conditioning_takes_the_noise_of_new_values_where_it_is_known_and_infers_it_else():
    X, Y, Yvar, counts = told()
    Z, X_new = uniform(9, 2, seed=1), uniform(3, 2, seed=2)
    model = ExactGP().fit(X, Y, Yvar, counts)
    Yvar_new = torch.tensor([[0.25], [NAN], [0.01]], dtype=D)
    more = model.condition_on(X_new, wave(X_new), Yvar_new)
    noise = torch.where(Yvar.isnan(), model.noise_variance / counts, Yvar)
    new = torch.where(Yvar_new.isnan(), model.noise_variance, Yvar_new)
    noise = torch.cat([noise, new])[:, 0].numpy()
    for ours, reference in zip(more.mean_sd(Z), numpy_posterior(more, noise, Z), strict=True):
        assert np.allclose(ours[:, 0], reference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_replicates_as_rows_give_the_posterior_that_their_means_give(seed):
    X, Z = uniform(10, 2, seed=seed), uniform(6, 2, seed=seed + 1)
    counts = torch.randint(1, 6, (10,), generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(10).repeat_interleave(counts)
    singles = wave(X)[rows] + 0.3 * normal(len(rows), 1, seed=seed)
    means = torch.zeros(10, 1, dtype=D).index_add_(0, rows, singles) / counts[:, None]
    one, v = torch.ones(1, dtype=D), 0.09

    def posterior(X, y, noise):
        return Conditioned.on(2 * X[None], y.mT, noise[None], one).at(2 * Z[None], one)[:2]

    by_rows = posterior(X[rows], singles, torch.full((len(rows),), v, dtype=D))
    by_means = posterior(X, means, v / counts.to(D))
    for a, b in zip(by_rows, by_means, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-10)


def test_noise_of_one_measurement_is_inferred_from_means_of_many():
    X = uniform(90, 2)
    counts = torch.full((90, 1), 4.0, dtype=D)
    Y = wave(X) + 0.3 / 2 * normal(90, 1)
    Y = torch.cat([Y, Y], 1)
    model = ExactGP().fit(X, Y, counts=torch.cat([counts, torch.ones_like(counts)], 1))
    ratio = model.noise_variance[0] / model.noise_variance[1]
    assert model.noise_variance[0].sqrt().item() == pytest.approx(0.3, rel=0.3)
    assert ratio.item() == pytest.approx(4.0, rel=0.15)


def test_known_noise_of_some_values_leaves_that_of_the_others_to_be_inferred():
    X = uniform(80, 2)
    is_known = (torch.arange(80) % 2 == 0)[:, None]
    sd = torch.where(is_known, 1.0, 0.1)
    Y = wave(X) + sd * normal(80, 1)
    model = ExactGP().fit(X, Y, torch.where(is_known, 1.0, NAN).to(D))
    assert model.noise_variance.sqrt().item() == pytest.approx(0.1, rel=0.5)
    assert ExactGP().fit(X, Y).noise_variance.sqrt() > 0.4


def test_where_all_noise_is_known_a_further_value_has_the_mean_of_it():
    X = uniform(30, 2)
    Yvar = torch.linspace(0.01, 0.03, 30, dtype=D)[:, None]
    model = ExactGP().fit(X, wave(X), Yvar)
    assert model.noise_variance.item() == pytest.approx(0.02)
    mixed = ExactGP().fit(X, wave(X).expand(-1, 2), torch.cat([Yvar, torch.full_like(Yvar, NAN)], 1))
    assert mixed.noise_variance[0].item() == pytest.approx(0.02)
    assert mixed.noise_variance[1] < 1e-3


def test_order_of_observations_changes_neither_hyperparameters_nor_posterior():
    X, Y, Yvar, counts = told()
    Z = uniform(5, 2, seed=3)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    model = ExactGP().fit(X, Y, Yvar, counts)
    again = ExactGP().fit(X[order], Y[order], Yvar[order], counts[order])
    assert model.hyperparameters == again.hyperparameters
    assert torch.allclose(model.mean_sd(Z)[0], again.mean_sd(Z)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_units_are_those_of_the_values_that_are_no_outliers(size):
    Y = size * torch.tensor([[1.0, 2.0, 3.0, 1e5]], dtype=D)
    extra = size * torch.tensor([[0.0, 0.0, 0.0, 1e5]], dtype=D)
    observations = Observations.of(Y.mT, None, None).doubting(extra)
    location, scale = observations.units
    assert location.item() == pytest.approx(2 * size)
    assert scale.item() == pytest.approx(size * (2 / 3) ** 0.5)
    assert observations.y[0, :3].tolist() == pytest.approx([-(1.5**0.5), 0.0, 1.5**0.5])


@pytest.mark.parametrize(
    ("Yvar", "counts", "said"),
    [
        (torch.ones(3, 2, dtype=D), None, "Yvar must have the shape of Y"),
        (-torch.ones(3, 1, dtype=D), None, "Yvar is a variance"),
        (torch.full((3, 1), torch.inf, dtype=D), None, "not finite"),
        (None, torch.ones(3, dtype=D), "counts must have the shape of Y"),
        (None, torch.zeros(3, 1, dtype=D), "at least 1 each: got 0.0"),
    ],
)
def test_noise_that_cannot_be_is_refused(Yvar, counts, said):
    X = uniform(3, 2)
    with pytest.raises(ValueError, match=said):
        ExactGP().fit(X, wave(X), Yvar, counts)


@pytest.mark.parametrize("seed", range(3))
def test_further_noise_by_woodbury_is_that_of_the_dense_inverse(seed):
    """The noise of some observations grows, that of others falls; two outputs, not the same observations."""
    F, y = uniform(2, 30, 3, seed=seed), normal(2, 30, seed=seed)
    noise = 0.1 + uniform(2, 30, seed=seed + 1)
    scale = torch.tensor([1.0, 2.5], dtype=D)
    more = torch.zeros(2, 30, dtype=D)
    more[0, [3, 8]], more[1, [8, 20]] = torch.tensor([40.0, 0.2], dtype=D), torch.tensor([1e6, -0.05], dtype=D)
    a, precision = Conditioned.on(F, y, noise, scale).noisier(more)
    gap = F[:, :, None].numpy() - F[:, None].numpy()
    r = np.sqrt(5 * (gap**2).sum(3))
    for k in range(2):
        K = scale[k].item() * (1 + r[k] + r[k] ** 2 / 3) * np.exp(-r[k]) + np.diag((noise + more)[k].numpy())
        inverse, one = np.linalg.inv(K), np.ones(30)
        mean = one @ inverse @ y[k].numpy() / (one @ inverse @ one)
        assert np.allclose(a[k].numpy(), inverse @ (y[k].numpy() - mean), rtol=1e-8, atol=1e-10)
        assert np.allclose(precision[k].numpy(), np.diag(inverse), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("k", [10, 100])
def test_noise_that_replicates_tell_is_found_where_nothing_else_is_to_be_found(k):
    singles = torch.randn(20, k, dtype=D, generator=torch.Generator().manual_seed(k))
    mean, scatter = singles.mean(1, keepdim=True), singles.std(1, keepdim=True)
    X = torch.rand(20, 2, dtype=D, generator=torch.Generator().manual_seed(0))
    model = ExactGP().fit(X, mean, None, torch.full_like(mean, k), scatter)
    assert model.noise_variance.item() == pytest.approx(1.0, rel=0.25)
