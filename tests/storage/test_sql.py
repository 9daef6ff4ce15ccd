import multiprocessing
import sqlite3
import threading
import time

import pytest

from bbo.errors import DamagedError, StaleLeaseError, StorageError
from bbo.events import event
from bbo.storage import open_storage, sqlite
from bbo.storage.sql import SQLStorage

CREATED = event("created", "created", {"seed": 1})


def asked(i, **body):
    return event("asked", f"asked/{i}", body)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


@pytest.fixture
def written(path):
    """A log of 400 events without a -wal file beside it."""
    storage = SQLStorage(f"sqlite:///{path}", "process")
    storage.append("s", [CREATED, *(asked(i, x="x" * 500) for i in range(399))])
    storage.close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return path.read_bytes()


@pytest.fixture
def storage(path):
    storage = open_storage(path)
    yield storage
    storage.close()


def _raw(path, statement):
    raw = sqlite3.connect(path, isolation_level=None)
    try:
        return raw.execute(statement).fetchall()
    finally:
        raw.close()


def _pragma(storage, words, purpose="append"):
    """On the connection that does this."""
    return storage._database.run(purpose, lambda c: c.exec_driver_sql(f"PRAGMA {words}").scalar())


def test_tables_are_as_documented(path, storage):
    storage.append("s", [CREATED, asked(0)])
    first, second = storage.events("s")
    assert _raw(path, "SELECT version_num FROM alembic_version") == [("2",)]
    assert _raw(path, "SELECT id, name, last_seq, last_hash FROM studies") == [(1, "s", 2, second.hash)]
    assert _raw(path, "SELECT study_id, seq, kind, key, trial, body, hash FROM events") == [
        (1, 1, "created", "created", None, '{"seed":1}', first.hash),
        (1, 2, "asked", "asked/0", None, "{}", second.hash),
    ]
    storage.take("s", "ask", "mine", 3600.0, "{}")
    (lease,) = storage.leases("s")
    assert _raw(path, "SELECT * FROM leases") == [
        (1, "ask", "mine", "{}", lease.taken_at, pytest.approx(lease.taken_at + 3600, abs=0.1))
    ]
    assert _raw(path, "PRAGMA journal_mode") == [("wal",)]


def test_log_from_a_dump_takes_readers_beside_a_writer_again(path, written):
    assert _raw(path, "PRAGMA journal_mode=DELETE") == [("delete",)]
    storage = open_storage(path)
    assert storage.append("s", [asked(1000)]) == 401
    storage.close()
    assert _raw(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize(("durability", "number"), [("full", 2), ("process", 1)])
def test_durability_is_synchronous_of_every_connection(path, durability, number):
    storage = SQLStorage(f"sqlite:///{path}", durability)
    storage.append("s", [CREATED])
    assert _pragma(storage, "synchronous") == number
    storage.close()


def test_leases_do_not_wait_for_the_disk_when_appends_do(storage):
    storage.append("s", [CREATED])
    held = storage.take("s", "ask", "mine", 600.0)
    assert storage.append("s", [asked(0)], lease=held) == 2
    assert (_pragma(storage, "synchronous"), _pragma(storage, "synchronous", "lease")) == (2, 1)


def test_leases_that_ran_out_an_hour_ago_are_forgotten_when_another_is_taken(path, storage):
    storage.append("s", [CREATED])
    for name, since in (("old", 3700), ("young", 3500)):
        storage.take("s", f"runner/{name}", name, 600.0)
        _raw(path, f"UPDATE leases SET ends_at = {time.time() - since} WHERE token = '{name}'")
    storage.take("s", "ask", "mine", 600.0)
    assert {lease.token for lease in storage.leases("s")} == {"young", "mine"}


def test_append_waits_for_who_is_taking_its_lease_and_is_then_refused(path, storage):
    storage.append("s", [CREATED])
    held = storage.take("s", "ask", "mine", 600.0)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE leases SET token = 'its'")
    timer = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    timer.start()
    with pytest.raises(StaleLeaseError):
        storage.append("s", [asked(0)], lease=held)
    timer.join()
    other.close()
    assert len(storage.events("s")) == 1


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "a#b.db", "ü名.db", "it's.db"])
def test_odd_file_names_are_taken_literally(tmp_path, name):
    storage = SQLStorage(f"sqlite:///{tmp_path / name}")
    storage.append("s", [CREATED])
    storage.close()
    assert name in {file.name for file in tmp_path.iterdir()}


