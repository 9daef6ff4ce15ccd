"""What bbo comes with: `bbo problems`, `bbo strategies`."""

from typing import Annotated

import typer

from bbo.cli.faults import stop

Plain = Annotated[bool, typer.Option("--plain", help="Only the names, one a line.")]


def problems(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, in full.")] = None,
    plain: Plain = False,
) -> None:
    """List the problems that bbo comes with, or say all that is known of one."""
    from bbo.problems import PROBLEMS

    if name is not None:
        from bbo.cli.cards import print_card

        print_card(name)
        return
    if plain:
        typer.echo("\n".join(PROBLEMS))
        return
    from bbo.cli.lists import print_problems

    print_problems()


def strategies(
    problem: Annotated[
        str | None, typer.Option("--for", metavar="PROBLEM", help="Say which strategies take this problem.")
    ] = None,
    plain: Plain = False,
) -> None:
    """List the strategies, and which take a problem."""
    from bbo.strategies import STRATEGIES

    if plain and problem is None:
        typer.echo("\n".join(STRATEGIES))
        return
    from bbo.cli.lists import make_problem, print_strategies, refusals

    wanted = None if problem is None else make_problem(problem)
    refused = {} if wanted is None else refusals(wanted)
    if plain:
        typer.echo("\n".join(name for name in STRATEGIES if name not in refused))
    else:
        print_strategies(None if problem is None else refused)
    if len(refused) == len(STRATEGIES):
        stop(f"No strategy takes {problem!r}.", code=1)
