"""Databases of earlier formats are brought to the newest one when they are opened, and end up as new ones begin."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from bbo.errors import NewerFormatError, StorageError
from bbo.events import GENESIS, chained, event
from bbo.storage import open_storage, schema, sqlite
from bbo.storage.sql import SQLStorage

GOLDEN = Path(__file__).parents[1] / "golden" / "v1.db"
CREATED = event("created", "created", {"seed": 1})


@pytest.fixture
def old(tmp_path):
    """A log of format 1."""
    return Path(shutil.copy(GOLDEN, tmp_path / "old.db"))


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path):
    """Connections to an empty database."""
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    else:
        made = create_engine(request.getfixturevalue("fresh_postgres_url").replace("://", "+psycopg://"))
    yield made
    made.dispose()


def rows_of(path):
    """The events as a version 1 read them, by study."""
    raw = sqlite3.connect(path)
    try:
        columns = "name, seq, kind, version, key, trial, at, by, body"
        return raw.execute(f"SELECT {columns} FROM events JOIN studies ON id = study_id ORDER BY 1, 2").fetchall()
    finally:
        raw.close()


def read(storage):
    return [
        (name, e.seq, e.kind, e.version, e.key, e.trial, e.at, e.by, e.body)
        for name in sorted(storage.studies())
        for e in storage.events(name)
    ]


def hashes(events):
    expected = [GENESIS]
    for e in events:
        expected.append(chained(expected[-1], e))
    return expected[1:]


def test_a_log_of_format_1_keeps_every_event_and_gets_the_chain_that_a_new_log_would_have(old):
    before = rows_of(old)
    storage = SQLStorage(f"sqlite:///{old}")
    events = storage.events("golden")
    assert read(storage) == before
    assert [e.hash for e in events] == hashes(events)
    storage.append("golden", [event("opened", "later", {})])
    assert [e.hash for e in storage.events("golden")] == hashes(storage.events("golden"))
    assert storage.take("golden", "ask", "mine", 10.0) is not None
    storage.close()


def test_each_study_of_a_log_of_format_1_has_a_chain_of_its_own(old):
    raw = sqlite3.connect(old)
    raw.execute("INSERT INTO studies SELECT 2, 'other', last_seq, created_at FROM studies")
    raw.execute("INSERT INTO events SELECT 2, seq, kind, version, key, trial, at, by, body FROM events")
    # More events than are read at once.
    more = [(2, 30 + k, "asked", 1, f"more/{k}", None, "", "", f'{{"k":{k}}}') for k in range(2500)]
    raw.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", more)
    raw.execute("UPDATE studies SET last_seq = 2529 WHERE id = 2")
    raw.commit()
    raw.close()
    storage = SQLStorage(f"sqlite:///{old}")
    one, two = storage.events("golden"), storage.events("other")
    assert [e.hash for e in one] == [e.hash for e in two[:29]] == hashes(one)
    assert storage.append("other", [event("opened", "later", {})]) == 2530
    two = storage.events("other")
    assert [e.hash for e in two] == hashes(two)
    storage.close()


def test_a_migrated_log_has_no_trace_of_the_old_format(old):
    SQLStorage(f"sqlite:///{old}").close()
    raw = sqlite3.connect(old)
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"studies", "events", "leases", "alembic_version"}
    assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [("2",)]
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    raw.close()


def _open(url, barrier, results):
    barrier.wait()
    storage = open_storage(url)
    results.put(read(storage))
    storage.close()


def test_processes_that_open_an_old_log_at_once_all_read_it(old):
    before = rows_of(old)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open, args=(str(old), barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [before] * 3
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_processes_that_open_an_old_log_in_postgres_at_once_all_read_it(old, fresh_postgres_url):
    before = rows_of(old)
    _as_format_1(fresh_postgres_url, old)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open, args=(fresh_postgres_url, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [before] * 3
    for process in processes:
        process.join()
        assert process.exitcode == 0
    storage = open_storage(fresh_postgres_url)
    events = storage.events("golden")
    assert [e.hash for e in events] == hashes(events)
    assert storage.append("golden", [event("opened", "later", {})]) == len(events) + 1
    storage.close()


def _as_format_1(url, path):
    """Tables of the first revision in PostgreSQL, with the rows of the file."""
    made = create_engine(url.replace("://", "+psycopg://"))
    raw = sqlite3.connect(path)
    with made.begin() as c:
        schema.upgrade(c, None, "1")
        c.execute(text("DROP TABLE alembic_version"))
        for table, n in (("studies", 4), ("events", 9)):
            for row in raw.execute(f"SELECT * FROM {table}"):
                values = {f"v{k}": value for k, value in enumerate(row)}
                c.execute(text(f"INSERT INTO {table} VALUES ({', '.join(f':v{k}' for k in range(n))})"), values)
    raw.close()
    made.dispose()


def test_threads_that_open_old_logs_at_once_migrate_each_its_own(tmp_path):
    before = rows_of(GOLDEN)
    paths = [Path(shutil.copy(GOLDEN, tmp_path / f"{k}.db")) for k in range(6)]
    barrier = threading.Barrier(len(paths))

    def work(path):
        barrier.wait()
        storage = open_storage(path)
        try:
            return read(storage)
        finally:
            storage.close()

    with ThreadPoolExecutor(len(paths)) as threads:
        assert list(threads.map(work, paths)) == [before] * len(paths)


def test_tables_that_were_migrated_are_those_that_are_made_new(engine):
    with engine.begin() as c:
        schema.upgrade(c, None)
        assert compare_metadata(MigrationContext.configure(c), schema.TABLES) == []
        migrated = _described(c)
        schema.TABLES.drop_all(c)
        schema.TABLES.create_all(c)
        assert _described(c) == migrated


def test_a_difference_between_migrated_and_new_tables_would_be_seen(engine):
    with engine.begin() as c:
        schema.upgrade(c, None, "1")
        differences = str(compare_metadata(MigrationContext.configure(c), schema.TABLES))
        for name in ("last_hash", "hash", "leases", "bbo_format"):
            assert f"'{name}'" in differences


def _described(c):
    """Columns in their order, keys and constraints, from the database's own catalogue."""
    if c.dialect.name == "sqlite":
        # Quotes, spaces and the order of the constraints are as who made the table wrote them.
        found = c.execute(text("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name"))
        return [(name, sorted(sql.replace('"', "").replace(",", " ").split())) for name, sql in found]
    columns = "SELECT attrelid::regclass::text, attnum, attname, atttypid, attnotnull FROM pg_attribute "
    columns += "JOIN pg_class ON pg_class.oid = attrelid WHERE relkind IN ('r', 'S') "
    columns += "AND attnum > 0 AND relnamespace = 'public'::regnamespace ORDER BY 1, 2"
    constraints = "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    constraints += "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
    return [*map(tuple, c.execute(text(columns))), *map(tuple, c.execute(text(constraints)))]


