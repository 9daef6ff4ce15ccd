"""Reactions of which all outcomes were measured, by high-throughput experiments, with descriptors of the reagents.

As they were collected for the Iron Mind benchmark, MacKnight, Regio, Ethier, Baldwin & Gomes, arXiv:2509.00103 (2025).
Descriptors are those of its code: ten of Mordred for a level, 30 for a condition of the amide coupling. "None" is a
level, of experiments without such a reagent. Combinations that no row has are forbidden.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from bbo.objective import Maximize, Minimize
from bbo.problems.card import Card
from bbo.problems.chemistry import iron_mind
from bbo.problems.data import Dataset, Source, here
from bbo.problems.recorded import Recorded
from bbo.problems.tabular import Tabular
from bbo.space import Categorical, Ordinal, Parameter

_OLYMPUS = (
    "https://raw.githubusercontent.com/gomesgroup/olympus/7b4bb35c04eb31dc57a8e46cc79a9cab71dee06d/src/olympus/datasets"
)
_SMILES = (
    "https://raw.githubusercontent.com/gomesgroup/iron-mind-public/028b81b37755adb2b0229a3a8cbb05763bf6b74e"
    "/smiles_mappings"
)
_LICENCE = "MIT, of the repositories gomesgroup/olympus and gomesgroup/iron-mind-public"
_CERNAK = (
    "\"Miniaturization of popular reactions from the medicinal chemists' toolbox for ultrahigh-throughput "
    'experimentation", Nature Synthesis (2023)'
)
_CERNAK_DOI = "10.1038/s44160-023-00351-1"


@dataclass(frozen=True)
class Files:
    """Where a table comes from.

    Args:
        name: of our table.
        upstream: of the public data set.
        data, levels: SHA-256 of our tables, of rows and of levels.
        table, described, smiles: SHA-256 of the public ones: the rows, what their columns are, and SMILES by level, the
            latter empty where the levels themselves are SMILES.
        aggregated: SHA-256 of our table of the means over replicates; empty where there are none.
    """

    name: str
    upstream: str
    data: str
    levels: str
    table: str
    described: str
    smiles: str = ""
    aggregated: str = ""

    @property
    def rows(self) -> Dataset:
        return Dataset(f"chemistry/{self.name}/data.csv", self.data, self._sources, iron_mind.data)

    @property
    def means(self) -> Dataset:
        return Dataset(f"chemistry/{self.name}/aggregated.csv", self.aggregated, self._sources, iron_mind.chan_lam)

    @property
    def known(self) -> Dataset:
        """Of the levels."""
        named = (Source(f"{_SMILES}/{self.upstream}.json", self.smiles),) if self.smiles else ()
        path = f"chemistry/{self.name}/levels.csv"
        return Dataset(path, self.levels, (*self._sources, *named), iron_mind.levels)

    @property
    def _sources(self) -> tuple[Source, ...]:
        folder = f"{_OLYMPUS}/dataset_{self.upstream}"
        return Source(f"{folder}/data.csv", self.table), Source(f"{folder}/config.json", self.described)


@dataclass(frozen=True)
class _Reaction(Recorded):
    """A table of conditions and what they gave. `smiles` says what the levels are."""

    files: ClassVar[Files]
    is_aggregated: ClassVar[bool] = False

    @classmethod
    def read(cls) -> Tabular:
        import pandas as pd

        dataset = cls.files.means if cls.is_aggregated else cls.files.rows
        inputs = [_parameter(name, rows) for name, rows in _levels(cls.files, here()).items()]
        texts = {p.name: str for p in inputs if isinstance(p, Categorical)}
        table = pd.read_csv(io.BytesIO(dataset.read()), dtype=texts, keep_default_na=False)
        return Tabular(table, inputs, cls.objectives)

    @property
    def smiles(self) -> Mapping[str, Mapping[str, str]]:
        """By parameter and level; empty for what is no molecule."""
        return {
            p: {row["level"]: _molecules(row["smiles"]) for row in rows}
            for p, rows in _levels(self.files, here()).items()
        }


@cache
def _levels(files: Files, where: str) -> dict[str, list[dict[str, str]]]:
    """By parameter, a row for each level; `where` tables are read from, another folder has others."""
    by_parameter: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(files.known.read().decode())):
        by_parameter.setdefault(row["parameter"], []).append(row)
    return by_parameter


def _molecules(smiles: str) -> str:
    """Of a condition without an additive, say, those that it has."""
    return ".".join(part for part in smiles.split(".") if part != "None")


def _parameter(name: str, rows: list[dict[str, str]]) -> Parameter:
    levels = [row["level"] for row in rows]
    if rows[0]["type"] == "discrete":
        return Ordinal(name, tuple(sorted(map(float, levels))))
    columns = {d: [row[d] for row in rows] for d in rows[0] if d[0] == "d" and d[1:].isdigit()}
    known = {d: tuple(map(float, values)) for d, values in columns.items() if all(values)}
    return Categorical(name, tuple(levels), descriptors=known or None)


@dataclass(frozen=True)
class BuchwaldHartwig(_Reaction):
    """Buchwald-Hartwig amination, 4 choices: yield of 4,599 of 4,608 conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("yield", unit="%"),)
    best_value: ClassVar[float] = 99.99999
    files: ClassVar[Files] = Files(
        "buchwald_hartwig",
        "Buchwald_Hartwig",
        data="3934ddfec5b9c3f9109c1fa745a1b204c49650b31cfe8d3a15934b8b13eb294f",
        levels="32c59d8b3b0ef3e7eedaa05ef7c7c725decff32ebd7eb5cec6c5f71f16e2ffec",
        table="96fe0d476224774229a754197014332109ddd2f0627f722be4745abb7e420627",
        described="3bcdb4aeda6d4b40d2a5cb6536c6764d5f3a60a36235aafa8ecdc710586a786c",
        smiles="5ed0530bd5d554f324ef0525c0a8fc83a089a236103702bfecc951b8f742d58b",
    )
    card: ClassVar[Card] = Card(
        source='Ahneman, Estrada, Lin, Dreher & Doyle, "Predicting reaction performance in C-N cross-coupling using '
        'machine learning", Science 360 (2018)',
        doi="10.1126/science.aar5169",
        licence=_LICENCE,
        size="4,599 rows: 3 bases, 4 ligands, 16 aryl halides, 24 additives; 25 within 5 % of the best",
        known="the best of 2 rows as good",
        remarks=(
            'The levels "None" of aryl halide and additive are controls: without aryl halide all 287 yields are 0.',
            'What stands as SMILES of "None" is a placeholder.',
            "The substrate is a parameter, so the best point is the best pair of substrates and conditions.",
        ),
    )


