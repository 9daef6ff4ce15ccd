"""What the figures show: lines, marks, axes and words, compared with what the study's trials say."""

import math
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target
from bbo.plots import parameters_figure, progress_figure, save_png
from bbo.plots.columns import wants_log
from bbo.space import Categorical, Float, Int, Ordinal, Space
from bbo.strategies import RandomSearch
from bbo.studies.study import Study
from bbo.trial import Status
from tests.plots.artists import marks, part, parts, words

MIXED = Space(
    (
        Float("rate", 1e-5, 1e-1, log=True),
        Float("temperature", 20.0, 90.0, unit="degC"),
        Int("units", 4, 1024, log=True),
        Categorical("kernel", ("rbf", "poly", None)),
        Ordinal("batch", (16, 32, 64)),
    )
)


def studied(space, objectives, objective, n, seed=3):
    study = Study(space, objectives, strategy=RandomSearch(), seed=seed)
    if n:
        study.run(objective, n)
    return study


def line_of(n, aim=None, constraints=(), objective=None, space=None):
    space = space or Space((Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)))
    return studied(space, [aim or Minimize("y"), *constraints], objective or (lambda t: t["x"] + t["z"]), n)


@pytest.fixture
def moody():
    """40 trials of mixed parameters with a constraint; every seventh fails."""

    def objective(trial):
        if trial.number % 7 == 3:
            raise RuntimeError("no luck")
        return {"loss": (math.log10(trial["rate"]) + 3) ** 2 + 1 + trial["batch"] / 64, "heat": trial["temperature"]}

    return studied(MIXED, [Minimize("loss"), OutcomeConstraint("heat", upper=60.0)], objective, 40)


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def numbers(study, claim):
    return [t.number for t in study.trials if claim(t)]


# Progress.


def off(value):
    """How far from 2.1, give or take 0.01."""
    return max(abs(value - 2.1) - 0.01, 0.0)


@pytest.mark.parametrize(
    ("aim", "better"),
    [
        (Minimize("loss"), lambda new, old: new < old),
        (Maximize("loss"), lambda new, old: new > old),
        (Target("loss", 2.1, tolerance=0.01), lambda new, old: off(new) < off(old)),
    ],
    ids=["minimize", "maximize", "target"],
)
def test_the_line_is_the_best_feasible_value_so_far(moody, aim, better):
    study = Study(MIXED, [aim, OutcomeConstraint("heat", upper=60.0)], strategy=RandomSearch())
    study.add(moody.frame())
    at, values, best = [], [], None
    for trial in study.trials:
        if trial.is_feasible and (best is None or better(trial.values["loss"], best)):
            best = trial.values["loss"]
        if best is not None:
            at.append(trial.number)
            values.append(best)
    line = part(progress_figure(study.history).axes[0], "best so far")
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata().tolist() == at
    assert line.get_ydata().tolist() == values
    assert len(set(values)) > 2
    assert values[-1] == study.best.values["loss"]


def test_the_first_of_equally_good_trials_stays_the_best():
    study = Study(Space((Float("x", 0.0, 1.0),)), Target("y", 2.0, tolerance=0.5), strategy=RandomSearch())
    for value in (1.0, 1.8, 2.2, 2.0):
        study.tell(study.ask(), value)
    assert part(progress_figure(study.history).axes[0], "best so far").get_ydata().tolist() == [1.0, 1.8, 1.8, 1.8]


def test_every_trial_is_marked_once_by_what_became_of_it(moody):
    figure = progress_figure(moody.history, name="moody")
    axes = figure.axes[0]
    feasible = numbers(moody, lambda t: t.is_feasible)
    infeasible = numbers(moody, lambda t: t.is_feasible is False)
    failed = numbers(moody, lambda t: t.status is Status.FAILED)
    assert len(feasible) + len(infeasible) + len(failed) == 40
    assert min(len(feasible), len(infeasible), len(failed)) > 3
    assert marks(axes, "feasible").tolist() == [[k, moody.trial(k).values["loss"]] for k in feasible]
    assert marks(axes, "infeasible").tolist() == [[k, moody.trial(k).values["loss"]] for k in infeasible]
    assert marks(axes, "best").tolist() == [[moody.best.number, moody.best.values["loss"]]]
    assert marks(axes, "failed").tolist() == [[k, 0.0] for k in failed]
    assert legend(figure) == ["best so far", "best", "feasible", "breaks a constraint", "failed"]
    assert words(figure).startswith("moody best loss ")
    assert f"in trial {moody.best.number}; 40 trials, {len(feasible)} feasible, {len(failed)} failed" in words(figure)
    assert axes.get_ylabel() == "loss (lower is better)"


def test_filled_and_hollow_marks_differ_without_colour(moody):
    axes = progress_figure(moody.history).axes[0]
    assert part(axes, "infeasible").get_facecolor().tolist() == [[1.0, 1.0, 1.0, 1.0]]
    assert part(axes, "feasible").get_facecolor()[0, :3].tolist() != [1.0, 1.0, 1.0]


