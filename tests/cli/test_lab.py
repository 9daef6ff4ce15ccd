"""The commands of a laboratory: new, ask, tell, pending, fail, cancel, amend, note, rank, predict, budget, status."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from rich.console import Console

from bbo.budget import Budget, GainBelow
from bbo.cli import watching
from bbo.errors import StorageError
from bbo.storage import open_storage
from bbo.studies.study import Study
from bbo.studies.table_files import read_table, write_table
from bbo.trial import FailureReason, Status

STUDY = """
[study]
name = "lab"
seed = 3

[[parameter]]
kind = "float"
name = "temperature"
low = 40
high = 120
unit = "degC"

[[parameter]]
kind = "categorical"
name = "base"
choices = ["-OMe", "KOH", "=O"]

[[objective]]
kind = "maximize"
metric = "yield"
unit = "%"

[[tracked]]
metric = "purity"

[strategy]
name = "RandomSearch"
"""


@pytest.fixture
def lab(bbo, tmp_path):
    """The command, in a folder with a new study `lab` in bbo.db."""
    (tmp_path / "study.toml").write_text(STUDY)
    assert bbo("new", "study.toml").exit_code == 0
    return bbo


def trials():
    with Study.load("bbo.db") as study:
        return study.trials


def events():
    storage = open_storage("bbo.db")
    try:
        return storage.events("lab")
    finally:
        storage.close()


def filled(path, to, **columns):
    """The table with these columns filled in, in another file."""
    frame = read_table(path)
    for name, cells in columns.items():
        frame[next(c for c in frame.columns if c.partition(" ")[0] == name)] = cells
    write_table(frame, to)


def squeezed(text):
    return " ".join(text.split())


# new


def test_new_says_what_the_study_is_and_what_to_do_next(bbo, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    result = bbo("new", "study.toml")
    said = squeezed(result.stdout)
    assert result.exit_code == 0
    for part in (
        "lab is a new study in bbo.db.",
        "goal maximize yield [%]",
        "temperature: 40 to 120 degC",
        "base: -OMe, KOH, =O",
        "strategy RandomSearch",
        "seed 3",
        "budget none",
        "bbo ask -n 8 -o next.csv",
    ):
        assert part in said


def test_new_again_changes_nothing_and_a_changed_file_is_an_error_that_says_in_what(lab, tmp_path):
    lab("ask", "-n", 2)
    before = events()
    assert "lab is there already, unchanged, with 2 trials in bbo.db." in lab("new", "study.toml").stdout
    (tmp_path / "study.toml").write_text(STUDY.replace("high = 120", "high = 130"))
    result = lab("new", "study.toml")
    assert result.exit_code == 2
    assert "high=120.0" in result.stderr
    assert "high=130.0" in result.stderr
    assert events() == before


@pytest.mark.parametrize(
    ("arguments", "where"), [([], "own.jsonl"), (["other.db"], "other.db"), (["sub/third.db"], "sub/third.db")]
)
def test_the_log_is_the_arguments_else_the_files(bbo, tmp_path, arguments, where):
    (tmp_path / "study.toml").write_text(STUDY.replace("[study]", '[study]\nstorage = "own.jsonl"'))
    result = bbo("new", "study.toml", *arguments)
    assert f"in {where}." in result.stdout
    assert f"bbo ask -n 8 -o next.csv {where}" in result.stdout
    assert (tmp_path / where).exists()


def test_a_wrong_study_file_is_a_line_on_stderr_and_makes_no_log(bbo, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.replace("low", "lov"))
    for file, said in (("study.toml", "has an unknown key 'lov', did you mean low"), ("none.toml", "cannot be read")):
        result = bbo("new", file)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {file}: ")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]


def test_a_stop_rule_that_could_never_hold_is_an_error_and_makes_no_log(bbo, tmp_path):
    (tmp_path / "study.toml").write_text(f'{STUDY}[budget]\n[[budget.stop]]\nkind = "gain_below"\ngain = 1\n')
    result = bbo("new", "study.toml")
    assert (result.exit_code, [p.name for p in tmp_path.iterdir()]) == (2, ["study.toml"])
    assert "would never hold" in result.stderr


# ask and pending


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_ask_writes_a_table_that_comes_back_filled_in(lab, form):
    result = lab("ask", "-n", 3, "-o", f"next.{form}")
    assert f"lab: 3 trials (0 to 2) written to next.{form}." in result.stdout
    filled(f"next.{form}", f"done.{form}", **{"yield": ["81", "79; 81", ""]})
    told = lab("tell", f"done.{form}")
    assert told.exit_code == 0
    assert "2 told (0, 1)" in told.stdout
    assert "bbo pending" in told.stdout
    first, second, third = trials()
    assert (first.values["yield"], second.values["yield"], third.status) == (81.0, 80.0, Status.RUNNING)
    assert second.replicates["yield"] == (79.0, 81.0)
    assert first.suggested is None


def test_ask_without_a_file_shows_the_table_and_with_a_dash_writes_csv(lab):
    shown = lab("ask", "-n", 2)
    (a, b) = trials()
    for trial in (a, b):
        assert f"{trial['temperature']:.6g}" in shown.stdout
    assert "bbo pending -o next.csv" in shown.stdout
    raw = lab("pending", "-o", "-").stdout
    assert raw.splitlines()[0] == "trial,temperature [degC],base,yield [%],purity,cost,status,note"
    assert len(raw.splitlines()) == 3


def test_pending_is_the_sheet_again_with_what_is_known_of_it(lab):
    assert "lab: no trial waits for results." in lab("pending").stdout
    lab("ask", "-n", 3, "-o", "next.csv")
    lab("tell", "yield=50", "--trial", 1)
    lab("tell", "purity=99", "--trial", 2, "--partial")
    assert "lab: 2 trials (0, 2) written to again.xlsx." in lab("pending", "-o", "again.xlsx").stdout
    again = read_table("again.xlsx")
    assert again["trial"].tolist() == ["0", "2"]
    assert again["purity"].tolist() == ["", "99"]


def test_fixed_and_shared_parameters_are_so_in_all_trials_of_an_ask(lab):
    assert lab("ask", "-n", 4, "--fix", "base=-OMe", "--share", "temperature").exit_code == 0
    assert {t["base"] for t in trials()} == {"-OMe"}
    assert len({t["temperature"] for t in trials()}) == 1
    assert lab("ask", "--fix", "temperature=55.5").exit_code == 0
    assert trials()[-1]["temperature"] == 55.5
    assert lab("ask", "--context", "base=-OMe", "--fix", "temperature=60").exit_code == 0
    assert trials()[-1].params == {"temperature": 60.0, "base": "-OMe"}


def test_the_best_of_a_context_is_shown_or_that_there_is_none(lab):
    for base, value in (("-OMe", 50), ("KOH", 80)):
        lab("ask", "--context", f"base={base}")
        lab("tell", f"yield={value}", "--trial", len(trials()) - 1)
    assert "trial 1" in lab("best").stdout
    assert "trial 0" in lab("best", "--context", "base=-OMe").stdout
    said = json.loads(lab("best", "--context", "base=-OMe", "--json").stdout)
    assert (said["context"], said["best"]["trial"]) == ({"base": "-OMe"}, 0)
    none = lab("best", "--context", "base==O")
    assert none.exit_code == 1
    assert "no trial where base is =O is completed and feasible" in none.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fix", "base=KCN"], "base"),
        (["--fix", "heat=3"], "lab has the parameters temperature, base: got heat."),
        (
            ["--fix", "temperature"],
            "A value is given as name=value, without spaces around the sign: got 'temperature'.",
        ),
        (["--fix", "temperature=50", "--fix", "temperature=60"], "'temperature' is given twice"),
        (["--share", "heat"], "heat"),
        (["--context", "heat=3"], "lab has the parameters temperature, base: got heat."),
        (["--context", "base=-OMe", "--fix", "base=-OMe"], "What the context gives cannot be fixed beside"),
        (["-o", "next.ods"], "A table is written to a .csv or .xlsx file"),
        (["-o", "no/such/next.csv"], "there is no folder no/such"),
        (["other.db"], "There is no log other.db."),
        (["bbo.txt"], "There is no log bbo.txt."),
    ],
)
def test_an_ask_that_cannot_be_is_a_line_on_stderr_and_asks_nothing(lab, arguments, said):
    before = events()
    result = lab("ask", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert events() == before


@pytest.mark.parametrize("column", [{"yield": ["81", ""]}, {"note": ["", "spilled"]}, {"status": ["failed", ""]}])
def test_a_file_with_results_is_not_written_over_unless_forced(lab, column):
    lab("ask", "-n", 2, "-o", "next.csv")
    filled("next.csv", "next.csv", **column)
    before, n = read_table("next.csv"), len(events())
    for command in (["ask"], ["pending"]):
        result = lab(*command, "-o", "next.csv")
        assert result.exit_code == 2
        assert "next.csv holds results already." in result.stderr
    assert read_table("next.csv").equals(before)
    assert len(events()) == n
    assert lab("ask", "-n", 1, "-o", "next.csv", "--force").exit_code == 0
    assert read_table("next.csv")["trial"].tolist() == ["2"]


def test_an_untouched_sheet_may_be_written_over_and_another_file_may_not(lab, tmp_path):
    lab("ask", "-n", 2, "-o", "next.csv")
    assert lab("pending", "-o", "next.csv").exit_code == 0
    (tmp_path / "plan.csv").write_bytes(b"\x00\x01 something else")
    result = lab("ask", "-o", "plan.csv")
    assert result.exit_code == 2
    assert "plan.csv is there and is no table" in result.stderr
    assert (tmp_path / "plan.csv").read_bytes() == b"\x00\x01 something else"


def test_a_sheet_that_cannot_be_written_says_that_the_trials_are_in_the_log(lab, tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", full)
        result = lab("ask", "-n", 2, "-o", "next.csv")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "The 2 trials are in the log: write them elsewhere with bbo pending -o FILE" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("bbo.db")) == ["study.toml"]
    assert "2 trials (0, 1) written" in lab("pending", "-o", "next.csv").stdout


def test_an_ask_beyond_the_budget_says_that_the_study_is_finished(lab):
    lab("budget", "--trials", 2)
    assert "That is 2 of 5: there are no more" in lab("ask", "-n", 5).stdout
    result = lab("ask")
    assert result.exit_code == 1
    assert "2 trials" in result.stderr


# tell, one trial


def test_a_single_trial_is_told_with_what_was_executed_its_cost_and_a_note(lab):
    lab("ask", "-n", 2)
    words = [
        "yield=81;83;80",
        "purity=99",
        "--trial",
        1,
        "--cost",
        2.5,
        "--executed",
        "temperature=83",
        "--sd",
        "yield=1.5",
        "--note",
        "hot",
    ]
    result = lab("tell", *words)
    assert result.stdout.startswith(
        "lab: trial 1 completed: yield 81.3333 %, purity 99, cost 2.5, temperature 83 instead"
    )
    trial = trials()[1]
    assert trial.replicates["yield"] == (81.0, 83.0, 80.0)
    assert (trial["temperature"], trial.sd, trial.cost, trial.note) == (83.0, {"yield": 1.5}, 2.5, "hot")
    assert lab("tell", *words).exit_code == 0  # the same again is no error


def test_a_part_of_a_trial_waits_for_the_rest(lab, tmp_path):
    (tmp_path / "two.toml").write_text(STUDY.replace("[[tracked]]", "[[constraint]]\nlower = 90").replace("lab", "two"))
    lab("new", "two.toml", "two.db")
    lab("ask", "two.db")
    missing = lab("tell", "yield=81", "two.db", "--trial", 0)
    assert missing.exit_code == 2
    assert "partial" in missing.stderr
    assert "waits for purity" in lab("tell", "yield=81", "two.db", "--trial", 0, "--partial").stdout
    assert "trial 0 completed: yield 81 %, purity 95" in lab("tell", "purity=95", "two.db", "--trial", 0).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yeild=81", "--trial", 0], "lab has the metrics yield, purity: got yeild."),
        (["temperature=83", "--trial", 0], "Give what was set otherwise as --executed name=value."),
        (["yield=much", "--trial", 0], "'yield' is a number"),
        (["yield=", "--trial", 0], "yield= has no value behind it."),
        (["yield=nan", "--trial", 0], "yield=nan says that there is no value. Leave yield out"),
        (["yield=inf", "--trial", 0], "An evaluation without a value has failed: use `bbo fail`."),
        (["yield=1_0", "--trial", 0], "'yield' is a number, with a point before decimals"),
        (["yield=1", "--trial", 0, "--executed", "temperature=8_3"], "'temperature' is a number, with a point"),
        (["purity=9", "--trial", 0], "Where they are to come later, tell with --partial."),
        (["yield=81", "--trial", 7], "the trials 0 to 1: got 7."),
        (["yield=81"], "Give a table with results, or with --trial N"),
        (["next.csv", "--cost", 3], "go with --trial N"),
        (["next.csv", "yield=81", "bbo.db"], "Give a table with results, or with --trial N"),
        (["yield=81", "soon", "purity=3", "--trial", 0], "and the log comes last: got 'soon'"),
        (["none.csv"], "Cannot read none.csv: No such file or directory."),
        (["bbo.db"], "bbo.db is no table: its name ends in .csv or .xlsx."),
        (["yield=81", "--trial", 0, "--executed", "base=KCN"], "base"),
        (["yield=81", "--trial", 0, "--sd", "2"], "given as name=value"),
        (["yield=81", "--trial", 0, "--sd", "yield=-2"], "at least 0"),
        (["next.csv", "--sd", "yield=2"], "go with --trial N"),
    ],
)
def test_a_tell_that_cannot_be_is_a_line_on_stderr_and_tells_nothing(lab, arguments, said):
    lab("ask", "-n", 2, "-o", "next.csv")
    before = events()
    result = lab("tell", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert events() == before


def test_another_value_for_a_trial_is_an_error_that_names_amend(lab):
    lab("ask")
    lab("tell", "yield=81", "--trial", 0)
    result = lab("tell", "yield=82", "--trial", 0)
    assert result.exit_code == 2
    assert "amend" in result.stderr


# tell, tables


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tell", "yield=82", "--trial", 0], "lab has trial 0 completed: yield 81 %, cost 2. That stands"),
        (["cancel", 0, "--why", "no"], "lab has trial 0 completed: yield 81 %, cost 2. That stands"),
        (["fail", 0], "put something else in its place: bbo amend 0."),
        (["cancel", 1, "--why", "no"], "lab has trial 1 failed: invalid, the pump broke. That stands"),
        (["amend", 1, "yield=3", "--why", "found"], "to make these values count, say --status completed too."),
        (["amend", 0, "yield=3", "--why", " "], """e.g. --why "typo in the notebook": got"""),
        (["amend", 2, "yield=3", "--why", "typo"], "use `bbo tell`, `bbo fail` or `bbo cancel`."),
        (["ask"], "To go on, give it another budget: `bbo budget`."),
        (["tell", "r.csv"], "ut something else in its place: `bbo amend`."),
    ],
)
def test_what_cannot_be_told_is_said_in_words_as_they_are_typed(lab, tmp_path, words, said):
    lab("ask", "-n", 3)
    lab("tell", "yield=81", "--trial", 0, "--cost", 2)
    lab("fail", 1, "--why", "the pump broke")
    lab("budget", "--trials", 3)
    (tmp_path / "r.csv").write_text("trial,yield\n0,82\n")
    lab("ask")  # the first that is refused is in the log, as the end of the study
    before = events()
    result = lab(*words)
    assert (result.exit_code, result.stdout) in ((1, ""), (2, ""))
    assert said in result.stderr
    assert not re.search(r"\(\)|Status\.|\w=True|\{\"", result.stderr)
    assert events() == before


def test_a_trial_of_which_a_part_is_told_says_what_that_part_is(lab, tmp_path):
    (tmp_path / "two.toml").write_text(STUDY.replace("[[tracked]]", "[[constraint]]\nlower = 90").replace("lab", "two"))
    lab("new", "two.toml", "two.db")
    lab("ask", "two.db")
    lab("tell", "yield=81", "two.db", "--trial", 0, "--partial")
    result = lab("tell", "yield=82", "two.db", "--trial", 0, "--partial")
    assert result.exit_code == 2
    assert "has {'yield': 81.0} by what was told before" in result.stderr
    assert "`bbo amend`" in result.stderr


def test_a_table_with_a_wrong_cell_is_refused_as_a_whole_with_its_line(lab, tmp_path):
    lab("ask", "-n", 3)
    before = events()
    (tmp_path / "r.csv").write_text("trial,yield,note\n0,81,\n\n2,lots,\n")
    result = lab("tell", "r.csv")
    assert result.exit_code == 2
    assert "line 4" in result.stderr
    assert "'lots'" in result.stderr
    assert events() == before


def test_unknown_columns_are_named_and_may_be_passed_over(lab, tmp_path):
    lab("ask", "-n", 1)
    (tmp_path / "r.csv").write_text("trial;yield;operator;purty\n0;81,5;Ada;\n")
    result = lab("tell", "r.csv")
    assert result.exit_code == 2
    assert "operator" in result.stderr
    assert "did you mean 'purity'" in result.stderr
    assert lab("tell", "r.csv", "--ignore", "operator", "--ignore", "purty").exit_code == 0
    assert trials()[0].values["yield"] == 81.5


def test_choices_that_look_like_formulas_go_through_a_spreadsheet_and_back(lab):
    lab("ask", "-n", 1, "--fix", "base=-OMe", "-o", "a.csv")
    lab("ask", "-n", 1, "--fix", "base==O", "-o", "b.xlsx")
    for k, name in enumerate(("a.csv", "b.xlsx")):
        filled(name, name, **{"yield": ["70"]})
        assert f"1 told ({k})" in lab("tell", name).stdout
    assert [t.suggested for t in trials()] == [None, None]
    assert [t["base"] for t in trials()] == ["-OMe", "=O"]


# fail, cancel, amend, note, rank


def test_several_trials_fail_or_are_cancelled_with_the_reason_kept(lab):
    lab("ask", "-n", 4)
    said = lab("fail", 0, 1, "bbo.db", "--why", "the pump broke").stdout
    assert said == "lab: trial 0 failed: invalid, the pump broke\nlab: trial 1 failed: invalid, the pump broke\n"
    lab("fail", 2, "--reason", "lost")
    assert "trial 3 cancelled: out of stock" in lab("cancel", 3, "--why", "out of stock").stdout
    assert [t.reason for t in trials()][:3] == [FailureReason.INVALID, FailureReason.INVALID, FailureReason.LOST]
    assert trials()[3].status is Status.CANCELLED


def test_what_failed_and_cancelled_trials_cost_counts(lab):
    lab("ask", "-n", 3)
    lab("budget", "--cost", 100)
    assert lab("fail", 0, 1, "--why", "leaked", "--cost", 25).stdout.splitlines() == [
        f"lab: trial {k} failed: invalid, leaked, cost 25" for k in (0, 1)
    ]
    assert lab("cancel", 2, "--why", "spilled", "--cost", 5).stdout == "lab: trial 2 cancelled: spilled, cost 5\n"
    assert lab("budget").stdout == "lab: cost 55 of 100 used\n"


def test_amend_replaces_only_what_is_given_and_needs_a_reason(lab):
    lab("ask", "-n", 2)
    lab("tell", "yield=18", "purity=99", "--trial", 0)
    assert lab("amend", 0, "yield=81").exit_code == 2
    result = lab("amend", 0, "yield=81", "bbo.db", "--executed", "temperature=83", "--why", "typo")
    assert "trial 0 completed: yield 81 %, purity 99, temperature 83 instead of" in result.stdout
    assert trials()[0].values == {"yield": 81.0, "purity": 99.0}
    withdrawn = lab("amend", 0, "--status", "cancelled", "--why", "wrong flask")
    assert withdrawn.exit_code == 0
    assert trials()[0].status is Status.CANCELLED
    running = lab("amend", 1, "yield=3", "--why", "typo")
    assert running.exit_code == 2


def test_notes_are_kept_with_the_study_or_with_a_trial(lab):
    lab("ask")
    assert lab("note", "new bottle").stdout == "lab: noted.\n"
    assert lab("note", "smells odd", "bbo.db", "--trial", 0).stdout == "lab: noted with trial 0.\n"
    with Study.load("bbo.db") as study:
        assert study.notes == ["new bottle"]
        assert study.trial(0).note == "smells odd"


def test_a_ranking_is_typed_best_first_with_equals_joined(lab):
    lab("ask", "-n", 4)
    assert lab("rank", 3, "1=2", 0).stdout == "lab: ranked 3 > 1 = 2 > 0.\n"
    with Study.load("bbo.db") as study:
        assert study.history.rankings == (((3,), (1, 2), (0,)),)
    for words in ([3], [3, 3], [3, 9], ["3=", 1], ["3", ">", "1"]):
        assert lab("rank", *words).exit_code == 2


# predict and budget


def test_predictions_are_those_of_the_study(lab, tmp_path):
    with Study.load("bbo.db") as study:
        for x in (40.0, 60.0, 80.0, 100.0, 120.0):
            study.enqueue({"temperature": x, "base": "KOH"})
            study.tell(study.ask(), 100 - (x - 90) ** 2 / 50)
    refused = lab("predict", "c.csv")
    assert refused.exit_code == 2
    (tmp_path / "c.csv").write_text("temperature [degC];base\n70,5;KOH\n200;KOH\n")
    assert "has no model to predict with" in lab("predict", "c.csv").stderr
    from bbo.strategies import GP

    with Study.load("bbo.db", strategy=GP()) as study:
        wanted = study.predict(pd.DataFrame({"temperature": [70.5, 200.0], "base": ["KOH", "KOH"]}))
    assert lab("predict", "c.csv", "-o", "p.csv").stdout == "p.csv: predictions for 2 rows\n"
    written = read_table("p.csv")
    assert written["temperature [degC]"].tolist() == ["70.5", "200"]
    for column in ("yield mean", "yield sd"):
        assert [float(v) for v in written[column]] == pytest.approx(wanted[column].tolist(), rel=1e-6)
    assert f"{wanted['yield mean'].iloc[0]:.4g}" in lab("predict", "c.csv").stdout


def test_a_budget_is_shown_with_what_is_used_and_only_what_is_given_changes(lab):
    assert lab("budget").stdout == "lab: no limits\n"
    lab("ask", "-n", 2)
    lab("tell", "yield=81", "--trial", 0, "--cost", 12.5)
    assert lab("budget", "--trials", 9).stdout == "lab: 2 of 9 trials used\n"
    said = lab("budget", "--cost", 100, "--hours", 3).stdout
    assert re.fullmatch(r"lab: 2 of 9 trials used, cost 12.5 of 100 used, [\d.]+ (s|min) of 3 h used\n", said)
    with Study.load("bbo.db") as study:
        assert study.budget == Budget(trials=9, cost=100.0, seconds=10800.0)
    assert lab("budget", "--none", "--trials", 2).stdout.splitlines()[0] == "lab: 2 of 2 trials used"
    assert "finished" in lab("budget").stdout
    assert lab("budget", "--none").stdout == "lab: no limits\n"


@pytest.mark.parametrize("option", [("--trials", 0), ("--cost", -1), ("--cost", "nan"), ("--hours", "1e300")])
def test_a_budget_that_cannot_be_is_an_error_that_names_the_option(lab, option):
    result = lab("budget", *option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {option[0]} is a number above 0")
    assert "got" in result.stderr


# status


def test_status_shows_who_has_the_pending_trials_the_notes_and_the_budget(lab):
    lab("ask", "-n", 3)
    lab("tell", "yield=18", "--trial", 0, "--note", "cloudy")
    lab("amend", 0, "yield=81", "--why", "typo")
    lab("note", "new bottle")
    lab("cancel", 2, "--why", "out of stock")
    lab("budget", "--trials", 9)
    said = [squeezed(line) for line in lab("status").stdout.splitlines()]
    for line in (
        "trials 1 completed, 1 running, 1 cancelled",
        "pending 1 with people",
        "budget 2 of 9 trials used",
        "2 out of stock",
        "0 typo",
        "0 cloudy",
        "new bottle",
        "yield [%] 81",
    ):
        assert line in said


def test_status_has_the_notes_of_parts_and_of_own_experiments_with_their_trials(lab, tmp_path):
    (tmp_path / "two.toml").write_text(STUDY.replace("[[tracked]]", "[[constraint]]\nlower = 90").replace("lab", "two"))
    lab("new", "two.toml", "two.db")
    lab("ask", "two.db", "-n", 2)
    lab("tell", "yield=81", "two.db", "--trial", 1, "--partial", "--note", "cloudy")
    own = "trial,temperature,base,yield,purity,note\n,50,KOH,40,95,\n,60,KOH,41,95,tried in May\n"
    (tmp_path / "own.csv").write_text(own)
    lab("tell", "own.csv", "two.db")
    lab("tell", "purity=98", "two.db", "--trial", 1, "--note", "clear again")
    said = [squeezed(line) for line in lab("status", "two.db").stdout.splitlines()]
    start = said.index("Notes")
    assert said[start + 1 : start + 4] == ["1 cloudy", "3 tried in May", "1 clear again"]


def test_status_counts_the_trials_that_workers_have(lab):
    with Study.load("bbo.db") as study:
        study.ask(2)
        seen = []

        def look(trial):
            seen.append(squeezed(lab("status").stdout))
            return 1.0

        study.run(look, 3)
    assert "pending 2 with people, 1 with workers" in seen[-1]


def test_status_says_by_which_rule_a_study_is_finished_and_what_is_expected(bbo, tmp_path):
    text = STUDY.replace("RandomSearch", "GP").replace('choices = ["-OMe", "KOH", "=O"]', 'choices = ["KOH"]')
    rule = '[budget]\n[[budget.stop]]\nkind = "gain_below"\ngain = 1e6\npatience = 1\n'
    (tmp_path / "study.toml").write_text(text + rule)
    assert bbo("new", "study.toml").exit_code == 0
    with Study.load("bbo.db") as study:
        assert study.budget == Budget(stop=(GainBelow(1e6, patience=1),))
        study.run(lambda t: t["temperature"] / 100, 6)
        outlook = str(study.outlook)
        finished = study.finished
    assert finished is not None
    said = squeezed(bbo("status").stdout)
    assert squeezed(finished.message) in said
    assert squeezed(outlook) in said


READ_ONLY = """
import sys
from bbo.cli import main
try:
    main()
