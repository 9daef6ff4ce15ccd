"""Reactions of which all outcomes were measured: tables of conditions and what they gave, to be searched.

The tables lie in the folder `chemistry` of the one that the environment variable BBO_DATA names; none comes with bbo.
Each has `data.csv`, a row for each condition, and `levels.csv`, a row for each level of each parameter with its
descriptors. Both are read with "None" as the text that it is: a level, of experiments without such a reagent.

| table | rows | parameters (levels) | aim |
|---|---|---|---|
| buchwald_hartwig | 4,599 of 4,608 | base 3, ligand 4, aryl halide 16, additive 24 | yield |
| suzuki_yield | 3,696 | electrophile 4, nucleophile 3, base 7, ligand 11, solvent 4 | yield |
| chan_lam | 1,920 | acid 2, sulfonamide 10, catalyst 4, base 6, solvent 4 | selectivity |
| amide_coupling_hte | 648 | amine 3, acid 3, condition 72 | yield |
| reductive_amination | 768 | substrate 16, AcOH 3, TTIP 4, solvent 2, concentration 2 | conversion |
| suzuki_conversion | 960 | halide 8, boronate 10, conditions 12 | conversion |
| alkylation_deprotection | 96 | electrophile 12, core 2, base 4 | yield |

Of Chan-Lam the selectivity is that of MacKnight et al., arXiv:2509.00103 (2025): d / (d + u) d of the desired and the
undesired yield, the least of the replicates. Descriptors are those of their code: ten of Mordred for a level, 30 for a
condition of the amide coupling. Combinations that no row has are forbidden.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from bbo.objective import Maximize
from bbo.space import Categorical, Forbidden, Ordinal, Parameter, Space

# The file and the column of the objective; the first four tell methods apart.
TABLES = {
    "buchwald_hartwig": ("data.csv", "yield"),
    "chan_lam": ("aggregated.csv", "weighted_selectivity_min"),
    "suzuki_yield": ("data.csv", "yield"),
    "amide_coupling_hte": ("data.csv", "yield"),
    "reductive_amination": ("data.csv", "percent_conversion"),
    "suzuki_conversion": ("data.csv", "conversion"),
    "alkylation_deprotection": ("data.csv", "yield"),
}


@dataclass(frozen=True)
class Table:
    """A table as a problem: the space of its levels with their descriptors, and what was measured at each point."""

    name: str

    @property
    def space(self) -> Space:
        return _space(self.name)

    @property
    def objectives(self) -> tuple[Maximize, ...]:
        return (Maximize(TABLES[self.name][1]),)

    @property
    def values(self) -> Mapping[tuple[Any, ...], float]:
        """By the levels in the order of the parameters."""
        return _values(self.name)

    @property
    def best_value(self) -> float:
        return max(self.values.values())

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        return {TABLES[self.name][1]: self.values[tuple(point.values())]}


def _folder(name: str) -> Path:
    """Raises FileNotFoundError where there is no such table; says how to name the folder."""
    data = os.environ.get("BBO_DATA", "")
    folder = Path(data) / "chemistry" / name
    if not data or not folder.is_dir():
        raise FileNotFoundError(
            f"The table {name!r} is not in BBO_DATA={data!r}: set it to a folder that has chemistry/{name}/data.csv "
            "and levels.csv."
        )
    return folder


@cache
def _levels(name: str) -> dict[str, pd.DataFrame]:
    """By parameter, a row for each level, by its text."""
    levels = pd.read_csv(_folder(name) / "levels.csv", dtype=str, keep_default_na=False)
    return {str(p): rows.set_index("level") for p, rows in levels.groupby("parameter", sort=False)}


@cache
def _values(name: str) -> dict[tuple[Any, ...], float]:
    file, column = TABLES[name]
    table = pd.read_csv(_folder(name) / file, dtype=str, keep_default_na=False)
    parsed = [
        table[p].astype(float).tolist() if _is_number(levels) else table[p].tolist()
        for p, levels in _levels(name).items()
    ]
    return dict(zip(zip(*parsed, strict=True), table[column].astype(float).tolist(), strict=True))


@cache
def _space(name: str) -> Space:
    parameters = [_parameter(p, levels) for p, levels in _levels(name).items()]
    rows = _values(name)
    missing = [x for x in product(*(p.listed for p in parameters)) if x not in rows]
    names = [p.name for p in parameters]
    return Space(
        parameters,
        [Forbidden({p: [level] for p, level in zip(names, x, strict=True)}) for x in missing],
    )


def _parameter(name: str, levels: pd.DataFrame) -> Parameter:
    if _is_number(levels):
        return Ordinal(name, sorted(map(float, levels.index)))
    described = {d: levels[d] for d in levels.columns if d[0] == "d" and d[1:].isdigit()}
    known = {d: [float(v) for v in values] for d, values in described.items() if all(values)}
    return Categorical(name, list(levels.index), descriptors=known or None)


def _is_number(levels: pd.DataFrame) -> bool:
    return bool((levels["type"] == "discrete").all())
