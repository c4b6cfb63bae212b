"""Encoded bodies on real sockets: the decoded bytes upstream, without the field; or nothing at all."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.core.decide import Rules
from gateway.core.route import RouteTable
from gateway.core.types import Body, Content, Decision, Operation, Phase
from gateway.listener.snapshot import Capacity
from tests.support.encoders import CODINGS, ENCODERS, bomb
from tests.support.plane import BODY, SCHEMAS, SMALL, Plane, request
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder

if TYPE_CHECKING:
    from gateway.core.encodings import Coding

LINE = b"POST /v1/messages"
CHUNKED = b"Transfer-Encoding: chunked"
each = pytest.mark.parametrize("coding", CODINGS)


def field(coding: str) -> bytes:
    return b"Content-Encoding: " + coding.encode()


def chunks(body: bytes, size: int) -> bytes:
    """Frame a body in chunks of ``size`` bytes."""
    bounds = [*range(0, len(body), size), len(body)]
    pieces = [body[start:end] for start, end in pairwise(bounds)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@each
@pytest.mark.parametrize("chunk", [None, 1, 7, 1000], ids=["length", "chunks of 1", "of 7", "one chunk"])
async def test_served(coding: Coding, chunk: int | None) -> None:
    """The upstream gets the decoded bytes with their length and no coding; the record has both sizes."""
    coded = ENCODERS[coding](BODY)
    if chunk is None:
        raw = request(LINE, field(coding), body=coded)
    else:
        raw = request(LINE, field(coding), body=chunks(coded, chunk), framing=CHUNKED)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(raw)
        assert (answer.status, answer.code, answer.closed) == (200, None, False)
        first = upstream.requests[0]
        assert first.body == BODY
        assert (first.header("content-encoding"), first.chunked) == (None, False)
        assert first.header("content-length") == str(len(BODY))
        assert first.header("content-type") == "application/json"
        outcome = plane.outcomes[0]
        assert (outcome.decision, outcome.status) == (Decision.ALLOW, 200)
        assert (outcome.bytes_in, outcome.bytes_decoded) == (len(coded), len(BODY))
        assert plane.outcomes[1].bytes_decoded is None
        await plane.served()


async def test_identity_is_forwarded_as_it_came() -> None:
    """It changes nothing, and is no coding in the record."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(request(LINE, field("Identity")))
        assert (answer.status, upstream.requests[0].header("content-encoding")) == (200, "Identity")
        assert (plane.outcomes[0].bytes_in, plane.outcomes[0].bytes_decoded) == (len(BODY), None)


async def test_byte_by_byte() -> None:
    """The same where each byte comes in a write of its own."""
    coded = ENCODERS["gzip"](BODY)
    for raw in (
        request(LINE, field("gzip"), body=coded),
        request(LINE, field("gzip"), body=chunks(coded, 10), framing=CHUNKED),
    ):
        async with Recorder() as upstream, Plane(upstream.url) as plane:
            answer = await plane.ask(*(raw[place : place + 1] for place in range(len(raw))))
            assert (answer.status, upstream.requests[0].body) == (200, BODY)


@each
async def test_a_large_body(coding: Coding) -> None:
    """Many reads in, many steps out."""
    body = json.dumps({"text": Random(1).randbytes(1 << 20).hex()}).encode()
    coded = ENCODERS[coding](body)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(request(b"POST /v1/big", field(coding), body=coded))
        assert (answer.status, upstream.requests[0].body == body) == (200, True)
        assert (plane.outcomes[0].bytes_in, plane.outcomes[0].bytes_decoded) == (len(coded), len(body))


class Refused(NamedTuple):
    """An encoded body that is refused, and the record's size of what it decodes to, if it does."""

    name: str
    coding: str
    body: bytes
    status: int
    code: str
    phase: Phase = Phase.BODY
    decoded: int | None = None


