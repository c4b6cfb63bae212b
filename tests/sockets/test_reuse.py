"""Kept connections: nothing that an upstream sends unasked is ever an answer, and nothing is sent in vain."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

import pytest

from gateway.core.types import Decision
from tests.sockets.answers import head
from tests.support.plane import GET, POST, Plane, code_of, request
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, Step, ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.recorder import Connection

POISON = head(b"Content-Length: 6") + b"poison"
GOOD = head(b"Content-Length: 4") + b"good"
LARGE = request(b"POST /v1/big", body=b'{"text": "%b"}' % (b"x" * 500_000))


def meddle(plane: Plane, act: Callable[[], None], when: Literal["before", "after"]) -> None:
    """Have ``act`` happen with the next request, before it gets a connection or right after."""
    forward = plane.pool.forward

    def forwarding(*arguments: object) -> object:
        plane.pool.forward = forward  # type: ignore[method-assign]
        if when == "before":
            act()
        flight = forward(*arguments)  # type: ignore[arg-type]
        if when == "after":
            act()
        return flight

    plane.pool.forward = forwarding  # type: ignore[method-assign, assignment]


async def ask(connection: RawConnection, raw: bytes = POST) -> list[tuple[int, bytes]]:
    """Send a request on a kept connection: status and body of each response."""
    start = len(connection.received)
    await connection.send(raw)
    return [(item.status, item.body) for item in await connection.read_responses(start=start)]


@pytest.mark.parametrize(
    "extra",
    [b"x", POISON, b"\x00", b"\r\n", b"\n", b"\r\n" + POISON, b"H", b"HTTP/1.1 100 Continue\r\n\r\n"],
)
@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        head(b"Transfer-Encoding: chunked") + b"4\r\ngood\r\n0\r\n\r\n",
        head(status=b"HTTP/1.1 204 No Content"),
        head(b"Content-Length: 4", status=b"HTTP/1.1 304 Not Modified"),
        head(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 304 Not Modified"),
        head(b"Content-Length: 0", status=b"HTTP/1.1 205 Reset Content"),
    ],
    ids=["length", "chunked", "204", "304", "304 chunked", "205"],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one segment", "later"])
async def test_bytes_after_the_end(answer: bytes, extra: bytes, *, together: bool) -> None:
    """What an upstream sends beyond its answer reaches nobody, and costs it the connection."""
    more = asyncio.Event()
    script = [answer + extra] if together else [answer, more, extra]
    harmless = together and extra.strip() == b""  # an empty line that came along with the answer
    async with (
        Recorder([[*script] if harmless else [*script, Step.SILENCE]], default=ok(b"next")) as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        ((_, body),) = await ask(connection)
        assert body in (b"", b"good")
        more.set()
        if not harmless:
            await upstream.connections[0].gone.wait()
        assert await ask(connection) == [(200, b"next")]
        assert [len(item.requests) for item in upstream.connections] == ([2] if harmless else [1, 1])
        assert [outcome.decision for outcome in plane.outcomes] == [Decision.ALLOW] * 2


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"GET /v1/messages", head(b"Content-Length: 4", status=b"HTTP/1.1 304 Not Modified") + b"good"),
        (b"GET /v1/messages", head(status=b"HTTP/1.1 204 No Content") + POISON),
        (b"HEAD /v1/messages", GOOD),
        (b"HEAD /v1/messages", head(b"Transfer-Encoding: chunked") + b"4\r\ngood\r\n0\r\n\r\n"),
        (b"HEAD /v1/messages", head(b"Content-Length: %d" % len(POISON)) + POISON),
    ],
    ids=["304", "204", "HEAD", "HEAD, chunked", "HEAD, an answer in its body"],
)
async def test_a_body_where_none_belongs(line: bytes, answer: bytes) -> None:
    """A body of an answer that has none is nobody's, and the connection is not used again."""
    async with (
        Recorder([[answer, Step.SILENCE]], default=ok(b"next")) as upstream,
        Plane(upstream.url) as plane,
    ):
        found = await plane.ask(request(line, body=b""), head=line.startswith(b"HEAD"))
        assert found.response.body == b""
        assert not found.closed  # and the next request on it was answered
        assert [len(item.requests) for item in upstream.connections] == [1, 1]


