"""The schema phase: the words and places of violations, and that the fast and the full form agree."""

from __future__ import annotations

import json
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.schema import SchemaFault, compile_schema
from gateway.core.types import Layer, Violation

METADATA = {
    "type": "object",
    "nullable": True,
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": "string", "maxLength": 512},
}
MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "additionalProperties": False,
    "properties": {
        "role": {"type": "string", "enum": ["user"], "description": "who"},
        "content": {"type": "string", "minLength": 1, "maxLength": 32768},
        "file_ids": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string"}, "default": []},
        "metadata": METADATA,
    },
}
GOOD = {"role": "user", "content": "x"}
VALIDATOR = compile_schema(MESSAGE)


def full(value: Any, schema: Any = None) -> list[Violation]:
    """Give the violations of a value, having checked that the fast form agrees."""
    validator = VALIDATOR if schema is None else compile_schema(schema)
    violations = validator.full(value)
    assert validator.fast(value) is (not violations)
    return violations


def only(value: Any, schema: Any = None) -> Violation:
    """Give the one violation of a value."""
    (violation,) = full(value, schema)
    return violation


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"k" * 64: "v" * 512, "": ""}},
        {"metadata": {f"k{index}": "" for index in range(16)}},
        {"metadata": {"😀" * 64: "😀" * 512}},
        {"content": "x" * 32768},
        {"content": "😀" * 32768},
        {"file_ids": [""] * 10},
    ],
)
def test_permitted_messages(extra: dict[str, Any]) -> None:
    """What the reference allows passes; lengths count code points."""
    assert full(GOOD | extra) == []


def _pairs(count: int) -> dict[str, str]:
    return {f"k{index}": "v" for index in range(count)}


@pytest.mark.parametrize(
    ("value", "pointer", "param", "code", "message"),
    [
        (
            GOOD | {"x": 1}, "/x", "x", "unknown_parameter", "Unknown parameter: 'x'."),
        ({"content": "x"}, "/role", "role", "missing_required_parameter", "Missing required parameter: 'role'."),
        (GOOD | {"content": "x" * 40000}, "/content", "content", "string_above_max_length",
         "Invalid 'content': string too long. Expected a string with maximum length 32768, "
         "but got a string with length 40000 instead."),
        (GOOD | {"content": ""}, "/content", "content", "empty_string",
         "Invalid 'content': empty string. Expected a string with minimum length 1, "
         "but got an empty string instead."),
        (GOOD | {"metadata": _pairs(17)}, "/metadata", "metadata", "object_above_max_properties",
         "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
         "but got an object with 17 properties instead."),
        (GOOD | {"file_ids": ["f"] * 11}, "/file_ids", "file_ids", "array_above_max_length",
         "Invalid 'file_ids': array too long. Expected an array with maximum length 10, "
         "but got an array with length 11 instead."),
        (GOOD | {"file_ids": []}, "/file_ids", "file_ids", "empty_array",
         "Invalid 'file_ids': empty array. Expected an array with minimum length 1, "
         "but got an empty array instead."),
        (GOOD | {"file_ids": ["f", "f", "f", None]}, "/file_ids/3", "file_ids[3]", "invalid_type",
         "Invalid type for 'file_ids[3]': expected a string, but got null instead."),
        (GOOD | {"content": 5}, "/content", "content", "invalid_type",
         "Invalid type for 'content': expected a string, but got an integer instead."),
        (GOOD | {"content": True}, "/content", "content", "invalid_type",
         "Invalid type for 'content': expected a string, but got a boolean instead."),
        (GOOD | {"metadata": []}, "/metadata", "metadata", "invalid_type",
         "Invalid type for 'metadata': expected one of an object or null, but got an array instead."),
        (GOOD | {"role": "system"}, "/role", "role", "invalid_value",
         "Invalid value: 'system'. Supported values are: 'user'."),
        (GOOD | {"role": "r" * 32}, "/role", "role", "invalid_value",
         f"Invalid value: '{'r' * 32}'. Supported values are: 'user'."),
        (GOOD | {"role": "r" * 33}, "/role", "role", "invalid_value",
         "Invalid value. Supported values are: 'user'."),
        (GOOD | {"metadata": {"a": 5.5}}, "/metadata/a", "metadata.a", "invalid_type",
         "Invalid type for 'metadata.a': expected a string, but got a decimal number instead."),
        (GOOD | {"metadata": {"a": "v" * 513}}, "/metadata/a", "metadata.a", "string_above_max_length",
         "Invalid 'metadata.a': string too long. Expected a string with maximum length 512, "
         "but got a string with length 513 instead."),
        (GOOD | {"metadata": {"k" * 65: "v"}}, "/metadata/" + "k" * 65, "metadata", "string_above_max_length",
         "Invalid 'metadata': key too long. Expected a key with maximum length 64, "
         "but got a key with length 65 instead."),
        ([], "", None, "invalid_type", "Invalid type for the body: expected an object, but got an array instead."),
    ],
)  # fmt: skip
def test_the_seed_in_the_api_s_words(
    value: Any, pointer: str, param: str | None, code: str, message: str
) -> None:
    """Each fault of a message has the place, code and text that the real API gives."""
    found = only(value)
    assert (found.pointer, found.param, found.code, found.message) == (pointer, param, code, message)