def _refused() -> list[Refused]:
    found = [
        Refused(f"coding {name!r}", name, ENCODERS["gzip"](BODY), 415, "unsupported_content_encoding")
        for name in ("", "gzip, br", "br, gzip", "identity, gzip", "compress", "dcz", "gzip;q=1")
    ]
    for coding, encode in ENCODERS.items():
        coded = encode(BODY)
        wrong = b'{"text": 1234567}'
        flipped = coded[:3] + bytes([coded[3] ^ 0x40]) + coded[4:]
        found += [
            Refused(f"{coding}, not JSON", coding, encode(b"{"), 400, "invalid_json", Phase.PARSE, 1),
            Refused(
                f"{coding}, not the schema's", coding, encode(wrong), 400, "invalid_type", Phase.SCHEMA, 17
            ),
            Refused(f"{coding}, nothing", coding, encode(b""), 400, "invalid_json", Phase.PARSE, 0),
            Refused(f"{coding}, not encoded", coding, BODY, 400, "bad_request"),
            Refused(f"{coding}, encoded twice", coding, encode(coded), 400, "invalid_json", Phase.PARSE),
            Refused(f"{coding}, another one", coding, b"\0" + coded, 400, "bad_request"),
            Refused(f"{coding}, truncated", coding, coded[:-1], 400, "bad_request"),
            Refused(f"{coding}, half", coding, coded[: len(coded) // 2], 400, "bad_request"),
            Refused(f"{coding}, one byte more", coding, coded + b"\0", 400, "bad_request"),
            Refused(f"{coding}, twice", coding, coded * 2, 400, "bad_request"),
            Refused(f"{coding}, too many bytes", coding, encode(_noise(SMALL + 1)), 413, "body_too_large"),
            Refused(f"{coding}, a ratio too high", coding, encode(bytes(4000)), 413, "body_too_large"),
        ]
        if coding != "br":
            found.append(Refused(f"{coding}, a flipped bit", coding, flipped, 400, "bad_request"))
    return found


def _noise(size: int) -> bytes:
    """Give JSON that is hard to compress, so that it stays below the ratio."""
    return b'{"text": "%b"}' % Random(2).randbytes(size).hex()[: size - 12].encode()


@pytest.mark.parametrize("case", _refused(), ids=lambda case: case.name)
async def test_refused(case: Refused) -> None:
    """Not one byte upstream, both sizes in the record, the connection kept, the next client served."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(request(LINE, field(case.coding), body=case.body))
        assert (answer.status, answer.code, answer.closed) == (case.status, case.code, False)
        if case.status == 415:
            assert answer.response.header("accept-encoding") == "br, deflate, gzip, zstd"
        assert [found.method for found in upstream.requests] == ["GET"]
        assert upstream.raw.startswith(b"GET ")
        outcome = plane.outcomes[0]
        assert (outcome.phase, outcome.decision, outcome.code) == (case.phase, Decision.REJECT, case.code)
        if case.phase is Phase.BODY:
            assert outcome.bytes_decoded is None
        elif case.decoded is not None:
            assert outcome.bytes_decoded == case.decoded
        assert outcome.bytes_in == (0 if case.status == 415 else len(case.body))
        await plane.served()


@each
async def test_a_bomb(coding: Coding) -> None:
    """200 MB are refused where 8 MiB may be, and the connection goes on."""
    coded = bomb(coding, 200)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(request(b"POST /v1/big", field(coding), body=coded))
        assert (answer.status, answer.code, answer.closed) == (413, "body_too_large", False)
        assert upstream.raw.startswith(b"GET ")
        assert (plane.outcomes[0].bytes_in, plane.outcomes[0].bytes_decoded) == (len(coded), None)


async def test_the_encoded_body_is_bounded_too() -> None:
    """More encoded bytes than the body may have are refused as they come, and end the connection."""
    coded = ENCODERS["gzip"](_noise(3 * SMALL))
    assert len(coded) > SMALL
    for raw in (
        request(LINE, field("gzip"), body=coded),
        request(LINE, field("gzip"), body=chunks(coded, 500), framing=CHUNKED),
    ):
        async with Recorder() as upstream, Plane(upstream.url) as plane:
            answer = await plane.ask(raw)
            assert (answer.status, answer.code, answer.closed) == (413, "body_too_large", True)
            assert upstream.raw == b""


async def test_decoded_bytes_count_against_the_capacity() -> None:
    """A body that fits as it comes and not as it is decoded is too much just now, and nothing stays held."""
    body = _noise(3000)
    coded = ENCODERS["zstd"](body)
    assert len(coded) < 2500
    async with Recorder() as upstream, Plane(upstream.url, capacity=Capacity(body_bytes=2500)) as plane:
        answer = await plane.ask(request(LINE, field("zstd"), body=coded))
        assert (answer.status, answer.code, answer.closed) == (503, "overloaded", False)
        assert upstream.raw.startswith(b"GET ")
        outcome = plane.outcomes[0]
        assert (outcome.bytes_in, outcome.bytes_decoded) == (len(coded), len(body))
        assert plane.server.load.body_bytes == 0


async def test_no_body_and_a_coding() -> None:
    """A request without a body goes on, without the field that speaks of one."""
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for line in (b"GET /v1/messages", b"PUT /v1/notes"):
            answer = await plane.ask(request(line, field("gzip"), b"Accept-Encoding: gzip", body=b""))
            assert answer.status == 200
        for found in (upstream.requests[0], upstream.requests[2]):
            assert found.header("content-encoding") is None
            assert found.header("accept-encoding") == "gzip"
        for more in (), (b"Content-Type: application/json",):
            answer = await plane.ask(request(LINE, field("gzip"), *more, body=b""))
            assert (answer.code, answer.closed) == ("bad_request", False)
        assert [found.method for found in upstream.requests] == ["GET", "GET", "PUT", "GET", "GET", "GET"]


def _rules_with_an_open_door() -> Rules:
    content = Content("json", SCHEMAS.validator({"type": ["object"]}))
    judged = Operation(
        "judged",
        "test",
        "POST",
        "/v1/messages",
        "main",
        SMALL,
        body=Body(True, {"application/json": content}),
    )
    passed = replace(judged, name="passed", template="/v1/passed", mode="off", judged=False)
    return Rules(RouteTable([judged, passed, Operation("g", "test", "GET", "/v1/messages", "main", 1)]), 32)


async def test_the_same_fields_where_nothing_is_judged() -> None:
    """With mode off bytes and field pass as they came, also right after a request that was decoded."""
    coded = ENCODERS["gzip"](BODY)
    judged = request(LINE, field("gzip"), body=coded)
    passed = request(b"POST /v1/passed", field("gzip"), body=coded)
    async with Recorder() as upstream, Plane(upstream.url) as plane, RawConnection(plane.port) as client:
        plane.server.snapshot = replace(plane.snapshot, rules=_rules_with_an_open_door())
        await client.send(judged + passed + judged + passed)
        assert [found.status for found in await client.read_responses(4)] == [200] * 4
        bodies = [(found.body, found.header("content-encoding")) for found in upstream.requests]
        assert bodies == [(BODY, None), (coded, "gzip")] * 2
        assert [outcome.bytes_decoded for outcome in plane.outcomes] == [len(BODY), None] * 2
        assert {outcome.bytes_in for outcome in plane.outcomes} == {len(coded)}


async def test_continue_is_sent_for_an_accepted_coding_alone() -> None:
    """100 comes once the head is found good; a coding that is not known gets its answer at once."""
    coded = ENCODERS["br"](BODY)
    async with Recorder() as upstream, Plane(upstream.url) as plane:
        for coding, expected in (("br", b"HTTP/1.1 100 "), ("lzma", b"HTTP/1.1 415 ")):
            head = request(LINE, field(coding), b"Expect: 100-continue", body=coded)[: -len(coded)]
            async with RawConnection(plane.port) as client:
                await client.send(head)
                assert (await client.read_until(b"\r\n\r\n")).startswith(expected)
                if coding == "br":
                    await client.send(coded)
                    assert (await client.read_responses())[-1].status == 200
        assert [found.body for found in upstream.requests] == [BODY]
