"""The log of studies: append-only, in memory, in a file of JSON lines or in a database.

`open_storage` opens one by its path or URL, `copy_study` takes a study from one into another. What all storages promise
stands in `protocol.py`. SQLAlchemy is imported when a database is opened, not before.
"""

from pathlib import Path
from urllib.parse import parse_qsl

from bbo.errors import StorageError, StudyExistsError
from bbo.storage.jsonlines import JSONLinesStorage
from bbo.storage.memory import MemoryStorage
from bbo.storage.protocol import Durability, Storage

__all__ = ["Durability", "JSONLinesStorage", "MemoryStorage", "Storage", "copy_study", "open_storage"]

_FORMS = (
    "A storage is None or 'memory://' (this process only), a path that ends in .jsonl, .db, .sqlite or .sqlite3, or "
    "'sqlite:///path'. '?durability=process' behind a path makes writing faster; an append then survives a killed "
    "process, not a power cut; '?durability=full' is the default."
)


def open_storage(where: str | Path | Storage | None = None) -> Storage:
    """The storage at a path or URL; a file is made by the first append.

    Args:
        where: None or `memory://`, `log.jsonl`, `log.db`, `sqlite:///log.db`, files also with `?durability=process`; a
            storage is returned as it is.
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
    if location.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise StorageError(
            f"PostgreSQL comes with a later version of bbo: got {location.partition(':')[0]!r}. "
            "On one machine use a .db or a .jsonl file."
        )
    is_url = location.startswith("sqlite:///")
    path = location.removeprefix("sqlite:///")
    suffix = Path(path).suffix.lower()
    if ("://" in location and not is_url) or path in ("", ":memory:"):
        raise StorageError(f"No storage of the form {str(where)!r}. {_FORMS}")
    durability = _durability(query, where)
    if suffix == ".jsonl" and not is_url:
        return JSONLinesStorage(path, durability)
    if is_url or suffix in (".db", ".sqlite", ".sqlite3"):
        from bbo.storage.sql import SQLStorage

        return SQLStorage(f"sqlite:///{path}", durability)
    raise StorageError(f"No storage of the form {str(where)!r}. {_FORMS}")


def copy_study(source: Storage, study: str, target: Storage, to: str | None = None) -> int:
    """The number of events copied; `target.events(to or study)` then equals `source.events(study)`.

    Raises:
        StudyNotFoundError: the source has no such study.
        StudyExistsError: the target has a study of that name.
    """
    name = study if to is None else to
    events = source.events(study)
    if name in target.studies():
        raise StudyExistsError(
            f"There is a study {name!r} in {target.url} already; nothing was copied. Pass another name as `to`."
        )
    return target.append(name, events)  # one transaction: a copy that is cut short leaves nothing behind


def _durability(query: str, where: str | Path) -> Durability:
    match parse_qsl(query, keep_blank_values=True):
        case []:
            return "full"
        case [("durability", ("full" | "process") as durability)]:
            return durability
    raise StorageError(f"Not understood after the '?' of {str(where)!r}: {query!r}. {_FORMS}")
