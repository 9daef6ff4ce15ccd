"""A log that was changed by other hands is found by its chain, in files and in databases."""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bbo import Float, Minimize, Study
from bbo.errors import DamagedError
from bbo.storage import open_storage
from bbo.strategies import RandomSearch
from bbo.studies import specification
from bbo.studies.verify import verify

COLUMNS = ["seq", "kind", "version", "key", "trial", "at", "by", "hash", "body"]
N_TRIALS = 8


@pytest.fixture(params=["log.jsonl", "log.db", "postgresql"])
def url(request, tmp_path):
    """Of a study with some trials, an ask and a tell each."""
    at = (
        request.getfixturevalue("fresh_postgres_url")
        if request.param == "postgresql"
        else f"{tmp_path}/{request.param}"
    )
    with Study([Float("x", 0, 1)], Minimize("y"), strategy=RandomSearch(), storage=at, name="s", seed=3) as study:
        for _ in range(N_TRIALS):
            trial = study.ask()
            study.tell(trial, trial["x"] ** 2)
    return at


def verified(url):
    storage = open_storage(url)
    try:
        return verify(storage.events("s"), specification.rebuild)
    finally:
        storage.close()


def logged(url):
    storage = open_storage(url)
    try:
        return storage.events("s")
    finally:
        storage.close()


def hashes(url):
    return [e.hash for e in logged(url)]


def edit(url, change):
    """Puts `change(rows)` in place of the rows, by hand; rows are dictionaries of the columns."""
    if url.endswith(".jsonl"):
        header, *lines = Path(url).read_text().splitlines()
        rows = change([_of_line(line) for line in lines])
        Path(url).write_text("\n".join([header, *map(_line, rows)]) + "\n")
        return
    sql = f"sqlite:///{url}" if url.endswith(".db") else url.replace("postgresql://", "postgresql+psycopg://")
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    engine = create_engine(sql)
    with engine.begin() as c:
        rows = [dict(row) for row in c.execute(text(f"SELECT study_id, {names} FROM events ORDER BY seq")).mappings()]
        changed = [{"study_id": rows[0]["study_id"], **row} for row in change(rows)]
        c.execute(text("DELETE FROM events"))
        places = ", ".join(f":{name}" for name in COLUMNS)
        c.execute(text(f"INSERT INTO events (study_id, {names}) VALUES (:study_id, {places})"), changed)
    engine.dispose()


def _of_line(line):
    head, _, body = line.partition(',"body":')
    return json.loads(head + "}") | {"body": body[:-1]}


def _line(row):
    head = {"study": "s"} | {name: row[name] for name in COLUMNS[:-2]} | {"more": 0, "hash": row["hash"]}
    return json.dumps(head, separators=(",", ":"))[:-1] + ',"body":' + row["body"] + "}"


def renumbered(rows):
    return [row | {"seq": n} for n, row in enumerate(rows, start=1)]


def rehashed(rows, since):
    """With hashes that follow from the row `since` on."""
    done = [dict(row) for row in rows]
    for k in range(since, len(done)):
        before = done[k - 1]["hash"] if k else "0" * 64
        names = ("seq", "kind", "version", "key", "trial", "at", "by", "body")
        text = json.dumps([before, *(done[k][name] for name in names)], separators=(",", ":"), ensure_ascii=False)
        done[k]["hash"] = hashlib.sha256(text.encode()).hexdigest()
    return done


def with_cells(**cells):
    return lambda rows, k: [*rows[:k], rows[k] | cells, *rows[k + 1 :]]


def with_body(rows, k):
    """Another value of the told event k, or another seed of the created one."""
    old, new = ('"y":', '"y":1') if k else ('"seed":3', '"seed":4')
    assert old in rows[k]["body"]
    return with_cells(body=rows[k]["body"].replace(old, new))(rows, k)


def inserted(rows, k):
    return renumbered([*rows[:k], rows[k] | {"key": "ended/77"}, *rows[k:]])


