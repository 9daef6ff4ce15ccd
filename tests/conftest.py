"""What many tests stand on.

Property tests draw the same examples every time, however busy the machine is; a PostgreSQL server for who asks, and
tables for problems that fetch theirs.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import postgres
from tests.problems import generated

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def postgres_bin() -> Path:
    """The folder of the server's binaries."""
    found = postgres.binaries()
    if found is None:
        why = "no PostgreSQL server on this machine: install one, or name its bin folder in BBO_POSTGRES_BIN"
        if os.environ.get("BBO_POSTGRES") == "required":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture(scope="session")
def postgres_server(postgres_bin: Path) -> Iterator[postgres.Server]:
    """A server that all tests share: who restarts one wants its own."""
    with postgres.server(postgres_bin) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url(postgres_server: postgres.Server) -> str:
    """Of the database `postgres` there."""
    return postgres_server.url


@pytest.fixture
def fresh_postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """Of an empty database, dropped after the test."""
    with postgres_server.new_database() as url:
        yield url


@pytest.fixture(scope="session")
def small_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    generated.write(folder)
    return folder


@pytest.fixture
def generated_tables(small_tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """BBO_DATA names a folder of small tables, which are not those that are described."""
    from bbo.problems import data

    monkeypatch.setenv(data.FOLDER, str(small_tables))
    monkeypatch.setattr(data.Dataset, "_checked", lambda self, content, where, remedy: content)
    return small_tables
