"""Asking in a context: what is given is kept, logged, recomputed and told from what is fixed."""

import pytest

from bbo.errors import SpaceError, SpaceExhaustedError
from bbo.objective import Maximize, OutcomeConstraint
from bbo.space import Categorical, Float, Int, Simplex, Space
from bbo.strategies import GP, RandomSearch
from bbo.studies import verify
from bbo.studies.study import Study

SPACE = Space(
    [
        Float("x", 0.0, 1.0),
        Categorical("substrate", ["A", "B", "C"]),
        Categorical("kiln", ["gas", "none"]),
        Float("heat", 0.0, 10.0, when={"kiln": ["gas"]}),
    ]
)


def study(strategy=None, **options):
    return Study(SPACE, Maximize("y"), strategy=strategy or RandomSearch(), seed=1, **options)


def asked(s):
    return [e.read() for e in s.storage.events(s.name) if e.kind == "asked"]


def test_a_context_is_in_every_point_and_in_the_log_beside_what_is_fixed():
    s = study()
    for trial in s.ask(3, context={"substrate": "B"}, fixed={"x": 0.5}):
        assert (trial["substrate"], trial["x"]) == ("B", 0.5)
    s.ask()
    first, second = asked(s)
    assert (first["context"], first["fixed"]) == ({"substrate": "B"}, {"x": 0.5})
    assert "context" not in second
    assert s.verify().agrees


@pytest.mark.parametrize("strategy", [RandomSearch(), GP(n_first=3)])
def test_an_ask_in_a_context_is_recomputed_also_at_an_earlier_moment_and_from_a_file(strategy, tmp_path):
    s = study(strategy, storage=tmp_path / "s.jsonl")
    for k in range(7):
        trial = s.ask(context={"substrate": "ABC"[k % 3], "kiln": "gas"}, fixed={"heat": 3.0} if k % 2 else {})
        s.tell(trial, trial["x"] * (k % 3))
    assert s.verify().agrees
    again = Study.load(tmp_path / "s.jsonl").at(6).ask(context={"substrate": "A", "kiln": "gas"})
    assert (again.params, again.notes) == (s.trial(6).params, s.trial(6).notes)


def test_a_log_that_gives_another_context_than_was_asked_in_does_not_verify(monkeypatch):
    s = study(GP(n_first=3))
    for k in range(6):
        trial = s.ask(context={"substrate": "ABC"[k % 3]})
        s.tell(trial, trial["x"] * (k % 3))
    honest = verify.propose
    monkeypatch.setattr(verify, "propose", lambda *a, **k: honest(*a, **(k | {"fixed": k["context"], "context": {}})))
    assert "trial 3" in s.verify().divergence


def test_the_best_of_a_context_is_the_best_of_the_trials_made_in_it():
    s = study()
    for substrate, x, y in (("A", 0.1, 1.0), ("A", 0.2, 2.0), ("B", 0.3, 9.0), ("C", 0.4, 3.0)):
        s.tell(s.ask(context={"substrate": substrate}, fixed={"x": x}), y)
    assert s.best.number == 2
    assert s.best_in({"substrate": "A"}).number == 1
    assert s.best_in({"substrate": "A", "x": 0.1}).number == 0
    assert s.best_in({"substrate": "B", "x": 0.1}) is None
    assert s.recommend({"substrate": "C"}).number == 3
    assert s.recommend({"x": 0.9}) is None
    assert s.recommend().number == 2


def test_a_model_recommends_the_trial_of_a_context_that_is_best_by_its_mean():
    """The luckiest observation of the context lies far from its optimum."""
    s = Study([Float("x", 0.0, 1.0), Categorical("c", ["a", "b"])], Maximize("y"), strategy=GP(n_first=30), seed=2)
    for c, middle in (("a", 0.3), ("b", 0.8)):
        for k in range(12):
            luck = 0.6 if (c, k) == ("a", 7) else 0.15 * (-1) ** k
            trial = s.ask(context={"c": c}, fixed={"x": k / 11})
            s.tell(trial, 1 - 4 * (k / 11 - middle) ** 2 + luck)
    assert s.best_in({"c": "a"})["x"] == pytest.approx(7 / 11)
    assert abs(s.recommend({"c": "a"})["x"] - 0.3) < 0.12
    assert abs(s.recommend({"c": "b"})["x"] - 0.8) < 0.12


def test_infeasible_trials_are_not_the_best_of_a_context():
    s = Study(SPACE, [Maximize("y"), OutcomeConstraint("g", upper=0.0)], strategy=RandomSearch(), seed=1)
    for y, g in ((1.0, -1.0), (5.0, 1.0)):
        s.tell(s.ask(context={"substrate": "A"}), {"y": y, "g": g})
    assert s.best_in({"substrate": "A"}).number == 0
    assert s.best_in({"substrate": "B"}) is None


