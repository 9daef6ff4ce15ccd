"""How fast many processes are served that ask and tell one study at once, and how large the joint suggestions are.

    python benchmarks/workers.py                             1, 8 and 64 workers, random search and GP
    python benchmarks/workers.py --quick                     fewer trials, up to 8 workers
    python benchmarks/workers.py --url postgresql://...      a server that is there, its database empty; else one is
                                                             started from this machine's binaries, without fsync
    python benchmarks/workers.py --markdown FILE             the same, and the table as Markdown

Each worker is a process of its own that runs the study: it asks, sleeps for as long as an evaluation takes, tells. All
begin together when the last one has loaded. Points a second are of the whole crowd, from its first ask to its last. The
ceiling is what the crowd would reach if asking and telling took no time. Each crowd is checked: every number once, each
told once.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from machine import described
from many_studies import postgres

from bbo import Float, Minimize, Study
from bbo.budget import Budget
from bbo.protocols import Strategy
from bbo.strategies import GP, RandomSearch

ROOT = Path(__file__).parents[1]
MEMBER = ROOT / "tests" / "studies" / "crowd.py"
SPACE = [Float(f"x{k}", 0.0, 1.0) for k in range(4)]


@dataclass(frozen=True)
class Crowd:
    """So many workers on a study of so many trials, each of which takes so long."""

    strategy: Strategy
    workers: int
    trials: int
    seconds: float


CROWDS = [
    Crowd(RandomSearch(), 1, 500, 0.01),
    Crowd(RandomSearch(), 8, 2000, 0.01),
    Crowd(RandomSearch(), 64, 5000, 0.01),
    Crowd(RandomSearch(), 64, 1000, 1.0),
    Crowd(GP(), 1, 60, 0.05),
    Crowd(GP(), 8, 200, 0.05),
]
QUICK = [Crowd(RandomSearch(), 1, 100, 0.01), Crowd(RandomSearch(), 8, 400, 0.01), Crowd(GP(), 4, 40, 0.05)]
HEADER = [
    "storage",
    "strategy",
    "workers",
    "trials",
    "evaluation",
    "points a second",
    "ceiling",
    "points a suggestion",
    "longest wait",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and workers")
    parser.add_argument("--url", help="of an empty PostgreSQL database")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, postgres(options.url) as url:
        folder = Path(name)
        for storage, where in (("SQLite", f"sqlite:///{folder}/log.db"), ("PostgreSQL", url)):
            for k, crowd in enumerate(QUICK if options.quick else CROWDS):
                at = folder / f"{storage}-{k}"
                at.mkdir()
                rows.append([storage, *measured(crowd, where, f"crowd {k}", at)])
                print(" ".join(rows[-1]), file=sys.stderr)
    text = as_markdown(rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


def measured(crowd: Crowd, where: str, name: str, folder: Path) -> list[str]:
    """A row of the table, from a crowd that was let loose on a new study."""
    budget = Budget(trials=crowd.trials)
    with Study(SPACE, Minimize("y"), strategy=crowd.strategy, storage=where, name=name, seed=1, budget=budget) as study:
        waits = let_loose(crowd, where, name, folder)
        events = study.storage.events(name)
    asked = [e for e in events if e.kind == "asked"]
    sizes = [len(e.read()["suggestions"]) for e in asked]
    told = Counter(e.trial for e in events if e.kind == "told")
    assert sum(sizes) == crowd.trials, f"{sum(sizes)} points for {crowd.trials} trials"
    assert told == Counter(range(crowd.trials)), "a trial was not told once"
    times = [datetime.fromisoformat(e.at) for e in asked]
    seconds = (times[-1] - times[0]).total_seconds()
    return [
        type(crowd.strategy).__name__,
        str(crowd.workers),
        str(crowd.trials),
        f"{crowd.seconds:g} s",
        f"{sum(sizes[1:]) / seconds:.0f}",
        f"{crowd.workers / crowd.seconds:.0f}",
        f"{statistics.mean(sizes):.1f}, at most {max(sizes)}",
        f"{max(waits):.2f} s",
    ]


def let_loose(crowd: Crowd, where: str, name: str, folder: Path) -> list[float]:
    """The longest wait for a point of each worker, in seconds."""
    go = folder / "go"
    environment = {**os.environ, "BBO_GO": str(go), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(MEMBER), where, name, str(folder), str(crowd.seconds)]
    members = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(crowd.workers)
    ]
    while len(list(folder.glob("*.ready"))) < crowd.workers:
        time.sleep(0.1)
    go.touch()
    for member in members:
        _, said = member.communicate()
        assert member.returncode == 0, said
    lines = [line for file in folder.glob("*.txt") for line in file.read_text().splitlines()]
    return [float(line.split()[1]) for line in lines if line.startswith("waited")]


def as_markdown(rows: list[list[str]]) -> str:
    lines = [
        "# Many workers on one study",
        "",
        f"{described()}; one thread a process.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|---" * len(HEADER) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
