"""How things are said on the terminal: numbers, goals, tables without frames."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bbo.objective import Maximize, Minimize, Objective, Objectives
from bbo.studies.cells import header

Side = Literal["left", "right"]


def console() -> Console:
    """Prints text as it is: brackets and colons in names are no markup."""
    return Console(markup=False, emoji=False, highlight=False)


def number(value: object) -> str:
    """A value for people: six digits of a float, all of anything else."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def counted(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def aim_in_words(aim: Objective) -> str:
    match aim:
        case Minimize():
            return f"minimize {header(aim.metric, aim.unit)}"
        case Maximize():
            return f"maximize {header(aim.metric, aim.unit)}"
    return f"{aim.metric} near {number(aim.value)}{f' {aim.unit}' if aim.unit else ''}"


def duration(seconds: float) -> str:
    """A time for people, e.g. `3.5 h`."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def goal(objectives: Objectives) -> str:
    """What a study is after, e.g. `minimize cost, 5 constraints`."""
    parts = [aim_in_words(aim) for aim in objectives.aims]
    if objectives.constraints:
        parts.append(counted(len(objectives.constraints), "constraint"))
    return ", ".join(parts)


def shell(*words: str) -> str:
    """A command as it is typed."""
    return shlex.join(words)


def print_next(steps: Mapping[str, str]) -> None:
    """Commands to type next, and what each is for."""
    wide = max(map(len, steps))
    typer.echo("\nNext:")
    for command, what in steps.items():
        typer.echo(f"  {command:{wide}}  # {what}")


def numbered(trials: Iterable[int]) -> str:
    """Some trials by their numbers, e.g. `8 trials (0 to 7)`."""
    numbers = [int(k) for k in trials]
    is_run = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))
    said = f"{numbers[0]} to {numbers[-1]}" if is_run else ", ".join(map(str, numbers))
    return f"trial {said}" if len(numbers) == 1 else f"{len(numbers)} trials ({said})"


def wrapped(screen: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """A paragraph that breaks at the edge of the terminal."""
    screen.print(Padding(Text(text, style=style), (0, 0, 0, indent)))


def bare_table(*justify: Side) -> Table:
    """A table without frames, a column for each argument; long text is folded, never cut."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for side in justify:
        table.add_column(justify=side, overflow="fold")
    return table


def heading(table: Table, *titles: str) -> None:
    """A row of titles."""
    table.add_row(*(Text(title, style="dim") for title in titles))


def indented(screen: Console, table: Table) -> None:
    screen.print(Padding(table, (0, 0, 0, 2)))


def joined(parts: Sequence[str]) -> str:
    return ", ".join(part for part in parts if part)
