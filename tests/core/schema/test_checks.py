"""Every keyword of the plain form: what it lets through, and in which words it refuses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.schema.checks import Checks, holds, judge
from gateway.core.schema.pattern import PatternFault
from gateway.core.types import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Violation


def full(value: Any, schema: Any, definitions: Mapping[str, Any] | None = None) -> tuple[Violation, ...]:
    """Give the violations of a value, having checked that the silent form agrees."""
    check = Checks(definitions or {}).check(schema)
    findings = judge(check, value)
    assert holds(check, value) is (not findings.total)
    assert bool(findings.violations) is bool(findings.total)
    return findings.violations


@pytest.mark.parametrize(
    ("schema", "value", "code", "message"),
    [
        (
            {"maximum": 100, "type": ["integer"]},
            1000,
            "integer_above_max_value",
            "Invalid 'v': integer above maximum value. Expected a value <= 100, but got 1000 instead.",
        ),
        (
            {"minimum": 1, "type": ["integer"]},
            0,
            "integer_below_min_value",
            "Invalid 'v': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"exclusiveMinimum": 0, "type": ["number"]},
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
            {"type": ["integer"], "maximum": 1},
            2.0,
            "integer_above_max_value",
            "Invalid 'v': integer above maximum value. Expected a value <= 1, but got 2.0 instead.",
        ),
        (
            {"minimum": 5},
            1,
            "integer_below_min_value",
            "Invalid 'v': integer below minimum value. Expected a value >= 5, but got 1 instead.",
        ),
        ({"multipleOf": 0.01}, 0.015, "invalid_value", "Invalid 'v': value is not a multiple of 0.01."),
        ({"multipleOf": 2}, math.inf, "invalid_value", "Invalid 'v': value is not a multiple of 2."),
        (
            {"pattern": "^a$"},
            "a\n",
            "invalid_value",
            "Invalid 'v': string does not match pattern. Expected a string that matches the pattern '^a$'.",
        ),
        (
            {"format": "date"},
            "2023-02-29",
            "invalid_value",
            "Invalid 'v': string has the wrong format. Expected a string in the format 'date'.",
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
            {"maxLength": 1},
            "😀😀",
            "string_above_max_length",
            (
                "Invalid 'v': string too long. Expected a string with maximum length 1, "
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
            {"maxItems": 0},
            [1],
            "array_above_max_length",
            (
                "Invalid 'v': array too long. Expected an array with maximum length 0, "
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
            {"contains": {"const": 1}},
            [2],
            "invalid_value",
            (
                "Invalid 'v': required items missing. Expected an array with at least 1 item of the required "
                "form, but got an array with 0 instead."
            ),
        ),
        (
            {"contains": {"type": ["string"]}, "minContains": 0, "maxContains": 2},
            ["a", 1, "b", "c"],
            "invalid_value",
            (
                "Invalid 'v': too many items of one form. Expected an array with at most 2 items of that "
                "form, but got an array with 3 instead."
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
            {"type": ["integer"]},
            1.5,
            "invalid_type",
            "Invalid type for 'v': expected an integer, but got a decimal number instead.",
        ),
        (
            {"type": ["string"], "enum": ["a"], "maxItems": 0},
            [1],
            "invalid_type",
            "Invalid type for 'v': expected a string, but got an array instead.",
        ),
        ({"not": {"type": ["string"]}}, "x", "invalid_value", "Invalid 'v': value is not allowed."),
        ({"if": True, "then": False}, "x", "unknown_parameter", "Unknown parameter: 'v'."),
        (False, "x", "unknown_parameter", "Unknown parameter: 'v'."),
        ({"items": False}, [1], "invalid_value", "Invalid 'v[0]': value is not allowed."),
        ({"prefixItems": [True, False]}, [1, 1], "invalid_value", "Invalid 'v[1]': value is not allowed."),
        (
            {"prefixItems": [True], "items": {"type": ["null"]}},
            [1, None, 2],
            "invalid_type",
            "Invalid type for 'v[2]': expected null, but got an integer instead.",
        ),
        (
            {"dependentRequired": {"a": ["a", "b"], "c": ["d"]}},
            {"a": 1},
            "missing_required_parameter",
            "Missing required parameter: 'v.b'.",
        ),
        (
            {"dependentSchemas": {"a": {"maxProperties": 1}, "z": False}},
            {"a": 1, "b": 2},
            "object_above_max_properties",
            (
                "Invalid 'v': too many properties. Expected an object with at most 1 property, "
                "but got an object with 2 properties instead."
            ),
        ),
        (
            {"propertyNames": {"pattern": "^[a-z]$"}},
            {"A": 1},
            "invalid_value",
            "Invalid 'v': key does not match pattern. Expected a key that matches the pattern '^[a-z]$'.",
        ),
        (
            {"propertyNames": {"format": "uuid"}},
            {"A": 1},
            "invalid_value",
            "Invalid 'v': key has the wrong format. Expected a key in the format 'uuid'.",
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
            {"patternProperties": {"^x-": {"type": ["null"]}}, "additionalProperties": False},
            {"x-a": None, "y": 1},
            "unknown_parameter",
            "Unknown parameter: 'v.y'.",
        ),
        (
            {"patternProperties": {"^x": {"type": ["null"]}}, "properties": {"x": True}},
            {"x": 1},
            "invalid_type",
            "Invalid type for 'v.x': expected null, but got an integer instead.",
        ),
    ],
)
def test_every_keyword_in_words(schema: Any, value: Any, code: str, message: str) -> None:
    """Each keyword has its code and its words."""
    (found,) = full({"v": value}, {"properties": {"v": schema}})
    assert (found.code, found.message) == (code, message)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": ["integer"]}, 1.0),
        ({"type": ["number"]}, 1),
        ({"enum": [1]}, 1.0),
        ({"const": [1, {"a": None}]}, [1.0, {"a": None}]),
        ({"uniqueItems": True}, [1, True, 0, False, "1", None, [], {}, [1], [True]]),
        ({"uniqueItems": False}, [1, 1]),
        ({"multipleOf": 0.01}, 19.01),
        ({"multipleOf": 3}, 9.0),
        ({"multipleOf": 5e-324}, 1e308),
        ({"anyOf": [{"type": ["null"]}, {"minLength": 2}]}, "ab"),
        ({"not": {"const": 1}}, True),
        ({"not": {"type": ["object"]}, "minimum": 1, "required": ["a"]}, "x"),
        (True, object),
        ({}, object),
        ({"maxLength": 1}, object),
        ({"required": ["a"], "additionalProperties": False}, 5),
        ({"required": []}, {}),
        ({"contains": False, "minContains": 0}, [1]),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 2]),
        ({"if": {"minimum": 5}, "then": False}, 4),
        ({"if": {"minimum": 5}, "else": {"maximum": 4}}, 4),
        ({"if": False}, 4),
        ({"then": False, "else": False}, 4),
        ({"prefixItems": [{"type": ["null"]}]}, []),
        (
            {"patternProperties": {"^x": {"type": ["null"]}}, "properties": {"y": {"const": 1}}},
            {"x": None, "y": 1},
        ),
        ({"properties": {"a": False}}, {"b": 1}),
        ({"dependentSchemas": {"z": False}}, {"a": 1}),
    ],
)
def test_what_fits(schema: Any, value: Any) -> None:
    """JSON equality, integers without fraction, and keywords that do not concern a value's type."""
    assert full(value, schema) == ()


