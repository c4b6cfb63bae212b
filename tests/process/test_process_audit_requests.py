"""One request of every outcome through the whole program: its record, its log line, what was sent of it."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema_rs
import pytest

from gateway.audit.verify import verify
from tests.support.markdown import page
from tests.support.program import GOOD, Program
from tests.support.raw import RawConnection
from tests.support.recorder import Recorder, Script, Step, ok

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.recorder import Connection

NOWHERE = 9  # nothing listens there
CONFIG = """
listen: {{port: 0}}
admin: {{port: 0}}
audit: {{directory: audit, durability: {durability}, verify_sent: {verify_sent}}}
deadlines: {{header: 1s, body: 1s, drain: 1h}}
policies: {{default: {{metadata: {{allowed_keys: [team]}}}}}}
capacity: {{in_flight: 1}}
upstreams:
  main: {{urls: ["{url}"]}}
  slow: {{urls: ["{url}"], timeouts: {{first_byte: 100ms, idle: 100ms}}}}
  away: {{urls: ["http://127.0.0.1:{nowhere}"]}}
contracts:
  main: {{openapi: "pack:assistants-v1", upstream: main}}
  small: {{openapi: "pack:assistants-v1", upstream: main, prefix: /small, max_bytes: 64B}}
  reported: {{openapi: "pack:assistants-v1", upstream: main, prefix: /reported, mode: report}}
  passed: {{openapi: "pack:assistants-v1", upstream: main, prefix: /passed, mode: "off"}}
  slow: {{openapi: "pack:assistants-v1", upstream: slow, prefix: /slow}}
  away: {{openapi: "pack:assistants-v1", upstream: away, prefix: /away}}
"""
FULL_HEADERS = (
    b"Authorization: Bearer sk-1",
    b"User-Agent: tests/1",
    b"X-Request-Id: mine-1",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"X-Stainless-Retry-Count: 1",
)
ATTACHING = b'{"role":"user","content":"Hi","file_ids":["file-1"],"metadata":{"team":"x"}}'
BAD = b'{"role":"nobody","content":"Hi"}'
HEAD_AND_A_PIECE = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\na piece"
UNLISTED = b"GET /nothing HTTP/1.1\r\nHost: gateway\r\n\r\n"


def made(
    *headers: bytes,
    method: bytes = b"POST",
    prefix: bytes = b"/v1",
    body: bytes = GOOD,
    chunked: bool = False,
) -> bytes:
    """Make a request; ``@`` in its path stands for the name of its case."""
    lines = [b"%b %b/threads/@/messages HTTP/1.1" % (method, prefix), b"Host: gateway", *headers]
    if body and not any(line.startswith(b"Content-Type") for line in headers):
        lines.append(b"Content-Type: application/json")
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]) + body


class Client(NamedTuple):
    """What a case may do with."""

    gateway: Program
    connection: RawConnection
    upstream: Recorder

    async def leave_body(self) -> None:
        """Leave once the gateway has the head and waits for the body."""
        while self.gateway.metrics()["gateway_in_flight", {}] != 1:
            pass
        self.connection.reset()

    async def leave_unanswered(self) -> None:
        """Leave once the upstream has the request."""
        count = len(self.upstream.requests)
        await self.upstream.wait_for(lambda: len(self.upstream.requests) > count)
        self.connection.reset()

    async def leave_answer(self) -> None:
        """Leave in the midst of the answer."""
        await self.connection.read_until(b"a piece")
        self.connection.reset()

    async def leave_next_head(self) -> None:
        """Have one answer, and leave in the midst of the next head, which is there by then."""
        await self.connection.read_responses()
        self.connection.reset()

    async def end_sending(self) -> None:
        """End the own side, and read the answer."""
        await self.connection.send(eof=True)
        await self.connection.read_end()


class Case(NamedTuple):
    """A request and what becomes of it; ``sent`` is the body that the upstream gets, None for nothing."""

    raw: bytes
    status: int
    decision: str
    phase: str
    code: str | None = None
    sent: bytes | None = None
    script: Script = ()
    act: Callable[[Client], Awaitable[object]] | None = None
    """What the client does once it has sent ``raw``; without, it reads an answer, or the connection's end."""


GZIP = b"Content-Encoding: gzip"
GONE = "client_gone"
REJECT, ERROR = "reject", "error"
CASES = {
    "allowed": Case(made(*FULL_HEADERS, body=ATTACHING), 200, "allow", "relay", sent=ATTACHING,
                    script=ok(b"{}", b"x-request-id: req-1")),
    "allowed-without-body": Case(made(method=b"GET", body=b""), 200, "allow", "relay", sent=b""),
    "allowed-gzip": Case(made(GZIP, body=gzip.compress(GOOD)), 200, "allow", "relay", sent=GOOD),
    "allowed-chunked": Case(made(chunked=True), 200, "allow", "relay", sent=GOOD),
    "upstream-says-no": Case(made(), 404, "allow", "relay", sent=GOOD, script=ok(status=b"404 Not Found")),
    "reported": Case(made(prefix=b"/reported", body=BAD), 200, "would_reject", "relay", sent=BAD),
    "passed": Case(made(prefix=b"/passed", body=b"[1"), 200, "allow", "relay", sent=b"[1"),
    "head": Case(made(b"Host: another"), 400, REJECT, "head", "bad_request"),
    "no-head": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, REJECT, "head", "bad_request"),
    "half-a-head": Case(made()[:40], 400, REJECT, "head", "bad_request", act=Client.end_sending),
    "head-late": Case(made()[:40], 408, REJECT, "head", "request_timeout"),
    "route": Case(made(prefix=b"/nothing"), 404, REJECT, "route", "unknown_route"),
    "method": Case(made(method=b"DELETE", body=b""), 405, REJECT, "route", "method_not_allowed"),
    "expectation": Case(made(b"Expect: much"), 417, REJECT, "head", "expectation_failed"),
    "media-type": Case(made(b"Content-Type: text/plain"), 415, REJECT, "body", "unsupported_media_type"),
    "coding": Case(made(b"Content-Encoding: x"), 415, REJECT, "body", "unsupported_content_encoding"),
    "unexpected-body": Case(made(method=b"GET"), 400, REJECT, "body", "unexpected_body"),
    "too-large": Case(made(prefix=b"/small", body=b" " * 65), 413, REJECT, "body", "body_too_large"),
    "body-late": Case(made()[:-1], 408, REJECT, "body", "request_timeout"),
    "half-a-body": Case(made()[:-1], 400, REJECT, "body", "bad_request", act=Client.end_sending),
    "broken-gzip": Case(made(GZIP, body=gzip.compress(GOOD)[:-1]), 400, REJECT, "body", "bad_request"),
    "parse": Case(made(body=b"[1"), 400, REJECT, "parse", "invalid_json"),
    "schema": Case(made(body=BAD), 400, REJECT, "schema", "invalid_value"),
    "parameters": Case(made(method=b"GET", body=b"").replace(b"messages", b"messages?x=1"), 400, REJECT,
                       "schema", "unknown_parameter"),
    "upstream-away": Case(made(prefix=b"/away"), 502, ERROR, "forward", "upstream_unreachable"),
    "upstream-resets": Case(made(), 502, ERROR, "forward", "upstream_unreachable", GOOD, [Step.RESET]),
    "upstream-babbles": Case(made(), 502, ERROR, "forward", "upstream_protocol_error", GOOD, [b"?\r\n\r\n"]),
    "upstream-silent": Case(made(prefix=b"/slow"), 504, ERROR, "forward", "upstream_timeout", GOOD,
                            [Step.SILENCE]),
    "upstream-stops": Case(made(prefix=b"/slow"), 200, ERROR, "relay", "upstream_timeout", GOOD,
                           [HEAD_AND_A_PIECE, Step.SILENCE]),
    "upstream-breaks": Case(made(), 200, ERROR, "relay", "upstream_protocol_error", GOOD,
                            [HEAD_AND_A_PIECE, Step.CLOSE]),
    "gone-in-body": Case(made()[:-1], 499, ERROR, "body", GONE, act=Client.leave_body),
    "gone-unanswered": Case(made(), 499, ERROR, "forward", GONE, GOOD, [Step.SILENCE],
                            Client.leave_unanswered),
    "gone-in-answer": Case(made(), 200, ERROR, "relay", GONE, GOOD, [HEAD_AND_A_PIECE, Step.SILENCE],
                           Client.leave_answer),
    "gone-in-head": Case(UNLISTED + made()[:40], 404, REJECT, "route", "unknown_route",
                         act=Client.leave_next_head),
}  # fmt: skip
DRAINED = {
    "over-capacity": Case(b"", 503, REJECT, "limit", "overloaded"),
    "draining": Case(b"", 503, REJECT, "limit", "draining"),
    "cut-off": Case(b"", 499, ERROR, "forward", "draining", GOOD, [Step.SILENCE]),
}
ALL = CASES | DRAINED
JUDGED_ONLY = {"parse", "schema", "upstream-away"}
"""What has a body that was judged, and not sent."""
HEADLESS = ("no-head", "half-a-head", "head-late")
PUBLISHED = json.loads(page("gateway/audit/record.schema.json"))
SCHEMA = jsonschema_rs.validator_for(PUBLISHED, validate_formats=True)
OF_THE_LOG = {"event", "level", "request_id"}
OF_THE_LEDGER = {"v", "stream", "seq", "prev", "kind", "id", "hash"}
OF_THE_BODY = {"body_hmac", "sent_hmac", "file_count", "metadata_keys"}
OF_THE_CALLER = {"attribution", "key_fingerprint"}


