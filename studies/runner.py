"""Who is at work: processes as others know them, and the lease that a runner has on the trials it evaluates.

A process that ended is known at once on the machine where it ran. From elsewhere, or when it was stopped, it counts as
dead when its lease has run out by the clock of the storage. One that is seen to run here is given more time: what it
evaluates may keep its heartbeat from being heard.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bbo.errors import StorageError
from bbo.events import nonce
from bbo.storage import Lease
from bbo.studies import heart
from bbo.studies.log import StudyLog

Runner = dict[str, Any]
# A runner that nobody has heard of for so long has lost its trials.
RUNNER_S = 60.0
# So much longer for one whose process is seen to run on this machine.
_SEEN_S = 600.0
_RUNNER = "runner/"
_at_work: set[str] = set()  # in this process


@contextmanager
def active_runner(log: StudyLog, *, is_worker: bool = False) -> Iterator[Runner]:
    """A runner for this study that counts as alive until the block ends.

    Args:
        is_worker: one of many, whose death is counted against the trial that it had; that of a run is not, as whoever
            started it sees it.
    """
    token = nonce()
    runner: Runner = {"run": token, **identity()}
    if is_worker:
        runner["worker"] = True

    def beat() -> Lease | None:  # taken anew, should it have been forgotten while the process was stopped
        return log.storage.take(log.name, _RUNNER + token, token, RUNNER_S, myself())

    lease = beat()
    _at_work.add(token)
    try:
        with heart.keeps(beat, RUNNER_S / 4):
            yield runner
    finally:
        _at_work.discard(token)
        with suppress(StorageError):  # it runs out by itself
            if lease is not None:
                log.storage.release(log.name, lease)


def live_runners(log: StudyLog) -> dict[str, Lease]:
    """The leases of runners that are not known to be dead, by the runner's name; the log is refreshed."""
    found = {}
    for lease in log.look(_RUNNER):
        name = lease.name.removeprefix(_RUNNER)
        is_over = lease.data == myself() and name not in _at_work  # it could not give its lease up
        if not is_over and is_alive(lease):
            found[name] = lease
    return found


def is_alive(lease: Lease) -> bool:
    """Whether the holder of a lease may still be at work; its data are the identity of its process."""
    match _state(json.loads(lease.data or "{}")):
        case "gone":
            return False
        case "running":
            return lease.seconds_left > -_SEEN_S
    return lease.seconds_left > 0


def identity() -> dict[str, Any]:
    """This process, for others: host, number, start, and the place where that number means something."""
    return _identity(os.getpid())


def myself() -> str:
    """The same as a lease's data have it."""
    return _myself(os.getpid())


@cache
def _myself(pid: int) -> str:
    return json.dumps(_identity(pid))


@cache
def _identity(pid: int) -> dict[str, Any]:
    return {"host": socket.gethostname(), "place": _place(), "pid": pid, "start": (_stat(pid) or ("", ""))[1]}


def _state(process: dict[str, Any]) -> Literal["gone", "running", "unknown"]:
    if not process.get("place") or process["place"] != _place():
        return "unknown"
    found = _stat(process["pid"])
    if found is None:
        return "unknown" if _exists(process["pid"]) else "gone"
    code, start = found
    if code in "ZX" or start != process["start"]:
        return "gone"
    return "unknown" if code in "Tt" else "running"


@cache
def _place() -> str:
    """The boot of a machine and the namespace of process numbers; empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str] | None:
    """A process's state (Z, X: it has ended) and its start in clock ticks since boot, which tells a reused number; None
    where there is no such process, or the system hides those of other users."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # and is another user's
    return True
