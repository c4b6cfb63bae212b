"""``gateway serve`` that does not start: every fault of a configuration at once, and no secret in any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from gateway.contracts import pack_files
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

NOWHERE = 9  # nothing is sent upstream in these tests

FAULTY = """\
listen: {port: 99999}
admin: {host: 0.0.0.0, port: 0}
deadlines: {drain: soon}
upstreams:
  main: {urls: ["ftp://example.com/path"], pool: 0}
contracts:
  a: {openapi: "pack:nothing", upstream: mian}
  a: {openapi: "pack:assistants-v1", upstream: main}
rate_store: memory
colour: red
"""


def test_every_fault_of_a_configuration(command: Command, tmp_path: Path) -> None:
    """Exit status 2 and one file:line:column line for each fault, all of them at once; nothing starts."""
    path = tmp_path / "gateway.yaml"
    path.write_text(FAULTY, encoding="utf-8")
    result = command("serve", "-c", str(path))
    assert result.status == 2
    assert result.output == ""
    lines = result.errors.splitlines()
    assert [line for line in lines if not re.match(re.escape(str(path)) + r":[0-9]+:[0-9]+: \S", line)] == []
    assert "8:3: " in result.errors  # the key that stands twice
    path.write_text(
        FAULTY.replace('  a: {openapi: "pack:assistants-v1", upstream: main}\n', ""), encoding="utf-8"
    )
    result = command("serve", "-c", str(path))
    places = [line.removeprefix(f"{path}:").split(":", 2) for line in result.errors.splitlines()]
    assert [(int(line), message.strip()) for line, _, message in places if int(line) in {7, 8, 9}] == [
        (7, f"There is no pack 'nothing'. The packs are: {', '.join(sorted(pack_files()))}."),
        (7, "no upstream is named 'mian'; did you mean 'main'?"),
        (8, "rate_store is not available yet"),
        (9, "unknown key 'colour'"),
    ]
    assert {int(line) for line, _, _ in places} == {1, 2, 3, 5, 7, 8, 9}


@pytest.mark.parametrize("kind", ["missing", "a folder", "no UTF-8", "empty"])
def test_a_configuration_that_cannot_be_read(command: Command, tmp_path: Path, kind: str) -> None:
    """A clean line and exit status 2."""
    path = tmp_path / "gateway.yaml"
    if kind == "a folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else b"listen: {host: \xff}\n")
    result = command("serve", "-c", str(path))
    assert result.status == 2
    [line] = result.errors.splitlines()
    assert line.startswith(f"{path}:")
    assert result.output == ""


def test_a_bad_contract(command: Command, tmp_path: Path) -> None:
    """Faults of a document that the configuration names have their place in that document."""
    document = tmp_path / "openapi.yaml"
    document.write_text("openapi: 3.0.3\npaths:\n  /x:\n    get: 5\n", encoding="utf-8")
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    path.write_text(
        path.read_text(encoding="utf-8").replace("pack:assistants-v1", "openapi.yaml"), encoding="utf-8"
    )
    result = command("serve", "-c", str(path))
    assert result.status == 2
    assert result.errors.startswith(f"{document}:")


def test_more_workers_are_not_available_yet(command: Command, tmp_path: Path) -> None:
    """A usage error, before anything is read."""
    result = command("serve", "--workers", "2", "-c", str(tmp_path / "nothing.yaml"))
    assert result.status == 2
    assert "more than one worker is not available yet" in result.errors


def test_the_configuration_from_the_environment(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without -c, GATEWAY_CONFIG names the file; without that, config/gateway.yaml is it."""
    monkeypatch.chdir(tmp_path)
    result = command("serve")
    assert result.status == 2
    assert result.errors.startswith("config/gateway.yaml:")
    named = tmp_path / "other.yaml"
    monkeypatch.setenv("GATEWAY_CONFIG", str(named))
    result = command("serve")
    assert result.status == 2
    assert result.errors.startswith(f"{named}:")


def test_secrets_from_the_environment_stay_secret(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable holds is in no output, not even in that of its faults."""
    path = write_config(tmp_path / "gateway.yaml", NOWHERE)
    text = path.read_text(encoding="utf-8").replace('"]}', '"], authorization: "Bearer ${CANARY_KEY}"}')
    path.write_text(text, encoding="utf-8")
    result = command("serve", "-c", str(path))
    assert result.status == 2
    assert "CANARY_KEY" in result.errors
    monkeypatch.setenv("CANARY_KEY", "canary-5150")
    result = command("check", "--print", "-c", str(path))
    assert result.status == 0
    assert "canary-5150" not in result.output
    assert "authorization: " in result.output
    monkeypatch.setenv("CANARY_KEY", "canary-5150\n")
    result = command("serve", "-c", str(path))
    assert result.status == 2
    assert "canary-5150" not in result.output + result.errors
