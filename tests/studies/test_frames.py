"""Tables: what people are given to fill in, and what is made of it when it comes back."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from bbo.errors import AlreadyToldError, NonFiniteError, ObjectiveError, SpaceError, TrialError
from bbo.objective import Maximize, Minimize, OutcomeConstraint, Tracked
from bbo.space import Categorical, Float, Int, Ordinal, Space
from bbo.storage import MemoryStorage
from bbo.strategies import GP, RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status

SPACE = Space(
    [
        Float("temperature", 20.0, 120.0, unit="degC"),
        Int("hours", 1, 48, unit="h"),
        Ordinal("flask", [10, 25, 50]),
        Categorical("solvent", ["water", "DMF", None, True]),
    ]
)
WANTED = [Maximize("yield", unit="%"), OutcomeConstraint("purity", lower=0.9), Tracked("colour")]
HEADERS = [
    "trial",
    "temperature [degC]",
    "hours [h]",
    "flask",
    "solvent",
    "yield [%]",
    "purity",
    "colour",
    "cost",
    "status",
    "note",
]


def study(**options):
    return Study(SPACE, WANTED, **({"strategy": RandomSearch(), "seed": 4} | options))


def asked(n=4, **options):
    s = study(**options)
    s.suggest_frame(n)
    return s


def sheet(*rows):
    return pd.DataFrame([{"trial": None} | row for row in rows]).astype(object)


def refused(s, error, said, frame, verb=Study.tell_frame, **options):
    before = s.storage.events(s.name)
    with pytest.raises(error, match=said):
        verb(s, frame, **options)
    assert s.storage.events(s.name) == before


def test_the_table_to_fill_in_has_a_column_for_each_thing_and_units_in_its_headers():
    s = study()
    frame = s.suggest_frame(3, fixed={"flask": 25}, shared=["temperature"])
    assert frame.columns.tolist() == HEADERS
    assert frame["trial"].tolist() == [0, 1, 2]
    assert frame["hours [h]"].tolist() == [t["hours"] for t in s.trials]
    assert (frame["flask"].tolist(), frame["temperature [degC]"].nunique()) == ([25] * 3, 1)
    assert frame[HEADERS[5:]].isna().all(axis=None)
    pd.testing.assert_frame_equal(s.pending_frame(), frame)


def test_a_table_goes_through_a_csv_and_back_in_two_sittings():
    s = asked()
    table = pd.read_csv(io.StringIO(s.pending_frame().to_csv(index=False)), dtype=str, keep_default_na=False)
    assert str(s.tell_frame(table)) == "4 untouched (0, 1, 2, 3)"
    table["yield [%]"] = ["81; 83; 80", "70", "", ""]
    table["purity"] = ["", "0.95", "", ""]
    table["temperature [degC]"] = [table["temperature [degC]"][0], "133", *table["temperature [degC]"][2:]]
    table["status"] = ["", "completed", " Failed ", ""]
    table["note"] = ["HPLC tomorrow", "", "leaked", ""]
    done = s.tell_frame(table)
    assert (done.told, done.partial, done.failed, done.untouched) == ([1], [0], [2], [3])
    assert done.executed == {1: {"temperature": (s.trial(1).suggested["temperature"], 133.0)}}
    assert "1 told (1)" in str(done)
    assert f"trial 1: temperature 133.0 instead of {s.trial(1).suggested['temperature']!r}" in str(done)
    assert s.trial(0).replicates == {"yield": (81.0, 83.0, 80.0)}
    assert (s.trial(0).status, s.trial(0).note) == (Status.RUNNING, "HPLC tomorrow")
    assert (s.trial(2).status, s.trial(2).message, s.trial(2).reason) == ("failed", "leaked", FailureReason.INVALID)
    before = s.storage.events(s.name)
    again = s.tell_frame(table)
    assert (again.unchanged, again.untouched) == ([0, 1, 2], [3])
    assert s.storage.events(s.name) == before
    table.loc[0, "purity"] = "0.97"
    table.loc[3, "status"], table.loc[3, "note"] = "cancelled", "out of stock"
    done = s.tell_frame(table)
    assert (done.told, done.cancelled, done.unchanged) == ([0], [3], [1, 2])
    assert s.trial(0).values == {"yield": pytest.approx(244 / 3), "purity": 0.97}
    assert s.trial(3).message == "out of stock"
    assert s.pending_frame().empty


def test_a_printed_table_shows_what_is_known_and_takes_the_rest():
    s = asked(2)
    s.tell(1, {"yield": [81, 83]}, partial=True, params={"hours": 60}, cost=2.0)
    frame = s.pending_frame()
    assert frame.loc[1, ["yield [%]", "purity", "hours [h]", "cost"]].tolist() == ["81.0; 83.0", None, 60, 2.0]
    frame.loc[1, "purity"] = 0.95
    assert s.tell_frame(frame).told == [1]
    assert s.trial(1).replicates == {"yield": (81.0, 83.0)}
    assert (s.trial(1)["hours"], s.trial(1).cost) == (60, 2.0)


def test_a_table_of_typed_values_says_the_same_as_one_of_text():
    one, two = asked(2), asked(2)
    values = {"temperature": np.float64(83.0), "hours": np.int64(7), "flask": 25.0, "solvent": True}
    result = {"yield": [81.0, 83.0], "purity": np.float32(0.5), "cost": 3, "note": "pink"}
    texts = {"temperature": " 83 ", "hours": "7.0", "flask": "25", "solvent": "TRUE"}
    said = {"yield": "81;83", "purity": "0.5", "cost": "3", "note": "pink"}
    one.tell_frame(sheet({"trial": 1} | values | result))
    two.tell_frame(sheet({"trial": "1.0"} | texts | said))
    assert one.trial(1).params == two.trial(1).params == {"temperature": 83.0, "hours": 7, "flask": 25, "solvent": True}
    for name in ("values", "replicates", "cost", "note", "status"):
        assert getattr(one.trial(1), name) == getattr(two.trial(1), name)


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "None", "<NA>", None, math.nan, pd.NA, pd.NaT])
def test_an_empty_cell_says_nothing(cell):
    s = asked(1)
    row = dict.fromkeys(["temperature", "hours", "flask", "yield", "purity", "colour", "cost", "status", "note"], cell)
    assert s.tell_frame(sheet({"trial": 0} | row)).untouched == [0]
    s.tell_frame(sheet({"trial": 0} | row | {"yield": 80, "purity": 0.95}))
    trial = s.trial(0)
    assert (trial.values, trial.cost, trial.note, trial.suggested) == ({"yield": 80.0, "purity": 0.95}, None, "", None)


def test_choices_are_known_by_their_spelling():
    space = Space([Categorical("base", ["none", "Na", 1, "2", True]), Ordinal("size", [0.5, 1.0])])
    for text, choice in (
        ("none", "none"), ("na", "Na"), ("1", 1), (1.0, 1), ("2", "2"), (2, "2"), ("2.0", "2"), ("true", True),
    ):  # fmt: skip
        s = Study(space, Minimize("y"), strategy=RandomSearch(), seed=1)
        s.ask(fixed={"base": "Na" if choice != "Na" else 1})
        s.tell_frame(sheet({"trial": 0, "base": text, "y": 1}))
        assert (s.trial(0)["base"], type(s.trial(0)["base"])) == (choice, type(choice))
    s = Study(space, Minimize("y"), strategy=RandomSearch(), seed=1)
    s.ask()
    refused(s, SpaceError, "column 'base': .*one of.*got 'K'", sheet({"trial": 0, "base": "K", "y": 1}))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("temperature", "temperature"),
        (" Temperature[degC] ", "temperature"),
        ("TEMPERATURE (degC)", "temperature"),
        ("temperature []", "temperature"),
        ("\ufeffyield (%)", "yield"),
        ("Cost", "cost"),
        ("trial_cost", "cost"),
    ],
)
def test_a_header_is_known_with_or_without_its_unit(title, name):
    s = asked(1)
    row = {"trial": 0, "yield": 80, "purity": 0.95, "temperature": 33.0, "cost": 1.0}
    s.tell_frame(sheet(row).rename(columns={name: title}))
    assert (s.trial(0).values["yield"], s.trial(0)["temperature"], s.trial(0).cost) == (80.0, 33.0, 1.0)


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ({"temperature [K]": 300.0}, SpaceError, "temperature is in degC, the table says K"),
        ({"flask [ml]": 25}, SpaceError, "flask has no unit in this study, the table says ml"),
        ({"yield (mol)": 1.0}, ObjectiveError, "yield is in %, the table says mol"),
        ({"temprature": 30.0}, ObjectiveError, r"unknown are \['temprature'\] \(did you mean 'temperature'\?\)"),
        ({"operator": "Ada"}, ObjectiveError, r"unknown are \['operator'\]\. Rename"),
        ({"hours": 3, "hours [h]": 3}, ObjectiveError, "two columns for 'hours'"),
        ({"cost": 3, "trial_cost": 3}, ObjectiveError, "'cost' and 'trial_cost'"),
    ],
)
def test_columns_that_do_not_fit_are_named(columns, error, said):
    s = asked(1)
    refused(s, error, said, sheet({"trial": 0, "yield": 80, "purity": 0.95} | columns))


def test_columns_of_free_text_may_be_passed_over():
    s = asked(1)
    frame = sheet({"trial": 0, "yield": 80, "purity": 0.95, "Operator": "Ada", "Unnamed: 5": None})
    refused(s, ObjectiveError, "Operator", frame)
    assert s.tell_frame(frame, ignore=["operator"]).told == [0]


@pytest.mark.parametrize(
    ("row", "error", "said"),
    [
        ({"trial": 1, "yield": "high"}, ObjectiveError, r"Row of trial 1 \(line 3\): column 'yield \[%\]': .*'high'"),
        ({"trial": 1, "yield": "81,5"}, ObjectiveError, "a point before decimals.*got '81,5'"),
        ({"trial": 1, "yield": True}, ObjectiveError, r"line 3.*got True"),
        ({"trial": 1, "yield": "inf"}, NonFiniteError, r"line 3.*'yield' must be finite"),
        ({"trial": 1, "temperature": "hot"}, SpaceError, r"line 3\): column 'temperature': .*got 'hot'"),
        ({"trial": 1, "hours": 2.5}, SpaceError, "column 'hours': .*whole number"),
        ({"trial": 1, "solvent": "ether"}, SpaceError, "column 'solvent': .*got 'ether'"),
        ({"trial": 1, "cost": -1}, ObjectiveError, "column 'cost': .*at least 0"),
        ({"trial": 1, "status": "done"}, TrialError, "column 'status': .*completed.*got 'done'"),
        ({"trial": 1, "status": "completed"}, ObjectiveError, r"\['yield', 'purity'\] missing|at least one metric"),
        ({"trial": 1, "yield": 80, "status": "completed"}, ObjectiveError, r"line 3.*\['purity'\] missing"),
        ({"trial": 1, "yield": 80, "status": "failed"}, TrialError, "gives no values"),
        ({"trial": 7, "yield": 80}, TrialError, r"Row of trial 7 \(line 3\): .*trials 0 to 3: got 7"),
        ({"trial": -1, "yield": 80}, TrialError, "got -1"),
        ({"trial": 0, "yield": 80}, TrialError, "Line 3, column 'trial': Trial 0 stands in line 2 already"),
        ({"trial": 1.5, "yield": 80}, TrialError, "Line 3, column 'trial': A trial is a whole number: got 1.5"),
        ({"trial": "one", "yield": 80}, TrialError, "got 'one'"),
        ({"yield": 80, "purity": 1.0}, SpaceError, r"Line 3: .*missing are"),
        ({"yield": 80, "status": "failed"}, TrialError, "Line 3: .*own experiment"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_the_whole_table_refused(row, error, said):
    s = asked()
    frame = sheet({"trial": 0, "yield": 80, "purity": 0.95}, row)
    if "yield" in row and row["yield"] == "high":
        frame = frame.rename(columns={"yield": "yield [%]"})
    refused(s, error, said, frame)


def test_a_row_told_otherwise_before_is_refused_with_the_way_to_amend_it():
    s = asked()
    done = {"trial": 0, "yield": 80, "purity": 0.95, "temperature": 33.0, "cost": 1.5}
    s.tell_frame(sheet(done))
    s.fail(1, "leaked", reason=FailureReason.RAISED)
    for other in (
        {"yield": 81},
        {"temperature": 34.0},
        {"cost": 2},
        {"status": "failed", "yield": None, "purity": None},
    ):
        refused(s, AlreadyToldError, r"Row of trial 0 \(line 2\): .*amend\(\)", sheet(done | other))
    refused(s, AlreadyToldError, "Trial 1 is failed", sheet({"trial": 1, "yield": 80, "purity": 0.95}))
    assert s.tell_frame(sheet(done | {"yield": 80 * (1 + 1e-12)}, {"trial": 1, "status": "failed"})).unchanged == [0, 1]
    s.amend(0, {"yield": 88.0}, why="typo")
    assert s.tell_frame(sheet(done)).unchanged == [0]
    assert s.tell_frame(sheet(done | {"yield": 88})).unchanged == [0]


def test_a_further_note_on_a_told_row_is_kept_once():
    s = asked(1)
    row = {"trial": 0, "yield": 80, "purity": 0.95, "note": "pink"}
    assert s.tell_frame(sheet(row)).noted == []
    assert s.tell_frame(sheet(row)).noted == []
    assert s.tell_frame(sheet(row | {"note": "pink foam"})).noted == [0]
    assert s.tell_frame(sheet(row | {"note": "pink foam"})).noted == []
    assert s.trial(0).note == "pink\npink foam"


def test_values_printed_with_six_digits_are_as_suggested():
    s = asked(3)
    frame = s.pending_frame()
    frame["temperature [degC]"] = [f"{t['temperature']:.6g}" for t in s.trials]
    frame.loc[1, "temperature [degC]"] = f"{s.trial(1)['temperature'] * 1.001:.6g}"
    frame[["yield [%]", "purity"]] = 0.95
    assert list(s.tell_frame(frame).executed) == [1]
    assert [t.suggested is None for t in s.trials] == [True, False, True]


def test_failed_rows_keep_what_was_executed_and_the_reason_that_the_status_says():
    s = asked(3)
    rows = [{"trial": k, "status": word, "temperature": 150} for k, word in enumerate(("failed", "Timeout", "LOST"))]
    assert s.tell_frame(sheet(*rows)).failed == [0, 1, 2]
    assert [t.reason for t in s.trials] == ["invalid", "timeout", "lost"]
    assert [t["temperature"] for t in s.trials] == [150.0] * 3
    assert s.history.is_failed.tolist() == [True, False, False]
    assert s.tell_frame(sheet(*rows)).unchanged == [0, 1, 2]


def test_experiments_of_ones_own_are_attached_once():
    s = asked(1)
    own = {"temperature": "50", "hours": 3, "flask": 25, "solvent": "DMF", "yield": "55; 57", "purity": 0.99}
    second = own | {"yield": 60, "solvent": None}
    rows = [own | {"note": "mine", "cost": 2}, second, {"trial": 0, "yield": 80, "purity": 0.95}]
    done = s.tell_frame(sheet(*rows))
    assert (done.told, done.attached) == ([0], [1, 2])
    mine = s.trial(1)
    assert mine.params == {"temperature": 50.0, "hours": 3, "flask": 25, "solvent": "DMF"}
    assert (mine.values["yield"], mine.replicates, mine.note, mine.cost) == (56.0, {"yield": (55.0, 57.0)}, "mine", 2.0)
    assert s.tell_frame(sheet(own, second)).unchanged == [1, 2]
    assert s.tell_frame(sheet(*rows)).unchanged == [0, 1, 2]
    assert (s.history.n_suggested, len(s.trials)) == (1, 3)


OWN = {"temperature": 50, "hours": 3, "flask": 25, "solvent": "DMF", "yield": 44, "purity": 0.93}


def test_what_is_filled_in_later_in_a_row_of_ones_own_is_added_to_it():
    s = study()
    assert s.tell_frame(sheet(OWN)).attached == [0]
    assert s.tell_frame(sheet(OWN | {"note": "brown"})).noted == [0]
    done = s.tell_frame(sheet(OWN | {"note": "brown", "cost": 2.5, "colour": 7}))
    assert (done.added, done.noted, done.attached) == ([0], [], [])
    assert s.tell_frame(sheet(OWN | {"note": "brown", "cost": 2.5, "colour": 7})).unchanged == [0]
    s.amend(0, {"yield": 46.0}, cost=3.0, why="typo")
    for row in (
        OWN,
        OWN | {"yield": 46},
        OWN | {"yield": 44 * (1 + 1e-12), "cost": 3},
        OWN | {"yield": 46, "cost": 2.5},
    ):
        assert s.tell_frame(sheet(row)).unchanged == [0]
    s.amend(0, params={"temperature": 55.0}, why="typo")
    s.amend(0, status=Status.CANCELLED, why="wrong bottle")
    assert s.tell_frame(sheet(OWN)).unchanged == [0]
    refused(s, AlreadyToldError, "Line 2: Trial 0 has {'cost': 3.0}", sheet(OWN | {"cost": 9}))
    assert s.tell_frame(sheet(OWN | {"yield": 45})).attached == [1]


def test_a_row_of_ones_own_that_stands_twice_in_a_table_is_refused():
    s = study()
    for again in (OWN, OWN | {"note": "once more", "cost": 2}):
        refused(s, TrialError, "Line 3: It has the conditions and results of line 2: drop one", sheet(OWN, again))
    s.tell_frame(sheet(OWN))
    refused(s, TrialError, "of line 2: drop one", sheet(OWN, OWN))


def test_a_row_of_ones_own_is_known_beside_past_data_and_a_frame_of_the_study():
    s = study()
    s.add(pd.DataFrame([OWN]))
    assert s.tell_frame(sheet(OWN)).unchanged == [0]
    s.tell_frame(sheet(OWN | {"yield": 50}))
    both = pd.concat([s.frame(), sheet(OWN | {"yield": 50})])
    assert s.tell_frame(both).unchanged == [0, 1, 1]
    assert s.tell_frame(pd.concat([s.frame(), sheet(OWN)])).unchanged == [0, 1, 0]
    s.amend(0, params={"temperature": 55.0}, why="typo")
    for temperature in (50, 55):
        assert s.tell_frame(sheet(OWN | {"temperature": temperature})).unchanged == [0]
    assert len(s.trials) == 2


def test_a_further_experiment_at_the_conditions_of_a_trial_stands_beside_its_row():
    s = asked(1)
    row = {"trial": 0, "yield": 80, "purity": 0.95}
    again = s.trial(0).params | {"yield": 81, "purity": 0.95}
    refused(s, TrialError, "conditions of trial 0, which is pending", sheet(row, again | {"yield": 80}))
    done = s.tell_frame(sheet(again, row))
    assert (done.told, done.attached) == ([0], [1])
    assert s.tell_frame(sheet(again, row)).unchanged == [0, 1]


def test_rows_that_lost_the_numbers_of_pending_trials_are_no_past_data():
    s = asked(3)
    frame = s.pending_frame()
    frame[["yield [%]", "purity"]] = [[80, 0.95], [81, 0.95], [82, 0.95]]
    numbers = frame.pop("trial")
    refused(s, TrialError, "Line 2: These are the conditions of trial 0, which is pending: write 0", frame)
    frame["temperature [degC]"] = [f"{t:.6g}" for t in frame["temperature [degC]"]]
    refused(s, TrialError, "conditions of trial 0", frame)
    assert s.tell_frame(frame.set_index(pd.Index(numbers, name="trial"))).told == [0, 1, 2]
    assert s.tell_frame(frame).unchanged == [0, 1, 2]
    assert len(s.trials) == 3


def test_conditions_of_another_pending_trial_are_a_mistyped_number():
    s = asked(5)
    s.tell(2, {"yield": 1.0, "purity": 1.0})
    row = {"trial": 3, "yield": 80, "purity": 0.95} | s.trial(4).params
    refused(
        s, TrialError, r"Row of trial 3 \(line 2\): These are the conditions of trial 4.*Mend the number", sheet(row)
    )
    done = s.tell_frame(sheet(row | s.trial(2).params, {"trial": 4, "yield": 70, "purity": 0.9}))
    assert done.told == [3, 4]
    assert s.trial(3).params == s.trial(2).params


def test_rows_without_results_keep_their_note_and_refuse_what_would_be_lost():
    s = asked(2)
    row = {"trial": 1, "note": "waiting for base"}
    done = s.tell_frame(sheet(row))
    assert (done.untouched, done.noted) == ([1], [1])
    assert s.tell_frame(sheet(row)).noted == []
    for lost in ({"cost": 5}, {"temperature": 93}, {"cost": 5, "temperature": 93}):
        refused(s, TrialError, r"line 2\): It says .*has no results: fill in", sheet(row | lost))
    s.tell_frame(sheet(row | {"cost": 5, "temperature": 93, "yield": 81}))
    assert (s.trial(1).note, s.trial(1).cost, s.trial(1)["temperature"]) == ("waiting for base", 5.0, 93.0)
    assert s.tell_frame(sheet({"trial": 1, "cost": 6})).partial == [1]
    s.cancel(0)
    assert s.tell_frame(sheet({"trial": 0, "cost": 4, "note": "solvent used"})).added == [0]
    assert (s.trial(0).cost, s.trial(0).note, s.trial(1).cost) == (4.0, "solvent used", 6.0)
    refused(s, AlreadyToldError, "Trial 0 has", sheet({"trial": 0, "temperature": 93}))


def test_failed_and_cancelled_rows_keep_cost_and_executed_conditions():
    s = asked(3)
    s.tell(2, {"yield": 81}, partial=True, cost=1.0)
    rows = [
        {"trial": 0, "status": "failed", "cost": 25, "note": "leaked"},
        {"trial": 1, "status": "cancelled", "cost": 2, "temperature": 150},
        {"trial": 2, "status": "failed", "cost": 3, "hours": 60},
    ]
    done = s.tell_frame(sheet(*rows))
    assert (done.failed, done.cancelled, list(done.executed)) == ([0, 2], [1], [1, 2])
    again = Study.load(s.storage)
    assert [t.cost for t in again.trials] == [25.0, 2.0, 3.0]
    assert (again.trial(1)["temperature"], again.trial(2)["hours"]) == (150.0, 60)
    assert {e.kind for e in s.storage.events(s.name)[-3:]} == {"failed", "cancelled"}
    before = s.storage.events(s.name)
    assert s.tell_frame(sheet(*rows)).unchanged == [0, 1, 2]
    assert s.tell_frame(sheet(rows[2] | {"cost": 1})).unchanged == [2]
    assert s.storage.events(s.name) == before
    refused(s, AlreadyToldError, "Trial 0 has", sheet(rows[0] | {"cost": 26}))


def test_a_row_told_in_part_and_amended_does_not_block_its_sheet():
    s = asked(2)
    row = {"trial": 0, "yield": 18, "cost": 2, "temperature": 33}
    s.tell_frame(sheet(row))
    s.amend(0, {"yield": 81.0}, why="typo")
    assert s.tell_frame(sheet(row)).unchanged == [0]
    assert s.tell_frame(sheet(row | {"purity": 0.95})).told == [0]
    s.amend(0, cost=3.0, why="typo")
    s.amend(0, params={"temperature": 35.0}, why="typo")
    for mended in ({}, {"cost": 3}, {"yield": 81}, {"yield": 81, "temperature": 35}):
        assert s.tell_frame(sheet(row | {"purity": 0.95} | mended)).unchanged == [0]
    assert s.trial(0).values == {"yield": 81.0, "purity": 0.95}
    s.tell(1, {"yield": 50}, partial=True)
    s.fail(1, "spilt")
    assert s.tell_frame(sheet({"trial": 1, "yield": 50})).unchanged == [1]
    refused(s, AlreadyToldError, "Trial 1 is failed", sheet({"trial": 1, "yield": 50, "purity": 0.9}))
    refused(s, AlreadyToldError, "Trial 1 has", sheet({"trial": 1, "yield": 51}))


def test_cells_filled_in_later_are_added():
    s = asked(2)
    row = {"trial": 0, "yield": 80, "purity": 0.95}
    s.tell_frame(sheet(row, {"trial": 1, "yield": 70, "cost": 1}))
    done = s.tell_frame(sheet(row | {"colour": 3}, {"trial": 1, "yield": 70, "cost": 2}))
    assert (done.added, done.partial) == ([0], [1])
    assert s.tell_frame(sheet(row | {"colour": 3, "cost": 4})).added == [0]
    assert str(s.tell_frame(sheet(row, row | {"trial": 1, "yield": 70, "purity": None}))) == "2 unchanged (0, 1)"
    assert (s.trial(0).values["colour"], s.trial(0).cost, s.trial(1).cost) == (3.0, 4.0, 2.0)
    refused(s, AlreadyToldError, "Trial 0 has {'colour': 3.0}", sheet(row | {"colour": 4}))


def test_a_printed_condition_does_not_contradict_what_was_executed_instead():
    s = asked(1)
    printed = s.pending_frame()
    s.tell(0, {"yield": 81.0}, partial=True, params={"temperature": 113.0})
    printed.loc[0, ["yield [%]", "purity"]] = [81.0, 0.95]
    done = s.tell_frame(printed)
    assert done.told == [0]
    suggested = s.trial(0).suggested["temperature"]
    assert f"trial 0: temperature 113.0 instead of {suggested!r}" in str(done)
    done = s.tell_frame(printed)
    assert (done.unchanged, s.trial(0)["temperature"]) == ([0], 113.0)
    assert "temperature 113.0 instead" in str(done)


def test_single_measurements_beside_those_told_are_not_passed_over():
    s = asked(1)
    row = {"trial": 0, "yield": "21; 25", "purity": 0.95}
    s.tell_frame(sheet(row))
    assert s.tell_frame(sheet(row | {"yield": "21;25"})).unchanged == [0]
    assert s.tell_frame(sheet(row | {"yield": 23})).unchanged == [0]
    refused(s, AlreadyToldError, r"\[21.0, 25.0, 23.0\]", sheet(row | {"yield": "21; 25; 23"}))


def test_a_note_that_is_part_of_an_older_one_is_another_note():
    s = asked(2)
    row = {"trial": 0, "yield": 80, "purity": 0.95}
    s.tell_frame(sheet(row | {"note": "was not repeated"}, {"trial": 1, "status": "failed", "note": "leaked a lot"}))
    done = s.tell_frame(sheet(row | {"note": "repeated"}, {"trial": 1, "status": "failed", "note": "leaked"}))
    assert done.noted == [0, 1]
    assert (s.trial(0).note, s.trial(1).note) == ("was not repeated\nrepeated", "leaked")


def test_a_frame_of_the_whole_study_goes_back_into_it_unchanged():
    s = asked()
    s.tell(0, {"yield": [80, 82], "purity": 0.95}, note="pink", cost=1.0, params={"hours": 60})
    s.tell(1, {"yield": 70}, partial=True)
    s.fail(2, "leaked")
    before = s.storage.events(s.name)
    done = s.tell_frame(s.frame())
    assert (done.unchanged, done.untouched) == ([0, 1, 2], [3])
    assert s.storage.events(s.name) == before


def test_an_empty_table_and_empty_rows_say_nothing():
    s = asked(1)
    assert str(s.tell_frame(pd.DataFrame())) == "no rows"
    assert str(s.tell_frame(sheet({"trial": 0}).iloc[:0])) == "no rows"
    done = s.tell_frame(sheet({}, {"trial": 0, "yield": 1, "purity": 1}, {}))
    assert done.told == [0]


def test_a_metric_called_cost_leaves_the_trials_cost_another_column():
    s = Study([Float("x", 0.0, 1.0)], Minimize("cost"), strategy=RandomSearch(), seed=1)
    frame = s.suggest_frame(1)
    assert frame.columns.tolist() == ["trial", "x", "cost", "trial_cost", "status", "note"]
    frame.loc[0, ["cost", "trial_cost"]] = [3.0, 5.0]
    s.tell_frame(frame)
    assert (s.best.values, s.best.cost) == ({"cost": 3.0}, 5.0)


def test_a_table_that_meets_another_on_its_way_is_read_again():
    class Late(MemoryStorage):
        between = None

        def append(self, name, events, **options):
            between, self.between = self.between, None
            if between is not None:
                between()
            return super().append(name, events, **options)

    storage = Late()
    s = asked(2, storage=storage)
    other = Study.load(storage)
    rows = [{"trial": 0, "yield": 80, "purity": 0.95}, {"trial": 1, "yield": 70}]
    storage.between = lambda: other.tell(0, {"yield": 80, "purity": 0.95}, cost=1.0)
    done = s.tell_frame(sheet(*rows))
    assert (done.unchanged, done.partial) == ([0], [1])
    rows[1] |= {"purity": 0.92}
    storage.between = lambda: other.tell(1, {"purity": 0.91})
    with pytest.raises(AlreadyToldError, match="Row of trial 1"):
        s.tell_frame(sheet(*rows))
    assert s.trial(1).values == {"yield": 70.0, "purity": 0.91}


def test_past_data_takes_text_units_and_replicates_as_a_filled_in_table_does():
    s = study()
    frame = pd.DataFrame(
        {
            "Temperature (degC)": ["50", "60"],
            "hours": ["3", 4.0],
            "flask": ["25", 10],
            "solvent": ["DMF", None],
            "yield [%]": ["55; 57", 60],
            "purity": ["0.99", 0.95],
        }
    )
    assert s.add(frame) == 2
    assert [t["solvent"] for t in s.trials] == ["DMF", None]
    assert s.trial(0).replicates == {"yield": (55.0, 57.0)}
    assert s.add(frame) == 0
    own = {"temperature": 153.5, "hours": 77, "flask": 25, "solvent": "DMF", "yield": 60, "purity": 0.95}
    assert s.add(pd.DataFrame([own])) == 1
    assert s.tell_frame(sheet(own | {"yield": 61})).attached == [3]
    assert (s.trial(3)["temperature"], s.trial(3)["hours"]) == (153.5, 77)
    refused(s, SpaceError, "Line 2: .*one of.*got 30.*left out, or study.change_space", sheet(own | {"flask": 30}))
    with pytest.raises(SpaceError, match="temperature is in degC"):
        s.add(frame.rename(columns={"Temperature (degC)": "temperature [K]"}))


def test_the_studys_own_sheet_may_be_past_data_of_another_and_points_to_predict():
    s = asked(3)
    frame = s.pending_frame()
    frame[["yield [%]", "purity", "cost"]] = [[80, 0.95, 1.0], [81, 0.95, 2.0], [82, 0.95, 3.0]]
    other = study()
    assert other.add(frame) == 3
    assert other.add(frame.astype(object).where(frame.notna(), "")) == 0
    assert [t.values["yield"] for t in other.trials] == [80.0, 81.0, 82.0]
    assert other.fork(strategy=GP()).predict(frame)["yield mean"].notna().all()


def test_known_noise_is_a_column_that_goes_out_and_comes_back():
    s = asked()
    s.tell(0, {"yield": [80, 82], "purity": 0.95}, sd={"yield": 1.5})
    assert "sd of purity" not in s.frame()
    done = s.tell_frame(
        sheet({"trial": 1, "yield": 70, "purity": "0.9", "sd of yield [%]": "2.5", "SD of purity": 0.01})
    )
    assert (done.told, s.trial(1).sd) == ([1], {"yield": 2.5, "purity": 0.01})
    assert s.frame()["sd of yield"].tolist()[:2] == [1.5, 2.5]
    before = s.storage.events(s.name)
    table = pd.read_csv(io.StringIO(s.frame().to_csv(index=False)), dtype=str, keep_default_na=False)
    assert s.tell_frame(table).unchanged == [0, 1]
    assert s.storage.events(s.name) == before
    s.tell(2, {"purity": 0.93}, sd={"purity": 0.02}, partial=True)
    waiting = s.pending_frame()
    assert waiting["sd of purity"].tolist()[0] == 0.02
    waiting["yield [%]"] = [66, None]
    assert s.tell_frame(waiting).told == [2]
    assert s.trial(2).sd == {"purity": 0.02}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"sd of yield": 1.0}, "Row of trial 0.*comes with its value: the row has none of .'yield'."),
        ({"yield": 80, "purity": 0.95, "sd of yield": -1.0}, "at least 0: got {'yield': -1.0}"),
        ({"yield": 80, "purity": 0.95, "sd of yield": "about 2"}, "is a number.*got 'about 2'"),
        ({"yield": 80, "purity": 0.95, "sd of yield [K]": 1.0}, "is in %, the table says K"),
    ],
)
def test_noise_that_does_not_fit_is_refused(cells, said):
    refused(asked(), ObjectiveError, said, sheet({"trial": 0} | cells))


def test_noise_told_otherwise_is_refused():
    s = asked()
    s.tell(0, {"yield": 80, "purity": 0.95}, sd={"yield": 1.5})
    refused(s, AlreadyToldError, "sd of yield.*1.5", sheet({"trial": 0, "yield": 80, "sd of yield": 2.0}))


def test_past_data_keeps_replicates_and_noise_of_a_studys_frame():
    s = asked()
    s.tell(0, {"yield": [80, 82.5, 81], "purity": [0.95, 0.97]}, sd={"yield": 1.5})
    s.tell(1, {"yield": 70, "purity": 0.9})
    table = pd.read_csv(io.StringIO(s.frame().to_csv(index=False)), dtype=str, keep_default_na=False)
    for frame in (s.frame(), table):
        other = study()
        assert other.add(frame) == 2
        there = other.trial(0)
        assert there.replicates == {"yield": (80.0, 82.5, 81.0), "purity": (0.95, 0.97)}
        assert (there.sd, other.trial(1).sd, other.trial(1).replicates) == ({"yield": 1.5}, {}, {})
        assert other.add(frame) == 0
    mended = s.frame().astype(object)
    mended.loc[0, "yield"] = 90.0
    with pytest.raises(ObjectiveError, match="Row 0.*whose mean is not 90"):
        study().add(mended)
    mended.loc[0, "yield"] = "90; 91; 95"
    other = study()
    other.add(mended)
    assert other.trial(0).replicates == {"yield": (90.0, 91.0, 95.0), "purity": (0.95, 0.97)}


@pytest.mark.parametrize("digits", [1, 2, 4])
def test_rounded_means_are_those_of_the_replicates_beside_them(digits):
    s = asked()
    s.tell(0, {"yield": [80, 82.5, 81], "purity": [0.95, 0.97]})
    other = study()
    frame = s.frame()
    frame["yield"] = frame["yield"].round(digits).astype(str)
    assert other.add(frame) == 1
    assert other.trial(0).values["yield"] == pytest.approx(81.1666666666, abs=1e-9)


def test_past_data_is_known_by_conditions_and_results_whatever_stands_beside_them():
    s, frame = study(), pd.DataFrame([{"temperature": 50.0, "hours": 3, "flask": 25, "solvent": "DMF"}])
    frame = frame.assign(**{"yield": 81.0, "purity": 0.95})
    assert s.add(frame) == 1
    key = next(e.key for e in s.storage.events(s.name) if e.kind == "attached")
    assert key == "attached/1d51bfd6d52d3978b2b0f92d/0"  # as in the logs of before there were such columns
    assert s.add(frame.assign(**{"sd of yield": 1.5, "replicates": "yield=80.0; 82.0"})) == 0


def test_names_of_metrics_may_be_parts_of_one_another():
    s = Study(SPACE, [Maximize("yield"), Tracked("crude, yield")], strategy=RandomSearch(), seed=1)
    s.tell(s.ask(), {"yield": 70.0, "crude, yield": [80.0, 90.0]})
    s.tell(s.ask(), {"yield": [60.0, 80.0], "crude, yield": [80.0, 90.0]})
    other = Study(SPACE, [Maximize("yield"), Tracked("crude, yield")], strategy=RandomSearch(), seed=1)
    other.add(s.frame())
    assert [t.replicates for t in other.trials] == [t.replicates for t in s.trials]


def test_a_metric_called_like_a_column_of_noise_leaves_none_to_the_other():
    s = Study(SPACE, [Maximize("y"), Tracked("sd of y")], strategy=RandomSearch(), seed=1)
    s.ask()
    s.tell(0, {"y": 1.0, "sd of y": 7.0}, sd={"y": 0.5})
    assert s.frame()["sd of y"].tolist() == [7.0]
    assert s.trial(0).sd == {"y": 0.5}


HEAD = "temperature,hours,flask,solvent,yield,purity"


def lab_table(*rows, head=HEAD):
    """As pandas reads a lab's file."""
    return pd.read_csv(io.StringIO("\n".join((head, *rows))))


