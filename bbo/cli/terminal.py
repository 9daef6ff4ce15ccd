"""How things are said on the terminal: numbers, goals, tables without frames."""

import shlex
from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bbo.objective import Maximize, Minimize, Objective, Objectives

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
            return f"minimize {aim.metric}"
        case Maximize():
            return f"maximize {aim.metric}"
    return f"{aim.metric} near {number(aim.value)}"


def goal(objectives: Objectives) -> str:
    """What a study is after, e.g. `minimize cost, 5 constraints`."""
    parts = [aim_in_words(aim) for aim in objectives.aims]
    if objectives.constraints:
        parts.append(counted(len(objectives.constraints), "constraint"))
    return ", ".join(parts)


def shell(*words: str) -> str:
    """A command as it is typed."""
    return shlex.join(words)


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
