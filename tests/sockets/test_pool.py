"""The pool on real sockets: reuse, several addresses, timeouts, exhaustion, retirement."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.core.types import Decision
from tests.support.plane import GET, POST, Plane, code_of
from tests.support.raw import RawConnection
from tests.support.recorder import Connection, Recorder, Script, Step, ok


def dead_url() -> str:
    """Give an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_connections_are_reused() -> None:
    """Requests one after the other share one connection."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for _ in range(3):
            await plane.ask(POST)
        assert [len(item.requests) for item in upstream.connections] == [6]


@pytest.mark.parametrize(
    "script",
    [
        ok(b"abc", b"Connection: close"),
        ok(b"abc", b"Connection: x, Close"),
        ok(b"abc", b"Proxy-Connection: close"),
        [b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n"],
    ],
    ids=["close", "in a list", "Proxy-Connection", "HTTP/1.0", "in a trailer"],
)
async def test_an_upstream_may_close(script: Script) -> None:
    """A connection that the upstream says it closes is not used again, wherever it says so."""
    async with Recorder(default=script) as upstream, Plane(upstream.url) as plane:
        for _ in range(2):
            await plane.ask(POST)
        assert [len(item.requests) for item in upstream.connections] == [1] * 4


async def test_an_ended_idle_connection_is_noticed() -> None:
    """A kept connection that ended while idle is not used for a request that could not be repeated."""
    async with Recorder([[*ok(), Step.CLOSE]] * 9) as upstream, Plane(upstream.url) as plane:
        for _ in range(2):
            async with RawConnection(plane.port) as connection:
                await connection.send(POST)
                assert [item.status for item in await connection.read_responses()] == [200]
            await upstream.connections[-1].closed.wait()
        assert [len(item.requests) for item in upstream.connections] == [1, 1]


async def test_old_idle_connections_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for longer than servers keep them is closed instead."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        await plane.ask(POST)
        monkeypatch.setattr("gateway.upstream.pool.IDLE_LIFETIME", -1)
        await plane.ask(POST)
        await upstream.connections[0].gone.wait()
        assert len(upstream.connections) == 3


@pytest.mark.parametrize("size", [1, 20])
async def test_two_addresses_share(size: int) -> None:
    """Requests one after the other use both addresses' kept connections, and never run out of places."""
    async with (
        Recorder() as first,
        Recorder() as second,
        Plane(first.url, second.url, size=size, connect=0.2) as plane,
    ):
        for _ in range(15):
            answer = await plane.ask(POST)
            assert answer.status == 200
        used = len(first.connections) + len(second.connections)
        assert used == (1 if size == 1 else 2)
        assert all(len(item.requests) > 5 for item in first.connections + second.connections)


async def test_the_least_busy_address_is_chosen() -> None:
    """Requests at the same time are spread."""
    go = asyncio.Event()
    waiting = [[go, *ok()]] * 4
    async with (
        Recorder(waiting) as first,
        Recorder(waiting) as second,
        Plane(first.url, second.url) as plane,
    ):
        clients = [RawConnection(plane.port) for _ in range(4)]
        for client in clients:
            await client.__aenter__()
            await client.send(POST)
        await first.wait_for_requests(2)
        await second.wait_for_requests(2)
        go.set()
        for client in clients:
            assert [item.status for item in await client.read_responses()] == [200]
            await client.close()


async def test_a_dead_address_is_left_out() -> None:
    """A request that could not be delivered at one address goes to another; the attempts are counted."""
    async with Recorder() as upstream, Plane(dead_url(), upstream.url) as plane:
        for _ in range(4):
            answer = await plane.ask(POST)
            assert answer.status == 200
        attempts = [outcome.upstream_attempts for outcome in plane.outcomes]
        assert sorted(set(attempts)) == [1, 2]
        assert attempts.count(2) == 1
        assert len(upstream.requests) == 8


async def test_all_dead() -> None:
    """Nobody to connect to: 502, every address was tried once, and the client may send again."""
    async with Plane(dead_url(), dead_url()) as plane, RawConnection(plane.port) as connection:
        for count in (1, 2):
            start = len(connection.received)
            await connection.send(POST)
            (refused,) = await connection.read_responses(start=start)
            assert (refused.status, code_of(refused)) == (502, "upstream_unreachable")
            assert refused.header("x-should-retry") is None
            outcome = plane.outcomes[count - 1]
            assert (outcome.upstream_attempts, outcome.upstream_outcome) == (2, "refused")
            assert outcome.decision is Decision.ERROR


