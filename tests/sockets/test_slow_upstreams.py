"""Upstreams that are slow, stall anywhere in their answer, or do not read."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.types import Decision
from gateway.listener.snapshot import Capacity
from tests.sockets.answers import head
from tests.support.plane import POST, Plane, code_of, request
from tests.support.raw import Incomplete, RawConnection, exchange, parse_responses
from tests.support.recorder import Recorder, Script, Step, chunked, ok

LARGE = request(b"POST /v1/big", body=b'{"text": "%b"}' % (b"x" * (7 * 1024 * 1024)))
OLD = request(b"POST /v1/messages HTTP/1.0")
CHUNKED = head(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n"


def dripped(*steps: bytes) -> Script:
    """Make a script that sends its bytes one by one, with a turn of the event loop between them."""
    turn = asyncio.Event()
    turn.set()
    return [item for step in steps for byte in step for item in (b"%c" % byte, turn)]


@pytest.mark.parametrize("script", [ok(b"abc"), chunked(b"a", b"bc")], ids=["length", "chunked"])
@pytest.mark.parametrize("raw", [POST, OLD], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_an_answer_byte_by_byte(script: list[bytes], raw: bytes) -> None:
    """An answer that comes one byte at a time arrives whole, and each byte gives it time for the next."""
    async with Recorder([dripped(*script)]) as upstream, Plane(upstream.url) as plane:
        (found,) = parse_responses(await exchange(plane.port, raw), closed=True)
        assert (found.status, found.body) == (200, b"abc")
        assert plane.last.decision is Decision.ALLOW


@pytest.mark.parametrize(
    "begun",
    [b"H", b"HTTP/1.1 200 OK\r\nX-A: b", head()[:-1], head(status=b"HTTP/1.1 103 Early Hints"), CHUNKED[:20]],
)
async def test_a_stall_in_the_head(begun: bytes) -> None:
    """A head that does not become whole in time is a 504, however much of it is there."""
    async with Recorder([[begun, Step.SILENCE]]) as upstream, Plane(upstream.url, first_byte=0.1) as plane:
        found = await plane.ask(POST)
        assert (found.status, found.code) == (504, "upstream_timeout")
        assert found.response.header("x-should-retry") == "false"
        assert plane.outcomes[0].upstream_outcome == "first_byte_timeout"
        await upstream.connections[0].gone.wait()


@pytest.mark.parametrize(
    "begun",
    [
        head(b"Content-Length: 6") + b"abc",
        head() + b"abc",
        CHUNKED,
        CHUNKED + b"1",
        CHUNKED + b"1;a",
        CHUNKED + b'1;a="',
        CHUNKED + b"1\r\n",
        CHUNKED + b"1\r\na\r",
        CHUNKED + b"0",
        CHUNKED + b"0\r\n",
        CHUNKED + b"0\r\nX-Trailer: a",
        CHUNKED + b"0\r\nX-Trailer: a\r\n\r",
    ],
)
@pytest.mark.parametrize("raw", [POST, OLD], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_a_stall_in_the_body(begun: bytes, raw: bytes) -> None:
    """An answer that stalls behind its head is broken off, wherever it stalls, and its connection closed."""
    async with (
        Recorder([[begun, Step.SILENCE]]) as upstream,
        Plane(upstream.url, idle=0.1) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        await connection.read_end()
        if not connection.was_reset:
            with pytest.raises(Incomplete):
                parse_responses(bytes(connection.received))
        assert b"abc" in connection.received
        assert (plane.last.code, plane.last.upstream_outcome) == ("upstream_timeout", "idle_timeout")
        await upstream.connections[0].gone.wait()
        await plane.served()


async def test_an_upstream_that_does_not_read() -> None:
    """The answer's deadline runs while a large request waits to be taken; its body counts as held so long."""
    async with (
        Recorder([[Step.PAUSE, Step.SILENCE]], at="head") as upstream,
        Plane(upstream.url, first_byte=0.3, capacity=Capacity(body_bytes=len(LARGE) + 1000)) as plane,
    ):
        async with RawConnection(plane.port) as first, RawConnection(plane.port) as second:
            await first.send(LARGE)
            await upstream.wait_for(
                lambda: upstream.connections[-1:] != [] and upstream.connections[0].heads == 1
            )
            assert plane.server.load.body_bytes > 7 * 1024 * 1024
            await second.send(LARGE)
            (refused,) = await second.read_responses()
            assert (refused.status, code_of(refused)) == (503, "overloaded")
            (late,) = await first.read_responses()
            assert (late.status, code_of(late)) == (504, "upstream_timeout")
            assert late.header("x-should-retry") == "false"
        assert plane.server.load.body_bytes == 0
        assert plane.pool._open == 0
        await plane.ask(LARGE)
        assert upstream.raw.count(b"POST /v1/big") == 2


async def test_a_client_that_leaves_an_upstream_that_does_not_read() -> None:
    """What waits to be sent is dropped with the client."""
    async with Recorder([[Step.PAUSE, Step.SILENCE]], at="head") as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(LARGE)
            await upstream.wait_for(lambda: any(item.heads for item in upstream.connections))
        await plane.outcomes.wait_for(1)
        assert plane.last.code == "client_gone"
        assert plane.pool._open == 0
        assert plane.server.load.body_bytes == 0
