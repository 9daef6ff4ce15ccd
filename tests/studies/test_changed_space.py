"""A running study gets another space: trials stay where they were, and inform."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bbo.cli import app
from bbo.errors import ObjectiveError, SpaceError, StrategyError
from bbo.objective import Maximize, Minimize
from bbo.space import Categorical, Float, Forbidden, Int, Linear, Ordinal, Simplex, Space
from bbo.space.frame import carried_over, framed
from bbo.strategies import GP, LatinHypercube, RandomSearch, SobolSearch
from bbo.studies.study import Study
from tests.space.drawn import KINDS, parameters

BEFORE = (
    Float("x", 0.0, 10.0),
    Float("lr", 1e-4, 1.0, log=True),
    Int("n", 0, 20, step=2),
    Ordinal("o", [1, 2, 4, 8]),
    Categorical("c", ["water", "dmf", "thf"]),
    Simplex("mix", ["a", "b", "d"], total=100.0),
)
AFTER = (
    Float("x", 4.0, 12.0),
    Float("lr", 1e-3, 10.0, log=True),
    Int("n", 4, 12, step=2),
    Ordinal("o", [2, 8, 16]),
    Categorical("c", ["dmf", "dcm"]),
    Simplex("mix", ["a", "b", "d", "e"], total=100.0, upper={"a": 50.0}),
    Int("stir", 1, 5),
)


def cost(params):
    mix = params["mix"]
    size = (params["x"] - 5) ** 2 / 10 + abs(np.log10(params["lr"]) + 2) + abs(params["n"] - 8) / 4 + params["o"] / 8
    return float(size + (mix["a"] - 30) ** 2 / 1000 + {"water": 1.0, "dmf": 0.0}.get(params["c"], 2.0))


def told(strategy, n=10, space=BEFORE, storage=None):
    study = Study(space, Minimize("cost"), strategy=strategy, seed=2, storage=storage)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial, cost(trial.params))
    return study


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=6)], ids=lambda s: type(s).__name__)
def test_points_are_of_the_new_space_and_trials_stay_as_they_were(strategy, tmp_path):
    study = told(strategy, storage=tmp_path / "s.db")
    before = [t.params for t in study.trials]
    study.change_space(AFTER, given={"stir": 9}, why="safety")
    assert study.space == Space(AFTER)
    for k, trial in enumerate(study.trials):
        kept = {**trial.params, "mix": {p: v for p, v in trial.params["mix"].items() if p != "e"}}
        assert kept == {**before[k], "stir": 9}
        assert trial.params["mix"]["e"] == 0.0
        assert trial.suggested is None
    for n in (3, 2, 1):
        for trial in study.ask(n):
            assert trial.params in Space(AFTER)
            study.tell(trial, cost(trial.params))
    again = Study.load(tmp_path / "s.db")
    assert again.space == Space(AFTER)
    assert [t.params for t in again.trials] == [t.params for t in study.trials]
    assert (again.history.X == study.history.X).all()
    assert again.verify().agrees
    assert study.at(9).space == Space(BEFORE)
    assert study.ask(fixed={"c": "dcm"}).params["c"] == "dcm"


def test_trials_outside_keep_their_distances_from_those_inside():
    study = told(RandomSearch(), 12)
    wide = study.history.X
    study.change_space((*BEFORE[:-1], Simplex("mix", ["a", "b", "d"], total=100.0, upper=90.0)))
    study.change_space((Float("x", 4.0, 5.0), *BEFORE[1:]))
    # Nothing became wider: so the cube is as it was, but for the ends that no trial reached.
    at = study.space.at["x"]
    x = np.array([t.params["x"] for t in study.trials])
    low, high = min(4.0, x.min()), max(5.0, x.max())
    assert study.history.X[:, at] == pytest.approx((x - low) / (high - low))
    others = [j for j in range(wide.shape[1]) if j != at]
    assert study.history.X[:, others] == pytest.approx(wide[:, others])


def test_what_a_model_knows_from_outside_it_uses_inside():
    # The trials all lie outside of what is then allowed, and say where in it the best is.
    study = Study([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], Minimize("y"), strategy=GP(n_first=4), seed=1)

    def f(p):
        return (p["x"] - 0.55) ** 2 + (p["z"] - 0.7) ** 2

    rng = np.random.default_rng(0)
    for x, z in rng.random((14, 2)) * [0.5, 1.0]:
        study.enqueue({"x": float(x), "z": float(z)})
        trial = study.ask()
        study.tell(trial, f(trial.params))
    study.change_space([Float("x", 0.5, 2.0), Float("z", 0.0, 1.0)])
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, f(trial.params))
    assert min(f(t.params) for t in study.trials[14:]) < 0.01  # of values that go to 2.6 in the new space


def test_in_a_narrowed_space_the_best_within_it_is_improved_on():
    # Outside lies a peak that nothing inside can reach.
    def f(p):
        return 5 * np.exp(-40 * ((p["x"] - 0.2) ** 2 + (p["z"] - 0.3) ** 2)) - (p["x"] - 0.8) ** 2 - (p["z"] - 0.6) ** 2

    regrets = []
    for seed in range(3):
        study = Study([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], Maximize("y"), strategy=GP(), seed=seed)
        study.enqueue({"x": 0.21, "z": 0.29})
        for k in range(18):
            if k == 10:
                assert study.best["x"] < 0.4
                study.change_space([Float("x", 0.55, 1.0), Float("z", 0.0, 1.0)])
            trial = study.ask()
            study.tell(trial, f(trial.params))
        inside = [t.values["y"] for t in study.trials if t["x"] >= 0.55]
        regrets.append(-max(inside))  # but for the tail of the peak the best inside is 0
    assert np.median(regrets) < 0.01


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), seed=st.integers(0, 1000))
def test_any_space_of_the_same_kinds_takes_the_place_of_another(data, seed):
    kinds = data.draw(st.lists(st.sampled_from([*KINDS, "simplex"]), min_size=1, max_size=4))
    before = Space([data.draw(parameters(f"p{j}", (kind,))) for j, kind in enumerate(kinds)])
    after = []
    for p in before.parameters:
        q = p if p.kind in ("simplex", "permutation") else data.draw(parameters(p.name, (_kind_of(p),)))
        after.append(q)
    points = before.sample(6, np.random.default_rng(seed))
    space = framed(Space(after), before, points)
    codes = np.array([space.codes(carried_over(point, space, {})) for point in points])
    assert [space.point(row) for row in codes.tolist()] == points
    X = space.place(codes)
    assert ((X >= -1e-9) & (X <= 1 + 1e-9)).all()
    inside = space.sample(20, np.random.default_rng(seed))
    assert all(point in Space(after) for point in inside)
    assert space.decode(space.encode(inside)) == inside or _close(space.decode(space.encode(inside)), inside)
    assert space.is_member(space.encode(inside)).all()
    raw = space.decode(np.random.default_rng(seed).random((20, space.dim)))
    assert all(point in Space(after) for point in raw)
    n = Space(after).n_points
    assert space.n_points == n


def _kind_of(p):
    if p.kind == "float":
        return "log" if p.log else "step" if p.step else "float"
    if p.kind == "int":
        return "logint" if p.log else "stepint" if p.step > 1 else "int"
    return p.kind


def _close(some, others):
    flat = [[v for x in p.values() for v in (x.values() if isinstance(x, dict) else [x])] for p in (*some, *others)]
    half = len(some)
    pairs = zip(flat[:half], flat[half:], strict=True)
    return all(
        a == b or a == pytest.approx(b, rel=1e-9, abs=1e-12)
        for one, other in pairs
        for a, b in zip(one, other, strict=True)
    )


def test_constraints_and_choices_come_and_go():
    study = told(RandomSearch(), 8)
    study.change_space(Space(BEFORE, [Linear({"x": 1, "n": 1}, upper=9), Forbidden({"c": ["thf"]})]))
    assert all(t.params["c"] != "thf" and t.params["x"] + t.params["n"] <= 9 for t in study.ask(6))
    study.change_space(BEFORE)
    assert study.space.wide is None
    assert len(study.ask(3)) == 3


def test_a_parameter_is_held_at_a_value_from_now_on():
    study = Study([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], Minimize("y"), strategy=GP(n_first=3), seed=1)
    for _ in range(4):
        trial = study.ask()
        study.tell(trial, trial["x"] + trial["z"])
    study.change_space(Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)], fixed={"x": 0.25}))
    trials = study.ask(3)
    assert {t["x"] for t in trials} == {0.25}
    assert len({t["z"] for t in trials}) == 3
    assert study.verify().agrees


def test_a_parameter_that_is_there_for_new_choices_alone_needs_no_value():
    study = Study([Categorical("model", ["svm"]), Float("C", 0, 1)], Minimize("y"), strategy=RandomSearch(), seed=1)
    study.tell(study.ask(), 1.0)
    wider = [Categorical("model", ["svm", "nn"]), Float("C", 0, 1), Int("k", 1, 9, when={"model": ["nn"]})]
    study.change_space(wider)
    assert "k" not in study.trial(0).params
    assert {"k" in t.params for t in study.ask(12)} == {True, False}


def test_a_pending_trial_of_the_old_space_is_told():
    study = told(SobolSearch(), 3)
    pending = study.ask()
    study.change_space((Float("x", 9.0, 10.0), *BEFORE[1:]))
    study.tell(pending, 3.0)
    assert study.trial(3).params == pending.params
    assert study.trial(3).values == {"cost": 3.0}


def test_what_waits_in_the_queue_and_is_of_the_new_space_waits_on():
    study = told(RandomSearch(), 1)
    inside, outside = (
        {"x": x, "lr": 0.1, "n": 4, "o": 2, "c": "dmf", "mix": {"a": 40.0, "b": 60.0, "d": 0.0}} for x in (5.0, 1.0)
    )
    study.enqueue(outside)
    study.enqueue(inside)
    study.change_space(AFTER, given={"stir": 2})
    trial = study.ask()
    assert (trial.params["x"], trial.params["stir"]) == (5.0, 2)
    assert study.ask().notes["by"] == "random"


def test_the_same_space_again_changes_nothing_and_another_script_sees_the_new_one(tmp_path):
    study = told(RandomSearch(), 2, storage=tmp_path / "s.jsonl")
    events = len(study._log.storage.events("study"))
    study.change_space(BEFORE)
    assert len(study._log.storage.events("study")) == events
    study.change_space(AFTER, given={"stir": 1})
    for space in (AFTER, BEFORE):
        assert Study(space, Minimize("cost"), storage=tmp_path / "s.jsonl").space == Space(AFTER)
    with pytest.raises(ValueError, match="has another study"):
        Study(BEFORE[:-1], Minimize("cost"), storage=tmp_path / "s.jsonl")
    written = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert "space_changed" in json.dumps(written)


@pytest.mark.parametrize(
    ("after", "values", "message"),
    [
        (BEFORE[1:], {}, r"\['x'\] would be gone"),
        ((Int("x", 0, 10), *BEFORE[1:]), {}, "'x' keeps its kind"),
        ((*BEFORE, Int("stir", 1, 5)), {}, "which value the new parameter 'stir' had"),
        (BEFORE, {"x": 3}, r"new parameters, \[\]: got \['x'\] too"),
        ((*BEFORE, Int("stir", 1, 5)), {"stir": "much"}, "'stir' is a number"),
        ((*BEFORE[:-1], Simplex("mix", ["a", "b"], total=100.0)), {}, "keeps its total of 100.0 and its parts"),
        ((Float("x", 0.0, 10.0, when={"c": ["dmf"]}), *BEFORE[1:]), {}, "keeps its kind and its conditions"),
    ],
)
def test_a_space_that_trials_do_not_fit_in_is_refused(after, values, message):
    study = told(RandomSearch(), 4)
    last = study.history.last_event
    with pytest.raises(SpaceError, match=message):
        study.change_space(after, given=values)
    assert study.history.last_event == last


def test_other_refusals():
    study = told(RandomSearch(), 2)
    with pytest.raises(ObjectiveError, match="cost"):
        study.change_space((*BEFORE, Float("cost", 0, 1)), given={"cost": 1.0})
    other = Study([Float("x", 0, 1), Float("z", 0, 1)], Minimize("y"), strategy=LatinHypercube(), seed=1)
    with pytest.raises(StrategyError, match="LatinHypercube"):
        other.change_space(Space([Float("x", 0, 1), Float("z", 0, 1)], [Linear({"x": 1, "z": 1}, upper=1)]))
    logged = Study([Float("x", 0, 1)], Minimize("y"), strategy=RandomSearch(), seed=1)
    logged.tell(logged.ask(fixed={"x": 0.0}), 1.0)
    with pytest.raises(SpaceError, match="by its logarithm, and a trial has 0.0"):
        logged.change_space([Float("x", 0.1, 1, log=True)])


def test_a_changed_study_file_changes_the_space(tmp_path):
    path, log = tmp_path / "s.toml", str(tmp_path / "s.db")
    before = """
