"""How long one suggestion takes, beside peers: by the number of trials told, and over whole runs of 60 trials.

    python benchmarks/latency.py --venvs DIR                    bbo and the peers whose environments are in DIR
    python benchmarks/latency.py --methods bbo --sizes 50 200   some methods, some sizes
    python benchmarks/latency.py --methods bbo --device cuda    the same on a GPU
    python benchmarks/latency.py --methods bbo --batch 8 --sizes 2000   the time of eight points asked for at once
    python benchmarks/latency.py --venvs DIR --markdown FILE    the same, and the tables as Markdown

Everything goes through `Study.ask()` with the default `GP()`, or the peer's own way of asking with its defaults, as in
`quality.py`. Each method is given n points of a Latin hypercube in 10 columns with their values, suggests twice unseen,
and then, one after the other, as many points as fit into the time, 5 at least, each told before the next. What is timed
is the wall clock from telling to having the next point. Methods take turns, one thread each unless `--threads` says
otherwise; a method that needs longer than `--limit` for a point is not asked at larger sizes. The first ask of bbo, and
one whenever a fifth more trials were told, seeks hyperparameters anew and takes several times as long: the first goes
unseen, the others do not.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

THREADS = [f"{library}_NUM_THREADS" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")]
SIZES = (50, 200, 1000, 2000, 10_000)
# Seconds; design of the engine.
AIMS = {50: 0.05, 200: 0.10, 1000: 0.3, 2000: 1.0, 10_000: 3.0}
RATIO = 3.0  # of the fastest GP peer's seconds and ours, in every cell
METHODS = ("bbo", "botorch", "ax", "gpsampler", "tpe")
SEQUENTIAL = {"hartmann6": ("bbo", "gpsampler"), "ackley10": ("bbo", "gpsampler")}
PROBLEM = "ackley10"
_N_UNSEEN = 2
_FEWEST = 5
_N_TRIALS = 60


@dataclass(frozen=True)
class Cell:
    """Seconds that suggestions took; none where the method was left out."""

    method: str
    size: int
    seconds: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __str__(self) -> str:
        if not self.seconds:
            return self.note or "-"
        return f"{self.median:.3g} ({min(self.seconds):.3g} to {max(self.seconds):.3g})"


def asked(label: str, size: int, options: argparse.Namespace) -> Cell:
    """Suggestions of one method after so many points."""
    from quality_runs import PeerError
    from quality_suite import SUITE, evaluate, first_points

    problem = SUITE[PROBLEM](0)
    news = [evaluate(PROBLEM, problem, p, 0) for p in first_points(problem, 0, size)]
    seconds: list[float] = []
    try:
        with method(label, options).start(problem, 0, size, _N_TRIALS) as conversation:
            ends = time.perf_counter() + options.seconds
            while len(seconds) < _N_UNSEEN + _FEWEST or time.perf_counter() < ends:
                began = time.perf_counter()
                params, _ = conversation.suggest(news)
                seconds.append(time.perf_counter() - began)
                if seconds[-1] > options.limit and len(seconds) > 1:
                    return Cell(label, size, seconds[-1:], note="once")
                if len(seconds) == options.most + _N_UNSEEN:
                    break
                news = [evaluate(PROBLEM, problem, params, 0)]
    except PeerError as failure:
        return Cell(label, size, [], note=str(failure)[:60])
    return Cell(label, size, seconds[_N_UNSEEN:])


def asked_together(size: int, options: argparse.Namespace) -> Cell:
    """Batches of bbo after so many points, each told before the next."""
    import pandas as pd
    from quality_runs import OURS
    from quality_suite import SUITE, evaluate, first_points

    from bbo.strategies import GP
    from bbo.studies.study import Study

    problem = SUITE[PROBLEM](0)
    strategy = GP(n_first=size, device=options.device)
    study = Study(problem.space, problem.objectives, strategy=strategy, seed=0)
    told = [evaluate(PROBLEM, problem, p, 0) for p in first_points(problem, 0, size)]
    study.add(pd.DataFrame([t.params | t.values for t in told]))
    seconds: list[float] = []
    ends = time.perf_counter() + options.seconds
    while len(seconds) < _N_UNSEEN + _FEWEST or time.perf_counter() < ends:
        began = time.perf_counter()
        trials = study.ask(options.batch)
        seconds.append(time.perf_counter() - began)
        if len(seconds) == options.most + _N_UNSEEN:
            break
        for trial in trials:
            study.tell(trial, evaluate(PROBLEM, problem, trial.params, 0).values)
    return Cell(OURS, size, seconds[_N_UNSEEN:])


def whole_run(label: str, name: str, seed: int, options: argparse.Namespace) -> float:
    """Seconds of all suggestions of a run of 60 trials."""
    from quality_suite import SUITE, Told, evaluate

    problem = SUITE[name](seed)
    total, news = 0.0, list[Told]()
    with method(label, options).start(problem, seed, 0, _N_TRIALS) as conversation:
        for _ in range(_N_TRIALS):
            began = time.perf_counter()
            params, _ = conversation.suggest(news)
            total += time.perf_counter() - began
            news = [evaluate(name, problem, params, seed)]
    return total


def method(label: str, options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """As `quality.py` has it; bbo on the device wanted."""
    from quality_runs import OURS, Ours, made

    return Ours(device=options.device) if label == OURS else made(label, options.venvs)


def by_size(options: argparse.Namespace) -> Iterator[Cell]:
    too_slow: set[str] = set()
    for size in options.sizes:
        for label in options.methods:
            if label in too_slow:
                cell = Cell(label, size, [])
            else:
                cell = asked(label, size, options) if options.batch == 1 else asked_together(size, options)
            if not cell.seconds or cell.median > options.limit:
                too_slow.add(label)
            print(f"{size:>6} {label:<10} {cell}", flush=True)
            yield cell


def table(cells: Sequence[Cell], sizes: Sequence[int], methods: Sequence[str], batch: int = 1) -> list[str]:
    """Medians and ranges, and what the design asks of bbo."""
    at = {(c.method, c.size): c for c in cells}
    lines = ["| trials | " + " | ".join(methods) + " | aim | met | fastest GP peer over bbo, 3 wanted |"]
    lines.append("|---" * (len(methods) + 4) + "|")
    for size in sizes:
        ours = at.get(("bbo", size))
        aim = AIMS.get(size) if batch == 1 else None
        met = "" if ours is None or aim is None or not ours.seconds else "yes" if ours.median <= aim else "NO"
        peers = [at[m, size] for m in ("botorch", "ax", "gpsampler") if m in methods and at[m, size].seconds]
        ratio = ""
        if peers and ours is not None and ours.seconds:
            times = min(p.median for p in peers) / ours.median
            ratio = f"{times:.2f}" + ("" if times >= RATIO else ": NO")
        row = [f"{size:,}", *(str(at[m, size]) for m in methods), f"{aim} s" if aim else "", met, ratio]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--venvs", type=Path, default=Path("peers"), help="folder of the peers' environments")
    parser.add_argument("--threads", type=int, default=1, help="of every method")
    parser.add_argument("--device", default="cpu", help="of bbo")
    parser.add_argument("--seconds", type=float, default=10.0, help="for the suggestions of a cell, five at least")
    parser.add_argument("--most", type=int, default=15, help="suggestions of a cell")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a suggestion may take")
    parser.add_argument("--runs", type=int, default=3, help="whole runs of each method; 0 for none")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--batch", type=int, default=1, help="points asked for at once, of bbo alone")
    options = parser.parse_args()
    if options.batch < 1 or (options.batch > 1 and options.methods != ["bbo"]):
        parser.error(f"--batch takes a number above 0, and --methods bbo: got {options.batch} of {options.methods}.")
    # Before anything that starts threads is loaded, in this process and in those of the peers.
    os.environ.update(dict.fromkeys(THREADS, str(options.threads)))
    import torch
    from machine import described

    torch.set_num_threads(options.threads)
    card = f", {torch.cuda.get_device_name()}" if options.device.startswith("cuda") else ""
    of = "a suggestion" if options.batch == 1 else f"for {options.batch} suggestions at once"
    lines = [f"Seconds {of}: median and range; {options.threads} thread(s) each.\n{described()}{card}.\n"]
    lines += table(list(by_size(options)), options.sizes, options.methods, options.batch)
    options.runs = options.runs if options.batch == 1 else 0
    if options.runs:
        lines += ["", "| 60 trials, seconds of all suggestions | bbo | gpsampler | ratio |", "|---|---|---|---|"]
    for name, labels in SEQUENTIAL.items() if options.runs else ():
        totals = {
            label: [whole_run(label, name, seed, options) for seed in range(options.runs)]
            for label in labels
            if label in options.methods
        }
        medians = {label: median(values) for label, values in totals.items()}
        cells = [
            f"{medians[m]:.2f} ({min(totals[m]):.2f} to {max(totals[m]):.2f})" if m in totals else "-" for m in labels
        ]
        ratio = f"{medians['bbo'] / medians['gpsampler']:.2f}" if len(medians) == 2 else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} |")
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
