"""`bbo status`, `bbo best`, `bbo export`, `bbo plot`: what a log has, without ever making or changing one."""

import io
import json
import math

import pandas as pd
import pytest

from bbo.objective import Maximize, Minimize, OutcomeConstraint, Tracked
from bbo.space import Categorical, Float, Space
from bbo.strategies import GP, RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Suggestion

SPACE = Space((Float("x", 0.0, 1.0, unit="m/s"), Categorical("[bold]kind[/]", ("a", None))))
READING = [["status"], ["best"], ["export", "--csv", "-"], ["plot"], ["verify"]]


def study(name, objectives, **options):
    return Study(SPACE, objectives, strategy=RandomSearch(), seed=3, storage="bbo.db", name=name, **options)


@pytest.mark.parametrize("command", READING, ids=lambda words: words[0])
def test_a_log_that_is_not_there_is_an_error_that_names_it_and_makes_no_file(bbo, tmp_path, command):
    for where in ([], ["other.jsonl"], ["sqlite:///third.db"], ["no/such/folder.db"]):
        result = bbo(*command, *where)
        assert result.exit_code == 2
        assert f"error: There is no log {(where or ['bbo.db'])[0]}." in result.stderr
        assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", READING, ids=lambda words: words[0])
def test_an_unknown_study_is_an_error_that_names_those_there_are(bbo, beam_log, command):
    result = bbo(*command, "--name", "welded")
    assert result.exit_code == 2
    assert "error: No study 'welded' in " in result.stderr
    assert "it has 'welded-beam'" in result.stderr


@pytest.mark.parametrize("command", READING, ids=lambda words: words[0])
def test_a_file_without_studies_is_an_error(bbo, tmp_path, command):
    (tmp_path / "bbo.db").touch()
    assert "error: bbo.db has no studies yet." in bbo(*command).stderr


def test_a_file_that_is_no_log_is_an_error(bbo, tmp_path):
    (tmp_path / "bbo.db").write_text("my notes, which are long enough to be no empty database\n" * 40)
    result = bbo("status")
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize("command", [["best"], ["export", "--csv", "-"]], ids=lambda words: words[0])
def test_one_of_several_studies_must_be_named(bbo, beam_log, command):
    study("second", Minimize("y"))
    result = bbo(*command)
    assert result.exit_code == 2
    assert "bbo.db has the studies welded-beam, second: say which one with --name." in result.stderr


def test_status_has_a_row_for_each_study(bbo, beam_log):
    with study("[red]mine", Maximize("y")) as mine:
        mine.run(lambda t: math.sqrt(-1) if t.number == 2 else t["x"], 6)
        mine.ask()
    said = bbo("status").stdout
    assert "[red]mine" in said
    assert "maximize y" in said
    assert "5 completed" in said
    assert "30 completed" in said
    best = next(line for line in said.splitlines() if line.startswith("[red]mine"))
    assert f"{mine.best.values['y']:.6g}" in best


def test_status_of_a_study_shows_its_specification_its_failures_and_its_best(bbo):
    wanted = [Minimize("y"), OutcomeConstraint("g", lower=0.1, upper=0.9), Tracked("seconds")]
    with study("mine", wanted) as mine:
        mine.run(lambda t: {"y": t["x"], "g": t["x"]}, 8)
        mine.fail(mine.ask(), "the pump broke [again]")
        mine.fail(mine.ask(), reason=FailureReason.TIMEOUT)
    said = bbo("status", "--name", "mine").stdout
    for part in ("minimize y", "g 0.1 to 0.9", "seconds", "RandomSearch", "8 completed, 2 failed", "[bold]kind[/]"):
        assert part in said
    assert "8  invalid  the pump broke [again]" in said
    assert "9  timeout" in said
    assert f"Best design of mine: trial {mine.best.number}" in said


def test_best_as_json_has_every_digit(bbo, beam_log):
    said = json.loads(bbo("best", "--json").stdout)
    with Study.load(beam_log) as beam:
        best = beam.best
    assert said["best"] == {
        "trial": best.number,
        "params": best.params,
        "values": dict(best.values),
        "feasible": True,
    }
    assert said["best_known"] == pytest.approx(2.38113434175)


def test_best_says_where_the_model_hardly_believes_it(bbo):
    x = [k / 20 for k in range(20)]
    with Study([Float("x", 0.0, 1.0)], Maximize("y"), strategy=GP(), seed=1, storage="bbo.db", name="mine") as mine:
        mine.add(pd.DataFrame({"x": x, "y": [950.0 if k == 4 else v for k, v in enumerate(x)]}))
        trial = mine.ask()
        said = bbo("best").stdout
        assert "Best design of mine: trial 4" in said
        assert "The model hardly believes this trial's values: repeat it" in " ".join(said.split())
        mine.amend(4, 0.2, why="typo")
        mine.tell(trial, 0.9)
        mine.ask()
    assert "believes" not in bbo("best").stdout