@pytest.mark.parametrize(
    ("schema", "value", "code", "message"),
    [
        ({"maximum": 100, "type": "integer"}, 1000, "integer_above_max_value",
         "Invalid 'v': integer above maximum value. Expected a value <= 100, but got 1000 instead."),
        ({"minimum": 1, "type": "integer"}, 0, "integer_below_min_value",
         "Invalid 'v': integer below minimum value. Expected a value >= 1, but got 0 instead."),
        ({"exclusiveMinimum": True, "minimum": 0, "type": "number"}, 0, "decimal_below_min_value",
         "Invalid 'v': decimal below minimum value. Expected a value > 0, but got 0 instead."),
        ({"exclusiveMaximum": 1}, 1.5, "decimal_above_max_value",
         "Invalid 'v': decimal above maximum value. Expected a value < 1, but got 1.5 instead."),
        ({"minimum": 5}, 1, "integer_below_min_value",
         "Invalid 'v': integer below minimum value. Expected a value >= 5, but got 1 instead."),
        ({"multipleOf": 0.01}, 0.015, "invalid_value", "Invalid 'v': value is not a multiple of 0.01."),
        ({"pattern": "^a$"}, "a\n", "invalid_value",
         "Invalid 'v': string does not match pattern. Expected a string that matches the pattern '^a$'."),
        ({"minLength": 3}, "ab", "string_below_min_length",
         "Invalid 'v': string too short. Expected a string with minimum length 3, "
         "but got a string with length 2 instead."),
        ({"minItems": 2}, [1], "array_below_min_length",
         "Invalid 'v': array too short. Expected an array with minimum length 2, "
         "but got an array with length 1 instead."),
        ({"minProperties": 1}, {}, "object_below_min_properties",
         "Invalid 'v': too few properties. Expected an object with at least 1 property, "
         "but got an object with 0 properties instead."),
        ({"uniqueItems": True}, [True, 1, {"a": 1}, [], {"a": 1.0}, {"a": 1}], "array_items_not_unique",
         "Invalid 'v': array items not unique. Expected an array of unique items, "
         "but the item at index 4 repeats the one at index 2."),
        ({"const": {"a": [1]}}, {"a": [2]}, "invalid_value",
         "Invalid value. Supported values are: {\"a\": [1]}."),
        ({"enum": ["a", 1, None]}, "b", "invalid_value",
         "Invalid value: 'b'. Supported values are: 'a', 1, and null."),
        ({"enum": ["a", "b"]}, "\x1b[", "invalid_value",
         "Invalid value: '\\x1b['. Supported values are: 'a' and 'b'."),
        ({"type": ["integer", "string", "null"]}, [], "invalid_type",
         "Invalid type for 'v': expected one of an integer, string or null, but got an array instead."),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, 5, "invalid_type",
         "Invalid type for 'v': expected one of a string or array, but got an integer instead."),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 3, "invalid_value",
         "Invalid 'v': value matches more than one of the forms of which exactly one is allowed."),
        ({"not": {"type": "string"}}, "x", "invalid_value", "Invalid 'v': value is not allowed."),
        (False, "x", "unknown_parameter", "Unknown parameter: 'v'."),
        ({"items": False}, [1], "invalid_value", "Invalid 'v[0]': value is not allowed."),
        ({"propertyNames": {"pattern": "^[a-z]$"}}, {"A": 1}, "invalid_value",
         "Invalid 'v': key does not match pattern. Expected a key that matches the pattern '^[a-z]$'."),
        ({"propertyNames": {"enum": ["a"]}}, {"b": 1}, "invalid_value",
         "Invalid 'v': key not supported. Supported keys are: 'a'."),
        ({"propertyNames": {"minLength": 1}}, {"": 1}, "empty_string",
         "Invalid 'v': empty key. Expected a key with minimum length 1, but got an empty key instead."),
        ({"patternProperties": {"^x-": {"type": "null"}}, "additionalProperties": False}, {"x-a": None, "y": 1},
         "unknown_parameter", "Unknown parameter: 'v.y'."),
    ],
)  # fmt: skip
def test_every_keyword_in_words(schema: Any, value: Any, code: str, message: str) -> None:
    """Each keyword that the seed does not use has its code and its words, too."""
    found = only({"v": value}, {"properties": {"v": schema}})
    assert (found.code, found.message) == (code, message)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0), ({"enum": [1]}, 1.0), ({"const": [1, {"a": None}]}, [1.0, {"a": None}]),
        ({"uniqueItems": True}, [1, True, 0, False, "1", None, [], {}, [1], [True]]),
        ({"uniqueItems": True, "items": {"type": ["integer", "boolean"]}}, [1, True, 0, False]),
        ({"uniqueItems": False}, [1, 1]), ({"multipleOf": 0.01}, 19.01), ({"multipleOf": 3}, 9.0),
        ({"anyOf": [{"type": "null"}, {"minLength": 2}]}, "ab"), ({"not": {"const": 1}}, True), (True, object),
        ({"required": ["a"], "additionalProperties": False}, 5), ({"minLength": 2.0}, "ab"),
        ({"nullable": True, "type": "string"}, None), ({"nullable": True, "minLength": 5}, None),
    ],
)  # fmt: skip
def test_what_fits(schema: Any, value: Any) -> None:
    """JSON equality, integers without fraction, and keywords that do not concern a value's type."""
    assert full(value, schema) == []


