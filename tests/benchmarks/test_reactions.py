"""Tables, pairing and figures of `reactions.py`, on a made-up table and made-up campaigns."""

import itertools

import numpy as np
import pytest
import quality
import reactions
from quality_runs import PLAIN, Ours, Record, made, run
from quality_suite import SUITE, first_points
from reaction_tables import Table

from bbo.errors import SpaceError
from bbo.problems.data import Dataset
from bbo.space import Categorical, Ordinal

NAME = "buchwald_hartwig"
BASES, ADDITIVES, HOURS = ["MTBD", "P2Et"], ["None", "ether", "furan"], ["1.0", "5.0", "24.0"]
MISSING = ("P2Et", "None", "5.0")


@pytest.fixture
def table(tmp_path, monkeypatch):
    folder = tmp_path / "chemistry" / NAME
    folder.mkdir(parents=True)
    lines = ["parameter,type,level_index,level,smiles,n_rows,d1,d2"]
    lines += [f"base,categorical,{k},{level},,9,{k}.5,1.0" for k, level in enumerate(BASES)]
    lines += [f"additive,categorical,{k},{level},,6,{k * k},{k}" for k, level in enumerate(ADDITIVES)]
    lines += [f"hours,discrete,{k},{level},,6,," for k, level in enumerate(reversed(HOURS))]
    (folder / "levels.csv").write_text("\n".join(lines) + "\n")
    rows = [x for x in itertools.product(BASES, ADDITIVES, HOURS) if x != MISSING]
    data = [",".join([*x, str(float(k))]) for k, x in enumerate(rows)]
    (folder / "data.csv").write_text("\n".join(["base,additive,hours,yield", *data]) + "\n")
    monkeypatch.setenv("BBO_DATA", str(tmp_path))
    monkeypatch.setattr(Dataset, "_checked", lambda self, content, where, remedy: content)
    return Table(NAME)


def _campaign(method, seed, best, table=NAME):
    return Record(
        method=method,
        problem=table,
        fingerprint="",
        seed=seed,
        n_given=5,
        values=[0.0, -best],
        feasible=[1, 1],
        first=[],
        seconds=[0.1],
        versions={"bbo": "1", "commit": "abc"},
        machine="",
    )


def test_a_table_is_a_space_of_its_levels_with_what_is_known_of_them(table):
    base, additive, hours = table.space.parameters
    assert (type(base), type(additive), type(hours)) == (Categorical, Categorical, Ordinal)
    assert additive.choices == ("None", "ether", "furan")  # none of which is missing
    assert additive.descriptors == {"d1": (0.0, 1.0, 4.0), "d2": (0.0, 1.0, 2.0)}
    assert hours.values == (1.0, 5.0, 24.0)
    assert table.space.n_points == len(table.values) == 17


def test_a_row_gives_what_stands_in_it_and_a_missing_one_is_forbidden(table):
    assert table.evaluate({"base": "MTBD", "additive": "None", "hours": 1.0}) == {"yield": 0.0}
    assert table.evaluate({"base": "P2Et", "additive": "furan", "hours": 24.0}) == {"yield": 16.0}
    assert table.best_value == 16.0
    with pytest.raises(SpaceError, match="never additive"):
        table.evaluate({"base": "P2Et", "additive": "None", "hours": 5.0})


def test_campaigns_of_one_seed_begin_with_the_same_rows_and_others_with_others(table):
    given = [first_points(SUITE[NAME](0), seed, 5) for seed in range(20)]
    assert given == [first_points(SUITE[NAME](0), seed, 5) for seed in range(20)]
    assert len({str(points) for points in given}) == 20
    assert all(p in table.space for points in given for p in points)
    records = [run(label, made(label, None), NAME, 2, n_given=5, n_trials=7) for label in ("bbo", PLAIN, "random")]
    assert len({tuple(r.values[:5]) for r in records}) == 1
    assert records[0].fingerprint == records[1].fingerprint


def test_without_descriptors_the_method_is_told_of_none_and_the_rows_are_the_same(table):
    with Ours(is_told_likeness=False).start(table, 0, 5, 20) as conversation:
        space = conversation._study.space
    assert all(getattr(p, "descriptors", None) is None for p in space.parameters)
    assert space.constraints == table.space.constraints
    assert space.names == table.space.names


def test_all_tables_of_a_seed_come_before_the_next_seed():
    wanted = quality.cells(["chan_lam", NAME], range(2), reactions.N_GIVEN)
    assert wanted == [("chan_lam", 0, 5), (NAME, 0, 5), ("chan_lam", 1, 5), (NAME, 1, 5)]


@pytest.mark.parametrize(("n", "least"), [(100, 99.0), (101, 99.0), (250, 247.0), (40, 39.0)])
def test_the_top_hundredth_has_one_row_in_a_hundred_and_one_at_least(n, least):
    assert reactions.top([float(k) for k in range(n)]) == least


def test_the_interval_of_a_median_covers_the_middle_half_less_and_narrows():
    rng = np.random.default_rng(1)
    few, many = (reactions.median_interval(rng.normal(size=n)) for n in (20, 2000))
    assert few.low < few.mean < few.high
    # The standard error of a median of n normal values is 1.25 / sqrt(n).
    assert many.high - many.low == pytest.approx(2 * 1.96 * 1.2533 / np.sqrt(2000), rel=0.25)


def test_shares_and_differences_are_those_of_the_campaigns(table):
    runs = {
        "bbo": [_campaign("bbo", s, best) for s, best in enumerate([16.0, 15.5, 8.0, 16.0])],
        "random": [_campaign("random", s, best) for s, best in enumerate([6.0, 5.5, 8.0])],
    }
    ours, random = reactions.rows_of(table, runs)
    assert ours[:4] == [NAME, "bbo", "4", "15.8 (13.6 to 16.0)"]
    assert ours[5].startswith("50% (")  # only the best row of 17 is in the top hundredth
    assert ours[6].startswith("75% (")  # at least 15.2
    assert ours[7].startswith("+6.67 (")  # of the three that both ran
    assert random[7] == ""
    assert all(len(row) == 9 for row in (ours, random))


def test_ranks_are_those_of_paired_campaigns(table):
    runs = {
        "bbo": [_campaign("bbo", s, 10.0) for s in range(6)],
        "bbo-plain": [_campaign("bbo-plain", s, 10.0 if s % 2 else 9.0) for s in range(6)],
        "random": [_campaign("random", s, 3.0) for s in range(6)],
    }
    header, *rows = reactions.ranks(runs, [NAME])
    assert [row[:3] for row in rows] == [["bbo", "6", "1.25"], ["bbo-plain", "6", "1.75"], ["random", "6", "3.00"]]
    assert rows[2][4:] == ["", NAME]
    assert len(header) == 6
    text = reactions.report(runs, [NAME])
    assert "| bbo-plain |" in text
    assert "commit abc" in text
