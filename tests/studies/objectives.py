"""Objectives that child processes import."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def bowl(trial):
    return (trial["x"] - 0.3) ** 2 + trial["z"]


def talkative(trial):
    print(f"trial {trial.number} to stdout")
    print("and to stderr", file=sys.stderr)
    subprocess.run(["echo", "a program too"], check=True)
    if trial.number == 1:
        raise ValueError("no luck")
    return bowl(trial)


def slow_first(trial):
    if trial.number == 0:
        print("going to sleep", flush=True)
        time.sleep(600)
    return bowl(trial)


def deadly_first(trial):
    if trial.number == 0:
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(trial)


def _begun(trial):
    """Leaves the number of this process in the folder of BBO_TEST_FOLDER; the file appears whole."""
    name = f"{trial.number}-{trial.attempt}"
    with tempfile.TemporaryDirectory() as elsewhere:
        file = Path(elsewhere) / name
        file.write_text(str(os.getpid()))
        file.replace(Path(os.environ["BBO_TEST_FOLDER"]) / name)


def slow(trial):
    """Says that it has begun and takes BBO_TEST_SECONDS."""
    _begun(trial)
    time.sleep(float(os.environ["BBO_TEST_SECONDS"]))
    return bowl(trial)


def wordy_then_slow(trial):
    """Prints much, the end of it not flushed, and hangs."""
    print("x" * 20_000 + "\nthe end")
    time.sleep(600)


def program(trial):
    """A program that takes BBO_TEST_SECONDS and fails when it is ended."""
    _begun(trial)
    subprocess.run(["sleep", os.environ["BBO_TEST_SECONDS"]], check=True)
    return bowl(trial)


def counted(trial):
    """Leaves a line in the file of BBO_TEST_FILE."""
    with Path(os.environ["BBO_TEST_FILE"]).open("a") as file:
        file.write(f"{trial.number} {trial.attempt}\n")
    time.sleep(0.2)
    return bowl(trial)
