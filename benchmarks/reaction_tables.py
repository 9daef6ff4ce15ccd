"""Tables of reactions as `reactions.py` compares methods on them: one number is sought, in the space of the levels.

They are bbo's problems of chemistry, by the names that records have; `bbo problems` says what each is. They are fetched
on first use, or lie in the folder that the environment variable BBO_DATA names. Of Chan-Lam the weighted selectivity is
sought. The first four tell methods apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bbo.objective import Maximize
from bbo.problems import make
from bbo.problems.recorded import Recorded
from bbo.space import Space

TABLES = {
    "buchwald_hartwig": "buchwald-hartwig",
    "chan_lam": "chan-lam-selectivity",
    "suzuki_yield": "suzuki-yield",
    "amide_coupling_hte": "amide-coupling",
    "reductive_amination": "reductive-amination",
    "suzuki_conversion": "suzuki-conversion",
    "alkylation_deprotection": "alkylation-deprotection",
}


@dataclass(frozen=True)
class Table:
    """One of them; its metric has no unit, as in the records."""

    name: str

    @property
    def problem(self) -> Recorded:
        made: Any = make(TABLES[self.name])
        return made

    @property
    def space(self) -> Space:
        return self.problem.space

    @property
    def objectives(self) -> tuple[Maximize, ...]:
        return (Maximize(self.problem.objectives[0].metric),)

    @property
    def values(self) -> Mapping[tuple[Any, ...], float]:
        """By the levels in the order of the parameters."""
        rows = self.problem.tabular.table
        levels = zip(*(rows[name].tolist() for name in self.space.names), strict=True)
        return dict(zip(levels, rows[self.objectives[0].metric].astype(float).tolist(), strict=True))

    @property
    def best_value(self) -> float:
        return max(self.values.values())

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return self.problem.evaluate(params, fidelity=fidelity, seed=seed)
