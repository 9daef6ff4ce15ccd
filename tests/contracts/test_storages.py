"""What every storage must do. A new one adds itself to FORMS and gets the suite."""

import json
import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import ConflictError, StorageError, StudyNotFoundError
from bbo.events import MAX_BODY_BYTES, Event, canonical, event
from bbo.storage import Storage, open_storage

FORMS: dict[str, str] = {
    "memory": "memory://",
    "jsonl": "{folder}/log.jsonl",
    "jsonl-process": "{folder}/log.jsonl?durability=process",
    "sqlite": "{folder}/log.db",
    "sqlite-process": "sqlite:///{folder}/log.db?durability=process",
}
IN_FILES = [form for form in FORMS if form != "memory"]
ODD_NAMES = [
    "",
    " ",
    "a/b",
    "..",
    "naïve",
    "名前 🧪",
    "it's; DROP TABLE events; --",
    '"quoted"',
    "a\nb",
    "%s ?:x",
    "x" * 500,
]
ODD_BODIES = [
    {},
    {"text": 'quotes " and \\ and \n and \u2028 and \u0000', "日本": "語 🧪"},
    {"floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf"), -float("inf")]},
    {"large": 2**200, "deep": [[[[{"a": None, "b": True}]]]]},
    {"body": {"body": 1}, "x": ',"body":{'},
    {10: "sorted as a number", 9: "before it"},
]

Opener = Callable[[], Storage]


