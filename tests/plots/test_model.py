"""Figures of a model: compared with a model that is a known function, and with exact indices."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from bbo.errors import StrategyError
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Target
from bbo.plots import (
    dependence_figure,
    importance,
    importance_figure,
    pair_figure,
    parameters_figure,
    predicted_figure,
    save_png,
    slices_figure,
)
from bbo.protocols import Prediction
from bbo.space import Categorical, Float, Int, Linear, Nonlinear, Ordinal, Space
from bbo.strategies import GP, RandomSearch, SobolSearch
from bbo.studies.study import Study
from tests.plots.artists import marks, part, parts, words

ALL = [slices_figure, dependence_figure, pair_figure, importance_figure, predicted_figure]
MIXED = Space(
    (
        Float("rate", 1e-5, 1e-1, log=True),
        Float("temperature", 20.0, 90.0, unit="degC"),
        Int("units", 4, 1024, log=True),
        Categorical("kernel", ("rbf", "poly", None)),
        Ordinal("batch", (16, 32, 64)),
    )
)
BOTH = (Minimize("loss", unit="nats"), OutcomeConstraint("heat", upper=60.0, unit="W"))


def loss(point):
    """Additive but for the kernel, which turns the effect of the rate around."""
    sign = {"rbf": 1.0, "poly": -1.0, None: 0.5}[point["kernel"]]
    return sign * (math.log10(point["rate"]) + 3) + point["temperature"] / 70 + point["batch"] / 64


class Known(RandomSearch):
    """A model that knows the functions; its standard deviations are half of the first one's unit."""

    def __init__(self, sd=0.5, feasibility=None, **functions):
        self.functions, self.sd, self.feasibility = functions, sd, feasibility

    def predict(self, history, points):
        mean = {m: np.array([f(p) for p in points]) for m, f in self.functions.items()}
        feasibility = None if self.feasibility is None else np.array([self.feasibility(p) for p in points])
        return Prediction(mean, {m: np.full(len(points), self.sd) for m in mean}, feasibility)

    def leave_one_out(self, history):
        return self.predict(history, history.space.decode(history.X[history.is_completed]))


KNOWN = Known(loss=loss, heat=lambda p: p["temperature"], feasibility=lambda p: 0.25)


def told(space, wanted, function, n, seed=3):
    s = Study(space, wanted, strategy=SobolSearch(), seed=seed)
    for trial in s.ask(n) if n else []:
        s.tell(trial, function(trial.params))
    return s.history


@pytest.fixture(scope="module")
def mixed():
    return told(MIXED, BOTH, lambda p: {"loss": loss(p), "heat": p["temperature"]}, 24)


def decoded(history):
    return history.space.decode(history.X)


# Slices.


def test_a_slice_is_the_mean_along_one_parameter_through_the_best_trial(mixed):
    figure = slices_figure(mixed, KNOWN, name="moody")
    best = decoded(mixed)[mixed.incumbent]
    assert [axes.get_xlabel() for axes in figure.axes[:5]] == ["rate", "temperature (degC)", "units", "kernel", "batch"]
    for axes, name in zip(figure.axes[:5], MIXED.names, strict=True):
        line = part(axes, "middle")
        p = MIXED.by_name[name]
        at = line.get_xdata()
        values = [p.value(v) for v in at] if p.kind in ("categorical", "ordinal") else at.tolist()
        assert line.get_ydata() == pytest.approx([loss({**best, name: value}) for value in values], abs=1e-9)
        assert part(axes, "best").get_offsets()[0, 1] == pytest.approx(loss(best))
    assert f"through trial {mixed.incumbent}, the best: loss {loss(best):.6g}; model of 24 trials" in words(figure)
    assert words(figure).startswith("moody: slices")


def test_the_band_of_a_slice_holds_ninety_percent_of_a_gaussian(mixed):
    axes = slices_figure(mixed, KNOWN).axes[0]
    band = part(axes, "band").get_paths()[0].vertices
    middle = part(axes, "middle").get_ydata()
    assert band[:, 1].max() == pytest.approx(middle.max() + 1.645 * 0.5, abs=1e-3)
    assert band[:, 1].min() == pytest.approx(middle.min() - 1.645 * 0.5, abs=1e-3)


