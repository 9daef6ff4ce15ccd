"""`bbo worker`: one of many processes that evaluate the trials of a study."""

from typing import Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE, Storage


def worker(
    storage: Storage = DEFAULT_STORAGE,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The study; may be left out where the log has only one.")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:NAME|PROBLEM",
            help="What to evaluate: a function of a trial, or a problem, in a file of yours; or one of `bbo problems`: "
            "that of the study when left out.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many trials the study is to have in the end, if not its budget."),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, metavar="N", help="Trials that this worker evaluates at once.")] = 1,
    trial_timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="A trial that takes longer is killed and fails.")
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, metavar="N", help="How often a trial whose worker died is started again.")
    ] = 2,
    grace: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long a running trial may go on after SIGTERM or Ctrl-C."),
    ] = 8.0,
) -> None:
    """Evaluate trials of a study, one of many workers.

    Stops when the study is finished. SIGTERM stops it in good order: the running trial is told if it ends within the
    grace, else others take it up.
    """
    from bbo.cli.evaluators import evaluator
    from bbo.cli.logs import existing_storage, load, n_ended

    with load(existing_storage(storage), storage, name) as study:
        function = evaluator(objective, study)
        typer.echo(f"{study.name}: worker at work, {n_ended(study)} trials ended so far", err=True)
        study.work(
            function, trials, workers=at_once, trial_timeout=trial_timeout, retries=retries, grace=grace, progress=None
        )
        typer.echo(f"{study.name}: {n_ended(study)} trials ended", err=True)
