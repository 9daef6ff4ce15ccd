"""The space of a study: its parameters, what is fixed, and the way to the unit cube and back."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from bbo import seeding
from bbo.errors import SpaceError
from bbo.space.fresh import ENUMERABLE, nearest_of_grid, random_moves, replace_tried
from bbo.space.parameters import Parameter, Scalar

Params = dict[str, Any]


class Tried(Protocol):
    """What `fresh` asks of a history: the encoded points of all its trials, `n x dim`, and the study's seed."""

    @property
    def X(self) -> NDArray[np.float64]: ...

    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Space:
    """Parameters and the cube [0, 1]^dim they are encoded to, one column each, in the order given.

    Args:
        parameters: their names must differ.
        fixed: values of parameters that are given, not chosen; `fix` makes such a space. Columns stay the same.
    Raises:
        pydantic.ValidationError: (a ValueError) that names the parameter and the field.
    """

    parameters: tuple[Parameter, ...]
    fixed: dict[str, Scalar] = Field(default_factory=dict, kw_only=True)

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if not self.parameters:
            raise ValueError("A space needs at least one parameter, got none.")
        for k, name in enumerate(self.names):
            if name in self.names[:k]:
                raise ValueError(f"Two parameters are named {name!r}; names must differ.")
        for name, value in self.fixed.items():
            if name not in self.by_name:
                raise ValueError(f"Cannot fix {name!r}: the parameters are {list(self.names)}.")
            self.by_name[name].check(value)
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def dim(self) -> int:
        return len(self.parameters)

    @property
    def categorical(self) -> dict[int, int]:
        """Number of levels by column, of the columns whose levels have no order."""
        return {j: p.n_levels for j, p in enumerate(self.parameters) if p.n_levels is not None and not p.is_ordered}

    @cached_property
    def by_name(self) -> dict[str, Any]:
        return {p.name: p for p in self.parameters}

    @cached_property
    def n_points(self) -> int | None:
        """How many points the space has, given what is fixed; None for a continuum."""
        free = [p.n_levels for p in self.parameters if p.name not in self.fixed]
        return None if None in free else math.prod(n for n in free if n is not None)

    @cached_property
    def same(self) -> NDArray[np.float64]:
        """Positions that differ by less in every column, `dim`, are one point."""
        return np.array([p.same for p in self.parameters])

    # The way in: what people and files give.

    def check(self, params: Mapping[str, Any]) -> Params:
        """The point as the study stores it, in the space's order.

        Raises:
            SpaceError: an unknown or missing name, or a value that the parameter cannot take.
        """
        self.check_names(params)
        return {p.name: p.check(params[p.name]) for p in self.parameters}

    def check_names(self, params: Mapping[str, Any]) -> None:
        """Raises SpaceError where a point has a name that the space lacks, or lacks one that it has."""
        unknown = [name for name in params if name not in self.by_name]
        missing = [name for name in self.names if name not in params]
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

    def __contains__(self, params: object) -> bool:
        if not isinstance(params, Mapping):
            return False
        try:
            self.check(params)
        except SpaceError:
            return False
        return True

    # The cube.

    def codes(self, point: Mapping[str, Any]) -> list[float]:
        """The numbers that stand for a point that was checked, in the space's order; compact and exact."""
        return [p.code(point[p.name]) for p in self.parameters]

    def point(self, codes: Sequence[float]) -> Params:
        """The point that these codes stand for."""
        return {p.name: p.value(code) for p, code in zip(self.parameters, codes, strict=True)}

    def place(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions in the cube, `n x dim`, of codes, `n x dim`."""
        X = np.empty(codes.shape)
        for j, p in enumerate(self.parameters):
            X[:, j] = p.place(codes[:, j])
        return X

    def encode(self, points: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Positions in the cube, `n x dim`, of points that were checked."""
        return self.place(np.array([self.codes(point) for point in points]).reshape(-1, self.dim))

    def decode(self, U: NDArray[np.float64]) -> list[Params]:
        """The points at positions `U`, `n x dim`; what is fixed takes its value whatever `U` says."""
        columns = [self._decode_column(p, U[:, j]) for j, p in enumerate(self.parameters)]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _decode_column(self, p: Any, u: NDArray[np.float64]) -> list[Any]:
        if p.name in self.fixed:
            return [self.fixed[p.name]] * len(u)
        values: list[Any] = p.decode(u)
        return values

    def snap(self, U: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions of the points that `U`, `n x dim`, decodes to: discrete columns go to the centre of their cell."""
        return self.encode(self.decode(U))

    def sample(self, n: int, rng: np.random.Generator) -> list[Params]:
        """`n` points uniform in the cube: uniform over levels, and over the logarithm where `log=True`."""
        return self.decode(rng.random((n, self.dim)))

    def fix(self, values: Mapping[str, Any]) -> "Space":
        """This space with some parameters given.

        Raises:
            SpaceError: an unknown name, or a value that the parameter cannot take.
        """
        unknown = [name for name in values if name not in self.by_name]
        if unknown:
            raise SpaceError(f"Cannot fix {unknown}: the parameters are {list(self.names)}.")
        checked = {name: self.by_name[name].check(value) for name, value in values.items()}
        return Space(self.parameters, fixed={**self.fixed, **checked})

    def fresh(self, points: Sequence[Params], tried: Tried) -> list[Params]:
        """These points, checked; one that was tried, or stands twice, gives way to an untried one near it.

        Args:
            points: proposals, e.g. from `decode`.
            tried: a history, or anything with its `X` and `seed`.
        Returns:
            as many points, or fewer where the space has no more; all of them when everything is fixed, as a replicate
            was asked for.
        Raises:
            SpaceError: a proposal that is not a member.
        """
        checked = [self.check({**point, **self.fixed}) for point in points]
        free = [j for j, name in enumerate(self.names) if name not in self.fixed]
        if not free:
            return checked
        U = list(self.encode(checked))
        kept = replace_tried(U, tried.X, self.same, cache(lambda: self._alternatives(free, tried)))
        return [
            point if y is u else self.decode(y[None])[0]
            for point, u, y in zip(checked, U, kept, strict=True)
            if y is not None
        ]

    def _position(self, name: str, value: Any) -> NDArray[np.float64]:
        p = self.by_name[name]
        position: NDArray[np.float64] = p.place(np.array([p.code(value)]))
        return position

    def _alternatives(self, free: list[int], tried: Tried) -> Any:
        ordered = [p.is_ordered for p in self.parameters]
        if self.n_points is not None and self.n_points <= ENUMERABLE:
            fixed = {name: self._position(name, value) for name, value in self.fixed.items()}
            centres = [fixed[p.name] if p.name in fixed else p.centres() for p in self.parameters]
            return nearest_of_grid(centres, ordered, self.same)
        rng = seeding.generator(tried.seed, seeding.FRESH, len(tried.X))
        return random_moves([p.n_levels for p in self.parameters], ordered, free, self.snap, rng)

    # Files.

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it; `Space.from_dict` reads it back."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
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
            raise SpaceError(f"This is not a space: {error}") from error

    def difference(self, other: "Space") -> str:
        """What `other` has otherwise, in words; empty when nothing."""
        mine, theirs = self.by_name, other.by_name
        said = [f"parameter {name!r} is only in the first" for name in mine if name not in theirs]
        said += [f"parameter {name!r} is only in the second" for name in theirs if name not in mine]
        said += [f"{mine[n]!r} against {theirs[n]!r}" for n in mine if n in theirs and repr(mine[n]) != repr(theirs[n])]
        if self.fixed != other.fixed:
            said.append(f"fixed values: {self.fixed!r} against {other.fixed!r}")
        if not said and self.names != other.names:
            said.append(f"the order of the parameters: {list(self.names)} against {list(other.names)}")
        return "; ".join(said)


_ADAPTER = TypeAdapter(Space)
