"""TLS on both sides, with certificates made on the spot by the machine's openssl."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from gateway.core.types import Decision
from gateway.listener.snapshot import Deadlines
from tests.support.certificates import make_certificate
from tests.support.plane import BODY, POST, Plane, code_of, request
from tests.support.raw import Incomplete, RawConnection, parse_responses
from tests.support.recorder import Recorder, Step, ok

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

Certificate = tuple["Path", "Path"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "right")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "wrong")


def serving(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def trusting(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


async def ask(port: int, context: ssl.SSLContext, *pieces: bytes) -> bytes:
    """Send pieces over TLS; give everything up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    content = await reader.read()
    writer.close()
    await writer.wait_closed()
    return content


async def test_downstream(certificate: Certificate, caplog: pytest.LogCaptureFixture) -> None:
    """Requests over TLS are served and refused as others; the upstream learns of https; nothing is logged."""
    closing = request(b"POST /v1/messages", b"Connection: close")
    with caplog.at_level(logging.WARNING):
        async with Recorder() as upstream, Plane(upstream.url, tls=serving(certificate)) as plane:
            absolute = POST.replace(b"/v1", b"https://gateway.test/v1", 1)
            content = await ask(plane.port, trusting(certificate), POST[:10], POST[10:], absolute, closing)
            assert [item.status for item in parse_responses(content)] == [200] * 3
            assert [item.header("x-forwarded-proto") for item in upstream.requests] == ["https"] * 3
            assert {item.target for item in upstream.requests} == {"/v1/messages"}
            assert (upstream.requests[0].header("forwarded") or "").endswith("proto=https")
            content = await ask(plane.port, trusting(certificate), b"BAD\r\n\r\n")
            assert [item.status for item in parse_responses(content)] == [400]
            reader, writer = await asyncio.open_connection("127.0.0.1", plane.port, ssl=trusting(certificate))
            writer.write(POST)
            await reader.readuntil(b"}")
            writer.close()
            await writer.wait_closed()
            assert [item.status for item in plane.outcomes] == [200, 200, 200, 400, 200]
    assert caplog.records == []


async def test_a_plain_request_to_a_tls_port(certificate: Certificate) -> None:
    """Plain HTTP on a TLS port gets nothing, and harms nobody."""
    async with Plane("http://127.0.0.1:9", tls=serving(certificate)) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            assert b"HTTP" not in await connection.read_end()
        assert plane.outcomes == []


@pytest.mark.parametrize(
    "begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["nothing", "half"]
)
async def test_a_handshake_that_does_not_come(certificate: Certificate, begun: bytes) -> None:
    """A client that begins no handshake, or only half of one, is hung up on at the head's deadline."""
    deadlines = Deadlines(header=0.2)
    async with Plane("http://127.0.0.1:9", tls=serving(certificate), deadlines=deadlines) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(begun)
            assert await connection.read_end() == b""
        assert plane.outcomes == []


async def test_a_slow_reader_over_tls_gets_all(certificate: Certificate) -> None:
    """A last response over TLS leaves whole before the connection ends."""
    closing = request(b"POST /v1/messages", b"Connection: close")
    async with (
        Recorder([ok(b"x" * (4 << 20))]) as upstream,
        Plane(upstream.url, tls=serving(certificate)) as plane,
    ):
        (found,) = parse_responses(await ask(plane.port, trusting(certificate), closing))
        assert len(found.body) == 4 << 20


@pytest.mark.parametrize("trusted", [True, False])
async def test_upstream(certificate: Certificate, another: Certificate, *, trusted: bool) -> None:
    """An https upstream is used if its certificate is vouched for; else 502, and no byte is sent."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(BODY))
        writer.write(OK)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving(certificate))
    port = server.sockets[0].getsockname()[1]
    context = trusting(certificate if trusted else another)
    async with server, Plane(f"https://127.0.0.1:{port}", upstream_tls=context) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            (found,) = await connection.read_responses()
        if trusted:
            assert (found.status, found.body) == (200, b"ok")
            assert received[0].startswith(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % port)
        else:
            assert (found.status, code_of(found)) == (502, "upstream_unreachable")
            assert found.header("x-should-retry") is None
            assert received == []


@contextlib.asynccontextmanager
async def answering(
    certificate: Certificate, answer: bytes, *, goodbye: bool
) -> AsyncGenerator[tuple[str, ssl.SSLContext]]:
    """Give the url of an upstream that answers so and ends, with or without TLS's closure alert."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(answer)
        if not goodbye:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as same:
                same.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving(certificate))
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", trusting(certificate)


