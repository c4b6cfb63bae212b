"""The admin application on a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from ssl import SSLContext


async def start_admin(
    app: web.Application, host: str, port: int, ssl: SSLContext | None = None
) -> web.AppRunner:
    """Listen on ``host`` and ``port`` (0: any free one, see ``runner.addresses``); no access log.

    The caller ends it with ``await runner.cleanup()``. Raises GatewayError when the address is not to be had.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl).start()
    except OSError as error:
        await runner.cleanup()
        reason = error.strerror or error
        raise GatewayError(f"The admin listener cannot use {host}:{port}: {reason}.") from error
    return runner
