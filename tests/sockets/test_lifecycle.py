"""Bodies, deadlines, capacity, draining, slow readers and clients that leave, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.types import Decision, Phase
from gateway.listener.bounds import MAX_BUFFERED
from gateway.listener.snapshot import Capacity, Deadlines
from tests.support.plane import BODY, GET, POST, Plane, code_of, request
from tests.support.raw import RawConnection, exchange, parse_responses
from tests.support.recorder import Connection, Recorder, Script, Step, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPECT = request(b"POST /v1/messages", b"Expect: 100-continue", body=b"", framing=b"Content-Length: 17")
EXPECT = EXPECT.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n")
CHUNKED_HEAD = request(body=b"1", framing=b"Transfer-Encoding: chunked")[:-1]
LONG = b"x" * (1 << 20)
LARGEST_READ = 256 * 1024
"""Bytes that an event loop reads at a time, at most."""
TINY = Deadlines(header=0.05, body=0.05, keepalive=0.05)


@pytest.mark.parametrize("cut", range(1, len(POST)))
async def test_a_request_in_two_pieces(cut: int) -> None:
    """Wherever a request is cut, it is served as if it had come whole."""
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        connection._writer.write(POST[:cut])
        await plane.until(lambda: plane.server.connection_count == 1)
        connection._writer.write(POST[cut:])
        assert [item.status for item in await connection.read_responses()] == [200]
        assert upstream.requests[0].body == BODY


async def test_continue_is_sent_once_the_head_is_accepted() -> None:
    """100 comes once and only when the body is wanted, and Expect is not forwarded."""
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(EXPECT)
        await connection.read_until(b"100 Continue\r\n\r\n")
        assert upstream.raw == b""
        await connection.send(BODY)
        assert [item.status for item in await connection.read_responses()] == [100, 200]
        assert upstream.requests[0].header("expect") is None
        assert upstream.requests[0].body == BODY


async def test_continue_is_left_out_when_the_body_is_there() -> None:
    """A client that did not wait gets no 100."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert [item.status for item in parse_responses(await exchange(plane.port, EXPECT + BODY))] == [200]
        async with RawConnection(plane.port) as connection:
            await connection.send(EXPECT + BODY[:3])
            await plane.until(lambda: plane.server.load.body_bytes == 3)
            await connection.send(BODY[3:])
            assert [item.status for item in await connection.read_responses()] == [200]


