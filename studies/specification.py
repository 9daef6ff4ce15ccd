"""What a study is made of, as JSON: space, objectives, strategy and seed, with a version.

Strategies and their parts are described by the names of our own lists and their options, and rebuilt from them.
Anything else (a user's own strategy or surrogate) is described by a fingerprint of its source: it is passed again on
load and compared. No dotted path is ever imported and nothing is unpickled.
"""

import dataclasses
import importlib
import inspect
import uuid
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from bbo.budget import Budget
from bbo.errors import StrategyError
from bbo.fingerprints import fingerprint
from bbo.objective import Objectives, Wanted
from bbo.protocols import Strategy
from bbo.space import Parameter, Space
from bbo.strategies import PARTS, STRATEGIES

VERSION = 1
Description = dict[str, Any]
DEFAULT_STRATEGY: Description = {"name": "GP", "options": {}}


def as_space(space: Space | Sequence[Parameter]) -> Space:
    """Raises TypeError for what is neither a space nor a list of parameters."""
    if isinstance(space, Space):
        return space
    if not isinstance(space, Sequence) or not all(hasattr(p, "columns") for p in space):
        raise TypeError(f'A space is a Space or a list of parameters, such as [Float("x", 0, 1)]: got {space!r}.')
    return Space(tuple(space))


def as_objectives(wanted: Objectives | Wanted | Sequence[Wanted]) -> Objectives:
    """Raises TypeError for what is no objective."""
    if isinstance(wanted, Objectives):
        return wanted
    several = tuple(wanted) if isinstance(wanted, Sequence) else (wanted,)
    if isinstance(wanted, str) or not all(hasattr(w, "metric") for w in several):
        raise TypeError(
            f'Objectives are Maximize("yield"), Minimize("cost") and the like, one or a list of them: got {wanted!r}.'
        )
    return Objectives(several)


def specify(
    space: Space, objectives: Objectives, strategy: Description, seed: int, problem: str = ""
) -> dict[str, Any]:
    """The body of a `created` event; `id` tells this study's trials from those of others."""
    specification = {
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "space": space.to_dict(),
        "objectives": objectives.to_list(),
        "strategy": strategy,
        "seed": seed,
    }
    return specification | ({"problem": problem} if problem else {})


def describe(part: Any) -> Description:
    """A strategy, or a part of one, as JSON: `{"name", "options"}` from our lists, `{"own", "fingerprint"}` otherwise.

    A list name is used only for the very class (or function) that the list names; options are a dataclass's fields that
    differ from their defaults.
    """
    kind = part if inspect.isfunction(part) else type(part)
    name = getattr(kind, "__name__", type(part).__name__)
    if not _is_listed(kind):
        return {"own": name, "fingerprint": fingerprint(part)}
    if inspect.isfunction(part):
        return {"name": name, "options": {}}
    options = {
        field.name: _option(getattr(part, field.name))
        for field in dataclasses.fields(part)
        if field.init and getattr(part, field.name) != _default(field)
    }
    return {"name": name, "options": options}


def rebuild(description: Description) -> Any:
    """The strategy or part that `describe` described.

    Raises:
        StrategyError: it is not of our lists, so the object must be passed again; or its options are not those of ours.
    """
    if "own" in description:
        raise StrategyError(
            f"The study was made with {description['own']!r}, which is not one of bbo's strategies: "
            "pass the object again, as strategy=, to go on with it."
        )
    name = description["name"]
    home = {**PARTS, **STRATEGIES}.get(name)
    if home is None:
        raise StrategyError(f"The strategy {name!r} is not known here; known are {', '.join(STRATEGIES)}.")
    made = getattr(importlib.import_module(home), name)
    if inspect.isfunction(made):
        return made
    try:
        return made(**{key: _built(value) for key, value in description["options"].items()})
    except TypeError as error:
        raise StrategyError(f"The strategy {name!r} does not take these options: {error}.") from error


def check_strategy(strategy: Any) -> None:
    """Raises StrategyError for what is no strategy: a name, a class, an object that suggests nothing."""
    if isinstance(strategy, type) or not callable(getattr(strategy, "suggest", None)):
        raise StrategyError(
            "A strategy is an object with a method suggest(history, n, *, seed), e.g. GP() or RandomSearch() "
            f"from bbo.strategies: got {strategy!r}."
        )


def check_table(verb: str, frame: Any) -> None:
    """Raises TypeError for what is no table, such as the name of a file."""
    if not hasattr(frame, "columns"):
        raise TypeError(f"{verb}() takes a pandas table, such as pd.DataFrame(rows): got {type(frame).__name__}.")


def check_budget(budget: Any) -> None:
    """Raises TypeError for what is no budget, such as a number of trials."""
    if budget is not None and not isinstance(budget, Budget):
        raise TypeError(f"A budget is a Budget, such as Budget(trials=60): got {budget!r}.")


def check_seed(seed: Any) -> None:
    """Raises ValueError for what cannot seed a study."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"A seed is a whole number of at least 0: got {seed!r}.")


def refusal(strategy: Strategy, space: Space, objectives: Objectives) -> str | None:
    """Why this strategy cannot take such a study; None when it can."""
    refuses: Callable[[Space, Objectives], str | None] | None = getattr(strategy, "refuses", None)
    return None if refuses is None else refuses(space, objectives)


def difference(specification: dict[str, Any], space: Space, objectives: Objectives, seed: int | None) -> str:
    """In what a logged specification differs from what is asked for now, in words; empty when in nothing."""
    said = Space.from_dict(specification["space"]).difference(space)
    logged = Objectives.from_list(specification["objectives"])
    parts = [f"space: {said}"] if said else []
    if logged != objectives:
        parts.append(f"objectives: {list(logged.wanted)!r} against {list(objectives.wanted)!r}")
    if seed is not None and seed != specification["seed"]:
        parts.append(f"seed: {specification['seed']} against {seed}")
    return "; ".join(parts)


def _is_listed(kind: Any) -> bool:
    home = {**PARTS, **STRATEGIES}.get(kind.__name__)
    return home is not None and kind.__module__ == home


def _option(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_option(v) for v in value]
    return {"part": describe(value)}


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_built(v) for v in value)
    return rebuild(value["part"]) if isinstance(value, dict) else value


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()
