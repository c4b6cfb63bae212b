"""The pool of one upstream: which address a request goes to, and over which connection.

Several addresses: the one with the least requests in flight; one that cannot be connected to is left
out for a while, longer each time. A request goes to another connection or address only while it
provably delivered nothing, that is: as long as no byte of it was written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from gateway.outbox import Outbox
from gateway.ports import UpstreamFault
from gateway.upstream.connection import Connection
from gateway.upstream.headers import RequestHeaders, ResponseHeaders

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from gateway.core.types import Permit
    from gateway.ports import Client, ResponseSink

FIRST_EJECTION = 1.0
"""Seconds for which an address is left out after its first failure; doubles up to MAX_EJECTION."""
MAX_EJECTION = 30.0
IDLE_LIFETIME = 55.0
"""Seconds after which an idle connection is not used again; most servers hang up after 60 or more."""


class UpstreamSettings(NamedTuple):
    """What a pool is made from. ``urls`` are scheme and authority; times are seconds.

    ``tell_sent``: sinks hear of each body as it leaves.
    """

    urls: tuple[str, ...]
    connect: float
    first_byte: float
    idle: float
    size: int
    authorization: str | None
    forwarded: bool
    tell_sent: bool = False


class _Endpoint:
    """One address: its idle connections and how it has been doing."""

    __slots__ = ("failures", "headers", "host", "idle", "in_flight", "port", "retry_at", "tls")

    def __init__(self, url: str, settings: UpstreamSettings) -> None:
        parts = urlsplit(url)
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self.headers = RequestHeaders(
            parts.netloc, authorization=settings.authorization, forwarded=settings.forwarded
        )
        self.idle: list[Connection] = []
        self.in_flight = 0
        self.failures = 0
        self.retry_at = 0.0


class Flight:
    """A request that waits for a connection, and then is on it: a :class:`ports.Flight`.

    ``tried`` are the addresses to which a connection was to be made for it. ``permit`` is given up when the
    request leaves: an answer may go on for long. ``paused`` holds for whichever connection it is on.
    """

    __slots__ = ("_pool", "attempts", "client", "connection", "expiry", "paused", "permit", "sink", "tried")

    def __init__(self, pool: Pool, permit: Permit, client: Client, sink: ResponseSink) -> None:
        self._pool = pool
        self.permit: Permit | None = permit
        self.client = client
        self.sink: ResponseSink | None = sink
        self.attempts = 0
        self.tried: tuple[_Endpoint, ...] = ()
        self.connection: Connection | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.paused = False

    def cancelled(self) -> bool:
        """Say whether nobody waits for the answer any more."""
        return self.sink is None

    def pause(self) -> None:
        """Stop reading the response until resumed."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Give the request up; its connection is closed, since an answer may still come."""
        self.sink = None
        if self.connection is not None:
            self.connection.close()
        else:
            self._pool.forget(self)

    # upstream.connection.Sender

    def sent(self, request: bytes) -> None:
        """Give the request up: it is on its way."""
        self.permit = None
        if self._pool.tell_sent and self.sink is not None:
            self.sink.request_sent(request.partition(b"\r\n\r\n")[2])

    def unsent(self, fault: UpstreamFault) -> None:
        """Look for another connection."""
        self.connection = None
        self._pool.dispatch(self, fault)


