"""What is improved on in a context, and what that is worth."""

import numpy as np
import pandas as pd
import pytest
import torch

from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.utilities import log_ei
from bbo.budget import Budget, RegretBelow
from bbo.history import History
from bbo.objective import Maximize, Minimize, OutcomeConstraint
from bbo.space import Categorical, Float, Int, Nonlinear, Space
from bbo.strategies import GP
from bbo.strategies.context import Context
from bbo.strategies.trust_region import improvements
from bbo.studies.study import Study

SPACE = Space([Float("x", 0.0, 1.0), Categorical("c", ["a", "b", "d"]), Int("n", 1, 9)])
LEVELS = {"a": 0.0, "b": 4.0, "d": -3.0}
MIDDLES = {"a": 0.2, "b": 0.5, "d": 0.85}


def value(params):
    """Least at another x in each context, and at another level."""
    return 6 * (params["x"] - MIDDLES[params["c"]]) ** 2 + 0.02 * (params["n"] - 4) ** 2 + LEVELS[params["c"]]


def told(n=12, contexts="abd", wanted=None, given=None, seed=1, **options):
    s = Study(SPACE, wanted or Minimize("v"), strategy=GP(n_first=n, **options), seed=seed)
    for k in range(n):
        trial = s.ask(context={"c": contexts[k % len(contexts)]})
        s.tell(trial, value(trial.params) if given is None else given(trial.params))
    return s


def seen(history: History, strategy=None):
    """What a strategy believes where this history is seen from, and the points of its context."""
    strategy = strategy or GP()
    return strategy._belief(history), Context.of(history, "cpu")


def carried(history, c):
    """All completed points, with another choice of `c`; by hand."""
    X = history.X[history.is_completed].copy()
    X[:, 1] = history.space.position("c", c)
    return torch.tensor(X)


@pytest.mark.parametrize("c", ["a", "b", "d"])
def test_the_incumbent_is_the_best_mean_of_the_points_carried_over_into_the_context(c):
    history = told().history
    belief, _ = seen(history.given({"c": c}))
    mean, _ = belief.outputs.mean_sd(carried(history, c))
    assert belief.best_f.item() == pytest.approx(mean[:, 0].max().item(), abs=1e-9)


def test_the_incumbent_of_a_context_nobody_was_in_is_not_that_of_all():
    history = told(contexts="ad").history
    belief, _ = seen(history.given({"c": "b"}))
    everywhere, _ = seen(history)
    mean, _ = belief.outputs.mean_sd(carried(history, "b"))
    assert belief.best_f.item() == pytest.approx(mean[:, 0].max().item(), abs=1e-9)
    assert belief.best_f < everywhere.best_f
    assert {tuple(x) for x in belief.rivals.tolist()} <= {tuple(x) for x in carried(history, "b").tolist()}


def test_where_all_trials_were_made_in_the_context_it_is_as_if_it_were_fixed():
    rng = np.random.default_rng(0)
    s = told(16, contexts="b", given=lambda p: value(p) + 0.2 * rng.standard_normal())
    belief, _ = seen(s.history.given({"c": "b"}))
    fixed, _ = seen(s.history.fix({"c": "b"}))
    assert len(fixed.rivals) > 1
    assert belief.rivals.numpy() == pytest.approx(fixed.rivals.numpy())
    one, other = s.at(16).ask(context={"c": "b"}), s.at(16).ask(fixed={"c": "b"})
    assert one["x"] == pytest.approx(other["x"], abs=1e-4)
    assert one.notes["gain"] == pytest.approx(other.notes["gain"], rel=1e-3)


def test_what_is_to_be_gained_is_to_be_gained_in_the_context():
    """By the best of all there would be next to nothing to gain in a context where all is worse."""
    s = told(12)
    here, fixed = s.at(12).ask(context={"c": "b"}), s.at(12).ask(fixed={"c": "b"})
    assert here.notes["gain"] > 0.01
    assert fixed.notes["gain"] < 1e-3 * here.notes["gain"]


def test_points_carried_over_onto_one_another_count_once_and_observed_ones_as_observed():
    wanted = [Minimize("v"), OutcomeConstraint("g", upper=0.0)]
    s = Study(SPACE, wanted, strategy=GP(n_first=1), seed=1)
    for c, x, g in (("a", 0.3, -1.0), ("b", 0.3, -1.0), ("d", 0.3, -1.0), ("a", 0.6, 1.0), ("b", 0.6, -1.0)):
        s.tell(s.ask(context={"c": c}, fixed={"x": x, "n": 3}), {"v": x, "g": g})
    _, context = seen(s.history.given({"c": "a"}))
    assert context.X[:, 0].tolist() == [0.3, 0.6]
    assert context.is_feasible.tolist() == [True, False]
    _, elsewhere = seen(s.history.given({"c": "d"}))
    assert elsewhere.X[:, 0].tolist() == [0.3, 0.6]