def test_every_revision_has_its_script():
    config = Config()
    config.set_main_option("script_location", "bbo.storage:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert [s.revision for s in reversed(list(scripts.walk_revisions()))] == list(schema.REVISIONS)


def test_a_new_log_is_made_and_opened_without_alembic(tmp_path):
    code = "import sys; from bbo.storage import open_storage; from bbo.events import event\n"
    code += "s = open_storage('log.db'); s.append('s', [event('created', 'created', {})]); s.close()\n"
    code += "open_storage('log.db').close(); sys.exit('alembic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "log.db").exists()


def test_an_old_log_that_cannot_be_written_is_an_error_that_says_what_to_do(old, monkeypatch):
    before = old.read_bytes()
    # The tests may run as root, whom permissions do not bind: SQLite itself is asked to open the file for reading only.
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite.sqlite3, "connect", lambda at, **kw: connect(at.replace("mode=rw", "mode=ro"), **kw))
    with pytest.raises(StorageError, match=r"format 1.*brought to format 2.*read-only.*Who may write opens it once"):
        SQLStorage(f"sqlite:///{old}")
    assert old.read_bytes() == before


def test_an_old_log_in_postgres_is_not_opened_by_a_role_that_may_only_read(postgres_server, old, fresh_postgres_url):
    _as_format_1(fresh_postgres_url, old)
    postgres_server.execute("CREATE ROLE old_reader LOGIN")
    with psycopg.connect(fresh_postgres_url) as c:
        c.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO old_reader")
    with pytest.raises(StorageError, match=r"format 1.*brought to format 2.*may not do this.*Who may write opens it"):
        open_storage(fresh_postgres_url.replace("//postgres@", "//old_reader@"))
    with psycopg.connect(fresh_postgres_url) as c:
        assert c.execute("SELECT version FROM bbo_format").fetchall() == [(1,)]
        c.execute("DROP OWNED BY old_reader")
    postgres_server.execute("DROP ROLE old_reader")
    storage = open_storage(fresh_postgres_url)
    assert read(storage) == rows_of(GOLDEN)
    storage.close()


@pytest.mark.parametrize("at", [5, 15, 29])
def test_a_migration_that_fails_leaves_the_old_log(old, monkeypatch, at):
    before = rows_of(old)

    def failing(before, e):
        if e.seq == at:
            raise KeyboardInterrupt
        return chained(before, e)

    monkeypatch.setattr("bbo.events.chained", failing)
    with pytest.raises(KeyboardInterrupt):
        SQLStorage(f"sqlite:///{old}")
    monkeypatch.undo()
    assert rows_of(old) == before
    storage = SQLStorage(f"sqlite:///{old}")
    assert read(storage) == before
    storage.close()


def test_newer_format_is_an_error_that_says_to_upgrade(tmp_path):
    path = tmp_path / "log.db"
    storage = open_storage(path)
    storage.append("s", [CREATED])
    storage.close()
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("UPDATE alembic_version SET version_num = '3'")
    raw.close()
    with pytest.raises(NewerFormatError, match=r"format 3.*up to 2.*upgrade"):
        open_storage(path)


def test_newer_format_in_postgres_is_an_error_that_says_to_upgrade(fresh_postgres_url):
    storage = open_storage(fresh_postgres_url)
    storage.append("s", [CREATED])
    storage.close()
    with psycopg.connect(fresh_postgres_url) as c:
        c.execute("UPDATE alembic_version SET version_num = '3'")
    with pytest.raises(NewerFormatError, match=r"format 3.*up to 2.*upgrade"):
        open_storage(fresh_postgres_url)


def test_tables_of_a_program_that_uses_alembic_too_are_not_taken_for_a_log(tmp_path):
    path = tmp_path / "log.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE alembic_version (version_num)")
    raw.execute("INSERT INTO alembic_version VALUES ('2')")
    raw.execute("CREATE TABLE studies (id)")
    raw.commit()
    raw.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"not a log of bbo: it has the tables alembic_version, studies"):
        open_storage(path)
    assert path.read_bytes() == before
