"""An audit trail that tests hold by hand: nothing goes on before they say so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.types import Operation, Outcome, RequestHead, Verdict


class Told(NamedTuple):
    """A connection that never became a request."""

    client_ip: str
    code: str
    size: int


class HeldAudit:
    """A :class:`gateway.ports.AuditLog`; ``strict``: intents are waited for, too; not ``blocking``: nothing.

    ``records`` and ``intents`` are what was written down, ``releases`` what waits for it, in order.
    """

    def __init__(self, *, strict: bool = False, blocking: bool = True) -> None:
        self.available = True
        self.blocking = blocking
        self.strict = strict
        self.intents: list[tuple[Outcome, RequestHead]] = []
        self.records: list[tuple[Outcome, RequestHead | None, object]] = []
        self.connections: list[Told] = []
        self.releases: list[Callable[[bool], None]] = []
        self._news = asyncio.Event()

    def connection(self, client_ip: str, code: str, size: int, seconds: float | None) -> None:
        """Keep it."""
        assert seconds is None or seconds >= 0
        self.connections.append(Told(client_ip, code, size))
        self._news.set()

    def judged(self, operation: Operation, verdict: Verdict, body: bytes) -> object:  # noqa: ARG002 - the port's
        """Give the body, to be found in the record."""
        return body

    def intend(
        self,
        so_far: Callable[[], Outcome],
        head: RequestHead,
        judged: object,
        release: Callable[[bool], None],
    ) -> bool:
        """Keep it, and have it waited for in strict mode."""
        assert isinstance(judged, bytes)
        if self.strict:
            self.intents.append((so_far(), head))
            self.releases.append(release)
            self._news.set()
        return self.strict

    def sent(self, judged: object, body: bytes) -> object:
        """Give both bodies, to be found in the record."""
        return judged, body

    def record(
        self,
        outcome: Outcome,
        head: RequestHead | None,
        judged: object,
        release: Callable[[bool], None] | None,
    ) -> bool:
        """Keep it, and have it waited for by whoever can."""
        self.records.append((outcome, head, judged))
        if not self.blocking or not outcome.head_whole or outcome.code == "audit_unavailable":
            release = None
        if release is not None:
            self.releases.append(release)
        self._news.set()
        return release is not None

    def release(self, durable: bool = True) -> None:
        """Tell the first of those that wait."""
        self.releases.pop(0)(durable)

    async def waits(self, count: int = 1) -> None:
        """Wait until so many wait."""
        while len(self.releases) < count:
            self._news.clear()
            await self._news.wait()
