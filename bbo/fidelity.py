"""How much of a full evaluation is paid for: epochs, a mesh, the size of a model.

A problem that can be evaluated in part has `fidelities`, one for each way; its `evaluate` takes values by their names,
and what is not given is paid for in full.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bbo.errors import FidelityError


@dataclass(frozen=True)
class Fidelity:
    """One way to pay for less.

    Args:
        name: key of what `evaluate` takes.
        low, high: the least that can be evaluated, and the full evaluation.
        levels: all values there are, rising from `low` to `high`; any in between when None.
        is_whole: whether values are whole numbers.
    """

    name: str
    low: float
    high: float
    levels: tuple[float, ...] | None = None
    is_whole: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise FidelityError(
                f"Fidelity {self.name!r} needs low < high, both finite: got {self.low} and {self.high}."
            )
        if self.levels is not None and (
            list(self.levels) != sorted(set(self.levels)) or (self.levels[0], self.levels[-1]) != (self.low, self.high)
        ):
            raise FidelityError(
                f"Levels of fidelity {self.name!r} rise from low={self.low} to high={self.high}: got {self.levels}."
            )

    @staticmethod
    def of_levels(name: str, levels: Sequence[float], *, unit: str = "") -> "Fidelity":
        """With these values alone."""
        rising = tuple(sorted(levels))
        return Fidelity(name, rising[0], rising[-1], rising, all(float(v).is_integer() for v in rising), unit)

    def check(self, value: float) -> float:
        """The value, as one of the levels or a whole number where it has to be.

        Raises:
            FidelityError: it is none of them, or outside of the range.
        """
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise FidelityError(f"Fidelity {self.name!r} lies in [{self.low:g}, {self.high:g}]: got {value!r}.")
        if self.levels is not None and value not in self.levels:
            raise FidelityError(f"Fidelity {self.name!r} is one of {[*self.levels]}: got {value!r}.")
        if self.is_whole and not float(value).is_integer():
            raise FidelityError(f"Fidelity {self.name!r} is a whole number: got {value!r}.")
        return int(value) if self.is_whole else float(value)


def paid(fidelities: Sequence[Fidelity], given: Mapping[str, float] | None) -> dict[str, float]:
    """What is evaluated, by name: as given, in full where nothing is.

    Raises:
        FidelityError: a name that none has, or a value that is none of a fidelity's.
    """
    by_name = {f.name: f for f in fidelities}
    unknown = [name for name in given or {} if name not in by_name]
    if unknown:
        has = f"the fidelities {list(by_name)}" if by_name else "no fidelity"
        raise FidelityError(f"The problem has {has}: got {unknown}.")
    full = {f.name: f.high for f in fidelities} | dict(given or {})
    return {name: by_name[name].check(value) for name, value in full.items()}
