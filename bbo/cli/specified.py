"""What a study is made of, in words."""

from rich.console import Console

from bbo.budget import Budget, GainBelow, GainBelowNoise, RegretBelow, Rule
from bbo.cli.designs import bound_in_words
from bbo.cli.logs import logged_strategy
from bbo.cli.terminal import aim_in_words, bare_table, duration, indented, joined, number
from bbo.space import Categorical, Float, Int, Molecule, Ordinal, Parameter, Permutation, Simplex
from bbo.space.conditions import in_words as in_words_of_condition
from bbo.studies.cells import header
from bbo.studies.study_file import in_words
from bbo.studies.view import StudyView


def print_specification(screen: Console, study: StudyView) -> None:
    """Parameters, what is wanted of them, and who proposes points."""
    strategy = logged_strategy(study.storage.events(study.name))
    wanted = study.objectives
    rows = [("goal", aim_in_words(aim)) for aim in wanted.aims]
    rows += [("constraint", f"{c.metric} {bound_in_words(c)}") for c in wanted.constraints]
    rows += [("tracked", header(w.metric, w.unit)) for w in wanted.tracked]
    rows += [("parameter", f"{p.name}: {joined([_values_in_words(p), _condition(p)])}") for p in study.space.parameters]
    rows += [("constraint", str(c)) for c in study.space.constraints]
    rows += [("strategy", in_words(strategy)), ("seed", str(study.seed))]
    rows += [("budget", limits_in_words(study.budget) or "none")]
    table = bare_table("left", "left")
    before = ""
    for title, text in rows:
        table.add_row("" if title == before else title, text)
        before = title
    indented(screen, table)


def limits_in_words(budget: Budget) -> str:
    """What ends the study, empty where nothing does."""
    limits = [
        "" if budget.trials is None else f"{budget.trials} trials",
        "" if budget.cost is None else f"a cost of {number(budget.cost)}",
        "" if budget.seconds is None else duration(budget.seconds),
    ]
    return joined([*limits, *(rule_in_words(rule) for rule in budget.stop)])


def rule_in_words(rule: Rule) -> str:
    """When a rule ends the study, to stand behind `until`."""
    asks = f"in {rule.patience} asks" if rule.patience > 1 else "in one ask"
    match rule:
        case GainBelow():
            return f"until the expected gain is below {number(rule.gain)} {asks}"
        case GainBelowNoise():
            return f"until the expected gain is below {number(rule.factor)} sd of the noise {asks}"
        case RegretBelow():
            return f"until the best is within {number(rule.regret)} of the optimum {asks}"


def _values_in_words(p: Parameter) -> str:
    match p:
        case Float():
            return _range_in_words(p, "" if p.step is None else f"steps of {number(p.step)}")
        case Int():
            return _range_in_words(p, "whole numbers" if p.step == 1 else f"steps of {p.step}")
        case Ordinal():
            return f"{' < '.join(map(str, p.values))}{f' {p.unit}' if p.unit else ''}"
        case Categorical():
            return ", ".join(map(str, p.choices))
        case Molecule():
            return ", ".join(p.smiles)
        case Simplex():
            most = "" if p.max_parts is None else f", {p.max_parts} parts at most"
            return f"{', '.join(p.parts)}, {number(p.total)}{f' {p.unit}' if p.unit else ''} in all{most}"
        case Permutation():
            return f"{', '.join(map(str, p.items))} in {'a cycle' if p.cyclic else 'some order'}"


def _condition(p: Parameter) -> str:
    return f"where {in_words_of_condition(p)}" if p.when else ""


def _range_in_words(p: Float | Int, grid: str) -> str:
    bounds = f"{number(p.low)} to {number(p.high)}" + (f" {p.unit}" if p.unit else "")
    return joined([bounds, grid, "logarithmic" if p.log else ""])
