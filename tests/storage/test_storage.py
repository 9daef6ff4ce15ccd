import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from bbo.errors import StorageError, StudyExistsError, StudyNotFoundError
from bbo.events import Event, event
from bbo.storage import JSONLinesStorage, MemoryStorage, copy_study, open_storage

KINDS = ["memory://", "{folder}/{name}.jsonl?durability=process", "{folder}/{name}.db?durability=process"]


def log_of(n):
    yield event("created", "created", {"seed": 1}, by="host/1/main")
    for k in range(n):
        yield event("asked", f"asked/{k}", {"seen": k, "n": 1, "suggestions": [{"x": 0.1 * k, "note": "é" * 50}]})
        yield event("told", f"ended/{k}", {"values": {"y": 0.3 * k}}, trial=k, by="host/2/main")


@pytest.mark.parametrize("where", [None, "memory://"])
def test_nothing_and_memory_give_a_storage_in_memory(where):
    assert isinstance(open_storage(where), MemoryStorage)


def test_storage_is_given_back_as_it_is():
    storage = MemoryStorage()
    assert open_storage(storage) is storage


@pytest.mark.parametrize(
    ("form", "kind", "url"),
    [
        ("{}/a.jsonl", "JSONLinesStorage", "{}/a.jsonl"),
        ("{}/a.JSONL?durability=process", "JSONLinesStorage", "{}/a.JSONL?durability=process"),
        ("{}/a.jsonl?durability=full", "JSONLinesStorage", "{}/a.jsonl"),
        ("{}/a.db", "SQLStorage", "sqlite:///{}/a.db"),
        ("{}/a.sqlite", "SQLStorage", "sqlite:///{}/a.sqlite"),
        ("{}/a.sqlite3?durability=process", "SQLStorage", "sqlite:///{}/a.sqlite3?durability=process"),
        ("sqlite:///{}/a", "SQLStorage", "sqlite:///{}/a"),
        ("sqlite:///{}/a.db?durability=process", "SQLStorage", "sqlite:///{}/a.db?durability=process"),
    ],
)
@pytest.mark.parametrize("make", [str, Path])
def test_storage_is_chosen_by_path_or_url(tmp_path, form, kind, url, make):
    if make is Path and form.startswith("sqlite:"):
        make = str
    storage = open_storage(make(form.format(tmp_path)))
    assert type(storage).__name__ == kind
    assert storage.url == url.format(tmp_path)
    assert open_storage(storage.url).url == storage.url
    storage.close()


@pytest.mark.parametrize(
    "where",
    ["", "log", "log.csv", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://host/x", "memory://x", "?"],
)
def test_other_forms_are_an_error_that_lists_those_there_are(where):
    with pytest.raises(StorageError, match=r"No storage of the form .*memory://.*\.jsonl.*\.db.*sqlite:///path"):
        open_storage(where)


@pytest.mark.parametrize("query", ["durability=none", "durability", "durable=full", "durability=full&x=1"])
def test_unknown_query_is_an_error(tmp_path, query):
    with pytest.raises(StorageError, match=r"Not understood after the '\?'"):
        open_storage(f"{tmp_path}/a.db?{query}")


def test_postgresql_comes_later_and_its_password_is_not_shown():
    with pytest.raises(StorageError, match="later version") as caught:
        open_storage("postgresql+psycopg://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_import_does_not_load_sqlalchemy():
    code = "import bbo.storage, sys; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def storages(tmp_path):
    opened = {
        (kind, name): open_storage(kind.format(folder=tmp_path, name=name)) for kind in KINDS for name in ("from", "to")
    }
    yield opened
    for storage in opened.values():
        storage.close()


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("to", [None, "copy"])
def test_copy_equals_its_source(storages, source, target, to):
    one, two = storages[source, "from"], storages[target, "to"]
    newer = Event("told", "ended/x", '{"a":1}', trial=7, version=3, at="2020-02-02T00:00:00.000+00:00", by="elsewhere")
    one.append("s", list(log_of(700)))
    one.append("s", [newer, Event("a kind to come", "k", "{}")])
    two.append("first", [event("created", "created", {})])
    assert copy_study(one, "s", two, to) == 1403
    assert two.events(to or "s") == one.events("s")
    assert two.studies() == ["first", to or "s"]
    with pytest.raises(StudyExistsError, match="another name"):
        copy_study(one, "s", two, to)


def test_copy_within_a_storage_takes_another_name():
    storage = MemoryStorage()
    storage.append("s", list(log_of(3)))
    with pytest.raises(StudyExistsError):
        copy_study(storage, "s", storage)
    copy_study(storage, "s", storage, "t")
    assert storage.events("t") == storage.events("s")


def test_copy_of_an_unknown_study_is_an_error():
    with pytest.raises(StudyNotFoundError):
        copy_study(MemoryStorage(), "s", MemoryStorage())


@pytest.mark.parametrize("kind", ["memory", "jsonl"])
def test_events_in_memory_cost_250_bytes_beside_their_bodies(tmp_path, kind):
    tracemalloc.start()
    try:
        storage = MemoryStorage() if kind == "memory" else JSONLinesStorage(tmp_path / "log.jsonl", "process")
        bodies = 0
        for start in range(0, 4_000, 500):
            events = [event("created", "created", {})] if start == 0 else []
            for k in range(start, start + 500):
                body = {"x": "x" * (100 + k % 500)}
                events += [event("asked", f"asked/{k}", body), event("told", f"ended/{k}", body, trial=k)]
            storage.append("s", events)
            bodies += sum(sys.getsizeof(e.body) for e in events)
            del events, body
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (used - bodies) / 8_000 < 270


# Twice and more of what an idle core takes, so that a busy machine passes and a slip in complexity does not.
@pytest.mark.parametrize("kind", KINDS)
def test_appends_and_reads_stay_fast(tmp_path, kind):
    storage = open_storage(kind.format(folder=tmp_path, name="log"))
    events = list(log_of(10_000))
    started = time.perf_counter()
    for e in events[:2001]:
        storage.append("s", [e])
    append_s = time.perf_counter() - started
    storage.append("s", events)
    reader = storage if kind == "memory://" else open_storage(storage.url)
    started = time.perf_counter()
    assert len(reader.events("s")) == 20_001
    read_s = time.perf_counter() - started
    storage.close()
    reader.close()
    assert append_s < 4
    assert read_s < 1
