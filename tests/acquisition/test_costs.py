import numpy as np
import pytest
import torch
from scipy.stats import norm

from bbo.acquisition.belief import Belief
from bbo.acquisition.costs import Costs, PerCost, Prices
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.outcomes import Outcomes
from bbo.acquisition.utilities import log_ei
from bbo.space import Categorical, Float, Int, Pool, Space
from bbo.surrogates.exact_gp import ExactGP
from tests.acquisition.functions import NONE, D, uniform, waves


def dear(X):
    """A cost of 2 to 40, smooth in both columns."""
    return 2 * torch.exp(2 * X[:, 0] + torch.sin(2 * X[:, 1]))


def test_the_cost_of_points_is_learnt_from_those_told():
    X, Z = uniform(30, 2, seed=1), uniform(200, 2, seed=2)
    costs = Costs.fit(X, dear(X))
    assert costs.log(Z).numpy() == pytest.approx(dear(Z).log().numpy(), abs=0.1)


def test_the_unit_of_cost_only_moves_the_logarithm():
    X, Z = uniform(12, 2, seed=1), uniform(50, 2, seed=2)
    seconds, hours = Costs.fit(X, dear(X)), Costs.fit(X, dear(X) / 3600)
    apart = (seconds.log(Z) - hours.log(Z)).numpy()
    assert apart == pytest.approx(np.full(50, np.log(3600.0)), abs=1e-3)


def test_worth_per_cost_is_the_expected_improvement_over_the_cost_in_closed_form():
    """EI by scipy's normal distribution, from the means and standard deviations of the posterior, and known costs."""
    X, Z = uniform(25, 2, seed=3), uniform(100, 2, seed=4)
    belief = Belief.fit(ExactGP(), Outcomes(X, waves(X), X.new_empty(len(X), 0), NONE))

    class Known:
        def log(self, X):
            return dear(X).log()

    judge = PerCost(Fantasies.of(log_ei, belief, X[:0], seed=1), Known())
    posterior = belief.outputs.posterior(Z[:, None])
    mean, sd = posterior.mean[:, 0, 0].detach().numpy(), posterior.variance[:, 0, 0].sqrt().detach().numpy()
    best = belief.best_f.item()
    z = (mean - best) / sd
    improvement = (mean - best) * norm.cdf(z) + sd * norm.pdf(z)
    expected = improvement / dear(Z).numpy()
    assert judge(Z).exp().detach().numpy() == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert int(judge(Z).argmax()) == int(expected.argmax()) != int(improvement.argmax())


def test_pending_points_keep_others_away_and_cost_stays():
    X = uniform(25, 2, seed=3)
    belief = Belief.fit(ExactGP(), Outcomes(X, waves(X), X.new_empty(len(X), 0), NONE))
    costs = Costs.fit(X, dear(X))
    plain = Fantasies.of(log_ei, belief, X[:0], n_more=1, seed=1)
    Z = uniform(40, 2, seed=5)
    judge = PerCost(plain, costs).with_pending(Z[:1])
    assert torch.equal(judge(Z), plain.with_pending(Z[:1])(Z) - costs.log(Z))


@pytest.mark.parametrize("costs", [[], [3.0], [0.0, 0.0, 0.0]])
def test_too_little_that_was_told_is_no_model(costs):
    X = uniform(len(costs), 2) if costs else torch.empty(0, 2, dtype=D)
    assert Costs.fit(X, torch.tensor(costs, dtype=D)) is None


def test_what_came_for_nothing_counts_as_the_least_cost():
    X, Z = uniform(10, 2, seed=1), uniform(50, 2, seed=2)
    cost = dear(X)
    free = cost.clone()
    free[3] = 0.0
    least = cost.clone()
    least[3] = free[free > 0].min()
    log = Costs.fit(X, free).log(Z)
    assert torch.equal(log, Costs.fit(X, least).log(Z))
    assert log.isfinite().all()


def test_costs_over_many_decades_and_equal_ones_are_taken():
    X, Z = uniform(10, 2, seed=1), uniform(50, 2, seed=2)
    assert Costs.fit(X, torch.logspace(-12, 12, 10, dtype=D)).log(Z).isfinite().all()
    same = Costs.fit(X, torch.full((10,), 7.0, dtype=D)).log(Z)
    assert same.numpy() == pytest.approx(np.full(50, np.log(7.0)), abs=1e-3)


def test_a_fit_goes_on_from_an_earlier_one():
    X, Z = uniform(30, 2, seed=1), uniform(50, 2, seed=2)
    first = Costs.fit(X[:28], dear(X[:28]))
    again = Costs.fit(X, dear(X), warm=first.hyperparameters)
    assert again.log(Z).numpy() == pytest.approx(Costs.fit(X, dear(X)).log(Z).numpy(), abs=0.1)


def test_costs_of_the_rows_of_a_pool_are_those_of_the_table():
    rng = np.random.default_rng(0)
    columns = {"x": rng.integers(0, 50, 400), "c": rng.choice(["u", "v"], 400), "z": rng.random(400)}
    price = rng.uniform(1, 9, 400)
    space = Space(
        [Int("x", 0, 49), Categorical("c", ["u", "v"]), Float("z", 0, 1), Float("t", 0, 1)],
        [Pool({**columns, "price": price}, costs="price")],
    )
    points = space.sample(60, rng)
    of_row = {row: cost for *row, cost in zip(*map(list, columns.values()), price, strict=True) for row in [tuple(row)]}
    X = torch.tensor(space.encode(points), dtype=torch.float64)
    expected = [of_row[p["x"], p["c"], p["z"]] for p in points]
    prices = Prices.of(space.region, "cpu")
    assert prices.log(X).exp().tolist() == pytest.approx(expected)
    moved = (X + 1e-13 * torch.randn(X.shape, dtype=torch.float64)).requires_grad_()
    assert prices.log(moved).exp().tolist() == pytest.approx(expected)
    assert Prices.of(Space(space.parameters).region, "cpu") is None