def test_a_point_that_the_model_takes_for_infeasible_in_the_context_is_not_its_incumbent():
    wanted = [Maximize("v"), OutcomeConstraint("g", upper=0.0)]

    def both(p):
        return {"v": p["x"], "g": (p["x"] - 0.5) if p["c"] == "a" else -1.0}

    s = told(24, wanted=wanted, given=both)
    belief, context = seen(s.history.given({"c": "a"}))
    assert context.feasible(belief)[:, 0].max() < 0.55
    assert context.X[:, 0].max() > 0.8
    assert belief.outputs.mean_sd(context.best(belief, 1))[0][0, 0].item() == pytest.approx(belief.best_f.item())
    nowhere = told(24, wanted=wanted, given=lambda p: {"v": p["x"], "g": 1.0 if p["c"] == "a" else -1.0})
    belief, context = seen(nowhere.history.given({"c": "a"}))
    assert belief.best_f is None
    trial = nowhere.ask(context={"c": "a"})
    assert "gain" not in trial.notes


def test_points_that_leave_the_space_when_carried_over_are_no_points_of_the_context():
    space = Space([Float("x", 0.0, 1.0), Float("h", 0.0, 1.0)], [Nonlinear("x <= h")])
    s = Study(space, Maximize("v"), strategy=GP(n_first=10), seed=1)
    for _ in range(10):
        trial = s.ask()
        s.tell(trial, trial["x"])
    _, context = seen(s.history.given({"h": 0.3}))
    assert 0 < len(context.X) < 10
    assert context.X[:, 0].max() <= 0.3
    assert s.ask(context={"h": 0.3})["x"] <= 0.3


def test_pending_points_of_other_contexts_inform_and_are_not_improved_on():
    s = told(12)
    history = s.history.given({"c": "b"})
    belief, _ = seen(history)
    best = torch.tensor(s.space.encode([{"x": 0.85, "c": "d", "n": 4}, {"x": 0.5, "c": "b", "n": 4}]))
    judge = Fantasies.of(log_ei, belief, best, seed=1)
    assert judge.may_win.tolist()[-2:] == [False, True]
    assert belief.believe(best[:1]).best_f == belief.best_f
    elsewhere = belief.outputs.mean_sd(best[:1])[0]
    assert elsewhere[0, 0] > belief.best_f
    assert belief.pass_over(best[:1]).outputs.mean_sd(best[:1])[0].item() == pytest.approx(elsewhere.item(), abs=1e-3)
    s.ask(fixed=s.space.decode(best[:1].numpy())[0])
    alone = s.at(12).ask(context={"c": "b"}).notes["gain"]
    assert s.ask(context={"c": "b"}).notes["gain"] == pytest.approx(alone, rel=0.3)


def test_the_bound_on_the_regret_is_of_the_context():
    s = told(15)
    s.set_budget(Budget(stop=[RegretBelow(1e-9)]))
    here, fixed = (s.fork().ask(**{how: {"c": "b"}}).notes["regret"] for how in ("context", "fixed"))
    assert 0 <= fixed < here < 3.0


def test_in_many_dimensions_the_region_lies_around_the_best_of_the_context():
    cube = [Float(f"x{j}", 0.0, 1.0) for j in range(20)]
    s = Study([*cube, Categorical("c", ["a", "b"])], Minimize("v"), strategy=GP(), seed=1)
    rng = np.random.default_rng(1)
    X, c = rng.random((60, 20)), np.array(["a", "b"] * 30)
    middle = np.where(c == "a", 0.2, 0.8)
    s.add(pd.DataFrame(X, columns=[p.name for p in cube]).assign(c=c, v=3 * np.abs(X[:, 0] - middle) - 9 * (c == "a")))
    trial = s.ask(context={"c": "b"})
    assert trial.notes["region"] == 0.8
    assert trial["x0"] > 0.5
    s.tell(trial, 7.0)
    s.tell(s.ask(context={"c": "a"}), 5.0)
    assert [len(improvements(h)) for h in (s.history, s.history.given({"c": "b"}))] == [2, 1]


def regret(how, seed, n=27):
    """Mean over contexts of the simple regret after `n` trials in turn."""
    s = Study(SPACE, Minimize("v"), strategy=GP(n_first=6), seed=seed)
    for k in range(n):
        trial = s.ask(**{how: {"c": "abd"[k % 3]}})
        s.tell(trial, value(trial.params))
    return np.mean([min(value(t.params) for t in s.trials if t["c"] == c) - LEVELS[c] for c in "abd"])


def test_an_optimum_that_moves_with_a_discrete_context_is_found_in_each_sooner_than_with_fixed_values():
    ours, theirs = (np.median([regret(how, seed) for seed in range(3)]) for how in ("context", "fixed"))
    assert ours < 0.5 * theirs


def latest_regrets(how, seed, n=30):
    """Mean regret of the last 10 of `n` trials, each at a humidity of its day."""
    s = Study([Float("x", 0.0, 1.0), Float("humidity", 0.0, 1.0)], Minimize("v"), strategy=GP(), seed=seed)
    rng = np.random.default_rng(seed)
    lost = []
    for h in rng.random(n):
        trial = s.ask(**{how: {"humidity": float(h)}})
        lost.append(6 * (trial["x"] - 0.2 - 0.6 * h) ** 2)
        s.tell(trial, lost[-1] + 3 * h)
    return np.mean(lost[-10:])


def test_an_optimum_that_moves_with_a_continuous_context_is_followed_better_than_with_fixed_values():
    ours, theirs = (np.mean([latest_regrets(how, seed) for seed in range(2)]) for how in ("context", "fixed"))
    assert ours < 0.3 * theirs
