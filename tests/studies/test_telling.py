"""What becomes of trials: results in parts, replicates, executed values, amendments, notes and rankings."""

import math
import statistics
import threading

import numpy as np
import pytest

from bbo.errors import AlreadyToldError, ObjectiveError, SpaceError, SpaceExhaustedError, TrialError
from bbo.events import event
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Tracked
from bbo.space import Categorical, Float, Int, Space
from bbo.storage import MemoryStorage, open_storage
from bbo.strategies import GP, LatinHypercube, RandomSearch, SobolSearch
from bbo.studies import telling
from bbo.studies.study import Study
from bbo.studies.view import StudyView
from bbo.trial import FailureReason, Status

SPACE = Space(
    [
        Float("temperature", 20.0, 120.0, unit="degC"),
        Float("load", 1e-3, 10.0, log=True),
        Float("ph", 2.0, 12.0, step=0.5),
        Int("hours", 1, 48),
        Categorical("solvent", ["water", "DMF"]),
    ]
)
WANTED = [Maximize("yield", unit="%"), OutcomeConstraint("purity", lower=0.9), Tracked("colour")]
STRATEGIES = [RandomSearch(), SobolSearch(), LatinHypercube(size=4), GP(n_first=3)]
each = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: type(s).__name__)


def study(**options):
    return Study(SPACE, WANTED, **({"strategy": RandomSearch(), "seed": 3} | options))


def refused(s, error, said, verb):
    """The verb raises, and the log is as before."""
    before = s.storage.events(s.name)
    with pytest.raises(error, match=said):
        verb()
    assert s.storage.events(s.name) == before


# Replicates.


def test_replicates_give_their_mean_and_are_kept():
    s = study()
    s.tell(s.ask(), {"yield": [81, 83.5, 80], "purity": np.array([0.95, 0.97]), "colour": [2.0]})
    trial = s.trial(0)
    assert trial.values["yield"] == pytest.approx(statistics.mean([81, 83.5, 80]))
    assert trial.replicates == {"yield": (81.0, 83.5, 80.0), "purity": (0.95, 0.97)}
    assert s.history.V_n.tolist() == [[3, 2, 1]]
    expected = [[statistics.stdev([81, 83.5, 80]), statistics.stdev([0.95, 0.97]), math.nan]]
    assert s.history.V_scatter == pytest.approx(np.array(expected), nan_ok=True)
    assert StudyView.load(s.storage).trial(0).replicates == trial.replicates
    s.amend(0, {"yield": 90.0, "purity": [0.93, 0.95, 0.97]}, why="typo")
    assert s.history.V_n.tolist() == [[1, 3, 1]]
    assert s.history.V_scatter == pytest.approx(np.array([[math.nan, 0.02, math.nan]]), nan_ok=True)


def test_a_bare_list_serves_a_study_of_one_metric():
    s = Study([Float("x", 0.0, 1.0)], Minimize("y"), strategy=RandomSearch(), seed=1)
    s.tell(s.ask(), (1.0, 2.0, 6.0))
    assert s.best.values == {"y": 3.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "at least one measurement"),
        ([81.0, None], "'yield' is a number: got None"),
        ([81.0, math.nan], "finite"),
        ([[81.0]], r"got \[81.0\]"),
        ([1.7e308, 1.7e308, 1.7e308], "finite"),
    ],
)
def test_replicates_that_are_no_numbers_are_refused(given, said):
    s = study()
    s.ask()
    refused(s, ObjectiveError, said, lambda: s.tell(0, {"yield": given, "purity": 0.9}))


# Executed values.


def test_executed_values_count_as_what_was_tried_and_the_suggested_ones_are_kept():
    s = study()
    first = s.ask()
    s.tell(first, {"yield": 80.0, "purity": 0.95}, params={"temperature": 133.25, "ph": 7.3, "hours": first["hours"]})
    trial = s.trial(0)
    assert trial.params == first.params | {"temperature": 133.25, "ph": 7.3}
    assert trial.suggested == first.params
    assert list(trial.suggested) == list(SPACE.names)
    assert s.storage.events(s.name)[-1].read()["params"] == {"temperature": 133.25, "ph": 7.3}
    np.testing.assert_allclose(s.history.X[0, 0], (133.25 - 20) / 100)
    assert s.frame()["temperature"].tolist() == [133.25]


