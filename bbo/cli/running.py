"""`bbo run`: one of bbo's problems, from the first trial or from where it stopped."""

from pathlib import Path
from typing import Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE


def run(
    problem: Annotated[str, typer.Argument(metavar="PROBLEM", help="One of `bbo problems`.")],
    strategy: Annotated[
        str | None,
        typer.Option(metavar="STRATEGY", help="One of `bbo strategies`; GP when left out, or the one in the log."),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many trials the study is to have in the end.")
    ] = 40,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of a new study; drawn and recorded when left out.")
    ] = None,
    storage: Annotated[
        str, typer.Option(metavar="PATH", help="The log: a .db or .jsonl file; made where it is missing.")
    ] = DEFAULT_STORAGE,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the study; the problem's when left out.")] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Trials evaluated at once, in threads.")] = 1,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Write figures as PNG files here.")] = None,
) -> None:
    """Optimize a problem, or go on with it.

    The same command again resumes the study where it stopped, also after Ctrl-C or a crash.
    """
    from bbo.cli.optimizing import Order, optimize

    name = problem if name is None else name
    optimize(Order(problem, strategy, trials, seed, storage, name, workers, plots))
