"""`bbo budget`: how far a study goes."""

from typing import Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE, Name, Storage

# Nobody waits or pays for more; `--hours` in seconds stays a number.
_ENDLESS = 1e12


def budget(
    storage: Storage = DEFAULT_STORAGE,
    trials: Annotated[int | None, typer.Option(metavar="N", help="Trials in all.")] = None,
    cost: Annotated[float | None, typer.Option(metavar="COST", help="Sum of the costs of all trials.")] = None,
    hours: Annotated[float | None, typer.Option(metavar="HOURS", help="Since the first ask.")] = None,
    none: Annotated[
        bool, typer.Option("--none", help="No limits and no stop rules; those given besides count.")
    ] = False,
    name: Name = None,
) -> None:
    """Show or set how far a study goes.

    What is used of each limit is shown with it. Limits that are not given stay as they are.
    """
    from bbo.budget import Budget
    from bbo.cli.faults import stop
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.spending import budget_in_words

    for option, value in {"trials": trials, "cost": cost, "hours": hours}.items():
        if value is not None and not 0 < value < _ENDLESS:
            stop(f"--{option} is a number above 0: got {value}. Without limits: --none.")
    given = {"trials": trials, "cost": cost, "seconds": None if hours is None else hours * 3600}
    with load(existing_storage(storage), storage, name) as study:
        if none or any(value is not None for value in given.values()):
            before = {} if none else study.budget.to_dict()
            study.set_budget(Budget.from_dict(before | {k: v for k, v in given.items() if v is not None}))
        typer.echo(f"{study.name}: {budget_in_words(study)}")
        if study.finished is not None:
            typer.echo(f"The study is finished: {study.finished.message}")
