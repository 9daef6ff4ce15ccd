import json
import math
from dataclasses import replace

import botorch
import gpytorch
import pytest
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.models.transforms.input import Warp
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from hypothesis import given, settings
from hypothesis import strategies as st

from bbo.errors import FitError
from bbo.space.structure import Structure
from bbo.surrogates import exact_gp, mode
from bbo.surrogates.conditioned import Conditioned
from bbo.surrogates.exact_gp import LADDER, ExactGP
from bbo.surrogates.kernel import Columns
from bbo.surrogates.lbfgs import Box, maximize
from bbo.surrogates.marginal import LogPosterior
from bbo.surrogates.priors import SAAS, Hierarchical, LogNormal

D = torch.float64


def uniform(*shape, seed=0):
    return torch.rand(*shape, dtype=D, generator=torch.Generator().manual_seed(seed))


def smooth(X):
    return torch.stack([(4 * X[:, 0]).sin() + X[:, 1] ** 2, 100 * (3 * X[:, 1] - X[:, 0]).cos() - 40], 1)


def fitted(n=14, d=3, seed=0):
    X = uniform(n, d, seed=seed)
    return ExactGP().fit(X, smooth(X))


def naive_warped(model, x, k, j):
    """Kumaraswamy's distribution function of the column moved by 1e-4 from both edges, in numpy."""
    a, b = (exponents[k, j].numpy() for exponents in model.warping)
    return torch.from_numpy(1 - (1 - (1e-4 + 0.9998 * x.numpy()) ** a) ** b)


def naive_kernel(model, A, B, k, categorical=()):
    """The covariance in the units of Y, by its definition."""
    r2 = torch.zeros(len(A), len(B), dtype=D)
    for j in range(A.shape[1]):
        if j in categorical:
            gap = 0.3 * ((A[:, None, j] - B[None, :, j]).abs() > 1e-9).to(D)
            place = model.positions[j][k]
            level_a, level_b = ((Z[:, j] * len(place)).long() for Z in (A, B))
            r2 += (place[level_a, None] - place[level_b]).square().sum(2)
        else:
            gap = naive_warped(model, A[:, j], k, j)[:, None] - naive_warped(model, B[:, j], k, j)
        r2 += (gap / model.settled.length_scales[k, j]) ** 2
    a = (5 * r2).sqrt()
    return model.outputscale[k] * (1 + a + a * a / 3) * (-a).exp()


def naive_posterior(model, Z, k, X=None, Y=None, constant=None, categorical=()):
    """Rasmussen & Williams (2006), Eq. 2.23 and 2.24, with matrices inverted as they stand."""
    X, Y = (model.X, model.Y) if X is None else (X, Y)
    inverse = (
        naive_kernel(model, X, X, k, categorical) + model.noise_variance[k] * torch.eye(len(X), dtype=D)
    ).inverse()
    constant = inverse.sum(0) @ Y[:, k] / inverse.sum() if constant is None else constant
    cross = naive_kernel(model, Z, X, k, categorical)
    mean = constant + cross @ inverse @ (Y[:, k] - constant)
    return mean, naive_kernel(model, Z, Z, k, categorical) - cross @ inverse @ cross.mT


def test_posterior_equals_the_naive_formula():
    model, Z = fitted(), uniform(5, 3, seed=7)
    mean, sd = model.mean_sd(Z)
    joint = model.posterior(Z)
    assert mean.shape == sd.shape == (5, 2)
    for k in range(2):
        reference, covariance = naive_posterior(model, Z, k)
        unit = model.outputscale[k].sqrt().item()
        assert torch.allclose(mean[:, k], reference, rtol=0, atol=1e-7 * unit)
        assert torch.allclose(sd[:, k] ** 2, covariance.diagonal(), rtol=0, atol=1e-8 * unit**2)
        own = joint.distribution.covariance_matrix.reshape(2, 5, 2, 5)[k, :, k]
        assert torch.allclose(own, covariance, rtol=0, atol=1e-8 * unit**2)


