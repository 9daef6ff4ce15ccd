"""The log as a file of JSON lines: one file, several studies, readable by eye and by any tool.

The first line is `{"bbo":"log","format":1}`. Each further one is an event: `study, seq, kind, version, key, trial, at,
by, more, body`, the body last and as its canonical text. `more` counts the rows of the same append that still follow,
so a reader knows whether an append is whole. What a crash leaves of an append at the end of the file is ignored by
readers and cut off by the next writer. An append that has returned is never cut off.
"""

import contextlib
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bbo.errors import NewerFormatError, StorageError
from bbo.events import Event
from bbo.storage.memory import EventColumns, events_in, new_in
from bbo.storage.protocol import Durability, check_events, not_found

if sys.platform != "win32":
    import fcntl

FORMAT = 1
_HEADER = b'{"bbo":"log","format":%d}\n' % FORMAT
_BODY = ',"body":'  # inside a JSON string the quotes would have backslashes: its first occurrence is the field
_LOCKED_S = 30.0


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
        self._forget()
        self._new_lock()
        if not self._path.parent.is_dir():
            raise StorageError(
                f"Cannot keep a log in {self._path}: no folder {self._path.parent}. Make the folder first."
            )
        self._catch_up()

    def append(self, study: str, events: Sequence[Event]) -> int:
        check_events(study, events)
        with self._held():
            if not self._offset:
                self._catch_up()
                if not self._logs and events[0].kind != "created":
                    raise not_found(study, [], self.url)
            with self._opened(os.O_RDWR | (0 if self._offset else os.O_CREAT)) as fd:
                self._read_on(fd)
                new, highest = new_in(self._logs, study, events, self.url)
                if new:
                    self._write(fd, study, new)
        return highest

    def events(self, study: str, since: int = 0) -> list[Event]:
        with self._held():
            self._catch_up()
            return events_in(self._logs, study, since, self.url)

    def studies(self) -> list[str]:
        with self._held():
            self._catch_up()
            return list(self._logs)

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _forget(self) -> None:
        self._logs: dict[str, EventColumns] = {}
        self._offset = 0  # end of the last whole append that was read
        self._n_lines = 0
        self._file_id: tuple[int, int] | None = None

    def _new_lock(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        if (
            self._pid != os.getpid()
        ):  # a fork copies lock and rows as they stood, perhaps amid the work of another thread
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
                self._check_file(os.fstat(fd))
                self._take(fd, exclusive=bool(flags & os.O_RDWR))
                yield fd
            finally:
                os.close(fd)
        except OSError as error:
            verb = "write" if flags & os.O_RDWR else "read"
            raise StorageError(
                f"Cannot {verb} {self._path}: {error.strerror}. The log is unchanged. "
                "Check that it is a file, its permissions and the space on the disk."
            ) from error

    def _check_file(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise StorageError(f"{self._path} is not a file, so it cannot hold a log. Give the path of a file.")
        file_id = (found.st_dev, found.st_ino)
        if self._file_id not in (None, file_id) or found.st_size < self._offset:
            raise StorageError(
                f"{self._path} was replaced or shortened while it was open. Nothing was written. "
                "See that it is the right file, then open it anew."
            )
        self._file_id = file_id

    def _take(self, fd: int, *, exclusive: bool) -> None:
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
                    raise StorageError(
                        f"{self._path} was locked by another process for {_LOCKED_S:.0f} s. The log is unchanged. "
                        "Find the process that holds it (`lsof` names it) and end it, then try again."
                    ) from None
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 0.02)

    def _catch_up(self) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            size = 0
        except OSError:
            size = -1  # opening it says what is wrong
        if size == self._offset:
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

    def _damaged(self, n: int, error: Exception) -> StorageError:
        return StorageError(
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
        }:
            _, found, body = text.partition(_BODY)
            if found and next(reversed(row)) == "body" and body.endswith("}"):
                return study, Event(kind, key, body[:-1], trial, seq, version, at, by), more
    raise ValueError("not a row as bbo writes it, with study, seq, kind, version, key, trial, at, by, more and body")


def _read(fd: int, start: int) -> bytes:
    os.lseek(fd, start, os.SEEK_SET)
    parts = []
    while part := os.read(fd, 1 << 24):
        parts.append(part)
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
