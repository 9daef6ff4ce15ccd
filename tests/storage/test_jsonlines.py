import fcntl
import json
import multiprocessing
import re
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import BusyError, DamagedError, NewerFormatError, StorageError
from bbo.events import Event, event
from bbo.storage import JSONLinesStorage, jsonlines
from bbo.storage.chain import broken_at

CREATED = event("created", "created", {"seed": 1})


def asked(i, **body):
    return event("asked", f"asked/{i}", body)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.jsonl"


@pytest.fixture
def written(path):
    storage = JSONLinesStorage(path, "process")
    storage.append("s", [CREATED, asked(0, x=0.1)])
    storage.append("s", [asked(1, note="naïve 🧪"), asked(2), event("told", "ended/0", {"values": {"y": 1}}, trial=0)])
    return path.read_bytes()


def test_file_is_a_header_and_one_json_object_a_line(written):
    header, *rows = [json.loads(line) for line in written.decode().splitlines()]
    assert header == {"bbo": "log", "format": 1}
    assert [(row["seq"], row["key"], row["more"]) for row in rows] == [
        (1, "created", 1),
        (2, "asked/0", 0),
        (3, "asked/1", 2),
        (4, "asked/2", 1),
        (5, "ended/0", 0),
    ]
    assert rows[1]["body"] == {"x": 0.1}
    assert list(rows[1])[-2:] == ["hash", "body"]
    assert re.fullmatch("[0-9a-f]{64}", rows[1]["hash"])
    assert rows[4]["trial"] == 0
    assert written.endswith(b"\n")


@pytest.mark.parametrize("opened", ["before", "after"])
def test_append_torn_at_any_byte_is_as_if_it_had_not_been(path, written, opened):
    whole = _storage_of(path, written).events("s")
    last = written.index(b'{"study":"s","seq":3')
    for cut in range(last, len(written)):
        path.write_bytes(written[:last])
        storage = JSONLinesStorage(path, "process")
        with path.open("ab") as file:
            file.write(written[last:cut])
        if opened == "after":
            storage = JSONLinesStorage(path, "process")
        assert storage.events("s") == whole[:2]
        assert storage.append("s", [asked(9), asked(1)]) == 4
        assert path.read_bytes().startswith(written[:last])
        assert [e.key for e in JSONLinesStorage(path).events("s")] == ["created", "asked/0", "asked/9", "asked/1"]


def test_creation_torn_at_any_byte_is_as_if_it_had_not_been(path, written):
    for cut in range(written.index(b'{"study":"s","seq":3')):
        storage = _storage_of(path, written[:cut])
        assert storage.studies() == []
        assert storage.append("t", [CREATED]) == 1
        assert JSONLinesStorage(path).studies() == ["t"]


def test_rest_of_an_append_is_seen_once_it_is_written(path, written):
    reader = _storage_of(path, b"")
    for end in range(0, len(written) + 1, 7):
        path.write_bytes(written[:end])
        reader.studies()
    path.write_bytes(written)
    assert [e.seq for e in reader.events("s")] == [1, 2, 3, 4, 5]


def _storage_of(path, text):
    path.write_bytes(text)
    return JSONLinesStorage(path, "process")


def _write_forever(path, durability):
    storage = JSONLinesStorage(path, durability)
    k = len(storage.events("s")) // 3
    while True:
        storage.append("s", [event("asked", f"asked/{k}/{part}", {"x": "x" * 3000}) for part in range(3)])
        k += 1