def test_joint_posterior_equals_gpytorch():
    model, Z = fitted(), uniform(2, 4, 3, seed=3)
    kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=3)).double()
    mean = gpytorch.means.ConstantMean().double()
    warp = Warp(3, [0, 1, 2], eps=1e-4, bounds=torch.tensor([[0.0] * 3, [1.0] * 3])).double()
    a, b = model.warping
    assert (a[0] - 1).abs().max() > 0.1
    warp._set_concentration(1, a[0])
    warp._set_concentration(0, b[0])
    reference = botorch.models.SingleTaskGP(
        model.X,
        model.Y[:, :1],
        covar_module=kernel,
        mean_module=mean,
        outcome_transform=None,
        input_transform=warp,
    )
    kernel.base_kernel.lengthscale, kernel.outputscale = model.length_scales[0], model.outputscale[0]
    mean.constant = model.constant_mean[0]
    reference.likelihood.noise_covar.raw_noise_constraint = gpytorch.constraints.GreaterThan(1e-12)
    reference.likelihood.noise = model.noise_variance[0]
    theirs, ours = reference.posterior(Z), model.posterior(Z, output_indices=[0])
    assert torch.allclose(ours.mean, theirs.mean, atol=1e-6)
    assert torch.allclose(ours.distribution.covariance_matrix, theirs.distribution.covariance_matrix, rtol=0, atol=1e-6)


def test_posterior_of_several_outputs_keeps_its_shapes_and_units():
    model, X = fitted(), uniform(6, 2, 3, seed=1)
    posterior = model.posterior(X)
    assert posterior.mean.shape == posterior.variance.shape == (6, 2, 2)
    assert model.posterior(X[0]).mean.shape == (2, 2)
    mean, sd = model.mean_sd(X.reshape(-1, 3))
    assert torch.allclose(posterior.mean.reshape(-1, 2), mean)
    assert torch.allclose(posterior.variance.reshape(-1, 2), sd**2, rtol=1e-6)
    noisy = model.posterior(X, observation_noise=True)
    assert torch.allclose(noisy.variance - posterior.variance, model.noise_variance.expand(6, 2, 2), atol=1e-8)


def test_mean_and_sd_have_their_gradients():
    model = fitted()
    assert torch.autograd.gradcheck(model.mean_sd, uniform(3, 3, seed=9).requires_grad_())


def test_nothing_of_a_fit_is_kept_from_autograd():
    X = uniform(12, 3)
    X[:, 1] = ((X[:, 1] * 3).floor() + 0.5) / 3
    model = ExactGP().fit(X, smooth(X), structure=Structure({1: 3}))
    kept = (model.columns.owner, model.settled.length_scales, model.conditioned.R, model.log_evidence)
    assert not any(tensor.is_inference() for tensor in kept)


def test_categorical_column_is_judged_by_equality_alone():
    X = uniform(20, 3)
    X[:, 1] = ((X[:, 1] * 3).floor() + 0.5) / 3
    Y = (5 * X[:, :1]).sin() + torch.tensor([0.0, 2.0, -1.0], dtype=D)[(X[:, 1] * 3).long()][:, None]
    model = ExactGP().fit(X, Y, structure=Structure({1: 3}))
    Z = torch.cat([uniform(6, 1, seed=2), X[:6, 1:2], uniform(6, 1, seed=3)], 1)
    mean, _ = model.mean_sd(Z)
    reference, _ = naive_posterior(model, Z, 0, categorical=(1,))
    assert torch.allclose(mean[:, 0], reference, atol=1e-7)
    # Other names for the levels change nothing.
    renamed, Z_renamed = X.clone(), Z.clone()
    renamed[:, 1], Z_renamed[:, 1] = 1 - X[:, 1], 1 - Z[:, 1]
    again, _ = ExactGP().fit(renamed, Y, structure=Structure({1: 3})).mean_sd(Z_renamed)
    assert torch.allclose(mean, again, atol=1e-3)


def test_left_out_observations_are_predicted_as_a_refit_without_them_does():
    model = fitted(n=10)
    mean, sd = model.leave_one_out()
    assert mean.shape == sd.shape == (10, 2)
    for i in range(10):
        rest = torch.arange(10) != i
        for k in range(2):
            reference, covariance = naive_posterior(
                model, model.X[i : i + 1], k, model.X[rest], model.Y[rest], model.constant_mean[k]
            )
            assert mean[i, k].item() == pytest.approx(reference.item(), rel=1e-5, abs=1e-7)
            variance = covariance.item() + model.noise_variance[k].item()
            assert sd[i, k].item() == pytest.approx(variance**0.5, rel=1e-5)


