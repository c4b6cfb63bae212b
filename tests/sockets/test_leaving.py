"""Clients that leave, whole or half, at every moment of a request, on real sockets."""

from __future__ import annotations

import pytest

from gateway.core.types import Decision
from tests.sockets.cases import CHUNKED, CONTINUE
from tests.support.plane import POST, Plane, request
from tests.support.raw import RawConnection, parse_responses
from tests.support.recorder import Recorder, Step

CHUNKED_HEAD = request(body=b"1", framing=CHUNKED)[:-1]


STAGES = {
    "in the head": (POST[:20], 0, None),
    "in the body": (POST[:-3], 1, 499),
    "in the chunks": (CHUNKED_HEAD + b"5\r\nhe", 1, 499),
    "waiting for the answer": (POST, 1, 499),
}


@pytest.mark.parametrize(("raw", "count", "status"), STAGES.values(), ids=STAGES)
async def test_client_reset(raw: bytes, count: int, status: int | None) -> None:
    """A client that is gone costs nobody: its upstream request is cancelled, and one Outcome says so."""
    async with Recorder([[Step.SILENCE]]) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(raw)
            await plane.until(lambda: plane.server.connection_count == 1)
            if raw == POST:
                await upstream.wait_for_requests()
            elif count:
                await plane.until(lambda: plane.server.load.in_flight == 1)
            connection.reset()
            await plane.until(lambda: plane.server.connection_count == 0)
        assert [(item.status, item.code, item.decision) for item in plane.outcomes] == (
            [(status, "client_gone", Decision.ERROR)] * count
        )
        if raw == POST:
            await upstream.connections[0].gone.wait()
            assert plane.last.upstream_outcome == "abandoned"
        else:
            assert upstream.raw == b""


@pytest.mark.parametrize("leave", ["reset", "close", "half"])
async def test_client_leaves_in_the_response(leave: str) -> None:
    """A client that leaves, half or whole, within its response ends the upstream request."""
    begun = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"abc", Step.SILENCE]
    async with Recorder([begun]) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            await connection.read_until(b"abc")
            if leave == "reset":
                connection.reset()
            elif leave == "close":
                await connection.close()
            else:
                await connection.send(eof=True)
            (outcome,) = await plane.outcomes.wait_for(1)
            assert (outcome.status, outcome.code, outcome.decision) == (200, "client_gone", Decision.ERROR)
            assert (outcome.upstream_status, outcome.bytes_out) == (200, 3)
            await upstream.connections[0].gone.wait()
        await plane.served()


@pytest.mark.parametrize("raw", [POST[:20], POST[:-3], CHUNKED_HEAD + b"5\r\nhe"])
async def test_half_a_request_and_its_end(raw: bytes) -> None:
    """A client that ends its side within a request is told so."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(raw, eof=True)
        assert (answer.status, answer.code, answer.closed) == (400, "bad_request", True)
        assert upstream.raw == b""
        assert len(plane.outcomes) == 1


HALVES = {
    "before anything": (b"", []),
    "after empty lines": (b"\r\n\r\n", []),
    "after half an empty line": (b"\r", [400]),
    "in the line": (POST[:9], [400]),
    "after the line": (POST[:31], [400]),
    "before the body": (POST[:-17], [400]),
    "in the body": (POST[:-3], [400]),
    "before the chunks": (CHUNKED_HEAD, [400]),
    "in the trailers": (CHUNKED_HEAD + b"0\r\nX-A: b\r\n", [400]),
    "before a body that awaits 100": (request(b"POST /v1/messages", CONTINUE)[:-17], [400]),
    "in a body that is dropped": (request(b"POST /v1/x")[:-3], [404]),
    "after a refusal": (request(b"POST /v1/x"), [404]),
    "after a closing refusal": (b"\x00", [400]),
    "in a body behind a closing refusal": (request(b"POST /v1/x", framing=b"Content-Length: 999999"), [404]),
    "waiting for the answer": (POST, [499]),
}


@pytest.mark.parametrize(("raw", "statuses"), HALVES.values(), ids=HALVES)
async def test_a_client_that_ends_its_side(raw: bytes, statuses: list[int]) -> None:
    """Wherever a client stops sending, the connection ends by itself, and what began is settled once."""
    async with Recorder([[Step.SILENCE]]) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(raw, eof=True)
            found = parse_responses(await connection.read_end())
            assert [item.status for item in found if item.status >= 200] == [n for n in statuses if n != 499]
            await plane.until(lambda: plane.server.connection_count == 0)
        assert [outcome.status for outcome in plane.outcomes] == statuses
        assert raw == POST or upstream.raw == b""