class Told(NamedTuple):
    """What was told of the cases: their log lines, all records, and which bodies the upstream got."""

    durability: str
    directory: Path
    lines: dict[str, dict[str, Any]]
    records: list[dict[str, Any]]
    arrived: dict[str, list[bytes]]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Give the records of a kind."""
        return [record for record in self.records if record["kind"] == kind]

    def record(self, name: str) -> dict[str, Any]:
        """Give the only record of a case, beside its intent."""
        (found,) = [
            record
            for record in self.records
            if record["id"] == self.lines[name]["request_id"] and record["kind"] != "intent"
        ]
        return found

    @property
    def signatures(self) -> Callable[[bytes], str]:
        """Give what signs with the trail's key, made of nothing but the key's file."""
        (path,) = self.directory.glob("keys/*.key")
        prefix = path.stem.partition("-")[2]
        return lambda body: f"{prefix}:{hmac.digest(path.read_bytes(), body, 'sha256').hex()}"


def raw_of(name: str) -> bytes:
    """Give what the client of a case sends."""
    return CASES[name].raw.replace(b"@", name.encode())


def script_of(_number: int, connection: Connection) -> Script:
    """Give what the upstream answers, by the case that the path names."""
    return ALL[name_of(connection.requests[-1].target)].script or ok()


def name_of(target: str) -> str:
    """Give the case that a path names."""
    return target.split("/")[-2]


async def ask(gateway: Program, upstream: Recorder, name: str) -> dict[str, Any]:
    """Do what a case asks for, and give its line of the log."""
    case = CASES[name]
    count = len(gateway.events("request"))
    async with RawConnection(gateway.port) as connection:
        await connection.send(raw_of(name))
        if case.act is None:
            await connection.read_responses()
        else:
            await case.act(Client(gateway, connection, upstream))
        return await asyncio.to_thread(gateway.wait_event, "request", count + 1)


async def drain(gateway: Program, upstream: Recorder) -> dict[str, dict[str, Any]]:
    """End the gateway with a request under way, which is cut off; one that comes beside it is one too many.

    Another begins while the gateway drains. Two that are not listed stand before the drain.
    """
    count = len(gateway.events("request"))
    async with (
        RawConnection(gateway.port) as client,
        RawConnection(gateway.port) as idle,
        RawConnection(gateway.port) as late,
    ):
        before = len(upstream.requests)
        await client.send(made().replace(b"@", b"cut-off"))
        await upstream.wait_for(lambda: len(upstream.requests) > before)
        async with RawConnection(gateway.port) as another:
            await another.send(made())
            await another.read_responses()
        for connection, more in ((idle, b""), (late, made()[:40])):
            await connection.send(UNLISTED + more)
            await connection.read_responses()
        gateway.send_signal(signal.SIGTERM)
        await idle.read_end()
        await late.send(made()[40:])
        await late.read_end()
        gateway.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait) == 0
    over_capacity, _, _, draining, cut_off = gateway.events("request")[count:]
    return {"over-capacity": over_capacity, "draining": draining, "cut-off": cut_off}


async def collect(folder: Path, durability: str, *, verify_sent: bool = True) -> Told:
    """Run a gateway through all cases."""
    lines: dict[str, dict[str, Any]] = {}
    async with Recorder(script_of) as upstream:
        text = CONFIG.format(
            durability=durability, verify_sent=str(verify_sent).lower(), url=upstream.url, nowhere=NOWHERE
        )
        path = folder / "gateway.yaml"
        path.write_text(text, encoding="utf-8")
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            for name in CASES:
                lines[name] = await ask(gateway, upstream, name)
            lines |= await drain(gateway, upstream)
        arrived: dict[str, list[bytes]] = {}
        for request in upstream.requests:
            arrived.setdefault(name_of(request.target), []).append(request.body)
    directory = folder / "audit"
    texts = [path.read_text("ascii") for path in sorted(directory.glob("ledger/*.0/*.jsonl"))]
    records = [json.loads(line) for text in texts for line in text.splitlines()]
    return Told(durability, directory, lines, records, arrived)


@pytest.fixture(scope="module", params=["batch", "blocking", "blocking-strict"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run a gateway through all cases, once for each durability."""
    return asyncio.run(collect(tmp_path_factory.mktemp("told"), request.param))