def test_conditioning_equals_a_refit_under_the_same_hyperparameters():
    model, Z = fitted(), uniform(5, 3, seed=4)
    X_new = uniform(3, 3, seed=5)
    before = model.mean_sd(Z)
    more = model.condition_on(X_new, smooth(X_new))
    assert all(torch.equal(a, b) for a, b in zip(before, model.mean_sd(Z), strict=True))
    assert more.X.shape == (17, 3)
    mean, sd = more.mean_sd(Z)
    for k in range(2):
        reference, covariance = naive_posterior(more, Z, k, constant=model.constant_mean[k])
        unit = model.outputscale[k].sqrt().item()
        assert torch.allclose(mean[:, k], reference, rtol=0, atol=1e-6 * unit)
        assert torch.allclose(sd[:, k] ** 2, covariance.diagonal(), rtol=0, atol=1e-8 * unit**2)


def test_conditioning_twice_equals_conditioning_once():
    model, Z, X_new = fitted(), uniform(5, 3, seed=4), uniform(3, 3, seed=5)
    once = model.condition_on(X_new, smooth(X_new))
    twice = model.condition_on(X_new[:1], smooth(X_new[:1])).condition_on(X_new[1:], smooth(X_new[1:]))
    for a, b in zip(once.mean_sd(Z), twice.mean_sd(Z), strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-7)


def test_an_observation_can_be_repeated_in_conditioning():
    model = fitted()
    again = model.condition_on(model.X[:2], model.Y[:2])
    assert all(values.isfinite().all() for values in again.mean_sd(model.X))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_observations_changes_no_posterior(seed):
    X = uniform(16, 3, seed=seed)
    Y, Z = smooth(X), uniform(8, 3, seed=seed + 1)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    mean, sd = ExactGP().fit(X, Y).mean_sd(Z)
    mean_2, sd_2 = ExactGP().fit(X[order], Y[order]).mean_sd(Z)
    assert torch.allclose(mean, mean_2, rtol=1e-8, atol=1e-8)
    assert torch.allclose(sd, sd_2, rtol=1e-6, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1.0, 100.0))
def test_more_noise_never_shrinks_the_variance(seed, factor):
    X, Z = uniform(12, 2, seed=seed), uniform(6, 2, seed=seed + 1)
    y, one = smooth(X)[:, 0][None], torch.ones(1, dtype=D)
    noise = 0.01 + 0.1 * uniform(1, 12, seed=seed + 2)

    def variance(noise):
        c = Conditioned.on(X[None], y, noise, one)
        return c.at(Z[None], one)[1]

    assert (variance(noise * factor) >= variance(noise) - 1e-12).all()


def test_noise_and_signal_are_told_apart():
    """Noise of 10 % of the spread is found; a function without noise is taken for one nearly without."""
    X = uniform(60, 2)
    clean = smooth(X)[:, :1]
    noise = torch.randn(60, 1, dtype=D, generator=torch.Generator().manual_seed(1))
    sd = clean.std()
    model = ExactGP().fit(X, torch.cat([clean, clean + 0.1 * sd * noise], 1))
    assert model.noise_variance[0] < 1e-4 * sd**2
    assert model.noise_variance[1].sqrt().item() == pytest.approx(0.1 * sd.item(), rel=0.35)


def test_known_noise_is_used_and_none_is_inferred():
    X = uniform(30, 2)
    Y = smooth(X)[:, :1]
    Yvar = torch.full_like(Y, 0.5)
    model = ExactGP().fit(X, Y, Yvar)
    assert model.noise_variance.item() == pytest.approx(0.5)
    Yvar[0] = 1e-6
    sharper = ExactGP().fit(X, Y, Yvar)
    assert sharper.mean_sd(X[:1])[1] < 0.1 * model.mean_sd(X[:1])[1]


