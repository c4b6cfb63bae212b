"""Nobody holds the event loop up: what one connection may bring in a turn of it is bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.upstream.connection import Connection
from tests.support.plane import GET, Plane
from tests.support.raw import exchange, parse_responses
from tests.support.recorder import Recorder, ok

if TYPE_CHECKING:
    import pytest

LARGE = 8 * 1024 * 1024
ONE_READ = 256 * 1024
"""The most that either event loop reads at a time."""


async def test_a_large_answer_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast an upstream sends, one turn of the loop takes a single read of its answer.

    libuv by itself reads on while reads come back full: megabytes, for which all other clients wait.
    """
    turns: list[int] = []
    in_turn = False

    def over() -> None:
        nonlocal in_turn
        in_turn = False

    def counted(connection: Connection, data: bytes) -> None:
        nonlocal in_turn
        if not in_turn:
            in_turn = True
            turns.append(0)
            asyncio.get_running_loop().call_soon(over)
        turns[-1] += len(data)
        received(connection, data)

    received = Connection.data_received
    monkeypatch.setattr(Connection, "data_received", counted)
    async with Recorder([ok(b"x" * LARGE)]) as upstream, Plane(upstream.url) as plane:
        answer = parse_responses(await exchange(plane.port, GET))[0]
    assert len(answer.body) == LARGE
    assert sum(turns) > LARGE
    assert max(turns) <= ONE_READ
