"""The data plane in the test's own process: a listener, pools and real sockets on loopback.

    async with Recorder() as upstream, Plane(upstream.url) as plane:
        answer = await plane.ask(POST)
        assert (answer.status, answer.code, answer.closed) == (200, None, False)

Leaving it checks what holds after every test: nothing is in flight or reserved, every request was settled
exactly once, and nothing was raised into the event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from gateway.core.decide import Rules
from gateway.core.route import RouteTable
from gateway.core.schema import Schemas
from gateway.core.texts.reading import reading_of
from gateway.core.types import Body, Content, Decision, Operation, Outcome, Parameter
from gateway.listener.server import GatewayServer, Listener
from gateway.listener.snapshot import Capacity, Deadlines, Snapshot
from gateway.upstream.pool import Pool, UpstreamSettings
from tests.support.raw import Piece, RawConnection, Response, parse_responses
from tests.support.turns import turns

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from gateway.ports import AuditLog

SMALL = 4096
"""The most bytes that a body of /v1/messages may have."""
BIG = 8 * 1024 * 1024
"""The most bytes that a body of /v1/big may have."""
TIMEOUT = 5
"""Seconds after which a test has failed."""
BODY = b'{"text": "hello"}'


SCHEMAS = Schemas({})
"""Compiles the schemas of tests, in plain form and without references."""


def make_parameter(
    name: str,
    where: Any,
    schema: Any,
    *,
    style: Any = None,
    explode: bool | None = None,
    required: bool = False,
) -> Parameter:
    """Make a parameter of a schema in plain form; style and explode are OpenAPI's defaults."""
    style = style or ("form" if where == "query" else "simple")
    explode = style in {"form", "deepObject"} if explode is None else explode
    validator = SCHEMAS.validator(schema, parameter=name)
    return Parameter(name, where, style, explode, required, reading_of(schema, {}), validator)


def make_rules() -> Rules:
    """Give the operations that tests send to."""
    schema = {
        "type": ["object"],
        "properties": {"text": {"type": ["string"]}, "role": {"enum": ["user"]}},
        "required": ["text"],
        "additionalProperties": False,
    }
    content = Content("json", SCHEMAS.validator(schema))
    body = Body(required=True, media_types={"application/json": content})
    optional = Body(required=False, media_types={"application/json": content})
    thread = make_parameter("thread_id", "path", {"type": ["string"], "maxLength": 20}, required=True)
    limit = make_parameter("limit", "query", {"type": ["integer"], "maximum": 100})
    template = "/v1/threads/{thread_id}/messages"

    def operation(name: str, method: str, path: str, size: int = SMALL, **more: Any) -> Operation:
        return Operation(name, "test", method, path, "main", size, **more)

    return Rules(
        RouteTable(
            [
                operation("post", "POST", "/v1/messages", body=body),
                operation("get", "GET", "/v1/messages"),
                operation("head", "HEAD", "/v1/messages"),
                operation("big", "POST", "/v1/big", BIG, body=body),
                operation("note", "PUT", "/v1/notes", body=optional),
                operation("thread", "POST", template, path_parameters=(thread,), body=body),
                operation(
                    "list", "GET", template, path_parameters=(thread,), query_parameters={"limit": limit}
                ),
            ]
        ),
        max_depth=32,
    )


RULES = make_rules()


class Outcomes(list[Outcome]):
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def settled(self, outcome: Outcome) -> None:
        self.append(outcome)
        self._news.set()

    async def wait_for(self, count: int) -> list[Outcome]:
        """Wait until ``count`` exchanges are settled, and give all."""
        async with asyncio.timeout(TIMEOUT):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()
        return self


class Answer(NamedTuple):
    """A response, and what became of the connection."""

    response: Response
    closed: bool

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def code(self) -> str | None:
        """The refusal's code, None where the gateway did not refuse."""
        return code_of(self.response)


def code_of(response: Response) -> str | None:
    """Give the code of a refusal in either dialect, None for any other response."""
    try:
        value = json.loads(response.body)
    except ValueError:
        return None
    error = value.get("error", value) if isinstance(value, dict) else {}
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def request(
    line: bytes = b"POST /v1/messages",
    *headers: bytes,
    body: bytes = BODY,
    framing: bytes | None = None,
    host: bytes = b"gateway.test",
    content_type: bytes | None = b"application/json",
) -> bytes:
    """Make a request; ``framing`` is the line that tells of the body in place of a right Content-Length."""
    lines = [line if line.endswith((b"HTTP/1.0", b"HTTP/1.1")) else line + b" HTTP/1.1", b"Host: " + host]
    if content_type is not None and body:
        lines.append(b"Content-Type: " + content_type)
    if framing is None and body:
        framing = b"Content-Length: %d" % len(body)
    lines += [*headers, *([framing] if framing else [])]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


