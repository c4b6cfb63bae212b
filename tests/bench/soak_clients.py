"""The clients of the endurance run: what each sends, and what has to become of it.

A case is one request on a connection of its own with one right answer; a scenario is everything else. Nothing
here is left to chance but the order: every request that is sent is bound to be logged, since a client that
leaves does so only when it knows that the gateway has its request.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import brotli

from tests.bench.bodies import BODIES, PATH
from tests.bench.soak_upstream import ANSWERS
from tests.support.raw import RawConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bench.soak_ledger import Ledger
    from tests.bench.soak_upstream import Upstream

    Scenario = Callable[["Clients"], Awaitable[None]]

PATIENCE: Final = 30.0
"""Seconds after which an answer, or an end, is one that never comes."""
GONE: Final = 499
"""The status that is logged where no answer could be sent."""

_SMALL = BODIES["small"].payload
_JSON = b"content-type: application/json"


@dataclass(frozen=True, slots=True)
class Clients:
    """What clients need: where the gateway is, what hears of every request, the upstream; and the deadlines.

    ``deadline`` is how many seconds the gateway waits for heads, for bodies, and for answers to be read.
    """

    port: int
    ledger: Ledger
    upstream: Upstream
    deadline: float


@dataclass(frozen=True, slots=True)
class Case:
    """One request and what becomes of it: the answer's status, None where none comes whole, and the record's.

    ``lines`` are header lines, ``framing`` what tells of the body in place of a right Content-Length.
    ``nameless``: its head is refused unread. ``mood`` is what the upstream is told.
    """

    name: str
    answer: int | None
    body: bytes = _SMALL
    lines: tuple[bytes, ...] = (_JSON,)
    line: bytes = b"POST " + PATH.encode() + b" HTTP/1.1"
    framing: bytes | None = None
    mood: bytes = b"ok"
    record: int = 0
    nameless: bool = False

    def raw(self, request_id: str) -> bytes:
        """Give the request's bytes."""
        framing = b"content-length: %d" % len(self.body) if self.framing is None else self.framing
        named = b"x-request-id: " + request_id.encode()
        lines = [self.line, b"host: soak", *self.lines, named, b"x-soak: " + self.mood, framing]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    async def run(self, clients: Clients) -> None:
        """Send it and check what comes back."""
        async with RawConnection(clients.port) as connection:
            await connection.send(self.raw(self.announce(clients.ledger)))
            await _expect(clients, self.name, connection, [self.answer])

    def announce(self, ledger: Ledger) -> str:
        """Tell the ledger of it, and give its id."""
        status = self.record or self.answer or 0
        if self.nameless:
            ledger.announce_nameless(status)
            return "nameless"
        return ledger.announce(self.name, status)


