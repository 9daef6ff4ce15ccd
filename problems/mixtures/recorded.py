"""Runs of language models that were trained on mixtures of data, as their authors recorded them.

A point is one of the mixtures that were tried; the size of the model, and how long it was trained, are fidelities.
Proportions that were rounded are scaled so that they sum to 1.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bbo.fidelity import Fidelity
from bbo.objective import Maximize, Minimize
from bbo.problems.card import Card
from bbo.problems.data import Dataset, Source, as_it_is
from bbo.problems.mixtures.training_logs import pivoted, weights
from bbo.problems.recorded import Priced
from bbo.problems.tabular import Tabular
from bbo.space import Simplex

if TYPE_CHECKING:  # listing the problems needs no tables
    import pandas as pd

_REGMIX = "https://raw.githubusercontent.com/sail-sg/regmix/b004d3a3f39846dcec6b3740da22bcd1ba95a5d0/data"
_ADMIRE = (
    "https://raw.githubusercontent.com/xo28/ADMIRE-BayesOpt/dc177953300b89676695552a0f5f10dc0ae6f82d/admire_ift_runs"
)
_LAWS = "https://raw.githubusercontent.com/yegcjs/mixinglaws/8ad3e1244b53294ded55a96ae325f4112ce3bc63/data"
_SLIM = (
    "https://raw.githubusercontent.com/meiqwq/Explaining-Data-Mixing-Scaling-Laws"
    "/c2bf1106e8e54b8d368cd6de2515d4804f1c8a36/data"
)
_YE = (
    'Ye, Liu, Sun, Zhan, Zhou & Qiu, "Data mixing laws: optimizing data mixtures by predicting language modeling '
    'performance", ICLR 2025'
)
_NO_LICENCE = "none stated: no permission to redistribute can be assumed"


def _regmix(name: str, sha256: str) -> Dataset:
    path = f"data_mixtures/regmix/{name}.csv"
    return Dataset(path, sha256, (Source(f"{_REGMIX}/{name}.csv", sha256),), as_it_is)


# By size: the mixtures, and their losses.
REGMIX = {
    "1m": (
        _regmix("test_mixture_1m", "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8"),
        _regmix("test_pile_loss_1m", "e027b1674f60140a65a87b5e4a59ab5f09dc33e8fd02c080682678074b160f53"),
    ),
    "1m-train": (
        _regmix("train_mixture_1m", "04a32ef4ab594376bf90e11404c033668f887c351d6a03ad3744824c7296a2d8"),
        _regmix("train_pile_loss_1m", "49a959aa07ce5c20831d5abe3a7896ff0cd90a398bd407c8913fd5588be0465a"),
    ),
    "60m": (
        _regmix("test_mixture_60m", "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8"),
        _regmix("test_pile_loss_60m", "8fe69d59ab7dd4fae4736459f4265ec93c7ed1ad1eca407346052560edc72b5b"),
    ),
    "1B": (
        _regmix("test_mixture_1B", "dd38052949c0a5f84165bdcb3ae3a331c7f07efd9bb83848bd579dfc4ce75a2c"),
        _regmix("test_pile_loss_1B", "b2451e2b7fa15400688edc39e4d32f21ccbe0fb356e07d62a0e9ccddf247114f"),
    ),
}
ADMIRE = Dataset(
    "data_mixtures/admire_ift_runs/admire_ift_runs.csv",
    "703b061d36203c297b311c1d03adcb46a9497a2fc1b3e86f81a55b047a205686",
    (Source(f"{_ADMIRE}/admire_ift_runs.csv", "703b061d36203c297b311c1d03adcb46a9497a2fc1b3e86f81a55b047a205686"),),
    as_it_is,
)
LAWS = Dataset(
    "data_mixtures/mixing_laws_pile5/runs.csv",
    "430d4f19c1d3bccc1736179b1b3ff8bfb72ab1ac01f3e68dd722f791471c3bf2",
    tuple(
        Source(f"{_LAWS}/5Mix/{size}.txt", sha256)
        for size, sha256 in {
            "70M": "e2291932bc49162c4d57f42b953d9d44c9e7bc2a8617ee051f99c12b89b3c26c",
            "160M": "2cfa8f7ee450ac4b1e2e9e605b9fa90372f856fbdb759cc5bcde6a552e843964",
            "305M": "0b3ede771115a7516eed7f6735f4be22cb762ca04f7bfc42699f915da8e3e0ed",
            "410M": "10d88c6b3149f9bf57a61b9453c7604796451c6c3058897fbbf91a5cee273f37",
            "1B": "84e5ba29f78359aebed51da474d844cfed84d053fc30469b3d12ce72528f550c",
        }.items()
    ),
    pivoted(("70M", "160M", "305M", "410M", "1B"), ("academic", "prose", "dialogue", "symbolic", "internet")),
)
REDPAJAMA = Dataset(
    "data_mixtures/mixing_laws_redpajama/runs.csv",
    "36987239a04ae3f80a262b1b50d88d3d9275c0b2e7fc0718bd384698fc45c957",
    tuple(
        Source(f"{_LAWS}/RedPajama/{size}.txt", sha256)
        for size, sha256 in {
            "70M": "4a3e3afec60dadfbf77b23e09d89653e9abdfa0c1db35c83fe073e039f142991",
            "160M": "4bd1696e96ef86f8f4114c3b4920f99395ffc9cfe7455d7fd9b080e09f7643d0",
            "305M": "fa0c89c569e9bda7eebb30d057895d8cdc7158064c8759b32152ed1f0fe105b7",
            "410M": "9c117fbed349ebc0971dba63322aa01a2ab88edfd34fdeb642befed0d4ee8f33",
            "1B": "6187ca3191e79f1a87bdd6edca58b76d2a316225e6e06dfb64b1672220d51542",
        }.items()
    ),
    pivoted(("70M", "160M", "305M", "410M", "1B"), tuple("1234567")),
)
WEIGHTS = Dataset(
    "data_mixtures/mixing_laws_redpajama/valid_weights.csv",
    "f7054af29932433f55eb17bc0a1102b5a7fc764b92478d010dcc76540022df87",
    (
        Source(
            "https://raw.githubusercontent.com/yegcjs/mixinglaws/8ad3e1244b53294ded55a96ae325f4112ce3bc63"
            "/pipeline/valid_weight.json",
            "d435a2da15a8658a6d2f8ee93ac2291cc374938adf543182737ad092be4e4c39",
        ),
    ),
    weights,
)
SLIMPAJAMA = Dataset(
    "data_mixtures/dmsl_slimpajama/runs.csv",
    "9c950a9f96e058318cfcefde5835143525937186163f4c2345b030ef0ea0519f",
    (Source(f"{_SLIM}/dmsl_llm_slimpajama.csv", "9c950a9f96e058318cfcefde5835143525937186163f4c2345b030ef0ea0519f"),),
    as_it_is,
)


def frame(dataset: Dataset) -> "pd.DataFrame":
    """A table as it stands in its file."""
    import pandas as pd

    return pd.read_csv(io.BytesIO(dataset.read()))


def regmix(size: str) -> tuple["pd.DataFrame", Simplex]:
    """Runs of one size, a row for each: the mixture, scaled to 1, and `loss_` of each domain."""
    import pandas as pd

    mixtures, losses = (frame(dataset).set_index("index") for dataset in REGMIX[size])
    named = {name: f"loss_{name[len('metric/the_pile_') : -len('_val_loss')]}" for name in losses.columns}
    return _mixed(pd.concat([mixtures, losses.rename(columns=named)], axis=1), "train_the_pile_")


def _mixed(table: "pd.DataFrame", prefix: str) -> tuple["pd.DataFrame", Simplex]:
    """The table with columns of proportions, which are named by a prefix, as those of a mixture that sums to 1."""
    parts = [name.removeprefix(prefix) for name in table.columns if name.startswith(prefix)]
    named = {f"{prefix}{part}": f"mixture.{part}" for part in parts}
    return _scaled(table.rename(columns=named)), Simplex("mixture", tuple(parts))


def _scaled(table: "pd.DataFrame") -> "pd.DataFrame":
    mixtures = table[[name for name in table.columns if name.startswith("mixture.")]]
    return table.assign(**mixtures.div(mixtures.sum(axis=1), axis=0))


@dataclass(frozen=True)
class RegMix(Priced):
    """Pre-training data of 17 domains of the Pile, 256 mixtures: loss of a 60M model on web pages."""

    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss_pile_cc", unit="nats"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (Fidelity.of_levels("model_size", (1e6, 60e6), unit="parameters"),)
    best_value: ClassVar[float] = 4.100112915039063
    card: ClassVar[Card] = Card(
        source='Liu et al., "RegMix: data mixture as regression for language model pre-training" (2024)',
        doi="arXiv:2407.01492",
        licence="MIT, of the repository sail-sg/regmix",
        size="256 mixtures, each of two sizes of model",
        known="the best of all rows",
        cost_unit="training runs of the large model, all on as many tokens",
        remarks=("The mixture of least loss is the same for both sizes.",),
    )

    @classmethod
    def read(cls) -> Tabular:
        import pandas as pd

        (small, mixture), (large, _) = regmix("1m"), regmix("60m")
        table = pd.concat([small.assign(model_size=1_000_000), large.assign(model_size=60_000_000)])
        table["cost"] = table["model_size"] / 60e6
        return Tabular(table, [mixture], cls.objectives, cls.fidelities, cost_column="cost", about=cls.card)


@dataclass(frozen=True)
class Admire(Priced):
    """Instruction-tuning data of 19 sources, 76 mixtures: mean score of a 7B model on 17 tasks."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("metric_avg_id+ood"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity.of_levels("model_size", (0.5e9, 3e9, 7e9), unit="parameters"),
    )
    best_value: ClassVar[float] = 0.593815057
    card: ClassVar[Card] = Card(
        source='Chen, Ouyang, Pearce, Hartvigsen & Schwarz, "ADMIRE-BayesOpt" (2025)',
        doi="arXiv:2508.11551",
        licence="CC BY-NC-SA 4.0: no commercial use",
        size="76 mixtures, each of three sizes of model",
        known="the best of all rows",
        cost_unit="the authors' training times, of which the unit is not stated",
        remarks=("All scores of the largest model lie between 0.580 and 0.594: compare regrets, not values.",),
    )

    @classmethod
    def read(cls) -> Tabular:
        table, mixture = _mixed(frame(ADMIRE), "ratio_")
        sizes = {"Qwen2.5-0.5B": 500_000_000, "Qwen2.5-3B": 3_000_000_000, "Qwen2.5-7B": 7_000_000_000}
        table["model_size"] = table["model"].map(sizes)
        return Tabular(table, [mixture], cls.objectives, cls.fidelities, cost_column="train_time", about=cls.card)


