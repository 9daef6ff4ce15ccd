"""The space of an Optuna study: one that was given, or what trials so far show of an objective.

Optuna learns a parameter when an objective asks for it, so that a space is known by the trials alone. Parameters that
all trials have are always there. One that some have is there under a condition: where another one of few values has
certain of them, such as `C` where `model` is "svm", or `width_3` where `n_layers` is 3 or more. With these conditions
all trials inform one model, whatever branch they were in.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from bbo.errors import SpaceError
from bbo.events import digest
from bbo.space import Int, Params, Space
from bbo.studies.optuna.distributions import (
    are_plain,
    check_choices,
    distributions_of,
    from_optuna,
    parameter_of,
    to_optuna,
)

# A parameter of more values is no switch on which others depend.
_MOST_VALUES = 64


class Searched(Protocol):
    """A space, and the way between its points and the values that Optuna keeps."""

    @property
    def space(self) -> Space: ...

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """By the names that an objective asks for."""
        ...

    def point(self, values: Mapping[str, Any]) -> Params:
        """A point from an objective's values by name, to be checked; others are passed over."""
        ...

    def values(self, point: Params) -> dict[str, Any]:
        """By the names that an objective asks for."""
        ...


@dataclass(frozen=True)
class Given:
    """A space that the user gave."""

    space: Space

    @cached_property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        return distributions_of(self.space)

    def point(self, values: Mapping[str, Any]) -> Params:
        return from_optuna(self.space, values)

    def values(self, point: Params) -> dict[str, Any]:
        return to_optuna(self.space, point)


@dataclass(frozen=True)
class Inferred:
    """A space that trials show. Choices that no parameter can have are known by their places in the list."""

    space: Space
    distributions: Mapping[str, BaseDistribution]

    def point(self, values: Mapping[str, Any]) -> Params:
        named = {name: values[name] for name in self.space.names if name in values}
        return self.space.there({name: _known(self.distributions[name], value) for name, value in named.items()})

    def values(self, point: Params) -> dict[str, Any]:
        return {name: external(self.distributions[name], value) for name, value in point.items()}

    @property
    def by_place(self) -> list[str]:
        """Names of the parameters whose choices are known by their places."""
        return [
            name
            for name, d in self.distributions.items()
            if isinstance(d, CategoricalDistribution) and not are_plain(d)
        ]


def _known(distribution: BaseDistribution, value: Any) -> Any:
    """A value as the parameter has it.

    Raises:
        SpaceError: a choice that is none.
    """
    if not isinstance(distribution, CategoricalDistribution):
        return value
    try:
        place = int(distribution.to_internal_repr(value))
    except ValueError as error:
        raise SpaceError(str(error)) from error
    return distribution.choices[place] if are_plain(distribution) else place


def external(distribution: BaseDistribution, value: Any) -> Any:
    """A parameter's value as Optuna has it."""
    is_place = isinstance(distribution, CategoricalDistribution) and not are_plain(distribution)
    return distribution.to_external_repr(value) if is_place else value


def inferred(trials: Sequence[FrozenTrial], names: Container[str] | None = None) -> Inferred | None:
    """What finished trials, by number, show of the space; None while that is nothing.

    A parameter has the range of the latest trial that has it. Left out are those with a single value, and those that
    are there in some trials under no condition that is seen.

    Args:
        names: no others than these.
    Raises:
        SpaceError: choices that Optuna takes for one, such as True and 1.
    """
    latest = {name: distribution for trial in trials for name, distribution in trial.distributions.items()}
    parameters: dict[str, Any] = {}
    for name, distribution in latest.items():
        if distribution.single() or not (names is None or name in names):
            continue
        check_choices(name, distribution)
        when = None
        if not all(name in trial.params for trial in trials):
            when = _condition(name, parameters, latest, trials)
            if when is None:
                continue
        try:
            parameters[name] = parameter_of(name, distribution, when=when)
        except SpaceError:
            continue  # a range beyond what bbo searches, such as integers of 20 digits
    if not parameters:
        return None
    return Inferred(Space(tuple(parameters.values())), {name: latest[name] for name in parameters})


def _condition(
    name: str,
    parameters: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    trials: Sequence[FrozenTrial],
) -> dict[str, tuple[Any, ...]] | None:
    """Where a parameter is there that some trials lack; None where no other one explains it.

    Of several explanations the one that leaves the fewest values open, and the one that was asked for first.
    """
    found: list[tuple[int, int, dict[str, tuple[Any, ...]]]] = []
    for parent, p in parameters.items():
        if p.n_levels is None or p.n_levels > _MOST_VALUES:
            continue
        in_it = [t for t in trials if parent in t.params]
        with_it = {_level(distributions[parent], t.params[parent]) for t in in_it if name in t.params}
        without = {_level(distributions[parent], t.params[parent]) for t in in_it if name not in t.params}
        if with_it & without or any(name in t.params for t in trials if parent not in t.params):
            continue
        levels = range(p.low, p.high + 1, p.step) if isinstance(p, Int) else range(p.n_levels)
        there, n_open = _there(levels, with_it, without, is_ordered=p.is_ordered)
        if there:
            at = tuple(there if isinstance(p, Int) else (p.listed[k] for k in there))
            found.append((n_open, len(found), {parent: at}))
    return min(found)[2] if found else None


def _level(distribution: BaseDistribution, value: Any) -> int:
    """A whole number, or the place of a choice."""
    return int(distribution.to_internal_repr(value))


def _there(levels: Sequence[int], with_it: set[int], without: set[int], *, is_ordered: bool) -> tuple[list[int], int]:
    """The levels at which something is there, and how many of them leave it open.

    Beyond the outermost at which it was seen it is there too, where it lacks at levels on the other side alone.
    """
    if not without:  # wherever the other is
        return list(levels), 0
    if is_ordered and with_it and max(without) < min(with_it):
        return [k for k in levels if k >= min(with_it)], sum(max(without) < k < min(with_it) for k in levels)
    if is_ordered and with_it and max(with_it) < min(without):
        return [k for k in levels if k <= max(with_it)], sum(max(with_it) < k < min(without) for k in levels)
    return [k for k in levels if k in with_it], sum(k not in with_it and k not in without for k in levels)


def name_of(space: Space) -> str:
    """What a space is known by, so that what a model kept of another one is not taken for its own."""
    return digest(space.to_dict())
