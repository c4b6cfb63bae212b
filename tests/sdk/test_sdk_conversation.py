"""Both official SDKs hold a whole conversation through the gateway, which changes nothing of it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import fetch

if TYPE_CHECKING:
    from tests.sdk.conftest import Sdk, Stage

METADATA = {"a.b": "1", "c/d~e": "x" * 512, 'f[0]"': "", "k" * 64: "längste 🙂"}
FILES = [f"file-{number}" for number in range(10)]
TEXT = 'Grüße, 你好 👋\n\u2028 and "quotes" \\ \' \x7f' + "🧮" * 100


def test_a_whole_conversation(sdk: Sdk, stage: Stage) -> None:
    """Create a thread, post, retrieve, modify and list: what was sent comes back, from the upstream."""
    mark = len(stage.relay.raw)
    thread = sdk.call("create", metadata={"origin": "test"})
    assert thread["metadata"] == {"origin": "test"}
    posted = sdk.call(
        "messages.create", thread["id"], **sdk.message(content=TEXT, file_ids=FILES, metadata=METADATA)
    )
    assert posted["content"][0]["text"]["value"] == TEXT
    assert posted["file_ids"] == FILES
    assert posted["metadata"] == METADATA
    found = sdk.call("messages.retrieve", posted["id"], thread_id=thread["id"])
    assert found == posted
    changed = sdk.call("messages.update", posted["id"], thread_id=thread["id"], metadata={"read": "yes"})
    assert changed["metadata"] == {"read": "yes"}
    assert sdk.call("retrieve", thread["id"])["id"] == thread["id"]
    assert sdk.call("update", thread["id"], metadata={"open": "no"})["metadata"] == {"open": "no"}
    second = sdk.call("messages.create", thread["id"], **sdk.message(content="Second"))
    listed = sdk.call("messages.list", thread["id"], order="asc", limit=50)
    assert listed == [changed, second]
    listed = sdk.call("messages.list", thread["id"], order="asc", limit=1, after=posted["id"])
    assert listed == [second]

    requests = stage.relay.requests_since(mark)
    base = f"/v1/threads/{thread['id']}"
    message = f"{base}/messages/{posted['id']}"
    assert [(request.method, request.target.partition("?")[0]) for request in requests] == [
        ("POST", "/v1/threads"),
        ("POST", f"{base}/messages"),
        ("GET", message),
        ("POST", message),
        ("GET", base),
        ("POST", base),
        ("POST", f"{base}/messages"),
        ("GET", f"{base}/messages"),
        ("GET", f"{base}/messages"),
    ]
    assert json.loads(requests[1].body)["content"] == TEXT


def test_headers_on_the_way(sdk: Sdk, stage: Stage) -> None:
    """The caller's own header fields reach the upstream; Host is the upstream's."""
    mark = len(stage.relay.raw)
    sdk.call("create")
    [request] = stage.relay.requests_since(mark)
    assert request.header("authorization") == "Bearer sk-canary-key-of-the-caller"
    assert request.header("host") == f"127.0.0.1:{stage.relay.port}"
    assert request.header("x-stainless-package-version") == sdk.version
    assert (request.header("openai-beta") or "").startswith("assistants=v")
    assert request.header("via") == "1.1 message-gateway"
    assert request.header("x-forwarded-host") == f"127.0.0.1:{stage.gateway.port}"


def test_metadata_may_be_null(sdk: Sdk) -> None:
    """An explicit null passes, as the reference says."""
    thread = sdk.call("create")
    posted = sdk.call("messages.create", thread["id"], **sdk.message(metadata=None))
    assert posted["metadata"] == {}


def test_errors_of_the_upstream_pass_untouched(sdk: Sdk) -> None:
    """An unknown thread is the upstream's to refuse: its words, its request id beside the gateway's."""
    error = sdk.fail("messages.create", "thread_unknown", **sdk.message())
    assert error.type == "NotFoundError"
    assert error.status == 404
    assert error.body["type"] == "invalid_request_error"
    assert "thread_unknown" in error.body["message"]
    assert error.headers["x-upstream-request-id"].startswith("req_")
    assert error.headers["openai-version"] == "2020-10-01"
    assert uuid.UUID(error.headers["x-request-id"]).version == 7


@pytest.mark.parametrize("mode", ["fail=500", "fail=429"])
def test_upstream_errors_of_other_kinds(stage: Stage, mode: str) -> None:
    """Status, body and type of an upstream's error arrive as they were sent."""
    status, fields, body = fetch(
        stage.gateway.port, "POST", "/v1/threads", b"{}", _headers({"x-embedded-mode": mode})
    )
    assert status == int(mode.removeprefix("fail="))
    assert json.loads(body)["error"]["message"] == "The server was asked to fail."
    assert "x-should-retry" not in fields
    assert fields["x-upstream-request-id"].startswith("req_")


def _headers(more: dict[str, Any]) -> dict[str, str]:
    return {"Content-Type": "application/json"} | more
