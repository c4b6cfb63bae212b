"""``sent_hmac``: what leaves for the upstream is signed as it leaves, so that it can be compared."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.instance import Keys
from gateway.audit.record import Judged
from gateway.audit.records import Marks
from gateway.audit.start import take_over
from gateway.audit.trail import AuditTrail
from gateway.config.model import Audit
from gateway.listener.ids import RequestIds
from gateway.upstream.headers import RequestHeaders
from tests.support import ledgers
from tests.support.held import HeldAudit
from tests.support.plane import BODY, GET, POST, Plane, code_of, request
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.core.types import Permit
    from gateway.ports import Client

EMPTY_LINE = b'{"text":\r\n\r\n"hello"}'
FORWARDED = {
    "a body": (POST, BODY),
    "an empty line in the body": (request(body=EMPTY_LINE), EMPTY_LINE),
    "chunks": (request(body=b"5\r\n" + BODY[:5] + b"\r\nc\r\n" + BODY[5:] + b"\r\n0\r\n\r\n",
                       framing=b"Transfer-Encoding: chunked"), BODY),
    "gzip": (request(b"POST /v1/messages", b"Content-Encoding: gzip", body=gzip.compress(BODY)), BODY),
    "no body": (GET, b""),
}  # fmt: skip


async def judged_and_sent(
    raw: bytes, upstream: Recorder, *, tell_sent: bool = True
) -> tuple[object, list[bytes]]:
    """Ask through a gateway: what its trail was told of the body, and the bodies that the upstream got."""
    audit = HeldAudit()
    async with (
        Plane(upstream.url, audit=audit, tell_sent=tell_sent) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        await audit.waits()
        audit.release()
        await connection.read_responses()
    ((_, _, told),) = audit.records
    return told, [found.body for found in upstream.requests]


@pytest.mark.parametrize("tell_sent", [True, False])
@pytest.mark.parametrize(("raw", "body"), FORWARDED.values(), ids=FORWARDED)
async def test_what_is_told_is_what_arrives(raw: bytes, body: bytes, tell_sent: bool) -> None:
    """The body behind the first empty line, once; and nothing where nobody asks for it."""
    async with Recorder() as upstream:
        told, arrived = await judged_and_sent(raw, upstream, tell_sent=tell_sent)
    assert told == ((body, body) if tell_sent else body)
    assert arrived == [body]


@pytest.mark.parametrize("script", [[Step.CLOSE], [Step.RESET], [b"nonsense"]])
async def test_what_was_sent_is_told_whatever_comes_back(script: list[Any]) -> None:
    """That the upstream did not answer does not undo that it was sent."""
    async with Recorder([script]) as upstream:
        assert await judged_and_sent(POST, upstream) == ((BODY, BODY), [BODY])


async def test_a_refused_request_is_not_sent() -> None:
    """Judged, and no more."""
    bad = b'{"text": 1}'
    async with Recorder() as upstream:
        assert await judged_and_sent(request(body=bad), upstream) == (bad, [])


async def test_an_upstream_that_cannot_be_reached() -> None:
    """Judged, and permitted, and never sent."""
    async with Recorder() as upstream:
        pass
    assert await judged_and_sent(POST, upstream) == (BODY, [])


async def test_a_connection_that_has_ended_was_not_sent_on() -> None:
    """Of a request that goes to another connection the body is told once: of what really left."""
    audit = HeldAudit()
    async with (
        Recorder() as upstream,
        Plane(upstream.url, audit=audit, tell_sent=True) as plane,
        RawConnection(plane.port) as connection,
    ):
        for number in (1, 2):
            await connection.send(POST)
            await audit.waits()
            audit.release()
            await connection.read_responses(number)
            upstream.connections[0].abort()
        assert len(upstream.connections) == 2
        assert len(upstream.requests) == 2
    assert [told for _, _, told in audit.records] == [(BODY, BODY)] * 2


@pytest.fixture
async def trail(tmp_path: Path) -> AsyncIterator[AuditTrail]:
    """Give a trail; its records are on disk afterwards."""
    marks = Marks(RequestIds().next, time.time)
    stream = take_over(tmp_path, ledgers.NAME, marks)
    settings = Audit.model_construct(durability="blocking", content="none")
    made = AuditTrail(asyncio.get_running_loop(), stream, Keys(tmp_path), settings, marks, None, print)
    yield made
    assert made.close(5)


async def test_what_is_signed(trail: AuditTrail, tmp_path: Path) -> None:
    """A body with the key that is in use; an empty one only where another one was judged."""
    sign = Keys(tmp_path).sign
    judged = Judged(sign(BODY), None, ("team",))
    assert trail.sent(judged, BODY) == judged._replace(sent=judged.hmac)
    assert trail.sent(judged, b"") == judged._replace(sent=sign(b""))
    bare = Judged(None, None, ())
    assert trail.sent(bare, b"") is bare
    assert trail.sent(bare, BODY) == bare._replace(sent=sign(BODY))


@pytest.mark.parametrize("other", [BODY[:-1] + b" }", BODY[:-1], b""])
async def test_another_body_would_show(
    trail: AuditTrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: bytes
) -> None:
    """Were other bytes handed to the socket than were judged, the record would say so."""
    build = RequestHeaders.build

    def forge(headers: RequestHeaders, permit: Permit, client: Client) -> bytes:
        return build(headers, permit._replace(body=other), client)

    monkeypatch.setattr(RequestHeaders, "build", forge)
    async with (
        Recorder() as upstream,
        Plane(upstream.url, audit=trail, tell_sent=True) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(POST)
        (answer,) = await connection.read_responses()
        assert (answer.status, code_of(answer)) == (200, None)
        assert [found.body for found in upstream.requests] == [other]
    sign = Keys(tmp_path).sign
    record = json.loads(ledgers.lines(tmp_path)[-1])
    assert (record["body_hmac"], record["sent_hmac"]) == (sign(BODY), sign(other))
