"""The command as people call it, in an empty folder."""

import pytest
from typer.testing import CliRunner

from bbo.cli import app


@pytest.fixture
def bbo(tmp_path, monkeypatch):
    """Calls the command within this process; gives exit_code, stdout and stderr. An unexpected error is raised."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments], prog_name="bbo", catch_exceptions=False)

    return call


@pytest.fixture
def beam_log(bbo):
    """`bbo.db` in the current folder with 30 trials of the welded beam, two of them feasible or more."""
    assert bbo("run", "welded-beam", "--strategy", "SobolSearch", "--trials", 30, "--seed", 1).exit_code == 0
    return "bbo.db"
