"""Logs made from logs: a study as it was, and a study that goes another way from there."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bbo.errors import TrialError
from bbo.events import Event, canonical

_ENDS = frozenset({"attached", "told", "failed", "cancelled"})
_BEGINS = frozenset({"attached", "asked"})


def prefix(events: Sequence[Event], n_ended: int) -> list[Event]:
    """The log up to the moment at which `n_ended` trials had ended; with 0, up to the first trial.

    Raises:
        TrialError: fewer trials have ended.
    """
    if n_ended == 0:
        first = next((k for k, e in enumerate(events) if e.kind in _BEGINS), len(events))
        return list(events[:first])
    ends = [k for k, e in enumerate(events) if e.kind in _ENDS]
    if not 0 <= n_ended <= len(ends):
        raise TrialError(f"The study has {len(ends)} trials that ended: cannot go to the moment after {n_ended}.")
    return list(events[: ends[n_ended - 1] + 1])


def described(events: Sequence[Event]) -> dict[str, Any]:
    """The description of the strategy that this log has last."""
    last = [e for e in events if e.kind in ("created", "strategy_changed")][-1]
    strategy: dict[str, Any] = last.read()["strategy"]
    return strategy


def branch(events: Sequence[Event]) -> list[Event]:
    """The same events as the log of another study, with an id of its own: its trials are not the first study's."""
    created = events[0]
    specification = created.read()
    body = canonical({**specification, "id": uuid.uuid4().hex, "forked_from": specification["id"]})
    return [replace(created, body=body), *events[1:]]
