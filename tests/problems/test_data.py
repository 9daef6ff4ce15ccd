"""Tables that are fetched: from a server, from the cache, from a folder; and what is said where that fails."""

import gzip
import hashlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from bbo.errors import DataError
from bbo.problems import data
from bbo.problems.data import Dataset, Source, as_it_is

PUBLIC = b"a;b\n1;2\n"
OURS = b"a,b\n1,2\n"


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _convert(contents):
    return b"".join(contents).replace(b";", b",")


class _Counting(SimpleHTTPRequestHandler):
    served: ClassVar[list] = []

    def do_GET(self):
        self.served.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A server of one public file, an empty cache, and no folder of tables."""
    monkeypatch.delenv(data.FOLDER, raising=False)
    monkeypatch.setattr(data, "cache", lambda: tmp_path / "cache")
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "table.txt").write_bytes(PUBLIC)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Counting, directory=folder))
    _Counting.served = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _dataset(home, *, public=PUBLIC, ours=OURS, name="table.txt"):
    return Dataset("family/table.csv", _sha256(ours), (Source(f"{home}/{name}", _sha256(public)),), _convert)


def test_a_table_is_fetched_once_and_made_of_its_sources(home, tmp_path):
    dataset = _dataset(home)
    assert [dataset.read(), dataset.read()] == [OURS, OURS]
    assert _Counting.served == ["/table.txt"]
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["table.csv"]


def test_a_folder_is_read_instead_compressed_or_not(home, tmp_path, monkeypatch):
    for name, content in (("plain", OURS), ("packed", gzip.compress(OURS))):
        path = tmp_path / name / f"family/table.csv{'.gz' if name == 'packed' else ''}"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        monkeypatch.setenv(data.FOLDER, str(tmp_path / name))
        assert _dataset(home).read() == OURS
    assert _Counting.served == []


def test_a_folder_without_the_table_is_an_error_and_nothing_is_fetched(home, tmp_path, monkeypatch):
    monkeypatch.setenv(data.FOLDER, str(tmp_path))
    with pytest.raises(DataError, match=r"BBO_DATA=.* has no 'family/table.csv', nor .*: put it there, or unset"):
        _dataset(home).read()
    assert _Counting.served == []


def test_another_public_file_is_refused_and_nothing_is_kept(home, tmp_path):
    with pytest.raises(DataError, match="could not be fetched: .*hash"):
        _dataset(home, public=b"something else").read()
    assert not (tmp_path / "cache").exists()


def test_another_table_than_described_is_refused_and_nothing_is_kept(home, tmp_path):
    with pytest.raises(DataError, match="of its sources is not the one that was described: its SHA-256 is"):
        _dataset(home, ours=b"something else").read()
    assert not (tmp_path / "cache").exists()


def test_a_cached_table_that_was_changed_is_refused(home, tmp_path):
    dataset = _dataset(home)
    dataset.read()
    (tmp_path / "cache/family/table.csv").write_bytes(b"changed")
    with pytest.raises(DataError, match=r"cache.*is not the one that was described.*Delete it"):
        dataset.read()


def test_a_missing_file_and_a_missing_network_are_said(home):
    with pytest.raises(DataError, match=r"no-such.txt could not be fetched: .*404.*set BBO_DATA"):
        _dataset(home, name="no-such.txt").read()
    with pytest.raises(DataError, match=r"could not be fetched: .*set BBO_DATA"):
        _dataset("http://127.0.0.1:9").read()


def test_a_table_that_cannot_be_fetched_says_where_it_is(home):
    dataset = Dataset("family/table.csv", _sha256(OURS), (), as_it_is, home="a shelf in the library")
    with pytest.raises(DataError, match="cannot be fetched: get it from a shelf in the library and set BBO_DATA"):
        dataset.read()


def test_without_pooch_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.delenv(data.FOLDER, raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'bbo\[data\]', or set BBO_DATA"):
        _dataset("http://127.0.0.1:9").read()


def test_another_copy_in_the_folder_is_refused_and_nothing_is_said_of_fetching(home, tmp_path, monkeypatch):
    path = tmp_path / "mine/family/table.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")
    monkeypatch.setenv(data.FOLDER, str(tmp_path / "mine"))
    with pytest.raises(DataError, match=r"of BBO_DATA=.* is not the one .* Put the right one there\.$"):
        _dataset(home).read()
