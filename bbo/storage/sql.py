"""The log in a database. Imported when one is opened: SQLAlchemy takes a while to load."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from bbo.errors import NewerFormatError, StorageError
from bbo.events import Event, now
from bbo.storage import sqlite
from bbo.storage.protocol import Durability, check_events, new_events, not_found

FORMAT = 1
_KEYS_AT_ONCE = 500

_tables = MetaData()
_format = Table("bbo_format", _tables, Column("version", Integer, nullable=False))
_studies = Table(
    "studies",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # The counter is set in the transaction that inserts: a number that is seen has all lower ones before it. With an
    # identity column, a reader at `since` would miss what commits late.
    Column("last_seq", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
)
_events = Table(
    "events",
    _tables,
    Column("study_id", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("trial", Integer),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("study_id", "key"),
)

_COLUMNS = [_events.c[name] for name in ("kind", "key", "body", "trial", "seq", "version", "at", "by")]  # as in Event
_NAMES = select(_studies.c.name).order_by(_studies.c.id)
_STUDY = select(_studies.c.id, _studies.c.last_seq).where(_studies.c.name == bindparam("study"))
_STUDY_TO_WRITE = _STUDY.with_for_update()
_SINCE = (
    select(*_COLUMNS)
    .where(_events.c.study_id == bindparam("study_id"), _events.c.seq > bindparam("since"))
    .order_by(_events.c.seq)
)
_WITH_KEYS = select(*_COLUMNS).where(
    _events.c.study_id == bindparam("study_id"), _events.c.key.in_(bindparam("keys", expanding=True))
)
_INSERT_STUDY = insert(_studies).returning(_studies.c.id)
_INSERT_EVENTS = insert(_events)
_COUNT = update(_studies).where(_studies.c.id == bindparam("study_id")).values(last_seq=bindparam("last"))


class SQLStorage:
    """Studies in an SQLite database, for any number of threads and processes of one machine.

    Args:
        url: `sqlite:///` and the path of the file; made by the first append, its folder must be there.
        durability: "full" waits for the disk at each append, which then survives a power cut; "process" does not: an
            append survives a killed process, a power cut may take the last ones.
    Raises:
        StorageError: there is something else than a log at the path, or it lies on a network file system.
    """

    def __init__(self, url: str, durability: Durability = "full") -> None:
        if not url.startswith("sqlite:///"):
            raise StorageError(f"A database is given as 'sqlite:///path': got {url!r}.")
        self._path = Path(url.removeprefix("sqlite:///")).absolute()
        self._durability = durability
        self.url = f"sqlite:///{self._path}" + ("?durability=process" if durability == "process" else "")
        self._is_known = False  # the file has the tables of a log
        self._is_prepared = False  # and takes readers beside a writer
        self._engine = sqlite.engine(self._path, durability)
        self._pid = os.getpid()
        try:
            self._is_there()
        except BaseException:
            self.close()
            raise

    def append(self, study: str, events: Sequence[Event]) -> int:
        check_events(study, events)
        if not self._is_prepared:
            if events[0].kind != "created" and not self._is_there():
                raise not_found(study, [], self.url)
            self._prepare()
        with self._connected(writes=True) as c:
            found = c.execute(_STUDY_TO_WRITE, {"study": study}).first()
            if found is None:
                if events[0].kind != "created":
                    raise not_found(study, _names(c), self.url)
                study_id, last = _insert_study(c, study), 0
            else:
                study_id, last = found
            standing = _with_keys(c, study_id, [e.key for e in events]) if last else {}
            new, highest = new_events(study, events, standing=standing.get, last=last, url=self.url)
            if new:
                c.execute(_INSERT_EVENTS, [_row(study_id, e) for e in new])
                c.execute(_COUNT, {"study_id": study_id, "last": last + len(new)})
        return highest

    def events(self, study: str, since: int = 0) -> list[Event]:
        if not self._is_there():
            raise not_found(study, [], self.url)
        with self._connected() as c:
            found = c.execute(_STUDY, {"study": study}).first()
            if found is None:
                raise not_found(study, _names(c), self.url)
            return [Event(*row) for row in c.execute(_SINCE, {"study_id": found[0], "since": since})]

    def studies(self) -> list[str]:
        if not self._is_there():
            return []
        with self._connected() as c:
            return _names(c)

    def close(self) -> None:
        self._engine_here().dispose()

    @contextlib.contextmanager
    def _connected(self, *, writes: bool = False) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, or rolled back by an error."""
        try:
            with self._engine_here().connect().execution_options(writes=writes) as c, c.begin():
                yield c
        except DBAPIError as error:
            raise self._failed(error.orig) from error

    def _engine_here(self) -> Engine:
        if self._pid != os.getpid():
            # SQLite's connections may not cross a fork, not even to be closed: they are left as they are.
            _left_by_fork.append(self._engine)
            self._engine, self._pid = sqlite.engine(self._path, self._durability), os.getpid()
        return self._engine

    def _failed(self, error: BaseException | None) -> StorageError:
        return StorageError(f"Cannot use {self.url}: {sqlite.meaning(error)} The log is unchanged.")

    def _is_there(self) -> bool:
        """Whether the file has the tables of a log; one without any table is as good as none."""
        if not self._is_known and self._path.exists() and self._path.stat().st_size:
            with self._connected() as c:
                self._is_known = self._has_tables(c)
        return self._is_known

    def _has_tables(self, c: Connection) -> bool:
        tables = inspect(c).get_table_names()
        if not tables:
            return False
        version = c.scalar(select(_format.c.version)) if _format.name in tables else None
        if version is None:
            raise StorageError(
                f"{self._path} is an SQLite database, but not a log of bbo: it has the tables {', '.join(tables)}. "
                "The file is unchanged. Give the path of a log, or of a file that is not there yet."
            )
        if version > FORMAT:
            raise NewerFormatError(
                f"{self._path} has format {version}; this bbo reads formats up to {FORMAT}. "
                "It was written by a later version: upgrade bbo to open it."
            )
        return True

    def _prepare(self) -> None:
        try:
            if not self._is_there():
                self._path.touch()
            sqlite.use_wal(self._engine_here())
        except (OSError, sqlite3.Error, DBAPIError) as error:
            raise self._failed(error.orig if isinstance(error, DBAPIError) else error) from error
        with self._connected(writes=True) as c:
            if not self._has_tables(c):
                _tables.create_all(c)
                c.execute(insert(_format), {"version": FORMAT})
        self._is_known = self._is_prepared = True


_left_by_fork: list[Engine] = []


def _names(c: Connection) -> list[str]:
    return list(c.scalars(_NAMES))


def _insert_study(c: Connection, study: str) -> int:
    row = {"name": study, "last_seq": 0, "created_at": now()}
    return int(c.execute(_INSERT_STUDY, row).scalar_one())


def _with_keys(c: Connection, study_id: int, keys: Sequence[str]) -> dict[str, Event]:
    found = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        rows = c.execute(_WITH_KEYS, {"study_id": study_id, "keys": keys[start : start + _KEYS_AT_ONCE]})
        found.update({e.key: e for e in (Event(*row) for row in rows)})
    return found


def _row(study_id: int, e: Event) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "seq": e.seq,
        "kind": e.kind,
        "version": e.version,
        "key": e.key,
        "trial": e.trial,
        "at": e.at,
        "by": e.by,
        "body": e.body,
    }
