"""`bbo problems NAME`: what is known of one problem, and how long an evaluation takes here."""

import time
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from bbo.cli.lists import best_known, make_problem
from bbo.cli.terminal import bare_table, console, counted, duration, goal, indented, number, print_next, shell, wrapped
from bbo.errors import DataError
from bbo.fidelity import Fidelity
from bbo.objective import Objectives
from bbo.problems import PROBLEMS
from bbo.problems.card import Card
from bbo.protocols import Problem

# Evaluations are timed until so many seconds have passed, or so many were made.
_SECONDS, _MOST_TIMED = 1.0, 20


def print_card(name: str) -> None:
    """All that is known of a problem; ends the command where there is none of that name."""
    problem, entry, screen = make_problem(name), PROBLEMS[name], console()
    card: Card = problem.card  # type: ignore[attr-defined]
    screen.print(Text.assemble((name, "bold"), f"  {entry.family}"))
    wrapped(screen, entry.description)
    facts = bare_table("left", "left")
    for title, said in _facts(problem, card, entry.extra).items():
        if said:
            facts.add_row(Text(title, style="dim"), said)
    screen.print()
    indented(screen, facts)
    for remark in card.remarks:
        screen.print()
        wrapped(screen, remark)
    print_next({shell("bbo", "run", name): "optimize it"})


def _facts(problem: Problem, card: Card, extra: str) -> dict[str, str]:
    wanted = Objectives(tuple(problem.objectives))
    known = best_known(problem)
    try:
        parameters, evaluation = _parameters(problem), _timed(problem, card)
    except (DataError, ImportError) as error:  # what else is known of it is no less of use
        parameters, evaluation = "", f"cannot be had here: {error}"
    return {
        "parameters": parameters,
        "goal": goal(wanted),
        "constraints": ", ".join(c.metric for c in wanted.constraints),
        "fidelities": "; ".join(map(_fidelity, getattr(problem, "fidelities", ()))),
        "best known": "" if known is None else number(known) + (f": {card.known}" if card.known else ""),
        "noise": card.noise or "none: the same point has the same values",
        "one evaluation": evaluation,
        "data": card.size,
        "licence": card.licence,
        "source": card.source,
        "": card.url,
        "needs": f"pip install 'bbo[{extra}]'" if extra else "",
    }


def _parameters(problem: Problem) -> str:
    n = len(problem.space.constraints)
    return ", ".join([*problem.space.names, *([f"{counted(n, 'constraint')} on them"] if n else [])])


def _fidelity(fidelity: Fidelity) -> str:
    values = f"{fidelity.low:g} to {fidelity.high:g}"
    if fidelity.levels is not None:
        values = ", ".join(f"{v:g}" for v in fidelity.levels)
    return f"{fidelity.name} {values}{f' {fidelity.unit}' if fidelity.unit else ''}"


def _timed(problem: Problem, card: Card) -> str:
    """How long an evaluation takes on this machine, the median of some, and what it costs by its own account.

    Where there are fidelities, of the least: in full it may take minutes.
    """
    points = problem.space.sample(_MOST_TIMED, np.random.default_rng(0))
    low = {f.name: f.low for f in getattr(problem, "fidelities", ())}
    problem.evaluate(points[0], fidelity=low)  # loads what the first evaluation loads
    seconds: list[float] = []
    for seed, params in enumerate(points):
        began = time.perf_counter()
        problem.evaluate(params, fidelity=low, seed=seed)
        seconds.append(time.perf_counter() - began)
        if sum(seconds) > _SECONDS:
            break
    said = f"{duration(float(np.median(seconds)))} here{', at the least fidelity' if low else ''}"
    cost = getattr(problem, "cost", None)
    if cost is None:
        return said
    least = f", at the least fidelity {_range([float(cost(p, low)) for p in points])}" if low else ""
    return f"{said}; it costs {_range([float(cost(p, None)) for p in points])}{least}, in {card.cost_unit}"


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return number(low) if low == high else f"{number(low)} to {number(high)}"