finally:
    print([m for m in ("torch", "botorch", "matplotlib") if m in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [["status"], ["pending"], ["note", "x"], ["budget"], ["tell", "yield=1", "--trial", "0"]]
)
def test_what_needs_no_model_loads_no_torch(lab, tmp_path, words):
    lab("ask")
    child = subprocess.run([sys.executable, "-c", READ_ONLY, *words], cwd=tmp_path, capture_output=True, text=True)
    assert (child.returncode, child.stderr.strip()) == (0, "[]")


def read_until(master, wanted, seconds=30.0):
    """What a terminal shows, until this text has come."""
    shown, until = "", time.monotonic() + seconds
    while wanted not in squeezed(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", shown)):
        assert time.monotonic() < until, f"no {wanted!r} within {seconds} s, but: {shown[-2000:]}"
        if select.select([master], [], [], 0.2)[0]:
            shown += os.read(master, 65536).decode(errors="replace")
    return shown


def test_watch_shows_what_others_tell_meanwhile_and_ends_with_ctrl_c(lab, tmp_path):
    lab("ask", "-n", 2)
    before = events()
    master, slave = pty.openpty()
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bbo.cli import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "status", "--watch"],
        cwd=tmp_path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "COLUMNS": "100", "LINES": "50", "TERM": "xterm"},
    )
    os.close(slave)
    try:
        read_until(master, "pending 2 with people")
        assert events() == before
        lab("tell", "yield=81", "--trial", 1)
        read_until(master, "pending 1 with people")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
        os.close(master)


