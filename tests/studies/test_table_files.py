"""Tables in files: what is written is read back, what spreadsheets write is understood, and junk is an error."""

import contextlib
import csv
import io
import re
import stat
import zipfile

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.errors import ObjectiveError, SpaceError, TableError, TrialError
from bbo.objective import Maximize
from bbo.space import Categorical, Float
from bbo.strategies import RandomSearch
from bbo.studies.study import Study
from bbo.studies.table_files import as_csv, read_table, write_table

FORMS = ["csv", "xlsx"]
SHEET = "xl/worksheets/sheet1.xml"
NO_FILES = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def cells(frame):
    return [list(frame.columns), *frame.to_numpy().tolist()]


@pytest.fixture
def file(tmp_path):
    """Writes bytes, or text as UTF-8, to a file and gives its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize("form", FORMS)
def test_numbers_truth_values_and_empty_cells_are_written_as_such_and_read_as_their_text(tmp_path, form):
    frame = pd.DataFrame(
        {
            "trial": [0, 1, 2],
            "temperature [°C]": [80.1, -1e-7, float("nan")],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "ok": [True, None, False],
            "base": ["KOH", None, ""],
        }
    )
    write_table(frame, tmp_path / f"t.{form}")
    read = read_table(tmp_path / f"t.{form}")
    assert cells(read) == [
        ["trial", "temperature [°C]", "n", "ok", "base"],
        ["0", "80.1", "1", "True", "KOH"],
        ["1", "-1e-07", "", "", ""],
        ["2", "", "3", "False", ""],
    ]
    assert list(read.index) == [2, 3, 4]


# Text as people have it: anything but control characters, halves of characters, and what only ends a line.
ALPHABET = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufffe\uffff")
TEXT = st.text(ALPHABET, max_size=8)
RISKY = st.tuples(st.sampled_from(["=", "+", "-", "@", "'", "''", "'=", ";", ",", '"', "\n", ""]), TEXT).map("".join)


@pytest.mark.parametrize("form", FORMS)
@NO_FILES
@given(rows=st.lists(st.tuples(RISKY, RISKY, RISKY), min_size=1, max_size=4), names=st.tuples(RISKY, RISKY))
def test_text_is_read_back_as_it_was_written(tmp_path, form, rows, names):
    header = ["trial", *(f"{name}.{k}" for k, name in enumerate(names))]
    kept = [(f"x{a}", b, c) for a, b, c in rows]
    write_table(pd.DataFrame(kept, columns=header), tmp_path / f"t.{form}")
    blank = [[c if c.strip() else "" for c in row] for row in kept]
    read = [[c if c.strip() else "" for c in row] for row in cells(read_table(tmp_path / f"t.{form}"))]
    assert read == [header, *blank]


def test_text_that_looks_like_a_formula_is_no_formula_in_either_form(tmp_path):
    risky = ["=1+1", "+A1", "-A1", "@SUM(A1)", "=cmd|'/c calc'!A0"]
    frame = pd.DataFrame({"=name": risky, "value": [-1.5, 2.0, 3.0, 4.0, 5.0]})
    for form in FORMS:
        write_table(frame, tmp_path / f"t.{form}")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert {cell.data_type for row in book.active.iter_rows() for cell in row} == {"s", "n"}
    book.close()
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as written:
        header, *rows = csv.reader(written)
    assert [header[0], *(row[0] for row in rows)] == [f"'{text}" for text in ["=name", *risky]]
    assert rows[0][1] == "-1.5"


def test_a_csv_begins_with_the_mark_that_excel_needs_and_stays_text_for_others(tmp_path):
    frame = pd.DataFrame({"temperature [°C]": [80.5]})
    write_table(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"\xef\xbb\xbftemperature [\xc2\xb0C]\n80.5\n"
    assert as_csv(frame) == "temperature [°C]\n80.5\n"
    assert list(pd.read_csv(tmp_path / "t.csv").columns) == ["temperature [°C]"]


def test_control_characters_are_spelled_out(tmp_path):
    for form in FORMS:
        write_table(pd.DataFrame({"note": ["a\x00b\x1bc"]}), tmp_path / f"t.{form}")
        assert read_table(tmp_path / f"t.{form}")["note"].tolist() == [r"a\u0000b\u001bc"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path, form, monkeypatch):
    path = tmp_path / f"t.{form}"
    write_table(pd.DataFrame({"a": ["old"]}), path)
    before = path.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(TableError, match=r"Cannot write .*t\.\w+: No space left on device"):
        write_table(pd.DataFrame({"a": ["new"]}), path)
    assert [(p, p.read_bytes()) for p in tmp_path.iterdir()] == [(path, before)]


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.csv")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "t.csv").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_an_unknown_ending_is_an_error_both_ways(tmp_path):
    with pytest.raises(TableError, match=r"written to a \.csv or \.xlsx file"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.ods")
    with pytest.raises(TableError, match=r"its name ends in \.csv or \.xlsx"):
        read_table(tmp_path / "t.xls")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize(("delimiter", "point"), [(",", "."), (";", "."), (";", ","), ("\t", ","), ("\t", ".")])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_csv_of_any_country_is_understood(file, encoding, delimiter, point, newline):
    rows = [["trial", "T [°C]", "note"], ["1", f"80{point}5", "5 µL, then 6"], ["2", f"-1{point}5e-3", "1,4-dioxane"]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows(rows)
    path = file(out.getvalue().encode(encoding))
    read = cells(read_table(path))
    assert read == [rows[0], ["1", "80.5", "5 µL, then 6"], ["2", "-1.5e-3", "1,4-dioxane"]]


def test_replicates_with_decimal_commas_are_understood(file):
    path = file('trial;yield\n1;"81,5; 83; 80,25"\n')
    assert read_table(path)["yield"].tolist() == ["81.5; 83; 80.25"]


def test_commas_within_numbers_of_a_comma_file_are_left_alone(file):
    assert read_table(file('trial,yield\n1,"1,234"\n'))["yield"].tolist() == ["1,234"]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("trial,yield,selectivity,cost,status,note", "0,21,5,98,,,"),
        ("trial,yield,selectivity", "0,21,5,"),
        ("trial,yield,selectivity,", "0,21,5,,"),
        ("trial;yield;selectivity;cost;status;note", "2;21,5; 25,5;98;;;"),
        ("trial;yield;selectivity", "2;21,5; 25,5;"),
    ],
)
def test_a_cell_that_its_separator_parted_is_an_error_also_where_the_last_cells_are_empty(file, header, row):
    with pytest.raises(TableError, match="line 2: it has .* in it, write the cell in quotes"):
        read_table(file(f"{header}\n{row}\n"))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("trial,yield,selectivity,note", "0,21,5"),
        ("trial,yield,selectivity,cost,note", "0,81;83,5;80,98"),
        ("trial,yield,selectivity,note", "0,-21,5e1"),
        ("trial;yield;selectivity;note", "2;21,5; 25,5"),
    ],
)
def test_a_short_row_that_may_have_been_parted_is_an_error(file, header, row):
    with pytest.raises(TableError, match="line 2: .* the separators of the empty cells at its end too"):
        read_table(file(f"{header}\n{row}\n"))


@pytest.mark.parametrize(
    "content",
    [
        "trial,T,base,yield,status,note\n3,80.0,KOH,58\n6,95.0,KOH\n",
        "trial;T;base;yield;status;note\n3;;KOH;58\n6;;KOH\n",
        "trial\tT\tbase\tyield\tstatus\tnote\n3\t80\tKOH\t58\n6\t95\tKOH\n",
    ],
)
def test_a_row_that_is_short_by_empty_cells_alone_is_taken(file, content):
    first, second = cells(read_table(file(content)))[1:]
    assert [first[0], first[3:], second[0], second[3:]] == ["3", ["58", "", ""], "6", ["", "", ""]]


def test_rows_that_excel_left_short_are_taken_and_a_row_between_them_that_is_longer_is_an_error(file):
    """Excel writes no cells for columns that are empty in all of 16 rows."""
    head = "trial,yield,selectivity,status,note\r\n"
    full, short = [f"{k},{20 + k},90,,\r\n" for k in range(15)], [f"{k},{20 + k},90\r\n" for k in range(15, 20)]
    read = read_table(file(head + "".join([*full, *short])))
    assert read["note"].tolist() == [""] * 20
    assert read["selectivity"].tolist() == ["90"] * 20
    for odd in ("20,21,5,90\r\n", "20,21\r\n"):
        with pytest.raises(TableError, match="line 17: it has 3 cells, the heading 5"):
            read_table(file(head + "".join([*full, *short, odd])))
    with pytest.raises(TableError, match="line 17: it has 3 cells"):
        read_table(file(head + "".join([*full, "15,20,\r\n", "16,21,\r\n"])))
    with pytest.raises(TableError, match="line 16: it has 3 cells"):
        read_table(file(head + "".join([*full[:14], *short])))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"'])
def test_a_first_line_that_tells_excel_the_separator_is_no_heading(file, first):
    read = read_table(file(f"{first}\r\ntrial;a,b,c\r\n1;81,5\r\n"))
    assert cells(read) == [["trial", "a,b,c"], ["1", "81.5"]]
    assert list(read.index) == [3]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["61,5", "1,250", "7"], ["61.5", "1.250", "7"]),
        (["0,125", "12,125"], ["0.125", "12.125"]),
        (["61.5", "1.250"], ["61.5", "1.250"]),
        (["7", "1.250"], ["7", "1.250"]),
        (["61,5", "2.5", "1.250"], ["61.5", "2.5", "1.250"]),
        (["1,5; 1,250", "yes, 1,250"], ["1.5; 1.250", "yes, 1,250"]),
    ],
)
def test_three_digits_behind_the_usual_separator_are_decimals(file, cells, numbers):
    content = "y;z\n" + "".join(f"{cell!r};\n".replace("'", '"') for cell in cells)
    assert read_table(file(content))["y"].tolist() == numbers


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["7", "1,200"], "whether '1,200' has decimals or is a whole number. Write 1.200 or 1200."),
        (["61.5", "1,200"], "Write 1.200 or 1200."),
        (["61,5", "1.250"], "whether '1.250' has decimals or is a whole number. Write 1,250 or 1250."),
        (["61,5; 62,5", "80; -1.250"], "Write -1,250 or -1250."),
        (["61,5; 2.5", "1,250"], "Write 1.250 or 1250."),
    ],
)
@pytest.mark.parametrize("separator", [";", "\t"])
def test_three_digits_behind_another_separator_than_the_usual_one_are_an_error(file, separator, cells, said):
    content = f"y{separator}z\n" + "".join(f'"{cell}"{separator}\n' for cell in cells)
    with pytest.raises(TableError, match=f"line 3: .*{re.escape(said)}"):
        read_table(file(content))


@pytest.mark.parametrize("form", FORMS)
def test_empty_columns_and_rows_at_the_end_and_between_are_dropped_and_lines_kept(tmp_path, file, form):
    rows = [["trial", "y", "", ""], ["0", "1", "", ""], ["", "", "", ""], ["1", "2", "", ""], ["", "", "", " "]]
    if form == "csv":
        path = file("\n".join(",".join(row) for row in rows) + "\n\n")
    else:
        book, path = openpyxl.Workbook(), tmp_path / "t.xlsx"
        for row in rows:
            book.active.append(row)
        book.save(path)
    read = read_table(path)
    assert cells(read) == [["trial", "y"], ["0", "1"], ["1", "2"]]
    assert list(read.index) == [2, 4]


def test_the_line_is_where_a_row_begins_also_behind_cells_of_several_lines(file):
    assert list(read_table(file('trial,note\n0,"a\nb\nc"\n1,d\n')).index) == [2, 5]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty."),
        (b"\n , \n", "is empty."),
        (b"a,b,c\n1,2,3\n3,4\n", "line 3: it has 2 cells, the heading 3."),
        (b"a,b\n1,2,3\n", "line 2: it has 3 cells, the heading 2."),
        (b"a,b,a\n1,2,3\n", "line 1: two columns are named 'a'."),
        (b"a,,c\n1,2,3\n", "line 1: column 2 has no name"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "line 3: unexpected end of data."),
        (b"a,b\n1,2\x00\n", "line 2: the character '\\x00' stands in no table."),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00", "line 1: the character '\\x02'"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text. Save it as 'CSV UTF-8'."),
        (b"a,b\n\x81,\x8d\n", "is neither UTF-8 nor cp1252 text."),
        (b"a,b\n" + b"1,2\n" * 5_500_000, "has more than 20 MB"),
        (b"a,b\n" + b"1,2\n" * 250_000, "has more than 200000 rows"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "line 2: field larger than field limit"),
    ],
    ids=range(14),
)
def test_a_file_that_is_no_csv_is_an_error_that_names_file_and_line(file, content, said):
    path = file(content)
    with pytest.raises(TableError, match=re.escape(said)) as raised:
        read_table(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_file_and_a_folder_are_errors(tmp_path, form):
    with pytest.raises(TableError, match="Cannot read .*: No such file or directory"):
        read_table(tmp_path / f"none.{form}")
    (tmp_path / f"folder.{form}").mkdir()
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path / f"folder.{form}")


@NO_FILES
@given(content=st.binary(max_size=60) | st.text(alphabet="a1,;\t\"'=\n\r .\u00e9", max_size=40).map(str.encode))
def test_any_bytes_are_a_table_or_the_documented_error(tmp_path, content):
    for form in FORMS:
        path = tmp_path / f"t.{form}"
        path.write_bytes(content)
        with contextlib.suppress(TableError):
            frame = read_table(path)
            assert all(isinstance(cell, str) for row in cells(frame) for cell in row)


SHEET_OF_TRIALS = "trial,x [m],kind,y,cost,status,note\n0,0.25,a,1.5,2,,\n1,0.5,b,1;2,,,\n2,,,,,failed,leak\n3,,,,,,\n"
TOKENS = re.findall(r"[\w.]+|\W", SHEET_OF_TRIALS)


@NO_FILES
@given(
    at=st.integers(0, len(TOKENS) - 1),
    span=st.integers(0, 3),
    piece=st.sampled_from([*TOKENS, "", '"', "-1", "1e999", "nan", "c", "9", "1.5", "told", "[K]"])
    | st.text(max_size=3),
)
def test_a_mutated_sheet_is_told_or_gives_a_documented_error_and_leaves_the_log(tmp_path, at, span, piece):
    space = [Float("x", 0.0, 1.0, unit="m"), Categorical("kind", ["a", "b"])]
    path = tmp_path / "sheet.csv"
    path.write_bytes("".join([*TOKENS[:at], piece, *TOKENS[at + span :]]).encode("utf-8", "replace"))
    with Study(space, Maximize("y"), strategy=RandomSearch(), seed=1) as study:
        study.ask(4)
        before = study.storage.events("study")
        try:
            study.tell_frame(read_table(path))
        except (TableError, SpaceError, ObjectiveError, TrialError):
            assert study.storage.events("study") == before


# XLSX.


@pytest.fixture
def book(tmp_path):
    """Saves sheets of rows as XLSX and gives the path."""

    def save(**sheets):
        made, path = openpyxl.Workbook(), tmp_path / "book.xlsx"
        made.remove(made.active)
        for name, rows in sheets.items():
            sheet = made.create_sheet(name)
            for row in rows:
                sheet.append(row)
        made.save(path)
        made.close()
        return path

    return save


def patched(path, part, change):
    """The archive with one of its parts changed, in place."""
    with zipfile.ZipFile(path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_replicates_with_decimal_commas_are_understood_in_a_sheet_and_other_text_stays(book):
    path = book(s=[["y", "note"], ["1,5; 1,7", "1,4"], [2.5, "1,4; dioxane"]])
    assert cells(read_table(path)) == [["y", "note"], ["1.5; 1.7", "1,4"], ["2.5", "1,4; dioxane"]]


def test_the_first_sheet_is_read_unless_another_is_named(book):
    path = book(first=[["a"], [1]], Second=[["b"], [2.5]])
    assert cells(read_table(path)) == [["a"], ["1"]]
    assert cells(read_table(f"{path}#Second")) == [["b"], ["2.5"]]
    with pytest.raises(TableError, match="has the sheets first, Second: got 'third'"):
        read_table(f"{path}#third")


def test_a_formula_counts_with_the_value_that_was_saved_with_it(book):
    path = book(s=[["trial", "y", "note"], [0, "=40+1", '=""']])
    with pytest.raises(TableError, match=re.escape("cell B2: the formula '=40+1' was never computed.")):
        read_table(path)
    computed = {b"<f>40+1</f><v></v>": b"<f>40+1</f><v>41</v>", b"<f>40+1</f><v />": b"<f>40+1</f><v>41</v>"}
    computed |= {b'<c r="C2"><f>""</f><v></v>': b'<c r="C2" t="str"><f>""</f><v></v>'}
    computed |= {b'<c r="C2"><f>""</f><v />': b'<c r="C2" t="str"><f>""</f><v></v>'}

    def change(xml):
        for before, after in computed.items():
            xml = xml.replace(before, after)
        return xml

    assert cells(read_table(patched(path, SHEET, change))) == [["trial", "y", "note"], ["0", "41", ""]]


def test_a_sheet_that_claims_any_size_is_read_at_the_size_it_has(book):
    def claim(xml):
        return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', xml)

    assert cells(read_table(patched(book(s=[["a"], [1]]), SHEET, claim))) == [["a"], ["1"]]


@pytest.mark.parametrize(("row", "column"), [(1048576, "A"), (2, "XFD")])
def test_a_cell_far_away_does_not_make_a_huge_table(book, row, column):
    def far(xml):
        cell = f'<row r="{row}"><c r="{column}{row}"><v>1</v></c></row></sheetData>'
        return xml.replace(b"</sheetData>", cell.encode())

    path = patched(book(s=[["a"]]), SHEET, far)
    if row == 2:
        with pytest.raises(TableError, match="row 2: it has more than 2000 columns"):
            read_table(path)
    else:
        assert read_table(path)["a"].to_dict() == {row: "1"}


def test_a_zip_bomb_is_an_error_before_it_is_unpacked(book):
    path = patched(book(s=[["a"], [1]]), SHEET, lambda xml: xml + b" " * 300_000_000)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(TableError, match=r"has 3\d\d MB when unpacked"):
        read_table(path)


def test_an_xlsx_that_is_none_is_an_error(file, book):
    for content in (b"", b"a,b\n1,2\n", b"PK\x03\x04 and so on"):
        with pytest.raises(TableError, match="is no XLSX file"):
            read_table(file(content, "t.xlsx"))
    for part in (SHEET, "xl/workbook.xml", "[Content_Types].xml"):
        with pytest.raises(TableError, match="cannot be read as XLSX|has the sheets none"):
            read_table(patched(book(s=[["a"], [1]]), part, lambda xml: xml[: len(xml) // 2]))


def test_entities_that_grow_without_bounds_are_an_error(book):
    levels = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))

    def laugh(xml):
        bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>'.encode()
        xml = xml.partition(b"?>")[2] if xml.startswith(b"<?xml") else xml
        return bomb + re.sub(rb"<v>1</v>", b"<v>&e11;</v>", xml)

    with pytest.raises(TableError, match="cannot be read as XLSX"):
        read_table(patched(book(s=[["a"], [1]]), SHEET, laugh))


def test_without_openpyxl_the_error_names_the_extra(tmp_path, book, monkeypatch):
    path = book(s=[["a"], [1]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    for call in (lambda: read_table(path), lambda: write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.xlsx")):
        with pytest.raises(TableError, match=re.escape("pip install 'bbo[xlsx]'")):
            call()


def test_a_cell_too_long_for_xlsx_is_an_error_and_no_file(tmp_path):
    with pytest.raises(TableError, match="at most 32767 characters"):
        write_table(pd.DataFrame({"note": ["x" * 40_000]}), tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []
