"""Secrets hygiene of the whole program: canaries through every refusal and failure are found nowhere.

One program, everything that it writes: answers, log, standard error, admin listener, its files. Two runs, so
that each format of the log and each dialect of refusals is seen; see :mod:`tests.process.canary` for what
must not be found where.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

from gateway.core.codes import CODES
from tests.process.canary import (
    EVERYTHING,
    FAULTY,
    OWN,
    RECORD_FIELDS,
    RECORDED,
    SECRET,
    SHORT,
    TEXT,
    UNSPEAKABLE,
    UPSTREAM,
    leaks,
    leaks_of_files,
    leaks_of_line,
    with_section,
)
from tests.process.canary_requests import DOCUMENT, HEAD, RECORD, SENT, made, post
from tests.sockets.cases import CASES
from tests.support.plane import code_of
from tests.support.program import Program, fetch
from tests.support.raw import RawConnection, exchange, parse_responses
from tests.support.recorder import Recorder, Script, Step, ok

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.process.canary import Canary
    from tests.support.raw import Response
    from tests.support.recorder import Connection

UNAVAILABLE = {"invalid_api_key", "not_allowed", "rate_limit_exceeded", "audit_unavailable"}
"""Codes that nothing refuses with yet."""
AT_ONCE = 16
"""Requests at a time; of many, some would not have sent their head when the second for it is over."""

CONFIG = """\
listen: {port: 0}
admin:
  port: 0
  tokens:
    - {name: dash, role: viewer, token: {file: token}}
    - {name: ops, role: operator, token: "${UPSTREAM_KEY}-2"}
trusted_proxies: [127.0.0.1]
deadlines: {header: 1s, body: 1s}
errors: %(errors)s
audit: {directory: audit}
upstreams:
  main: {urls: ["%(main)s"], authorization: "Bearer ${UPSTREAM_KEY}", timeouts: {first_byte: 1s}}
  held: {urls: ["%(main)s"], authorization: {file: token}}
  narrow: {urls: ["%(main)s"], pool: 1, timeouts: {connect: 200ms}}
  dead: {urls: ["http://127.0.0.1:%(dead)d"]}
contracts:
  main: {openapi: api.yaml, upstream: main, operations: [getThing, postThing, getSlow, getReset, getBroken]}
  held: {openapi: api.yaml, upstream: held, operations: [getHeld]}
  narrow: {openapi: api.yaml, upstream: narrow, operations: [getNarrow]}
  dead: {openapi: api.yaml, upstream: dead, operations: [getDead]}
