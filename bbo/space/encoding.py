"""Parameters and the unit cube: the columns of each, positions of points, and points at positions."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bbo.space.conditions import in_order, is_there
from bbo.space.permutation import Permutation
from bbo.space.region import Mask, Positions
from bbo.space.structure import Condition, Order, Structure
from bbo.space.values import OneColumn, repeated

Params = dict[str, Any]


class Encoding:
    """What a space has of its parameters alone, whatever is fixed and whatever constraints say.

    Args:
        parameters: their names differ.
        fixed: values of parameters that are given.
    """

    parameters: tuple[Any, ...]
    fixed: dict[str, Any]

    @property
    def frame(self) -> tuple[Any, ...]:
        """The parameters as they are encoded, in the same order: wider ones, where trials lie outside."""
        return self.parameters

    @cached_property
    def is_conditional(self) -> bool:
        """Whether some parameters are there under conditions alone."""
        return any(p.when for p in self.parameters)

    @cached_property
    def _in_order(self) -> tuple[Any, ...]:
        return in_order(self.parameters)

    def there(self, params: Mapping[str, Any]) -> Params:
        """Those of the values whose parameters are there, in the space's order."""
        if not self.is_conditional:
            return {name: params[name] for name in self.names if name in params}
        kept: Params = {}
        for p in self._in_order:
            if p.name in params and is_there(p, kept):
                kept[p.name] = params[p.name]
        return {name: kept[name] for name in self.names if name in kept}

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the cube."""
        return tuple(name for p in self.frame for name in p.columns)

    @property
    def dim(self) -> int:
        return len(self.columns)

    @cached_property
    def at(self) -> dict[str, Any]:
        """Where each parameter is among the columns: a number, or a slice where it has several."""
        ends = np.cumsum([len(p.columns) for p in self.frame]).tolist()
        first = [end - len(p.columns) for end, p in zip(ends, self.frame, strict=True)]
        return {
            p.name: k if len(p.columns) == 1 else slice(k, k + len(p.columns))
            for k, p in zip(first, self.frame, strict=True)
        }

    @cached_property
    def owners(self) -> tuple[Any, ...]:
        """The parameter of each column."""
        return tuple(p for p in self.frame for _ in p.columns)

    @cached_property
    def axes(self) -> tuple[Any, ...]:
        """What can be drawn along each column: the parameter, a part of one, or the place of an item."""
        return tuple(term for p in self.frame for term in p.terms)

    @cached_property
    def terms(self) -> dict[str, Any]:
        """By name what constraints may name, one for each column; see `bbo.space.parameters`."""
        return dict(zip(self.columns, self.axes, strict=True))

    def by_term(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the names of `terms`, from those by the names of some parameters."""
        return {k: v for p in self.parameters if p.name in params for k, v in p.by_term(params[p.name]).items()}

    @cached_property
    def categorical(self) -> dict[int, int]:
        """Number of levels by column, of the columns whose levels have no order."""
        return {j: p.n_levels for j, p in enumerate(self.owners) if p.n_levels is not None and not p.is_ordered}

    @cached_property
    def structure(self) -> Structure:
        """What a model needs to know of the columns."""
        by_name: dict[str, tuple[Condition, ...]] = {}
        for p in self._in_order:
            own: list[Condition] = []
            for name, values in (p.when or {}).items():
                at = tuple(float(self.position(name, value)) for value in values)
                own += [*by_name[name], Condition(self.at[name], at, self.framed[name].reach)]
            by_name[p.name] = tuple(own)
        conditions, absent = {}, {}
        for j, p in enumerate(self.owners):
            if by_name[p.name]:
                first = self.columns.index(p.columns[0])
                conditions[j], absent[j] = by_name[p.name], float(p.absent[j - first])
        known = {j: p.spots for j, p in enumerate(self.owners) if j in self.categorical and p.spots}
        orders = [(self.at[p.name], p.cyclic) for p in self.parameters if isinstance(p, Permutation)]
        placed = tuple(Order(at.start, at.stop, is_cyclic) for at, is_cyclic in orders)
        return Structure(self.categorical, conditions, absent, known, placed)

    @cached_property
    def cells(self) -> dict[str, Any]:
        """By name what stands in a column of its own in a table; see `bbo.space.parameters`."""
        return {cell.name: cell for p in self.parameters for cell in p.cells}

    def flat(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the names of `cells`, from those by the names of some parameters."""
        return {k: v for p in self.parameters if p.name in params for k, v in p.flat(params[p.name]).items()}

    def gathered(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the names of parameters, from those by the names of `cells`; of the parameters all of whose cells
        are there."""
        return {p.name: p.gathered(cells) for p in self.parameters if all(cell.name in cells for cell in p.cells)}

    @cached_property
    def by_name(self) -> dict[str, Any]:
        return {p.name: p for p in self.parameters}

    @cached_property
    def framed(self) -> dict[str, Any]:
        """By name what stands for each parameter in `frame`."""
        return {p.name: p for p in self.frame}

    @cached_property
    def same(self) -> Positions:
        """Positions that differ by less in every column, `dim`, are one point."""
        return np.array([p.same for p in self.owners])

    def codes(self, point: Mapping[str, Any]) -> list[float]:
        """The numbers that stand for a point that was checked, in the space's order; compact and exact.

        NaN for what is not there.
        """
        codes: list[float] = []
        for p in self.frame:
            code = p.code(point[p.name]) if p.name in point else [math.nan] * len(p.columns)
            codes.extend(code) if isinstance(code, list) else codes.append(code)
        return codes

    def point(self, codes: Sequence[float]) -> Params:
        """The point that these codes stand for."""
        is_absent = np.isnan(codes)
        there = [p for p in self.frame if not is_absent[self.at[p.name]].any()]
        return {p.name: p.value(codes[self.at[p.name]]) for p in there}

    def place(self, codes: Positions) -> Positions:
        """Positions in the cube, `n x dim`, of codes, `n x dim`."""
        X = np.empty(codes.shape)
        for p in self.frame:
            X[:, self.at[p.name]] = p.place(codes[:, self.at[p.name]])
            if p.when:
                is_absent = np.isnan(codes[:, self.columns.index(p.columns[0])])
                X[is_absent, self.at[p.name]] = p.absent
        return X

    def encode(self, points: Sequence[Mapping[str, Any]]) -> Positions:
        """Positions in the cube, `n x dim`, of points that were checked."""
        return self.place(np.array([self.codes(point) for point in points]).reshape(-1, self.dim))

    def decode(self, U: Positions) -> list[Params]:
        """The points at positions `U`, `n x dim`, whatever constraints say; what is fixed takes its value whatever `U`
        says."""
        columns = [self._decode_column(p, U[:, self.at[p.name]]) for p in self.frame]
        points = [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]
        return [self.there(point) for point in points] if self.is_conditional else points

    def _decode_column(self, p: Any, u: Positions) -> list[Any]:
        if p.name in self.fixed:
            return [self.fixed[p.name]] * len(u)
        values: list[Any] = p.decode(u)
        return values if p is self.by_name[p.name] else self.by_name[p.name].within(values)

    def position(self, name: str, value: Any) -> Positions:
        p = self.framed[name]
        position: Positions = p.place(np.array([p.code(value)]))[0]
        return position

    def has(self, U: Positions, values: Mapping[str, Any]) -> Mask:
        """Which positions, `n x dim`, are of points that have these values of some parameters: `n`."""
        is_so = np.ones(len(U), dtype=bool)
        for name, value in values.items():
            columns = np.atleast_1d(np.arange(self.dim)[self.at[name]])
            is_so &= (np.abs(U[:, columns] - self.position(name, value)) <= self.same[columns]).all(1)
            is_so &= self.structure.is_there(U, columns[0])
        return is_so

    def snap(self, U: Positions) -> Positions:
        """Positions of the points that `U`, `n x dim`, decodes to: discrete columns go to the centre of their cell."""
        return self.encode(self.decode(U))

    def spread(self, U: Positions) -> Positions:
        """Positions of points, `n x dim`, from such uniform in the cube, whatever constraints say."""
        X = U.copy()
        for p in self.frame:
            if not isinstance(p, OneColumn):
                X[:, self.at[p.name]] = p.spread(U[:, self.at[p.name]])
        return X

    def moved(self, X: Positions, j: int, u: float) -> Positions:
        """Positions `n x dim` with column j at `u`; other columns of its parameter give way."""
        X = X.copy()
        p, at = self.owners[j], self.at[self.owners[j].name]
        if isinstance(p, OneColumn):
            X[:, j] = u
        else:
            X[:, at] = p.moved(X[:, at], j - at.start, u)
        return X

    # Columns of many points, for constraints.

    @cached_property
    def lines(self) -> dict[str, tuple[float, float]]:
        """Of each term whose number is a position but for units: the number at 0, and what a step to 1 adds."""
        return {name: line for p in self.frame for name, line in p.lines.items()}

    @cached_property
    def sizes(self) -> dict[str, float]:
        """By term how large its numbers are, for what counts as rounding."""
        of_ranges = {name: abs(line[0]) + abs(line[1]) for name, line in self.lines.items()}
        others = {p.name: max(abs(p.low), abs(p.high)) for p in self.frame if p.kind in ("float", "int")}
        return others | of_ranges

    def values_at(self, U: Positions, terms: Sequence[str]) -> tuple[dict[str, Any], Mask]:
        """Values of some terms at positions `U`, `n x dim`, each `n`; and where all of these are there, `n`."""
        columns: dict[str, Any] = {}
        is_there = np.ones(len(U), dtype=bool)
        for p in self.frame:
            wanted = [name for name in p.columns if name in terms]
            if not wanted:
                continue
            if p.name in self.fixed:  # as it is, as positions lose the last digit
                given = p.by_term(self.fixed[p.name])
                columns |= {name: repeated(given[name], len(U)) for name in wanted}
                continue
            columns |= {name: v for name, v in p.arrays(U[:, self.at[p.name]]).items() if name in wanted}
            is_there &= self.structure.is_there(U, self.columns.index(p.columns[0]))
        return columns, is_there