async def test_connect_timeout() -> None:
    """A connection that does not come about in time is a 504 that may be tried again."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):  # the one place in the queue
            async with Plane(f"http://127.0.0.1:{address[1]}", connect=0.1) as plane:
                async with RawConnection(plane.port) as connection:
                    await connection.send(POST)
                    (refused,) = await connection.read_responses()
                assert (refused.status, code_of(refused)) == (504, "upstream_timeout")
                assert refused.header("x-should-retry") is None
                assert plane.last.upstream_outcome == "connect_timeout"


@pytest.mark.parametrize("begun", [(), (b"HTTP/1.1 2",), (b"HTTP/1.1 100 Continue\r\n\r\n",)])
async def test_first_byte_timeout(begun: Script) -> None:
    """A response whose head does not come in time is a 504 that must not be tried again."""
    script = [*begun, Step.SILENCE]
    async with Recorder([script]) as upstream, Plane(upstream.url, first_byte=0.1) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            (refused,) = await connection.read_responses()
        assert (refused.status, code_of(refused)) == (504, "upstream_timeout")
        assert refused.header("x-should-retry") == "false"
        assert plane.last.upstream_outcome == "first_byte_timeout"
        await upstream.connections[0].gone.wait()
        await plane.served()


async def test_idle_timeout() -> None:
    """A response that stalls is broken off, and recorded as timed out."""
    script = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Step.SILENCE]
    async with Recorder([script]) as upstream, Plane(upstream.url, idle=0.1) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            assert (await connection.read_end()).endswith(b"\r\n\r\nabc")
        assert (plane.last.code, plane.last.upstream_outcome) == ("upstream_timeout", "idle_timeout")
        assert (plane.last.status, plane.last.decision) == (200, Decision.ERROR)
        await plane.served()


async def test_a_full_pool_lets_wait() -> None:
    """A request that finds no place waits for one, and gets it in turn."""
    go = asyncio.Event()
    async with (
        Recorder([[go, *ok(b"first")], ok(b"second")]) as upstream,
        Plane(upstream.url, size=1) as plane,
    ):
        async with RawConnection(plane.port) as first, RawConnection(plane.port) as second:
            await first.send(POST)
            await upstream.wait_for_requests()
            await second.send(GET)
            await plane.until(lambda: plane.server.load.in_flight == 2)
            go.set()
            assert [item.body for item in await first.read_responses()] == [b"first"]
            assert [item.body for item in await second.read_responses()] == [b"second"]
        assert len(upstream.connections) == 1


async def test_a_place_is_given_on_when_its_connection_ends() -> None:
    """A request that waits gets the place of a connection that ended."""
    go = asyncio.Event()
    async with (
        Recorder([[go, Step.CLOSE]]) as upstream,
        Plane(upstream.url, size=1) as plane,
        RawConnection(plane.port) as first,
        RawConnection(plane.port) as second,
    ):
        await first.send(POST)
        await upstream.wait_for_requests()
        await second.send(GET)
        await plane.until(lambda: plane.server.load.in_flight == 2)
        go.set()
        assert [item.status for item in await first.read_responses()] == [502]
        assert [item.status for item in await second.read_responses()] == [200]


async def test_a_full_pool_refuses_in_time() -> None:
    """A request that got no place in time is a 503 with Retry-After; nothing of it went upstream."""
    go = asyncio.Event()
    async with Recorder([[go, *ok()]]) as upstream, Plane(upstream.url, size=1, connect=0.1) as plane:
        async with RawConnection(plane.port) as first, RawConnection(plane.port) as second:
            await first.send(POST)
            await upstream.wait_for_requests()
            await second.send(GET)
            (refused,) = await second.read_responses()
            assert (refused.status, code_of(refused)) == (503, "overloaded")
            assert refused.header("retry-after") == "1"
            assert (plane.last.upstream_attempts, plane.last.upstream_outcome) == (0, "pool_exhausted")
            go.set()
            assert [item.status for item in await first.read_responses()] == [200]
        assert len(upstream.requests) == 1


async def test_a_client_that_leaves_while_waiting() -> None:
    """A request whose client left is not sent when its turn comes."""
    go = asyncio.Event()
    async with Recorder([[go, *ok()]]) as upstream, Plane(upstream.url, size=1) as plane:
        async with RawConnection(plane.port) as first:
            await first.send(POST)
            await upstream.wait_for_requests()
            async with RawConnection(plane.port) as second:
                await second.send(GET)
                await plane.until(lambda: plane.server.load.in_flight == 2)
            await plane.outcomes.wait_for(1)
            assert plane.last.code == "client_gone"
            go.set()
            assert [item.status for item in await first.read_responses()] == [200]
        assert len(upstream.requests) == 1


async def test_a_client_that_leaves_while_connecting() -> None:
    """A connection that came about for nobody serves the next request."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            begin = plane.pool._begin_opening
            opened = asyncio.Event()

            def opening(*arguments: object) -> None:
                begin(*arguments)  # type: ignore[arg-type]
                connection.reset()
                opened.set()

            plane.pool._begin_opening = opening  # type: ignore[method-assign]
            held = plane.pool._open_connection

            async def open_connection(endpoint: object) -> object:
                made = await held(endpoint)  # type: ignore[arg-type]
                await plane.until(lambda: plane.server.connection_count == 0)
                return made

            plane.pool._open_connection = open_connection  # type: ignore[method-assign, assignment]
            await connection.send(POST)
            await opened.wait()
            await plane.until(lambda: plane.server.connection_count == 0)
        del plane.pool._begin_opening, plane.pool._open_connection
        await plane.outcomes.wait_for(1)
        assert (plane.last.code, plane.last.upstream_attempts) == ("client_gone", 1)
        await upstream.wait_for(lambda: len(upstream.connections) == 1)
        await plane.served()
        assert [len(item.requests) for item in upstream.connections] == [1]