@dataclass(frozen=True)
class SuzukiYield(_Reaction):
    """Suzuki-Miyaura coupling in flow, 5 choices: yield of all 3,696 conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("yield", unit="%"),)
    best_value: ClassVar[float] = 100.0
    files: ClassVar[Files] = Files(
        "suzuki_yield",
        "Suzuki_Doyle",
        data="9fdc686266c80d15ed6cb2b2cce1d6e05e3046804af31eaeda9d1ee38f627a8d",
        levels="4190488431531f690ec9479a264667e9d3aaf22f36d8f1e4bd5ec37be00778f0",
        table="0aefcd2d26b35b6388e69e8d5f00438a209f09157280c264fc9d98597fad8b48",
        described="221669c80838481849365ea7186717cfd27d8c478c24628efce9e30daf4b682e",
    )
    card: ClassVar[Card] = Card(
        source='Perera et al., "A platform for automated nanomole-scale reaction screening and micromole-scale '
        'synthesis in flow", Science 359 (2018), as prepared by Shields et al., Nature 590 (2021)',
        doi="10.1126/science.aap9112",
        licence=_LICENCE,
        size="3,696 rows: 4 electrophiles, 3 nucleophiles, 7 bases, 11 ligands, 4 solvents; 71 within 5 % of the best",
        known="the best of 3 rows as good",
    )


@dataclass(frozen=True)
class SuzukiConversion(_Reaction):
    """Suzuki-Miyaura coupling of drug-like substrates, 3 choices: conversion of all 960 pairs and conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("conversion", unit="%"),)
    best_value: ClassVar[float] = 100.0
    files: ClassVar[Files] = Files(
        "suzuki_conversion",
        "Suzuki_Cernak",
        data="0a6228a2ee905a557b17626e042978cc550329f10f7fd8ff12a693dd74d86798",
        levels="c44287302482b40450c529a0f66c77fbaad68d57f78c1b21df198ff88edf8718",
        table="b936f8a32dad520f89052e647ab07a08be0c6e72ac80d972de812c00ca78b481",
        described="f567c4b51508198aebc3b98b46dd11324da03ef1b1a07b99372b27e80228f8ed",
        smiles="01efa8a02f16ba96bbe8af9cbfb930012b4d25154b922c1b8d3b2f3826b139c0",
    )
    card: ClassVar[Card] = Card(
        source=_CERNAK,
        doi=_CERNAK_DOI,
        licence=_LICENCE,
        size="960 rows: 8 halides, 10 boronates, 12 conditions; 199 within 5 % of the best",
        known="the best of 142 rows as good: conversions are capped at 100",
        remarks=(
            "One row in five is within 5 % of the best, so twenty random ones nearly always have one of them: this "
            "table does not tell methods apart.",
            "The SMILES of the catalyst Aphos G3 look wrong, so descriptors are to be taken with care.",
        ),
    )


