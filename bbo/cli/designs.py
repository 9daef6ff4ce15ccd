"""A study's best design, or its front, as tables and as JSON."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bbo.cli.lists import best_known, known_problem
from bbo.cli.terminal import Side, bare_table, counted, heading, indented, number, wrapped
from bbo.objective import Maximize, Minimize, Objective, Objectives, OutcomeConstraint
from bbo.protocols import Problem
from bbo.studies.auditing import audit
from bbo.studies.cells import header
from bbo.studies.view import StudyView
from bbo.trial import Trial


def problem_of(study: StudyView) -> Problem | None:
    """The problem that the study is of, where it says so or its name does."""
    return known_problem(study.problem or study.name, study.space, study.objectives)


def print_best(
    screen: Console, study: StudyView, problem: Problem | None, context: Mapping[str, Any] | None = None
) -> bool:
    """The best design, or the front of several objectives; whether there is any.

    Args:
        context: of the trials with these values alone.
    """
    designs = _best(study, context or {})
    if not designs and context:
        where = ", ".join(f"{name} is {number(value)}" for name, value in study.space.flat(context).items())
        screen.print(f"{study.name}: no trial where {where} is completed and feasible.", style="bold")
        return False
    if not designs:
        _print_why_none(screen, study)
        return False
    if len(study.objectives.aims) > 1:
        screen.print(f"{study.name}: {counted(len(designs), 'trial')} on the Pareto front", style="bold")
        _print_front(screen, study, designs)
    else:
        screen.print(f"Best design of {study.name}: trial {designs[0].number}", style="bold")
        _print_design(screen, study, designs[0], None if context else best_known(problem))
        if designs[0].number in audit(study.history).outliers:
            doubt = "The model hardly believes this trial's values: repeat it, or mend what was mistyped (bbo amend)."
            screen.print()
            wrapped(screen, doubt, indent=2, style="yellow")
    return True


def best_as_json(study: StudyView, problem: Problem | None, context: Mapping[str, Any]) -> dict[str, Any]:
    """The same, for programs: `best` is a trial or null; with several objectives, `front` is a list."""
    said: dict[str, Any] = {"study": study.name, "objectives": [aim.metric for aim in study.objectives.aims]}
    said |= {"context": dict(context)} if context else {}
    designs = [_trial_as_json(trial) for trial in _best(study, context)]
    if len(study.objectives.aims) > 1:
        return said | {"front": designs}
    return said | {"best_known": None if context else best_known(problem), "best": designs[0] if designs else None}


def _best(study: StudyView, context: Mapping[str, Any]) -> list[Trial]:
    """The front where there are several objectives, else the best trial if there is one; of a context."""
    if len(study.objectives.aims) > 1:
        return study.front_in(context)
    best = study.best_in(context)
    return [] if best is None else [best]


def best_in_a_word(study: StudyView) -> str:
    """For a table: the value, or what there is instead."""
    if len(study.objectives.aims) > 1:
        return f"front of {len(study.front)}"
    best = study.best
    return "none feasible" if best is None else number(best.values[study.objectives.aims[0].metric])


def gap(value: float, known: float, aim: Objective) -> str:
    """How far a value is from the best known one."""
    if math.isclose(value, known, rel_tol=5e-6, abs_tol=1e-12):
        return "equal"
    side = "above" if value > known else "below"
    is_better = (
        (value < known) if isinstance(aim, Minimize) else (value > known) if isinstance(aim, Maximize) else False
    )
    far = f"{abs(value - known):.3g}" if known == 0 else f"{_percent(abs(value - known) / abs(known))} %"
    return f"{far} {side}{' (better)' if is_better else ''}"


def bound_in_words(constraint: OutcomeConstraint) -> str:
    match (constraint.lower, constraint.upper):
        case (None, upper):
            said = f"<= {number(upper)}"
        case (lower, None):
            said = f">= {number(lower)}"
        case (lower, upper):
            said = f"{number(lower)} to {number(upper)}"
    return f"{said} {constraint.unit}" if constraint.unit else said


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f}" if percent < 1000 and percent >= 0.1 else f"{percent:.2g}"


def _print_design(screen: Console, study: StudyView, trial: Trial, known: float | None) -> None:
    aim = study.objectives.aims[0]
    value = trial.values[aim.metric]
    table = bare_table("left", "right", "left", "left")
    heading(table, "objective", "value", "best known" if known is not None else "", "")
    far = ("", "") if known is None else (number(known), gap(value, known, aim))
    table.add_row(Text(header(aim.metric, aim.unit), style="bold"), Text(number(value), style="bold"), *far)
    table.add_row()
    heading(table, "parameter", "value", "unit")
    for name, value in study.space.flat(trial.params).items():
        table.add_row(name, number(value), getattr(study.space.cells[name], "unit", None) or "")
    _add_constraints(table, study.objectives, trial)
    if study.objectives.tracked:
        table.add_row()
        heading(table, "tracked", "value")
        for w in study.objectives.tracked:
            table.add_row(header(w.metric, w.unit), number(trial.values.get(w.metric, "-")))
    indented(screen, table)


def _add_constraints(table: Table, objectives: Objectives, trial: Trial) -> None:
    if not objectives.constraints:
        return
    table.add_row()
    heading(table, "constraint", "value", "bound", "slack")
    for constraint in objectives.constraints:
        value = trial.values[constraint.metric]
        slack = 0.0 - max(float(g[0]) for g in constraint.violations(np.array([value])))
        mark = Text("ok", style="green") if slack >= 0 else Text("broken", style="red")
        said = Text.assemble(f"{number(slack)}  ", mark)
        table.add_row(constraint.metric, number(value), bound_in_words(constraint), said)


def _print_front(screen: Console, study: StudyView, front: Sequence[Trial]) -> None:
    front = sorted(front, key=lambda t: t.values[study.objectives.aims[0].metric])
    table = _front_table(study, front, tuple(study.space.cells))
    if screen.measure(table).maximum > screen.width - 2:
        table = _front_table(study, front, ())
        wrapped(screen, "The parameters, too many for this width: bbo export, or bbo best --json.", style="dim")
    indented(screen, table)


def _front_table(study: StudyView, front: Sequence[Trial], names: Sequence[str]) -> Table:
    metrics = [aim.metric for aim in study.objectives.aims]
    right: Side = "right"
    table = bare_table(*[right] * (1 + len(metrics) + len(names)))
    heading(table, "trial", *metrics, *names)
    for trial in front:
        values = [Text(number(trial.values[m]), style="bold") for m in metrics]
        table.add_row(
            str(trial.number), *values, *(number(study.space.flat(trial.params).get(name, "")) for name in names)
        )
    return table


def _print_why_none(screen: Console, study: StudyView) -> None:
    history = study.history
    n_completed = int(history.is_completed.sum())
    if not n_completed:
        screen.print(f"{study.name}: no completed trial yet.", style="bold")
        return
    screen.print(f"{study.name}: none of {counted(n_completed, 'completed trial')} is feasible.", style="bold")
    table = bare_table("left", "left", "right", "left")
    heading(table, "constraint", "bound", "broken in", "nearest to it")
    for constraint in study.objectives.constraints:
        values = history.V[history.is_completed, history.objectives.metrics.index(constraint.metric)]
        worst = np.max(constraint.violations(values), axis=0)
        table.add_row(
            constraint.metric,
            bound_in_words(constraint),
            f"{(worst > 0).sum()} trials",
            number(float(values[np.argmin(worst)])) if (worst > 0).all() else "",
        )
    indented(screen, table)


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    return {"trial": trial.number, "params": trial.params, "values": dict(trial.values), "feasible": trial.is_feasible}
