"""What the README shows is what happens: its configurations load, its commands parse, its output is real."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from gateway.cli.app import app
from gateway.wiring import compile_plan
from tests.support.markdown import blocks, page, section
from tests.support.program import Program, fetch, port_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = page("README.md")
REFUSAL = section(README, "A refusal")
BASE = "http://127.0.0.1:8080"
"""Where the README's gateway listens."""
FAULTY = """\
listen:
  port: 8080x
upstreams:
  main:
    urls: ["http://10.1.2.3:9000"]
    timeouts: {frist_byte: 10s}
contracts:
  assistants-v1:
    openapi: pack:assistants-v1
    upstream: mian
"""
"""The configuration whose faults the README shows."""


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """Start what ``make run`` starts, on free ports, and give its address."""
    with Program("demo", "--port", "0", "--admin-port", "0", "--no-traffic") as program:
        line = program.wait_line(lambda line: line.startswith("The gateway listens on"))
        yield line.split()[4].removesuffix("/v1")
        assert program.stop() == 0


def test_the_configurations_load(tmp_path: Path) -> None:
    """Every configuration that a page shows can be used as it stands."""
    found = [block for name in ("README.md", "deploy/README.md") for block in blocks(page(name), "yaml")]
    assert found
    for number, block in enumerate(found):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        assert compile_plan(path, {"UPSTREAM_KEY": "a-key"}).operations


def test_the_commands_parse() -> None:
    """Every gateway command in a block of shell has a verb and options that exist."""
    group: Any = typer.main.get_command(app)
    pattern = re.compile(r"(?:^|\s)(?:\S*/)?gateway ([a-z]+[^|#\n]*)", re.MULTILINE)
    commands = [
        found for block in blocks(README, "sh") + blocks(README, "text") for found in pattern.findall(block)
    ]
    verbs = [shlex.split(found) for found in commands if found.split()[0] in group.commands]
    assert {words[0] for words in verbs} >= {"check", "serve", "validate"}
    for verb, *arguments in verbs:
        group.commands[verb].make_context(verb, arguments)


def test_the_faults_are_what_check_says(tmp_path: Path) -> None:
    """The faults that the README shows are those of such a configuration."""
    (tmp_path / "gateway.yaml").write_text(FAULTY, encoding="utf-8")
    done = run("check", "-c", "gateway.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.decode() in blocks(section(README, "Running it"), "text")


def test_the_verdict_is_what_validate_says() -> None:
    """The README's verdict is the one that the command gives on that body."""
    (transcript,) = blocks(section(README, "The command line"), "text")
    command, _, verdict = transcript.partition("\n")
    match = re.fullmatch(r"\$ echo '(.*)' \| gateway (.*)", command)
    assert match is not None
    done = run(*match[2].split(), stdin=match[1].encode())
    assert done.stdout.decode() == verdict


def test_make_run_says_what_the_readme_says() -> None:
    """The two lines of the demo's words are the program's own, with the default ports."""
    from gateway.cli.demo import _WORDS

    shown = blocks(section(README, "Two commands"), "text")[0]
    words = _WORDS.format(gateway=BASE, admin="http://127.0.0.1:9901", upstream_port=0, thread="t")
    assert shown in words


def test_the_refusal_is_what_the_gateway_answers(demo: str) -> None:
    """The README's request gets the README's answer, from a gateway as ``make run`` starts it."""
    command = shlex.split(blocks(REFUSAL, "sh")[0].replace("\\\n", " ").partition("|")[0])
    url, header, body = command[2], command[4], command[6]
    name, _, value = header.partition(": ")
    path = url.removeprefix(BASE)
    status, fields, answer = fetch(port_of(demo), "POST", path, body.encode(), {name: value})
    assert status == 400
    assert fields["x-should-retry"] == "false"
    assert "x-request-id" in fields
    assert json.dumps(json.loads(answer), indent=4) + "\n" == blocks(REFUSAL, "json")[0]


def test_the_sdk_raises_what_the_readme_shows(demo: str) -> None:
    """The README's program prints the README's output, but for the request's id."""
    (program,) = blocks(REFUSAL, "python")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program.replace(BASE, demo)],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")},
    )
    *printed, request_id = done.stdout.splitlines()
    (shown,) = blocks(REFUSAL, "text")
    *expected, shown_id = shown.splitlines()
    assert printed == expected
    uuid7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid7, request_id)
    assert re.fullmatch(uuid7, shown_id)


def test_the_log_line_is_one() -> None:
    """The line that the README shows, wrapped there, is an object with the fields of a refusal."""
    line = json.loads(blocks(section(README, "Watching it"), "json")[0])
    assert line["event"] == "request"
    assert line["code"] == line["violations"][0]["code"]
