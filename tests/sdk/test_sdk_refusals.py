"""Bad messages raise what the real API would make the SDKs raise, and the upstream never hears of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.program import fetch

if TYPE_CHECKING:
    from tests.sdk.conftest import Raised, Sdk, Stage

CANARY = "canary-4f1c"
THREAD = "thread_canary"


class Fault(NamedTuple):
    """Arguments of ``messages.create`` and what they have to raise."""

    arguments: dict[str, Any]
    code: str
    param: str
    pointer: str
    message: str
    limit: int | str | None = None
    actual: int | str | None = None


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"content": CANARY, "metadata": metadata}


FAULTS = {
    "role system": Fault(
        {"role": "system", "content": CANARY},
        "invalid_value",
        "role",
        "/role",
        "Invalid value: 'system'. Supported values are: 'user'.",
    ),
    "17 pairs": Fault(
        _metadata({f"{CANARY}-{number}": "x" for number in range(17)}),
        "object_above_max_properties",
        "metadata",
        "/metadata",
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
        16,
        17,
    ),
    "a key of 65": Fault(
        _metadata({CANARY.ljust(65, "k"): "x"}),
        "string_above_max_length",
        "metadata",
        "/metadata/" + CANARY.ljust(16, "k") + "…",
        "Invalid 'metadata': key too long. Expected a key with maximum length 64, "
        "but got a key with length 65 instead.",
        64,
        65,
    ),
    "a value of 513": Fault(
        _metadata({"note": CANARY.ljust(513, "v")}),
        "string_above_max_length",
        "metadata.note",
        "/metadata/note",
        "Invalid 'metadata.note': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
        512,
        513,
    ),
    "a value that is no string": Fault(
        _metadata({"note": 5, "canary": CANARY}),
        "invalid_type",
        "metadata.note",
        "/metadata/note",
        "Invalid type for 'metadata.note': expected a string, but got an integer instead.",
        "string",
        "integer",
    ),
    "11 files": Fault(
        {"content": CANARY, "file_ids": [f"file-{number}" for number in range(11)]},
        "array_above_max_length",
        "file_ids",
        "/file_ids",
        "Invalid 'file_ids': array too long. Expected an array with maximum length 10, "
        "but got an array with length 11 instead.",
        10,
        11,
    ),
    "a file that is no string": Fault(
        {"content": CANARY, "file_ids": ["file-0", "file-1", "file-2", 3]},
        "invalid_type",
        "file_ids[3]",
        "/file_ids/3",
        "Invalid type for 'file_ids[3]': expected a string, but got an integer instead.",
        "string",
        "integer",
    ),
    "empty content": Fault(
        {"content": "", "metadata": {"canary": CANARY}},
        "empty_string",
        "content",
        "/content",
        "Invalid 'content': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        1,
        0,
    ),
    "long content": Fault(
        {"content": CANARY.ljust(40000, "🙂")},
        "string_above_max_length",
        "content",
        "/content",
        "Invalid 'content': string too long. Expected a string with maximum length 32768, "
        "but got a string with length 40000 instead.",
        32768,
        40000,
    ),
    "content of another type": Fault(
        {"content": 5, "metadata": {"canary": CANARY}},
        "invalid_type",
        "content",
        "/content",
        "Invalid type for 'content': expected a string, but got an integer instead.",
        "string",
        "integer",
    ),
    "an unknown property": Fault(
        {"content": CANARY, "extra_body": {"colour": CANARY}},
        "unknown_parameter",
        "colour",
        "/colour",
        "Unknown parameter: 'colour'.",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_raises(sdk: Sdk, stage: Stage, name: str) -> None:
    """BadRequestError with code, param and message in the real API's words; not one byte goes upstream."""
    fault = FAULTS[name]
    mark, connections = len(stage.relay.raw), stage.relay.connections
    error = sdk.fail("messages.create", THREAD, **sdk.message(**fault.arguments))
    violation = {
        "pointer": fault.pointer,
        "param": fault.param,
        "code": fault.code,
        "message": fault.message,
        "layer": "contract",
    }
    if fault.limit is not None:
        violation |= {"limit": fault.limit, "actual": fault.actual}
    _check(error, sdk, [violation])
    assert stage.relay.since(mark) == b""
    assert stage.relay.connections == connections


def _check(error: Raised, sdk: Sdk, violations: list[dict[str, Any]]) -> None:
    """Check everything that an application sees of a refusal with these violations."""
    first = violations[0]
    assert error.bad_request
    assert (error.type, error.status) == ("BadRequestError", 400)
    assert (error.code, error.param) == (first["code"], first["param"])
    assert first["message"] in error.message
    assert error.body == {
        "message": first["message"],
        "type": "invalid_request_error",
        "param": first["param"],
        "code": first["code"],
        "violations": violations,
    }
    assert error.headers["content-type"] == "application/json"
    assert error.headers["x-should-retry"] == "false"
    assert uuid.UUID(error.headers["x-request-id"]).version == 7
    if sdk.version != "1.14.3":  # that one has no request_id yet
        assert error.request_id == error.headers["x-request-id"]


