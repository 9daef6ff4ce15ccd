"""Conditions to carry out or to predict: `bbo ask`, `bbo pending`, `bbo predict`."""

from typing import Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE, Force, Name, Out, Storage


def ask(
    storage: Storage = DEFAULT_STORAGE,
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many trials, chosen together.")] = 1,
    out: Out = None,
    fix: Annotated[
        list[str] | None, typer.Option("--fix", metavar="NAME=VALUE", help="A parameter that is given, not chosen.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME=VALUE", help="A parameter that the world gives: the best is for that."),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option("--share", metavar="NAME", help="A parameter that has one value in all trials of this ask."),
    ] = None,
    force: Force = False,
    name: Name = None,
) -> None:
    """Ask for trials to carry out, as a table to fill in.

    Fill in the results and hand the table back with `bbo tell`.
    """
    from bbo.cli.faults import NO, stop
    from bbo.cli.logs import command, existing_storage, load
    from bbo.cli.sheets import check_target, deliver
    from bbo.cli.terminal import numbered, print_next
    from bbo.cli.words import params_of
    from bbo.errors import TableError

    with load(existing_storage(storage), storage, name) as study:
        fixed, given = params_of(study, fix or []), params_of(study, context or [])
        check_target(out, study, force=force)
        sheet = study.suggest_frame(n, fixed=fixed, context=given, shared=share or ())
        if sheet.empty:
            typer.echo(f"{study.name} has nothing to suggest before pending trials are told: see `bbo pending`.")
            return
        try:
            deliver(sheet, out)
        except TableError as error:
            again = command("pending", "-o", "FILE", storage=storage, study=study)
            stop(f"{error} The {len(sheet)} trials are in the log: write them elsewhere with {again}", NO)
        if out == "-":
            return
        where = f" written to {out}" if out else " to carry out"
        typer.echo(f"{study.name}: {numbered(sheet['trial'])}{where}.")
        if len(sheet) < n:
            typer.echo(f"That is {len(sheet)} of {n}: there are no more before results are told, or within the budget.")
        told = command("tell", out or "TABLE.csv", storage=storage, study=study)
        steps = {told: "when results are filled in, all or some"}
        if not out:
            steps = {command("pending", "-o", "next.csv", storage=storage, study=study): "the table to fill in"} | steps
        print_next(steps)


def pending(storage: Storage = DEFAULT_STORAGE, out: Out = None, force: Force = False, name: Name = None) -> None:
    """Show the trials that wait for results, as a table to fill in."""
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.sheets import check_target, deliver
    from bbo.cli.terminal import numbered

    with load(existing_storage(storage), storage, name) as study:
        check_target(out, study, force=force)
        sheet = study.pending_frame()
    if sheet.empty:
        typer.echo(f"{study.name}: no trial waits for results.")
        return
    deliver(sheet, out)
    if out != "-":
        typer.echo(f"{study.name}: {numbered(sheet['trial'])}{f' written to {out}' if out else ' pending'}.")


def predict(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Conditions: a column per parameter, .csv or .xlsx.")],
    storage: Storage = DEFAULT_STORAGE,
    out: Out = None,
    force: Force = False,
    name: Name = None,
) -> None:
    """Predict the metrics at given conditions.

    Mean and standard deviation, as the strategy's model has them; nothing is logged.
    """
    import pandas as pd

    from bbo.cli.logs import existing_storage, load
    from bbo.cli.sheets import check_target, deliver
    from bbo.cli.terminal import counted
    from bbo.studies.table_files import read_table

    with load(existing_storage(storage), storage, name) as study:
        check_target(out, study, force=force)
        conditions = read_table(table)
        predicted = study.predict(conditions)
    if out is None:  # people need no more digits than a prediction has
        predicted = predicted.map(lambda v: float(f"{v:.4g}")).round(6)
    both = pd.concat([conditions, predicted], axis=1)
    deliver(both, out)
    if out not in (None, "-"):
        typer.echo(f"{out}: predictions for {counted(len(both), 'row')}")
