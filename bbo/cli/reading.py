"""What a log has: `bbo status`, `bbo best`, `bbo export`, `bbo plot`."""

from pathlib import Path
from typing import Annotated

import typer

from bbo.cli.faults import NO, stop
from bbo.cli.options import DEFAULT_STORAGE, Name, NameOrAll, Storage


def status(
    storage: Storage = DEFAULT_STORAGE,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Details of this study.")] = None,
) -> None:
    """Show the studies of a log, or one in detail."""
    from bbo.cli.logs import existing_storage, load, load_all
    from bbo.cli.overview import print_details, print_studies

    store = existing_storage(storage)
    try:
        if name is None:
            print_studies(load_all(store, None))
        else:
            print_details(load(store, storage, name))
    finally:
        store.close()


def best(
    storage: Storage = DEFAULT_STORAGE,
    name: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, every digit.")] = False,
) -> None:
    """Show a study's best design.

    With several objectives, its Pareto front. The exit code is 1 where no trial is feasible.
    """
    from bbo.cli.designs import best_as_json, print_best, problem_of
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.terminal import console

    with load(existing_storage(storage), storage, name) as study:
        problem = problem_of(study)
        if as_json:
            import json

            said = best_as_json(study, problem)
            typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
            is_found = bool(said.get("best") or said.get("front"))
        else:
            is_found = print_best(console(), study, problem)
    if not is_found:
        raise typer.Exit(NO)


def export(
    csv: Annotated[str, typer.Option("--csv", metavar="OUT", help="The file to write; - for the terminal.")],
    storage: Storage = DEFAULT_STORAGE,
    name: Name = None,
) -> None:
    """Write all trials of a study as CSV.

    A column for each parameter and metric, status, feasibility, times (UTC).
    """
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.terminal import counted

    with load(existing_storage(storage), storage, name) as study:
        frame = study.frame()
    text = frame.to_csv(index=False, lineterminator="\n")
    if csv == "-":
        typer.echo(text, nl=False)
        return
    path = Path(csv)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        stop(f"Cannot write {path}: {error.strerror}.", NO)
    typer.echo(f"{path}: {counted(len(frame), 'trial')}")


def plot(
    storage: Storage = DEFAULT_STORAGE,
    name: NameOrAll = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder for the files.")] = Path(),
) -> None:
    """Draw the studies of a log as PNG files.

    Two figures a study: how it went, and the value against each parameter.
    """
    from bbo.cli.designs import problem_of
    from bbo.cli.drawing import draw
    from bbo.cli.logs import existing_storage, load_all

    store = existing_storage(storage)
    try:
        for study in load_all(store, name):
            for path in draw(study, problem_of(study), out):
                typer.echo(path)
    finally:
        store.close()
