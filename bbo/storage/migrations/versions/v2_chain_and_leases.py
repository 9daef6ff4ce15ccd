"""Hashes that chain the events, those there are among them; leases; alembic's own table in place of `bbo_format`."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from bbo.events import GENESIS, Event, chained

revision = "2"
down_revision = "1"
_AT_ONCE = 1000

_studies = sa.table("studies", *map(sa.column, ("id", "last_hash")))
_COLUMNS = ("kind", "key", "body", "trial", "seq", "version", "at", "by")  # as in Event
_events = sa.table("events", *map(sa.column, ("study_id", *_COLUMNS, "hash")))


def upgrade() -> None:
    op.add_column("studies", sa.Column("last_hash", sa.Text))
    op.add_column("events", sa.Column("hash", sa.Text))
    c = op.get_bind()
    for study_id in list(c.scalars(sa.select(_studies.c.id))):
        last_hash = _chain(c, study_id)
        c.execute(sa.update(_studies).where(_studies.c.id == study_id).values(last_hash=last_hash))
    for table, column in (("studies", "last_hash"), ("events", "hash")):
        with op.batch_alter_table(table) as batch:  # SQLite copies the table
            batch.alter_column(column, existing_type=sa.Text, nullable=False)
    op.create_table(
        "leases",
        sa.Column("study_id", sa.Integer, sa.ForeignKey("studies.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("taken_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
    )
    op.drop_table("bbo_format")


def _chain(c: sa.Connection, study_id: int) -> str:
    """The last hash of the study, whose rows get theirs."""
    numbered = (
        sa.select(*(_events.c[name] for name in _COLUMNS))
        .where(_events.c.study_id == study_id, _events.c.seq > sa.bindparam("since"))
        .order_by(_events.c.seq)
        .limit(_AT_ONCE)
    )
    hashed = (
        sa.update(_events)
        .where(_events.c.study_id == study_id, _events.c.seq == sa.bindparam("number"))
        .values(hash=sa.bindparam("own"))
    )
    last, last_hash = 0, GENESIS
    while rows := [Event(*row) for row in c.execute(numbered, {"since": last})]:
        hashes: list[dict[str, Any]] = []
        for e in rows:
            last, last_hash = e.seq, chained(last_hash, e)
            hashes.append({"number": last, "own": last_hash})
        c.execute(hashed, hashes)
    return last_hash
