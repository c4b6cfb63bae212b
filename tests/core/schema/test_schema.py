"""The schema phase: the words and places of violations, and that the fast and the full form agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.schema import Schemas
from gateway.core.types import Layer, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

METADATA = {
    "type": ["object", "null"],
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": ["string"], "maxLength": 512},
}
MESSAGE = {
    "type": ["object"],
    "required": ["role", "content"],
    "additionalProperties": False,
    "properties": {
        "role": {"type": ["string"], "enum": ["user"]},
        "content": {"type": ["string"], "minLength": 1, "maxLength": 32768},
        "file_ids": {"type": ["array"], "minItems": 1, "maxItems": 10, "items": {"type": ["string"]}},
        "metadata": METADATA,
    },
}
GOOD = {"role": "user", "content": "x"}
VALIDATOR = Schemas().validator(MESSAGE)


def full(value: Any, schema: Any = None) -> list[Violation]:
    """Give the violations of a value, having checked that the fast form agrees."""
    validator = VALIDATOR if schema is None else Schemas().validator(schema)
    violations, total = validator.full(value)
    assert validator.fast(value) is (not violations)
    assert total == len(violations)
    return list(violations)


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
        (GOOD | {"x": 1}, "/x", "x", "unknown_parameter", "Unknown parameter: 'x'."),
        (
            {"content": "x"},
            "/role",
            "role",
            "missing_required_parameter",
            "Missing required parameter: 'role'.",
        ),
        (
            GOOD | {"content": "x" * 40000},
            "/content",
            "content",
            "string_above_max_length",
            (
                "Invalid 'content': string too long. Expected a string with maximum length 32768, "
                "but got a string with length 40000 instead."
            ),
        ),
        (
            GOOD | {"content": ""},
            "/content",
            "content",
            "empty_string",
            (
                "Invalid 'content': empty string. Expected a string with minimum length 1, "
                "but got an empty string instead."
            ),
        ),
        (
            GOOD | {"metadata": _pairs(17)},
            "/metadata",
            "metadata",
            "object_above_max_properties",
            (
                "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
                "but got an object with 17 properties instead."
            ),
        ),
        (
            GOOD | {"file_ids": ["f"] * 11},
            "/file_ids",
            "file_ids",
            "array_above_max_length",
            (
                "Invalid 'file_ids': array too long. Expected an array with maximum length 10, "
                "but got an array with length 11 instead."
            ),
        ),
        (
            GOOD | {"file_ids": []},
            "/file_ids",
            "file_ids",
            "empty_array",
            (
                "Invalid 'file_ids': empty array. Expected an array with minimum length 1, "
                "but got an empty array instead."
            ),
        ),
        (
            GOOD | {"file_ids": ["f", "f", "f", None]},
            "/file_ids/3",
            "file_ids[3]",
            "invalid_type",
            "Invalid type for 'file_ids[3]': expected a string, but got null instead.",
        ),
        (
            GOOD | {"content": 5},
            "/content",
            "content",
            "invalid_type",
            "Invalid type for 'content': expected a string, but got an integer instead.",
        ),
        (
            GOOD | {"content": True},
            "/content",
            "content",
            "invalid_type",
            "Invalid type for 'content': expected a string, but got a boolean instead.",
        ),
        (
            GOOD | {"metadata": []},
            "/metadata",
            "metadata",
            "invalid_type",
            "Invalid type for 'metadata': expected one of an object or null, but got an array instead.",
        ),
        (
            GOOD | {"role": "system"},
            "/role",
            "role",
            "invalid_value",
            "Invalid value: 'system'. Supported values are: 'user'.",
        ),
        (
            GOOD | {"role": "r" * 32},
            "/role",
            "role",
            "invalid_value",
            f"Invalid value: '{'r' * 32}'. Supported values are: 'user'.",
        ),
        (
            GOOD | {"role": "r" * 33},
            "/role",
            "role",
            "invalid_value",
            "Invalid value. Supported values are: 'user'.",
        ),
        (
            GOOD | {"metadata": {"a": 5.5}},
            "/metadata/a",
            "metadata.a",
            "invalid_type",
            "Invalid type for 'metadata.a': expected a string, but got a decimal number instead.",
        ),
        (
            GOOD | {"metadata": {"a": "v" * 513}},
            "/metadata/a",
            "metadata.a",
            "string_above_max_length",
            (
                "Invalid 'metadata.a': string too long. Expected a string with maximum length 512, "
                "but got a string with length 513 instead."
            ),
        ),
        (
            GOOD | {"metadata": {"k" * 65: "v"}},
            "/metadata/" + "k" * 16 + "…",
            "metadata",
            "string_above_max_length",
            (
                "Invalid 'metadata': key too long. Expected a key with maximum length 64, "
                "but got a key with length 65 instead."
            ),
        ),
        (
            [],
            "",
            None,
            "invalid_type",
            "Invalid type for the body: expected an object, but got an array instead.",
        ),
    ],
)
def test_the_seed_in_the_api_s_words(
    value: Any, pointer: str, param: str | None, code: str, message: str
) -> None:
    """Each fault of a message has the place, code and text that the real API gives."""
    found = only(value)
    assert (found.pointer, found.param, found.code, found.message) == (pointer, param, code, message)


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
    body = {
        "zzz": 1,
        "file_ids": ["a"] * 11 + [1],
        "metadata": _pairs(16) | {"k" * 65: "v" * 513},
        "role": "x",
    }
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
    """The layer is the schema's; a parameter's violations have its name and no pointer."""
    schema = {"maxLength": 1, "x-layer": "policy"}
    (found,) = Schemas().validator(schema, parameter="after").full("ab").violations
    assert (found.layer, found.param, found.safe_param, found.pointer) == (
        Layer.POLICY,
        "after",
        "after",
        None,
    )
    assert found.message.startswith("Invalid 'after': string too long.")


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"type": "text", "text": 5}, ["/text"]),
        ({"type": "image", "text": "x"}, ["/url", "/text"]),
        ({"type": "video"}, ["/type"]),
        ("x" * 9, [""]),
    ],
)
def test_the_closest_branch_tells(value: Any, pointers: list[str]) -> None:
    """Of the forms of an object, the one whose constants fit says what is missing."""

    def form(name: str, key: str) -> dict[str, Any]:
        members = {"type": {"enum": [name]}, key: {"type": ["string"]}}
        return {
            "type": ["object"],
            "required": ["type", key],
            "properties": members,
            "additionalProperties": False,
        }

    schema = {"anyOf": [{"type": ["string"], "maxLength": 5}, form("text", "text"), form("image", "url")]}
    assert [item.pointer for item in full(value, schema)] == pointers


def test_values_are_never_changed_and_defaults_never_added() -> None:
    """Judging leaves the value as it was, and reads no default into it."""
    value: dict[str, Any] = dict(GOOD)
    assert VALIDATOR.fast(value)
    assert full(value) == []
    assert value == GOOD


def test_contradictions_and_deep_nesting_have_a_fast_form_too() -> None:
    """What cannot be fulfilled is refused, and nesting deeper than Python's blocks is no hindrance."""
    assert only({}, {"required": ["a"], "additionalProperties": False}).code == "missing_required_parameter"
    deep: Any = {"type": ["string"]}
    value: Any = 1
    for _ in range(60):
        deep, value = {"items": deep}, [value]
    assert only(value, deep).code == "invalid_type"


