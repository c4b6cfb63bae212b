"""What the packs refuse raises what the real API would make the SDK raise, and goes nowhere."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import openai
import pytest
import pytest_asyncio

from tests.sdk.conftest import Sdk
from tests.support.program import fetch
from tests.support.sdk_between import KEY, Between

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # likewise of assistants
]

OLD_SDK = Path(sys.prefix, "sdk-1.14.3", "bin", "python")
"""An environment that `make unit` makes."""
CANARY = "canary-77f0"
CHAT, MESSAGE = "chat.completions.create", "beta.threads.messages.create"
ITEMS, RESPONSE = "conversations.items.create", "responses.create"
HI = {"model": "gpt-4o", "messages": [{"role": "user", "content": CANARY}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def between(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Between]:
    """Run one gateway with every pack for all tests of this module."""
    async with Between(tmp_path_factory.mktemp("refused")) as between:
        yield between


class Told(NamedTuple):
    """A violation: ``pointer`` is None outside the body, ``limit`` and ``actual`` are left out with None."""

    code: str
    param: str
    pointer: str | None
    message: str
    limit: int | str | None = None
    actual: int | str | None = None

    def json(self) -> dict[str, Any]:
        """Give it as the refusal has it."""
        told = self._asdict() | {"layer": "contract"}
        return {key: value for key, value in told.items() if value is not None or key == "pointer"}


class Bad(NamedTuple):
    """A call that has to be refused, and all that has to be told of it."""

    call: str
    arguments: dict[str, Any]
    told: tuple[Told, ...]
    positional: tuple[str, ...] = ()


def _missing(param: str, pointer: str | None) -> Told:
    return Told("missing_required_parameter", param, pointer, f"Missing required parameter: '{param}'.")


def _unknown(param: str, pointer: str | None) -> Told:
    return Told("unknown_parameter", param, pointer, f"Unknown parameter: '{param}'.")


def _wrong_type(param: str, pointer: str, expected: str, actual: str) -> Told:
    message = f"Invalid type for '{param}': expected {expected}, but got {actual} instead."
    *_, limit = expected.split()
    *_, figure = actual.split()
    return Told("invalid_type", param, pointer, message, limit, figure)


def _too_long(param: str, pointer: str, limit: int, actual: int) -> Told:
    message = (
        f"Invalid '{param}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {actual} instead."
    )
    return Told("string_above_max_length", param, pointer, message, limit, actual)


def _too_many(param: str, pointer: str, limit: int, actual: int) -> Told:
    message = (
        f"Invalid '{param}': array too long. Expected an array with maximum length {limit}, "
        f"but got an array with length {actual} instead."
    )
    return Told("array_above_max_length", param, pointer, message, limit, actual)


def _not_one_of(param: str, pointer: str | None, value: str, supported: str) -> Told:
    message = f"Invalid value: '{value}'. Supported values are: {supported}."
    return Told("invalid_value", param, pointer, message)


FUNCTION = {"name": "find", "parameters": {}}
PARTS = "'text', 'image_file', and 'image_url'"
TEXT = {"type": "text", "text": "x"}
METADATA = {"k" * 65: "x", "note": "v" * 513, **{f"k{number}": "x" for number in range(15)}}
BAD = {
    "a text part without its text": Bad(
        MESSAGE,
        {"role": "user", "content": [TEXT, {"type": "text"}]},
        (_missing("content[1].text", "/content/1/text"),),
        ("thread_1",),
    ),
    "a part of no kind": Bad(
        MESSAGE,
        {"role": "user", "content": [{"type": "video", "text": CANARY}]},
        (_not_one_of("content[0].type", "/content/0/type", "video", PARTS),),
        ("thread_1",),
    ),
    "a wrong role": Bad(
        MESSAGE,
        {"role": "system", "content": CANARY},
        (_not_one_of("role", "/role", "system", "'user' and 'assistant'"),),
        ("thread_1",),
    ),
    "a character too many": Bad(
        MESSAGE,
        {"role": "user", "content": "🙂" * 256_001},
        (_too_long("content", "/content", 256_000, 256_001),),
        ("thread_1",),
    ),
    "an attachment for no tool": Bad(
        MESSAGE,
        {"role": "user", "content": CANARY, "attachments": [{"file_id": "file-1"}]},
        (_missing("attachments[0].tools", "/attachments/0/tools"),),
        ("thread_1",),
    ),
    "file ids, which are the first version's": Bad(
        MESSAGE,
        {"role": "user", "content": CANARY, "extra_body": {"file_ids": ["file-1"]}},
        (_unknown("file_ids", "/file_ids"),),
        ("thread_1",),
    ),
    "metadata over every limit": Bad(
        "beta.threads.create",
        {"metadata": METADATA},
        (
            Told(
                "object_above_max_properties",
                "metadata",
                "/metadata",
                "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
                "but got an object with 17 properties instead.",
                16,
                17,
            ),
            Told(
                "string_above_max_length",
                "metadata",
                "/metadata/" + "k" * 16 + "…",
                "Invalid 'metadata': key too long. Expected a key with maximum length 64, "
                "but got a key with length 65 instead.",
                64,
                65,
            ),
            _too_long("metadata.note", "/metadata/note", 512, 513),
        ),
    ),
    "a tool without a name": Bad(
        "beta.assistants.create",
        {"model": "gpt-4o", "tools": [{"type": "function", "function": {"parameters": {}}}]},
        (_missing("tools[0].function.name", "/tools/0/function/name"),),
    ),
    "a tool without a name, of a chat": Bad(
        CHAT,
        HI | {"tools": [{"type": "function", "function": FUNCTION}, {"type": "function", "function": {}}]},
        (_missing("tools[1].function.name", "/tools/1/function/name"),),
    ),
    "a tool without a name, of a response": Bad(
        RESPONSE,
        {"input": CANARY, "tools": [{"type": "function", "parameters": {}, "strict": True}]},
        (_missing("tools[0].name", "/tools/0/name"),),
    ),
    "21 items": Bad(
        ITEMS,
        {"items": [{"type": "message", "role": "user", "content": CANARY}] * 21},
        (_too_many("items", "/items", 20, 21),),
        ("conv_1",),
    ),
    "21 items of a new conversation": Bad(
        "conversations.create",
        {"items": [{"type": "message", "role": "user", "content": CANARY}] * 21},
        (_too_many("items", "/items", 20, 21),),
    ),
    "an unknown parameter": Bad(CHAT, HI | {"extra_body": {"top_k": 4}}, (_unknown("top_k", "/top_k"),)),
    "an unknown parameter, deep inside": Bad(
        CHAT,
        {"model": "m", "messages": [{"role": "user", "content": [TEXT | {"colour": "red"}]}]},
        (_unknown("messages[0].content[0].colour", "/messages/0/content/0/colour"),),
    ),
    "a schema without a name": Bad(
        CHAT,
        HI | {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        (_missing("response_format.json_schema.name", "/response_format/json_schema/name"),),
    ),
    "a format that is none": Bad(
        CHAT,
        HI | {"response_format": {"type": "yaml"}},
        (
            _not_one_of(
                "response_format.type",
                "/response_format/type",
                "yaml",
                "'text', 'json_object', and 'json_schema'",
            ),
        ),
    ),
    "a format in the place of its object": Bad(
        CHAT,
        HI | {"response_format": "json_object"},
        (_wrong_type("response_format", "/response_format", "an object", "a string"),),
    ),
    "a format of a response": Bad(
        RESPONSE,
        {"input": CANARY, "text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}},
        (
            Told(
                "invalid_value",
                "text.format.name",
                "/text/format/name",
                "Invalid 'text.format.name': string does not match pattern. Expected a string that matches "
                "the pattern '^[A-Za-z0-9_-]{1,64}$'.",
                "^[A-Za-z0-9_-]{1,64}$",
            ),
        ),
    ),
    "several faults, in the order of the body": Bad(
        CHAT,
        {"model": 5, "messages": [{"role": "user"}, {"role": "judge", "content": 5}], "stop": ["x"] * 5},
        (
            _wrong_type("model", "/model", "a string", "an integer"),
            _missing("messages[0].content", "/messages/0/content"),
            _not_one_of(
                "messages[1].role",
                "/messages/1/role",
                "judge",
                "'developer', 'system', 'user', 'assistant', 'tool', and 'function'",
            ),
            _too_many("stop", "/stop", 4, 5),
        ),
    ),
    "a bad stream is refused before it is one": Bad(
        CHAT,
        {"model": "m", "messages": [], "stream": True},
        (
            Told(
                "empty_array",
                "messages",
                "/messages",
                "Invalid 'messages': empty array. Expected an array with minimum length 1, "
                "but got an empty array instead.",
                1,
                0,
            ),
        ),
    ),
    "an id with a dot": Bad(
        "beta.threads.retrieve",
        {},
        (
            Told(
                "invalid_value",
                "thread_id",
                None,
                "Invalid 'thread_id': string does not match pattern. Expected a string that matches the "
                "pattern '^[A-Za-z0-9_-]{1,256}$'.",
                "^[A-Za-z0-9_-]{1,256}$",
            ),
        ),
        ("thread.1",),
    ),
    "bad values in a query": Bad(
        "beta.threads.messages.list",
        {"limit": 101, "order": "up", "extra_query": {"colour": "red"}},
        (
            Told(
                "integer_above_max_value",
                "limit",
                None,
                "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
                100,
                101,
            ),
            _not_one_of("order", None, "up", "'asc' and 'desc'"),
            _unknown("colour", None),
        ),
        ("thread_1",),
    ),
    "a bad item of a list in a query": Bad(
        "beta.threads.runs.steps.list",
        {"thread_id": "thread_1", "include": ["everything"]},
        (
            _not_one_of(
                "include[][0]",
                None,
                "everything",
                "'step_details.tool_calls[*].file_search.results[*].content'",
            ),
        ),
        ("run_1",),
    ),
    "metadata in a query over its limit": Bad(
        "chat.completions.list",
        {"metadata": {"note": "v" * 513}},
        (_too_long("metadata.note", "", 512, 513)._replace(pointer=None),),
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_calls_raise(between: Between, name: str) -> None:
    """BadRequestError with code, param and message of the first violation, all of them, and a request id."""
    bad = BAD[name]
    error = await between.refused(bad.call, bad.arguments, *bad.positional)
    first = bad.told[0]
    assert type(error) is openai.BadRequestError
    assert (error.status_code, error.code, error.param) == (400, first.code, first.param)
    assert first.message in error.message.replace('\\"', '"')
    assert error.body == {
        "message": first.message,
        "type": "invalid_request_error",
        "param": first.param,
        "code": first.code,
        "violations": [told.json() for told in bad.told],
    }
    assert error.request_id == error.response.headers["x-request-id"]
    assert uuid.UUID(error.request_id).version == 7
    assert error.response.headers["x-should-retry"] == "false"


async def test_the_header_chooses_the_contract(between: Between) -> None:
    """On one route: with assistants=v2 the second pack judges, without or with v1 the first."""
    first = {"role": "user", "content": "x", "extra_body": {"file_ids": ["file-1"]}}
    second = {"role": "assistant", "content": [TEXT]}
    v1 = {"extra_headers": {"OpenAI-Beta": "assistants=v1"}}
    both = {"extra_headers": {"OpenAI-Beta": "realtime=v1, assistants=v2"}}
    answer = {"id": "msg_1"}
    await between.passes(MESSAGE, first | v1, answer, "thread_1")
    assert between.upstream.requests[-1].header("openai-beta") == "assistants=v1"
    await between.passes(MESSAGE, second, answer, "thread_1")
    await between.passes(MESSAGE, second | both, answer, "thread_1")
    error = await between.refused(MESSAGE, first, "thread_1")
    assert (error.code, error.param) == ("unknown_parameter", "file_ids")
    error = await between.refused(MESSAGE, second | v1, "thread_1")
    assert [one["param"] for one in error.body["violations"]] == ["content", "role"]
    error = await between.refused("beta.assistants.list", v1)
    assert (type(error), error.code) == (openai.NotFoundError, "unknown_route")


async def test_without_the_header(between: Between) -> None:
    """A client that is no SDK and leaves it out is told so, or judged by the first pack where that can be."""
    heard = len(between.upstream.raw)

    async def get(path: str) -> tuple[int, Any]:
        status, _, body = await asyncio.to_thread(fetch, between.gateway.port, "GET", path)
        return status, json.loads(body)["error"]

    status, error = await get("/second/threads/thread_1/runs")
    message = "Missing required parameter: 'openai-beta'."
    told = Told("missing_required_parameter", "openai-beta", None, message)
    assert (status, error["violations"]) == (400, [told.json()])
    status, error = await get("/v1/threads/thread_1/runs")
    assert (status, error["code"]) == (404, "unknown_route")
    status, error = await get("/v1/threads/thread.1")
    assert (status, error["param"]) == (400, "thread_id")
    assert len(between.upstream.raw) == heard
    old = {"thread_id": "thread_1", "extra_headers": {"OpenAI-Beta": "assistants=v1"}}
    refused = await between.refused("beta.threads.runs.retrieve", old, "run_1", prefix="/second")
    assert (refused.code, refused.param) == ("invalid_value", "openai-beta")


async def test_the_sdk_of_the_first_version(between: Between) -> None:
    """The last SDK of the first Assistants API works through the same gateway, and is refused what it was."""
    base_url = f"http://127.0.0.1:{between.relay.port}/v1"
    mark, before = len(between.relay.raw), len(between.upstream.requests)

    def use() -> Any:
        sdk = Sdk(OLD_SDK, base_url)
        try:
            sdk.call("messages.create", "thread_1", role="user", content="Hi", file_ids=["file-1"])
            return sdk.fail("messages.create", "thread_1", role="user", content=[TEXT | {"note": CANARY}])
        finally:
            sdk.close()

    error = await asyncio.to_thread(use)
    assert (error.type, error.code, error.param) == ("BadRequestError", "invalid_type", "content")
    sent, refused = between.relay.requests_since(mark)
    [got] = between.upstream.requests[before:]
    assert (got.target, got.body, got.header("openai-beta")) == (sent.target, sent.body, "assistants=v1")
    assert CANARY.encode() in refused.body


async def test_problem_details(between: Between) -> None:
    """A client that asks for problem+json gets all violations so, and the SDK still raises the same class."""
    accept = {"extra_headers": {"Accept": "application/problem+json"}}
    error = await between.refused(CHAT, HI | {"tools": [{}]} | accept)
    assert type(error) is openai.BadRequestError
    assert error.response.headers["content-type"] == "application/problem+json"
    told = [(one["pointer"], one["code"]) for one in error.body["violations"]]
    assert told == [("/tools/0/type", "missing_required_parameter")]


async def test_nothing_of_what_was_refused_goes_anywhere(between: Between) -> None:
    """After all refusals a good call passes; upstream, log and metrics have seen none of the contents."""
    for bad in BAD.values():
        await between.refused(bad.call, bad.arguments, *bad.positional)
    await between.passes(CHAT, {"model": "m", "messages": [{"role": "user", "content": "fine"}]}, {"id": "c"})
    assert b"fine" in between.upstream.requests[-1].body
    text = "".join(between.gateway.output) + between.gateway.metrics().text
    for hidden in (CANARY, KEY):
        assert hidden not in text
    assert CANARY.encode() not in between.upstream.raw
