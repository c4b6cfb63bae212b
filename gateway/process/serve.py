"""The life of ``gateway serve``: start, reloads on SIGHUP or a changed file, drain on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, TypeVar

from gateway.observe.logs import configure
from gateway.process.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from pathlib import Path
    from typing import Any

    from gateway.observe.logs import Format
    from gateway.process.background import Background
    from gateway.wiring import Plan

WATCH_EVERY = 1.0
"""Seconds between two looks at the files of the configuration."""

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop's event loop, or on asyncio's own where there is no uvloop."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def serve(
    plan: Plan,
    *,
    watch: bool = False,
    log_format: Format = "json",
    started: Callable[[Gateway], Awaitable[None]] | None = None,
    background: Background | None = None,
) -> bool:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends at once.

    Gives whether every record of the audit trail is on disk. ``started`` is awaited once the gateway
    listens. ``background`` is what ``plan`` was compiled with.
    GatewayError if it cannot start.
    """
    logs = configure(log_format)
    try:
        gateway = Gateway(plan, logs, background)
        await gateway.start()
        try:
            await _serve_until_told(gateway, watch=watch, started=started)
        finally:
            await _drain(gateway)
    finally:
        logs.close()
    return gateway.recorded


async def _serve_until_told(
    gateway: Gateway, *, watch: bool, started: Callable[[Gateway], Awaitable[None]] | None
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    tasks: set[asyncio.Task[Any]] = set()

    def reload() -> None:
        task = loop.create_task(gateway.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if watch:
        tasks.add(loop.create_task(_watch(gateway, reload)))
    if started is not None:
        await started(gateway)
    await stop.wait()
    for task in list(tasks):
        task.cancel()


async def _drain(gateway: Gateway) -> None:
    """Drain, unless a second signal says not to wait."""
    draining = asyncio.ensure_future(gateway.drain())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, draining.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await draining


async def _watch(gateway: Gateway, reload: Callable[[], None]) -> None:
    """Reload when one of the configuration's files has changed, at most once for each change."""
    seen = await asyncio.to_thread(_stamps, gateway.files)
    while True:
        await asyncio.sleep(WATCH_EVERY)
        stamps = await asyncio.to_thread(_stamps, gateway.files)
        # A file that is looked at for the first time has not changed.
        if any(seen.get(file, stamp) != stamp for file, stamp in stamps.items()):
            reload()
        seen = stamps


def _stamps(files: Iterable[Path]) -> dict[Path, tuple[int, int, int] | None]:
    """Give what changes about a file when it is written or replaced; None for one that is gone."""
    stamps: dict[Path, tuple[int, int, int] | None] = {}
    for file in files:
        try:
            status = file.stat()
        except OSError:
            stamps[file] = None
        else:
            stamps[file] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return stamps
