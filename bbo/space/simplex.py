"""Amounts of parts that sum to a total: mixtures, formulations, shares of a budget."""

import math
from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.space.region import Mixture
from bbo.space.structure import MIDDLE
from bbo.space.values import BY_NAME, CONFIG, SAME, Column, When, as_number, parsed_number, require

# Amounts given by hand may miss the total by the rounding of a spreadsheet; a share of the total.
TOLERANCE = 1e-6
# What was weighed may miss the total by so much of it; more is a slip of the pen.
_WEIGHED = 0.1
# A smaller share of the total is none: what rounding leaves of a part that was left out.
_NONE = 1e-12
_HALVINGS = 100


@plain_dataclass(frozen=True)
class Part:
    """The amount of one part, as it stands in a table or along an axis."""

    name: str
    low: float
    high: float
    unit: str | None
    kind: ClassVar[str] = "part"
    log: ClassVar[bool] = False
    n_levels: ClassVar[None] = None

    def decode(self, u: Column) -> list[float]:
        amounts: list[float] = (self.low + np.asarray(u) * (self.high - self.low)).tolist()
        return amounts

    def parse(self, cell: object) -> object:
        return parsed_number(self.name, cell)


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Simplex:
    """Amounts of parts that sum to a total; a value is a dict from part to amount.

    Tables and constraints name a part as `mix.sand`, the simplex being `mix`.

    Args:
        parts: names, two or more.
        total: what the amounts sum to.
        lower, upper: bounds, one for all parts or by part; by default 0 and the total.
        max_parts: at most so many parts have an amount above 0; None for any number.
        unit: of the amounts, for people and headers.
    """

    name: str
    parts: tuple[str, ...] = Field(strict=False)
    total: float = Field(default=1.0, kw_only=True)
    lower: Annotated[float | dict[str, float], BY_NAME] = Field(default=0.0, kw_only=True)
    upper: Annotated[float | dict[str, float] | None, BY_NAME] = Field(default=None, kw_only=True)
    max_parts: int | None = Field(default=None, kw_only=True)
    unit: str | None = Field(default=None, kw_only=True)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["simplex"] = Field(default="simplex", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = True
    n_levels: ClassVar[None] = None
    n_values: ClassVar[None] = None
    same: ClassVar[float] = SAME

    @model_validator(mode="after")
    def _validate(self) -> Self:
        said = f"Simplex {self.name!r}"
        require(len(self.parts) > 1, f"{said}: needs two parts or more, got {list(self.parts)}.")
        for k, part in enumerate(self.parts):
            require(part not in self.parts[:k], f"{said}: {part!r} stands twice in parts.")
        require(self.total > 0, f"{said}: total must be above 0, got {self.total!r}.")
        for word in ("lower", "upper"):
            bounds = getattr(self, word)
            unknown = [part for part in bounds if part not in self.parts] if isinstance(bounds, dict) else []
            require(not unknown, f"{said}: {word} names {unknown}, which are no parts: {list(self.parts)}.")
        for part, low, high in zip(self.parts, *self.own_bounds, strict=True):
            require(
                0 <= low <= high,
                f"{said}: of {part!r} lower must lie in [0, upper], got lower={low!r}, upper={high!r}.",
            )
        low, high = self.own_bounds
        if self.max_parts is not None:
            present = [part for part, least in zip(self.parts, low, strict=True) if least > 0]
            require(
                self.max_parts >= 1 and len(present) <= self.max_parts,
                f"{said}: max_parts must be at least 1 and leave room for the parts with a lower bound, {present}: "
                f"got {self.max_parts!r}.",
            )
        least, most = low.sum(), self._most(high, self.n_present)
        require(
            least <= self.total * (1 + TOLERANCE),
            f"{said}: the lower bounds sum to {least:g}, more than the total of {self.total:g}.",
        )
        require(
            most >= self.total * (1 - TOLERANCE),
            f"{said}: the upper bounds{'' if self.max_parts is None else f' of {self.max_parts} parts'} allow {most:g} "
            f"in all, less than the total of {self.total:g}.",
        )
        return self

    @cached_property
    def own_bounds(self) -> tuple[Column, Column]:
        """As given, by part."""
        upper = self.total if self.upper is None else self.upper
        low = self.lower if isinstance(self.lower, dict) else dict.fromkeys(self.parts, self.lower)
        high = upper if isinstance(upper, dict) else dict.fromkeys(self.parts, upper)
        return (
            np.array([low.get(part, 0.0) for part in self.parts], dtype=float),
            np.array([min(high.get(part, self.total), self.total) for part in self.parts], dtype=float),
        )

    def _most(self, upper: Column, n: int) -> float:
        """The most that n parts can amount to, those with a lower bound among them."""
        is_there = self.own_bounds[0] > 0
        others = np.sort(upper[~is_there])[::-1]
        return float(upper[is_there].sum() + others[: max(0, n - int(is_there.sum()))].sum())

    @property
    def n_present(self) -> int:
        """How many parts may have an amount above 0 at once."""
        return len(self.parts) if self.max_parts is None else min(self.max_parts, len(self.parts))

    @cached_property
    def bounds(self) -> tuple[Column, Column]:
        """The least and the greatest amount that each part can have at all, given the others."""
        low, high = self.own_bounds
        least = np.maximum(low, [self.total - self._most_beside(k) for k in range(len(low))])
        return np.minimum(least, high), np.maximum(np.minimum(high, self.total - (low.sum() - low)), low)

    def _most_beside(self, k: int) -> float:
        """The most that the other parts can amount to while they leave room for this one, where it is needed."""
        low, high = self.own_bounds
        others = np.where(np.arange(len(high)) == k, 0.0, high)
        most = self._most(others, self.n_present)
        return most if low[k] > 0 or most >= self.total else self._most(others, self.n_present - 1)

    @cached_property
    def spans(self) -> Column:
        """What a step across the cube amounts to, by part; of one that cannot vary, the total."""
        low, high = self.bounds
        return np.where(high - low > _NONE * self.total, high - low, self.total)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{part}" for part in self.parts)

    @property
    def cells(self) -> tuple[Part, ...]:
        ends = zip(*self.bounds, strict=True)
        return tuple(
            Part(name, float(low), float(high), self.unit) for name, (low, high) in zip(self.columns, ends, strict=True)
        )

    @property
    def terms(self) -> tuple[Part, ...]:
        return self.cells

    def spread(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """From positions uniform in the cube, `n x k`, such of members: uniform where only lower bounds bind."""
        low, _ = self.own_bounds
        shares = -np.log1p(-np.clip(u, 0.0, 1.0 - 1e-12))
        if self.n_present < len(self.parts):
            shares = np.where(self._supports(shares), shares, 0.0)
        shares /= np.maximum(shares.sum(1, keepdims=True), 1e-300)
        return self.place(self.nearest(low + shares * (self.total - low.sum())))

    @cached_property
    def absent(self) -> Column:
        middle: Column = self.spread(np.full((1, len(self.parts)), MIDDLE))[0]
        return middle

    @property
    def lines(self) -> dict[str, tuple[float, float]]:
        pairs = zip(self.bounds[0].tolist(), self.spans.tolist(), strict=True)
        return dict(zip(self.columns, pairs, strict=True))

    def mixture(self, first: int, within: "Simplex") -> Mixture:
        """Its columns among all, beginning with `first`, bounded as another one of the same total, or as itself."""
        low, high = (
            np.array([dict(zip(within.parts, bound, strict=True)).get(part, 0.0) for part in self.parts])
            for bound in within.own_bounds
        )
        least, most, none = ((v - self.bounds[0]) / self.spans for v in (low, high, np.zeros(len(low))))
        columns = (first, first + len(self.parts))
        return Mixture(columns, within.n_present, np.maximum(least, 0.0), np.minimum(most, 1.0), none)

    def flat(self, value: Mapping[str, float]) -> dict[str, float]:
        return dict(zip(self.columns, (value[part] for part in self.parts), strict=True))

    def by_term(self, value: Mapping[str, float]) -> dict[str, float]:
        return self.flat(value)

    def gathered(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        return {part: cells[name] for part, name in zip(self.parts, self.columns, strict=True)}

    def check(self, value: object) -> dict[str, float]:
        amounts = self._amounts(value)
        low, high = self.own_bounds
        slack = TOLERANCE * self.total
        for part, least, most in zip(self.parts, low.tolist(), high.tolist(), strict=True):
            if not least - slack <= amounts[part] <= most + slack:
                raise SpaceError(
                    f"Parameter {self.name!r}: the amount of {part!r} lies in [{least:g}, {most:g}]: "
                    f"got {amounts[part]!r}."
                )
        total = math.fsum(amounts.values())
        if abs(total - self.total) > slack:
            raise SpaceError(
                f"Parameter {self.name!r}: amounts sum to {self.total!r}: got {amounts!r}, which sum to {total:g}."
            )
        present = [part for part, amount in amounts.items() if amount > 0]
        if len(present) > self.n_present:
            raise SpaceError(f"Parameter {self.name!r} has at most {self.n_present} parts above 0: got {present}.")
        return amounts

    def check_executed(self, value: object) -> dict[str, float]:
        amounts = self._amounts(value)
        total = math.fsum(amounts.values())
        if abs(total - self.total) > _WEIGHED * self.total:
            raise SpaceError(
                f"Parameter {self.name!r}: amounts sum to {self.total:g}, those really set within "
                f"{_WEIGHED:.0%} of it: got {amounts!r}, which sum to {total:g}."
            )
        return amounts

    def _amounts(self, value: object) -> dict[str, float]:
        if not isinstance(value, Mapping):
            raise SpaceError(
                f"Parameter {self.name!r} is a dict from part to amount, of {list(self.parts)}: got {value!r}."
            )
        unknown = [part for part in value if part not in self.parts]
        missing = [part for part in self.parts if part not in value]
        if unknown or missing:
            raise SpaceError(
                f"Parameter {self.name!r} has the parts {list(self.parts)}: "
                + " and ".join(
                    f"{word} {parts}" for word, parts in (("unknown are", unknown), ("missing are", missing)) if parts
                )
                + ". Give 0 to a part that is left out."
            )
        amounts = {part: as_number(f"{self.name}.{part}", value[part]) for part in self.parts}
        for part, amount in amounts.items():
            if not 0 <= amount < math.inf:
                raise SpaceError(f"Parameter {self.name!r}: the amount of {part!r} is at least 0: got {amount!r}.")
        return amounts

    def code(self, value: Mapping[str, float]) -> list[float]:
        return [value[part] for part in self.parts]

    def value(self, code: Any) -> dict[str, float]:
        return dict(zip(self.parts, map(float, code), strict=True))

    def place(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        positions: NDArray[np.float64] = (codes - self.bounds[0]) / self.spans
        return positions

    def decode(self, u: NDArray[np.float64]) -> list[dict[str, float]]:
        """Members nearest to positions `n x k`, of at most `max_parts` parts those that have most."""
        amounts = self.nearest(self.bounds[0] + np.asarray(u) * self.spans)
        return [dict(zip(self.parts, row, strict=True)) for row in amounts.tolist()]

    def arrays(self, u: NDArray[np.float64]) -> dict[str, Any]:
        return dict(zip(self.columns, self.nearest(self.bounds[0] + np.asarray(u) * self.spans).T, strict=True))

    def within(self, values: list[dict[str, float]]) -> list[dict[str, float]]:
        amounts = self.nearest(np.array([self.code(value) for value in values]).reshape(-1, len(self.parts)))
        return [self.value(row) for row in amounts]

    def moved(self, u: NDArray[np.float64], j: int, to: float) -> NDArray[np.float64]:
        """Positions `n x k` with the j-th part at `to`; the others give way in proportion.

        Cox, "A note on polynomial response functions for mixtures", Biometrika 58 (1971).
        """
        u = u.copy()
        u[:, j] = to
        others = np.arange(len(self.parts)) != j
        amounts = self.bounds[0] + u * self.spans
        left, shares = np.maximum(self.total - amounts[:, ~others], 0.0), amounts[:, others]
        total = shares.sum(1, keepdims=True)
        even = np.full_like(shares, 1.0 / shares.shape[1])
        amounts[:, others] = left * np.divide(shares, total, out=even, where=total > 0)
        return self.place(amounts)

    def nearest(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The amounts nearest to any, `n x k`, within the bounds and of the right total.

        They are clip(a - t) with t such that they sum to the total: Duchi et al., ICML 2008, with bounds by bisection.
        Of at most s parts the s largest: Kyrillidis et al., "Sparse projections onto the simplex", ICML 2013.
        """
        low, high = self.own_bounds
        most = np.broadcast_to(high, amounts.shape)
        if self.n_present < len(self.parts):
            most = np.where(self._supports(amounts), most, 0.0)
        below, above = (amounts - most).min(1) - 1.0, (amounts - low).max(1) + 1.0
        for _ in range(_HALVINGS):
            t = (below + above) / 2
            is_too_much = np.clip(amounts - t[:, None], low, most).sum(1) > self.total
            below, above = np.where(is_too_much, t, below), np.where(is_too_much, above, t)
        # A member needs no shift, so what rounding would shift it by is none.
        t = np.where(np.abs(t) <= _NONE * self.total, 0.0, t)
        found: NDArray[np.float64] = np.clip(amounts - t[:, None], low, most)
        found[found <= _NONE * self.total] = 0.0
        return np.maximum(found, low)

    def _supports(self, amounts: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which parts may be above 0, `n x k`: those with a lower bound and the largest of those that reach the total.

        Where the largest cannot amount to the total, those that can hold most take the place of the smallest of them.
        """
        low, high = self.own_bounds
        is_needed = low > 0
        n_others = self.n_present - int(is_needed.sum())
        wanted = np.where(is_needed, np.inf, amounts)
        order = np.argsort(-wanted, axis=1, kind="stable")
        is_in = np.zeros(amounts.shape, dtype=bool)
        np.put_along_axis(is_in, order[:, : self.n_present], True, axis=1)
        roomiest = np.argsort(-np.where(is_needed, np.inf, high), kind="stable")[: self.n_present]
        for row in np.flatnonzero((is_in * high).sum(1) < self.total * (1 - TOLERANCE)):
            kept = order[row, : self.n_present].tolist()
            while n_others and high[kept].sum() < self.total * (1 - TOLERANCE):
                smallest = next(j for j in reversed(kept) if j not in roomiest)
                kept.remove(smallest)
                kept.append(next(j for j in roomiest.tolist() if j not in kept))
                kept.sort(key=lambda j: float(-wanted[row, j]))
            is_in[row] = False
            is_in[row, kept] = True
        return is_in
