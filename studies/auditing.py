"""What speaks for a study's model and against it, in words: read from the log, so nothing is fitted for it."""

from dataclasses import dataclass

from bbo.events import number
from bbo.history import History
from bbo.strategies.coverage import LEVEL, Coverage, Hope, coverage, hope

# With intervals that are right, one look in a hundred raises an alarm.
_SIGNIFICANCE = 0.01
# From fewer completed trials than this, or than there are parameters, a model need not explain anything yet.
_EARLY = 10
# Outliers that are named, the latest.
_N_SHOWN = 5


@dataclass(frozen=True)
class Audit:
    """How a model stood the test of the results.

    Args:
        coverage: of the latest results that were foretold.
        hope: of the latest results of which the model had said how likely they are feasible.
        loo_r2: share of the objective's variance that the model explained, by leaving out each value in turn, when it
            was last asked; None where it does not say.
        outliers: trials with a value that the model hardly believed when it was last asked, and that stands since.
        trial: the first that came of that ask; None where no model was asked.
        is_early: so few trials are completed that a model need not explain anything yet.
    """

    coverage: Coverage
    hope: Hope
    loo_r2: float | None
    outliers: tuple[int, ...]
    trial: int | None
    is_early: bool

    def __str__(self) -> str:
        said = []
        if self.coverage.of:
            said.append(f"{self.coverage.inside} of the last {self.coverage.of} results within its 90 % intervals")
        if self.hope.of:
            said.append(f"{self.hope.feasible} of the last {self.hope.of} feasible, {self.hope.expected:.1f} foretold")
        if self.loo_r2 is not None:
            said.append(f"leave-one-out R2 {self.loo_r2:.2g} (at trial {self.trial})")
        if self.outliers:
            shown = [str(trial) for trial in self.outliers[-_N_SHOWN:]]
            more = len(self.outliers) - len(shown)
            said.append(f"taken for outliers: {', '.join(shown)}" + (f" and {more} before" if more else ""))
        return ", ".join(said)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What one should know and do before one trusts the model; empty where nothing speaks against it."""
        said = []
        if self.coverage.p_value < _SIGNIFICANCE:
            expected = round((1 - LEVEL) * self.coverage.of)
            said.append(
                f"The model is overconfident: {self.coverage.outside} of the last {self.coverage.of} results lay "
                f"outside its 90 % intervals ({expected} expected). Do not stop on its word alone. Look for results "
                "that are mistyped or were measured otherwise, repeat the best trial, and tell the sd of measurements "
                "where you know it."
            )
        if self.hope.p_value < _SIGNIFICANCE:
            said.append(
                f"The model is too hopeful: {self.hope.feasible} of the last {self.hope.of} trials were feasible, it "
                f"foretold {self.hope.expected:.1f}. Do not trust the feasibility that it gives. Look for values that "
                "are mistyped or were measured otherwise, and for a cause of failures that is not among the "
                "parameters; repeat the best trial."
            )
        if self.loo_r2 is not None and self.loo_r2 < 0 and not self.is_early:
            said.append(
                f"The model explains nothing: each result is predicted worse by it from the others than by their mean "
                f"(leave-one-out R2 {self.loo_r2:.2g}), so its suggestions are little better than random ones. Repeat "
                "a trial to see how large the noise is; look for a cause that is not among the parameters, or for "
                "ranges that are far too wide."
            )
        return tuple(said)


def audit(history: History) -> Audit:
    """Of the results so far; coverage and hope are as of now, the R2 as of the last ask."""
    latest = history.latest_warm()
    trial, notes = (None, {}) if latest is None else latest
    r2 = number(notes["loo_r2"]) if "loo_r2" in notes else None
    is_early = int(history.is_completed.sum()) < max(_EARLY, history.space.dim)
    outliers = tuple(k for k in notes.get("outliers", ()) if trial is None or history.mended.get(k, 0) <= trial)
    return Audit(coverage(history), hope(history), r2, outliers, trial, is_early)