def test_rows_are_the_metrics_with_unit_and_bound_and_the_probability_of_feasibility(mixed):
    figure = slices_figure(mixed, KNOWN)
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes if axes.get_ylabel()]
    assert list(dict.fromkeys(labels)) == [
        "loss (nats, lower is better)",
        "heat (W, at most 60)",
        "probability of feasibility",
    ]
    assert part(figure.axes[6], "bound").get_ydata() == [60.0, 60.0]
    assert figure.axes[-1].get_ylim()[1] > 1


def test_observations_are_marked_the_fainter_the_farther_they_are_from_the_slice(mixed):
    axes = slices_figure(mixed, KNOWN).axes[1]
    seen = part(axes, "observed")
    assert marks(axes, "observed") == pytest.approx(np.array([[p["temperature"], loss(p)] for p in decoded(mixed)]))
    others = np.delete(np.abs(mixed.X - mixed.X[mixed.incumbent]), 1, axis=1)
    order = np.argsort(np.square(others).sum(axis=1))
    assert (np.diff(seen.get_alpha()[order]) <= 1e-12).all()
    assert order[0] == mixed.incumbent


def test_where_no_point_may_be_a_slice_is_shaded_and_what_is_not_there_is_said():
    space = Space(
        [Categorical("kiln", ["gas", "none"]), Float("heat", 0, 1, when={"kiln": ["gas"]}), Float("x", 0, 1)],
        [Nonlinear("x <= 0.5 or kiln == 'none'"), Linear({"x": 1}, upper=0.8)],
    )
    known = Known(loss=lambda p: p["x"])

    def drawn(kiln):
        study = Study(space, Minimize("loss"), strategy=RandomSearch(), seed=1)
        for x in (0.1, 0.3):
            study.enqueue({"kiln": kiln, "x": x} | ({"heat": 0.2} if kiln == "gas" else {}))
        for trial in study.ask(2):
            study.tell(trial, trial["x"])
        figure = slices_figure(study.history, known)
        keys = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        return {axes.get_xlabel(): axes for axes in figure.axes}, keys

    for kiln, most in (("gas", 0.5), ("none", 0.8)):
        panels, keys = drawn(kiln)
        shaded = parts(panels["x"], "forbidden")
        assert min(patch.get_x() for patch in shaded) == pytest.approx(most, abs=0.02)
        assert max(patch.get_x() + patch.get_width() for patch in shaded) == 1.0
        assert [text.get_text() for text in panels["heat"].texts] == ["not there in this trial"] * (kiln == "none")
        assert "not allowed" in keys
        assert not parts(panels["kiln"], "forbidden")


def test_without_a_feasible_trial_slices_go_through_the_one_nearest_to_feasible():
    space = Space((Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)))
    wanted = [Minimize("y"), OutcomeConstraint("g", upper=-1.0)]
    history = told(space, wanted, lambda p: {"y": p["x"], "g": p["z"]}, 9)
    figure = slices_figure(history, Known(y=lambda p: p["x"], g=lambda p: p["z"]))
    nearest = int(np.argmin(history.V[:, 1]))
    assert f"through trial {nearest}, nearest to feasible: " in words(figure)


def test_of_many_parameters_those_have_slices_along_which_most_changes():
    space = Space(tuple(Float(f"x{k}", 0.0, 1.0) for k in range(40)))
    history = told(space, Minimize("y"), lambda p: p["x7"] + p["x33"], 6)
    figure = slices_figure(history, Known(y=lambda p: p["x7"] + p["x33"]))
    names = [axes.get_xlabel() for axes in figure.axes]
    assert len(names) == 24
    assert {"x7", "x33"} <= set(names)
    assert "16 parameters are left out, along which little changes" in words(figure)


# Partial dependence.