@pytest.mark.parametrize("gp", [ExactGP(), ExactGP(length_scale=SAAS())], ids=["default", "sparse"])
def test_hyperparameters_are_at_a_stationary_point_that_no_other_start_beats(gp):
    """Against the density written naively and climbed from many random starts."""
    X = uniform(40, 4)
    Y = ((6 * X[:, :1]).sin() + X[:, 1:2]) + 0.2 * torch.randn(
        40, 1, dtype=D, generator=torch.Generator().manual_seed(0)
    )
    model = gp.fit(X, Y)
    y = ((Y - Y.mean()) / Y.std(correction=0)).mT
    scale2 = Y.var(correction=0)
    columns = Columns(4, Structure(), X.device, is_warped=True)
    prior = gp._prior(columns, X)
    density = LogPosterior(columns, X, y, torch.zeros_like(y), torch.ones_like(y), prior)
    ends = model.noise_variance / scale2, model.outputscale / scale2
    parts = torch.cat([model.length_scales[0], *(e[0] for e in model.warping), *ends])
    reached, slope = density(parts.log()[None])
    starts = prior.location + 1.5 * torch.randn(20, 14, dtype=D, generator=torch.Generator().manual_seed(2))
    many = LogPosterior(columns, X, y.expand(20, -1), torch.zeros(20, 40, dtype=D), torch.ones(20, 40, dtype=D), prior)
    box = torch.full((14,), -13.0, dtype=D), torch.full((14,), 9.0, dtype=D)
    box[0][4:12], box[1][4:12] = -math.log(10), math.log(10)
    _, best = maximize(many, starts, Box(*box), max_evaluations=300)
    assert slope.abs().max() < 0.1
    assert reached.item() > best.max().item() - 0.01


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_that_goes_on_from_an_earlier_one_takes_few_steps_and_ends_where_a_cold_one_does(seed, monkeypatch):
    X = uniform(40, 3, seed=seed)
    Y = smooth(X)
    cold = ExactGP().fit(X, Y)
    warm = json.loads(json.dumps(ExactGP().fit(X[:36], Y[:36]).hyperparameters))
    calls = []
    monkeypatch.setattr(LogPosterior, "__call__", lambda *args, of=LogPosterior.__call__: calls.append(1) or of(*args))
    again = ExactGP().fit(X, Y, warm=warm)
    assert len(calls) <= 12
    assert torch.allclose(cold.mean_sd(X)[0], again.mean_sd(X)[0], rtol=0.01, atol=0.01)
    assert torch.allclose(cold.log_evidence, again.log_evidence, atol=0.02)
    other = {name: values[:1] for name, values in warm.items()}
    assert torch.equal(ExactGP().fit(X, Y, warm=other).length_scales, cold.length_scales)


def test_a_subset_hardly_changes_as_rows_are_added_in_whatever_order():
    X = uniform(1000, 3)
    columns, gp = Columns(3, Structure(), X.device, is_warped=True), ExactGP()

    def chosen(rows):
        F = X[rows]
        order = torch.unique(F, dim=0, return_inverse=True)[1].argsort(stable=True)
        search = gp._search(LADDER[0], columns, F, order, 1.0)
        return {int(i) for i in rows[order[search._shuffled()[:400]]]}

    before, after = chosen(torch.arange(980)), chosen(torch.randperm(1000, generator=torch.Generator().manual_seed(0)))
    assert len(before - after) < 30
    assert len(after) == 400
    # Nor are they of one corner.
    assert (X[list(after)].mean(0) - 0.5).abs().max() < 0.06


@pytest.mark.parametrize("other", [{"length_scales": [[1.0]] * 2, "noise": [0.1] * 2, "outputscale": [1.0] * 2}, {}])
def test_hyperparameters_of_another_kind_are_no_start(other):
    X = uniform(20, 1)
    Y = smooth(X.expand(-1, 2))
    assert torch.equal(ExactGP().fit(X, Y, warm=other).length_scales, ExactGP().fit(X, Y).length_scales)


