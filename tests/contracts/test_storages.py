"""What every storage must do. A new one adds itself to FORMS and gets the suite."""

import hashlib
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import ConflictError, StaleLeaseError, StorageError, StudyNotFoundError
from bbo.events import MAX_BODY_BYTES, Event, canonical, event
from bbo.storage import Lease, Storage, open_storage

FORMS: dict[str, str] = {
    "memory": "memory://",
    "jsonl": "{folder}/log.jsonl",
    "jsonl-process": "{folder}/log.jsonl?durability=process",
    "sqlite": "{folder}/log.db",
    "sqlite-process": "sqlite:///{folder}/log.db?durability=process",
    "postgresql": "{fresh_postgres_url}",
}
SHARED = [form for form in FORMS if form != "memory"]
IN_FILES = [form for form in SHARED if "{folder}" in FORMS[form]]
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


def where(form: str, request: pytest.FixtureRequest) -> str:
    """The path or URL of an empty storage of this form."""
    text = FORMS[form]
    if "{folder}" in text:
        return text.format(folder=request.getfixturevalue("tmp_path"))
    if "{fresh_postgres_url}" in text:
        return text.format(fresh_postgres_url=request.getfixturevalue("fresh_postgres_url"))
    return text


@pytest.fixture(params=FORMS)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    yield from _opener(where(request.param, request))


@pytest.fixture(params=SHARED)
def shared_opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    yield from _opener(where(request.param, request))


@pytest.fixture(params=IN_FILES)
def file_opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    yield from _opener(where(request.param, request))


