"""Tables in files: CSV and XLSX to frames of text cells, and frames to such files.

What a cell means is not decided here: every cell is read as text. The index of a frame that was read is named `line`
and has the lines of the file (the rows of the sheet), for messages. Both forms give back the text that was written.

CSV is read as Excel and its like write it: UTF-8 (with a mark at its beginning or not) or else cp1252, with commas,
semicolons or tabs between cells, below a line `sep=;` or not; where it is not the comma, decimal commas are understood,
as in replicates of an XLSX. It is written with commas and decimal points, as UTF-8 *with* the mark: without it, Excel
takes the file for cp1252, shows `°C` as `Â°C` and loses letters that people type into notes when it saves.

A spreadsheet runs text that begins with `=`, `+`, `-` or `@` as a formula, also in a CSV. Such text is written to a CSV
behind an apostrophe, which is taken off again when it is read; in an XLSX it is marked as text. Numbers stay numbers.
"""

import contextlib
import csv
import io
import itertools
import math
import re
import uuid
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bbo.errors import TableError
from bbo.studies.decimals import Rows, is_number, with_points

if TYPE_CHECKING:
    import pandas as pd

# Name of the index of a table that was read from a file.
LINE = "line"
_MARK = "\N{BYTE ORDER MARK}"
_LARGEST = 20_000_000
_LARGEST_UNPACKED = 200_000_000
_MOST_ROWS = 200_000
_MOST_COLUMNS = 2_000
_LONGEST_IN_XLSX = 32_767
_TEXT_ENDINGS = (".csv", ".tsv", ".txt")
_SEPARATORS = ("\t", ";", ",")
# How Excel may be told the separator, in the first line.
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<sign>[,;\t])"?(\r\n?|\n)')
# When it saves text, Excel leaves out the empty cells at the end that all of so many rows have.
_ROWS_AT_ONCE = 16
# The two sides of a number that was parted at its decimal comma, alone or among replicates.
_BEFORE_COMMA = re.compile(r"(.*;)?\s*[+-]?\d+", re.DOTALL)
_BEHIND_COMMA = re.compile(r"\d+([eE][+-]?\d+)?\s*(;.*)?", re.DOTALL)
# No text file has these; what has them is no table, or another encoding.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHEET = re.compile(r"(?P<path>.+\.xlsx)#(?P<sheet>.+)", re.IGNORECASE | re.DOTALL)
_NO_OPENPYXL = "XLSX needs openpyxl: pip install 'bbo[xlsx]', or save the table as CSV."


def read_table(path: str | Path) -> "pd.DataFrame":
    """The table in a file, all cells as text, empty ones as "".

    Args:
        path: a .csv (or .tsv, .txt) or .xlsx file; `results.xlsx#Sheet2` for a sheet that is not the first. Formulas
            count with the values that the spreadsheet last saved.
    Returns:
        a column for each heading; the index is the line of the file. Rows without any text are left out.
    Raises:
        TableError: naming the file and, where there is one, the line.
    """
    import pandas as pd

    file, sheet = _split(path)
    if not file.name.lower().endswith((*_TEXT_ENDINGS, ".xlsx")):
        raise TableError(f"{file} is no table: its name ends in .csv or .xlsx. Save it as one of these.")
    content = _content(file)
    if _is_xlsx(file):
        header, body = _checked(file, _xlsx_rows(file, content, sheet))
        body = with_points(file, body, lambda cell: ";" in cell)  # a single number is no text there
    else:
        rows, separator = _csv_rows(file, content)
        _check_widths(file, rows, separator)
        header, body = _checked(file, rows)
        body = body if separator == "," else with_points(file, body)
    return pd.DataFrame(
        [cells for _, cells in body],
        columns=header,
        index=pd.Index([line for line, _ in body], dtype=int, name=LINE),
        dtype=object,
    )


def write_table(frame: "pd.DataFrame", path: str | Path) -> None:
    """Writes the frame, without its index, as the ending of the path says: .csv or .xlsx. Empty cells stay empty.

    The file is there wholly or not at all; one that was there is replaced.

    Raises:
        TableError: another ending, or a file that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise TableError(f"A table is written to a .csv or .xlsx file: got {path}.")
    content = _as_xlsx(path, frame) if _is_xlsx(path) else (_MARK + as_csv(frame)).encode()
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        said = "it is open in another program, or may not be written" if isinstance(error, PermissionError) else ""
        raise TableError(f"Cannot write {path}: {said or error.strerror}.") from error


def as_csv(frame: "pd.DataFrame") -> str:
    """The frame as `write_table` writes it to a CSV file, without the mark at its beginning."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    header = [_guarded(_text(name)) for name in frame.columns]
    # A heading with another separator in it must not look like several.
    is_odd = any(d in name for name in header for d in _SEPARATORS)
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if is_odd else csv.QUOTE_MINIMAL).writerow(header)
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_guarded(_text(value)) if isinstance(value, str) else _text(value) for value in row])
    return out.getvalue()


