"""Proximal policy optimization by stable-baselines3 on three classical tasks of control.

The hyperparameters and their ranges are those of Eimer, Lindauer & Raileanu, "Hyperparameters in reinforcement learning
and how to tune them", ICML 2023; they train for 100,000 steps, six times as long as the most here. PPO is of Schulman
et al., "Proximal policy optimization algorithms" (2017).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bbo.fidelity import Fidelity, paid
from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.reinforcement_learning.agents import STEPS, card, mean_return
from bbo.space import Float, Int, Ordinal, Space

# Copies of the environment, and the steps of each between two rounds of updates.
_N_PARALLEL, _N_STEPS = 4, 128
# For an action in each copy, and for an update: of a core that has others beside it, measured in 2026.
_SECONDS_TO_ACT, _SECONDS_TO_UPDATE = 8e-4, 4e-3


@dataclass(frozen=True)
class _PPO:
    environment: ClassVar[str]
    discount: ClassVar[float] = 0.99

    space: ClassVar[Space] = Space(
        (
            Float("learning_rate", 1e-6, 1e-2, log=True),
            Ordinal("batch_size", (16, 32, 64, 128)),
            Int("n_epochs", 5, 20),
            Float("gae_lambda", 0.8, 0.9999),
            Float("clip_range", 0.0, 0.5),
        )
    )
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("mean_return"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (STEPS,)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        steps = int(paid(self.fidelities, fidelity)["steps"])
        settings = {**self.space.check(params), "gamma": self.discount, "n_steps": _N_STEPS}
        return {
            "mean_return": mean_return(
                "PPO", self.environment, settings, steps=steps, n_parallel=_N_PARALLEL, seed=seed
            )
        }

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        """Seconds, by the numbers of actions and of updates."""
        steps = paid(self.fidelities, fidelity)["steps"]
        n_updates = steps / params["batch_size"] * params["n_epochs"]
        return float(_SECONDS_TO_ACT * steps / _N_PARALLEL + _SECONDS_TO_UPDATE * n_updates)


class PPOCartPole(_PPO):
    """PPO on CartPole, 5 hyperparameters: how many steps a pole stays up, 500 at most."""

    environment: ClassVar[str] = "CartPole-v1"
    card: ClassVar[Card] = card("No return is above 500, where an episode ends.")


class PPOAcrobot(_PPO):
    """PPO on Acrobot, 5 hyperparameters: steps until two links swing up, as a negative number."""

    environment: ClassVar[str] = "Acrobot-v1"
    card: ClassVar[Card] = card(
        "Links that are never swung up have -500, and under some seeds nothing else is learned."
    )


class PPOPendulum(_PPO):
    """PPO on Pendulum, 5 hyperparameters: squares of angle, speed and torque over 200 steps, as a negative number."""

    environment: ClassVar[str] = "Pendulum-v1"
    discount: ClassVar[float] = 0.9
    card: ClassVar[Card] = card("Future rewards are discounted by 0.9, in the others by 0.99.")
