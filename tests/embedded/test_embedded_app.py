"""The embedded upstream over real sockets: a whole conversation, errors, and every misbehaviour."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from gateway.core.fields import MAX_FIELD_LINE, MAX_FIELDS
from gateway.core.head import MAX_HEAD, MAX_REQUEST_LINE
from gateway.embedded.app import MAX_BODY, make_app, serve
from gateway.embedded.modes import LONGEST, MODE_HEADER
from gateway.errors import GatewayError
from tests.support.raw import Incomplete, RawConnection, exchange, parse_responses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web


class FakeSleep:
    """Waits that take no time; ``asked`` has their lengths in seconds."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


class Api:
    """A client of one running upstream."""

    def __init__(self, session: aiohttp.ClientSession, port: int, sleep: FakeSleep) -> None:
        self.session = session
        self.port = port
        self.sleep = sleep

    async def call(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str
    ) -> dict[str, Any]:
        """Send a request; give the answer's JSON, after checking its status and headers."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, json=body, headers=fields) as response:
            assert response.status == status, await response.text()
            assert response.headers["x-request-id"].startswith("req_")
            assert response.headers["openai-version"] == "2020-10-01"
            assert response.headers["openai-processing-ms"].isdigit()
            assert response.content_type == "application/json"
            answer: dict[str, Any] = await response.json()
            return answer

    async def raw(self, path: str, body: Any, mode: str) -> bytes:
        """POST on a connection of its own and give the raw answer."""
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{MODE_HEADER}: {mode}\r\n"
        return await exchange(self.port, head.encode(), b"Content-Length: %d\r\n\r\n" % len(content), content)


@contextlib.asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[int]:
    runner, port = await serve("127.0.0.1", 0, app=app)
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    sleep = FakeSleep()
    async with (
        running(make_app(clock=lambda: 1_700_000_000.5, sleep=sleep)) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Api(session, port, sleep)


HELLO = {"role": "user", "content": "Hello 👋"}


async def test_conversation(api: Api) -> None:
    """Threads and messages can be created, retrieved, modified, listed and deleted."""
    thread = await api.call("POST", "/v1/threads", {"messages": [HELLO], "metadata": {"a": "b"}})
    assert thread["id"].startswith("thread_")
    assert thread == {
        "id": thread["id"],
        "object": "thread",
        "created_at": 1_700_000_000,
        "metadata": {"a": "b"},
    }
    path = f"/v1/threads/{thread['id']}"
    message = await api.call("POST", f"{path}/messages", HELLO | {"file_ids": ["file-1"], "metadata": None})
    assert message["id"].startswith("msg_")
    assert message["file_ids"] == ["file-1"]
    assert message["content"] == [{"type": "text", "text": {"value": "Hello 👋", "annotations": []}}]
    assert await api.call("GET", path) == thread
    assert await api.call("GET", f"{path}/messages/{message['id']}") == message
    changed = await api.call("POST", f"{path}/messages/{message['id']}", {"metadata": {"n": "1"}})
    assert changed == message | {"metadata": {"n": "1"}}
    assert (await api.call("POST", path, {"metadata": {}}))["metadata"] == {}
    listed = await api.call("GET", f"{path}/messages")
    assert listed["data"][0]["id"] == message["id"]
    assert (len(listed["data"]), listed["object"], listed["has_more"]) == (2, "list", False)
    assert (listed["first_id"], listed["last_id"]) == (message["id"], listed["data"][1]["id"])
    deleted = await api.call("DELETE", f"{path}/messages/{message['id']}")
    assert deleted == {"id": message["id"], "object": "thread.message.deleted", "deleted": True}
    deleted = await api.call("DELETE", path)
    assert deleted == {"id": thread["id"], "object": "thread.deleted", "deleted": True}
    await api.call("GET", path, status=404)


async def test_listing(api: Api) -> None:
    """Limit, order and cursors are honoured; an empty list has no cursors."""
    thread = await api.call("POST", "/v1/threads")
    path = f"/v1/threads/{thread['id']}/messages"
    assert await api.call("GET", path) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    ids = [(await api.call("POST", path, HELLO))["id"] for _ in range(25)]

    async def listed(query: str) -> tuple[list[str], bool]:
        page = await api.call("GET", f"{path}?{query}")
        return [item["id"] for item in page["data"]], page["has_more"]

    assert await listed("") == (ids[:4:-1], True)
    assert await listed("order=asc&limit=3") == (ids[:3], True)
    assert await listed(f"order=asc&limit=100&after={ids[20]}") == (ids[21:], False)
    assert await listed(f"order=asc&limit=2&before={ids[5]}") == (ids[3:5], True)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=1_0", "order=up"])
async def test_listing_refuses(api: Api, query: str) -> None:
    """A query that cannot be honoured is a 400 that names it."""
    thread = await api.call("POST", "/v1/threads")
    answer = await api.call("GET", f"/v1/threads/{thread['id']}/messages?{query}", status=400)
    assert answer["error"]["param"] == query.partition("=")[0]


async def test_second_version(api: Api) -> None:
    """With the second version's header a message has attachments and status."""
    thread = await api.call("POST", "/v1/threads")
    path = f"/v1/threads/{thread['id']}/messages"
    message = await api.call("POST", path, HELLO, OpenAI_Beta="assistants=v2")
    assert (message["attachments"], message["status"]) == ([], "completed")
    assert "attachments" not in await api.call("GET", f"{path}/{message['id']}")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/threads/thread_x", 404, "No thread found with id 'thread_x'."),
        ("POST", "/v1/threads/thread_x", 404, "No thread found with id 'thread_x'."),
        ("DELETE", "/v1/threads/thread_x/messages/m", 404, "No thread found with id 'thread_x'."),
        ("GET", "/v1/threads/thread_x/messages", 404, "No thread found with id 'thread_x'."),
        ("GET", "/v1/nothing", 404, "Invalid URL (GET /v1/nothing)"),
        ("PUT", "/v1/threads", 405, "Not allowed to PUT on /v1/threads."),
        ("POST", "/v1/threads/thread_x/messages", 400, "We could not parse the JSON body of your request."),
    ],
)
async def test_errors_have_the_apis_form(api: Api, method: str, path: str, status: int, message: str) -> None:
    answer = await api.call(method, path, status=status)
    assert answer["error"]["message"].startswith(message)
    assert answer["error"].keys() == {"message", "type", "param", "code"}