def test_places_are_exact_whatever_the_key() -> None:
    """Pointers resolve to the very member for keys with dots, slashes, tildes, brackets and quotes."""
    for key in ("a.b", "a/b", "~0~1", "[3]", "'\"", "", "é😀", "\n\x7f", "*", "{0}", "%s", "\\"):
        found = only(GOOD | {"metadata": {key: 5}})
        assert found.pointer is not None
        token = found.pointer.removeprefix("/metadata/").replace("~1", "/").replace("~0", "~")
        assert (token, found.param) == (key, f"metadata.{key}")
        assert (found.safe_pointer, found.safe_param) == ("/metadata/*", "metadata.*")
        assert found.message.isprintable()


def test_all_violations_at_once_in_order() -> None:
    """Missing ones come first, the others in the order of the document, each with its figures."""
    body = {"zzz": 1, "file_ids": ["a"] * 11 + [1], "metadata": _pairs(16) | {"k" * 65: "v" * 513}, "role": "x"}
    found = full(body)
    assert [(item.code, item.safe_pointer, item.safe_param, item.limit, item.actual) for item in found] == [
        ("missing_required_parameter", "/content", "content", None, None),
        ("unknown_parameter", "/*", "*", None, None),
        ("array_above_max_length", "/file_ids", "file_ids", 10, 12),
        ("invalid_type", "/file_ids/11", "file_ids[*]", "string", "integer"),
        ("object_above_max_properties", "/metadata", "metadata", 16, 17),
        ("string_above_max_length", "/metadata/*", "metadata", 64, 65),
        ("string_above_max_length", "/metadata/*", "metadata.*", 512, 513),
        ("invalid_value", "/role", "role", None, None),
    ]


