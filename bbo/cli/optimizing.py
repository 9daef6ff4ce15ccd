"""What `bbo run` does and says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from bbo.cli.designs import best_in_a_word, print_best
from bbo.cli.faults import INTERRUPTED, NO, stop
from bbo.cli.lists import make_problem, make_strategy
from bbo.cli.logs import command, logged_strategy, n_ended, shown, status_counts, writable_storage
from bbo.cli.options import DEFAULT_STORAGE
from bbo.cli.terminal import console, joined, print_next, shell
from bbo.errors import StrategyError
from bbo.protocols import Problem, Strategy
from bbo.studies.specification import as_objectives, refusal
from bbo.studies.study import Study
from bbo.trial import Status


@dataclass(frozen=True)
class Order:
    """What was typed; None where it was left out."""

    problem: str
    strategy: str | None
    trials: int
    seed: int | None
    storage: str
    name: str
    workers: int
    plots: Path | None

    def again(self, trials: int, study: Study) -> str:
        """The command that goes on with the study; its strategy and seed are in the log."""
        words = ["bbo", "run", self.problem, "--trials", str(trials)]
        words += ["--storage", shown(self.storage, study.storage)] if self.storage != DEFAULT_STORAGE else []
        words += ["--name", self.name] if self.name != self.problem else []
        words += ["--workers", str(self.workers)] if self.workers != 1 else []
        words += ["--plots", str(self.plots)] if self.plots is not None else []
        return shell(*words)


def optimize(order: Order) -> None:
    """Makes or resumes the study, runs it, and says what came of it."""
    problem = make_problem(order.problem)
    with _opened(order, problem) as study:
        is_done = n_ended(study) >= order.trials
        try:
            study.run(problem, order.trials, workers=order.workers, progress=not is_done)
        except KeyboardInterrupt:
            _say_interrupted(study, order)
            raise typer.Exit(INTERRUPTED) from None
        typer.echo()
        print_best(console(), study, problem)
        _say_counts(study)
        if order.plots is not None:
            from bbo.cli.drawing import draw, kinds_for, model_of

            model = None
            with suppress(StrategyError):
                model = model_of(study, None)
            for path in draw(study, problem, order.plots, kinds_for(study, model), model):
                typer.echo(f"Figure: {path}")
        _say_next(study, order)
        if not study.history.is_completed.any():
            stop("No trial completed.", NO)


@contextmanager
def _opened(order: Order, problem: Problem) -> Iterator[Study]:
    """The study, new or resumed, having said which."""
    strategy = None if order.strategy is None else make_strategy(order.strategy)
    storage = writable_storage(order.storage)
    is_new = order.name not in storage.studies()
    logged = None if is_new else _name(logged_strategy(storage.events(order.name)))
    if is_new and strategy is None:
        strategy = _default(problem)  # at once, so that a refusal comes before anything is written
    with Study(
        problem.space,
        problem.objectives,
        strategy=strategy,
        storage=storage,
        name=order.name,
        problem=order.problem,
        seed=order.seed,
    ) as study:
        by, n = type(study.strategy).__name__, n_ended(study)
        if is_new:
            said = f"{by}, {order.trials} trials, seed {study.seed}"
        elif n < order.trials:
            said = f"resumed at trial {n} of {order.trials} with {by}"
        else:
            said = (
                f"has its {n} trials already" if n == order.trials else f"has {n} trials already, {order.trials} wanted"
            )
        typer.echo(f"{order.name}: {said}")
        if logged not in (None, by):
            typer.echo(f"The strategy was {logged}; {by} takes over.")
        typer.echo(
            f"The log is {shown(order.storage, storage)}"
            f"{' in the current directory' * (order.storage == DEFAULT_STORAGE)}."
        )
        yield study


def _default(problem: Problem) -> Strategy:
    """GP, or SobolSearch for what GP does not take."""
    default = make_strategy("GP")
    if refusal(default, problem.space, as_objectives(problem.objectives)) is None:
        return default
    typer.echo("GP does not take such a problem yet, so SobolSearch does it; `bbo strategies --for` says which do.")
    return make_strategy("SobolSearch")


def _name(described: Mapping[str, Any]) -> str:
    return str(described.get("name") or described["own"])


def _say_interrupted(study: Study, order: Order) -> None:
    best = study.best if len(study.objectives.aims) == 1 else None
    where = "" if best is None else f" (trial {best.number})"
    for line in (
        f"\nInterrupted after {n_ended(study)} of {order.trials} trials; all of them are in the log.",
        f"Best so far: {best_in_a_word(study)}{where}",
        f"To go on:    {order.again(order.trials, study)}",
    ):
        typer.echo(line, err=True)


def _say_counts(study: Study) -> None:
    trials = study.trials
    counts = status_counts(trials)
    completed = f"{counts[Status.COMPLETED]} completed"
    if study.objectives.constraints:
        completed += f" ({int(study.history.is_feasible.sum())} feasible)"
    others = [f"{counts[s]} {s.value}" for s in Status if s is not Status.COMPLETED and counts[s]]
    typer.echo(f"\n{len(trials)} trials: {joined([completed, *others])}.")
    failed = [t for t in trials if t.status is Status.FAILED and t.message]
    if failed:
        typer.echo(f"Trial {failed[-1].number} failed with: {failed[-1].message.strip().splitlines()[-1]}")


def _say_next(study: Study, order: Order) -> None:
    where = order.storage
    steps = {command("status", storage=where, study=study): "what is in the log"}
    if order.plots is None:
        steps[command("plot", storage=where, study=study)] = "figures"
    steps[command("verify", storage=where, study=study)] = "recompute the suggestions"
    steps[command("export", "--csv", f"{study.name}.csv", storage=where, study=study)] = "all trials as a table"
    steps[order.again(2 * order.trials, study)] = "go on"
    print_next(steps)