async def test_unknown_message(api: Api) -> None:
    thread = await api.call("POST", "/v1/threads")
    answer = await api.call("GET", f"/v1/threads/{thread['id']}/messages/msg_x", status=404)
    assert answer["error"]["message"] == "No message found with id 'msg_x'."


async def test_a_body_too_large_is_413(api: Api) -> None:
    """The limit shows in the API's form as soon as it is passed."""
    size = MAX_BODY + 1
    head = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    [response] = parse_responses(await exchange(api.port, head, b"x" * size))
    assert response.status == 413
    assert json.loads(response.body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"GET /health?" + b"a" * (MAX_REQUEST_LINE - 21) + b" HTTP/1.1", []),
        (b"GET /health HTTP/1.1", [b"X-A: " + b"a" * (MAX_FIELD_LINE - 5)]),
        (b"GET /health HTTP/1.1", [b"Via: " + b"a" * (MAX_HEAD - 100)]),
        (b"GET /health HTTP/1.1", [b"X-%d: a" % number for number in range(MAX_FIELDS + 5)]),
    ],
    ids=["line", "field", "fields joined", "fields"],
)
async def test_heads_that_the_gateway_forwards(api: Api, line: bytes, fields: list[bytes]) -> None:
    """Heads at the gateway's limits, with the fields that it adds, are well for this upstream, too."""
    raw = b"\r\n".join([line, b"Host: x", *fields, b"", b""])
    [response] = parse_responses(await exchange(api.port, raw), closed=False)
    assert (response.status, json.loads(response.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX : 1\r\n\r\n",
        b"\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_what_is_no_http_is_400(api: Api, raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Malformed requests are refused, and nothing is said of them but that."""
    [response] = parse_responses(await exchange(api.port, raw))
    assert response.status == 400
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_fault_of_its_own_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A bug is an answer without a word of it, and a traceback for whoever runs it."""

    def clock() -> float:
        raise RuntimeError("sesame")

    async with running(make_app(clock=clock)) as port:
        raw = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\n\r\n"
        [response] = parse_responses(await exchange(port, raw))
        assert response.status == 500
        assert b"sesame" not in response.body
    assert "sesame" in caplog.text


async def test_health(api: Api) -> None:
    """Health answers whatever the mode asks for."""
    assert await api.call("GET", "/health", x_embedded_mode="reset") == {"status": "ok"}


async def test_slow(api: Api) -> None:
    await api.call("POST", "/v1/threads", x_embedded_mode="slow=1.5")
    assert api.sleep.asked == [1.5]


async def test_fail_stores_nothing(api: Api) -> None:
    """A failing answer has the status asked for, and the message is not there afterwards."""
    thread = await api.call("POST", "/v1/threads")
    path = f"/v1/threads/{thread['id']}/messages"
    answer = await api.call("POST", path, HELLO, status=503, x_embedded_mode="fail=503")
    assert answer["error"]["type"] == "server_error"
    assert (await api.call("GET", path))["data"] == []


async def test_unknown_mode(api: Api) -> None:
    answer = await api.call("POST", "/v1/threads", status=400, x_embedded_mode="fish")
    assert answer["error"]["param"] == "x-embedded-mode"


async def test_reset(api: Api) -> None:
    """The connection is reset before any byte of an answer, a stream's too."""
    thread = await api.call("POST", "/v1/threads")
    for mode in ("reset", "reset, stream=3"):
        async with RawConnection(api.port) as connection:
            head = (
                f"POST /v1/threads/{thread['id']}/messages HTTP/1.1\r\nHost: x\r\n{MODE_HEADER}: {mode}\r\n"
            )
            content = json.dumps(HELLO).encode()
            await connection.send(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            assert await connection.read_end() == b""
            assert connection.was_reset


@pytest.mark.parametrize(("mode", "waits"), [("truncate", []), ("stall", [LONGEST])])
async def test_half_a_body(api: Api, mode: str, waits: list[float]) -> None:
    """Truncate and stall send a head that promises more than comes."""
    content = await api.raw("/v1/threads", {}, mode)
    assert content.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'{"id": "thread_' in content
    with pytest.raises(Incomplete):
        parse_responses(content)
    assert api.sleep.asked == waits


async def test_stream(api: Api) -> None:
    """A created message comes as events, each in a chunk of its own, with pauses between, and is kept."""
    thread = await api.call("POST", "/v1/threads")
    path = f"/v1/threads/{thread['id']}/messages"
    content = await api.raw(path, HELLO, "stream=2,pause=0.5")
    [response] = parse_responses(content)
    assert response.header("content-type") == "text/event-stream; charset=utf-8"
    assert (response.header("x-request-id") or "").startswith("req_")
    events = response.body.decode().split("\n\n")
    assert [event.split("\n")[0] for event in events] == [
        "event: thread.message.created",
        "event: thread.message.delta",
        "event: thread.message.delta",
        "event: thread.message.completed",
        "event: done",
        "",
    ]
    assert events[-2].endswith("data: [DONE]")
    assert api.sleep.asked == [0.5] * 4
    assert len((await api.call("GET", path))["data"]) == 1


async def test_truncated_stream(api: Api) -> None:
    """A stream that breaks off has some events and no last chunk."""
    thread = await api.call("POST", "/v1/threads")
    content = await api.raw(f"/v1/threads/{thread['id']}/messages", HELLO, "stream=6,truncate")
    assert content.count(b"event: thread.message.delta") == 3
    assert b"completed\n" not in content
    with pytest.raises(Incomplete):
        parse_responses(content)


async def test_mode_of_the_application() -> None:
    """A mode given to make_app holds for requests without the header, and only for those."""
    async with running(make_app(mode="fail=500")) as port, aiohttp.ClientSession() as session:
        api = Api(session, port, FakeSleep())
        await api.call("POST", "/v1/threads", status=500)
        await api.call("POST", "/v1/threads", x_embedded_mode="")
    with pytest.raises(ValueError, match="unknown word"):
        make_app(mode="fish")


async def test_a_client_that_leaves_ends_the_wait() -> None:
    """A slow answer is given up when nobody waits for it any more."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(make_app(sleep=sleep)) as port, asyncio.timeout(5):
        async with RawConnection(port) as connection:
            await connection.send(f"GET /v1/x HTTP/1.1\r\nHost: x\r\n{MODE_HEADER}: slow=60\r\n\r\n".encode())
            await begun.wait()
        await ended.wait()


async def test_an_address_in_use_is_an_operators_fault() -> None:
    async with running(make_app()) as port:
        with pytest.raises(GatewayError, match=f"cannot listen on 127.0.0.1:{port}: "):
            await serve("127.0.0.1", port)
