"""Clients that waste a server's time, in a process of their own: ``python -m tests.bench.slow PORT COUNT``.

Four kinds, mixed evenly: the head byte by byte; the head whole and the body byte by byte; a long answer
asked for and never read; connected and silent. A byte takes a second. Whoever is hung up on comes again at
once, so that COUNT of them are there at all times.

Each kind arrives spread over the time that one of it stays by the default deadlines, so that from then on
they come and go evenly. When all are there a line ``here`` is printed. At SIGTERM the process ends with a
line of JSON: by kind, how many connections were ``opened``, and how often the server ``hung_up_on`` one.

One epoll and one heap of times, since this must cost next to nothing of the core that it shares with
whatever measures.
"""

from __future__ import annotations

import heapq
import json
import select
import signal
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from tests.bench.bodies import BODIES, FIELDS, LONG_PATH, PATH
from tests.support.raw import NO_LINGER

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

PACE: Final = 1.0
"""Seconds from one byte to the next."""

_BODY = BODIES["small"].payload
_LINES = "".join(f"{name}: {value}\r\n" for name, value in FIELDS)
_POST = f"POST {PATH} HTTP/1.1\r\nhost: slow\r\n{_LINES}content-length: {len(_BODY)}\r\n\r\n".encode()
_GET = f"GET {LONG_PATH} HTTP/1.1\r\nhost: slow\r\n{_LINES}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a client does: sends ``first`` at once and ``rest`` byte by byte; ``reads`` its answer or not.

    ``stays`` is how many seconds until it is hung up on.
    """

    name: str
    stays: float
    first: bytes
    rest: bytes = b""
    reads: bool = True


KINDS: Final = (
    Kind("head", 10.0, b"", _POST),
    Kind("body", 30.0, _POST, _BODY),
    Kind("unread", 30.0, _GET, reads=False),
    Kind("silent", 10.0, b""),
)


class _Client:
    """A connection of one kind; ``sent`` counts the bytes of ``kind.rest``."""

    __slots__ = ("kind", "sent", "socket")

    def __init__(self, port: int, kind: Kind) -> None:
        self.kind = kind
        self.sent = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        if not kind.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(1.0)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        if kind.first:
            self.socket.send(kind.first)

    @property
    def gone(self) -> bool:
        return self.socket.fileno() < 0


class Crowd:
    """All of them; :meth:`run` does not return."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._epoll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._added = 0
        self.opened: Counter[str] = Counter()
        self.hung_up_on: Counter[str] = Counter()

    def run(self) -> NoReturn:
        """Let them arrive, then keep them here."""
        for number in range(self._count):
            kind = KINDS[number % len(KINDS)]
            self._later(kind.stays * number / self._count, partial(self._arrive, kind))
        self._later(max(kind.stays for kind in KINDS), partial(print, "here", flush=True))
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1.0
            for descriptor, _ in self._epoll.poll(wait):
                self._hung_up(self._clients[descriptor])
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._added += 1  # two of one moment are told apart by it
        heapq.heappush(self._due, (time.monotonic() + seconds, self._added, act))

    def _arrive(self, kind: Kind) -> None:
        client = _Client(self._port, kind)
        self._clients[client.socket.fileno()] = client
        self._epoll.register(client.socket, select.EPOLLRDHUP | (select.EPOLLIN if kind.reads else 0))
        self.opened[kind.name] += 1
        if kind.rest:
            self._drip(client)

    def _drip(self, client: _Client) -> None:
        if client.gone or client.sent == len(client.kind.rest):
            return
        try:
            client.socket.send(client.kind.rest[client.sent : client.sent + 1])
        except OSError:
            return  # that the server hung up is an event of its own
        client.sent += 1
        self._later(PACE, partial(self._drip, client))

    def _hung_up(self, client: _Client) -> None:
        """Take a refusal, or the connection's end: whichever comes first, another client takes its place."""
        self.hung_up_on[client.kind.name] += 1
        del self._clients[client.socket.fileno()]
        self._epoll.unregister(client.socket)
        client.socket.close()
        self._arrive(client.kind)


def main(arguments: list[str]) -> NoReturn:
    """Run until SIGTERM."""
    crowd = Crowd(port=int(arguments[0]), count=int(arguments[1]))

    def tell(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.stdout.write(json.dumps({"opened": crowd.opened, "hung_up_on": crowd.hung_up_on}) + "\n")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, tell)
    crowd.run()


if __name__ == "__main__":
    main(sys.argv[1:])
