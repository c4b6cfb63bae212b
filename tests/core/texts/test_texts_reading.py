"""Text becomes the JSON value that a schema means, in one spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.schema.plain import TYPES
from gateway.core.texts.reading import ANYTHING, MAX_LEVELS, STRINGS, fits, read_text, reading_of, types_of
from gateway.core.types import Reading

ALL = frozenset(TYPES)
INTEGER = {"type": ["integer"]}
STRING = {"type": ["string"]}


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        (True, ALL),
        (False, frozenset()),
        ({}, ALL),
        ({"maxLength": 3}, ALL),
        (INTEGER, {"integer"}),
        ({"type": ["number"]}, {"number", "integer"}),
        ({"type": ["number"], "allOf": [INTEGER]}, {"integer"}),
        ({"enum": ["a", 1, None, True]}, {"string", "integer", "number", "null", "boolean"}),
        ({"const": {"a": 1}}, {"object"}),
        ({"const": [1.5]}, {"array"}),
        ({"type": ["string", "integer"], "enum": ["a", []]}, {"string"}),
        ({"anyOf": [INTEGER, STRING]}, {"integer", "string"}),
        ({"oneOf": [INTEGER, False]}, {"integer"}),
        ({"anyOf": [False, STRING]}, {"string"}),
        ({"type": ["string", "null"], "anyOf": [{"type": ["null"]}, {"type": ["object"]}]}, {"null"}),
        ({"$ref": "a"}, {"integer"}),
        ({"$ref": "a", "type": ["string"]}, frozenset()),
        ({"$ref": "loop"}, {"object"}),
        ({"not": STRING}, ALL),
        ({"if": STRING, "then": INTEGER}, ALL),
    ],
)
def test_types(schema: Any, types: Any) -> None:
    """The types are what type, enum, const, references and branches leave together."""
    definitions: Any = {"a": INTEGER, "loop": {"type": ["object"], "properties": {"x": {"$ref": "loop"}}}}
    assert reading_of(schema, definitions).types == types
    assert types_of(schema, definitions) == types


def test_items_and_properties() -> None:
    """What is inside is read by every schema that may apply to it."""
    schema: Any = {
        "prefixItems": [INTEGER],
        "items": {"type": ["boolean"]},
        "properties": {"a": {"type": ["string", "integer"]}, "b": True},
        "patternProperties": {"^x": {"type": ["null"]}},
        "additionalProperties": INTEGER,
        "allOf": [{"properties": {"a": INTEGER}, "items": {"type": ["integer", "null", "boolean"]}}],
        "anyOf": [{"properties": {"c": INTEGER}}, {"properties": {"c": {"type": ["null"]}}}],
        "then": {"properties": {"d": INTEGER, "a": STRING}, "additionalProperties": STRING},
        "dependentSchemas": {"a": {"properties": {"e": {"type": ["boolean"]}}}},
    }
    reading = reading_of(schema, {})
    assert reading.items is not None
    assert reading.items.types == {"integer", "boolean"}
    assert {name: member.types for name, member in reading.properties.items()} == {
        "a": {"integer", "string"}, "b": ALL, "c": {"integer", "null"}, "d": {"integer"}, "e": {"boolean"},
    }  # fmt: skip
    assert reading.others is not None
    assert reading.others.types == {"integer", "null"}
    assert reading_of({"additionalProperties": True, "unevaluatedProperties": INTEGER}, {}).others == Reading(
        frozenset(("integer",))
    )


def test_circles_end() -> None:
    """A circular schema is read to a depth, with all that stands on the way."""
    definitions: Any = {
        "node": {"type": ["object"], "properties": {"n": INTEGER, "next": {"$ref": "node"}}, "anyOf": [True]},
        "self": {"$ref": "self"},
    }
    reading: Reading | None = reading_of({"$ref": "node"}, definitions)
    depth = 0
    while reading is not None and "next" in reading.properties:
        assert reading.properties["n"].types == {"integer"}
        reading = reading.properties["next"]
        depth += 1
    assert depth == MAX_LEVELS
    assert reading_of({"$ref": "self"}, definitions).types == ALL


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("5", {"integer"}, 5),
        ("-0", {"integer", "number"}, -0.0),
        ("-0", {"integer"}, "-0"),
        ("5", {"number", "integer"}, 5),
        ("5.0", {"integer"}, "5.0"),
        ("5.5", {"number"}, 5.5),
        ("1e400", {"number"}, "1e400"),
        (str(2**63 - 1), {"integer"}, 2**63 - 1),
        (str(2**63), {"integer"}, str(2**63)),
        ("true", {"boolean"}, True),
        ("false", {"boolean", "null"}, False),
        ("True", {"boolean"}, "True"),
        ("null", {"null"}, None),
        ("null", {"integer"}, "null"),
        ("", {"null"}, ""),
        ("5", {"string", "integer"}, "5"),
        ("٣", {"integer"}, "٣"),
    ],
)
def test_texts(text: str, types: set[str], value: Any) -> None:
    """Only JSON's own spelling makes a scalar, and only where a string is not allowed."""
    found = read_text(text, Reading(frozenset(types)))
    assert (found, type(found)) == (value, type(value))


def test_listed_texts() -> None:
    """Where the schema lists its strings, only those are strings."""
    reading = reading_of({"anyOf": [INTEGER, {"enum": ["auto", "5"]}]}, {})
    assert reading.texts == {"auto", "5"}
    assert [read_text(text, reading) for text in ("auto", "5", "6", "x")] == ["auto", "5", 6, "x"]
    assert fits("auto", reading)
    assert fits(6, reading)
    assert not fits("x", reading)
    assert not fits([], reading)
    both: Any = {"enum": ["a", "b"], "allOf": [{"enum": ["b", "c"]}]}
    assert reading_of(both, {}).texts == {"b"}
    assert reading_of({"enum": ["a", "b"], "const": "b"}, {}).texts == {"b"}
    assert reading_of({"anyOf": [{"const": "a"}, {"const": "b"}]}, {}).texts == {"a", "b"}
    assert reading_of({"anyOf": [{"const": "a"}, STRING]}, {}).texts is None
    assert reading_of({"anyOf": [{"const": "a"}, INTEGER]}, {}).texts == {"a"}
    assert fits("x", STRINGS)
    assert fits({}, ANYTHING)


_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)


@given(
    value=_SCALARS, schema=st.sampled_from([{}, INTEGER, {"type": ["number", "null"]}, {"type": ["boolean"]}])
)
def test_json_spelling_is_read(value: Any, schema: Any) -> None:
    """Text in JSON's spelling is the value that it spells, or stays as it is."""
    text = json.dumps(value)
    found = read_text(text, reading_of(schema, {}))
    assert found in (text, value)