@pytest.mark.parametrize("durability", ["full", "process"])
def test_killed_writer_leaves_whole_appends(path, durability):
    storage = JSONLinesStorage(path)
    storage.append("s", [CREATED])
    for _ in range(3):
        before = len(storage.events("s"))
        process = multiprocessing.get_context("spawn").Process(target=_write_forever, args=(path, durability))
        process.start()
        while len(storage.events("s")) < before + 30:
            assert process.is_alive()
        process.kill()
        process.join()
        keys = [e.key for e in JSONLinesStorage(path).events("s")]
        assert len(keys) % 3 == 1
        assert keys[1:] == [f"asked/{k}/{part}" for k in range(len(keys) // 3) for part in range(3)]
        assert storage.append("s", [CREATED]) == 1


DAMAGES = {
    "not JSON": (b'"key":"asked/0"', b'"key":"asked/0'),
    "binary": (b'"body":{"x":0.1}', b"\x00\xff\xfe"),
    "no object": (b'"body":{"x":0.1}', b'"body":[1]'),
    "a field less": (b'"more":0,"hash"', b'"hash"'),
    "another number": (b'"seq":2', b'"seq":7'),
    "a row less": (b'"key":"created","trial":null', b'"key":"created","more":0,"trial":null'),
    "another order": (b'"body":{"x":0.1}}', b'"body":{"x":0.1},"z":1}'),
    "a hash cut short": (b'"more":0,"hash":"', b'"more":0,"hash":"0'),
    "a number too large": (b'"key":"asked/0","trial":null', b'"key":"asked/0","trial":18446744073709551616'),
    "half a character": (b'"key":"asked/0"', b'"key":"\\ud83e"'),
    "Windows' line end": (b'{"x":0.1}}\n', b'{"x":0.1}}\r\n'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_middle_is_an_error_that_names_the_line_and_the_remedy(path, written, damage):
    old, new = DAMAGES[damage]
    damaged = written.replace(old, new, 1)
    if damage == "a row less":
        damaged = b"".join(line for n, line in enumerate(written.splitlines(keepends=True)) if n != 3)
    assert damaged != written
    path.write_bytes(damaged)
    n = 4 if damage == "a row less" else 3
    with pytest.raises(DamagedError, match=rf"Line {n} of .*log.jsonl is damaged.*head -n {n - 1} ") as caught:
        JSONLinesStorage(path)
    assert "The file is unchanged" in str(caught.value)
    assert path.read_bytes() == damaged
    mended = path.with_name("mended.jsonl")
    mended.write_bytes(b"".join(damaged.splitlines(keepends=True)[: n - 1]))
    storage = JSONLinesStorage(mended)
    storage.append("s", [CREATED, asked(5)])
    assert storage.events("s")[0].body == CREATED.body


def test_damage_under_an_open_storage_is_an_error_on_each_use(path, written):
    storage = JSONLinesStorage(path)
    with path.open("ab") as file:
        file.write(b"edited by hand\n")
    for _ in range(2):
        with pytest.raises(DamagedError, match="Line 7 of"):
            storage.append("s", [asked(3)])
        with pytest.raises(DamagedError, match="Line 7 of"):
            storage.events("s")
    path.write_bytes(written)
    assert storage.append("s", [asked(3)]) == 6


@pytest.mark.parametrize("change", ["shortened", "replaced", "removed"])
def test_file_changed_under_an_open_storage_is_an_error(path, written, change):
    storage = JSONLinesStorage(path)
    if change == "shortened":
        path.write_bytes(written[:100])
    else:
        path.rename(path.with_name("old.jsonl"))
        if change == "replaced":
            path.write_bytes(written + b"\n")
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(DamagedError, match=r"was replaced or shortened|No such file"):
        storage.append("s", [asked(3)])
    with pytest.raises(DamagedError, match=r"was replaced or shortened|No such file"):
        storage.events("s")
    assert (path.read_bytes() if path.exists() else None) == left


def test_newer_format_is_an_error_that_says_to_upgrade(path):
    path.write_text('{"bbo":"log","format":2,"more":"news"}\n{"new":1}\n')
    with pytest.raises(NewerFormatError, match=r"format 2.*up to 1.*upgrade"):
        JSONLinesStorage(path)


@pytest.mark.parametrize(
    "text",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b'{"a": 1}\n',
        b"[1, 2]\n",
        b"no line end",
        b"\n\n",
        b'{"bbo":"log"}\n',
        b"[" * 99_999 + b"\n",
    ],
    ids=range(7),
)
def test_file_of_another_kind_is_an_error_and_left_alone(path, text):
    path.write_bytes(text)
    with pytest.raises(StorageError, match="is not a log of bbo"):
        JSONLinesStorage(path)
    assert path.read_bytes() == text


def test_folder_in_place_of_the_file_is_an_error(path):
    path.mkdir()
    with pytest.raises(StorageError, match="is not a file"):
        JSONLinesStorage(path)


def test_missing_folder_is_an_error(path):
    with pytest.raises(StorageError, match="Make the folder first"):
        JSONLinesStorage(path / "below" / "log.jsonl")


def test_failed_write_leaves_the_log_as_it_was(path, written, monkeypatch):
    storage = JSONLinesStorage(path, "full")

    def full_disk(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jsonlines.os, "fsync", full_disk)
    with pytest.raises(StorageError, match=r"Cannot write .*No space left on device"):
        storage.append("s", [asked(3)])
    assert path.read_bytes() == written
    monkeypatch.undo()
    assert storage.append("s", [asked(3)]) == 6


def test_lock_held_for_long_is_an_error_that_names_the_file(path, written, monkeypatch):
    monkeypatch.setattr(jsonlines, "_LOCKED_S", 0.1)
    storage = JSONLinesStorage(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert len(JSONLinesStorage(path).events("s")) == 5
        with pytest.raises(BusyError, match=r"log.jsonl was locked"):
            storage.append("s", [asked(3)])
        with pytest.raises(BusyError, match=r"log.jsonl was locked"):
            storage.take("s", "ask", "mine", 60.0)
    assert storage.append("s", [asked(3)]) == 6


def test_lock_held_for_a_moment_is_waited_for(path, written):
    storage = JSONLinesStorage(path)
    other = path.open("rb")
    fcntl.flock(other, fcntl.LOCK_EX)
    timer = threading.Timer(0.2, other.close)
    timer.start()
    assert storage.append("s", [asked(3)]) == 6
    timer.join()


@pytest.mark.parametrize("body", ["{\n}", "not JSON", "[1]"])
def test_body_that_is_no_line_of_json_is_refused(path, written, body):
    with pytest.raises(StorageError, match="cannot be a line of JSON"):
        JSONLinesStorage(path).append("s", [asked(3), Event("asked", "asked/4", body)])
    assert path.read_bytes() == written


def test_interrupt_while_reading_loses_nothing(path, written, monkeypatch):
    storage = JSONLinesStorage(path)
    other = JSONLinesStorage(path)
    other.append("s", [asked(3), asked(4)])
    parse = jsonlines._parse

    def interrupted(line):
        if b"asked/4" in line:
            raise KeyboardInterrupt
        return parse(line)

    monkeypatch.setattr(jsonlines, "_parse", interrupted)
    with pytest.raises(KeyboardInterrupt):
        storage.events("s")
    monkeypatch.undo()
    assert storage.events("s") == other.events("s")


HASH = re.compile(rb'"hash":"[0-9a-f]{64}",')


def columns(events):
    """All that an event has; its hash is no part of its equality."""
    return [(e, e.hash) for e in events]


def test_rows_from_before_the_chain_get_the_hashes_that_follow_and_the_chain_goes_on(path, written):
    whole = columns(JSONLinesStorage(path).events("s"))
    old = HASH.sub(b"", written)
    assert len(HASH.findall(written)) == 5
    storage = _storage_of(path, old)
    assert columns(storage.events("s")) == whole
    assert storage.append("s", [asked(5), asked(6)]) == 7
    text = path.read_bytes()
    assert text.startswith(old)
    assert len(HASH.findall(text[len(old) :])) == 2
    for events in (storage.events("s"), JSONLinesStorage(path).events("s")):
        assert columns(events)[:5] == whole
        assert broken_at(events) is None
        assert json.loads(text.splitlines()[-1])["hash"] == events[-1].hash


def test_rows_that_an_earlier_version_adds_belong_to_the_chain(path, written):
    whole = columns(JSONLinesStorage(path).events("s"))
    lines = written.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], HASH.sub(b"", lines[3]), HASH.sub(b"", lines[4]), lines[5]]))
    assert columns(JSONLinesStorage(path).events("s")) == whole