def dense_evidence(gp, model, k):
    """Per observation: log density of the values under the dense covariance, and of standardized hyperparameters."""
    K = naive_kernel(model, model.X, model.X, k) + model.noise_variance[k] * torch.eye(len(model.X), dtype=D)
    mean = model.constant_mean[k].expand(len(model.X))
    values = torch.distributions.MultivariateNormal(mean, K).log_prob(model.Y[:, k])
    scale2 = model.Y[:, k].var(correction=0)
    d = model.X.shape[1]
    priors = [
        (model.length_scales[k], gp.length_scale.mode * math.sqrt(d), gp.length_scale.scale),
        *((e[k], 1.0, gp.warping.scale) for e in model.warping if gp.warping is not None),
        (model.noise_variance[k] / scale2, gp.noise.mode, gp.noise.scale),
        (model.outputscale[k] / scale2, gp.outputscale.mode, gp.outputscale.scale),
    ]
    z = torch.cat([((h.log() - math.log(mode)) / scale).reshape(-1) for h, mode, scale in priors])
    return (values.item() - 0.5 * (z * z).sum().item()) / len(model.X)


@pytest.mark.parametrize("n", [14, 450])
def test_evidence_equals_the_dense_density_of_all_values_and_hyperparameters(n):
    gp = ExactGP(noise=LogNormal(1e-2, 1.0), length_scale=LogNormal(0.5, 1.0))
    X = uniform(n, 2)
    model = gp.fit(X, smooth(X) + 0.2 * uniform(n, 2, seed=1))
    assert model.log_evidence.shape == (2,)
    for k in range(2):
        assert model.log_evidence[k].item() == pytest.approx(dense_evidence(gp, model, k), rel=1e-6)


def test_evidence_is_a_density_in_the_units_of_the_values():
    X = uniform(20, 3)
    Y = smooth(X)
    plain, scaled = ExactGP().fit(X, Y), ExactGP().fit(X, 1000 * Y - 7)
    assert torch.allclose(plain.log_evidence - scaled.log_evidence, torch.tensor(1000.0, dtype=D).log(), atol=1e-4)
    more = plain.condition_on(X[:2] / 2, Y[:2])
    assert torch.equal(more.log_evidence, plain.log_evidence)


def test_some_outputs_of_a_model_are_a_model_with_the_same_posterior():
    X, Z = uniform(14, 3), uniform(5, 3, seed=7)
    Y = torch.cat([smooth(X), X.prod(1, keepdim=True)], 1)
    model = ExactGP().fit(X, Y)
    for idcs in ([2, 0], [1], [1, 1, 2]):
        part = model.subset_output(idcs)
        assert part.num_outputs == len(idcs)
        assert torch.equal(part.Y, Y[:, idcs])
        assert torch.equal(part.log_evidence, model.log_evidence[idcs])
        assert torch.equal(part.noise_variance, model.noise_variance[idcs])
        for name, values in model.hyperparameters.items():
            assert part.hyperparameters[name] == [values[k] for k in idcs]
        for ours, whole in zip(part.mean_sd(Z), model.mean_sd(Z), strict=True):
            assert torch.allclose(ours, whole[:, idcs], rtol=1e-12, atol=1e-12)
        joint = part.posterior(Z)
        assert torch.allclose(joint.mean, model.posterior(Z).mean[:, idcs], rtol=1e-12)
        assert torch.allclose(joint.variance, model.posterior(Z).variance[:, idcs], rtol=1e-9)
        assert torch.allclose(part.leave_one_out()[0], model.leave_one_out()[0][:, idcs])
        more = part.condition_on(Z, torch.zeros(5, len(idcs), dtype=D)).mean_sd(X)
        both = model.condition_on(Z, torch.zeros(5, 3, dtype=D)).mean_sd(X)
        assert all(torch.allclose(a, b[:, idcs]) for a, b in zip(more, both, strict=True))


def test_without_warping_the_exponents_are_one_and_the_posterior_is_the_plain_one():
    X, Z = uniform(14, 3), uniform(5, 3, seed=7)
    model = ExactGP(warping=None).fit(X, smooth(X))
    assert all((exponents == 1).all() for exponents in model.warping)
    for k in range(2):
        K, cross = plain_kernel(model, X, X, k), plain_kernel(model, Z, X, k)
        K += model.noise_variance[k] * torch.eye(14, dtype=D)
        c = model.constant_mean[k]
        mean = c + cross @ torch.linalg.solve(K, model.Y[:, k] - c)
        unit = model.outputscale[k].sqrt().item()
        assert torch.allclose(model.mean_sd(Z)[0][:, k], mean, rtol=0, atol=1e-7 * unit)


