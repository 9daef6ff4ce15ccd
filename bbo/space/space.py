"""The space of a study: its parameters, what is fixed, and the way to the unit cube and back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cache, cached_property
from typing import Any, Protocol, Self

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from bbo import seeding
from bbo.declared import complaints_of_json, refused_as
from bbo.errors import NoPointError, SpaceError
from bbo.space.between import Between
from bbo.space.binding import check_cases, check_names, check_pools
from bbo.space.conditions import in_order, in_words, is_there
from bbo.space.constraints import Constraint, Linear, Nonlinear
from bbo.space.contradictions import culprits
from bbo.space.differences import differences
from bbo.space.encoding import Params
from bbo.space.extent import Extent
from bbo.space.fresh import (
    members_around,
    members_at_random,
    nearest_of_grid,
    nearest_of_list,
    random_moves,
    replace_tried,
)
from bbo.space.parameters import Parameter
from bbo.space.pool import Pool
from bbo.space.program import nearest
from bbo.space.region import Positions
from bbo.space.rows import candidates_of
from bbo.space.sampling import sample
from bbo.space.values import Scalar, repeated

Value = Scalar | dict[str, float] | list[Scalar]


class Tried(Protocol):
    """What `fresh` asks of a history: the encoded points of all its trials, `n x dim`, and the study's seed."""

    @property
    def X(self) -> Positions: ...

    @property
    def seed(self) -> int: ...


