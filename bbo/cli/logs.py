"""From what is typed to a storage that is there and the studies in it. Reading never makes a file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bbo.cli.faults import stop
from bbo.errors import StorageError
from bbo.events import Event
from bbo.storage import Storage, open_storage
from bbo.studies.study import Study
from bbo.trial import Status, Trial


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
        stop(f"There is no log {where}. Give the path of one, or make one: bbo run branin --storage {where}")
    storage = _opened(where)
    if not storage.studies():
        stop(f"{where} has no studies yet.")
    return storage


def load(storage: Storage, where: str, name: str | None) -> Study:
    """The study of this name, or the only one; ends the command where it is not clear which is meant."""
    names = storage.studies()
    if name is None and len(names) > 1:
        stop(f"{where} has the studies {', '.join(names)}: say which one with --name.")
    return Study.load(storage, names[0] if name is None else name)


def load_all(storage: Storage, name: str | None) -> list[Study]:
    """The study of this name, or all."""
    return [Study.load(storage, n) for n in (storage.studies() if name is None else [name])]


def logged_strategy(events: Sequence[Event]) -> str:
    """The name of the strategy that a study's log has last."""
    last = [e for e in events if e.kind in ("created", "strategy_changed")][-1]
    described = last.read()["strategy"]
    return str(described.get("name") or described["own"])


def status_counts(trials: list[Trial]) -> Counter[Status]:
    return Counter(trial.status for trial in trials)


def n_ended(study: Study) -> int:
    """Trials that have ended, as `Study.run` counts them."""
    history = study.history
    return history.n_counted - int(history.is_pending.sum())


def _path(where: str) -> Path | None:
    """The file that a storage is in, where it is in one."""
    location = where.partition("?")[0].removeprefix("sqlite:///")
    return None if "://" in location or location == "" else Path(location)


def _opened(where: str) -> Storage:
    try:
        return open_storage(where)
    except StorageError as error:
        stop(str(error))
