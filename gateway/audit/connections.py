"""Connections that never became a request: one record each, or one a second where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.audit import records

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gateway.audit.records import Mark, Marks

MOST_PER_SECOND: Final = 100
"""So many are told one by one; those beyond are counted, and told in one record when the second is over."""


class Connections:
    """Tells of connections through ``tell``, which takes a record's members. The event loop's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[bytes], None], marks: Marks) -> None:
        self._loop = loop
        self._tell = tell
        self._marks = marks
        self._told = 0
        self._folded = 0
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self,
        client_ip: str,
        code: str,
        size: int,
        seconds: float | None,
        *,
        mark: Mark | None = None,
        status: int | None = None,
    ) -> None:
        """Take one: where from, why it ended, how many bytes it sent, and how long it took, if known.

        ``mark`` is that of the answer, ``status`` its status, where there was one.
        """
        if self._timer is None:
            self._timer = self._loop.call_later(1.0, self._turn)
        if self._told >= MOST_PER_SECOND:
            self._folded += 1
            self._bytes += size
            return
        self._told += 1
        self._tell(
            records.connection(
                mark or self._marks(),
                code=code,
                status=status,
                client_ip=client_ip,
                duration_ms=None if seconds is None else seconds * 1e3,
                bytes_in=size,
            )
        )

    def _turn(self) -> None:
        """End the second."""
        self._timer = None
        self._told = 0
        folded, self._folded = self._folded, 0
        size, self._bytes = self._bytes, 0
        if folded:
            self._tell(records.connection(self._marks(), code="many", count=folded, bytes_in=size))

    def close(self) -> None:
        """Tell what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._turn()
