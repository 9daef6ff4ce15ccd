"""Arguments and options that several commands share."""

from typing import Annotated

import typer

DEFAULT_STORAGE = "bbo.db"

Storage = Annotated[str, typer.Argument(metavar="STORAGE", help="The log: a .db or .jsonl file.")]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The study; may be left out where the log has only one.")
]
NameOrAll = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Only this study; all of the log when left out.")
]
