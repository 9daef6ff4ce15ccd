"""A deep Q-network by stable-baselines3 on a classical task of control.

The hyperparameters are those of Eimer, Lindauer & Raileanu, "Hyperparameters in reinforcement learning and how to tune
them", ICML 2023, and the interval of the target network. What they count in steps, of 100,000, is a share of the
training here, and updates come at most every 8 steps, so that the dearest training takes about a minute. DQN is of Mnih
et al., "Human-level control through deep reinforcement learning", Nature 518 (2015).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.fidelity import Fidelity, paid
from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.reinforcement_learning.agents import STEPS, card, mean_return
from bbo.space import Float, Int, Ordinal, Space

# Of a core that has others beside it, measured in 2026.
_SECONDS_TO_ACT, _SECONDS_TO_UPDATE = 3.5e-4, 2.4e-3


@dataclass(frozen=True)
class DQNCartPole:
    """DQN on CartPole, 8 hyperparameters: how many steps a pole stays up, 500 at most."""

    space: ClassVar[Space] = Space(
        (
            Float("learning_rate", 1e-6, 1e-2, log=True),
            Ordinal("batch_size", (4, 8, 16, 32)),
            Ordinal("train_freq", (8, 16, 32, 64, 128, 256, 512)),
            Int("gradient_steps", 1, 10),
            Float("learning_starts", 0.0, 0.1),
            Float("buffer", 0.05, 1.0),
            Float("exploration", 0.005, 0.5),
            Float("target_interval", 0.001, 0.1, log=True),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("mean_return"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (STEPS,)
    card: ClassVar[Card] = card(
        "No return is above 500, where an episode ends.",
        "learning_starts, buffer, exploration and target_interval are shares of the steps of training.",
    )

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        steps = int(paid(self.fidelities, fidelity)["steps"])
        point = self.space.check(params)
        settings = {
            **{name: point[name] for name in ("learning_rate", "batch_size", "train_freq", "gradient_steps")},
            "learning_starts": round(point["learning_starts"] * steps),
            "buffer_size": math.ceil(point["buffer"] * steps),
            "exploration_fraction": point["exploration"],
            "target_update_interval": math.ceil(point["target_interval"] * steps),
        }
        return {"mean_return": mean_return("DQN", "CartPole-v1", settings, steps=steps, n_parallel=1, seed=seed)}

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """Seconds, by the numbers of actions and of updates."""
        steps = paid(self.fidelities, fidelity)["steps"]
        n_updates = (1 - params["learning_starts"]) * steps / params["train_freq"] * params["gradient_steps"]
        return float(_SECONDS_TO_ACT * steps + _SECONDS_TO_UPDATE * n_updates)