def test_dependence_is_the_average_over_all_other_parameters(mixed):
    figure = dependence_figure(mixed, KNOWN)
    rate, temperature, _, kernel, batch = (part(axes, "middle") for axes in figure.axes[:5])
    mean_log = -3.0 + 3.0  # of log10(rate) + 3, uniform in the logarithm
    mean_sign, mean_temperature, mean_batch = 0.5 / 3, 55 / 70, (16 + 32 + 64) / 3 / 64
    # Averages over a Sobol sequence of 64 points and more.
    near = {"abs": 0.04}
    expected = mean_sign * (np.log10(rate.get_xdata()) + 3) + mean_temperature + mean_batch
    assert rate.get_ydata() == pytest.approx(expected, **near)
    expected = mean_sign * mean_log + temperature.get_xdata() / 70 + mean_batch
    assert temperature.get_ydata() == pytest.approx(expected, **near)
    assert kernel.get_ydata() == pytest.approx([mean_temperature + mean_batch] * 3, **near)
    expected = mean_temperature + np.array([16, 32, 64]) / 64
    assert batch.get_ydata() == pytest.approx(expected, **near)


def test_the_band_of_a_dependence_is_wide_where_much_depends_on_the_others(mixed):
    figure = dependence_figure(mixed, KNOWN)

    def width(axes):
        low, high = part(axes, "band").get_paths()[0].get_extents().get_points()[:, 1]
        return high - low

    heat = figure.axes[5:10]
    assert width(figure.axes[1]) > 1.0
    assert width(heat[0]) == pytest.approx(0.8 * 70, rel=0.1)
    assert np.ptp(part(heat[1], "middle").get_ydata()) == pytest.approx(70.0)


def test_a_map_shows_the_two_parameters_that_matter_most():
    space = Space(tuple(Float(f"x{k}", 0.0, 1.0) for k in range(4)))

    def f(p):
        return 4 * p["x3"] * p["x1"] + 0.1 * p["x0"]

    history = told(space, Minimize("y"), f, 8)
    figure = pair_figure(history, Known(y=f))
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x1", "x3")
    drawn = part(figure.axes[0], "contours")
    assert drawn.levels[[0, -1]] == pytest.approx([0.05, 4.05], abs=0.5)
    assert len(part(figure.axes[0], "feasible").get_offsets()) == 8


def test_a_map_of_two_parameters_is_the_mean_itself_and_marks_the_bound():
    space = Space((Float("x", 0.0, 1.0), Float("z", 1.0, 100.0, log=True)))
    functions = {"y": lambda p: p["x"] + math.log10(p["z"]), "g": lambda p: p["x"] - 0.25}
    wanted = [Minimize("y"), OutcomeConstraint("g", upper=0.0)]
    history = told(space, wanted, lambda p: {m: f(p) for m, f in functions.items()}, 8)
    figure = pair_figure(history, Known(**functions))
    paths = [path for path in part(figure.axes[1], "bound").get_paths() if len(path.vertices)]
    assert np.vstack([path.vertices for path in paths])[:, 0] == pytest.approx(0.25)
    assert figure.axes[0].get_yscale() == "log"


def test_a_space_of_one_parameter_has_no_map():
    history = told(Space((Float("x", 0.0, 1.0),)), Minimize("y"), lambda p: p["x"], 5)
    with pytest.raises(StrategyError, match="A map needs two parameters"):
        pair_figure(history, Known(y=lambda p: p["x"]))


# Importance.

CUBE = Space(tuple(Float(f"x{k}", -math.pi, math.pi) for k in (1, 2, 3)))
# Ishigami & Homma (1990), with a = 7 and b = 0.1; variances in closed form.
_V1, _V2, _V13 = (1 + 0.1 * math.pi**4 / 5) ** 2 / 2, 7**2 / 8, 0.1**2 * math.pi**8 * (1 / 18 - 1 / 50)
FIRST = np.array([_V1, _V2, 0.0]) / (_V1 + _V2 + _V13)
TOTAL = np.array([_V1 + _V13, _V2, _V13]) / (_V1 + _V2 + _V13)


