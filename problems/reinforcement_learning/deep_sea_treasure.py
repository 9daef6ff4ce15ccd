"""Deep sea treasure: how many of the trade-offs between treasure and time Q-learning finds.

A submarine starts at the surface and pays 1 for each move; the deeper a treasure lies, the greater it is. A weight w
in [0, 1] makes w * treasure - (1 - w) * time the reward of an agent with a table of its own. The weights are evenly
spaced, and the steps of the environment are shared among them: more weights, less learning for each. What an agent
brings home when it no longer explores is a point, and the points of all agents have a hypervolume.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from bbo import seeding
from bbo.fidelity import Fidelity, paid
from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.reinforcement_learning.agents import needed
from bbo.space import Float, Int, Space

Point = tuple[float, float]
# By position and action: the next position, the treasure there, and whether the episode is over.
Sea = list[list[tuple[int, float, bool]]]
# Of Q: by position and action.
Table = list[list[float]]
# Treasure 0 after 50 moves, as morl-baselines has it for Pareto Q-learning on this environment.
_REFERENCE = (0.0, -50.0)
_N_SEEDS = 3
_N_ACTIONS = 4
# Of an episode: the environment's own limit.
_MOST_MOVES = 100
# What a seed of an evaluation is for, beside the numbers of the wrappers and the other agents.
_LEARNING = 103
# For a step: of a core that has others beside it, measured in 2026.
_SECONDS = 1.5e-6


def hypervolume(points: Iterable[Point], reference: Point = _REFERENCE) -> float:
    """Area that the points dominate beyond the reference, both coordinates to be maximized."""
    area, covered = 0.0, reference[1]
    # From the right to the left each point adds what it has above all that came before.
    for x, y in sorted(points, reverse=True):
        if x > reference[0] and y > covered:
            area += (x - reference[0]) * (y - covered)
            covered = y
    return area


@dataclass(frozen=True)
class DeepSeaTreasure:
    """Q-learning with weighted rewards on deep sea treasure, 7 hyperparameters: hypervolume of the trade-offs found.

    The environment of mo-gymnasium with the map of Yang, Sun & Narasimhan, "A generalized algorithm for multi-objective
    reinforcement learning and policy adaptation", NeurIPS 2019. The best value is the hypervolume of every treasure by
    the shortest way.
    """

    space: ClassVar[Space] = Space(
        (
            Float("learning_rate", 0.01, 1.0, log=True),
            Float("discount", 0.8, 1.0),
            Float("first_exploration", 0.1, 1.0),
            Float("last_exploration", 0.001, 0.2, log=True),
            Float("exploration_share", 0.05, 1.0),
            Float("first_value", 0.0, 30.0),
            Int("n_weights", 2, 64, log=True),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("hypervolume"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity("steps", 2000, 200_000, is_whole=True),)
    best_value: ClassVar[float] = 994.3
    optima: ClassVar[tuple[tuple[float, ...], ...]] = ((1.0, 0.99, 0.1, 0.01, 0.5, 20.0, 24),)
    card: ClassVar[Card] = Card(
        source="Felten, Gareev, Talbi & Danoy, Hyperparameter optimization for multi-objective reinforcement learning "
        "(2023); the environment: Vamplew et al., Machine Learning 84 (2011)",
        doi="arXiv:2310.16487",
        known="the hypervolume of the environment's Pareto front, which is attained",
        noise="exploration; a value is the mean over 3 seeds that descend from the seed",
        cost_unit="s",
        remarks=(
            "The reference point is a treasure of 0 after 50 moves.",
            "The steps are shared among the agents, one for each weight: more weights, less learning for each.",
        ),
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        steps = int(paid(self.fidelities, fidelity)["steps"])
        point = self.space.check(params)
        fronts = [_front(point, steps, seeding.derive(seed, seeding.NOISE, _LEARNING, k)) for k in range(_N_SEEDS)]
        return {"hypervolume": sum(map(hypervolume, fronts)) / _N_SEEDS}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """Seconds, as a step of the environment takes them."""
        return _SECONDS * _N_SEEDS * paid(self.fidelities, fidelity)["steps"]


def _front(point: Mapping[str, Any], steps: int, seed: int) -> list[Point]:
    """What the agents bring home, one for each weight: treasure, and moves as a negative number."""
    sea, n = _sea(), point["n_weights"]
    return [_dive(sea, _learned(sea, k / (n - 1), point, steps // n, seeding.generator(seed, k))) for k in range(n)]


@cache
def _sea() -> Sea:
    """All moves of the environment, each made once.

    Raises:
        ImportError: mo-gymnasium is not installed; says how to install it.
    """
    try:
        from mo_gymnasium.envs.deep_sea_treasure.deep_sea_treasure import DeepSeaTreasure as Environment
    except ImportError as error:
        raise needed(error) from error
    with warnings.catch_warnings():
        # Of the environment's own making: the bounds of its rewards are given in double precision.
        warnings.filterwarnings("ignore", ".*Box high's precision lowered", UserWarning)
        environment: Any = Environment()
    n_columns = environment.sea_map.shape[1]
    sea: Sea = []
    for at in np.ndindex(environment.sea_map.shape):
        moves = []
        for action in range(_N_ACTIONS):
            environment.current_state = np.array(at)
            (row, column), (treasure, _), is_over, _, _ = environment.step(action)
            # The environment's tenths are of single precision.
            moves.append((int(row) * n_columns + int(column), round(float(treasure), 1), bool(is_over)))
        sea.append(moves)
    return sea


def _learned(sea: Sea, weight: float, point: Mapping[str, Any], steps: int, rng: np.random.Generator) -> Table:
    rate, discount = point["learning_rate"], point["discount"]
    first, last = point["first_exploration"], point["last_exploration"]
    fall = (first - last) / max(1.0, point["exploration_share"] * steps)
    chances, actions = rng.random(steps).tolist(), rng.integers(_N_ACTIONS, size=steps).tolist()
    table = [[point["first_value"]] * _N_ACTIONS for _ in sea]
    at = n_moves = 0
    for t in range(steps):
        values = table[at]
        explores = chances[t] < max(last, first - fall * t)
        action = actions[t] if explores else values.index(max(values))
        following, treasure, is_over = sea[at][action]
        ahead = 0.0 if is_over else discount * max(table[following])
        values[action] += rate * (weight * treasure - (1 - weight) + ahead - values[action])
        n_moves += 1
        at = following
        if is_over or n_moves == _MOST_MOVES:
            at = n_moves = 0
    return table


def _dive(sea: Sea, table: Table) -> Point:
    """An episode of the best actions."""
    at = 0
    for n_moves in range(1, _MOST_MOVES + 1):
        at, treasure, is_over = sea[at][table[at].index(max(table[at]))]
        if is_over:
            return treasure, -float(n_moves)
    return 0.0, -float(_MOST_MOVES)
