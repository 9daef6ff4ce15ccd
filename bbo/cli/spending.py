"""How much of a study's budget is used, in words."""

from datetime import UTC, datetime

import numpy as np

from bbo.cli.specified import rule_in_words
from bbo.cli.terminal import duration, joined, number
from bbo.studies.view import StudyView


def budget_in_words(study: StudyView) -> str:
    """What is used of what there is, and the rules that end the study; `no limits` where nothing does."""
    budget, history = study.budget, study.history
    said = []
    if budget.trials is not None:
        said.append(f"{history.n_counted} of {budget.trials} trials used")
    if budget.cost is not None:
        said.append(f"cost {number(float(np.nansum(history.cost)))} of {number(budget.cost)} used")
    if budget.seconds is not None:
        said.append(f"{duration(_since_the_first_ask(study))} of {duration(budget.seconds)} used")
    said += [rule_in_words(rule) for rule in budget.stop]
    return joined(said) or "no limits"


def _since_the_first_ask(study: StudyView) -> float:
    at = study.first_asked_at
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds() if at else 0.0
