"""`bbo verify` and `bbo copy`."""

import re

import pytest

from bbo.storage import open_storage


def test_verify_says_that_all_asks_agree(bbo, beam_log):
    result = bbo("verify")
    assert (result.exit_code, result.stdout) == (0, "30 of 30 asks recomputed, all agree\n")
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 4)
    assert bbo("verify").stdout.splitlines() == [
        "welded-beam: 30 of 30 asks recomputed, all agree",
        "branin: 4 of 4 asks recomputed, all agree",
    ]
    assert bbo("verify", "--name", "branin").stdout == "4 of 4 asks recomputed, all agree\n"


def test_verify_names_the_first_suggestion_that_differs(bbo, tmp_path):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 6, "--storage", "log.jsonl")
    log = tmp_path / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    (at,) = (k for k, line in enumerate(lines) if '"kind":"asked"' in line.replace(" ", "") and "asked/3" in line)
    lines[at] = re.sub(r'("x2":)\d+\.\d+', r"\g<1>1.25", lines[at])
    log.write_text("".join(lines))
    result = bbo("verify", "log.jsonl")
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "4 of 6 asks recomputed, the last differs: trial 3 (ask 3): x2 of its params is 1.25"
    )


def test_copies_between_file_and_database_have_the_same_events(bbo, beam_log):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 4)
    said = bbo("copy", "bbo.db", "copies/log.jsonl").stdout
    assert re.search(r"^welded-beam: \d+ events copied to copies/log.jsonl$", said, re.M)
    assert bbo("copy", "copies/log.jsonl", "back.db", "--name", "branin", "--to", "again").exit_code == 0
    first, second, third = (open_storage(path) for path in ("bbo.db", "copies/log.jsonl", "back.db"))
    assert second.studies() == ["welded-beam", "branin"]
    assert third.studies() == ["again"]
    assert second.events("welded-beam") == first.events("welded-beam")
    assert third.events("again") == first.events("branin")
    assert "4 of 4 asks recomputed, all agree" in bbo("verify", "back.db").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.db", "to.db"], "There is no log none.db."),
        (["bbo.db", "to.db", "--name", "nope"], "No study 'nope' in "),
        (["bbo.db", "to.txt"], "No storage of the form 'to.txt'."),
        (["bbo.db", "bbo.db"], "bbo.db has welded-beam already; nothing was copied."),
    ],
)
def test_a_copy_that_cannot_be_is_an_error_and_makes_no_file(bbo, beam_log, tmp_path, arguments, said):
    before = sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(("-wal", "-shm")))
    result = bbo("copy", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith(("-wal", "-shm"))) == before


def test_several_studies_cannot_take_one_new_name(bbo, beam_log):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 2)
    result = bbo("copy", "bbo.db", "to.db", "--to", "one")
    assert result.exit_code == 2
    assert "say with --name which one becomes 'one'" in result.stderr
