"""The program in front of an upstream that answers wrongly, cuts answers short and speaks unasked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.hostile import Clients, Hostile
from tests.support.program import GOOD, MESSAGES, Program, write_config
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path


def make(token: bytes, old: bool) -> bytes:
    return (
        b"POST %b HTTP/1.%d\r\nHost: gateway.test\r\nContent-Type: application/json\r\n"
        b"X-Token: %b\r\nContent-Length: %d\r\n\r\n%b"
    ) % (MESSAGES.encode(), not old, token, len(GOOD), GOOD)


async def test_nobody_gets_the_answer_of_another(tmp_path: Path) -> None:
    """Each of 3,000 requests gets its own answer, a refusal or a visible break, and its line in the log."""
    hostile = Hostile(2, wrong=0.3)
    async with Recorder(hostile) as upstream:
        with Program("serve", "-c", str(write_config(tmp_path / "gateway.yaml", upstream.port))) as gateway:
            await asyncio.to_thread(gateway.started)
            clients = Clients(gateway.port, hostile, make)
            await clients.ask(3000, at_once=12)
            events = await asyncio.to_thread(
                lambda: gateway.wait_event("request", 3000) and gateway.events("request")
            )
            assert await asyncio.to_thread(gateway.stop) == 0
    assert clients.seen["own"] > 2000
    assert clients.seen["502"] > 200
    assert len({event["request_id"] for event in events}) == len(events) == 3000
    assert clients.ids <= {event["request_id"] for event in events}
    outcomes = {event["upstream_outcome"] for event in events}
    assert outcomes >= {"complete", "protocol", "truncated"}
    assert gateway.errors == []
