"""``gateway upstream``: the embedded upstream alone."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from gateway.cli.app import app


@app.command()
def upstream(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 9000,
) -> None:
    """Serve threads and messages from memory, for demonstrations and tests, until SIGTERM or SIGINT."""
    from gateway.process.serve import run

    run(_serve(host, port))


async def _serve(host: str, port: int) -> None:
    from gateway.embedded.app import serve

    runner, bound = await serve(host, port)
    print(f"upstream: http://{host}:{bound}/v1", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()
