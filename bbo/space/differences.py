"""In what two spaces differ, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bbo.space.constraints import Constraint, Nonlinear
from bbo.space.pool import Pool


class Described(Protocol):
    """What of a space is compared."""

    @property
    def by_name(self) -> dict[str, Any]: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def constraints(self) -> tuple[Constraint, ...]: ...

    @property
    def fixed(self) -> dict[str, Any]: ...


def differences(one: Described, other: Described) -> list[str]:
    """A clause for each; none where the spaces are the same."""
    mine, theirs = one.by_name, other.by_name
    said = [f"parameter {name!r} is only in the first" for name in mine if name not in theirs]
    said += [f"parameter {name!r} is only in the second" for name in theirs if name not in mine]
    pairs = [(_said_of(mine[n]), _said_of(theirs[n])) for n in mine if n in theirs]
    said += [f"{first} against {second}" for first, second in pairs if first != second]
    said += _of_constraints(one.constraints, other.constraints)
    if one.fixed != other.fixed:
        said.append(f"fixed values: {one.fixed!r} against {other.fixed!r}")
    if not said and one.names != other.names:
        said.append(f"the order of the parameters: {list(one.names)} against {list(other.names)}")
    return said


def _said_of(p: Any) -> str:
    known = getattr(p, "descriptors", None)
    return repr(p) + (f" with descriptors {known!r}" if known else "")


def _of_constraints(mine: Sequence[Constraint], theirs: Sequence[Constraint]) -> Iterator[str]:
    first = [c for c in mine if _compared(c) not in map(_compared, theirs)]
    second = [c for c in theirs if _compared(c) not in map(_compared, mine)]
    # A function keeps its name when it is changed.
    changed = _functions(first) & _functions(second)
    yield from (f"the function of constraint {c}: its source, or what it holds, is another" for c in sorted(changed))
    yield from (f"constraint {c!r} is only in the first" for c in first if str(c) not in changed)
    yield from (f"constraint {c!r} is only in the second" for c in second if str(c) not in changed)


def _compared(constraint: Constraint) -> str:
    """What tells constraints apart: of a table its contents, wherever it was read from."""
    if isinstance(constraint, Pool):
        return repr(replace(constraint, table=replace(constraint.table, file=None)))
    return repr(constraint)


def _functions(constraints: Sequence[Constraint]) -> set[str]:
    return {str(c) for c in constraints if isinstance(c, Nonlinear) and c.is_function}
