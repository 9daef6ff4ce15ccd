"""Studies on spaces with a function: what goes on without it, and where it has to be passed again."""

import multiprocessing
import re

import pandas as pd
import pytest
from typer.testing import CliRunner

from bbo.cli import app
from bbo.errors import SpaceError, StudyExistsError, StudyFileError
from bbo.objective import Minimize
from bbo.space import Float, Nonlinear, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study
from bbo.studies.study_file import read_study_file
from bbo.studies.verify import verify


def has_room(p):
    return p["x"] * p["z"] <= 3


SPACE = Space([Float("x", 0.0, 3.0), Float("z", 0.0, 3.0)], [Nonlinear(has_room)])
ABSENT = r"no more of has_room\(point\) than its name and fingerprint: pass the space again"


def told(url, n=5, strategy=None):
    study = Study(SPACE, Minimize("y"), strategy=strategy or RandomSearch(), storage=url, seed=1)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, trial["x"] - trial["z"])
    return study


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=4)], ids=lambda s: type(s).__name__)
def test_points_are_those_that_the_condition_in_words_gives(strategy, tmp_path):
    in_words = Space(SPACE.parameters, [Nonlinear("x * z <= 3")])
    studies = [Study(space, Minimize("y"), strategy=strategy, seed=2) for space in (SPACE, in_words)]
    for n in (3, 2, 1):
        for study in studies:
            for trial in study.ask(n):
                assert has_room(trial.params)
                study.tell(trial, trial["x"] - trial["z"])
    assert [t.params for t in studies[0].trials] == [t.params for t in studies[1].trials]


def test_a_study_without_its_function_is_read_and_told_but_not_asked(tmp_path):
    url = tmp_path / "s.db"
    told(url).ask()
    study = Study.load(url)
    assert [has_room(t.params) for t in study.trials] == [True] * 6
    study.tell(5, 1.0)
    study.add(pd.DataFrame([{"x": 3.0, "z": 3.0, "y": 2.0}]))
    assert len(study.frame()) == 7
    for refused in (study.ask, lambda: study.ask(2), lambda: study.enqueue({"x": 1.0, "z": 1.0})):
        with pytest.raises(SpaceError, match=ABSENT):
            refused()
    with pytest.raises(SpaceError, match=ABSENT):
        study.run(lambda trial: 1.0, 9)
    assert len(study.trials) == 7


def test_the_space_is_passed_again_by_both_doors_and_goes_on_to_the_bit(tmp_path):
    whole = told(tmp_path / "whole.db", 8)
    url = tmp_path / "s.db"
    told(url, 4)
    for again in (
        Study(SPACE, Minimize("y"), storage=url, seed=1),
        Study.load(url, space=SPACE),
    ):
        for _ in range(2):
            trial = again.ask()
            again.tell(trial, trial["x"] - trial["z"])
    assert [t.params for t in again.trials] == [t.params for t in whole.trials]
    again.enqueue({"x": 1.0, "z": 1.0})
    with pytest.raises(SpaceError, match=r"breaks has_room\(point\)"):
        again.enqueue({"x": 3.0, "z": 3.0})
    assert again.at(3).ask().params == whole.trial(3).params
    assert again.fork().ask().params == {"x": 1.0, "z": 1.0}
    assert again.verify().agrees


def test_another_function_is_another_space(tmp_path):
    url = tmp_path / "s.db"
    told(url)

    def has_room(p):
        return p["x"] * p["z"] <= 2

    other = Space(SPACE.parameters, [Nonlinear(has_room)])
    for again in (lambda: Study(other, Minimize("y"), storage=url), lambda: Study.load(url, space=other)):
        with pytest.raises(StudyExistsError, match=r"function of constraint has_room\(point\): its source"):
            again()


def test_an_interrupt_in_the_fold_does_not_lose_the_function(tmp_path, monkeypatch):
    study = told(tmp_path / "s.db", 3)

    def interrupted(self, events):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("bbo.fold.Fold.add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.note("a word")
    assert has_room(study.ask().params)


def test_verifying_without_the_function_says_so_in_words(tmp_path):
    study = told(tmp_path / "s.db", 3)
    found = Study.load(tmp_path / "s.db").verify()
    assert (found.n_asks, found.n_left_out, found.absent, found.agrees) == (0, 3, ("has_room(point)",), False)
    assert found.divergence is None
    assert study.verify().agrees
    assert not verify(study.storage.events("study"), lambda d: RandomSearch()).agrees
    said = CliRunner().invoke(app, ["verify", str(tmp_path / "s.db")])
    assert "3 asks are of a space with has_room(point), which a log cannot hold" in " ".join(said.output.split())
    assert said.exit_code == 1


def evaluate(trial):
    return trial["x"]


def work(url):
    Study.load(url, space=SPACE).work(evaluate, n_trials=8)


def test_workers_that_have_the_space_ask_and_those_that_have_not_say_so(tmp_path):
    url = f"sqlite:///{tmp_path / 's.db'}"
    told(url, 2).close()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(url,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert [has_room(t.params) for t in Study.load(url).trials] == [True] * 8
    with pytest.raises(SpaceError, match=ABSENT):
        Study.load(url).work(evaluate, n_trials=9)


def test_the_command_line_says_why_it_cannot_ask(tmp_path):
    url = tmp_path / "s.db"
    told(url)
    run = CliRunner()
    assert run.invoke(app, ["status", str(url)]).exit_code == 0
    asked = run.invoke(app, ["ask", str(url)])
    assert asked.exit_code == 2
    assert re.search(ABSENT, " ".join(asked.output.split()))


def test_a_study_file_cannot_have_a_function(tmp_path):
    path = tmp_path / "study.toml"
    parameter = '[[parameter]]\nname = "x"\nkind = "float"\nlow = 0.0\nhigh = 1.0\n'
    path.write_text(f'{parameter}[[nonlinear]]\nfunction = "f"\nfingerprint = "0"\n')
    with pytest.raises(StudyFileError, match=r"1st \[\[nonlinear\]\]: a file cannot hold a function"):
        read_study_file(path)


def test_a_function_that_fails_in_an_ask_leaves_the_log_unchanged():
    space = Space(SPACE.parameters, [Nonlinear(lambda p: p["w"] < 1)])
    study = Study(space, Minimize("y"), strategy=RandomSearch(), seed=1)
    with pytest.raises(SpaceError, match="raised KeyError at .*'w'"):
        study.ask()
    assert study.trials == []