def test_an_executed_value_that_is_as_suggested_is_none():
    s = study()
    trial = s.ask()
    s.tell(trial, {"yield": 80.0, "purity": 0.95}, params=trial.params | {"ph": trial["ph"] + 1e-9})
    assert s.trial(0).suggested is None
    assert "params" not in s.storage.events(s.name)[-1].read()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"pressure": 3.0}, r"executed values of \['pressure'\]"),
        ({"load": 0.0}, "above 0: got 0.0"),
        ({"hours": 2.5}, "whole number: got 2.5"),
        ({"hours": math.inf}, "whole number: got inf"),
        ({"temperature": math.nan}, "got nan"),
        ({"solvent": "ethanol"}, "one of"),
    ],
)
def test_executed_values_that_cannot_be_are_refused(params, said):
    s = study()
    s.ask()
    refused(s, SpaceError, said, lambda: s.tell(0, {"yield": 80.0, "purity": 0.95}, params=params))


def test_a_history_that_was_handed_out_keeps_the_suggested_point():
    s = study()
    trials = s.ask(3)
    before = s.history
    X = before.X.copy()
    s.tell(trials[1], {"yield": 80.0, "purity": 0.95}, params={"temperature": 400.0})
    np.testing.assert_array_equal(before.X, X)
    assert s.history.X[1, 0] == pytest.approx(3.8)


@each
@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 500.0, "load": 1e4, "ph": 15.26, "hours": 400},
        {"temperature": -80.0, "load": 1e-9, "ph": -3.14, "hours": 0},
        {"temperature": 61.7, "load": 0.5, "ph": 7.26, "hours": 7},
    ],
    ids=["above", "below", "off_grid"],
)
def test_strategies_go_on_after_points_that_lie_outside_and_off_the_grid(strategy, params):
    s = study(strategy=strategy)
    for k in range(7):
        trial = s.ask()
        wild = params if k in (2, 4) else {}
        s.tell(trial, {"yield": 50.0 + 3 * k + 40 * bool(wild), "purity": 0.95}, params=wild)
    for trial in s.ask(2):
        assert trial.params in SPACE
    s.fail(s.ask(), "leaked")
    assert s.ask(fixed={"ph": 7.0}).params in SPACE
    assert s.best.suggested is not None
    assert s.recommend() is not None
    assert s.verify().agrees


@each
def test_a_small_space_is_searched_whole_beside_executed_points_that_are_not_in_it(strategy):
    space = Space([Int("n", 1, 3), Categorical("c", ["a", "b"])])
    s = Study(space, Minimize("y"), strategy=strategy, seed=1)
    s.tell(s.ask(), 1.0, params={"n": 9})
    seen = []
    for _ in range(6):
        trial = s.ask()
        s.tell(trial, float(trial["n"]))
        seen.append((trial["n"], trial["c"]))
    assert len(set(seen)) == 6
    with pytest.raises(SpaceExhaustedError):
        s.ask()


# Results in parts.


def test_a_trial_told_in_parts_runs_until_the_last_required_metric():
    s = study()
    trial = s.ask()
    s.tell(trial, {"yield": [81, 83]}, partial=True, cost=2.0, note="HPLC tomorrow", params={"temperature": 83.0})
    part = s.trial(0)
    assert (part.status, dict(part.values), part.is_feasible) == (Status.RUNNING, {"yield": 82.0}, None)
    assert (s.best, s.front) == (None, [])
    s.tell(trial, {"colour": 3.0}, partial=True)
    assert s.trial(0).status is Status.RUNNING
    s.tell(trial, {"purity": 0.95}, cost=2.5, sd={"purity": 0.01})
    whole = s.trial(0)
    assert (whole.status, whole.values) == (Status.COMPLETED, {"yield": 82.0, "purity": 0.95, "colour": 3.0})
    assert (whole.cost, whole.sd, whole.replicates) == (2.5, {"purity": 0.01}, {"yield": (81.0, 83.0)})
    assert (whole.note, whole["temperature"], whole.suggested) == ("HPLC tomorrow", 83.0, trial.params)
    body = s.storage.events(s.name)[-1].read()
    assert body == {
        "values": {"yield": 82.0, "purity": 0.95, "colour": 3.0},
        "replicates": {"yield": [81.0, 83.0]},
        "sd": {"purity": 0.01},
        "cost": 2.5,
        "params": {"temperature": 83.0},
    }
    assert s.best.number == 0


