"""What can be done with a log: `bbo verify`, `bbo copy`."""

import contextlib
from typing import Annotated

import typer

from bbo.cli.faults import NO, stop
from bbo.cli.options import DEFAULT_STORAGE, NameOrAll, Storage


def verify(
    storage: Storage = DEFAULT_STORAGE,
    name: NameOrAll = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head that verify printed earlier: the log must still contain it."),
    ] = None,
) -> None:
    """Check the chain of hashes, recompute every suggestion.

    The exit code is 1 where the chain is broken, its earlier head is gone or a suggestion differs; the first place is
    shown. A log that was cut short has a chain that holds: keep the head that is printed here, and give it as --head.
    """
    from bbo.cli.logs import existing_storage, shown
    from bbo.studies import specification
    from bbo.studies.verify import verify

    with contextlib.closing(existing_storage(storage)) as store:
        names = store.studies() if name is None else [name]
        if head is not None and len(names) > 1:
            stop(
                f"{shown(storage, store)} has the studies {', '.join(names)}: say with --name which one had the "
                f"head {head!r}."
            )
        all_agree = True
        for study in names:
            events = store.events(study)
            # From the events alone: a log that was changed by other hands may not fold to a study any more.
            found = verify(events, specification.rebuild)
            broken = next((e for e in events if e.seq == found.broken_at), None)
            n_asks = sum(e.kind == "asked" for e in events)
            agree = "all agree" if broken is None else "all before the break agree"
            said = [
                f"{found.n_asks} of {n_asks} asks recomputed, "
                + (agree if found.divergence is None else f"the last differs: {found.divergence}")
            ]
            if found.absent:
                said += [
                    f"{found.n_left_out} asks are of a space with {', '.join(found.absent)}, which a log cannot hold: "
                    "Study.load(..., space=space).verify() recomputes them"
                ]
            elif found.n_left_out:
                said += [f"{found.n_left_out} asks are by a strategy that is not bbo's: Study.verify takes it"]
            if broken is None:
                said += [f"chain of {len(events)} events holds, head {found.head}"]
            else:
                said += [
                    f"chain of {len(events)} events is broken at event {broken.seq} ({broken.kind} {broken.key}): it "
                    "was changed by other hands, or what stood before it was"
                ]
            is_contained = head is None or head in (e.hash for e in events)
            if not is_contained:
                said += [f"no event has the hash {head}: the log was cut short or changed since, or is another"]
            all_agree &= found.agrees and is_contained
            prefix = "" if len(names) == 1 else f"{study}: "
            for line in said:
                typer.echo(prefix + line)
    if not all_agree:
        raise typer.Exit(NO)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The log to copy from: a path or URL.")],
    target: Annotated[
        str, typer.Argument(metavar="DST", help="The log to copy to; a file is made where it is missing.")
    ],
    name: NameOrAll = None,
    to: Annotated[str | None, typer.Option(metavar="NAME", help="The study's name in the copy.")] = None,
) -> None:
    """Copy studies from one log to another, while they are at rest.

    Between files of JSON lines, SQLite and PostgreSQL, event by event; refused while workers are at it.
    """
    from bbo.cli.logs import existing_storage, shown, writable_storage
    from bbo.cli.terminal import counted
    from bbo.storage import copy_study

    with contextlib.closing(existing_storage(source)) as there:
        names = there.studies() if name is None else [name]
        if to is not None and len(names) > 1:
            stop(
                f"{shown(source, there)} has the studies {', '.join(names)}: say with --name which one becomes {to!r}."
            )
        if name is not None:
            there.events(name, since=2**62)  # an unknown study is an error before the target is made
        with contextlib.closing(writable_storage(target)) as here:
            clashes = [n for n in names if (to or n) in here.studies()]
            if clashes:
                stop(
                    f"{shown(target, here)} has {', '.join(to or n for n in clashes)} already; nothing was "
                    "copied. Copy single studies with --name, under another name with --to."
                )
            for n in names:
                events = copy_study(there, n, here, to)
                as_name = f" as {to}" if to else ""
                typer.echo(f"{n}{as_name}: {counted(events, 'event')} copied to {shown(target, here)}")
