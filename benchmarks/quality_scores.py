"""What `quality.py` says of runs: normalized scores, ranks, paired intervals, and trials to a value.

| symbol | means |
|---|---|
| value | of the objective, to be minimized |
| final | best value of the feasible trials of a run; infinite without one |
| score | (final - best known) / (reference - best known): 0 is perfect, 1 as good as random search |
| reference | median final of random search; where that is infinite, a middling feasible value |
| cell | a problem under a seed |
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from quality_runs import OURS, RANDOM, Record

Array = NDArray[np.float64]
N_RESAMPLES = 2000
# So many wins out of as many would be chance in 3 % of the cases.
_FEWEST_CELLS = 5


def best_so_far(record: Record) -> Array:
    """Best value of the feasible trials up to each trial."""
    values = np.where(np.array(record.feasible, dtype=bool), record.values, np.inf)
    return np.minimum.accumulate(values)


def final(record: Record) -> float:
    return float(best_so_far(record)[-1]) if record.values else math.inf


def trials_to(record: Record, value: float) -> float:
    """How many trials it takes until one is as good; infinite where none is."""
    reached = np.flatnonzero(best_so_far(record) <= value)
    return float(reached[0] + 1) if len(reached) else math.inf


@dataclass(frozen=True)
class Interval:
    """A mean and the 95 % interval of its resamples."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


@dataclass(frozen=True)
class Scores:
    """The runs of several methods on the same cells; not every method has all of them.

    Args:
        runs: by method; of random search too.
        best_known: by problem; where it is missing, the best final of all these runs stands for it.
        middling: by problem with constraints, a feasible value that is neither good nor bad.
    """

    runs: Mapping[str, Sequence[Record]]
    best_known: Mapping[str, float]
    middling: Mapping[str, float]

    @cached_property
    def methods(self) -> tuple[str, ...]:
        return tuple(m for m, records in self.runs.items() if records)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(r.problem for m in self.methods for r in self.runs[m]))

    @cached_property
    def _seeds(self) -> tuple[int, ...]:
        return tuple(sorted({r.seed for m in self.methods for r in self.runs[m]}))

    @cached_property
    def finals(self) -> Array:
        """`method x problem x seed`, NaN where there is no run."""
        F = np.full((len(self.methods), len(self.problems), len(self._seeds)), np.nan)
        for i, m in enumerate(self.methods):
            for r in self.runs[m]:
                F[i, self.problems.index(r.problem), self._seeds.index(r.seed)] = final(r)
        return F

    @cached_property
    def scores(self) -> Array:
        """`method x problem x seed`, NaN where there is no run."""
        S = np.empty_like(self.finals)
        for p, name in enumerate(self.problems):
            F = self.finals[:, p]
            best = self.best_known.get(name, float(np.nanmin(F)))
            reference = _median(F[self.methods.index(RANDOM)])
            if math.isinf(reference):
                reference = self.middling[name]
            S[:, p] = (F - best) / (reference - best)
        return S

    def median_scores(self) -> Array:
        """`method x problem`; NaN where a method has no run."""
        return np.array([[_median(s) for s in rows] for rows in self.scores])

    @cached_property
    def _beaten(self) -> Array:
        """`i x k x problem x seed`: 1 where method k is better than i, 0.5 where equal, NaN where one is missing.

        The rank of i in a cell that all have run is 1 + sum over the others k.
        """
        S_i, S_k = self.scores[:, None], self.scores[None]
        return np.where(np.isnan(S_i) | np.isnan(S_k), np.nan, (S_k < S_i) + 0.5 * (S_k == S_i))

    def mean_ranks(self) -> Array:
        """By method; of the cells that two have both run, as if the others were the same."""
        return _mean_ranks(self._beaten)

    def rank_differences(self) -> dict[str, Interval]:
        """By how much the mean rank of each method is behind ours; seeds are resampled within each problem."""
        ours = self.methods.index(OURS)
        rng = np.random.default_rng(0)
        n_seeds = len(self._seeds)
        resampled = []
        for _ in range(N_RESAMPLES):
            columns = rng.integers(n_seeds, size=(len(self.problems), n_seeds))
            ranks = _mean_ranks(np.take_along_axis(self._beaten, columns[None, None], axis=3))
            resampled.append(ranks - ranks[ours])
        ranks = self.mean_ranks()
        low, high = np.nanquantile(resampled, [0.025, 0.975], axis=0)
        return {m: Interval(*map(float, (ranks[i] - ranks[ours], low[i], high[i]))) for i, m in enumerate(self.methods)}

    def problems_where_better(self, method: str, other: str) -> list[str]:
        """Those on which a method beats the other: a 95 % interval of its share of cells won is above a half."""
        won = self._beaten[self.methods.index(other), self.methods.index(method)]
        return [name for p, name in enumerate(self.problems) if _share_won(won[p]) > 0.5]

    def trials_to_best_peer(self) -> dict[str, tuple[str, float]]:
        """By problem: the peer with the best median score, and the trials that ours needs in the median to equal
        its final of the same cell. A problem that no peer ran is left out."""
        medians = self.median_scores()
        others = [i for i, m in enumerate(self.methods) if m not in (OURS, RANDOM)]
        ours = {(r.problem, r.seed): r for r in self.runs[OURS]}
        reached = {}
        for p, name in enumerate(self.problems):
            peers = [i for i in others if not math.isnan(medians[i, p])]
            if not peers:
                continue
            best = self.methods[min(peers, key=lambda i: float(medians[i, p]))]
            there = [r for r in self.runs[best] if r.problem == name and (name, r.seed) in ours]
            needed = [trials_to(ours[name, r.seed], final(r)) for r in there]
            reached[name] = best, median(needed) if needed else math.nan
        return reached

    def seconds_per_ask(self, method: str) -> float:
        """Of CPU: mean over a run, median over runs; NaN where they were not kept."""
        means = [fmean(r.seconds) for r in self.runs[method] if r.seconds]
        return median(means) if means else math.nan