@dataclass(frozen=True)
class AmideCoupling(_Reaction):
    """Amide coupling, 3 choices: yield of all 648 pairs and conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("yield", unit="%"),)
    best_value: ClassVar[float] = 99.5
    files: ClassVar[Files] = Files(
        "amide_coupling_hte",
        "amide_coupling_hte",
        data="5a57bb74f4c5a3d50e242b30f6b6492dd32ec766a81dfaf3c56975335ad72a72",
        levels="8c4a4c03e9b01635b53342d84dcf3346c248e157c7e53c76fd4baec7cb22fd33",
        table="595601d5dd43784ae86c260f7e9b03020ac4618446268d8f5df3fe51e10d4200",
        described="e1f3d6d393ba7dc7040ffe140586d3fdac52ec5ab5b1c0cac7af191cb79c9698",
    )
    card: ClassVar[Card] = Card(
        source='"Intermediate knowledge enhanced the performance of N-acylation yield prediction model", chemRxiv '
        "(2024); Open Reaction Database, ord-47eaacc46c3a4487bbdf99adb1a15e41",
        doi="10.26434/chemrxiv-2024-tzsnq",
        licence=_LICENCE,
        size="648 rows: 3 amines, 3 acids, 72 conditions; 14 within 5 % of the best",
        known="the best of all rows",
        remarks=("A condition is a reagent, an additive, a base and a solvent together.",),
    )


@dataclass(frozen=True)
class ReductiveAmination(_Reaction):
    """Reductive amination of staurosporine, 2 choices and 3 amounts: conversion of all 768 conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("percent_conversion", unit="%"),)
    best_value: ClassVar[float] = 100.0
    files: ClassVar[Files] = Files(
        "reductive_amination",
        "Reductive_Amination",
        data="5824398bd7e6ec23a27ff83d1f7764793d42c478c1d7f5dce08854ed00836416",
        levels="c73d00b9fca77b7d82874f827cf39879d8f0dc7d8ae5eac986b45298f96ab193",
        table="16f59c2fce37790cfaa36c3bbe7965a2bc76457bd1174aba03bba42c10c29614",
        described="42dbef4f844bd1446c4260b17c292f91713b836ca6b512267a0d6d0e043f3b04",
        smiles="1ba9123ae424b14b3802581affd42de0c5eba1ac8522b7dd2832976a8cd0cb31",
    )
    card: ClassVar[Card] = Card(
        source=_CERNAK,
        doi=_CERNAK_DOI,
        licence=_LICENCE,
        size="768 rows: 16 substrates, 2 solvents, acid, titanium and concentration; 42 within 5 % of the best",
        known="the best of 11 rows as good",
    )


