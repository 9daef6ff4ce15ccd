"""The log in a real PostgreSQL server, which is restarted, cut off and shared. What all storages do: `contracts/`."""

import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from bbo.errors import BusyError, StaleLeaseError, StorageError, StudyNotFoundError
from bbo.events import GENESIS, chained, event
from bbo.storage import open_storage, postgres
from bbo.storage.sql import SQLStorage
from tests.postgres import server
from tests.proxy import Proxy

CREATED = event("created", "created", {"seed": 1})
CUT_S = 20.0 if os.environ.get("BBO_LONG") else 1.5
WAIT_S = 60.0


def asked(i, **body):
    return event("asked", f"asked/{i}", body)


@pytest.fixture
def url(fresh_postgres_url):
    """Of a database with a study `s`."""
    storage = open_storage(fresh_postgres_url)
    storage.append("s", [CREATED])
    storage.close()
    return fresh_postgres_url


@pytest.fixture
def opened():
    """Opens storages, which are closed after the test."""
    storages = []

    def make(url):
        storages.append(open_storage(url))
        return storages[-1]

    yield make
    for storage in storages:
        storage.close()


@pytest.fixture
def own_server(postgres_bin):
    """For who stops it."""
    with server(postgres_bin) as running:
        yield running


def with_options(url, **options):
    return make_url(url).update_query_dict(options).render_as_string(hide_password=False)


def rows(url, statement):
    with psycopg.connect(url) as c:
        return c.execute(statement).fetchall()


def until(condition):
    """Back once it holds."""
    patience = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if condition():
            return
        patience.wait(0.01)
    raise AssertionError(f"not within {WAIT_S} s")


def is_one_waiting_for_a_lock(url):
    return rows(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'bbo'")


class Pause:
    """Holds the first append of a storage that gets so far, before a statement that begins so or before it commits."""

    def __init__(self, storage: SQLStorage, before: str) -> None:
        self.is_reached = threading.Event()
        self.goes_on = threading.Event()
        self._before = before
        engine = storage._database._engine.here()
        sqlalchemy.event.listen(engine, "commit", lambda c: self._hold("COMMIT"))
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda c, cursor, statement, *_: self._hold(statement))

    def _hold(self, statement: str) -> None:
        if statement.startswith(self._before) and not self.is_reached.is_set():
            self.is_reached.set()
            assert self.goes_on.wait(WAIT_S)


@contextmanager
def paused(storage: SQLStorage, before: str = "COMMIT") -> Iterator[Pause]:
    pause = Pause(storage, before)
    try:
        yield pause
    finally:
        pause.goes_on.set()


class Reader:
    """Asks for what is above the highest number it has seen, as a worker does."""

    def __init__(self, fetch):
        self._fetch = fetch
        self.seen = []

    def poll(self):
        self.seen += self._fetch(max(self.seen, default=0))


def test_no_reader_skips_what_commits_late_as_it_would_with_an_identity_column(url, opened):
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        first.execute("CREATE TABLE scratch (id int GENERATED ALWAYS AS IDENTITY, body text)")
        first.commit()
        reader = Reader(lambda since: [k for (k,) in rows(url, f"SELECT id FROM scratch WHERE id > {since}")])
        first.execute("INSERT INTO scratch (body) VALUES ('first')")
        second.execute("INSERT INTO scratch (body) VALUES ('second')")
        second.commit()
        reader.poll()
        first.commit()
        reader.poll()
    assert reader.seen == [2]  # it will never see 1

    one, two, three = opened(url), opened(url), opened(url)
    reader = Reader(lambda since: [e.seq for e in three.events("s", since)])
    with ThreadPoolExecutor(2) as threads:
        with paused(one) as pause:
            first = threads.submit(one.append, "s", [asked("first"), asked("first'")])
            assert pause.is_reached.wait(WAIT_S)
            second = threads.submit(two.append, "s", [asked("second")])
            until(lambda: second.done() or is_one_waiting_for_a_lock(url))
            reader.poll()
        assert {first.result(), second.result()} == {3, 4}
    reader.poll()
    assert reader.seen == [1, 2, 3, 4]