@refused_as(SpaceError)
@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Space(Extent):
    """Parameters and the cube [0, 1]^dim they are encoded to, in the order given; most have one column.

    Args:
        parameters: their names must differ.
        constraints: what points have to satisfy beside; those between points are kept by the asks of a study alone.
        fixed: values of parameters that are given, not chosen; `fix` makes such a space. Columns stay the same.
        wide: the parameters by which it is encoded, where trials lie outside of it; see `bbo.space.frame`.
    Raises:
        SpaceError: that names the parameter and the field, or the constraints that no point satisfies.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    fixed: dict[str, Value] = Field(default_factory=dict, kw_only=True)
    wide: tuple[Parameter, ...] | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    def frame(self) -> tuple[Any, ...]:
        return self.parameters if self.wide is None else self.wide

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if not self.parameters:
            raise ValueError("A space needs at least one parameter, got none.")
        for k, name in enumerate(self.names):
            if name in self.names[:k]:
                raise ValueError(f"Two parameters are named {name!r}; names must differ.")
        names = [name for p in self.parameters for name in dict.fromkeys([*(c.name for c in p.cells), *p.columns])]
        for k, name in enumerate(names):
            if name in names[:k]:
                raise ValueError(f"Two columns would be named {name!r}: rename a parameter, a part or an item.")
        in_order(self.parameters)
        for constraint in self.constraints:
            check_names(self, constraint)
        for name, value in self.fixed.items():
            if name not in self.by_name:
                raise ValueError(f"Cannot fix {name!r}: the parameters are {list(self.names)}.")
            self.by_name[name].check(value)
            if not is_there(self.by_name[name], self.fixed):
                raise ValueError(
                    f"{name!r} can be fixed where {in_words(self.by_name[name])}: fix that as well, got {self.fixed!r}."
                )
        check_pools(self, self.of_points)
        check_cases(self, self.of_points)
        contradictory = culprits(self, self.of_points)
        if contradictory:
            given = f" with {self.fixed!r}" if self.fixed else ""
            said = " and ".join(map(str, contradictory))
            raise ValueError(f"No point satisfies {said}{given} within the ranges of the parameters.")
        if self.between is not None:
            self.between.check()
        return self

    @cached_property
    def between(self) -> Between | None:
        """What the constraints between points of an ask leave to each of them; None without any."""
        between = [c for c in self.constraints if isinstance(c, Linear) and c.between_points]
        return Between.of(self, self.of_points, between) if between else None

    @cached_property
    def between_by_rows(self) -> Between | None:
        """The same, where it is known which rows its pools have."""
        return None if self.between is None else self.between.with_rows(self.region.pools)

    def of_one_point(self, constraints: Sequence[Constraint]) -> "Space":
        """This space with other constraints in the place of those between points.

        Raises:
            SpaceError: no point satisfies them.
        """
        try:
            return Space(self.parameters, (*self.of_points, *constraints), fixed=self.fixed, wide=self.wide)
        except SpaceError as error:
            raise SpaceError(f"Of the points that may come next the space has none: {error}") from error

    # The way in: what people and files give.

    def check(self, params: Mapping[str, Any]) -> Params:
        """The point as the study stores it, in the space's order.

        Raises:
            SpaceError: an unknown or missing name, a value that the parameter cannot take, or a constraint that the
                point breaks.
        """
        point = self.check_values(params)
        for c in self._broken(point):
            cells = {**self.flat(point), **self.by_term(point)}
            got = {name: cells[name] for name in c.names if name in cells} or point
            raise SpaceError(f"The point breaks {c}: got {got!r}.")
        return point

    def _broken(self, point: Params) -> Iterator[Constraint]:
        """The constraints that a point breaks by itself.

        Raises:
            SpaceError: one of them is absent, or its function fails.
        """
        columns = {name: repeated(value, 1) for name, value in self.by_term(point).items()}
        for c in self.of_points:
            if isinstance(c, Pool):
                holds = candidates_of(self, c).find(self.encode([point])) >= 0
            elif isinstance(c, Nonlinear) and c.is_function:
                holds = c.holds_at([point])
            elif all(name in columns for name in c.names):
                holds = c.holds(columns, self.sizes)
            else:
                continue
            if not holds[0]:
                yield c

    def price(self, point: Params) -> float | None:
        """What the rows of pools at which a point stands cost in all; None where none says it, or is not at hand."""
        pools = [c for c in self.of_points if isinstance(c, Pool) and c.costs is not None]
        if not pools or any(pool.is_absent for pool in pools):
            return None
        u, total = self.encode([point]), 0.0
        for candidates in (candidates_of(self, pool) for pool in pools):
            row = int(candidates.find(u)[0])
            if row < 0 or candidates.costs is None:
                return None
            total += float(candidates.costs[row])
        return total

    def check_values(self, params: Mapping[str, Any]) -> Params:
        """As `check`, whatever constraints say.

        Raises:
            SpaceError: an unknown or missing name, or a value that the parameter cannot take.
        """
        self.check_names(params)
        checked = {name: self.by_name[name].check(value) for name, value in params.items()}
        kept = self.there(checked)
        for name in checked:
            if name not in kept:
                raise SpaceError(
                    f"Parameter {name!r} is there where {in_words(self.by_name[name])}: leave it out, got {params!r}."
                )
        return kept

    def check_names(self, params: Mapping[str, Any]) -> None:
        """Raises SpaceError where a point has a name that the space lacks, or lacks one that it has."""
        unknown = [name for name in params if name not in self.by_name]
        there = {name: value for name, value in params.items() if name in self.by_name}
        missing = [p.name for p in self.parameters if p.name not in params and is_there(p, there)]
        if unknown or missing:
            raise SpaceError(
                f"A point has the parameters {list(self.names)}: "
                + " and ".join(
                    f"{word} {names}" for word, names in (("unknown are", unknown), ("missing are", missing)) if names
                )
                + "."
            )

    def check_executed(self, params: Mapping[str, Any]) -> Params:
        """Values of some parameters as they were really set: numbers may lie off the grid and outside the range.

        Raises:
            SpaceError: an unknown name, or a value that the parameter can have nowhere, such as a choice it lacks.
        """
        unknown = [name for name in params if name not in self.by_name]
        if unknown:
            raise SpaceError(f"The parameters are {list(self.names)}: got executed values of {unknown}.")
        return {name: self.by_name[name].check_executed(value) for name, value in params.items()}

    def check_set(self, point: Mapping[str, Any], given: Mapping[str, Any]) -> Params:
        """As `check_executed`, of what was set otherwise than at a point.

        Raises:
            SpaceError: also a value of what is not there with the others, or none of what is.
        """
        checked = self.check_executed(given)
        there = self.there({**point, **checked})
        for name in checked:
            if name not in there:
                said = in_words(self.by_name[name])
                raise SpaceError(f"Parameter {name!r} is there where {said}: leave it out, got {given!r}.")
        missing = [p.name for p in self.parameters if p.name not in there and is_there(p, there)]
        if missing:
            raise SpaceError(f"With {dict(given)!r} there are {missing} too: say what they were set to.")
        return checked

    def __contains__(self, params: object) -> bool:
        if not isinstance(params, Mapping):
            return False
        try:
            point = self.check_values(params)
        except SpaceError:
            return False
        return next(self._broken(point), None) is None

    def decode(self, U: Positions) -> list[Params]:
        """As of any encoding, within the ranges; values of a candidate of a pool to the last digit."""
        points = super().decode(U if self.wide is None else self.region.on_levels(self.region.clipped(U)))
        for pool in self.region.pools if self._has_pool else ():
            named = [p for p in self.frame if self.columns.index(p.columns[0]) in pool.columns]
            for point, row in zip(points, pool.find(U).tolist(), strict=True):
                if row >= 0:
                    codes = np.full(self.dim, np.nan)
                    codes[pool.columns] = pool.codes[row]
                    point |= {p.name: p.value(codes[self.at[p.name]]) for p in named if p.name in point}
        return points

    @cached_property
    def _has_pool(self) -> bool:
        return any(isinstance(c, Pool) for c in self.constraints)

    def sample(self, n: int, rng: np.random.Generator) -> list[Params]:
        """`n` points uniform in what of the cube satisfies the constraints: uniform over levels, and over the logarithm
        where `log=True`; of a simplex, uniform over the sets of `max_parts` parts and over their amounts. Where
        equalities hold under conditions, uniform over the levels that these depend on, then over what they leave."""
        return self.decode(rng.random((n, self.dim)) if self.region.is_box else sample(self.region, n, rng))

    def fix(self, values: Mapping[str, Any]) -> "Space":
        """This space with some parameters given.

        Raises:
            SpaceError: an unknown name, or a value that the parameter cannot take.
        """
        unknown = [name for name in values if name not in self.by_name]
        if unknown:
            parts = [name for name in unknown if name in self.cells]
            mend = " Of a mixture all parts are fixed, or one is narrowed for good by change_space()." if parts else ""
            raise SpaceError(f"Cannot give {unknown} a value: the parameters are {list(self.names)}.{mend}")
        checked = {name: self.by_name[name].check(value) for name, value in values.items()}
        try:
            return Space(self.parameters, self.constraints, fixed={**self.fixed, **checked}, wide=self.wide)
        except SpaceError as error:
            raise SpaceError(f"Given {checked!r}: {error}") from error

    def filled_from(self, other: "Space") -> "Space":
        """This space with what a log cannot hold, functions and long tables, from equal constraints of another."""
        may_lack = [c for c in self.constraints if isinstance(c, Pool) or (isinstance(c, Nonlinear) and c.is_function)]
        at_hand = [c for c in other.constraints if c in may_lack and not c.is_absent]
        if not at_hand:
            return self
        filled = [next((o for o in at_hand if o == c), c) for c in self.constraints]
        return Space(self.parameters, tuple(filled), fixed=self.fixed, wide=self.wide)

    @property
    def absent(self) -> tuple[Constraint, ...]:
        """The constraints of which a log does not hold all, where they were not taken from elsewhere."""
        return tuple(c for c in self.constraints if c.is_absent)

    def check_whole(self) -> None:
        """Raises SpaceError where a constraint is absent, so that it is not known what is a member."""
        for c in self.constraints:
            if isinstance(c, Nonlinear | Pool) and c.is_absent:
                raise c.absence

    @property
    def unfixed(self) -> "Space":
        """This space with nothing given."""
        return Space(self.parameters, self.constraints, wide=self.wide) if self.fixed else self

    @property
    def unframed(self) -> "Space":
        """This space encoded by its own parameters, whatever trials had."""
        return self if self.wide is None else replace(self, wide=None)

    def fresh(self, points: Sequence[Params], tried: Tried) -> list[Params]:
        """These points, checked; one that breaks a constraint gives way to a member near it, and one that was tried, or
        stands twice, to an untried one near it.

        Args:
            points: proposals, e.g. from `decode`.
            tried: a history, or anything with its `X` and `seed`.
        Returns:
            as many points, or fewer where the space has no more; all of them when everything is fixed, as a replicate
            was asked for.
        Raises:
            SpaceError: a proposal that is not a member.
        """
        checked = [self.check_values({**point, **self.fixed}) for point in points]
        if not self.region.is_box:
            checked = self._mended(checked)
        free = [j for j, p in enumerate(self.owners) if p.name not in self.fixed and self._may_be_there(p)]
        if not free:
            return checked
        U = list(self.encode(checked))
        kept = replace_tried(U, tried.X, self.same, cache(lambda: self._alternatives(free, tried)))
        return [
            point if y is u else self.decode(y[None])[0]
            for point, u, y in zip(checked, U, kept, strict=True)
            if y is not None
        ]

    def _mended(self, points: Sequence[Params]) -> list[Params]:
        """Members in the place of points that break a constraint.

        Raises:
            NoPointError: there are none near them.
        """
        return [point if point in self else self._member_near(point) for point in points]

    def _member_near(self, point: Params) -> Params:
        u = self.encode([point])[0]
        x = nearest(self.region, u)
        found = [] if x is None else self.decode(x[None])
        if not found or found[0] not in self:
            found = [p for p in self.decode(members_at_random(self.region, u)) if p in self]
        if not found:
            raise NoPointError(f"No point of the space was found near {point!r}.")
        return found[0]

    def _alternatives(self, free: list[int], tried: Tried) -> Any:
        ordered = [p.is_ordered for p in self.owners]
        rng = seeding.generator(tried.seed, seeding.FRESH, len(tried.X))
        if self.is_enumerable:
            if self.is_conditional or not self.region.is_box or self.region.orders:
                return nearest_of_list(self.members, ordered, self.same)
            return nearest_of_grid([u for _, block in self.blocks for u in block.T], ordered, self.same)
        if not self.region.is_box:
            around = members_around(self.region, self.snap, rng)
            return lambda x, tried: (y for y in around(x, tried) if self.decode(y[None])[0] in self)
        return random_moves([term.n_levels for term in self.axes], ordered, free, self.snap, rng)

    # Files.

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it; `Space.from_dict` reads it back."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json", exclude={"wide"})
        if not self.constraints:
            del plain["constraints"]
        for parameter in plain["parameters"]:
            for name in ("when", "descriptors"):
                if parameter.get(name, "") is None:
                    del parameter[name]
        for constraint in plain.get("constraints", ()):
            for name in ("condition", "function", "fingerprint"):
                if constraint.get(name, "") is None:
                    del constraint[name]
            for name in ("between_points", "ignore"):
                if not constraint.get(name, True):
                    del constraint[name]
        return plain

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> "Space":
        """Reads what `to_dict` wrote.

        Raises:
            SpaceError: naming the field that is wrong.
        """
        try:
            return _ADAPTER.validate_json(json.dumps(plain))
        except ValidationError as error:
            raise SpaceError(f"This is not a space: {complaints_of_json(error)}") from error

    def difference(self, other: "Space") -> str:
        """What `other` has otherwise, in words; empty when nothing."""
        return "; ".join(differences(self, other))


_ADAPTER = TypeAdapter(Space)
