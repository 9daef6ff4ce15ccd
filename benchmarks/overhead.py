"""What asking and telling cost beside the strategy itself: time, memory and start, with Optuna in the same table.

Each measurement is a process of its own, started from this small one: Linux hands the memory peak of a process on to
those it starts. bbo and Optuna take turns, so that a busy machine is busy for both. Files lie in the folder for
temporary files; `TMPDIR` moves them.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import described

HERE = Path(__file__).parent
BBO, OPTUNA = "bbo", "Optuna"
THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")}
N_SYNCS = 200
DASHES = "A dash: Optuna has no such setting, or 20,000 trials in its database take too long to wait for."

Command = tuple[str, ...]
Figures = list[float]


@dataclass(frozen=True)
class Measure:
    """One row of the table.

    Args:
        bbo, peer: arguments of Python; None where there is nothing to compare.
        aim: what bbo's median should not exceed; None where it is only told.
    """

    title: str
    unit: str
    bbo: Command
    peer: Command | None
    aim: float | None = None

    def command(self, side: str) -> Command | None:
        return self.bbo if side == BBO else self.peer


def of_bbo(*words: str) -> Command:
    return (str(HERE / "overhead_bbo.py"), *words)


def of_optuna(*words: str) -> Command:
    return (str(HERE / "overhead_optuna.py"), *words)


def timed(statement: str) -> Command:
    return ("-c", f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)")


# Each process has an empty working folder; the studies to be opened lie one above.
PAIRS = [
    Measure("1,000 ask/tell, memory", "s", of_bbo("pairs_s", "memory://"), of_optuna("pairs_s", "memory"), 0.5),
    Measure("1,000 ask/tell, SQLite, process durability", "s", of_bbo("pairs_s", "log.db?durability=process"), None, 2),
    Measure(
        "1,000 ask/tell, SQLite, full durability",
        "s",
        of_bbo("pairs_s", "log.db"),
        of_optuna("pairs_s", "sqlite:///log.db"),
    ),
    Measure(
        "1,000 ask/tell, JSON lines, process durability", "s", of_bbo("pairs_s", "log.jsonl?durability=process"), None
    ),
    Measure(
        "1,000 ask/tell, JSON lines or journal, full durability",
        "s",
        of_bbo("pairs_s", "log.jsonl"),
        of_optuna("pairs_s", "journal.log"),
    ),
]
MEMORY = [
    Measure(
        "memory added by 20,000 trials with notes, memory",
        "MB",
        of_bbo("added_mb", "memory://"),
        of_optuna("added_mb", "memory"),
        40,
    ),
    Measure(
        "memory added by 20,000 trials with notes, SQLite",
        "MB",
        of_bbo("added_mb", "log.db?durability=process"),
        None,
        40,
    ),
]
OPENING = [
    Measure(
        "opening 10,000 trials with notes, SQLite",
        "s",
        of_bbo("opened_s", "../opened.db", "../small.db"),
        of_optuna("opened_s", "sqlite:///../opened.db", "sqlite:///../small.db"),
        1,
    ),
    Measure(
        "opening 10,000 trials with notes, JSON lines or journal",
        "s",
        of_bbo("opened_s", "../opened.jsonl", "../small.jsonl"),
        of_optuna("opened_s", "../opened.log", "../small.log"),
        1,
    ),
]
STARTING = [
    Measure("`import bbo`, `import optuna`", "s", timed("import bbo"), timed("import optuna")),
    Measure(
        "`from bbo import Study, Space, Float, Minimize`, `from optuna import create_study`",
        "s",
        timed("from bbo import Study, Space, Float, Minimize"),
        timed("from optuna import create_study"),
    ),
    Measure(
        "`bbo --help`, `optuna --help`, whole process", "s", of_bbo("help_s", "bbo"), of_optuna("help_s", "optuna")
    ),
    Measure(
        "memory of a process that only tells, SQLite",
        "MB",
        of_bbo("told_mb", "../small.db"),
        of_optuna("told_mb", "sqlite:///../small.db"),
        150,
    ),
    Measure("of torch and botorch, loaded in that process", "", of_bbo("told_modules", "../small.db"), None, 0),
]
MEASURES = [*PAIRS, *MEMORY, *OPENING, *STARTING]


def run_child(python: Path, command: Command, folder: Path) -> str:
    """What the process prints."""
    done = subprocess.run(
        [python, *command], cwd=folder, env=os.environ | THREADS, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def measure_all(pythons: Mapping[str, Path], repeats: int, folder: Path) -> dict[tuple[str, str], Figures]:
    """The figures of each measure and side; fewer than `repeats` where a process failed, which stderr then says."""
    figures: dict[tuple[str, str], Figures] = {(m.title, side): [] for m in MEASURES for side in pythons}
    for k, (m, side) in enumerate(turns(pythons, repeats)):
        command = m.command(side)
        if command is None:
            continue
        own = folder / side / str(k)
        own.mkdir()
        try:
            figure = float(run_child(pythons[side], command, own))
        except subprocess.CalledProcessError as error:
            print(f"{side}, {m.title}: ended with status {error.returncode}", file=sys.stderr)
        else:
            figures[m.title, side].append(figure)
            print(f"{side}, {m.title}: {figure:.3g} {m.unit}", file=sys.stderr)
    return figures


def turns(pythons: Mapping[str, Path], repeats: int) -> Iterator[tuple[Measure, str]]:
    """Every measure for every side, `repeats` times; who begins alternates."""
    for k, m in itertools.product(range(repeats), MEASURES):
        yield from ((m, side) for side in (pythons if k % 2 == 0 else reversed(list(pythons))))


def table(figures: Mapping[tuple[str, str], Figures], sides: Sequence[str]) -> list[list[str]]:
    header = ["measure", *sides, "aim", "met"]
    rows = []
    for m in MEASURES:
        mine = figures[m.title, BBO]
        rows.append(
            [
                m.title,
                *(cell(figures[m.title, side], m.unit) if m.command(side) else "-" for side in sides),
                "" if m.aim is None else f"{m.aim:g} {m.unit}".strip(),
                "" if m.aim is None else "yes" if mine and statistics.median(mine) <= m.aim else "NO",
            ]
        )
    return [header, *rows]


def cell(figures: Figures, unit: str) -> str:
    """Median and range."""
    if not figures:
        return "failed"
    middle, low, high = (f"{v:.3g}" for v in (statistics.median(figures), min(figures), max(figures)))
    return f"{middle} {unit} ({low} to {high})" if unit else middle


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def as_markdown(rows: Sequence[Sequence[str]], facts: Sequence[str], repeats: int) -> str:
    header, *body = ["| " + " | ".join(row) + " |" for row in rows]
    options = f"--repeats {repeats}" + (" --peer-python peers/bin/python" if OPTUNA in rows[0] else "")
    return "\n".join(
        [
            "# What asking and telling cost beside the strategy",
            "",
            f"Median and range of {repeats} processes for each figure. {DASHES}",
            "",
            *(f"- {fact}" for fact in facts),
            "",
            header,
            "|---" * len(rows[0]) + "|",
            *body,
            "",
            "To repeat it:",
            "",
            "    python3.11 -m venv peers && peers/bin/pip install -r benchmarks/peers.txt",
            f"    python benchmarks/overhead.py {options} --markdown overhead.md",
            "",
        ]
    )


def facts_of(pythons: Mapping[str, Path], folder: Path) -> list[str]:
    """Machine, date, disk and versions."""
    facts = [
        f"{described()}; one thread per process",
        f"disk: a line of 1 KB appended and synced takes {1e3 * sync_s(folder):.2g} ms",
    ]
    return facts + [versions(python, side, folder) for side, python in pythons.items()]


def sync_s(folder: Path) -> float:
    """Median seconds of a short append that waits for the disk: the floor of a full-durability ask or tell."""
    seconds = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(N_SYNCS):
            started = time.perf_counter()
            file.write(b"." * 1000)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def versions(python: Path, side: str, folder: Path) -> str:
    show = "import platform, sys; from importlib.metadata import version as v; "
    show += "print(f'Python {platform.python_version()},', ', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    return run_child(python, ("-c", show, side.lower(), "numpy", "sqlalchemy"), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, help="Python of an environment with peers.txt; no peers without it")
    parser.add_argument("--repeats", type=int, default=5, help="processes per figure (default %(default)s)")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    options = parser.parse_args()
    pythons = {BBO: Path(sys.executable)}
    if options.peer_python:
        pythons[OPTUNA] = options.peer_python.absolute()  # not resolved: a venv's link makes it the venv's
    else:
        print("Without --peer-python there is no column for Optuna.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = facts_of(pythons, folder)
        for side, python in pythons.items():
            (folder / side).mkdir()
            run_child(python, (of_bbo if side == BBO else of_optuna)("prepare"), folder / side)
        rows = table(measure_all(pythons, options.repeats, folder), list(pythons))
    print("\n".join(facts), in_columns(rows), DASHES, sep="\n\n")
    if options.markdown:
        options.markdown.write_text(as_markdown(rows, facts, options.repeats))


if __name__ == "__main__":
    main()
