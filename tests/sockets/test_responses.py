"""What upstreams answer, on real sockets: relayed as it came, or refused and the connection thrown away."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.core.types import Decision, Phase
from gateway.observe.requests import JsonRequest, console_fields
from tests.sockets.answers import BAD, CRLF, LATE, head
from tests.support.plane import BODY, POST, Plane, code_of, request
from tests.support.raw import Incomplete, RawConnection, exchange, parse_responses
from tests.support.recorder import Recorder, Step, chunked, ok

HEAD = request(b"HEAD /v1/messages", body=b"")
OLD = request(b"POST /v1/messages HTTP/1.0")


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


@pytest.mark.parametrize(
    "raw",
    [*(raw for raw in BAD.values() if len(raw) < 300), *LATE.values()],
    ids=[*(name for name, raw in BAD.items() if len(raw) < 300), *LATE],
)
async def test_malformed_byte_by_byte(raw: bytes) -> None:
    """However a malformed answer is cut, it is a 502 or breaks, and never looks whole."""
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


BIG = request(b"POST /v1/big", body=b'{"text": "%b"}' % (b"x" * (8 * 1024 * 1024 - 100)))
"""A request that no socket takes whole unless it is read."""


async def test_early_answer_while_the_request_is_being_sent() -> None:
    """An answer before the upstream took the whole request is relayed; the connection is not reused."""
    early = [Step.PAUSE, *ok(b"early", status=b"413 Content Too Large"), Step.SILENCE]
    async with Recorder([early], at="head") as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(BIG)
        assert (found.status, found.response.body, found.closed) == (413, b"early", False)
        assert len(upstream.connections) == 2
        assert upstream.connections[0].requests == []


async def test_early_answer_that_breaks() -> None:
    """An early answer that breaks off is broken off, though the request could not be sent whole."""
    relayed = asyncio.Event()
    for framing in ((b"Content-Length: 6",), (b"Transfer-Encoding: chunked",), ()):
        piece = b"3\r\nabc\r\n" if framing == (b"Transfer-Encoding: chunked",) else b"abc"
        early = [Step.PAUSE, head(*framing) + piece, relayed, Step.RESET]
        async with (
            Recorder([early], at="head") as upstream,
            Plane(upstream.url) as plane,
            RawConnection(plane.port) as connection,
        ):
            await connection.send(BIG)
            await connection.read_until(b"abc")
            relayed.set()
            await connection.read_end()
            with pytest.raises(Incomplete):
                parse_responses(bytes(connection.received))
            assert plane.last.upstream_outcome == "truncated"
            await plane.served()


async def test_early_refusal_and_hanging_up() -> None:
    """An upstream that refuses early and hangs up: its answer or a 502, whichever the kernels let through."""
    early = [Step.PAUSE, *ok(b"early", b"Connection: close", status=b"413 Content Too Large"), Step.CLOSE]
    async with Recorder([early], at="head") as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(BIG)
        if found.status == 413:
            assert found.response.body == b"early"
        else:
            assert (found.status, found.code) == (502, "upstream_unreachable")
            assert found.response.header("x-should-retry") == "false"
        assert [item.method for item in upstream.requests] == ["GET"]


@pytest.mark.parametrize(
    ("lines", "reason", "fields"),
    [
        ([b'X-A: a\xc3\xa4"\\r\\n%0d%0a\tb'], b"\xff", {"x-a"}),
        ([b"X-A: \x80\x9b2J\x85\x9f"], b"\x9b2J", {"x-a"}),
        ([b"X-A:", b"X-B:\t \t"], b"a" * 129, {"x-a", "x-b"}),
        ([b"X-Request-Id: u-1", b"X-Request-Id: u-2"], b"", {"x-upstream-request-id"}),
        ([b"X-Request-Id: u-1", b"Connection: x-request-id"], b"", {"x-upstream-request-id"}),
        ([b"X-Upstream-Request-Id: forged", b"X-Gateway-Would-Reject: 3"], b"", set()),
        ([b"Set-Cookie: a=b", b"Connection: x, y", b"X: 1", b"Y: 2"], b"", {"set-cookie"}),
        ([b"Connection: content-length, transfer-encoding, set-cookie", b"Set-Cookie: a"], b"", set()),
        ([b"Connection: close, keep-alive", b"Keep-Alive: timeout=5, max=9", b"Trailer: a"], b"", set()),
        ([b"Proxy-Connection: close", b"Proxy-Authenticate: x", b"Upgrade: h2c", b"TE: a"], b"", set()),
        ([b"X-Should-Retry: true", b"Via: 1.1 a", b"Date: x"], b"", {"x-should-retry", "via", "date"}),
        ([b"Content_Length: 9", b"Transfer_Encoding: x"], b"", {"content_length", "transfer_encoding"}),
    ],
)
@pytest.mark.parametrize("framing", [b"Content-Length: 2", b"Transfer-Encoding: chunked"])
async def test_nothing_is_injected(
    lines: list[bytes], reason: bytes, fields: set[str], framing: bytes
) -> None:
    """Bytes of an answer's head reach the client as they came: no field, line or response is made of them."""
    body = b"2\r\nok\r\n0\r\n\r\n" if framing.startswith(b"T") else b"ok"
    script = [head(*lines, framing, status=b"HTTP/1.1 200 " + reason) + body]
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert (found.response.reason, found.response.body) == ("", b"ok")
        names = [name.lower() for name, _ in found.response.headers]
        own = {"x-request-id", framing.partition(b":")[0].decode().lower()}
        assert sorted(names) == sorted(own | fields)
        assert found.response.header("x-request-id") == plane.outcomes[0].request_id
        assert found.response.header("x-upstream-request-id") in (None, "u-1")
        value = next((line for line in lines if line.startswith(b"X-A:")), b"X-A:").partition(b":")[2]
        assert (found.response.header("x-a") or "").encode("latin-1") == value.strip(b" \t")


@pytest.mark.parametrize("value", [b"\x9b2J\x85", b"x" * 60_000, b'"}\t{"event": "request"', b"\xe2\x80\xa8"])
async def test_no_log_line_is_injected(value: bytes) -> None:
    """An upstream's request id is cut and escaped in the record; the client gets it as it is."""
    async with Recorder([ok(b"ok", b"X-Request-Id: " + value)]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert found.response.header("x-upstream-request-id") == value.decode("latin-1")
        outcome = plane.outcomes[0]
        line = JsonRequest()(None, "", {"outcome": outcome})
        assert line.isascii()
        assert line.index("\n") == len(line) - 1
        assert len(json.loads(line)["upstream_request_id"]) <= 256
        shown = " ".join(map(str, console_fields(None, "", {"outcome": outcome}).values()))
        assert shown.isascii()
        assert shown.isprintable()


async def test_code_of_relayed_errors() -> None:
    """An upstream's own refusal is the upstream's: relayed as it is, and recorded as allowed."""
    script = ok(b'{"error": {"code": "theirs"}}', status=b"400 Bad Request")
    async with Recorder([script]) as upstream, Plane(upstream.url) as plane:
        found = await plane.ask(POST)
        assert (found.status, code_of(found.response)) == (400, "theirs")
        assert (plane.outcomes[0].code, plane.outcomes[0].decision) == (None, Decision.ALLOW)