@dataclass(frozen=True)
class MixingLaws(Priced):
    """Pre-training data of 5 coarse domains of the Pile, 26 mixtures: mean loss of a 410M model on 22 sets."""

    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss", unit="nats"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity.of_levels("model_size", (70e6, 160e6, 305e6, 410e6), unit="parameters"),
        Fidelity.of_levels("step", (10_000, 12_000, 14_000, 16_000, 18_000, 20_000, 22_000, 24_000, 27_000, 30_000)),
    )
    best_value: ClassVar[float] = 2.604807611783153
    card: ClassVar[Card] = Card(
        source=_YE,
        doi="arXiv:2403.16952",
        licence=_NO_LICENCE,
        size="26 mixtures, each of four sizes of model at ten steps of training",
        known="the best of all rows",
        cost_unit="training runs of the largest model, by parameters times steps",
        remarks=("The order of the domains is not stated by the authors; it was inferred.",),
    )

    @classmethod
    def read(cls) -> Tabular:
        table = frame(LAWS)
        losses = [name for name in table.columns if name.startswith("loss_")]
        table["loss"] = table[losses].mean(axis=1, skipna=False)
        return _of_laws(table, cls)


@dataclass(frozen=True)
class MixingLawsRedPajama(Priced):
    """Pre-training data of 7 domains of RedPajama, 42 mixtures: weighted loss of a 70M model on 22 sets."""

    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("loss", unit="nats"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity.of_levels("step", (10_000, 13_000, 14_000, 16_000, 24_000, 27_000, 30_000)),
    )
    best_value: ClassVar[float] = 3.5538194444444446
    card: ClassVar[Card] = Card(
        source=_YE,
        doi="arXiv:2403.16952",
        licence=_NO_LICENCE,
        size="42 mixtures, each at seven steps of training",
        known="the best of all rows",
        cost_unit="training runs, by steps",
        remarks=(
            "What the seven parts are is not stated by the authors; by size they fit CommonCrawl, C4, GitHub and four "
            "small domains.",
            "Two recorded mixtures, 997 and 999, do not sum to 1 and are scaled.",
        ),
    )

    @classmethod
    def read(cls) -> Tabular:
        table, weights = frame(REDPAJAMA), frame(WEIGHTS).set_index("domain")["weight"]
        losses = table[[f"loss_{domain}" for domain in weights.index]].to_numpy()
        table["loss"] = losses @ weights.to_numpy() / weights.sum()
        return _of_laws(table[table["model_size"] == "70M"], cls)