def ishigami(p):
    return math.sin(p["x1"]) + 7 * math.sin(p["x2"]) ** 2 + 0.1 * p["x3"] ** 4 * math.sin(p["x1"])


@pytest.mark.parametrize("seed", range(4))
def test_indices_of_ishigami_are_the_exact_ones(seed):
    found = importance(told(CUBE, Minimize("y"), ishigami, 2), Known(y=ishigami), seed=seed)
    assert found.first["y"] == pytest.approx(FIRST, abs=0.02)
    assert found.total["y"] == pytest.approx(TOTAL, abs=0.02)


def test_indices_of_a_gaussian_process_fitted_to_ishigami_are_near_the_exact_ones():
    found = importance(told(CUBE, Minimize("y"), ishigami, 160), GP())
    assert found.first["y"] == pytest.approx(FIRST, abs=0.04)
    assert found.total["y"] == pytest.approx(TOTAL, abs=0.04)


def test_indices_with_categories_and_levels_are_those_of_the_enumerated_function():
    space = Space((Categorical("c", ("a", "b", "c")), Ordinal("o", (1, 2, 3, 10)), Int("k", 1, 5)))

    def f(p):
        return {"a": 0.0, "b": 2.0, "c": 5.0}[p["c"]] * p["o"] + p["k"]

    found = importance(told(space, Maximize("y"), f, 5), Known(y=f))
    values = np.array(
        [[[f({"c": c, "o": o, "k": k}) for k in range(1, 6)] for o in (1, 2, 3, 10)] for c in ("a", "b", "c")]
    )
    axes = [0, 1, 2]
    for j in axes:
        others = tuple(a for a in axes if a != j)
        first = values.mean(axis=others).var() / values.var()
        total = values.var(axis=j).mean() / values.var()
        assert found.first["y"][j] == pytest.approx(first, abs=0.03)
        assert found.total["y"][j] == pytest.approx(total, abs=0.03)


def test_a_flat_mean_has_indices_of_zero_and_a_single_parameter_one_of_one():
    line = Space((Float("x", 0.0, 1.0),))
    history = told(line, Minimize("y"), lambda p: p["x"], 4)
    assert importance(history, Known(y=lambda p: 3.0)).total["y"].tolist() == [0.0]
    assert importance(history, Known(y=lambda p: p["x"])).first["y"].tolist() == [1.0]
    flat = importance(told(CUBE, Minimize("y"), ishigami, 2), Known(y=lambda p: 1e9 + 1e-8 * p["x1"]))
    assert flat.total["y"].tolist() == [0.0, 0.0, 0.0]


def test_bars_are_the_indices_the_largest_on_top(mixed):
    figure = importance_figure(mixed, KNOWN)
    found = importance(mixed, KNOWN)
    for axes, metric in zip(figure.axes, ("loss", "heat"), strict=True):
        names = [label.get_text() for label in axes.get_yticklabels()]
        totals = dict(zip(MIXED.names, found.total[metric], strict=True))
        bars = [bar.get_width() for bar in parts(axes, "total")]
        assert sorted(totals.values()) == pytest.approx(bars)
        assert [totals[name] for name in names] == pytest.approx(bars)
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()][-1] == "temperature"


# Predicted against observed.


def test_each_trial_is_drawn_as_told_and_as_left_out():
    space = Space((Float("x", 0.0, 1.0),))
    history = told(space, Minimize("y"), lambda p: p["x"], 20)
    off = 2.0
    model = Known(sd=1.0, y=lambda p: p["x"] + (off if p["x"] > 0.75 else 0.0))
    axes = predicted_figure(history, model).axes[0]
    x = history.V[:, 0]
    assert marks(axes, "inside") == pytest.approx(np.column_stack([x, x])[x <= 0.75])
    assert marks(axes, "outside") == pytest.approx(np.column_stack([x, x + off])[x > 0.75])
    assert axes.get_title(loc="left") == "15 of 20 within"
    assert axes.get_xlim() == axes.get_ylim()


