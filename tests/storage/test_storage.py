import itertools
import shutil
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from bbo.errors import BusyError, DamagedError, StorageError, StudyExistsError, StudyNotFoundError
from bbo.events import Event, event
from bbo.storage import JSONLinesStorage, MemoryStorage, copy_study, open_storage
from bbo.storage.chain import broken_at

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = ["memory://", "{folder}/{name}.jsonl?durability=process", "{folder}/{name}.db?durability=process"]
ALL_KINDS = [*KINDS, "postgresql"]


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


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg2://me:secret@host/db", "mysql://me:secret@host/db", "postgresql://me:secret@host:x/db"]
)
def test_passwords_are_not_in_errors(url):
    with pytest.raises(StorageError) as caught:
        open_storage(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://" in str(caught.value)


def test_import_does_not_load_sqlalchemy():
    code = "import bbo.storage, sys; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def opened(request, tmp_path):
    """Gives a storage of a kind under a name, `from` or `to`; on a server both are one database."""
    made = {}

    def give(kind, name):
        if kind == "postgresql":
            url, key = request.getfixturevalue("fresh_postgres_url"), kind
        else:
            url, key = kind.format(folder=tmp_path, name=name), (kind, name)
        if key not in made:
            made[key] = open_storage(url)
        return made[key]

    yield give
    for storage in made.values():
        storage.close()


def to_the_byte(storage, study):
    """All columns of all events."""
    return [(e.kind, e.key, e.body, e.trial, e.seq, e.version, e.at, e.by, e.hash) for e in storage.events(study)]


@pytest.mark.parametrize("source", ALL_KINDS)
@pytest.mark.parametrize("target", ALL_KINDS)
def test_copy_equals_its_source_to_the_byte(opened, source, target):
    one, two = opened(source, "from"), opened(target, "to")
    newer = Event("told", "ended/x", '{"a":1}', trial=7, version=3, at="2020-02-02T00:00:00.000+00:00", by="elsewhere")
    one.append("s", list(log_of(700)))
    one.append("s", [newer, Event("a kind to come", "k", "{}")])
    two.append("first", [event("created", "created", {})])
    for to in ["copy", None] if one is not two else ["copy"]:
        assert copy_study(one, "s", two, to) == 1403
        assert to_the_byte(two, to or "s") == to_the_byte(one, "s")
        assert broken_at(two.events(to or "s")) is None
        with pytest.raises(StudyExistsError, match="another name"):
            copy_study(one, "s", two, to)
    assert two.append("copy", [event("asked", "asked/new", {})]) == 1404
    assert "first" in two.studies()
    assert copy_study(two, "copy", one, "back") == 1404
    assert to_the_byte(one, "back") == to_the_byte(two, "copy")


@pytest.mark.parametrize("target", ALL_KINDS)
def test_logs_from_before_the_chain_have_one_chain_in_every_storage(opened, tmp_path, target):
    chains = []
    for file in ("v1.jsonl", "v1.db"):
        source = open_storage(shutil.copy(GOLDEN / file, tmp_path))
        copy_study(source, "golden", opened(target, "to"), file)
        chains += [to_the_byte(source, "golden"), to_the_byte(opened(target, "to"), file)]
        assert broken_at(source.events("golden")) is None
        source.close()
    assert all(chain == chains[0] for chain in chains)


class Told(MemoryStorage):
    """A person tells something just after each reading, three times."""

    def __init__(self):
        super().__init__()
        self.left = 3

    def events(self, study, since=0):
        found = super().events(study, since)
        if self.left:
            self.left -= 1
            self.append(study, [event("told", f"ended/of a person {self.left}", {"values": {"y": 1.0}})])
        return found


def test_what_is_told_during_a_copy_is_copied_too():
    source, target = Told(), MemoryStorage()
    source.append("s", list(log_of(5)))
    assert copy_study(source, "s", target) == 14
    assert to_the_byte(target, "s") == to_the_byte(source, "s")


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ask", "somebody asks"),
        ("ticket/7", "somebody waits for points"),
        ("runner/x", "a runner evaluates trials"),
        ("of another kind", "it is held"),
    ],
)
def test_copy_of_a_study_at_work_is_refused_and_says_when_it_ends(opened, kind, name, what):
    source, target = opened(kind, "from"), MemoryStorage()
    source.append("s", list(log_of(2)))
    source.take("s", "ask", "short", 20.0)
    source.take("s", name, "short", 45.0)
    with pytest.raises(BusyError, match=rf"'s' in .* is at work: {what} \(lease '{name}'\)\..* in 4[45] s") as caught:
        copy_study(source, "s", target)
    assert "Nothing was copied" in str(caught.value)
    assert target.studies() == []
    for lease in source.leases("s"):
        source.release("s", lease)
    assert copy_study(source, "s", target) == 5