def test_watch_waits_for_a_storage_that_is_away(monkeypatch):
    class Away:
        def __getattr__(self, name):
            raise StorageError("The server is away.")

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    naps, drawn = [], io.StringIO()
    monkeypatch.setattr(watching, "console", lambda: Console(file=drawn, force_terminal=True, width=80))
    monkeypatch.setattr(watching.time, "sleep", sleep)
    watching.watch_studies([Away()])
    assert naps == [2.0] * 3
    assert "The server is away. Trying again." in drawn.getvalue()


def test_watch_without_a_terminal_is_an_error(lab):
    result = lab("status", "--watch")
    assert result.exit_code == 2
    assert "--watch draws on a terminal" in result.stderr


# everywhere


def test_one_of_several_studies_is_chosen_by_name(lab, tmp_path):
    (tmp_path / "b.toml").write_text(STUDY.replace('"lab"', '"second"'))
    assert "bbo ask -n 8 -o next.csv --name second" in lab("new", "b.toml").stdout
    ambiguous = lab("ask")
    assert ambiguous.exit_code == 2
    assert "bbo.db has the studies lab, second: say which one with --name." in ambiguous.stderr
    assert "second: trial 0 to carry out." in lab("ask", "--name", "second").stdout
    assert lab("tell", "yield=3", "--trial", 0, "--name", "second").exit_code == 0
    assert lab("note", "x", "--name", "third").exit_code == 2