def plain_kernel(model, A, B, k):
    kernel = gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=A.shape[1]).double()
    kernel.lengthscale = model.length_scales[k]
    return model.outputscale[k] * kernel(A, B).to_dense().detach()


def test_large_data_are_all_in_the_posterior():
    X = uniform(450, 2)
    Y = smooth(X)
    Y[-1] += 500.0
    model = ExactGP(subset=100, noise=LogNormal(1e-6, 0.1), outliers=None).fit(X, Y)
    mean, _ = model.mean_sd(X[-1:])
    assert (mean - Y[-1:]).abs().max() < 100


def broken(rung):
    """As the rung, but with noise too small to tell rows that repeat apart, whatever is fitted."""
    return replace(rung, least_noise=1e-300, is_fitted=False)


@pytest.mark.parametrize("k", range(len(LADDER)), ids=[rung.name for rung in LADDER])
def test_every_rung_holds_where_those_above_it_broke_on_rows_that_repeat(k, monkeypatch):
    X = uniform(5, 2).repeat(8, 1)
    Y = smooth(X) + 0.1 * uniform(40, 2, seed=1)
    gp = ExactGP(noise=LogNormal(1e-300, 1.0))
    monkeypatch.setattr(exact_gp, "LADDER", (*(broken(rung) for rung in LADDER[:k]), *LADDER[k:]))
    model = gp.fit(X, Y)
    assert model.rung == LADDER[k].name
    mean = model.mean_sd(X)[0]
    assert ((mean - Y).abs() < 0.5 * Y.std(0)).all()
    noise = model.noise_variance / model.scale.square()
    assert (noise > 0.99 * LADDER[k].least_noise).all()


def test_a_ladder_without_a_sound_rung_says_so_at_its_end(monkeypatch):
    X = uniform(5, 2).repeat(8, 1)
    monkeypatch.setattr(exact_gp, "LADDER", tuple(broken(rung) for rung in LADDER))
    with pytest.raises(FitError, match="not positive definite"):
        ExactGP(noise=LogNormal(1e-300, 1.0)).fit(X, smooth(X))


def test_a_search_that_reached_no_finite_density_is_left_for_the_next_rung(monkeypatch):
    """Values that no density is finite for, as long as hyperparameters are sought."""
    X = uniform(12, 2)

    def lost(*args, **options):
        theta, value = maximize(*args, **options)
        return theta, torch.full_like(value, -torch.inf)

    monkeypatch.setattr(mode, "maximize", lost)
    assert ExactGP().fit(X, smooth(X)).rung == "prior"


def test_rungs_narrow_the_ranges_and_draw_further_starts():
    X = uniform(20, 2)
    columns, gp = Columns(2, Structure(), X.device, is_warped=True), ExactGP()
    wide, narrow = (gp._search(rung, columns, X, torch.arange(20), 1.0) for rung in (LADDER[1], LADDER[2]))
    centre = wide.mode(1)[0]
    assert torch.allclose(narrow.upper - centre, 0.3 * (wide.upper - centre))
    assert torch.allclose(narrow.lower - centre, 0.3 * (wide.lower - centre))
    starts = [exact_gp._starts(wide, wide.mode(2), n_drawn).shape for n_drawn in (0, 16)]
    assert starts == [(3, 2, 8), (19, 2, 8)]


