"""The current SDK's asynchronous client, and server-sent events as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, AsyncStream

from tests.support.program import MESSAGES, Program, write_config
from tests.support.recorder import Connection, Recorder, Script, Step, chunked, ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.sdk.conftest import Stage

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
]

PATH = MESSAGES.removeprefix("/v1")
BODY = {"role": "user", "content": "Hello"}
EVENTS = (b"Content-Type: text/event-stream",)


class Behind:
    """A gateway and its raw upstream, which answers by ``scripts`` in turn, and then with what it got."""

    def __init__(self) -> None:
        self.scripts: deque[Script] = deque()
        self.upstream = Recorder(self._script)
        self.gateway: Program

    def client(self, *, max_retries: int = 0) -> AsyncOpenAI:
        """Give a client of the gateway."""
        return AsyncOpenAI(api_key="k", base_url=f"{self.gateway.address}/v1", max_retries=max_retries)

    def _script(self, _number: int, connection: Connection) -> Script:
        return self.scripts.popleft() if self.scripts else ok(connection.requests[-1].body or b"{}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    """Run one gateway before one recording upstream for all tests of this module."""
    behind = Behind()
    async with behind.upstream as upstream:
        path = write_config(tmp_path_factory.mktemp("streaming") / "gateway.yaml", upstream.port)
        with Program("serve", "-c", str(path)) as behind.gateway:
            behind.gateway.started()
            yield behind


def _event(number: int) -> bytes:
    return b'event: thread.message.delta\ndata: {"number": %d}\n\n' % number


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


async def test_events_arrive_one_by_one(behind: Behind) -> None:
    """Each event reaches the application before the upstream sends the next one."""
    gates = [asyncio.Event() for _ in range(3)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    script: list[bytes | asyncio.Event | Step] = [head]
    for number, gate in enumerate(gates):
        script += [gate, _chunk(_event(number))]
    end = asyncio.Event()
    behind.scripts.append([*script, end, _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"])
    async with behind.client() as client:
        # the head alone is enough for the call to return
        stream = await client.post(PATH, body=BODY, cast_to=object, stream=True, stream_cls=AsyncStream[Any])
        events = aiter(stream)
        for number, gate in enumerate(gates):
            gate.set()
            event = await anext(events)
            assert event["data"] == {"number": number}
        end.set()
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_stream_that_breaks_does_not_look_whole(behind: Behind) -> None:
    """The upstream resets in the midst of events: the application gets an error, not an end."""
    head, first, *_ = chunked(_event(0), headers=EVENTS)
    seen = asyncio.Event()
    behind.scripts.append([head, first, seen, Step.RESET])
    async with behind.client() as client:
        stream = await client.post(PATH, body=BODY, cast_to=object, stream=True, stream_cls=AsyncStream[Any])
        events = aiter(stream)
        assert (await anext(events))["data"] == {"number": 0}
        seen.set()
        with pytest.raises(openai.APIConnectionError):
            await anext(events)


async def test_an_application_that_leaves_cancels_the_upstream(behind: Behind) -> None:
    """Closing a stream early ends the upstream's connection, and the log says that the client has gone."""
    behind.scripts.append([*chunked(_event(0), headers=EVENTS)[:2], Step.SILENCE])
    async with behind.client() as client:
        stream = await client.post(PATH, body=BODY, cast_to=object, stream=True, stream_cls=AsyncStream[Any])
        await anext(aiter(stream))
        connection = behind.upstream.connections[-1]
        await stream.close()
    await behind.upstream.wait_for(connection.gone.is_set)
    await asyncio.to_thread(
        behind.gateway.wait_line, lambda line: '"code":"client_gone"' in line and '"status":200' in line
    )


async def test_a_truncated_answer_does_not_look_whole(behind: Behind) -> None:
    """Half a body is a connection error for the SDK, never a message."""
    behind.scripts.append([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Step.CLOSE])
    async with behind.client() as client:
        with pytest.raises(openai.APIConnectionError):
            await client.beta.threads.messages.create("thread_1", role="user", content="Hello")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([Step.RESET], "upstream_unreachable"),
        ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], "upstream_protocol_error"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"], "upstream_protocol_error"),
    ],
)
async def test_a_message_is_never_sent_twice(behind: Behind, script: Script, code: str) -> None:
    """A message that may have arrived is not sent again, by gateway or SDK, though that would retry a 502."""
    behind.scripts.append(script)
    before = len(behind.upstream.raw)
    async with behind.client(max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.beta.threads.messages.create("thread_1", role="user", content="only once")
    assert (caught.value.status_code, caught.value.code) == (502, code)
    assert caught.value.type == "server_error"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert behind.upstream.raw[before:].count(b"only once") == 1


async def test_the_upstreams_own_word_on_retries_passes(behind: Behind) -> None:
    """x-should-retry of the upstream is the SDK's to follow: it sends again, and all is well."""
    again = [b"x-should-retry: true", b"retry-after-ms: 1"]
    behind.scripts.extend([ok(b'{"error": {}}', *again, status=b"409 Conflict"), ok(b'{"id": "msg_1"}')])
    async with behind.client(max_retries=1) as client:
        message = await client.beta.threads.messages.create("thread_1", role="user", content="Hello")
    assert message.id == "msg_1"
    assert not behind.scripts


async def test_many_at_once(behind: Behind) -> None:
    """Concurrent calls of one asynchronous client each get the answer to their own message."""
    async with behind.client() as client:
        answers = await asyncio.gather(
            *(
                client.beta.threads.messages.create("thread_1", role="user", content=f"message {number}")
                for number in range(50)
            )
        )
    assert [answer.content for answer in answers] == [f"message {number}" for number in range(50)]


async def test_async_refusals(behind: Behind) -> None:
    """The asynchronous client raises the same, once, and the upstream hears nothing."""
    before = len(behind.upstream.raw)
    lines = len(behind.gateway.output)
    async with behind.client(max_retries=5) as client:
        with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'colour'") as caught:
            await client.beta.threads.messages.create(
                "thread_1", role="user", content="canary", extra_body={"colour": "red"}
            )
        await client.beta.threads.retrieve("thread_1")
    assert caught.value.param == "colour"
    assert b"canary" not in behind.upstream.raw[before:]
    await asyncio.to_thread(behind.gateway.wait_line, lambda line: '"operation":"getThread"' in line)
    since = [event["status"] for event in behind.gateway.events()[lines:] if event["event"] == "request"]
    assert since[-2:] == [400, 200]
    assert since.count(400) == 1


async def test_the_embedded_upstreams_stream(stage: Stage) -> None:
    """The whole way with nothing scripted: SDK, gateway, embedded upstream in its streaming mode."""
    async with AsyncOpenAI(api_key="k", base_url=stage.base_url) as client:
        thread = await client.beta.threads.create()
        stream = await client.post(
            f"/threads/{thread.id}/messages",
            body={"role": "user", "content": "one two three"},
            options={"headers": {"x-embedded-mode": "stream=3"}},
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[Any],
        )
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        events = [(event["event"], event["data"]) async for event in stream]
    assert [name for name, _ in events] == [
        "thread.message.created",
        *["thread.message.delta"] * 3,
        "thread.message.completed",
    ]
    text = "".join(data["delta"]["content"][0]["text"]["value"] for _, data in events[1:4])
    assert text == "one two three"
