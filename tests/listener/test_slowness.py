"""Clients that are slow, on a clock of the test's own: each ends by itself, and is settled once or never."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.core.types import Decision, Phase
from gateway.listener.bounds import LINGER_BYTES, LINGER_SECONDS, MAX_AT_ONCE, MAX_BUFFERED, MIN_BODY_RATE
from gateway.listener.server import GatewayServer
from gateway.listener.snapshot import Deadlines, Snapshot
from gateway.ports import ResponseHead
from tests.sockets.cases import CHUNKED, CONTINUE
from tests.support.memory import MemoryLoop, Transport
from tests.support.plane import BIG, GET, POST, RULES, Outcomes, code_of, request
from tests.support.raw import parse_responses

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.core.types import Permit
    from gateway.ports import ResponseSink

HEADER = 10
BODY = 30
KEEPALIVE = 75


class Clock(MemoryLoop):
    """A loop whose time passes when told to."""

    now = 1.0

    def time(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        """Let time pass, and whatever is due then happen."""
        self.now += seconds
        await self.settle()


class Upstream:
    """Answers nothing by itself; forwarder and flight in one."""

    attempts = 1

    def __init__(self) -> None:
        self.permits: list[Permit] = []
        self.sinks: list[ResponseSink] = []
        self.cancelled = False

    def forward(self, permit: Permit, _client: object, sink: ResponseSink) -> Upstream:
        self.permits.append(permit)
        self.sinks.append(sink)
        return self

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled = True


class Client:
    """A connection to a gateway in memory, just opened."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.outcomes = Outcomes()
        self.upstream = Upstream()
        snapshot = Snapshot("r", RULES, {"main": self.upstream}, Deadlines(HEADER, BODY, KEEPALIVE))
        self.server = GatewayServer(clock, snapshot, (self.outcomes,))
        self.opened = clock.now
        self.transport = Transport()
        self.connection = self.server()
        self.connection.connection_made(self.transport)

    async def send(self, data: bytes) -> None:
        self.connection.data_received(data)
        await self.clock.settle()

    @property
    def gone(self) -> bool:
        """Whether the gateway has let go of it."""
        return self.connection._state.name == "CLOSED"

    @property
    def codes(self) -> list[tuple[int, str | None]]:
        """Status and code of each outcome."""
        return [(outcome.status, outcome.code) for outcome in self.outcomes]

    @property
    def answers(self) -> list[tuple[int, str | None]]:
        """Status and code of each response."""
        return [(item.status, code_of(item)) for item in parse_responses(bytes(self.transport.written))]

    async def drip(self, piece: bytes, every: float, most: int) -> float:
        """Send ``piece`` again and again until an outcome or the end; give how many seconds that took."""
        begun = self.clock.now
        settled = len(self.outcomes)
        for _ in range(most):
            await self.clock.advance(every)
            if self.gone or len(self.outcomes) > settled:
                break
            await self.send(piece)
        else:
            pytest.fail("it never ended")
        return self.clock.now - begun