@dataclass(frozen=True)
class AlkylationDeprotection(_Reaction):
    """Alkylation of an amide and deprotection, 3 choices: yield of all 96 conditions."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("yield", unit="%"),)
    best_value: ClassVar[float] = 100.0
    files: ClassVar[Files] = Files(
        "alkylation_deprotection",
        "Alkylation_Deprotection",
        data="8749136e5ddc2d4eb2ee05e7fa7e6a46dc64a05e3fa01db5f99fc7b6255ca57e",
        levels="6c245162ec7ae790fe30d702a6eea6f2afe61c0ed15bd8010a73bd33948d9f94",
        table="b976cd88dfbb1733c2f70f4e230d0fe4008cb57ac8a7b1b86108453df2640e81",
        described="5dcbee10a7f18d75ebb9013d2001980440ae2c14ceecf79a7c92e37a38cc9240",
        smiles="554a1a0ff310c3084b7356a43e7d1a12d5032fc7677521459a6e1e37bfa09ccb",
    )
    card: ClassVar[Card] = Card(
        source=_CERNAK,
        doi=_CERNAK_DOI,
        licence=_LICENCE,
        size="96 rows: 12 electrophiles, 2 cores, 4 bases; 13 within 5 % of the best",
        known="the best of 10 rows as good: yields above 100 % were capped",
    )


_CHAN_LAM = Files(
    "chan_lam",
    "Chan_Lam_Full",
    data="6f63ec1c9343cea7c3a0b450063fd4dc32e38f4a7166fff09b5968e2c24fbab2",
    levels="b2afa3eaa4db37192be6beaa42861efbd0a5724c2c36d16df3be746cc68044ae",
    table="7149bcf78c6e089460e26614ebd6ec7c6fa32b7f3114b1a9d59be9b0b1b0e8be",
    described="9d6fc68bd96d9c23a0d775b554415d03df9edf459390faa86730d206de4d48e8",
    aggregated="d163f0e70dc3ba51232f801b328ec64c83eb45ccef255e7b109a4556d5aae79f",
)
_GANDHI = "Gandhi et al., chemRxiv (2024), by the Open Reaction Database"
_GANDHI_DOI = "10.26434/chemrxiv-2024-22jrq"
_CONDITIONS = "1,920 conditions: 2 boronic acids, 10 sulfonamides, 4 catalysts, 6 bases, 4 solvents"


@dataclass(frozen=True)
class ChanLam(_Reaction):
    """Chan-Lam coupling of sulfonamides, 5 choices: desired and undesired yield, each as one of 2 to 4 replicates."""

    objectives: ClassVar[tuple[Maximize | Minimize, ...]] = (
        Maximize("desired_yield", unit="%"),
        Minimize("undesired_yield", unit="%"),
    )
    files: ClassVar[Files] = _CHAN_LAM
    card: ClassVar[Card] = Card(
        source=_GANDHI,
        doi=_GANDHI_DOI,
        licence=_LICENCE,
        size=f"5,684 rows of {_CONDITIONS}",
        noise="which of the replicates of a condition is drawn",
        remarks=(
            "Means that no other mean is better than in both, as (desired, undesired): (78.997, 0), (89.803, 0.913), "
            "(90.967, 1.74), (93.117, 1.883), (94.63, 2.48).",
        ),
    )


@dataclass(frozen=True)
class ChanLamSelectivity(_Reaction):
    """Chan-Lam coupling of sulfonamides, 5 choices: weighted selectivity, the least of the replicates."""

    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("weighted_selectivity_min", unit="%"),)
    best_value: ClassVar[float] = 86.393813
    files: ClassVar[Files] = _CHAN_LAM
    is_aggregated: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        source=f"{_GANDHI}; the score is that of MacKnight et al., arXiv:2509.00103",
        doi=_GANDHI_DOI,
        licence=_LICENCE,
        size=f"{_CONDITIONS}; 5 within 5 % of the best",
        known="the best of all conditions",
        remarks=("Weighted selectivity is d^2 / (d + u) of the desired and the undesired yield, 0 where both are.",),
    )
