"""The heartbeat of a process: one thread that renews whatever claims the process holds, until they are given up."""

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bbo.errors import StorageError

logger = logging.getLogger(__name__)
# The thread looks at its claims so often and ends when it had none for a while. As claims are renewed more seldom than
# that, nobody has to wake it.
_TICK_S = 0.5
_IDLE_S = 10.0


@dataclass(slots=True)
class _Claim:
    renew: Callable[[], object]
    every: float
    due: float


class _Heart:
    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._claims: dict[int, _Claim] = {}
        self._names = itertools.count()
        self._idle_since = 0.0
        self._is_beating = False

    @contextmanager
    def keeps(self, renew: Callable[[], object], every: float) -> Iterator[None]:
        """Calls `renew` every so many seconds from now on, until the block ends; at least two ticks."""
        if self._pid != os.getpid():  # a fork has the claims of its parent, but not the thread
            self.__init__()  # type: ignore[misc]
        name = next(self._names)
        with self._lock:
            self._claims[name] = _Claim(renew, every, time.monotonic() + every)
            if not self._is_beating:
                self._is_beating = True
                threading.Thread(target=self._beat, name="bbo-heart", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(name, None)

    def _beat(self) -> None:
        self._idle_since = time.monotonic()
        while True:
            time.sleep(_TICK_S)
            now = time.monotonic()
            with self._lock:
                due = [claim for claim in self._claims.values() if claim.due <= now]
                if self._claims:
                    self._idle_since = now
                elif now - self._idle_since > _IDLE_S:
                    self._is_beating = False
                    return
            for claim in due:
                try:
                    claim.renew()
                except StorageError as error:
                    logger.warning("A claim could not be renewed; it is tried again: %s", error)
                claim.due = time.monotonic() + claim.every


_heart = _Heart()
keeps = _heart.keeps
