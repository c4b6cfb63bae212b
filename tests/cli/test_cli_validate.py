"""``gateway validate`` and ``gateway schema``: the proxy's own judgement, and what it is made by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.program import run, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

GOOD = b'{"role": "user", "content": "Hello"}'
BAD = b'{"role": "system", "content": "", "metadata": {"a/b": 1}}'


def test_permitted(command: Command, config: Path, tmp_path: Path) -> None:
    """Exit status 0, of standard input by default, by ``-``, and of a file."""
    body = tmp_path / "body.json"
    body.write_bytes(GOOD)
    for where in ([], ["-"], [str(body)]):
        result = command("validate", "createMessage", *where, "-c", str(config), stdin=GOOD)
        assert result == (0, "permitted\n", "")


def test_refused(command: Command, config: Path) -> None:
    """Exit status 1, and every violation with pointer, code, layer and message."""
    result = command("validate", "createMessage", "-c", str(config), stdin=BAD)
    assert result.status == 1
    assert result.errors == ""
    first, heading, *rows = result.output.splitlines()
    assert first == "refused: 400 invalid_value"
    assert heading.split() == ["pointer", "code", "layer", "message"]
    assert [row.split()[:3] for row in rows] == [
        ["/role", "invalid_value", "contract"],
        ["/content", "empty_string", "contract"],
        ["/metadata/a~1b", "invalid_type", "contract"],
    ]


def test_as_json(command: Command, config: Path) -> None:
    """The verdict for machines has what the proxy would answer."""
    result = command("validate", "createMessage", "--json", "-c", str(config), stdin=BAD)
    assert result.status == 1
    verdict = json.loads(result.output)
    assert (verdict["verdict"], verdict["phase"], verdict["status"]) == ("reject", "schema", 400)
    assert (verdict["code"], verdict["param"]) == ("invalid_value", "role")
    assert [violation["pointer"] for violation in verdict["violations"]] == [
        "/role",
        "/content",
        "/metadata/a~1b",
    ]
    assert verdict["violations"][1] == {
        "pointer": "/content",
        "param": "content",
        "code": "empty_string",
        "message": "Invalid 'content': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        "layer": "contract",
        "limit": 1,
        "actual": 0,
    }
    assert verdict["total"] == 3
    result = command("validate", "createMessage", "--json", "-c", str(config), stdin=GOOD)
    assert (result.status, json.loads(result.output)) == (0, {"verdict": "permit", "violations": []})


@pytest.mark.parametrize(
    ("operation", "body", "words"),
    [
        ("createMessage", b"{", "refused: 400 invalid_json"),
        ("createMessage", b"", "refused: 400 invalid_json"),
        ("createMessage", b'{"role": "user", "role": "user"}', "refused: 400 duplicate_key"),
        ("createMessage", b"[" * 33 + b"]" * 33, "refused: 400 json_too_deep"),
        ("createMessage", b" " * 1025, "refused: 413 body_too_large"),
        ("getThread", b"{}", "refused: 400 unexpected_body"),
    ],
)
def test_refused_as_a_whole(command: Command, config: Path, operation: str, body: bytes, words: str) -> None:
    """What is no JSON, or not wanted at all, is refused in one sentence."""
    write_config(config, 9, "body: {max_bytes: 1KiB}\n")
    result = command("validate", operation, "-c", str(config), stdin=body)
    assert result.status == 1
    first, sentence = result.output.splitlines()
    assert first == words
    assert sentence.endswith(".")


def test_no_body_where_none_belongs(command: Command, config: Path) -> None:
    """Nothing is what an operation without a body takes; one with an optional body takes it too."""
    for operation in ("getThread", "createThread"):
        assert command("validate", operation, "-c", str(config)) == (0, "permitted\n", "")


@pytest.mark.parametrize("verb", ["validate", "schema"])
def test_usage(command: Command, config: Path, verb: str) -> None:
    """Exit status 2: an unknown operation, with what may be meant; apps, which are not available yet."""
    result = command(verb, "createMesage", "-c", str(config))
    assert (result.status, result.output) == (2, "")
    assert "did you mean 'createMessage'?" in " ".join(result.errors.replace("│", " ").split())
    result = command(verb, "xyz", "-c", str(config))
    assert result.status == 2
    assert "known: createMessage" in " ".join(result.errors.replace("│", " ").split())
    result = command(verb, "createMessage", "--app", "billing", "-c", str(config))
    assert result.status == 2
    assert "not available yet" in result.errors
    assert command(verb, "-c", str(config)).status == 2
    write_config(config, 9, "colour: red\n")
    result = command(verb, "createMessage", "-c", str(config))
    assert (result.status, result.errors) == (2, f"{config}:5:1: unknown key 'colour'\n")


def test_a_body_that_is_not_there(command: Command, config: Path, tmp_path: Path) -> None:
    """A file that cannot be read is a usage error."""
    result = command("validate", "createMessage", str(tmp_path / "nothing.json"), "-c", str(config))
    assert (result.status, result.output) == (2, "")
    assert "No such file" in " ".join(result.errors.replace("│", " ").split())


def test_standard_input_of_the_whole_program(config: Path) -> None:
    """The same through a real pipe, bytes beyond the BMP included."""
    body = '{"role": "user", "content": "👋"}'.encode()
    assert run("validate", "createMessage", "-", "-c", str(config), stdin=body).returncode == 0
    done = run("validate", "createMessage", "-", "-c", str(config), stdin=body.replace(b"user", b"\xff"))
    assert done.returncode == 1
    assert done.stdout.startswith(b"refused: 400 invalid_json")


POLICY = """\
policies:
  default:
    metadata: {max_pairs: 1}
    schemas: {createMessage: {properties: {content: {maxLength: 5}}}}
    mode: %s
