"""What SQLite needs beside the SQL that all databases share: settings of a connection, and what its errors mean.

Readers and one writer at a time work on one file (WAL). A writer takes the lock when it begins, not at its first write,
so it never finds that what it has read is stale. A transaction that has committed survives a killed process in either
durability; "full" (`synchronous=FULL`) waits for the disk at each commit and survives a power cut, "process" (`NORMAL`)
does not wait: a power cut may take the last commits, and leaves the file sound.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from bbo.errors import BusyError, DamagedError, StorageError
from bbo.storage.database import OwnEngine, Purpose
from bbo.storage.protocol import Durability

T = TypeVar("T")
BUSY_S = 30.0
_SYNCHRONOUS = {"full": "FULL", "process": "NORMAL"}
_MOUNTS = Path("/proc/self/mounts")
_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "glusterfs",
    "fuse.glusterfs",
    "orangefs",
    "fuse.sshfs",
}
# By the start of the name of SQLite's error; https://www.sqlite.org/rescode.html.
_MEANINGS = {
    "SQLITE_BUSY": (
        "another process held its lock for {busy_s:.0f} s. See which process writes for so long (`lsof` names it), "
        "and try again."
    ),
    "SQLITE_NOTADB": (
        "it is not an SQLite database. Give the path of a log, or of a file that is not there yet; if it was a log, "
        "its beginning is damaged: restore a copy."
    ),
    "SQLITE_CORRUPT": (
        "the database is damaged or truncated. Restore a copy, together with its -wal file if there is one, "
        "or save what is readable: sqlite3 damaged.db .recover | sqlite3 mended.db"
    ),
    "SQLITE_READONLY": "the file or its folder is read-only. Mend the permissions, or copy the file elsewhere.",
    "SQLITE_CANTOPEN": (
        "the file cannot be opened. Check that it is there, its and its folder's permissions, and the space on the "
        "disk: readers too make files beside it."
    ),
    "SQLITE_FULL": "the disk is full. Make space and try again.",
    "SQLITE_IOERR": (
        "the disk gave an error. Check the disk, its free space and the limit on the size of files (`ulimit -f` tells "
        "it), and copy the file while you can."
    ),
}
_KINDS: dict[str, type[StorageError]] = {"SQLITE_BUSY": BusyError, "SQLITE_CORRUPT": DamagedError}
_NOT_TEXT = "Could not decode to UTF-8"  # of Python's sqlite3, which has no name for it


class _OneFile:
    """Holds engines to the file that the first of them opened: SQLite would go on writing to one that was deleted or
    replaced, where nobody finds it again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._id: tuple[int, int] | None = None

    def learn(self, *_: object) -> None:
        self._id = self._id or self._found()

    def check(self, *_: object) -> None:
        if self._id is not None and self._found() != self._id:
            raise DamagedError(
                f"{self.path} was replaced, moved or deleted while it was open. Nothing was written. Put it back with "
                "its -wal file if there is one, or a copy; then open it anew."
            )

    def forget(self) -> None:
        self._id = None

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class SQLiteFile:
    """A database in a file, for any number of threads and processes of one machine.

    Raises:
        StorageError: the path is not a file, or on a network file system.
    """

    clock = "clock()"  # there is no server: that of this machine, which all who have the file open are on
    remedy = "Give the path of a log, or of a file that is not there yet."

    def __init__(self, path: str, durability: Durability) -> None:
        self._path = Path(path).absolute()
        self.url = f"sqlite:///{self._path}" + ("?durability=process" if durability == "process" else "")
        self._file = _OneFile(self._path)
        self._log = OwnEngine(lambda: engine(self._file, durability))
        # To wait for the disk at a lease, which may be lost, would double what an ask costs.
        self._leases = self._log if durability == "process" else OwnEngine(lambda: engine(self._file, "process"))

    def may_hold_a_log(self) -> bool:
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError:
            return True  # opening it says what is wrong

    def create(self) -> None:
        try:
            self._path.touch()
        except OSError as error:
            raise self._failed(error) from error

    def prepare(self) -> None:
        try:
            use_wal(self._log.here())
        except (sqlite3.Error, DBAPIError) as error:
            raise self._failed(error.orig if isinstance(error, DBAPIError) else error) from error

    def run(self, purpose: Purpose, work: Callable[[Connection], T]) -> T:
        own = self._leases if purpose == "lease" else self._log
        try:
            with own.here().connect() as c, c.begin():
                if purpose != "read":
                    c.exec_driver_sql("BEGIN IMMEDIATE")
                return work(c)
        except DBAPIError as error:
            raise self._failed(error.orig) from error
        except UnicodeDecodeError as error:  # of a message that quotes what is damaged
            raise self._failed(error) from error

    def lock_schema(self, c: Connection) -> None:
        """A writer is alone from its beginning on."""

    def close(self) -> None:
        self._log.here().dispose()
        self._leases.here().dispose()
        self._file.forget()

    def _failed(self, error: BaseException | None) -> StorageError:
        return kind(error)(f"Cannot use {self.url}: {meaning(error)} The log is unchanged.")


