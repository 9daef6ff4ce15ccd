"""Choices from a list: with an order, and without."""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as, short
from bbo.errors import SpaceError
from bbo.space.descriptors import by_descriptor, spots
from bbo.space.values import (
    BY_NAME,
    CONFIG,
    SAME,
    Column,
    OneColumn,
    Scalar,
    When,
    cells_of,
    identity,
    require,
    spelt,
)

Descriptors = Annotated[dict[str, Annotated[tuple[float, ...], Field(strict=False)]], BY_NAME]


class Listed(OneColumn):
    """What kinds share whose values stand in a list, found by type and value."""

    is_ordered: ClassVar[bool]

    @property
    def listed(self) -> tuple[Any, ...]:
        raise NotImplementedError

    @cached_property
    def _index(self) -> dict[tuple[str, Any], int]:
        return {identity(value): k for k, value in enumerate(self.listed)}

    @property
    def n_levels(self) -> int:
        return len(self.listed)

    @property
    def same(self) -> float:
        return min(SAME, 0.25 / self.n_levels)

    @classmethod
    def _check_kinds(cls, word: str, given: Any, info: ValidationInfo) -> Any:
        """Raises ValueError where an object or a tuple is among values: what no file can have, and needs a name."""
        name = info.data.get("name")
        for value in given if isinstance(given, (list, tuple)) else ():
            require(
                value is None or isinstance(value, (str, int, float, list, dict, np.generic)),
                f"{cls.__name__} {name!r}: {word} are numbers, texts, True, False or None: got {short(value)}. Name "
                f'such an object, as in {cls.__name__}({name!r}, ["a", "b"]), and use what each name stands for where '
                f'trials are evaluated; BBOSearchCV does so with objects={{{name!r}: {{"a": {short(value)}, ...}}}}.',
            )
        return given

    def _check_list(self, word: str) -> None:
        kind = type(self).__name__
        require(len(self.listed) > 0, f"{kind} {self.name!r}: needs at least one of {word}, got none.")
        for k, value in enumerate(self.listed):
            require(self._index[identity(value)] == k, f"{kind} {self.name!r}: {value!r} stands twice in {word}.")

    def centres(self) -> Column:
        return (np.arange(self.n_levels) + 0.5) / self.n_levels

    def check(self, value: object) -> Any:
        plain = value.item() if isinstance(value, np.generic) else value
        k = self._index.get(identity(plain)) if isinstance(plain, (str, int, float, bool, type(None))) else None
        if k is None:
            raise SpaceError(
                f"Parameter {self.name!r} is one of {list(self.listed)!r}: got {value!r}. Mend the spelling; "
                "an experiment made with another is left out, or study.change_space() adds that."
            )
        return self.listed[k]

    def parse(self, cell: object) -> object:
        try:
            return self.check(cell)
        except SpaceError:
            meant = spelt(self.listed, cell)
            if len(meant) != 1:
                raise
            return meant[0]

    def check_executed(self, value: object) -> Any:
        return self.check(value)

    def code(self, value: Any) -> float:
        return float(self._index[identity(value)])

    def value(self, code: float) -> Any:
        return self.listed[int(code)]

    def place(self, codes: Column) -> Column:
        return (codes + 0.5) / self.n_levels

    def arrays(self, u: Column) -> dict[str, Any]:
        return {self.name: self._array[cells_of(u, self.n_levels)]}

    @cached_property
    def _array(self) -> Any:
        if all(type(value) in (int, float) for value in self.listed):
            return np.array(self.listed, dtype=float)
        array = np.empty(self.n_levels, dtype=object)
        array[:] = self.listed
        return array

    def decode(self, u: Column) -> list[Any]:
        return [self.listed[k] for k in cells_of(u, self.n_levels)]


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Ordinal(Listed):
    """One of some values that have an order but no distance, e.g. `Ordinal("batch", [16, 32, 64])`."""

    name: str
    values: tuple[Scalar, ...] = Field(strict=False)
    unit: str | None = Field(default=None, kw_only=True)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["ordinal"] = Field(default="ordinal", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True

    @property
    def listed(self) -> tuple[Any, ...]:
        return self.values

    @field_validator("values", mode="before")
    @classmethod
    def _of_plain(cls, given: Any, info: ValidationInfo) -> Any:
        return cls._check_kinds("values", given, info)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self._check_list("values")
        return self


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Categorical(Listed):
    """One of some choices without order, e.g. `Categorical("kernel", ["rbf", "poly"])`; None is a choice too.

    Args:
        descriptors: numbers that are known of the choices, and say how alike they are: by name a list in the order of
            the choices, or a pandas table with a row for each, e.g. of boiling points and polarities of solvents.
    """

    name: str
    choices: tuple[Scalar, ...] = Field(strict=False)
    descriptors: Descriptors | None = Field(default=None, kw_only=True, repr=False)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["categorical"] = Field(default="categorical", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = False

    @property
    def listed(self) -> tuple[Any, ...]:
        return self.choices

    @field_validator("choices", mode="before")
    @classmethod
    def _of_plain(cls, given: Any, info: ValidationInfo) -> Any:
        return cls._check_kinds("choices", given, info)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self._check_list("choices")
        for name, values in (self.descriptors or {}).items():
            require(
                len(values) == self.n_levels,
                f"Categorical {self.name!r}: descriptor {name!r} has {len(values)} values for {self.n_levels} choices.",
            )
        return self

    @field_validator("descriptors", mode="before")
    @classmethod
    def _of_table(cls, given: Any, info: ValidationInfo) -> Any:
        return by_descriptor(given, info.data.get("choices", ()))

    @cached_property
    def spots(self) -> tuple[NDArray[np.float64], ...]:
        """Where descriptors put the choices, `n_levels x k`; none where nothing tells them apart."""
        at = spots(self.descriptors) if self.descriptors and self.n_levels > 1 else np.empty((0, 0))
        return (at,) if at.size else ()