# Reading.


def _split(path: str | Path) -> tuple[Path, str | None]:
    found = _SHEET.fullmatch(str(path))
    return (Path(found["path"]), found["sheet"]) if found else (Path(path), None)


def _is_xlsx(path: Path) -> bool:
    return path.suffix.lower() == ".xlsx"


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise TableError(f"{path} is a folder. Give the path of a .csv or .xlsx file.")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}. Check the path.") from error
    if len(content) > _LARGEST:
        raise TableError(
            f"{path} has more than {_LARGEST // 1_000_000} MB, which is no table of trials. Give a smaller one."
        )
    return content


def _csv_rows(path: Path, content: bytes) -> tuple[Rows, str]:
    """The rows, and what stands between their cells."""
    text = _decoded(path, content)
    said = _SEPARATOR_LINE.match(text)
    text = text[said.end() :] if said else text
    separator = said["sign"] if said else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    above = 1 if said else 0
    line = above + 1
    try:
        for cells in reader:
            rows.append((line, [_unguarded(cell) for cell in cells]))
            line = above + reader.line_num + 1
    except csv.Error as error:
        raise TableError(
            f"{path}, line {line}: {error}. A cell with quotes in it is written in quotes, each of them doubled."
        ) from error
    return rows, separator


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{path} is UTF-16 text. Save it as 'CSV UTF-8'.")
    for encoding in ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            break
    else:
        raise TableError(f"{path} is neither UTF-8 nor cp1252 text. Save it as 'CSV UTF-8'.")
    odd = _CONTROL.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise TableError(f"{path}, line {line}: the character {odd[0]!r} stands in no table. Save it as 'CSV UTF-8'.")
    return text


def _separator(text: str) -> str:
    """What stands most often between cells of the first line that has any text."""
    header = next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", header)
    return max(_SEPARATORS, key=outside.count) if any(d in outside for d in _SEPARATORS) else ","


def _check_widths(path: Path, rows: Rows, separator: str) -> None:
    """Raises TableError for a row of a CSV that a decimal comma, or a separator in another cell, may have parted.

    A row that is longer than the heading may be parted also where its last cells are empty; a shorter one where numbers
    stand side by side, unless it is short as Excel makes rows short.
    """
    filled = [k for k, (_, cells) in enumerate(rows) if any(cell.strip() for cell in cells)]
    if not filled:
        return
    heading = rows[filled[0]][1]
    widest, narrowest = len(heading), len(_trimmed(heading))
    for k in filled[1:]:
        line, cells = rows[k]
        said = f"{path}, line {line}: it has {len(cells)} cells, the heading {narrowest}."
        if len(cells) > widest:
            raise TableError(f"{said} Where a cell has the separator in it, write the cell in quotes.")
        if len(cells) < narrowest and _may_be_parted(cells, separator) and not _is_cut_by_excel(rows, k):
            raise TableError(
                f"{said} Write the separators of the empty cells at its end too, and a cell that has the separator in "
                "it, such as a decimal comma, in quotes."
            )


def _may_be_parted(cells: Sequence[str], separator: str) -> bool:
    """Whether two neighbours may have been one cell: a number with a decimal comma, or replicates."""
    pairs = list(itertools.pairwise(cells))
    match separator:
        case ",":
            return any(_BEFORE_COMMA.fullmatch(a) and _BEHIND_COMMA.fullmatch(b) for a, b in pairs)
        case ";":
            return any(
                is_number(a.strip().replace(",", ".")) and is_number(b.strip().replace(",", ".")) for a, b in pairs
            )
    return False


def _is_cut_by_excel(rows: Rows, k: int) -> bool:
    """Whether the rows that Excel saved together are all as short as row `k`, with something in the last cell."""
    first = k - k % _ROWS_AT_ONCE
    together = [cells for _, cells in rows[first : first + _ROWS_AT_ONCE] if cells]
    return {len(cells) for cells in together} == {len(rows[k][1])} and any(cells[-1].strip() for cells in together)


def _xlsx_rows(path: Path, content: bytes, sheet: str | None) -> Rows:
    try:
        import openpyxl
    except ImportError as error:
        raise TableError(f"Cannot read {path}. {_NO_OPENPYXL}") from error
    unpacked = _unpacked_size(path, content)
    if unpacked > _LARGEST_UNPACKED:
        raise TableError(f"{path} has {unpacked // 1_000_000} MB when unpacked, which is no table of trials.")
    try:
        # Whatever a spreadsheet has beside its cells (filters, lists to choose from) is no matter of ours.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            books = [
                openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=only) for only in (True, False)
            ]
            try:
                names = [s.title for s in books[0].worksheets]
                if not names or (sheet is not None and sheet not in names):
                    raise TableError(f"{path} has the sheets {', '.join(names) or 'none'}: got {sheet!r}.")
                cached, written = (book[names[0] if sheet is None else sheet] for book in books)
                return list(_sheet_rows(path, cached, written))
            finally:
                for book in books:
                    book.close()
    except TableError:
        raise
    except Exception as error:  # openpyxl raises what it happens to meet in a file that is damaged or made up
        raise TableError(
            f"{path} cannot be read as XLSX: {error}. Open it in a spreadsheet and save it anew."
        ) from error