"""


def test_a_policy_refuses(command: Command, config: Path) -> None:
    """Each violation says whose rule was broken."""
    write_config(config, 9, POLICY % "enforce")
    body = b'{"role": "me", "content": "Hello you", "metadata": {"a": "", "b": ""}}'
    result = command("validate", "createMessage", "-c", str(config), stdin=body)
    assert result.status == 1
    assert [row.split()[:3] for row in result.output.splitlines()[2:]] == [
        ["/role", "invalid_value", "contract"],
        ["/content", "string_above_max_length", "policy"],
        ["/metadata", "object_above_max_properties", "limit"],
    ]


def test_a_policy_that_reports(command: Command, config: Path) -> None:
    """What it alone would refuse is permitted, and shown; with a fault of the contract only that is told."""
    write_config(config, 9, POLICY % "report")
    body = b'{"role": "user", "content": "Hello you"}'
    result = command("validate", "createMessage", "-c", str(config), stdin=body)
    assert result.status == 0
    first, _, row = result.output.splitlines()
    assert first == "permitted: it would be refused, were the faults of limit and policy not only reported"
    assert row.split()[:3] == ["/content", "string_above_max_length", "policy"]
    result = command("validate", "createMessage", "-c", str(config), "--json", stdin=body)
    verdict = json.loads(result.output)
    assert (verdict["verdict"], verdict["would_reject"], verdict["total"]) == ("permit", True, 1)
    assert verdict["violations"][0]["layer"] == "policy"
    result = command("validate", "createMessage", "-c", str(config), stdin=body.replace(b"user", b"me"))
    assert result.status == 1
    assert [row.split()[0] for row in result.output.splitlines()[2:]] == ["/role"]


def test_more_violations_than_are_listed(command: Command, config: Path) -> None:
    """A hundred of them, and the count of the others."""
    body = json.dumps({"role": "user", "content": "a", "metadata": {"a": 1}, "file_ids": [1] * 120}).encode()
    write_config(config, 9)
    result = command("validate", "createMessage", "-c", str(config), stdin=body)
    assert result.status == 1
    *rows, last = result.output.splitlines()[2:]
    assert (len(rows), last) == (100, "and 22 more")


DOCUMENT = """\
openapi: 3.1.0
info: {title: Forms, version: "1"}
servers: [{url: /v1}]
paths:
  /both:
    post:
      operationId: both
      requestBody:
        content:
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Small"}}
          text/*: {schema: {maxLength: 3}}
      responses: {"200": {description: Fine.}}
  /parts:
    post:
      operationId: parts
      requestBody:
        required: true
        content:
          multipart/form-data: {schema: {$ref: "#/components/schemas/Small"}}
      responses: {"200": {description: Fine.}}
components:
  schemas:
    Small:
      type: object
      properties: {n: {type: integer, maximum: 5}, next: {$ref: "#/components/schemas/Small"}}
"""
FORM = "application/x-www-form-urlencoded"
PART = b'--x\r\ncontent-disposition: form-data; name="n"\r\n\r\n%d\r\n--x--\r\n'


@pytest.fixture
def forms(tmp_path: Path) -> Path:
    """Give a configuration of operations that take no JSON."""
    (tmp_path / "forms.yaml").write_text(DOCUMENT)
    config = tmp_path / "gateway.yaml"
    config.write_text(
        'upstreams: {main: {urls: ["http://127.0.0.1:9"]}}\n'
        "contracts: {forms: {openapi: forms.yaml, upstream: main}}\n"
    )
    return config


@pytest.mark.parametrize(
    ("operation", "content_type", "body", "first"),
    [
        ("both", FORM, b"n=5", "permitted"),
        ("both", f"{FORM.upper()}; charset=utf-8", b"n=6", "refused: 400 integer_above_max_value"),
        ("both", "text/plain", b"abc", "permitted"),
        ("both", "text/plain", b"abcd", "refused: 400 string_above_max_length"),
        ("both", "application/json", b"{}", "refused: 415 unsupported_media_type"),
        ("both", "text", b"{}", "refused: 415 unsupported_media_type"),
        ("both", None, b"", "permitted"),
        ("parts", "multipart/form-data; boundary=x", PART % 5, "permitted"),
        ("parts", "multipart/form-data; boundary=x", PART % 6, "refused: 400 integer_above_max_value"),
        ("parts", None, PART % 5, "refused: 415 unsupported_media_type"),
        ("parts", None, b"", "refused: 400 bad_request"),
    ],
)  # fmt: skip
def test_other_media_types(
    command: Command, forms: Path, operation: str, content_type: str | None, body: bytes, first: str
) -> None:
    """Whatever the proxy judges, by the Content-Type that is given; what it does not take is refused."""
    named = [] if content_type is None else ["--content-type", content_type]
    result = command("validate", operation, "-c", str(forms), *named, stdin=body)
    assert result.output.splitlines()[0] == first
    assert result.status == (0 if first == "permitted" else 1)


def test_a_media_type_that_has_to_be_named(command: Command, forms: Path) -> None:
    """Where there are several and none is JSON, nothing is guessed."""
    result = command("validate", "both", "-c", str(forms), stdin=b"n=5")
    assert result.status == 2
    assert "which one? application/x-www-form-urlencoded, text/*" in " ".join(
        result.errors.replace("│", " ").split()
    )


def test_a_contract_that_is_off(command: Command, config: Path) -> None:
    """Nothing is judged but the length, and the answer says so."""
    text = config.read_text().replace("upstream: main", "upstream: main, mode: off")
    config.write_text(text + "body: {max_bytes: 1KiB}\n")
    result = command("validate", "createMessage", "-c", str(config), stdin=b"no JSON")
    assert result == (0, "permitted: the mode of its contract is off\n", "")
    result = command("validate", "createMessage", "-c", str(config), stdin=b"x" * 1025)
    assert result.status == 1
