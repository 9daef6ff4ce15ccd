"""The log in a database. Imported when one is opened: SQLAlchemy takes a while to load."""

import sys
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, select, text, update

from bbo.errors import DamagedError, StorageError
from bbo.events import GENESIS, Event, now
from bbo.storage import schema
from bbo.storage.database import Database, Purpose
from bbo.storage.leases import FORGOTTEN_S
from bbo.storage.protocol import Durability, Lease, check_events, new_events, not_found, stale
from bbo.storage.schema import events as _events
from bbo.storage.schema import leases as _leases
from bbo.storage.schema import studies as _studies
from bbo.storage.sqlite import SQLiteFile

_KEYS_AT_ONCE = 500
T = TypeVar("T")

_COLUMNS = [_events.c[name] for name in ("kind", "key", "body", "trial", "seq", "version", "at", "by", "hash")]
# Of what is read, as a damaged SQLite file has any type in any column.
_NAME_TYPES = {(str,)}
_STUDY_TYPES = {(int, int), (int, int, str)}
_EVENT_TYPES = {(str, str, str, trial, int, int, str, str, str) for trial in (int, type(None))}
_STUDY_AND_LEASE_TYPES = {(int, int, str, str, str, float, float), (int, int, *[type(None)] * 5)}
_NAMES = select(_studies.c.name).order_by(_studies.c.id)
_STUDY = select(_studies.c.id, _studies.c.last_seq).where(_studies.c.name == bindparam("study"))
# Without `key_share` whoever takes a lease would wait: it refers to the study.
_STUDY_TO_WRITE = (
    select(_studies.c.id, _studies.c.last_seq, _studies.c.last_hash)
    .where(_studies.c.name == bindparam("study"))
    .with_for_update(key_share=True)
)
_SINCE = (
    select(*_COLUMNS)
    .where(_events.c.study_id == bindparam("study_id"), _events.c.seq > bindparam("since"))
    .order_by(_events.c.seq)
)
_WITH_KEYS = select(*_COLUMNS).where(
    _events.c.study_id == bindparam("study_id"), _events.c.key.in_(bindparam("keys", expanding=True))
)
# Another process may make the same study at once; the second waits for the first, and finds it.
_INSERT_STUDY = text(
    "INSERT INTO studies (name, last_seq, created_at, last_hash) VALUES (:study, 0, :created_at, :last_hash) "
    "ON CONFLICT (name) DO NOTHING"
)
_INSERT_EVENTS = text(
    'INSERT INTO events (study_id, seq, kind, version, key, trial, at, "by", body, hash) '
    "VALUES (:study_id, :seq, :kind, :version, :key, :trial, :at, :by, :body, :hash) ON CONFLICT DO NOTHING"
)
_COUNT = (
    update(_studies)
    .where(_studies.c.id == bindparam("study_id"))
    .values(last_seq=bindparam("last"), last_hash=bindparam("hash"))
)

_THIS_LEASE = (
    _leases.c.study_id == select(_studies.c.id).where(_studies.c.name == bindparam("study")).scalar_subquery(),
    _leases.c.name == bindparam("lease"),
    _leases.c.token == bindparam("held_by"),
)
_HELD_TO_WRITE = select(_leases.c.token).where(*_THIS_LEASE).with_for_update()
_RELEASE = delete(_leases).where(*_THIS_LEASE)
_TAKE = """
    INSERT INTO leases (study_id, name, token, data, taken_at, ends_at)
    SELECT id, :name, :token, :data, {clock}, {clock} + :seconds FROM studies WHERE name = :study
    ON CONFLICT (study_id, name) DO UPDATE SET
        data = CASE WHEN leases.token = excluded.token THEN leases.data ELSE excluded.data END,
        taken_at = CASE WHEN leases.token = excluded.token THEN leases.taken_at ELSE {clock} END,
        token = excluded.token,
        ends_at = {clock} + :seconds
    WHERE leases.ends_at <= {clock} OR leases.token IN (:token, :instead_of)
    RETURNING name, token, data, taken_at, ends_at - {clock}, EXISTS (
        SELECT 1 FROM leases AS old WHERE old.study_id = leases.study_id AND old.ends_at <= {clock} - :forgotten
    )
"""
_FORGET = """
    DELETE FROM leases WHERE ends_at <= {clock} - :forgotten AND study_id = (SELECT id FROM studies WHERE name = :study)
"""
_RENEW = """
    UPDATE leases SET ends_at = {clock} + :seconds
    WHERE name = :name AND token = :token AND study_id = (SELECT id FROM studies WHERE name = :study)
"""
_STUDY_AND_LEASES = """
    SELECT studies.id, studies.last_seq, leases.name, token, data, taken_at, ends_at - {clock}
    FROM studies LEFT JOIN leases ON leases.study_id = studies.id AND substr(leases.name, 1, :n) = :prefix
    WHERE studies.name = :study
"""


class _NotNewError(Exception):
    """An append found that a key of its events stands, or that the lease is not held."""


