"""The recording upstream and the raw client, tried on each other."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.framing import Malformed
from tests.support.raw import RawConnection, exchange, parse_responses
from tests.support.recorder import Connection, Recorder, Script, Step, chunked, ok

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"


async def test_records_every_byte() -> None:
    """Raw bytes are kept as they came, connection by connection, and split into requests."""
    async with Recorder() as upstream:
        await exchange(upstream.port, POST[:10], POST[10:] + CHUNKED, responses=2)
        await exchange(upstream.port, GET + b"GET /unfin")
        assert upstream.raw == POST + CHUNKED + GET + b"GET /unfin"
        assert [bytes(connection.raw) for connection in upstream.connections] == [
            POST + CHUNKED,
            GET + b"GET /unfin",
        ]
        assert [(item.target, item.body, item.chunked) for item in upstream.requests] == [
            ("/p", b"body", False),
            ("/c", b"body", True),
            ("/", b"", False),
        ]
        assert b"".join(item.raw for item in upstream.connections[0].requests) == POST + CHUNKED


async def test_default_and_scripts_in_order() -> None:
    """Scripts answer in the order of the requests; after the last comes the default."""
    async with Recorder([ok(b"one", b"X: y"), chunked(b"t", b"wo")]) as upstream:
        content = await exchange(upstream.port, GET * 3, responses=3)
    found = parse_responses(content)
    assert [item.body for item in found] == [b"one", b"two", b'{"ok": true}']
    assert found[0].header("x") == "y"


async def test_scripts_from_a_function() -> None:
    """A function sees the request's number and its connection."""

    def script(number: int, connection: Connection) -> Script:
        return ok(b"%d %b" % (number, connection.requests[-1].body))

    async with Recorder(script) as upstream:
        await exchange(upstream.port, GET)
        assert parse_responses(await exchange(upstream.port, POST))[0].body == b"1 body"


async def test_waits_for_an_event() -> None:
    """Nothing of what follows an event is sent before it is set."""
    event = asyncio.Event()
    async with (
        Recorder([[b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", event, b"cd"]]) as upstream,
        RawConnection(upstream.port) as client,
    ):
        await client.send(GET)
        assert (await client.read_until(b"ab")).endswith(b"\r\n\r\nab")
        event.set()
        [response] = await client.read_responses()
        assert response.body == b"abcd"


@pytest.mark.parametrize(("step", "was_reset"), [(Step.CLOSE, False), (Step.RESET, True)])
async def test_ends_connections(step: Step, was_reset: bool) -> None:
    """CLOSE is an end that loses nothing; RESET is a TCP RST."""
    got = asyncio.Event()
    async with (
        Recorder([[b"HTTP/1.1 200", got, step]]) as upstream,
        RawConnection(upstream.port) as client,
    ):
        await client.send(GET)
        await client.read_until(b"200")
        got.set()
        assert await client.read_end() == b"HTTP/1.1 200"
        assert client.was_reset is was_reset


async def test_greeting() -> None:
    """A greeting runs before any request."""
    async with Recorder(greeting=[Step.CLOSE]) as upstream:
        assert await exchange(upstream.port) == b""


async def test_silence_and_who_left() -> None:
    """A silent upstream tells when its client is gone, by FIN or by RST."""
    async with Recorder(default=[Step.SILENCE]) as upstream:
        with pytest.raises(TimeoutError, match="only b''"):
            await exchange(upstream.port, GET, timeout=0)
        async with RawConnection(upstream.port) as client:
            await client.send(GET)
            await upstream.wait_for_requests(1)
            assert not upstream.connections[-1].gone.is_set()
            client.reset()
            await upstream.wait_for(upstream.connections[-1].closed.is_set)
        assert isinstance(upstream.connections[-1].lost, ConnectionResetError)
        async with RawConnection(upstream.port) as client:
            await client.send(GET)
            await upstream.wait_for_requests(2)
        await upstream.wait_for(upstream.connections[-1].closed.is_set)
        assert upstream.connections[-1].lost is None


async def test_answers_a_half_closed_client() -> None:
    """A client that shut down its side still gets its answer, and then the end."""
    async with Recorder() as upstream, RawConnection(upstream.port) as client:
        await client.send(GET, eof=True)
        assert parse_responses(await client.read_end())[0].status == 200
        assert upstream.connections[0].gone.is_set()
    assert parse_responses(await _exchange_eof())[0].status == 200


async def _exchange_eof() -> bytes:
    async with Recorder() as upstream:
        return await exchange(upstream.port, GET, eof=True)


async def test_answers_at_the_head() -> None:
    """With at="head" an answer can begin before the body has come."""
    on = asyncio.Event()
    first = b"HTTP/1.1 100 Continue\r\n\r\n"
    async with (
        Recorder([[first, Step.WHOLE, *ok()]], at="head") as upstream,
        RawConnection(upstream.port) as client,
    ):
        sending = asyncio.create_task(client.send(POST[:-4], on, POST[-4:]))
        assert await client.read_until(first) == first
        assert upstream.connections[0].heads == 1
        assert upstream.requests == []
        on.set()
        assert [item.status for item in await client.read_responses()] == [100, 200]
        await sending


async def test_pauses_reading() -> None:
    """A paused upstream takes no more; the client's writes stand still until it resumes."""
    resume = asyncio.Event()
    big = b"x" * 16 * 1024 * 1024
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(big)
    script = [Step.PAUSE, b"HTTP/1.1 100 Continue\r\n\r\n", resume, Step.RESUME, Step.WHOLE, *ok()]
    async with Recorder([script], at="head") as upstream, RawConnection(upstream.port) as client:
        await client.send(head)
        await client.read_until(b"Continue")
        sending = asyncio.create_task(client.send(big))
        got = len(upstream.raw)
        with pytest.raises(TimeoutError):
            await upstream.wait_for(lambda: len(upstream.raw) > got, timeout=0.05)
        assert not sending.done()
        resume.set()
        assert (await client.read_responses())[-1].status == 200
        assert len(upstream.requests[0].body) == len(big)
        await sending


async def test_malformed_requests_are_seen() -> None:
    """Bytes that are no HTTP/1.1 are recorded, and asking for requests raises."""
    async with Recorder() as upstream:
        async with RawConnection(upstream.port) as client:
            await client.send(b"GET /\nHost\n\n", eof=True)
            await client.read_end()
        assert upstream.raw == b"GET /\nHost\n\n"
        with pytest.raises(Malformed):
            _ = upstream.requests


async def test_a_faulty_script_is_raised() -> None:
    """A script that raises fails the test at the end of the recorder, not silently."""

    def script(number: int, _: Connection) -> Script:
        raise KeyError(number)

    upstream = Recorder(script)
    await upstream.__aenter__()
    async with RawConnection(upstream.port) as client:
        await client.send(GET)
        await upstream.wait_for_requests(1)
    with pytest.raises(KeyError):
        await upstream.__aexit__(None, None, None)


async def test_reading_until_an_early_end() -> None:
    """A mark that never comes is an error that shows what came."""
    async with Recorder([[b"HTTP", Step.CLOSE]]) as upstream, RawConnection(upstream.port) as client:
        await client.send(GET)
        with pytest.raises(ConnectionError, match="HTTP"):
            await client.read_until(b"never")


async def test_malformed_answers_end_the_reading() -> None:
    """An exchange gives malformed bytes back for the splitter to judge, without waiting for more."""
    async with Recorder([[b"HTTP/9 nonsense\r\n\r\n"]]) as upstream:
        content = await exchange(upstream.port, GET)
    with pytest.raises(Malformed):
        parse_responses(content)