@pytest.mark.parametrize("goodbye", [True, False], ids=["closed", "cut off"])
@pytest.mark.parametrize("old", [False, True], ids=["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("body", [b"abc", b""])
async def test_an_answer_until_the_end(
    certificate: Certificate, body: bytes, *, old: bool, goodbye: bool
) -> None:
    """An answer that ends with its TLS connection is whole only if the upstream says so."""
    async with (
        answering(certificate, b"HTTP/1.1 200 OK\r\n\r\n" + body, goodbye=goodbye) as (url, context),
        Plane(url, upstream_tls=context) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(request(b"POST /v1/messages HTTP/1.0") if old else POST)
        if goodbye:
            (found,) = await connection.read_responses()
            assert (found.status, found.body) == (200, body)
        else:
            await connection.read_end()
            if old:
                assert connection.was_reset
            else:
                with pytest.raises(Incomplete):
                    parse_responses(bytes(connection.received))
        await plane.outcomes.wait_for(1)
        assert plane.last.upstream_outcome == ("complete" if goodbye else "truncated")
        assert plane.last.decision is (Decision.ALLOW if goodbye else Decision.ERROR)


@pytest.mark.parametrize("goodbye", [True, False], ids=["closed", "cut off"])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
    ids=["length", "chunked", "trailers"],
)
async def test_a_truncated_answer(certificate: Certificate, answer: bytes, *, goodbye: bool) -> None:
    """An answer that is shorter than it says is broken off, however its TLS connection ends."""
    async with (
        answering(certificate, answer, goodbye=goodbye) as (url, context),
        Plane(url, upstream_tls=context) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(POST)
        await connection.read_end()
        with pytest.raises(Incomplete):
            parse_responses(bytes(connection.received))
        await plane.outcomes.wait_for(1)
        assert plane.last.upstream_outcome == "truncated"


@pytest.mark.parametrize("spoilt", [False, True])
async def test_a_kept_connection(certificate: Certificate, *, spoilt: bool) -> None:
    """A kept TLS connection serves again, session tickets or not; one with bytes on it does not."""
    heard: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(BODY):
                heard.append(writer)
                writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving(certificate))
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        Plane(url, upstream_tls=trusting(certificate)) as plane,
        RawConnection(plane.port) as connection,
    ):
        for count in range(1, 5):
            start = len(connection.received)
            if spoilt and heard:
                heard[-1].write(OK)
            await connection.send(POST)
            assert [item.body for item in await connection.read_responses(start=start)] == [b"ok"]
            assert len(heard) == count
        assert len(set(heard)) == (4 if spoilt else 1)


@pytest.mark.parametrize("old", [False, True], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_a_broken_answer_to_a_client(certificate: Certificate, *, old: bool) -> None:
    """A broken answer is seen to be broken over TLS too: no end of chunks, or no end but a reset."""
    relayed = asyncio.Event()
    script = [b"HTTP/1.1 200 OK\r\n\r\n", b"abc", relayed, Step.RESET]
    async with Recorder([script]) as upstream, Plane(upstream.url, tls=serving(certificate)) as plane:
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port, ssl=trusting(certificate))
        writer.write(request(b"POST /v1/messages HTTP/1.0") if old else POST)
        content = await reader.readuntil(b"abc")
        relayed.set()
        if old:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            with contextlib.suppress(ConnectionError):
                content += await reader.read()
            with pytest.raises(Incomplete):
                parse_responses(content)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        assert plane.last.upstream_outcome == "truncated"
