"""The official SDK through the packs: good calls pass byte for byte, bad ones raise and go nowhere."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pydantic
import pytest
import pytest_asyncio

from tests.support.recorder import Step, ok
from tests.support.sdk_between import Between

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # likewise of assistants
]

CHAT, HI = "chat.completions.create", [{"role": "user", "content": "Hi"}]
MESSAGE, ITEMS = "beta.threads.messages.create", "conversations.items.create"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def between(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Between]:
    """Run one gateway with every pack for all tests of this module."""
    async with Between(tmp_path_factory.mktemp("packs")) as between:
        yield between


class Call(NamedTuple):
    """A call that has to pass: what the upstream answers is what the SDK has to return."""

    call: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    positional: tuple[str, ...] = ()


FUNCTION = {
    "name": "find",
    "description": "Finds a book.",
    "parameters": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
    "strict": True,
}
SCHEMA = {"name": "shelf", "schema": {"type": "object", "properties": {"row": {"type": "integer"}}}}
RUN = {"id": "run_1", "object": "thread.run", "status": "completed", "thread_id": "thread_1"}
PASSES = {
    "an assistant": Call(
        "beta.assistants.create",
        {
            "model": "gpt-4o",
            "instructions": 'Be brief. \u2028 🙂 \\ " / \0',
            "tools": [{"type": "code_interpreter"}, {"type": "function", "function": FUNCTION}],
            "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
            "response_format": {"type": "json_schema", "json_schema": SCHEMA},
            "temperature": 0.1 + 0.2,
            "top_p": 1e-05,
            "metadata": {"k" * 64: "v" * 512},
        },
        {"id": "asst_1", "object": "assistant", "model": "gpt-4o", "tools": [{"type": "code_interpreter"}]},
    ),
    "a thread without anything": Call("beta.threads.create", {}, {"id": "thread_1", "object": "thread"}),
    "a message as long as may be": Call(
        MESSAGE,
        {"role": "user", "content": "🙂" * 256_000},
        {"id": "msg_1", "object": "thread.message"},
        ("thread_1",),
    ),
    "a message of parts": Call(
        MESSAGE,
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                {"type": "image_file", "image_file": {"file_id": "file-1"}},
            ],
            "attachments": [{"file_id": "file-2", "tools": [{"type": "file_search"}]}],
            "metadata": None,
        },
        {"id": "msg_2", "object": "thread.message"},
        ("thread_1",),
    ),
    "a run that shall tell more": Call(
        "beta.threads.runs.create",
        {
            "assistant_id": "asst_1",
            "include": ["step_details.tool_calls[*].file_search.results[*].content"],
            "additional_messages": [{"role": "user", "content": "One more."}],
            "tool_choice": {"type": "function", "function": {"name": "find"}},
            "truncation_strategy": {"type": "last_messages", "last_messages": 5},
        },
        RUN,
        ("thread_1",),
    ),
    "a run's cancellation, without a body": Call(
        "beta.threads.runs.cancel", {"thread_id": "thread_1"}, RUN, ("run_1",)
    ),
    "a run's outputs": Call(
        "beta.threads.runs.submit_tool_outputs",
        {"thread_id": "thread_1", "tool_outputs": [{"tool_call_id": "call_1", "output": "row 3"}]},
        RUN,
        ("run_1",),
    ),
    "a conversation": Call(
        "conversations.create",
        {"items": [{"type": "message", "role": "user", "content": "Hello"}], "metadata": {"topic": "demo"}},
        {"id": "conv_1", "object": "conversation", "metadata": {"topic": "demo"}},
    ),
    "twenty items": Call(
        ITEMS,
        {
            "items": [{"type": "message", "role": "user", "content": f"item {n}"} for n in range(20)],
            "include": ["message.input_image.image_url", "reasoning.encrypted_content"],
        },
        {"object": "list", "data": [{"id": "item_1", "type": "message", "role": "user"}], "has_more": False},
        ("conv_1",),
    ),
    "a response with nearly everything": Call(
        "responses.create",
        {
            "model": "gpt-5",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
                {"type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "row 3"},
            ],
            "tools": [{"type": "web_search"}, {"type": "function"} | FUNCTION],
            "tool_choice": {"type": "function", "name": "find"},
            "text": {"format": {"type": "json_schema"} | SCHEMA, "verbosity": "low"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "previous_response_id": None,
            "store": False,
        },
        {"id": "resp_1", "object": "response", "status": "completed", "output": []},
    ),
    "a response that is there": Call(
        "responses.retrieve",
        {"include": ["file_search_call.results", "message.output_text.logprobs"], "starting_after": 3},
        {"id": "resp_1", "object": "response", "output": []},
        ("resp_1",),
    ),
    "a chat with a tool that was called": Call(
        CHAT,
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                *HI,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": "row 3"},
            ],
            "tools": [{"type": "function", "function": FUNCTION}],
            "logit_bias": {"50256": -100},
            "stop": ["\n", "END"],
            "n": None,
        },
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": []},
    ),
    "chats found by their metadata": Call(
        "chat.completions.list",
        {"metadata": {"topic": "a b+c&d=e", "ä": "ö"}, "limit": 5, "order": "asc"},
        {"object": "list", "data": [{"id": "chatcmpl-1"}], "has_more": False},
    ),
    "a chat that is removed": Call(
        "chat.completions.delete",
        {},
        {"id": "chatcmpl-1", "object": "chat.completion.deleted", "deleted": True},
        ("chatcmpl-1",),
    ),
}


@pytest.mark.parametrize("name", PASSES)
async def test_good_calls_pass_byte_for_byte(between: Between, name: str) -> None:
    """The upstream gets target and body as the SDK sent them, and the SDK returns what it answered."""
    call = PASSES[name]
    returned = await between.passes(call.call, call.arguments, call.answer, *call.positional)
    assert returned.to_dict() == call.answer
    assert returned._request_id is not None  # the gateway's


async def test_pages_are_turned(between: Between) -> None:
    """Iterating over a list asks for page after page, each a request that the contract knows."""
    pages = [["msg_1", "msg_2"], ["msg_3"]]
    for number, page in enumerate(pages):
        body = {"object": "list", "data": [{"id": id_} for id_ in page], "has_more": number == 0}
        body |= {"first_id": page[0], "last_id": page[-1]}
        between.answers.append(ok(json.dumps(body).encode()))
    before = len(between.upstream.requests)
    async with between.client() as client:
        found = [message.id async for message in client.beta.threads.messages.list("thread_1", limit=2)]
    assert found == ["msg_1", "msg_2", "msg_3"]
    path = "/v1/threads/thread_1/messages?limit=2"
    assert [request.target for request in between.upstream.requests[before:]] == [path, f"{path}&after=msg_2"]


class Shelf(pydantic.BaseModel):
    """What a model shall answer."""

    row: int
    note: str | None = None


async def test_parsed_answers(between: Between) -> None:
    """The SDK makes a strict JSON Schema of a model; both APIs take it, and the answer comes back parsed."""
    message = {"role": "assistant", "content": '{"row": 3, "note": null}'}
    chat = {"id": "c", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    arguments = {"model": "gpt-4o", "messages": HI, "response_format": Shelf}
    found = await between.passes("chat.completions.parse", arguments, chat)
    assert found.choices[0].message.parsed == Shelf(row=3)
    text = {"type": "output_text", "text": '{"row": 4, "note": "x"}', "annotations": []}
    output = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    arguments = {"model": "gpt-4o", "input": "Where?", "text_format": Shelf}
    found = await between.passes("responses.parse", arguments, {"id": "r", "output": [output]})
    assert found.output_parsed == Shelf(row=4, note="x")


async def test_what_was_answered_can_be_sent_again(between: Between) -> None:
    """Items of a response are the next one's input, as the SDK gives them."""
    item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
    item |= {"content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    call = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "find", "arguments": "{}"}
    answer = {"id": "resp_1", "object": "response", "output": [thought, item, call]}
    first = await between.passes("responses.create", {"model": "gpt-5", "input": "Hi"}, answer)
    done = {"type": "function_call_output", "call_id": "c", "output": "row 3"}
    arguments = {"model": "gpt-5", "input": [*first.output, done]}
    await between.passes("responses.create", arguments, answer)
    assert json.loads(between.upstream.requests[-1].body)["input"] == [thought, item, call, done]


STREAMS = {
    "a chat": (
        CHAT,
        {"model": "gpt-4o", "messages": HI, "stream": True, "stream_options": {"include_usage": True}},
        (),
        [
            ("", {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
            ("", {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hällo 🙂"}}]}),
            ("", {"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ],
    ),
    "a response": (
        "responses.create",
        {"model": "gpt-5", "input": "Hi", "stream": True},
        (),
        [
            ("response.created", {"type": "response.created", "sequence_number": 0}),
            ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "Hi"}),
            ("response.completed", {"type": "response.completed", "sequence_number": 2}),
        ],
    ),
    "a run": (
        "beta.threads.runs.create",
        {"assistant_id": "asst_1", "stream": True},
        ("thread_1",),
        [
            ("thread.run.created", {"id": "run_1", "object": "thread.run", "status": "queued"}),
            ("thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {}}),
            ("thread.run.completed", {"id": "run_1", "object": "thread.run", "status": "completed"}),
        ],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_streams_arrive_event_by_event(between: Between, name: str) -> None:
    """Each event is in the application's hands before the upstream sends the next one."""
    call, arguments, positional, events = STREAMS[name]
    gates = [asyncio.Event() for _ in (*events, "end")]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    script: list[bytes | asyncio.Event | Step] = [head]
    for gate, (event, value) in zip(gates, events, strict=False):
        first = f"event: {event}\n" if event else ""
        script += [gate, _chunk(f"{first}data: {json.dumps(value)}\n\n".encode())]
    between.answers.append([*script, gates[-1], _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"])
    mark, before = len(between.relay.raw), len(between.upstream.requests)
    async with between.client() as client:
        stream = await between.method(client, call)(*positional, **arguments)
        received = aiter(stream)
        for gate, (event, value) in zip(gates, events, strict=False):
            gate.set()
            found = (await anext(received)).to_dict()
            assert found == ({"event": event, "data": value} if event.startswith("thread") else value)
        gates[-1].set()
        with pytest.raises(StopAsyncIteration):
            await anext(received)
    assert json.loads(between.same(mark, before).body)["stream"] is True


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)
