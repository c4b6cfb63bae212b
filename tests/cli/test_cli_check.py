"""``gateway check``: a summary of what is enforced, or every fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.program import write_config

if TYPE_CHECKING:
    from tests.cli.conftest import Command

DEFAULT = Path(__file__).parents[2] / "config" / "gateway.yaml"


def _revision(output: str) -> str:
    found = re.search(r"revision ([0-9a-f]{16})\.$", output)
    assert found is not None, output
    return found[1]


def test_the_shipped_configuration(command: Command) -> None:
    """The commented default is good, and its seven operations are listed with what is enforced."""
    result = command("check", "-c", str(DEFAULT))
    assert result.status == 0
    assert result.errors == ""
    assert "createMessage" in result.output
    assert "POST /v1/threads/{thread_id}/messages" in result.output
    assert "path; query limit, order, after, before; no body" in result.output
    assert "path; no query; body: application/json  " in result.output
    assert "  createMessage: string without maxLength: file_ids[]\n" in result.output
    assert "warning" not in result.output
    assert f"{DEFAULT}: good. 7 operations, revision " in result.output


def test_one_operation(command: Command, config: Path) -> None:
    """One without weak spots has no list of them."""
    write_config(config, 9, contract=", operations: [getThread]")
    result = command("check", "-c", str(config))
    assert result.status == 0
    assert "weak" not in result.output
    assert "good. 1 operation, revision" in result.output


OPENAPI = """\
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /a?x=1:
    post:
      operationId: first
      parameters:
        - {name: X-H, in: header, schema: {type: string, nullable: true}}
        - {name: q1, in: query, schema: {type: integer, default: x}}
        - {name: q2, in: query, schema: {type: integer}}
        - {name: q3, in: query, schema: {type: integer}}
        - {name: q4, in: query, schema: {type: integer}}
        - {name: q5, in: query, schema: {type: integer}}
        - {name: q6, in: query, schema: {type: integer}}
        - {name: q7, in: query, schema: {type: integer}}
      requestBody:
        content:
          application/json:
            schema:
              {type: object, additionalProperties: false, properties: {metadata: {}, x: {type: object}}}
          text/plain: {}
      responses: {"200": {description: d}}
"""


def test_everything_that_is_told(command: Command, tmp_path: Path) -> None:
    """Conditions, names of parameters, media types, the layers that add to the contract, modes, warnings."""
    (tmp_path / "openapi.yaml").write_text(OPENAPI, encoding="utf-8")
    config = tmp_path / "gateway.yaml"
    config.write_text(
        'upstreams: {main: {urls: ["http://127.0.0.1:9"]}}\n'
        "contracts:\n"
        "  one: {openapi: openapi.yaml, upstream: main, when: {OpenAI-Beta: b}, mode: report}\n"
        "  two: {openapi: openapi.yaml, upstream: main, mode: 'off'}\n"
        "policies:\n"
        "  default: {mode: report, schemas: {'one:first': {properties: {metadata: {minProperties: 1}}}}}\n",
        encoding="utf-8",
    )
    result = command("check", "-c", str(config))
    assert result.status == 0, result.output
    _, one, two, *rest = result.output.splitlines()
    assert one.split("  ")[1:] == [
        "POST /a?x=1 [openai-beta: b]",
        (
            "query q1, q2, q3, q4, q5, q6 and 1 more; header x-h; "
            "optional body: application/json, text/plain + limit + policy"
        ),
        "report (limit, policy: report)",
        "main",
    ]
    assert two.split()[1:5] == ["POST", "/a?x=1", "nothing", "off"]
    assert "  one:first: any type: metadata, the body" in rest
    assert "  one:first: object with any additional property: x" in rest
    assert not any(line.startswith("  two:first") for line in rest)
    assert "6 warnings of the documents:" in rest
    found = [line.removeprefix(f"  {tmp_path}/openapi.yaml:") for line in rest]
    assert any(line.startswith("4:3: OpenAPI knows no query in a path") for line in found)
    assert any(line.startswith("8:") and "nullable" in line for line in found)
    assert any("openapi-spec-validator: the default is not valid" in line for line in found)


def test_faults(command: Command, config: Path) -> None:
    """Exit status 2, and one line for each fault on standard output."""
    write_config(config, 9, "body: {max_depth: 0}\ncolour: red\n")
    result = command("check", "-c", str(config))
    assert result.status == 2
    assert result.output.splitlines() == [
        f"{config}:5:8: expected a whole number from 1 to 200",
        f"{config}:6:1: unknown key 'colour'",
    ]


def test_what_it_prints_loads_again(command: Command, config: Path, tmp_path: Path) -> None:
    """--print gives the effective configuration, defaults included: a good one of the same revision."""
    write_config(config, 9, "trusted_proxies: [10.0.0.0/8]\nerrors: ${ERRORS:-problem}\n")
    printed = command("check", "--print", "-c", str(config))
    assert printed.status == 0
    assert "max_depth: 32\n" in printed.output
    again = tmp_path / "again.yaml"
    again.write_text(printed.output, encoding="utf-8")
    assert command("check", "--print", "-c", str(again)).output == printed.output
    revision = _revision(command("check", "-c", str(config)).output)
    assert _revision(command("check", "-c", str(again)).output) == revision


def test_a_table_on_a_terminal(config: Path) -> None:
    """On a terminal the same table comes with a bold heading."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "check", "-c", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
    )
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:
        pass  # how Linux tells that the other end is closed
    finally:
        os.close(ours)
    assert process.wait(30) == 0
    assert b"\x1b[1moperation" in output
    assert b"/v1/threads/{thread_id}/messages" in output
