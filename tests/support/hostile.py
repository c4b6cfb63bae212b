"""An upstream that answers wrongly in ever other ways, and clients that watch what they get of it.

Each request carries a token that its answer has to carry. Answers are good or mutated, cut at random, go
on behind their end, and bring answers that nobody asked for. :class:`Clients` count what came back, and fail
on anything but one well-formed answer with no token of another request, or a connection that visibly broke.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import Counter
from typing import TYPE_CHECKING

from tests.support.framing import Incomplete, Response, read_response
from tests.support.raw import RawConnection
from tests.support.recorder import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.recorder import Connection, Script

TOKEN = re.compile(rb"tok-[0-9a-f]{8}")
PATIENCE = 0.02
"""Seconds for which a client waits for an answer before its upstream hangs up."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TEMPLATES = (
    b"HTTP/1.1 200 OK\r\nX-Token: %b\r\nContent-Length: 12\r\nX-Request-Id: u-1\r\n\r\n%b",
    b"HTTP/1.1 200 OK\r\nX-Token: %b\r\nTransfer-Encoding: chunked\r\n\r\nc;a=b\r\n%b\r\n0\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nX-Token: %b\r\nX-Other: %b\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nX-Token: %b\r\nContent-Length: 12\r\nETag: %b\r\n\r\n",
    b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-Token: %b\r\nContent-Length: 12\r\n\r\n%b",
    b"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nX-Token: %b\r\nContent-Length: 12\r\n\r\n%b",
    b"HTTP/1.1 200 OK\r\nX-Token: %b\r\nSet-Cookie: a=b\r\n\r\n%b",
)
_UNASKED = b"HTTP/1.1 200 OK\r\nX-Token: %b\r\nContent-Length: 12\r\n\r\n%b"
_PIECES = (
    b"\r\n", b"\r", b"\n", b"\x00", b"\xff", b"\x1b[2J", b" ", b"\t", b":", b",", b"0", b"f", b";", b'"',
    b"Content-Length: 3\r\n", b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\tchunked\t\r\n", b"Connection: close\r\n",
    b"Connection: x-request-id, content-length\r\n",
    b"X-Request-Id: forged\r\n", b"X-Upstream-Request-Id: forged\r\n", b" folded\r\n", b"0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"Upgrade: x\r\n",
)  # fmt: skip


class Hostile:
    """Makes the scripts of a Recorder: ``Recorder(Hostile(seed, wrong=0.5))``."""

    def __init__(self, seed: int, *, wrong: float) -> None:
        """``wrong`` is the share of requests that get no plain good answer."""
        self._random = random.Random(seed)
        self._wrong = wrong
        self.ends: dict[bytes, asyncio.Event] = {}
        self._turn = asyncio.Event()
        self._turn.set()

    def __call__(self, _number: int, connection: Connection) -> Script:
        """Give the script for the connection's latest request."""
        found = TOKEN.search(connection.requests[-1].raw)
        assert found is not None
        token = found[0]
        choose = self._random
        answer = choose.choice(_TEMPLATES) % (token, token)
        if choose.random() >= self._wrong:
            template = _TEMPLATES[choose.randrange(2)]
            return self._cut(template % (token, token))
        if choose.random() < 0.8:
            for _ in range(choose.randint(1, 3)):
                answer = self._mutated(answer)
        if choose.random() < 0.5:
            answer += choose.choice([_UNASKED % (token, token), *_PIECES])
        end = choose.choice([Step.CLOSE, Step.CLOSE, Step.RESET])
        return [*self._cut(answer), self.ends[token], end]

    def _mutated(self, answer: bytes) -> bytes:
        choose = self._random
        at = choose.randrange(len(answer) + 1)
        match choose.randrange(5):
            case 0:
                return answer[:at] + choose.choice(_PIECES) + answer[at:]
            case 1:
                return answer[:at] + answer[at + choose.randint(1, 6) :]
            case 2:
                return answer[:at] + choose.randbytes(1) + answer[at + 1 :]
            case 3:
                lines = answer.split(b"\r\n")
                line = choose.choice([*lines, *(piece.strip(b"\r\n") for piece in _PIECES)])
                lines.insert(choose.randrange(1, len(lines) + 1), line)
                return b"\r\n".join(lines)
            case _:
                return answer[:at]

    def _cut(self, answer: bytes) -> list[bytes | asyncio.Event | Step]:
        """Cut an answer into pieces that arrive one by one.

        What may hold two answers arrives at once: a second one that came later could cross the next request
        on its way, and nobody can tell such a one from that request's own.
        """
        count = self._random.choice([0, 0, 1, 2, 5]) if answer.count(b"HTTP/1.") < 2 else 0
        places = sorted(self._random.randrange(len(answer) + 1) for _ in range(count))
        script: list[bytes | asyncio.Event | Step] = []
        for start, end in zip([0, *places], [*places, len(answer)], strict=True):
            script += [answer[start:end], self._turn]
        return script


class Clients:
    """Clients of a gateway in front of ``hostile``; ``seen`` counts what they got."""

    def __init__(self, port: int, hostile: Hostile, make: Callable[[bytes, bool], bytes]) -> None:
        """``make`` gives the bytes of a request with a token, of HTTP/1.0 where asked for."""
        self._port = port
        self._hostile = hostile
        self._make = make
        self._count = 0
        self.seen: Counter[str] = Counter()
        self.ids: set[str] = set()

    async def ask(self, count: int, *, at_once: int) -> None:
        """Send ``count`` requests, each client one after the other on a connection that it keeps."""
        await asyncio.gather(*(self._client(count // at_once) for _ in range(at_once)))

    async def _client(self, count: int) -> None:
        left = count
        while left:
            async with RawConnection(self._port) as connection:
                while left and not connection.ended:
                    left -= 1
                    await self._ask(connection)

    async def _ask(self, connection: RawConnection) -> None:
        self._count += 1
        token = b"tok-%08x" % (self._count * 2654435761 % 2**32)  # no two of them alike but for a byte
        end = self._hostile.ends[token] = asyncio.Event()
        old = self._count % 7 == 0
        start = len(connection.received)
        await connection.send(self._make(token, old))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await connection.read_responses(start=start)
        end.set()
        await connection.read_responses(start=start)
        if old:
            await connection.read_end()
        self._check(connection, bytes(connection.received[start:]), token)

    def _check(self, connection: RawConnection, content: bytes, token: bytes) -> None:
        """Fail on anything but one response of the request's own, or the visible end of one."""
        strange = {
            found for found in TOKEN.findall(content) if found != token and found in self._hostile.ends
        }
        assert not strange, f"{token!r} got {content!r}"
        try:
            response, place = read_response(content, closed=connection.ended and not connection.was_reset)
        except Incomplete:
            assert connection.ended, content
            self.seen["broken"] += 1
            return
        assert place == len(content), content
        self._check_response(response)
        own = ("x-token", token.decode()) in [(name.lower(), value) for name, value in response.headers]
        self.seen["own" if own else str(response.status)] += 1

    def _check_response(self, response: Response) -> None:
        request_id = response.header("x-request-id")
        assert request_id is not None
        assert _ID.fullmatch(request_id)
        assert request_id not in self.ids
        self.ids.add(request_id)
