"""No response ends before its record is on disk; in strict mode nothing is forwarded before its intent is."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gateway.core.route import Route, RouteTable
from gateway.core.types import Decision, Layer, Phase
from gateway.listener.snapshot import Deadlines
from tests.support.certificates import make_certificate
from tests.support.held import HeldAudit, Told
from tests.support.plane import GET, POST, RULES, Plane, code_of, request
from tests.support.raw import Incomplete, Malformed, RawConnection, Response, parse_responses
from tests.support.recorder import Recorder, Script, Step, chunked, ok

if TYPE_CHECKING:
    from pathlib import Path

OLD = request(b"POST /v1/messages HTTP/1.0")
TO_THE_END: Script = [b"HTTP/1.1 200 OK\r\n\r\nabc", Step.CLOSE]


class Case(NamedTuple):
    """A request, how its upstream answers, and what the client gets."""

    raw: bytes
    script: Script
    status: int
    body: bytes | None
    """None for a refusal's."""


CASES = {
    "unknown route": Case(request(b"GET /v1/nothing", body=b""), ok(), 404, None),
    "refused for its body": Case(request(body=b"{}"), ok(), 400, None),
    "refused and closed": Case(request(b"GET /v1/messages", b"Expect: x", body=b""), ok(), 417, None),
    "malformed head": Case(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ok(), 400, None),
    "upstream closes": Case(POST, [Step.CLOSE], 502, None),
    "short": Case(POST, ok(b"abc"), 200, b"abc"),
    "empty": Case(POST, ok(b""), 200, b""),
    "length": Case(POST, [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", b"abc", b"def"], 200, b"abcdef"),
    "chunked": Case(POST, chunked(b"abc", b"def"), 200, b"abcdef"),
    "chunked, empty": Case(POST, chunked(), 200, b""),
    "an upstream's end, chunked": Case(POST, TO_THE_END, 200, b"abc"),
    "no content": Case(POST, [b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
    "not modified": Case(GET, [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"], 304, b""),
    "HEAD": Case(
        request(b"HEAD /v1/messages", body=b""), [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], 200, b""
    ),
    "HEAD, refused": Case(request(b"HEAD /v1/nothing", body=b""), ok(), 404, None),
    "HTTP/1.0, length": Case(OLD, ok(b"abc"), 200, b"abc"),
    "HTTP/1.0, the end": Case(OLD, chunked(b"abc"), 200, b"abc"),
    "HTTP/1.0, refused": Case(request(b"GET /v1/nothing HTTP/1.0", body=b""), ok(), 404, None),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


class Asked:
    """A connection on which a request was sent, and whose answer is being read."""

    def __init__(self, connection: RawConnection, raw: bytes) -> None:
        self.connection = connection
        self._head = raw.startswith(b"HEAD")
        self._reading = asyncio.create_task(connection.read_responses(head=self._head))

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its end."""
        return self._reading.done()

    async def answer(self) -> Response:
        """Wait for the answer's end."""
        (found,) = await self._reading
        return found

    async def broken(self) -> None:
        """Wait for the connection's end, and see that nothing that came can be taken for a whole answer."""
        await self._reading
        received = await self.connection.read_end()
        if received:
            with pytest.raises((Incomplete, Malformed)):
                parse_responses(received, closed=not self.connection.was_reset, head=self._head)


async def ask(plane: Plane, connection: RawConnection, raw: bytes) -> Asked:
    """Send a request; when this returns its record waits, and all that may leave before has left."""
    await connection.send(raw)
    asked = Asked(connection, raw)
    await held(plane).waits()
    await plane.turns(20)
    return asked


def held(plane: Plane) -> HeldAudit:
    """Give the trail of a plane."""
    audit = plane.server.audit
    assert isinstance(audit, HeldAudit)
    return audit


@every_case
async def test_the_end_waits_for_the_record(case: Case) -> None:
    """Whatever the answer and its framing: it becomes whole when the record is on disk, and not before."""
    async with Recorder([case.script]) as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, case.raw)
            assert not asked.whole
            early = bytes(connection.received)
            assert case.body is not None or early == b""
            held(plane).release()
            answer = await asked.answer()
            assert connection.received.startswith(early)
            assert answer.status == case.status
            assert case.body in (None, answer.body)
        assert [outcome.status for outcome, _, _ in held(plane).records] == [case.status]


@every_case
async def test_without_a_record_the_answer_is_broken(case: Case) -> None:
    """Where the record could not be had, the client sees a broken response, never one that looks whole."""
    async with Recorder([case.script]) as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, case.raw)
            held(plane).release(durable=False)
            await asked.broken()
        await plane.until(lambda: plane.server.connection_count == 0)
        assert len(held(plane).records) == len(plane.outcomes) == 1


@every_case
@pytest.mark.parametrize("durable", [True, False])
async def test_a_client_that_leaves_while_it_waits(case: Case, durable: bool) -> None:
    """It changes nothing of the record, and whatever comes of the record disturbs nobody."""
    async with Recorder([case.script]) as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            await ask(plane, connection, case.raw)
            connection.reset()
            await plane.until(lambda: plane.server.connection_count == 0)
        held(plane).release(durable)
        assert [outcome.status for outcome, _, _ in held(plane).records] == [case.status]
        assert len(plane.outcomes) == 1


@every_case
async def test_a_client_that_ends_its_side_while_it_waits(case: Case) -> None:
    """It has its answer all the same: nothing but the record stands between."""
    async with Recorder([case.script]) as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, case.raw)
            await connection.send(eof=True)
            await plane.turns(20)
            held(plane).release()
            assert (await asked.answer()).status == case.status
            await connection.read_end()
        await plane.until(lambda: plane.server.connection_count == 0)


async def test_events_are_not_held_back() -> None:
    """What is not the end of a response streams on: an event is with the client before the next is made."""
    gates = [asyncio.Event() for _ in range(3)]
    events = [b"data: %d\n\n" % number for number in range(3)]
    head, *chunks = chunked(*events, headers=[b"Content-Type: text/event-stream"])
    script = [head, *(step for gate, chunk in zip(gates, chunks, strict=False) for step in (gate, chunk))]
    end = asyncio.Event()
    async with (
        Recorder([[*script, end, chunks[-1]]]) as upstream,
        Plane(upstream.url, audit=HeldAudit()) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(POST)
        await connection.read_until(b"\r\n\r\n")
        for gate, event in zip(gates, events, strict=True):
            gate.set()
            await connection.read_until(event)
        assert held(plane).records == []
        end.set()
        await held(plane).waits()
        assert not connection.received.endswith(b"0\r\n\r\n")
        held(plane).release()
        (answer,) = await connection.read_responses()
        assert answer.body == b"".join(events)


async def test_pipelined_requests_wait_in_turn() -> None:
    """The next request of a connection is not taken up before the one before it has its answer."""
    raw = GET + request(b"GET /v1/nothing", body=b"") + POST
    async with (
        Recorder() as upstream,
        Plane(upstream.url, audit=HeldAudit()) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        for number, status in enumerate((200, 404, 200), 1):
            await held(plane).waits()
            await plane.turns(20)
            assert len(held(plane).records) == number
            held(plane).release()
            found = await connection.read_responses(number)
            assert [found[number - 1].status, len(found)] == [status, number]


async def test_pipelined_refusals_and_the_end_of_sending() -> None:
    """A client that asks many times in one go and ends its side then has all its answers."""
    count = 40
    raw = request(b"GET /v1/nothing", body=b"") * count + POST[:20]
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(raw, eof=True)
            for _ in range(count):
                await held(plane).waits()
                await plane.turns(3)
                held(plane).release()
            found = parse_responses(await connection.read_end())
            assert [one.status for one in found] == [404] * count + [400]
        await plane.until(lambda: plane.server.connection_count == 0)
        assert upstream.raw == b""


async def test_over_tls(tmp_path: Path) -> None:
    """The same over TLS: nothing of a short answer before, and a broken end is no close_notify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = make_certificate(tmp_path, "right")
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)
    async with Recorder() as upstream, Plane(upstream.url, tls=context, audit=HeldAudit()) as plane:
        for durable in (True, False):
            reader, writer = await asyncio.open_connection("127.0.0.1", plane.port, ssl=trusting)
            writer.write(POST)
            reading = asyncio.create_task(reader.read(65536))
            await held(plane).waits()
            await plane.turns(20)
            assert not reading.done()
            held(plane).release(durable)
            if durable:
                (answer,) = parse_responses(await reading)
                assert answer.status == 200
            else:
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    raise ConnectionResetError if await reading == b"" else AssertionError
            writer.transport.abort()
            await plane.until(lambda: plane.server.connection_count == 0)


async def test_draining_awaits_the_record() -> None:
    """A response that waits for its record is under way: the drain gives it its time, and its end."""
    async with (
        Recorder() as upstream,
        Plane(upstream.url, audit=HeldAudit(), drain=5) as plane,
        RawConnection(plane.port) as connection,
    ):
        asked = await ask(plane, connection, POST)
        draining = asyncio.create_task(plane.listener.drain())
        await plane.until(lambda: plane.server.load.draining)
        await plane.turns(20)
        assert not draining.done()
        held(plane).release()
        assert (await asked.answer()).status == 200
        await connection.read_end()
        await draining


@every_case
async def test_the_drain_deadline_does_not_await_the_record(case: Case) -> None:
    """When the drain's time is over the response is broken off, not ended without its record."""
    async with Recorder([case.script]) as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, case.raw)
            await plane.listener.drain()
            await asked.broken()
        held(plane).release()


async def test_nothing_is_forwarded_before_its_intent_is_on_disk() -> None:
    """In strict mode the upstream hears of a request when the intent is released, and not before."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, POST)
            assert (upstream.raw, held(plane).records) == (b"", [])
            held(plane).release()
            await upstream.wait_for_requests()
            await held(plane).waits()
            await plane.turns(20)
            assert not asked.whole
            held(plane).release()
            answer = await asked.answer()
            assert answer.status == 200
        ((intended, intended_head),) = held(plane).intents
        ((outcome, head, _),) = held(plane).records
        assert intended.request_id == outcome.request_id == answer.header("x-request-id")
        known = ("time", "client_ip", "revision", "method", "path", "operation", "contract")
        assert [getattr(intended, name) for name in known] == [getattr(outcome, name) for name in known]
        assert (intended.phase, intended.upstream, intended.status) == (Phase.FORWARD, None, 0)
        assert intended_head is head


async def test_what_is_refused_has_no_intent() -> None:
    """An intent is of what is about to be forwarded, and of nothing else."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, request(body=b"{}"))
            held(plane).release()
            assert (await asked.answer()).status == 400
        assert held(plane).intents == []
        assert upstream.raw == b""


async def test_without_its_intent_nothing_is_forwarded() -> None:
    """The client is told to try again, and may: nothing has happened."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, POST)
            held(plane).release(durable=False)
            answer = await asked.answer()
            assert (answer.status, code_of(answer)) == (503, "audit_unavailable")
            assert (answer.header("retry-after"), answer.header("x-should-retry")) == ("1", "true")
            assert held(plane).releases == []
        ((outcome, _, judged),) = held(plane).records
        assert (outcome.decision, outcome.upstream, judged) == (Decision.REJECT, None, b'{"text": "hello"}')
        assert upstream.raw == b""


async def test_what_would_be_refused_is_refused_without_its_intent() -> None:
    """In mode report, too: a request that was not forwarded was rejected, whatever its body."""
    route = RULES.routes.match("POST", "/v1/messages")
    assert isinstance(route, Route)
    rules = RULES._replace(
        routes=RouteTable([replace(route.operation, mode="report", reported=frozenset(Layer))])
    )
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        plane.server.snapshot = replace(plane.snapshot, rules=rules)
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, request(body=b"{}"))
            held(plane).release(durable=False)
            assert (await asked.answer()).status == 503
        ((intended, _),) = held(plane).intents
        ((outcome, _, _),) = held(plane).records
        assert (intended.decision, outcome.decision) == (Decision.WOULD_REJECT, Decision.REJECT)
        assert upstream.raw == b""


@pytest.mark.parametrize("durable", [True, False])
async def test_a_client_that_leaves_before_its_intent_is_on_disk(durable: bool) -> None:
    """Nothing is forwarded for a client that is gone, and one record says that it went."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        async with RawConnection(plane.port) as connection:
            await ask(plane, connection, POST)
            connection.reset()
            await plane.until(lambda: plane.server.connection_count == 0)
        held(plane).release(durable)
        await plane.turns(20)
        ((outcome, _, _),) = held(plane).records
        assert (outcome.code, outcome.status, outcome.upstream) == ("client_gone", 499, None)
        assert upstream.raw == b""


async def test_a_drain_that_cuts_before_the_intent_is_on_disk() -> None:
    """Nothing is forwarded by a gateway that has ended."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(strict=True)) as plane:
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, POST)
            await plane.listener.drain()
            await asked.broken()
        held(plane).release()
        await plane.turns(20)
        ((outcome, _, _),) = held(plane).records
        assert (outcome.code, outcome.decision) == ("draining", Decision.ERROR)
        assert upstream.raw == b""


NEW = {
    "good": (POST, False),
    "without a body": (GET, False),
    "unknown route": (request(b"GET /v1/nothing", body=b""), False),
    "wrong body": (request(body=b"{}"), False),
    "unknown expectation": (request(b"GET /v1/messages", b"Expect: x", body=b""), True),
    "malformed head": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", True),
}


@pytest.mark.parametrize(("raw", "closed"), NEW.values(), ids=NEW)
async def test_new_requests_are_refused_while_nothing_can_be_recorded(raw: bytes, closed: bool) -> None:
    """Whatever they are, and at once; the connection serves again when the trail does."""
    audit = HeldAudit()
    audit.available = False
    async with (
        Recorder() as upstream,
        Plane(upstream.url, audit=audit) as plane,
        RawConnection(plane.port) as connection,
    ):
        await connection.send(raw)
        (answer,) = await connection.read_responses()
        assert (answer.status, code_of(answer)) == (503, "audit_unavailable")
        assert (answer.header("retry-after"), answer.header("x-should-retry")) == ("1", "true")
        assert (answer.header("connection") == "close") == closed
        assert upstream.raw == b""
        if not closed:
            audit.available = True
            start = len(connection.received)
            await connection.send(POST)
            await audit.waits()
            audit.release()
            (answer,) = await connection.read_responses(start=start)
            assert answer.status == 200


async def test_a_body_that_comes_when_nothing_can_be_recorded_any_more() -> None:
    """A request that was taken on before is not forwarded either."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST[:-3])
            await plane.until(lambda: plane.server.load.in_flight == 1)
            held(plane).available = False
            await connection.send(POST[-3:])
            (answer,) = await connection.read_responses()
            assert (answer.status, code_of(answer)) == (503, "audit_unavailable")
        assert upstream.raw == b""


ALONE = {
    "a head that ends": (POST[:20], True, "bad_request"),
    "a head that is cut off": (POST[:20], False, "client_gone"),
    "no HTTP": (b"\x00\x01\x02\r\n", False, "bad_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), False, "bad_request"),
}


@pytest.mark.parametrize(("raw", "eof", "code"), ALONE.values(), ids=ALONE)
async def test_a_connection_that_never_became_a_request(raw: bytes, eof: bool, code: str) -> None:
    """It is told of once: as a connection where it was cut off, else as an outcome without a whole head."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(raw, eof=eof)
            if code == "client_gone":
                await plane.until(lambda: plane.server.connection_count == 1)
                await plane.turns(20)
                connection.reset()
            else:
                await connection.read_end()
            await plane.until(lambda: plane.server.connection_count == 0)
        audit = held(plane)
        if code == "client_gone":
            assert audit.connections == [Told("127.0.0.1", code, len(raw))]
            assert audit.records == []
        else:
            told = [(one.code, one.head_whole, one.bytes_in) for one, _, _ in audit.records]
            assert told == [(code, False, len(raw))]
            assert audit.connections == []


async def test_a_head_that_never_becomes_whole() -> None:
    """A head that takes too long is no request, and its answer waits for nothing."""
    deadlines = Deadlines(header=0.05)
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit(), deadlines=deadlines) as plane:
        async with RawConnection(plane.port) as connection:
            await connection.send(POST[:20])
            (answer,) = parse_responses(await connection.read_end())
            assert answer.status == 408
        assert [(one.code, one.head_whole) for one, _, _ in held(plane).records] == [
            ("request_timeout", False)
        ]


async def test_a_connection_that_says_nothing() -> None:
    """Whoever sends nothing, or nothing after a request, leaves no record of a connection."""
    async with Recorder() as upstream, Plane(upstream.url, audit=HeldAudit()) as plane:
        async with RawConnection(plane.port):
            await plane.until(lambda: plane.server.connection_count == 1)
        async with RawConnection(plane.port) as connection:
            asked = await ask(plane, connection, POST)
            held(plane).release()
            await asked.answer()
        await plane.until(lambda: plane.server.connection_count == 0)
        assert held(plane).connections == []
        assert len(held(plane).records) == 1
