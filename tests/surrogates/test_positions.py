import math

import pytest
import torch

from bbo.space.structure import Structure
from bbo.surrogates.exact_gp import ExactGP

D = torch.float64
N_LEVELS = 6
ALONG_A_LINE = torch.linspace(0, 1, N_LEVELS, dtype=D)[torch.tensor([3, 0, 5, 1, 4, 2])]
IN_TWO_GROUPS = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], dtype=D)


def data(place, n, seed):
    """Two numeric columns and one whose levels act by where they are."""
    g = torch.Generator().manual_seed(seed)
    level = torch.randint(N_LEVELS, (n,), generator=g)
    x, t = torch.rand(n, 2, dtype=D, generator=g), place[level]
    y = (5 * x[:, 0] + 3 * t).sin() + 2 * t * x[:, 1] + (3 * t).cos()
    X = torch.cat([x, ((level + 0.5) / N_LEVELS)[:, None].to(D)], 1)
    return X, (y + 0.05 * torch.randn(n, dtype=D, generator=g))[:, None]


def fitted(X, Y):
    return ExactGP().fit(X, Y, structure=Structure({2: N_LEVELS}))


def test_levels_that_act_alike_are_placed_together():
    model = fitted(*data(IN_TWO_GROUPS, 60, 0))
    place = model.positions[2][0]
    assert place.shape == (N_LEVELS, 2)
    apart = torch.cdist(place, place)
    is_same = IN_TWO_GROUPS[:, None] == IN_TWO_GROUPS
    assert apart[is_same].max() < 0.5 * apart[~is_same].min()


def test_length_scale_of_a_column_with_positions_is_the_mean_over_pairs_of_levels():
    model = fitted(*data(ALONG_A_LINE, 60, 0))
    place = model.positions[2][0]
    hamming = (0.3 / model.settled.length_scales[0, 2].item()) ** 2
    pairs = [hamming + (place[i] - place[j]).square().sum().item() for i in range(N_LEVELS) for j in range(i)]
    assert model.length_scales[0, 2].item() == pytest.approx(0.3 * (sum(pairs) / len(pairs)) ** -0.5, rel=1e-9)


def test_two_levels_or_few_data_have_no_positions():
    X, Y = data(ALONG_A_LINE, 8, 0)
    assert not fitted(X, Y).positions[2].any()
    X[:, 2] = ((2 * X[:, 2]).floor() + 0.5) / 2
    assert ExactGP().fit(X, Y, structure=Structure({2: 2})).positions == {}


def test_positions_of_one_output_do_not_bind_the_other_and_survive_a_warm_start():
    X, Y = data(ALONG_A_LINE, 60, 0)
    Y = torch.cat([Y, (5 * X[:, :1]).sin()], 1)
    model = fitted(X, Y)
    assert model.positions[2][0].any()
    assert not model.positions[2][1].any()
    again = ExactGP().fit(X, Y, structure=Structure({2: N_LEVELS}), warm=model.hyperparameters)
    assert torch.allclose(again.mean_sd(X)[0], model.mean_sd(X)[0], atol=0.05)
    part = model.subset_output([1, 0]).condition_on(X[:2], Y[:2, [1, 0]])
    assert torch.equal(part.positions[2][1], model.positions[2][0])
    assert math.isfinite(part.mean_sd(X)[0].sum())


@pytest.mark.parametrize("seed", range(4))
def test_few_observations_of_many_levels_are_not_believed_beyond_what_they_tell(seed):
    """Three columns of 8 to 12 levels, most values 0 as yields are: what was left out is not far from what is said."""
    g = torch.Generator().manual_seed(seed)
    counts = torch.tensor([8, 10, 12])
    effects = [torch.randn(k, dtype=D, generator=g) for k in counts.tolist()]
    levels = (torch.rand(500, 3, generator=g) * counts).long()
    Y = sum(effect[levels[:, j]] for j, effect in enumerate(effects)).clamp_min(0.0)[:, None]
    X = (levels + 0.5) / counts.to(D)
    model = ExactGP().fit(X[:120], Y[:120], structure=Structure(dict(enumerate(counts.tolist()))))
    mean, sd = model.mean_sd(X[120:])
    predicted = torch.distributions.Normal(mean, (sd**2 + model.noise_variance).sqrt())
    # Of 20 other seeds the least is -1.1; positions at any price gave -2 to -99 with 8 of them.
    assert (predicted.log_prob(Y[120:]).mean() + Y.std().log()).item() > -1.8


def test_many_levels_are_placed_too_where_observations_are_as_many():
    """Of 60 levels in two groups, 17 observations each: more than hyperparameters are fitted on otherwise."""
    g = torch.Generator().manual_seed(0)
    level = torch.randint(60, (1000,), generator=g)
    x, group = torch.rand(1000, 2, dtype=D, generator=g), level % 2
    Y = (4 * x[:, 0] + 3 * group).sin() + group * x[:, 1] + 0.1 * torch.randn(1000, dtype=D, generator=g)
    X = torch.cat([x, ((level + 0.5) / 60)[:, None].to(D)], 1)
    place = ExactGP().fit(X, Y[:, None], structure=Structure({2: 60})).positions[2][0]
    apart = torch.cdist(place, place)
    is_same = (torch.arange(60) % 2)[:, None] == torch.arange(60) % 2
    assert apart[is_same].mean() < 0.4 * apart[~is_same].mean()
