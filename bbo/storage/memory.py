"""The log in lists, for one process; the reference that other storages are compared with."""

import sys
import threading
import time
from array import array
from collections.abc import Sequence

from bbo.events import GENESIS, Event
from bbo.storage.leases import LeaseTable
from bbo.storage.protocol import Lease, check_events, new_events, not_found, stale
from bbo.times import Times

_NO_TRIAL = -1
_HASH_BYTES = 32


class MemoryStorage:
    """Studies that end with the process."""

    url = "memory://"

    def __init__(self) -> None:
        self._logs: dict[str, EventColumns] = {}
        self._leases: dict[str, LeaseTable] = {}
        self._lock = threading.Lock()

    def append(self, study: str, events: Sequence[Event], *, lease: Lease | None = None, releases: bool = False) -> int:
        check_events(study, events)
        with self._lock:
            new, highest = new_in(self._logs, study, events, self.url)
            if new and lease is not None and not self._table(study).is_current(lease):
                raise stale(study, lease, self.url)
            self._logs.setdefault(study, EventColumns()).extend(new)
            if lease is not None and releases:
                self._table(study).release(lease)
        return highest

    def events(self, study: str, since: int = 0) -> list[Event]:
        with self._lock:
            return events_in(self._logs, study, since, self.url)

    def studies(self) -> list[str]:
        with self._lock:
            return list(self._logs)

    def take(
        self, study: str, name: str, token: str, seconds: float, data: str = "", *, instead_of: str | None = None
    ) -> Lease | None:
        with self._lock:
            return self._table(study).take(name, token, seconds, data, instead_of, time.monotonic())

    def renew(self, study: str, lease: Lease, seconds: float) -> bool:
        with self._lock:
            return self._table(study).renew(lease, seconds, time.monotonic())

    def release(self, study: str, lease: Lease) -> None:
        with self._lock:
            self._table(study).release(lease)

    def leases(self, study: str) -> list[Lease]:
        with self._lock:
            return self._table(study).leases(time.monotonic())

    def look(self, study: str, since: int, prefix: str) -> tuple[list[Event], list[Lease]]:
        with self._lock:
            leases = self._table(study).leases(time.monotonic(), prefix)
            return events_in(self._logs, study, since, self.url), leases

    def _table(self, study: str) -> LeaseTable:
        if study not in self._logs:
            raise not_found(study, list(self._logs), self.url)
        return self._leases.setdefault(study, LeaseTable())

    def close(self) -> None:
        pass


class EventColumns:
    """One study's events by column: about 210 bytes each beside the body, where objects in a list take 450."""

    def __init__(self) -> None:
        self._seqs: dict[str, int] = {}
        self._keys: list[str] = []
        self._kinds: list[str] = []
        self._bodies: list[str] = []
        self._ats = Times()
        self._bys: list[str] = []
        self._trials = array("q")
        self._versions = array("i")
        self._hashes = bytearray()

    @property
    def last_hash(self) -> str:
        return self._hashes[-_HASH_BYTES:].hex() or GENESIS

    def __len__(self) -> int:
        return len(self._keys)

    def extend(self, events: Sequence[Event]) -> None:
        n = len(self._keys)
        try:
            for e in events:
                self._keys.append(e.key)
                self._kinds.append(sys.intern(e.kind))
                self._bodies.append(e.body)
                self._ats.append(e.at)
                self._bys.append(sys.intern(e.by))
                self._trials.append(_NO_TRIAL if e.trial is None else e.trial)
                self._versions.append(e.version)
                self._hashes += bytes.fromhex(e.hash)
                self._seqs[e.key] = len(self._keys)
        except BaseException:  # an interrupt: all or nothing
            for e in events:
                self._seqs.pop(e.key, None)
            for column in (self._keys, self._kinds, self._bodies, self._bys, self._trials, self._versions):
                del column[n:]
            self._ats.cut(n)
            del self._hashes[n * _HASH_BYTES :]
            raise

    def with_key(self, key: str) -> Event | None:
        seq = self._seqs.get(key)
        return None if seq is None else self.since(seq - 1, seq)[0]

    def since(self, start: int, stop: int | None = None) -> list[Event]:
        rows = slice(max(start, 0), stop)
        return [
            Event(kind, key, body, None if trial == _NO_TRIAL else trial, seq, version, at, by, self._hash(seq))
            for seq, (kind, key, body, trial, version, at, by) in enumerate(
                zip(
                    self._kinds[rows],
                    self._keys[rows],
                    self._bodies[rows],
                    self._trials[rows],
                    self._versions[rows],
                    self._ats[rows],
                    self._bys[rows],
                    strict=True,
                ),
                start=rows.start + 1,
            )
        ]

    def _hash(self, seq: int) -> str:
        return self._hashes[(seq - 1) * _HASH_BYTES : seq * _HASH_BYTES].hex()


def new_in(logs: dict[str, EventColumns], study: str, events: Sequence[Event], url: str) -> tuple[list[Event], int]:
    """`new_events` against logs in memory."""
    log = logs.get(study)
    if log is None:
        if events[0].kind != "created":
            raise not_found(study, list(logs), url)
        log = EventColumns()
    return new_events(study, events, standing=log.with_key, last=len(log), last_hash=log.last_hash, url=url)


def events_in(logs: dict[str, EventColumns], study: str, since: int, url: str) -> list[Event]:
    if study not in logs:
        raise not_found(study, list(logs), url)
    return logs[study].since(since)
