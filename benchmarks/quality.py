"""How good the best point is after 60 trials, on twelve problems, or seven constrained ones, against peers.

    python benchmarks/quality.py                       bbo on seeds 0 to 9, compared with the peers' records
    python benchmarks/quality.py --suite constrained   on designs and problems of which little is feasible
    python benchmarks/quality.py --suite many-dimensions   300 trials in 60 and 200 dimensions
    python benchmarks/quality.py --shift 1             other shifts, rotations and seeds: 1000 to 1009
    python benchmarks/quality.py --equal-first         10 equal first points, for those methods that take them
    python benchmarks/quality.py --markdown FILE       the same, and the tables as Markdown
    python benchmarks/quality.py record --method tpe --venvs DIR    runs a peer and keeps what it did

Every method has its own defaults, its own first design too. The problems stand in `quality_suite.py`, what the figures
mean in `quality_scores.py`. Peers are slow, so their runs are recorded once, in `records/`, and used as long as the
problem does what it did. To record one, make its environment in a folder of all of them, as `DIR/optuna` for `tpe`:

    python -m venv DIR/optuna && DIR/optuna/bin/pip install -r benchmarks/peers/optuna.txt

Recording may be stopped and started again: what is there is passed over.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import torch
from machine import described
from quality_runs import (
    N_EQUAL,
    OURS,
    PEERS,
    RANDOM,
    RECORDS,
    Record,
    append_record,
    made,
    read_records,
    run,
)
from quality_scores import Scores, tables
from quality_suite import SUITE, SUITES, fingerprint, penalty

_SHIFT = 1000
# Suites whose problems have the same best value under every seed, or of which none is known.
COMPARED = ("general", "constrained", "many-dimensions")

Cell = tuple[str, int, int]


def cells(problems: Iterable[str], seeds: Iterable[int], n_given: int) -> list[Cell]:
    """Problem, seed and number of given points; all problems of a seed before the next seed."""
    return [(name, seed, n_given) for seed, name in product(seeds, problems)]


def kept(path: Path, wanted: Iterable[Cell]) -> dict[Cell, Record]:
    """The records of these cells whose problem still does what it did."""
    records = {(r.problem, r.seed, r.n_given): r for r in read_records(path)}
    return {c: records[c] for c in wanted if c in records and records[c].fingerprint == fingerprint(c[0], c[1])}


def record(label: str, path: Path, wanted: list[Cell], venvs: Path, minutes: float) -> None:
    """Runs what is not kept yet, one after the other, while there is time."""
    method = made(label, venvs)
    there = kept(path, wanted)
    ends = time.monotonic() + 60 * minutes
    for cell in wanted:
        if cell in there:
            continue
        if time.monotonic() > ends:
            return
        name, seed, n_given = cell
        result = run(label, method, name, seed, n_given=n_given)
        append_record(path, result)
        print(label, name, seed, f"{sum(result.seconds):.1f} s", result.error, flush=True)


def run_ours(cell: Cell) -> Record:
    torch.set_num_threads(1)
    name, seed, n_given = cell
    return run(OURS, made(OURS, Path()), name, seed, n_given=n_given)


def ours(
    wanted: list[Cell], workers: int, keep: Path | None, run_cell: Callable[[Cell], Record] = run_ours
) -> Iterator[Record]:
    there = kept(keep, wanted) if keep else {}
    yield from there.values()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        for result in executor.map(run_cell, [c for c in wanted if c not in there]):
            if keep:
                append_record(keep, result)
            print(result.problem, result.seed, f"{sum(result.seconds):.1f} s", flush=True)
            yield result


def known_best(problems: Iterable[str]) -> dict[str, float]:
    best = {name: getattr(SUITE[name](0), "best_value", None) for name in problems}
    return {name: value for name, value in best.items() if value is not None}


def seeds_in(text: str) -> list[int]:
    """`0-4,7` is 0, 1, 2, 3, 4 and 7."""
    parts = [part.split("-") for part in text.split(",")]
    return [seed for part in parts for seed in range(int(part[0]), int(part[-1]) + 1)]


def arguments(said: str | None, methods: Iterable[str]) -> argparse.ArgumentParser:
    """What scripts take that compare bbo with records."""
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=["record"], help="without it bbo is run and compared")
    parser.add_argument("--method", choices=list(methods), help="what to record")
    parser.add_argument("--venvs", type=Path, default=Path("peers"), help="folder of the peers' environments")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no run begins after so many")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the records")
    parser.add_argument("--markdown", type=Path)
    return parser


def add_ours(parser: argparse.ArgumentParser) -> None:
    """What scripts take beside that run bbo anew."""
    parser.add_argument("--workers", type=int, default=2, help="runs of bbo at once, of one thread each")
    parser.add_argument("--ours", type=Path, help="file that keeps the runs of bbo, to go on after an interruption")


def record_wanted(parser: argparse.ArgumentParser, options: argparse.Namespace, wanted: list[Cell]) -> None:
    """What the command `record` does."""
    if options.method is None:
        parser.error("record needs --method, see --help")
    torch.set_num_threads(1)
    path = options.records / f"{options.method}.jsonl"
    record(options.method, path, wanted, options.venvs, options.minutes)


def main() -> None:
    parser = arguments(__doc__, [RANDOM, *PEERS])
    add_ours(parser)
    parser.add_argument("--suite", choices=COMPARED, default="general")
    parser.add_argument("--problems", nargs="+", choices=SUITE, metavar="PROBLEM", help="default: all of the suite")
    parser.add_argument("--seeds", type=seeds_in, default=seeds_in("0-9"), help="as 0-4,7 (default 0-9)")
    parser.add_argument("--shift", type=int, default=0, help=f"adds so many times {_SHIFT} to the seeds")
    parser.add_argument("--equal-first", action="store_true", help=f"{N_EQUAL} given first points")
    options = parser.parse_args()
    n_given = N_EQUAL if options.equal_first else 0
    problems = options.problems or SUITES[options.suite].problems
    wanted = cells(problems, [_SHIFT * options.shift + s for s in options.seeds], n_given)
    if options.command == "record":
        if n_given and options.method in PEERS and not PEERS[options.method].takes_first:
            parser.error(f"{options.method} takes no first points")
        record_wanted(parser, options, wanted)
        return
    runs = {OURS: list(ours(wanted, options.workers, options.ours))}
    runs |= {m: list(kept(options.records / f"{m}.jsonl", wanted).values()) for m in (RANDOM, *PEERS)}
    seeds = sorted({seed for _, seed, _ in wanted})
    design = f"{N_EQUAL} equal first points" if n_given else "own first designs"
    run_as = f"{SUITES[options.suite].n_trials} trials, {design}, seeds {seeds[0]} to {seeds[-1]}"
    said = f"{run_as}.\n{described()}; one thread per process.\n"
    middling = {name: penalty(name).middle for name in problems if SUITE[name](0).objectives[1:]}
    text = f"{said}\n{tables(Scores(runs, known_best(problems), middling))}\n"
    print("\n" + text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
