"""Arguments and options that several commands share.

What a command is about comes first, the log last; it is `bbo.db` when left out.
"""

from typing import Annotated

import typer

DEFAULT_STORAGE = "bbo.db"

Storage = Annotated[str, typer.Argument(metavar="STORAGE", help="The log: a .db or .jsonl file, or postgresql://...")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The study; may be left out where the log has only one.")
]
NameOrAll = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Only this study; all of the log when left out.")
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="Write the table to a .csv or .xlsx file; - for CSV on the terminal."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that holds results.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, kept in the log.")]
