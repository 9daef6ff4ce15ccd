"""The studies of a log at a glance, and one of them in detail."""

from collections.abc import Sequence
from datetime import datetime

from bbo.cli.designs import best_in_a_word, bound_in_words, print_best, problem_of
from bbo.cli.logs import logged_strategy, status_counts
from bbo.cli.terminal import aim_in_words, bare_table, console, counted, goal, heading, indented, joined
from bbo.studies.study import Study
from bbo.trial import Status, Trial


def print_studies(studies: Sequence[Study]) -> None:
    table = bare_table("left", "left", "left", "right", "left")
    heading(table, "study", "goal", "trials", "best", "last event")
    for study in studies:
        table.add_row(
            study.name,
            goal(study.objectives),
            _trials_in_words(study.trials),
            best_in_a_word(study),
            _last_event(study),
        )
    console().print(table)


def print_details(study: Study) -> None:
    screen = console()
    events = study.storage.events(study.name)
    n_opened = sum(e.kind == "opened" for e in events)
    objectives = study.objectives
    rows = {
        "log": study.storage.url.removeprefix("sqlite:///"),
        "objective": joined([aim_in_words(aim) for aim in objectives.aims]),
        "constraints": joined([f"{c.metric} {bound_in_words(c)}" for c in objectives.constraints]),
        "tracked": joined([w.metric for w in objectives.tracked]),
        "parameters": f"{study.space.dim}: {', '.join(study.space.names)}",
        "strategy": logged_strategy(events),
        "seed": str(study.seed),
        "trials": _trials_in_words(study.trials),
        "created": local_time(events[0].at),
        "last event": local_time(events[-1].at),
        "opened": f"{n_opened} times, on differing versions or machines" if n_opened > 1 else "",
    }
    screen.print(study.name, style="bold")
    table = bare_table("left", "left")
    for title, text in rows.items():
        if text:
            table.add_row(title, text)
    indented(screen, table)
    failed = [t for t in study.trials if t.status is Status.FAILED]
    if failed:
        screen.print("\nFailed", style="bold")
        table = bare_table("right", "left", "left")
        for trial in failed[-5:]:
            last = (trial.message.strip().splitlines() or [""])[-1]
            table.add_row(str(trial.number), str(trial.reason or ""), last)
        indented(screen, table)
        if len(failed) > 5:
            screen.print(f"  and {counted(len(failed) - 5, 'earlier one')}")
    screen.print()
    print_best(screen, study, problem_of(study))


def local_time(at: str) -> str:
    """An event's time for people: where they are, to the minute."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _last_event(study: Study) -> str:
    return local_time(study.storage.events(study.name, since=study.history.last_event - 1)[-1].at)


def _trials_in_words(trials: list[Trial]) -> str:
    counts = status_counts(trials)
    order = sorted(Status, key=lambda s: s is not Status.COMPLETED)
    return joined([f"{counts[s]} {s.value}" for s in order if counts[s]]) or "none"