def test_a_postgresql_database_serves_as_the_log(lab, fresh_postgres_url):
    assert lab("new", "study.toml", fresh_postgres_url).exit_code == 0
    assert lab("ask", fresh_postgres_url, "-n", 2, "-o", "next.csv").exit_code == 0
    assert lab("tell", "yield=81", fresh_postgres_url, "--trial", 1).exit_code == 0
    said = squeezed(lab("status", fresh_postgres_url).stdout)
    assert "trials 1 completed, 1 running" in said
    assert "all agree" in lab("verify", fresh_postgres_url).stdout


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@localhost:1/lab",
        "postgresql://ada:s3/c@ret@localhost:1/x",
        "postgresql://localhost:1/lab?user=ada&password=s3cret",
        "postgresql:/ada:s3cret@localhost/lab",
        "postgresql:ada:s3cret@localhost/lab",
        "postgre://ada:s3cret@localhost/lab",
        "postgre:/ada:s3?cr'et@localhost/lab",
    ],
)
@pytest.mark.parametrize("words", [["status"], ["ask"], ["new", "study.toml"]])
def test_a_password_in_the_url_of_a_database_is_never_shown(lab, tmp_path, url, words):
    before = sorted(tmp_path.iterdir())
    result = lab(*words, url)
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("error: ")
    assert not re.search("s3|cret|cr'et", result.output)
    assert sorted(tmp_path.iterdir()) == before