# What is done at row k, the told event of a trial, and by how many rows behind it the chain breaks.
CHANGES = {
    "a value": (with_body, 0),
    "the first body": (lambda rows, k: with_body(rows, 0), None),
    "the last body": (lambda rows, k: with_body(rows, len(rows) - 1), None),
    "a time": (with_cells(at="2020-02-02T00:00:00.000+00:00"), 0),
    "an author": (with_cells(by="somebody else"), 0),
    "a trial": (with_cells(trial=3), 0),
    "a key": (with_cells(key="ended/77"), 0),
    "a kind": (with_cells(kind="failed"), 0),
    "a version": (with_cells(version=1), 0),
    "a hash": (with_cells(hash="a" * 64), 0),
    "a value with its hash": (lambda rows, k: [*rehashed(with_body(rows, k), k)[: k + 1], *rows[k + 1 :]], 1),
    "deleted": (lambda rows, k: renumbered(rows[:k] + rows[k + 1 :]), 0),
    "deleted, numbers left": (lambda rows, k: rows[:k] + rows[k + 1 :], 1),
    "the first deleted": (lambda rows, k: renumbered(rows[1:]), None),
    "inserted": (inserted, 0),
    "inserted with its hash": (
        lambda rows, k: [*rehashed(inserted(rows, k), k)[: k + 1], *inserted(rows, k)[k + 1 :]],
        1,
    ),
    "swapped": (lambda rows, k: renumbered([*rows[:k], rows[k + 1], rows[k], *rows[k + 2 :]]), 0),
}


def at_told(change):
    return lambda rows: change(rows, [row["key"] for row in rows].index("ended/2"))


def test_the_chain_of_an_untouched_log_holds_and_its_head_is_the_last_hash(url):
    found = verified(url)
    assert (found.agrees, found.broken_at, found.divergence) == (True, None, None)
    assert found.head == hashes(url)[-1]
    edit(url, lambda rows: rows)
    assert verified(url) == found


@pytest.mark.parametrize("what", CHANGES)
def test_a_row_changed_by_hand_is_found(url, what):
    events = logged(url)
    change, behind = CHANGES[what]
    if behind is None:
        expected = 1 if "first" in what else len(events)
    else:
        expected = next(e.seq for e in events if e.key == "ended/2") + behind
    edit(url, at_told(change))
    if what == "deleted, numbers left" and url.endswith(".jsonl"):
        with pytest.raises(DamagedError, match=f"event {expected - 1} of study 's' must stand here, not {expected}"):
            verified(url)
        return
    if what in ("deleted", "the first deleted") and not url.endswith(".jsonl"):
        with pytest.raises(DamagedError, match=rf"it should have {len(events)} events, .* above {len(events) - 1}"):
            verified(url)
        return
    found = verified(url)
    assert found.broken_at == expected
    assert not found.agrees
    # Only what stands before the break is recomputed.
    assert found.n_asks == sum(e.kind == "asked" and e.seq < expected for e in events)
    assert found.divergence is None


def test_a_log_cut_short_does_not_contain_its_earlier_head(url):
    head, logged_before = verified(url).head, logged(url)
    assert head == logged_before[-1].hash
    edit(url, lambda rows: rows[:-3])
    if not url.endswith(".jsonl"):  # a database counts its rows
        with pytest.raises(
            DamagedError,
            match=rf"it should have {len(logged_before)} events, and none is there above {len(logged_before) - 3}",
        ):
            verified(url)
        return
    found = verified(url)
    assert found.agrees
    assert found.head != head
    assert head not in hashes(url)


def test_a_log_rewritten_with_all_its_hashes_does_not_contain_its_earlier_head(url):
    head = verified(url).head
    edit(url, at_told(lambda rows, k: rehashed(with_body(rows, k), k)))
    found = verified(url)
    assert found.broken_at is None
    assert found.head != head
    assert head not in hashes(url)


def test_a_study_says_that_its_log_was_changed(url):
    edit(url, at_told(with_body))
    with Study.load(url) as study:
        found = study.verify()
        assert found.broken_at == next(e.seq for e in logged(url) if e.key == "ended/2")
        assert not found.agrees


def test_the_head_before_is_contained_in_a_log_that_went_on(url):
    head = verified(url).head
    with Study.load(url) as study:
        study.tell(study.ask(), 0.5)
        assert study.verify().agrees
    assert head in hashes(url)
    assert verified(url).head != head