@pytest.fixture(params=FORMS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    yield from _opener(FORMS[request.param].format(folder=tmp_path))


@pytest.fixture(params=IN_FILES)
def file_opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    yield from _opener(FORMS[request.param].format(folder=tmp_path))


def _opener(where: str) -> Iterator[Opener]:
    opened: list[Storage] = []

    def make() -> Storage:
        opened.append(open_storage(where))
        return opened[-1]

    yield make
    for storage in opened:
        storage.close()


@pytest.fixture
def storage(opener: Opener) -> Storage:
    return opener()


def created(**body: object) -> Event:
    return event("created", "created", body, by="host/1/main")


def asked(i: int, **body: object) -> Event:
    return event("asked", f"asked/{i}", body, by="host/1/main")


def told(trial: int, value: float = 0.0) -> Event:
    return event("told", f"ended/{trial}", {"values": {"y": value}}, trial=trial, by="host/1/main")


def numbered(events: list[Event], first: int = 1) -> list[Event]:
    return [replace(e, seq=first + i) for i, e in enumerate(events)]


def test_events_are_given_back_as_they_were_appended_with_consecutive_numbers(storage):
    events = [created(seed=1), asked(0, n=1), told(0, 1.5), asked(1)]
    assert storage.append("s", events[:1]) == 1
    assert storage.append("s", events[1:3]) == 3
    assert storage.append("s", events[3:]) == 4
    assert storage.events("s") == numbered(events)


@pytest.mark.parametrize("since", [-1, 0, 1, 2, 3, 99])
def test_events_since_a_number_are_those_above_it(storage, since):
    events = numbered([created(), asked(0), told(0)])
    storage.append("s", events)
    assert storage.events("s", since=since) == [e for e in events if e.seq > since]


def test_numbers_count_within_a_study(storage):
    for study in ("a", "b"):
        assert storage.append(study, [created(name=study), asked(0)]) == 2
    assert storage.append("a", [told(0)]) == 3
    assert [e.seq for e in storage.events("b")] == [1, 2]
    assert storage.events("a")[0].read() == {"name": "a"}


def test_studies_are_listed_in_order_of_creation(storage):
    assert storage.studies() == []
    for study in ("z", "a", "m"):
        storage.append(study, [created()])
    storage.append("a", [asked(0)])
    assert storage.studies() == ["z", "a", "m"]


def test_unknown_study_must_be_created_by_its_first_event(storage):
    for study in ("other", "yields"):
        storage.append(study, [created()])
    with pytest.raises(StudyNotFoundError, match=r"'yield' in .*: it has 'yields', 'other'"):
        storage.append("yield", [asked(0), created()])
    with pytest.raises(StudyNotFoundError, match="'yields', 'other'"):
        storage.events("yield")
    assert storage.studies() == ["other", "yields"]


def test_empty_storage_has_no_study_to_name(storage):
    with pytest.raises(StudyNotFoundError, match="it has no studies"):
        storage.events("s")
    with pytest.raises(StudyNotFoundError, match="it has no studies"):
        storage.append("s", [told(0)])
    assert storage.studies() == []


def test_many_studies_are_named_in_part(storage):
    for i in range(12):
        storage.append(f"s{i}", [created()])
    with pytest.raises(StudyNotFoundError, match="and 2 more"):
        storage.events("none of them")


def test_no_events_is_an_error(storage):
    with pytest.raises(ValueError, match="at least one event"):
        storage.append("s", [])


def test_retry_is_success_and_writes_nothing(storage):
    events = [created(seed=1), asked(0), told(0, 1.0)]
    storage.append("s", events)
    before = storage.events("s")
    again = [replace(e, at="2099-01-01T00:00:00.000+00:00", by="another") for e in events]
    assert storage.append("s", again) == 3
    assert storage.append("s", again[1:2]) == 2
    assert storage.append("s", [again[2], again[0]]) == 3
    assert storage.events("s") == before


def test_retry_in_part_writes_what_is_new(storage):
    storage.append("s", [created(), asked(0)])
    assert storage.append("s", [asked(0), told(0)]) == 3
    assert storage.append("s", [asked(1), asked(0)]) == 4
    assert [(e.seq, e.key) for e in storage.events("s", since=2)] == [(3, "ended/0"), (4, "asked/1")]


@pytest.mark.parametrize(
    "other",
    [told(0, 2.0), event("failed", "ended/0", {"values": {"y": 1.0}}, trial=0)],
    ids=["another body", "another kind"],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_conflict_names_what_stands_and_writes_nothing_of_the_call(storage, other, place):
    storage.append("s", [created(), told(0, 1.0)])
    before = storage.events("s")
    call = [asked(0), asked(1)]
    call.insert(place, other)
    with pytest.raises(ConflictError, match="'ended/0'") as caught:
        storage.append("s", call)
    assert (caught.value.key, caught.value.kind) == ("ended/0", "told")
    assert caught.value.body == canonical({"values": {"y": 1.0}})
    assert storage.events("s") == before
    assert storage.append("s", [asked(0)]) == 3


def test_conflict_at_creation_leaves_no_study(storage):
    with pytest.raises(ConflictError):
        storage.append("s", [created(), told(0, 1.0), told(0, 2.0)])
    assert storage.studies() == []
    assert storage.append("s", [created()]) == 1


def test_one_key_twice_in_a_call_is_one_event(storage):
    assert storage.append("s", [created(), asked(0), asked(0), created()]) == 2
    assert [e.key for e in storage.events("s")] == ["created", "asked/0"]


def test_another_specification_under_the_name_is_a_conflict(storage):
    storage.append("s", [created(seed=1)])
    with pytest.raises(ConflictError) as caught:
        storage.append("s", [created(seed=2)])
    assert json.loads(caught.value.body) == {"seed": 1}


@pytest.mark.parametrize("study", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names_of_studies_and_keys_are_kept(storage, study):
    e = event("opened", study, {}, by=study)
    storage.append(study, [created(), e])
    assert storage.studies() == [study]
    assert storage.events(study, since=1) == [replace(e, seq=2)]


def test_bodies_are_kept_to_the_letter(opener):
    storage = opener()
    events = [created(), *(event("asked", f"asked/{i}", body) for i, body in enumerate(ODD_BODIES))]
    storage.append("s", events)
    assert [e.body for e in storage.events("s")] == [e.body for e in events]


def test_bodies_of_64_kb_are_kept(storage):
    body = {"note": "é" * ((MAX_BODY_BYTES - 11) // 2)}
    events = [created(), *(event("asked", f"asked/{i}", body) for i in range(5))]
    assert MAX_BODY_BYTES - 2 <= len(events[1].body.encode()) <= MAX_BODY_BYTES
    storage.append("s", events)
    assert storage.events("s") == numbered(events)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
def test_text_that_some_storage_cannot_hold_is_refused(storage, text):
    with pytest.raises(StorageError, match="study's name"):
        storage.append(text, [created()])
    with pytest.raises(StorageError, match="key"):
        storage.append("s", [created(), event("opened", text, {})])
    assert storage.studies() == []


def test_large_append_is_one_transaction(storage):
    events = [created(), *(asked(i) for i in range(2000))]
    assert storage.append("s", events) == 2001
    assert storage.append("s", [*events[1:], told(0)]) == 2002
    with pytest.raises(ConflictError):
        storage.append("s", [*(told(i) for i in range(1, 1500)), told(0, 9.0)])
    assert len(storage.events("s")) == 2002


def test_storage_can_be_used_after_close(storage):
    if storage.url == "memory://":
        storage.close()
    else:
        storage.append("s", [created()])
        storage.close()
        storage.append("s", [asked(0)])
        assert len(storage.events("s")) == 2


def test_threads_lose_nothing(storage):
    storage.append("s", [created()])
    given: dict[str, int] = {}

    def work(thread: int) -> None:
        for i in range(50):
            given[f"asked/{thread}-{i}"] = storage.append("s", [event("asked", f"asked/{thread}-{i}", {})])

    _in_threads(8, work)
    events = storage.events("s")
    assert [e.seq for e in events] == list(range(1, 402))
    assert {e.key: e.seq for e in events[1:]} == given


def test_of_threads_that_tell_one_trial_the_first_wins(storage):
    storage.append("s", [created()])
    refused: list[str] = []
    wins: list[int] = []

    def work(thread: int) -> None:
        for trial in range(20):
            try:
                storage.append("s", [told(trial, float(thread))])
                wins.append(trial)
            except ConflictError as error:
                refused.append(error.body)

    _in_threads(4, work)
    bodies = {e.trial: e.body for e in storage.events("s", since=1)}
    assert sorted(wins) == sorted(bodies) == list(range(20))
    assert len(refused) == 60
    assert set(refused) <= set(bodies.values())


def _in_threads(n: int, work: Callable[[int], None]) -> None:
    errors: list[BaseException] = []

    def guarded(thread: int) -> None:
        try:
            work(thread)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_second_storage_on_a_file_sees_what_the_first_wrote(file_opener):
    one, two = file_opener(), file_opener()
    one.append("s", [created()])
    assert two.studies() == ["s"]
    assert two.append("s", [asked(0)]) == 2
    assert one.append("s", [asked(0), told(0)]) == 3
    assert two.events("s") == one.events("s")
    again = open_storage(one.url)
    assert again.url == one.url
    assert again.events("s") == one.events("s")
    again.close()


def test_reading_makes_no_file(file_opener, tmp_path):
    storage = file_opener()
    assert storage.studies() == []
    with pytest.raises(StudyNotFoundError):
        storage.append("s", [told(0)])
    assert list(tmp_path.iterdir()) == []


def _append_many(where: str, process: int, n: int) -> None:
    storage = open_storage(where)
    storage.append("s", [created(seed=1)])
    for i in range(n):
        storage.append("s", [event("asked", f"asked/{process}-{i}/{part}", {"i": i}) for part in range(2)])
        storage.append(f"own {i}", [created(seed=1)])
    storage.close()


@pytest.mark.parametrize("form", ["jsonl", "sqlite"])
def test_processes_lose_nothing(form, tmp_path):
    where = FORMS[form].format(folder=tmp_path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(where, k, 50)) for k in range(4)]
    for process in processes:
        process.start()
    reader = open_storage(where)
    seen: list[Event] = []
    while any(process.is_alive() for process in processes):
        if "s" in reader.studies():
            seen += reader.events("s", since=len(seen))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    seen += reader.events("s", since=len(seen))
    assert [e.seq for e in seen] == list(range(1, 402))
    assert {e.key for e in seen[1:]} == {
        f"asked/{k}-{i}/{part}" for k in range(4) for i in range(50) for part in (0, 1)
    }
    # The two events of a call stand together, and a process's in the order in which it wrote them.
    assert all(a.key[:-1] == b.key[:-1] for a, b in zip(seen[1::2], seen[2::2], strict=True))
    for k in range(4):
        order = [e.read()["i"] for e in seen[1:] if e.key.startswith(f"asked/{k}-")]
        assert order == sorted(order)
    reader.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_appends_beside_its_parent(file_opener):
    storage = file_opener()
    storage.append("s", [created()])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for i in range(30):
                storage.append("s", [event("asked", f"asked/child-{i}", {})])
            status = 0
        finally:
            os._exit(status)
    for i in range(30):
        storage.append("s", [event("asked", f"asked/parent-{i}", {})])
    assert os.waitpid(child, 0)[1] == 0
    events = storage.events("s")
    assert [e.seq for e in events] == list(range(1, 62))
    assert len({e.key for e in events}) == 61


@st.composite
def appends(draw: st.DrawFn) -> list[tuple[str, list[Event]]]:
    kinds = st.sampled_from(["created", "asked", "told"])
    keys = st.sampled_from(["created", "a", "b", "c", "d"])
    few = st.sampled_from([{}, {"x": 1.5}])
    bodies = st.dictionaries(st.text(max_size=3), st.floats() | st.text(max_size=3), max_size=2)
    one = st.builds(event, kinds, keys, few | bodies)
    call = st.tuples(st.sampled_from(["s", "t"]), st.lists(one, min_size=1, max_size=4))
    return draw(st.lists(call, max_size=12))


def _model_append(model: dict[str, dict[str, Event]], study: str, events: list[Event]) -> int | type[Exception]:
    """Appending as its docstring says, in a plain dictionary of dictionaries."""
    if study not in model and events[0].kind != "created":
        return StudyNotFoundError
    rows = dict(model.get(study, {}))
    for e in events:
        there = rows.setdefault(e.key, replace(e, seq=len(rows) + 1))
        if (there.kind, there.body) != (e.kind, e.body):
            return ConflictError
    model[study] = rows
    return max(rows[e.key].seq for e in events)


@pytest.mark.parametrize("form", ["memory", "jsonl-process", "sqlite-process"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=appends())
def test_any_sequence_of_appends_does_what_a_dictionary_would(form, calls):
    model: dict[str, dict[str, Event]] = {}
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(FORMS[form].format(folder=folder))
        for study, events in calls:
            expected = _model_append(model, study, events)
            if isinstance(expected, int):
                assert storage.append(study, events) == expected
            else:
                with pytest.raises(expected):
                    storage.append(study, events)
        again = storage if form == "memory" else open_storage(storage.url)
        assert storage.studies() == again.studies() == list(model)
        for study, rows in model.items():
            assert storage.events(study) == again.events(study) == list(rows.values())
        storage.close()
        again.close()
