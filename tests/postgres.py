"""A PostgreSQL server of its own for the tests, from the machine's binaries, in a folder of its own."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

_STARTS_S = 60.0
# An unprivileged user that runs it for root, whom PostgreSQL refuses.
_ACCOUNTS = ("postgres", "nobody")


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: BBO_POSTGRES_BIN, the newest of Debian's, or where PATH has them."""
    named = os.environ.get("BBO_POSTGRES_BIN")
    if named:
        return Path(named)
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(debian, key=lambda file: int(file.parts[-3])) or [
        Path(at).resolve() for at in [shutil.which("initdb")] if at
    ]
    return found[-1].parent if found else None


class Server:
    """A running server. `url` is of its database `postgres` and the superuser `postgres`.

    Args:
        folder: of its own; must be empty and belong to `user`.
        user: account to run as; None for that of this process.
        password: of the superuser, and everybody must give one; None where nobody needs one.
    """

    def __init__(self, bin_: Path, folder: Path, user: pwd.struct_passwd | None, password: str | None) -> None:
        self._bin = bin_
        self._folder = folder
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        self._options: dict[str, Any] = {"cwd": folder, "env": env, **as_user}
        (folder / "password").write_text(password or "none")
        asked = "scram-sha-256" if password else "trust"
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", asked, "--pwfile=password", "-E", "UTF8", "--no-sync")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port: int = s.getsockname()[1]
        user_and_password = f"postgres:{password}" if password else "postgres"
        self.url = f"postgresql://{user_and_password}@127.0.0.1:{self.port}/postgres"
        self._databases = itertools.count()
        self.start()

    def start(self) -> None:
        """Back once it takes connections, on the port and with the data it had."""
        settings = ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=200"]
        command = [self._bin / "postgres", "-D", "data", "-p", str(self.port), "-k", str(self._folder)]
        command += [word for setting in settings for word in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._options)
        until = time.monotonic() + _STARTS_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Back once it has ended. SIGINT: open transactions are rolled back; SIGQUIT: it dies as in a crash."""
        self._process.send_signal(how)
        self._process.wait(_STARTS_S)

    def restart_immediately(self) -> None:
        """As `pg_ctl restart -m immediate`: connections break, and it recovers from its journal."""
        self.stop(signal.SIGQUIT)
        self.start()

    @contextlib.contextmanager
    def new_database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped in the end."""
        name = f"db{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name}")
        yield f"{self.url.rpartition('/')[0]}/{name}"
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as c:
            c.execute(statement.encode())

    def _run(self, name: str, *words: str) -> None:
        done = subprocess.run([self._bin / name, *words], capture_output=True, text=True, check=False, **self._options)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr}")


@contextlib.contextmanager
def server(bin_: Path, password: str | None = None) -> Iterator[Server]:
    """A server that is stopped, and its folder removed, in the end."""
    accounts = {a.pw_name: a for a in pwd.getpwall()}
    user = next(accounts[name] for name in _ACCOUNTS if name in accounts) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: the path of a socket has at most 107 bytes
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        running = Server(bin_, folder, user, password)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)
