"""Every keyword of a schema: what it lets through, and in which words it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.schema import compile_schema

if TYPE_CHECKING:
    from gateway.core.types import Violation


def full(value: Any, schema: Any) -> list[Violation]:
    """Give the violations of a value, having checked that the fast form agrees."""
    validator = compile_schema(schema)
    violations = validator.full(value)
    assert validator.fast(value) is (not violations)
    return violations


@pytest.mark.parametrize(
    ("schema", "value", "code", "message"),
    [
        (
            {"maximum": 100, "type": "integer"},
            1000,
            "integer_above_max_value",
            "Invalid 'v': integer above maximum value. Expected a value <= 100, but got 1000 instead.",
        ),
        (
            {"minimum": 1, "type": "integer"},
            0,
            "integer_below_min_value",
            "Invalid 'v': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"exclusiveMinimum": True, "minimum": 0, "type": "number"},
            0,
            "decimal_below_min_value",
            "Invalid 'v': decimal below minimum value. Expected a value > 0, but got 0 instead.",
        ),
        (
            {"exclusiveMaximum": 1},
            1.5,
            "decimal_above_max_value",
            "Invalid 'v': decimal above maximum value. Expected a value < 1, but got 1.5 instead.",
        ),
        (
            {"minimum": 5},
            1,
            "integer_below_min_value",
            "Invalid 'v': integer below minimum value. Expected a value >= 5, but got 1 instead.",
        ),
        ({"multipleOf": 0.01}, 0.015, "invalid_value", "Invalid 'v': value is not a multiple of 0.01."),
        (
            {"pattern": "^a$"},
            "a\n",
            "invalid_value",
            "Invalid 'v': string does not match pattern. Expected a string that matches the pattern '^a$'.",
        ),
        (
            {"minLength": 3},
            "ab",
            "string_below_min_length",
            (
                "Invalid 'v': string too short. Expected a string with minimum length 3, "
                "but got a string with length 2 instead."
            ),
        ),
        (
            {"minItems": 2},
            [1],
            "array_below_min_length",
            (
                "Invalid 'v': array too short. Expected an array with minimum length 2, "
                "but got an array with length 1 instead."
            ),
        ),
        (
            {"minProperties": 1},
            {},
            "object_below_min_properties",
            (
                "Invalid 'v': too few properties. Expected an object with at least 1 property, "
                "but got an object with 0 properties instead."
            ),
        ),
        (
            {"uniqueItems": True},
            [True, 1, {"a": 1}, [], {"a": 1.0}, {"a": 1}],
            "array_items_not_unique",
            (
                "Invalid 'v': array items not unique. Expected an array of unique items, "
                "but the item at index 4 repeats the one at index 2."
            ),
        ),
        (
            {"const": {"a": [1]}},
            {"a": [2]},
            "invalid_value",
            'Invalid value. Supported values are: {"a": [1]}.',
        ),
        (
            {"enum": ["a", 1, None]},
            "b",
            "invalid_value",
            "Invalid value: 'b'. Supported values are: 'a', 1, and null.",
        ),
        (
            {"enum": ["a", "b"]},
            "\x1b[",
            "invalid_value",
            "Invalid value: '\\x1b['. Supported values are: 'a' and 'b'.",
        ),
        (
            {"type": ["integer", "string", "null"]},
            [],
            "invalid_type",
            "Invalid type for 'v': expected one of an integer, string or null, but got an array instead.",
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "array"}]},
            5,
            "invalid_type",
            "Invalid type for 'v': expected one of a string or array, but got an integer instead.",
        ),
        (
            {"oneOf": [{"minimum": 1}, {"maximum": 5}]},
            3,
            "invalid_value",
            "Invalid 'v': value matches more than one of the forms of which exactly one is allowed.",
        ),
        ({"not": {"type": "string"}}, "x", "invalid_value", "Invalid 'v': value is not allowed."),
        (False, "x", "unknown_parameter", "Unknown parameter: 'v'."),
        ({"items": False}, [1], "invalid_value", "Invalid 'v[0]': value is not allowed."),
        (
            {"propertyNames": {"pattern": "^[a-z]$"}},
            {"A": 1},
            "invalid_value",
            "Invalid 'v': key does not match pattern. Expected a key that matches the pattern '^[a-z]$'.",
        ),
        (
            {"propertyNames": {"enum": ["a"]}},
            {"b": 1},
            "invalid_value",
            "Invalid 'v': key not supported. Supported keys are: 'a'.",
        ),
        (
            {"propertyNames": {"minLength": 1}},
            {"": 1},
            "empty_string",
            "Invalid 'v': empty key. Expected a key with minimum length 1, but got an empty key instead.",
        ),
        (
            {"patternProperties": {"^x-": {"type": "null"}}, "additionalProperties": False},
            {"x-a": None, "y": 1},
            "unknown_parameter",
            "Unknown parameter: 'v.y'.",
        ),
    ],
)
def test_every_keyword_in_words(schema: Any, value: Any, code: str, message: str) -> None:
    """Each keyword that the seed does not use has its code and its words, too."""
    (found,) = full({"v": value}, {"properties": {"v": schema}})
    assert (found.code, found.message) == (code, message)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"enum": [1]}, 1.0),
        ({"const": [1, {"a": None}]}, [1.0, {"a": None}]),
        ({"uniqueItems": True}, [1, True, 0, False, "1", None, [], {}, [1], [True]]),
        ({"uniqueItems": True, "items": {"type": ["integer", "boolean"]}}, [1, True, 0, False]),
        ({"uniqueItems": False}, [1, 1]),
        ({"multipleOf": 0.01}, 19.01),
        ({"multipleOf": 3}, 9.0),
        ({"anyOf": [{"type": "null"}, {"minLength": 2}]}, "ab"),
        ({"not": {"const": 1}}, True),
        (True, object),
        ({"required": ["a"], "additionalProperties": False}, 5),
        ({"minLength": 2.0}, "ab"),
        ({"nullable": True, "type": "string"}, None),
        ({"nullable": True, "minLength": 5}, None),
    ],
)
def test_what_fits(schema: Any, value: Any) -> None:
    """JSON equality, integers without fraction, and keywords that do not concern a value's type."""
    assert full(value, schema) == []


def test_long_lists_of_values_are_cut() -> None:
    """Of very many permitted values the message names a hundred and how many more there are."""
    (found,) = full("x", {"enum": [f"v{index}" for index in range(105)]})
    assert found.message.endswith("'v98', 'v99', and 5 more.")