async def test_continue_for_chunks() -> None:
    """A chunked body may be waited for, too."""
    head = CHUNKED_HEAD.replace(b"Host", b"EXPECT: 100-Continue\r\nHost")
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(head)
        await connection.read_until(b"100 Continue\r\n\r\n")
        await connection.send(b"11\r\n" + BODY + b"\r\n0\r\n\r\n")
        assert [item.status for item in await connection.read_responses()] == [100, 200]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b": 17", b": 5000"), 413),
        ((b"100-continue", b"x"), 417),
        ((b": 17", b": 9999999999999999"), 413),
        ((b"100-continue", b"100-continue, x"), 417),
        ((b"/v1/messages", b"/v1/x"), 404),
        ((b"POST", b"PUT"), 405),
        ((b"application/json", b"text/plain"), 415),
        ((b"application/json", b"application/json\r\nContent-Encoding: x"), 415),
        ((b"gateway.test", b""), 400),
    ],
)
async def test_refusal_instead_of_continue(change: tuple[bytes, bytes], status: int) -> None:
    """What its head refuses is refused straight away; the connection ends, since its body may never come."""
    async with (
        Recorder() as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(EXPECT.replace(*change))
        (answer,) = parse_responses(await connection.read_end())  # with no 100 before it
        assert (answer.status, answer.header("connection")) == (status, "close")
        assert upstream.raw == b""
        assert [outcome.status for outcome in plane.outcomes] == [status]


async def test_a_refused_body_is_skipped() -> None:
    """A short body that nobody wants is read and dropped however it comes; then the connection serves on."""
    refused = request(b"POST /v1/x", body=b"GET /v1/messages HTTP/1.1\r\n\r\n" * 20)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for cut in (len(refused) - 570, len(refused) - 300, len(refused) - 1):
            async with RawConnection(plane.port) as connection:
                await connection.send(refused[:cut])
                assert [item.status for item in await connection.read_responses()] == [404]
                start = len(connection.received)
                await connection.send(refused[cut:-1], refused[-1:] + POST)
                assert [item.status for item in await connection.read_responses(start=start)] == [200]
        assert len(upstream.requests) == 3


async def test_lingering_lets_the_answer_arrive() -> None:
    """A client that sends on after its refusal still gets to read it."""
    refused = request(b"POST /v1/x", framing=b"Content-Length: 30000000", body=b"x" * 30_000_000)
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(refused)
        assert [item.status for item in await connection.read_responses()] == [404]
        await connection.read_end()
        assert not connection.was_reset


async def test_lingering_ends() -> None:
    """A client that never stops sending after its refusal is cut off."""
    refused = request(b"POST /v1/x", framing=b"Content-Length: 99999999", body=b"")
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(refused)
        await connection.read_end()
        for _ in range(70):
            await connection.send(LONG)
        await plane.until(lambda: plane.server.connection_count == 0)


@pytest.mark.parametrize(
    ("raw", "phase"),
    [
        (b"POST /v1/mess", Phase.HEAD),
        (b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n", Phase.HEAD),
        (b"\r\nP", Phase.HEAD),
        (POST[:-3], Phase.BODY),
        (CHUNKED_HEAD + b"5\r\nhe", Phase.BODY),
        (CHUNKED_HEAD, Phase.BODY),
        (EXPECT, Phase.BODY),
    ],
)
async def test_too_slow(raw: bytes, phase: Phase) -> None:
    """A head or body that does not arrive in time is a 408, the connection ends, nothing goes upstream."""
    async with Recorder() as upstream, Plane(upstream.url, deadlines=TINY) as plane:
        answer = await plane.ask(raw)
        assert (answer.status, answer.code, answer.closed) == (408, "request_timeout", True)
        assert upstream.raw == b""
        assert (plane.last.phase, plane.last.decision) == (phase, Decision.REJECT)
        assert len(plane.outcomes) == 1


@pytest.mark.parametrize("raw", [b"", b"\r\n", POST, request(b"POST /v1/x", body=b"x" * 100)[:-1]])
async def test_idle_connections_end(raw: bytes) -> None:
    """An idle connection is closed without a word: a new one, a kept one, one whose body is skipped."""
    async with (
        Recorder() as upstream,
        Plane(upstream.url, deadlines=TINY) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        content = await connection.read_end()
        assert len(parse_responses(content)) == len(plane.outcomes) == (len(raw) > 2)


async def test_drips_of_empty_lines_buy_no_time() -> None:
    """Empty lines, whole or half, do not keep an idle connection open."""
    async with Recorder() as upstream, Plane(upstream.url, deadlines=Deadlines(header=0.05)) as plane:
        async with RawConnection(plane.port) as connection, asyncio.timeout(4):

            async def drip() -> None:
                while True:
                    await connection.send(b"\r")
                    await plane.turns(50)
                    await connection.send(b"\n")
                    await plane.turns(50)

            dripping = asyncio.create_task(drip())
            await connection.read_end()
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
        assert {item.code for item in plane.outcomes} <= {"request_timeout"}  # half a line may be told so


@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
async def test_a_slow_reader_slows_the_upstream_down(framing: str) -> None:
    """While the client does not read, the upstream cannot send; when it reads on, everything arrives."""
    count = 64
    line = {"length": b"Content-Length: %d" % (count << 20), "chunked": b"Transfer-Encoding: chunked"}.get(
        framing
    )
    piece = b"100000\r\n" + LONG + b"\r\n" if framing == "chunked" else LONG
    written = 0

    def script(_number: int, _connection: Connection) -> Script:
        class Counting(list[bytes]):
            def __iter__(self) -> Iterator[Any]:
                nonlocal written
                yield b"HTTP/1.1 200 OK\r\n" + (line + b"\r\n" if line else b"") + b"\r\n"
                for _ in range(count):
                    yield piece
                    written += 1
                yield b"0\r\n\r\n" if framing == "chunked" else b""
                if framing == "end":
                    yield Step.CLOSE

        return Counting()

    async with Recorder(script) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            await upstream.wait_for_requests()
            settled = -1
            while settled != written or written == 0:
                settled = written
                await plane.turns(200)
            assert written < count
            total = 0
            while total < count << 20:
                piece_read = await connection.read_some()
                assert piece_read
                total += len(piece_read)
                connection.received.clear()
        await plane.outcomes.wait_for(1)
        assert (plane.last.bytes_out, plane.last.decision) == (count << 20, Decision.ALLOW)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """A response that nobody reads is given up at the deadline, and so is its upstream request.

    The connection is reset: a FIN would wait behind megabytes that the kernel kept for minutes.
    """
    huge = ok(b"x" * (64 << 20))
    deadlines = Deadlines(body=0.1)
    async with Recorder([huge]) as upstream, Plane(upstream.url, deadlines=deadlines) as plane:
        async with RawConnection(plane.port) as connection:
            connection._writer.transport.pause_reading()
            await connection.send(POST)
            (outcome,) = await plane.outcomes.wait_for(1)
            assert (outcome.decision, outcome.code, outcome.status) == (Decision.ERROR, "client_gone", 200)
            assert outcome.upstream_outcome == "abandoned"
            await upstream.connections[0].gone.wait()
            connection._writer.transport.resume_reading()
            await connection.read_end()
            assert connection.was_reset
        await plane.served()


async def test_a_client_that_pipelines_and_does_not_read_is_not_served_on() -> None:
    """Answers that nobody reads do not pile up: requests are taken only while the client reads."""
    scripts = [ok(b"x" * 100_000)] * 1000
    deadlines = Deadlines(body=0.3)
    async with Recorder(scripts) as upstream, Plane(upstream.url, deadlines=deadlines) as plane:
        async with RawConnection(plane.port) as connection:
            connection._writer.transport.pause_reading()
            sending = asyncio.create_task(connection.send(*[POST] * 1000))
            await plane.until(lambda: plane.server.connection_count == 1)
            await plane.until(lambda: plane.server.connection_count == 0)
            await sending
            assert len(plane.outcomes) < 500
        await plane.served()


@pytest.mark.parametrize("one", [GET, request(b"GET /v1/nothing", body=b"")], ids=["forwarded", "refused"])
async def test_what_is_pipelined_is_bounded(one: bytes) -> None:
    """Of an endless row of requests only so much is taken in, and others have their turn meanwhile."""
    async with Recorder([ok()] * 10_000) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            reading = asyncio.create_task(_read_on(connection))
            connection._writer.write(one * (20_000_000 // len(one)))
            others = asyncio.create_task(exchange(plane.port, GET))
            most = 0
            while len(plane.outcomes) < 500 or not others.done():
                most = max(most, *(len(served._buffer) for served in plane.server._open), 0)
                await plane.turns(1)
            assert others.result().startswith(b"HTTP/1.1 200 ")
            assert 0 < most <= MAX_BUFFERED + LARGEST_READ
            assert connection._writer.transport.get_write_buffer_size() > 0
            reading.cancel()
            connection.reset()
        await plane.served()


async def _read_on(connection: RawConnection) -> None:
    """Read and forget."""
    while await connection.read_some():
        connection.received.clear()


async def test_a_client_that_pipelines_gets_everything_when_it_reads() -> None:
    """Requests that waited for the client to read are answered in order once it does."""
    scripts = [ok(b"%d" % number + b"x" * 300_000) for number in range(60)]
    wrong = request(b"POST /v1/x", body=b"x" * 2000)
    async with Recorder(scripts) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            connection._writer.transport.pause_reading()
            sending = asyncio.create_task(connection.send(*[POST + wrong] * 60))
            settled = -1
            while settled != len(plane.outcomes) or settled == 0:
                settled = len(plane.outcomes)
                await plane.turns(300)
            assert settled < 120
            connection._writer.transport.resume_reading()
            content = bytearray()
            while content.count(b"HTTP/1.1 ") < 120 or not content.endswith(b"}}"):
                piece = await connection.read_some()
                assert piece, "the connection ended early"
                content += piece
                connection.received.clear()
            await sending
        found = parse_responses(bytes(content))
        assert [item.status for item in found] == [200, 404] * 60
        assert [item.body.rstrip(b"x") for item in found[::2]] == [b"%d" % number for number in range(60)]


async def test_a_slow_reader_gets_all_of_a_last_response() -> None:
    """A response after which the connection closes is not cut while it leaves."""
    async with (
        Recorder([ok(b"x" * (8 << 20))]) as upstream,
        Plane(upstream.url) as plane,
        RawConnection(plane.port) as connection,
    ):
        connection._writer.transport.pause_reading()
        await connection.send(request(b"POST /v1/messages", b"Connection: close"))
        await upstream.wait_for_requests()
        connection._writer.transport.resume_reading()
        (found,) = parse_responses(await connection.read_end())
        assert len(found.body) == 8 << 20


async def test_in_flight_capacity() -> None:
    """More requests at once than the gateway takes on: 503 with Retry-After, and the connection lives on."""
    go = asyncio.Event()
    async with (
        Recorder([[go, *ok()]]) as upstream,
        Plane(upstream.url, capacity=Capacity(in_flight=1)) as plane,
        RawConnection(plane.port) as first,
        RawConnection(plane.port) as second,
    ):
        await first.send(POST)
        await upstream.wait_for_requests()
        await second.send(POST)
        (refused,) = await second.read_responses()
        assert (refused.status, code_of(refused)) == (503, "overloaded")
        assert (refused.header("retry-after"), refused.header("x-should-retry")) == ("1", "true")
        assert plane.last.decision is Decision.REJECT
        go.set()
        assert [item.status for item in await first.read_responses()] == [200]
        start = len(second.received)
        await second.send(POST)
        assert [item.status for item in await second.read_responses(start=start)] == [200]


async def test_body_bytes_capacity() -> None:
    """More bytes of bodies at once than the gateway holds: 503; what was held is given back.

    Only bytes that have come count: a head that announces many keeps nobody out.
    """
    go = asyncio.Event()
    capacity = Capacity(body_bytes=len(BODY))
    holding = asyncio.Event()
    async with (
        Recorder(lambda _index, _connection: [go, *ok()] if holding.is_set() else ok()) as upstream,
        Plane(upstream.url, capacity=capacity) as plane,
        RawConnection(plane.port) as first,
    ):
        await first.send(CHUNKED_HEAD)
        assert (await plane.ask(POST)).status == 200
        await first.send(b"11\r\n" + BODY + b"\r\n")
        await plane.until(lambda: plane.server.load.body_bytes == len(BODY))
        answer = await plane.ask(GET)
        assert answer.status == 200
        answer = await plane.ask(POST)
        assert (answer.status, answer.code, answer.closed) == (503, "overloaded", False)
        assert answer.response.header("retry-after") == "1"
        holding.set()
        seen = len(upstream.requests)
        await first.send(b"0\r\n\r\n")
        await upstream.wait_for_requests(seen + 1)
        assert plane.server.load.body_bytes == len(BODY)
        go.set()
        assert [item.status for item in await first.read_responses()] == [200]
        answer = await plane.ask(POST)
        assert answer.status == 200


async def test_draining() -> None:
    """A drain ends idle connections now, the others after their answers, and refuses what still comes."""
    go = asyncio.Event()
    script = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", go, b"0\r\n\r\n"]
    async with Recorder([script]) as upstream, Plane(upstream.url, drain=4) as plane:
        async with (
            RawConnection(plane.port) as idle,
            RawConnection(plane.port) as busy,
            RawConnection(plane.port) as late,
        ):
            await busy.send(POST)
            await busy.read_until(b"\r\n\r\n")
            await late.send(POST[:30])
            await plane.until(lambda: plane.server.connection_count == 3)
            await plane.until(lambda: any(item._buffer for item in plane.server._open))
            draining = asyncio.create_task(plane.listener.drain())
            assert await idle.read_end() == b""
            await late.send(POST[30:])
            (refused,) = parse_responses(await late.read_end())
            assert (refused.status, code_of(refused)) == (503, "draining")
            assert (refused.header("retry-after"), refused.header("connection")) == ("1", "close")
            go.set()
            (found,) = parse_responses(await busy.read_end())
            assert found.status == 200
        await draining
        with contextlib.suppress(ConnectionRefusedError):
            async with RawConnection(plane.port):
                pytest.fail("it still listens")
        assert sorted(item.status for item in plane.outcomes) == [200, 503]


async def test_a_drain_ends_what_takes_too_long() -> None:
    """What is not through when the drain's time is up is abandoned, and recorded as that."""
    async with Recorder([[Step.SILENCE]]) as upstream, Plane(upstream.url, leftovers=True) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            await upstream.wait_for_requests()
            await plane.listener.drain()
            await connection.read_end()
        assert (plane.last.code, plane.last.decision) == ("draining", Decision.ERROR)
        await upstream.connections[0].gone.wait()


async def test_connections_beyond_the_limit_end_at_once() -> None:
    """Who holds connections open cannot keep the others' requests from going upstream."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        plane.server.max_connections = 2
        async with RawConnection(plane.port) as one, RawConnection(plane.port):
            await plane.until(lambda: plane.server.connection_count == 2)
            async with RawConnection(plane.port) as third:
                assert await third.read_end() == b""
            await one.send(POST)
            assert [item.status for item in await one.read_responses()] == [200]
        await plane.until(lambda: plane.server.connection_count == 0)
        await plane.served()