"""

U = UPSTREAM.raw
BROKEN = [
    b"HTTP/1.1 200 OK\r\n" + U + b" : 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + U + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\nx: " + U + b"\r\n\r\n" + U,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + U + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + U,
    b"HTTP/1.1 200 OK\r\nx-a: b\r\n " + U + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx-a: \x00" + U + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx-a: " + U * 2000 + b"\r\n\r\n",
    b"HTTP/1.1 000 " + U + b"\r\n\r\n",
    b"HTTP/1.1 999" + U + b"\r\n\r\n",
    b"HTTP/" + U + b" 200 OK\r\n\r\n",
    b"HTTP/1.1 101 " + U + b"\r\nUpgrade: " + U + b"\r\n\r\n" + U,
    U + b"\r\n\r\n" + U,
]
"""What is no answer; each holds a canary."""
TRUNCATED = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nx-request-id: %b\r\n\r\nabc" % U,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz;%b\r\n" % U,
]
"""Answers that break off after their body has begun."""


class Seen(NamedTuple):
    """What came back for one request."""

    name: str
    received: bytes
    code: str | None
    canaries: tuple[Canary, ...]
    """What it must not hold."""


class Stage:
    """The program between its upstream and its callers, and all that was seen of it."""

    def __init__(self, folder: Path, log_format: str, errors: str) -> None:
        self.seen: list[Seen] = []
        self.release = asyncio.Event()
        self._errors = errors
        self._config = folder / "config"
        self.written = [folder / name for name in ("work", "temp", "cache")]
        for made_here in (self._config, *self.written):
            made_here.mkdir()
        work, temp, cache = self.written
        document = self._config / "api.yaml"
        document.write_text(DOCUMENT, encoding="utf-8")
        os.utime(document, (0, 0))  # old enough to be kept in the cache
        (self._config / "token").write_text(OWN.text, encoding="utf-8")
        (self._config / "odd").write_text(f"{OWN.text}\n{OWN.text}\x00", encoding="utf-8")
        self.path = self._config / "gateway.yaml"
        self.audit = self._config / "audit"
        self.environ = {"UPSTREAM_KEY": OWN.text, "TMPDIR": str(temp), "GATEWAY_CACHE": str(cache)}
        self._arguments = ("serve", "-c", str(self.path), "--log-format", log_format)
        self._cwd = work
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.upstream = await stack.enter_async_context(Recorder(self._script))
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))
                self._dead = closed.getsockname()[1]
            self.configure(self.text())
            self.program = stack.enter_context(Program(*self._arguments, environ=self.environ, cwd=self._cwd))
            line = await asyncio.to_thread(self.program.wait_line, lambda line: "started" in line)
            self.port, self.admin_port = _ports(line)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release.set()
        await self._open.__aexit__(kind, error, trace)

    def text(self) -> str:
        """Give the configuration."""
        return CONFIG % {"main": self.upstream.url, "dead": self._dead, "errors": self._errors}

    def configure(self, text: str) -> None:
        """Write the configuration's file."""
        self.path.write_text(text, encoding="utf-8")

    def _script(self, _number: int, connection: Connection) -> Script:
        """Give what the upstream does with the request that came last."""
        target = connection.requests[-1].target.rpartition("/v1/")[2]
        kind, _, number = target.partition("/")
        match kind:
            case "held" | "narrow":
                return [self.release, *ok()]
            case "slow":
                return [Step.SILENCE]
            case "reset":
                return [Step.RESET]
            case "broken":
                answer = [*BROKEN, *TRUNCATED][int(number)]
                return [answer, Step.CLOSE]
        return ok(b"{}", b"x-request-id: " + U)

    async def ask(self, name: str, raw: bytes) -> Seen:
        """Send one request on a connection of its own, and keep what came back."""
        async with self._turn:
            return self.keep(name, await exchange(self.port, raw, timeout=20))

    def keep(self, name: str, received: bytes) -> Seen:
        """Keep what came back, but for the one field that is relayed and may hold a canary."""
        kept = received.replace(b"x-upstream-request-id: " + U, b"")
        canaries = EVERYTHING if name.startswith("admin") else UNSPEAKABLE
        seen = Seen(name, kept, _code(received), canaries)
        self.seen.append(seen)
        return seen

    async def admin(self, path: str, token: str = OWN.text, **headers: str) -> tuple[int, bytes]:
        """Ask the admin listener, and keep what came back."""
        fields = {"Authorization": f"Bearer {token}", **headers}
        status, more, body = await asyncio.to_thread(fetch, self.admin_port, "GET", path, None, fields)
        self.keep(f"admin {path}", json.dumps(more).encode() + body)
        return status, body

    def leaks(self) -> list[tuple[str, list[str]]]:
        """Give the pieces of canaries in answers, standard error and files, with where they are."""
        found = [(seen.name, leaks(seen.received, seen.canaries)) for seen in self.seen]
        found += [("standard error", leaks(line.encode())) for line in self.program.errors]
        found += [(str(path), pieces) for path, pieces in leaks_of_files(*self.written)]
        return [(name, pieces) for name, pieces in found if pieces]


def _ports(line: str) -> tuple[int, int]:
    """Find both ports in the line that says where it listens, in either format."""
    found = dict(re.findall(r"(listen|admin)\W+http://127\.0\.0\.1:([0-9]+)", line))
    return int(found["listen"]), int(found["admin"])


def _code(received: bytes) -> str | None:
    """Give the code of the first answer, if it is a whole one and a refusal."""
    try:
        return code_of(_first(received))
    except (ValueError, IndexError):
        return None


