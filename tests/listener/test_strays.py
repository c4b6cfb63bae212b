"""Bytes behind the last request of a connection: told once, and never taken for that request's own body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.listener.strays import Strays
from tests.support.held import HeldAudit, Told
from tests.support.plane import GET, POST, Plane, request
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, ok

if TYPE_CHECKING:
    from tests.support.recorder import Script


@pytest.mark.parametrize(
    ("own", "pieces", "count"),
    [
        (0, [b"GET /"], 5),
        (0, [], 0),
        (3, [b"ab"], 0),
        (3, [b"ab", b"cGET", b" /"], 5),
        (3, [b"abc\r\n", b"\r\nGET /", b"\r\n"], 7),
        (0, [b"\r\n\r"], 0),
        (None, [b"GET /"], 0),
    ],
)
def test_neither_the_rest_of_a_body_nor_empty_lines_count(
    own: int | None, pieces: list[bytes], count: int
) -> None:
    strays = Strays(own)
    for piece in pieces:
        strays.take(piece)
    assert (strays.count, strays.came) == (count, sum(map(len, pieces)))


UNKNOWN = request(b"POST /v1/nothing", body=b"x" * 50)
CLOSING = request(b"GET /v1/messages", b"Connection: close", body=b"")
BROKEN = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
CHUNKS = request(framing=b"Transfer-Encoding: chunked", body=b"zz\r\n" + b"a" * 50)


class Case(NamedTuple):
    """What a client sends before it reads, and how many bytes of it are told to have become no request."""

    raw: bytes
    told: int


CLOSED = {
    "another request behind the last one": Case(CLOSING + POST, len(POST)),
    "empty lines behind the last one": Case(CLOSING + b"\r\n\r\n", 0),
    "behind two requests": Case(GET + CLOSING + b"\r\nab", 2),
    "behind a refused body": Case(request(b"POST /v1/messages HTTP/1.0", body=b"{}") + GET, len(GET)),
    "behind a body that was not asked for": Case(UNKNOWN.replace(b"1.1", b"1.0", 1) + GET, len(GET)),
    "a body that was not asked for": Case(UNKNOWN.replace(b"1.1", b"1.0", 1), 0),
    "behind a broken head": Case(BROKEN + POST, 0),
    "behind a broken body": Case(CHUNKS + POST, 0),
}


@pytest.mark.parametrize("split", [False, True], ids=["at once", "while it ends"])
@pytest.mark.parametrize("case", CLOSED.values(), ids=CLOSED)
async def test_what_comes_behind_the_last_answer(case: Case, split: bool) -> None:
    """On a connection that ends after an answer, the rest is told; a refusal's own rest is not."""
    script: list[Script] = [ok()] * 2
    async with Recorder(script) as upstream, Plane(upstream.url, audit=HeldAudit(blocking=False)) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(case.raw if not split else case.raw[: -case.told or None])
            await connection.read_end()
            if split and case.told:
                await connection.send(case.raw[-case.told :])
        await plane.until(lambda: plane.server.connection_count == 0)
        told = [Told("127.0.0.1", "closed", case.told)] if case.told else []
        assert _audit(plane).connections == told


async def test_a_client_that_leaves_while_others_wait() -> None:
    """What was pipelined behind a request under way is told beside that request's record."""
    async with Recorder([[]]) as upstream, Plane(upstream.url, audit=HeldAudit(blocking=False)) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST + GET + POST)
            await upstream.wait_for_requests()
            connection.reset()
            await plane.until(lambda: plane.server.connection_count == 0)
        assert [outcome.code for outcome, _, _ in _audit(plane).records] == ["client_gone"]
        assert _audit(plane).connections == [Told("127.0.0.1", "client_gone", len(GET + POST))]


async def test_a_drain_that_cuts_off() -> None:
    """When the drain's time is over, requests that were never looked at are told with its reason."""
    async with Recorder([[]]) as upstream, Plane(upstream.url, audit=HeldAudit(blocking=False)) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST + GET)
            await upstream.wait_for_requests()
            await plane.listener.drain()
            await connection.read_end()
        assert _audit(plane).connections == [Told("127.0.0.1", "draining", len(GET))]


async def test_a_client_that_leaves_before_its_refusal_is_recorded() -> None:
    """The refused request's own body is nobody's request, though it is still there to be dropped."""
    for behind in (b"", GET):
        async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
            async with RawConnection(plane.port) as connection:
                await connection.send(UNKNOWN + behind)
                await _audit(plane).waits()
                connection.reset()
                await plane.until(lambda: plane.server.connection_count == 0)
            told = [Told("127.0.0.1", "client_gone", len(behind))] if behind else []
            assert _audit(plane).connections == told
            _audit(plane).release()


def _audit(plane: Plane) -> HeldAudit:
    audit = plane.server.audit
    assert isinstance(audit, HeldAudit)
    return audit