def with_failures(space):
    """A third of 12 trials failed."""
    s = Study(space, Minimize("y"), strategy=SobolSearch(), seed=1)
    for trial in s.ask(12):
        if trial.number % 3:
            s.tell(trial, trial["x"])
        else:
            s.fail(trial, "leaked")
    return s


def test_failed_trials_are_not_among_those_predicted():
    s = with_failures(Space((Float("x", 0.0, 1.0),)))
    figure = predicted_figure(s.history, Known(y=lambda p: p["x"]))
    assert len(part(figure.axes[0], "inside").get_offsets()) == 8


def test_failed_trials_are_ticks_below_slices_and_crosses_on_maps():
    s = with_failures(Space((Float("x", 0.0, 1.0), Float("z", 10.0, 20.0))))
    model = Known(y=lambda p: p["x"] + 0.1 * p["z"])
    failed = [t for t in s.trials if t.number % 3 == 0]
    figure = slices_figure(s.history, model)
    for axes, name in zip(figure.axes, "xz", strict=True):
        assert marks(axes, "failed") == pytest.approx(np.array([[t[name], 0.0] for t in failed]))
    away = [abs(t["z"] - s.best["z"]) for t in failed]
    alpha = part(figure.axes[0], "failed").get_alpha()
    assert np.argsort(alpha).tolist() == np.argsort(away)[::-1].tolist()
    axes = pair_figure(s.history, model).axes[0]
    assert marks(axes, "failed") == pytest.approx(np.array([[t["x"], t["z"]] for t in failed]))
    axes = parameters_figure(s.history).axes[1]
    assert marks(axes, "failed") == pytest.approx(np.array([[t["z"], 0.0] for t in failed]))


# What can go wrong.


@pytest.mark.parametrize("make", ALL)
def test_a_strategy_without_a_model_is_an_error_that_says_what_to_pass(make, mixed):
    with pytest.raises(StrategyError, match=r"RandomSearch has no model .*GP\(\) has one"):
        make(mixed, RandomSearch())


def test_a_study_without_results_is_an_error_that_says_so():
    history = told(CUBE, Minimize("y"), ishigami, 0)
    with pytest.raises(StrategyError, match="none yet"):
        slices_figure(history, GP())
    with pytest.raises(StrategyError, match="from 2 completed trials on"):
        dependence_figure(history, GP())


@pytest.mark.parametrize("make", ALL)
def test_flat_functions_and_failures_are_drawn(make, tmp_path, recwarn):
    for value in (0.0, -1e300):
        history = told(MIXED, BOTH, lambda p, value=value: {"loss": value, "heat": value}, 6)
        flat = Known(sd=0.0, loss=lambda p, value=value: value, heat=lambda p, value=value: value)
        figure = make(history, flat, name="$a_{_ [study]")
        assert isinstance(figure, Figure)
        save_png(figure, tmp_path / "a.png")
    assert [str(w.message) for w in recwarn.list] == []


@pytest.mark.parametrize("make", ALL[:4])
@pytest.mark.parametrize("wanted", [BOTH, (Target("loss", 1.0), BOTH[1]), (Maximize("loss"), BOTH[1])], ids=len)
def test_a_real_model_of_a_mixed_space_is_drawn_without_a_warning(make, wanted, tmp_path, recwarn):
    history = told(MIXED, wanted, lambda p: {"loss": loss(p), "heat": p["temperature"]}, 14)
    figure = make(history, GP())
    save_png(figure, tmp_path / "a.png")
    assert [str(w.message) for w in recwarn.list] == []


@pytest.mark.parametrize("make", ALL[:4])
def test_figures_of_a_model_are_always_the_same(make, mixed):
    def drawn(figure):
        return [np.asarray(line.get_ydata()).tolist() for axes in figure.axes for line in axes.get_lines()]

    assert drawn(make(mixed, KNOWN)) == drawn(make(mixed, KNOWN))
