"""The log as a file of JSON lines: one file, several studies, readable by eye and by any tool.

The first line is `{"bbo":"log","format":1}`. Each further one is an event: `study, seq, kind, version, key, trial, at,
by, more, hash, body`, the body last and as its canonical text. `more` counts the rows of the same append that still
follow, so a reader knows whether an append is whole. What a crash leaves of an append at the end of the file is ignored
by readers and cut off by the next writer. An append that has returned is never cut off.

Rows that versions before the chain wrote have no hash; it is computed on reading, and the chain goes on from there.
Leases are in a file beside the log, `log.jsonl.leases`, while there are any.
"""

import contextlib
import errno
import json
import logging
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bbo.errors import BusyError, DamagedError, NewerFormatError, StorageError
from bbo.events import Event, chained
from bbo.storage.leases import LeaseFile, LeaseTable
from bbo.storage.memory import EventColumns, events_in, new_in
from bbo.storage.protocol import Durability, Lease, check_events, not_found, stale

if sys.platform != "win32":
    import fcntl

FORMAT = 1
_HEADER = b'{"bbo":"log","format":%d}\n' % FORMAT
_BODY = ',"body":'  # inside a JSON string the quotes would have backslashes: its first occurrence is the field
_FIELDS = "study, seq, kind, version, key, trial, at, by, more, hash and body"
_HASH = re.compile("[0-9a-f]{64}|")  # none in rows from before the chain
_TAIL_BYTES = 256
_LOCKED_S = 30.0
_FULL = "Make space on the disk and try again."
_READ_ONLY = "Mend the permissions of the file and its folder, or copy the log to where you may write."
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f` tells it), or copy the log elsewhere.",
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
}
_ANY_REMEDY = "Check the path and the disk, and copy the file while you can."
logger = logging.getLogger(__name__)


class JSONLinesStorage:
    """Studies in a file of JSON lines that several threads and processes append to, under a lock of the file.

    What was read stays in memory, and a read goes on where the last one ended. On Windows there is no lock between
    processes: only one process may write there; several take a `.db` file.

    Args:
        path: of the file; made by the first append, its folder must be there.
        durability: "full" waits for the disk (fsync) on each append, which then survives a power cut; "process" leaves
            that to the system: an append survives a killed process, a power cut may take the last seconds.
    Raises:
        StorageError: there is something else than a log at the path.
    """

    def __init__(self, path: str | Path, durability: Durability = "full") -> None:
        self._path = Path(path).absolute()
        self._durability = durability
        self.url = str(self._path) + ("?durability=process" if durability == "process" else "")
        self._leases = LeaseFile(self._path.resolve())
        self._forget()
        self._new_lock()
        if not self._path.parent.is_dir():
            raise StorageError(
                f"Cannot keep a log in {self._path}: no folder {self._path.parent}. Make the folder first."
            )
        self._catch_up()

    def append(self, study: str, events: Sequence[Event], *, lease: Lease | None = None, releases: bool = False) -> int:
        check_events(study, events)
        with self._held():
            if not self._offset:
                self._catch_up()
                if not self._logs and events[0].kind != "created":
                    raise not_found(study, [], self.url)
            with self._opened(os.O_RDWR | (0 if self._offset else os.O_CREAT)) as fd:
                self._read_on(fd)
                new, highest = new_in(self._logs, study, events, self.url)
                tables = {} if lease is None else self._leases.read()
                is_current = lease is not None and tables.get(study, LeaseTable()).is_current(lease)
                if new and lease is not None and not is_current:
                    raise stale(study, lease, self.url)
                if new:
                    self._write(fd, study, new)
                if lease is not None and is_current and releases:
                    tables[study].release(lease)
                    self._give_up(tables)
        return highest

    def events(self, study: str, since: int = 0) -> list[Event]:
        with self._held():
            self._catch_up()
            return events_in(self._logs, study, since, self.url)

    def studies(self) -> list[str]:
        with self._held():
            self._catch_up()
            return list(self._logs)

    def take(
        self, study: str, name: str, token: str, seconds: float, data: str = "", *, instead_of: str | None = None
    ) -> Lease | None:
        with self._table(study) as table:
            return table.take(name, token, seconds, data, instead_of, time.time())

    def renew(self, study: str, lease: Lease, seconds: float) -> bool:
        with self._table(study) as table:
            return table.renew(lease, seconds, time.time())

    def release(self, study: str, lease: Lease) -> None:
        with self._table(study) as table:
            table.release(lease)

    def leases(self, study: str) -> list[Lease]:
        return self.look(study, 0, "")[1]

    def look(self, study: str, since: int, prefix: str) -> tuple[list[Event], list[Lease]]:
        leases = self._leases.read().get(study, LeaseTable()).leases(time.time(), prefix)
        return self.events(study, since), leases

    def close(self) -> None:
        """No file stays open between calls; the next one reads the file from its start, also if it is another."""
        with self._held():
            self._forget()

    @contextlib.contextmanager
    def _table(self, study: str) -> Iterator[LeaseTable]:
        """The leases of a study under the file's lock; written where they change."""
        with self._held():
            self._check_there(study)
            with self._opened(os.O_RDWR):
                tables = self._leases.read()
                table = tables.setdefault(study, LeaseTable())
                before = table.rows()
                yield table
                if table.rows() != before:
                    self._leases.write(tables)

    def _check_there(self, study: str) -> None:
        self._catch_up()
        if study not in self._logs:
            raise not_found(study, list(self._logs), self.url)

    def _give_up(self, tables: dict[str, LeaseTable]) -> None:
        """Without an error, as the events of the same append stand."""
        try:
            self._leases.write(tables)
        except StorageError as error:
            logger.warning("A lease ends by itself instead of now. %s", error)

    def _forget(self) -> None:
        self._logs: dict[str, EventColumns] = {}
        self._offset = 0  # end of the last whole append that was read
        self._tail = b""  # the bytes before it
        self._n_lines = 0
        self._file_id: tuple[int, int] | None = None

    def _new_lock(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        if self._pid != os.getpid():
            # A fork copies lock and rows as they stood, perhaps amid the work of another thread.
            self._forget()
            self._new_lock()
        with self._lock:
            yield

    @contextlib.contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        """The file, locked; opened for each call, so that a fork shares neither position nor lock."""
        try:
            fd = os.open(self._path, flags | getattr(os, "O_BINARY", 0), 0o666)
            try:
                self._lock_file(fd, exclusive=bool(flags & os.O_RDWR))
                self._check_file(fd)
                yield fd
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            raise DamagedError(
                f"{self._path} or its folder was moved or deleted while it was open: {error.strerror}. Nothing was "
                "written. Put it back, or a copy and open that anew."
            ) from error
        except OSError as error:
            verb = "write" if flags & os.O_RDWR else "read"
            raise StorageError(
                f"Cannot {verb} {self._path}: {error.strerror}. The log is unchanged: nothing that was told before is "
                f"lost. {_REMEDIES.get(error.errno or 0, _ANY_REMEDY)}"
            ) from error

    def _check_file(self, fd: int) -> None:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(f"{self._path} is not a file, so it cannot hold a log. Give the path of a file.")
        # A new file may have the number of one that was deleted, so what stands before the offset is compared as well.
        is_other = self._offset > 0 and (self._file_id != _id(found) or found.st_size < self._offset)
        if is_other or _read(fd, self._offset - len(self._tail), len(self._tail)) != self._tail:
            raise DamagedError(
                f"{self._path} was replaced or shortened while it was open. Nothing was written. "
                "See that it is the right file, or put a copy back; then open it anew."
            )
        self._file_id = _id(found)

    def _lock_file(self, fd: int, *, exclusive: bool) -> None:
        """Lock the file; closing it lets go. Readers lock too: a writer may cut off a torn end under them."""
        if sys.platform == "win32":
            return
        until = time.monotonic() + _LOCKED_S
        wait_s = 0.0002
        while True:
            try:
                fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BusyError(
                        f"{self._path} was locked by another process for {_LOCKED_S:.0f} s. The log is unchanged. "
                        "Find the process that holds it (`lsof` names it) and end it, then try again."
                    ) from None
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 0.02)

    def _catch_up(self) -> None:
        try:
            found = self._path.stat()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self._offset:
                return
            found = None  # opening it says what is wrong
        if found is not None and (found.st_size, _id(found)) == (self._offset, self._file_id):
            return
        with self._opened(os.O_RDONLY) as fd:
            self._read_on(fd)

    def _read_on(self, fd: int) -> None:
        """Take over the whole appends behind those that were read."""
        try:
            text = _read(fd, self._offset)
            if not self._n_lines:
                if _HEADER.startswith(text):  # new, or cut off while its first line was written
                    return
                self._offset = self._header_end(text)
                self._tail = text[: self._offset]
                self._n_lines = 1
                text = text[self._offset :]
            self._take_over(text.split(b"\n")[:-1])  # what stands behind the last line end is torn
        except BaseException:  # an interrupt may come amid the taking over: read from the start next time
            self._forget()
            raise

    def _take_over(self, lines: Sequence[bytes]) -> None:
        rows: list[Event] = []
        size = 0
        expected = ("", 0)
        for line in lines:
            try:
                study, e, more = _parse(line)
                log = self._logs.get(study) or EventColumns()
                if not e.hash:
                    e = replace(e, hash=chained(rows[-1].hash if rows else log.last_hash, e))
                if rows and (study, more) != expected:
                    raise ValueError(f"{expected[1] + 1} more rows of an append to {expected[0]!r} must stand here")
                if e.seq != len(log) + len(rows) + 1:
                    raise ValueError(
                        f"event {len(log) + len(rows) + 1} of study {study!r} must stand here, not {e.seq}"
                    )
            except (ValueError, RecursionError) as error:
                raise self._damaged(self._n_lines + len(rows) + 1, error) from error
            rows.append(e)
            size += len(line) + 1
            expected = (study, more - 1)
            if more == 0:
                self._logs.setdefault(study, log).extend(rows)
                self._offset += size
                self._tail = line[-_TAIL_BYTES:] + b"\n"
                self._n_lines += len(rows)
                rows, size = [], 0

    def _write(self, fd: int, study: str, events: Sequence[Event]) -> None:
        text = b"".join(_row(study, e, len(events) - n) for n, e in enumerate(events, start=1))
        start = self._offset
        is_new = start == 0
        try:
            os.ftruncate(fd, start)  # the torn end of a crash
            _write(fd, start, _HEADER + text if is_new else text)
            if self._durability == "full":
                os.fsync(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, start)
            raise
        if is_new and self._durability == "full":
            _sync_folder(self._path.parent)
        self._read_on(fd)

    def _header_end(self, text: bytes) -> int:
        line, line_end, _ = text.partition(b"\n")
        try:
            header = json.loads(line) if line_end else None
        except (ValueError, RecursionError):
            header = None
        match header:
            case {"bbo": "log", "format": int(version)}:
                if version > FORMAT:
                    raise NewerFormatError(
                        f"{self._path} has format {version}; this bbo reads formats up to {FORMAT}. "
                        "It was written by a later version: upgrade bbo to open it."
                    )
                return len(line) + 1
        raise StorageError(
            f"{self._path} is not a log of bbo: its first line must be {_HEADER.decode().strip()}, got {line[:80]!r}. "
            "The file is unchanged. Give the path of a log, or of a file that is not there yet."
        )

    def _damaged(self, n: int, error: Exception) -> DamagedError:
        return DamagedError(
            f"Line {n} of {self._path} is damaged: {error}. The file is unchanged. Restore a copy of it, or keep what "
            f"stands before that line: head -n {n - 1} '{self._path.name}' > mended.jsonl"
        )


def _row(study: str, e: Event, more: int) -> bytes:
    head = {
        "study": study,
        "seq": e.seq,
        "kind": e.kind,
        "version": e.version,
        "key": e.key,
        "trial": e.trial,
        "at": e.at,
        "by": e.by,
        "more": more,
        "hash": e.hash,
    }
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False)[:-1] + _BODY + e.body + "}"
    row = text.encode()
    try:
        if b"\n" in row:
            raise ValueError("a line end stands in it")
        _parse(row)
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"Event {e.key!r} of study {study!r} cannot be a line of JSON: {error}. Nothing was written. "
            "Make events by bbo.events.event."
        ) from error
    return row + b"\n"


def _parse(line: bytes) -> tuple[str, Event, int]:
    """The study, the event and how many rows of the same append follow."""
    text = line.decode()
    row: Any = json.loads(text)
    match row:
        case {
            "study": str(study),
            "seq": int(seq),
            "kind": str(kind),
            "version": int(version),
            "key": str(key),
            "trial": int() | None as trial,
            "at": str(at),
            "by": str(by),
            "more": int(more),
            "body": dict(),
        } if more >= 0 and 0 <= version < 2**31 and 0 <= (trial or 0) < 2**63:
            f"{study}{kind}{key}{at}{by}".encode()  # escapes may spell what is no text
            logged = row.get("hash", "")
            is_hashed = isinstance(logged, str) and _HASH.fullmatch(logged)
            _, found, body = text.partition(_BODY)
            if is_hashed and found and next(reversed(row)) == "body" and body.endswith("}"):
                return study, Event(kind, key, body[:-1], trial, seq, version, at, by, logged), more
    raise ValueError(f"not a row as bbo writes it, with {_FIELDS}")


def _id(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _read(fd: int, start: int, n: int | None = None) -> bytes:
    """So many bytes from the start on, or fewer where the file ends; all when None."""
    os.lseek(fd, start, os.SEEK_SET)
    parts = []
    while n != 0 and (part := os.read(fd, 1 << 24 if n is None else n)):
        parts.append(part)
        n = None if n is None else n - len(part)
    return b"".join(parts)


def _write(fd: int, start: int, text: bytes) -> None:
    os.lseek(fd, start, os.SEEK_SET)
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
