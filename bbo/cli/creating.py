"""`bbo new`, `bbo change`: a study from a study file, and another space for it."""

from typing import Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE


def new(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The study file, TOML: see docs/lab.md.")],
    storage: Annotated[
        str | None,
        typer.Argument(metavar="STORAGE", help=f"The log; the file's, or {DEFAULT_STORAGE}, when left out."),
    ] = None,
) -> None:
    """Make a study from a study file, and say what it is.

    The same file again changes nothing; a file that says otherwise than the log is an error that names the difference.
    """
    from bbo.cli.logs import command, shown, writable_storage
    from bbo.cli.specified import print_specification
    from bbo.cli.terminal import console, print_next
    from bbo.studies.study_file import read_study_file

    described = read_study_file(file)
    where = storage or described.storage or DEFAULT_STORAGE
    store = writable_storage(where)
    is_new = described.name not in store.studies()
    with described.open(store) as study:
        said = "is a new study" if is_new else f"is there already, unchanged, with {len(study.trials)} trials"
        typer.echo(f"{study.name} {said} in {shown(where, store)}.\n")
        print_specification(console(), study)
        print_next({command("ask", "-n", "8", "-o", "next.csv", storage=where, study=study): "trials to carry out"})


def change(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The study file with the space as it is to be.")],
    storage: Annotated[
        str | None,
        typer.Argument(metavar="STORAGE", help=f"The log; the file's, or {DEFAULT_STORAGE}, when left out."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--given", metavar="NAME=VALUE", help="What a new parameter had in the trials so far."),
    ] = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="For those who read the log.")] = "",
) -> None:
    """Give a running study the space of its changed file.

    Ranges, choices and constraints may be others, and parameters new. Trials outside of it stay and inform.
    """
    from bbo.cli.logs import existing_storage, load, shown
    from bbo.cli.specified import print_specification
    from bbo.cli.terminal import console
    from bbo.cli.words import params_of
    from bbo.studies.study_file import read_study_file

    described = read_study_file(file)
    where = storage or described.storage or DEFAULT_STORAGE
    store = existing_storage(where)
    with load(store, where, described.name) as study:
        before = study.space
        described.change(study, params_of(study, given or [], described.space), why)
        said = before.difference(study.space)
        typer.echo(f"{study.name} in {shown(where, store)}: {said or 'the space is as it was'}.\n")
        print_specification(console(), study)
