"""Which parameters a point has: those whose conditions hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from bbo.errors import SpaceError
from bbo.space.values import identity


def in_order(parameters: Sequence[Any]) -> tuple[Any, ...]:
    """Each behind those that its conditions name.

    Raises:
        ValueError: a condition on a parameter that is not there, on one that has no list of values, on a value that it
            cannot have; or conditions that go in a circle.
    """
    by_name = {p.name: p for p in parameters}
    for p in parameters:
        for name, values in (p.when or {}).items():
            _check(p, name, values, by_name)
    done: dict[str, Any] = {}
    left = list(parameters)
    while left:
        ready = [p for p in left if all(name in done for name in p.when or {})]
        if not ready:
            circle = "; ".join(f"{p.name!r} needs {list(p.when)}" for p in left)
            raise ValueError(f"Conditions go in a circle: {circle}. Drop one of them.")
        done |= {p.name: p for p in ready}
        left = [p for p in left if p.name not in done]
    return tuple(done.values())


def _check(p: Any, name: str, values: Sequence[Any], by_name: Mapping[str, Any]) -> None:
    said = f"Parameter {p.name!r} is there when {name!r} is one of {list(values)!r}"
    if name not in by_name:
        raise ValueError(f"{said}, but the parameters are {list(by_name)}.")
    if by_name[name].n_levels is None:
        raise ValueError(f"{said}, but {name!r} has no list of values: use a Categorical, an Ordinal or an Int.")
    if not values:
        raise ValueError(f"{said}, so never: name the values at which it is there.")
    for value in values:
        try:
            by_name[name].check(value)
        except SpaceError as error:
            raise ValueError(f"{said}. {error}") from error


def is_there(p: Any, others: Mapping[str, Any]) -> bool:
    """Whether the conditions of a parameter hold, given the values of those that come before and are there."""
    return all(
        name in others and identity(others[name]) in map(identity, values) for name, values in (p.when or {}).items()
    )


def in_words(p: Any) -> str:
    """`optimizer is one of ['sgd']`."""
    return " and ".join(f"{name} is one of {list(values)!r}" for name, values in p.when.items())
