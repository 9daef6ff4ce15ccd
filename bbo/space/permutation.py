"""Orders of items: tours, sequences of steps, rankings."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.space.structure import MIDDLE
from bbo.space.values import CONFIG, SAME, Column, Scalar, When, as_number, identity, require, spelt

_THEN = ">"


@plain_dataclass(frozen=True)
class Place:
    """At which place an item stands, 1 for the first, as constraints and figures see it."""

    name: str
    n_levels: int
    low: ClassVar[int] = 1
    log: ClassVar[bool] = False
    kind: ClassVar[str] = "place"

    @property
    def high(self) -> int:
        return self.n_levels

    def centres(self) -> Column:
        return (np.arange(self.n_levels) + 0.5) / self.n_levels

    def decode(self, u: Column) -> list[int]:
        return [1 + int(k) for k in np.clip(np.floor(np.asarray(u) * self.n_levels), 0, self.n_levels - 1)]

    def check(self, value: object) -> int:
        number = as_number(self.name, value)
        if number not in range(1, self.n_levels + 1):
            raise SpaceError(f"{self.name!r} is a place, a whole number from 1 to {self.n_levels}: got {value!r}.")
        return int(number)


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Permutation:
    """An order of items, each exactly once; a value is a list of them: `Permutation("tour", ["A", "B", "C"])`.

    In a table it is one cell, `B > A > C`. Constraints see at which place an item stands, 1 for the first, as `tour.A`.

    A column of the cube for each item holds its place. Any positions stand for an order, that of the items by their
    positions, so that uniform ones are uniform over orders: random keys, Bean, ORSA J. Comput. 6 (1994).

    Args:
        items: two or more; their texts differ.
        cyclic: the first item follows the last, as in a tour. It says to a model that only who stands beside whom
            matters; a tour that begins elsewhere is another point.
    """

    name: str
    items: tuple[Scalar, ...] = Field(strict=False)
    cyclic: bool = Field(default=False, kw_only=True)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["permutation"] = Field(default="permutation", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True
    n_levels: ClassVar[None] = None
    same: ClassVar[float] = SAME

    @model_validator(mode="after")
    def _validate(self) -> Self:
        said = f"Permutation {self.name!r}"
        least = 3 if self.cyclic else 2
        require(len(self.items) >= least, f"{said} needs {least} items or more: got {list(self.items)!r}.")
        texts = [str(item) for item in self.items]
        for k, (item, text) in enumerate(zip(self.items, texts, strict=True)):
            # 1 and True are one to those who compare lists.
            require(item not in self.items[:k] and text not in texts[:k], f"{said}: {item!r} stands twice in items.")
            require(
                text != "" and text == text.strip() and _THEN not in text,
                f"{said}: {item!r} cannot be read from a cell such as 'B > A > C'. An item has no {_THEN!r} and no "
                "space at its ends.",
            )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{item}" for item in self.items)

    @property
    def terms(self) -> tuple[Place, ...]:
        return tuple(Place(name, len(self.items)) for name in self.columns)

    @property
    def cells(self) -> tuple[Any, ...]:
        return (self,)

    @property
    def n_values(self) -> int:
        return math.factorial(len(self.items))

    @property
    def absent(self) -> Column:
        """No order: as far from one as from any other."""
        return np.full(len(self.items), MIDDLE)

    @property
    def lines(self) -> dict[str, tuple[float, float]]:
        return dict.fromkeys(self.columns, (0.5, float(len(self.items))))

    def centres(self) -> NDArray[np.float64]:
        orders = np.array(list(itertools.permutations(range(len(self.items)))), dtype=np.float64)
        return self.place(orders)

    def flat(self, value: Any) -> dict[str, str]:
        return {self.name: f" {_THEN} ".join(map(str, value))}

    def gathered(self, cells: Mapping[str, Any]) -> Any:
        return self.parse(cells[self.name])

    def by_term(self, value: Any) -> dict[str, int]:
        return dict(zip(self.columns, (1 + int(k) for k in self.code(value)), strict=True))

    def parse(self, cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        texts = [text.strip() for text in cell.split(_THEN)]
        meant = [spelt(self.items, text) for text in texts]
        return self.check([found[0] if len(found) == 1 else t for found, t in zip(meant, texts, strict=True)])

    def check(self, value: object) -> list[Any]:
        given = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(given, (list, tuple)):
            raise SpaceError(f"Parameter {self.name!r} is a list of {list(self.items)!r} in some order: got {value!r}.")
        plain = [item.item() if isinstance(item, np.generic) else item for item in given]
        known = {identity(item): item for item in self.items}
        is_known = [isinstance(item, (str, int, float, type(None))) and identity(item) in known for item in plain]
        order = [known[identity(item)] for item, is_one in zip(plain, is_known, strict=True) if is_one]
        wrong = {
            "unknown are": [item for item, is_one in zip(plain, is_known, strict=True) if not is_one],
            "missing are": [item for item in self.items if item not in order],
            "more than once are": [item for item in self.items if order.count(item) > 1],
        }
        if any(wrong.values()):
            raise SpaceError(
                f"Parameter {self.name!r} has each of {list(self.items)!r} once: "
                f"{' and '.join(f'{word} {items!r}' for word, items in wrong.items() if items)}, got {value!r}."
            )
        return order

    def check_executed(self, value: object) -> list[Any]:
        return self.check(value)

    def code(self, value: Any) -> list[float]:
        return [float(value.index(item)) for item in self.items]

    def value(self, code: Any) -> list[Any]:
        return [self.items[k] for k in np.argsort(code, kind="stable")]

    def place(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        return (codes + 0.5) / len(self.items)

    def decode(self, u: NDArray[np.float64]) -> list[list[Any]]:
        return [[self.items[k] for k in row] for row in np.argsort(u, axis=1, kind="stable").tolist()]

    def arrays(self, u: NDArray[np.float64]) -> dict[str, Any]:
        return dict(zip(self.columns, 1.0 + ranks(u).T, strict=True))

    def spread(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return in_order(u)

    def moved(self, u: NDArray[np.float64], j: int, to: float) -> NDArray[np.float64]:
        """Orders at positions `n x k` with the j-th item at another place; the others keep theirs."""
        others = np.delete(ranks(u), j, axis=1)
        (to_place,) = self.terms[j].decode(np.array([to]))
        among = ranks(others)
        return self.place(np.insert(among + (among >= to_place - 1), j, to_place - 1, axis=1))


def in_order(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions of orders, `n x k`, from any."""
    positions: NDArray[np.float64] = (ranks(u) + 0.5) / u.shape[1]
    return positions


def ranks(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place that each position has in its row, `n x k`, from 0; of equal ones the first comes first."""
    k = np.argsort(np.argsort(u, axis=-1, kind="stable"), axis=-1, kind="stable")
    return k.astype(np.float64)
