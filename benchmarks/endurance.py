"""Whether many cheap trials end, how long suggestions take on the way, and how much memory they leave behind.

    python benchmarks/endurance.py                            10,000 trials of Ackley in 10 columns, ten at a time
    python benchmarks/endurance.py --trials 1000 --together 1
    python benchmarks/endurance.py --markdown FILE            the same, and the table as Markdown

All with the default `GP()` on a study in memory, which keeps every trial with the notes of its suggestion.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from itertools import pairwise
from pathlib import Path

import torch
from machine import described
from quality_scores import as_markdown
from quality_suite import SUITE

from bbo import Study
from bbo.strategies import GP

PROBLEM = "ackley10"
_N_ROWS = 10


def resident_mb() -> float:
    """Of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--together", type=int, default=10, help="points of an ask")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    problem = SUITE[PROBLEM](options.seed)
    study = Study(problem.space, problem.objectives, strategy=GP(), seed=options.seed)
    rows = [["trials", "median seconds of an ask", "longest", "MB", "best"]]
    ends = [round(options.trials * k / _N_ROWS) for k in range(_N_ROWS + 1)]
    n_told, best = 0, float("inf")
    for _, end in pairwise(ends):
        seconds = []
        while n_told < end:
            began = time.perf_counter()
            asked = study.ask(min(options.together, end - n_told))
            seconds.append(time.perf_counter() - began)
            for trial in asked:
                values = problem.evaluate(trial.params, seed=trial.seed)
                best = min(best, values["value"])
                study.tell(trial, values)
            n_told += len(asked)
        middle = sorted(seconds)[len(seconds) // 2]
        rows.append([f"{end:,}", f"{middle:.2f}", f"{max(seconds):.2f}", f"{resident_mb():.0f}", f"{best:.4g}"])
        print(*rows[-1], flush=True)
    said = f"{options.trials:,} trials, {options.together} at a time.\n{described()}; one thread.\n"
    print("\n" + said + "\n" + as_markdown(rows))
    if options.markdown:
        options.markdown.write_text(f"{said}\n{as_markdown(rows)}\n")


if __name__ == "__main__":
    main()