def test_columns_of_a_lab_table_may_be_passed_over_and_blank_rows_are_none():
    frame = lab_table(
        "50,3,25,DMF,55,0.99,red,", ",,,,,,,", "60,4,10,water,60,0.95,,", ",,,,,,,", head=f"{HEAD},Operator,"
    )
    s = study()
    refused(s, ObjectiveError, "unknown are .'Operator'.", frame, verb=Study.add)
    assert s.add(frame, ignore=["operator"]) == 2
    assert [t.values["yield"] for t in s.trials] == [55.0, 60.0]
    assert s.add(frame.dropna(how="all"), ignore=["operator"]) == 0


def test_failed_rows_of_a_lab_table_teach_where_not_to_go(tmp_path):
    frame = lab_table(
        "50,3,25,DMF,55,0.99,,",
        "60,4,10,DMF,,,Failed,precipitated",
        "70,4,10,DMF,,,timeout,",
        "80,4,10,DMF,,,cancelled,",
        "90,4,10,DMF,,,running,",
        head=f"{HEAD},status,note",
    )
    s = study(storage=tmp_path / "s.jsonl")
    assert s.add(frame) == 2
    assert s.add(frame) == 0
    failed = s.trial(1)
    assert (failed.status, failed.reason, failed.message) == (Status.FAILED, FailureReason.INVALID, "precipitated")
    assert (failed["temperature"], failed.values) == (60.0, {})
    for there in (s, Study.load(s.storage, s.name)):
        assert there.history.is_failed.tolist() == [False, True]
        assert there.history.is_past.all()
        assert there.history.n_counted == 0
    assert s.add(frame.iloc[1:2]) == 0
    assert s.best.number == 0
    s.ask()
    assert s.verify().agrees
    other = study()
    assert other.add(s.frame()) == 2
    assert [(t.params, t.status, t.reason, t.message) for t in other.trials[:2]] == [
        (t.params, t.status, t.reason, t.message) for t in s.trials[:2]
    ]
    with pytest.raises(AlreadyToldError, match="Trial 1 is failed"):
        s.tell(1, {"yield": 50.0, "purity": 0.9})
    s.amend(1, {"yield": 50.0, "purity": 0.9}, status=Status.COMPLETED, why="filtered")
    assert s.trial(1).values["yield"] == 50.0


def test_a_row_without_results_says_how_it_ended():
    s = study()
    frame = lab_table("50,3,25,DMF,55,0.99", "60,4,10,DMF,,0.5")
    refused(s, ObjectiveError, "^Row 1: It has no value of .'yield'.. Where .* failed write", frame, verb=Study.add)
    frame["status"] = frame["yield"].isna().map({True: "failed", False: None})
    assert s.add(frame) == 2
    refused(
        s, ObjectiveError, "^Row 0: The column 'status' is of bbo's own", frame.assign(status="green"), verb=Study.add
    )
    assert s.add(frame[:1].assign(status="green"), ignore=["status"]) == 0
