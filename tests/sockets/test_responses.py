"""What upstreams answer, on real sockets: relayed as it came, or refused and the connection thrown away."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.types import Decision, Phase
from tests.support.plane import BODY, GET, POST, Plane, code_of, request
from tests.support.raw import Incomplete, RawConnection, exchange, parse_responses
from tests.support.recorder import Recorder, Step, chunked, ok

HEAD = request(b"HEAD /v1/messages", body=b"")
OLD = request(b"POST /v1/messages HTTP/1.0")
CRLF = b"\r\n"


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return CRLF.join([status, *lines]) + CRLF * 2


BAD = {
    "garbage": b"hello, world\r\n\r\n",
    "an empty line first": CRLF + head(b"Content-Length: 0"),
    "NUL bytes": b"\x00" * 64,
    "CL and TE": head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    "TE and CL": head(b"Transfer-Encoding: chunked", b"Content-Length: 3") + b"3\r\nabc\r\n0\r\n\r\n",
    "two equal CLs": head(b"Content-Length: 3", b"Content-Length: 3") + b"abc",
    "two CLs": head(b"Content-Length: 3", b"Content-Length: 4") + b"abc",
    "CL of a list": head(b"Content-Length: 3, 3") + b"abc",
    "CL +3": head(b"Content-Length: +3") + b"abc",
    "CL -3": head(b"Content-Length: -3") + b"abc",
    "CL 0x3": head(b"Content-Length: 0x3") + b"abc",
    "CL 3x": head(b"Content-Length: 3x") + b"abc",
    "CL empty": head(b"Content-Length:") + b"abc",
    "CL too long": head(b"Content-Length: 99999999999999999999999") + b"abc",
    "space before the colon": head(b"Content-Length : 3") + b"abc",
    "obs-fold": head(b"X-A: b\r\n c", b"Content-Length: 3") + b"abc",
    "obs-fold in CL": head(b"Content-Length: 1\r\n 3") + b"abc",
    "TE gzip": head(b"Transfer-Encoding: gzip") + b"abc",
    "TE gzip, chunked": head(b"Transfer-Encoding: gzip, chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    "TE chunked, gzip": head(b"Transfer-Encoding: chunked, gzip") + b"3\r\nabc\r\n0\r\n\r\n",
    "TE twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    "TE identity": head(b"Transfer-Encoding: identity") + b"abc",
    "NUL in a value": head(b"X-A: b\x00c", b"Content-Length: 3") + b"abc",
    "control byte in a value": head(b"X-A: b\x01c", b"Content-Length: 3") + b"abc",
    "control byte in a name": head(b"X-\x01A: b", b"Content-Length: 3") + b"abc",
    "no colon": head(b"X-A", b"Content-Length: 3") + b"abc",
    "no name": head(b": b", b"Content-Length: 3") + b"abc",
    "bare CR in a value": head(b"X-A: b\rX-B: c", b"Content-Length: 3") + b"abc",
    "bare LF in a value": head(b"X-A: b\nX-B: c", b"Content-Length: 3") + b"abc",
    "bare LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "status 000": head(b"Content-Length: 3", status=b"HTTP/1.1 000 OK") + b"abc",
    "status 099": head(b"Content-Length: 3", status=b"HTTP/1.1 099 OK") + b"abc",
    "status 600": head(b"Content-Length: 3", status=b"HTTP/1.1 600 OK") + b"abc",
    "status 999": head(b"Content-Length: 3", status=b"HTTP/1.1 999 OK") + b"abc",
    "status 20": head(b"Content-Length: 3", status=b"HTTP/1.1 20 OK") + b"abc",
    "status 2000": head(b"Content-Length: 3", status=b"HTTP/1.1 2000 OK") + b"abc",
    "status x": head(b"Content-Length: 3", status=b"HTTP/1.1 2x0 OK") + b"abc",
    "101": head(b"Connection: upgrade", b"Upgrade: x", status=b"HTTP/1.1 101 Switching Protocols") + b"abc",
    "101 alone": head(status=b"HTTP/1.1 101 Switching Protocols"),
    "HTTP/2.0": head(b"Content-Length: 3", status=b"HTTP/2.0 200 OK") + b"abc",
    "HTTP/1.2": head(b"Content-Length: 3", status=b"HTTP/1.2 200 OK") + b"abc",
    "HTTP/0.9": head(b"Content-Length: 3", status=b"HTTP/0.9 200 OK") + b"abc",
    "RTSP": head(b"Content-Length: 3", status=b"RTSP/1.0 200 OK") + b"abc",
    "ICY": head(b"Content-Length: 3", status=b"ICY 200 OK") + b"abc",
    "HTP": head(b"Content-Length: 3", status=b"HTP/1.1 200 OK") + b"abc",
    "a request": GET,
    "NUL in the reason": head(b"Content-Length: 3", status=b"HTTP/1.1 200 O\x00K") + b"abc",
    "204 with a length": head(b"Content-Length: 3", status=b"HTTP/1.1 204 No Content") + b"abc",
    "204 with chunks": head(b"Transfer-Encoding: chunked", status=b"HTTP/1.1 204 No Content") + b"0\r\n\r\n",
    "a large head": head(*[b"X-%d: " % n + b"a" * 1000 for n in range(80)], b"Content-Length: 3") + b"abc",
    "a large head without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000,
    "many fields": head(*[b"X-%d: a" % n for n in range(300)], b"Content-Length: 3") + b"abc",
    "interim without end": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3000,
    "interim with a body": head(b"Content-Length: 3", status=b"HTTP/1.1 103 Early Hints") + b"abc",
    "chunk size Z": head(b"Transfer-Encoding: chunked") + b"Z\r\nabc\r\n0\r\n\r\n",
    "chunk size +3": head(b"Transfer-Encoding: chunked") + b"+3\r\nabc\r\n0\r\n\r\n",
    "chunk size huge": head(b"Transfer-Encoding: chunked") + b"f" * 40 + CRLF,
}
LATE = head(b"Transfer-Encoding: chunked") + b"2\r\nabc\r\n0\r\n\r\n"
"""An answer that goes wrong behind its first, good piece."""


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_malformed(answer: bytes) -> None:
    """A malformed answer is a 502, its connection is dropped, and the next request is served by another."""
    async with Recorder([[answer, Step.SILENCE]]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert (found.status, found.code, found.closed) == (502, "upstream_protocol_error", False)
        assert found.response.header("x-should-retry") == "false"
        await upstream.connections[0].gone.wait()
        outcome = plane.outcomes[0]
        assert (outcome.status, outcome.decision) == (502, Decision.ERROR)
        assert (outcome.code, outcome.upstream_outcome) == ("upstream_protocol_error", "protocol")
        assert len(upstream.connections) == 2
        assert len(upstream.connections[0].requests) == 1


async def test_malformed_byte_by_byte() -> None:
    """However a malformed answer is cut, it is a 502 or breaks, and never looks whole."""
    bad = [BAD[name] for name in ("obs-fold", "TE and CL", "status 999", "NUL in a value", "RTSP")]
    for raw in [*bad, LATE]:
        answer = [b"%c" % byte for byte in raw]
        async with Recorder([[*answer, Step.SILENCE]]) as upstream, Plane(upstream.url) as plane:
            content = await exchange(plane.port, POST)
            assert plane.last.decision is Decision.ERROR
            assert plane.last.code == "upstream_protocol_error"
            if not content.startswith(b"HTTP/1.1 502 "):
                with pytest.raises(Incomplete):
                    parse_responses(content)


@pytest.mark.parametrize(
    ("script", "body"),
    [
        pytest.param(ok(b"abc"), b"abc", id="length"),
        pytest.param(ok(b""), b"", id="empty"),
        pytest.param(chunked(b"a", b"bc"), b"abc", id="chunked"),
        pytest.param(chunked(), b"", id="chunked, empty"),
        pytest.param([head(b"Content-Type: x"), b"ab", b"c", Step.CLOSE], b"abc", id="until the end"),
        pytest.param([head(), Step.CLOSE], b"", id="until the end, empty"),
        pytest.param(
            [head(b"Transfer-Encoding: chunked"), b"3;x=y\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n"],
            b"abc",
            id="extension and trailer",
        ),
        pytest.param(
            [head(b"Content-Length: 3", b"Connection: close"), b"abc", Step.CLOSE], b"abc", id="close"
        ),
        pytest.param([head(b"Content-Length: 3", status=b"HTTP/1.0 200 OK") + b"abc"], b"abc", id="1.0"),
        pytest.param([head(status=b"HTTP/1.1 204 No Content")], b"", id="204"),
        pytest.param(
            [head(b"Content-Length: 0", status=b"HTTP/1.1 204 No Content")], b"", id="204, length 0"
        ),
        pytest.param([head(b"Content-Length: 9", status=b"HTTP/1.1 304 Not Modified")], b"", id="304"),
        pytest.param([head(status=b"HTTP/1.1 304 Not Modified")], b"", id="304, no length"),
        pytest.param([head(b"Content-Length: 3", status=b"HTTP/1.1 500 Oops") + b"abc"], b"abc", id="500"),
        pytest.param([head(b"Content-Length: 3", status=b"HTTP/1.1 302 Found") + b"abc"], b"abc", id="302"),
        pytest.param([head(b"Content-Length: 3", status=b"HTTP/1.1 599 \xe4") + b"abc"], b"abc", id="599"),
        pytest.param([head(status=b"HTTP/1.1 100 Continue"), *ok(b"abc")], b"abc", id="100"),
        pytest.param(
            [head(b"Link: x", status=b"HTTP/1.1 103 Early Hints") * 3 + head(b"Content-Length: 3"), b"abc"],
            b"abc",
            id="103",
        ),
    ],
)
@pytest.mark.parametrize("old", [False, True], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_relayed(script: list[bytes], body: bytes, *, old: bool) -> None:
    """A good answer is relayed whole in every framing, to both versions of HTTP; interim ones are not."""
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        content = await exchange(plane.port, OLD if old else POST)
        (found,) = parse_responses(content, closed=True)
        assert found.body == body
        assert (found.header("transfer-encoding") is None) or not old
        assert found.header("connection") == ("close" if old else None)
        outcome = plane.last
        assert (outcome.decision, outcome.status, outcome.phase) == (
            Decision.ALLOW,
            found.status,
            Phase.RELAY,
        )
        assert (outcome.upstream_status, outcome.upstream_outcome) == (found.status, "complete")
        assert (outcome.bytes_in, outcome.bytes_out) == (len(BODY), len(body))
        await plane.served()


@pytest.mark.parametrize(
    ("script", "length"),
    [
        pytest.param([head(b"Content-Length: 12")], "12", id="length"),
        pytest.param([head(b"Transfer-Encoding: chunked")], None, id="chunked"),
        pytest.param([head()], None, id="nothing"),
        pytest.param([head(b"Content-Length: 0")], "0", id="zero"),
        pytest.param([head(b"Content-Length: 3") + b"abc"], "3", id="a body against the rules"),
    ],
)
async def test_answer_to_head(script: list[bytes], length: str | None) -> None:
    """HEAD is answered without a body whatever the head announces, and the connection stays in step."""
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(HEAD, head=True)
        assert (found.status, found.closed) == (200, False)
        assert found.response.header("content-length") == length
        assert (plane.outcomes[0].method, plane.outcomes[0].bytes_out) == ("HEAD", 0)
        assert [request.method for request in upstream.requests] == ["HEAD", "GET"]


async def test_refusals_answer_head_without_body() -> None:
    """A refused HEAD gets the head of the refusal only."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(HEAD.replace(b"messages", b"x"), head=True)
        assert (found.status, found.closed) == (404, False)
        assert int(found.response.header("content-length") or 0) > 0


