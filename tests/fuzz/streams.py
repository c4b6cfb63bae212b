"""Targets ``downstream`` and ``upstream``: the whole data plane in memory, fed with streams cut anywhere."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import h11

from gateway.core.codes import CODES
from gateway.core.types import Phase
from gateway.listener.response import CONTINUE
from gateway.listener.server import GatewayServer
from gateway.listener.snapshot import Snapshot
from gateway.observe.requests import JsonRequest
from gateway.upstream.pool import Pool, UpstreamSettings
from gateway.upstream.reading import MAX_HEAD
from tests.fuzz.answers import read_by_h11
from tests.fuzz.bodies import DECODERS
from tests.fuzz.bytestreams import cuts, stretched, taken
from tests.fuzz.heads import without_empty_lines
from tests.support.framing import Incomplete, Malformed, Request, read_request, read_response
from tests.support.memory import MemoryLoop, Transport
from tests.support.plane import RULES, Outcomes, code_of, request
from tests.support.recorder import ok
from tests.support.turns import turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from gateway.core.types import Outcome

ANSWER = b"".join(step for step in ok() if isinstance(step, bytes))
REQUESTS = (request(), request(b"GET /v1/messages", body=b""), request(b"HEAD /v1/messages", body=b""))
_UNLIKE_BYTES = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=\r\ndate: )[^\r]{29}(?=\r\n)"
)
_ABSOLUTE = re.compile(r"^https?://[^/?#]*/?", re.IGNORECASE)
_SETTINGS = UpstreamSettings(("http://upstream.test",), 5, 30, 30, 20, None, forwarded=True)


class Upstream(Transport):
    """An upstream's end of a connection: answers each whole request with ``pieces``, in turns of the loop.

    ``end`` follows the last piece: ``fin`` or ``reset``; with ``stay`` the connection is left open.
    """

    def __init__(self, loop: MemoryLoop, protocol: Any, pieces: list[bytes], end: str) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._pieces = pieces
        self._end = end
        self._place = 0
        self.requests: list[Request] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        while self._place < len(self.written):
            try:
                found, self._place = read_request(bytes(self.written), self._place)
            except Incomplete:
                return
            self.requests.append(found)
            self._loop.create_task(self._answer())

    async def _answer(self) -> None:
        for piece in self._pieces:
            if self.ended:
                return
            self._protocol.data_received(piece)
            await turns(3)  # enough for all that follows from it
        if self._end != "stay" and not self.ended:
            if self._end == "fin":
                self._protocol.eof_received()
            self.ended = True
            self._protocol.connection_lost(None if self._end == "fin" else ConnectionResetError())


class Result(NamedTuple):
    """What came of a stream: all bytes that the client got, what was settled, and what went upstream."""

    answer: bytes
    ended: bool
    was_reset: bool
    outcomes: list[dict[str, Any]]
    requests: list[bytes]


@cache
def _loop() -> MemoryLoop:
    return MemoryLoop()


def run(
    pieces: list[bytes],
    *,
    patient: bool = True,
    eof: bool = False,
    answer: tuple[bytes, ...] = (ANSWER,),
    end: str = "stay",
) -> Result:
    """Give pieces to a new connection: ``patient`` lets everything happen after each before the next comes.

    Each request that reaches the upstream is answered with the pieces ``answer``, then ``end``. The client
    ends its side after its last piece with ``eof``, and disappears when there is nothing left to do.
    """
    return _loop().run_until_complete(_run(pieces, patient=patient, eof=eof, answer=answer, end=end))


async def _run(
    pieces: list[bytes], *, patient: bool, eof: bool, answer: tuple[bytes, ...], end: str
) -> Result:
    loop = _loop()
    raised: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: raised.append(context))
    upstreams: list[Upstream] = []

    def connect(protocol: asyncio.BaseProtocol) -> Upstream:
        upstreams.append(Upstream(loop, protocol, list(answer), end))
        return upstreams[-1]

    loop.connect = connect
    outcomes = Outcomes()
    pool = Pool(loop, _SETTINGS)
    server = GatewayServer(loop, Snapshot("r", RULES, {"main": pool}), (outcomes,))
    transport = Transport()
    connection = server()
    connection.connection_made(transport)
    for piece in pieces:
        connection.data_received(piece)
        if patient:
            await loop.settle()
    await loop.settle()
    if eof and not transport.ended:
        connection.eof_received()
        await loop.settle()
    ended = transport.ended
    connection.connection_lost(None)
    pool.retire()
    await loop.settle()
    assert raised == [], f"raised into the event loop: {raised}"
    for outcome in outcomes:
        line_of(outcome)
    assert (server.load.in_flight, server.load.body_bytes) == (0, 0)
    assert len({item.request_id for item in outcomes}) == len(outcomes), "settled twice"
    return Result(
        _normal(bytes(transport.written)),
        ended,
        transport.was_reset,
        [_told(outcome) for outcome in outcomes],
        [_normal(bytes(one.written)) for one in upstreams],
    )


def _normal(raw: bytes) -> bytes:
    """Cross out what differs from run to run; no length changes."""
    return _UNLIKE_BYTES.sub(lambda match: b"x" * len(match[0]), raw)


_UNLIKE_FIELDS = frozenset(
    {
        *("request_id", "time", "duration_ms", "upstream_ms", "overhead_us", "upstream_attempts", "revision"),
        "head_whole",  # of a bad head: whether its end came before it was refused
        "rendered",
    }
)


def _told(outcome: Outcome) -> dict[str, Any]:
    told = {name: value for name, value in outcome._asdict().items() if name not in _UNLIKE_FIELDS}
    if outcome.phase is Phase.HEAD:
        del told["bytes_in"]  # of a bad head: how much had come by the time that it was refused
    return told


_LOG = JsonRequest()


def line_of(outcome: Outcome) -> str:
    """Give the log line of an outcome; it is one line of ASCII with one JSON object."""
    line = _LOG(None, "", {"outcome": outcome})
    assert line.isascii()
    assert line.find("\n") == len(line) - 1
    assert json.loads(line)["status"] == outcome.status
    return line


def downstream(data: bytes) -> None:
    """Invariant of ``downstream``: a stream of requests has one meaning, however it is cut.

    The same answers, outcomes and bytes upstream whether it arrives whole, byte by byte or in any pieces,
    with or without time between them. Every answer is well-formed and has one outcome. What went upstream is
    well-formed, and h11 reads the same requests, in this order, out of the same stream.
    """
    seed, stream = taken(data, 2)
    stream = stretched(stream)
    eof = bool(seed[0] & 1)
    whole = feed([stream] if stream else [], eof=eof)
    check_answers(whole)
    check_forwarded(stream, whole)
    for pieces in cuts(stream, seed):
        hold_same(feed(pieces, eof=eof), whole)
        hold_same(feed(pieces, eof=eof, patient=False), whole)


def feed(pieces: list[bytes], *, eof: bool, patient: bool = True) -> Result:
    """Run a stream; 100 is left out, which is sent only where the body is not there yet."""
    result = run(pieces, eof=eof, patient=patient)
    return result._replace(answer=result.answer.replace(CONTINUE, b""))


def hold_same(one: Result, other: Result) -> None:
    """Fail with what differs, if two results of one stream do."""
    for name, ours, theirs in zip(Result._fields, one, other, strict=True):
        assert ours == theirs, f"the cut changes {name}: {ours!r} and {theirs!r}"


def check_answers(result: Result) -> None:
    """Hold the answers against the outcomes: one for each, unless nobody was left to take the last."""
    place = 0
    for number, outcome in enumerate(result.outcomes, 1):
        if outcome["code"] == "client_gone":
            assert number == len(result.outcomes)
            break
        head = outcome["method"] == "HEAD"
        answer, place = read_response(result.answer, place, head_only=head)
        assert (answer.status, head or code_of(answer)) == (outcome["status"], head or outcome["code"])
        assert outcome["code"] is None or CODES[outcome["code"]].status == answer.status
    assert place == len(result.answer), "an answer that nothing is known of"


def check_forwarded(stream: bytes, result: Result) -> None:
    """Hold what reached the upstream against what another reader finds in the stream, in the same order."""
    theirs = _requests_by_h11(stream)
    for ours in _forwarded(result):
        assert ours in theirs, f"h11 finds no {ours}"  # which goes on from the last one that was found


def _forwarded(result: Result) -> Iterator[tuple[str, str, bytes]]:
    for raw in result.requests:
        place = 0
        while place < len(raw):
            found, place = read_request(raw, place)
            yield found.method, found.target, found.body


def _requests_by_h11(stream: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Give the requests of a stream as h11 reads them, up to the first that it refuses.

    It judges trailers as if they were header fields; those that it refuses, the tests' own reader skips.
    """
    while stream := without_empty_lines(stream):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(stream)
        head: Any = None
        body = b""
        try:
            head = connection.next_event()
            while isinstance(event := connection.next_event(), h11.Data):
                body += event.data
            rest = connection.trailing_data[0]
        except h11.RemoteProtocolError:
            if head is None:
                return
            try:
                event, end = read_request(stream)
            except Malformed:
                return
            rest = stream[end:]
        if event is h11.NEED_DATA:
            return
        yield head.method.decode(), _ABSOLUTE.sub(r"/", head.target.decode()), _decoded(head, body)
        stream = rest


