"""Training an agent of stable-baselines3 as a function of its settings and a seed, and what the trained agent earns.

stable-baselines3 draws from the global generators of torch, numpy and Python. They are seeded for the time of a
training and then put back as they were; the engine's computations in the same process wait until it is over. So agents
are trained in several processes, not in several threads.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from bbo import seeding
from bbo.fidelity import Fidelity
from bbo.problems.card import Card

# Rollouts and the steps between updates divide each level.
STEPS = Fidelity.of_levels("steps", (512, 1024, 2048, 4096, 8192, 16_384))
_N_EPISODES = 5
# What a seed of an evaluation is for, beside the numbers of the wrappers.
_TRAINING, _EPISODES = 101, 102


def card(*remarks: str) -> Card:
    """Of a problem whose agent is trained by `mean_return`, with remarks of its own."""
    return Card(
        source="Eimer, Lindauer & Raileanu, Hyperparameters in reinforcement learning and how to tune them, ICML 2023",
        doi="arXiv:2306.01324",
        noise="the network's first weights, exploration, batches, and the episodes that are trained and judged on",
        cost_unit="s",
        remarks=(*remarks, "The same seed gives the same bits on the same versions of packages and kind of processor."),
    )


def needed(error: ImportError) -> ImportError:
    """Says how to install what could not be imported."""
    return ImportError(
        "Live problems of reinforcement learning need stable-baselines3, gymnasium and mo-gymnasium, "
        f"not all of which are installed ({error}): pip install 'bbo[rl]'"
    )


def mean_return(
    agent: str, environment: str, settings: Mapping[str, Any], *, steps: int, n_parallel: int, seed: int
) -> float:
    """Sum of the rewards of an episode, the mean over 5 in which the trained agent does not explore.

    Args:
        agent: a class of stable-baselines3.
        environment: an id of gymnasium.
        settings: arguments of the agent.
        steps: of training, over all copies of the environment.
        n_parallel: copies of the environment that the agent acts in at once.

    Raises:
        ImportError: a package is not installed; says how to install it.
    """
    with _generators_kept():
        try:
            import stable_baselines3
            from stable_baselines3.common.env_util import make_vec_env
            from stable_baselines3.common.evaluation import evaluate_policy
        except ImportError as error:
            raise needed(error) from error
        # Importing draws too.
        _seed_generators(_seed(seed, _TRAINING))
        copies = make_vec_env(environment, n_parallel, seed=_seed(seed, _TRAINING))
        # An agent that is given a seed would also seed the generators of GPUs.
        model = getattr(stable_baselines3, agent)("MlpPolicy", copies, device="cpu", seed=None, **settings)
        model.learn(steps)
        episodes = make_vec_env(environment, _N_EPISODES, seed=_seed(seed, _EPISODES))
        returns, _ = evaluate_policy(model, episodes, n_eval_episodes=_N_EPISODES, return_episode_rewards=True)
    return float(np.mean(returns))


def _seed(seed: int, purpose: int) -> int:
    """gymnasium and numpy take 32 bits, and parallel copies of an environment the next numbers."""
    return seeding.derive(seed, seeding.NOISE, purpose) % 2**31


def _seed_generators(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is the one that the agents draw from
    # torch.manual_seed would seed the generators of GPUs too.
    torch.default_generator.manual_seed(seed)


@contextmanager
def _generators_kept() -> Iterator[None]:
    """One thread and gradients inside, whatever the caller has, and the global generators as they were, after."""
    import torch

    from bbo.surrogates.threads import pinned_threads

    grads = torch.inference_mode(False), torch.enable_grad()
    with pinned_threads(0), torch.random.fork_rng(devices=[]), grads[0], grads[1]:
        of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002
