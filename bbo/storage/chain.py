"""The chain of hashes through a log, recomputed."""

from collections.abc import Iterable

from bbo.events import GENESIS, Event, chained


def broken_at(events: Iterable[Event]) -> int | None:
    """The number of the first event that does not follow from those before it; None where the chain holds.

    Args:
        events: of one study, from its first on, as a storage gives them.
    """
    before = GENESIS
    for n, e in enumerate(events, start=1):
        if e.seq != n or e.hash != chained(before, e):
            return e.seq
        before = e.hash
    return None
