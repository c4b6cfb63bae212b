"""``unevaluatedProperties`` and ``unevaluatedItems``: what no other keyword has looked at."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema.checks import Checks, holds, judge

DEFINITIONS: dict[str, Any] = {
    "a": {"properties": {"a": {"type": ["integer"]}}},
    "tree": {
        "properties": {"left": {"$ref": "tree"}, "right": {"$ref": "tree"}},
        "anyOf": [{"properties": {"value": {"type": ["string"]}}}, {"required": ["left"]}],
        "unevaluatedProperties": False,
    },
}


def told(value: Any, schema: Any) -> list[tuple[str | None, str]]:
    """Give pointers and codes, having checked that the silent form agrees."""
    check = Checks(DEFINITIONS).check(schema)
    findings = judge(check, value)
    assert holds(check, value) is (not findings.total)
    return [(item.safe_pointer, item.code) for item in findings.violations]


CLOSED = {"unevaluatedProperties": False}
UNKNOWN = [("/*", "unknown_parameter")]
EVERYTHING = {
    "allOf": [
        {"properties": {"a": {}}, "dependentSchemas": {"a": True}},
        {"if": {"type": ["object"]}, "then": {"prefixItems": [{}]}, "else": {"additionalProperties": True}},
        {"if": {"type": ["object"]}, "then": {"items": {}, "contains": {}, "minContains": 0}},
    ]
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"properties": {"a": {}}, **CLOSED}, {"a": 1}, []),
        ({"properties": {"a": {}}, **CLOSED}, {"b": 1}, UNKNOWN),
        ({"patternProperties": {"^a": {}}, **CLOSED}, {"ab": 1, "b": 1}, UNKNOWN),
        ({"additionalProperties": True, **CLOSED}, {"b": 1}, []),
        ({"$ref": "a", **CLOSED}, {"a": 1}, []),
        ({"$ref": "a", **CLOSED}, {"a": 1, "b": 1}, UNKNOWN),
        ({"allOf": [{"$ref": "a"}, {"properties": {"b": {}}}, True], **CLOSED}, {"a": 1, "b": 1}, []),
        ({"allOf": [{"unevaluatedProperties": True}], **CLOSED}, {"b": 1}, []),
        ({"not": {"not": {"properties": {"a": {}}}}, **CLOSED}, {"a": 1}, UNKNOWN),
        ({"anyOf": [{"$ref": "a"}, {"required": ["b"]}], **CLOSED}, {"a": 1, "b": 1}, UNKNOWN),
        ({"oneOf": [{"$ref": "a"}, {"required": ["c"]}], **CLOSED}, {"a": 1, "b": 1}, UNKNOWN),
        ({"dependentSchemas": {"a": {"properties": {"a": {}, "b": {}}}}, **CLOSED}, {"a": 1, "b": 1}, []),
        (
            {"dependentSchemas": {"a": {"properties": {"b": {}}}}, **CLOSED},
            {"b": 1},
            [("/*", "unknown_parameter")],
        ),
        ({"if": {"$ref": "a"}, "then": {"properties": {"b": {}}}, **CLOSED}, {"a": 1, "b": 1}, []),
        ({"if": False, "then": {"properties": {"b": {}}}, **CLOSED}, {"b": 1}, UNKNOWN),
        ({"if": False, "else": {"properties": {"b": {}}}, **CLOSED}, {"b": 1}, []),
        ({"unevaluatedProperties": {"type": ["string"]}}, {"b": 1}, [("/*", "invalid_type")]),
        (CLOSED, [1], []),
        ({"unevaluatedItems": False}, {"a": 1}, []),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1], []),
        ({"prefixItems": [{}], "unevaluatedItems": False}, [1, 2], [("/1", "invalid_value")]),
        ({"items": {}, "unevaluatedItems": False}, [1, 2], []),
        ({"allOf": [{"items": True}], "unevaluatedItems": False}, [1, 2], []),
        ({"allOf": [{"unevaluatedItems": True}], "unevaluatedItems": False}, [1, 2], []),
        ({"contains": {"const": 1}, "unevaluatedItems": {"const": 2}}, [2, 1], []),
        ({"contains": {"const": 1}, "unevaluatedItems": False}, [2, 1], [("/0", "invalid_value")]),
        ({"anyOf": [{"prefixItems": [{"const": 1}]}, True], "unevaluatedItems": False}, [1], []),
        (
            {"anyOf": [{"prefixItems": [{"const": 1}]}, True], "unevaluatedItems": False},
            [2],
            [("/0", "invalid_value")],
        ),
        # what is said about the other kind of value
        ({**EVERYTHING, "unevaluatedItems": False}, [5], [("/0", "invalid_value")]),
        ({**EVERYTHING, "unevaluatedProperties": False}, {"z": 1}, UNKNOWN),
        ({"$ref": "tree"}, {"left": {"right": {"value": "x"}}}, []),
        ({"$ref": "tree"}, {"left": {"right": {"x": 5}}}, [("/left/right/*", "unknown_parameter")]),
    ],
)
def test_what_was_looked_at(schema: Any, value: Any, expected: Any) -> None:
    """Annotations come through references and from whatever fits in place (2020-12, section 11)."""
    assert told(value, schema) == expected


def test_where_something_else_is_wrong_only_what_nothing_knows_is_unknown() -> None:
    """Members that a failing schema would have looked at are not told to be unknown, too."""
    schema = {
        "allOf": [{"properties": {"a": {"type": ["integer"]}}}],
        "anyOf": [{"properties": {"b": {}}, "required": ["z"]}],
        "if": True,
        "then": {"properties": {"c": {}}},
        "else": {"properties": {"d": {}}},
        "required": ["a"],
        "unevaluatedProperties": False,
    }
    assert told({"a": "x", "b": 1, "c": 1, "d": 1, "e": 1}, schema) == [
        ("/z", "missing_required_parameter"),
        ("/a", "invalid_type"),
        ("/*", "unknown_parameter"),
    ]