def test_a_lease_that_ran_out_does_not_hold_up_a_copy():
    source, target = MemoryStorage(), MemoryStorage()
    source.append("s", list(log_of(2)))
    source.take("s", "runner/x", "killed", 0.0)
    assert copy_study(source, "s", target) == 5
    assert target.leases("s") == []


def test_copy_of_a_log_that_was_changed_by_hand_is_refused(tmp_path):
    source, target = open_storage(tmp_path / "log.jsonl"), MemoryStorage()
    source.append("s", list(log_of(5)))
    text = (tmp_path / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text(text.replace('{"y":0.3}', '{"y":9.3}'))
    source.close()
    with pytest.raises(DamagedError, match=r"broken at event 5: .* Nothing was copied"):
        copy_study(source, "s", target)
    assert target.studies() == []


class Interfering(MemoryStorage):
    """Somebody else writes to the copy while it is made."""

    def append(self, study, events, **lease):
        n = super().append(study, events, **lease)
        super().append(study, [event("noted", f"noted/{n}", {"text": "mine"})])
        return n


def test_a_copy_that_does_not_end_as_its_source_is_an_error():
    source, target = MemoryStorage(), Interfering()
    source.append("s", list(log_of(5)))
    with pytest.raises(DamagedError, match=r"does not end as study 's' .* copy again under another name"):
        copy_study(source, "s", target)


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
def test_events_in_memory_cost_290_bytes_beside_their_bodies(tmp_path, kind):
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
    assert (used - bodies) / 8_000 < 300


def seconds(work, repeats=5):
    """The processor's, the least of some times, so that what else runs on the machine hardly counts."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_append_and_a_read_of_news_cost_does_not_grow_with_the_log(tmp_path, kind):
    numbers = itertools.count(10**6)
    costs = []
    for n in (100, 10_000):
        storage = open_storage(kind.format(folder=tmp_path, name=f"log {n}"))
        storage.append("s", list(log_of(n)))
        last = storage.events("s")[-1].seq
        reader = storage if kind == "memory://" else open_storage(storage.url)
        reader.events("s", last)
        append = seconds(
            lambda at=storage: [at.append("s", [event("asked", f"asked/{next(numbers)}", {})]) for _ in range(10)],
            repeats=25,
        )
        read = seconds(lambda at=reader, since=last: [at.events("s", since + 250) for _ in range(10)], repeats=25)
        costs.append((append, read))
        storage.close()
        reader.close()
    assert costs[1][0] < 5 * costs[0][0]
    assert costs[1][1] < 5 * costs[0][1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_reading_a_log_costs_grows_with_its_events_alone(tmp_path, kind):
    storage = open_storage(kind.format(folder=tmp_path, name="log"))
    costs = []
    for study, n in (("short", 1_000), ("long", 10_000)):
        storage.append(study, list(log_of(n)))
        costs.append(seconds(lambda name=study: storage.events(name)))
    storage.close()
    assert costs[1] < 50 * costs[0]
