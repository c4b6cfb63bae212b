r"""An upstream that records every byte it gets and answers with exactly the bytes of a script.

    async with Recorder([ok(b"one"), [b"HTTP/1.1 200 OK\r\n", Step.RESET]]) as upstream:
        ...                                    # send something to upstream.port
        assert upstream.requests[0].body == b"..."

A script is a sequence of steps, run in order for one request:

* ``bytes`` are written; ``b""`` is nothing
* an ``asyncio.Event`` is waited for
* ``Step.CLOSE`` closes after what was written; ``Step.RESET`` sends a TCP RST
* ``Step.SILENCE`` waits until the peer ends the connection
* ``Step.WHOLE`` waits until the request is whole: wanted with ``at="head"`` only
* ``Step.PAUSE`` stops reading from the socket, ``Step.RESUME`` reads on: back-pressure
"""

from __future__ import annotations

import asyncio
import enum
import os
import socket
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, cast

from tests.support.framing import Incomplete, Malformed, Request, read_head, read_request
from tests.support.raw import NO_LINGER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType


class Step(enum.Enum):
    """What a script does besides writing and waiting."""

    CLOSE = "close"
    RESET = "reset"
    SILENCE = "silence"
    WHOLE = "whole"
    PAUSE = "pause"
    RESUME = "resume"


Script: TypeAlias = "Sequence[bytes | asyncio.Event | Step]"
Scripts: TypeAlias = "Sequence[Script] | Callable[[int, Connection], Script]"


def ok(body: bytes = b'{"ok": true}', *headers: bytes, status: bytes = b"200 OK") -> Script:
    """Make a script that answers with ``body`` and a Content-Length; ``headers`` are whole lines, no CRLF."""
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return [b"\r\n".join(lines) + b"\r\n\r\n" + body]


def chunked(*pieces: bytes, headers: Sequence[bytes] = (b"Content-Type: application/json",)) -> Script:
    """Make a script that answers in chunks, one write for each."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


class Recorder:
    """The upstream. An async context manager; ``port`` is valid inside it.

    ``scripts`` are used up in the order in which requests come, over all connections; when there are no
    more, ``default`` answers. Or it is a function of the request's number (from 0) and its connection.
    ``at`` says when a script starts: when the request is ``whole``, or when its ``head`` is.
    ``greeting`` runs on each new connection before anything else, such as ``[Step.CLOSE]``.
    """

    def __init__(
        self,
        scripts: Scripts = (),
        *,
        default: Script | None = None,
        at: Literal["whole", "head"] = "whole",
        greeting: Script = (),
    ) -> None:
        self._scripts = scripts
        self._default = ok() if default is None else default
        self.at = at
        self.greeting = greeting
        self.connections: list[Connection] = []
        self.port = 0
        self._started = 0
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self.connections:
            connection.abort()
        await asyncio.gather(*(connection.closed.wait() for connection in self.connections))
        await self._server.wait_closed()
        for task in list(self._tasks):
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result  # a script that fails is the test's own fault, and must be seen

    @property
    def url(self) -> str:
        """Scheme and authority, as a configuration's ``urls`` wants it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def raw(self) -> bytes:
        """Every byte ever received, connection after connection."""
        return b"".join(bytes(connection.raw) for connection in self.connections)

    @property
    def requests(self) -> list[Request]:
        """The whole requests, connection after connection; raises Malformed when bytes are not HTTP/1.1."""
        for connection in self.connections:
            if connection.malformed is not None:
                raise connection.malformed
        return [request for connection in self.connections for request in connection.requests]

    async def wait_for(
        self,
        condition: Callable[[], bool],
        timeout: float = 5,  # noqa: ASYNC109 - callers want one word for it
    ) -> None:
        """Wait until ``condition()`` holds; it is asked again whenever anything comes or ends."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def wait_for_requests(
        self,
        count: int = 1,
        timeout: float = 5,  # noqa: ASYNC109 - callers want one word for it
    ) -> list[Request]:
        """Wait until ``count`` requests are whole, and give all of them."""
        await self.wait_for(lambda: len(self.requests) >= count, timeout)
        return self.requests

    def next_script(self, connection: Connection) -> Script:
        """Give the script of the request that starts now."""
        number = self._started
        self._started += 1
        if callable(self._scripts):
            return self._scripts(number, connection)
        return self._scripts[number] if number < len(self._scripts) else self._default

    def spawn(self, connection: Connection) -> None:
        """Run a connection's scripts beside its reading."""
        self._tasks.add(asyncio.ensure_future(connection.run()))

    def tell(self) -> None:
        """Wake whoever waits: something came or ended."""
        self._news.set()


