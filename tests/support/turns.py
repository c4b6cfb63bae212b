"""Letting the event loop run, for tests that wait for nothing but its turns."""

from __future__ import annotations

import asyncio


async def turns(count: int) -> None:
    """Let what waits in the event loop have its turn, ``count`` times."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turn = asyncio.Event()
        loop.call_soon(turn.set)
        await turn.wait()
