"""Leases in a table in memory, and in a file beside a log: for storages that have no database to keep them."""

import contextlib
import json
import logging
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bbo.errors import StorageError
from bbo.storage.protocol import Lease

logger = logging.getLogger(__name__)
# A lease that ran out so long ago is forgotten when another is taken.
FORGOTTEN_S = 3600.0
Row = dict[str, Any]


class LeaseTable:
    """Leases of one study by name. Not safe for threads: who has it holds a lock. Times in seconds, by one clock."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[str, Row] = {row["name"]: row for row in rows}

    def rows(self) -> list[Row]:
        """As JSON keeps them; `LeaseTable(rows)` is the same table."""
        return list(self._rows.values())

    def take(
        self, name: str, token: str, seconds: float, data: str, instead_of: str | None, now: float
    ) -> Lease | None:
        """As `Storage.take`."""
        row = self._rows.get(name)
        if row is not None and row["ends_at"] > now and row["token"] not in (token, instead_of):
            return None
        if row is None or row["token"] != token:
            row = {"name": name, "token": token, "data": data, "taken_at": now}
        kept = {n: r for n, r in self._rows.items() if n != name and r["ends_at"] > now - FORGOTTEN_S}
        self._rows = {**kept, name: {**row, "ends_at": now + seconds}}
        return self._lease(self._rows[name], now)

    def renew(self, lease: Lease, seconds: float, now: float) -> bool:
        """As `Storage.renew`."""
        if self.is_current(lease):
            self._rows[lease.name] = {**self._rows[lease.name], "ends_at": now + seconds}
            return True
        return False

    def release(self, lease: Lease) -> None:
        """As `Storage.release`."""
        if self.is_current(lease):
            del self._rows[lease.name]

    def is_current(self, lease: Lease) -> bool:
        """Whether nobody else took it since, and it was not given up."""
        row = self._rows.get(lease.name)
        return row is not None and row["token"] == lease.token

    def leases(self, now: float, prefix: str = "") -> list[Lease]:
        """As `Storage.leases`, those whose name begins so."""
        found = [row for row in self._rows.values() if row["name"].startswith(prefix)]
        return [self._lease(row, now) for row in sorted(found, key=lambda row: (row["taken_at"], row["name"]))]

    def _lease(self, row: Row, now: float) -> Lease:
        return Lease(row["name"], row["token"], row["data"], row["taken_at"], row["ends_at"] - now)


class LeaseFile:
    """The lease tables of a log's studies, as JSON in a file beside it.

    Readers need no lock, as each writing makes the file anew; who writes holds the log's. There is no file where there
    are no leases, and one that is damaged is as none: leases may be lost without harm.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._path = log.with_name(f"{log.name}.leases")

    def read(self) -> dict[str, LeaseTable]:
        """By study; a study without leases may be missing."""
        try:
            text = self._path.read_bytes()
            return {study: LeaseTable(rows) for study, rows in _parsed(text).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("The leases in %s cannot be read and are taken as given up: %s", self._path, error)
            return {}

    def write(self, tables: Mapping[str, LeaseTable]) -> None:
        """Raises StorageError where the file cannot be written; it is then as it was."""
        kept = {study: table.rows() for study, table in tables.items() if table.rows()}
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            if not kept:
                self._path.unlink(missing_ok=True)
                return
            new.unlink(missing_ok=True)  # of a writer that was killed, perhaps another user's
            new.write_text(json.dumps(kept))
            shutil.copymode(self._log, new)  # who shares the log shares its leases
            new.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise StorageError(
                f"Cannot keep leases in {self._path}: {error.strerror}. The log is unchanged. Make space, and see that "
                "files can be made in that folder: processes that share a log need them."
            ) from error


def _parsed(text: bytes) -> dict[str, list[Row]]:
    tables = json.loads(text)
    if not isinstance(tables, dict) or not all(isinstance(rows, list) for rows in tables.values()):
        raise ValueError("not lists of leases by study")
    for row in (row for rows in tables.values() for row in rows):
        match row:
            case {
                "name": str(),
                "token": str(),
                "data": str(),
                "taken_at": float(taken_at),
                "ends_at": float(ends_at),
            } if len(row) == 5 and math.isfinite(taken_at) and math.isfinite(ends_at):
                continue
        raise ValueError(f"not a lease: {row!r}")
    return tables
