"""What problems share that stand on a table of recorded evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from bbo.fidelity import Fidelity
from bbo.objective import Objective, OutcomeConstraint, Tracked
from bbo.problems.card import Card
from bbo.problems.data import here
from bbo.problems.tabular import Tabular
from bbo.space import Space


@dataclass(frozen=True)
class Recorded:
    """A table as a problem; a subclass says which. It is read when the first of its points is asked for."""

    objectives: ClassVar[tuple[Objective | OutcomeConstraint | Tracked, ...]]
    fidelities: ClassVar[tuple[Fidelity, ...]] = ()
    card: ClassVar[Card]

    @classmethod
    def read(cls) -> Tabular:
        """From the files of the table.

        Raises:
            DataError: they cannot be had.
        """
        raise NotImplementedError

    @property
    def space(self) -> Space:
        return self.tabular.space

    @property
    def optima(self) -> tuple[tuple[Any, ...], ...] | None:
        return self.tabular.optima

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        return self.tabular.evaluate(params, fidelity=fidelity, seed=seed)

    @property
    def tabular(self) -> Tabular:
        kind: Any = type(self)
        return _tabular(kind, here())


@dataclass(frozen=True)
class Priced(Recorded):
    """One whose table says what evaluations cost."""

    def cost(self, params: Mapping[str, Any], fidelity: Mapping[str, float] | None = None) -> float:
        return self.tabular.cost(params, fidelity)


@cache
def _tabular(kind: Any, where: str) -> Tabular:
    """Of a class of problems; `where` tables are read from, another folder has others."""
    made: Tabular = kind.read()
    return made
