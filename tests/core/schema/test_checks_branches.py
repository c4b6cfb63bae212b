"""Choices between schemas: the branch that came closest tells what is wrong, at a bounded cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.schema import formats
from gateway.core.schema.checks import Checks, holds, judge
from gateway.core.schema.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.types import Violation


def full(value: Any, schema: Any, definitions: Mapping[str, Any] | None = None) -> tuple[Violation, ...]:
    """Give the violations of a value, having checked that the silent form agrees."""
    check = Checks(definitions or {}).check(schema)
    findings = judge(check, value)
    assert holds(check, value) is (not findings.total)
    return findings.violations


def told(
    value: Any, schema: Any, definitions: Mapping[str, Any] | None = None
) -> list[tuple[str | None, str]]:
    """Give pointers and codes."""
    return [(item.pointer, item.code) for item in full(value, schema, definitions)]


def part(kind: str, member: str, **more: Any) -> dict[str, Any]:
    """Give the schema of an object that is told by its type."""
    return {
        "type": ["object"],
        "required": ["type", member],
        "properties": {"type": {"enum": [kind]}, member: {"type": ["string"]}, **more},
        "additionalProperties": False,
    }


TEXT = part("text", "text")
IMAGE = part("image", "url")
FILE = part("file", "id", detail={"enum": ["low", "high"]})
MISSING, WRONG, UNKNOWN, TYPE = (
    "missing_required_parameter",
    "invalid_value",
    "unknown_parameter",
    "invalid_type",
)


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "text"}, [("/text", MISSING)]),
        ({"type": "text", "text": 5}, [("/text", TYPE)]),
        ({"type": "image", "text": "x"}, [("/url", MISSING), ("/text", UNKNOWN)]),
        ({"type": "file", "id": "x", "detail": "y"}, [("/detail", WRONG)]),
        ({"type": "video"}, [("/type", WRONG)]),
        ({"type": ["text"]}, [("/type", TYPE)]),
        ({"url": "x"}, [("/type", MISSING)]),
        ("x" * 9, [("", "string_above_max_length")]),
        (5, [("", TYPE)]),
        ({"type": "text", "text": "x"}, []),
        ("x", []),
    ],
)
def test_the_closest_branch_tells(keyword: str, value: Any, expected: Any) -> None:
    """Of the forms of an object, the one whose type fits says what is wrong."""
    schema = {keyword: [{"type": ["string"], "maxLength": 5}, TEXT, IMAGE, {"$ref": "file"}]}
    assert told(value, schema, {"file": FILE}) == expected


def test_messages_of_choices() -> None:
    """All supported values of a tag are listed, all types in one message."""
    schema = {"anyOf": [{"type": ["string"]}, {"type": ["array"]}, TEXT, IMAGE]}
    (found,) = full({"type": "x"}, schema)
    assert found.message == "Invalid value: 'x'. Supported values are: 'text' and 'image'."
    (found,) = full({"type": 5}, schema)
    assert found.message == "Invalid type for 'type': expected a string, but got an integer instead."
    (found,) = full(5, schema)
    assert found.message == (
        "Invalid type for the body: expected one of a string, array or object, but got an integer instead."
    )
    (found,) = full({"v": 5}, {"properties": {"v": {"anyOf": [{"const": "a"}, {"enum": ["b", None]}]}}})
    assert (
        found.message == "Invalid type for 'v': expected one of a string or null, but got an integer instead."
    )


def test_null_beside_one_schema_only_allows_null() -> None:
    """``anyOf: [X, null]`` tells what X tells; a type that neither allows is told for both."""
    schema = {"oneOf": [{"type": ["null"]}, TEXT]}
    assert told(None, schema) == []
    assert told({"type": "x"}, schema) == [("/text", MISSING), ("/type", WRONG)]
    (found,) = full([], schema)
    assert "expected one of null or object" in found.message


def test_several_that_fit_are_ambiguous() -> None:
    """``oneOf`` refuses what fits twice, also when a third fits, and says so."""
    schema = {"oneOf": [{"minimum": 1}, {"maximum": 5}, {"multipleOf": 2}]}
    (found,) = full(3, schema)
    assert found.message == (
        "Invalid body: value matches more than one of the forms of which exactly one is allowed."
    )
    assert told(4, schema) == [("", WRONG)]
    assert told(7, schema) == []


DISCRIMINATED = {
    "oneOf": [
        {"type": ["object"], "properties": {"x": {"type": ["string"]}}, "required": ["kind"]},
        {"type": ["object"], "properties": {"y": {"type": ["string"]}}, "required": ["kind", "y"]},
        {"type": ["object"], "required": ["kind", "z"], "properties": {"kind": {"const": "c"}}},
    ],
    "x-discriminator": {"property": "kind", "branches": {"a": 0, "b": 1}},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"kind": "b", "x": 5}, [("/y", MISSING)]),
        ({"kind": "a", "x": 5}, [("/x", TYPE)]),
        ({"kind": "c", "x": 5}, [("/z", MISSING)]),
        ({"kind": "d", "x": 5}, [("/kind", WRONG)]),
        ({"kind": 1, "x": 5}, [("/kind", TYPE)]),
        ({"x": 5}, [("/kind", MISSING)]),
        ([], [("", TYPE)]),
    ],
)
def test_the_discriminator_comes_first(value: Any, expected: Any) -> None:
    """It names the branch; a value that it does not know, and no branch lists, is told as such."""
    assert told(value, DISCRIMINATED) == expected


def test_the_discriminator_lists_what_it_knows() -> None:
    """Its own values and those that branches list are supported; it need not be required."""
    (found,) = full({"kind": "d", "x": 5}, DISCRIMINATED)
    assert found.message == "Invalid value: 'd'. Supported values are: 'a', 'b', and 'c'."
    optional = {
        "anyOf": [
            {"type": ["object"], "required": ["x"]},
            {"type": ["object"], "required": ["kind", "x", "y"]},
        ],
        "x-discriminator": {"property": "kind", "branches": {"a": 0, "b": 1}},
    }
    assert told({}, optional) == [("/x", MISSING)]


@pytest.mark.parametrize(
    ("branches", "value", "expected"),
    [
        # wrong types count most
        ([{"required": ["a", "b"]}, {"properties": {"c": {"type": ["null"]}}}], {"c": 1}, ["/a", "/b"]),
        # then the number of violations
        ([{"required": ["a", "b"]}, {"required": ["z"]}], {}, ["/z"]),
        # then the properties that are known
        (
            [
                {"properties": {"a": {}}, "required": ["b"]},
                {"properties": {"c": {}, "d": {}}, "required": ["z"]},
            ],
            {"c": 1, "d": 1},
            ["/z"],
        ),
        # the first of equals
        ([{"required": ["a"]}, {"required": ["z"]}], {}, ["/a"]),
        ([{"items": {"type": ["null"]}}, {"maxItems": 0}], [1, 1], [""]),
        # a tag that not all share counts as any other property
        (
            [{"properties": {"k": {"const": 1}}, "required": ["b"]}, {"required": ["z", "y"]}],
            {"k": 2},
            ["/b", "/k"],
        ),
        # of shared ones, one that is optional and missing fits better than one that is required
        (
            [
                {"properties": {"k": {"const": 1}}, "required": ["k", "a"]},
                {"properties": {"k": {"const": 2}}, "required": ["z", "y"]},
            ],
            {},
            ["/z", "/y"],
        ),
        # the same values in all branches tell nothing about the branch
        (
            [
                {"properties": {"k": {"const": 1}}, "required": ["a", "b"]},
                {"properties": {"k": {"const": 1}}, "required": ["z"]},
            ],
            {"k": 2},
            ["/z", "/k"],
        ),
        # through a choice inside a branch, and through allOf
        (
            [
                {"oneOf": [TEXT, IMAGE]},
                {"allOf": [{"$ref": "file"}, {"properties": {"id": {"maxLength": 1}}}]},
            ],
            {"type": "file", "id": "xx"},
            ["/id"],
        ),
        ([{"oneOf": [TEXT, IMAGE]}, {"$ref": "file"}], {"type": "image"}, ["/url"]),
        # nothing can fit
        ([False, False], 5, [""]),
    ],
)
def test_what_counts_as_close(branches: Any, value: Any, expected: Any) -> None:
    """Without a telling tag: wrong types, violations, strange properties, order."""
    found = full(value, {"anyOf": branches}, {"file": FILE})
    assert [item.pointer for item in found] == expected


def test_conditions_tell_what_their_branch_tells() -> None:
    """``if`` itself tells nothing; the side that is taken does."""
    schema = {
        "if": {"properties": {"mode": {"const": "a"}}, "required": ["mode"]},
        "then": {"required": ["x"]},
        "else": {"required": ["y"]},
    }
    assert told({"mode": "a"}, schema) == [("/x", MISSING)]
    assert told({"mode": "b"}, schema) == [("/y", MISSING)]


LEAF = {"type": ["string"], "format": "uuid"}


def circular(kind: str) -> dict[str, Any]:
    """Give a definition that leads back to itself in three ways for each level of a value."""
    node = {"$ref": "node"}
    below = [{"properties": {"c": node}, "propertyNames": {"maxLength": 2 + index}} for index in range(3)]
    return {
        "any": {"anyOf": [{"type": ["object"], "required": ["c"], **one} for one in below] + [LEAF]},
        "one": {"oneOf": [{"type": ["object"], "required": ["c"], **one} for one in below] + [LEAF]},
        "all": {"allOf": below, "type": ["object", "string"], "format": "uuid"},
        "not": {"not": below[0], "anyOf": below, "type": ["object", "string"], "format": "uuid"},
        "if": {"if": below[0], "then": below[1], "else": below[2], **LEAF, "type": ["object", "string"]},
        "pattern": {
            "properties": {"c": node},
            "patternProperties": {"^c": node, "c$": node},
            "format": "uuid",
        },
        "dependent": {"dependentSchemas": {"c": below[0]}, "properties": {"c": node}, "format": "uuid"},
        "unevaluated": {"anyOf": below, "unevaluatedProperties": node, "format": "uuid"},
        "strange": {
            "anyOf": [{"properties": {"d": node}}] * 2,
            "unevaluatedProperties": node,
            "format": "uuid",
        },
    }[kind]


@pytest.mark.parametrize(
    "kind", ["any", "one", "all", "not", "if", "pattern", "dependent", "unevaluated", "strange"]
)
@pytest.mark.parametrize("leaf", ["no uuid", "5f6f8a7e-3a9c-4f0e-9a33-0d6d2a0c7b11"])
def test_circular_choices_cost_no_more_than_their_size(
    kind: str, leaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three ways down at each of 32 levels: 3 to the power of 32 visits of the innermost without memory."""
    visits = 0
    is_uuid = formats.FORMATS["uuid"]

    def counting(text: str) -> bool:
        nonlocal visits
        visits += 1
        return is_uuid(text)

    monkeypatch.setattr("gateway.core.schema.scalars.FORMATS", {"uuid": counting})
    value: Any = leaf
    for _ in range(32):
        value = {"c": value}
    check = Checks({"node": circular(kind)}).check({"$ref": "node"})
    trial = Trial()
    good = check.fits(value, trial)
    assert trial.steps < 2000
    assert judge(check, value).total == 0 if good else judge(check, value).total >= 1
    assert visits < 2000


