"""The `bbo` command: studies of the problems that come with bbo, and a look into any study's log.

What a command needs is imported when it runs, so that `bbo --help` stays quick.
"""

import os
import sys
from typing import Annotated

import typer

from bbo.cli import budgeting, catalogue, conditions, creating, keeping, reading, results, running, working
from bbo.cli.faults import INTERRUPTED, Commands

app = typer.Typer(
    name="bbo",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PANELS = {
    "Laboratory": (
        creating.new,
        creating.change,
        conditions.ask,
        results.tell,
        conditions.pending,
        results.fail,
        results.cancel,
        results.amend,
        results.note,
        results.rank,
        conditions.predict,
        budgeting.budget,
    ),
    "Computer": (running.run, working.worker),
    "Reading": (reading.status, reading.best, reading.export, reading.plot, keeping.verify, keeping.copy),
    "Lists": (catalogue.problems, catalogue.strategies),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"bbo {version('bbo')}")
        raise typer.Exit


@app.callback()
def bbo(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Good inputs of an expensive black box in few evaluations.

    Try: bbo run branin --trials 30, or for your own experiments: bbo new study.toml
    """


def main() -> None:
    """The entry point of the command."""
    try:
        app()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        # Evaluations that an interrupt left behind in threads would hold the process until they end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
