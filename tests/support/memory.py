"""The data plane without sockets: transports that keep what is written, and a loop that connects in memory.

Thousands of connections a second, the same at every run: nothing waits, and time stands still.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from tests.support.turns import turns

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = "192.0.2.1"
"""Where connections come from."""
_QUIET: Final = socket.socketpair()
"""Sockets on which nothing ever arrives, for whoever polls."""


class Transport(asyncio.Transport):
    """Keeps what is written, and whether the connection was ended; ``was_reset`` if by a TCP RST.

    ``reading`` says whether more is wanted; what comes nevertheless is for the test to hold back.
    """

    def __init__(self) -> None:
        super().__init__({"peername": (CLIENT, 1), "socket": self})
        self.written = bytearray()
        self.reading = True
        self.ended = False
        self.was_reset = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "bytes behind the end"
        self.written += data

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.ended = True

    # What is asked of the socket, which the transport itself stands for.

    def fileno(self) -> int:
        return _QUIET[0].fileno()

    def setsockopt(self, *_option: Any) -> None:
        """Take the one option that is ever set: that closing resets the connection."""
        self.was_reset = True


class MemoryLoop(asyncio.SelectorEventLoop):
    """An event loop whose connections are made by ``connect`` and whose time stands still: no timer fires."""

    connect: Callable[[asyncio.BaseProtocol], asyncio.Transport]

    def time(self) -> float:
        """Give the same time always."""
        return 1.0

    async def create_connection(  # type: ignore[override]  # what the pool calls it with is enough
        self, factory: Callable[[], asyncio.BaseProtocol], *_address: Any, **_options: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to what ``connect`` makes."""
        protocol = factory()
        transport = self.connect(protocol)
        protocol.connection_made(transport)
        return transport, protocol

    async def settle(self) -> None:
        """Let the loop run until nothing is left to do; two that wait for this would wait for each other."""
        await turns(1)
        while self._ready:  # type: ignore[attr-defined]
            await turns(1)
