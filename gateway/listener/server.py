"""The listener: accepts connections and knows all of them, so that they can be drained.

Stands on aiohttp's low-level server: its runner and sites open, hold and close the sockets; a
:class:`Connection` takes the place of aiohttp's own request handler.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.core.fields import FieldMemo
from gateway.core.types import Phase, Rejection
from gateway.listener.connection import Connection
from gateway.listener.exchange import Exchange
from gateway.listener.ids import RequestIds
from gateway.outbox import Outbox
from gateway.ports import NoAudit

if TYPE_CHECKING:
    import ssl

    from gateway.listener.snapshot import Capacity, Snapshot
    from gateway.ports import AuditLog, Observer


class Load:
    """What the listener has under way: the figures that capacity is judged by."""

    __slots__ = ("body_bytes", "draining", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self.body_bytes = 0
        self.draining = False

    def refusal(self, capacity: Capacity) -> Rejection | None:
        """Say whether one more request is too much; it is counted in already."""
        if self.draining:
            return Rejection(
                Phase.LIMIT,
                "draining",
                "The gateway is shutting down. Try again.",
                headers=(("retry-after", "1"),),
                close=True,
                retry=True,
            )
        return self.overloaded(Phase.LIMIT) if self.in_flight > capacity.in_flight else None

    def overloaded(self, phase: Phase, *, close: bool = False) -> Rejection:
        """Refuse for want of capacity."""
        return Rejection(
            phase,
            "overloaded",
            "The gateway is at capacity. Try again shortly.",
            headers=(("retry-after", "1"),),
            retry=True,
            close=close,
        )


class GatewayServer(web.Server):
    """The data plane's listener. ``snapshot`` may be replaced at any time; requests keep their own.

    ``cut_off`` is how many requests under way were abandoned by :meth:`drop_all`.
    ``max_connections`` is how many clients may be connected at a time; None for as many as come.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        observers: tuple[Observer, ...],
        audit: AuditLog | None = None,
    ) -> None:
        """``observers`` hear of every exchange; ``audit`` keeps the records, None for none."""
        super().__init__(_unused, loop=loop)
        self.loop = loop
        self.snapshot = snapshot
        self.observers = observers
        self.audit: AuditLog = audit or NoAudit()
        self.max_connections: int | None = None
        self.load = Load()
        self.cut_off = 0
        self.memo = FieldMemo()
        self.outbox = Outbox(loop)
        self._ids = RequestIds()
        self._open: set[Connection] = set()
        self._emptied: asyncio.Event | None = None

    def __call__(self) -> Connection:  # type: ignore[override]  # a protocol factory is all that sites need
        """Make the protocol of a new connection."""
        return Connection(self)

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def begin(self, connection: Connection) -> Exchange:
        """Begin an exchange on the snapshot of this moment."""
        return Exchange(connection, self.snapshot, self._ids.next())

    def opened(self, connection: Connection) -> bool:
        """Take note of a new connection; false where it is one too many and has to end at once."""
        self._open.add(connection)
        if self.max_connections is None or len(self._open) <= self.max_connections:
            return True
        self.audit.connection(connection.peer, "overloaded", 0, None)
        return False

    def closed(self, connection: Connection) -> None:
        """Take note of a connection's end."""
        self._open.discard(connection)
        if not self._open and self._emptied is not None:
            self._emptied.set()

    def pre_shutdown(self) -> None:
        """Begin to drain: idle connections end now, the others after their answer."""
        self.load.draining = True
        for connection in list(self._open):
            connection.retire()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """Wait ``timeout`` seconds for the requests under way, then end what is left."""
        if self._open:
            self._emptied = asyncio.Event()
            try:
                async with asyncio.timeout(timeout):
                    await self._emptied.wait()
            except TimeoutError:
                self.drop_all()

    def drop_all(self) -> None:
        """End every connection at once; requests under way are abandoned."""
        self.cut_off += self.load.in_flight
        for connection in list(self._open):
            connection.drop("draining")


class _Site(web.BaseSite):
    """Listens at an address; a TLS handshake has ``handshake`` seconds, where asyncio would wait a minute."""

    def __init__(
        self, runner: web.BaseRunner, host: str, port: int, tls: ssl.SSLContext | None, *, handshake: float
    ) -> None:
        super().__init__(runner, ssl_context=tls, backlog=1024)
        self._address = (host, port)
        self._handshake = None if tls is None else handshake

    @property
    def name(self) -> str:
        host, port = self._address
        return f"{'http' if self._ssl_context is None else 'https'}://{host}:{port}"

    async def start(self) -> None:
        await super().start()
        factory = self._runner.server
        assert factory is not None
        self._server = await asyncio.get_running_loop().create_server(
            factory,
            *self._address,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=self._handshake,
        )


async def _unused(_request: object) -> web.StreamResponse:
    """Stand in for the request handler that aiohttp's server asks for; no connection of ours calls it."""
    return web.Response()


class Listener:
    """An open listener: where it listens, and how it is drained."""

    def __init__(self, server: GatewayServer, *, drain: float) -> None:
        """``drain`` is how many seconds requests under way may take when the listener ends."""
        self.server = server
        self._runner = web.ServerRunner(server, shutdown_timeout=drain)

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen; OSError if the address cannot be had.

        A client has as long for its TLS handshake as for a head by then, whatever is reloaded later.
        """
        await self._runner.setup()
        handshake = self.server.snapshot.deadlines.header
        await _Site(self._runner, host, port, tls, handshake=handshake).start()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses that are listened on."""
        return [(address[0], address[1]) for address in self._runner.addresses]

    async def drain(self) -> None:
        """Stop listening, let requests under way end, and close everything."""
        await self._runner.cleanup()
