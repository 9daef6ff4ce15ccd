"""Objectives that child processes import."""

import os
import signal
import subprocess
import sys
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


def slow(trial):
    """Writes its process into the folder of BBO_TEST_FOLDER and takes BBO_TEST_SECONDS."""
    (Path(os.environ["BBO_TEST_FOLDER"]) / f"{trial.number}-{trial.attempt}").write_text(str(os.getpid()))
    time.sleep(float(os.environ["BBO_TEST_SECONDS"]))
    return bowl(trial)


def wordy_then_slow(trial):
    """Prints much, the end of it not flushed, and hangs."""
    print("x" * 20_000 + "\nthe end")
    time.sleep(600)


def program(trial):
    """A program that takes BBO_TEST_SECONDS and fails when it is ended."""
    (Path(os.environ["BBO_TEST_FOLDER"]) / f"{trial.number}-{trial.attempt}").write_text(str(os.getpid()))
    subprocess.run(["sleep", os.environ["BBO_TEST_SECONDS"]], check=True)
    return bowl(trial)


def counted(trial):
    """Leaves a line in the file of BBO_TEST_FILE."""
    with Path(os.environ["BBO_TEST_FILE"]).open("a") as file:
        file.write(f"{trial.number} {trial.attempt}\n")
    time.sleep(0.2)
    return bowl(trial)