def _unpacked_size(path: Path, content: bytes) -> int:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise TableError(f"{path} is no XLSX file. Save the table as XLSX or CSV.") from error


def _sheet_rows(path: Path, cached: Any, written: Any) -> Iterator[tuple[int, list[str]]]:
    for sheet in (cached, written):
        sheet.reset_dimensions()  # a file may claim any size
    both = (sheet.iter_rows() for sheet in (cached, written))
    for line, (values, formulas) in enumerate(zip(*both, strict=True), 1):
        if len(values) > _MOST_COLUMNS:
            raise TableError(
                f"{path}, row {line}: it has more than {_MOST_COLUMNS} columns, which is no table of trials."
            )
        for value, formula in zip(values, formulas, strict=True):
            # A computed text is of type "str" even where it is empty.
            if formula.data_type == "f" and value.value is None and value.data_type == "n":
                raise TableError(
                    f"{path}, cell {formula.coordinate}: the formula {str(formula.value)[:60]!r} was never computed. "
                    "Open the file in a spreadsheet and save it, or write the value."
                )
        if values:
            yield line, [_text(cell.value) for cell in values]


def _checked(path: Path, rows: Rows) -> tuple[list[str], Rows]:
    """The heading and the rows below it, all of one length, without what is empty."""
    filled = [(line, _trimmed(cells)) for line, cells in rows if any(cell.strip() for cell in cells)]
    if not filled:
        raise TableError(f"{path} is empty. Its first line has the names of the columns.")
    (first, header), body = filled[0], filled[1:]
    if len(body) > _MOST_ROWS or len(header) > _MOST_COLUMNS:
        raise TableError(
            f"{path} has more than {_MOST_ROWS} rows or {_MOST_COLUMNS} columns, which is no table of trials."
        )
    for k, name in enumerate(header):
        if not name.strip():
            raise TableError(
                f"{path}, line {first}: column {k + 1} has no name, but a later one has. Name or remove it."
            )
        if name in header[:k]:
            raise TableError(f"{path}, line {first}: two columns are named {name!r}. Rename or remove one.")
    for line, cells in body:
        if len(cells) > len(header):
            raise TableError(
                f"{path}, line {line}: it has {len(cells)} cells, the heading {len(header)}. "
                "Where a cell has the separator in it, write the cell in quotes."
            )
    return header, [(line, cells + [""] * (len(header) - len(cells))) for line, cells in body]


def _trimmed(cells: list[str]) -> list[str]:
    n = max((k + 1 for k, cell in enumerate(cells) if cell.strip()), default=0)
    return cells[:n]


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


# Writing.


def _guarded(text: str) -> str:
    is_formula = text.startswith((*_FORMULA, "'")) and not is_number(text)
    return f"'{text}" if is_formula else text


def _text(value: Any) -> str:
    """A cell as text that reads back as it is."""
    if isinstance(value, str):
        plain = value.encode("utf-8", "backslashreplace").decode()
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)
    is_missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    if is_missing or (isinstance(value, Real) and math.isnan(value)):
        return ""
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _as_xlsx(path: Path, frame: "pd.DataFrame") -> bytes:
    try:
        import openpyxl
    except ImportError as error:
        raise TableError(f"Cannot write {path}. {_NO_OPENPYXL}") from error
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.freeze_panes = "A2"
    for i, row in enumerate([tuple(frame.columns), *frame.itertuples(index=False, name=None)], 1):
        for j, value in enumerate(row, 1):
            text = _text(value)
            if text == "":
                continue
            if len(text) > _LONGEST_IN_XLSX:
                raise TableError(
                    f"{path}, row {i}: a cell of XLSX has at most {_LONGEST_IN_XLSX} characters. Write a .csv."
                )
            cell = sheet.cell(i, j)
            if isinstance(value, str):
                cell.value = text
                cell.data_type = "s"  # else text that begins with = becomes a formula
            else:
                cell.value = _plain(value)
    for j, name in enumerate(frame.columns, 1):
        sheet.column_dimensions[openpyxl.utils.get_column_letter(j)].width = max(9, min(40, len(str(name)) + 2))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """A Python number or truth value where it is one, else its text."""
    plain = value.item() if hasattr(value, "item") else value
    is_number = isinstance(plain, (bool, int, float)) and math.isfinite(plain)
    return plain if is_number else _text(plain)
