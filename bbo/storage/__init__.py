"""The log of studies: append-only, in memory, in a file of JSON lines or in a database.

`open_storage` opens one by its path or URL, `copy_study` takes a study from one into another. What all storages promise
stands in `protocol.py`. SQLAlchemy and the drivers of databases are imported when one is opened, not before.
"""

import math
from pathlib import Path
from urllib.parse import parse_qsl

from bbo.errors import BusyError, DamagedError, StorageError, StudyExistsError
from bbo.storage.chain import broken_at
from bbo.storage.jsonlines import JSONLinesStorage
from bbo.storage.memory import MemoryStorage
from bbo.storage.protocol import Durability, Lease, Storage

__all__ = ["Durability", "JSONLinesStorage", "Lease", "MemoryStorage", "Storage", "copy_study", "open_storage"]

_FORMS = (
    "A storage is None or 'memory://' (this process only), a path that ends in .jsonl, .db, .sqlite or .sqlite3, "
    "'sqlite:///path', or 'postgresql://user@host/database'. '?durability=process' behind a path makes writing faster; "
    "an append then survives a killed process, not a power cut; '?durability=full' is the default."
)
_POSTGRESQL = ("postgresql:", "postgresql+", "postgres:")
_AT_WORK = {"ask": "somebody asks", "ticket": "somebody waits for points", "runner": "a runner evaluates trials"}


def open_storage(where: str | Path | Storage | None = None) -> Storage:
    """The storage at a path or URL; a file is made by the first append.

    Args:
        where: None or `memory://`, `log.jsonl`, `log.db`, `sqlite:///log.db`, files also with `?durability=process`;
            `postgresql://user@host/database`; a storage is returned as it is.
    Raises:
        StorageError: none of these forms, or a file that is there and is no log of bbo; NewerFormatError among them.
    """
    if where is None:
        return MemoryStorage()
    if not isinstance(where, str | Path):
        return where
    location, _, query = str(where).partition("?")
    if location == "memory://" and not query:
        return MemoryStorage()
    if location.startswith(_POSTGRESQL):
        from bbo.storage.sql import SQLStorage

        return SQLStorage(str(where))
    is_url = location.startswith("sqlite:///")
    path = location.removeprefix("sqlite:///")
    suffix = Path(path).suffix.lower()
    if "://" in location and not is_url:
        scheme = location.partition("://")[0]  # the rest may hold a password
        raise StorageError(f"No storage of the form '{scheme}://...'. {_FORMS}")
    if path in ("", ":memory:"):
        raise StorageError(f"No storage of the form {str(where)!r}. {_FORMS}")
    durability = _durability(query, where)
    if suffix == ".jsonl" and not is_url:
        return JSONLinesStorage(path, durability)
    if is_url or suffix in (".db", ".sqlite", ".sqlite3"):
        from bbo.storage.sql import SQLStorage

        return SQLStorage(f"sqlite:///{path}", durability)
    raise StorageError(f"No storage of the form {str(where)!r}. {_FORMS}")


def copy_study(source: Storage, study: str, target: Storage, to: str | None = None) -> int:
    """The number of events copied; `target.events(to or study)` then equals `source.events(study)`, hashes included.

    What is told in the source meanwhile is copied too. A copy that is cut short leaves nothing behind, or a log that
    ends where these later events begin.

    Raises:
        StudyNotFoundError: the source has no such study.
        StudyExistsError: the target has a study of that name.
        BusyError: the study is at work: there is a lease that has not run out.
        DamagedError: the chain of the source is broken, and nothing was copied; or the copy's ends in another hash.
    """
    name = study if to is None else to
    _check_at_rest(source, study)
    events = source.events(study)
    if name in target.studies():
        raise StudyExistsError(
            f"There is a study {name!r} in {target.url} already; nothing was copied. Pass another name as `to`."
        )
    broken = broken_at(events)
    if broken is not None:
        raise DamagedError(
            f"The chain of study {study!r} in {source.url} is broken at event {broken}: the log was changed by other "
            "hands. Nothing was copied, as the copy would hide it. Restore a log whose chain holds."
        )
    n, more = 0, events
    while more:
        target.append(name, more)
        n, last = more[-1].seq, more[-1]
        more = source.events(study, since=n)
    copied = target.events(name, since=n - 1)
    if [e.hash for e in copied] != [last.hash]:
        raise DamagedError(
            f"The copy {name!r} in {target.url} does not end as study {study!r} in {source.url}: event {n} should have "
            f"the hash {last.hash}, and the copy ends in {[(e.seq, e.hash) for e in copied]}. Something else wrote to "
            "one of them: copy again under another name."
        )
    return n


def _check_at_rest(storage: Storage, study: str) -> None:
    at_work = [lease for lease in storage.leases(study) if lease.seconds_left > 0]
    if at_work:
        last = max(at_work, key=lambda lease: lease.seconds_left)
        what = _AT_WORK.get(last.name.partition("/")[0], "it is held")
        raise BusyError(
            f"Study {study!r} in {storage.url} is at work: {what} (lease {last.name!r}). Nothing was copied. Copy it "
            f"when it is at rest; what was killed lets go by itself, this one in {math.ceil(last.seconds_left)} s."
        )


def _durability(query: str, where: str | Path) -> Durability:
    match parse_qsl(query, keep_blank_values=True):
        case []:
            return "full"
        case [("durability", ("full" | "process") as durability)]:
            return durability
    raise StorageError(f"Not understood after the '?' of {str(where)!r}: {query!r}. {_FORMS}")
