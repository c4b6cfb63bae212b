"""The listener without a socket: however a stream of requests is cut, the result is the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.listener.server import GatewayServer
from gateway.listener.snapshot import Snapshot
from gateway.ports import ResponseHead
from tests.sockets.cases import CASES, CHUNKED, CHUNKS, Case
from tests.support.memory import CLIENT, Transport
from tests.support.plane import BODY, RULES, Outcomes, code_of, request
from tests.support.raw import parse_responses
from tests.support.turns import turns

if TYPE_CHECKING:
    from gateway.core.types import Permit
    from gateway.ports import Client, ResponseSink


class Flight:
    """A request that is answered in the event loop's next turn."""

    attempts = 1

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def cancel(self) -> None:
        pass


class Forwarder:
    """Answers everything with 200 and keeps what it was given."""

    def __init__(self) -> None:
        self.permits: list[tuple[str, bytes, bytes]] = []

    def forward(self, permit: Permit, client: Client, sink: ResponseSink) -> Flight:
        assert client.ip == CLIENT
        self.permits.append((permit.head.method, permit.head.target, permit.body))
        asyncio.get_running_loop().call_soon(self._answer, sink)
        return Flight()

    def _answer(self, sink: ResponseSink) -> None:
        sink.response_head(ResponseHead(200, b"OK", b"", 0, False, None))
        sink.response_end()


class Result(NamedTuple):
    """What came of a stream of requests."""

    answers: list[tuple[int, str | None]]
    permits: list[tuple[str, bytes, bytes]]
    ended: bool


async def feed(pieces: list[bytes], *, patient: bool = True) -> Result:
    """Give pieces to a new connection, with turns of the event loop between them, or without."""
    forwarder = Forwarder()
    outcomes = Outcomes()
    server = GatewayServer(asyncio.get_running_loop(), Snapshot("r", RULES, {"main": forwarder}), (outcomes,))
    transport = Transport()
    connection = server()
    connection.connection_made(transport)
    for piece in pieces:
        connection.data_received(piece)
        if patient:
            await turns(2)
    await turns(40)
    connection.connection_lost(None)
    await turns(1)
    assert (server.load.in_flight, server.load.body_bytes) == (0, 0)
    assert len({item.request_id for item in outcomes}) == len(outcomes)
    found = [item for item in parse_responses(bytes(transport.written)) if item.status >= 200]
    answers = [(item.status, code_of(item)) for item in found]
    assert len(outcomes) - len(answers) in (0, 1)  # one may have been abandoned half-way
    return Result(answers, forwarder.permits, transport.ended)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.raw) < 3000], ids=lambda case: case.name)
async def test_byte_by_byte(case: Case) -> None:
    """Byte by byte a request gets the answer that it gets whole."""
    whole = await feed([case.raw])
    single = await feed([b"%c" % byte for byte in case.raw])
    assert whole.answers[:1] == [(case.status, case.code)]
    assert single.answers[:1] == whole.answers[:1]
    assert (single.permits, single.ended) == (whole.permits, whole.ended)
    assert whole.ended is False or case.closed


STREAM = (
    request()
    + request(b"POST /v1/x", body=b"GET / HTTP/1.1\r\n\r\n")
    + b"\r\n"
    + request(framing=CHUNKED, body=CHUNKS)
    + request(b"GET /v1/messages", body=b"")
    + request(body=b"{}")
    + request(b"PUT /v1/notes", b"X-A: b")
)
SERVED = [
    ("POST", b"/v1/messages", BODY),
    ("POST", b"/v1/messages", BODY),
    ("GET", b"/v1/messages", b""),
    ("PUT", b"/v1/notes", BODY),
]


@pytest.mark.parametrize("cut", range(0, len(STREAM), 3))
async def test_a_stream_in_two_pieces(cut: int) -> None:
    """A stream of good and refused requests, cut anywhere, comes apart in the same way."""
    found = await feed([STREAM[:cut], STREAM[cut:]])
    assert [status for status, _ in found.answers] == [200, 404, 200, 200, 400, 200]
    assert (found.permits, found.ended) == (SERVED, False)


@pytest.mark.parametrize("count", range(28, 36))
@pytest.mark.parametrize("patient", [True, False])
async def test_many_requests_take_turns(count: int, *, patient: bool) -> None:
    """Many requests at once are answered in order, and what arrives meanwhile stays in order."""
    refused = request(b"POST /v1/x", body=b"")
    raw = refused * count + request()
    for cut in (len(raw) - 10, len(raw) - len(BODY) - 1):
        found = await feed([raw[:cut], raw[cut : cut + 4], raw[cut + 4 :] + refused], patient=patient)
        assert found.answers == [*[(404, "unknown_route")] * count, (200, None), (404, "unknown_route")]
        assert found.permits == [("POST", b"/v1/messages", BODY)]