[[parameter]]
name = "heat"
kind = "float"
low = 500.0
high = 900.0

[[objective]]
kind = "maximize"
metric = "strength"
"""
    added = """
[[parameter]]
name = "salt"
kind = "float"
low = 0.5
high = 2.0
"""
    path.write_text(before)
    CliRunner().invoke(app, ["new", str(path), log])
    study = Study.load(log)
    study.tell(study.ask(), 3.0)
    path.write_text(before.replace("900.0", "1100.0") + added)
    refused = CliRunner().invoke(app, ["change", str(path), log])
    assert "which value the new parameter 'salt' had" in refused.output
    assert refused.exit_code != 0
    said = CliRunner().invoke(app, ["change", str(path), log, "--given", "salt=0", "--why", "new furnace"]).output
    assert "high=1100.0" in said
    assert "parameter 'salt' is only in the second" in said
    assert Study.load(log).trial(0)["salt"] == 0.0
    again = CliRunner().invoke(app, ["change", str(path), log]).output
    assert "the space is as it was" in again
    path.write_text(path.read_text().replace("maximize", "minimize"))
    assert "in more than the space" in CliRunner().invoke(app, ["change", str(path), log]).output


@pytest.mark.parametrize("kind", ["categorical", "ordinal"])
def test_a_space_may_change_again_and_again(kind, tmp_path):
    def listed(*values):
        return Categorical("s", list(values)) if kind == "categorical" else Ordinal("s", list(values))

    study = Study([listed(1, 2, 3), Float("x", 0, 1)], Maximize("y"), seed=1, storage=tmp_path / "s.jsonl")
    for value in (1, 1, 2, 3):
        trial = study.ask(fixed={"s": value})
        study.tell(trial, float(trial["x"]))
    study.change_space([listed(2, 3), Float("x", 0, 1)])
    study.change_space([listed(3), Float("x", 0, 2)])
    study.change_space([listed(1, 3), Float("x", 0, 2)])
    assert [t.params["s"] for t in study.trials] == [1, 1, 2, 3]
    again = Study.load(tmp_path / "s.jsonl")
    assert {again.ask()["s"] for _ in range(8)} <= {1, 3}


def test_a_new_parameter_may_stand_before_the_new_one_that_it_depends_on():
    study = Study([Float("h", 0, 1)], Maximize("y"), strategy=RandomSearch(), seed=1)
    for _ in range(4):
        trial = study.ask()
        study.tell(trial, trial["h"])
    space = Space([Float("h", 0, 1), Float("c", 0, 1, when={"p": ["on"]}), Categorical("p", ["on", "off"])])
    study.change_space(space, given={"p": "on", "c": 0.3})
    for trial in study.trials:
        assert space.check(trial.params) == {"h": trial.params["h"], "c": 0.3, "p": "on"}


@pytest.mark.parametrize("strategy", [RandomSearch(), SobolSearch(), GP(n_first=3)], ids=lambda s: type(s).__name__)
def test_what_is_not_there_does_not_stand_in_the_way_of_a_narrowed_range(strategy):
    """Its place in the cube, the middle of the old axis, lies outside of the new one."""
    never = [Forbidden({"k": ["a"], "n": [3]})]

    def space(low, high):
        return Space([Categorical("k", ["a", "b"]), Float("h", low, high, when={"k": ["a"]}), Int("n", 1, 9)], never)

    study = Study(space(0, 1), Maximize("y"), strategy=strategy, seed=1)
    for _ in range(4):
        study.tell(study.ask(), 1.0)
    study.change_space(space(0.2, 0.4))
    assert study.space.has_positions(study.space.encode([{"k": "b", "n": 2}])).all()
    assert not study.space.has_positions(study.space.encode([{"k": "a", "h": 0.5, "n": 2}])).any()
    for _ in range(16):
        trial = study.ask()
        assert trial.params in study.space
        study.tell(trial, 1.0)


def test_a_design_spreads_over_the_narrowed_space():
    study = Study([Float("h", 0, 1), Float("g", 0, 1)], Maximize("y"), strategy=LatinHypercube(size=20), seed=1)
    for _ in range(20):
        study.tell(study.ask(), 1.0)
    study.change_space([Float("h", 0.4, 0.6), Float("g", 0, 1)])
    h = np.array([study.ask()["h"] for _ in range(20)])
    assert set(np.floor((h - 0.4) / 0.01 + 1e-9).astype(int)) == set(range(20))


def test_the_script_that_changed_a_space_may_be_run_again(tmp_path):
    def script():
        study = Study([Float("x", 0, 1)], Maximize("y"), strategy=RandomSearch(), seed=1, storage=tmp_path / "s.db")
        study.run(lambda trial: trial["x"], n_trials=3)
        study.change_space([Float("x", 0, 2), Float("z", 0, 1)], given={"z": 0.5})
        study.run(lambda trial: trial["x"] + trial["z"], n_trials=6)
        return study

    first, second = script(), script()
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert second.space == Space([Float("x", 0, 2), Float("z", 0, 1)])
    with pytest.raises(SpaceError, match="new parameters"):
        second.change_space([Float("x", 0, 2), Float("z", 0, 1)], given={"z": 0.7})
    result = CliRunner().invoke(app, ["status", str(tmp_path / "s.db")])
    assert "changed 1 time" in result.output
