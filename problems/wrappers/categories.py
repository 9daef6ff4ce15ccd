"""Categories: numbers given as letters, and choices under names that say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_lowercase
from typing import Any

import numpy as np

from bbo import seeding
from bbo.problems.wrappers.base import LABELS, LETTERS, Optima, Translated
from bbo.space import Categorical, Constraint, Float, Forbidden, Nonlinear, Parameter, Params, Pool, Space
from bbo.space.pool import Table


@dataclass(frozen=True)
class Categorized(Translated):
    """A problem some of whose numbers are given as categories: letters, which the seed deals to levels.

    The levels of a parameter lie evenly in its range, but for the one nearest to the first optimum, which is moved
    onto it: what is known of the problem stays known.

    Args:
        n_levels: by name of a parameter that is Float; from 2 to 26.
        seed: decides which letter stands for which level.
    """

    n_levels: Mapping[str, int]
    seed: int

    def __post_init__(self) -> None:
        numbers = [p.name for p in self.problem.space.parameters if isinstance(p, Float)]
        odd = [name for name in self.n_levels if name not in numbers]
        if odd:
            raise ValueError(f"{self.name} has the Float parameters {numbers}: got n_levels for {odd}.")
        if not all(2 <= n <= len(ascii_lowercase) for n in self.n_levels.values()):
            raise ValueError(f"Categorized: n_levels lie in [2, {len(ascii_lowercase)}], got {dict(self.n_levels)!r}.")

    @cached_property
    def levels(self) -> dict[str, dict[str, float]]:
        """The number that a letter stands for, by parameter."""
        rng = seeding.generator(self.seed, seeding.NOISE, LETTERS)
        dealt = {}
        for name, n in self.n_levels.items():
            values = self.problem.space.by_name[name].decode((np.arange(n) + 0.5) / n)
            if self._known:
                best = self._known[0][self.problem.space.names.index(name)]
                values[int(np.argmin(np.abs(np.array(values) - best)))] = best
            dealt[name] = {ascii_lowercase[k]: values[j] for k, j in enumerate(rng.permutation(n).tolist())}
        return dealt

    @property
    def _known(self) -> Optima | None:
        return super().optima

    @cached_property
    def space(self) -> Space:
        return Space(
            tuple(
                Categorical(p.name, tuple(self.levels[p.name])) if p.name in self.levels else p
                for p in self.problem.space.parameters
            )
        )

    @property
    def optima(self) -> Optima | None:
        """The first optimum of the problem; of others the categories need not have the levels."""
        if not self._known:
            return None
        letters = {name: {value: letter for letter, value in dealt.items()} for name, dealt in self.levels.items()}
        at = zip(self.space.names, self._known[0], strict=True)
        return (tuple(letters[name][value] if name in letters else value for name, value in at),)

    def _within(self, point: Params) -> Params:
        return {**point, **{name: dealt[point[name]] for name, dealt in self.levels.items()}}


@dataclass(frozen=True)
class Relabelled(Translated):
    """A problem whose choices have neutral names, c1, c2, ..., which the seed deals: who knows the reagents, or what
    papers say of an optimizer, has nothing of it.

    Values stay as they are, and so does what descriptors say of the choices; names of parameters and metrics stay too.

    Args:
        seed: decides which name stands for which choice.
        only: names of Categorical parameters; all of them when None.
    """

    seed: int
    only: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        categorical = [p.name for p in self.problem.space.parameters if isinstance(p, Categorical)]
        odd = [name for name in self.only or () if name not in categorical]
        if odd:
            raise ValueError(f"{self.name} has the Categorical parameters {categorical}: got only={odd}.")
        for c in self.problem.space.constraints:
            if isinstance(c, Nonlinear) and (c.is_function or set(c.names) & set(self._order)):
                raise ValueError(
                    f"Relabelled cannot write {c} anew: leave out, by only=, the parameters that it names."
                )

    @cached_property
    def _order(self) -> dict[str, list[int]]:
        """By parameter, the places that the choices c1, c2, ... have among its own."""
        rng = seeding.generator(self.seed, seeding.NOISE, LABELS)
        every = [p for p in self.problem.space.parameters if isinstance(p, Categorical)]
        dealt = {p.name: rng.permutation(p.n_levels).tolist() for p in every}
        return {name: order for name, order in dealt.items() if self.only is None or name in self.only}

    @cached_property
    def choices(self) -> dict[str, dict[str, Any]]:
        """The choice that a name stands for, by parameter."""
        listed = {name: self.problem.space.by_name[name].listed for name in self._order}
        return {
            name: {f"c{k + 1}": listed[name][j] for k, j in enumerate(order)} for name, order in self._order.items()
        }

    @cached_property
    def space(self) -> Space:
        own = self.problem.space
        return Space(tuple(map(self._parameter, own.parameters)), tuple(map(self._constraint, own.constraints)))

    def _parameter(self, p: Parameter) -> Parameter:
        when = None if p.when is None else {n: tuple(self._label(n, v) for v in values) for n, values in p.when.items()}
        if p.name not in self._order or not isinstance(p, Categorical):
            return replace(p, when=when)
        known = p.descriptors and {n: tuple(at[j] for j in self._order[p.name]) for n, at in p.descriptors.items()}
        return replace(p, choices=tuple(self.choices[p.name]), descriptors=known, when=when)

    def _constraint(self, c: Constraint) -> Constraint:
        if isinstance(c, Forbidden):
            return Forbidden({n: tuple(self._label(n, v) for v in values) for n, values in c.combination.items()})
        if isinstance(c, Pool):
            columns = {n: [self._label(n, v) for v in column.tolist()] for n, column in c.columns.items()}
            return Pool(Table.of(columns), costs=c.costs, ignore=c.ignore)
        return c

    def _label(self, name: str, value: Any) -> Any:
        """What a value of this parameter is called, also as a cell of a table, which may be empty."""
        if name not in self._order or value != value:
            return value
        p = self.problem.space.by_name[name]
        return f"c{self._order[name].index(int(p.code(p.parse(value)))) + 1}"

    @property
    def optima(self) -> Optima | None:
        known = super().optima
        if known is None:
            return None
        return tuple(tuple(map(self._label, self.space.names, optimum)) for optimum in known)

    def _within(self, point: Params) -> Params:
        return {name: self.choices[name][v] if name in self.choices else v for name, v in point.items()}
