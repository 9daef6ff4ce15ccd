"""What a log has: `bbo status`, `bbo best`, `bbo export`, `bbo plot`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bbo.cli.faults import NO
from bbo.cli.figures import FigureKind
from bbo.cli.options import DEFAULT_STORAGE, Force, Name, NameOrAll, Storage

if TYPE_CHECKING:
    from bbo.studies.view import StudyView


def status(
    storage: Storage = DEFAULT_STORAGE,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Details of this study.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every 2 s, until Ctrl-C.")] = False,
) -> None:
    """Show the studies of a log, or one in detail.

    Trials that wait and with whom, notes, the budget and what is expected of further trials; nothing is changed.
    """
    from bbo.cli.logs import existing_storage, look_at_all
    from bbo.cli.overview import print_overview
    from bbo.cli.terminal import console

    store = existing_storage(storage)
    try:
        studies = look_at_all(store, name)
        if watch:
            from bbo.cli.watching import watch_studies

            watch_studies(studies)
        else:
            print_overview(console(), studies)
    finally:
        store.close()


def best(
    storage: Storage = DEFAULT_STORAGE,
    name: Name = None,
    context: Annotated[
        list[str] | None, typer.Option("--context", metavar="NAME=VALUE", help="Of the trials where this was so.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, every digit.")] = False,
) -> None:
    """Show a study's best design.

    With several objectives, its Pareto front. The exit code is 1 where no trial is feasible.
    """
    from bbo.cli.designs import best_as_json, print_best, problem_of
    from bbo.cli.logs import existing_storage, look
    from bbo.cli.terminal import console
    from bbo.cli.words import params_of

    with look(existing_storage(storage), storage, name) as study:
        problem, given = problem_of(study), params_of(study, context or [])
        if as_json:
            import json

            said = best_as_json(study, problem, given)
            typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
            is_found = bool(said.get("best") or said.get("front"))
        else:
            is_found = print_best(console(), study, problem, given)
    if not is_found:
        raise typer.Exit(NO)


def export(
    storage: Storage = DEFAULT_STORAGE,
    out: Annotated[
        str | None, typer.Option("--csv", metavar="OUT", help="The .csv or .xlsx file to write; - for the terminal.")
    ] = None,
    optuna: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The Optuna storage to write to, such as sqlite:///optuna.db."),
    ] = None,
    force: Force = False,
    name: Name = None,
) -> None:
    """Write all trials of a study as a table, or into a storage of Optuna's.

    A table has a column for each parameter and metric, status, feasibility, times (UTC). Optuna's dashboard shows what
    was written there: optuna-dashboard URL. Written again, it is brought up to date.
    """
    from bbo.cli.faults import stop
    from bbo.cli.logs import existing_storage, look
    from bbo.cli.sheets import check_target, deliver
    from bbo.cli.terminal import counted

    if (out is None) == (optuna is None):
        stop("Export to a table with --csv OUT, or to Optuna with --optuna URL.")
    with look(existing_storage(storage), storage, name) as study:
        if optuna is not None:
            n = _to_optuna(study, optuna)
            typer.echo(f"{study.name}: {counted(n, 'trial')} in {optuna}; to look at them: optuna-dashboard {optuna}")
            return
        assert out is not None
        check_target(out, study, force=force)
        frame = study.frame()
    deliver(frame, out)
    if out != "-":
        typer.echo(f"{out}: {counted(len(frame), 'trial')}")


def _to_optuna(study: "StudyView", url: str) -> int:
    """How many trials Optuna has then."""
    from sqlalchemy.exc import SQLAlchemyError

    from bbo.cli.faults import stop

    try:
        from optuna.exceptions import OptunaError
    except ModuleNotFoundError:
        stop("Optuna is not installed: pip install bbo[optuna].", NO)
    try:
        return len(study.to_optuna(url).get_trials(deepcopy=False))
    except ValueError as error:
        stop(str(error))
    except (SQLAlchemyError, OptunaError, RuntimeError) as error:
        stop(f"Optuna cannot use {url}: {str(error).splitlines()[0]}", NO)


def plot(
    storage: Storage = DEFAULT_STORAGE,
    name: NameOrAll = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The folder for the files.")] = Path(),
    only: Annotated[
        list[FigureKind] | None, typer.Option("--only", metavar="KIND", help="This kind of figure; may be repeated.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Draw the model of this strategy instead of the study's own.")
    ] = None,
) -> None:
    """Draw the studies of a log as PNG files.

    Of the results: progress (how it went) and parameters (the value against each). Of the model, where the strategy has
    one: slices (along each parameter through the best point), dependence (averages over the space), pair (the same over
    the two parameters that matter most), importance, and predicted (against observed).
    """
    from bbo.cli.designs import problem_of
    from bbo.cli.drawing import draw, kinds_for, model_of
    from bbo.cli.logs import existing_storage, look_at_all
    from bbo.errors import StrategyError

    store = existing_storage(storage)
    try:
        for study in look_at_all(store, name):
            kinds, model = only or [], None
            if not only or any(kind.is_of_model for kind in only):
                try:
                    model = model_of(study, strategy)
                except StrategyError as error:
                    if only or strategy is not None:
                        raise
                    typer.echo(f"{study.name}: figures of results alone. {error}", err=True)
            for path in draw(study, problem_of(study), out, kinds or kinds_for(study, model), model):
                typer.echo(path)
    finally:
        store.close()
