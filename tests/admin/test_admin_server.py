"""The admin listener's socket: what is no HTTP, what is slow, and what is too much of both."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from gateway.admin import AdminStatus, make_admin, start_admin
from gateway.errors import GatewayError
from tests.support.raw import RawConnection, exchange, parse_responses
from tests.support.reading import Reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CANARY = b"sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
BIG = 32 * 1024 * 1024


def make_app(metrics: bytes = b"gateway_in_flight 0.0\n") -> web.Application:
    status = AdminStatus("rev1")
    return make_admin(
        host="127.0.0.1", tokens=[], metrics=lambda: metrics, status=lambda: status, audit=Reading()
    )


@asynccontextmanager
async def listening(app: web.Application | None = None, **limits: Any) -> AsyncIterator[int]:
    """Run an application, and give its port."""
    runner = await start_admin(app or make_app(), "127.0.0.1", 0, **limits)
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_it_listens_and_ends() -> None:
    """Port 0 takes a free port; a second listener on it is a GatewayError; afterwards the port is free."""
    runner = await start_admin(make_app(), "127.0.0.1", 0)
    port = runner.addresses[0][1]
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as response:
        assert response.status == 200
    with pytest.raises(GatewayError, match=rf"cannot use 127\.0\.0\.1:{port}"):
        await start_admin(make_app(), "127.0.0.1", port)
    await runner.cleanup()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


MALFORMED = {
    "no HTTP": CANARY + b"\r\n\r\n",
    "no HTTP, and no end": CANARY,
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01" + CANARY,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + CANARY,
    "no such version": b"GET /" + CANARY + b" HTTP/9.9\r\n" + HOST + b"\r\n",
    "a method that is none": b"G(T" + CANARY + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a request line too long": b"GET /" + CANARY * 300 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\n" + HOST + CANARY + b"\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\n" + HOST + CANARY + b" : 1\r\n\r\n",
    "a field too long": b"GET / HTTP/1.1\r\n" + HOST + b"x: " + CANARY * 300 + b"\r\n\r\n",
    "too many fields": b"GET / HTTP/1.1\r\n" + HOST + b"x-%b: 1\r\n" % CANARY * 200 + b"\r\n",
    "a NUL": b"GET / HTTP/1.1\r\n" + HOST + b"x: \0" + CANARY + b"\r\n\r\n",
    "no length": b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: " + CANARY + b"\r\n\r\n",
    "no coding": b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + CANARY + b"\r\n\r\n",
    "no chunk": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CANARY + b"\r\n",
    "an authority that is none": b"GET http://" + CANARY + b":99999999/ HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_http_is_answered_without_an_echo(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """One and the same closed answer, hardened like all others; nothing of what was sent, no log line."""
    async with listening() as port:
        received = await exchange(port, sent)
        (answer,) = parse_responses(received)
        assert answer.status == 400
        assert json.loads(answer.body) == {
            "error": {"code": "bad_request", "message": "The request is malformed."}
        }
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("server") is None
        assert b"canary" not in received
        assert parse_responses(await exchange(port, HEALTH), closed=False)[0].status == 200
    assert not caplog.records


ODD = {
    "no Host": (b"GET /healthz HTTP/1.0\r\n\r\n", 403),
    "two Hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: " + CANARY + b"\r\n\r\n", 400),
    "another Host": (b"GET /healthz HTTP/1.1\r\nHost: " + CANARY + b"\r\n\r\n", 403),
    "an expectation": (b"GET / HTTP/1.1\r\n" + HOST + b"Expect: " + CANARY + b"\r\n\r\n", 417),
    "an unknown path": (b"GET /" + CANARY + b"?" + CANARY + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "odd escapes": (b"GET /%ff%00%zz" + CANARY + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "brackets": (b"GET //[%ff" + CANARY + b" HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "a method": (CANARY.upper() + b" / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "no path": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "another protocol": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: " + CANARY + b"\r\nConnection: upgrade\r\n\r\n", 200
    ),
    "a compressed body": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Encoding: gzip\r\nContent-Length: 46\r\n\r\n" + CANARY, 405
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), ODD.values(), ids=ODD)
async def test_odd_requests_are_answered_without_an_echo(
    sent: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """What aiohttp takes for HTTP and nothing here is meant for: hardened, nothing of it repeated."""
    async with listening() as port:
        received = await exchange(port, sent)
    answer = parse_responses(received, closed=False)[0]
    assert answer.status == status
    assert b"canary" not in received.lower()
    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("server") is None
    assert not caplog.records


async def test_a_bug_shows_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Not in asyncio's debug mode either, in which aiohttp shows its callers tracebacks."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")

    def metrics() -> bytes:
        raise KeyError(CANARY.decode())

    status = AdminStatus("rev1")
    app = make_admin(host="127.0.0.1", tokens=[], metrics=metrics, status=lambda: status, audit=Reading())
    with caplog.at_level(logging.ERROR):
        async with listening(app) as port:
            received = await exchange(port, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
    assert received.startswith(b"HTTP/1.1 500 ")
    assert b"canary" not in received
    assert b"Traceback" not in received
    assert [record.name for record in caplog.records] == ["gateway.admin.application"]


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\n" + HOST])
async def test_a_head_that_does_not_come_ends_the_connection(begun: bytes) -> None:
    """Nothing, or only the beginning of a request, on a new connection: closed without a word."""
    async with listening(patience=0.05) as port, asyncio.timeout(5), RawConnection(port) as connection:
        await connection.send(begun)
        assert await connection.read_end() == b""


async def test_a_second_head_that_does_not_come_ends_the_connection() -> None:
    """Idle between requests is no fault; a second request that is begun has to go on."""
    async with listening(patience=0.05) as port, asyncio.timeout(5), RawConnection(port) as connection:
        await connection.send(HEALTH)
        await connection.read_responses()
        await connection.send(b"GET")
        received = await connection.read_end()
    assert [answer.status for answer in parse_responses(received)] == [200]


async def test_bytes_now_and_then_win_no_time() -> None:
    """The deadline counts from the head's first byte, not from its last one."""
    async with listening(patience=0.2) as port, asyncio.timeout(5), RawConnection(port) as connection:
        await connection.send(b"GET / HTTP/1.1\r\n" + HOST + b"x: ")
        end = asyncio.ensure_future(connection.read_end())
        while not end.done():
            await connection.send(b"x")
            await asyncio.wait([end], timeout=0.02)
    assert end.result() == b""


