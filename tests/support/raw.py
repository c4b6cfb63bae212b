r"""A raw client: sends the bytes it is given, in the pieces it is given, and reads strictly.

answer = parse_responses(await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))[0]
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Self

from tests.support.framing import Incomplete, Malformed, Response, read_response

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Incomplete", "Malformed", "RawConnection", "Response", "exchange", "parse_responses"]

Piece = bytes | asyncio.Event
"""Bytes to send, or an event to wait for before the next piece."""

NO_LINGER = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that makes close() send a TCP RST."""


async def exchange(
    port: int,
    *pieces: Piece,
    eof: bool = False,
    timeout: float = 5,  # noqa: ASYNC109 - callers want one word for it
    responses: int = 1,
    head: bool = False,
) -> bytes:
    """Send ``pieces`` on a new connection and give all bytes that came back.

    Reads until ``responses`` final responses are whole (1xx do not count) or the connection ends, by
    FIN or by RST; with ``eof`` the sending side is shut down after the last piece. Reading goes on while
    pieces wait, and a peer that stops listening early is no error. ``head``: they answer HEAD requests.
    Raises TimeoutError, with what had come, after ``timeout`` seconds.
    """
    async with RawConnection(port) as connection:
        try:
            async with asyncio.timeout(timeout):
                sending = asyncio.create_task(connection.send(*pieces, eof=eof))
                try:
                    await connection.read_responses(responses, head=head)
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
        except TimeoutError:
            raise TimeoutError(f"after {timeout} s only {bytes(connection.received)!r}") from None
        return bytes(connection.received)


def parse_responses(content: bytes, *, closed: bool = True, head: bool = False) -> list[Response]:
    """Split bytes into responses, 1xx included; raises :class:`Malformed` for anything left over or cut off.

    ``closed`` says that the connection ended after them, which ends a body without length.
    """
    found: list[Response] = []
    place = 0
    while place < len(content):
        response, place = read_response(content, place, head_only=head, closed=closed)
        found.append(response)
    return found


class RawConnection:
    """One connection to a port on loopback; a context manager that closes it.

    ``received`` has all bytes so far; ``ended`` whether the peer's side is over, ``was_reset`` by RST.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self.received = bytearray()
        self.ended = False
        self.was_reset = False

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._writer.transport.abort()  # what could not be sent must not hold the failing test up
        await self.close()

    async def send(self, *pieces: Piece, eof: bool = False) -> None:
        """Send pieces, each in a write of its own; a connection that the peer ended swallows the rest."""
        try:
            for piece in pieces:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                    continue
                if self._writer.is_closing():
                    return
                self._writer.write(piece)
                await self._writer.drain()
            if eof:
                self._writer.write_eof()
        except ConnectionError:
            pass  # reading tells how it ended

    async def read_some(self) -> bytes:
        """Read what comes next, b"" at the end; it is added to ``received``."""
        try:
            piece = await self._reader.read(65536)
        except ConnectionError:
            self.was_reset, piece = True, b""
        self.ended = self.ended or not piece
        self.received += piece
        return piece

    async def read_until(self, mark: bytes) -> bytes:
        """Read until ``received`` has ``mark``; give all up to its end. ConnectionError at an early end."""
        while mark not in self.received:
            if not await self.read_some():
                raise ConnectionError(f"ended before {mark!r}: {bytes(self.received)!r}")
        return bytes(self.received[: self.received.index(mark) + len(mark)])

    async def read_responses(self, count: int = 1, *, start: int = 0, head: bool = False) -> list[Response]:
        """Read until ``count`` final responses are whole behind offset ``start``, or the end; give those.

        Malformed bytes end the reading too: :func:`parse_responses` is what judges them.
        """
        while True:
            found, finals, place = [], 0, start
            try:
                while finals < count:
                    response, place = read_response(
                        bytes(self.received), place, head_only=head, closed=self.ended
                    )
                    found.append(response)
                    finals += response.status >= 200
            except Incomplete:
                if not self.ended:
                    await self.read_some()
                    continue
            except Malformed:
                pass
            return found

    async def read_end(self) -> bytes:
        """Read until the peer ends the connection; give everything that ever came."""
        while not self.ended:
            await self.read_some()
        return bytes(self.received)

    def reset(self) -> None:
        """End the connection at once with a TCP RST, whatever is still under way."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
