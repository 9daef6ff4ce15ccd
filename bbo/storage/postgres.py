"""What PostgreSQL needs beside the SQL that all databases share: settings of a connection, what its errors mean, and
patience when it is away.

Every verb of a storage may be done twice, so what a lost connection has cut off is done again as a whole, until the
server is back or our patience is over. A client that has vanished does not block the others for long: the server ends
what is idle within a transaction, and both sides notice a dead peer within some 15 s.
"""

import itertools
import logging
import random
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bbo.errors import BusyError, StorageError
from bbo.storage.database import OwnEngine, Purpose

try:
    import psycopg
except ImportError as missing:
    raise StorageError("A log in PostgreSQL needs psycopg 3: pip install 'bbo[postgres]'") from missing

logger = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE_S = 120.0  # with a server that was reached before
OPENING_S = 5.0  # with one that was not
LOCK_S = 60
_LONGEST_PAUSE_S = 1.0
_chance = random.SystemRandom()  # forked children must not pause alike
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS; the user's own in the URL win.
_CONNECTING = {
    "application_name": "bbo",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_SESSION = {
    # Who waits for a lock must then see what the holder has written.
    "default_transaction_isolation": r"read\ committed",
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": f"{LOCK_S}s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_SECRETS = ("password", "sslpassword")
# Of the advisory lock under which tables are made and changed; any number would do.
_SCHEMA_LOCK = 0x62626F
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection lost, shutdown, crash, starting up, idle
# for too long, too many clients; serialization failure, deadlock.
_PASSING = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "53300", "40001", "40P01")
# What is wrong, by a pattern in what the server says when it does not let us in, which comes without a state. It may
# say it in another language: then we try for a while, and quote it in the end.
_AT_THE_DOOR = {
    "authentication failed": "the user or the password is wrong. {password}",
    "no password supplied": "it asks for a password. {password}",
    "no pg_hba\\.conf entry": (
        "the server's pg_hba.conf does not let this user into this database from here. Ask who runs it."
    ),
    "permission denied for database": "this role may not connect. GRANT CONNECT ON DATABASE ... TO it.",
    "not permitted to log in": "this role may not log in. ALTER ROLE ... LOGIN, or take another.",
    "not currently accepting connections": "this database takes no connections. Give another.",
    'database ".*" does not exist': "there is no such database. Make it first (createdb), or check the name.",
    'role ".*" does not exist': "there is no such role. Make it first (createuser), or check the name.",
    "server does not support SSL": "it has no SSL. Leave out sslmode, or have it set up.",
    "unsupported startup parameter": (
        "a pooler in between refuses our settings. Have PgBouncer set ignore_startup_parameters = options, or give the "
        "URL of the server itself."
    ),
    "certificate": "its certificate does not fit. Check sslmode, sslrootcert and the name of the host.",
}
_PASSWORD = "Check both; the password goes into the URL (special characters as %XX), PGPASSWORD or ~/.pgpass."
# And by the state of the error of a statement.
_MEANINGS = {
    "42501": (
        "the role may not do this. To read it needs USAGE on the schema and SELECT on all its tables; to write also "
        "INSERT, UPDATE and DELETE on them, and USAGE on its sequences; to make or upgrade them, CREATE on the schema."
    ),
    "25006": "it takes no writes: it is a standby or read-only. Give the URL of the primary server.",
    "53100": "the server's disk is full. Make space there and try again.",
    "54000": "a study's name or an event's key is too long: about 2,700 bytes is the most. Shorten it.",
    "3F000": "there is no such schema. CREATE SCHEMA it first, or check search_path.",
}


class PostgreSQL:
    """A database of a server; at most two connections for each process.

    Raises:
        StorageError: the URL cannot be parsed, or has an option that is not for PostgreSQL.
    """

    clock = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
    remedy = "Make a database for bbo alone (createdb), or a schema, and add ?options=-csearch_path%3DNAME to the URL."

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        hidden = {name: "***" for name in _SECRETS if name in parsed.query}
        self.url = parsed.update_query_dict(hidden).set(drivername="postgresql").render_as_string(hide_password=True)
        self._engine = OwnEngine(lambda: _engine(parsed))
        self._was_reached = False

    def may_hold_a_log(self) -> bool:
        return True

    def create(self) -> None:
        encoding = self.run("read", lambda c: c.scalar(text("SHOW server_encoding")))
        if encoding != "UTF8":
            raise StorageError(
                f"{self.url} has the encoding {encoding}, which cannot hold every text. "
                "Make another database: createdb --encoding=UTF8 --template=template0"
            )

    def prepare(self) -> None:
        """It is ready."""

    def run(self, purpose: Purpose, work: Callable[[Connection], T]) -> T:
        # A single statement is a transaction by itself: no BEGIN and COMMIT to wait for.
        options: dict[str, Any] = {} if purpose == "append" else {"isolation_level": "AUTOCOMMIT"}
        patience_s = PATIENCE_S if self._was_reached else OPENING_S
        started = time.monotonic()
        is_waiting = False
        for attempt in itertools.count():
            try:
                with self._engine.here().connect() as c:
                    c.execution_options(**options)
                    with c.begin():
                        done = work(c)
            except (DBAPIError, psycopg.Error, PoolTimeoutError) as error:
                cause = error.orig if isinstance(error, DBAPIError) else error
                waited_s = time.monotonic() - started
                if not _is_passing(cause) or waited_s > patience_s:
                    raise self._failed(cause, waited_s) from error
                if attempt and not is_waiting and self._was_reached:
                    is_waiting = True
                    logger.warning("%s is away, trying again for %.0f s: %s", self.url, patience_s, _first_line(cause))
            except Exception:  # of `work` itself: the server answered
                self._say_back(started, is_waiting)
                raise
            else:
                self._was_reached = True
                self._say_back(started, is_waiting)
                return done
            if attempt:  # at first at once: often only this connection was lost
                time.sleep(min(_LONGEST_PAUSE_S, 0.02 * 2**attempt) * _chance.uniform(0.5, 1.0))
        raise AssertionError  # count() does not end

    def lock_schema(self, c: Connection) -> None:
        c.execute(text("SET LOCAL lock_timeout = 0"))  # to change the tables of a large log takes a while
        c.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SCHEMA_LOCK})

    def close(self) -> None:
        self._engine.here().dispose()

    def _say_back(self, since: float, was_away: bool) -> None:
        if was_away:
            logger.info("%s is back after %.1f s.", self.url, time.monotonic() - since)

    def _failed(self, cause: BaseException | None, waited_s: float) -> StorageError:
        state = getattr(cause, "sqlstate", None) or ""
        if isinstance(cause, PoolTimeoutError):
            return BusyError(f"No connection to {self.url} was free for {waited_s:.0f} s: its other threads have both.")
        if state == "55P03":
            return BusyError(
                f"Cannot use {self.url}: another session held its lock for {LOCK_S} s. The log is unchanged. "
                "See in pg_stat_activity who writes for so long, and try again."
            )
        if _is_passing(cause):
            return StorageError(
                f"Gave up {self.url} after {waited_s:.0f} s: {_first_line(cause)} "
                "Check that the server runs, the host and port, and the network. What was being written is in the log "
                "wholly or not at all; writing the same again is safe."
            )
        meaning = _MEANINGS.get(state) or _refusal(cause) or "the server refused it."
        return StorageError(f"Cannot use {self.url}: {meaning} The log is unchanged. ({_first_line(cause)})")


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    # The URL may hold a password where it does not belong, so it is not shown, neither here nor in a cause.
    if parsed is None or "@" in (parsed.host or "") or "@" in (parsed.database or ""):
        raise StorageError(
            "A database is given as 'postgresql://user:password@host:port/database', special characters of the "
            "password as %XX, or as 'sqlite:///path': got something else (not shown: it may hold a password)."
        )
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise StorageError(
            f"A database is given as 'postgresql://...' or 'sqlite:///path': got {parsed.drivername!r} before the "
            "'://'."
        )
    if "durability" in parsed.query:
        raise StorageError(
            f"?durability= is for files: got durability={parsed.query['durability']!r} for a PostgreSQL, where the "
            "server decides (synchronous_commit, fsync). Leave it out."
        )
    return parsed


