"""Numbers in the cells of a table: decimal commas become points, and what may be either is an error.

A separator before three digits may also be one of thousands: `1,200`. It is a decimal comma where all other numbers of
the table have commas, and a point is a decimal point unless they have.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from bbo.errors import TableError

_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNCLEAR = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")

# The cells of a table, and for each row the line where it begins.
Rows = Sequence[tuple[int, list[str]]]


def is_number(text: str) -> bool:
    """Whether it is a number with a decimal point, or a whole one."""
    return _POINT.fullmatch(text) is not None


def with_points(path: Path, rows: Rows, is_meant: Callable[[str], bool] = lambda cell: True) -> Rows:
    """The rows with decimal points, also in several numbers of one cell; any other text as it is.

    Args:
        path: of the table, for messages.
        is_meant: which cells are looked at.
    Raises:
        TableError: a number that may be a thousand times another, naming its line.
    """
    clear = [n for _, cells in rows for cell in cells for n in _numbers(cell, is_meant) if not _UNCLEAR.fullmatch(n)]
    is_comma_usual = any("," in n for n in clear) and not any("." in n for n in clear)

    def read(line: int, cell: str) -> str:
        found = _numbers(cell, is_meant)
        for n in found:
            if _UNCLEAR.fullmatch(n) and ("," in n) != is_comma_usual:
                decimal, whole = re.sub("[.,]", "," if is_comma_usual else ".", n), re.sub("[.,]", "", n)
                raise TableError(
                    f"{path}, line {line}: the other numbers do not say whether {n!r} has decimals or is a whole "
                    f"number. Write {decimal} or {whole}."
                )
        return cell.replace(",", ".") if found else cell

    return [(line, [read(line, cell) for cell in cells]) for line, cells in rows]


def _numbers(cell: str, is_meant: Callable[[str], bool]) -> list[str]:
    """The numbers of a cell, one or several replicates; none where it is text."""
    parts = [part.strip() for part in cell.split(";")] if is_meant(cell) else []
    return parts if all(_COMMA.fullmatch(part) or is_number(part) for part in parts) else []
