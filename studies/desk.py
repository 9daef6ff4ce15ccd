"""The desk where points are asked for: one process at a time computes, jointly for all who wait.

(a) Who finds the desk taken leaves a ticket there. (b) The holder of the lease takes all open tickets, (c) computes one
joint suggestion outside of any transaction, (d) appends one `asked` event that answers them, if the lease is still its
own. When a holder dies its lease runs out, or is known to be a dead process's, and the next one takes over.
"""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bbo.errors import StorageError
from bbo.storage import Lease
from bbo.studies import heart
from bbo.studies.log import StudyLog
from bbo.studies.runner import identity, is_alive, myself

DESK = "ask"
TICKET = "ticket/"
# How long the lease on the desk and a ticket last without a heartbeat.
LEASE_S = 15.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S, _PAUSE_PER_WAITED = 0.002, 1.0, 0.4
_jitter = random.SystemRandom()  # of the waiting, not of the study: the global generator is the user's


@dataclass(slots=True)
class Turn:
    """What came of waiting: the lease, or the trials that another process asked for in this ticket's name.

    Args:
        is_queued: others saw the ticket, so whoever computes must name it.
        others: the tickets of others that wait, in the order in which they came, and their wishes.
        is_spent: the lease was given up together with an append.
    """

    lease: Lease | None
    answer: range | None
    is_queued: bool
    others: list[tuple[str, dict[str, Any]]]
    is_spent: bool = False


@contextmanager
def turn(log: StudyLog, ticket: str, wish: dict[str, Any], stop: threading.Event | None = None) -> Iterator[Turn]:
    """Waits for the desk, or for an answer to a ticket with this wish; the log is refreshed.

    Args:
        stop: when set there is no more waiting, and neither lease nor answer.
    """
    store, name = log.storage, log.name
    with ExitStack() as stack:
        lease = store.take(name, DESK, ticket, LEASE_S, myself())
        is_queued = lease is None
        if lease is None:
            lease, answer = _queue(log, ticket, json.dumps(identity() | wish), stack, stop)
            if lease is None:
                yield Turn(None, answer, is_queued, [])
                return
        held = lease  # for the closures
        stack.enter_context(heart.keeps(lambda: store.renew(name, held, LEASE_S), LEASE_S / 3))
        tickets = log.look(TICKET)
        answer = log.fold.answer(ticket)  # it may have come just before the lease, or in an earlier attempt
        taken = Turn(held if answer is None else None, answer, is_queued, _open(log, tickets, but=ticket))
        try:
            yield taken
        finally:
            if not taken.is_spent:
                with suppress(StorageError):  # it runs out by itself
                    store.release(name, held)


def _queue(
    log: StudyLog, ticket: str, wish: str, stack: ExitStack, stop: threading.Event | None
) -> tuple[Lease | None, range | None]:
    """Leaves a ticket and waits for the desk or an answer, or to be stopped."""
    store, name = log.storage, log.name

    def beat() -> Lease | None:
        return store.take(name, TICKET + ticket, ticket, LEASE_S, wish)

    place = beat()
    stack.callback(_give_up, log, place)
    stack.enter_context(heart.keeps(beat, LEASE_S / 3))
    came = time.monotonic()
    while stop is None or not stop.is_set():
        # Who has waited for long looks but seldom, so that looking does not keep the one at work from it.
        pause = (time.monotonic() - came) * _PAUSE_PER_WAITED
        with log.lock:
            log.changed.wait(min(max(pause, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S) * _jitter.uniform(0.5, 1.5))
        standing = log.look(DESK)
        answer = log.fold.answer(ticket)
        if answer is not None:
            return None, answer
        lease = _take_over(log, ticket, standing)
        if lease is not None:
            return lease, None
    return None, None


def _give_up(log: StudyLog, lease: Lease | None) -> None:
    with suppress(StorageError):  # it runs out by itself
        if lease is not None:
            log.storage.release(log.name, lease)


def _take_over(log: StudyLog, ticket: str, standing: Sequence[Lease]) -> Lease | None:
    """The lease on the desk, if nobody holds it or its holder is dead."""
    holder = next((lease for lease in standing if lease.name == DESK), None)
    if holder is not None and is_alive(holder) and holder.seconds_left > 0:
        return None
    instead_of = None if holder is None else holder.token
    return log.storage.take(log.name, DESK, ticket, LEASE_S, myself(), instead_of=instead_of)


def _open(log: StudyLog, tickets: Sequence[Lease], but: str) -> list[tuple[str, dict[str, Any]]]:
    """Those that wait, and their wishes."""
    found = []
    for lease in tickets:
        ticket = lease.name.removeprefix(TICKET)
        is_waiting = ticket != but and lease.seconds_left > 0 and log.fold.answer(ticket) is None
        if is_waiting and is_alive(lease):
            found.append((ticket, json.loads(lease.data)))
    return found