def test_creators_of_one_study_at_once_both_succeed(fresh_postgres_url, opened):
    one, two = opened(fresh_postgres_url), opened(fresh_postgres_url)
    one.append("other", [CREATED])
    with ThreadPoolExecutor(2) as threads:
        with paused(one) as pause:
            first = threads.submit(one.append, "s", [CREATED])
            assert pause.is_reached.wait(WAIT_S)
            second = threads.submit(two.append, "s", [CREATED, asked(0)])
            until(lambda: is_one_waiting_for_a_lock(fresh_postgres_url))
        assert (first.result(), second.result()) == (1, 2)
    assert [e.key for e in two.events("s")] == ["created", "asked/0"]


def test_a_lease_cannot_be_taken_between_the_check_of_an_append_and_its_commit(url, opened):
    one, two = opened(url), opened(url)
    held = one.take("s", "ask", "one", 600.0)
    with ThreadPoolExecutor(2) as threads:
        with paused(one) as pause:
            append = threads.submit(one.append, "s", [asked(0)], lease=held)
            assert pause.is_reached.wait(WAIT_S)
            take = threads.submit(two.take, "s", "ask", "two", 600.0, instead_of="one")
            until(lambda: take.done() or is_one_waiting_for_a_lock(url))
            assert not take.done()
        assert append.result() == 2
        assert take.result().token == "two"
    with pytest.raises(StaleLeaseError):
        one.append("s", [asked(1)], lease=held)
    assert two.append("s", [asked(1)], lease=take.result(), releases=True) == 3
    assert two.leases("s") == []


@pytest.mark.parametrize("before", ["INSERT INTO events", "COMMIT"])
def test_a_lease_can_be_taken_while_somebody_appends(url, opened, before):
    one, two = opened(url), opened(with_options(url, options="-c lock_timeout=5s"))
    with ThreadPoolExecutor(1) as threads:
        with paused(one, before) as pause:
            append = threads.submit(one.append, "s", [asked(0)])
            assert pause.is_reached.wait(WAIT_S)
            held = two.take("s", "ticket/1", "two", 600.0)
            assert two.renew("s", held, 600.0)
            two.release("s", held)
            assert not append.done()
        assert append.result() == 2


def test_of_many_who_take_a_lease_at_once_one_has_it(url, opened):
    storages = [opened(url) for _ in range(8)]
    for k in range(5):
        barrier = threading.Barrier(len(storages))

        def take(j, name=f"ask{k}", barrier=barrier):
            barrier.wait()
            return storages[j].take("s", name, f"of {j}", 600.0)

        with ThreadPoolExecutor(len(storages)) as threads:
            taken = list(threads.map(take, range(len(storages))))
        assert sum(lease is not None for lease in taken) == 1
        (held,) = [lease for lease in storages[0].leases("s") if lease.name == f"ask{k}"]
        assert held.token in [lease.token for lease in taken if lease]


def test_a_lease_runs_out_by_the_clock_of_the_server(url, opened):
    one, two = opened(url), opened(url)
    (now,) = rows(url, "SELECT extract(epoch FROM clock_timestamp())::float")[0]
    held = one.take("s", "ask", "one", 0.2)
    assert held.taken_at == pytest.approx(now, abs=30)
    until(lambda: two.take("s", "ask", "two", 600.0))
    (later,) = rows(url, "SELECT extract(epoch FROM clock_timestamp())::float")[0]
    assert later - held.taken_at >= 0.2
    assert not one.renew("s", held, 600.0)


def test_leases_that_ran_out_an_hour_ago_are_forgotten_when_another_is_taken(url, opened):
    storage = opened(url)
    for name, since in (("old", 3700), ("young", 3500)):
        storage.take("s", f"runner/{name}", name, 600.0)
        with psycopg.connect(url) as c:
            c.execute(
                "UPDATE leases SET ends_at = extract(epoch FROM clock_timestamp()) - %s WHERE token = %s", (since, name)
            )
    storage.take("s", "ask", "mine", 600.0)
    assert {lease.token for lease in storage.leases("s")} == {"young", "mine"}


def _append_many(url, worker, n, results):
    storage = open_storage(url)
    for k in range(n):
        e = asked(f"{worker}-{k}", worker=worker)
        results.put((e.key, storage.append("s", [e])))
    storage.close()


