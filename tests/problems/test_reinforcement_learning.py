"""Agents that are trained: bits, what is left untouched, and the trade-offs of deep sea treasure by other means."""

import json
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume

from bbo.errors import FidelityError
from bbo.problems import DeepSeaTreasure, DQNCartPole, PPOAcrobot, PPOCartPole, PPOPendulum, make
from bbo.problems.reinforcement_learning import deep_sea_treasure
from bbo.problems.reinforcement_learning.deep_sea_treasure import hypervolume

ON_POLICY = {"learning_rate": 3e-3, "batch_size": 64, "n_epochs": 10, "gae_lambda": 0.95, "clip_range": 0.2}
POINTS = {
    "ppo-cartpole": ON_POLICY,
    "dqn-cartpole": {
        "learning_rate": 1e-3,
        "batch_size": 32,
        "train_freq": 16,
        "gradient_steps": 4,
        "learning_starts": 0.05,
        "buffer": 0.5,
        "exploration": 0.1,
        "target_interval": 0.05,
    },
    "deep-sea-treasure": dict(zip(DeepSeaTreasure.space.names, DeepSeaTreasure.optima[0], strict=True)),
}
DIVES = POINTS["deep-sea-treasure"]


def _low(problem):
    return {f.name: f.low for f in problem.fidelities}


@pytest.fixture
def agents():
    pytest.importorskip("stable_baselines3", reason="needs pip install 'bbo[rl]'")


@pytest.fixture
def sea():
    """The environment's map: treasures, -10 for rock and 0 for water."""
    module = pytest.importorskip("mo_gymnasium.envs.deep_sea_treasure.deep_sea_treasure", reason="needs bbo[rl]")
    return module.DEFAULT_MAP


