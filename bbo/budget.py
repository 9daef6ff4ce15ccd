"""How far a study goes: trials, cost, time, and rules that say when further trials gain too little.

A rule reads the notes that the strategy left with its latest suggestions (`gain`, `noise` and `regret`, see
`bbo.events`), so whether a study is finished follows from its log alone; `bbo.studies.finishing` tells.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bbo.declared import complaints_of_json, refused_as
from bbo.errors import BudgetError

_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Notes = Mapping[str, float]


@refused_as(BudgetError)
@dataclass(frozen=True, config=_CONFIG)
class GainBelow:
    """Stop when the expected improvement by the next trial stays below `gain`, in the objective's units.

    Args:
        patience: in so many asks one after another, each knowing more than the one before.
    """

    gain: float = Field(gt=0)
    patience: int = Field(default=3, ge=1, kw_only=True)
    kind: Literal["gain_below"] = Field(default="gain_below", kw_only=True, repr=False)

    reads: ClassVar[tuple[str, ...]] = ("gain",)

    def holds(self, notes: Notes) -> bool:
        """Whether one ask's notes, which have all that the rule reads, are below its limit."""
        return notes["gain"] < self.gain

    def words(self, asks: Sequence[Notes]) -> str:
        """Why it holds, with the figures of the asks that were read, the latest last."""
        return f"expected gain {_listed(asks, 'gain')}, below {self.gain:.4g}"


@refused_as(BudgetError)
@dataclass(frozen=True, config=_CONFIG)
class GainBelowNoise:
    """Stop when the expected improvement by the next trial stays below `factor` standard deviations of the noise.

    Of a function without noise the model still infers a little, about a thousandth of the spread of the values.

    Args:
        patience: in so many asks one after another, each knowing more than the one before.
    """

    factor: float = Field(default=0.1, gt=0)
    patience: int = Field(default=3, ge=1, kw_only=True)
    kind: Literal["gain_below_noise"] = Field(default="gain_below_noise", kw_only=True, repr=False)

    reads: ClassVar[tuple[str, ...]] = ("gain", "noise")

    def holds(self, notes: Notes) -> bool:
        """As `GainBelow.holds`."""
        return notes["gain"] < self.factor * notes["noise"]

    def words(self, asks: Sequence[Notes]) -> str:
        """As `GainBelow.words`."""
        noise = asks[-1]["noise"]
        return f"expected gain {_listed(asks, 'gain')}, below {self.factor:.4g} x noise sd {noise:.2g}"


@refused_as(BudgetError)
@dataclass(frozen=True, config=_CONFIG)
class RegretBelow:
    """Stop when, in all likelihood, the best is less than `regret` away from the optimum, in the objective's units.

    The bound of Makarova et al., "Automatic termination for hyperparameter optimization", AutoML 2022; see
    `bbo.acquisition.regret`. They compare it with the noise of the objective's estimate, here the limit is given.

    Args:
        patience: in so many asks one after another, each knowing more than the one before.
    """

    regret: float = Field(gt=0)
    patience: int = Field(default=1, ge=1, kw_only=True)
    kind: Literal["regret_below"] = Field(default="regret_below", kw_only=True, repr=False)

    reads: ClassVar[tuple[str, ...]] = ("regret",)

    def holds(self, notes: Notes) -> bool:
        """As `GainBelow.holds`."""
        return notes["regret"] < self.regret

    def words(self, asks: Sequence[Notes]) -> str:
        """As `GainBelow.words`."""
        return f"bound on the regret {_listed(asks, 'regret')}, below {self.regret:.4g}"


Rule = Annotated[GainBelow | GainBelowNoise | RegretBelow, Field(discriminator="kind")]


@refused_as(BudgetError)
@dataclass(frozen=True, config=_CONFIG)
class Budget:
    """When a study is finished: at the first of these; without any, never. Trials that run then may end.

    Args:
        trials: those asked for, whatever became of them, but cancelled ones; past data does not count.
        cost: sum of the costs told, in the study's unit of cost; it may be overdrawn by the trials that run meanwhile.
        seconds: since the first ask, by the clock on the wall.
        stop: rules on what further trials would gain.
    """

    trials: int | None = Field(default=None, ge=1, kw_only=True)
    cost: float | None = Field(default=None, gt=0, kw_only=True)
    seconds: float | None = Field(default=None, gt=0, kw_only=True)
    stop: tuple[Rule, ...] = Field(default=(), strict=False, kw_only=True)

    @property
    def is_limited(self) -> bool:
        """Whether anything ends the study."""
        return self != Budget()

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it; `Budget.from_dict` reads it back."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json", exclude_none=True)
        return plain

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> "Budget":
        """Reads what `to_dict` wrote.

        Raises:
            BudgetError: naming the field that is wrong.
        """
        try:
            return _ADAPTER.validate_json(json.dumps(plain))
        except (ValidationError, TypeError) as error:
            raise BudgetError(
                f"This is not a budget: {complaints_of_json(error) if isinstance(error, ValidationError) else error}"
            ) from error


def _listed(asks: Sequence[Notes], key: str) -> str:
    where = "ask" if len(asks) == 1 else f"{len(asks)} asks"
    return f"{', '.join(f'{notes[key]:.2g}' for notes in asks)} in the last {where}"


_ADAPTER = TypeAdapter(Budget)