def test_a_legend_names_only_what_there_is():
    assert legend(progress_figure(line_of(8).history)) == ["best so far", "best", "trial"]
    none = line_of(8, constraints=[OutcomeConstraint("y", upper=-1.0)])
    assert legend(progress_figure(none.history)) == ["breaks a constraint"]


def test_the_best_known_value_is_a_dashed_line_where_the_axis_has_room():
    history = line_of(12).history
    near = progress_figure(history, best_known=0.01)
    assert part(near.axes[0], "best known").get_ydata() == [0.01, 0.01]
    assert near.axes[0].get_ylim()[0] < 0.01
    assert legend(near)[-1] == "best known 0.01"
    far = progress_figure(history, best_known=-1e6)
    assert parts(far.axes[0], "best known") == []
    assert "best known -1e+06 is off the axis" in words(far)
    assert far.axes[0].get_ylim()[0] > -1


def test_a_best_known_value_of_zero_is_told_in_words_beside_a_logarithmic_axis():
    figure = progress_figure(line_of(30, objective=lambda t: math.exp(10 * t["x"] - 5)).history, best_known=0.0)
    assert figure.axes[0].get_yscale() == "log"
    assert "best known 0 is off the axis" in words(figure)


@pytest.mark.parametrize(
    ("objective", "aim", "scale"),
    [
        (lambda t: math.exp(12 * t["x"]), Minimize("y"), "log"),
        (lambda t: math.exp(12 * t["x"]) + 1e7, Minimize("y"), "linear"),
        (lambda t: math.exp(12 * t["x"]) - 5, Minimize("y"), "linear"),
        (lambda t: 100 * t["x"] ** 4 + 1e-3, Minimize("y"), "log"),
        (lambda t: 100 * t["x"] + 1e-3, Maximize("y"), "linear"),
        (lambda t: math.exp(12 * t["x"]), Target("y", 2.0), "log"),
    ],
    ids=["decades", "narrow", "signs", "crowded at the good end", "good end is wide", "target at the low end"],
)
def test_an_axis_is_logarithmic_where_the_good_values_would_crowd_otherwise(objective, aim, scale):
    study = line_of(40, aim=aim, objective=objective)
    assert wants_log(study.history, aim) == (scale == "log")
    assert progress_figure(study.history).axes[0].get_yscale() == scale
    assert parameters_figure(study.history).axes[0].get_yscale() == scale


def test_every_completed_value_lies_within_the_axis(moody):
    for axes in (progress_figure(moody.history).axes[0], parameters_figure(moody.history).axes[0]):
        low, high = axes.get_ylim()
        values = [t.values["loss"] for t in moody.trials if t.values]
        assert low < min(values) < max(values) < high


def test_past_data_and_pending_trials_have_their_places(moody):
    study = line_of(5)
    study.add(study.frame())
    study.ask()
    axes = progress_figure(study.history).axes[0]
    assert marks(axes, "feasible")[:, 0].tolist() == list(range(10))
    assert part(axes, "best so far").get_xdata()[-1] == 10


# Several objectives.


@pytest.fixture
def pair():
    space = Space((Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)))
    wanted = [Minimize("cost"), Maximize("strength")]
    return studied(space, wanted, lambda t: {"cost": t["x"], "strength": t["x"] * t["z"]}, 30)


def test_several_objectives_have_a_row_each_and_the_front_stands_out(pair):
    figure = progress_figure(pair.history, best_known={"strength": 1.0})
    assert [axes.get_ylabel() for axes in figure.axes] == ["cost (lower is better)", "strength (higher is better)"]
    for axes, metric in zip(figure.axes, ("cost", "strength"), strict=True):
        assert marks(axes, "best").tolist() == [[t.number, t.values[metric]] for t in pair.front]
    assert parts(figure.axes[0], "best known") == []
    assert part(figure.axes[1], "best known").get_ydata() == [1.0, 1.0]
    assert f"{len(pair.front)} on the Pareto front" in words(figure)


def test_parameters_of_several_objectives_are_a_block_of_rows_each(pair):
    figure = parameters_figure(pair.history)
    assert [axes.get_xlabel() for axes in figure.axes] == ["x", "z", "x", "z"]
    assert marks(figure.axes[3], "best").tolist() == [[t["z"], t.values["strength"]] for t in pair.front]


# Parameters.


