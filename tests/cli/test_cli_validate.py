"""``gateway validate`` and ``gateway schema``: the proxy's own judgement, and what it is made by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.cli.schema import layered
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
    assert "did you mean createMessage?" in " ".join(result.errors.replace("│", " ").split())
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


def test_the_schema_of_the_seed(command: Command, config: Path) -> None:
    """The limits of the reference, those of its prose included, each keyword with its layer."""
    result = command("schema", "createMessage", "-c", str(config))
    assert (result.status, result.errors) == (0, "")
    schema = json.loads(result.output)
    assert schema["required"] == ["role", "content"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["role"]["enum"] == ["user"]
    content = schema["properties"]["content"]
    assert (content["minLength"], content["maxLength"]) == (1, 32768)
    assert content["x-layer"] == dict.fromkeys(("type", "minLength", "maxLength"), "contract")
    assert schema["properties"]["file_ids"]["maxItems"] == 10
    assert schema["x-layer"]["additionalProperties"] == "contract"
    text = json.dumps(schema["properties"]["metadata"])
    for limit in ('"maxProperties": 16', '"maxLength": 64', '"maxLength": 512', "null"):
        assert limit in text


def test_no_body_is_the_schema_false(command: Command, config: Path) -> None:
    """An operation without a body admits none."""
    assert command("schema", "getThread", "-c", str(config)) == (0, "false\n", "")


def test_layers_of_nested_schemas() -> None:
    """Every schema object says whose its keywords are; annotations are nobody's; booleans stay."""
    assert layered({"title": "t", "x-other": 1}) == {"title": "t", "x-other": 1}
    assert layered({"anyOf": [True, {"type": "string"}], "properties": {"a": False}}) == {
        "anyOf": [True, {"type": "string", "x-layer": {"type": "contract"}}],
        "properties": {"a": False},
        "x-layer": {"anyOf": "contract", "properties": "contract"},
    }