async def test_events_arrive_one_by_one() -> None:
    """Each server-sent event is with the client before the upstream sends the next one."""
    sent = [asyncio.Event() for _ in range(5)]
    script: list[bytes | asyncio.Event] = [
        head(b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked")
    ]
    for number, event in enumerate(sent):
        text = b"data: %d\n\n" % number
        script += [event, b"%x\r\n%b\r\n" % (len(text), text)]
    async with Recorder([[*script, b"0\r\n\r\n"]]) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            await connection.read_until(CRLF * 2)  # the head does not wait for the first event
            for number, event in enumerate(sent):
                assert b"data: %d" % number not in connection.received
                event.set()
                await connection.read_until(b"data: %d\n\n" % number)
            (found,) = await connection.read_responses()
            assert found.body == b"".join(b"data: %d\n\n" % number for number in range(5))
        assert plane.last.decision is Decision.ALLOW


BROKEN = {
    "length, half": [head(b"Content-Length: 6"), b"abc", Step.CLOSE],
    "length, half, reset": [head(b"Content-Length: 6"), b"abc", Step.RESET],
    "length, nothing": [head(b"Content-Length: 6"), Step.CLOSE],
    "chunked, no end": [head(b"Transfer-Encoding: chunked"), b"3\r\nabc\r\n", Step.CLOSE],
    "chunked, half a chunk": [head(b"Transfer-Encoding: chunked"), b"6\r\nabc", Step.CLOSE],
    "chunked, no trailers": [head(b"Transfer-Encoding: chunked"), b"3\r\nabc\r\n0\r\n", Step.CLOSE],
    "chunked, garbage": [head(b"Transfer-Encoding: chunked"), b"3\r\nabc\r\n", b"?", Step.SILENCE],
    "until the end, reset": [head(), b"abc", Step.RESET],
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("old", [False, True], ids=["HTTP/1.1", "HTTP/1.0"])
async def test_truncated(script: list[bytes | Step], *, old: bool) -> None:
    """A response that breaks off is broken off, or a 502 while nothing of it is out; it never looks whole."""
    relayed = asyncio.Event()
    steps = [*script[:-1], relayed, script[-1]]
    if script is BROKEN["chunked, garbage"]:
        steps = [*script[:-2], relayed, *script[-2:]]
    async with Recorder([steps]) as upstream, Plane(upstream.url) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(OLD if old else POST)
            await connection.read_until(CRLF * 2)
            if b"abc" in b"".join(item for item in script[1:] if isinstance(item, bytes)):
                await connection.read_until(b"abc")
            relayed.set()
            await connection.read_end()
            if b"ontent-length" in connection.received or not old:
                with pytest.raises(Incomplete):
                    parse_responses(bytes(connection.received), closed=True)
            else:
                assert connection.was_reset
        await plane.outcomes.wait_for(1)
        outcome = plane.last
        assert (outcome.status, outcome.decision) == (200, Decision.ERROR)
        assert outcome.code == "upstream_protocol_error"
        assert outcome.upstream_outcome in ("truncated", "protocol")
        await plane.served()


@pytest.mark.parametrize(
    ("step", "code"),
    [(Step.CLOSE, "upstream_unreachable"), (Step.RESET, "upstream_unreachable")],
    ids=["closed", "reset"],
)
@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\nX: y\r\n", head(status=b"HTTP/1.1 100 Continue")]
)
async def test_no_answer(step: Step, code: str, begun: bytes) -> None:
    """A connection that ends before the answer's head is a 502; the POST is not sent a second time."""
    async with Recorder([[begun, step]]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert (found.status, found.code, found.closed) == (502, code, False)
        assert found.response.header("x-should-retry") == "false"
        assert [request.method for request in upstream.requests] == ["POST", "GET"]
        assert (plane.outcomes[0].upstream_outcome, plane.outcomes[0].upstream_attempts) == ("reset", 1)


@pytest.mark.parametrize(
    "extra", [b"x", head(b"Content-Length: 3") + b"bad", b"\x00"], ids=["x", "response", "NUL"]
)
@pytest.mark.parametrize("together", [True, False])
async def test_bytes_after_the_end(extra: bytes, *, together: bool) -> None:
    """What an upstream sends beyond its answer reaches nobody, and costs it the connection."""
    more = asyncio.Event()
    answer = b"".join(item for item in ok(b"good") if isinstance(item, bytes))
    script = [answer + extra] if together else [answer, more, extra]
    async with (
        Recorder([[*script, Step.SILENCE]], default=ok(b"next")) as upstream,
        Plane(upstream.url) as plane,
    ):
        async with RawConnection(plane.port) as connection:
            await connection.send(POST)
            assert [item.body for item in await connection.read_responses()] == [b"good"]
            more.set()
            await upstream.connections[0].gone.wait()
            start = len(connection.received)
            await connection.send(POST)
            assert [item.body for item in await connection.read_responses(start=start)] == [b"next"]
        assert [len(item.requests) for item in upstream.connections] == [1, 1]
        assert [outcome.decision for outcome in plane.outcomes] == [Decision.ALLOW] * 2


async def test_early_answer_while_the_request_is_being_sent() -> None:
    """An answer before the upstream took the whole request is relayed; the connection is not reused."""
    body = b'{"text": "%b"}' % (b"x" * (8 * 1024 * 1024 - 100))
    early = [Step.PAUSE, *ok(b"early", status=b"413 Content Too Large"), Step.SILENCE]
    async with Recorder([early], at="head") as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(request(b"POST /v1/big", body=body))
        assert (found.status, found.response.body, found.closed) == (413, b"early", False)
        assert len(upstream.connections) == 2
        assert upstream.connections[0].requests == []


async def test_nothing_is_injected() -> None:
    """Bytes of an answer's head reach the client as they came: no field, line or response is made of them."""
    value = b'a\xc3\xa4"\\r\\n%0d%0a\tb'
    script = [
        head(b"X-A: " + value, b"X-Request-Id: u-1", b"Content-Length: 2", status=b"HTTP/1.1 200 \xff")
        + b"ok"
    ]
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert found.response.reason == ""
        assert found.response.header("x-a") == value.decode("latin-1")
        assert found.response.header("x-upstream-request-id") == "u-1"
        assert {name.lower() for name, _ in found.response.headers} == {
            "x-a", "content-length", "x-request-id", "x-upstream-request-id",
        }  # fmt: skip


async def test_code_of_relayed_errors() -> None:
    """An upstream's own refusal is the upstream's: relayed as it is, and recorded as allowed."""
    script = ok(b'{"error": {"code": "theirs"}}', status=b"400 Bad Request")
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert (found.status, code_of(found.response)) == (400, "theirs")
        assert (plane.outcomes[0].code, plane.outcomes[0].decision) == (None, Decision.ALLOW)
