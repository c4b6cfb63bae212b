"""A TCP relay in a thread of its own that keeps every byte which passes it on the way to its target.

Between the gateway and an upstream it shows, for one and the same conversation, what the upstream did with
a request and the very bytes that it got.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from tests.support.framing import Request, read_request

if TYPE_CHECKING:
    from types import TracebackType


class Relay:
    """Relays to a port on loopback; a context manager. ``port`` is where it listens.

    ``raw`` are the bytes towards the target in the order in which they came, over all connections; they are
    kept before they are passed on, so that whoever has an answer finds its request recorded.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.raw = bytearray()
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _shut(self._listener)
        for one in self._sockets:
            _shut(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()
        self._listener.close()

    def since(self, mark: int) -> bytes:
        """Give the bytes that came after the first ``mark`` ones."""
        return bytes(self.raw[mark:])

    def requests_since(self, mark: int) -> list[Request]:
        """Split the bytes since ``mark``, which came one request after the other; Malformed for others."""
        content, place, requests = self.since(mark), 0, []
        while place < len(content):
            request, place = read_request(content, place)
            requests.append(request)
        return requests

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # a method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener's end
            while True:
                source, _ = self._listener.accept()
                self.connections += 1
                target = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [source, target]
                self._spawn(self._pump, source, target, self.raw)
                self._spawn(self._pump, target, source, bytearray())

    def _pump(self, source: socket.socket, target: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):  # either side may end at any time
            while piece := source.recv(65536):
                record += piece
                target.sendall(piece)
        _shut(source)
        _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
