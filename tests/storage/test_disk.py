"""Files that break under a log: full disks, permissions, truncation, corruption, files replaced or deleted while open.

What was told before stays told, the error says what to do, and the log is used again as soon as the trouble is over.
"""

import contextlib
import fcntl
import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import BusyError, DamagedError, StorageError, StudyNotFoundError
from bbo.events import event
from bbo.storage import jsonlines, open_storage, sqlite
from bbo.storage.chain import broken_at

FORMS = ["log.jsonl", "log.db", "log.jsonl?durability=process", "log.db?durability=process"]
FILES = ["log.jsonl", "log.db"]
NOBODY = 65534


def asked(i, size=10):
    return event("asked", f"asked/{i}", {"x": "x" * size}, by="host/1/main")


def told(i):
    return event("told", f"ended/{i}", {"values": {"y": 0.1 * i}}, trial=i, by="host/1/main")


def begun(url):
    """A small log of five appends, of two events each after the first."""
    storage = open_storage(url)
    storage.append("s", [event("created", "created", {"seed": 1})])
    for k in range(4):
        storage.append("s", [asked(k), told(k)])
    return storage


def columns(events):
    """All that an event has; its hash is no part of its equality."""
    return [(e, e.hash) for e in events]


@contextlib.contextmanager
def opened(url):
    storage = open_storage(url)
    try:
        yield storage
    finally:
        storage.close()


def fill(storage, size=20_000):
    """Appends until it fails; the error and what the log must have."""
    written = columns(storage.events("s"))
    for k in range(10_000):
        try:
            storage.append("s", [asked(f"{k}/{part}", size) for part in range(3)])
        except StorageError as error:
            return error, written
        written = columns(storage.events("s"))
    raise AssertionError("it never fails")


def use_again(storage, written):
    """The log holds what was written and goes on, in this object and in a new one."""
    assert columns(storage.events("s")) == written
    lease = storage.take("s", "ask", "mine", 60.0)
    assert storage.append("s", [asked("after")], lease=lease, releases=True) == len(written) + 1
    assert storage.leases("s") == []
    with opened(storage.url) as other:
        assert columns(other.events("s"))[:-1] == written
        assert other.append("s", [asked("after"), asked("later")]) == len(written) + 2
        assert broken_at(other.events("s")) is None
    assert len(storage.events("s")) == len(written) + 2


# A disk that is full.


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB with a file of 300 kB that can be deleted to make space."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip(
            "only root can mount a file system of its own; a limit on the size of files is tested for everybody"
        )
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    said = subprocess.run(mount, capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip(f"no file system can be mounted here: {said.stderr.strip()}")
    (folder / "in the way").write_bytes(b"x" * 300_000)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_the_rest(folder):
    with contextlib.suppress(OSError), (folder / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_loses_nothing_that_was_told(small_disk, form):
    with contextlib.closing(begun(small_disk / form)) as storage:
        error, written = fill(storage)
        assert "the disk" in str(error)
        assert "log is unchanged" in str(error)
        for _ in range(2):
            assert columns(storage.events("s")) == written
            with pytest.raises(StorageError, match=r"[Mm]ake space|free space|space on the disk"):
                storage.append("s", [asked(f"again/{k}", 20_000) for k in range(20)])
        (small_disk / "in the way").unlink()
        use_again(storage, written)


@pytest.mark.parametrize("form", FILES)
def test_a_log_on_a_full_disk_is_opened_or_an_error_says_to_make_space(small_disk, form):
    with contextlib.closing(begun(small_disk / form)) as storage:
        written = columns(storage.events("s"))
    fill_the_rest(small_disk)
    with opened(small_disk / form.replace("log", "new")) as new, pytest.raises(StorageError, match=r"space"):
        new.append("s", [event("created", "created", {})])
    found, said = outcome(small_disk / form)
    assert found == written or "space" in said
    (small_disk / "rest").unlink()
    use_again(storage, written)
    storage.close()
    with opened(small_disk / form.replace("log", "new")) as new:
        assert new.append("s", [event("created", "created", {})]) == 1


def test_a_lease_on_a_full_disk_is_an_error_and_giving_it_up_is_not(small_disk):
    storage = begun(small_disk / "log.jsonl")
    held = storage.take("s", "ask", "mine", 60.0)
    other = storage.take("s", "runner/1", "mine", 60.0)
    fill_the_rest(small_disk)
    with pytest.raises(StorageError, match=r"Cannot keep leases in .*log.jsonl.leases: No space.*Make space"):
        storage.take("s", "ticket/1", "mine", 60.0, "x" * 5000)
    assert [lease.name for lease in storage.leases("s")] == ["ask", "runner/1"]
    # The last bytes of a page that the log has already.
    assert storage.append("s", [asked(9)], lease=held, releases=True) == 10
    (small_disk / "rest").unlink()
    assert {lease.name for lease in storage.leases("s")} >= {"runner/1"}
    assert storage.renew("s", other, 60.0)


def _fill_under_a_limit(url, said):
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.closing(begun(url)) as storage:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))
        error, written = fill(storage)
        assert columns(storage.events("s")) == written
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
        use_again(storage, written)
        said.put((str(error), len(written)))


