"""What makes the SDKs send again, and what does not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import openai
import pytest

from tests.support.program import Program, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sdk.conftest import Sdk, Stage

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")


def test_a_refusal_is_one_request(sdk: Sdk, stage: Stage) -> None:
    """x-should-retry: false is honoured: a 400 is asked for exactly once, with the SDK's usual retries."""
    labels = {"operation": "createMessage", "app": "-", "decision": "reject", "status": "400"}
    before = stage.gateway.metrics()["gateway_requests_total", labels]
    sdk.fail("messages.create", "thread_1", **sdk.message(role="system"))
    assert stage.gateway.metrics()["gateway_requests_total", labels] == before + 1


def test_an_upstream_that_resets(sdk: Sdk, stage: Stage) -> None:
    """The upstream got the message and broke off: a 502 that is not tried again, so it got it once."""
    thread = sdk.call("create")
    mark = len(stage.relay.raw)
    error = sdk.fail(
        "messages.create",
        thread["id"],
        **sdk.message(content="only once"),
        extra_headers={"x-embedded-mode": "reset"},
    )
    assert (error.type, error.status, error.code) == ("InternalServerError", 502, "upstream_unreachable")
    assert error.headers["x-should-retry"] == "false"
    assert stage.relay.since(mark).count(b"only once") == 1


def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    """Nothing was delivered, so the SDK may try again; it raises InternalServerError with status 502."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can, and connecting is refused
        path = write_config(tmp_path / "gateway.yaml", taken.getsockname()[1])
        with Program("serve", "-c", str(path)) as gateway:
            gateway.started()
            with (
                openai.OpenAI(api_key="k", base_url=f"{gateway.address}/v1", max_retries=1) as client,
                pytest.raises(openai.InternalServerError) as caught,
            ):
                client.beta.threads.messages.create("thread_1", role="user", content="Hello")
            assert caught.value.status_code == 502
            assert caught.value.code == "upstream_unreachable"
            assert "x-should-retry" not in caught.value.response.headers
            gateway.wait_event("request", 2)
            first, second = gateway.events("request")
    assert [line["sdk_retry"] for line in (first, second)] == ["0", "1"]
    assert {line["upstream_outcome"] for line in (first, second)} == {"refused"}
    assert {line["upstream_attempts"] for line in (first, second)} == {1}
    assert first["decision"] == "error"