POST = request()
GET = request(b"GET /v1/messages", body=b"")


class Plane:
    """A listener with one pool behind it; an async context manager. ``port`` is valid inside it."""

    def __init__(
        self,
        *urls: str,
        connect: float = 5,
        first_byte: float = 30,
        idle: float = 30,
        size: int = 20,
        authorization: str | None = None,
        forwarded: bool = True,
        upstream_tls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        deadlines: Deadlines | None = None,
        capacity: Capacity | None = None,
        trusted: tuple[str, ...] = (),
        drain: float = 0,
        leftovers: bool = False,
        patience: float = TIMEOUT,
        audit: AuditLog | None = None,
        tell_sent: bool = False,
    ) -> None:
        """Take an upstream's urls and settings. ``leftovers``: requests may be under way at the end.

        ``patience`` is for a test that does much: the seconds after which it has failed.
        """
        self.loop = asyncio.get_running_loop()
        settings = UpstreamSettings(
            urls, connect, first_byte, idle, size, authorization, forwarded, tell_sent=tell_sent
        )
        self.pool = Pool(self.loop, settings, upstream_tls)
        self.outcomes = Outcomes()
        self.snapshot = Snapshot(
            "revision",
            RULES,
            {"main": self.pool},
            deadlines or Deadlines(),
            capacity or Capacity(),
            trusted_proxies=tuple(map(ip_network, trusted)),
        )
        self.server = GatewayServer(self.loop, self.snapshot, (self.outcomes,), audit)
        self.listener = Listener(self.server, drain=drain)
        self._tls = tls
        self._leftovers = leftovers
        self._raised: list[dict[str, Any]] = []
        self._limit = asyncio.timeout(patience)

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self.loop.set_exception_handler(lambda _, context: self._raised.append(context))
        await self.listener.open("127.0.0.1", 0, self._tls)
        self.port = self.listener.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._limit.__aexit__(kind, error, trace)
        in_flight = self.server.load.in_flight
        await self.listener.drain()
        self.pool.retire()
        await self.until(lambda: self.server.connection_count == 0)
        self.loop.set_exception_handler(None)
        if kind is not None:
            return
        assert self._raised == []
        assert in_flight == 0 or self._leftovers
        assert (self.server.load.in_flight, self.server.load.body_bytes) == (0, 0)
        assert Counter(item.request_id for item in self.outcomes).most_common(1)[0:1] in (
            [],
            [(item, 1) for item in self.ids[:1]],
        ), "a request was settled twice"

    @property
    def ids(self) -> list[str]:
        """The ids of all settled requests."""
        return [outcome.request_id for outcome in self.outcomes]

    @property
    def last(self) -> Outcome:
        """The outcome that was settled last."""
        return self.outcomes[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the event loop run until ``condition()`` holds."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                await self.turns(1)

    async def turns(self, count: int) -> None:
        """Let the event loop run ``count`` times."""
        await turns(count)

    async def ask(self, *pieces: Piece, head: bool = False, eof: bool = False) -> Answer:
        """Send one request on a new connection, and see whether the connection stays of use after it.

        A connection that the answer says is kept has to serve another request; one that it says is closed
        has to end.
        """
        async with asyncio.timeout(TIMEOUT), RawConnection(self.port) as connection:
            sending = asyncio.create_task(connection.send(*pieces, eof=eof))
            try:
                found = await connection.read_responses(head=head)
                if not found:
                    raise ConnectionError(f"no response but {bytes(connection.received)!r}")
                answer = next(item for item in found if item.status >= 200)
                if answer.header("connection") == "close":
                    await connection.read_end()
                    parse_responses(bytes(connection.received), head=head)
                    return Answer(answer, closed=True)
                start = len(connection.received)
                await connection.send(GET)
                again = await connection.read_responses(start=start)
                assert again
                assert again[-1].status == 200
                return Answer(answer, closed=False)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def served(self) -> None:
        """Assert that a good request on a new connection is served."""
        async with RawConnection(self.port) as connection, asyncio.timeout(TIMEOUT):
            await connection.send(POST)
            assert [item.status for item in await connection.read_responses()] == [200]
        await self.until(lambda: self.outcomes[-1].decision is Decision.ALLOW)
