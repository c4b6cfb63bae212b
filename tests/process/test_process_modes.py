"""What a mode does to requests, seen from outside: the answer, the upstream, the log, the metrics."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.program import GOOD, JSON, MESSAGES, Program, fetch, write_config
from tests.support.recorder import Recorder, ok

if TYPE_CHECKING:
    from pathlib import Path

BAD = b'{"role": "system", "content": "", "colour": "red"}'
"""Three violations of the contract."""
LONG = b'{"role": "user", "content": "12345"}'
"""Good by the contract, too long for the policy."""
POLICY = """\
policies:
  default:
    mode: %s
    schemas: {createMessage: {properties: {content: {maxLength: 4}}}}
"""


async def post(gateway: Program, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Post a message beside the upstream, which runs in this loop."""
    return await asyncio.to_thread(fetch, gateway.port, "POST", MESSAGES, body, JSON | headers)


async def test_report(tmp_path: Path) -> None:
    """A bad body goes through as it came; the response says how many violations, log and metrics which."""
    forged = ok(b"{}", b"X-Gateway-Would-Reject: 99")
    async with Recorder(default=forged) as upstream:
        path = write_config(tmp_path / "gateway.yaml", upstream.port, contract=", mode: report")
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            status, fields, _ = await post(gateway, BAD)
            assert (status, fields["x-gateway-would-reject"]) == (200, "3")
            assert upstream.requests[-1].body == BAD
            status, fields, _ = await post(gateway, GOOD)
            assert status == 200
            assert "x-gateway-would-reject" not in fields
            metrics = await asyncio.to_thread(gateway.metrics)
            await asyncio.to_thread(gateway.stop)
        first, second = gateway.events("request")
    assert (first["decision"], first["status"], first["mode"]) == ("would_reject", 200, "report")
    assert first["violations"] == [
        {"code": "invalid_value", "pointer": "/role", "layer": "contract"},
        {"code": "empty_string", "pointer": "/content", "layer": "contract"},
        {"code": "unknown_parameter", "pointer": "/*", "layer": "contract"},
    ]
    assert "code" not in first
    assert second["decision"] == "allow"
    assert "violations" not in second
    labels = {"operation": "createMessage", "app": "-", "decision": "would_reject", "status": "200"}
    assert metrics["gateway_requests_total", labels] == 1
    fault = {"operation": "createMessage", "code": "unknown_parameter", "param": "*"}
    assert metrics["gateway_violations_total", fault] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [(b"{", {}, 400), (b'{"a": 1, "a": 2}', {}, 400), (GOOD, {"Content-Type": "text/plain"}, 415)],
    ids=["no JSON", "a key twice", "another media type"],
)
async def test_report_is_about_schemas(
    tmp_path: Path, body: bytes, headers: dict[str, str], status: int
) -> None:
    """What cannot be read without doubt is refused in mode report, too."""
    async with Recorder() as upstream:
        path = write_config(tmp_path / "gateway.yaml", upstream.port, contract=", mode: report")
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            assert (await post(gateway, body, **headers))[0] == status
        assert upstream.requests == []


@pytest.mark.parametrize("body", [BAD, b"{", b"\xff\x00", GOOD])
async def test_off(tmp_path: Path, body: bytes) -> None:
    """Whatever it is, of any media type, goes through as it came; larger than max_bytes does not."""
    async with Recorder() as upstream:
        contract = ", mode: off, max_bytes: 1KiB"
        path = write_config(tmp_path / "gateway.yaml", upstream.port, contract=contract)
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            status, fields, _ = await post(gateway, body, **{"Content-Type": "text/odd"})
            assert status == 200
            assert "x-gateway-would-reject" not in fields
            assert (await post(gateway, b"x" * 1025))[0] == 413
            await asyncio.to_thread(gateway.stop)
        assert [request.body for request in upstream.requests] == [body]
        first, _ = gateway.events("request")
    assert (first["decision"], first["mode"]) == ("allow", "off")


async def test_a_policy_enforced(tmp_path: Path) -> None:
    """Its violations are refused and say that they are the policy's; in mode report of the contract, too."""
    async with Recorder() as upstream:
        path = write_config(
            tmp_path / "gateway.yaml", upstream.port, POLICY % "enforce", contract=", mode: report"
        )
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            status, _, answer = await post(gateway, LONG)
            [violation] = json.loads(answer)["error"]["violations"]
            assert (status, violation["layer"], violation["code"]) == (
                400,
                "policy",
                "string_above_max_length",
            )
            assert (violation["limit"], violation["actual"]) == (4, 5)
        assert upstream.requests == []


async def test_a_policy_reported(tmp_path: Path) -> None:
    """Its own violations go through and are recorded; the contract's are refused, and told alone."""
    async with Recorder() as upstream:
        path = write_config(tmp_path / "gateway.yaml", upstream.port, POLICY % "report")
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            status, fields, _ = await post(gateway, LONG)
            assert (status, fields["x-gateway-would-reject"]) == (200, "1")
            status, _, answer = await post(gateway, LONG.replace(b"user", b"root"))
            found = json.loads(answer)["error"]["violations"]
            assert (status, [(one["layer"], one["pointer"]) for one in found]) == (
                400,
                [("contract", "/role")],
            )
            await asyncio.to_thread(gateway.stop)
        assert [request.body for request in upstream.requests] == [LONG]
        first, second = gateway.events("request")
    assert first["decision"] == "would_reject"
    assert first["violations"] == [
        {"code": "string_above_max_length", "pointer": "/content", "layer": "policy"}
    ]
    assert second["decision"] == "reject"


async def test_an_upstream_that_fails_what_would_be_refused(tmp_path: Path) -> None:
    """The record keeps what was wrong with the request beside what was wrong with the upstream."""
    path = write_config(tmp_path / "gateway.yaml", 9, contract=", mode: report")
    with Program("serve", "-c", str(path)) as gateway:
        await asyncio.to_thread(gateway.started)
        assert (await post(gateway, BAD))[0] == 502
        await asyncio.to_thread(gateway.stop)
    [event] = gateway.events("request")
    assert (event["decision"], event["code"], len(event["violations"])) == (
        "error",
        "upstream_unreachable",
        3,
    )


async def test_two_contracts_on_one_route(tmp_path: Path) -> None:
    """A header field chooses the contract; the one without a condition takes the rest."""
    async with Recorder() as upstream:
        path = write_config(tmp_path / "gateway.yaml", upstream.port)
        text = path.read_text(encoding="utf-8").replace(
            "contracts: {",
            'contracts: {v2: {openapi: "pack:assistants-v2", upstream: main, '
            "when: {OpenAI-Beta: assistants=v2}}, ",
        )
        path.write_text(text, encoding="utf-8")
        parts = b'{"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}'
        with Program("serve", "-c", str(path)) as gateway:
            await asyncio.to_thread(gateway.started)
            assert (await post(gateway, parts))[0] == 400
            assert (await post(gateway, parts, **{"OpenAI-Beta": "assistants=v1"}))[0] == 400
            assert (await post(gateway, parts, **{"OpenAI-Beta": "realtime=v1, assistants=v2"}))[0] == 200
            assert (await post(gateway, GOOD))[0] == 200
            await asyncio.to_thread(gateway.stop)
        events = gateway.events("request")
    assert [event["contract"] for event in events] == [
        "assistants-v1",
        "assistants-v1",
        "v2",
        "assistants-v1",
    ]
    assert {event["operation"] for event in events} == {"assistants-v1:createMessage", "v2:createMessage"}