def test_an_old_row_changed_by_hand_is_found_once_the_log_went_on(path, written):
    storage = _storage_of(path, HASH.sub(b"", written))
    storage.append("s", [asked(5)])
    path.write_bytes(path.read_bytes().replace(b'{"x":0.1}', b'{"x":0.7}'))
    assert broken_at(JSONLinesStorage(path).events("s")) == 6


# Leases in the file beside the log.


@pytest.fixture
def beside(path):
    return path.with_name("log.jsonl.leases")


@pytest.fixture
def storage(path, written):
    return JSONLinesStorage(path, "process")


def names(storage, study="s"):
    return [lease.name for lease in storage.leases(study)]


def test_there_is_a_file_of_leases_while_there_are_leases(path, written, storage, beside):
    lease = storage.take("s", "ask", "mine", 60.0)
    assert beside.exists()
    assert path.read_bytes() == written
    storage.append("s", [asked(5)], lease=lease, releases=True)
    assert [file.name for file in path.parent.iterdir()] == ["log.jsonl"]
    storage.release("s", storage.take("s", "ask", "mine", 60.0))
    assert [file.name for file in path.parent.iterdir()] == ["log.jsonl"]


def test_leases_that_vanished_are_free_and_who_had_them_is_stale(storage, beside):
    lease = storage.take("s", "ask", "mine", 60.0)
    beside.unlink()
    assert storage.leases("s") == []
    assert not storage.renew("s", lease, 60.0)
    with pytest.raises(StorageError, match="take it again"):
        storage.append("s", [asked(5)], lease=lease)
    assert storage.take("s", "ask", "other", 60.0)


