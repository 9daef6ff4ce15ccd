"""A space as Optuna's distributions, and points as the values that Optuna keeps.

Optuna knows numbers and choices. A mixture is there by its parts, an order by the place of each item: `mix.sand`,
`tour.A`, as constraints name them. Choices that Optuna takes for one, such as True and 1, are there as Python spells
them.
"""

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bbo.errors import SpaceError
from bbo.space import Categorical, Float, Int, Ordinal, Params, Permutation, Simplex, Space
from bbo.space.listed import Listed
from bbo.space.values import When


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """By the name under which Optuna knows it each distribution of a space, whatever its conditions."""
    return {name: distribution for p in space.parameters for name, distribution in distributions_for(p).items()}


def distributions_for(p: Any) -> dict[str, BaseDistribution]:
    """Those that stand for a parameter: one, but for a mixture or an order."""
    if isinstance(p, Float):
        return {p.name: FloatDistribution(p.low, p.high, log=p.log, step=_step(p))}
    if isinstance(p, Int):
        return {p.name: IntDistribution(p.low, p.high, log=p.log, step=p.step)}
    if isinstance(p, Simplex):
        return {part.name: FloatDistribution(part.low, part.high) for part in p.cells}
    if isinstance(p, Permutation):
        return {place.name: IntDistribution(place.low, place.high) for place in p.terms}
    return {p.name: CategoricalDistribution(_choices(p.listed))}


def _choices(listed: tuple[Any, ...]) -> tuple[Any, ...]:
    """As Optuna has them: by their spelling, where it would take some for one."""
    return tuple(map(repr, listed)) if _taken_for_one(listed) else listed


def _taken_for_one(choices: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """Two choices that are equal for Optuna and of different types; None where there are none."""
    try:
        first = {choice: choice for choice in reversed(choices)}
    except TypeError:
        return None  # objects, which equal nothing of another type
    return next(((first[c], c) for c in choices if type(first[c]) is not type(c)), None)


def _step(p: Float) -> float | None:
    """The step, where Optuna, which counts in decimals, finds the end of the range on it too."""
    if p.step is None or (Decimal(str(p.high)) - Decimal(str(p.low))) % Decimal(str(p.step)):
        return None
    return p.step


def to_optuna(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of `distributions_of`, from those of some parameters."""
    flat = [_flat(p, params[p.name]) for p in space.parameters if p.name in params]
    return {name: value for values in flat for name, value in values.items()}


def _flat(p: Any, value: Any) -> dict[str, Any]:
    if isinstance(p, Listed):
        return {p.name: _choices(p.listed)[int(p.code(value))]}
    return p.by_term(value) if isinstance(p, Permutation) else p.flat(value)


def from_optuna(space: Space, values: Mapping[str, Any]) -> Params:
    """Values by parameter, of those parameters all of whose values are there; not checked.

    Items at places that are no order, as when each was drawn by itself, stand by their places.
    """
    params: Params = {}
    p: Any
    for p in space.parameters:
        names = p.columns if isinstance(p, Permutation) else tuple(cell.name for cell in p.cells)
        if all(name in values for name in names):
            params[p.name] = _gathered(p, values)
    return params


def _gathered(p: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(p, Listed):
        choices, value = _choices(p.listed), values[p.name]
        is_spelt = choices is not p.listed and value in choices
        return p.listed[choices.index(value)] if is_spelt else value
    return p.value([values[name] for name in p.columns]) if isinstance(p, Permutation) else p.gathered(values)


def parameter_of(name: str, distribution: BaseDistribution, *, when: When | None = None) -> Any:
    """The parameter that stands for a distribution.

    Choices that are three numbers or more in order are an Ordinal. Those that are objects are known by their places.

    Raises:
        SpaceError: it has a single value, or a range that no parameter has.
    """
    if distribution.single():
        raise SpaceError(f"{name!r} has a single value, which is no parameter: got {distribution!r}.")
    if isinstance(distribution, FloatDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        return Float(name, low, high, log=distribution.log, step=step, when=when)
    if isinstance(distribution, IntDistribution):
        return Int(name, distribution.low, distribution.high, log=distribution.log, step=distribution.step, when=when)
    assert isinstance(distribution, CategoricalDistribution)
    if not are_plain(distribution):
        return Categorical(name, tuple(range(len(distribution.choices))), when=when)
    kind = Ordinal if _are_in_order(distribution.choices) else Categorical
    return kind(name, distribution.choices, when=when)


def check_choices(name: str, distribution: BaseDistribution) -> None:
    """Raises SpaceError for choices that Optuna takes for one, so that nobody knows which of them a trial had."""
    same = _taken_for_one(distribution.choices) if isinstance(distribution, CategoricalDistribution) else None
    if same is not None:
        raise SpaceError(
            f"Optuna takes {same[0]!r} and {same[1]!r}, choices of {name!r}, for one, as they are equal in Python: "
            f"write them as texts, such as {str(same[0])!r} and {str(same[1])!r}."
        )


def are_plain(distribution: CategoricalDistribution) -> bool:
    """Whether its choices can be those of a parameter: numbers and texts, True, False and None, each once."""
    try:
        Categorical("choices", distribution.choices)
    except SpaceError:
        return False
    return True


def _are_in_order(choices: tuple[Any, ...]) -> bool:
    """Whether choices are sizes: three numbers or more, each above the one before."""
    are_numbers = all(type(value) in (int, float) for value in choices)
    return len(choices) > 2 and are_numbers and all(a < b for a, b in itertools.pairwise(choices))
