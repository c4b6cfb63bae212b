"""The whole program's end: signals drain it, a second one or the deadline cuts the draining short."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.program import GOOD, MESSAGES, Program, write_config
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, Step, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POST = (
    f"POST {MESSAGES} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(GOOD)}\r\n\r\n"
).encode() + GOOD
UNLISTED = b"GET /nothing HTTP/1.1\r\nHost: gateway\r\n\r\n"


@contextmanager
def serving(folder: Path, upstream: Recorder, more: str = "") -> Iterator[Program]:
    """Run a gateway before ``upstream``."""
    path = write_config(folder / "gateway.yaml", upstream.port, more)
    with Program("serve", "-c", str(path)) as gateway:
        gateway.started()
        yield gateway


async def begin(gateway: Program, upstream: Recorder, client: RawConnection, idle: RawConnection) -> None:
    """Bring a request under way to the upstream, and a second connection to idleness."""
    await idle.send(UNLISTED)
    [response] = await idle.read_responses()
    assert response.status == 404
    await client.send(POST)
    await upstream.wait_for_requests(1)
    assert gateway.metrics()["gateway_in_flight", {}] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_request_under_way_is_finished(tmp_path: Path, number: int) -> None:
    """Idle connections end, new ones are refused, readiness is red; the answer comes whole; exit 0."""
    gate = asyncio.Event()
    async with Recorder([[gate, *ok(b'{"id": "msg_1"}')]]) as upstream:
        with serving(tmp_path, upstream) as gateway:
            async with RawConnection(gateway.port) as client, RawConnection(gateway.port) as idle:
                await begin(gateway, upstream, client, idle)
                gateway.send_signal(number)
                await idle.read_end()
                with pytest.raises(ConnectionRefusedError):
                    await RawConnection(gateway.port).__aenter__()
                status, body = gateway.ready()
                assert (status, body["reasons"]) == (503, ["draining"])
                gate.set()
                [response] = await client.read_responses()
                assert (response.status, response.body) == (200, b'{"id": "msg_1"}')
                assert response.header("connection") == "close"
                await client.read_end()
            assert await asyncio.to_thread(gateway.wait) == 0
            names = [event["event"] for event in gateway.events()]
            heads = ["audit_head"] * 2
            assert names == ["started", "request", "draining", "request", *heads, "stopped"]
            assert gateway.events("draining")[0]["in_flight"] == 1
            assert gateway.events("request")[1]["decision"] == "allow"
    assert gateway.errors == []


async def test_a_request_that_begins_while_draining(tmp_path: Path) -> None:
    """What comes on a connection that was not idle is told to try again elsewhere."""
    async with Recorder([[Step.SILENCE]]) as upstream:
        with serving(tmp_path, upstream) as gateway:
            async with (
                RawConnection(gateway.port) as client,
                RawConnection(gateway.port) as idle,
                RawConnection(gateway.port) as halfway,
            ):
                await begin(gateway, upstream, client, idle)
                await halfway.send(UNLISTED + POST[:20])
                [first] = await halfway.read_responses()
                assert first.status == 404
                start = len(halfway.received)
                gateway.send_signal(signal.SIGTERM)
                await idle.read_end()
                await halfway.send(POST[20:])
                [response] = await halfway.read_responses(start=start)
                assert response.status == 503
                assert json.loads(response.body)["error"]["code"] == "draining"
                assert response.header("retry-after") == "1"
                assert response.header("connection") == "close"
                assert response.header("x-should-retry") == "true"
                client.reset()
            assert await asyncio.to_thread(gateway.wait) == 0
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(tmp_path: Path, number: int) -> None:
    """Whoever cannot wait for the drain deadline says so twice."""
    async with Recorder([[Step.SILENCE]]) as upstream:
        with serving(tmp_path, upstream, "deadlines: {drain: 1h}\n") as gateway:
            async with RawConnection(gateway.port) as client, RawConnection(gateway.port) as idle:
                await begin(gateway, upstream, client, idle)
                gateway.send_signal(number)
                await idle.read_end()
                gateway.send_signal(number)
                assert await asyncio.to_thread(gateway.wait) == 0
                assert await client.read_end() == b""
    assert gateway.errors == []


async def test_the_drain_deadline_cuts(tmp_path: Path) -> None:
    """A request that takes longer than the drain may is broken off, upstream too, and recorded as such."""
    async with Recorder([[Step.SILENCE]]) as upstream:
        with serving(tmp_path, upstream, "deadlines: {drain: 50ms}\n") as gateway:
            async with RawConnection(gateway.port) as client, RawConnection(gateway.port) as idle:
                await begin(gateway, upstream, client, idle)
                gateway.send_signal(signal.SIGTERM)
                assert await client.read_end() == b""
                await upstream.wait_for(upstream.connections[0].gone.is_set)
            assert await asyncio.to_thread(gateway.wait) == 0
            line = gateway.events("request")[-1]
            assert (line["decision"], line["code"], line["phase"]) == ("error", "draining", "forward")
            assert line["upstream_outcome"] == "abandoned"
            assert gateway.events()[-1]["event"] == "stopped"
    assert gateway.errors == []


async def test_nothing_under_way(tmp_path: Path) -> None:
    """A gateway that is idle ends at once."""
    async with Recorder() as upstream:
        with serving(tmp_path, upstream) as gateway:
            assert await asyncio.to_thread(gateway.stop) == 0
            names = [event["event"] for event in gateway.events()]
            assert names == ["started", "draining", "audit_head", "audit_head", "stopped"]
