"""The audit trail in the running program: its streams, its follower, its index, and who reads it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway.audit.verify import verify
from tests.support.program import PATIENCE, Program, fetch, post, run, write_config

NOWHERE = 9  # nothing listens there


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "gateway.yaml", NOWHERE, "audit: {directory: audit}\n")


def records(directory: Path, stream: str) -> list[dict[str, Any]]:
    """Give the records of the streams whose names end so."""
    paths = sorted(directory.glob(f"ledger/*.{stream}/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("ascii").splitlines()]


def told(directory: Path, stream: str) -> list[str]:
    """Give the events of a stream, or the kinds of records without, but for segments' beginnings."""
    found = [str(record.get("event", record["kind"])) for record in records(directory, stream)]
    return [one for one in found if one != "segment"]


def ask(gateway: Program, path: str) -> Any:
    """Ask the admin listener."""
    status, _, body = fetch(gateway.admin_port, "GET", path)
    assert status == 200, body
    return json.loads(body)


def indexed(gateway: Program, filters: str, count: int = 1) -> list[dict[str, Any]]:
    """Ask until the index has so many records: the follower is behind by a moment."""
    while len(found := ask(gateway, f"/api/audit?{filters}")["records"]) < count:
        pass
    return list(found)


def follower_of(gateway: Program) -> int:
    """Give the process id of the gateway's only child."""
    task = Path(f"/proc/{gateway.process.pid}/task")
    children = [pid for path in task.glob("*/children") for pid in path.read_text("ascii").split()]
    (child,) = children
    return int(child)


def wait_gone(pid_fd: int) -> None:
    """Wait for the end of a process."""
    assert select.select([pid_fd], [], [], PATIENCE)[0]
    os.close(pid_fd)


def test_both_streams_tell_of_their_process(config: Path) -> None:
    """Start, requests and stop in the worker's stream; start, reloads and stop in the supervisor's."""
    directory = config.with_name("audit")
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        assert post(gateway.port, b"{}")[0] == 400
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_event("reloaded")
        good = config.read_text(encoding="utf-8")
        config.write_text(good + "colour: red\n", encoding="utf-8")
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_event("reload_refused")
        assert gateway.stop() == 0
        heads = {event["stream"]: (event["seq"], event["hash"]) for event in gateway.events("audit_head")}
    assert told(directory, "0") == ["started", "request", "stopped"]
    assert told(directory, "ops") == ["started", "applied", "refused", "stopped"]
    found = verify(directory)
    assert found.fault_count == 0
    assert heads == {name: (head.seq, head.hash.decode()) for name, head in found.heads.items()}
    stops = [one for stream in ("0", "ops") for one in records(directory, stream) if "drained" in str(one)]
    assert [one["detail"] for one in stops] == [{"drained": True}] * 2


def test_the_admin_listener_reads_and_it_is_recorded(config: Path) -> None:
    """What is asked is found, newest first, page by page; each question leaves a record."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        for body in (b"{}", b"[]", b"{"):
            post(gateway.port, body)
        found = indexed(gateway, "kind=request&decision=reject", 3)
        assert [record["code"] for record in found][:2] == ["invalid_json", "invalid_type"]
        page = ask(gateway, "/api/audit?kind=request&limit=2")
        rest = ask(gateway, f"/api/audit?kind=request&limit=2&cursor={quote(page['next'])}")
        assert [*page["records"], *rest["records"]] == found
        assert rest["next"] is None
        assert ask(gateway, f"/api/audit/{found[0]['id']}") == {"record": found[0]}
        assert fetch(gateway.admin_port, "GET", "/api/audit/nothing")[0] == 404
        assert fetch(gateway.admin_port, "GET", "/api/audit?colour=red")[0] == 400
        assert gateway.stop() == 0
    asked = [one for one in records(config.with_name("audit"), "ops") if one["kind"] == "admin"]
    assert {one["event"] for one in asked} == {"query", "show"}
    assert asked[-2]["detail"] == {"who": "-", "what": {"id": found[0]["id"]}}
    assert asked[-1]["client_ip"] == "127.0.0.1"


def test_an_intent_is_shown_with_its_record(config: Path) -> None:
    """In blocking-strict, what was to be forwarded has two records under one id."""
    text = config.read_text(encoding="utf-8").replace("directory: audit", "durability: blocking-strict")
    config.write_text(text, encoding="utf-8")
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        assert post(gateway.port)[0] == 502
        (record,) = indexed(gateway, "kind=request")
        shown = ask(gateway, f"/api/audit/{record['id']}")
        assert shown["record"] == record
        assert (shown["intent"]["kind"], shown["intent"]["id"]) == ("intent", record["id"])
        assert shown["intent"]["body_hmac"] == record["body_hmac"]
        assert gateway.stop() == 0


def test_the_metrics_tell_of_the_trail(config: Path) -> None:
    """Records that were written, none that wait, and an index that comes after."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request")
        metrics = gateway.metrics()
        assert metrics["gateway_audit_records_total", {"outcome": "written"}] >= 2
        for outcome in ("lost", "refused"):
            assert metrics["gateway_audit_records_total", {"outcome": outcome}] == 0
        assert metrics["gateway_audit_queue", {}] == 0
        assert 0 <= metrics["gateway_audit_lag_seconds", {}] < PATIENCE
        assert gateway.stop() == 0