def test_layer_and_parameter_are_written_into_violations() -> None:
    """The layer is the caller's; a parameter's violations have its name and no pointer."""
    (found,) = compile_schema({"maxLength": 1}, layer=Layer.POLICY, parameter="after").full("ab")
    assert (found.layer, found.param, found.safe_param, found.pointer) == (Layer.POLICY, "after", "after", None)
    assert found.message.startswith("Invalid 'after': string too long.")


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"type": "text", "text": 5}, ["/text"]),
        ({"type": "image", "text": "x"}, ["/url", "/text"]),
        ({"type": "video"}, ["/text", "/type"]),
        ("x" * 9, [""]),
    ],
)
def test_the_closest_branch_tells(value: Any, pointers: list[str]) -> None:
    """Of the forms of an object, the one whose constants fit says what is missing."""

    def form(name: str, key: str) -> dict[str, Any]:
        members = {"type": {"enum": [name]}, key: {"type": "string"}}
        return {
            "type": "object", "required": ["type", key], "properties": members, "additionalProperties": False
        }  # fmt: skip

    schema = {"anyOf": [{"type": "string", "maxLength": 5}, form("text", "text"), form("image", "url")]}
    assert [item.pointer for item in full(value, schema)] == pointers


def test_values_are_never_changed_and_defaults_never_added() -> None:
    """Judging leaves the value as it was, and reads no default into it."""
    value: dict[str, Any] = dict(GOOD)
    assert VALIDATOR.fast(value)
    assert full(value) == []
    assert value == GOOD


def test_the_schema_shown_is_draft_7() -> None:
    """``nullable`` is a type, annotations are gone, and a single type stands by itself."""
    assert compile_schema({"type": "string", "nullable": True, "example": 1}).schema == {
        "type": ["string", "null"]
    }
    assert compile_schema({"items": {"type": "string"}, "anyOf": [{}]}).schema == {
        "items": {"type": "string"}, "anyOf": [{}]
    }  # fmt: skip
    assert compile_schema(schema=True).schema is True
    assert compile_schema({"minimum": 1, "exclusiveMinimum": True}).schema == {"exclusiveMinimum": 1}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"format": "email"}, ("format",)), ({"contains": {}}, ("contains",)), ({"if": {}}, ("if",)),
        ({"dependencies": {}}, ("dependencies",)), ({"prefixItems": []}, ("prefixItems",)),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",)), ({"readOnly": True}, ("readOnly",)),
        ({"$ref": "#/x"}, ("$ref",)), ({"maxlength": 5}, ("maxlength",)), ({"items": [{}]}, ("items",)),
        ({"properties": {"a": {"anyOf": [{}, {"format": "x"}]}}}, ("properties", "a", "anyOf", 1, "format")),
        ({"pattern": "(a+)+"}, ("pattern",)), ({"pattern": 5}, ("pattern",)), ({"type": "file"}, ("type",)),
        ({"type": []}, ("type",)), ({"enum": []}, ("enum",)), ({"enum": "a"}, ("enum",)),
        ({"required": True}, ("required",)), ({"maxLength": -1}, ("maxLength",)), ({"maxLength": "1"}, ("maxLength",)),
        ({"maxLength": 1.5}, ("maxLength",)), ({"minItems": True}, ("minItems",)), ({"minimum": "1"}, ("minimum",)),
        ({"maximum": float("inf")}, ("maximum",)), ({"multipleOf": 0}, ("multipleOf",)),
        ({"exclusiveMinimum": True}, ("exclusiveMinimum",)), ({"nullable": "yes"}, ("nullable",)),
        ({"uniqueItems": 1}, ("uniqueItems",)), ({"properties": []}, ("properties",)), ({"allOf": {}}, ("allOf",)),
        ({"patternProperties": {"(": {}}}, ("patternProperties", "(")), ({"not": None}, ("not",)), (None, ()),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_is_refused(schema: Any, path: tuple[str | int, ...]) -> None:
    """No assertion is ever ignored: the place of each unknown keyword or bad value is named."""
    with pytest.raises(SchemaFault) as fault:
        compile_schema(schema)
    assert [place for place, _ in fault.value.faults] == [path]