def test_the_best_known_value_is_only_shown_for_the_same_space_and_objectives(bbo, beam_log):
    assert "best known" in bbo("best").stdout
    with Study(SPACE, Minimize("value"), strategy=RandomSearch(), storage="b.db", name="branin") as false_friend:
        false_friend.run(lambda t: t["x"], 3)
    assert "best known" not in bbo("best", "b.db").stdout
    assert json.loads(bbo("best", "b.db", "--json").stdout)["best_known"] is None


def test_without_a_feasible_trial_best_says_which_constraints_are_broken(bbo):
    with study("mine", [Minimize("y"), OutcomeConstraint("g", upper=-1.0)]) as mine:
        result = bbo("best")
        assert (result.exit_code, result.stdout) == (1, "mine: no completed trial yet.\n")
        mine.run(lambda t: {"y": t["x"], "g": t["x"]}, 6)
        nearest = min(t["x"] for t in mine.trials)
    result = bbo("best")
    assert result.exit_code == 1
    assert "mine: none of 6 completed trials is feasible." in result.stdout
    assert ["g", "<=", "-1", "6", "trials", f"{nearest:.6g}"] in [line.split() for line in result.stdout.splitlines()]
    assert json.loads(bbo("best", "--json").stdout)["best"] is None
    assert bbo("best", "--json").exit_code == 1


def test_the_best_of_several_objectives_is_the_front(bbo):
    with study("mine", [Minimize("cost"), Maximize("gain")]) as mine:
        mine.run(lambda t: {"cost": t["x"], "gain": math.sin(7 * t["x"])}, 12)
        front = mine.front
    assert f"mine: {len(front)} trials on the Pareto front" in bbo("best").stdout
    assert [t["trial"] for t in json.loads(bbo("best", "--json").stdout)["front"]] == [t.number for t in front]


def test_the_csv_is_the_studys_frame(bbo, beam_log, tmp_path):
    assert bbo("export", "--csv", "out.csv").stdout == "out.csv: 30 trials\n"
    with Study.load(beam_log) as beam:
        frame = beam.frame()
    written = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    numbers = [c for c in frame.columns if frame[c].dtype == float]
    pd.testing.assert_frame_equal(written[numbers], frame[numbers], check_exact=True)
    assert list(written.columns) == list(frame.columns)
    to_terminal = bbo("export", "--csv", "-").stdout
    assert pd.read_csv(io.StringIO(to_terminal), keep_default_na=False).equals(written)


def test_the_csv_says_why_trials_ended_and_what_was_told_beside_the_means(bbo, tmp_path):
    with study("lab", [Maximize("y"), Tracked("z")]) as lab:
        for x in (0.25, 0.5, 0.75):
            lab.enqueue({"x": x, "[bold]kind[/]": "a"})
        lab.ask(3)
        lab.tell(0, {"y": [1.0, 2.5]}, params={"x": 0.375})
        lab.fail(1, "leaked\nat the seal")
        lab.cancel(2, "out of stock")
        bbo("export", "--csv", "out.csv")
        written = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
        assert written["message"].tolist() == ["", "leaked\nat the seal", "out of stock"]
        assert written["suggested"].tolist() == ["x=0.25", "", ""]
        assert written["replicates"].tolist() == ["y=1.0; 2.5", "", ""]
        n = len(lab.storage.events("lab"))
        told = lab.tell_frame(written)
        assert (told.unchanged, len(lab.storage.events("lab"))) == ([0, 1, 2], n)
    with study("other", [Maximize("y"), Tracked("z")]) as other:
        assert other.add(written) == 2
        assert other.trial(1).message == "leaked\nat the seal"