def test_a_follower_that_dies_is_started_again(config: Path) -> None:
    """It goes on where the one before left off, and the log tells of it."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request")
        os.kill(follower_of(gateway), signal.SIGKILL)
        assert gateway.wait_event("audit_follower_ended")["status"] == -signal.SIGKILL
        post(gateway.port, b"{}")
        assert len(indexed(gateway, "kind=request", 2)) == 2
        assert gateway.stop() == 0


def test_an_index_that_is_removed(config: Path) -> None:
    """While all runs: it is made anew, has what it had and what comes, and nothing twice."""
    directory = config.with_name("audit")
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request")
        for path in directory.glob("index.sqlite*"):
            path.unlink()
        indexed(gateway, "kind=request")
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request", 2)
        assert gateway.stop() == 0
    with sqlite3.connect(directory / "index.sqlite") as connection:
        held = [text for (text,) in connection.execute("SELECT text FROM line")]
    ledger = [line for path in directory.glob("ledger/*/*.jsonl") for line in path.read_text().splitlines()]
    assert sorted(held) == sorted(ledger)


def test_a_follower_ends_with_its_gateway(config: Path) -> None:
    """Even with one that is killed; its own signals it leaves to the gateway."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request")
        follower = follower_of(gateway)
        watched = os.pidfd_open(follower)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(follower, number)
        post(gateway.port, b"{}")
        indexed(gateway, "kind=request", 2)
        assert follower_of(gateway) == follower
        gateway.send_signal(signal.SIGKILL)
        gateway.wait()
        wait_gone(watched)


def test_the_index_s_password_is_no_argument(config: Path) -> None:
    """A URL of an index is not in the list of processes; that it is away is told, and traffic goes on."""
    index = "postgresql://gateway:canary-password@127.0.0.1:9/audit"
    text = config.read_text(encoding="utf-8").replace("audit}", f'audit, index: "{index}"}}')
    config.write_text(text, encoding="utf-8")
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        assert "cannot be used" in gateway.wait_event("audit_index")["message"]
        arguments = Path(f"/proc/{follower_of(gateway)}/cmdline").read_bytes()
        assert str(config.with_name("audit")).encode() in arguments
        assert b"canary-password" not in arguments
        assert post(gateway.port, b"{}")[0] == 400
        status, _, body = fetch(gateway.admin_port, "GET", "/api/audit")
        assert (status, json.loads(body)["error"]["code"]) == (503, "index_unavailable")
        assert gateway.stop() == 0
        assert "canary-password" not in "".join(gateway.output) + body.decode()


def test_one_directory_serves_one_gateway(config: Path) -> None:
    """A second one ends with status 2 and a sentence; the first one goes on."""
    with Program("serve", "-c", str(config)) as gateway:
        gateway.started()
        done = run("serve", "-c", str(config))
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"another gateway writes its audit trail here" in done.stderr
        assert post(gateway.port, b"{}")[0] == 400
        assert gateway.stop() == 0
    assert verify(config.with_name("audit")).fault_count == 0


@pytest.mark.parametrize("section", ["listen", "admin"])
def test_a_start_that_fails_is_told_and_lets_go(config: Path, section: str) -> None:
    """Both streams have their stop, and nothing is left to recover."""
    directory = config.with_name("audit")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(f"{section}: {{port: 0}}", f"{section}: {{port: {port}}}"))
        assert run("serve", "-c", str(config)).returncode == 1
    assert told(directory, "0") == told(directory, "ops") == ["started", "stopped"]
    assert verify(directory).fault_count == 0