def test_relative_path_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = open_storage("sqlite:///log.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    storage.append("s", [CREATED])
    storage.close()
    assert (tmp_path / "log.db").exists()


def _write_forever(url):
    storage = open_storage(url)
    k = len(storage.events("s")) // 3
    while True:
        storage.append("s", [event("asked", f"asked/{k}/{part}", {"x": "x" * 3000}) for part in range(3)])
        k += 1


@pytest.mark.parametrize("durability", ["full", "process"])
def test_killed_writer_leaves_whole_appends(path, durability):
    url = f"sqlite:///{path}?durability={durability}"
    storage = open_storage(url)
    storage.append("s", [CREATED])
    for _ in range(3):
        before = len(storage.events("s"))
        process = multiprocessing.get_context("spawn").Process(target=_write_forever, args=(url,))
        process.start()
        while len(storage.events("s")) < before + 30:
            assert process.is_alive()
        process.kill()
        process.join()
        keys = [e.key for e in storage.events("s")]
        assert len(keys) % 3 == 1
        assert keys[1:] == [f"asked/{k}/{part}" for k in range(len(keys) // 3) for part in range(3)]
        assert storage.append("s", [CREATED]) == 1
    storage.close()
    assert _raw(path, "PRAGMA integrity_check") == [("ok",)]
    assert _raw(path, "SELECT last_seq FROM studies") == [(len(keys),)]


def test_creation_that_was_killed_before_the_tables_is_as_if_it_had_not_been(path):
    _raw(path, "PRAGMA journal_mode=WAL")
    storage = open_storage(path)
    assert storage.studies() == []
    assert storage.append("s", [CREATED]) == 1
    storage.close()


def test_database_of_another_program_is_an_error_and_left_alone(path):
    _raw(path, "CREATE TABLE recipes (id)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a log of bbo: it has the tables recipes"):
        open_storage(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", [b"no database " * 500, b'{"bbo":"log","format":1}\n', b"\x00" * 8192], ids=range(3))
def test_file_that_is_no_database_is_an_error_and_left_alone(path, text):
    path.write_bytes(text)
    with pytest.raises(StorageError, match=r"log.db: it is not an SQLite database\. Give the path"):
        open_storage(path)
    assert path.read_bytes() == text


@pytest.mark.parametrize("kept", [100, 0.3, 0.5, 0.99])
def test_truncated_database_is_an_error_that_says_what_to_do(path, written, kept):
    path.write_bytes(written[: kept if kept >= 1 else int(kept * len(written))])
    with pytest.raises(StorageError, match=r"(damaged or truncated|cut off).* Restore a copy|not an SQLite database"):
        _use(path)


def test_database_damaged_in_the_middle_is_an_error_that_says_what_to_do(path, written):
    middle = len(written) // 2 // 4096 * 4096
    path.write_bytes(written[:middle] + b"\xff" * 16384 + written[middle + 16384 :])
    with pytest.raises(StorageError, match=r"damaged or truncated\. Restore a copy"):
        _use(path)


COLUMNS = ["kind", "key", "body", "trial", "seq", "version", "at", "by", "hash"]


@pytest.mark.parametrize("value", ["x'3030'", "2.5"])
@pytest.mark.parametrize("column", COLUMNS)
def test_an_event_with_a_value_of_another_type_is_an_error(path, storage, column, value):
    storage.append("s", [CREATED, asked(0), asked(1)])
    if column in ("kind", "key", "body", "at", "by", "hash"):
        value = "x'3030'"  # SQLite makes a text of a number there
    _raw(path, f"""UPDATE events SET "{column}" = {value} WHERE seq = 3""")
    with pytest.raises(DamagedError, match="other types than it was written with.*Restore a copy"):
        storage.events("s")


@pytest.mark.parametrize("statement", ["last_seq = x'33'", "last_hash = x'33'", "name = x'73'"])
def test_a_study_with_a_value_of_another_type_is_an_error(path, storage, statement):
    storage.append("s", [CREATED])
    storage.append("other", [CREATED])
    _raw(path, f"UPDATE studies SET {statement} WHERE name = 's'")
    with pytest.raises(DamagedError, match="other types than it was written with.*Restore a copy"):
        storage.studies() if "name" in statement else storage.append("s", [asked(0)])


def test_events_above_the_last_are_an_error_and_nothing_is_written(path, storage):
    storage.append("s", [CREATED, asked(0), asked(1)])
    _raw(path, "UPDATE studies SET last_seq = 2")
    before = _raw(path, "SELECT * FROM events")
    with pytest.raises(DamagedError, match="events above number 2"):
        storage.append("s", [asked(2)])
    assert _raw(path, "SELECT * FROM events") == before


def _use(path):
    storage = open_storage(path)
    try:
        storage.events("s")
        storage.append("s", [asked(k, x="other") for k in range(1000, 1010)])
    finally:
        storage.close()


def test_read_only_database_is_read_and_an_append_is_an_error(path, written, monkeypatch):
    # The tests may run as root, whom permissions do not bind: SQLite itself is asked to open the file for reading only.
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite.sqlite3, "connect", lambda at, **kw: connect(at.replace("mode=rw", "mode=ro"), **kw))
    storage = open_storage(path)
    assert len(storage.events("s")) == 400
    with pytest.raises(StorageError, match=r"read-only\. Mend the permissions"):
        storage.append("s", [asked(1000)])
    storage.close()


def test_folder_in_place_of_the_file_is_an_error(path):
    path.mkdir()
    with pytest.raises(StorageError, match="is not a file"):
        open_storage(path)


def test_missing_folder_is_an_error(path):
    with pytest.raises(StorageError, match="Make the folder first"):
        open_storage(path / "below" / "log.db")


def test_file_that_vanished_is_an_error_and_not_made_anew(path, written):
    storage = open_storage(path)
    storage.close()
    path.unlink()
    with pytest.raises(StorageError, match="cannot be opened"):
        storage.append("s", [asked(1000)])
    assert not path.exists()
    storage.close()


def test_full_disk_is_an_error_and_nothing_is_half_written(path, storage):
    storage.append("s", [CREATED])
    _pragma(storage, f"max_page_count={_pragma(storage, 'page_count') + 2}")
    with pytest.raises(StorageError, match="the disk is full"):
        storage.append("s", [asked(k, x="x" * 4000) for k in range(50)])
    assert len(storage.events("s")) == 1
    _pragma(storage, "max_page_count=100000")
    assert storage.append("s", [asked(0)]) == 2


def test_lock_held_for_long_is_an_error_that_names_the_url(path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_S", 0.2)
    storage = open_storage(path)
    storage.append("s", [CREATED])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(storage.events("s")) == 1
    with pytest.raises(StorageError, match=rf"sqlite:///{path}: another process held its lock"):
        storage.append("s", [asked(0)])
    other.execute("ROLLBACK")
    other.close()
    assert storage.append("s", [asked(0)]) == 2
    storage.close()


def test_lock_held_for_a_moment_is_waited_for(path, storage):
    storage.append("s", [CREATED])
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    timer.start()
    assert storage.append("s", [asked(0)]) == 2
    timer.join()
    other.close()


def _create(url, barrier):
    barrier.wait()
    storage = open_storage(url)
    storage.append("s", [CREATED])
    storage.close()


def test_processes_that_create_one_file_at_once_all_succeed(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    url = f"sqlite:///{tmp_path / 'log.db'}"
    processes = [context.Process(target=_create, args=(url, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_threads_that_create_one_file_at_once_all_succeed(tmp_path):
    for k in range(5):
        barrier = threading.Barrier(4)
        threads = [
            threading.Thread(target=_create, args=(f"sqlite:///{tmp_path / f'{k}.db'}", barrier)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        storage = open_storage(tmp_path / f"{k}.db")
        assert storage.studies() == ["s"]
        storage.close()


def test_a_link_to_a_network_file_system_is_refused(tmp_path, monkeypatch):
    there, link = tmp_path / "there", tmp_path / "link.db"
    there.mkdir()
    (there / "log.db").touch()
    link.symlink_to(there / "log.db")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {there} nfs4 rw 0 0\n/dev/sda / ext4 rw 0 0\n")
    monkeypatch.setattr(sqlite, "_MOUNTS", mounts)
    with pytest.raises(StorageError, match="network file system"):
        open_storage(link)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_network_file_system_is_refused_with_a_remedy(tmp_path, monkeypatch, kind):
    mounts = tmp_path / "mounts"
    share = tmp_path / "my share"
    share.mkdir()
    escaped = str(share.resolve()).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} {kind} rw 0 0\n")
    monkeypatch.setattr(sqlite, "_MOUNTS", mounts)
    with pytest.raises(StorageError, match=rf"network file system \({kind}\).*use a .jsonl file"):
        open_storage(share / "log.db")
    open_storage(tmp_path / "log.db").close()