def engine(file: _OneFile, durability: Durability) -> Engine:
    """Connections to the file, which must be there; kept for reuse, as many as there are threads at work.

    Raises:
        StorageError: the path is not a file, or on a network file system; DamagedError where its end is missing.
    """
    _refuse_what_is_no_local_file(file.path)
    _refuse_what_is_cut_off(file.path)
    # The name goes by URI: without its mode a reader would make an empty file.
    uri = f"{file.path.as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        file.check()
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.create_function("clock", 0, time.time)
            connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
        except BaseException:
            connection.close()
            raise
        return connection

    made = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=16, max_overflow=-1)
    event.listen(made, "connect", file.learn)
    event.listen(made, "checkout", file.check)
    return made


def use_wal(engine: Engine) -> None:
    """Let readers and a writer work at once; stays with the file."""
    until = time.monotonic() + BUSY_S
    while True:
        raw = engine.raw_connection()
        try:
            if raw.cursor().execute("PRAGMA journal_mode").fetchone() != ("wal",):
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # Changing the mode does not wait for a lock as other statements do.
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
            time.sleep(0.01)
        finally:
            raw.close()


def meaning(error: BaseException | None) -> str:
    """What happened, and what to do."""
    name = _name(error)
    for start, text in _MEANINGS.items():
        if name.startswith(start):
            return text.format(busy_s=BUSY_S)
    return f"{error}."


def kind(error: BaseException | None) -> type[StorageError]:
    """The class of ours that it is."""
    name = _name(error)
    return next((ours for start, ours in _KINDS.items() if name.startswith(start)), StorageError)


def _name(error: BaseException | None) -> str:
    """SQLite's name of it."""
    if isinstance(error, UnicodeDecodeError) or str(error).startswith(_NOT_TEXT):
        return "SQLITE_CORRUPT"
    return str(getattr(error, "sqlite_errorname", ""))


def _refuse_what_is_no_local_file(path: Path) -> None:
    try:
        is_other = path.exists() and not path.is_file()
        is_homeless = not path.parent.is_dir()
    except OSError as error:
        raise StorageError(f"Cannot use {path}: {error.strerror}. Check the path and its permissions.") from error
    if is_other:
        raise StorageError(f"{path} is not a file, so it cannot hold a log. Give the path of a file.")
    if is_homeless:
        raise StorageError(f"Cannot keep a log in {path}: no folder {path.parent}. Make the folder first.")
    kind = _file_system(path.resolve().parent)  # of the file itself, where the path is a link
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite's locks do not hold and the log may be "
            "damaged. Put it on a local disk, or use a .jsonl file or PostgreSQL."
        )


def _refuse_what_is_cut_off(path: Path) -> None:
    """SQLite takes what is missing of a last page for zeros, and gives rows that were never written."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
        file_itself = path.resolve()
        has_more = file_itself.with_name(f"{file_itself.name}-wal").exists()
    except OSError:
        return  # opening it says what is wrong
    # https://www.sqlite.org/fileformat.html#the_database_header
    page_bytes = int.from_bytes(header[16:18]) if header.startswith(b"SQLite format 3\0") else 0
    if page_bytes > 1 and size % page_bytes and not has_more:
        raise DamagedError(
            f"{path} is cut off: it has {size} bytes, which are no whole pages of {page_bytes}. The file is unchanged. "
            f"{_MEANINGS['SQLITE_CORRUPT'].partition('. ')[2]}."
        )


def _file_system(folder: Path) -> str:
    """The kind of file system that the folder is on; empty where the system does not tell."""
    try:
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    kinds = {Path(at.replace("\\040", " ")): kind for _, at, kind, *_ in mounts}
    return next((kinds[at] for at in (folder, *folder.parents) if at in kinds), "")