def test_a_missing_metric_is_an_error_that_names_partial():
    s = study()
    s.ask()
    refused(s, ObjectiveError, r"\['purity'\] missing.*partial=True", lambda: s.tell(0, {"yield": 81.0}))
    refused(s, ObjectiveError, "at least one metric", lambda: s.tell(0, {}, partial=True))
    s.tell(0, {"colour": 1.0}, partial=True)
    refused(s, ObjectiveError, r"\['purity'\] missing", lambda: s.tell(0, {"yield": 81.0}))


def test_a_part_that_contradicts_is_refused_and_the_same_is_not():
    s = study()
    s.ask()
    s.tell(0, {"yield": 81.0}, partial=True, params={"temperature": 83.0}, cost=1.0)
    before = s.storage.events(s.name)
    s.tell(0, {"yield": 81.0}, partial=True, params={"temperature": 83.0}, cost=1.0)
    s.tell(0, {"yield": 81.0}, partial=True)
    assert s.storage.events(s.name) == before
    for verb in (
        lambda: s.tell(0, {"yield": 82.0}, partial=True),
        lambda: s.tell(0, {"yield": 82.0, "purity": 0.95}),
        lambda: s.tell(0, {"purity": 0.95}, params={"temperature": 84.0}),
        lambda: s.tell(0, {"yield": 81.0}, partial=True, note="a new word"),
    ):
        refused(s, AlreadyToldError, "Trial 0 has", verb)
    s.tell(0, {"yield": 81.0, "purity": 0.95})
    assert s.trial(0).status is Status.COMPLETED
    s.tell(0, {"purity": 0.95})
    s.tell(0, {"yield": 81.0, "purity": 0.95}, cost=1.0)
    for verb in (
        lambda: s.tell(0, {"yield": 81.0, "purity": 0.96}),
        lambda: s.tell(0, {"purity": 0.95}, params={"temperature": 84.0}),
        lambda: s.tell(0, {"purity": 0.95}, cost=3.0),
        lambda: s.tell(0, {"purity": 0.95}, note="a new word"),
    ):
        refused(s, AlreadyToldError, "Trial 0 has", verb)


def test_what_was_missing_may_come_when_the_trial_has_ended():
    s = study()
    s.ask(2)
    for k in (0, 1):
        s.tell(k, {"yield": 81.0, "purity": 0.95}, params={"temperature": 84.0})
    s.tell(0, {"colour": 4.0}, partial=True, note="spectrometer repaired")
    s.tell(0, {"yield": 81.0}, cost=3.0)
    s.tell(1, {"colour": [3.0, 5.0]})
    before = s.storage.events(s.name)
    s.tell(0, {"yield": 81.0, "purity": 0.95, "colour": 4.0}, cost=3.0, note="spectrometer repaired")
    s.tell(1, {"colour": [3.0, 5.0]})
    assert s.storage.events(s.name) == before
    trial = s.trial(0)
    assert (trial.values, trial.cost) == ({"yield": 81.0, "purity": 0.95, "colour": 4.0}, 3.0)
    assert (trial.note, trial["temperature"]) == ("spectrometer repaired", 84.0)
    assert s.trial(1).replicates == {"colour": (3.0, 5.0)}
    refused(s, AlreadyToldError, "Trial 0 has", lambda: s.tell(0, {"colour": 5.0}))
    refused(s, AlreadyToldError, r"\[3.0, 4.0, 5.0\]", lambda: s.tell(1, {"colour": [3.0, 4.0, 5.0]}))
    s.fail(s.ask(), "leaked")
    refused(s, AlreadyToldError, "Trial 2 is failed", lambda: s.tell(2, {"colour": 5.0}, partial=True))


