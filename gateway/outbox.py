"""Writes of one turn of the event loop, sent together at its end.

Sending wakes the receiver up. Written one by one between other work, each piece wakes it anew; written in
a row, the first does and the others find it awake. Under load that is a good part of the kernel's work;
alone, a piece waits for a few microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Outbox:
    """Keeps pieces with what sends them, in order, until the loop has served all that is ready."""

    __slots__ = ("_loop", "_pending")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: list[tuple[Callable[[bytes], None], bytes]] = []

    def put(self, send: Callable[[bytes], None], piece: bytes) -> None:
        """Have ``send`` called with ``piece``; it must not raise, whatever happened to its connection."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append((send, piece))

    def flush(self) -> None:
        """Send everything now, in the order in which it came."""
        pending, self._pending = self._pending, []
        for send, piece in pending:
            send(piece)