class SQLStorage:
    """Studies in an SQLite database, for the processes of one machine, or in a PostgreSQL, for those of many.

    Args:
        url: `sqlite:///` and the path of the file, which the first append makes, its folder must be there; or
            `postgresql://user:password@host:port/database`, also with libpq's options behind a `?`.
        durability: of SQLite: "full" waits for the disk at each append, which then survives a power cut; "process" does
            not: an append survives a killed process, a power cut may take the last ones. Of PostgreSQL the server
            decides.
    Raises:
        StorageError: there is something else than a log, the file lies on a network file system, the server does not
            let us in or does not answer; NewerFormatError among them.
    """

    def __init__(self, url: str, durability: Durability = "full") -> None:
        self._database = _database(url, durability)
        self.url = self._database.url
        clock = self._database.clock
        self._take, self._forget, self._renew, self._study_and_leases = (
            text(statement.format(clock=clock)) for statement in (_TAKE, _FORGET, _RENEW, _STUDY_AND_LEASES)
        )
        self._is_known = False  # it has the newest tables of a log
        self._is_prepared = False  # and is ready to be written
        try:
            self._is_there()
        except BaseException:
            self.close()
            raise

    def append(self, study: str, events: Sequence[Event], *, lease: Lease | None = None, releases: bool = False) -> int:
        check_events(study, events)
        if not self._is_prepared:
            if events[0].kind != "created" and not self._is_there():
                raise not_found(study, [], self.url)
            self._prepare()

        def append(c: Connection, *, looks: bool) -> int:
            return self._append(c, study, events, lease, releases, looks=looks)

        with suppress(_NotNewError):  # nearly always all is new, and to look for it first is one statement more
            return self._database.run("append", partial(append, looks=False))
        return self._database.run("append", partial(append, looks=True))

    def events(self, study: str, since: int = 0) -> list[Event]:
        def read(c: Connection) -> list[Event]:
            study_id, last = self._found(c, study)  # before the events, as others append
            return self._since(c, study, study_id, last, since)

        return self._run_where_there("read", study, read)

    def studies(self) -> list[str]:
        return self._database.run("read", self._names) if self._is_there() else []

    def take(
        self, study: str, name: str, token: str, seconds: float, data: str = "", *, instead_of: str | None = None
    ) -> Lease | None:
        wanted = {"study": study, "name": name, "token": token, "data": data, "seconds": seconds}

        def take(c: Connection) -> Lease | None:
            row = c.execute(self._take, wanted | {"instead_of": instead_of, "forgotten": FORGOTTEN_S}).first()
            if row is None:
                self._found(c, study)
                return None
            *lease, has_old = row
            if has_old:
                c.execute(self._forget, {"study": study, "forgotten": FORGOTTEN_S})
            return Lease(*lease)

        return self._run_where_there("lease", study, take)

    def renew(self, study: str, lease: Lease, seconds: float) -> bool:
        held = {"study": study, "name": lease.name, "token": lease.token, "seconds": seconds}

        def renew(c: Connection) -> bool:
            is_held = c.execute(self._renew, held).rowcount > 0
            if not is_held:
                self._found(c, study)
            return is_held

        return self._run_where_there("lease", study, renew)

    def release(self, study: str, lease: Lease) -> None:
        def release(c: Connection) -> None:
            if c.execute(_RELEASE, _held(study, lease)).rowcount == 0:
                self._found(c, study)

        self._run_where_there("lease", study, release)

    def leases(self, study: str) -> list[Lease]:
        return self.look(study, sys.maxsize, "")[1]

    def look(self, study: str, since: int, prefix: str) -> tuple[list[Event], list[Lease]]:
        def read(c: Connection) -> tuple[list[Event], list[Lease]]:
            found = c.execute(self._study_and_leases, {"study": study, "prefix": prefix, "n": len(prefix)})
            rows = self._typed(found, _STUDY_AND_LEASE_TYPES)
            if not rows:
                raise not_found(study, self._names(c), self.url)
            study_id, last = rows[0][:2]
            leases = [Lease(*lease) for _, _, *lease in rows if lease[0] is not None]
            return self._since(c, study, study_id, last, since), leases

        events, leases = self._run_where_there("read", study, read)
        return events, sorted(leases, key=lambda lease: (lease.taken_at, lease.name))

    def close(self) -> None:
        self._database.close()

    def _append(
        self,
        c: Connection,
        study: str,
        events: Sequence[Event],
        lease: Lease | None,
        releases: bool,
        *,
        looks: bool,
    ) -> int:
        """Appends what is new: that for which it `looks`, or else all.

        Raises:
            _NotNewError: all is not new, or the lease is another's; only where it does not look.
        """
        study_id, last, last_hash = self._found_to_write(c, study, creates=events[0].kind == "created")
        standing = self._with_keys(c, study_id, [e.key for e in events]) if looks and last else {}
        new, highest = new_events(study, events, standing=standing.get, last=last, last_hash=last_hash, url=self.url)
        if lease is not None:
            is_held = _is_held(c, study, lease, releases)
            if new and not is_held:
                raise stale(study, lease, self.url) if looks else _NotNewError
        if new:
            rows = [_row(study_id, e) for e in new]
            n_written = c.execute(_INSERT_EVENTS, rows if len(rows) > 1 else rows[0]).rowcount
            if n_written != len(new):
                if not looks:
                    raise _NotNewError
                raise DamagedError(
                    f"Study {study!r} in {self.url} has events above number {last}, which should be its last one. "
                    "Nothing was written. Restore a copy."
                )
            c.execute(_COUNT, {"study_id": study_id, "last": new[-1].seq, "hash": new[-1].hash})
        return highest

    def _found_to_write(self, c: Connection, study: str, *, creates: bool) -> tuple[int, int, str]:
        """The study's number, that of its last event, and its hash; nobody else appends until the transaction ends."""
        found = c.execute(_STUDY_TO_WRITE, {"study": study}).first()
        if found is None:
            if not creates:
                raise not_found(study, self._names(c), self.url)
            c.execute(_INSERT_STUDY, {"study": study, "created_at": now(), "last_hash": GENESIS})
            found = c.execute(_STUDY_TO_WRITE, {"study": study}).one()
        study_id, last, last_hash = self._typed([found], _STUDY_TYPES)[0]
        return study_id, last, last_hash

    def _since(self, c: Connection, study: str, study_id: int, last: int, since: int) -> list[Event]:
        """The events above a number, of a study that had its `last` before they are read."""
        if last <= since:
            return []
        rows = c.execute(_SINCE, {"study_id": study_id, "since": since})
        found = [Event(*row) for row in self._typed(rows, _EVENT_TYPES)]
        if last > max(since, found[-1].seq if found else 0):
            raise DamagedError(
                f"Study {study!r} in {self.url} was cut short by other hands: it should have {last} events, and none "
                f"is there above {found[-1].seq if found else since}. Restore a copy."
            )
        return found

    def _names(self, c: Connection) -> list[str]:
        return [name for (name,) in self._typed(c.execute(_NAMES), _NAME_TYPES)]

    def _with_keys(self, c: Connection, study_id: int, keys: Sequence[str]) -> dict[str, Event]:
        found = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            rows = c.execute(_WITH_KEYS, {"study_id": study_id, "keys": keys[start : start + _KEYS_AT_ONCE]})
            found.update({e.key: e for e in (Event(*row) for row in self._typed(rows, _EVENT_TYPES))})
        return found

    def _typed(self, rows: Iterable[Any], types: Container[tuple[type, ...]]) -> list[Any]:
        """The rows, if each has the types of its columns."""
        typed = []
        for row in rows:
            if tuple(map(type, row)) not in types:
                raise DamagedError(
                    f"{self.url} has a row with values of other types than it was written with: {tuple(row)!r:.200}. "
                    "Nothing was written. Restore a copy."
                )
            typed.append(row)
        return typed

    def _run_where_there(self, purpose: Purpose, study: str, work: Callable[[Connection], T]) -> T:
        """As `Database.run`, of a database that has tables; it has no study where it has none."""
        if not self._is_there():
            raise not_found(study, [], self.url)
        if purpose != "read" and not self._is_prepared:
            self._prepare()
        return self._database.run(purpose, work)

    def _found(self, c: Connection, study: str) -> tuple[int, int]:
        """The number of the study, and of its last event."""
        found = c.execute(_STUDY, {"study": study}).first()
        if found is None:
            raise not_found(study, self._names(c), self.url)
        study_id, last = self._typed([found], _STUDY_TYPES)[0]
        return study_id, last

    def _is_there(self) -> bool:
        """Whether the database has the tables of a log, older ones being brought to what they are now."""
        if not self._is_known and self._database.may_hold_a_log():
            found = self._database.run("read", lambda c: schema.revision(c, self._database))
            if found is not None and found != schema.NEWEST:
                self._migrate(found)
            self._is_known = found is not None
        return self._is_known

    def _migrate(self, found: str) -> None:
        try:
            self._database.run("append", lambda c: schema.create_or_migrate(c, self._database))
        except StorageError as error:
            raise StorageError(
                f"The log is of an earlier version of bbo (format {found}) and cannot be brought to format "
                f"{schema.NEWEST}, so it cannot be opened. {error} Who may write opens it once, or a copy of it."
            ) from error

    def _prepare(self) -> None:
        is_there = self._is_there()
        if not is_there:
            self._database.create()
        self._database.prepare()
        if not is_there:
            self._database.run("append", lambda c: schema.create_or_migrate(c, self._database))
        self._is_known = self._is_prepared = True


def _database(url: str, durability: Durability) -> Database:
    if url.startswith("sqlite:///"):
        return SQLiteFile(url.removeprefix("sqlite:///"), durability)
    from bbo.storage.postgres import PostgreSQL

    return PostgreSQL(url)


def _is_held(c: Connection, study: str, lease: Lease, releases: bool) -> bool:
    """Whether the lease is, being given up if it `releases`, or held on to until the transaction ends."""
    if releases:
        return c.execute(_RELEASE, _held(study, lease)).rowcount > 0
    return c.execute(_HELD_TO_WRITE, _held(study, lease)).first() is not None


def _held(study: str, lease: Lease) -> dict[str, str]:
    return {"study": study, "lease": lease.name, "held_by": lease.token}


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
        "hash": e.hash,
    }
