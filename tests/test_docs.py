"""docs/lab.md is true: its files are written, its commands run line by line, and what they say is what the page says.

`python -m tests.test_docs` writes the page anew with what the commands say now.
"""

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bbo.cli import app
from bbo.errors import AlreadyToldError
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file
from bbo.studies.table_files import read_table
from bbo.trial import FailureReason, Status

PAGE = Path(__file__).parents[1] / "docs" / "lab.md"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<about>[^\n]*))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from day to day and from machine to machine.
CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "DATE"),
    (re.compile(r"[\d.]+ (s|min) of"), "TIME of"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"(?<=  log)( +)/\S*/"), r"\1"),
)
# Where the model chooses, its figures and choices may differ in the last digit, and so anything that follows from them.
CHOSEN = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?|\b(K2CO3|Cs2CO3|Et3N)\b")


@dataclass
class Block:
    kind: str
    about: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(m["kind"], m["about"] or "", m["text"]) for m in BLOCK.finditer(page)]


def said_by(command: str) -> str:
    """What a line of the transcript writes, in the current folder."""
    words = shlex.split(command)
    if words[0] == "cat":
        return Path(words[1]).read_text(encoding="utf-8-sig")
    assert words[0] == "bbo", f"the page has a command that is no bbo: {command}"
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, words[1:], prog_name="bbo", catch_exceptions=False)
    return result.output


def tried(block: Block) -> str:
    """A transcript with the same commands, and what they say now."""
    commands = [line for line in block.text.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{trimmed(said_by(line[2:]))}" for line in commands)


def trimmed(text: str) -> str:
    """Without what nobody sees: spaces at the ends of lines, empty lines at the end."""
    lines = "\n".join(line.rstrip() for line in text.splitlines()).rstrip()
    return f"{lines}\n" if lines else ""


def masked(text: str, *, is_chosen: bool) -> str:
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    if is_chosen:
        text = "\n".join(" ".join(CHOSEN.sub("#", line).split()) for line in text.splitlines())
    return text


def carried_out(page: str) -> Iterator[tuple[Block, str]]:
    """The transcript's blocks and what they give now, in the current folder; files are written on the way."""
    for block in blocks(page):
        if block.kind in ("toml", "csv") and block.about:
            Path(block.about).write_text(block.text, encoding="utf-8")
        elif block.kind == "console":
            yield block, tried(block)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """The folder after the transcript, and pairs of what the page says and what was said."""
    folder = tmp_path_factory.mktemp("campaign")
    with contextlib.chdir(folder):
        pairs = list(carried_out(PAGE.read_text(encoding="utf-8")))
    return folder, pairs


@pytest.fixture
def study(campaign):
    with Study.load(campaign[0] / "bbo.db") as loaded:
        yield loaded


def test_every_command_says_what_the_page_says(campaign):
    _, pairs = campaign
    assert len(pairs) > 10
    for block, now in pairs:
        is_chosen = block.about == "varies"
        assert masked(now, is_chosen=is_chosen) == masked(block.text, is_chosen=is_chosen)


def test_the_typo_is_mended_in_the_trial_and_the_model_and_kept_in_the_log(study):
    trial = study.trial(1)
    assert (trial.status, trial.values["yield"]) == (Status.COMPLETED, 81.0)
    assert study.history.V[1, study.objectives.metrics.index("yield")] == 81.0
    events = [e for e in study.storage.events(study.name) if e.trial == 1]
    (told,) = [e.read() for e in events if e.kind == "told"]
    (amended,) = [e.read() for e in events if e.kind == "amended"]
    assert (told["values"]["yield"], amended["values"], amended["why"]) == (18.0, {"yield": 81.0}, "typo, 18 for 81")


def test_the_failure_and_the_reagent_out_of_stock_are_known_with_their_reasons(study):
    failed, cancelled = study.trial(4), study.trial(6)
    assert (failed.status, failed.reason, failed.message) == (Status.FAILED, FailureReason.INVALID, "stirrer stuck")
    assert (cancelled.status, cancelled.message) == (Status.CANCELLED, "base out of stock")
    assert study.history.is_failed.nonzero()[0].tolist() == [4]
    later = [t for t in study.trials if t.number > 7]
    assert all(t.params != cancelled.params for t in later)


def test_the_executed_temperature_is_what_the_model_sees(study):
    trial = study.trial(2)
    assert trial["temperature"] == trial.suggested["temperature"] + 3
    low, high = 40, 120
    assert study.history.X[2, 0] == pytest.approx((trial["temperature"] - low + 2.5) / (high - low + 5), abs=1e-9)


def test_replicates_are_averaged_and_counted(study):
    trial = study.trial(0)
    assert trial.replicates["yield"] == (74.0, 78.0)
    assert trial.values["yield"] == 76.0
    assert study.history.V_n[0, study.objectives.metrics.index("yield")] == 2


def test_the_trial_of_two_days_is_complete(study):
    kinds = [e.kind for e in study.storage.events(study.name) if e.trial == 3]
    assert (kinds[0], kinds[-1]) == ("measured", "told")
    assert set(study.trial(3).values) == {"yield", "selectivity"}


def test_the_second_batch_shares_its_temperature_and_all_of_it_is_told(study):
    second = study.trials[8:16]
    assert len({t["temperature"] for t in second}) == 1
    assert all(t.status is Status.COMPLETED for t in second)
    assert study.history.is_pending.nonzero()[0].tolist() == [16, 17, 18, 19]


def test_notes_stand_with_the_study_and_with_their_trials(study):
    assert study.notes == ["new bottle of catalyst since Tuesday"]
    assert "slightly brown" in study.trial(5).note


def test_costs_are_summed_against_the_budget(study):
    assert study.budget.cost == 500
    assert 0 < sum(t.cost or 0 for t in study.trials) < 500


def test_the_exported_table_has_every_trial_as_the_study_has_it(campaign, study):
    exported = read_table(campaign[0] / "trials.csv")
    frame = study.frame()
    assert exported["status"].tolist() == frame["status"].tolist()
    assert [float(v or "nan") for v in exported["yield"]] == pytest.approx(frame["yield"].tolist(), nan_ok=True)


def test_the_log_goes_on_and_contradicts_nothing_that_was_told(study):
    with pytest.raises(AlreadyToldError):
        study.tell(0, {"yield": 1.0, "selectivity": 1.0})


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    codes = []
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        if block.kind in ("toml", "csv") and block.about:
            Path(block.about).write_text(block.text, encoding="utf-8")
        if block.kind == "python":
            codes.append(block.text)
    assert codes
    for code in codes:
        exec(compile(code, str(PAGE), "exec"), {})


def test_the_reference_is_a_study_file_with_every_kind_of_table(tmp_path):
    (reference,) = [b for b in blocks(PAGE.read_text(encoding="utf-8")) if b.kind == "toml" and not b.about]
    path = tmp_path / "reference.toml"
    path.write_text(reference.text, encoding="utf-8")
    found = read_study_file(path)
    assert {p.kind for p in found.space.parameters} == {"float", "int", "ordinal", "categorical"}
    assert {w.kind for w in found.objectives.wanted} >= {"constraint", "tracked"}
    assert {rule.kind for rule in found.budget.stop} == {"gain_below", "gain_below_noise", "regret_below"}


def _write_anew() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block, now in carried_out(page):
            for pattern, word in CHANGING[-1:]:
                now = pattern.sub(word, now)
            about = f" {block.about}" if block.about else ""
            page = page.replace(f"```console{about}\n{block.text}```", f"```console{about}\n{now}```", 1)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _write_anew()
