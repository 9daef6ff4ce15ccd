"""The trials that another framework keeps, as the history that a strategy reads, and the next point.

bbo's own studies fold their log; here a log is written from what the framework says, and folded the same way. So a
strategy sees what it would have seen in a study of bbo's with these trials.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bbo import seeding
from bbo.errors import SpaceExhaustedError
from bbo.events import VERSIONS, Event, canonical
from bbo.fold import Fold
from bbo.history import History
from bbo.objective import Objectives
from bbo.protocols import Strategy
from bbo.space import Params, Space
from bbo.studies.proposing import propose
from bbo.trial import FailureReason, Notes, Status

# Notes that are numbers of trials, or lists of them.
_NUMBERED = ("looks_at", "incumbent", "outliers")


@dataclass(frozen=True, kw_only=True)
class SeenTrial:
    """A trial as another framework knows it.

    Args:
        number: by which the framework knows it, and notes of others name it.
        params: numbers may lie off the grid and outside the range.
        values: by metric, in the user's units; of a running trial those that are known.
        sd: standard deviation of their noise by metric, where known.
        reason: why it failed, where it did.
        ended: when, as text that sorts.
        notes: those that came with the suggestion.
    """

    number: int
    params: Params
    status: Status = Status.RUNNING
    values: Mapping[str, float] = field(default_factory=dict)
    sd: Mapping[str, float] = field(default_factory=dict)
    reason: FailureReason = FailureReason.RAISED
    ended: str = ""
    notes: Notes = field(default_factory=dict)


class SeenLog:
    """The log of what a framework says of its trials.

    It keeps the fold of the last ones, and where trials were only added or have ended since, goes on from there: the
    history is the same as from the start.
    """

    def __init__(self) -> None:
        self._of: tuple[Space, Objectives, int] | None = None
        self._fold = Fold()
        self._trials: list[SeenTrial] = []

    def history(self, space: Space, objectives: Objectives, seed: int, trials: Sequence[SeenTrial]) -> History:
        """The history of these trials, numbered in the order given.

        Args:
            seed: of the study.
        """
        if self._of != (space, objectives, seed) or not self._continues(trials):
            self._of, self._trials, self._fold = (space, objectives, seed), [], Fold([space])
            body = {"version": 1, "space": space.to_dict(), "objectives": objectives.to_list(), "seed": seed}
            self._add([_event("created", body, None)])
        self._add(_news(self._trials, trials))
        self._trials = list(trials)
        return self._fold.history()

    def _continues(self, trials: Sequence[SeenTrial]) -> bool:
        """Whether these are the trials as they were, some of them ended, and others behind them."""
        before, n = self._trials, len(self._trials)
        last = max((t.ended for t in before if t.status is not Status.RUNNING), default="")
        return n <= len(trials) and all(
            old is new or old == new or (_has_ended(old, new) and new.ended >= last)
            for old, new in zip(before, trials[:n], strict=True)
        )

    def _add(self, events: Iterable[Event]) -> None:
        first = self._fold.last_event + 1
        self._fold.add([replace(e, seq=seq) for seq, e in enumerate(events, start=first)])


def _has_ended(old: SeenTrial, new: SeenTrial) -> bool:
    is_same = (old.number, old.params, old.notes) == (new.number, new.params, new.notes)
    return is_same and old.status is Status.RUNNING is not new.status and not old.values


def next_point(
    strategy: Strategy, history: History, index: int, fixed: Mapping[str, Any] | None = None
) -> tuple[Params, Notes] | None:
    """What the strategy says next, and why; None where it has to wait, or has nothing left.

    Args:
        index: of the ask, from which its seed comes.
        fixed: values of parameters that are given.
    Raises:
        SpaceError: a given value that cannot be.
    """
    seed = seeding.derive(history.seed, seeding.ASK, index)
    try:
        said = propose(strategy, history, {}, 1, seed=seed, fixed=fixed or {}, context={})
    except SpaceExhaustedError:
        return None
    return (said[0]["params"], said[0].get("notes", {})) if said else None


def noted(notes: Notes, trials: Sequence[SeenTrial]) -> Notes:
    """Notes of a suggestion with trials by the framework's numbers, from those with their places in this list."""
    return _renumbered(notes, dict(enumerate(t.number for t in trials)))


def _renumbered(notes: Notes, numbers: Mapping[int, int]) -> Notes:
    """Notes with trials by other numbers; those that have none are left out."""
    kept = dict(notes)
    for key in _NUMBERED:
        if isinstance(kept.get(key), list):
            kept[key] = [numbers[k] for k in kept[key] if k in numbers]
        elif key in kept:
            number = numbers.get(kept.pop(key))
            kept |= {} if number is None else {key: number}
    return kept


def _news(before: Sequence[SeenTrial], trials: Sequence[SeenTrial]) -> Iterator[Event]:
    """What happened since: first all that was asked for, then what became of it, in the order in which it ended."""
    places = {t.number: k for k, t in enumerate(trials)}
    for t in trials[len(before) :]:
        suggestion = {"params": t.params, "notes": _renumbered(t.notes, places)}
        yield _event("asked", {"seen": 0, "suggestions": [suggestion], "meta": {"tickets": [{"n": 1}]}}, None)
    is_known = [t.status is not Status.RUNNING for t in before] + [False] * (len(trials) - len(before))
    for t in sorted((t for t, known in zip(trials, is_known, strict=True) if not known), key=lambda t: t.ended):
        k, observed = places[t.number], {"values": t.values, "sd": t.sd}
        if t.status is Status.COMPLETED:
            yield _event("told", observed, k)
        elif t.status is Status.FAILED:
            yield _event("failed", {"reason": t.reason.value}, k)
        elif t.status is Status.CANCELLED:
            yield _event("cancelled", {}, k)
        elif t.values and k >= len(before):
            yield _event("measured", observed, k)


def _event(kind: str, body: Mapping[str, Any], trial: int | None) -> Event:
    return Event(kind=kind, key="", body=canonical(body), trial=trial, version=VERSIONS[kind])
