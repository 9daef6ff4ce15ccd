"""The heartbeat of a process: what it claims is renewed until it is given up.

One thread looks at all claims. Each that is due is renewed in a thread of its own, as one may wait long for its
storage.
"""

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)
# The thread looks at its claims so often and ends when it had none for a while. As claims are renewed more seldom than
# that, nobody has to wake it.
_TICK_S = 0.5
_IDLE_S = 10.0


class _Claim:
    def __init__(self, renew: Callable[[], object], every: float) -> None:
        self._renew, self._every = renew, every
        self._due = time.monotonic() + every
        self._beating = threading.Lock()
        self._is_kept = True

    def beat_if_due(self) -> None:
        if time.monotonic() >= self._due and not self._beating.locked():
            threading.Thread(target=self._beat, name="bbo-beat", daemon=True).start()

    def give_up(self) -> None:
        """No renewal comes after this; one that is under way is waited for, as it would bring the claim back."""
        with self._beating:
            self._is_kept = False

    def _beat(self) -> None:
        with self._beating:
            if not self._is_kept:
                return
            try:
                self._renew()
            except Exception as error:  # of whatever kind: the next beat tries again
                logger.warning("A claim could not be renewed; it is tried again: %s", error)
            self._due = time.monotonic() + self._every


class _Heart:
    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._claims: dict[int, _Claim] = {}
        self._names = itertools.count()
        self._is_beating = False

    @contextmanager
    def keeps(self, renew: Callable[[], object], every: float) -> Iterator[None]:
        """Calls `renew` every so many seconds from now on, until the block ends; at least two ticks."""
        if self._pid != os.getpid():  # a fork has the claims of its parent, but not the thread
            self.__init__()  # type: ignore[misc]
        claim, name = _Claim(renew, every), next(self._names)
        with self._lock:
            self._claims[name] = claim
            if not self._is_beating:
                self._is_beating = True
                threading.Thread(target=self._watch, name="bbo-heart", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(name, None)
            claim.give_up()

    def _watch(self) -> None:
        idle_since = time.monotonic()
        while True:
            time.sleep(_TICK_S)
            now = time.monotonic()
            with self._lock:
                claims = list(self._claims.values())
                if claims:
                    idle_since = now
                elif now - idle_since > _IDLE_S:
                    self._is_beating = False
                    return
            for claim in claims:
                claim.beat_if_due()


_heart = _Heart()
keeps = _heart.keeps