def test_a_csv_is_not_written_over_a_file_with_results_unless_forced(bbo, beam_log, tmp_path):
    (tmp_path / "mine.csv").write_text("trial,cost\n0,12\n")
    result = bbo("export", "--csv", "mine.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "mine.csv holds results already" in result.stderr
    assert (tmp_path / "mine.csv").read_text() == "trial,cost\n0,12\n"
    assert bbo("export", "--csv", "mine.csv", "--force").stdout == "mine.csv: 30 trials\n"


def test_a_csv_that_cannot_be_written_is_an_error(bbo, beam_log):
    result = bbo("export", "--csv", "no/such/folder/out.csv")
    assert (result.exit_code, result.stderr.split(":")[0]) == (2, "error")
    assert "no/such/folder/out.csv" in result.stderr


def test_plot_of_results_writes_two_figures_a_study_and_says_why_there_are_no_more(bbo, beam_log, tmp_path):
    with study("a/b: [c]", Minimize("y")) as odd:
        odd.run(lambda t: t["x"], 3)
    result = bbo("plot", "-o", "figures")
    said = result.stdout.split()
    assert said == [
        f"figures/{stem}-{kind}.png" for stem in ("welded-beam", "a-b-c") for kind in ("progress", "parameters")
    ]
    assert all((tmp_path / path).read_bytes().startswith(b"\x89PNG") for path in said)
    assert result.stderr.splitlines()[0] == (
        "welded-beam: figures of results alone. SobolSearch has no model to draw: --strategy GP reads the same trials."
    )
    assert len(bbo("plot", "--name", "welded-beam").stdout.split()) == 2


def test_plot_draws_the_model_of_a_study_that_has_one(bbo, tmp_path):
    with Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=GP(), storage="bbo.db", name="line", seed=1) as line:
        line.run(lambda t: (t["x"] - 0.3) ** 2, 4)
    result = bbo("plot")
    kinds = ["progress", "parameters", "slices", "dependence", "importance"]
    kinds += ["predicted"] if hasattr(GP, "leave_one_out") else []
    assert result.stdout.split() == [f"line-{kind}.png" for kind in kinds]
    assert result.stderr == ""
    refused = bbo("plot", "--only", "pair")
    assert refused.exit_code == 2
    assert "error: A map needs two parameters" in refused.stderr


def test_plot_draws_the_kinds_that_are_asked_for_with_another_strategys_model(bbo):
    study("line", Minimize("y")).run(lambda t: t["x"], 4)
    said = bbo("plot", "--only", "importance", "--only", "progress", "--strategy", "GP").stdout.split()
    assert said == ["line-importance.png", "line-progress.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "slices"], "RandomSearch has no model to draw: --strategy GP"),
        (["--only", "slices", "--strategy", "gpp"], "There is no strategy named 'gpp'. Did you mean GP?"),
        (["--strategy", "LatinHypercube"], "LatinHypercube has no model to draw"),
        (["--only", "pie"], "'pie' is not one of"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_an_error_and_no_file(bbo, tmp_path, options, said):
    study("few", Minimize("y")).run(lambda t: t["x"], 3)
    result = bbo("plot", *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("\u2502", " ").split())
    assert not list(tmp_path.glob("*.png"))


def test_too_few_trials_for_a_model_are_said(bbo):
    study("few", Minimize("y")).run(lambda t: t["x"], 3)
    assert "is drawn from 4 completed trials on: few has 3" in bbo("plot", "--strategy", "GP").stderr


def foretold(values, loo_r2):
    """A study whose results lie where they do of what was foretold: 0, give or take 1."""

    class Foretelling(RandomSearch):
        def suggest(self, history, n, *, seed):
            notes = {"mean": {"y": 0.0}, "sd": {"y": 1.0}, "noise_sd": {"y": 0.0}, "warm": {}, "loo_r2": loo_r2}
            return [Suggestion(s.params, notes=notes) for s in super().suggest(history, n, seed=seed)]

    with Study(SPACE, Minimize("y"), strategy=Foretelling(), seed=3, storage="bbo.db", name="said") as s:
        for value in values:
            s.tell(s.ask(), value)


def test_status_says_how_the_model_stands_and_warns_in_words_where_it_is_overconfident(bbo):
    foretold([0.0] * 11 + [9.0] * 9, 0.75)
    said = " ".join(bbo("status").stdout.split())
    assert "model 11 of the last 20 results within its 90 % intervals, leave-one-out R2 0.75 (at trial 19)" in said
    assert "The model is overconfident: 9 of the last 20 results lay outside its 90 % intervals (2 expected)." in said
    assert "explains nothing" not in said


def test_status_warns_where_the_model_explains_nothing(bbo):
    foretold([0.0] * 12, -0.5)
    said = " ".join(bbo("status").stdout.split())
    assert "The model explains nothing" in said
    assert "overconfident" not in said


def test_status_has_no_doubts_about_a_model_that_does_well(bbo):
    foretold([0.0] * 12, 0.9)
    said = bbo("status").stdout
    assert "The model" not in said


def test_status_says_nothing_of_a_model_where_there_is_none(bbo, beam_log):
    assert "\n  model" not in bbo("status").stdout


def test_export_to_optuna_says_what_cannot_be(bbo, beam_log):
    for arguments, said in (
        ((), "to a table with --csv OUT, or to Optuna with --optuna URL"),
        (("--csv", "t.csv", "--optuna", "sqlite:///o.db"), "to a table with --csv OUT, or to Optuna with --optuna URL"),
        (("--optuna", "o.db"), "is a URL, such as sqlite:///optuna.db: got 'o.db'"),
        (("--optuna", "sqlite:///bbo.db"), "is bbo's own log"),
        (("--optuna", "sqlite:////nowhere/at/all.db"), "Optuna cannot use sqlite:////nowhere/at/all.db"),
    ):
        result = bbo("export", *arguments)
        assert result.exit_code != 0
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert bbo("verify").exit_code == 0
