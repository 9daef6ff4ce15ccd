"""What came of trials: `bbo tell`, `bbo fail`, `bbo cancel`, `bbo amend`, `bbo note`, `bbo rank`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bbo.cli.options import DEFAULT_STORAGE, Name, Storage, Why
from bbo.errors import AlreadyToldError
from bbo.trial import FailureReason, Status

if TYPE_CHECKING:
    from bbo.studies.study import Study

Trials = Annotated[list[str], typer.Argument(metavar="TRIAL... [STORAGE]", help="Numbers of trials, and the log.")]
Executed = Annotated[
    list[str] | None,
    typer.Option("--executed", metavar="NAME=VALUE", help="A parameter that was set otherwise than suggested."),
]
Cost = Annotated[float | None, typer.Option(metavar="COST", help="What the trial cost, in the study's unit of cost.")]
CostOfEach = Annotated[float | None, typer.Option(metavar="COST", help="What each of these trials cost all the same.")]
Sd = Annotated[
    list[str] | None,
    typer.Option("--sd", metavar="METRIC=SD", help="The standard deviation of a value's noise, where it is known."),
]
NoteOption = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Free text, kept with the trial.")]


def tell(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE [STORAGE]",
            help="The table with results, .csv or .xlsx (results.xlsx#Sheet2); or with --trial, METRIC=VALUE...",
        ),
    ],
    trial: Annotated[int | None, typer.Option(metavar="N", help="Tell this trial, without a table.")] = None,
    executed: Executed = None,
    sd: Sd = None,
    cost: Cost = None,
    note: NoteOption = None,
    partial: Annotated[bool, typer.Option("--partial", help="More metrics of this trial are to come.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="COLUMN", help="Pass over this column of the table.")
    ] = None,
    name: Name = None,
) -> None:
    """Tell results: a table that was filled in, or one trial.

    bbo tell next.csv; bbo tell yield=81 --trial 3; bbo tell "yield=81;83;80" --trial 3 --cost 2. Rows without results
    wait, rows told before change nothing. A table is taken whole or, where a cell is wrong, not at all.
    """
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.words import is_assignment, params_of, split, values_of

    if trial is None:
        _tell_table(words, ignore or [], name, only_with_trial=[executed, sd, cost, note, partial])
        return
    own, storage = split(words, is_assignment, "With --trial, results are given as METRIC=VALUE")
    with load(existing_storage(storage), storage, name) as study:
        values, params = values_of(study, own), params_of(study, executed or [])
        known = values_of(study, sd or []) or None
        with _first_stands(study, trial):
            study.tell(trial, values, params=params or None, sd=known, cost=cost, note=note or "", partial=partial)
        _say(study, trial)


def fail(
    words: Trials,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What happened, kept in the log.")] = "",
    reason: Annotated[
        FailureReason,
        typer.Option(metavar="REASON", help="invalid (the point is to blame), timeout or lost (it is not)."),
    ] = FailureReason.INVALID,
    cost: CostOfEach = None,
    name: Name = None,
) -> None:
    """Tell that trials failed: they gave no values.

    Strategies learn to avoid their like, unless the reason says that the point was not to blame.
    """
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.words import is_trial, split

    own, storage = split(words, is_trial, "Trials are given by their numbers")
    with load(existing_storage(storage), storage, name) as study:
        for number in own:
            with _first_stands(study, int(number)):
                study.fail(int(number), why, reason=reason, cost=cost)
            _say(study, int(number))


def cancel(words: Trials, why: Why, cost: CostOfEach = None, name: Name = None) -> None:
    """Cancel trials that will not be carried out.

    They teach nothing and are not suggested again.
    """
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.words import is_trial, split

    own, storage = split(words, is_trial, "Trials are given by their numbers")
    with load(existing_storage(storage), storage, name) as study:
        for number in own:
            with _first_stands(study, int(number)):
                study.cancel(int(number), why, cost=cost)
            _say(study, int(number))


def amend(
    trial: Annotated[int, typer.Argument(metavar="TRIAL", help="The number of a trial that has ended.")],
    why: Why,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[METRIC=VALUE]... [STORAGE]", help="What it should have been.")
    ] = None,
    executed: Executed = None,
    sd: Sd = None,
    cost: Cost = None,
    note: NoteOption = None,
    status: Annotated[
        Status | None, typer.Option(metavar="STATUS", help="What it should be: completed, failed or cancelled.")
    ] = None,
    name: Name = None,
) -> None:
    """Correct what was told of a trial, such as a typo.

    Only what is given is replaced. What was told first stays in the log, with the reason.
    """
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.words import is_assignment, params_of, split, values_of

    own, storage = split(words or [], is_assignment, "Values are given as METRIC=VALUE")
    with load(existing_storage(storage), storage, name) as study:
        values, params = values_of(study, own), params_of(study, executed or [])
        known = values_of(study, sd or []) or None
        study.amend(
            trial, values or None, params=params or None, sd=known, cost=cost, note=note, status=status, why=why
        )
        _say(study, trial)


def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is worth remembering.")],
    storage: Storage = DEFAULT_STORAGE,
    trial: Annotated[int | None, typer.Option(metavar="N", help="It is about this trial.")] = None,
    name: Name = None,
) -> None:
    """Keep a note with the study, or with one of its trials."""
    from bbo.cli.logs import existing_storage, load

    with load(existing_storage(storage), storage, name) as study:
        study.note(text, trial)
        typer.echo(f"{study.name}: noted{'' if trial is None else f' with trial {trial}'}.")


def rank(
    words: Annotated[
        list[str],
        typer.Argument(metavar="TRIAL... [STORAGE]", help="The best first, equals joined by =, such as: 3 1=2 0"),
    ],
    name: Name = None,
) -> None:
    """Keep a ranking of trials that can only be compared."""
    from bbo.cli.logs import existing_storage, load
    from bbo.cli.words import is_group, split

    own, storage = split(words, is_group, "Trials are given by their numbers, the best first, equals as 1=2")
    with load(existing_storage(storage), storage, name) as study:
        study.rank([[int(number) for number in group.split("=")] for group in own])
        typer.echo(f"{study.name}: ranked {' > '.join(group.replace('=', ' = ') for group in own)}.")


def _tell_table(words: list[str], ignore: list[str], name: str | None, *, only_with_trial: list[object]) -> None:
    from bbo.cli.faults import stop
    from bbo.cli.logs import command, existing_storage, load
    from bbo.cli.terminal import print_next
    from bbo.cli.words import is_assignment
    from bbo.studies.table_files import read_table

    if len(words) > 2 or is_assignment(words[0]):
        stop("Give a table with results, or with --trial N the results of one trial as METRIC=VALUE.")
    if any(only_with_trial):
        stop("--executed, --cost, --note and --partial go with --trial N; a table has columns for them.")
    storage = words[1] if len(words) == 2 else DEFAULT_STORAGE
    with load(existing_storage(storage), storage, name) as study:
        told = study.tell_frame(read_table(words[0]), ignore=ignore)
        typer.echo(f"{study.name}: {told}")
        steps = {command("status", storage=storage, study=study): "where the study is"}
        if study.history.is_pending.any():
            steps = {command("pending", storage=storage, study=study): "what still waits for results"} | steps
        print_next(steps)


@contextmanager
def _first_stands(study: "Study", trial: int) -> Iterator[None]:
    """Ends the command where a trial has ended otherwise than is told now; says how it ended."""
    from bbo.cli.faults import stop
    from bbo.cli.trials import trial_in_words

    try:
        yield
    except AlreadyToldError:
        there = study.trial(trial)
        if not there.ended_at:
            raise
        stop(
            f"{study.name} has {trial_in_words(study, there)}. That stands; to put something else in its place: "
            f"bbo amend {trial}."
        )


def _say(study: "Study", trial: int) -> None:
    from bbo.cli.trials import trial_in_words

    typer.echo(f"{study.name}: {trial_in_words(study, study.trial(trial))}")
