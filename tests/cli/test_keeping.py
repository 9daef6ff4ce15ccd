"""`bbo verify` and `bbo copy`."""

import contextlib
import re
from dataclasses import replace

import pytest

from bbo.storage import open_storage

HEAD = r"chain of \d+ events holds, head ([0-9a-f]{64})"


def test_verify_says_that_all_asks_agree_and_gives_the_head_of_the_chain(bbo, beam_log):
    result = bbo("verify")
    assert result.exit_code == 0
    assert re.fullmatch(rf"30 of 30 asks recomputed, all agree\n{HEAD}\n", result.stdout)
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 4)
    both = bbo("verify").stdout.splitlines()
    assert [line.partition(":")[0] for line in both] == ["welded-beam", "welded-beam", "branin", "branin"]
    assert "welded-beam: " + result.stdout.splitlines()[1] in both
    assert "branin: 4 of 4 asks recomputed, all agree" in both
    assert re.fullmatch(rf"4 of 4 asks recomputed, all agree\n{HEAD}\n", bbo("verify", "--name", "branin").stdout)


def test_verify_finds_a_head_of_earlier_and_misses_it_in_a_log_cut_short(bbo, tmp_path):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 3, "--storage", "log.jsonl")
    (earlier,) = re.findall(HEAD, bbo("verify", "log.jsonl").stdout)
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 5, "--storage", "log.jsonl")
    (later,) = re.findall(HEAD, bbo("verify", "log.jsonl", "--head", earlier).stdout)
    assert bbo("verify", "log.jsonl", "--head", later).exit_code == 0
    log = tmp_path / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-2]))
    assert bbo("verify", "log.jsonl", "--head", earlier).exit_code == 0
    assert bbo("verify", "log.jsonl").exit_code == 0
    result = bbo("verify", "log.jsonl", "--head", later)
    assert result.exit_code == 1
    assert f"no event has the hash {later}: the log was cut short or changed since" in result.stdout


def test_a_head_is_of_one_study(bbo, beam_log):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 2)
    result = bbo("verify", "--head", "0" * 64)
    assert result.exit_code == 2
    assert "say with --name which one" in result.stderr


def test_verify_says_where_a_log_was_changed_by_hand(bbo, tmp_path):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 6, "--storage", "log.jsonl")
    log = tmp_path / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    (at,) = (k for k, line in enumerate(lines) if '"key":"asked/3"' in line)
    lines[at] = lines[at].replace('"suggestions"', '"suggested"')  # it does not even fold to a study any more
    log.write_text("".join(lines))
    result = bbo("verify", "log.jsonl")
    assert result.exit_code == 1
    asks, chain = result.stdout.splitlines()
    assert asks == "3 of 6 asks recomputed, all before the break agree"
    assert chain.startswith(f"chain of {len(lines) - 1} events is broken at event {at} (asked asked/3)")


def test_verify_names_the_first_suggestion_that_differs(bbo):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 6, "--storage", "log.jsonl")
    one, two = open_storage("log.jsonl"), open_storage("changed.jsonl")
    for e in one.events("branin"):
        body = re.sub(r'("x2":)-?\d+\.\d+', r"\g<1>1.25", e.body) if e.key == "asked/3" else e.body
        two.append("branin", [replace(e, body=body)])
    result = bbo("verify", "changed.jsonl")
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "4 of 6 asks recomputed, the last differs: trial 3 (ask 3): x2 of its params is 1.25"
    )
    assert re.search(HEAD, result.stdout)


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
    assert third.events("again")[-1].hash == first.events("branin")[-1].hash
    assert "4 of 4 asks recomputed, all agree" in bbo("verify", "back.db").stdout


def test_copies_to_a_server_and_back_have_the_same_events(bbo, beam_log, fresh_postgres_url):
    said = bbo("copy", "bbo.db", fresh_postgres_url.replace("postgres@", "postgres:secret@"))
    assert said.exit_code == 0
    assert "events copied to postgresql://" in said.stdout
    assert "secret" not in said.output
    assert bbo("copy", fresh_postgres_url, "back.jsonl").exit_code == 0
    assert bbo("verify", "back.jsonl").stdout == bbo("verify").stdout == bbo("verify", fresh_postgres_url).stdout


def test_a_copy_of_a_study_at_work_is_refused_and_says_when_it_is_free(bbo, beam_log, tmp_path):
    with contextlib.closing(open_storage("bbo.db")) as storage:
        lease = storage.take("welded-beam", "runner/1", "mine", 90.0)
        result = bbo("copy", "bbo.db", "to.jsonl")
        assert result.exit_code == 1
        assert re.search(r"is at work: a runner evaluates trials \(lease 'runner/1'\).* in (90|8\d) s", result.stderr)
        assert not (tmp_path / "to.jsonl").exists()
        storage.release("welded-beam", lease)
    assert bbo("copy", "bbo.db", "to.jsonl").exit_code == 0


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
