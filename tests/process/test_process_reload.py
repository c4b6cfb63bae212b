"""A running gateway goes over to a new configuration whole, or not at all."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from gateway.contracts import pack_path
from tests.support.program import Program, fetch, post, write_config
from tests.support.recorder import Recorder, ok

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = 9  # nothing is sent in these tests


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("reload") / "gateway.yaml", NOWHERE)


@pytest.fixture(scope="module")
def running(config: Path) -> Iterator[Program]:
    """One gateway, of ``config``, for the tests that leave it as it was or do not care."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        yield gateway


def reload(gateway: Program, event: str) -> dict[str, Any]:
    """Ask for a reload and wait for how it ended."""
    count = len(gateway.events(event))
    gateway.send_signal(signal.SIGHUP)
    return gateway.wait_event(event, count + 1)


def test_a_new_revision_shows(running: Program, config: Path) -> None:
    """After SIGHUP /readyz and gateway_config_info have the new revision, and only that; it is in force."""
    before = running.ready()[1]["revision"]
    deep = b'{"role": "user", "content": "x", "metadata": {"a": [[[[1]]]]}}'
    assert post(running.port, deep)[1]["error"]["code"] == "invalid_type"
    write_config(config, NOWHERE, "body: {max_depth: 4}\n")
    told = reload(running, "reloaded")
    status, body = running.ready()
    assert (status, body["status"]) == (200, "ready")
    assert body["revision"] == told["revision"] != before
    metrics = running.metrics()
    labels = frozenset({("revision", body["revision"])})
    assert metrics.series("gateway_config_info") == {labels: 1}
    assert metrics["gateway_reloads_total", {"outcome": "applied"}] == 1
    assert metrics["gateway_reloads_total", {"outcome": "refused"}] == 0
    assert post(running.port, deep)[1]["error"]["code"] == "json_too_deep"


def test_the_same_again(running: Program) -> None:
    """A reload of what is live already is applied and changes nothing."""
    before = running.ready()[1]
    assert reload(running, "reloaded")["revision"] == before["revision"]
    assert running.ready()[1] == before