@pytest.mark.parametrize(
    "act",
    [
        lambda peer: peer.write_at_once(POISON),
        lambda peer: peer.write_at_once(b"x"),
        lambda peer: peer.end_at_once(),
    ],
    ids=["an answer", "a byte", "an end"],
)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("raw", [POST, GET], ids=["POST", "GET"])
async def test_what_comes_before_the_request(
    act: Callable[[Connection], None], when: Literal["before", "after"], raw: bytes
) -> None:
    """Bytes or an end that were there before the request left: it leaves on another connection.

    However late: also with the connection already chosen, and the event loop having told of nothing.
    """
    async with (
        Recorder(default=ok(b"good")) as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        assert await ask(connection) == [(200, b"good")]
        meddle(plane, lambda: act(upstream.connections[0]), when)
        assert await ask(connection, raw) == [(200, b"good")]
        assert [len(item.requests) for item in upstream.connections] == [1, 1]
        assert (plane.last.upstream_attempts, plane.last.upstream_outcome) == (2, "complete")
        assert plane.pool._open == 1


async def test_a_large_request_is_looked_out_for_too() -> None:
    """A request that is written at once, not at the turn's end, takes no intrusion for its answer either."""
    async with (
        Recorder(default=ok(b"good")) as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        assert await ask(connection, LARGE) == [(200, b"good")]
        meddle(plane, lambda: upstream.connections[0].write_at_once(POISON), "before")
        assert await ask(connection, LARGE) == [(200, b"good")]
        assert [len(item.requests) for item in upstream.connections] == [1, 1]


async def test_many_spoilt_connections() -> None:
    """A request tries kept connections one after the other, then a new one; each counts as an attempt."""
    go = asyncio.Event()
    async with (
        Recorder([[go, *ok()]] * 3, default=ok(b"good")) as upstream,
        Plane(upstream.url, size=3) as plane,
        contextlib.AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(RawConnection(plane.port)) for _ in range(3)]
        for client in clients:
            await client.send(POST)
        await upstream.wait_for_requests(3)
        go.set()
        for client in clients:
            await client.read_responses()

        def spoil() -> None:
            for connection in upstream.connections:
                connection.write_at_once(POISON)

        meddle(plane, spoil, "after")
        assert await ask(clients[0]) == [(200, b"good")]
        assert 2 <= plane.last.upstream_attempts <= 4  # the loop may have told of some by then
        assert [len(item.requests) for item in upstream.connections] == [1, 1, 1, 1]


@pytest.mark.parametrize("greeting", [[POISON, Step.SILENCE], [Step.CLOSE], [Step.RESET]])
async def test_greetings(greeting: list[bytes | Step]) -> None:
    """An upstream that speaks or hangs up first gets no request; one of another address does."""
    async with (
        Recorder(greeting=greeting) as first,
        Recorder(default=ok(b"good")) as second,
        Plane(first.url, second.url) as plane,
    ):
        for _ in range(3):
            async with RawConnection(plane.port) as connection:
                assert await ask(connection) == [(200, b"good")]
        assert first.raw == b""
        assert all(outcome.decision is Decision.ALLOW for outcome in plane.outcomes)


@pytest.mark.parametrize(
    ("act", "code", "outcome"),
    [
        (lambda peer: peer.write_at_once(POISON), "upstream_protocol_error", "protocol"),
        (lambda peer: peer.end_at_once(), "upstream_unreachable", "reset"),
    ],
    ids=["an answer", "an end"],
)
async def test_an_answer_before_the_first_request(
    act: Callable[[Connection], None], code: str, outcome: str
) -> None:
    """What came on a new connection just before its first request is no answer; the client may try again."""
    async with (
        Recorder() as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        begin = plane.pool._open_connection

        async def opened(endpoint: object) -> object:
            made = await begin(endpoint)  # type: ignore[arg-type]
            await upstream.wait_for(lambda: len(upstream.connections) == 1)
            act(upstream.connections[0])
            return made

        plane.pool._open_connection = opened  # type: ignore[method-assign, assignment]
        await connection.send(POST)
        (refused,) = await connection.read_responses()
        assert (refused.status, code_of(refused)) == (502, code)
        assert refused.header("x-should-retry") is None
        assert (plane.last.upstream_outcome, plane.last.upstream_attempts) == (outcome, 1)
        assert upstream.raw == b""


async def test_a_client_that_leaves_when_its_request_changes_connections() -> None:
    """A request that is taken back for a client that has gone is not sent at all."""
    async with Recorder(default=ok(b"good")) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await ask(connection)

            def act() -> None:
                upstream.connections[0].write_at_once(POISON)
                connection.reset()

            meddle(plane, act, "after")
            await connection.send(POST)
            await plane.outcomes.wait_for(2)
        assert plane.last.code == "client_gone"
        await upstream.connections[0].gone.wait()
        assert len(upstream.requests) == 1
        await plane.served()


async def test_a_request_is_taken_back_into_a_full_pool() -> None:
    """A request whose connection was spoilt waits like any other for the one place of the pool."""
    go = asyncio.Event()
    async with (
        Recorder([ok(b"first"), [go, *ok(b"second")]], default=ok(b"third")) as upstream,
        Plane(upstream.url, size=1) as plane,
        RawConnection(plane.port) as one,
        RawConnection(plane.port) as two,
    ):
        assert await ask(one) == [(200, b"first")]
        meddle(plane, lambda: upstream.connections[0].write_at_once(POISON), "after")
        await one.send(POST)
        await two.send(GET)
        await upstream.wait_for_requests(2)
        await plane.until(lambda: plane.server.load.in_flight == 2)
        go.set()
        await plane.outcomes.wait_for(3)
        assert [outcome.status for outcome in plane.outcomes] == [200] * 3
        assert [len(item.requests) for item in upstream.connections] == [1, 2]
