"""Suggestions as an `asked` event holds them: what was enqueued, and what a strategy says."""

from collections.abc import Mapping
from typing import Any

from bbo.errors import StrategyError
from bbo.history import History
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.studies.wish import is_same
from bbo.trial import Suggestion

Queue = Mapping[str, Params]


def has_values(point: Params, given: Mapping[str, Any]) -> bool:
    """Whether a point has these values."""
    return is_same({name: point.get(name) for name in given}, given)


def from_queue(key: str, point: Params) -> dict[str, Any]:
    """A point that was enqueued by the event of this key."""
    return {"params": point, "notes": {"by": "enqueued"}, "enqueued": key}


def suggested(strategy: Strategy, history: History, n: int, seed: int) -> list[dict[str, Any]]:
    """What a strategy says, n points or fewer.

    Raises:
        StrategyError: it gave more.
        SpaceError: one of them is no point of the space.
    """
    suggestions = strategy.suggest(history, n, seed=seed)
    if len(suggestions) > n:
        raise StrategyError(f"{type(strategy).__name__} was asked for {n} points and gave {len(suggestions)}.")
    return [_as_json(s, history.space) for s in suggestions]


def _as_json(suggestion: Suggestion, space: Space) -> dict[str, Any]:
    plain: dict[str, Any] = {"params": space.check(suggestion.params)}
    for key in ("fidelity", "resume", "parent", "notes"):
        value = getattr(suggestion, key)
        if value is not None and value != {}:
            plain[key] = value
    return plain
