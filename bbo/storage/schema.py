"""The tables of a log in a database, and which revision of them a database has.

`alembic_version` holds the revision; `migrations` has a script for each step. A new database gets the newest tables at
once. alembic is imported when an older one is opened, not before: it takes a while to load.
"""

import logging
import threading

from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
)

from bbo.errors import NewerFormatError, StorageError
from bbo.storage.database import Database

logger = logging.getLogger(__name__)
REVISIONS = ("1", "2")
_FIRST, NEWEST = REVISIONS[0], REVISIONS[-1]
# alembic hands its scripts the connection by a global.
_one_at_a_time = threading.Lock()
# The first revision had a table of its own for this.
_TABLE_OF_THE_FIRST = "bbo_format"

TABLES = MetaData()
studies = Table(
    "studies",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # The counter is set in the transaction that inserts: a number that is seen has all lower ones before it. With an
    # identity column, a reader at `since` would miss what commits late.
    Column("last_seq", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("last_hash", Text, nullable=False),
)
events = Table(
    "events",
    TABLES,
    Column("study_id", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("trial", Integer),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("study_id", "key"),
)
leases = Table(
    "leases",
    TABLES,
    Column("study_id", Integer, ForeignKey("studies.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("taken_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
)
_version = Table(
    "alembic_version",
    TABLES,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def revision(c: Connection, database: Database) -> str | None:
    """That of the log in the database; None where there is no table at all, which is as good as no database.

    Raises:
        NewerFormatError: a later version of bbo made it.
        StorageError: the tables are another program's.
    """
    tables = inspect(c).get_table_names()
    if not tables:
        return None
    found: str | None = None
    if {studies.name, events.name} <= set(tables):
        if _version.name in tables:
            found = c.scalar(select(_version.c.version_num))
        elif _TABLE_OF_THE_FIRST in tables:
            found = _FIRST
    if found is None:
        raise StorageError(
            f"{database.url} is a database, but not a log of bbo: it has the tables {', '.join(sorted(tables))}. "
            f"It is unchanged. {database.remedy}"
        )
    if found not in REVISIONS:
        raise NewerFormatError(
            f"{database.url} has format {found}; this bbo reads formats up to {NEWEST}. "
            "It was written by a later version: upgrade bbo to open it."
        )
    return found


def create_or_migrate(c: Connection, database: Database) -> None:
    """Bring the database to the newest revision, whatever it has; for the transaction of one writer.

    Raises:
        NewerFormatError, StorageError: as `revision`.
    """
    database.lock_schema(c)
    found = revision(c, database)
    if found is None:
        TABLES.create_all(c)
        c.execute(insert(_version), {"version_num": NEWEST})
    elif found != NEWEST:
        upgrade(c, found)
        logger.info("%s was brought from format %s to %s.", database.url, found, NEWEST)


def upgrade(c: Connection, since: str | None, to: str = NEWEST) -> None:
    """Run the scripts from one revision, None for no tables, to another."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "bbo.storage:migrations")
    config.attributes["connection"] = c
    with _one_at_a_time:
        if since == _FIRST:
            command.stamp(config, _FIRST)  # it had no alembic yet
        command.upgrade(config, to)
