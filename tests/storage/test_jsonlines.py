import fcntl
import json
import multiprocessing
import threading

import pytest

from bbo.errors import NewerFormatError, StorageError
from bbo.events import Event, event
from bbo.storage import JSONLinesStorage, jsonlines

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
    "a field less": (b'"more":0,"body":{"x":0.1}', b'"body":{"x":0.1}'),
    "another number": (b'"seq":2', b'"seq":7'),
    "a row less": (b'"key":"created","trial":null', b'"key":"created","more":0,"trial":null'),
    "another order": (b'"body":{"x":0.1}}', b'"body":{"x":0.1},"z":1}'),
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
    with pytest.raises(StorageError, match=rf"Line {n} of .*log.jsonl is damaged.*head -n {n - 1} ") as caught:
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
        with pytest.raises(StorageError, match="Line 7 of"):
            storage.append("s", [asked(3)])
        with pytest.raises(StorageError, match="Line 7 of"):
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
    with pytest.raises(StorageError, match=r"was replaced or shortened|No such file"):
        storage.append("s", [asked(3)])
    with pytest.raises(StorageError, match=r"was replaced or shortened|No such file"):
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
        with pytest.raises(StorageError, match=r"log.jsonl was locked"):
            storage.append("s", [asked(3)])
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
