"""Shapes: what schemas say at first sight must hold for every value that fits them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema.plain import TYPES
from gateway.core.schema.shapes import Shapes, either

DEFINITIONS: dict[str, Any] = {
    "kind": {"enum": ["a", "b"]},
    "again": {"$ref": "kind"},
    "one": {"type": ["object"], "properties": {"k": {"$ref": "kind"}, "n": {"const": 1}}, "required": ["k"]},
    "endless": {"anyOf": [{"$ref": "endless"}, {"type": ["string"]}]},
}


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        (True, TYPES),
        (False, ()),
        ({}, TYPES),
        ({"type": ["null", "string"]}, ("null", "string")),
        (
            {"enum": ["a", 1, 1.5, "b", None, [], {}, True]},
            ("string", "integer", "number", "null", "array", "object", "boolean"),
        ),
        ({"const": 1.0}, ("number",)),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["null", "array"]}]}, ("null",)),
        ({"allOf": [{"type": ["number"]}, {"type": ["integer", "null"]}]}, ("integer",)),
        ({"allOf": [{"type": ["integer"]}, {"type": ["number"]}]}, ("integer",)),
        ({"allOf": [{"type": ["integer"]}, {"const": 1.0}]}, ("integer",)),
        ({"type": ["object", "null"], "$ref": "one"}, ("object",)),
        ({"anyOf": [{"type": ["null"]}, {"$ref": "one"}]}, ("null", "object")),
        ({"$ref": "endless"}, TYPES),
    ],
)
def test_types(schema: Any, types: tuple[str, ...]) -> None:
    """Types come from ``type``, values, references and what combines schemas, in the schema's order."""
    assert Shapes(DEFINITIONS).of(schema).types == types


@pytest.mark.parametrize(
    ("schema", "required", "tags"),
    [
        ({"$ref": "one"}, {"k"}, {"k": ["a", "b"], "n": [1]}),
        (
            {"$ref": "one", "properties": {"k": {"const": "b"}}, "required": ["n"]},
            {"k", "n"},
            {"k": ["b"], "n": [1]},
        ),
        ({"$ref": "one", "properties": {"k": {"const": "x"}}}, {"k"}, {"k": ["x"], "n": [1]}),
        ({"properties": {"k": {"$ref": "again"}, "x": True, "y": {"enum": [[]]}, "z": {}}}, set(), {}),
        ({"properties": {"x": {"$ref": "endless"}}}, set(), {}),
        ({"properties": {"x": {"enum": list(range(201))}}}, set(), {}),
        (
            {
                "oneOf": [
                    {"$ref": "one"},
                    {"properties": {"k": {"const": "c"}}, "required": ["k", "x"]},
                    {"type": ["null"]},
                ]
            },
            {"k"},
            {"k": ["a", "b", "c"]},
        ),
        ({"anyOf": [{"type": ["null"]}]}, set(), {}),
    ],
)
def test_tags(schema: Any, required: set[str], tags: dict[str, list[Any]]) -> None:
    """A choice has what all its objects have; values that are too many, or no scalars, are no tags."""
    shape = Shapes(DEFINITIONS).of(schema)
    assert shape.required == required
    assert {name: list(values.values()) for name, values in shape.tags.items()} == tags


def test_names_are_those_of_all_parts() -> None:
    """The properties that a schema has rules for, through references and choices."""
    shapes = Shapes(DEFINITIONS)
    assert shapes.of({"$ref": "one", "anyOf": [{"properties": {"z": {}}}, True]}).names == {"k", "n", "z"}
    assert either([]).types == ()
