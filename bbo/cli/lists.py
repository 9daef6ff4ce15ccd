"""Problems and strategies by name, and the lists of them."""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from rich.text import Text

from bbo.cli.faults import stop
from bbo.cli.terminal import aim_in_words, console, counted, number, wrapped
from bbo.objective import Objectives
from bbo.problems import PROBLEMS, make
from bbo.protocols import Problem, Strategy
from bbo.strategies import STRATEGIES


def make_problem(name: str) -> Problem:
    """The problem of this name; ends the command, naming near ones, where there is none."""
    try:
        return make(name)
    except ValueError as error:
        if name in PROBLEMS:
            raise
        stop(str(error))


def make_strategy(name: str) -> Strategy:
    """The strategy of this name with its defaults; ends the command, naming near ones, where there is none."""
    if name not in STRATEGIES:
        folded = {s.lower(): s for s in STRATEGIES}
        near = difflib.get_close_matches(name.lower().replace("-", "").replace("_", ""), folded, cutoff=0.5)
        said = f"Did you mean {' or '.join(folded[n] for n in near)}?" if near else ""
        stop(f"There is no strategy named {name!r}. {said or 'The names are: ' + ', '.join(STRATEGIES) + '.'}")
    import bbo.strategies

    strategy: Strategy = getattr(bbo.strategies, name)()
    return strategy


def best_known(problem: Problem | None) -> float | None:
    """The problem's best known value, where it has one."""
    value = getattr(problem, "best_value", None)
    return None if value is None else float(value)


def known_problem(name: str, space: object, objectives: Objectives) -> Problem | None:
    """The problem that a study of this name is of: one of the same name, space and objectives."""
    if name not in PROBLEMS:
        return None
    problem = make(name)
    is_same = problem.space == space and Objectives(tuple(problem.objectives)) == objectives
    return problem if is_same else None


def refusals(problem: Problem) -> dict[str, str]:
    """Why strategies do not take the problem, by name; those that take it are not here."""
    from bbo.studies.specification import as_objectives, refusal

    said = {s: refusal(make_strategy(s), problem.space, as_objectives(problem.objectives)) for s in STRATEGIES}
    return {name: why for name, why in said.items() if why is not None}


def print_problems() -> None:
    """Each problem in a line and what it is; dimension and best value where no table is to be fetched for them."""
    screen = console()
    made = {name: entry() for name, entry in PROBLEMS.items()}
    goals = {name: _in_brief(Objectives(tuple(problem.objectives))) for name, problem in made.items()}
    wide, wider = max(map(len, made)), max(map(len, goals.values()))
    screen.print(f"  {'problem':{wide}}  dim  {'goal':{wider}} best", style="dim")
    family = ""
    for name, problem in made.items():
        entry = PROBLEMS[name]
        if entry.family != family:
            family = entry.family
            screen.print(f"\n{family}", style="bold underline")
        known = None if entry.data else best_known(problem)
        dim = "" if entry.data else problem.space.dim
        row = f"  {dim:3}  {goals[name]:{wider}} {'' if known is None else number(known)}"
        screen.print(Text.assemble((f"  {name:{wide}}", "bold"), row.rstrip()), soft_wrap=True)
        wrapped(screen, entry.description, indent=4, style="dim")


def _in_brief(wanted: Objectives) -> str:
    """What is aimed for, without a unit and where it is one thing; and how many constraints there are."""
    aims = [aim_in_words(replace(aim, unit=None)) for aim in wanted.aims]
    parts = aims if len(aims) == 1 else [counted(len(aims), "objective")]
    if wanted.constraints:
        parts.append(counted(len(wanted.constraints), "constraint"))
    return ", ".join(parts)


def print_strategies(refused: Mapping[str, str] | None) -> None:
    """Each strategy and what it is; `refused` says why, by name, where a problem is in question."""
    import bbo.strategies

    screen = console()
    for k, name in enumerate(STRATEGIES):
        verdict = "" if refused is None else "  refuses it" if name in refused else "  takes it"
        screen.print(Text.assemble("\n" if k else "", (name, "bold"), verdict))
        described = str(getattr(bbo.strategies, name).__doc__).partition("\n")[0].replace("`", "")
        wrapped(screen, described, indent=2)
        if refused and name in refused:
            wrapped(screen, refused[name], indent=2)
