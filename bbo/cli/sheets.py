"""Tables that go to people: on the terminal, or to a file that is not written over by mistake."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from bbo.cli.faults import stop
from bbo.cli.terminal import Side, bare_table, console, heading, indented, number, wrapped
from bbo.errors import TableError
from bbo.studies.cells import header
from bbo.studies.table_files import as_csv, read_table, write_table
from bbo.studies.view import StudyView

if TYPE_CHECKING:
    import pandas as pd

TERMINAL = "-"


def check_target(out: str | None, study: StudyView, *, force: bool) -> None:
    """Ends the command where the file cannot be written, or holds results: to be called before anything is logged.

    Whatever stands in another column than those of the trial and its parameters is a result.
    """
    if out is None or out == TERMINAL:
        return
    path = Path(out)
    if path.suffix.lower() not in (".csv", ".xlsx"):
        stop(f"A table is written to a .csv or .xlsx file, or to - for the terminal: got {out}.")
    if not path.parent.is_dir():
        stop(f"Cannot write {out}: there is no folder {path.parent}. Make it first.")
    if not path.exists() or force:
        return
    try:
        there = read_table(path)
    except TableError as error:
        stop(f"{out} is there and is no table ({error}) Give another name, or --force to write over it.")
    conditions = ["trial", *(header(name, getattr(cell, "unit", None)) for name, cell in study.space.cells.items())]
    results = there.drop(columns=conditions, errors="ignore")
    if (results.map(str.strip) != "").to_numpy().any():
        stop(
            f"{out} holds results already. Give another name, or --force to write over it; what was told is in the log."
        )


def deliver(frame: "pd.DataFrame", out: str | None) -> None:
    """Writes the table where it was wanted; columns without any value are not shown on the terminal."""
    if out is None:
        _show(frame)
    elif out == TERMINAL:
        typer.echo(as_csv(frame), nl=False)
    else:
        write_table(frame, out)


def _show(frame: "pd.DataFrame") -> None:
    screen = console()
    texts = {str(name): [_text(value) for value in column] for name, column in frame.items()}
    texts = {name: column for name, column in texts.items() if any(column)}
    columns = [[name, *column] for name, column in texts.items()]
    across = _table(list(zip(*columns, strict=True)), is_heading_across=True)
    down = _table(columns, is_heading_across=False)
    for table in (across, down):
        if screen.measure(table).maximum <= screen.width - 2:
            indented(screen, table)
            return
    wrapped(screen, "The table is too wide for this terminal: write it to a file with -o table.csv.", style="dim")


def _table(rows: Any, *, is_heading_across: bool) -> Table:
    first: Side = "right" if is_heading_across else "left"
    others: Side = "right"
    table = bare_table(first, *[others] * (len(rows[0]) - 1))
    for k, row in enumerate(rows):
        if is_heading_across and k == 0:
            heading(table, *row)
        else:
            cells = [Text(cell) for cell in row]
            if not is_heading_across:
                cells[0].stylize("dim")
            table.add_row(*cells)
    return table


def _text(value: Any) -> str:
    is_missing = value is None or value != value or value == ""
    return "" if is_missing else number(value)
