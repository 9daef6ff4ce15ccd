"""What can be done with a log: `bbo verify`, `bbo copy`."""

from typing import Annotated

import typer

from bbo.cli.faults import NO, stop
from bbo.cli.options import DEFAULT_STORAGE, NameOrAll, Storage


def verify(storage: Storage = DEFAULT_STORAGE, name: NameOrAll = None) -> None:
    """Recompute every suggestion from the log.

    The exit code is 1 where one differs, and the first difference is shown.
    """
    from bbo.cli.logs import existing_storage, load_all

    store = existing_storage(storage)
    try:
        studies = load_all(store, name)
        all_agree = True
        for study in studies:
            n_asks, found = study.history.n_asks, study.verify()
            all_agree &= found.agrees
            prefix = "" if len(studies) == 1 else f"{study.name}: "
            if found.divergence is None:
                typer.echo(f"{prefix}{found.n_asks} of {n_asks} asks recomputed, all agree")
                if found.n_left_out:
                    typer.echo(
                        f"{prefix}{found.n_left_out} asks are by a strategy that is not bbo's: Study.verify takes it"
                    )
            else:
                typer.echo(f"{prefix}{found.n_asks} of {n_asks} asks recomputed, the last differs: {found.divergence}")
    finally:
        store.close()
    if not all_agree:
        raise typer.Exit(NO)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The log to copy from.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="The log to copy to; made where it is missing.")],
    name: NameOrAll = None,
    to: Annotated[str | None, typer.Option(metavar="NAME", help="The study's name in the copy.")] = None,
) -> None:
    """Copy studies from one log to another.

    From a file to a database or back, event by event.
    """
    from bbo.cli.logs import existing_storage, writable_storage
    from bbo.cli.terminal import counted
    from bbo.storage import copy_study

    there = existing_storage(source)
    names = there.studies() if name is None else [name]
    if to is not None and len(names) > 1:
        stop(f"{source} has the studies {', '.join(names)}: say with --name which one becomes {to!r}.")
    if name is not None:
        there.events(name, since=2**62)  # an unknown study is an error before the target is made
    here = writable_storage(target)
    clashes = [n for n in names if (to or n) in here.studies()]
    if clashes:
        stop(
            f"{target} has {', '.join(to or n for n in clashes)} already; nothing was copied. "
            "Copy single studies with --name, under another name with --to."
        )
    try:
        for n in names:
            events = copy_study(there, n, here, to)
            typer.echo(f"{n}{f' as {to}' if to else ''}: {counted(events, 'event')} copied to {target}")
    finally:
        there.close()
        here.close()