DAMAGED_LEASES = {
    "empty": "",
    "not JSON": '{"s":[',
    "deep": "[" * 99_999,
    "a list": "[1]",
    "no lists": '{"s":{"name":"ask"}}',
    "no leases": '{"s":[1]}',
    "a field less": '{"s":[{"name":"ask","token":"mine","data":"","taken_at":1.0}]}',
    "a field more": '{"s":[{"name":"ask","token":"mine","data":"","taken_at":1.0,"ends_at":2.0,"x":1}]}',
    "text for a time": '{"s":[{"name":"ask","token":"mine","data":"","taken_at":1.0,"ends_at":"soon"}]}',
    "for ever": '{"s":[{"name":"ask","token":"mine","data":"","taken_at":1.0,"ends_at":Infinity}]}',
    "never": '{"s":[{"name":"ask","token":"mine","data":"","taken_at":NaN,"ends_at":2.0}]}',
}


@pytest.mark.parametrize("damage", DAMAGED_LEASES)
def test_damaged_leases_are_none_and_said(storage, beside, caplog, damage):
    beside.write_text(DAMAGED_LEASES[damage])
    assert storage.leases("s") == []
    assert "cannot be read and are taken as given up" in caplog.text
    lease = storage.take("s", "ask", "mine", 60.0)
    caplog.clear()
    assert names(storage) == ["ask"]
    assert storage.append("s", [asked(5)], lease=lease, releases=True) == 6
    assert caplog.text == ""


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
def test_leases_with_any_damage_are_read_and_written(storage, beside, damage):
    now = {"taken_at": 1.5e9, "ends_at": 2.5e9}
    rows = {"s": [{"name": "ask", "token": "mine", "data": "", **now}], "t": []}
    text = bytearray(json.dumps(rows).encode())
    for at, bits in damage:
        text[int(at * len(text))] ^= bits
    beside.write_bytes(text)
    assert len(storage.leases("s")) <= 1
    assert storage.take("s", "ticket/1", "other", 60.0) is not None
    assert "ticket/1" in names(storage)


