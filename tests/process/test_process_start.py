"""How ``gateway serve`` starts, or says why it cannot: never with a traceback."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import Program, fetch, post, run, write_config

NOWHERE = 9  # nothing is sent upstream in these tests


def test_it_starts(tmp_path: Path) -> None:
    """The first line says where it listens, what it serves and which revision; health is good."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    with Program("serve", "-c", str(path)) as gateway:
        event = gateway.started()
        assert event["operations"] == 7
        assert re.fullmatch(r"[0-9a-f]{16}", event["revision"])
        assert fetch(gateway.admin_port, "GET", "/healthz")[0] == 200
        ready = {"status": "ready", "revision": event["revision"], "reasons": []}
        assert gateway.ready() == (200, ready)
        assert post(gateway.port, b"{}")[0] == 400
        assert gateway.stop() == 0
    assert gateway.errors == []


def test_a_bad_configuration(tmp_path: Path) -> None:
    """Exit status 2 and its faults on standard error; nothing starts."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE, "colour: red\n")
    done = run("serve", "-c", str(path))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"{path}:5:1: unknown key 'colour'\n"


@pytest.mark.parametrize("section", ["listen", "admin"])
def test_an_address_in_use(tmp_path: Path, section: str) -> None:
    """A sentence that names the address, and exit status 1."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = path.read_text(encoding="utf-8").replace(
            f"{section}: {{port: 0}}", f"{section}: {{port: {port}}}"
        )
        path.write_text(text, encoding="utf-8")
        done = run("serve", "-c", str(path))
    assert done.returncode == 1
    assert done.stdout == b""
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("gateway: ")
    assert f"127.0.0.1:{port}: " in line
    assert "address already in use" in line.lower()


def test_whoever_read_the_log_has_gone(tmp_path: Path) -> None:
    """With its stdout's reader gone the gateway goes on serving, counts lost lines, and drains."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    reader, writer = os.pipe()
    with Program("serve", "-c", str(path), stdout=writer) as gateway:
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as stdout:
            started = json.loads(stdout.readline())
        gateway.port = int(started["listen"].rsplit(":", 1)[1])
        gateway.admin_port = int(started["admin"].rsplit(":", 1)[1])
        while not gateway.metrics()["gateway_log_lines_dropped_total", {}]:  # the writer's thread has to try
            assert post(gateway.port, b"{}")[0] == 400
        assert gateway.ready()[0] == 200
        assert gateway.stop() == 0
    assert gateway.errors == []


def test_people_can_read_the_console_format(tmp_path: Path) -> None:
    """With --log-format console a refused request is a line for people, without what it held."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    with Program("serve", "--log-format", "console", "-c", str(path)) as gateway:
        line = gateway.wait_line(lambda line: "started" in line)
        found = re.search(r"listen=http://127\.0\.0\.1:([0-9]+)", line)
        assert found is not None, line
        post(int(found[1]), b'{"role": "system", "canary": 1}')
        line = gateway.wait_line(lambda line: "POST /v1/threads/thread_1/messages 400 reject" in line)
        assert "invalid_value@/role" in line
        assert "canary" not in line


def test_the_command_is_installed() -> None:
    """``gateway`` and ``python -m gateway`` are the same program."""
    command = Path(sys.executable).with_name("gateway")
    first = subprocess.run([command, "version"], capture_output=True, check=True, timeout=30)
    second = run("version")
    assert first.stdout == second.stdout
    assert second.returncode == 0