class Connection(asyncio.Protocol):
    """One accepted connection.

    ``raw`` has every byte received, ``requests`` those that are whole, ``heads`` counts request heads.
    ``gone`` is set when the peer ended its side, by FIN or RST; ``closed`` when the connection is over on
    both, with ``lost`` the exception then, such as ConnectionResetError, or None. A peer that ended its
    side still gets the answers to its whole requests.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.raw = bytearray()
        self.requests: list[Request] = []
        self.heads = 0
        self.malformed: Malformed | None = None
        self.gone = asyncio.Event()
        self.closed = asyncio.Event()
        self.lost: Exception | None = None
        self._place = 0
        self._change = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._recorder.connections.append(self)
        self._recorder.spawn(self)
        self._recorder.tell()

    def data_received(self, content: bytes) -> None:
        self.raw += content
        self._read()
        self._change.set()
        self._recorder.tell()

    def eof_received(self) -> bool:
        self.gone.set()
        self._change.set()
        self._recorder.tell()
        return True  # scripts may still have to answer

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = error
        self.gone.set()
        self.closed.set()
        self._change.set()
        self._writable.set()
        self._recorder.tell()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def write_at_once(self, content: bytes) -> None:
        """Send past the event loop: when this returns, the bytes are with the peer's kernel, unasked."""
        assert os.write(self._transport.get_extra_info("socket").fileno(), content) == len(content)

    def end_at_once(self) -> None:
        """End the sending side past the event loop."""
        with socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as same:
            same.shutdown(socket.SHUT_WR)

    async def run(self) -> None:
        """Run the greeting, then one script for each request, until the connection ends."""
        await self._play(self._recorder.greeting, 0)
        number = 0
        while not self.closed.is_set():
            ready = self.heads if self._recorder.at == "head" else len(self.requests)
            if number < ready:
                number += 1
                await self._play(self._recorder.next_script(self), number)
            elif self.gone.is_set():
                self._transport.close()
                await self.closed.wait()
            else:
                await self._changed()

    async def _play(self, script: Script, number: int) -> None:
        for step in script:
            if self.closed.is_set():
                return
            if isinstance(step, bytes):
                self._transport.write(step)
                await self._writable.wait()
            elif isinstance(step, asyncio.Event):
                await self._until(step)
            else:
                await self._step(step, number)

    async def _step(self, step: Step, number: int) -> None:
        match step:
            case Step.CLOSE:
                self._transport.close()
                await self.closed.wait()
            case Step.RESET:
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                self._transport.abort()
                await self.closed.wait()
            case Step.SILENCE:
                await self.gone.wait()
                self._transport.close()
                await self.closed.wait()
            case Step.WHOLE:
                while len(self.requests) < number and not self.gone.is_set():
                    await self._changed()
            case Step.PAUSE:
                self._transport.pause_reading()
            case Step.RESUME:
                self._transport.resume_reading()

    async def _until(self, event: asyncio.Event) -> None:
        """Wait for a script's event or the connection's end, whichever comes first."""
        waits = [asyncio.ensure_future(item.wait()) for item in (event, self.closed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _changed(self) -> None:
        self._change.clear()
        await self._change.wait()

    def _read(self) -> None:
        """Split off the requests that are whole now; a malformed one ends the splitting for good."""
        try:
            while self.malformed is None and self._place < len(self.raw):
                content = bytes(self.raw)
                if self.heads == len(self.requests):
                    read_head(content, self._place)
                    self.heads += 1
                request, self._place = read_request(content, self._place)
                self.requests.append(request)
        except Incomplete:
            pass
        except Malformed as error:
            self.malformed = error