async def _expect(
    clients: Clients, name: str, connection: RawConnection, statuses: list[int | None], start: int = 0
) -> None:
    """Await as many answers as there are statuses, and note those that are not as they should be."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await connection.read_responses(len(statuses), start=start)
    except TimeoutError:
        clients.ledger.fault(f"{name}: no answer within {PATIENCE:.0f} s")
        return
    finals: list[int | None] = [answer.status for answer in found if answer.status >= 200]
    finals += [None] * (len(statuses) - len(finals))
    if finals != statuses:
        clients.ledger.fault(
            f"{name}: answered {finals}, not {statuses}: {bytes(connection.received[:300])!r}"
        )


def _chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 50] for at in range(0, len(body), 50)]
    return b"".join(b"%x;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nt: u\r\n\r\n"


def _coded(coding: bytes) -> tuple[bytes, ...]:
    return _JSON, b"content-encoding: " + coding


def _upstream_cases() -> list[Case]:
    """Give a case for each answer of the upstream that needs no waiting."""
    passed = {b"error": 500, b"nothing": 204}
    broken = (b"truncated", b"cut-chunk", b"bad-chunk")
    own = (
        b"closes", b"resets", b"garbage", b"both-framings", b"two-lengths", b"folded", b"switching",
        b"status-zero", b"large-head",
    )  # fmt: skip
    slow = (b"endless", b"stalls", b"silent")
    cases = []
    for mood in ANSWERS.keys() - set(slow):
        name = f"upstream, {mood.decode()}"
        if mood in broken:
            cases.append(Case(name, None, mood=mood, record=200))
        else:
            cases.append(Case(name, 502 if mood in own else passed.get(mood, 200), mood=mood))
    return cases


_SPACES = b'{"role":"user","content":"' + b" " * 20_000_000
CASES: Final = [
    *_upstream_cases(),
    Case("medium", 200, BODIES["medium"].payload),
    Case("large", 200, BODIES["large"].payload),
    Case("chunked", 200, _chunked(_SMALL), framing=b"transfer-encoding: chunked"),
    Case("expecting", 200, lines=(_JSON, b"expect: 100-continue")),
    Case("gzip", 200, gzip.compress(_SMALL), _coded(b"gzip")),
    Case("deflate", 200, zlib.compress(_SMALL), _coded(b"deflate")),
    Case("br", 200, brotli.compress(_SMALL), _coded(b"br")),
    Case("refused by schema", 400, BODIES["refused"].payload),
    Case(
        "unknown keys",
        400,
        b'{"role":"user","content":"x",%b}' % b",".join(b'"k%d":0' % n for n in range(500)),
    ),
    Case("not JSON", 400, b'{"role": "user", "content": NaN}'),
    Case("key twice", 400, b'{"role": "user", "role": "user", "content": "x"}'),
    Case("too deep", 400, b"[" * 1000 + b"]" * 1000),
    Case("empty", 400, b""),
    Case("gzip bomb", 413, gzip.compress(_SPACES), _coded(b"gzip")),
    Case("br bomb", 413, brotli.compress(_SPACES, quality=3), _coded(b"br")),
    Case("gzip, truncated", 400, gzip.compress(_SMALL)[:-9], _coded(b"gzip")),
    Case("gzip, with more behind", 400, gzip.compress(_SMALL) + b"x", _coded(b"gzip")),
    Case("unknown coding", 415, lines=_coded(b"compress")),
    Case("other media type", 415, lines=(b"content-type: text/plain",)),
    Case("too large", 413, b"", framing=b"content-length: 99999999"),
    Case(
        "chunked, too large", 413, b"40000000\r\n" + b"x" * 2_000_000, framing=b"transfer-encoding: chunked"
    ),
    Case("bad chunk", 400, b"+5\r\nhello\r\n0\r\n\r\n", framing=b"transfer-encoding: chunked"),
    Case("unknown route", 404, b"", (), b"GET /v1/nowhere HTTP/1.1", b"x: y"),
    Case("other method", 405, b"", (), b"DELETE " + PATH.encode() + b" HTTP/1.1", b"x: y"),
    Case("unknown expectation", 417, b"", (_JSON, b"expect: x"), nameless=True),
    Case("two lengths", 400, framing=b"content-length: 5\r\ncontent-length: 5", nameless=True),
    Case("both framings", 400, framing=b"content-length: 5\r\ntransfer-encoding: chunked", nameless=True),
    Case("bare LF", 400, line=b"GET / HTTP/1.1\nx: y", nameless=True),
    Case("TLS hello", 400, line=b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r", nameless=True),
    Case("long line", 414, line=b"GET /" + b"x" * 10_000 + b" HTTP/1.1", nameless=True),
    Case("large head", 431, lines=(b"x: " + b"x" * 20_000,), nameless=True),
]
_OK = next(case for case in CASES if case.mood == b"ok")
_REFUSED = next(case for case in CASES if case.name == "refused by schema")


def _with(mood: bytes) -> Case:
    return Case(f"upstream, {mood.decode()}", 200, mood=mood)


async def kept(clients: Clients) -> None:
    """Several requests on a connection, one after the other."""
    async with RawConnection(clients.port) as connection:
        for case in (_OK, _REFUSED, _OK, _with(b"chunked"), _OK):
            start = len(connection.received)
            await connection.send(case.raw(case.announce(clients.ledger)))
            await _expect(clients, "kept", connection, [case.answer], start)


async def pipelined(clients: Clients) -> None:
    """Several requests at once; answers come in their order."""
    cases = (_OK, _REFUSED, _with(b"events"), _with(b"megabyte"), _OK)
    async with RawConnection(clients.port) as connection:
        await connection.send(b"".join(case.raw(case.announce(clients.ledger)) for case in cases))
        await _expect(clients, "pipelined", connection, [case.answer for case in cases])


async def gone_in_body(clients: Clients) -> None:
    """Leave within the body, by a reset."""
    async with RawConnection(clients.port) as connection:
        case = Case("gone in body", None, lines=(_JSON, b"expect: 100-continue"), record=GONE)
        await connection.send(case.raw(case.announce(clients.ledger))[: -len(case.body)])
        await connection.read_until(b"100 Continue\r\n\r\n")
        await connection.send(case.body[:10])
        connection.reset()


async def gone_while_waiting(clients: Clients) -> None:
    """Leave while the upstream thinks."""
    case = Case("gone while waiting", None, mood=b"silent", record=GONE)
    async with RawConnection(clients.port) as connection:
        request_id = case.announce(clients.ledger)
        there = clients.upstream.waiting[request_id.encode()] = asyncio.Event()
        await connection.send(case.raw(request_id))
        async with asyncio.timeout(PATIENCE):
            await there.wait()


async def gone_in_answer(clients: Clients) -> None:
    """Leave within the answer, by a reset."""
    case = _with(b"stalls")
    async with RawConnection(clients.port) as connection:
        await connection.send(case.raw(case.announce(clients.ledger)))
        await connection.read_until(b"data:")
        connection.reset()


async def slow_head(clients: Clients) -> None:
    """Send a head that never ends: 408."""
    async with RawConnection(clients.port) as connection:
        clients.ledger.announce_nameless(408)
        await connection.send(b"POST /v1/threads")
        await _expect(clients, "slow head", connection, [408])


async def slow_body(clients: Clients) -> None:
    """Send a body that never ends: 408."""
    case = Case("slow body", 408)
    async with RawConnection(clients.port) as connection:
        await connection.send(case.raw(case.announce(clients.ledger))[:-1])
        await _expect(clients, case.name, connection, [408])


async def silent(clients: Clients) -> None:
    """Say nothing: hung up on, without a record."""
    async with RawConnection(clients.port) as connection, asyncio.timeout(PATIENCE):
        if answer := await connection.read_end():
            clients.ledger.fault(f"silent: answered {answer!r}")


async def unread(clients: Clients) -> None:
    """Ask for a long answer and do not read it: hung up on, which a client cannot see."""
    case = _with(b"endless")
    async with RawConnection(clients.port) as connection:
        await connection.send(case.raw(case.announce(clients.ledger)))
        await asyncio.sleep(clients.deadline * 2)
        connection.reset()


async def upstream_silent(clients: Clients) -> None:
    """Have an upstream that does not answer: 504."""
    await Case("upstream, silent", 504, mood=b"silent").run(clients)


async def upstream_stalls(clients: Clients) -> None:
    """Have an upstream that stops within its answer: broken off."""
    await Case("upstream, stalls", None, mood=b"stalls", record=200).run(clients)


QUICK: Final[list[Scenario]] = [
    *(case.run for case in CASES), kept, pipelined, gone_in_body, gone_while_waiting, gone_in_answer,
]  # fmt: skip
SLOW: Final[list[Scenario]] = [
    slow_head, slow_body, silent, unread, upstream_silent, upstream_stalls,
]  # fmt: skip
"""Those that take a deadline's time."""