def _of_laws(table: "pd.DataFrame", problem: type[Priced]) -> Tabular:
    """One of the tables of Data Mixing Laws with a column `loss`."""
    table, mixture = _mixed(table, "ratio_")
    table["model_size"] = table["model_size"].str.removesuffix("M").replace("1B", "1000").astype(int) * 1_000_000
    wanted = {fidelity.name: fidelity for fidelity in problem.fidelities}
    for name, fidelity in wanted.items():
        table = table[table[name].isin(fidelity.levels or ())]
    full = table["model_size"].max() * table["step"].max()
    table = table.assign(cost=table["model_size"] * table["step"] / full)
    return Tabular(table, [mixture], problem.objectives, problem.fidelities, cost_column="cost", about=problem.card)


@dataclass(frozen=True)
class SlimPajama(Priced):
    """Pre-training data of 7 domains of SlimPajama, 40 mixtures: loss of a 937M model on instructions."""

    objectives: ClassVar[tuple[Minimize, ...]] = (Minimize("openhermes_loss", unit="nats"),)
    fidelities: ClassVar[tuple[Fidelity, ...]] = (
        Fidelity.of_levels("model_size", (122e6, 310e6, 680e6, 937e6), unit="parameters"),
        Fidelity.of_levels("checkpoint", tuple(range(1, 11)), unit="tenths of the training"),
    )
    best_value: ClassVar[float] = 1.6192515563964844
    card: ClassVar[Card] = Card(
        source='Shukor et al., "Scaling laws for optimal data mixtures" (2025)',
        doi="arXiv:2507.09404",
        licence=_NO_LICENCE,
        size="40 mixtures, each of four sizes of model at ten checkpoints",
        known="the best of all rows",
        cost_unit="training runs of the largest model, by parameters times tokens",
        remarks=("Instructions (OpenHermes) are none of the domains of the mixture.",),
    )

    @classmethod
    def read(cls) -> Tabular:
        table, mixture = _mixed(frame(SLIMPAJAMA), "weight_")
        table["model_size"] = table["model_size"].astype(int)
        table = table[table["model_size"].isin(cls.fidelities[0].levels or ())]
        # The last of eleven checkpoints is 2 million tokens after the tenth.
        run = [*(cell.name for cell in mixture.cells), "model_size"]
        table = table.assign(checkpoint=table.groupby(run)["n_tokens"].rank().astype(int))
        work = table["model_size"] * table["n_tokens"]
        table = table.assign(cost=work / work[table["checkpoint"] == cls.fidelities[1].high].max())
        return Tabular(table, [mixture], cls.objectives, cls.fidelities, cost_column="cost", about=cls.card)