def test_each_parameter_is_drawn_against_the_value_with_its_unit_and_scale(moody):
    figure = parameters_figure(moody.history)
    assert [axes.get_xlabel() for axes in figure.axes] == ["rate", "temperature (degC)", "units", "kernel", "batch"]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear", "log", "linear", "linear"]
    feasible = [t for t in moody.trials if t.is_feasible]
    for axes, name in zip(figure.axes[:3], ("rate", "temperature", "units"), strict=True):
        expected = [[t[name], t.values["loss"]] for t in feasible]
        assert marks(axes, "feasible") == pytest.approx(np.array(expected), rel=1e-12)
        assert marks(axes, "best") == pytest.approx(np.array([[moody.best[name], moody.best.values["loss"]]]))
        low, high = axes.get_xlim()
        p = MIXED.by_name[name]
        assert low < p.low < p.high < high
    assert len(marks(figure.axes[0], "infeasible")) == len(numbers(moody, lambda t: t.is_feasible is False))


def test_levels_are_strips_with_the_marks_spread_within(moody):
    figure = parameters_figure(moody.history)
    completed = [t for t in moody.trials if t.is_feasible]
    for axes, name in ((figure.axes[3], "kernel"), (figure.axes[4], "batch")):
        levels = list(MIXED.by_name[name].listed)
        assert [label.get_text() for label in axes.get_xticklabels()] == [str(level) for level in levels]
        at = marks(axes, "feasible")[:, 0]
        places = np.array([levels.index(t[name]) for t in completed])
        assert np.abs(at - places).max() <= 0.25
        assert len(set(np.round(at - places, 6))) == len(at)
    again = parameters_figure(moody.history)
    assert (marks(again.axes[3], "feasible") == marks(figure.axes[3], "feasible")).all()


@pytest.mark.parametrize("dim", [1, 2, 5, 7, 13, 30])
def test_any_number_of_parameters_has_a_panel_each(dim, tmp_path):
    space = Space(tuple(Float(f"x{k}", 0.0, 1.0) for k in range(dim)))
    figure = parameters_figure(line_of(10, objective=lambda t: sum(t.params.values()), space=space).history)
    assert [axes.get_xlabel() for axes in figure.axes] == list(space.names)
    width, height = figure.get_size_inches()
    assert width < 15
    assert height < 16
    save_png(figure, tmp_path / "x.png")


def test_of_many_levels_only_some_are_named():
    space = Space(
        (Ordinal("many", tuple(range(100))), Categorical("long", tuple("abcdefghijklmnop" * k for k in (1, 2))))
    )
    figure = parameters_figure(line_of(10, objective=lambda t: t["many"], space=space).history)
    assert len(figure.axes[0].get_xticklabels()) <= 12
    assert all(len(label.get_text()) <= 12 for label in figure.axes[1].get_xticklabels())


def test_long_names_are_folded_onto_two_lines_and_a_long_title_is_shortened():
    space = Space((Float("a_parameter_whose_name_goes_on_and_on_and_does_not_end", 0.0, 1.0, unit="kg/m^3"),))
    study = line_of(4, objective=lambda t: 1.0, space=space)
    figure = parameters_figure(study.history, name="a study of " + "endless " * 30)
    label = figure.axes[0].get_xlabel()
    assert len(label.splitlines()) == 2
    assert max(map(len, label.splitlines())) <= 26
    assert label.endswith("(kg/m^3)")
    assert len(figure.texts[0].get_text()) < 60


# What can go wrong.


@pytest.mark.parametrize("make", [progress_figure, parameters_figure])
@pytest.mark.parametrize("n", [0, 1, 2, 500])
def test_few_and_many_trials_are_drawn_without_a_warning(make, n, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_png(make(line_of(n, constraints=[OutcomeConstraint("y", upper=0.8)]).history), tmp_path / "a.png")


@pytest.mark.parametrize("make", [progress_figure, parameters_figure])
def test_without_values_the_figure_says_so(make, tmp_path):
    def fails(trial):
        raise RuntimeError("$never^{")

    figure = make(line_of(6, objective=fails).history, name="$a_{_ [study]")
    assert "no completed trial yet; 6 trials, 6 failed" in words(figure)
    assert "no completed trial yet" in [text.get_text() for text in figure.axes[0].texts]
    save_png(figure, tmp_path / "a.png")


def test_equal_values_and_huge_ones_have_an_axis(tmp_path):
    for value in (0.0, 3.0, -1e300, 1e-300):
        save_png(progress_figure(line_of(4, objective=lambda t, value=value: value).history), tmp_path / "a.png")
    save_png(progress_figure(line_of(9, objective=lambda t: 10.0 ** (60 * t["x"])).history), tmp_path / "a.png")


def test_saving_replaces_the_file_whole_or_leaves_it(tmp_path):
    path = tmp_path / "a.png"
    assert save_png(progress_figure(line_of(3).history), path) == path
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    class Broken(Figure):
        def savefig(self, fname, **options):
            fname.write_bytes(b"half")
            raise RuntimeError("out of ink")

    with pytest.raises(RuntimeError, match="out of ink"):
        save_png(Broken(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_figures_touch_no_global_state():
    before = dict(mpl.rcParams)
    progress_figure(line_of(3).history)
    parameters_figure(line_of(3).history)
    assert dict(mpl.rcParams) == before
    code = "import bbo.plots, sys; print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
