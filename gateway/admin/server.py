"""The admin application on a socket, and what aiohttp's server leaves open there.

What is no HTTP never reaches the application. aiohttp itself would answer it with the line it choked on; here
it gets the same closed sentence whatever it was. A connection that asks for nothing whole, or leaves its
answer unread, is closed after :data:`PATIENCE`, and there are at most :data:`MAX_CONNECTIONS`: a caller who
holds them open cannot take the gateway's descriptors from its traffic.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from gateway.admin.application import answer_errors, malformed
from gateway.deadline import Deadline
from gateway.errors import GatewayError

if TYPE_CHECKING:
    import asyncio
    from ssl import SSLContext

PATIENCE: Final = 10.0
"""Seconds within which a request's head has to be whole, from the connection's or the head's first byte, and
within which an answer that the connection cannot take has to be read."""
KEEPALIVE: Final = 75.0
"""Seconds that a connection may be idle between requests."""
MAX_CONNECTIONS: Final = 128
"""Most connections at a time; one more is closed at once."""


async def start_admin(
    app: web.Application,
    host: str,
    port: int,
    ssl: SSLContext | None = None,
    *,
    patience: float = PATIENCE,
    max_connections: int = MAX_CONNECTIONS,
) -> web.AppRunner:
    """Listen on ``host`` and ``port`` (0: any free one, see ``runner.addresses``); no access log.

    The caller ends it with ``await runner.cleanup()``. Raises GatewayError when the address is not to be had.
    """
    runner = _Runner(app, patience, max_connections)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or error
        raise GatewayError(f"The admin listener cannot use {host}:{port}: {reason}.") from error
    return runner


class _Runner(web.AppRunner):
    """Runs an application on connections of our own kind."""

    __slots__ = ("_max_connections", "_patience")

    def __init__(self, app: web.Application, patience: float, max_connections: int) -> None:
        super().__init__(app, handle_signals=False, shutdown_timeout=1.0)
        self._patience = patience
        self._max_connections = max_connections

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # Once more outside of the application: routing and Expect come before its middlewares.
        handler = partial(answer_errors, handler=server.request_handler)
        return _Server(handler, server.request_factory, self._patience, self._max_connections)


class _Server(web.Server):
    """Makes a :class:`_Connection` for each client."""

    def __init__(self, handler: Any, request_factory: Any, patience: float, max_connections: int) -> None:
        super().__init__(handler, request_factory=request_factory)
        self.patience = patience
        self.max_connections = max_connections

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._loop)


class _Connection(web.RequestHandler):
    """One connection; ``_stuck`` expires when it holds us up."""

    __slots__ = ("_patience", "_server", "_stuck")

    def __init__(self, server: _Server, loop: asyncio.AbstractEventLoop) -> None:
        # Never in debug mode, whatever the process's environment says: that shows tracebacks.
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # which is how aiohttp itself is told of none
            keepalive_timeout=KEEPALIVE,
            auto_decompress=False,  # nothing here reads a body, and none is worth unpacking to drop it
            debug=False,
        )
        self._server = server
        self._patience = server.patience
        self._stuck = Deadline(loop, self._drop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._server.connections) <= self._server.max_connections:
            self._stuck.after(self._patience)
        else:
            self._drop()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stuck.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        whole = self._request_count
        super().data_received(data)
        if self.writing_paused:
            return
        if self._request_count > whole:
            self._stuck.clear()
        elif not self._stuck.pending:
            self._stuck.after(self._patience)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck.after(self._patience)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck.clear()

    def handle_error(self, *_request_and_fault: Any, **_named: Any) -> web.StreamResponse:
        """Answer what is no HTTP, whatever aiohttp would tell of it; faults of ours never come this far."""
        return malformed()

    def _drop(self) -> None:
        """End the connection at once, sent or not."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()
