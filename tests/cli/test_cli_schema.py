"""``gateway schema``: what an operation is judged by, as JSON Schema that stands by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from gateway.cli.schema import effective_schema
from tests.support.program import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.core.types import Plain
    from tests.cli.conftest import Command


def test_the_schema_of_the_seed(command: Command, config: Path) -> None:
    """The limits of the reference, those of its prose included, each keyword with its layer."""
    result = command("schema", "createMessage", "-c", str(config))
    assert (result.status, result.errors) == (0, "")
    schema = json.loads(result.output)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
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
    assert "$defs" not in schema


def test_limits_and_policy(command: Command, config: Path) -> None:
    """Beside the contract, under their own layers."""
    policy = (
        "{metadata: {max_pairs: 4}, files: {unique: false}, schemas: {createMessage: {maxProperties: 3}}}"
    )
    write_config(config, 9, f"policies: {{default: {policy}}}\n")
    schema = json.loads(command("schema", "createMessage", "-c", str(config)).output)
    contract, limit, own = schema["allOf"]
    assert contract["required"] == ["role", "content"]
    assert limit == {
        "properties": {"metadata": {"maxProperties": 4, "x-layer": {"maxProperties": "limit"}}},
        "x-layer": {"properties": "limit"},
    }
    assert own == {"maxProperties": 3, "x-layer": {"maxProperties": "policy"}}


def test_no_body_is_the_schema_false(command: Command, config: Path) -> None:
    """An operation without a body admits none."""
    assert command("schema", "getThread", "-c", str(config)) == (0, "false\n", "")


@pytest.mark.parametrize(
    ("content_type", "status", "words"),
    [
        ("application/json", 0, '"maxLength": 1'),
        ("text/plain; charset=utf-8", 0, '"maxLength": 2'),
        ("IMAGE/png", 0, '"maxLength": 3'),
        (None, 0, '"maxLength": 1'),
    ],
)
def test_media_types(
    command: Command, tmp_path: Path, content_type: str | None, status: int, words: str
) -> None:
    """JSON where none is named; a range has every type of it."""
    config = documented(tmp_path, {"application/json": 1, "text/plain": 2, "*/*": 3})
    named = [] if content_type is None else ["--content-type", content_type]
    result = command("schema", "o", "-c", str(config), *named)
    assert result.status == status
    assert words in result.output


def test_media_types_that_are_not_there(command: Command, tmp_path: Path) -> None:
    """A usage error that lists those that are; also where one has to be chosen."""
    config = documented(tmp_path, {"text/plain": 2, "image/*": 3})
    for named, words in (
        (["--content-type", "audio/wav"], "not taken; there is text/plain, image/*"),
        ([], "which one? text/plain, image/*"),
    ):
        result = command("schema", "o", "-c", str(config), *named)
        assert (result.status, result.output) == (2, "")
        assert words in " ".join(result.errors.replace("│", " ").split())


def documented(folder: Path, lengths: dict[str, int]) -> Path:
    """Write a contract of one operation, with a maxLength for each media type, and its configuration."""
    content = {name: {"schema": {"maxLength": length}} for name, length in lengths.items()}
    operation = {
        "operationId": "o",
        "requestBody": {"content": content},
        "responses": {"200": {"description": ""}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "", "version": ""},
        "paths": {"/o": {"post": operation}},
    }
    (folder / "openapi.json").write_text(json.dumps(document))
    config = folder / "gateway.yaml"
    config.write_text(
        'upstreams: {main: {urls: ["http://127.0.0.1:9"]}}\n'
        "contracts: {c: {openapi: openapi.json, upstream: main, prefix: /v1}}\n"
    )
    return config


def layers_gone(schema: Any) -> Any:
    """Take x-layer and $schema out."""
    if isinstance(schema, dict):
        left = {name: layers_gone(part) for name, part in schema.items() if name != "x-layer"}
        left.pop("$schema", None)
        return left
    return [layers_gone(part) for part in schema] if isinstance(schema, list) else schema


DEFINITIONS: dict[str, Plain] = {
    "a.yaml#/x/Node": {"properties": {"next": {"$ref": "a.yaml#/x/Node"}, "leaf": {"$ref": "#/x/Leaf"}}},
    "b.yaml#/x/Node": {"items": {"$ref": "b.yaml#/x/Node"}, "contains": {"$ref": "#/x/Loop"}},
    "#/x/Leaf": {"type": ["string"]},
    "#/x/Loop": {"x-layer": "policy", "properties": {"back": {"$ref": "#/x/Loop"}}, "minProperties": 1},
    "#/a b/ü~|%{}": {"items": {"$ref": "#/a b/ü~|%{}"}},
    "#/x/unused": {"const": 1},
}


def test_definitions() -> None:
    """What is referred to once stands in place, the rest under names of its own; each can be found."""
    schema: Plain = {
        "allOf": [
            {"$ref": "a.yaml#/x/Node"},
            {"$ref": "b.yaml#/x/Node", "x-layer": "limit"},
            {"$ref": "#/a b/ü~|%{}"},
        ]
    }
    written = effective_schema(schema, DEFINITIONS)
    assert set(written["$defs"]) == {"Node", "Node-2", "Loop", "ü~|%{}"}
    assert layers_gone(written) == {
        "allOf": [
            {"$ref": "#/$defs/Node"},
            {"$ref": "#/$defs/Node-2"},
            {"$ref": "#/$defs/%C3%BC~0%7C%25%7B%7D"},
        ],
        "$defs": {
            "Node": {"properties": {"next": {"$ref": "#/$defs/Node"}, "leaf": {"type": "string"}}},
            "Node-2": {"items": {"$ref": "#/$defs/Node-2"}, "contains": {"$ref": "#/$defs/Loop"}},
            "ü~|%{}": {"items": {"$ref": "#/$defs/%C3%BC~0%7C%25%7B%7D"}},
            "Loop": {"properties": {"back": {"$ref": "#/$defs/Loop"}}, "minProperties": 1},
        },
    }
    assert written["allOf"][1]["x-layer"] == {"$ref": "limit"}
    assert written["$defs"]["Loop"]["x-layer"] == {"properties": "policy", "minProperties": "policy"}
    Draft202012Validator.check_schema(written)
    assert Draft202012Validator(written).is_valid({"next": {"next": {"leaf": ""}}})
    assert not Draft202012Validator(written).is_valid({"next": {"next": {"leaf": 1}}})


def test_a_reference_with_company_stays_one() -> None:
    """Its neighbours would be lost, or clash."""
    written = effective_schema({"$ref": "#/x/Leaf", "minLength": 1}, DEFINITIONS)
    assert layers_gone(written) == {
        "$ref": "#/$defs/Leaf",
        "minLength": 1,
        "$defs": {"Leaf": {"type": "string"}},
    }


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (True, {"allOf": [True]}),
        (False, {"allOf": [False]}),
        ({}, {}),
        (
            {"anyOf": [True, {"type": ["string"]}], "x-discriminator": {"property": "a", "branches": {}}},
            {
                "anyOf": [True, {"type": "string", "x-layer": {"type": "contract"}}],
                "x-layer": {"anyOf": "contract"},
            },
        ),
        (
            {"x-layer": "limit", "properties": {"a": False, "b": {"type": ["string", "null"]}}},
            {
                "properties": {"a": False, "b": {"type": ["string", "null"], "x-layer": {"type": "limit"}}},
                "x-layer": {"properties": "limit"},
            },
        ),
    ],
)  # fmt: skip
def test_layers_of_nested_schemas(plain: Plain, expected: Any) -> None:
    """Every schema object says whose its keywords are; what judges nothing is left out."""
    written = effective_schema(plain, {})
    assert written.pop("$schema")
    assert written == expected