def test_how_each_ended(told: Told) -> None:
    """Each case is what it is meant to be, and the upstream got what it is meant to get."""
    ends = {
        name: (line["status"], line["decision"], line["phase"], line.get("code"))
        for name, line in told.lines.items()
    }
    assert ends == {name: (case.status, case.decision, case.phase, case.code) for name, case in ALL.items()}
    assert told.arrived == {name: [case.sent] for name, case in ALL.items() if case.sent is not None}


def test_each_record_says_what_the_log_says(told: Told) -> None:
    """A record has its line's members, each equal; besides only what a ledger has and a log must not."""
    for name in set(ALL) - set(HEADLESS):
        line, record = told.lines[name], told.record(name)
        shared = set(line) - OF_THE_LOG
        assert shared | OF_THE_LEDGER <= set(record) <= shared | OF_THE_LEDGER | OF_THE_BODY | OF_THE_CALLER
        assert {member: line[member] for member in shared} == {member: record[member] for member in shared}


def test_what_was_no_request_is_told_as_a_connection(told: Told) -> None:
    """With the id of the answer, and how many bytes came, which log and record agree on."""
    for name in HEADLESS:
        line, record = told.lines[name], told.record(name)
        shared = ("time", "client_ip", "status", "code", "bytes_in")
        assert set(record) == {*shared, *OF_THE_LEDGER, "count", "duration_ms"}
        assert [record[member] for member in shared] == [line[member] for member in shared]
        assert record["duration_ms"] == pytest.approx(line["duration_ms"], abs=0.002)
        assert (record["kind"], record["bytes_in"]) == ("connection", len(raw_of(name)))


