"""A space that takes the place of another one while trials are there.

Its points are those that its parameters and constraints say. Trials outside of it keep their places in the cube, which
is then that of wider parameters (`Space.wide`), so that what they gave still informs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bbo.errors import SpaceError
from bbo.space.conditions import in_order, is_there
from bbo.space.encoding import Params
from bbo.space.listed import Categorical, Listed, Ordinal
from bbo.space.permutation import Permutation
from bbo.space.simplex import Simplex
from bbo.space.space import Space
from bbo.space.values import identity


def check_change(before: Space, after: Space, given: Mapping[str, Any]) -> Params:
    """The values of new parameters that were in force in the trials so far, as the study stores them.

    Raises:
        SpaceError: a parameter or a part went, or changed its kind, conditions or total; or a value is given for what
            is not new, or is none.
    """
    gone = [name for name in before.by_name if name not in after.by_name]
    if gone:
        raise SpaceError(
            f"A study keeps its parameters, and {gone} would be gone. To hold one at a value, keep it and give the "
            "space that: Space(parameters, fixed={name: value})."
        )
    new = [p for p in after.parameters if p.name not in before.by_name]
    known = [name for name in given if name not in [p.name for p in new]]
    if known:
        raise SpaceError(f"Values are given for new parameters, {[p.name for p in new]}: got {known} too.")
    for old in before.parameters:
        p = after.by_name[old.name]
        if (old.kind, old.when) != (p.kind, p.when):
            raise SpaceError(
                f"Parameter {p.name!r} keeps its kind and its conditions: it is {old!r}, and would be {p!r}. "
                "Add a parameter of another name instead; a choice that a condition names stays, and Forbidden leaves "
                "it out."
            )
        if isinstance(old, Simplex) and (old.total != p.total or not set(old.parts) <= set(p.parts)):
            raise SpaceError(
                f"Simplex {p.name!r} keeps its total of {old.total!r} and its parts {list(old.parts)}: got "
                f"{p.total!r} and {list(p.parts)}. To leave a part out, give it an upper bound of 0."
            )
        if isinstance(old, Permutation) and set(map(identity, old.items)) != set(map(identity, p.items)):
            raise SpaceError(f"Permutation {p.name!r} keeps its items {list(old.items)}: got {list(p.items)}.")
    return {p.name: p.check_executed(given[p.name]) for p in new if p.name in given}


def carried_over(point: Params, after: Space, given: Params) -> Params:
    """A trial's point with what is new: the values given, and amounts of 0 of parts that were not there.

    Raises:
        SpaceError: a new parameter is there and has no value.
    """
    carried = dict(point)
    for p in in_order(after.parameters):
        if p.name in point and isinstance(p, Simplex):
            carried[p.name] = {part: point[p.name].get(part, 0.0) for part in p.parts}
        elif p.name not in point and is_there(p, carried):
            if p.name not in given:
                raise SpaceError(
                    f"Say which value the new parameter {p.name!r} had in the trials so far, as "
                    f"given={{{p.name!r}: ...}}; one of them is {point!r}."
                )
            carried[p.name] = given[p.name]
    return {name: carried[name] for name in after.names if name in carried}


def framed(after: Space, before: Space, points: Sequence[Params]) -> Space:
    """The space, encoded so that these points of trials have a place, those outside too.

    Raises:
        SpaceError: a trial has a value that no range of the parameter could have.
    """
    wide = tuple(
        _widened(p, before.framed.get(p.name), [q[p.name] for q in points if p.name in q]) for p in after.parameters
    )
    return replace(after, wide=wide if wide != after.parameters else None)


def _widened(p: Any, before: Any, values: Sequence[Any]) -> Any:
    """The parameter, or one that can be all that it can be and has these values too.

    Args:
        before: as the trials so far were encoded by it, so that it has all their values; None where it is new.
    """
    if isinstance(p, Listed):
        return _with_choices(p, before, values)
    if isinstance(p, Permutation):
        return p
    return _with_amounts(p, values) if isinstance(p, Simplex) else _with_numbers(p, values)


def _with_numbers(p: Any, values: Sequence[float]) -> Any:
    low, high = min([p.low, *values]), max([p.high, *values])
    if (low, high) == (p.low, p.high):
        return p
    if p.log and low <= 0:
        raise SpaceError(f"Parameter {p.name!r} is searched by its logarithm, and a trial has {low!r}: drop log=True.")
    if p.step is not None:  # whole steps beyond
        below, above = -int(-(p.low - low) // p.step), -int(-(high - p.high) // p.step)
        low, high = p.low - below * p.step, p.high + above * p.step
    return replace(p, low=low, high=high)


def _with_choices(p: Any, before: Any, values: Sequence[Any]) -> Any:
    """Former choices stand behind those that they followed."""
    has, tried = set(map(identity, p.listed)), set(map(identity, values))
    listed = list(p.listed)
    former: Iterable[Any] = () if before is None else before.listed
    last = -1
    for value in former:
        if identity(value) in has:
            last = [identity(v) for v in listed].index(identity(value))
        elif identity(value) in tried:
            last += 1
            listed.insert(last, value)
    if len(listed) == len(p.listed):
        return p
    if isinstance(p, Ordinal):
        return replace(p, values=tuple(listed))
    if not isinstance(p, Categorical):
        return replace(p, smiles=tuple(listed))
    return replace(p, choices=tuple(listed), descriptors=_descriptors(p, before, listed))


def _descriptors(p: Categorical, before: Categorical, listed: Sequence[Any]) -> dict[str, tuple[float, ...]] | None:
    if p.descriptors is None:
        return None
    missing = sorted(set(p.descriptors) - set(before.descriptors or {}))
    if missing:
        raise SpaceError(
            f"Categorical {p.name!r}: trials have choices that are gone, of which the descriptors {missing} are not "
            "known. Keep these choices, and forbid them by Forbidden."
        )

    def value(name: str, choice: Any) -> float:
        for q in (p, before):
            at = [identity(v) for v in q.listed]
            if identity(choice) in at:
                return float((q.descriptors or {})[name][at.index(identity(choice))])
        raise AssertionError(choice)

    return {name: tuple(value(name, choice) for choice in listed) for name in p.descriptors}


def _with_amounts(p: Simplex, values: Sequence[Mapping[str, float]]) -> Simplex:
    low, high = (dict(zip(p.parts, bound.tolist(), strict=True)) for bound in p.own_bounds)
    for value in values:
        low = {part: min(low[part], value[part]) for part in p.parts}
        high = {part: max(high[part], min(value[part], p.total)) for part in p.parts}
    most = max([p.n_present, *(sum(amount > 0 for amount in value.values()) for value in values)])
    wide = replace(p, lower=low, upper=high, max_parts=None if p.max_parts is None else most)
    return p if (wide.n_present, *map(tuple, wide.own_bounds)) == (p.n_present, *map(tuple, p.own_bounds)) else wide
