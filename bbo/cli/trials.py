"""One trial in words."""

from bbo.cli.terminal import joined, number
from bbo.studies.view import StudyView
from bbo.trial import Status, Trial


def trial_in_words(study: StudyView, trial: Trial) -> str:
    """What is known of a trial: its status, values, and what was executed in the place of what was suggested."""
    units = study.objectives.units
    values = [f"{m} {number(v)}{f' {units[m]}' if m in units else ''}" for m, v in trial.values.items()]
    cost = [] if trial.cost is None else [f"cost {number(trial.cost)}"]
    others = [
        f"{name} {number(trial.params.get(name, '-'))} instead of {number(value)}"
        for name, value in (trial.suggested or {}).items()
        if trial.params.get(name) != value
    ]
    said = [*values, *cost, *others]
    missing = [m for m in study.objectives.required if m not in trial.values]
    match trial.status:
        case Status.RUNNING if values or cost:
            said.append(f"waits for {joined(missing)}")
        case Status.FAILED | Status.CANCELLED:
            said = [f"{trial.reason}" if trial.reason else "", *trial.message.strip().splitlines()[-1:], *cost]
    return f"trial {trial.number} {trial.status}" + (f": {joined(said)}" if joined(said) else "")
