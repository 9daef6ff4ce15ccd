"""A study's log as one process sees it: the storage, and the fold of the events read so far."""

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace

from bbo.events import Event
from bbo.fold import Fold
from bbo.space import Space
from bbo.storage import Lease, Storage

_HOST = socket.gethostname()


def writer() -> str:
    """Who writes: host, process and thread."""
    return f"{_HOST}/{os.getpid()}/{threading.current_thread().name}"


class StudyLog:
    """Reads and appends events of one study and keeps their fold up to date; safe to use from several threads.

    `lock` guards the fold; `changed` is a condition on it, notified when events were folded.

    Args:
        space: the study's, where it is at hand; what the log cannot hold of it is taken from here, and from spaces
            that `pass_on` gives.
    """

    def __init__(self, storage: Storage, name: str, space: Space | None = None) -> None:
        self.storage = storage
        self.name = name
        self._spaces = [] if space is None else [space]
        self._state = Fold(self._spaces)
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)

    def pass_on(self, space: Space) -> None:
        """Has another space of the study at hand."""
        with self.lock:
            self._spaces.append(space)

    @property
    def fold(self) -> Fold:
        """The fold of what was read; to be read under the lock wherever another thread may append."""
        with self.lock:
            if self._state.last_event == 0:
                self.refresh()
            return self._state

    def refresh(self) -> None:
        """Folds what others have appended."""
        with self.lock:
            self._fold(self.storage.events(self.name, self._state.last_event))

    def look(self, prefix: str) -> list[Lease]:
        """Folds what others have appended; the leases whose name begins so, as they were before that was read."""
        with self.lock:
            events, leases = self.storage.look(self.name, self._state.last_event, prefix)
            self._fold(events)
            return leases

    def append(self, *events: Event, lease: Lease | None = None, releases: bool = False) -> None:
        """Appends these events, all or none, and folds them.

        Args:
            lease: append only while it is held; `releases` gives it up at the same moment.
        Raises:
            ConflictError: the log has another event under one of the keys.
            StaleLeaseError: the lease is somebody else's by now.
        """
        seq = self.storage.append(self.name, events, lease=lease, releases=releases)
        with self.lock:
            if seq == self._state.last_event + 1 and len(events) == 1:
                self._fold([replace(events[0], seq=seq)])
            elif seq > self._state.last_event:
                self.refresh()

    def _fold(self, events: Sequence[Event]) -> None:
        if not events:
            return
        try:
            self._state.add(events)
        except BaseException:
            self._state = Fold(self._spaces)  # an interrupt left it half folded: it is read again from the start
            raise
        self.changed.notify_all()