def test_another_cost_of_a_part_takes_the_place_of_the_first_which_may_be_said_again():
    s = study()
    s.ask()
    s.tell(0, {"yield": 81.0}, partial=True, cost=1.0)
    s.tell(0, {"yield": 81.0}, partial=True, cost=2.0)
    s.tell(0, {"colour": 1.0}, partial=True, cost=3.0)
    before = s.storage.events(s.name)
    for cost in (1.0, 2.0, 3.0):
        s.tell(0, {"yield": 81.0}, partial=True, cost=cost)
    assert s.storage.events(s.name) == before
    assert s.trial(0).cost == 3.0
    s.fail(0, "spilt", cost=4.0)
    assert s.trial(0).cost == 4.0


@pytest.mark.parametrize("file", ["s.db", "s.jsonl"])
def test_a_failed_or_cancelled_trial_keeps_its_cost(tmp_path, file):
    s = study(storage=tmp_path / file)
    s.ask(2)
    s.fail(0, "leaked", cost=25)
    s.cancel(1, "stopped half way", cost=2.5)
    s.close()
    again = Study.load(tmp_path / file)
    assert [t.cost for t in again.trials] == [25.0, 2.5]
    assert np.nansum(again.history.cost) == 27.5
    again.fail(0, "leaked", cost=25)
    with pytest.raises(AlreadyToldError):
        again.fail(0, "leaked", cost=26)
    with pytest.raises(ObjectiveError, match="at least 0: got -1"):
        again.cancel(again.ask(), cost=-1)
    again.close()


def test_the_note_and_cost_of_several_parts_stand_once():
    s = study()
    s.ask()
    s.tell(0, {"yield": 81.0, "colour": 1.0}, partial=True, note="pink", cost=1.0)
    assert s.trial(0).note == "pink"
    bodies = [e.read() for e in s.storage.events(s.name) if e.kind == "measured"]
    assert [(body.get("note"), body.get("cost")) for body in bodies] == [("pink", 1.0), (None, None)]
    s.tell(0, {"purity": 0.95}, note="pin")
    assert s.trial(0).note == "pink\npin"


def test_single_measurements_that_leave_the_mean_alone_are_another_result():
    s = study()
    s.ask(2)
    s.tell(0, {"yield": [21, 25]}, partial=True)
    s.tell(1, {"yield": [21, 25], "purity": 0.95})
    for k in (0, 1):
        refused(
            s, AlreadyToldError, r"\[21.0, 25.0, 23.0\]", lambda k=k: s.tell(k, {"yield": [21, 25, 23]}, partial=True)
        )
    before = s.storage.events(s.name)
    s.tell(0, {"yield": [21, 25]}, partial=True)
    s.tell(1, {"yield": 23.0, "purity": 0.95})
    assert s.storage.events(s.name) == before


def test_a_partly_measured_trial_may_fail_and_counts_as_failed_only():
    s = study()
    s.ask(2)
    s.tell(0, {"yield": 81.0}, partial=True)
    s.fail(0, "flask broke")
    s.tell(1, {"yield": 10.0}, partial=True)
    s.cancel(1)
    assert [(t.status, dict(t.values)) for t in s.trials] == [
        (Status.FAILED, {"yield": 81.0}),
        (Status.CANCELLED, {"yield": 10.0}),
    ]
    assert s.best is None
    assert s.history.is_feasible.tolist() == [False, False]