def test_wide_values_are_remembered_too() -> None:
    """A long array that many branches ask about is not walked through again for each way down."""
    node: dict[str, Any] = {
        "anyOf": [{"items": {"$ref": "node"}, "maxItems": 300 + index} for index in range(4)]
    }
    value: Any = [0] * 400
    for _ in range(12):
        value = [value]
    check = Checks({"node": node}).check({"$ref": "node"})
    trial = Trial()
    assert not check.fits(value, trial)
    assert trial.steps < 2000
    assert judge(check, value).total == 1


def test_sketches_have_a_budget() -> None:
    """Finding the closest branch ends when a judging has looked at much; the first one then tells."""
    branches = [{"items": {"type": [name]}} for name in ("null", "integer")]
    value = [[0] * 9000 + ["x"] for _ in range(4)]
    found = full(value, {"items": {"anyOf": branches}})
    # The first is sketched well: one item is no integer. For the others there is no budget left.
    assert [item.pointer for item in found[:3]] == ["/0/9000", "/1/0", "/1/1"]


def test_no_branch_is_explained_where_it_is_only_counted() -> None:
    """Beyond a thousand violations a choice counts one, and a count that is dear ends."""
    branches = [{"type": ["object"], "required": [f"f{index}", "x", "y"]} for index in range(20)]
    schema = {"items": {"anyOf": branches}}
    few = judge(Checks({}).check(schema), [{} for _ in range(400)])
    assert (few.total, len(few.violations)) == (334 * 3 + 66, 100)
    many = judge(Checks({}).check(schema), [{} for _ in range(60_000)])
    assert 1000 < many.total < 60_000
    assert len(many.violations) == 100
