"""Who evaluates a trial, so that a later run can tell trials left behind by a dead one from trials in good hands."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Runner = dict[str, Any]
_active: set[str] = set()


@contextmanager
def active_runner(study: str) -> Iterator[Runner]:
    """A runner for the study with this id that counts as alive until the block ends."""
    pid = os.getpid()
    run = uuid.uuid4().hex
    _active.add(run)
    try:
        yield {"study": study, "host": socket.gethostname(), "pid": pid, "start": _start(pid), "run": run}
    finally:
        _active.discard(run)


def is_alive(runner: Runner) -> bool:
    """Whether this runner may still be at work.

    A runner of another host counts as dead: it cannot be asked, and the files that bbo accepts are of one host. Its
    trials are then evaluated again, and the first tell wins.
    """
    if runner["host"] != socket.gethostname():
        return False
    if runner["pid"] == os.getpid():
        return runner["run"] in _active
    try:
        os.kill(runner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return bool(_start(runner["pid"]) == runner["start"])


def _start(pid: int) -> str:
    """When the process started, in clock ticks since boot, where the system says so: tells a reused pid apart."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""