@pytest.mark.usefixtures("agents")
def test_a_fresh_process_with_other_threads_and_another_global_state_gives_the_same_bits():
    here = {name: make(name).evaluate(p, fidelity=_low(make(name)), seed=5) for name, p in POINTS.items()}
    code = (
        "import json, random, sys, numpy, torch\n"
        "from bbo.problems import make\n"
        "torch.set_num_threads(3); torch.manual_seed(9); numpy.random.seed(9); random.seed(9)\n"
        "low = {n: {f.name: f.low for f in make(n).fidelities} for n in json.loads(sys.argv[1])}\n"
        "points = json.loads(sys.argv[1])\n"
        "print(json.dumps({n: make(n).evaluate(p, fidelity=low[n], seed=5) for n, p in points.items()}))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    child = subprocess.check_output([sys.executable, "-c", code, json.dumps(POINTS)], text=True, env=environment)
    assert json.loads(child) == here


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize("name", ["ppo-cartpole", "dqn-cartpole"])
def test_generators_threads_and_filters_are_left_as_they_were(name):
    torch.manual_seed(4)
    state = torch.get_rng_state(), random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    filters = list(warnings.filters)
    make(name).evaluate(POINTS[name], fidelity={"steps": 512}, seed=1)
    after = torch.get_rng_state(), random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    assert torch.equal(after[0], state[0])
    assert after[1] == state[1]
    assert np.array_equal(after[2][1], state[2][1])
    assert after[2][2:] == state[2][2:]
    assert after[3] == state[3]
    assert list(warnings.filters) == filters


@pytest.mark.usefixtures("agents")
def test_more_steps_keep_the_pole_up_for_longer_and_seeds_differ():
    problem = PPOCartPole()
    returns = [
        [problem.evaluate(ON_POLICY, fidelity={"steps": n}, seed=s)["mean_return"] for s in range(2)]
        for n in (512, 2048)
    ]
    assert all(9 <= r <= 500 for r in returns[0] + returns[1])
    assert np.mean(returns[1]) > np.mean(returns[0]) + 30
    assert returns[1][0] != returns[1][1]


@pytest.mark.parametrize("make", [PPOCartPole, PPOAcrobot, PPOPendulum, DQNCartPole])
def test_steps_of_training_are_powers_of_two(make):
    for steps in (0, 1000, 32_768, 512.5):
        with pytest.raises(FidelityError, match="'steps'"):
            make().evaluate({}, fidelity={"steps": steps})


@pytest.mark.parametrize("steps", [1999, 200_001, 2500.5])
def test_impossible_steps_in_the_sea_are_refused(steps):
    with pytest.raises(FidelityError, match="'steps'"):
        DeepSeaTreasure().evaluate(DIVES, fidelity={"steps": steps})


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("ppo-cartpole", "stable_baselines3"),
        ("deep-sea-treasure", "mo_gymnasium.envs.deep_sea_treasure.deep_sea_treasure"),
    ],
)
def test_without_the_packages_an_evaluation_says_how_to_install_them(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    deep_sea_treasure._sea.cache_clear()
    with pytest.raises(ImportError, match=r"pip install 'bbo\[rl\]'"):
        make(name).evaluate(POINTS[name], fidelity=_low(make(name)))


@pytest.mark.parametrize("name", POINTS)
def test_cost_rises_with_the_steps(name):
    problem = make(name)
    (fidelity,) = problem.fidelities
    share = problem.cost(POINTS[name], {"steps": fidelity.low}) / problem.cost(POINTS[name], None)
    assert share == pytest.approx(fidelity.low / fidelity.high)


def test_cost_rises_with_the_updates():
    assert PPOCartPole().cost({**ON_POLICY, "batch_size": 16}) > 3 * PPOCartPole().cost(ON_POLICY)
    rarely = {**POINTS["dqn-cartpole"], "train_freq": 512}
    assert DQNCartPole().cost(rarely) < DQNCartPole().cost(POINTS["dqn-cartpole"]) / 2


@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_is_that_of_botorch(seed):
    points = np.random.default_rng(seed).uniform([-5, -60], [25, 0], size=(12, 2))
    other = Hypervolume(ref_point=torch.tensor([0.0, -50.0], dtype=torch.float64))
    assert hypervolume(map(tuple, points.tolist())) == pytest.approx(other.compute(torch.tensor(points)), rel=1e-12)


def test_points_below_the_reference_have_no_hypervolume():
    assert hypervolume([(3.0, -48.0)]) == 6.0
    assert hypervolume([]) == hypervolume([(0.0, -1.0), (5.0, -50.0), (9.0, -100.0)]) == 0.0


def _moves(sea):
    """The least number of moves to each treasure, by flooding the map from the start."""
    reached, ring, found = {(0, 0)}, [(0, 0)], {}
    for moves in range(1, sea.size):
        near = {(r + a, c + b) for r, c in ring for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))} - reached
        ring = [(r, c) for r, c in near if min(r, c) >= 0 and max(r, c) < len(sea) and sea[r, c] >= 0]
        reached.update(ring)
        found |= {float(sea[at]): moves for at in ring if sea[at] > 0}
        ring = [at for at in ring if sea[at] == 0]
    return found


def test_the_best_value_is_the_hypervolume_of_all_treasures_by_their_shortest_ways(sea):
    found = _moves(sea)
    assert len(found) == 10
    front = torch.tensor([[t, -float(n)] for t, n in found.items()], dtype=torch.float64)
    other = Hypervolume(ref_point=torch.tensor([0.0, -50.0], dtype=torch.float64))
    assert DeepSeaTreasure.best_value == pytest.approx(other.compute(front), rel=1e-12)


def test_two_weights_find_the_nearest_treasure_and_the_greatest(sea):
    found = _moves(sea)
    nearest, greatest = min(found, key=found.get), max(found)
    # Discounted by 0.99 the greatest is still worth most.
    assert max(found, key=lambda t: t * 0.99 ** (found[t] - 1)) == greatest
    expected = greatest * (50 - found[greatest]) + nearest * (found[greatest] - found[nearest])
    two = {**DIVES, "n_weights": 2, "first_value": 24.0}
    for seed in range(2):
        value = DeepSeaTreasure().evaluate(two, fidelity={"steps": 20_000}, seed=seed)["hypervolume"]
        assert value == pytest.approx(expected, rel=1e-12)
