"""What every storage offers, and the rules of appending that all share.

Beside the log a storage keeps *leases*: claims that end by themselves, by the storage's own clock. They are no part of
the log and may all be lost without harm to it.

| name of a lease | claims |
|---|---|
| `ask` | the right to append `asked` events |
| `ticket/<id>` | a place in the queue of those who want points; its data say which |
| `runner/<id>` | the trials that this runner evaluates |
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from bbo.errors import ConflictError, StaleLeaseError, StorageError, StudyNotFoundError
from bbo.events import Event, chained

# What an append that has returned survives: "full" a power cut, "process" a killed process only.
Durability = Literal["full", "process"]
_NAMES_SHOWN = 10
_BODY_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim as it was when it was read.

    Args:
        token: of this holder alone, drawn anew for each taking; a later holder has another.
        data: of the holder, JSON text.
        taken_at: seconds by the storage's clock, to compare with each other only.
        seconds_left: at most 0 when it has run out.
    """

    name: str
    token: str
    data: str
    taken_at: float
    seconds_left: float


class Storage(Protocol):
    """Studies, each an append-only list of events. Safe for threads; those in files for processes too.

    Args:
        url: what `open_storage` takes, for messages.
    """

    url: str

    def append(self, study: str, events: Sequence[Event], *, lease: Lease | None = None, releases: bool = False) -> int:
        """Write all events or none, also over a kill; the highest sequence number among them.

        They get consecutive numbers from 1 within the study, and their hashes. An event whose key is there with the
        same kind and body is taken as written: its number counts, nothing is written for it. `at` and `by` are not
        compared.

        Args:
            lease: write only while this holder's token is still the newest of that name, run out or not; checked in the
                same transaction. Where every event stands already, it does not matter.
            releases: give the lease up in the same transaction.
        Raises:
            ValueError: no events.
            StudyNotFoundError: an unknown study, and the first event does not create it.
            ConflictError: a key is there with another kind or body.
            StaleLeaseError: somebody else has taken the lease, or it was given up.
            StorageError: the log cannot be read or written.
        """

    def take(
        self, study: str, name: str, token: str, seconds: float, data: str = "", *, instead_of: str | None = None
    ) -> Lease | None:
        """The lease for so long, where it is free, has run out, is this token's already, or is held by `instead_of`.

        None where somebody else holds it. A holder takes it over from `instead_of` when that one is known to be dead.

        Raises:
            StudyNotFoundError, StorageError: as `events`.
        """

    def renew(self, study: str, lease: Lease, seconds: float) -> bool:
        """Whether the token is still the newest; if so the lease goes on for so long, though it had run out."""

    def release(self, study: str, lease: Lease) -> None:
        """Give it up; nothing happens where somebody else holds it by now."""

    def leases(self, study: str) -> list[Lease]:
        """All leases that were not given up, those that have run out among them, in the order in which they were taken.

        What ran out more than an hour ago may be missing.
        """

    def look(self, study: str, since: int, prefix: str) -> tuple[list[Event], list[Lease]]:
        """As `events`, and of `leases` those whose name begins so; cheaper than both, for those who look often."""

    def events(self, study: str, since: int = 0) -> list[Event]:
        """The events with a number above `since`, in order, numbered.

        Raises:
            StudyNotFoundError: no such study.
            StorageError: the log cannot be read.
        """

    def studies(self) -> list[str]:
        """The names of the studies in order of creation."""

    def close(self) -> None:
        """Let go of connections and files. A later call opens them again."""


def check_events(study: str, events: Sequence[Event]) -> None:
    """Raises ValueError for no events, StorageError for text that not every storage can hold."""
    if not events:
        raise ValueError(f"append takes at least one event: got none for study {study!r}.")
    _check_text("A study's name", study)
    for e in events:
        _check_text("An event's key", e.key)
        _check_text("What wrote an event", e.by)
        _check_text("An event's body", e.body)


def new_events(
    study: str,
    events: Iterable[Event],
    *,
    standing: Callable[[str], Event | None],
    last: int,
    last_hash: str,
    url: str,
) -> tuple[list[Event], int]:
    """Those that are to be written, numbered and chained after `last`, and the highest number among all.

    Args:
        standing: the event of a key, where the log has one.
        last_hash: of event number `last`; GENESIS before the first.
    Raises:
        ConflictError: a key stands, in the log or earlier among the events, with another kind or body.
    """
    new: dict[str, Event] = {}
    highest = 0
    for e in events:
        there = new.get(e.key) or standing(e.key)
        if there is None:
            last += 1
            there = replace(e, seq=last)
            last_hash = chained(last_hash, there)
            there = new[e.key] = replace(there, hash=last_hash)
        elif there.kind != e.kind or there.body != e.body:
            raise ConflictError(
                f"Study {study!r} in {url} has another event with the key {e.key!r}: "
                f"{there.kind} {_shortened(there.body)} stands, got {e.kind} {_shortened(e.body)}. "
                "The first one stands and nothing was written; read the log before going on.",
                key=e.key,
                kind=there.kind,
                body=there.body,
            )
        highest = max(highest, there.seq)
    return list(new.values()), highest


def stale(study: str, lease: Lease, url: str) -> StaleLeaseError:
    """The error of an append under a lease that is somebody else's by now."""
    return StaleLeaseError(
        f"The lease {lease.name!r} on study {study!r} in {url} ran out and was taken by another process, or was given "
        "up. Nothing was written; take it again."
    )


def not_found(study: str, studies: Sequence[str], url: str) -> StudyNotFoundError:
    """The error that names the studies there are, near ones first."""
    near = difflib.get_close_matches(study, studies, n=_NAMES_SHOWN, cutoff=0.6)
    names = [*near, *(s for s in studies if s not in near)]
    if not names:
        there = "it has no studies"
    else:
        there = "it has " + ", ".join(repr(name) for name in names[:_NAMES_SHOWN])
        if len(names) > _NAMES_SHOWN:
            there += f" and {len(names) - _NAMES_SHOWN} more"
    return StudyNotFoundError(f"No study {study!r} in {url}: {there}. Create it first, or check the name and the path.")


def _check_text(what: str, text: str) -> None:
    if "\0" in text:
        raise StorageError(f"{what} cannot hold a NUL character: got {_shortened(text)!r}. Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise StorageError(
            f"{what} must be text that UTF-8 can hold: got {_shortened(text)!r}, {error.reason}. "
            "A file name may hold such characters; pass repr(name)."
        ) from error


def _shortened(text: str) -> str:
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]}... ({len(text)} characters)"
