"""What the measured processes of `overhead.py` have in common; imports neither bbo nor a peer."""

import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

NAMES = [f"x{k}" for k in range(10)]
METRIC = "y"
N_PAIRS = 1_000
N_REMEMBERED = 20_000
N_OPENED = 10_000
N_SMALL = 100  # trials of the small study; the second half is pending


def notes(rng: random.Random) -> dict[str, Any]:
    """What a model-based suggestion says of itself, in its usual size."""
    return {
        "by": "ModelBased",
        "mean": {METRIC: round(rng.gauss(0, 1), 6)},
        "sd": {METRIC: round(rng.random(), 6)},
        "acquisition": round(-10 * rng.random(), 6),
        "length_scales": {name: round(rng.random(), 6) for name in NAMES},
    }


def max_rss_mb() -> float:
    """The most memory that this process has held so far, in 10^6 bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def help_s(command: str) -> float:
    """Seconds of `command --help` from start to end, for a command installed beside this Python."""
    started = time.perf_counter()
    subprocess.run([Path(sys.executable).with_name(command), "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def call_named(functions: Sequence[Callable[..., float | None]]) -> None:
    """Calls the function that the command line names, with the words behind it, and prints what it gives."""
    name, *words = sys.argv[1:]
    print({f.__name__: f for f in functions}[name](*words))