@pytest.mark.parametrize("case", ["a new connection", "a full pool", "another connection"])
async def test_a_pause_before_there_is_a_connection(case: str) -> None:
    """A request that is paused while it has no connection, or a spoilt one, is paused on the next."""
    go = asyncio.Event()
    full = case == "a full pool"
    async with (
        Recorder([[go, *ok()]] if full else [], default=ok(b"good")) as upstream,
        Plane(upstream.url, size=1) as plane,
        RawConnection(plane.port) as first,
        RawConnection(plane.port) as second,
    ):
        flights = []
        forward = plane.pool.forward

        def forwarding(*arguments: object) -> object:
            flights.append(forward(*arguments))  # type: ignore[arg-type]
            flights[-1].pause()
            if case == "another connection":
                upstream.connections[0].write_at_once(b"x")
            return flights[-1]

        before = 0 if case == "a new connection" else 1
        if before:
            await first.send(POST)
            await upstream.wait_for_requests()
        if case == "another connection":
            await first.read_responses()
        plane.pool.forward = forwarding  # type: ignore[method-assign, assignment]
        await second.send(GET)
        await plane.until(lambda: flights != [])
        go.set()
        await upstream.wait_for_requests(before + 1)
        await plane.turns(20)
        assert (len(plane.outcomes), second.received) == (before, b"")
        flights[0].resume()
        assert [item.body for item in await second.read_responses()] == [b"good"]


async def test_retirement() -> None:
    """A pool that a reload replaced closes what is idle at once, the rest after its flight."""
    go = asyncio.Event()

    def script(number: int, _connection: Connection) -> Script:
        return [go, *ok(b"late")] if number == 1 else ok()

    async with (
        Recorder(script) as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as first,
        RawConnection(plane.port) as second,
    ):
        await first.send(POST)
        assert [item.status for item in await first.read_responses()] == [200]
        await second.send(POST)
        await upstream.wait_for_requests(2)
        start = len(first.received)
        await first.send(POST)
        await first.read_responses(start=start)
        assert len(upstream.connections) == 2
        plane.pool.retire()
        await upstream.connections[1].gone.wait()
        assert not upstream.connections[0].gone.is_set()
        go.set()
        assert [item.body for item in await second.read_responses()] == [b"late"]
        await upstream.connections[0].gone.wait()