@pytest.fixture(params=["jsonl", "sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """One of each kind that processes share."""
    return where(request.param, request)


def _opener(url: str) -> Iterator[Opener]:
    opened: list[Storage] = []

    def make() -> Storage:
        opened.append(open_storage(url))
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


def hashes_of(events: list[Event]) -> list[str]:
    """The chain as its definition says: each hash is of a JSON list of the hash before and the columns."""
    hashes = ["0" * 64]
    for e in events:
        columns = [hashes[-1], e.seq, e.kind, e.version, e.key, e.trial, e.at, e.by, e.body]
        text = json.dumps(columns, separators=(",", ":"), ensure_ascii=False)
        hashes.append(hashlib.sha256(text.encode("utf-8")).hexdigest())
    return hashes[1:]


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


def test_second_storage_on_a_log_sees_what_the_first_wrote(shared_opener):
    one, two = shared_opener(), shared_opener()
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


def _append_many(url: str, process: int, n: int) -> None:
    storage = open_storage(url)
    storage.append("s", [created(seed=1)])
    for i in range(n):
        storage.append("s", [event("asked", f"asked/{process}-{i}/{part}", {"i": i}) for part in range(2)])
        storage.append(f"own {i}", [created(seed=1)])
    storage.close()


def test_processes_lose_nothing(shared_url):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(shared_url, k, 50)) for k in range(4)]
    for process in processes:
        process.start()
    reader = open_storage(shared_url)
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
        order = [e.key for e in seen[1:] if e.key.startswith(f"asked/{k}-")]
        assert order == [f"asked/{k}-{i}/{part}" for i in range(50) for part in (0, 1)]
    assert [e.hash for e in seen] == hashes_of(seen)
    reader.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_appends_beside_its_parent(shared_opener):
    storage = shared_opener()
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


def test_each_hash_is_of_its_event_and_the_hash_before(opener):
    storage = opener()
    events = [created(), *(event("asked", f"asked/{i}", body) for i, body in enumerate(ODD_BODIES)), told(0), told(7)]
    events += [Event("a kind to come", "k", "{}", version=9, at="2020-02-02", by="naïve 名"), asked(99)]
    for k in range(0, len(events), 3):
        storage.append("s", events[k : k + 3])
    hashes = hashes_of(numbered(events))
    assert [e.hash for e in storage.events("s")] == hashes
    assert [e.hash for e in storage.events("s", since=4)] == hashes[4:]
    storage.append("s", [*events[::-1], asked(100)])
    assert [e.hash for e in storage.events("s")[:-1]] == hashes
    assert [e.hash for e in storage.events("s")] == hashes_of(storage.events("s"))
    storage.append("t", events)
    assert [e.hash for e in storage.events("t")] == hashes


LONG_S = 3600.0


def seen_of(leases: list[Lease]) -> list[tuple[str, str, str]]:
    return [(lease.name, lease.token, lease.data) for lease in leases]


def take(storage: Storage, token: str, seconds: float = LONG_S) -> Lease:
    lease = storage.take("s", "ask", token, seconds)
    assert lease is not None
    return lease


def take_when_free(storage: Storage, token: str) -> Lease:
    """Waits for a short lease to run out."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        lease = storage.take("s", "ask", token, LONG_S)
        if lease is not None:
            return lease
        time.sleep(0.01)
    raise AssertionError("the lease did not run out")


@pytest.fixture
def begun(storage: Storage) -> Storage:
    storage.append("s", [created()])
    return storage


def test_a_lease_is_as_it_was_taken(begun):
    lease = begun.take("s", "runner/1", "mine", 60.0, '{"host":"naïve"}')
    assert (lease.name, lease.token, lease.data) == ("runner/1", "mine", '{"host":"naïve"}')
    assert 50 < lease.seconds_left <= 60
    (seen,) = begun.leases("s")
    assert replace(seen, seconds_left=0.0) == replace(lease, seconds_left=0.0)
    assert 50 < seen.seconds_left <= lease.seconds_left


def test_there_are_no_leases_before_one_is_taken(begun):
    assert begun.leases("s") == []


def test_a_held_lease_is_refused_to_others_until_it_is_given_up(begun):
    lease = take(begun, "a")
    assert begun.take("s", "ask", "b", LONG_S) is None
    assert seen_of(begun.leases("s")) == [("ask", "a", "")]
    begun.release("s", lease)
    assert begun.leases("s") == []
    assert take(begun, "b").token == "b"


def test_giving_up_a_lease_that_somebody_else_has_does_nothing(begun):
    lease = take(begun, "a")
    begun.release("s", lease)
    begun.release("s", lease)
    take(begun, "b")
    begun.release("s", lease)
    assert seen_of(begun.leases("s")) == [("ask", "b", "")]


def test_a_look_gives_new_events_and_the_leases_of_a_kind(begun):
    begun.append("s", [asked(0), asked(1)])
    assert begun.look("s", 0, "") == (begun.events("s"), [])
    for name in ("ticket/b", "ask", "ticket/a", "tick"):
        assert begun.take("s", name, f"of {name}", LONG_S)
    for since in range(5):
        for prefix, names in (
            ("ticket/", ["ticket/b", "ticket/a"]),
            ("tick", ["ticket/b", "ticket/a", "tick"]),
            ("ask", ["ask"]),
            ("%", []),
            ("runner/", []),
        ):
            events, leases = begun.look("s", since, prefix)
            assert events == begun.events("s", since)
            assert seen_of(leases) == [(name, f"of {name}", "") for name in names]
    with pytest.raises(StudyNotFoundError, match="it has 's'"):
        begun.look("other", 0, "")


def test_a_lease_that_ran_out_is_anybodys_and_not_before(begun):
    started = time.monotonic()
    first = take(begun, "a", 0.3)
    second = take_when_free(begun, "b")
    assert time.monotonic() - started > 0.29
    assert second.taken_at - first.taken_at > 0.29
    assert not begun.renew("s", first, LONG_S)
    assert seen_of(begun.leases("s")) == [("ask", "b", "")]


def test_a_lease_that_ran_out_stays_in_the_list_until_somebody_takes_it(begun):
    lease = take(begun, "a", 0.01)
    while begun.leases("s")[0].seconds_left > 0:
        time.sleep(0.005)
    assert seen_of(begun.leases("s")) == [("ask", "a", "")]
    assert begun.renew("s", lease, LONG_S)
    assert begun.take("s", "ask", "b", LONG_S) is None


def test_taking_twice_with_one_token_is_taking_once_and_goes_on_for_longer(begun):
    first = take(begun, "a", 10.0)
    again = take(begun, "a", LONG_S)
    assert again.taken_at == first.taken_at
    assert again.seconds_left > 1000
    assert len(begun.leases("s")) == 1
    assert begun.append("s", [asked(0)], lease=first) == 2


def test_renewing_sets_the_time_from_now_on(begun):
    lease = take(begun, "a", 10.0)
    assert begun.renew("s", lease, LONG_S)
    assert 1000 < begun.leases("s")[0].seconds_left <= LONG_S
    assert begun.renew("s", lease, 10.0)
    assert 0 < begun.leases("s")[0].seconds_left <= 10
    begun.release("s", lease)
    assert not begun.renew("s", lease, LONG_S)
    assert begun.leases("s") == []


def test_a_dead_holder_is_replaced_only_by_its_token(begun):
    dead = take(begun, "dead")
    assert begun.take("s", "ask", "b", LONG_S, instead_of="another") is None
    assert begun.take("s", "ask", "b", LONG_S, "new", instead_of="dead").token == "b"
    assert seen_of(begun.leases("s")) == [("ask", "b", "new")]
    assert not begun.renew("s", dead, LONG_S)
    assert begun.take("s", "ask", "c", LONG_S, instead_of="dead") is None


def test_leases_are_listed_in_the_order_in_which_they_were_taken(begun):
    names = ["z", "a", "m", "ask", "ticket/2", "ticket/1"]
    for name in names:
        assert begun.take("s", name, f"of {name}", 0.001 if name == "m" else LONG_S)
    assert begun.renew("s", next(lease for lease in begun.leases("s") if lease.name == "z"), LONG_S)
    assert [lease.name for lease in begun.leases("s")] == names
    taken = [lease.taken_at for lease in begun.leases("s")]
    assert taken == sorted(taken)


def test_leases_are_of_one_study(begun):
    begun.append("t", [created()])
    take(begun, "a")
    assert begun.leases("t") == []
    assert begun.take("t", "ask", "b", LONG_S) is not None
    assert seen_of(begun.leases("s")) == [("ask", "a", "")]


def test_leases_of_an_unknown_study_are_an_error_that_names_those_there_are(storage):
    for there in ("it has no studies", "it has 't'"):
        with pytest.raises(StudyNotFoundError, match=there):
            storage.take("s", "ask", "a", LONG_S)
        with pytest.raises(StudyNotFoundError, match=there):
            storage.leases("s")
        storage.append("t", [created()])


def test_leases_leave_the_log_as_it_is(begun):
    before = begun.events("s")
    begun.release("s", take(begun, "a"))
    take(begun, "b")
    assert begun.events("s") == before
    assert begun.append("s", [asked(0)]) == 2


@pytest.mark.parametrize("text", ODD_NAMES, ids=range(len(ODD_NAMES)))
def test_odd_names_and_data_of_leases_are_kept(storage, text):
    storage.append(text, [created()])
    lease = storage.take(text, text, text, LONG_S, text)
    assert seen_of(storage.leases(text)) == [(text, text, text)]
    assert storage.renew(text, lease, LONG_S)
    assert storage.append(text, [asked(0)], lease=lease, releases=True) == 2
    assert storage.leases(text) == []


def test_leases_outlive_the_storage_that_took_them(shared_opener):
    one = shared_opener()
    one.append("s", [created()])
    lease = take(one, "a")
    one.close()
    two = shared_opener()
    assert seen_of(two.leases("s")) == [("ask", "a", "")]
    assert two.take("s", "ask", "b", LONG_S) is None
    assert two.take("s", "ask", "a", LONG_S).taken_at == lease.taken_at
    assert two.renew("s", lease, LONG_S)
    assert two.append("s", [asked(0)], lease=lease, releases=True) == 2
    with pytest.raises(StaleLeaseError):
        one.append("s", [asked(1)], lease=lease)


@pytest.mark.parametrize("how", ["taken instead", "given up", "run out and taken"])
def test_append_under_a_stale_lease_is_refused_and_writes_nothing(begun, how):
    lease = take(begun, "a", 0.05 if how == "run out and taken" else LONG_S)
    begun.append("s", [asked(0)], lease=lease)
    if how == "taken instead":
        begun.take("s", "ask", "b", LONG_S, instead_of="a")
    elif how == "given up":
        begun.release("s", lease)
    else:
        take_when_free(begun, "b")
    before, held = begun.events("s"), seen_of(begun.leases("s"))
    for releases in (False, True):
        with pytest.raises(StaleLeaseError, match=r"'ask' on study 's' .*take it again"):
            begun.append("s", [asked(0), asked(1)], lease=lease, releases=releases)
    assert begun.events("s") == before
    assert seen_of(begun.leases("s")) == held
    assert begun.append("s", [asked(1)]) == 3


def test_what_stands_already_is_success_under_a_stale_lease(begun):
    lease = take(begun, "a")
    begun.append("s", [asked(0), told(0)], lease=lease, releases=True)
    take(begun, "b")
    assert begun.append("s", [asked(0), told(0)], lease=lease, releases=True) == 3
    assert seen_of(begun.leases("s")) == [("ask", "b", "")]


def test_append_under_a_lease_that_ran_out_and_that_nobody_took_is_written(begun):
    lease = take(begun, "a", 0.01)
    while begun.leases("s")[0].seconds_left > 0:
        time.sleep(0.005)
    assert begun.append("s", [asked(0)], lease=lease) == 2


def test_append_gives_its_lease_up_or_keeps_it(begun):
    lease = take(begun, "a")
    assert begun.append("s", [asked(0)], lease=lease) == 2
    assert seen_of(begun.leases("s")) == [("ask", "a", "")]
    assert begun.append("s", [asked(1)], lease=lease, releases=True) == 3
    assert begun.leases("s") == []
    lease = take(begun, "b")
    assert begun.append("s", [asked(1)], lease=lease, releases=True) == 3
    assert begun.leases("s") == []


def test_append_that_conflicts_keeps_its_lease(begun):
    begun.append("s", [told(0, 1.0)])
    lease = take(begun, "a")
    with pytest.raises(ConflictError):
        begun.append("s", [asked(0), told(0, 2.0)], lease=lease, releases=True)
    assert seen_of(begun.leases("s")) == [("ask", "a", "")]
    assert begun.append("s", [asked(0)], lease=lease, releases=True) == 3


def test_of_threads_that_take_one_lease_one_gets_it(begun):
    got: list[tuple[int, str]] = []

    def work(thread: int) -> None:
        for k in range(20):
            if begun.take("s", f"ticket/{k}", f"of {thread}", LONG_S) is not None:
                got.append((k, f"of {thread}"))

    _in_threads(4, work)
    assert sorted(k for k, _ in got) == list(range(20))
    assert {(lease.name, lease.token) for lease in begun.leases("s")} == {(f"ticket/{k}", by) for k, by in got}


def _take_many(url: str, process: int, n: int) -> None:
    """Takes each lease once, in the order of their numbers, and logs under it what it has got."""
    storage = open_storage(url)
    for k in range(n):
        lease = storage.take("s", f"ticket/{k}", f"of {process}", LONG_S)
        if lease is not None:
            storage.append("s", [event("asked", f"asked/{k}/{process}", {})], lease=lease)
    storage.close()


def test_of_processes_that_race_for_a_lease_one_gets_it(shared_url):
    storage = open_storage(shared_url)
    storage.append("s", [created()])
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_take_many, args=(shared_url, k, 60)) for k in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    taken = [(lease.name, lease.token) for lease in storage.leases("s")]
    assert sorted(name for name, _ in taken) == sorted(f"ticket/{k}" for k in range(60))
    logged = {tuple(e.key.split("/")[1:]) for e in storage.events("s", since=1)}
    assert logged == {(name.removeprefix("ticket/"), token.removeprefix("of ")) for name, token in taken}
    storage.close()


def _append_under_leases(url: str, process: int, n: int) -> None:
    """Counts up together with others: reads the last number and appends the next one, each time under the lease."""
    storage = open_storage(url)
    done = 0
    while done < n:
        lease = storage.take("s", "ask", f"{process}/{done}", 30.0)
        if lease is None:
            continue
        k = len(storage.events("s"))
        storage.append("s", [event("asked", f"asked/{k}", {"by": process})], lease=lease, releases=True)
        done += 1
    storage.close()


def test_processes_that_ask_in_turns_see_what_the_others_asked(shared_url):
    storage = open_storage(shared_url)
    storage.append("s", [created()])
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_under_leases, args=(shared_url, k, 25)) for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert [e.key for e in storage.events("s", since=1)] == [f"asked/{k}" for k in range(1, 76)]
    assert storage.leases("s") == []
    storage.close()