def test_where_a_parameter_that_is_given_is_absent_a_trial_is_not_of_the_context():
    s = study()
    s.tell(s.ask(fixed={"kiln": "none", "x": 0.5}), 9.0)
    s.tell(s.ask(fixed={"kiln": "gas", "heat": 5.0}), 1.0)
    assert s.best_in({"kiln": "gas", "heat": 5.0}).number == 1
    assert s.space.structure.absent[3] == s.space.position("heat", 5.0)


def test_a_mixture_can_be_a_context():
    mix = {"a": 20.0, "b": 80.0}
    s = Study([Simplex("mix", ["a", "b"], total=100.0), Float("x", 0.0, 1.0)], Maximize("y"), strategy=GP(n_first=2))
    for _ in range(4):
        trial = s.ask(context={"mix": mix})
        assert trial["mix"] == mix
        s.tell(trial, trial["x"])
    assert s.best_in({"mix": mix}) is not None
    assert s.best_in({"mix": {"a": 30.0, "b": 70.0}}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"context": {"z": 1}}, r"\['z'\]"),
        ({"context": {"substrate": "D"}}, "'D'"),
        ({"context": {"x": 2.0}}, r"2\.0"),
        ({"context": {"x": 0.5}, "fixed": {"x": 0.5}}, r"cannot be fixed beside: leave \['x'\] out"),
        ({"context": {"heat": 3.0}}, "kiln is one of"),
        ({"context": {"heat": 3.0}, "fixed": {"kiln": "gas"}}, "kiln is one of"),
    ],
)
def test_a_context_that_cannot_be_is_refused_and_nothing_is_asked(given, said):
    s = study()
    with pytest.raises(SpaceError, match=said):
        s.ask(**given)
    assert asked(s) == []


def test_unknown_values_of_a_context_are_refused_when_the_best_is_looked_up():
    s = study()
    with pytest.raises(SpaceError, match="'D'"):
        s.best_in({"substrate": "D"})
    with pytest.raises(SpaceError, match="'D'"):
        s.recommend({"substrate": "D"})


def test_enqueued_points_of_another_context_wait_on():
    s = study()
    for substrate in "AB":
        s.enqueue({"x": 0.5, "substrate": substrate, "kiln": "none"})
    first = s.ask(context={"substrate": "B"})
    assert (first.notes["by"], first["substrate"]) == ("enqueued", "B")
    assert s.ask(context={"substrate": "B"}).notes["by"] == "random"
    assert s.ask(context={"substrate": "A"}).notes["by"] == "enqueued"


def test_a_context_all_of_whose_points_were_tried_is_exhausted_and_others_are_not():
    s = Study([Int("n", 0, 2), Categorical("c", ["a", "b"])], Maximize("y"), strategy=RandomSearch(), seed=1)
    for _ in range(3):
        s.tell(s.ask(context={"c": "a"}), 1.0)
    with pytest.raises(SpaceExhaustedError, match="'c': 'a'"):
        s.ask(context={"c": "a"})
    assert s.ask(context={"c": "b"})["c"] == "b"


def test_where_everything_is_given_the_point_is_asked_for_again():
    s = Study([Float("x", 0.0, 1.0), Categorical("c", ["a", "b"])], Maximize("y"), strategy=GP(n_first=2), seed=1)
    for _ in range(4):
        trial = s.ask(context={"c": "a"}, fixed={"x": 0.5})
        assert trial.params == {"x": 0.5, "c": "a"}
        s.tell(trial, 1.0)


def test_a_table_of_a_context_has_its_values():
    s = study()
    frame = s.suggest_frame(3, context={"substrate": "C"}, fixed={"x": 0.25})
    assert set(frame["substrate"]) == {"C"}
    assert set(frame["x"]) == {0.25}


def test_what_is_to_be_gained_in_a_context_is_no_outlook_of_the_study():
    s = Study([Float("x", 0.0, 1.0), Categorical("c", ["a", "b"])], Maximize("y"), strategy=GP(n_first=4), seed=1)
    for k in range(6):
        trial = s.ask(context={"c": "ab"[k % 2]})
        s.tell(trial, -((trial["x"] - 0.3) ** 2))
    assert "gain" in s.trials[-1].notes
    assert s.outlook is None
    s.ask()
    assert s.outlook.trial == 6


def test_a_large_ask_of_several_events_stays_in_its_context():
    s = study()
    trials = s.ask(60, context={"substrate": "A"})
    assert len(asked(s)) > 1
    assert {t["substrate"] for t in trials} == {"A"}
    assert all(body["context"] == {"substrate": "A"} for body in asked(s))