def test_nothing_that_was_appended_is_lost_or_doubled_when_the_server_crashes(own_server, opened):
    storage = opened(own_server.url)
    storage.append("s", [CREATED])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    n, n_each = 4, 100
    processes = [context.Process(target=_append_many, args=(own_server.url, k, n_each, results)) for k in range(n)]
    for process in processes:
        process.start()
    given = {}
    for crash_at in (40, 120, 200, n * n_each):
        while len(given) < crash_at:
            key, seq = results.get(timeout=WAIT_S)
            assert key not in given
            given[key] = seq
        if crash_at < n * n_each:
            own_server.restart_immediately()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    events = storage.events("s")
    assert [e.seq for e in events] == list(range(1, n * n_each + 2))
    assert {e.key: e.seq for e in events[1:]} == given
    last = GENESIS
    for e in events:
        last = chained(last, e)
        assert e.hash == last


@pytest.fixture
def proxied(url):
    """A proxy before the server, and the URL through it."""
    parsed = make_url(url)
    with Proxy(parsed.host, parsed.port) as proxy:
        yield proxy, parsed.set(port=proxy.port).render_as_string(hide_password=False)


@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_appends_resume_after_the_connection_was_interrupted(proxied, opened, caplog, how):
    proxy, url = proxied
    storages = [opened(url) for _ in range(3)]
    stops = threading.Event()

    def work(j):
        given = {}
        while not stops.is_set():
            e = asked(f"{j}-{len(given)}")
            given[e.key] = storages[j].append("s", [e])
            held = storages[j].take("s", f"runner/{j}", f"of {j}", 600.0)
            assert held.token == f"of {j}"
            assert storages[j].renew("s", held, 600.0)
        return given

    with caplog.at_level(logging.INFO, "bbo.storage.postgres"), ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work, j) for j in range(3)]
        try:
            until(lambda: len(storages[0].events("s")) > 20)
            getattr(proxy, how)()
            threading.Event().wait(CUT_S)
            proxy.resume()
            before = len(storages[0].events("s"))
            until(lambda: len(storages[0].events("s")) > before + 20)
        finally:
            proxy.resume()
            stops.set()
        given = [one.result() for one in working]
    events = storages[0].events("s")
    assert {e.key: e.seq for e in events[1:]} == {key: seq for one in given for key, seq in one.items()}
    said = [(r.levelname, r.message.split(" ")[2]) for r in caplog.records if r.message.startswith(url)]
    if how == "cut":
        assert said.count(("WARNING", "away,")) == said.count(("INFO", "back")) == 3
    else:
        assert said == []


def test_a_server_that_stays_away_is_an_error_in_the_end_that_says_what_is_in_the_log(proxied, opened, monkeypatch):
    proxy, url = proxied
    monkeypatch.setattr(postgres, "PATIENCE_S", 0.5)
    storage = opened(url)
    storage.append("s", [asked(0)])
    proxy.cut()
    with pytest.raises(StorageError, match=r"Gave up postgresql://.* wholly or not at all") as caught:
        storage.append("s", [asked(1)])
    assert url in str(caught.value)
    proxy.resume()
    assert storage.append("s", [asked(1)]) == 3