def _engine(url: URL) -> Engine:
    session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    own = url.query.get("options", "")
    options = " ".join([session, *([own] if isinstance(own, str) else own)])  # the last one wins
    return create_engine(
        url.set(drivername="postgresql+psycopg", query={**_CONNECTING, **url.query, "options": options}),
        pool_size=1,
        max_overflow=1,
        pool_timeout=PATIENCE_S,
        use_native_hstore=False,  # saves a query at each connection
    )


def _is_passing(cause: BaseException | None) -> bool:
    """Whether the same may succeed in a while."""
    state = getattr(cause, "sqlstate", None)
    if state:
        return bool(state.startswith(_PASSING))
    # A connection that ends within a reply is a DatabaseError of no closer kind.
    is_lost = isinstance(cause, psycopg.OperationalError) or type(cause) is psycopg.DatabaseError
    return is_lost and _refusal(cause) is None


def _refusal(cause: BaseException | None) -> str | None:
    """What it means where it is the server's refusal to let us in."""
    said = str(cause)
    for words, meaning in _AT_THE_DOOR.items():
        if re.search(words, said) and getattr(cause, "sqlstate", None) is None:
            return meaning.format(password=_PASSWORD)
    return None


def _first_line(cause: BaseException | None) -> str:
    return str(cause).partition("\n")[0].rstrip(".") + "."