def test_a_password_in_the_options_of_a_url_that_serves_is_never_shown(lab, fresh_postgres_url):
    url = f"{fresh_postgres_url}?password=s3cret"
    said = [
        lab("new", "study.toml", url),
        lab("ask", url, "-n", 2, "-o", "next.csv"),
        lab("tell", "next.csv", url),
        lab("status", url),
        lab("run", "branin", "--strategy", "RandomSearch", "--trials", 2, "--storage", url),
        lab("ask", url),
        lab("verify", url, "--head", "none"),
    ]
    assert [result.exit_code for result in said] == [0, 0, 0, 0, 0, 2, 2]
    for result in said:
        assert "s3cret" not in result.output
    assert "bbo tell next.csv 'postgresql://" in said[1].stdout


def test_a_problem_that_a_run_names_is_known_under_any_name(bbo):
    bbo("run", "branin", "--strategy", "RandomSearch", "--trials", 3, "--name", "mine")
    with Study.load("bbo.db") as study:
        assert study.problem == "branin"
    assert "best known" in bbo("best").stdout


def test_the_help_page_has_groups(bbo):
    said = bbo("--help").stdout
    heads = re.findall(r"^(\w+):$", said, re.MULTILINE)
    assert heads == ["Options", "Laboratory", "Computer", "Reading", "Lists"]
    laboratory = said.partition("Laboratory:")[2].partition("Computer:")[0]
    assert "..." not in laboratory
    assert max(map(len, said.splitlines())) <= 80
