"""From what is typed to a storage that is there and the studies in it. Reading never makes a file."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bbo.cli.faults import stop
from bbo.cli.options import DEFAULT_STORAGE
from bbo.cli.terminal import shell
from bbo.errors import StorageError
from bbo.events import Event
from bbo.storage import Storage, open_storage
from bbo.studies.study import Study
from bbo.studies.view import StudyView
from bbo.trial import Status, Trial

# A URL, also one that lacks a slash or two: two letters at least, as C: is a drive.
_SERVER = re.compile(r"[a-z][a-z0-9+]+:(//|.*@)", re.DOTALL | re.IGNORECASE)
_POSTGRESQL = re.compile(r"postgres(ql)?:|postgresql\+")


def writable_storage(where: str) -> Storage:
    """The storage at the path; its folder is made where it is missing."""
    path = _path(where)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    return _opened(where)


def existing_storage(where: str) -> Storage:
    """The storage at the path; ends the command where there is none or it holds no study."""
    path = _path(where)
    if path is not None and not path.exists():
        stop(f"There is no log {where}. Give the path of one, or make one: bbo new study.toml {where}")
    storage = _opened(where)
    if not storage.studies():
        storage.close()
        stop(f"{shown(where, storage)} has no studies yet.")
    return storage


def load(storage: Storage, where: str, name: str | None) -> Study:
    """The study of this name, or the only one; ends the command where it is not clear which is meant."""
    return Study.load(storage, _meant(storage, where, name))


def look(storage: Storage, where: str, name: str | None) -> StudyView:
    """The same, only to be read."""
    return StudyView.load(storage, _meant(storage, where, name))


def look_at_all(storage: Storage, name: str | None) -> list[StudyView]:
    """The study of this name, or all, only to be read."""
    return [StudyView.load(storage, n) for n in (storage.studies() if name is None else [name])]


def shown(where: str, storage: Storage) -> str:
    """The storage as it was typed; a server's URL as the storage gives it, without a password."""
    return storage.url if _path(where) is None else where


def logged_strategy(events: Sequence[Event]) -> dict[str, Any]:
    """The description of the strategy that a study's log has last."""
    last = [e for e in events if e.kind in ("created", "strategy_changed")][-1]
    described: dict[str, Any] = last.read()["strategy"]
    return described


def status_counts(trials: list[Trial]) -> Counter[Status]:
    return Counter(trial.status for trial in trials)


def n_ended(study: StudyView) -> int:
    """Trials that have ended, as `Study.run` counts them."""
    history = study.history
    return history.n_counted - int(history.is_pending.sum())


def command(*words: str, storage: str, study: StudyView) -> str:
    """A command on this study as it is typed, with its log and name where they are needed."""
    where = [shown(storage, study.storage)] if storage != DEFAULT_STORAGE else []
    which = ["--name", study.name] if len(study.storage.studies()) > 1 else []
    return shell("bbo", *words, *where, *which)


def _meant(storage: Storage, where: str, name: str | None) -> str:
    names = storage.studies()
    if name is None and len(names) > 1:
        storage.close()
        stop(f"{shown(where, storage)} has the studies {', '.join(names)}: say which one with --name.")
    return names[0] if name is None else name


def _path(where: str) -> Path | None:
    """The file that a storage is in, where it is in one."""
    location = where.partition("?")[0].removeprefix("sqlite:///")
    is_server = _SERVER.match(where.removeprefix("sqlite:///")) or _POSTGRESQL.match(where)
    return None if is_server or location == "" else Path(location)


def _opened(where: str) -> Storage:
    try:
        return open_storage(where)
    except StorageError as error:
        if _path(where) is not None or _POSTGRESQL.match(where):
            stop(str(error))
        scheme = where.partition(":")[0]  # the rest may hold a password
        stop(f"No log of the form '{scheme}:...'. Give a .db or .jsonl file, or postgresql://user@host/database.")
