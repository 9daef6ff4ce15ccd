"""What SQLite needs beside the SQL that all databases share: settings of a connection, and what its errors mean.

Readers and one writer at a time work on one file (WAL). A writer takes the lock when it begins, not at its first write,
so it never finds that what it has read is stale. A transaction that has committed survives a killed process in either
durability; "full" (`synchronous=FULL`) waits for the disk at each commit and survives a power cut, "process" (`NORMAL`)
does not wait: a power cut may take the last commits, and leaves the file sound.
"""

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

from bbo.errors import StorageError
from bbo.storage.protocol import Durability

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
    "fuse.sshfs",
}
# By the start of the name of SQLite's error; https://www.sqlite.org/rescode.html.
_MEANINGS = {
    "SQLITE_BUSY": (
        "another process held its lock for {busy_s:.0f} s. See which process writes for so long (`lsof` names it), "
        "and try again."
    ),
    "SQLITE_NOTADB": "it is not an SQLite database. Give the path of a log, or of a file that is not there yet.",
    "SQLITE_CORRUPT": (
        "the database is damaged or truncated. Restore a copy, together with its -wal file if there is one, "
        "or save what is readable: sqlite3 damaged.db .recover | sqlite3 mended.db"
    ),
    "SQLITE_READONLY": "the file or its folder is read-only. Mend the permissions, or copy the file elsewhere.",
    "SQLITE_CANTOPEN": "the file cannot be opened. Check that it is there, and its and its folder's permissions.",
    "SQLITE_FULL": "the disk is full. Make space and try again.",
    "SQLITE_IOERR": "the disk gave an error. Check the disk and its free space, and copy the file while you can.",
}


def engine(path: Path, durability: Durability) -> Engine:
    """Connections to the file at the path, which must be there; kept for reuse, as many as there are threads at work.

    Raises:
        StorageError: the path is not a file, or on a network file system.
    """
    _refuse_what_is_no_local_file(path)
    # The name goes by URI: without its mode a reader would make an empty file.
    uri = f"{path.as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
        except BaseException:
            connection.close()
            raise
        return connection

    made = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=16, max_overflow=-1)
    event.listen(made, "begin", _begin)
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
    name = getattr(error, "sqlite_errorname", "")
    for start, text in _MEANINGS.items():
        if name.startswith(start):
            return text.format(busy_s=BUSY_S)
    return f"{error}."


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


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
    kind = _file_system(path.parent)
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite's locks do not hold and the log may be "
            "damaged. Put it on a local disk, or use a .jsonl file."
        )


def _file_system(folder: Path) -> str:
    """The kind of file system that the folder is on; empty where the system does not tell."""
    try:
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    folder = folder.resolve()
    kinds = {Path(at.replace("\\040", " ")): kind for _, at, kind, *_ in mounts}
    return next((kinds[at] for at in (folder, *folder.parents) if at in kinds), "")
