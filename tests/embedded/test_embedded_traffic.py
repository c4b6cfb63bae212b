"""The demo's sample tells what happened, and what went wrong."""

from __future__ import annotations

import pytest

from gateway.embedded.app import make_app, serve
from gateway.embedded.traffic import sample
from tests.support.recorder import Recorder, Step, ok


async def test_tells_every_request() -> None:
    """One line for each request; without a gateway between, everything is taken."""
    runner, port = await serve("127.0.0.1", 0)
    try:
        lines = await sample(f"http://127.0.0.1:{port}/v1/")
    finally:
        await runner.cleanup()
    assert len(lines) == 8
    assert lines[0].startswith("POST /v1/threads → 200 thread_")
    assert all(" → 200 msg_" in line for line in lines[1:-1])
    assert lines[-1].endswith("→ 200 6 messages")


async def test_tells_refusals() -> None:
    """A refusal's code and message are told."""
    refusal = b'{"error": {"message": "Unknown parameter: \'x\'.", "code": "unknown_parameter"}}'
    scripts = [ok(b'{"id": "thread_1"}')]
    async with Recorder(scripts, default=ok(refusal, status=b"400 Bad Request")) as upstream:
        lines = await sample(upstream.url)
    assert lines[1] == "POST /v1/threads/thread_1/messages → 400 unknown_parameter: Unknown parameter: 'x'."
    bodies = [request.body for request in upstream.requests]
    assert b'"role": "system"' in bodies[4]
    assert b'"key16"' in bodies[5]
    assert b'"temperature"' in bodies[6]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([Step.RESET], "cannot be reached."),
        (ok(b"{}"), "did not answer as a message API does."),
        (ok(b"[]"), "did not answer as a message API does."),
        (ok(b"<html>"), "did not answer as a message API does."),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Step.CLOSE], "broke its answer off."),
    ],
)
async def test_tells_what_went_wrong(script: list[bytes | Step], message: str) -> None:
    async with Recorder(default=script) as upstream:
        lines = await sample(upstream.url)
    assert lines[-1].startswith("The sample traffic stopped: http://127.0.0.1:")
    assert lines[-1].endswith(message)


async def test_an_address_that_is_none() -> None:
    assert await sample("nonsense") == ["The sample traffic stopped: nonsense is not an address."]


async def test_an_app_given_is_the_one_served() -> None:
    """The sample survives an upstream that fails from the first request on."""
    runner, port = await serve("127.0.0.1", 0, app=make_app(mode="fail=500"))
    try:
        lines = await sample(f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
    assert lines[0] == "POST /v1/threads → 500 None: The server was asked to fail."
    assert lines[1].endswith("did not answer as a message API does.")