async def test_an_answer_that_nobody_reads_ends_the_connection() -> None:
    """Reset, so that nothing is held for it; and a caller who does read gets all of it, however slowly."""
    get = b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n"
    big = make_app(b"m" * BIG)
    async with listening(big, patience=0.05) as port, asyncio.timeout(10), RawConnection(port) as connection:
        await connection.send(get)
        await connection.read_until(b"HTTP/1.1 200 OK")
        async with RawConnection(port) as later:
            await later.read_end()  # closed for its silence, which began after the other's
        assert len(await connection.read_end()) < BIG
    async with listening(make_app(b"m" * BIG)) as port:
        (answer,) = parse_responses(await exchange(port, get), closed=False)
        assert len(answer.body) == BIG


async def test_connections_are_bounded() -> None:
    """One too many is closed at once; when another one goes there is room again."""
    async with (
        listening(max_connections=2) as port,
        asyncio.timeout(5),
        RawConnection(port) as first,
        RawConnection(port) as second,
    ):
        for connection in (first, second):
            await connection.send(HEALTH)
            await connection.read_responses()
        async with RawConnection(port) as third:
            assert await third.read_end() == b""
        first.reset()
        while not (answer := await exchange(port, HEALTH)):
            pass
        assert answer.startswith(b"HTTP/1.1 200 OK")
        await second.send(HEALTH)
        await second.read_responses(2)
        assert second.received.count(b"200 OK") == 2
