"""What is open in a schema is told; what anything that holds there closes is not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.contracts.weak import MAX_DEPTH, weak_spots
from gateway.core.schema import Schemas

STRING = {"type": ["string"]}
CLOSED = {"type": ["object"], "additionalProperties": False}


def string() -> dict[str, Any]:
    """Give another schema of strings: what is the same object is looked at once."""
    return dict(STRING)


def spots(schema: Any, definitions: Any = None) -> list[tuple[str, str]]:
    """Give the weak spots of a plain schema."""
    return [tuple(spot) for spot in weak_spots(Schemas(definitions or {}).validator(schema))]


def test_every_kind() -> None:
    """Strings and arrays without an end, objects open to anything, values of any kind; in order."""
    schema = {
        "type": ["object"],
        "properties": {
            "a": string(),
            "b": {"type": ["array"], "items": {"type": ["object"]}},
            "c": {"oneOf": [string(), {"enum": ["x"]}]},
            "d": {},
            "e": {"type": ["string"], "maxLength": 1},
            "f": False,
            "g": {"type": ["array"], "maxItems": 1, "prefixItems": [string()], "items": False},
            "h": {**CLOSED, "patternProperties": {"^x": string()}},
            "i": {"const": 1},
            "j": {"type": ["string", "null"]},
        },
        "additionalProperties": string(),
    }
    assert spots(schema) == [
        ("a", "string without maxLength"),
        ("b", "array without maxItems"),
        ("b[]", "object with any additional property"),
        ("c", "string without maxLength"),
        ("d", "any type"),
        ("g[0]", "string without maxLength"),
        ("h.*", "string without maxLength"),
        ("j", "string without maxLength"),
        ("*", "string without maxLength"),
    ]


@pytest.mark.parametrize("schema", [True, {}, {"minLength": 1}])
def test_anything(schema: Any) -> None:
    """A schema without types allows any value."""
    assert spots(schema) == [("", "any type")]


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"allOf": [STRING, {"maxLength": 3}]},
        {"$ref": "#/S", "maxLength": 3},
        {"type": ["string"], "pattern": "^[a-z]{1,9}$"},
        {"maxLength": 3, "anyOf": [STRING, {"type": ["null"]}]},
        {"type": ["array"], "allOf": [{"maxItems": 2}], "items": {"type": ["integer"]}},
        {"type": ["object"], "unevaluatedProperties": False},
        {"allOf": [{"type": ["object"]}, CLOSED]},
        {"allOf": [STRING, {"type": ["integer"]}]},
        {"$ref": "#/S", "anyOf": [False, {"enum": ["x"]}]},
    ],
)
def test_closed(schema: Any) -> None:
    """What is said beside a reference or a branch, or in another part, counts."""
    assert spots(schema, {"#/S": STRING}) == []


@pytest.mark.parametrize("pattern", ["^a+$", "^a*$", "^a{2,}$", "a", "^a|b$"])
def test_patterns_without_an_end(pattern: str) -> None:
    """A pattern that does not bound the length closes nothing."""
    assert spots({"type": ["string"], "pattern": pattern}) == [("", "string without maxLength")]


def test_a_policy_closes_what_a_contract_leaves_open() -> None:
    """Composed schemas are looked at as they hold together, property by property."""
    contract = {**CLOSED, "properties": {"a": {"$ref": "#/S"}, "b": STRING}}
    policy = {"x-layer": "limit", "properties": {"a": {"maxLength": 9}}}
    assert spots({"allOf": [contract, policy]}, {"#/S": STRING}) == [("b", "string without maxLength")]


def test_additional_properties_bound_what_others_name() -> None:
    """A property that one part names is bound by the other part's rule for all that it does not name."""
    named = {"type": ["object"], "properties": {"a": string(), "b": string()}}
    others = {"properties": {"b": {}}, "additionalProperties": {"maxLength": 3}}
    assert spots({"allOf": [named, others]})[0] == ("b", "string without maxLength")
    by_pattern = {"patternProperties": {"^x": string()}, "additionalProperties": {"maxLength": 3}}
    assert ("a", "string without maxLength") in spots({"allOf": [named, by_pattern]})


def test_circular_schemas() -> None:
    """A schema that refers to itself is looked at once, through branches, too."""
    node = {
        **CLOSED,
        "properties": {"name": STRING, "next": {"anyOf": [{"$ref": "#/N"}, {"type": ["null"]}]}},
        "anyOf": [{"required": ["name"]}, {"required": ["next"]}],
    }
    found = spots({"$ref": "#/N"}, {"#/N": node})
    assert found[0] == ("name", "string without maxLength")
    assert len(found) < 10


def test_there_is_an_end() -> None:
    """What nests deeper than anybody looks is left out."""
    schema: Any = STRING
    for _ in range(MAX_DEPTH + 5):
        schema = {**CLOSED, "properties": {"a": schema}}
    assert spots(schema) == []