def _median(values: Array) -> float:
    """Of what is there; infinite values count."""
    there = values[~np.isnan(values)]
    return float(np.sort(there)[[(len(there) - 1) // 2, len(there) // 2]].mean()) if len(there) else math.nan


def _mean_ranks(beaten: Array) -> Array:
    n = len(beaten)
    by_pair = _nanmean(_nanmean(beaten, 3), 2)
    by_pair[range(n), range(n)] = 0.0
    return 1 + by_pair.sum(axis=1)


def _nanmean(values: Array, axis: int) -> Array:
    """NaN where there is nothing."""
    is_there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(is_there, values, 0.0).sum(axis=axis) / is_there.sum(axis=axis)


def _share_won(won: Array) -> float:
    """Lower end of the 95 % interval of the mean; 0 where cells are too few to say, however they went."""
    there = won[~np.isnan(won)]
    if len(there) < _FEWEST_CELLS:
        return 0.0
    return mean_interval(there).low


def mean_interval(values: Array) -> Interval:
    """Of `n` values, with the 95 % interval of the means of their resamples; of differences of pairs, a paired one."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (N_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def tables(scores: Scores) -> str:
    """All that is said, as Markdown."""
    ranks, differences = scores.mean_ranks(), scores.rank_differences()
    medians = scores.median_scores()
    order = sorted(range(len(scores.methods)), key=lambda i: ranks[i])
    header = [
        "method",
        "runs",
        "mean rank",
        "rank behind bbo (95 %)",
        "better than bbo on",
        "worse on",
        "CPU s per ask",
    ]
    summary = [header]
    for i in order:
        m = scores.methods[i]
        better = ", ".join(scores.problems_where_better(m, OURS)) if m != OURS else ""
        n_ran = int((~np.isnan(medians[i])).sum())
        worse = f"{len(scores.problems_where_better(OURS, m))} of {n_ran}" if m != OURS else ""
        behind = str(differences[m]) if m != OURS else ""
        failed = sum(bool(r.error) for r in scores.runs[m])
        runs = f"{len(scores.runs[m])}" + f", {failed} failed" * bool(failed)
        summary.append([m, runs, f"{ranks[i]:.2f}", behind, better, worse, f"{_told(scores.seconds_per_ask(m))}"])
    names = [scores.methods[i] for i in order]
    by_problem = [["median score", *names, "best peer", "trials to it"]]
    reached = scores.trials_to_best_peer()
    for p, name in enumerate(scores.problems):
        best, needed = reached.get(name, ("", math.nan))
        by_problem.append([name, *(_told(medians[i, p]) for i in order), best, _told(needed, 0)])
    half = median(needed for _, needed in reached.values()) if reached else math.nan
    last = f"Trials to the best peer's last value: {_told(half, 0) or '-'} in the median over the problems."
    return "\n\n".join([as_markdown(summary), as_markdown(by_problem), last])


def _told(value: float, digits: int = 3) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.{digits}f}" if math.isfinite(value) else "none"


def as_markdown(rows: Iterable[Sequence[str]]) -> str:
    header, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([header, "|---" * (header.count("|") - 1) + "|", *body])
