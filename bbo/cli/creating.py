"""`bbo new`: a study from a study file."""

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