BAD = {
    "a wrong value": ("body: {max_depth: many}\n", ":5:8: ", "expected a whole number"),
    "no YAML": ("body: [\n", ":6:1: ", ""),
    "an unknown key": ("colour: red\n", ":5:1: ", "unknown key 'colour'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_refused(running: Program, config: Path, name: str) -> None:
    """Its faults are logged with file, line and column; the old one stays live."""
    text, place, words = BAD[name]
    before = running.ready()[1]
    refused = running.metrics()["gateway_reloads_total", {"outcome": "refused"}]
    good = config.read_text(encoding="utf-8")
    try:
        write_config(config, NOWHERE, text)
        told = reload(running, "reload_refused")
    finally:
        config.write_text(good, encoding="utf-8")
    assert told["level"] == "error"
    assert any(f"{config}{place}" in fault and words in fault for fault in told["faults"]), told
    assert running.ready()[1] == before
    assert running.metrics()["gateway_reloads_total", {"outcome": "refused"}] == refused + 1


def test_a_configuration_that_is_gone(running: Program, config: Path) -> None:
    """A file that cannot be read is refused like one with faults."""
    before = running.ready()[1]
    good = config.read_text(encoding="utf-8")
    config.unlink()
    try:
        [fault] = reload(running, "reload_refused")["faults"]
    finally:
        config.write_text(good, encoding="utf-8")
    assert fault.startswith(f"{config}:")
    assert running.ready()[1] == before


@pytest.mark.parametrize("section", ["listen", "admin", "audit"])
def test_what_needs_a_restart_is_refused_whole(running: Program, config: Path, section: str) -> None:
    """A change of the addresses, or of the audit trail, is not half done: what changed with it stays, too."""
    before = running.ready()[1]
    good = config.read_text(encoding="utf-8")
    try:
        changed = good.replace(f"{section}: {{port: 0}}\n", f"{section}: {{port: 4711}}\n")
        if section == "audit":
            changed += "audit: {directory: elsewhere}\n"
        assert changed != good
        config.write_text(changed + "errors: problem\n", encoding="utf-8")
        [fault] = reload(running, "reload_refused")["faults"]
    finally:
        config.write_text(good, encoding="utf-8")
    assert fault == f"A change of {section} needs a restart; nothing was reloaded."
    assert running.ready()[1] == before
    assert post(running.port, b"[]")[1].keys() == {"error"}


async def test_requests_under_way_keep_their_configuration(tmp_path: Path) -> None:
    """A request that waits for the old upstream ends well there, while the next one goes to the new one."""
    gate = asyncio.Event()
    async with (
        Recorder([[gate, *ok(b'{"from": "old"}')]]) as old,
        Recorder(default=ok(b'{"from": "new"}')) as new,
    ):
        path = write_config(tmp_path / "gateway.yaml", old.port)
        with Program("serve", "-c", str(path)) as gateway:
            revision = gateway.started()["revision"]
            waiting = asyncio.create_task(asyncio.to_thread(post, gateway.port))
            await old.wait_for_requests(1)
            write_config(path, new.port)
            told = await asyncio.to_thread(reload, gateway, "reloaded")
            assert await asyncio.to_thread(post, gateway.port) == (200, {"from": "new"})
            assert not waiting.done()
            gate.set()
            assert await waiting == (200, {"from": "old"})
            await old.wait_for(old.connections[0].gone.is_set)  # the old pool keeps nothing open
            await asyncio.to_thread(gateway.wait_event, "request", 2)
            first, second = gateway.events("request")
            assert (first["revision"], second["revision"]) == (told["revision"], revision)
    assert len(old.requests) == len(new.requests) == 1


async def test_an_unchanged_upstream_keeps_its_connections(tmp_path: Path) -> None:
    """A reload that changes something else goes on with the connections that are there."""
    async with Recorder() as upstream:
        path = write_config(tmp_path / "gateway.yaml", upstream.port)
        with Program("serve", "-c", str(path)) as gateway:
            gateway.started()
            assert (await asyncio.to_thread(post, gateway.port))[0] == 200
            write_config(path, upstream.port, "errors: problem\n")
            await asyncio.to_thread(reload, gateway, "reloaded")
            assert (await asyncio.to_thread(post, gateway.port))[0] == 200
            assert len(upstream.connections) == 1
            status, fields, _ = await asyncio.to_thread(fetch, gateway.port, "GET", "/nothing")
            assert (status, fields["content-type"]) == (404, "application/problem+json")


def test_watching(tmp_path: Path) -> None:
    """With --watch a changed file is enough: of the contract, of the configuration, a bad one, a lost one."""
    document = tmp_path / "openapi.yaml"
    text = pack_path("pack:assistants-v1").read_text(encoding="utf-8")
    document.write_text(text, encoding="utf-8")
    config = write_config(tmp_path / "gateway.yaml", NOWHERE)
    config.write_text(
        config.read_text(encoding="utf-8").replace("pack:assistants-v1", "openapi.yaml"), encoding="utf-8"
    )
    with Program("serve", "--watch", "-c", str(config)) as gateway:
        revision = gateway.started()["revision"]
        document.write_text(text.replace("maxLength: 32768", "maxLength: 4"), encoding="utf-8")
        assert gateway.wait_event("reloaded")["revision"] != revision
        assert post(gateway.port)[1]["error"]["code"] == "string_above_max_length"
        document.unlink()
        gateway.wait_event("reload_refused")
        assert post(gateway.port)[1]["error"]["code"] == "string_above_max_length"
        document.write_text(text, encoding="utf-8")
        assert gateway.wait_event("reloaded", 2)["revision"] == revision
        assert gateway.stop() == 0
    assert gateway.errors == []
