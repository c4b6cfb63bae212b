"""A client with a fixed rate, for latencies: an open loop, one request every 1/rate seconds.

A request is sent when it is due, whether or not those before it were answered, on whichever connection is
free and on a new one where none is. Its latency counts from the moment when it was due. So a server that
stalls for a while is charged for every request that would have come meanwhile, and none is left out because
the client itself was held up (what is called coordinated omission).
"""

from __future__ import annotations

import gc
import re
import select
import socket
import time
from collections import Counter
from typing import Final, Self

from tests.bench.bodies import FIELDS, PATH, Body
from tests.bench.faults import BenchError
from tests.bench.load import Served

MAX_CONNECTIONS: Final = 256
ANSWER_SECONDS: Final = 10.0
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([0-9]{3}) .*?\r\ncontent-length: *([0-9]+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE
)


class SteadyClient:
    """Sends ``body`` to 127.0.0.1:``port`` ``rate`` times a second; a context manager that closes it.

    At most ``connections`` are open; select(2) takes fewer than 1,024.
    """

    def __init__(self, port: int, body: Body, rate: float, *, connections: int = MAX_CONNECTIONS) -> None:
        self._connections = connections
        self._port = port
        self._rate = rate
        lines = "".join(f"{name}: {value}\r\n" for name, value in FIELDS)
        head = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{lines}content-length: {len(body.payload)}"
        self._request = head.encode() + b"\r\n\r\n" + body.payload
        self._free: list[socket.socket] = []
        self._busy: dict[socket.socket, tuple[float, bytearray]] = {}
        self._statuses: Counter[int] = Counter()
        self._latencies: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (*self._free, *self._busy):
            each.close()

    def run(self, seconds: float) -> Served:
        """Send for ``seconds``, await the last answers, and give what came back.

        :raises BenchError: when an answer is late by 10 s, is not one, or too many are awaited at a time
        """
        self._statuses, self._latencies = Counter(), []
        count = int(self._rate * seconds)
        gc.disable()  # its pauses would be charged to the server
        try:
            took = self._send(count)
        finally:
            gc.enable()
        return Served(count, took, self._statuses, sorted(self._latencies))

    def _send(self, count: int) -> float:
        begin = time.perf_counter()
        sent = 0
        while sent < count or self._busy:
            due = begin + sent / self._rate
            now = time.perf_counter()
            if sent < count and now >= due:
                self._send_one(due)
                sent += 1
                continue
            wait = due - now if sent < count else ANSWER_SECONDS
            # select, since its timeout is exact to microseconds; that of epoll is rounded up to milliseconds.
            ready, _, _ = select.select(self._busy, (), (), wait)
            if not ready and sent == count:
                raise BenchError(f"{len(self._busy)} requests were not answered")
            for each in ready:
                self._receive(each)
        return time.perf_counter() - begin

    def _send_one(self, due: float) -> None:
        chosen = self._idle()
        if chosen is None and len(self._busy) < self._connections:
            chosen = socket.create_connection(("127.0.0.1", self._port), 5.0)
            chosen.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if chosen is None:
            raise BenchError(
                f"{self._connections} requests are unanswered: too slow for {self._rate:g} a second"
            )
        chosen.sendall(self._request)
        self._busy[chosen] = due, bytearray()

    def _idle(self) -> socket.socket | None:
        """Give a free connection that is still open; the gateway ends those that are idle for long."""
        while self._free:
            chosen = self._free.pop()
            if not select.select((chosen,), (), (), 0)[0]:
                return chosen
            chosen.close()
        return None

    def _receive(self, chosen: socket.socket) -> None:
        due, answer = self._busy[chosen]
        piece = chosen.recv(65536)
        answer += piece
        found = _HEAD.match(answer)
        if not piece or (found is None and b"\r\n\r\n" in answer):
            raise BenchError(f"not an answer: {bytes(answer[:300])!r}")
        if found is None or len(answer) < found.end() + int(found[2]):
            return
        self._latencies.append(round((time.perf_counter() - due) * 1e6))
        self._statuses[int(found[1])] += 1
        del self._busy[chosen]
        self._free.append(chosen)