def _decoded(head: h11.Request, body: bytes) -> bytes:
    """Remove a body's content coding, if it can be."""
    coding = dict(head.headers).get(b"content-encoding", b"").lower()
    try:
        return DECODERS[coding](body) if body and coding in DECODERS else body
    except Exception:  # noqa: BLE001 - each library has exceptions of its own
        return body


_ENDS = ("stay", "fin", "reset")


def upstream(data: bytes) -> None:
    """Invariant of ``upstream``: an answer is whole or broken, however it is cut, and nothing in between.

    Where it is whole in one cut it is the same whole answer in every other, and h11 reads the same status and
    body. Where it is broken, the client gets 502 or an answer that shows that it is broken; which of the two
    may depend on the cut, since a head waits for its first piece of body, but the code of the record does
    not. Either way there is one outcome, and nothing follows the answer.
    """
    seed, stream = taken(data, 2)
    stream = stretched(stream)[:MAX_HEAD]  # see answers.response
    which, end = seed[0] % 3, _ENDS[seed[0] // 3 % 3]
    ways = [[stream] if stream else [], *cuts(stream, seed)]
    results = [run([REQUESTS[which]], answer=tuple(pieces), end=end) for pieces in ways]
    how, *_, answer = check_same(results, head=which == 2)
    if how == "whole":
        method = REQUESTS[which].partition(b" ")[0]
        assert (answer.status, answer.body) == read_by_h11(stream, method)


def check_same(results: list[Result], *, head: bool) -> tuple[Any, ...]:
    """Give what an answer, cut differently, means to client and record; fail if that is not the same."""
    first, *others = [_meaning(result, head=head) for result in results]
    for other in others:
        assert other == first, "the cut changes the answer"
    assert len({result.requests[0] for result in results}) == 1
    return first


def _meaning(result: Result, *, head: bool) -> tuple[Any, ...]:
    """Give what an answer means to client and record: all of it if it is whole, else only how it broke."""
    (outcome,) = result.outcomes
    how = outcome["code"], outcome["upstream_outcome"], outcome["decision"]
    try:
        answer, end = read_response(result.answer, 0, head_only=head, closed=False)
    except Incomplete:
        gone = outcome["code"] == "client_gone"
        assert gone or (outcome["code"] in CODES and result.ended), "nobody sees that the answer is broken"
        return ("unfinished" if gone else "broken", *how)
    assert end == len(result.answer), "more than one answer"
    if outcome["code"] is None:
        return ("whole", *how, result.ended, answer)
    assert answer.status == CODES[outcome["code"]].status, "an answer that is broken and looks whole"
    assert head or code_of(answer) == outcome["code"]
    return ("broken", *how)