def test_all_faults_of_a_schema_at_once() -> None:
    """Every fault of a schema is found, not the first."""
    with pytest.raises(SchemaFault, match="format") as fault:
        compile_schema({"format": "x", "items": {"type": "x"}, "maxLength": -1})
    assert len(fault.value.faults) == 3


def test_what_the_generator_cannot_do_is_done_all_the_same() -> None:
    """Contradictions it refuses, and nesting deeper than Python's blocks, still get a fast form."""
    assert only({}, {"required": ["a"], "additionalProperties": False}).code == "missing_required_parameter"
    deep: Any = {"type": "string"}
    value: Any = 1
    for _ in range(30):
        deep, value = {"items": deep}, [value]
    assert only(value, deep).code == "invalid_type"


NAMES = ["a", "b", "a-b", "ab", "", "$ref", "{x}", 'q"\\', "é", "len"]
SCALARS: list[Any] = ["", "a", "ab", "abc", "1", "a\n", 0, 1, 2, -1, 1.0, 1.5, 0.1, 2**62, True, False, None]
keys = st.sampled_from(NAMES)
scalars = st.sampled_from(SCALARS)
instances = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
small = st.integers(0, 3)
numbers = st.sampled_from([-1, 0, 1, 1.5, 2, 0.1])
patterns = st.sampled_from(["^a$", "b", r"^\w?$", r"^[$\d]$", "^.{1,2}$", ""])
types = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.booleans() | st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "nullable": st.booleans(),
            "enum": st.lists(instances, min_size=1, max_size=3),
            "const": instances,
            "minLength": small, "maxLength": small, "pattern": patterns,
            "minimum": numbers, "maximum": numbers, "exclusiveMinimum": numbers, "exclusiveMaximum": numbers,
            "multipleOf": st.sampled_from([1, 2, 0.1, 0.5]),
            "minItems": small, "maxItems": small, "uniqueItems": st.booleans(), "items": inner,
            "minProperties": small, "maxProperties": small,
            "required": st.lists(keys, max_size=2, unique=True),
            "properties": st.dictionaries(keys, inner, max_size=3),
            "patternProperties": st.dictionaries(patterns, inner, max_size=2),
            "additionalProperties": inner, "propertyNames": inner,
            "allOf": several, "anyOf": several, "oneOf": several, "not": inner,
        },
    )  # fmt: skip


schemas = st.recursive(_keywords(st.just({})), _keywords, max_leaves=5)


@settings(max_examples=400, deadline=None)
@given(schemas, st.lists(instances, min_size=1, max_size=8))
def test_fast_and_full_agree(schema: Any, values: list[Any]) -> None:
    """Whatever the schema and the value: the fast form says yes exactly when the full one finds nothing."""
    validator = compile_schema(schema)
    for value in values:
        before = json.dumps(value)
        violations = validator.full(value)
        assert validator.fast(value) is (not violations)
        assert json.dumps(value) == before
        for item in violations:
            assert item.pointer is not None
            assert item.message.isprintable()


THEIRS = fastjsonschema.compile(VALIDATOR.schema, use_default=False, fast_fail=False)

bodies = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "system", 5, None]),
        "content": st.sampled_from(["x", "", "x" * 32768, "x" * 32769, 5, None, ["x"]]),
        "file_ids": st.lists(st.sampled_from(["f", "", 1, None]), max_size=12) | scalars,
        "metadata": st.none() | st.dictionaries(
            st.text("a./~\"'[é", max_size=3) | st.just("k" * 65), st.sampled_from(["v", "v" * 513, 1]), max_size=18
        ) | scalars,
        "x": scalars,
    },
) | instances  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_the_seed_against_fastjsonschema(body: Any) -> None:
    """For messages, fastjsonschema's own list of errors has the same verdict and never more entries."""
    ours = full(body)
    try:
        THEIRS(body)
    except fastjsonschema.JsonSchemaValuesException as error:
        assert len(ours) >= min(len(error.errors), 100) > 0
    else:
        assert ours == []
