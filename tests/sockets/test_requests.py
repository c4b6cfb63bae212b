"""Raw requests on real sockets: the stated answer, nothing upstream, one Outcome, the next one served."""

from __future__ import annotations

import re

import pytest

from gateway.core.types import Decision
from tests.sockets.cases import CASES, CHUNKED, CHUNKS, CONTINUE, DROPPED, REFUSED, SERVED, Case, chunks, get
from tests.support.plane import BODY, GET, POST, SMALL, Plane, request
from tests.support.raw import RawConnection, exchange, parse_responses
from tests.support.recorder import Recorder

_OF_THIS_HOP = frozenset(
    ["connection", "expect", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"]
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_refused(case: Case) -> None:
    """A refused request gets its code, leaves no byte upstream and one Outcome; the next one is served."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(case.raw)
        assert (answer.status, answer.code, answer.closed) == (case.status, case.code, case.closed)
        assert answer.response.header("x-should-retry") == "false"
        assert answer.response.header("x-request-id") == plane.outcomes[0].request_id
        assert len(plane.outcomes) == (1 if case.closed else 2)
        outcome = plane.outcomes[0]
        assert (outcome.status, outcome.code) == (case.status, case.code)
        assert (outcome.decision, outcome.upstream_attempts) == (Decision.REJECT, 0)
        # All that came upstream is what the next request alone has sent there, byte for byte.
        came = upstream.raw
        await exchange(plane.port, GET)
        assert came == (b"" if case.closed else upstream.raw[len(came) :])
        await plane.served()


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.name)
async def test_served(case: Case) -> None:
    """An odd but right request goes upstream once, its target and body as they came, nothing of this hop."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(case.raw)
        assert (answer.status, answer.code, answer.closed) == (200, None, case.closed)
        first = upstream.requests[0]
        assert first.body in (BODY, b"")
        assert not first.chunked
        assert first.body == (BODY if BODY[4:] in case.raw else b"")
        line = case.raw.lstrip(b"\r\n").partition(b"\r\n")[0].decode()
        assert re.fullmatch(
            rf"{first.method} (?i:https?://[^/]*)?{re.escape(first.target)} HTTP/1.[01]", line
        )
        assert first.header("host") == upstream.url.removeprefix("http://")
        assert _OF_THIS_HOP.isdisjoint(name.lower() for name, _ in first.headers)
        assert DROPPED not in upstream.raw
        outcome = plane.outcomes[0]
        assert (outcome.status, outcome.code, outcome.decision) == (200, None, Decision.ALLOW)
        assert (outcome.upstream_attempts, outcome.bytes_in) == (1, len(first.body))
        assert (len(plane.outcomes), len(upstream.requests)) == ((1, 1) if case.closed else (2, 2))
        await plane.served()


def test_the_table_is_long() -> None:
    """The table holds what it is meant to."""
    assert len({case.name for case in CASES}) == len({case.raw for case in CASES}) == len(CASES) > 750


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that come together are answered one after the other, refused ones among them too."""
    scripts = [[b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\nx" % n] for n in range(3)]
    wrong = POST.replace(BODY, b'{"text": 1234567}')
    async with Recorder(scripts) as upstream, Plane(upstream.url) as plane:
        answers = await _statuses(plane, POST + wrong + GET + wrong + POST, 5)
        assert answers == [200, 400, 201, 400, 202]
        assert [request.method for request in upstream.requests] == ["POST", "GET", "POST"]
        assert [outcome.status for outcome in plane.outcomes] == answers


async def test_a_doubtful_request_ends_the_pipeline() -> None:
    """What follows a request whose end is in doubt is never taken for a request."""
    doubtful = POST.replace(b"Content-Length", b"Content-Length : 3\r\nX")
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, POST + doubtful + POST, 3) == [200, 400]
        assert len(upstream.requests) == 1
        assert len(plane.outcomes) == 2


_SMUGGLED = request(body=b'{"text": "smuggled"}')
_ENDINGS = {
    "chunks that nobody asked for": (request(b"POST /v1/x", framing=CHUNKED, body=CHUNKS), 404),
    "a chunk that is too large": (chunks(b"%x\r\n" % (SMALL + 1) + _SMUGGLED), 413),
    "a length that is too large": (request(framing=b"Content-Length: %d" % (SMALL + 1), body=_SMUGGLED), 413),
    "a length that is far too large": (
        request(b"POST /v1/x", framing=b"Content-Length: 999999", body=b""),
        404,
    ),
    "a broken chunk": (chunks(b"5\r\nhello0\r\n\r\n"), 400),
    "an expectation": (request(b"POST /v1/x", CONTINUE, body=_SMUGGLED), 404),
    "an unknown expectation": (request(b"POST /v1/messages", b"Expect: x"), 417),
    "a second Content-Type": (request(b"POST /v1/messages", b"Content-Type: text/plain"), 415),
    "a close": (request(b"POST /v1/x", b"Connection: close"), 404),
    "HTTP/1.0": (request(b"POST /v1/x HTTP/1.0"), 404),
    "CONNECT": (request(b"CONNECT /v1/messages", body=_SMUGGLED), 400),
    "a preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a line that is too long": (get(b"/" + b"a" * 9000), 414),
    "a field that is too long": (get(b"/", b"X-A: " + b"a" * 17_000), 431),
}


@pytest.mark.parametrize(("raw", "status"), _ENDINGS.values(), ids=_ENDINGS)
async def test_what_ends_a_pipeline(raw: bytes, status: int) -> None:
    """Behind a refused request whose body's end is uncertain nothing is taken for a request, body or not."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, POST + raw + _SMUGGLED + GET, 4) == [200, status]
        assert [request.body for request in upstream.requests] == [BODY]
        assert b"smuggled" not in upstream.raw
        assert [outcome.status for outcome in plane.outcomes] == [200, status]
        await plane.served()


async def test_a_refused_body_of_known_length_ends_nothing() -> None:
    """What is a refused request's body by its length is dropped, whatever it looks like."""
    refused = request(b"POST /v1/x", body=_SMUGGLED + b"\r\n" + _SMUGGLED)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, POST + refused + GET + refused + POST, 5) == [200, 404, 200, 404, 200]
        assert [request.method for request in upstream.requests] == ["POST", "GET", "POST"]
        assert b"smuggled" not in upstream.raw


async def test_a_continue_in_a_pipeline() -> None:
    """100 comes in its turn: behind the answer before, and not at all where the body is there."""
    head, _, body = request(b"POST /v1/messages", CONTINUE).partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(POST + head + body + POST + head)
        await connection.read_until(b"100 Continue\r\n\r\n")
        await connection.send(body + GET)
        found = await connection.read_responses(5)
        assert [item.status for item in found] == [200, 200, 200, 100, 200, 200]
        assert [request.method for request in upstream.requests] == ["POST"] * 4 + ["GET"]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_body_at_its_limit(*, chunked: bool) -> None:
    """A body of just as many bytes as it may have goes upstream, one of one byte more is refused."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for more, expected in ((0, (200, None, False)), (1, (413, "body_too_large", True))):
            body = b'{"text": "%b"}' % (b"x" * (SMALL - 12 + more))
            raw = chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)) if chunked else request(body=body)
            answer = await plane.ask(raw)
            assert (answer.status, answer.code, answer.closed) == expected
        assert [len(found.body) for found in upstream.requests if found.method == "POST"] == [SMALL]


async def test_garbage_behind_a_request() -> None:
    """Garbage that comes while an answer is due is refused behind it, in bounded memory."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, POST + b"\x00" * 1_000_000, 2) == [200, 400]
        assert len(upstream.requests) == 1
        assert [outcome.status for outcome in plane.outcomes] == [200, 400]


@pytest.mark.parametrize("raw", [b"PRI * HTTP/2.0\r\n\r\n", b"EHLO a\r\n", b"GET /v1/messages\r\n"])
async def test_other_protocols_wait_for_no_deadline(raw: bytes) -> None:
    """What speaks another protocol, and waits for an answer to its first packet, is told so at once."""
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as connection:
        await connection.send(raw)
        (found,) = parse_responses(await connection.read_end())
        assert (found.status, len(plane.outcomes), upstream.raw) == (400, 1, b"")
        await connection.send(b"SM\r\n\r\n")
        await plane.served()


_HEAD = request(b"POST /v1/messages", b"X-A: b").partition(BODY)[0]


@pytest.mark.parametrize("byte", [b"\r", b"\n", b"\x00", b"\x0b", b"\x1b", b"\x7f"])
async def test_a_byte_anywhere_in_a_head(byte: bytes) -> None:
    """A CR or LF of its own, or a control byte, is refused wherever in a head it stands."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for place in range(len(_HEAD) - 1):
            content = await exchange(plane.port, _HEAD[:place] + byte + _HEAD[place:] + BODY)
            (found,) = parse_responses(content)
            assert (found.status, found.header("connection")) == (400, "close"), place
        assert upstream.raw == b""
        assert [outcome.status for outcome in plane.outcomes] == [400] * (len(_HEAD) - 1)
        await plane.served()


async def test_many_pipelined_requests() -> None:
    """More than the listener keeps of pipelined requests is taken off the socket bit by bit."""
    raw = request(body=b'{"text": "%b"}' % (b"x" * 4000))
    count = 64
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        assert await _statuses(plane, raw * count, count) == [200] * count
        assert len(upstream.requests) == len(plane.outcomes) == count


async def _statuses(plane: Plane, raw: bytes, count: int) -> list[int]:
    content = await exchange(plane.port, raw, responses=count)
    return [item.status for item in parse_responses(content)]
