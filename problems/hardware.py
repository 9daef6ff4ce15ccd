"""Design of hardware for the training of large models: networks and collective operations, as simulated.

1,792 designs that agents found feasible, with what AstraSim says of them: Krishnan et al., "ArchGym: an open-source
gymnasium for machine learning assisted architecture design", ISCA 2023, arXiv:2306.08888.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from bbo.objective import Maximize, Minimize, Tracked
from bbo.problems.card import Card
from bbo.problems.data import Dataset, Source
from bbo.problems.recorded import Recorded
from bbo.problems.tabular import Tabular

_ARCHGYM = (
    "https://raw.githubusercontent.com/srivatsankrishnan/oss-arch-gym/53f745af87b256794c0cd712c2b8e77aab74b4a6"
    "/proxy-pipeline/data"
)
_OUTPUTS = ("comms_time", "fwd_compute", "wg_compute", "ig_compute", "total_exposed_comm")
# ArchGym's reward for being near a target; here the best of the designs, rounded down.
_TARGET = 3e6
_SOURCE = (
    'Krishnan et al., "ArchGym: an open-source gymnasium for machine learning assisted architecture design", ISCA 2023'
)
_UNIT = "Times have the simulator's unit, which is not stated: nanoseconds by their size."
_CARD = Card(
    source=_SOURCE,
    doi="arXiv:2306.08888",
    licence="Apache-2.0, of the repository srivatsankrishnan/oss-arch-gym",
    size="1,792 designs found by agents, not a factorial",
    known="the best of all rows",
    remarks=(_UNIT,),
)


def joined(contents: Sequence[bytes]) -> bytes:
    """Designs and what was observed of them side by side, the latter by name."""
    designs, observed = (list(csv.reader(io.StringIO(content.decode()))) for content in contents)
    rows = [[*designs[0], *_OUTPUTS], *([*a, *b] for a, b in zip(designs[1:], observed[1:], strict=True))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


DESIGNS = Dataset(
    "engineering/archgym_astrasim/designs.csv",
    "54e989149260569ad873817b58d239c9f941e003d0c1253462a462ce3c976dbd",
    (
        Source(f"{_ARCHGYM}/actions_feasible.csv", "49690b21b42996d50f1703acf82923b86e61b7bd504865695a3dadf4c63882df"),
        Source(
            f"{_ARCHGYM}/observations_feasible.csv",
            "fa76ffa6432905e07c1ce65c240ae0492de49d3d93047b2404f0145674f3c823",
        ),
    ),
    joined,
)


@dataclass(frozen=True)
class _Designs(Recorded):
    """The designs as a pool. What all of them have in common is no parameter."""

    @classmethod
    def read(cls) -> Tabular:
        import pandas as pd

        table = pd.read_csv(io.BytesIO(DESIGNS.read()))
        table["reward"] = _TARGET / (table["comms_time"] - _TARGET).abs()
        given = {*_OUTPUTS, "reward"}
        inputs = [name for name in table.columns if name not in given and table[name].nunique() > 1]
        return Tabular(table, inputs, cls.objectives, about=cls.card)


@dataclass(frozen=True)
class AstraSim(_Designs):
    """Network and collectives of a training cluster, 29 variables, 1,792 designs: time of communication."""

    objectives: ClassVar[tuple[Minimize | Tracked, ...]] = (Minimize("comms_time"), Tracked("total_exposed_comm"))
    best_value: ClassVar[float] = 3064383.235
    card: ClassVar[Card] = _CARD


@dataclass(frozen=True)
class AstraSimReward(_Designs):
    """Network and collectives of a training cluster, 29 variables, 1,792 designs: ArchGym's reward near a target."""

    objectives: ClassVar[tuple[Maximize | Tracked, ...]] = (Maximize("reward"), Tracked("comms_time"))
    best_value: ClassVar[float] = 46.59598108109986
    card: ClassVar[Card] = replace(
        _CARD,
        remarks=(
            f"The reward is T / |t - T| of the time of communication t and a target T of {_TARGET:g}, after ArchGym's "
            "for memories: it rises steeply near the target, and most designs differ little by it.",
            _UNIT,
        ),
    )
