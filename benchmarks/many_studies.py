"""How long it takes to open one study among many, in one SQLite file and in one PostgreSQL.

    python benchmarks/many_studies.py                        1,000 studies of 1,000 trials, 9 of them opened
    python benchmarks/many_studies.py --studies 20           a quick look
    python benchmarks/many_studies.py --url postgresql://... a server that is there, its database empty; else one is
                                                             started from this machine's binaries, without fsync
    python benchmarks/many_studies.py --markdown FILE        the same, and the table as Markdown

Each trial is asked and told, with notes as a model would give them. The studies grow side by side, a tenth at a time,
so that the rows of each lie scattered over the database. Each figure is of a process of its own, which opens one study
that no other has opened.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from machine import described
from overhead_bbo import Noting, ask_and_tell, new_study

from bbo.events import Event
from bbo.storage import MemoryStorage, Storage, open_storage

ROOT = Path(__file__).parents[1]
N_ROUNDS = 10
AIM_S = 1.0
OPEN = """
import sys, time
from bbo import Study
started = time.perf_counter()
study = Study.load(*sys.argv[1:])
assert study.history.n_trials == {n_trials}
print(time.perf_counter() - started)
study.close()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=1000, help="of each study (default %(default)s)")
    parser.add_argument("--opened", type=int, default=9, help="studies opened, each once (default %(default)s)")
    parser.add_argument("--url", help="of an empty PostgreSQL database")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    options = parser.parse_args()

    events = events_of_a_study(options.trials)
    rows = []
    with tempfile.TemporaryDirectory() as folder, postgres(options.url) as url:
        for title, where in (("SQLite", f"{folder}/log.db?durability=process"), ("PostgreSQL", url)):
            filled_s = fill(where, events, options.studies)
            opened = range(options.studies // 2, options.studies)[: options.opened]
            figures = [opened_s(where, named(k), options.trials) for k in opened]
            loaded, whole = (statistics.median(column) for column in zip(*figures, strict=True))
            slowest = max(load for load, _ in figures)
            rows.append([title, f"{filled_s:.0f} s", *(f"{1000 * s:.0f} ms" for s in (loaded, slowest, whole))])
            rows[-1].append("yes" if loaded <= AIM_S else "NO")
    text = as_markdown(rows, options.studies, options.trials, len(opened), bool(options.url))
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


def events_of_a_study(n_trials: int) -> list[Event]:
    storage = MemoryStorage()
    study = new_study(storage, Noting())
    ask_and_tell(study, n_trials)
    return [replace(e, seq=0, hash="") for e in storage.events(study.name)]


def named(k: int) -> str:
    return f"study {k}"


def fill(where: str, events: Sequence[Event], n_studies: int) -> float:
    """Seconds it took to write the events as so many studies."""
    storage: Storage = open_storage(where)
    started = time.perf_counter()
    at_once = -(-len(events) // N_ROUNDS)
    for first in range(0, len(events), at_once):
        for k in range(n_studies):
            storage.append(named(k), events[first : first + at_once])
        print(f"{storage.url}: a tenth of each study, from event {first + 1} on", file=sys.stderr)
    seconds = time.perf_counter() - started
    storage.close()
    return seconds


def opened_s(where: str, study: str, n_trials: int) -> tuple[float, float]:
    """Seconds to load the study and fold its history, and of the whole process from start to end."""
    started = time.perf_counter()
    command = [sys.executable, "-c", OPEN.format(n_trials=n_trials), where, study]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout), time.perf_counter() - started


@contextlib.contextmanager
def postgres(url: str | None) -> Iterator[str]:
    """The URL, or that of a server started for this."""
    if url:
        yield url
        return
    sys.path.insert(0, str(ROOT))
    from tests.postgres import binaries, server

    found = binaries()
    if found is None:
        raise SystemExit("No PostgreSQL server on this machine: install one, or pass --url.")
    with server(found) as running:
        yield running.url


def as_markdown(rows: Sequence[Sequence[str]], n_studies: int, n_trials: int, n_opened: int, is_remote: bool) -> str:
    header = ["", "written in", "one opened, median", "slowest", "whole process, median", f"at most {AIM_S:g} s"]
    server = "the server of --url" if is_remote else "a server on the same machine without fsync"
    return "\n".join(
        [
            f"# One study of {n_trials:,} trials among {n_studies:,}",
            "",
            f"{n_opened} processes, each of which opens one study. PostgreSQL: {server}.",
            "",
            f"- {described()}; one thread per process",
            "",
            *("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]),
            "",
            "To repeat it:",
            "",
            f"    python benchmarks/many_studies.py --studies {n_studies} --trials {n_trials} --markdown FILE",
            "",
        ]
    )


if __name__ == "__main__":
    main()
