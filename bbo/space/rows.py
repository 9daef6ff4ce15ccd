"""The rows of a pool as candidates in the cube."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from bbo.errors import SpaceError
from bbo.space.candidates import Candidates
from bbo.space.conditions import in_order, in_words
from bbo.space.encoding import Encoding
from bbo.space.listed import Listed
from bbo.space.pool import Pool, Table
from bbo.space.region import Positions
from bbo.space.simplex import TOLERANCE, Simplex
from bbo.space.structure import MIDDLE
from bbo.space.values import as_number

_ROUNDING = 1e-12


# Of each table the columns and parameters that its rows were placed by, and where: a million take seconds.
_PLACED: WeakKeyDictionary[Table, tuple[tuple[Any, ...], Candidates]] = WeakKeyDictionary()


def check_columns(space: Encoding, pool: Pool) -> None:
    """Raises ValueError where a pool has a column that is no parameter, or lacks one that one of its others needs."""
    unknown = [name for name in pool.names if name not in space.cells]
    if unknown:
        raise ValueError(f"{pool}: unknown are {unknown}; there are {list(space.cells)}. Ignore others, by ignore=.")
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
    placed_by = (pool.names, pool.costs, *space.parameters, *space.frame)
    before, found = _PLACED.get(pool.table, ((), None))
    if found is None or before != placed_by:
        named = _named(space, pool)
        at = np.concatenate([np.arange(space.dim)[space.at[p.name]].reshape(-1) for p in named])
        costs = None if pool.costs is None else columns[pool.costs]
        is_ordered = np.array([space.owners[j].is_ordered for j in at])
        codes = np.hstack([_codes(pool, p, space.framed[p.name]) for p in named])
        U = _placed(space, pool, named, codes)[:, at]
        found = Candidates.of(at, U, codes, costs, space.same[at], is_ordered)
        _PLACED[pool.table] = (placed_by, found)
    return found


def _named(space: Encoding, pool: Pool) -> list[Any]:
    return [p for p in space.parameters if any(cell.name in pool.names for cell in p.cells)]


def _placed(space: Encoding, pool: Pool, named: Sequence[Any], codes: Positions) -> Positions:
    """Positions of rows with these codes, `n x k`, as `n x d`; anywhere in columns that the pool does not speak of.

    An empty cell is the choice None, where there is one and the parameter is there; in place.

    Raises:
        SpaceError: a number is out of range, or there is none where the parameter is there.
    """
    n = len(codes)
    U = np.full((n, space.dim), MIDDLE)
    ends = np.cumsum([len(p.columns) for p in named]).tolist()
    of = {p.name: codes[:, end - len(p.columns) : end] for p, end in zip(named, ends, strict=True)}
    for p in in_order(space.parameters):
        if p.name not in of:
            continue
        wide, own, at = space.framed[p.name], of[p.name], np.arange(space.dim)[space.at[p.name]].reshape(-1)
        is_there = space.structure.is_there(U, int(at[0]))
        if isinstance(p, Listed) and None in p.listed:
            own[is_there & np.isnan(own[:, 0])] = wide.code(None)
        is_empty = np.isnan(own)
        for row in np.flatnonzero(is_there & is_empty.any(1))[:1]:
            raise SpaceError(f"{_at(pool, row)}: the cell of {p.name!r} is empty.")
        for row in np.flatnonzero(~is_there & ~is_empty.all(1))[:1]:
            raise SpaceError(f"{_at(pool, row)}: {p.name!r} is there where {in_words(p)}: leave its cell empty.")
        with np.errstate(invalid="ignore", divide="ignore"):
            u = wide.place(own if len(at) > 1 else own[:, 0]).reshape(n, -1)
            within = p.place(own if len(at) > 1 else own[:, 0]).reshape(n, -1)
        is_out = ~is_empty & ~((within >= -_ROUNDING) & (within <= 1 + _ROUNDING))
        for row, i in np.argwhere(is_out)[:1] if p.n_values is None else ():  # the others were checked by value
            cell = p.terms[i]
            raise SpaceError(
                f"{_at(pool, row)}: {cell.name!r} lies in [{cell.low!r}, {cell.high!r}], got {float(own[row, i])!r}."
            )
        if isinstance(p, Simplex):
            _check_mixtures(pool, p, own)
        U[:, at] = np.where(is_empty, wide.absent, u)
    return U


def _check_mixtures(pool: Pool, p: Simplex, amounts: Positions) -> None:
    """Raises SpaceError where a row, of amounts `n x k`, is no mixture; empty ones are none that has to be."""
    total = amounts.sum(1)
    for row in np.flatnonzero(np.abs(total - p.total) > TOLERANCE * p.total)[:1]:
        raise SpaceError(f"{_at(pool, row)}: the amounts of {p.name!r} sum to {p.total:g}, got {float(total[row])!r}.")
    n = (amounts > 0).sum(1)
    for row in np.flatnonzero(n > p.n_present)[:1]:
        raise SpaceError(f"{_at(pool, row)}: {p.name!r} has at most {p.n_present} parts above 0, got {n[row]}.")


def _codes(pool: Pool, p: Any, wide: Any) -> Positions:
    """The numbers that stand for the cells of a parameter, encoded as `wide`, `n x k`; NaN for empty ones."""
    cells = [pool.columns[cell.name] for cell in p.cells]
    if p.n_values is None and all(column.dtype == float for column in cells):
        return np.stack(cells, 1)
    if isinstance(p, Simplex):
        return np.stack(
            [_each(column, partial(_number, pool, cell), 1)[:, 0] for cell, column in zip(p.cells, cells, strict=True)],
            1,
        )
    return _each(cells[0], partial(_code, pool, p, wide), len(p.columns))


def _each(column: NDArray[Any], code: Callable[[int, Any], list[float]], k: int) -> Positions:
    """What stands for each cell by its row and value, which is looked up once for each value: `n x k`."""
    of_value: dict[tuple[type, Any], list[float]] = {}
    codes = np.empty((len(column), k))
    for row, value in enumerate(column.tolist()):
        key = (type(value), repr(value) if isinstance(value, list | tuple) else value)
        if key not in of_value:
            of_value[key] = [math.nan] * k if _is_empty(value) else code(row, value)
        codes[row] = of_value[key]
    return codes


def _is_empty(value: Any) -> bool:
    return value is None or value != value


def _number(pool: Pool, cell: Any, row: int, value: Any) -> list[float]:
    with _of_row(pool, row):
        return [as_number(cell.name, cell.parse(value))]


def _code(pool: Pool, p: Any, wide: Any, row: int, value: Any) -> list[float]:
    with _of_row(pool, row):
        code = wide.code(p.check(p.parse(value)))
        return code if isinstance(code, list) else [float(code)]


@contextmanager
def _of_row(pool: Pool, row: int) -> Iterator[None]:
    try:
        yield
    except SpaceError as error:
        raise SpaceError(f"{_at(pool, row)}: {error}") from error


def _at(pool: Pool, row: int) -> str:
    return f"Row {row + 1} of the pool{'' if pool.table.file is None else f' in {pool.table.file}'}"
