"""No command tells a secret of the configuration, whether it is well or not, nor long texts of a body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.process.canary import FAULTY, OWN, SECRET, TEXT, leaks, with_section
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

SECRETS = """\
admin:
  port: 0
  tokens:
    - {name: dash, role: viewer, token: {file: token}}
    - {name: ops, role: operator, token: "${UPSTREAM_KEY}-2"}
upstreams:
  main: {urls: ["http://127.0.0.1:9"], authorization: "Bearer ${UPSTREAM_KEY}"}
"""


@pytest.fixture
def secretive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a good configuration that has secrets of all kinds."""
    monkeypatch.setenv("UPSTREAM_KEY", OWN.text)
    monkeypatch.setenv("GATEWAY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "token").write_text(OWN.text, encoding="utf-8")
    (tmp_path / "odd").write_text(f"{OWN.text}\n{OWN.text}\x00", encoding="utf-8")
    path = write_config(tmp_path / "gateway.yaml", 9)
    text = path.read_text(encoding="utf-8")
    for name in ("admin", "upstreams"):
        text = with_section(text, name + ":").replace(f"{name}:\n", "")
    path.write_text(text + SECRETS, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "verb", [("check",), ("serve",), ("validate", "createMessage"), ("schema", "createMessage")]
)
@pytest.mark.parametrize("section", FAULTY)
def test_faults_hold_no_secret(
    command: Command, secretive: Path, section: str, verb: tuple[str, ...]
) -> None:
    """Faults, with status 2, without the value that is at fault."""
    text = with_section(secretive.read_text(encoding="utf-8"), section)
    secretive.write_text(text, encoding="utf-8")
    result = command(*verb, "-c", str(secretive), stdin=b"{}")
    assert result.status == 2
    told = result.output + result.errors
    assert str(secretive) in told
    assert leaks(told.encode()) == []


@pytest.mark.parametrize("verb", [("check",), ("check", "--print"), ("schema", "createMessage")])
def test_what_is_well_holds_no_secret(command: Command, secretive: Path, verb: tuple[str, ...]) -> None:
    """The summary, the effective configuration and schemas."""
    result = command(*verb, "-c", str(secretive))
    assert (result.status, result.errors) == (0, "")
    assert leaks(result.output.encode()) == []


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    "body",
    [
        {"role": TEXT.text, "content": [SECRET.text], TEXT.text: SECRET.text},
        {"role": "user", "content": "Hi", "metadata": {TEXT.text: TEXT.text * 20, SECRET.text: 1}},
        {"role": "user", "content": "Hi", "file_ids": [TEXT.text, TEXT.text], SECRET.text: 1},
        f'{{"{TEXT.text}": {SECRET.text}}}',
        f'{{"{TEXT.text}": 1, "{TEXT.text}": 2}}',
    ],
)
def test_verdicts_hold_nothing_of_the_body(
    command: Command, secretive: Path, body: object, options: tuple[str, ...]
) -> None:
    """What is refused is told by place and rule."""
    raw = body if isinstance(body, str) else json.dumps(body)
    result = command("validate", "createMessage", "-c", str(secretive), *options, stdin=raw.encode())
    assert result.status == 1
    assert result.output
    assert leaks((result.output + result.errors).encode()) == []
