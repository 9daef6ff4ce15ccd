"""A Gaussian process on columns that are there under conditions."""

import pytest
import torch

from bbo.acquisition.latent import Latent
from bbo.space import Categorical, Float, Int, Space
from bbo.surrogates.conditions import Conditions
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64
SPACE = Space(
    [
        Categorical("m", ["p", "q"]),
        Float("x", 0.0, 1.0, when={"m": ["p"]}),
        Int("k", 1, 3, when={"m": ["q"]}),
        Float("y", 0.0, 1.0, when={"k": [2, 3]}),
        Float("z", 0.0, 1.0),
    ]
)


def data(n=30, seed=0):
    X = torch.rand(n, 5, dtype=D, generator=torch.Generator().manual_seed(seed))
    X[:, 0] = torch.where(X[:, 0] < 0.5, 0.25, 0.75)
    X[:, 2] = (X[:, 2] * 3).floor().clamp(0, 2) / 3 + 1 / 6
    settled = torch.tensor(SPACE.structure.settled(X.numpy()))
    Y = (5 * settled[:, [1]]).sin() + settled[:, [2]] * (3 * settled[:, [3]]).cos() + settled[:, [4]]
    return X, settled, Y


def test_absent_columns_are_those_that_the_space_says():
    X, settled, _ = data()
    conditions = Conditions.of(SPACE.structure, "cpu")
    assert torch.equal(conditions.settled(X), settled)
    points = SPACE.decode(settled.numpy())
    there = conditions.hold(X)
    names = [SPACE.columns[j] for j in conditions.columns.tolist()]
    assert [[name in point for name in names] for point in points] == there.tolist()


def test_what_an_absent_column_holds_changes_nothing():
    X, settled, Y = data()
    raw, canonical = (ExactGP().fit(at, Y, structure=SPACE.structure) for at in (X, settled))
    Z, at, _ = data(20, seed=1)
    for ours, theirs in zip(raw.mean_sd(Z), canonical.mean_sd(at), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("output", [0, 1])
def test_gradients_agree_with_finite_differences_and_are_zero_for_what_is_absent(output):
    X, _, Y = data()
    model = ExactGP().fit(X, Y, structure=SPACE.structure)
    Z, _, _ = data(8, seed=2)
    Z = Z.clamp(0.05, 0.95).requires_grad_()
    (grad,) = torch.autograd.grad(Latent(model).mean_sd(Z)[output].sum(), Z)
    there = Conditions.of(SPACE.structure, "cpu").hold(Z.detach())
    for j, name in ((1, "x"), (3, "y")):
        k = [SPACE.columns[i] for i in sorted(SPACE.structure.conditions)].index(name)
        assert (grad[~there[:, k], j] == 0).all()
        step = torch.zeros_like(Z.detach())
        step[:, j] = 1e-5
        with torch.no_grad():
            rise = Latent(model).mean_sd(Z.detach() + step)[output] - Latent(model).mean_sd(Z.detach() - step)[output]
        assert torch.allclose(grad[:, j], rise[:, 0] / 2e-5, rtol=1e-4, atol=1e-6)