def test_a_reply_that_was_lost_does_not_make_an_append_twice(proxied, opened, caplog):
    proxy, url = proxied
    resuming = threading.Timer(0.8, proxy.resume)
    storage = opened(url)
    storage.append("s", [asked(0)])
    held = storage.take("s", "ask", "mine", 600.0)
    n_commits = 0

    def cut_once(connection):
        nonlocal n_commits
        n_commits += 1
        if n_commits == 1:
            connection.connection.driver_connection.commit()  # the server has it, and then nobody hears of it
            proxy.cut()
            resuming.start()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    sqlalchemy.event.listen(storage._database._engine.here(), "commit", cut_once)
    with caplog.at_level(logging.INFO, "bbo.storage.postgres"):
        assert storage.append("s", [asked(1), asked(2)], lease=held, releases=True) == 4
    resuming.join()
    assert n_commits == 2  # that of the one that found its events there
    said = [r.levelname for r in caplog.records if r.message.startswith(url)]
    assert said == ["WARNING", "INFO"]  # who heard that it is away hears that it is back
    assert [e.key for e in storage.events("s")] == ["created", "asked/0", "asked/1", "asked/2"]


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly"), 2),
        (psycopg.DatabaseError("server closed the connection unexpectedly"), 2),
        (psycopg.errors.DeadlockDetected(), 2),
        (psycopg.errors.CannotConnectNow(), 2),
        (psycopg.errors.UniqueViolation(), 1),
        (psycopg.errors.InvalidPassword(), 1),
        (psycopg.ProgrammingError("the query has 2 placeholders"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_may_pass_is_tried_again(url, opened, error, times):
    n = 0

    def work(c):
        nonlocal n
        n += 1
        if n == 1:
            raise error
        return n

    storage = opened(url)
    if times == 1:
        with pytest.raises(StorageError, match="The log is unchanged"):
            storage._database.run("append", work)
    else:
        assert storage._database.run("append", work) == 2
    assert n == times


def test_who_stands_still_within_an_append_is_cut_off_and_does_it_again(url, opened):
    slow = opened(with_options(url, options="-c idle_in_transaction_session_timeout=300"))
    other = opened(url)
    with ThreadPoolExecutor(1) as threads:
        with paused(slow) as pause:
            append = threads.submit(slow.append, "s", [asked("slow")])
            assert pause.is_reached.wait(WAIT_S)
            assert other.append("s", [asked("other")]) == 2
        assert append.result() == 3
    assert [e.key for e in other.events("s")] == ["created", "asked/other", "asked/slow"]


def test_a_lock_held_for_long_is_an_error_that_says_where_to_look(url, opened):
    storage = opened(with_options(url, options="-c lock_timeout=200"))
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM studies FOR UPDATE")
        assert len(storage.events("s")) == 1
        with pytest.raises(BusyError, match=r"held its lock.* The log is unchanged.*pg_stat_activity"):
            storage.append("s", [asked(0)])
    assert storage.append("s", [asked(0)]) == 2


@pytest.mark.parametrize("level", ["serializable", r"repeatable\ read"])
def test_transactions_that_the_server_refuses_to_order_are_done_again(url, opened, level):
    options = f"-c default_transaction_isolation={level}"
    storages = [opened(with_options(url, options=options)) for _ in range(4)]

    def work(j):
        return [storages[j].append("s", [asked(f"{j}-{k}")]) for k in range(20)]

    with ThreadPoolExecutor(4) as threads:
        numbers = [number for given in threads.map(work, range(4)) for number in given]
    assert sorted(numbers) == list(range(2, 82))


def test_a_process_has_at_most_two_connections(url, opened):
    storage = opened(url)
    barrier = threading.Barrier(8)

    def work(j):
        barrier.wait()
        counts = []
        for k in range(10):
            storage.append("s", [asked(f"{j}-{k}")])
            counts += rows(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bbo'")
        return max(counts)[0]

    with ThreadPoolExecutor(8) as threads:
        assert 1 <= max(threads.map(work, range(8))) <= 2
    assert len(storage.events("s")) == 81


def test_a_connection_that_others_have_taken_up_is_waited_for(postgres_server, url, opened):
    postgres_server.execute("CREATE ROLE one_only LOGIN CONNECTION LIMIT 0")
    with psycopg.connect(url) as c:
        c.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO one_only")
    with ThreadPoolExecutor(1) as threads:
        role = make_url(url).set(username="one_only").render_as_string()
        opening = threads.submit(opened, role)
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            psycopg.connect(role)
        assert not opening.done()
        postgres_server.execute("ALTER ROLE one_only CONNECTION LIMIT 1")
        storage = opening.result()
    assert storage.studies() == ["s"]
    storage.close()
    with psycopg.connect(url) as c:
        c.execute("DROP OWNED BY one_only")
    postgres_server.execute("DROP ROLE one_only")


def _use(storage, key, results):
    results.put((storage.append("s", [asked(key)]), len(storage.events("s"))))
    storage.close()


def test_a_forked_child_has_its_own_connection_and_leaves_the_parents_alone(url, opened):
    storage = opened(url)
    backend = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bbo'"
    before = rows(url, backend)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    for k in range(3):
        child = context.Process(target=_use, args=(storage, k, results))
        child.start()
        child.join()
        assert child.exitcode == 0
        assert results.get() == (k + 2, k + 2)
        until(lambda: rows(url, backend) == before)
    assert len(before) == 1
    assert storage.append("s", [asked("parent")]) == 5
    assert rows(url, backend) == before


@pytest.fixture
def reader_url(postgres_server, url):
    """Of a role that may only SELECT."""
    postgres_server.execute("CREATE ROLE reader LOGIN")
    with psycopg.connect(url) as c:
        c.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    yield make_url(url).set(username="reader").render_as_string()
    with psycopg.connect(url) as c:
        c.execute("DROP OWNED BY reader")
    postgres_server.execute("DROP ROLE reader")


def test_a_role_that_may_only_read_reads_and_its_writing_is_an_error_that_says_what_it_lacks(url, reader_url, opened):
    writer, reader = opened(url), opened(reader_url)
    writer.append("s", [asked(0)])
    held = writer.take("s", "ask", "mine", 600.0)
    assert reader.studies() == ["s"]
    assert reader.events("s") == writer.events("s")
    assert [lease.token for lease in reader.leases("s")] == ["mine"]
    writes = [
        lambda: reader.append("s", [asked(1)]),
        lambda: reader.append("new", [CREATED]),
        lambda: reader.take("s", "ticket/1", "its", 600.0),
        lambda: reader.renew("s", held, 600.0),
        lambda: reader.release("s", held),
    ]
    for write in writes:
        with pytest.raises(StorageError, match=r"may not do this.*INSERT, UPDATE and DELETE.*unchanged.*permission"):
            write()
    assert len(writer.events("s")) == 2


def test_a_role_that_may_write_but_not_make_tables_works(postgres_server, url, opened):
    postgres_server.execute("CREATE ROLE worker LOGIN")
    with psycopg.connect(url) as c:
        c.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker")
        c.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker")
    storage = opened(make_url(url).set(username="worker").render_as_string())
    held = storage.take("s", "ask", "mine", 600.0)
    assert storage.append("s", [asked(0)], lease=held, releases=True) == 2
    assert storage.append("new", [CREATED]) == 1
    storage.close()
    with psycopg.connect(url) as c:
        c.execute("DROP OWNED BY worker")
    postgres_server.execute("DROP ROLE worker")


def test_a_standby_is_read_and_an_append_says_to_take_the_primary(url, opened):
    storage = opened(with_options(url, options="-c default_transaction_read_only=on"))
    assert len(storage.events("s")) == 1
    with pytest.raises(StorageError, match=r"standby or read-only\. Give the URL of the primary"):
        storage.append("s", [asked(0)])


def test_a_password_is_asked_for_and_never_shown(postgres_bin, caplog, opened, monkeypatch):
    monkeypatch.setattr(postgres, "OPENING_S", 0.2)
    secret = "horse%23staple"  # as it stands in a URL
    with server(postgres_bin, "horse#staple") as running, caplog.at_level(logging.DEBUG):
        url = running.url.replace("horse#staple", secret)
        storage = opened(url)
        storage.append("s", [CREATED])
        said = [storage.url]
        for wrong in (
            url.replace(secret, "horse%23wrong"),
            url.replace(f":{secret}", ""),
            url.replace(f":{running.port}", ":1"),
            url.replace("/postgres", "/horses"),
            url.replace(f"postgres:{secret}", f"nobody:{secret}"),
            with_options(url, sslmode="require"),
            with_options(url.replace(f":{secret}", ""), password="horse#wrong"),
            with_options(url, oddity="1"),
            url.replace("%23", "@"),
            url.replace(f"@127.0.0.1:{running.port}", "@127.0.0.1:horse"),
            url.replace("postgresql:", "mysql:"),
        ):
            with pytest.raises(StorageError) as caught:
                open_storage(wrong) if wrong.startswith("postgres") else SQLStorage(wrong)
            said.append(str(caught.value))
        with pytest.raises(StudyNotFoundError) as caught:
            storage.events("no such")
        said.append(str(caught.value))
    for text in (*said, caplog.text):
        assert "staple" not in text
        assert "horse#" not in text
        assert "horse%23" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u: u.set(database="horses"), r"postgres@127.*/horses: there is no such database\. Make it first"),
        (lambda u: u.set(username="nobody"), r"nobody@127.*: there is no such role\. Make it first"),
        (lambda u: u.update_query_dict({"sslmode": "require"}), r"sslmode=require: it has no SSL\. Leave out sslmode"),
        (lambda u: u.update_query_dict({"oddity": "1"}), r'invalid connection option "oddity"'),
        (lambda u: u.update_query_dict({"durability": "full"}), r"\?durability= is for files.*server decides"),
        (lambda u: u.update_query_dict({"options": "-csearch_path=nowhere"}), r"no such schema\. CREATE SCHEMA"),
    ],
    ids=["database", "role", "SSL", "unknown option", "durability", "schema"],
)
def test_a_url_that_cannot_work_is_an_error_at_once_that_says_what_to_mend(fresh_postgres_url, opened, change, message):
    with pytest.raises(StorageError, match=message):
        opened(change(make_url(fresh_postgres_url)).render_as_string()).append("s", [CREATED])