def run(test: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(test)


def on_a_clock() -> Client:
    """Open a connection on the running clock."""
    clock = asyncio.get_running_loop()
    assert isinstance(clock, Clock)
    return Client(clock)


TOO_SLOW = [(408, "request_timeout")]
BIG_HEAD = request(b"POST /v1/big", body=b"", framing=b"Content-Length: %d" % BIG)
BIG_HEAD = BIG_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n")
BIG_CHUNKS = BIG_HEAD.replace(b"Content-Length: %d" % BIG, CHUNKED)


def test_a_head_has_one_deadline_from_its_first_byte() -> None:
    """However many bytes follow in time, each by itself, the head's end is awaited no longer."""

    async def body() -> None:
        client = on_a_clock()
        await client.clock.advance(HEADER - 1)
        await client.send(b"P")
        await client.send(b"OST /v1/messages HTTP/1.1\r\nX: ")
        assert await client.drip(b"a", 1, 100) == HEADER
        assert client.codes == client.answers == TOO_SLOW

    run(body())


@pytest.mark.parametrize("piece", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_nothing_and_empty_lines_buy_no_time(piece: bytes) -> None:
    """A connection on which no request begins ends without a word, a new one and a kept one."""

    async def body() -> None:
        client = on_a_clock()
        assert await client.drip(piece, 1, 100) == HEADER
        assert (client.codes, client.answers) == ([], [])
        kept = on_a_clock()
        await kept.send(request(b"POST /v1/x"))
        assert await kept.drip(piece, 1, 100) == KEEPALIVE
        assert kept.codes == kept.answers == [(404, "unknown_route")]

    run(body())


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (BIG_HEAD, b""),
        (BIG_HEAD, b"x"),
        (BIG_CHUNKS, b""),
        (BIG_CHUNKS, b"1\r\nx\r\n"),
        (BIG_CHUNKS, b"1;" + b"a" * 200 + b"\r\nx\r\n"),
        (BIG_CHUNKS + b"1\r\nx\r\n0\r\n", b"X-A: " + b"b" * 100 + b"\r\n"),
        (BIG_CHUNKS + b"1\r\nx\r\n0\r\nX-A: ", b"b"),
        (BIG_HEAD.replace(b"Host", CONTINUE + b"\r\nHost"), b""),
    ],
)
def test_a_dripping_body_ends(head: bytes, piece: bytes) -> None:
    """A body that hardly moves gets hardly more than its deadline; chunks and trailers are no body."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(head)
        assert BODY <= await client.drip(piece, 1, 100) <= BODY + 1
        assert client.codes == TOO_SLOW
        assert client.answers[-1:] == TOO_SLOW
        assert client.outcomes[0].phase is Phase.BODY
        assert client.upstream.permits == []

    run(body())


def test_half_the_rate_is_too_slow() -> None:
    """At half the rate a body lives for twice its deadline."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(BIG_HEAD)
        assert 2 * BODY - 2 <= await client.drip(b"x" * (MIN_BODY_RATE // 2), 1, 100) <= 2 * BODY + 2
        assert client.codes == TOO_SLOW

    run(body())


@pytest.mark.parametrize("head", [BIG_HEAD, BIG_CHUNKS])
def test_a_slow_body_at_the_rate_gets_through(head: bytes) -> None:
    """A large upload may take many times its deadline, and the client may pause within it."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(head)
        content = b'{"text": "' + b"x" * (BIG - 12) + b'"}'
        for start in range(0, BIG, MIN_BODY_RATE):
            await client.clock.advance(BODY - 1 if start == BIG // 2 else 1)
            piece = content[start : start + MIN_BODY_RATE]
            if head is BIG_CHUNKS:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            await client.send(piece)
        if head is BIG_CHUNKS:
            await client.send(b"0\r\n\r\n")
        assert [permit.body for permit in client.upstream.permits] == [content]
        assert client.clock.now > client.opened + 20 * BODY
        client.upstream.sinks[0].response_head(ResponseHead(200, b"OK", b"", 0, False, None))
        client.upstream.sinks[0].response_end()
        await client.clock.settle()
        assert client.codes == [(200, None)]

    run(body())


def test_haste_is_not_saved_up() -> None:
    """Who sent much at once may pause no longer than who sent nothing."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(BIG_HEAD + b"x" * (BIG // 2))
        await client.send(b"x" * (BIG // 4))
        assert await client.drip(b"", 1, 100) == BODY
        assert client.codes == TOO_SLOW
        assert client.outcomes[0].bytes_in == BIG // 2 + BIG // 4

    run(body())


@pytest.mark.parametrize("piece", [b"", b"x", b"\r\n"])
def test_a_refused_body_that_never_comes(piece: bytes) -> None:
    """A refused request's body is dropped for as long as another's would be awaited, however it drips."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(request(b"POST /v1/x", body=b"", framing=b"Content-Length: 200000"))
        assert client.answers == [(404, "unknown_route")]
        assert await client.drip(piece, 1, 100) == BODY
        assert client.codes == client.answers == [(404, "unknown_route")]

    run(body())


@pytest.mark.parametrize("piece", [b"", b"x" * 1000, GET])
def test_lingering_has_an_end(piece: bytes) -> None:
    """Behind a closing answer nothing buys time, and nothing that comes is looked at."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(b"\x00")
        assert client.codes == [(400, "bad_request")]
        assert await client.drip(piece, 0.25, 100) == LINGER_SECONDS
        flood = on_a_clock()
        await flood.send(b"\x00")
        for _ in range(LINGER_BYTES // (1 << 24) + 1):
            await flood.send(bytes(1 << 24))
        assert flood.gone
        assert flood.clock.now - flood.opened == 0
        assert len(client.outcomes) == len(flood.outcomes) == 1
        assert client.upstream.permits == []

    run(body())


@pytest.mark.parametrize("raw", [POST[:20], POST[:-3]], ids=["in the head", "in the body"])
def test_nobody_lingers_for_who_has_ended(raw: bytes) -> None:
    """A client that ended its side within its request gets its refusal, and the connection ends with it."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(raw)
        client.connection.eof_received()
        await client.clock.settle()
        assert client.codes == client.answers == [(400, "bad_request")]
        assert client.gone

    run(body())


def test_a_client_that_reads_nothing() -> None:
    """An answer that stays unread is given up at the deadline, and its upstream request with it."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(POST)
        client.upstream.sinks[0].response_head(ResponseHead(200, b"OK", b"", 10, False, None))
        client.upstream.sinks[0].response_body(b"x")
        await client.clock.settle()
        client.connection.pause_writing()
        await client.send(GET)  # sending is no reading
        assert await client.drip(GET, 1, 100) == BODY
        assert client.codes == [(200, "client_gone")]
        assert client.outcomes[0].decision is Decision.ERROR
        assert client.upstream.cancelled

    run(body())


def test_a_client_that_reads_a_little() -> None:
    """Whoever empties the transport's buffer in time is waited for anew; whoever does not is not."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(POST)
        client.upstream.sinks[0].response_head(ResponseHead(200, b"OK", b"", 10, False, None))
        for _ in range(5):
            client.connection.pause_writing()
            await client.clock.advance(BODY - 1)
            client.connection.resume_writing()
            await client.clock.advance(10 * BODY)  # the upstream's deadlines rule now
        assert client.codes == []
        client.connection.pause_writing()
        assert await client.drip(b"", 1, 100) == BODY
        assert client.codes == [(200, "client_gone")]

    run(body())


def test_answers_that_are_not_read_hold_requests_up() -> None:
    """With answers unread, the next request is not begun, and the connection ends at the deadline."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(request(b"POST /v1/x"))
        client.connection.pause_writing()
        await client.send(GET)
        assert await client.drip(GET, 1, 100) == BODY
        assert client.codes == [(404, "unknown_route")]
        assert client.upstream.permits == []

    run(body())


def test_answers_that_are_not_read_hold_up_a_row_of_requests() -> None:
    """Requests that wait for their turn wait on where the client turns out to read no more."""

    async def body() -> None:
        client = on_a_clock()
        client.connection.data_received(request(b"GET /v1/x", body=b"") * 100)
        client.connection.pause_writing()
        await client.clock.settle()
        assert len(client.outcomes) == MAX_AT_ONCE
        client.connection.resume_writing()
        await client.clock.settle()
        assert client.codes == client.answers == [(404, "unknown_route")] * 100

    run(body())


def test_requests_that_wait_for_an_answer_are_bounded() -> None:
    """Of what is sent behind a request that awaits its answer only so much is taken, until the answer."""

    async def body() -> None:
        client = on_a_clock()
        await client.send(POST)
        row = POST * (MAX_BUFFERED // len(POST) + 1)
        await client.send(row[:MAX_BUFFERED])
        assert client.transport.reading
        await client.send(row[MAX_BUFFERED : MAX_BUFFERED + 1])
        assert not client.transport.reading
        assert len(client.upstream.permits) == 1
        client.upstream.sinks[0].response_head(ResponseHead(200, b"OK", b"", 0, False, None))
        client.upstream.sinks[0].response_end()
        await client.clock.settle()
        assert client.transport.reading
        assert len(client.upstream.permits) == 2
        client.connection.connection_lost(None)

    run(body())
