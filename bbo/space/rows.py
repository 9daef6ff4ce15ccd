"""The rows of a pool as candidates in the cube."""

import math
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from bbo.errors import SpaceError
from bbo.space.candidates import Candidates
from bbo.space.conditions import in_order, in_words
from bbo.space.encoding import Encoding
from bbo.space.listed import Listed
from bbo.space.pool import Pool, Table
from bbo.space.region import Positions
from bbo.space.structure import MIDDLE
from bbo.space.values import as_number

_ROUNDING = 1e-12


# Of each table the parameters that its rows were placed by, and where: a million take seconds.
_PLACED: WeakKeyDictionary[Table, tuple[tuple[Any, ...], Candidates]] = WeakKeyDictionary()


def check_columns(space: Encoding, pool: Pool) -> None:
    """Raises ValueError where a pool lacks a column that one of its others needs."""
    for p in _named(space, pool):
        missing = [cell.name for cell in p.cells if cell.name not in pool.names]
        missing += [name for name in p.when or {} if name not in pool.names]
        if missing:
            raise ValueError(f"The pool speaks of {p.name!r}, so it needs the columns {missing} too.")


def candidates_of(space: Encoding, pool: Pool) -> Candidates:
    """All rows of a pool.

    Raises:
        SpaceError: a cell has what its parameter cannot be; or the rows are not at hand.
    """
    columns = pool.columns
    parameters, found = _PLACED.get(pool.table, ((), None))
    if found is None or parameters != space.parameters:
        named = _named(space, pool)
        at = np.concatenate([np.arange(space.dim)[space.at[p.name]].reshape(-1) for p in named])
        costs = None if pool.costs is None else columns[pool.costs]
        is_ordered = np.array([space.owners[j].is_ordered for j in at])
        codes = np.stack([_codes(pool, p, cell) for p in named for cell in p.cells], 1)
        U = _placed(space, pool, named, codes)[:, at]
        found = Candidates.of(at, U, codes, costs, space.same[at], is_ordered)
        _PLACED[pool.table] = (space.parameters, found)
    return found


def _named(space: Encoding, pool: Pool) -> list[Any]:
    return [p for p in space.parameters if any(cell.name in pool.names for cell in p.cells)]


def _placed(space: Encoding, pool: Pool, named: Sequence[Any], codes: Positions) -> Positions:
    """Positions of rows with these codes, `n x k`, as `n x d`; anywhere in columns that the pool does not speak of.

    An empty cell that was taken for the choice None is one of what is not there, where that is so; in place.

    Raises:
        SpaceError: a number is out of range, or there is none where the parameter is there.
    """
    n = len(codes)
    U = np.full((n, space.dim), MIDDLE)
    ends = np.cumsum([len(p.cells) for p in named]).tolist()
    of = {p.name: codes[:, end - len(p.cells) : end] for p, end in zip(named, ends, strict=True)}
    for p in in_order(space.parameters):
        if p.name not in of:
            continue
        own, at = of[p.name], np.arange(space.dim)[space.at[p.name]].reshape(-1)
        is_there = space.structure.is_there(U, int(at[0]))
        if isinstance(p, Listed) and None in p.listed:
            own[~is_there & (own[:, 0] == p.code(None))] = np.nan
        is_empty = np.isnan(own)
        for row in np.flatnonzero(is_there & is_empty.any(1))[:1]:
            raise SpaceError(f"{_at(pool, row)}: the cell of {p.name!r} is empty.")
        for row in np.flatnonzero(~is_there & ~is_empty.all(1))[:1]:
            raise SpaceError(f"{_at(pool, row)}: {p.name!r} is there where {in_words(p)}: leave its cell empty.")
        with np.errstate(invalid="ignore", divide="ignore"):
            u = p.place(own if len(at) > 1 else own[:, 0]).reshape(n, -1)
        is_out = ~is_empty & ~((u >= -_ROUNDING) & (u <= 1 + _ROUNDING))
        for row, i in np.argwhere(is_out)[:1]:
            cell = p.cells[i]
            raise SpaceError(
                f"{_at(pool, row)}: {cell.name!r} lies in [{cell.low!r}, {cell.high!r}], got {float(own[row, i])!r}."
            )
        U[:, at] = np.where(is_empty, p.absent, u)
    return U


def _codes(pool: Pool, p: Any, cell: Any) -> Positions:
    """The numbers that stand for the cells of one column, `n`; NaN for empty ones."""
    column = pool.columns[cell.name]
    if column.dtype == float and cell.n_levels is None:
        return column
    of_value: dict[tuple[type, Any], float] = {}
    codes = np.empty(len(column))
    for row, value in enumerate(column.tolist()):
        key = (type(value), value)
        if key not in of_value:
            of_value[key] = _code(pool, p, cell, row, value)
        codes[row] = of_value[key]
    return codes


def _code(pool: Pool, p: Any, cell: Any, row: int, value: Any) -> float:
    is_choice = value is None and isinstance(p, Listed) and None in p.listed
    if not is_choice and (value is None or value != value):
        return math.nan
    try:
        if cell is p:
            return float(p.code(p.check(p.parse(value))))
        return as_number(cell.name, cell.parse(value))
    except SpaceError as error:
        raise SpaceError(f"{_at(pool, row)}: {error}") from error


def _at(pool: Pool, row: int) -> str:
    return f"Row {row + 1} of the pool{'' if pool.table.file is None else f' in {pool.table.file}'}"
