"""The studies of a log at a glance, and one of them in detail."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from rich.console import Console

from bbo.cli.designs import best_in_a_word, bound_in_words, print_best, problem_of
from bbo.cli.logs import logged_strategy, status_counts
from bbo.cli.spending import budget_in_words
from bbo.cli.terminal import aim_in_words, bare_table, counted, goal, heading, indented, joined, wrapped
from bbo.events import Event
from bbo.studies.auditing import audit
from bbo.studies.cells import header
from bbo.studies.study_file import in_words
from bbo.studies.view import StudyView
from bbo.trial import Status, Trial

# So many of the latest failures, notes and amendments are shown.
_N_SHOWN = 5


def print_overview(screen: Console, studies: Sequence[StudyView]) -> None:
    """A single study in detail, several as a table."""
    if len(studies) == 1:
        _print_details(screen, studies[0])
    else:
        _print_studies(screen, studies)


def _print_studies(screen: Console, studies: Sequence[StudyView]) -> None:
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
    screen.print(table)


def _print_details(screen: Console, study: StudyView) -> None:
    events = study.storage.events(study.name)
    n_opened = len({e.body for e in events if e.kind == "opened"})
    changes = [e for e in events if e.kind == "space_changed"]
    objectives, audited = study.objectives, audit(study.history)
    rows = {
        "finished": "" if study.finished is None else study.finished.message,
        "log": study.storage.url.removeprefix("sqlite:///"),
        "objective": joined([aim_in_words(aim) for aim in objectives.aims]),
        "constraints": joined([f"{c.metric} {bound_in_words(c)}" for c in objectives.constraints]),
        "tracked": joined([header(w.metric, w.unit) for w in objectives.tracked]),
        "parameters": f"{len(study.space.names)}: {', '.join(study.space.names)}",
        "strategy": in_words(logged_strategy(events)),
        "seed": str(study.seed),
        "trials": _trials_in_words(study.trials),
        "pending": _pending_in_words(study),
        "budget": budget_in_words(study) if study.budget.is_limited else "",
        "outlook": "" if study.outlook is None else str(study.outlook),
        "model": str(audited),
        "created": local_time(events[0].at),
        "last event": local_time(events[-1].at),
        "space": _changes_in_words(changes),
        "opened": f"on {n_opened} differing sets of versions or machines" if n_opened > 1 else "",
    }
    screen.print(study.name, style="bold")
    table = bare_table("left", "left")
    for title, text in rows.items():
        if text:
            table.add_row(title, text)
    indented(screen, table)
    for doubt in audited.doubts:
        screen.print()
        wrapped(screen, doubt, indent=2, style="yellow")
    failed = [t for t in study.trials if t.status is Status.FAILED]
    _print_latest(screen, "Failed", [(str(t.number), str(t.reason or ""), _last_line(t.message)) for t in failed])
    cancelled = [t for t in study.trials if t.status is Status.CANCELLED]
    _print_latest(screen, "Cancelled", [(str(t.number), "", _last_line(t.message)) for t in cancelled])
    _print_latest(screen, "Amended", [(str(e.trial), "", e.read()["why"]) for e in events if e.kind == "amended"])
    _print_latest(screen, "Notes", _notes(study, events))
    screen.print()
    print_best(screen, study, problem_of(study))


def _print_latest(screen: Console, title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    if not rows:
        return
    screen.print(f"\n{title}", style="bold")
    table = bare_table("right", "left", "left")
    for number, kind, text in rows[-_N_SHOWN:]:
        table.add_row(number, *([kind] if any(k for _, k, _ in rows) else []), text)
    indented(screen, table)
    if len(rows) > _N_SHOWN:
        screen.print(f"  and {counted(len(rows) - _N_SHOWN, 'earlier one')}")


def _notes(study: StudyView, events: Sequence[Event]) -> list[tuple[str, str, str]]:
    """The texts that people left, with the trial where they are about one."""
    past = iter(np.flatnonzero(study.history.is_past).tolist())
    rows = []
    for e in events:
        if e.kind not in ("attached", "measured", "told", "amended", "noted"):
            continue
        trial = next(past) if e.kind == "attached" else e.trial
        text = e.read().get("text" if e.kind == "noted" else "note", "")
        if text:
            rows.append(("" if trial is None else str(trial), "", text))
    return rows


def _changes_in_words(changes: Sequence[Event]) -> str:
    """How often the space was changed, and when and why each time; empty where it never was."""
    said = [joined([local_time(e.at), e.read().get("why", "")]) for e in changes]
    return f"changed {counted(len(said), 'time')}: {'; '.join(said)}" if said else ""


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _pending_in_words(study: StudyView) -> str:
    """Who has the trials that wait for results; empty where none does."""
    pending = [t.number for t in study.trials if t.status is Status.RUNNING]
    runners = study.runners
    n_workers = sum(k in runners for k in pending)
    n_people = len(pending) - n_workers
    return joined([f"{n} with {who}" for n, who in ((n_people, "people"), (n_workers, "workers")) if n])


def local_time(at: str) -> str:
    """An event's time for people: where they are, to the minute."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _last_event(study: StudyView) -> str:
    return local_time(study.storage.events(study.name, since=study.history.last_event - 1)[-1].at)


def _trials_in_words(trials: list[Trial]) -> str:
    counts = status_counts(trials)
    order = sorted(Status, key=lambda s: s is not Status.COMPLETED)
    return joined([f"{counts[s]} {s.value}" for s in order if counts[s]]) or "none"
