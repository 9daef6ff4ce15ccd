"""A TCP proxy whose connections a test can cut or freeze."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_AT_ONCE = 65536


class Proxy:
    """Forwards `127.0.0.1:port` to a server, each connection by two threads, until it is closed."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.port = 0
        self._listen()

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        _shut(self._listener)
        self._accepting.join()
        with self._lock:
            for one in self._sockets:
                _shut(one)
        self._flows.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def freeze(self) -> None:
        """Take connections and bytes, and forward nothing, until `resume` or `cut`."""
        self._flows.clear()

    def resume(self) -> None:
        """Go on, after `cut` or `freeze`, on the same port."""
        self._flows.set()
        if not self._accepting.is_alive():
            self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,))
        self._accepting.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._sockets |= {client, server}
                thread = threading.Thread(target=self._serve, args=(client, server))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(server, client))
        with client, server:
            back.start()
            self._pump(client, server)
            back.join()
        with self._lock:
            self._sockets -= {client, server}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_AT_ONCE):
                self._flows.wait()
                target.sendall(data)
        _shut(source)
        _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
