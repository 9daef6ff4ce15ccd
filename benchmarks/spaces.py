"""Time, memory and regret on spaces that real problems have, beside peers.

    python benchmarks/spaces.py                            all cells
    python benchmarks/spaces.py --cells trees mixtures     some of them
    python benchmarks/spaces.py --markdown FILE            the same, and the tables as Markdown
    python benchmarks/spaces.py record --cells trees --method tpe-group --venvs DIR   runs a peer and keeps what it did

| cell | space | trials |
|---|---|---|
| molecules | four of 140 molecules each, four numbers, a mixture of three parts: three points at once after | 1,000 |
| categories | 15 choices of 6 | 80 |
| mixtures | 20 parts of which at most 5 are there, three linear constraints | 60 |
| trees | a choice of model with its own hyperparameters, made up and with scikit-learn | 60 |
| pool | a table of a million rows of 10 numbers: five single points after | 100 |
| tours | a travelling salesman of 12 cities | 100 |

The problems stand in `spaces_problems.py`, `spaces_molecules.py`, `spaces_pool.py` and `spaces_tours.py`. All is asked
for through `Study.ask()`, one point at a time but for the molecules; every method has its own defaults. Peers' runs are
recorded as those of `quality.py`.

*Regret* is the best value of a run less the least there is under its seed, or where nobody knows that, less the best of
all runs under this seed. Differences are those of pairs, the same problem and seed, with the 95 % interval of the means
of resamples; *better* counts pairs, equal ones as half of one.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Protocol

import numpy as np
from machine import described
from quality import Cell as Wanted
from quality import add_ours, arguments, cells, kept, ours, record_wanted, seeds_in
from quality_runs import OURS, PEERS, RANDOM, Record
from quality_scores import as_markdown, final, mean_interval
from quality_suite import SUITE, SUITES
from spaces_molecules import N_TOGETHER, N_TOLD, Batch, asked_together
from spaces_pool import N_ROWS, Asked, asked_of_pool
from spaces_pool import N_TOLD as N_TOLD_OF_POOL
from spaces_tours import N_CITIES, N_TRIALS, Salesman, median_two_opt, searched

from bbo.strategies import GP, RandomSearch

MOST_SECONDS_TOGETHER = 60.0
MOST_SECONDS_OF_POOL = 3.0


class Cell(Protocol):
    """One kind of space."""

    def section(self, options: argparse.Namespace) -> str:
        """What was measured, as Markdown."""
        ...


@dataclass(frozen=True)
class Molecules:
    """Time, memory and worth of points asked for at once; each seed in a process of its own.

    Args:
        seeds: by default.
    """

    seeds: tuple[int, ...]

    def section(self, options: argparse.Namespace) -> str:
        seeds = options.seeds or self.seeds
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as executor:
            batches = list(executor.map(asked_together, seeds))
        rows = [["seed", "seconds", "peak MB", "log EI above the best of 2,000 random points", "aim"]]
        rows += [self._row(seed, batch) for seed, batch in zip(seeds, batches, strict=True)]
        return f"{N_TOGETHER} points at once after {N_TOLD:,} trials.\n\n{as_markdown(rows)}"

    @staticmethod
    def _row(seed: int, batch: Batch) -> list[str]:
        ahead = ", ".join(f"{value:+.2f}" for value in batch.ahead)
        is_met = batch.seconds <= MOST_SECONDS_TOGETHER and min(batch.ahead) > 0
        said = f"{MOST_SECONDS_TOGETHER:.0f} s, all above 0: {'met' if is_met else 'MISSED'}"
        return [str(seed), f"{batch.seconds:.1f}", str(batch.peak_mb), ahead, said]


@dataclass(frozen=True)
class Compared:
    """bbo beside peers on the problems of a suite of `quality_suite.py`.

    Args:
        seeds: by default.
        left_out: which peers cannot take part, and why.
    """

    suite: str
    seeds: tuple[int, ...]
    left_out: str = ""

    def wanted(self, options: argparse.Namespace) -> list[Wanted]:
        return cells(SUITES[self.suite].problems, options.seeds or self.seeds, 0)

    def section(self, options: argparse.Namespace) -> str:
        wanted = self.wanted(options)
        records = {OURS: list(ours(wanted, options.workers, options.ours))}
        for method in (RANDOM, *PEERS):
            records[method] = list(kept(options.records / f"{method}.jsonl", wanted).values())
        parts = [f"{SUITES[self.suite].n_trials} trials. {self.left_out}".strip()]
        for name in SUITES[self.suite].problems:
            of_problem = {m: [r for r in rs if r.problem == name] for m, rs in records.items()}
            parts.append(as_markdown(comparison(name, {m: rs for m, rs in of_problem.items() if rs})))
        return "\n\n".join(parts)


@dataclass(frozen=True)
class OfPool:
    """Time and memory of single suggestions among many rows, and how many rows are worth more."""

    seeds: tuple[int, ...]

    def section(self, options: argparse.Namespace) -> str:
        seeds = options.seeds or self.seeds
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as executor:
            found = list(executor.map(asked_of_pool, seeds))
        rows = [["seed", "s for the space", "s per suggestion: median, most", "peak MB", "rows worth more", "aim"]]
        rows += [self._row(seed, asked) for seed, asked in zip(seeds, found, strict=True)]
        return f"{N_ROWS:,} rows, {N_TOLD_OF_POOL} told.\n\n{as_markdown(rows)}"

    @staticmethod
    def _row(seed: int, asked: Asked) -> list[str]:
        slowest = max(asked.seconds)
        seconds = f"{median(asked.seconds):.2f}, {slowest:.2f}"
        said = f"{MOST_SECONDS_OF_POOL:.0f} s: {'met' if slowest <= MOST_SECONDS_OF_POOL else 'MISSED'}"
        better = ", ".join(map(str, asked.better))
        return [str(seed), f"{asked.seconds_of_space:.1f}", seconds, str(asked.peak_mb), better, said]


@dataclass(frozen=True)
class Tours:
    """Lengths of tours over that of the shortest, by seed."""

    seeds: tuple[int, ...]

    def section(self, options: argparse.Namespace) -> str:
        seeds = options.seeds or self.seeds
        with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as executor:
            found = np.array(list(executor.map(_tours, seeds)))
        rows = [["", "median over the shortest (quartiles)", "above bbo's (95 %)", "bbo better (95 %)"]]
        for k, method in enumerate(("bbo", "random", "2-opt")):
            low, middle, high = np.quantile(found[:, k], [0.25, 0.5, 0.75])
            pairs = ["", ""] if k == 0 else in_pairs(found[:, [0, k]])
            rows.append([method, f"{middle:.3f} ({low:.3f} to {high:.3f})", *pairs])
        return f"{N_CITIES} cities, {N_TRIALS} trials, {len(seeds)} seeds.\n\n{as_markdown(rows)}"


def _tours(seed: int) -> list[float]:
    """What bbo, chance and local search find, over the shortest."""
    problem = Salesman(seed)
    found = [searched(problem, GP()), searched(problem, RandomSearch()), median_two_opt(problem)]
    return [length / problem.shortest for length in found]


CELLS: dict[str, Cell] = {
    "molecules": Molecules((0, 1, 2)),
    "categories": Compared("categories", tuple(range(10))),
    "mixtures": Compared(
        "mixtures",
        tuple(range(10)),
        "Optuna and Nevergrad have no constraints on points, SMAC none on sums; Ax and BoTorch have linear ones, but "
        "none on how many parts there are.",
    ),
    "trees": Compared("trees", tuple(range(20))),
    "pool": OfPool((0, 1, 2)),
    "tours": Tours(tuple(range(10))),
}


def regrets(runs: Mapping[str, Sequence[Record]], known: Mapping[int, float]) -> dict[str, dict[int, float]]:
    """By method and seed, of runs on one problem.

    Args:
        known: the least value by seed; where one is missing, the best of all runs stands for it.
    """
    finals = {method: {r.seed: final(r) for r in records} for method, records in runs.items()}
    seeds = {seed for by_seed in finals.values() for seed in by_seed}
    best = {s: known.get(s, min(by_seed[s] for by_seed in finals.values() if s in by_seed)) for s in seeds}
    # Records have 9 digits, so that the least value may be missed by less than nothing.
    return {m: {seed: max(value - best[seed], 0.0) for seed, value in by.items()} for m, by in finals.items()}


def comparison(name: str, runs: Mapping[str, Sequence[Record]]) -> list[list[str]]:
    """A row for each method, bbo first."""
    known = {r.seed: getattr(SUITE[name](r.seed), "best_value", None) for records in runs.values() for r in records}
    by_method = regrets(runs, {seed: value for seed, value in known.items() if value is not None})
    mine = by_method[OURS]
    rows = [
        [
            name,
            "seeds",
            "median regret (quartiles)",
            "regret above bbo's (95 %)",
            "bbo better (95 %)",
            "s per suggestion: median, most",
            "peak MB",
        ]
    ]
    for method, records in runs.items():
        of_method = by_method[method]
        low, middle, high = np.quantile(list(of_method.values()), [0.25, 0.5, 0.75])
        row = [method, str(len(records)), f"{middle:.3g} ({low:.3g} to {high:.3g})"]
        pairs = np.array([(mine[s], v) for s, v in of_method.items() if s in mine])
        row += ["", ""] if method == OURS or not len(pairs) else in_pairs(pairs)
        seconds = [s for r in records for s in r.seconds]
        peaks = [r.peak_mb for r in records if r.peak_mb is not None]
        rows.append([*row, f"{median(seconds):.3f}, {max(seconds):.2f}", str(max(peaks, default=""))])
    return rows


def in_pairs(pairs: np.ndarray) -> list[str]:
    """How far the second of each pair lies above the first, and the share of pairs in which it does."""
    gap = mean_interval(pairs[:, 1] - pairs[:, 0])
    won = mean_interval((pairs[:, 1] > pairs[:, 0]) + 0.5 * (pairs[:, 1] == pairs[:, 0]))
    return [
        f"{gap.mean:+.3g} ({gap.low:+.3g} to {gap.high:+.3g})",
        f"{won.mean:.0%} ({won.low:.0%} to {won.high:.0%})",
    ]


def main() -> None:
    parser = arguments(__doc__, [RANDOM, *PEERS])
    add_ours(parser)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--seeds", type=seeds_in, help="as 0-4,7 (default: those of the cell)")
    options = parser.parse_args()
    chosen = [CELLS[name] for name in options.cells]
    if options.command == "record":
        compared = [cell for cell in chosen if isinstance(cell, Compared)]
        record_wanted(parser, options, [w for cell in compared for w in cell.wanted(options)])
        return
    text = f"{described()}; one thread per process.\n"
    print(text)
    for name, cell in zip(options.cells, chosen, strict=True):
        section = f"\n### {name}\n\n{cell.section(options)}\n"
        print(section, flush=True)
        text += section
    if options.markdown:
        Path(options.markdown).write_text(text)


if __name__ == "__main__":
    main()