def _first(received: bytes) -> Response:
    return next(answer for answer in parse_responses(received) if answer.status >= 200)


@pytest.fixture(params=[("json", "openai"), ("console", "problem")], ids="-".join)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Give the program, one run for each format and dialect."""
    async with Stage(tmp_path, *request.param) as stage:
        yield stage


async def test_canaries(stage: Stage) -> None:
    """Through every refusal and failure, reload and end: in no answer, log, metric, file or error.

    But for the fields of the log that the record is meant to keep.
    """
    await _refusals(stage)
    await _table_of_sockets(stage)
    await _failures(stage)
    await _clients_gone(stage)
    await _admin(stage)
    await _bad_reload(stage)
    await _end(stage)
    codes = {seen.code for seen in stage.seen} - {None}
    assert codes == CODES.keys() - UNAVAILABLE
    assert any(leaks(seen.received, [SHORT]) for seen in stage.seen)  # or the search itself is broken
    assert stage.leaks() == []
    assert list(stage.written[-1].iterdir()), "nothing was cached, so that no file was looked at"
    _check_log(stage)
    _check_audit(stage.audit)


async def _refusals(stage: Stage) -> None:
    """Every request of the table is refused with its code."""
    found = await asyncio.gather(*(stage.ask(sent.name, sent.raw) for sent in SENT))
    assert {seen.name: seen.code for seen in found} == {sent.name: sent.code for sent in SENT}
    late = [made(b"GET /v1/things/a")[:-2], post(TEXT.raw)[:-2]]
    found = await asyncio.gather(*(stage.ask(f"late {raw[:20]!r}", raw) for raw in late))
    assert [seen.code for seen in found] == ["request_timeout"] * 2


async def _table_of_sockets(stage: Stage) -> None:
    """All raw requests that tests/sockets has, with fields that hold canaries put into them."""
    fields = b"\r\n" + HEAD.partition(b"\r\n")[2] + b"\r\n"
    await asyncio.gather(
        *(stage.ask(f"sockets: {case.name}", case.raw.replace(b"\r\n", fields, 1)) for case in CASES)
    )


async def _failures(stage: Stage) -> None:
    """Upstreams that are dead, reset, broken, silent, or break off; a pool that is taken."""
    wanted = {
        "dead": "upstream_unreachable",
        "reset": "upstream_unreachable",
        "slow": "upstream_timeout",
        **{f"broken/{number}": "upstream_protocol_error" for number in range(len(BROKEN))},
    }
    found = await asyncio.gather(*(stage.ask(name, made(b"GET /v1/" + name.encode())) for name in wanted))
    assert {seen.name: seen.code for seen in found} == wanted
    for number in range(len(BROKEN), len(BROKEN) + len(TRUNCATED)):
        async with RawConnection(stage.port) as connection:
            await connection.send(made(b"GET /v1/broken/%d" % number))
            received = await connection.read_end()
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert b"abc" in received
        stage.keep("truncated", received)
    async with RawConnection(stage.port) as first:
        await first.send(made(b"GET /v1/narrow"))
        await stage.upstream.wait_for(lambda: stage.upstream.raw.count(b"/v1/narrow ") == 1)
        assert (await stage.ask("narrow", made(b"GET /v1/narrow"))).code == "overloaded"
        first.reset()


async def _clients_gone(stage: Stage) -> None:
    """Callers that go within their head, their body, and while the upstream works."""
    before = stage.upstream.raw.count(b"/v1/held ")
    for raw in (made(b"GET /v1/things/a")[:-2], post(TEXT.raw)[:-2]):
        async with RawConnection(stage.port) as connection:
            await connection.send(raw, eof=True)
            stage.keep("gone", await connection.read_end())
    async with RawConnection(stage.port) as connection:
        await connection.send(made(b"GET /v1/held", RECORD))
        await stage.upstream.wait_for(lambda: stage.upstream.raw.count(b"/v1/held ") > before)
        connection.reset()


async def _admin(stage: Stage) -> None:
    """All paths of the admin listener, for holders of a token, for others, and what is no HTTP."""
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        status, _ = await stage.admin(path)
        assert status == 200
    assert (await stage.admin("/metrics", SECRET.text))[0] == 401
    assert (await stage.admin(f"/{TEXT.text}?{TEXT.text}"))[0] == 404
    assert (await stage.admin("/metrics", Host=TEXT.text, Origin=TEXT.text))[0] == 403
    for raw in (made(b"GET /metrics", b"Expect: " + TEXT.raw), TEXT.raw, made(b"GET /", TEXT.raw + b" : 1")):
        stage.keep("admin", await exchange(stage.admin_port, raw))


async def _bad_reload(stage: Stage) -> None:
    """Refuse configurations whose secrets stand where none belongs, and tell of them without those."""
    good = stage.text()
    for number, section in enumerate(FAULTY, 1):
        stage.configure(with_section(good, section))
        stage.program.send_signal(signal.SIGHUP)
        await asyncio.to_thread(stage.program.wait_line, partial(_refused_so_often, stage, number))
    stage.configure(good)


def _refused_so_often(stage: Stage, number: int, _line: str) -> bool:
    return sum("reload_refused" in line for line in stage.program.output) >= number


async def _end(stage: Stage) -> None:
    """Drain with a request under way; one that begins then is refused; the program ends well."""
    held = stage.upstream.raw.count(b"/v1/held ")
    async with RawConnection(stage.port) as client, RawConnection(stage.port) as halfway:
        await client.send(made(b"GET /v1/held", RECORD))
        await stage.upstream.wait_for(lambda: stage.upstream.raw.count(b"/v1/held ") > held)
        first, second = made(b"GET /v1/nothing"), made(b"GET /v1/things/a?" + TEXT.raw)
        await halfway.send(first + second[:40])
        await halfway.read_responses()
        start = len(halfway.received)
        stage.program.send_signal(signal.SIGTERM)
        await asyncio.to_thread(
            stage.program.wait_line, lambda line: "draining" in line and "in_flight" in line
        )
        await halfway.send(second[40:])
        await halfway.read_responses(start=start)
        stage.keep("draining", bytes(halfway.received[start:]))
        stage.release.set()
        stage.keep("held", await client.read_end())
    assert await asyncio.to_thread(stage.program.wait) == 0


def _check_log(stage: Stage) -> None:
    """Lines have the record's texts in their own fields only, and those are there; the others nowhere."""
    lines = stage.program.output
    assert len(lines) > len(SENT) + len(CASES)
    if not lines[0].startswith("{"):
        for line in lines:
            words = [word for word in line.split() if not word.startswith("/")]  # but for the path
            assert leaks(" ".join(words).encode(), EVERYTHING) == [], line
        return
    assert [line for line in lines if leaks_of_line(line)] == []
    events = [json.loads(line) for line in lines]
    for name in RECORD_FIELDS:
        assert any(RECORDED.text in event.get(name, "") for event in events), name
    assert any(UPSTREAM.text == event.get("upstream_request_id") for event in events)
    refused = [event for event in events if event["event"] == "reload_refused"]
    assert len(refused) == len(FAULTY)


def _check_audit(directory: Path) -> None:
    """Find texts in the records' own fields only, as in the log, and in no other file of the trail."""
    segments = list(directory.glob("ledger/*/*.jsonl"))
    lines = [line for path in segments for line in path.read_text("ascii").splitlines()]
    assert len(lines) > len(SENT) + len(CASES)
    assert [line for line in lines if leaks_of_line(line)] == []
    records = [json.loads(line) for line in lines]
    for name in RECORD_FIELDS:
        assert any(RECORDED.text in record.get(name, "") for record in records), name
    assert {record["kind"] for record in records} >= {"request", "connection", "config", "lifecycle"}
    index = list(directory.glob("index.sqlite*"))
    assert [path for path in index if leaks(path.read_bytes(), (SECRET, OWN, TEXT, SHORT))] == []
    others = [path for path in directory.rglob("*") if path.is_file() and path not in (*segments, *index)]
    assert {path.name for path in others} >= {"instance", "lock"}
    assert [path for path in others if leaks(path.name.encode() + path.read_bytes())] == []
