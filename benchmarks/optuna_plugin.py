"""bbo inside Optuna: what `BBOSampler` reaches on the quality suite, and how long 300 trials take, beside Optuna's own.

    python benchmarks/optuna_plugin.py                       60 trials on twelve problems, seeds 0 to 9
    python benchmarks/optuna_plugin.py --seeds 0-2           fewer
    python benchmarks/optuna_plugin.py --times               the seconds of 300 trials in `optuna.optimize` instead
    python benchmarks/optuna_plugin.py --markdown FILE       the same, and the tables as Markdown

Every objective asks for its parameters as it goes (define-by-run), of a space that the sampler was not told, and says
its constraints by `trial.set_constraint`. GPSampler's, TPE's and random search's runs are those of `quality.py`, which
were made by Optuna too, and recorded. AutoSampler is fetched from a repository when it is loaded, so it is not here.
Of times the samplers take turns in one process, one thread each; the objective itself takes none.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import torch
from machine import described
from quality import Cell, add_ours, cells, kept, known_best, ours, seeds_in
from quality_runs import OURS, RANDOM, RECORDS, Conversation, Record, run
from quality_scores import Scores, tables
from quality_suite import SUITE, SUITES, Told, penalty

from bbo.integrations.optuna import BBOSampler, suggest
from bbo.protocols import Problem
from bbo.space import Space

SAMPLER = "bbosampler"
PEERS = ("gpsampler", "tpe", RANDOM)
TIMED: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    SAMPLER: lambda seed: BBOSampler(seed=seed),
    "gpsampler": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
}
TIMED_ON = ("hartmann6", "ackley10")
N_TIMED = 300
SHARE = 0.5  # of GPSampler's time, wanted


class InOptuna:
    """`BBOSampler` in a study of Optuna's, in this process."""

    @contextmanager
    def start(self, problem: Problem, seed: int, n_given: int, n_trials: int) -> Iterator[Conversation]:
        yield _OptunaStudy(problem.space, seed)


class _OptunaStudy:
    def __init__(self, space: Space, seed: int) -> None:
        self._study = optuna.create_study(sampler=BBOSampler(seed=seed))
        self._space, self._asked = space, None
        self.versions = {name: version(name) for name in ("bbo", "optuna", "torch", "numpy")}
        self.pid = os.getpid()

    def suggest(self, told: Sequence[Told]) -> tuple[Mapping[str, Any], float]:
        started = time.process_time()
        if self._asked is not None:
            for k, g in enumerate(told[0].violations):
                self._asked.set_constraint(f"g{k}", g)
            self._study.tell(self._asked, told[0].value)
        self._asked = self._study.ask()
        return suggest(self._asked, self._space), time.process_time() - started


def run_in_optuna(cell: Cell) -> Record:
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name, seed, _ = cell
    return run(SAMPLER, InOptuna(), name, seed)


def timed(sampler: str, name: str, seed: int) -> float:
    """Seconds of all trials of one run."""
    problem = SUITE[name](seed)

    def objective(trial: optuna.Trial) -> float:
        return next(iter(problem.evaluate(suggest(trial, problem.space)).values()))

    study = optuna.create_study(sampler=TIMED[sampler](seed))
    started = time.perf_counter()
    study.optimize(objective, n_trials=N_TIMED)
    return time.perf_counter() - started


def times(seeds: Sequence[int]) -> str:
    """A table of the seconds of whole runs."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lines = [
        f"Seconds of {N_TIMED} trials in `study.optimize`: median and range over seeds {seeds[0]} to {seeds[-1]}.",
        f"{described()}; one thread.\n",
        f"| problem | {' | '.join(TIMED)} | {SAMPLER} over gpsampler, {SHARE} wanted |",
        "|---|" + "---|" * (len(TIMED) + 1),
    ]
    for name in TIMED_ON:
        seconds: dict[str, list[float]] = {sampler: [] for sampler in TIMED}
        for seed in seeds:
            for sampler in TIMED:
                seconds[sampler].append(timed(sampler, name, seed))
                print(sampler, name, seed, f"{seconds[sampler][-1]:.1f} s", flush=True)
        said = [f"{median(s):.1f} ({min(s):.1f} to {max(s):.1f})" for s in seconds.values()]
        share = median(seconds[SAMPLER]) / median(seconds["gpsampler"])
        lines.append(f"| {name} | {' | '.join(said)} | {share:.2f}{'' if share <= SHARE else ': NO'} |")
    return "\n".join(lines)


def quality(options: argparse.Namespace) -> str:
    """The tables of `quality.py`, of samplers in Optuna."""
    problems = SUITES["general"].problems
    wanted = cells(problems, options.seeds, 0)
    runs = {OURS: list(ours(wanted, options.workers, options.ours, run_in_optuna))}
    runs |= {m: list(kept(options.records / f"{m}.jsonl", wanted).values()) for m in PEERS}
    middling = {name: penalty(name).middle for name in problems if SUITE[name](0).objectives[1:]}
    n_trials, seeds = SUITES["general"].n_trials, options.seeds
    said = f"{n_trials} trials in Optuna, own first designs, seeds {seeds[0]} to {seeds[-1]}; bbo is BBOSampler."
    return f"{said}\n{described()}.\n\n{tables(Scores(runs, known_best(problems), middling))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_ours(parser)
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--seeds", type=seeds_in, default=seeds_in("0-9"), help="as 0-4,7 (default 0-9)")
    parser.add_argument("--times", action="store_true", help="how long runs take, instead of how good they are")
    options = parser.parse_args()
    text = times(options.seeds) if options.times else quality(options)
    print(f"\n{text}\n")
    if options.markdown:
        options.markdown.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
