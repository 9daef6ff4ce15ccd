"""What a notebook shows: a study, a trial, a figure, a bar under the cell of a run."""

import re
from html.parser import HTMLParser

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from bbo import Categorical, Float, Maximize, Minimize, OutcomeConstraint, Study, Tracked
from bbo.plots import progress_figure
from bbo.strategies import GP, RandomSearch

SPACE = [Float("x", 0.0, 1.0), Categorical("kind", ["<b>bold</b>", "a & b"])]
WANTED = [Minimize("cost"), OutcomeConstraint("waste", upper=1.0), Tracked("colour <i>")]


class Cells(HTMLParser):
    """The rows of a table, and whether every tag was closed."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def read(html):
    cells = Cells(html)
    assert cells.open == []
    return cells.rows


@pytest.fixture
def study():
    study = Study(SPACE, WANTED, strategy=RandomSearch(), seed=1, name="<script>")
    for k in range(8):
        study.tell(study.ask(), {"cost": 10.0 - k % 3, "waste": 0.5 if k != 2 else 2.0, "colour <i>": float(k)})
    study.fail(study.ask(), "it <leaked>")
    return study


def test_a_study_shows_its_best_and_its_latest_trials_with_everything_escaped(study):
    html = study._repr_html_()
    head, *rows = read(html)
    assert head == ["trial", "", "status", "x", "kind", "cost", "waste", "colour <i>"]
    assert [row[:3] for row in rows] == [
        ["5", "best", "completed"],
        ["8", "", "failed"],
        ["7", "", "completed"],
        ["6", "", "completed"],
        ["4", "", "completed"],
    ]
    assert rows[0][4] in ("<b>bold</b>", "a & b")
    assert "Study &lt;script&gt;: 8 completed, 1 failed" in html
    assert "<script>" not in html
    assert "no trials" in Study(SPACE, WANTED)._repr_html_()


def test_of_several_objectives_a_study_shows_the_front():
    study = Study(SPACE, [Minimize("a"), Maximize("b")], strategy=RandomSearch(), seed=1)
    for a, b in [(1.0, 1.0), (2.0, 2.0), (3.0, 0.0)]:
        study.tell(study.ask(), {"a": a, "b": b})
    assert [row[1] for row in read(study._repr_html_())[1:]] == ["front", "front", ""]


def test_a_trial_shows_what_it_gave_and_why_it_was_suggested(study):
    rows = dict(read(study.trials[8]._repr_html_()))
    assert rows["message"] == "it <leaked>"
    assert "Trial 2: completed, infeasible" in study.trials[2]._repr_html_()
    modelled = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=GP(n_first=2), seed=1)
    for _ in range(3):
        modelled.tell(modelled.ask(), 1.0 + modelled.trials[-1]["x"])
    rows = dict(read(modelled.trials[2]._repr_html_()))
    assert rows["suggested by"] == "GP"
    assert float(rows["expected y"]) == pytest.approx(modelled.trials[2].notes["mean"]["y"], rel=1e-5)


def test_a_figure_is_a_picture_where_pyplot_was_never_imported(study):
    assert progress_figure(study.history)._repr_png_().startswith(b"\x89PNG")


def test_a_run_in_a_kernel_has_one_bar_that_ends_with_the_last_trial(monkeypatch, capfd):
    shell = InteractiveShell.instance()
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    study = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1)
    try:
        with capture_output() as captured:
            study.run(lambda trial: trial["x"], 6)
    finally:
        InteractiveShell.clear_instance()
    drawn = [output.data["text/html"] for output in captured.outputs]
    assert len({output.transient["display_id"] for output in captured.outputs}) == 1
    assert [output.update for output in captured.outputs] == [False] + [True] * (len(drawn) - 1)
    assert re.fullmatch(
        r'<progress max="1" value="1.0000"[^>]*></progress> trial 6/6, best \S+ \(trial \d\)', drawn[-1]
    )
    assert capfd.readouterr().err == ""


def test_outside_of_a_kernel_there_is_no_bar(capfd):
    with capture_output() as captured:
        Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1).run(lambda trial: trial["x"], 3)
    assert captured.outputs == []
    assert capfd.readouterr().err == ""