@pytest.mark.parametrize("form", FORMS)
def test_a_limit_on_the_size_of_files_loses_nothing_that_was_told(tmp_path, form):
    text, n = _in_a_process(_fill_under_a_limit, tmp_path / form)
    assert "limit on the size of files" in text
    assert "log is unchanged" in text
    assert n > 9


def _in_a_process(work, *arguments):
    """What it puts into the queue that it gets as its last argument."""
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=work, args=(*arguments, said))
    process.start()
    process.join()
    assert process.exitcode == 0
    return said.get(timeout=10)


# A lock that another process holds for too long.


@pytest.mark.parametrize("form", FILES)
def test_a_lock_held_too_long_is_an_error_and_the_log_goes_on_after_it(tmp_path, monkeypatch, form):
    monkeypatch.setattr(jsonlines, "_LOCKED_S", 0.1)
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    with contextlib.closing(begun(tmp_path / form)) as storage:
        written = columns(storage.events("s"))
        if form == "log.db":
            storage.close()
            other = sqlite3.connect(tmp_path / form, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
        else:
            other = (tmp_path / form).open("rb")
            fcntl.flock(other, fcntl.LOCK_EX)
        for use in (
            lambda: storage.append("s", [asked("new")]),
            lambda: storage.take("s", "ask", "mine", 60.0),
        ):
            with pytest.raises(BusyError, match=r"log is unchanged|lsof") as caught:
                use()
            assert "try again" in str(caught.value)
        other.close()
        use_again(storage, written)


# Files and folders that may only be read.


@pytest.fixture
def shared_folder():
    """One that every account reaches; a temporary folder of pytest belongs to its user alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def _read_and_append_as_nobody(url, said):
    import bbo.storage.sql  # noqa: F401 - the folder of the libraries may be closed to others

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        with opened(url) as storage:
            told_before = [e.key for e in storage.events("s")]
    except StorageError as error:
        told_before = str(error)
    errors = []
    for use in (
        lambda s: s.append("s", [asked("new")]),
        lambda s: s.take("s", "ask", "mine", 60.0),
    ):
        try:
            with opened(url) as storage:
                use(storage)
            errors.append("")
        except StorageError as error:
            errors.append(str(error))
    said.put((told_before, errors))


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("folder_mode", [0o555, 0o777], ids=["folder too", "file only"])
def test_a_read_only_file_is_read_or_an_error_says_to_mend_permissions(shared_folder, form, folder_mode):
    with contextlib.closing(begun(shared_folder / form)) as storage:
        written = columns(storage.events("s"))
    (shared_folder / form).chmod(0o444)
    shared_folder.chmod(folder_mode)
    before = (shared_folder / form).read_bytes()
    told_before, errors = _in_a_process(_read_and_append_as_nobody, shared_folder / form)
    assert told_before == [e.key for e, _ in written] or "permissions" in told_before
    assert form == "log.db" or isinstance(told_before, list)
    for error in errors:
        assert "permissions" in error
        assert "unchanged" in error
    assert (shared_folder / form).read_bytes() == before
    shared_folder.chmod(0o755)
    (shared_folder / form).chmod(0o644)
    use_again(storage, written)
    storage.close()


def _read_as_nobody(url, said):
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    try:
        open_storage(url).close()
        said.put("")
    except StorageError as error:
        said.put(str(error))


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_jsonl_file_that_may_not_be_read_is_an_error_that_says_so(shared_folder, closed):
    begun(shared_folder / "log.jsonl")
    (shared_folder / "log.jsonl" if closed == "file" else shared_folder).chmod(0o000)
    said = _in_a_process(_read_as_nobody, shared_folder / "log.jsonl")
    assert "permissions" in said


# Files that were cut off or damaged.


class Whole(dict):
    """The bytes of a file and the events in it, by the file's name."""

    def __repr__(self):
        return f"<{', '.join(self)}>"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Logs of both forms; the database in small pages and without a -wal file."""
    folder = tmp_path_factory.mktemp("whole")
    found = Whole()
    for name in FILES:
        with contextlib.closing(begun(folder / name)) as storage:
            events = columns(storage.events("s"))
        if name == "log.db":
            raw = sqlite3.connect(folder / name, isolation_level=None)
            raw.execute("PRAGMA journal_mode=DELETE")
            raw.execute("PRAGMA page_size=512")
            raw.execute("VACUUM")
            raw.execute("PRAGMA journal_mode=WAL")
            raw.close()
        found[name] = (folder / name).read_bytes(), events
    return found


def read(path):
    """The events of the study, none where it is not there; a StorageError is let through."""
    with opened(path) as storage:
        try:
            return storage.events("s")
        except StudyNotFoundError:
            return []


def outcome(path):
    """What is read, None where that is an error; and what the error says."""
    try:
        return columns(read(path)), ""
    except StorageError as error:
        return None, str(error)


def lengths(name, text):
    """All of a small file; of a database the ends of its pages, and some between."""
    return range(len(text)) if name == "log.jsonl" else sorted({*range(0, len(text), 61), *range(0, len(text), 512)})


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_off_anywhere_has_whole_appends_or_is_an_error_that_says_what_to_do(tmp_path, whole, name):
    text, events = whole[name]
    prefixes = [events[:n] for n in (0, 1, 3, 5, 7, 9)]
    refused = 0
    for length in lengths(name, text):
        (tmp_path / name).write_bytes(text[:length])
        found, said = outcome(tmp_path / name)
        refused += found is None
        assert found in prefixes or "copy" in said
        assert (tmp_path / name).read_bytes()[:length] == text[:length]
    assert (refused == 0) == (name == "log.jsonl")


PLACE = st.floats(0, 1, exclude_max=True)


def flipped(text, at, bits):
    k = int(at * len(text))
    return text[:k] + bytes([text[k] ^ bits]) + text[k + 1 :]


def cut_out(text, at, n):
    k = int(at * len(text))
    return text[:k] + text[k + n :]


def repeated(text, at, n):
    k = int(at * len(text))
    return text[: k + n] + text[k:]


DAMAGES = st.lists(
    st.tuples(st.just(flipped), PLACE, st.integers(1, 255))
    | st.tuples(st.sampled_from([cut_out, repeated]), PLACE, st.integers(1, 600)),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damages=DAMAGES)
def test_damaged_bytes_are_an_error_or_found_by_the_chain_or_without_effect(whole, name, damages):
    text, events = whole[name]
    damaged = text
    for damage, at, n in damages:
        damaged = damage(damaged, at, n)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(damaged)
        try:
            found = read(path)
        except StorageError:
            return
        finally:
            if name == "log.jsonl":
                assert path.read_bytes() == damaged
        if broken_at(found) is None:
            # The last append may look as a crash would leave it; that the head is gone shows it.
            assert columns(found) in [events[:n] for n in range(len(events) + 1)]
        with contextlib.suppress(StorageError, StudyNotFoundError), opened(path) as storage:
            storage.append("s", [asked("after")])
            storage.take("s", "ask", "mine", 60.0)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("at", ["start", "middle"])
def test_zeros_in_a_file_are_an_error_that_says_what_to_do(tmp_path, whole, name, at):
    text, _ = whole[name]
    start = 0 if at == "start" else len(text) // 2 // 512 * 512
    (tmp_path / name).write_bytes(text[:start] + bytes(1024) + text[start + 1024 :])
    with pytest.raises(StorageError, match=r"[Rr]estore a copy|Give the path of a log"):
        read(tmp_path / name)


# Files that were replaced, moved or deleted while they were open.


def companions(path):
    return [p for p in path.parent.iterdir() if p.name.startswith(path.name)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", ["deleted", "replaced", "folder moved"])
def test_a_log_that_vanished_under_an_open_storage_is_an_error_until_it_is_back(tmp_path, form, change):
    folder, aside = tmp_path / "logs", tmp_path / "aside"
    folder.mkdir()
    path = folder / form.partition("?")[0]
    with contextlib.closing(begun(folder / form)) as storage:
        written = columns(storage.events("s"))
        if change == "folder moved":
            folder.rename(aside)
        else:
            aside.mkdir()
            for file in companions(path):
                file.rename(aside / file.name)
            if change == "replaced":
                begun(path).close()
        before = path.read_bytes() if change == "replaced" else None
        for _ in range(2):
            for use in (
                lambda: storage.append("s", [told(99)]),
                lambda: storage.events("s"),
                lambda: storage.take("s", "ask", "mine", 60.0),
            ):
                with pytest.raises(DamagedError, match=r"(replaced|moved|deleted).* while it was open") as caught:
                    use()
                assert "Nothing was written" in str(caught.value)
                assert "open it anew" in str(caught.value) or "open that anew" in str(caught.value)
        assert (path.read_bytes() if path.exists() else None) == before
        for file in companions(path) if folder.exists() else []:
            file.unlink()
        if change == "folder moved":
            aside.rename(folder)
        else:
            for file in aside.iterdir():
                file.rename(folder / file.name)
        use_again(storage, written)


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_put_in_place_of_a_deleted_log_is_used_after_a_close(tmp_path, form):
    path = tmp_path / form.partition("?")[0]
    with contextlib.closing(begun(tmp_path / form)) as storage:
        written = columns(storage.events("s"))
        storage.close()
        shutil.copy(path, tmp_path / "copy")
        assert columns(storage.events("s")) == written
        (tmp_path / "copy").replace(path)
        with pytest.raises(DamagedError, match="replaced"):
            storage.append("s", [asked("lost otherwise")])
        storage.close()
        use_again(storage, written)