@st.composite
def lease_verbs(draw: st.DrawFn) -> list[tuple[str, str, str, str | None]]:
    """A verb, the name of a lease, a token, and for `take` whose place it takes."""
    verbs = st.sampled_from(["take", "renew", "release", "append", "append and release"])
    tokens = st.sampled_from(["a", "b", "c"])
    one = st.tuples(verbs, st.sampled_from(["ask", "runner/1"]), tokens, st.none() | tokens)
    return draw(st.lists(one, max_size=25))


@pytest.mark.parametrize("form", ["memory", "jsonl-process", "sqlite-process"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(verbs=lease_verbs())
def test_any_sequence_of_verbs_on_leases_does_what_a_dictionary_would(form, verbs):
    holders: dict[str, str] = {}
    n = 1
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(FORMS[form].format(folder=folder))
        storage.append("s", [created()])
        for verb, name, token, instead_of in verbs:
            lease = Lease(name, token, "", 0.0, 0.0)
            is_holder = holders.get(name) == token
            if verb == "take":
                may = holders.get(name) in (None, token, instead_of)
                assert (storage.take("s", name, token, LONG_S, instead_of=instead_of) is not None) == may
                if may and not is_holder:
                    holders.pop(name, None)
                    holders[name] = token
            elif verb == "renew":
                assert storage.renew("s", lease, LONG_S) == is_holder
            elif verb == "release":
                storage.release("s", lease)
            elif is_holder:
                n += 1
                assert storage.append("s", [asked(n)], lease=lease, releases=verb == "append and release") == n
            else:
                with pytest.raises(StaleLeaseError):
                    storage.append("s", [asked(n + 1)], lease=lease, releases=verb == "append and release")
            if is_holder and verb in ("release", "append and release"):
                del holders[name]
            assert [(lease.name, lease.token) for lease in storage.leases("s")] == list(holders.items())
        assert len(storage.events("s")) == n
        storage.close()


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