CIRCULAR: dict[str, Any] = {
    "node": {"type": ["object"], "properties": {"next": {"$ref": "node"}, "id": {"type": ["integer"]}}}
}


def test_the_fast_form_is_made_once_and_later() -> None:
    """The first value is judged at once by the silent checks; the fast form comes once, and takes over."""
    waiting: list[Callable[[], None]] = []
    validator = Schemas(CIRCULAR, later=waiting.append).validator({"$ref": "node"})
    assert waiting == []
    assert validator.fast({"next": {"id": 1}})
    assert not validator.fast({"next": {"id": "x"}})
    (generate,) = waiting
    before = validator.fast
    generate()
    assert validator.fast is not before
    assert validator.fast({"next": {"id": 1}})
    assert not validator.fast({"next": {"id": "x"}})
    assert len(waiting) == 1
    assert (validator.schema, validator.definitions) == ({"$ref": "node"}, CIRCULAR)


def test_what_cannot_be_generated_stays_with_the_silent_checks() -> None:
    """A schema that asks too many others about one value gets no generated form, and the same verdicts."""
    waiting: list[Callable[[], None]] = []
    wide = {"anyOf": [{"const": number} for number in range(1000)]}
    validator = Schemas(later=waiting.append).validator(wide)
    assert validator.fast(999)
    waiting.pop()()
    assert validator.fast(999)
    assert not validator.fast(1000)
    assert validator.full(1000).total == 1
