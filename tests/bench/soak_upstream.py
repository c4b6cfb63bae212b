"""The upstream of the endurance run: each request says in ``x-soak`` how it is to be answered.

It is small on purpose and keeps nothing, since it runs for as long as the gateway does.
"""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self

from tests.support.raw import NO_LINGER

if TYPE_CHECKING:
    from types import TracebackType


class Act(Enum):
    """What an answer does besides sending bytes."""

    CLOSE = "close"
    RESET = "reset"
    WAIT = "wait until the gateway hangs up"
    TURN = "send the rest apart from what came before"


_MOOD: Final = re.compile(rb"\r\nx-soak: ([a-z-]+)\r\n", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nx-request-id: ([0-9a-z-]+)\r\n", re.IGNORECASE)

_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_CHUNKED: Final = _OK + b"transfer-encoding: chunked\r\n\r\n"
_EVENT: Final = b"1a\r\nevent: x\ndata: abcdefghi\n\n\r\n"


def _sized(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


ANSWERS: Final[dict[bytes, tuple[bytes | Act, ...]]] = {
    # What the gateway passes on.
    b"ok": (_sized(b'{"id": "msg_1"}'),),
    b"error": (_sized(b'{"error": {}}', b"500 Internal Server Error"),),
    b"nothing": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    b"interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + _sized(b"{}"),),
    b"chunked": (_CHUNKED + b"2;x=y\r\n{}\r\n0\r\nt: u\r\n\r\n",),
    b"events": (_CHUNKED, *(Act.TURN, _EVENT) * 5, b"0\r\n\r\n"),
    b"to-the-end": (_OK + b"\r\n{}", Act.CLOSE),
    b"megabyte": (_sized(bytes(1024 * 1024)),),
    b"endless": (_sized(bytes(32 * 1024 * 1024)),),
    # What it passes on and then never uses again, or breaks off.
    b"and-more": (_sized(b"{}") + _sized(b"{}"), Act.TURN, b"more"),
    b"truncated": (_OK + b"content-length: 100\r\n\r\nhalf", Act.CLOSE),
    b"cut-chunk": (_CHUNKED + b"64\r\nhalf", Act.RESET),
    b"bad-chunk": (_CHUNKED + b"2\r\n{}\r\n", Act.TURN, b"-1\r\n"),
    b"stalls": (_CHUNKED + _EVENT, Act.WAIT),
    # What it answers itself.
    b"silent": (Act.WAIT,),
    b"closes": (Act.CLOSE,),
    b"resets": (Act.RESET,),
    b"garbage": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", Act.WAIT),
    b"both-framings": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",),
    b"two-lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",),
    b"folded": (b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",),
    b"switching": (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",),
    b"status-zero": (_sized(b"{}", b"000 Zero"),),
    b"large-head": (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000, Act.WAIT),
}


class Upstream:
    """The server; an async context manager. ``port`` is valid inside it, ``waiting`` are ids of requests."""

    def __init__(self) -> None:
        self.port = 0
        self.waiting: dict[bytes, asyncio.Event] = {}
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=256 * 1024, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await asyncio.gather(*filter(None, self._writers.values()), return_exceptions=True)

    def hang_up(self) -> None:
        """End every connection, the idle ones of the gateway's pool too."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        finally:
            del self._writers[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take a request and answer it; false where the connection is over then."""
        head = await reader.readuntil(b"\r\n\r\n")
        length, mood, request_id = _LENGTH.search(head), _MOOD.search(head), _ID.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        if request_id and (event := self.waiting.pop(request_id[1], None)):
            event.set()
        for step in ANSWERS[mood[1] if mood else b"ok"]:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case Act.TURN:
                    await asyncio.sleep(0)
                case Act.WAIT:
                    await reader.read()
                    return False
                case Act.CLOSE:
                    return False
                case Act.RESET:
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                    writer.transport.abort()
                    return False
        return True
