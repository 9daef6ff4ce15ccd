"""A Gaussian process over orders of items, against distances that are counted pair by pair."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch

from bbo.acquisition.latent import Latent
from bbo.space import Categorical, Float, Permutation, Space
from bbo.space.structure import Order
from bbo.surrogates import orders
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.kernel import LEVELS_APART, Columns
from bbo.surrogates.marginal import LogPosterior
from bbo.surrogates.priors import Prior

D = torch.float64
ITEMS = list("abcde")
SPACE = Space(
    [
        Float("x", 0.0, 1.0),
        Permutation("line", ITEMS),
        Categorical("m", ["u", "v", "w"]),
        Permutation("tour", list("pqrs"), cyclic=True, when={"m": ["u", "v"]}),
        Float("z", 0.0, 1.0),
    ]
)
# Random orders are apart by this in the mean, each in its own way.
SPREAD = 1 / 6


def places(one, other):
    return sum((one.index(item) - other.index(item)) ** 2 for item in one)


def discordant(one, other):
    pairs = itertools.combinations(one, 2)
    return sum(other.index(first) > other.index(second) for first, second in pairs)


def steps(order, is_cyclic):
    return set(zip(order, order[1:] + order[:1], strict=True)) if is_cyclic else set(itertools.pairwise(order))


def successors(one, other, is_cyclic=False):
    return len(steps(one, is_cyclic) ^ steps(other, is_cyclic))


def neighbours(one, other, is_cyclic=False):
    sides = [{frozenset(pair) for pair in steps(order, is_cyclic)} for order in (one, other)]
    return len(sides[0] ^ sides[1])


def distances(p, one, other):
    """By group, in units of the mean over all pairs of orders."""
    kinds, means = by_group(p.name)
    return [SPREAD * kind(one, other) / mean for kind, mean in zip(kinds, means, strict=True)]


@cache
def by_group(name):
    """How distances are counted, and the mean of each."""
    p = SPACE.by_name[name]
    if p.cyclic:
        kinds = [lambda a, b: neighbours(a, b, True), lambda a, b: successors(a, b, True)]
    else:
        kinds = [places, discordant, neighbours, successors]
    every = [list(order) for order in itertools.permutations(p.items)]
    return kinds, [np.mean([kind(every[0], order) for order in every]) for kind in kinds]


def data(n=25, seed=0):
    rng = np.random.default_rng(seed)
    points = SPACE.sample(n, rng)
    y = [
        np.sin(4 * p["x"]) + 0.3 * p["line"].index("c") + ("d" in p["line"][p["line"].index("a") :][:2]) + p["z"]
        for p in points
    ]
    return points, torch.tensor(SPACE.encode(points)), torch.tensor(y, dtype=D)[:, None]


@pytest.mark.parametrize("p", [SPACE.by_name["line"], SPACE.by_name["tour"]], ids=lambda p: p.name)
def test_features_are_apart_as_counted(p):
    order = Order(0, len(p.items), p.cyclic)
    every = [list(items) for items in itertools.permutations(p.items)][:: 1 if p.cyclic else 7]
    F = orders.features(torch.tensor(p.place(np.array([p.code(value) for value in every]))), order)
    groups = torch.split(F, orders.widths(order), 1)
    for i, one in enumerate(every):
        for j, other in enumerate(every[: i + 1]):
            apart = [float((f[i] - f[j]).square().sum()) for f in groups]
            assert apart == pytest.approx(distances(p, one, other), abs=1e-12)


def test_groups_that_tell_no_two_orders_apart_are_left_out():
    """Two items always stand beside each other, and so do any two of three in a cycle."""
    assert orders.widths(Order(0, 2, False)) == [2, 1, 2]
    assert orders.widths(Order(0, 3, True)) == [6]


def naive_kernel(model, A, B):
    """Of points, by sums of what each parameter adds to the squared distance."""
    lengths = model.settled.length_scales[0].tolist()
    x, m, z, *groups = lengths
    K = torch.zeros(len(A), len(B), dtype=D)
    for i, one in enumerate(A):
        for j, other in enumerate(B):
            r2 = ((one["x"] - other["x"]) / x) ** 2 + ((one["z"] - other["z"]) / z) ** 2
            r2 += (LEVELS_APART / m) ** 2 * (one["m"] != other["m"])
            apart = distances(SPACE.by_name["line"], one["line"], other["line"])
            if "tour" in one and "tour" in other:
                apart += distances(SPACE.by_name["tour"], one["tour"], other["tour"])
            elif "tour" in one or "tour" in other:
                # To no order at all it is as far as the number of pairs that stand beside each other.
                apart += [SPREAD * 4 / mean for mean in by_group("tour")[1]]
            else:
                apart += [0.0, 0.0]
            r2 += sum(gap / length**2 for gap, length in zip(apart, groups, strict=True))
            r = (5 * r2) ** 0.5
            K[i, j] = (1 + r + r**2 / 3) * np.exp(-r)
    return K


def test_posterior_is_that_of_the_formula():
    points, X, Y = data()
    model = ExactGP(warping=None).fit(X, Y, structure=SPACE.structure)
    others, Z, _ = data(8, seed=1)
    s, noise = model.outputscale[0], model.noise_variance[0]
    assert all((at == 0).all() for at in model.positions.values())
    K = s * naive_kernel(model, points, points)
    assert torch.linalg.eigvalsh(K).min() > -1e-9
    K += noise * torch.eye(len(X), dtype=D)
    cross = s * naive_kernel(model, others, points)
    mean = model.constant_mean[0] + cross @ torch.linalg.solve(K, Y[:, 0] - model.constant_mean[0])
    assert torch.allclose(model.mean_sd(Z)[0][:, 0], mean, atol=1e-5)


@pytest.mark.parametrize("is_warped", [False, True])
def test_gradient_of_the_likelihood_equals_finite_differences(is_warped):
    _, X, Y = data(15)
    columns = Columns(X.shape[1], SPACE.structure, X.device, is_warped=is_warped, has_positions=True)
    d = columns.dim
    assert d == 3 + 4 + 2
    p = 3 * d + 2 + columns.n_positions
    flat = Prior(torch.zeros(p, dtype=D), torch.full((p,), 1e6, dtype=D))
    y = (Y.mT - Y.mean()) / Y.std()
    density = LogPosterior(columns, columns.features(X), y, torch.zeros_like(y), torch.ones_like(y), flat)
    theta = 0.3 * torch.randn(1, p, dtype=D, generator=torch.Generator().manual_seed(1)) - 0.5
    _, gradient = density(theta)
    for k in range(p):
        step = torch.zeros_like(theta)
        step[0, k] = 1e-5
        rise = density(theta + step)[0] - density(theta - step)[0]
        assert gradient[0, k].item() == pytest.approx(rise.item() / 2e-5, rel=1e-4, abs=1e-5)


def test_gradients_of_predictions_agree_with_finite_differences_and_are_zero_for_places():
    _, X, Y = data(30)
    model = ExactGP().fit(X, Y, structure=SPACE.structure)
    _, Z, _ = data(6, seed=2)
    Z[:, [0, -1]] = 0.1 + 0.8 * Z[:, [0, -1]]
    Z.requires_grad_()
    (grad,) = torch.autograd.grad(Latent(model).mean_sd(Z)[0].sum(), Z)
    assert (grad[:, 1:-1] == 0).all()
    for j in (0, SPACE.dim - 1):
        step = torch.zeros_like(Z.detach())
        step[:, j] = 1e-4
        with torch.no_grad():
            rise = Latent(model).mean_sd(Z.detach() + step)[0] - Latent(model).mean_sd(Z.detach() - step)[0]
        assert torch.allclose(grad[:, j], rise[:, 0] / 2e-4, rtol=1e-3, atol=1e-4)


def test_length_scales_have_a_number_for_each_column_and_one_for_an_order():
    _, X, Y = data(30)
    model = ExactGP().fit(X, Y, structure=SPACE.structure)
    lengths, own = model.length_scales[0], model.settled.length_scales[0]
    assert lengths.shape == (SPACE.dim,)
    assert torch.equal(lengths[[0, -1]], own[[0, 2]])
    line, tour = own[3:7], own[7:]
    assert torch.allclose(lengths[1:6], (line**-2).sum() ** -0.5 * torch.ones(5, dtype=D))
    assert torch.allclose(lengths[7:11], (tour**-2).sum() ** -0.5 * torch.ones(4, dtype=D))
    assert all((exponent[0, 1:6] == 1).all() for exponent in model.warping)
    again = ExactGP().fit(X, Y, structure=SPACE.structure, warm=model.hyperparameters)
    assert torch.allclose(again.mean_sd(X)[0], model.mean_sd(X)[0], atol=0.05)


def test_tours_are_alike_wherever_they_begin_and_lines_are_not():
    tour = Space([Permutation("t", list("abcdef"), cyclic=True)])
    (order,) = tour.structure.orders
    one, turned = ({"t": list(text)} for text in ("abcdef", "cdefab"))
    F = orders.features(torch.tensor(tour.encode([one, turned])), order)
    assert torch.equal(F[0], F[1])
    line = Space([Permutation("t", list("abcdef"))])
    F = orders.features(torch.tensor(line.encode([one, turned])), line.structure.orders[0])
    assert (F[0] - F[1]).square().sum() > 0.1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["places", "pairs", "successors"])
def test_what_makes_orders_alike_is_learnt(kind, seed):
    """Of 60 orders of 7 items: the group that explains the values gets the shortest length scale by far."""
    space = Space([Permutation("t", list("abcdefg"))])
    rng = np.random.default_rng(seed)
    points = space.sample(90, rng)
    weight, by_pair = rng.standard_normal(7), rng.standard_normal((7, 7))
    value = {
        "places": lambda at: (weight @ at / 6 - weight.sum() * 4 / 6) ** 2,
        "pairs": lambda at: (by_pair * (at[:, None] < at)).sum(),
        "successors": lambda at: (by_pair * (at[:, None] + 1 == at)).sum(),
    }[kind]
    y = torch.tensor([value(np.array(list(space.by_term(p).values()))) for p in points], dtype=D)[:, None]
    X = torch.tensor(space.encode(points))
    model = ExactGP().fit(X[:60], y[:60], structure=space.structure)
    groups = ("places", "pairs", "neighbours", "successors")
    lengths = dict(zip(groups, model.settled.length_scales[0].tolist(), strict=True))
    assert all(lengths[kind] < 0.7 * length for other, length in lengths.items() if other != kind), lengths
    error = (model.mean_sd(X[60:])[0] - y[60:]).square().mean() / y[60:].var()
    assert error < 0.1