def test_a_wrong_password_is_an_error_at_once(postgres_bin):
    with server(postgres_bin, "right") as running:
        with pytest.raises(StorageError, match=r"postgres:\*\*\*@127.*the user or the password is wrong\. Check both"):
            open_storage(running.url.replace("right", "wrong"))
        with pytest.raises(StorageError, match=r"it asks for a password\. Check both"):
            open_storage(running.url.replace(":right", ""))


def test_a_url_where_nobody_listens_is_an_error_soon(monkeypatch):
    monkeypatch.setattr(postgres, "OPENING_S", 0.3)
    with pytest.raises(
        StorageError, match=r"Gave up postgresql://u:\*\*\*@127\.0\.0\.1:1/x after .*refused.*Check that"
    ):
        open_storage("postgresql://u:secret@127.0.0.1:1/x")


def test_missing_psycopg_is_an_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "bbo.storage.postgres")
    with pytest.raises(StorageError, match=r"pip install 'bbo\[postgres\]'"):
        open_storage("postgresql://127.0.0.1/x")


@pytest.mark.parametrize("form", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_each_form_of_url_opens_the_same_log_and_has_one_name(url, opened, form):
    storage = opened(url.replace("postgresql://", form))
    assert len(storage.events("s")) == 1
    assert storage.url == url


def test_sessions_have_the_settings_that_keep_a_lost_client_from_blocking_others(url, opened):
    storage = opened(url)
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "tcp_keepalives_idle", "tcp_user_timeout")

    def show(c):
        return [c.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    assert storage._database.run("read", show) == ["1min", "15s", "5", "15000"]


def test_options_in_the_url_take_the_place_of_ours(url, opened):
    own = with_options(url, options="-c lock_timeout=5s", application_name="laboratory", connect_timeout="3")
    storage = opened(own)
    assert storage._database.run("read", lambda c: c.exec_driver_sql("SHOW lock_timeout").scalar()) == "5s"
    assert storage._database.run("read", lambda c: c.exec_driver_sql("SHOW application_name").scalar()) == "laboratory"
    assert opened(storage.url).events("s") == storage.events("s")


def test_a_schema_of_its_own_holds_another_log_in_the_same_database(url, opened):
    with psycopg.connect(url) as c:
        c.execute("CREATE SCHEMA apart")
    storage = opened(with_options(url, options="-csearch_path=apart"))
    assert storage.studies() == []
    assert storage.append("other", [CREATED]) == 1
    assert storage.studies() == ["other"]
    assert opened(url).studies() == ["s"]


def test_a_database_of_another_program_is_an_error_and_left_alone(fresh_postgres_url):
    with psycopg.connect(fresh_postgres_url) as c:
        c.execute("CREATE TABLE recipes (id int)")
    with pytest.raises(StorageError, match=r"not a log of bbo: it has the tables recipes.*createdb.*search_path"):
        open_storage(fresh_postgres_url)
    assert rows(fresh_postgres_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("recipes",)]


def test_a_database_whose_encoding_cannot_hold_every_text_is_refused(postgres_server):
    postgres_server.execute("CREATE DATABASE western ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    storage = open_storage(f"{postgres_server.url.rpartition('/')[0]}/western")
    with pytest.raises(StorageError, match=r"encoding LATIN1.*createdb --encoding=UTF8"):
        storage.append("s", [CREATED])
    storage.close()
    postgres_server.execute("DROP DATABASE western")


def test_a_key_that_no_index_can_hold_is_an_error_that_says_so(url, opened):
    storage = opened(url)
    key = "".join(f"{k * k:x}" for k in range(3000))
    with pytest.raises(StorageError, match=r"key is too long: about 2,700 bytes.*unchanged"):
        storage.append("s", [event("opened", key, {})])
    assert len(storage.events("s")) == 1