def test_a_bound_that_holds_tells_nothing() -> None:
    """Of a value with one fault only that one is told."""
    limits = {
        "minLength": 1,
        "maxLength": 3,
        "minItems": 1,
        "maxItems": 2,
        "minProperties": 1,
        "maxProperties": 2,
    }
    for value in ("ab", [1], {"a": 1}, 5):
        (found,) = full(value, {**limits, "minimum": 1, "multipleOf": 5, "uniqueItems": True, "not": True})
        assert found.message == "Invalid body: value is not allowed."


def test_patterns_that_no_reader_would_accept_are_faults() -> None:
    """Patterns are compiled with the schema, not when a value comes."""
    with pytest.raises(PatternFault):
        Checks({}).check({"pattern": "("})


def test_references_may_be_circular() -> None:
    """A definition may refer to itself, and other keywords beside ``$ref`` hold, too."""
    node = {
        "type": ["object"],
        "properties": {"next": {"$ref": "node", "maxProperties": 1}, "value": {"type": ["string"]}},
        "additionalProperties": False,
    }
    value = {"next": {"next": {"value": 5}}, "value": ""}
    (found,) = full(value, {"$ref": "node"}, {"node": node})
    assert (found.pointer, found.code) == ("/next/next/value", "invalid_type")
    value["next"] = {"next": {}, "value": "x"}
    (found,) = full(value, {"$ref": "node"}, {"node": node})
    assert (found.pointer, found.code) == ("/next", "object_above_max_properties")
    value["next"] = {}
    assert full(value, {"$ref": "node"}, {"node": node}) == ()


