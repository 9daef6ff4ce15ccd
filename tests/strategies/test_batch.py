"""Points of one ask, by what plain Monte Carlo says they are worth together."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from bbo.acquisition.domain import Domain
from bbo.acquisition.optimize import Options
from bbo.objective import Minimize
from bbo.space import Categorical, Float, Int, Space
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


class FewAboveMany:
    """Worth most at all points of a branch of three, else by how near a number is to 0.3."""

    def __call__(self, X):
        return torch.where(X[:, 0] < 0.5, 10.0, -((X[:, 2] - 0.3) ** 2))

    def with_pending(self, X):
        return self


@pytest.mark.parametrize("seed", range(3))
def test_where_all_that_is_worth_most_was_tried_the_best_of_all_else_is_found(seed):
    space = Space(
        [
            Categorical("model", ["few", "many"]),
            Int("k", 1, 3, when={"model": ["few"]}),
            Float("x", 0.0, 1.0, when={"model": ["many"]}),
        ]
    )
    study = Study(space, Minimize("y"), strategy=GP(), seed=seed)
    study.add(pd.DataFrame({"model": ["few"] * 3, "k": [1, 2, 3], "x": [None] * 3, "y": [0.0, 1.0, 2.0]}))
    domain = Domain.compile(space)
    search = batch.Search(domain, domain.snap(torch.tensor(study.history.X)), Options())
    first, second = batch.batch(study.history, FewAboveMany(), search, 2, seed=seed)
    assert (first.params["model"], first.fall) == ("many", None)
    assert first.params["x"] == pytest.approx(0.3, abs=1e-3)
    assert (second.params["model"], second.fall) == ("many", None)
    assert second.params["x"] != first.params["x"]
