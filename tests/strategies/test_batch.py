"""Points of one ask, by what plain Monte Carlo says they are worth together."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from bbo.objective import Minimize
from bbo.space import Float
from bbo.strategies import GP, batch
from bbo.studies.study import Study
from bbo.surrogates.exact_gp import ExactGP

SPACE = [Float("a", 0.0, 1.0), Float("b", 0.0, 1.0)]


def waves(X):
    return np.sin(7 * X[:, 0]) + np.cos(5 * X[:, 1]) + X.sum(axis=1)


def told(seed):
    X = np.random.default_rng(seed).random((10, 2))
    s = Study(SPACE, Minimize("y"), strategy=GP(), seed=seed)
    s.add(pd.DataFrame(X, columns=["a", "b"]).assign(y=waves(X)))
    return s


def worth(s, points):
    """Expected improvement of all points together, by a model of the values as they are."""
    X, Y = torch.tensor(s.history.X), torch.tensor(s.history.Y)
    joint = ExactGP().fit(X, Y).posterior(torch.tensor(s.space.encode(points))).distribution
    draws = np.random.default_rng(0).multivariate_normal(joint.mean.numpy(), joint.covariance_matrix.numpy(), 100_000)
    return np.maximum(draws.max(axis=1) - Y.max().item(), 0.0).mean()


@pytest.mark.parametrize("q", [2, 4])
def test_few_points_are_moved_together_and_are_worth_more_for_it(q, monkeypatch):
    gains = []
    for seed in range(6):
        s = told(seed)
        together = worth(s, [t.params for t in told(seed).ask(q)])
        with monkeypatch.context() as m:
            m.setattr(batch, "improved", lambda judge, start, domain, *, seed: start)
            greedy = worth(s, [t.params for t in told(seed).ask(q)])
        gains.append(math.log(together / greedy))
    assert min(gains) > -0.01
    assert sum(gains) > 0.02