def nasty(seed):
    """Data of a kind and a size of their own: inputs, values, and what is said of their noise."""
    g = torch.Generator().manual_seed(seed)

    def of(*choices):
        return choices[int(torch.randint(len(choices), (1,), generator=g))]

    n, d, m = of(1, 2, 3, 8, 21), of(1, 2, 5, 60), of(1, 2)
    X = torch.rand(n, d, dtype=D, generator=g)
    X = of(X, X.round(), X[torch.randint(max(1, n // 3), (n,), generator=g)], X[:, :1].expand(-1, d).clone(), 1e-9 * X)
    Y = torch.randn(n, m, dtype=D, generator=g)
    Y = of(Y, smooth(X.repeat(1, 2))[:, :m], torch.full_like(Y, 0.1), Y.sign(), (30 * Y).exp(), Y**7)
    Y = (of(1.0, 1e12, 1e-12, 1e-300, 1e290) * Y + of(0.0, 1.0, 1e9)).clamp(-1e300, 1e300)
    Y[int(torch.randint(n, (1,), generator=g)), 0] = of(float(Y[0, 0]), 1e12, -1e300)
    known = torch.full((n, m), of(0.0, 1e-12, 1.0, 1e300), dtype=D)
    known[torch.rand(n, m, generator=g) < 0.5] = torch.nan
    Yvar = of(None, known)
    counts = of(None, torch.randint(1, 9, (n, m), generator=g))
    categorical = {0: 4} if of(False, False, True) else {}
    if categorical:
        X[:, 0] = ((4 * X[:, 0]).floor().clamp_max(3) + 0.5) / 4
    return X, Y, Yvar, counts, categorical


@pytest.mark.parametrize("block", range(10))
def test_any_finite_data_are_fitted(block):
    """Thirty at a time."""
    for seed in range(30 * block, 30 * block + 30):
        X, Y, Yvar, counts, categorical = nasty(seed)
        model = ExactGP(max_evaluations=6).fit(X, Y, Yvar, counts, structure=Structure(categorical))
        Z = torch.cat([X[:2], uniform(3, X.shape[1], seed=seed)])
        mean, sd = model.mean_sd(Z)
        assert mean.isfinite().all(), seed
        assert sd.isfinite().all(), seed
        assert (sd > 0).all(), seed
        assert model.log_evidence.isfinite().all(), seed
        json.dumps(model.hyperparameters, allow_nan=False)


@pytest.mark.parametrize(
    ("X", "Y", "said"),
    [
        (uniform(3), uniform(3, 1), "n x d"),
        (uniform(3, 2), uniform(3), "unsqueeze"),
        (uniform(3, 2), uniform(4, 1), "n x m"),
        (uniform(3, 2).float(), uniform(3, 1), "float64"),
        (uniform(3, 2), uniform(3, 1) / 0, "not finite"),
        (uniform(3, 2) + torch.tensor([0.0, 1.0]), uniform(3, 1), "column 1 goes from 1."),
    ],
)
def test_data_that_cannot_be_fitted_are_refused_with_the_remedy(X, Y, said):
    with pytest.raises(ValueError, match=said):
        ExactGP().fit(X, Y)


def test_acquisitions_of_botorch_work_on_the_model():
    X = uniform(15, 2)
    Y = -((X - 0.3) ** 2).sum(1, keepdim=True)
    model = ExactGP().fit(X, Y)
    bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=D)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        best, _ = optimize_acqf(
            LogExpectedImprovement(model=model, best_f=Y.max()), bounds, q=1, num_restarts=4, raw_samples=32
        )
        batch, _ = optimize_acqf(
            qLogExpectedImprovement(model, Y.max(), sampler=SobolQMCNormalSampler(torch.Size([32]), seed=0)),
            bounds,
            q=2,
            num_restarts=2,
            raw_samples=16,
        )
    assert torch.allclose(best, torch.full((1, 2), 0.3, dtype=D), atol=0.1)
    assert batch.shape == (2, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length_scale": SAAS}, "takes for length_scale a prior"),
        ({"noise": 0.1}, "takes for noise a prior, LogNormal.*: got 0.1"),
        ({"outputscale": None}, "takes for outputscale a prior"),
        ({"warping": Hierarchical()}, "takes for warping a prior, .* or None for no warping"),
        ({"outliers": 0.0}, "share between 0 and 1"),
        ({"outliers": 1.0}, "share between 0 and 1"),
        ({"subset": 0}, "subset of at least 1: got 0"),
        ({"max_evaluations": 0}, "max_evaluations of at least 1: got 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(options, said):
    with pytest.raises(ValueError, match=said):
        ExactGP(**options)