def test_all_faults_at_once(sdk: Sdk, stage: Stage) -> None:
    """Several faults in one message are all listed; the first of them speaks for the error."""
    mark = len(stage.relay.raw)
    arguments = {
        "role": "assistant",
        "content": "",
        "metadata": {f"key{number}": 1 if number == 3 else "x" for number in range(17)},
        "extra_body": {"colour": "red", "file_ids": ["a"] * 11},
    }
    error = sdk.fail("messages.create", THREAD, **arguments)
    found = {(one["pointer"], one["code"]) for one in error.body["violations"]}
    assert found == {
        ("/role", "invalid_value"),
        ("/content", "empty_string"),
        ("/metadata", "object_above_max_properties"),
        ("/metadata/key3", "invalid_type"),
        ("/colour", "unknown_parameter"),
        ("/file_ids", "array_above_max_length"),
    }
    assert len(error.body["violations"]) == len(found)
    _check(error, sdk, error.body["violations"])
    assert stage.relay.since(mark) == b""


@pytest.mark.parametrize(
    ("key", "pointer"),
    [
        ("a.b", "/metadata/a.b"),
        ("c/d", "/metadata/c~1d"),
        ("e~f", "/metadata/e~0f"),
        ('["g"]', '/metadata/["g"]'),
    ],
)
def test_odd_keys_have_exact_pointers(sdk: Sdk, key: str, pointer: str) -> None:
    """A metadata key with dots, slashes, brackets or quotes is still named exactly (RFC 6901)."""
    error = sdk.fail("messages.create", THREAD, **sdk.message(metadata={key: 1}))
    [violation] = error.body["violations"]
    assert (violation["pointer"], violation["code"]) == (pointer, "invalid_type")


def test_threads_are_judged_too(sdk: Sdk, stage: Stage) -> None:
    """The other operations of the contract refuse as well: a bad message in a new thread, a bad query."""
    mark = len(stage.relay.raw)
    error = sdk.fail(
        "create", messages=[{"role": "user", "content": "x"}, {"role": "system", "content": "x"}]
    )
    assert (error.type, error.param, error.code) == ("BadRequestError", "messages[1].role", "invalid_value")
    error = sdk.fail("messages.list", THREAD, limit=101)
    assert (error.type, error.param, error.code) == ("BadRequestError", "limit", "integer_above_max_value")
    error = sdk.fail("messages.list", THREAD, extra_query={"colour": "red"})
    assert (error.type, error.param, error.code) == ("BadRequestError", "colour", "unknown_parameter")
    error = sdk.fail("retrieve", "thread.dots")
    assert (error.type, error.param, error.code) == ("BadRequestError", "thread_id", "invalid_value")
    assert stage.relay.since(mark) == b""


def test_unlisted_routes_and_methods(sdk: Sdk, stage: Stage) -> None:
    """What no contract lists is 404, and what has another method 405 with Allow; neither goes anywhere."""
    mark = len(stage.relay.raw)
    error = sdk.fail("runs.list", THREAD)
    assert (error.type, error.status, error.code) == ("NotFoundError", 404, "unknown_route")
    assert error.body["message"] == f"Invalid URL (GET /v1/threads/{THREAD}/runs)"
    error = sdk.fail("delete", THREAD)
    assert (error.status, error.code) == (405, "method_not_allowed")
    assert error.headers["allow"] == "GET, POST"
    assert error.headers["x-should-retry"] == "false"
    assert stage.relay.since(mark) == b""


def test_the_next_good_message_passes(sdk: Sdk, stage: Stage) -> None:
    """After refusals the same client goes on; the upstream's raw log has the good request alone."""
    thread = sdk.call("create")
    mark = len(stage.relay.raw)
    for fault in FAULTS.values():
        sdk.fail("messages.create", thread["id"], **sdk.message(**fault.arguments))
    sdk.call("messages.create", thread["id"], **sdk.message(content="the good one"))
    [request] = stage.relay.requests_since(mark)
    assert b"the good one" in request.body
    assert CANARY.encode() not in stage.relay.raw
    assert THREAD.encode() not in stage.relay.raw


def test_problem_details_on_accept(sdk: Sdk) -> None:
    """A client that asks for problem+json gets it, and the SDK still raises BadRequestError."""
    error = sdk.fail(
        "messages.create",
        THREAD,
        **sdk.message(role="system"),
        extra_headers={"Accept": "application/problem+json"},
    )
    assert error.bad_request
    assert error.headers["content-type"] == "application/problem+json"
    assert error.body["detail"] == "Invalid value: 'system'. Supported values are: 'user'."
    assert error.body["violations"][0]["pointer"] == "/role"
    assert error.body["instance"] == f"urn:uuid:{error.headers['x-request-id']}"


def test_what_the_client_sent_is_not_in_logs_or_metrics(stage: Stage) -> None:
    """Neither keys nor contents of a refused message reach stdout or the metrics."""
    body = b'{"role": "system", "content": "%b", "canary-key": 1}' % CANARY.encode()
    status, fields, _ = fetch(
        stage.gateway.port,
        "POST",
        "/v1/threads/thread_log/messages",
        body,
        {"Content-Type": "application/json", "Authorization": "Bearer canary-key"},
    )
    assert status == 400
    stage.gateway.wait_line(lambda line: fields["x-request-id"] in line)
    text = "".join(stage.gateway.output) + stage.gateway.metrics().text
    assert CANARY not in text.replace(THREAD, "")
    assert "canary-key" not in text
    assert "sk-canary" not in text
