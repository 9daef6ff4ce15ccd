"""What somebody asks for, as it is kept with a ticket while others compute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from bbo.errors import SpaceError
from bbo.events import canonical
from bbo.space import Params, Space
from bbo.space.conditions import in_words
from bbo.studies.runner import Runner


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for.

    Args:
        n: at most so many trials.
        fixed: values of parameters that are given, the best of all being wanted.
        context: values of parameters that the world gives: the best is wanted where they are so.
        shared: parameters that are chosen, but have one value in all these trials.
        complete_below: trials from this number on count as pending, whatever was told.
        limit: the study is to have at most so many trials, as a run counts them.
        runner: who will evaluate them; None when a person does.
        earlier, later: of a large ask on a space with constraints between points, the trials that it was given before,
            and how many it will be given after these.
    """

    n: int
    fixed: Params = field(default_factory=dict)
    context: Params = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    complete_below: int | None = None
    limit: int | None = None
    runner: Runner | None = None
    earlier: tuple[int, ...] = ()
    later: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As a ticket has it; `from_dict` reads it back, among other things that a ticket says."""
        return {"wish": {field.name: getattr(self, field.name) for field in fields(self)}}

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> "Wish":
        """Raises KeyError for a ticket of another version, whose wishes say more or less than these: what is not
        understood cannot be granted."""
        said = plain["wish"]
        if said.keys() != {field.name for field in fields(Wish)}:
            raise KeyError(*said.keys())
        return Wish(**{**said, "shared": tuple(said["shared"]), "earlier": tuple(said["earlier"])})

    @staticmethod
    def of(
        space: Space,
        n: int,
        *,
        fixed: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        shared: Sequence[str] = (),
    ) -> "Wish":
        """A person's wish, checked.

        Raises:
            SpaceError: `fixed`, `context` or `shared` has a name or value that the space does not have, or a name
                stands in both `fixed` and `context`.
        """
        unknown = [name for name in shared if name not in space.by_name]
        if unknown or isinstance(shared, str):
            raise SpaceError(f"shared is a list of parameters, which are {list(space.names)}: got {shared!r}.")
        fixed, context = fixed or {}, context or {}
        twice = [name for name in context if name in fixed]
        if twice:
            raise SpaceError(f"What the context gives cannot be fixed beside: leave {twice} out of one of them.")
        given = {*shared, *fixed, *context}
        alone = [name for name in shared if not given >= set(space.by_name[name].when or {})]
        if alone:
            raise SpaceError(
                f"{alone[0]!r} is there where {in_words(space.by_name[alone[0]])}: share or fix that as well, "
                f"got shared={list(shared)}."
            )
        here = space.fix(context) if context else space
        chosen = here.fix(fixed).fixed if fixed else {}
        return Wish(
            n=n,
            fixed={name: value for name, value in chosen.items() if name not in context},
            context={name: here.fixed[name] for name in context},
            shared=tuple(dict.fromkeys(shared)),
        )

    @property
    def given(self) -> Params:
        """Values of parameters that are not chosen."""
        return {**self.fixed, **self.context}

    def goes_with(self, other: "Wish") -> bool:
        """Whether both want points of one kind, so that one suggestion may serve them."""
        return is_same(self.fixed, other.fixed) and is_same(self.context, other.context)


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether values by name are equal and of one type: True is not 1."""
    return canonical(one) == canonical(other)
