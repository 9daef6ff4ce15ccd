"""How near GP comes to the best known engineering designs in few evaluations.

    python benchmarks/engineering.py                     60 trials, 10 of them first design, seeds 0 to 9
    python benchmarks/engineering.py --markdown FILE     the same, and the table as Markdown

A run's gap is (best feasible value found - best known) / |best known|. The table gives the median over seeds with a
95 % interval by bootstrap, the worst seed, and random search on the same seeds.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from machine import described

from bbo import Study
from bbo.problems import make
from bbo.protocols import Strategy
from bbo.strategies import GP, RandomSearch

PROBLEMS = ("welded-beam", "pressure-vessel", "compression-spring")
AIMS = {"welded-beam": 0.05}
_OTHER_AIM = 0.10


@dataclass(frozen=True)
class Result:
    """Of one run: gap of the best feasible trial (infinite without one), and seconds per trial."""

    gap: float
    seconds: float


def run(problem_name: str, strategy: Strategy, n_trials: int, seed: int) -> Result:
    problem = make(problem_name)
    study = Study(problem.space, problem.objectives, strategy=strategy, seed=seed)
    started = time.perf_counter()
    study.run(problem, n_trials, progress=False)
    seconds = (time.perf_counter() - started) / n_trials
    best = study.best
    if best is None:
        return Result(np.inf, seconds)
    known = problem.best_value
    return Result((best.values[study.objectives.aims[0].metric] - known) / abs(known), seconds)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % of the medians of 10,000 resamples."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (10_000, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def in_words(gaps: Sequence[float]) -> str:
    """Median gap, and how many runs found a feasible design."""
    median = float(np.median(gaps))
    return f"{f'{median:.0%}' if np.isfinite(median) else 'no design'}, {np.isfinite(gaps).sum()}/{len(gaps)}"


def row(name: str, ours: Sequence[Result], random: Sequence[Result]) -> list[str]:
    gaps = [r.gap for r in ours]
    median, (low, high) = float(np.median(gaps)), interval(gaps)
    aim = AIMS.get(name, _OTHER_AIM)
    return [
        name,
        f"{np.isfinite(gaps).sum()}/{len(gaps)}",
        f"{median:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{max(gaps):.2%}",
        f"{aim:.0%}: {'met' if median <= aim and np.isfinite(gaps).all() else 'MISSED'}",
        in_words([r.gap for r in random]),
        f"{np.median([r.seconds for r in ours]):.2f}",
    ]


HEADER = [
    "problem",
    "feasible",
    "median gap",
    "95 % interval",
    "worst seed",
    "aim",
    "random search: median gap, feasible",
    "s per trial",
]


def table(rows: Sequence[Sequence[str]]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=PROBLEMS)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--first", type=int, default=10, help="trials of the first design")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--from-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="runs at once, each in a process of one thread")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    seeds = range(options.from_seed, options.from_seed + options.seeds)
    rows = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as executor:
        for name in options.problems:
            strategies = (GP(n_first=options.first), RandomSearch())
            futures = [[executor.submit(run, name, s, options.trials, seed) for seed in seeds] for s in strategies]
            ours, random = ([f.result() for f in column] for column in futures)
            rows.append(row(name, ours, random))
            print(*rows[-1], [f"{r.gap:.2%}" for r in ours], sep="  ", flush=True)
    run_as = f"{options.trials} trials, {options.first} of them first design, seeds {seeds[0]} to {seeds[-1]}"
    said = f"{run_as}.\n{described()}.\n"
    print("\n" + said + "\n" + table(rows))
    if options.markdown:
        options.markdown.write_text(f"{said}\n{table(rows)}\n")


if __name__ == "__main__":
    main()
