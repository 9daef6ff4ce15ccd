"""Whether a study is finished: its budget is spent, or a stop rule holds. Read from the log and the clock alone."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from bbo.budget import Budget
from bbo.errors import BudgetError
from bbo.fold import Fold
from bbo.folded import Foretold
from bbo.history import History
from bbo.protocols import Strategy


@dataclass(frozen=True)
class Finish:
    """What ends a study.

    Args:
        rule: "trials", "cost", "seconds", or the name of a stop rule.
        message: in words, with figures.
    """

    rule: str
    message: str


@dataclass(frozen=True)
class Outlook:
    """What the model said of further trials when it was last asked.

    Args:
        gain: expected improvement on the best by a single trial, in the objective's units.
        noise: standard deviation of the objective's noise, in its units; None where the model does not say.
        regret: bound on how far the best may be from the optimum, where a stop rule asks for it.
        trial: the first that came of that ask.
        n_told_since: trials that were completed, or failed because of their point, after what was known then.
        n_amended_since: how often something told was amended after that.
    """

    gain: float
    noise: float | None
    regret: float | None
    trial: int
    n_told_since: int
    n_amended_since: int

    def __str__(self) -> str:
        said = [f"expected further gain {self.gain:.2g} (at trial {self.trial})"]
        said += [] if self.noise is None else [f"noise sd {self.noise:.2g}"]
        said += [] if self.regret is None else [f"regret at most {self.regret:.2g}"]
        said += [f"{self.n_told_since} told since"] if self.n_told_since else []
        said += [f"{self.n_amended_since} amended since"] if self.n_amended_since else []
        return ", ".join(said)


def finish(fold: Fold, *, now: datetime | None = None) -> Finish | None:
    """Which limit of the budget is reached, or which of its rules holds; None while none does.

    A rule reads the latest `patience` asks of the model: those whose first point has the note `gain`, so first designs,
    enqueued points and asks with fixed values or a context are passed over. Of asks that knew the same trials' ends
    only the latest counts, so that many workers asking at once, or a batch, are one voice. Trials that are still
    pending do not keep a rule from holding: what is to be gained by them is in the notes.

    Args:
        now: with its time zone, for the limit of seconds; the clock's when None.
    """
    budget = fold.budget or Budget()
    if budget.trials is not None and fold.n_counted >= budget.trials:
        return Finish("trials", f"budget of {budget.trials} trials: {fold.n_counted} asked")
    if budget.cost is not None and fold.total_cost() >= budget.cost:
        return Finish("cost", f"budget of cost {budget.cost:.6g}: {fold.total_cost():.6g} spent")
    if budget.seconds is not None and fold.n_asks:
        seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(fold.first_asked_at)).total_seconds()
        if seconds >= budget.seconds:
            return Finish("seconds", f"budget of {budget.seconds:.6g} s: the first trial was asked {seconds:.0f} s ago")
    if not budget.stop:
        return None
    asks = _latest(fold, max(rule.patience for rule in budget.stop))
    for rule in budget.stop:
        read = asks[-rule.patience :]
        if len(read) == rule.patience and all(set(rule.reads) <= notes.keys() and rule.holds(notes) for notes in read):
            name = type(rule).__name__
            return Finish(name, f"{name}: {rule.words(read)}")
    return None


def trials_left(fold: Fold) -> int | None:
    """How many more trials the budget allows; None for any number."""
    if fold.budget is None or fold.budget.trials is None:
        return None
    return max(0, fold.budget.trials - fold.n_counted)


def outlook(fold: Fold) -> Outlook | None:
    """What the model last said of further trials; None where it never did."""
    if not fold.foretold:
        return None
    last, history = fold.foretold[-1], fold.history()
    n_told = int((history.is_completed | history.is_failed).sum())
    return Outlook(
        gain=last.notes["gain"],
        noise=last.notes.get("noise"),
        regret=last.notes.get("regret"),
        trial=last.trial,
        n_told_since=n_told - _n_known(last, history),
        n_amended_since=sum(seq > last.seen for seq in fold.mendings),
    )


def check_rules(budget: Budget, strategy: Strategy) -> None:
    """Raises BudgetError for a stop rule that reads what this strategy does not say, so that it would never hold."""
    foretells: frozenset[str] = getattr(strategy, "foretells", frozenset())
    for rule in budget.stop:
        if not foretells.issuperset(rule.reads):
            raise BudgetError(
                f"{rule!r} would never hold: it reads the notes {list(rule.reads)} on what further trials may gain, "
                f"and {type(strategy).__name__} leaves {sorted(foretells) or 'none of them'}. "
                "Use GP, or limit trials, cost or seconds."
            )


def _latest(fold: Fold, n: int) -> list[dict[str, float]]:
    """Notes of the latest `n` asks of the model, or fewer, that each knew more than the one before; the latest last."""
    history = fold.history()
    notes: list[dict[str, float]] = []
    known = None
    for foretold in reversed(fold.foretold):
        if len(notes) == n:
            break
        if _n_known(foretold, history) != known:
            known = _n_known(foretold, history)
            notes.insert(0, foretold.notes)
    return notes


def _n_known(foretold: Foretold, history: History) -> int:
    """How many trials had said something, by values or by failing, of those that this ask could see."""
    is_seen = history.order <= foretold.seen
    if foretold.complete_below is not None:
        is_seen &= np.arange(history.n_trials) < foretold.complete_below
    return int((is_seen & (history.is_completed | history.is_failed)).sum())