def test_leases_that_cannot_be_kept_are_an_error_that_names_the_file_and_leaves_the_log(path, written, storage, beside):
    beside.mkdir()
    assert storage.leases("s") == []
    with pytest.raises(StorageError, match=r"Cannot keep leases in .*log.jsonl.leases: Is a directory"):
        storage.take("s", "ask", "mine", 60.0)
    assert path.read_bytes() == written
    assert {file.name for file in path.parent.iterdir()} == {"log.jsonl", "log.jsonl.leases"}
    assert storage.append("s", [asked(5)]) == 6


def test_an_append_stands_though_its_lease_cannot_be_given_up(storage, monkeypatch, caplog):
    lease = storage.take("s", "ask", "mine", 60.0)
    storage.take("s", "runner/1", "mine", 60.0)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full_disk)
    assert storage.append("s", [asked(5)], lease=lease, releases=True) == 6
    assert "A lease ends by itself instead of now" in caplog.text
    monkeypatch.undo()
    assert names(storage) == ["ask", "runner/1"]


def test_what_a_killed_writer_left_beside_the_leases_does_not_matter(storage, beside):
    beside.with_name("log.jsonl.leases.new").write_text('{"s":[')
    storage.take("s", "ask", "mine", 60.0)
    assert names(storage) == ["ask"]
    assert not beside.with_name("log.jsonl.leases.new").exists()


def test_taking_and_reading_leases_does_not_read_the_log_again(storage, monkeypatch):
    def unused(_):
        raise AssertionError("a line of the log was read")

    monkeypatch.setattr(jsonlines, "_parse", unused)
    lease = storage.take("s", "ask", "mine", 60.0)
    assert storage.renew("s", lease, 60.0)
    assert names(storage) == ["ask"]
    storage.release("s", lease)
    assert names(storage) == []


def test_names_of_one_file_share_its_leases(path, storage):
    link = path.with_name("another name.jsonl")
    link.symlink_to(path)
    storage.take("s", "ask", "mine", 60.0)
    other = JSONLinesStorage(link)
    assert names(other) == ["ask"]
    assert other.take("s", "ask", "other", 60.0) is None


def test_who_shares_the_log_shares_its_leases(path, storage, beside):
    for mode in (0o600, 0o664):
        path.chmod(mode)
        storage.take("s", "ask", "mine", 60.0)
        assert beside.stat().st_mode & 0o777 == mode


def test_leases_of_several_studies_are_in_one_file(storage):
    storage.append("t", [CREATED])
    one, two = (storage.take(study, "ask", f"of {study}", 60.0) for study in ("s", "t"))
    storage.release("s", one)
    assert (names(storage, "s"), names(storage, "t")) == ([], ["ask"])
    assert replace(storage.leases("t")[0], seconds_left=0.0) == replace(two, seconds_left=0.0)


def test_another_file_in_place_of_the_log_is_noticed_though_size_and_end_are_the_same(path, written, storage):
    other = path.with_name("other.jsonl")
    other.write_bytes(written.replace(b'"x":0.1', b'"x":0.2'))
    other.replace(path)
    with pytest.raises(DamagedError, match="was replaced"):
        storage.events("s")


def test_a_last_line_changed_in_place_is_noticed_by_the_next_writer(path, written, storage):
    text = written.replace(b'"y":1}', b'"y":2}')
    with path.open("r+b") as file:
        file.write(text)
    with pytest.raises(DamagedError, match="was replaced"):
        storage.append("s", [asked(5)])
    assert path.read_bytes() == text
    storage.close()
    assert storage.events("s")[-1].body == '{"values":{"y":2}}'
    assert broken_at(storage.events("s")) == 5


def test_an_empty_file_that_is_deleted_may_be_made_anew(path):
    path.touch()
    storage = JSONLinesStorage(path)
    assert storage.studies() == []
    path.unlink()
    assert storage.studies() == []
    assert storage.append("s", [CREATED]) == 1
