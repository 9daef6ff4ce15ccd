"""What the SQL storage asks of a database beside the SQL that all of them share."""

import os
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar

from sqlalchemy import Connection, Engine

# A lease may be lost in a power cut, an append may not.
Purpose = Literal["read", "append", "lease"]
T = TypeVar("T")


class Database(Protocol):
    """A database behind a pool of connections, for threads and for forked children too.

    Args:
        url: for messages, so without a password.
        clock: SQL for its time, in seconds.
        remedy: what to give in place of a database that is another program's.
    """

    url: str
    clock: str
    remedy: str

    def may_hold_a_log(self) -> bool:
        """False where it is known, without a connection, that there is none."""

    def create(self) -> None:
        """See to it that there is a database that tables can be made in."""

    def prepare(self) -> None:
        """Make it ready to be written."""

    def run(self, purpose: Purpose, work: Callable[[Connection], T]) -> T:
        """What the work gives, done in one transaction; where it only reads, or does a single write, without.

        Work on a database that is away for a while is done again, so it must be the same to do it twice.

        Raises:
            StorageError: the database cannot be used; says where and what to do.
        """

    def lock_schema(self, c: Connection) -> None:
        """Wait until nobody else makes or changes the tables, and let nobody begin before the transaction's end."""

    def close(self) -> None:
        """Let go of the connections. A later call opens others."""


class OwnEngine:
    """An engine of this process: a forked child makes another."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine = make()
        self._pid = os.getpid()

    def here(self) -> Engine:
        if self._pid != os.getpid():
            # Connections may not cross a fork, not even to be closed: they are left as they are.
            _left_by_fork.append(self._engine)
            self._engine, self._pid = self._make(), os.getpid()
        return self._engine


_left_by_fork: list[Engine] = []