class Pool:
    """The connections to one upstream; implements :class:`ports.Forwarder`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: UpstreamSettings, tls: ssl.SSLContext | None = None
    ) -> None:
        """Make an empty pool; nothing is connected before the first request. ``tls`` serves https urls."""
        self._loop = loop
        self._settings = settings
        self.tell_sent = settings.tell_sent
        self._tls = tls
        self._endpoints = [_Endpoint(url, settings) for url in settings.urls]
        self._headers = ResponseHeaders()
        self._outbox = Outbox(loop)
        self._open = 0
        self._waiting: deque[Flight] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._retired = False

    def forward(self, permit: Permit, client: Client, sink: ResponseSink) -> Flight:
        """Send the permit's request; the answer comes to ``sink``."""
        flight = Flight(self, permit, client, sink)
        self.dispatch(flight, UpstreamFault("upstream_unreachable", "refused", sent=False))
        return flight

    def dispatch(self, flight: Flight, fault: UpstreamFault) -> None:
        """Find a connection for a flight, or let it wait; with no address left it ends with ``fault``."""
        endpoint = self._choose(flight.tried)
        if endpoint is None:
            if flight.sink is not None:
                flight.sink.response_fault(fault)
            return
        connection = self._idle_connection(endpoint)
        if connection is None and self._open >= self._settings.size:
            # The others' idle connections hold places that nobody would ever give back.
            endpoint, connection = self._idle_elsewhere(endpoint)
        if connection is not None:
            self._depart(flight, endpoint, connection)
        elif self._open < self._settings.size:
            self._begin_opening(flight, endpoint)
        else:
            self._waiting.append(flight)
            flight.expiry = self._loop.call_later(self._settings.connect, self._give_up_waiting, flight)

    def forget(self, flight: Flight) -> None:
        """Drop a cancelled flight that waits; one that is being connected leaves an idle connection."""
        if flight.expiry is not None:
            flight.expiry.cancel()
            self._waiting.remove(flight)

    def retire(self) -> None:
        """Close what is idle, and everything else once its flight is over: the pool was replaced."""
        self._retired = True
        for endpoint in self._endpoints:
            for connection in list(endpoint.idle):
                connection.close()

    def _choose(self, tried: Sequence[_Endpoint]) -> _Endpoint | None:
        """Give the address to try next: not tried yet, not failing if possible, least in flight."""
        if len(self._endpoints) == 1:
            return None if tried else self._endpoints[0]
        left = [endpoint for endpoint in self._endpoints if endpoint not in tried]
        now = self._loop.time()
        well = [endpoint for endpoint in left if endpoint.retry_at <= now] or left
        if not well:
            return None
        chosen = min(well, key=lambda endpoint: endpoint.in_flight)
        # The next tie goes to another one.
        self._endpoints.remove(chosen)
        self._endpoints.append(chosen)
        return chosen

    def _idle_connection(self, endpoint: _Endpoint) -> Connection | None:
        oldest = self._loop.time() - IDLE_LIFETIME
        while endpoint.idle:
            connection = endpoint.idle.pop()
            if connection.idle_since >= oldest and connection.usable:
                return connection
            connection.close()
        return None

    def _idle_elsewhere(self, endpoint: _Endpoint) -> tuple[_Endpoint, Connection | None]:
        for other in self._endpoints:
            connection = self._idle_connection(other)
            if connection is not None:
                return other, connection
        return endpoint, None

    def _depart(self, flight: Flight, endpoint: _Endpoint, connection: Connection) -> None:
        """Send a flight over an open connection."""
        endpoint.in_flight += 1
        flight.attempts += 1
        self._send(flight, endpoint, connection)

    def _send(self, flight: Flight, endpoint: _Endpoint, connection: Connection) -> None:
        sink, permit = flight.sink, flight.permit
        assert sink is not None
        assert permit is not None
        flight.connection = connection
        request = endpoint.headers.build(permit, flight.client)
        connection.send(request, sink, flight, bodiless=permit.head.method == "HEAD")
        if flight.paused:
            connection.pause()

    def _begin_opening(self, flight: Flight, endpoint: _Endpoint | None) -> None:
        self._open += 1
        task = self._loop.create_task(self._connect(flight, endpoint))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, flight: Flight, endpoint: _Endpoint | None) -> None:
        """Open a connection for a flight, at one address after the other; holds one place of the pool."""
        fault = UpstreamFault("upstream_unreachable", "refused", sent=False)
        while not flight.cancelled() and endpoint is not None:
            flight.tried += (endpoint,)
            flight.attempts += 1
            endpoint.in_flight += 1
            try:
                connection = await self._open_connection(endpoint)
            except TimeoutError:
                fault = UpstreamFault("upstream_timeout", "connect_timeout", sent=False)
            except OSError:
                fault = UpstreamFault("upstream_unreachable", "refused", sent=False)
            else:
                endpoint.failures = 0
                if flight.cancelled():
                    if connection.usable:
                        self._freed(endpoint, connection)
                    else:
                        endpoint.in_flight -= 1  # it has ended already and given its place back
                    return
                if connection.usable:
                    self._send(flight, endpoint, connection)
                    return
                self._open += 1  # it has ended already and given its place back
            endpoint.in_flight -= 1
            self._eject(endpoint)
            endpoint = self._choose(flight.tried)
        self._open -= 1
        self._serve_waiting()
        if flight.sink is not None:
            flight.sink.response_fault(fault)

    async def _open_connection(self, endpoint: _Endpoint) -> Connection:
        def make() -> Connection:
            return Connection(
                self._loop,
                partial(self._freed, endpoint),
                partial(self._lost, endpoint),
                self._headers,
                self._outbox,
                first_byte=self._settings.first_byte,
                idle=self._settings.idle,
            )

        async with asyncio.timeout(self._settings.connect):
            _, connection = await self._loop.create_connection(
                make, endpoint.host, endpoint.port, ssl=self._tls if endpoint.tls else None
            )
        return connection

    def _eject(self, endpoint: _Endpoint) -> None:
        endpoint.failures += 1
        pause = min(FIRST_EJECTION * 2 ** (endpoint.failures - 1), MAX_EJECTION)
        endpoint.retry_at = self._loop.time() + pause

    def _freed(self, endpoint: _Endpoint, connection: Connection) -> None:
        """Take a connection back whose flight is over."""
        endpoint.in_flight -= 1
        if self._retired:
            connection.close()
        elif self._waiting:
            self._depart(self._next_waiting(), endpoint, connection)
        else:
            endpoint.idle.append(connection)

    def _lost(self, endpoint: _Endpoint, connection: Connection) -> None:
        """Learn that a connection has ended."""
        self._open -= 1
        if connection.busy:
            endpoint.in_flight -= 1
        elif connection in endpoint.idle:
            endpoint.idle.remove(connection)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Let a waiting request have the place that has become free."""
        if self._waiting and self._open < self._settings.size:
            flight = self._next_waiting()
            self._begin_opening(flight, self._choose(flight.tried))

    def _next_waiting(self) -> Flight:
        flight = self._waiting.popleft()
        assert flight.expiry is not None
        flight.expiry.cancel()
        flight.expiry = None
        return flight

    def _give_up_waiting(self, flight: Flight) -> None:
        self._waiting.remove(flight)
        flight.expiry = None
        if flight.sink is not None:
            flight.sink.response_fault(UpstreamFault("overloaded", "pool_exhausted", sent=False))
