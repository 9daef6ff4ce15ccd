"""What binds the columns of a space together, compiled to positions: see `bbo.space.region`.

A linear constraint on numbers that are always there, and positions but for units, is one on positions. All else is a
test of decoded values; a combination of levels that is forbidden is also a row of the program that finds members. Where
equalities hold under conditions, each branch of the space is a region of its own, with those that hold in it as rows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bbo.space.branches import Branch, branches_of, conditions_of
from bbo.space.candidates import Candidates
from bbo.space.constraints import Constraint, Forbidden, Linear, Nonlinear
from bbo.space.encoding import Encoding
from bbo.space.fresh import ENUMERABLE
from bbo.space.listed import Listed
from bbo.space.permutation import Permutation
from bbo.space.pool import Pool
from bbo.space.region import Mask, Mixture, Positions, Region
from bbo.space.rows import candidates_of, check_columns
from bbo.space.simplex import Simplex
from bbo.space.structure import MIDDLE

# A program has a variable for each level of what may be forbidden.
_MOST_TOLD_APART = 1000
# Points at random on which a function is called, of which one call may well take a millisecond.
_MOST_CALLS = 10_000

Sum = tuple[Mapping[str, float], float]


def check_names(space: Encoding, constraint: Constraint) -> None:
    """Raises ValueError where a constraint names what is not there, or is no number where it has to be."""
    if isinstance(constraint, Pool):
        check_columns(space, constraint)
        return
    unknown = [name for name in constraint.names if name not in space.terms]
    if unknown:
        raise ValueError(f"{constraint}: unknown are {unknown}; there are {list(space.terms)}.")
    texts = [name for name in constraint.numbers if not _is_number(space.terms[name])]
    if texts:
        raise ValueError(f"{constraint}: {texts} must be numbers; compare others by == and != alone.")
    if isinstance(constraint, Linear) and constraint.between_points:
        _check_between(space, constraint)
    elif isinstance(constraint, Linear) and constraint.lower == constraint.upper:
        _check_equality(space, constraint)
    if isinstance(constraint, Nonlinear):
        _check_compared(space, constraint)
    if not isinstance(constraint, Forbidden):
        return
    for name, values in constraint.combination.items():
        if space.terms[name].n_levels is None:
            raise ValueError(f"{constraint}: {name!r} has no list of values; say it by Nonlinear({name + ' < ...'!r}).")
        for value in values:
            space.terms[name].check(value)


def _check_compared(space: Encoding, constraint: Nonlinear) -> None:
    """Raises ValueError where a value never is what it is compared with, as where that is misspelt."""
    for name, value in constraint.compared:
        term = space.terms[name]
        if isinstance(term, Listed) and value not in term.listed:
            raise ValueError(
                f"{constraint}: {name!r} is never {value!r}, it is one of {list(term.listed)!r}. Mend the spelling."
            )
        if not isinstance(term, Listed) and isinstance(value, str):
            raise ValueError(f"{constraint}: {name!r} is a number, never {value!r}: compare it with numbers.")


def _check_equality(space: Encoding, constraint: Linear) -> None:
    """Raises ValueError where points would silently lack what it binds under conditions."""
    curved = _curved(space, constraint)
    conditional = [name for name in constraint.names if name not in _always(space)]
    if curved and conditional:
        raise ValueError(
            f"{constraint}: {curved} must not be on a logarithmic axis, where hardly any sum is hit, as {conditional} "
            "are under conditions. Leave room, with lower below upper."
        )


def _curved(space: Encoding, constraint: Linear) -> list[str]:
    return [name for name in constraint.names if name not in space.lines and space.terms[name].n_levels is None]


def _check_between(space: Encoding, constraint: Linear) -> None:
    conditional = [name for name in constraint.names if name not in _always(space)]
    if conditional:
        raise ValueError(f"{constraint}: {conditional} must be always there, but they are under conditions.")
    curved = _curved(space, constraint)
    if constraint.lower == constraint.upper and curved:
        raise ValueError(
            f"{constraint}: {curved} must not be on a logarithmic axis, where hardly any sum is hit. Leave room, with "
            "lower below upper."
        )


def _is_number(term: Any) -> bool:
    if isinstance(term, Listed):
        return all(type(value) in (int, float) for value in term.listed)
    return True


def region_of(space: Encoding, constraints: Sequence[Constraint]) -> Region:
    """Where the points are that satisfy the constraints and have what is fixed."""
    here = [c for c in constraints if isinstance(c, Pool) and not c.is_absent]
    listed = {name for pool in here for name in pool.names}
    alone = [p for p in space.parameters if not any(cell.name in listed for cell in p.cells)]
    # What a pool alone decides is decided by leaving rows out.
    others = [c for c in constraints if c not in here and not any(_is_decided_by(pool, c) for pool in here)]
    pools = tuple(_candidates(space, pool, constraints) for pool in here)
    is_part = space.frame is not space.parameters
    region = replace(_pooled(_region(space, alone, others), pools), is_part=is_part)
    conditional = [c for c in others if isinstance(c, Linear) and _is_branching(space, c, region)]
    if not any(c.lower == c.upper for c in conditional):
        return region
    switches = dict.fromkeys(condition.column for c in conditional for condition in conditions_of(space, c))
    levels = {j: positions for j in switches if (positions := _positions(region, j)) is not None}
    branches = []
    for branch in branches_of(space, conditional, levels):
        nowhere = [c for c in conditional if c not in branch.there]
        own = _region(space, alone, [c for c in others if c not in nowhere], branch.there)
        part = _part(replace(_pooled(own, pools), is_part=is_part), branch)
        if all(map(len, part.pools)):
            branches.append((part, branch.absent))
    if len(branches) == 1:
        return branches[0][0]
    parts = tuple(_lacking(part, absent) for part, absent in branches)
    return replace(region, branches=parts, switches=tuple(levels))


def _lacking(region: Region, absent: Sequence[int]) -> Region:
    """One of which points lack some columns: at one level, whichever, so that each combination of the others counts."""
    columns = [j for j in absent if j in region.levels]
    return region.given(columns, np.array([region.levels[j][0] for j in columns]))


def _pooled(region: Region, pools: tuple[Candidates, ...]) -> Region:
    for pool in pools:
        if len(pool):
            region.lower[pool.columns], region.upper[pool.columns] = pool.U.min(0), pool.U.max(0)
    return replace(region, pools=pools)


def check_cases(space: Encoding, constraints: Sequence[Constraint]) -> None:
    """Raises ValueError where equalities under conditions make more cases than can be told apart."""
    equal = [c for c in constraints if isinstance(c, Linear) and c.lower == c.upper]
    if any(name not in _always(space) for c in equal for name in c.names):
        region_of(space, [c for c in constraints if not isinstance(c, Pool)])


def _is_branching(space: Encoding, constraint: Linear, region: Region) -> bool:
    """Whether it is linear in positions, of numbers under conditions on what has a list of levels."""
    if _is_linear(space, constraint) or any(name not in space.lines for name in constraint.names):
        return False
    return all(_positions(region, c.column) is not None for c in conditions_of(space, constraint))


def _positions(region: Region, j: int) -> Positions | None:
    """What a discrete column may be; None where it has too many levels for a list."""
    for pool in region.pools:
        if j in pool.columns:
            return np.unique(pool.U[:, pool.columns == j])
    fixed = region.lower[[j]] if region.lower[j] == region.upper[j] else None
    return region.levels.get(j, fixed)


def _part(region: Region, branch: Branch) -> Region:
    """A branch of a region, of which it has the constraints."""
    lower, upper, levels, share = region.lower.copy(), region.upper.copy(), dict(region.levels), 1.0
    pools = region.pools
    for j, positions in branch.levels.items():
        lower[j], upper[j] = positions.min(), positions.max()
        if j in levels:
            share *= len(positions) / len(levels[j])
            levels[j] = positions
        pools = tuple(
            pool.where(np.asarray(np.isin(pool.U[:, pool.columns == j], positions).all(axis=1))) for pool in pools
        )
    for before, after in zip(region.pools, pools, strict=True):
        share *= len(after) / len(before) if len(before) else 1.0
    return replace(region, lower=lower, upper=upper, levels=levels, pools=pools, share=share)


def _is_decided_by(pool: Pool, constraint: Constraint) -> bool:
    """Whether the rows of a pool say by themselves which of them satisfy a constraint; functions see whole points."""
    is_plain = not isinstance(constraint, Pool) and bool(constraint.names)
    return is_plain and set(constraint.names) <= set(pool.names)


def _candidates(space: Encoding, pool: Pool, constraints: Sequence[Constraint]) -> Candidates:
    """The rows of a pool that have what is fixed and satisfy the constraints on its columns alone."""
    found = candidates_of(space, pool)
    for name, value in space.fixed.items():
        at = np.atleast_1d(np.arange(space.dim)[space.at[name]])
        found = found.given(at.tolist(), np.atleast_1d(space.position(name, value)))
    own = [c for c in constraints if _is_decided_by(pool, c)]
    # That a row is a mixture was seen when it was placed.
    listed = [p for p in space.parameters if p.cells[0].name in pool.names and not isinstance(p, Simplex)]
    region = _region(space, listed, own)
    if region.is_box:
        return found
    U = np.full((len(found), space.dim), MIDDLE)
    U[:, found.columns] = found.U
    return found.where(region.contains(U))


def _region(
    space: Encoding, parameters: Sequence[Any], constraints: Sequence[Constraint], there: Sequence[Linear] = ()
) -> Region:
    """As `region_of`, by some of the parameters and constraints; in the columns of the others everything goes.

    Args:
        there: constraints under conditions that hold in all of it.
    """
    lower, upper = np.zeros(space.dim), np.ones(space.dim)
    levels: dict[int, Positions] = {}
    mixtures, totals, orders = list[Mixture](), list[Sum](), list[slice]()
    for p in parameters:
        at, wide = space.at[p.name], space.framed[p.name]
        if isinstance(p, Simplex):
            mixtures.append(wide.mixture(at.start, p))
            totals.append((dict.fromkeys(wide.columns, 1.0), p.total))
            lower[at], upper[at] = mixtures[-1].least, mixtures[-1].most
        elif p.name in space.fixed:
            pass
        elif isinstance(p, Permutation):
            orders.append(at)
        elif p.n_levels is not None and (not p.is_ordered or p.n_levels <= ENUMERABLE):
            levels[at] = p.centres()
            if wide is not p:
                levels[at] = wide.place(np.array([wide.code(value) for value in p.decode(levels[at])]))
                lower[at], upper[at] = levels[at].min(), levels[at].max()
        elif wide is not p:
            lower[at], upper[at] = wide.place(np.array([p.low, p.high], dtype=float))
        if p.name in space.fixed:
            lower[at] = upper[at] = space.position(p.name, space.fixed[p.name])
    linear = [c for c in constraints if isinstance(c, Linear) and (_is_linear(space, c) or c in there)]
    equal = [c for c in linear if c.lower == c.upper]
    E, e = _rows(space, [*totals, *((c.coefficients, c.bounds[0]) for c in equal)])
    others = [c for c in linear if c.lower != c.upper]
    above = [(c.coefficients, c.bounds[1]) for c in others if c.upper is not None]
    below = [({k: -v for k, v in c.coefficients.items()}, -c.bounds[0]) for c in others if c.lower is not None]
    A, b = _rows(space, [*above, *below])
    tests = tuple((str(c), _test(space, c)) for c in constraints if c not in linear)
    forbidden = [_positions_of(space, c) for c in constraints if isinstance(c, Forbidden)]
    kept_apart = tuple(f for f in forbidden if f)
    region = Region(lower, upper, levels, A, b, E, e, tuple(mixtures), tests, kept_apart, tuple(orders))
    has_functions = any(isinstance(c, Nonlinear) and c.is_function for c in constraints)
    return replace(region, most_tried=_MOST_CALLS) if has_functions else region


def _is_linear(space: Encoding, constraint: Linear) -> bool:
    """Whether it is linear in positions, of numbers that are always there."""
    return all(name in space.lines and name in _always(space) for name in constraint.names)


def _always(space: Encoding) -> set[str]:
    """Names of what is there in all points."""
    return {name for p in space.parameters if not p.when for name in p.columns}


def _rows(space: Encoding, sums: Sequence[Sum]) -> tuple[Positions, Positions]:
    """Weighted sums of numbers that have a bound, as sums of positions: `k x dim` and `k`."""
    A, b = np.zeros((len(sums), space.dim)), np.zeros(len(sums))
    for row, (coefficients, bound) in enumerate(sums):
        b[row] = bound - math.fsum(c * space.lines[name][0] for name, c in coefficients.items())
        for name, c in coefficients.items():
            A[row, space.columns.index(name)] = c * space.lines[name][1]
        scale = np.abs(A[row]).max()
        if scale > 0:  # else units would make slack of some and none of others
            A[row], b[row] = A[row] / scale, b[row] / scale
    return A, b


def _test(space: Encoding, constraint: Constraint) -> Callable[[Positions], Mask]:
    """Whether points at positions, `n x dim`, satisfy a constraint, or lack some of its parameters: `n`.

    It raises SpaceError for a pool, whose rows are not at hand then.
    """

    def accepts(U: Positions) -> Mask:
        if not len(U):
            return np.empty(0, dtype=bool)
        if isinstance(constraint, Pool):
            raise constraint.absence
        if isinstance(constraint, Nonlinear) and constraint.is_function:
            return constraint.holds_at(space.decode(U))
        columns, is_there = space.values_at(U, constraint.names)
        is_accepted: Mask = constraint.holds(columns, space.sizes) | ~is_there
        return is_accepted

    return accepts


def _positions_of(space: Encoding, constraint: Forbidden) -> dict[int, list[float]]:
    """Of the values that do not go together, by column; nothing where one of these is not always there, or a place."""
    found: dict[int, list[float]] = {}
    for name, values in constraint.combination.items():
        p = space.by_name.get(name)
        if p is None or p.when or p.n_levels > _MOST_TOLD_APART:
            return {}
        found[space.at[name]] = [float(space.position(name, value)) for value in values]
    return found


def check_pools(space: Encoding, constraints: Sequence[Constraint]) -> None:
    """Raises ValueError where two pools speak of one column, or no row of one is left.

    Those of a log were checked when it was begun.
    """
    pools = [c for c in constraints if isinstance(c, Pool)]
    for k, pool in enumerate(pools):
        shared = [name for other in pools[:k] for name in other.names if name in pool.names]
        if shared:
            raise ValueError(f"Two pools have columns {shared}: make one table of both, of the rows that go together.")
    for pool in pools:
        if pool.table.given is not None and not len(_candidates(space, pool, constraints)):
            listed = [p.name for p in space.parameters if p.cells[0].name in pool.names]
            given = {name: value for name, value in space.fixed.items() if name in listed}
            others = [str(c) for c in constraints if _is_decided_by(pool, c)]
            said = " and ".join([*([f"has {given!r}"] if given else []), *(f"satisfies {c}" for c in others)])
            raise ValueError(f"The pool has no candidate: none of its {pool.table.n_rows:,} rows {said}.")
