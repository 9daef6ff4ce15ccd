"""Learning curves of PPO on two Atari games, with every combination of some hyperparameters.

Shala, Pineda Arango, Biedenkapp, Hutter & Grabocka, "HPO-RL-Bench: a zero-cost benchmark for HPO in reinforcement
learning", AutoML 2024, PMLR 256. A run was evaluated a hundred times, `evaluation` being the fidelity; the seed chooses
the run, and all of its evaluations belong to one agent. Its authors keep thousands of small files, so that these tables
cannot be fetched here: BBO_DATA names a folder that has them.
"""

import io
from dataclasses import dataclass, replace
from typing import ClassVar

from bbo.fidelity import Fidelity
from bbo.objective import Maximize
from bbo.problems.card import Card
from bbo.problems.data import Dataset, as_it_is
from bbo.problems.recorded import Priced
from bbo.problems.tabular import Tabular

_HOME = "https://github.com/releaunifreiburg/HPO-RL-Bench, commit 7ea02a32e5d6, as one table of the JSON files"
_SOURCE = (
    'Shala, Pineda Arango, Biedenkapp, Hutter & Grabocka, "HPO-RL-Bench: a zero-cost benchmark for HPO in '
    'reinforcement learning", AutoML 2024, PMLR 256'
)
_EVALUATION = Fidelity.of_levels("evaluation", tuple(range(1, 101)), unit="of a hundred, evenly over the training")
_CARD = Card(
    source=_SOURCE,
    licence="none stated: no permission to redistribute can be assumed",
    known="the best mean over runs at the last evaluation",
    cost_unit="s of wall clock, as recorded",
)


def _curves(name: str, sha256: str) -> Dataset:
    return Dataset(f"rl_hpo/hpo_rl_bench_ppo_{name}/curves.csv", sha256, (), as_it_is, _HOME)


@dataclass(frozen=True)
class _Curves(Priced):
    """A table of curves; `inputs` are its columns of hyperparameters."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("return_mean"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (_EVALUATION,)
    dataset: ClassVar[Dataset]
    inputs: ClassVar[tuple[str, ...]] = ("log10_lr", "gamma", "clip")

    @classmethod
    def read(cls) -> Tabular:
        import pandas as pd

        table = pd.read_csv(io.BytesIO(cls.dataset.read())).rename(columns={"eval_index": _EVALUATION.name})
        return Tabular(
            table, cls.inputs, cls.objectives, cls.fidelities, run="seed", cost_column="wallclock_s", about=cls.card
        )


@dataclass(frozen=True)
class PPOEnduro(_Curves):
    """PPO on Atari's Enduro, 3 hyperparameters: mean return, in one of five runs."""

    best_value: ClassVar[float] = 411.2
    dataset: ClassVar[Dataset] = _curves("enduro", "6e885ec4a10d164f65fbca0ad42f175a44d17e51ce466777cab18461cf7c61d7")
    card: ClassVar[Card] = replace(
        _CARD,
        size="539 runs of 108 configurations; one run that ended early is left out",
        noise="which of the five runs is drawn",
        remarks=("Runs end between 330,000 and 1,003,000 steps of the environment, each after a hundred evaluations.",),
    )


@dataclass(frozen=True)
class PPOPong(_Curves):
    """PPO on Atari's Pong, 3 hyperparameters: mean return, in one of three runs."""

    best_value: ClassVar[float] = -6.833333333333333
    dataset: ClassVar[Dataset] = _curves("pong", "2744539dcd8aa278acec5eead04462771f38d350dbaae7fc66c2595dda019c7e")
    card: ClassVar[Card] = replace(
        _CARD,
        size="324 runs of 108 configurations",
        noise="which of the three runs is drawn",
        remarks=("Most configurations learn nothing: the median of all ends at -21, the least return there is.",),
    )


@dataclass(frozen=True)
class PPOEnduroSchedules(_Curves):
    """PPO on Atari's Enduro, learning rate and discount in three phases: mean return, in one of three runs."""

    best_value: ClassVar[float] = 431.23333333333335
    dataset: ClassVar[Dataset] = _curves(
        "enduro_dynamic", "6c8f40eb3df6e1d406c8fc07822e68d2e1b6c2c202a2aa3322d4d3b61766cb58"
    )
    inputs: ClassVar[tuple[str, ...]] = ("log10_lr_1", "log10_lr_2", "log10_lr_3", "gamma_1", "gamma_2", "gamma_3")
    card: ClassVar[Card] = replace(
        _CARD,
        size="2,183 runs of 729 schedules",
        noise="which of the two or three runs is drawn",
        remarks=("Phases change every 300,000 steps of the environment.",),
    )