def test_parts_that_two_processes_bring_at_once_complete_the_trial_once():
    """Each tells without having seen the other's part; whoever looks last completes."""
    for turn in range(8):
        storage = MemoryStorage()
        one = study(storage=storage)
        one.ask()
        two = StudyView.load(storage)
        gate = threading.Barrier(2)

        def bring(view, values, gate=gate):
            gate.wait()
            telling.tell(view._log, 0, telling.Result.of(view._log.fold, values), partial=True)

        threads = [
            threading.Thread(target=bring, args=(one, {"yield": 80.0 + turn})),
            threading.Thread(target=bring, args=(two, {"purity": 0.95})),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.trial(0).status is Status.COMPLETED
        assert one.trial(0).values == {"yield": 80.0 + turn, "purity": 0.95}
        assert [e.kind for e in storage.events("study")].count("told") == 1


class Late(MemoryStorage):
    """Lets somebody else in before the next event of a kind is appended."""

    def __init__(self):
        super().__init__()
        self.before = {}

    def append(self, name, events, **options):
        do = self.before.pop(events[0].kind, None)
        if do is not None:
            do()
        return super().append(name, events, **options)


@pytest.mark.parametrize("theirs", [{"purity": 0.95}, {"purity": 0.95, "colour": 1.0}])
def test_a_part_that_arrives_while_another_is_appended_is_merged(theirs):
    storage = Late()
    one = study(storage=storage)
    one.ask()
    two = Study.load(storage)
    storage.before["measured"] = lambda: two.tell(0, theirs, partial=True)
    one.tell(0, {"yield": 81.0}, partial=True)
    assert two.trial(0).values == {"yield": 81.0} | theirs
    assert [t.status for t in (one.trial(0), two.trial(0))] == [Status.COMPLETED] * 2


def test_the_rest_of_a_result_is_kept_where_somebody_brings_one_part_of_it_first():
    storage = Late()
    one = study(storage=storage)
    one.ask()
    two = Study.load(storage)
    storage.before["measured"] = lambda: two.tell(0, {"yield": 81.0}, partial=True, note="pink")
    one.tell(0, {"yield": 81.0, "colour": 3.0}, partial=True)
    assert (two.trial(0).values, two.trial(0).note) == ({"yield": 81.0, "colour": 3.0}, "pink")


def test_the_first_stands_where_a_part_and_a_whole_are_told_at_once():
    storage = Late()
    one = study(storage=storage)
    one.ask(2)
    two = Study.load(storage)
    storage.before["told"] = lambda: two.tell(0, {"yield": 70.0}, partial=True)
    with pytest.raises(AlreadyToldError, match="meanwhile.*The first stands"):
        one.tell(0, {"yield": 81.0, "purity": 0.95})
    assert two.trial(0).values == {"yield": 70.0, "purity": 0.95}
    storage.before["measured"] = lambda: two.tell(1, {"yield": 70.0, "purity": 0.99})
    with pytest.raises(AlreadyToldError, match="The first stands"):
        one.tell(1, {"yield": 81.0}, partial=True)
    assert one.trial(1).values == {"yield": 70.0, "purity": 0.99}


def test_a_trial_whose_last_teller_died_before_completing_it_is_completed_by_the_next():
    s = study()
    s.ask()
    for metric, value in (("yield", 81.0), ("purity", 0.95)):
        s.storage.append(s.name, [event("measured", f"measured/0/{metric}", {"values": {metric: value}}, trial=0)])
    assert s.trial(0).status is Status.RUNNING
    s.tell(0, {"purity": 0.95})
    assert s.trial(0).status is Status.COMPLETED


# Amending.


def told(s, n=2):
    for trial in s.ask(n):
        s.tell(trial, {"yield": 80.0, "purity": 0.95}, note="as told", cost=1.0)
    return s


def test_an_amended_value_takes_the_place_of_the_told_one_and_the_rest_stays():
    s = told(study())
    old = s.storage.events(s.name)
    s.amend(0, {"yield": [88.0, 86.0]}, params={"temperature": 99.0}, note="mended", why="typo")
    trial, other = s.trials
    assert (trial.values, trial.replicates) == ({"yield": 87.0, "purity": 0.95}, {"yield": (88.0, 86.0)})
    assert (trial["temperature"], trial.note, trial.cost, trial.status) == (99.0, "mended", 1.0, Status.COMPLETED)
    assert (other.values["yield"], other.note) == (80.0, "as told")
    assert s.best.number == 0
    assert s.history.X[0, 0] == pytest.approx(0.79)
    assert s.storage.events(s.name)[:-1] == old
    assert s.storage.events(s.name)[-1].read()["why"] == "typo"
    s.amend(0, {"yield": 60.0}, params={"temperature": trial.suggested["temperature"]}, note="", why="once more")
    trial = s.trial(0)
    assert (trial.values["yield"], trial.replicates, trial.suggested, trial.note) == (60.0, {}, None, "")
    s.ask()
    assert s.verify().agrees


def test_a_standard_deviation_can_be_amended_alone():
    s = study()
    s.tell(s.ask(), {"yield": 80.0, "purity": 0.9}, sd={"yield": 2.0})
    s.amend(0, sd={"yield": 0.5}, why="read off the wrong line")
    assert (s.trials[0].values, s.trials[0].sd) == ({"yield": 80.0, "purity": 0.9}, {"yield": 0.5})
    s.fail(s.ask(), "leaked")
    with pytest.raises(ObjectiveError, match=r"trial 1 has none of \['yield'\]"):
        s.amend(1, sd={"yield": 0.5}, why="read off the wrong line")
    with pytest.raises(ObjectiveError, match=r"^sd: A value for each of"):
        s.amend(0, sd=0.5, why="of which?")


def test_the_same_told_again_after_an_amendment_changes_nothing():
    s = told(study())
    s.amend(0, {"yield": 88.0}, why="typo")
    before = s.storage.events(s.name)
    s.tell(0, {"yield": 80.0, "purity": 0.95}, note="as told", cost=1.0)
    assert s.storage.events(s.name) == before
    assert s.trial(0).values["yield"] == 88.0


def test_a_withdrawn_result_teaches_nothing_and_its_point_is_not_offered_again():
    s = Study([Int("n", 1, 3)], Minimize("y"), strategy=RandomSearch(), seed=1)
    for trial in s.ask(2):
        s.tell(trial, float(trial["n"]))
    s.amend(s.best, status=Status.CANCELLED, why="wrong bottle")
    gone = next(t for t in s.trials if t.status is Status.CANCELLED)
    assert gone.message == "wrong bottle"
    assert s.best.number != gone.number
    assert s.history.n_counted == 1
    assert s.ask()["n"] not in {t["n"] for t in s.trials[:2]}


def test_an_amended_status_is_what_counts():
    s = told(study(), 3)
    s.fail(s.ask(), "leaked")
    s.amend(0, status=Status.FAILED, why="leaked too")
    s.amend(3, {"yield": 70.0, "purity": 0.99}, status=Status.COMPLETED, why="leaked afterwards only")
    assert [t.status for t in s.trials] == ["failed", "completed", "completed", "completed"]
    assert (s.trial(0).reason, s.trial(0).message) == (FailureReason.INVALID, "leaked too")
    assert (s.trial(3).reason, s.trial(3).message, s.trial(3).is_feasible) == (None, "", True)
    assert s.history.is_failed.tolist() == [True, False, False, False]


def test_past_data_can_be_amended_and_withdrawn_but_not_told():
    s = study()
    s.add(told(study()).frame())
    refused(s, AlreadyToldError, "Trial 0 has", lambda: s.tell(0, {"yield": 1.0, "purity": 1.0}))
    refused(s, AlreadyToldError, "past data", lambda: s.cancel(0))
    s.tell(0, {"yield": 80.0, "purity": 0.95})
    s.amend(0, {"yield": 85.0}, params={"temperature": 150.0}, why="typo")
    assert (s.best.values["yield"], s.best["temperature"], s.best.suggested) == (85.0, 150.0, None)
    s.amend(1, status=Status.CANCELLED, why="other batch")
    assert (s.history.n_counted, s.history.n_suggested, s.best.number) == (0, 0, 0)
    s.ask()
    assert s.history.n_counted == 1


def test_a_typo_in_a_part_can_be_amended_before_the_rest_comes():
    s = study()
    s.ask()
    s.tell(0, {"yield": 18.0}, partial=True)
    s.amend(0, {"yield": 81.0}, why="digits swapped")
    s.tell(0, {"purity": 0.95})
    assert (s.trial(0).status, dict(s.trial(0).values)) == (Status.COMPLETED, {"yield": 81.0, "purity": 0.95})


def test_all_that_ever_stood_may_be_told_again_after_several_amendments():
    s = study()
    s.ask(2)
    s.tell(0, {"yield": 18.0}, partial=True)
    s.tell(1, {"yield": 18.0, "purity": 0.95}, cost=1.0)
    s.amend(0, {"yield": 81.0}, why="digits swapped")
    s.tell(0, {"yield": 18.0, "purity": 0.95})
    for change in ({"cost": 2.0}, {"values": {"yield": 80.0}}, {"params": {"temperature": 90.0}}):
        s.amend(1, why="typo", **change)
    assert s.trial(0).values == {"yield": 81.0, "purity": 0.95}
    before = s.storage.events(s.name)
    for value in (18.0, 81.0):
        s.tell(0, {"yield": value, "purity": 0.95})
    for value, cost, params in ((18.0, 1.0, s.trial(1).suggested), (80.0, 1.0, s.trial(1).params), (18.0, 2.0, None)):
        s.tell(1, {"yield": value, "purity": 0.95}, cost=cost, params=params)
    assert s.storage.events(s.name) == before
    refused(s, AlreadyToldError, "Trial 1 has", lambda: s.tell(1, {"yield": 19.0, "purity": 0.95}))
    with s._now() as fold:
        assert (fold.as_told(1).values["yield"], fold.as_told(1).cost) == (18.0, 1.0)


def test_amendments_that_make_no_sense_are_refused():
    s = told(study(), 1)
    s.ask(2)
    s.tell(2, {"yield": 18.0}, partial=True)
    s.fail(s.ask())
    for error, said, verb in (
        (TrialError, "nothing is told of it yet: use tell", lambda: s.amend(1, {"yield": 1.0}, why="typo")),
        (TrialError, "use tell", lambda: s.amend(1, status=Status.CANCELLED, why="typo")),
        (TrialError, r"only \['yield'\]", lambda: s.amend(2, {"purity": 1.0}, why="typo")),
        (TrialError, "Amend what", lambda: s.amend(0, why="typo")),
        (TrialError, "Say why", lambda: s.amend(0, {"yield": 1.0}, why="  ")),
        (TrialError, "completed, failed or cancelled", lambda: s.amend(0, status=Status.RUNNING, why="typo")),
        (TrialError, "status=Status.COMPLETED", lambda: s.amend(3, {"yield": 1.0}, why="typo")),
        (ObjectiveError, r"\['purity'\] too", lambda: s.amend(3, {"yield": 1.0}, status=Status.COMPLETED, why="typo")),
        (ObjectiveError, "smell", lambda: s.amend(0, {"smell": 1.0}, why="typo")),
        (SpaceError, "pressure", lambda: s.amend(0, params={"pressure": 1.0}, why="typo")),
        (TrialError, "trials 0 to 3", lambda: s.amend(9, {"yield": 1.0}, why="typo")),
    ):
        refused(s, error, said, verb)


# Cancelling.


@each
def test_a_cancelled_point_of_a_small_space_is_never_offered_again(strategy):
    space = Space([Int("n", 1, 3), Categorical("reagent", ["a", "b"])])
    s = Study(space, Minimize("y"), strategy=strategy, seed=2)
    s.enqueue({"n": 2, "reagent": "b"})
    gone = []
    for k in range(6):
        trial = s.ask()
        assert trial.params not in gone
        if trial["reagent"] == "b":
            s.cancel(trial, "out of stock")
            gone.append(trial.params)
        else:
            s.tell(trial, float(k))
    assert len(gone) == 3
    assert s.trial(0).message == "out of stock"
    with pytest.raises(SpaceExhaustedError):
        s.ask()


@each
def test_a_cancelled_point_of_a_continuum_is_never_offered_again(strategy):
    space = Space([Float("x", 0.0, 1.0), Float("z", 0.0, 1.0)])
    s = Study(space, Minimize("y"), strategy=strategy, seed=2)
    s.enqueue({"x": 0.3, "z": 0.7})
    cancelled = [s.ask()]
    s.cancel(cancelled[0])
    for k in range(12):
        trial = s.ask()
        # A model that takes the point for untried goes back to it and misses it by less.
        assert all(math.hypot(trial["x"] - t["x"], trial["z"] - t["z"]) > 1e-5 for t in cancelled)
        if k % 3 == 2:
            s.cancel(trial)
            cancelled.append(trial)
        else:
            s.tell(trial, (trial["x"] - 0.3) ** 2 + (trial["z"] - 0.7) ** 2)
    assert s.verify().agrees


# Notes, rankings, output.


def test_notes_go_on_where_they_belong_and_stay_over_a_reload():
    s = told(study(), 1)
    s.note("lamp replaced")
    s.note("pink foam", 0)
    s.note("filtered twice", s.trial(0))
    again = StudyView.load(s.storage)
    assert again.notes == ["lamp replaced"]
    assert again.trial(0).note == "as told\npink foam\nfiltered twice"
    s.amend(0, note="as mended", why="clearer")
    assert s.trial(0).note == "as mended\npink foam\nfiltered twice"
    refused(s, TrialError, "some text", lambda: s.note(" "))
    refused(s, TrialError, "trials 0 to 0: got 4", lambda: s.note("x", 4))


def test_a_ranking_is_kept_in_groups_the_best_first():
    s = told(study(), 4)
    s.rank([3, [s.trial(1), 2], 0])
    s.rank([(0,), np.int64(1)])
    assert s.history.rankings == (((3,), (1, 2), (0,)), ((0,), (1,)))
    for groups, said in (
        ([[0, 1]], "at least two groups"),
        ([0, []], "each of at least one"),
        ([0, [1, 0]], r"\[0\] stand twice"),
        ([0, 9], "got 9"),
        ([0, "1"], "got '1'"),
        ([0, 1.5], "got 1.5"),
    ):
        refused(s, TrialError, said, lambda groups=groups: s.rank(groups))


def test_the_end_of_what_an_evaluation_printed_is_kept_and_the_latest_is_read():
    s = study()
    s.ask(3)
    lost = {"attempt": 1, "output": "first attempt"}
    s.storage.append(s.name, [event("lost", "lost/0/1", lost, trial=0), event("lost", "lost/1/1", lost, trial=1)])
    telling.append(s._log, telling.told(s._log, 0, {"yield": 1.0, "purity": 1.0}, output="a" * 9000 + "end\0"))
    telling.append(s._log, telling.failed(s._log, 2, "\x1b" * 9000, FailureReason.RAISED, output="\x1b" * 9000))
    assert len(s.output(0)) == 8000
    assert s.output(0).endswith("end\\x00")
    assert s.output(1) == "first attempt"
    assert 4000 < len(s.output(2)) < 8000
    assert s.output(s.trial(0)) == s.output(0)
    assert StudyView.load(s.storage).output(1) == "first attempt"
    with pytest.raises(TrialError):
        s.output(7)


@pytest.mark.parametrize("file", ["s.db", "s.jsonl"])
def test_all_that_was_said_stays_over_a_reload(tmp_path, file):
    s = study(storage=tmp_path / file)
    s.ask(3)
    s.tell(0, {"yield": [81, 83]}, partial=True, params={"temperature": 83.0}, note="one")
    s.tell(0, {"purity": 0.95})
    s.tell(1, {"colour": 1.0}, partial=True)
    s.cancel(2, "out of stock")
    s.amend(0, {"purity": 0.99}, why="typo")
    s.rank([0, 1])
    here = s.trials, s.history.rankings, s.history.V.tolist(), s.history.X.tolist()
    s.close()
    storage = open_storage(tmp_path / file)
    again = StudyView.load(storage)
    there = again.trials, again.history.rankings, again.history.V.tolist(), again.history.X.tolist()
    assert repr(there) == repr(here)
    storage.close()