def test_each_has_one_record_and_no_other_has(told: Told) -> None:
    """As many records of requests as requests, as many of connections as connections without one."""
    ids = Counter(record["id"] for record in (*told.of_kind("request"), *told.of_kind("connection")))
    assert set(ids.values()) == {1}
    of_lines = Counter(name in HEADLESS for name in ALL)
    assert len(told.of_kind("request")) == of_lines[False] + 2  # the two that come before the drain
    assert len(told.of_kind("connection")) == of_lines[True] + 1
    (gone,) = [one for one in told.of_kind("connection") if one["code"] == GONE]
    size = len(raw_of("gone-in-head")) - len(UNLISTED)
    assert (gone["bytes_in"], gone["count"], "status" in gone) == (size, 1, False)


def test_every_record_is_what_the_schema_says(told: Told) -> None:
    """Of whatever kind; and the chain is whole."""
    for record in told.records:
        SCHEMA.validate(record)
    assert verify(told.directory).fault_count == 0


def test_what_is_not_known_is_absent(told: Told) -> None:
    """Neither null nor a dash: no app is known yet, and no operation before routing."""
    for record in (*told.records, *told.lines.values()):
        assert not {None, "-"} & {value for value in record.values() if not isinstance(value, list | dict)}
        assert "app" not in record
    routed = {name: "operation" in line for name, line in told.lines.items()}
    unrouted = {*HEADLESS, "head", "expectation", "route", "method", "gone-in-head"}
    assert {name for name in ALL if not routed[name]} == unrouted


def test_an_intent_stands_before_what_was_forwarded(told: Told) -> None:
    """In blocking-strict, and of nothing else; there is none in the other modes."""
    intents = [record["id"] for record in told.of_kind("intent")]
    forwarded = [record["id"] for record in told.of_kind("request") if "upstream" in record]
    assert Counter(intents) == Counter(forwarded if told.durability == "blocking-strict" else ())
    kinds = {(record["id"], record["kind"]): record["seq"] for record in told.records}
    assert all(kinds[one, "intent"] < kinds[one, "request"] for one in intents)


def test_what_was_sent_is_what_was_judged(told: Told) -> None:
    """``sent_hmac`` is of the bytes that the upstream received, and ``body_hmac`` the same."""
    sign = told.signatures
    for name, bodies in told.arrived.items():
        record = told.record(name)
        (body,) = bodies
        signed = sign(body) if body else None
        assert (name, record.get("body_hmac"), record.get("sent_hmac")) == (name, signed, signed)


def test_what_was_not_sent_has_no_hmac_of_that(told: Told) -> None:
    """Refused, abandoned before, or without a connection; whole bodies have the HMAC of what was judged."""
    records = {name: told.record(name) for name, case in ALL.items() if case.sent is None}
    assert [name for name, record in records.items() if "sent_hmac" in record] == []
    assert {name for name, record in records.items() if "body_hmac" in record} == JUDGED_ONLY


def test_the_record_of_a_request_that_has_everything(told: Told) -> None:
    """All members that the interface names and that anything serves, in one record."""
    record = told.record("allowed")
    apart = {"code", "violations", "violation_count", "bytes_decoded", "count", "content", "app"}
    later = {"candidate_decision"}
    assert set(record) == set(PUBLISHED["properties"]) - {"event", "detail", "open"} - apart - later
    assert (record["file_count"], record["metadata_keys"]) == (1, ["team"])
    assert (record["upstream_request_id"], record["client_request_id"]) == ("req-1", "mine-1")


async def test_nothing_is_signed_as_sent_unless_asked(tmp_path: Path) -> None:
    """Without ``audit.verify_sent`` no record has ``sent_hmac``, and all else is the same."""
    told = await collect(tmp_path, "blocking", verify_sent=False)
    assert not any("sent_hmac" in record for record in told.records)
    sign = told.signatures
    assert told.record("allowed-gzip")["body_hmac"] == sign(GOOD)