def test_each_violation_has_the_layer_of_its_schema() -> None:
    """``x-layer`` holds for all below it, references included, until another one."""
    definitions = {"long": {"maxLength": 1}}
    schema = {
        "allOf": [
            {"properties": {"a": {"$ref": "long"}}, "required": ["z"]},
            {
                "x-layer": "limit",
                "properties": {"b": {"$ref": "long"}, "c": {"x-layer": "policy", "$ref": "long"}},
                "propertyNames": {"enum": ["a", "b", "c"]},
                "not": {"required": ["d"]},
                "anyOf": [{"maxProperties": 1}, {"maxProperties": 2}],
            },
            {"x-layer": "policy", "additionalProperties": False, "properties": {"a": {}, "b": {}, "c": {}}},
        ]
    }
    found = full({"a": "xx", "b": "xx", "c": "xx", "d": 1}, schema, definitions)
    assert [(item.safe_pointer, item.layer) for item in found] == [
        ("/z", Layer.CONTRACT),
        ("", Layer.LIMIT),
        ("", Layer.LIMIT),
        ("/a", Layer.CONTRACT),
        ("/b", Layer.LIMIT),
        ("/c", Layer.POLICY),
        ("/*", Layer.LIMIT),
        ("/*", Layer.POLICY),
    ]


def test_layers_can_be_left_out() -> None:
    """What only left out layers forbid is not found; a branch that fits but for them is the closest."""
    schema = {
        "properties": {"a": {"x-layer": "policy", "maxLength": 1}},
        "anyOf": [
            {"required": ["z"]},
            {"properties": {"a": {"x-layer": "policy", "minLength": 9}}, "required": ["a"]},
        ],
    }
    check = Checks({}).check(schema)
    assert judge(check, {"a": "xx"}).total == 2
    assert judge(check, {"a": "xx"}, without=frozenset((Layer.POLICY,))).total == 0


def test_a_value_is_judged_as_it_is() -> None:
    """Judging leaves the value as it was."""
    value = {"a": [{"b": None}]}
    schema = {
        "anyOf": [{"properties": {"a": {"default": 1, "items": {"required": ["c"]}}}}, {"required": ["x"]}]
    }
    assert full(value, schema)
    assert value == {"a": [{"b": None}]}


@pytest.mark.parametrize(
    ("value", "param", "safe_param"),
    [
        ("abc", "p", "p"),
        (["a", "abc"], "p[1]", "p[*]"),
        ({"gt": "abc"}, "p.gt", "p.gt"),
        ({"x": "abc"}, "p.x", "p.*"),
    ],
)
def test_parameters_are_named(value: Any, param: str, safe_param: str) -> None:
    """A parameter's violations have its name and the way into it, and no pointer."""
    text = {"type": ["string", "array", "object"], "maxLength": 2}
    schema = {**text, "items": text, "properties": {"gt": text}, "additionalProperties": text}
    (found,) = judge(Checks({}).check(schema), value, "p").violations
    assert (found.pointer, found.safe_pointer) == (None, None)
    assert (found.param, found.safe_param) == (param, safe_param)
    assert found.message.startswith(f"Invalid '{param}': string too long.")
