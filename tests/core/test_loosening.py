"""Policies that say more than a contract allows: each is told at its place, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.loosening import loosened
from gateway.core.policy import FileLimits, MetadataLimits, Policy, policy_schema

if TYPE_CHECKING:
    from gateway.core.types import Plain

BODY: dict[str, Any] = {
    "type": ["object"],
    "additionalProperties": False,
    "properties": {
        "metadata": {"$ref": "Metadata"},
        "file_ids": {"type": ["array"], "maxItems": 10, "uniqueItems": True},
    },
}
DEFINITIONS: dict[str, Plain] = {
    "Metadata": {
        "anyOf": [
            {
                "type": ["object"],
                "maxProperties": 16,
                "propertyNames": {"maxLength": 64},
                "additionalProperties": {"type": ["string"], "maxLength": 512},
            },
            {"type": ["null"]},
        ]
    },
    "Body": BODY,
    "Thread": {
        "type": ["object"],
        "properties": {"messages": {"type": ["array"], "items": {"$ref": "Body"}}},
    },
}
PLACE = ("policies", "default")
WORDS = "a policy cannot loosen a contract: c:o "


def of_limits(schema: Plain, metadata: dict[str, Any], files: dict[str, Any]) -> list[tuple[str, str]]:
    """Judge limits that are all stated: key and message of each fault."""
    stated = {
        (section, key): (*PLACE, section, key)
        for section, limits in (("metadata", metadata), ("files", files))
        for key in limits
    }
    policy = Policy(MetadataLimits(**metadata), FileLimits(**files), stated=stated)
    return [
        (".".join(map(str, path[3:])), message.removeprefix(WORDS))
        for path, message in loosened(schema, DEFINITIONS, policy, "c:o")
    ]


def of_schema(
    contract: Plain, schema: Plain, definitions: dict[str, Plain] | None = None
) -> list[tuple[tuple[str | int, ...], str]]:
    """Judge a policy's schema: path below it and message of each fault."""
    entry = policy_schema("o", schema, definitions or {}, PLACE)
    found = loosened(contract, DEFINITIONS, Policy(schemas={"o": entry}), "c:o")
    return [(path[len(PLACE) :], message.removeprefix(WORDS)) for path, message in found]


# Limits.


def test_stated_limits_above_the_contract_s() -> None:
    """Each at its place, with what the contract allows."""
    metadata = {"max_pairs": 17, "max_key_length": 65, "max_value_length": 513}
    assert of_limits(BODY, metadata, {"max_count": 11, "unique": False}) == [
        ("max_pairs", "allows at most 16 in metadata"),
        ("max_key_length", "allows at most 64 in metadata"),
        ("max_value_length", "allows at most 512 in metadata"),
        ("max_count", "allows at most 10 in file_ids"),
        ("unique", "allows no item twice in file_ids"),
    ]


def test_limits_inside_messages() -> None:
    """One fault for a limit, at the first of its places."""
    assert of_limits({"$ref": "Thread"}, {"max_pairs": 17}, {}) == [
        ("max_pairs", "allows at most 16 in messages[].metadata")
    ]
    both: Plain = {"properties": {**BODY["properties"], "messages": {"items": BODY}}}
    assert of_limits(both, {"max_pairs": 17}, {}) == [("max_pairs", "allows at most 16 in metadata")]


def test_stated_limits_that_loosen_nothing() -> None:
    """As tight or tighter, or none of the policy's own."""
    assert of_limits(BODY, {"max_pairs": 16, "max_key_length": 1, "max_value_length": None}, {}) == []
    assert of_limits(BODY, {"max_pairs": None}, {"max_count": 10, "unique": True}) == []
    assert of_limits({"type": ["object"]}, {"max_pairs": 99}, {"max_count": 99, "unique": False}) == []
    nothing: Plain = {"additionalProperties": False}
    assert of_limits(nothing, {"max_pairs": 99, "allowed_keys": ("a",)}, {"max_count": 99}) == []


def test_defaults_loosen_nothing() -> None:
    """A default above what a contract allows was not said by anyone."""
    tight: Plain = {"properties": {"metadata": {"type": ["object"], "maxProperties": 2}}}
    policy = Policy(MetadataLimits(), FileLimits(unique=False))
    assert list(loosened(tight, {}, policy, "c:o")) == []
    assert list(loosened(tight, {}, Policy(), "c:o")) == []


def test_a_limit_that_only_some_branches_have() -> None:
    """What a contract allows in one of its forms cannot be told to be loosened."""
    either: Plain = {"anyOf": [{"maxProperties": 5}, {"maxProperties": 50}, {"type": ["null"]}]}
    schema: Plain = {"properties": {"metadata": either}}
    assert of_limits(schema, {"max_pairs": 20}, {}) == []
    assert of_limits(schema, {"max_pairs": 60}, {}) == [("max_pairs", "allows at most 50 in metadata")]


def test_allowed_keys_that_the_contract_forbids() -> None:
    """Each at its own index."""
    metadata = {"type": ["object", "null"], "additionalProperties": False, "properties": {"a": True}}
    schema: Plain = {"properties": {"metadata": metadata}}
    assert of_limits(schema, {"allowed_keys": ("a", "b")}, {}) == [
        ("allowed_keys.1", "allows no key 'b' in metadata")
    ]
    assert of_limits(schema, {"allowed_keys": None}, {}) == []
    text: Plain = {"properties": {"metadata": {"type": ["string"]}}}
    assert of_limits(text, {"allowed_keys": ("a",)}, {}) == []


# Schemas.


@pytest.mark.parametrize(
    ("contract", "policy", "fault"),
    [
        ({"maxLength": 5}, {"maxLength": 6}, (("maxLength",), "has maxLength 5 here")),
        ({"maxLength": 5, "type": ["string"]}, {"maxLength": 5}, None),
        ({"minLength": 5}, {"minLength": 4}, (("minLength",), "has minLength 5 here")),
        ({"minLength": 5}, {"minLength": 6}, None),
        ({"maximum": 1.5}, {"maximum": 2}, (("maximum",), "has maximum 1.5 here")),
        (
            {"type": ["integer"], "minimum": 1},
            {"minimum": 0},
            (("minimum",), "has minimum 1 here"),
        ),
        ({"exclusiveMaximum": 10}, {"maximum": 10}, (("maximum",), "has exclusiveMaximum 10 here")),
        ({"exclusiveMaximum": 10}, {"maximum": 9}, None),
        ({"maximum": 9}, {"exclusiveMaximum": 10}, None),
        ({"maximum": 9}, {"exclusiveMaximum": 11}, (("exclusiveMaximum",), "has maximum 9 here")),
        ({"exclusiveMinimum": 3}, {"minimum": 3}, (("minimum",), "has exclusiveMinimum 3 here")),
        ({"minimum": 3}, {"exclusiveMinimum": 2}, None),
        ({"type": ["string"]}, {"type": ["string", "null"]}, (("type",), "allows no null here")),
        ({"type": ["integer"]}, {"type": ["number"]}, (("type",), "does not allow every number here")),
        ({"type": ["number"]}, {"type": ["integer"]}, None),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, None),
        (
            {"enum": ["a", "b"]},
            {"enum": ["a", "c"]},
            (("enum",), "does not allow all of these values here"),
        ),
        ({"enum": [1]}, {"enum": [1.0]}, None),
        ({"enum": [1]}, {"const": True}, (("const",), "does not allow this value here")),
        ({"const": {"a": [None]}}, {"const": {"a": [None]}}, None),
        ({"const": "a"}, {"const": "b"}, (("const",), "does not allow this value here")),
        ({"type": ["integer"]}, {"const": 1.5}, (("const",), "does not allow this value here")),
        ({"type": ["integer"]}, {"enum": [1.0, 2]}, None),
        ({"type": ["array"]}, {"enum": [[], None]}, (("enum",), "does not allow all of these values here")),
        ({"uniqueItems": True}, {"uniqueItems": False}, (("uniqueItems",), "allows no item twice here")),
        ({}, {"uniqueItems": False}, None),
        (
            {"additionalProperties": False},
            {"additionalProperties": True},
            (("additionalProperties",), "allows no other properties here"),
        ),
        ({"additionalProperties": False, "patternProperties": {}}, {"additionalProperties": True}, None),
        (
            {"additionalProperties": False, "properties": {"a": True, "id": False}},
            {"properties": {"a": True, "b": {"type": ["string"]}, "c": False}},
            (("properties", "b"), "allows no property 'b' here"),
        ),
        (
            {"properties": {"id": False}},
            {"properties": {"id": {}}},
            (("properties", "id"), "allows no property 'id' here"),
        ),
        ({"type": ["string"]}, {"properties": {"a": {}}}, None),
        (
            {"additionalProperties": {"maxLength": 5}},
            {"additionalProperties": {"maxLength": 6}},
            (("additionalProperties", "maxLength"), "has maxLength 5 here"),
        ),
        (
            {"propertyNames": {"maxLength": 5}},
            {"propertyNames": {"maxLength": 6}},
            (("propertyNames", "maxLength"), "has maxLength 5 here"),
        ),
        (
            {"items": {"maxLength": 5}},
            {"items": {"maxLength": 6}},
            (("items", "maxLength"), "has maxLength 5 here"),
        ),
        ({"items": {"maxLength": 5}}, {"prefixItems": [True], "items": {"maxLength": 6}}, None),
        (
            {"maxLength": 5},
            {"allOf": [True, {"maxLength": 6}]},
            (("allOf", 1, "maxLength"), "has maxLength 5 here"),
        ),
        ({"maxLength": 5}, {"allOf": [{"maxLength": 4}], "maxLength": 6}, None),
        ({"maxLength": 5}, {"anyOf": [{"maxLength": 6}]}, None),
        ({"maxLength": 5}, {"not": {"maxLength": 6}}, None),
        ({"maxLength": 5}, True, None),
        (False, {"maxLength": 6}, None),
        (
            {"anyOf": [{"type": ["string"], "maxLength": 5}, {"type": ["array"]}]},
            {"maxLength": 6},
            (("maxLength",), "has maxLength 5 here"),
        ),
        ({"anyOf": [{"maxLength": 5}, {}]}, {"maxLength": 6}, None),
    ],
)  # fmt: skip
def test_schemas(contract: Plain, policy: Plain, fault: object) -> None:
    """Keyword by keyword; in a place by itself and inside a property alike."""
    assert of_schema(contract, policy) == ([] if fault is None else [fault])
    inside = of_schema({"properties": {"x": contract}}, {"properties": {"x": policy}})
    if contract is not False:
        prefixed = [] if fault is None else [(("properties", "x", *fault[0]), fault[1])]  # type: ignore[index] # a pair
        assert inside == prefixed


def test_all_faults_of_a_schema_are_told() -> None:
    """Through references on both sides."""
    found = of_schema(
        {"$ref": "Body"},
        {"properties": {"metadata": {"$ref": "more"}}, "additionalProperties": True},
        {"more": {"maxProperties": 20, "additionalProperties": {"maxLength": 600}}},
    )
    below = ("properties", "metadata", "$ref")
    assert found == [
        (("additionalProperties",), "allows no other properties here"),
        ((*below, "maxProperties"), "has maxProperties 16 here"),
        ((*below, "additionalProperties", "maxLength"), "has maxLength 512 here"),
    ]


def test_circles_end() -> None:
    """A policy's schema may refer to itself further down; each turn is compared once."""
    tree: dict[str, Plain] = {"tree": {"maxItems": 9, "items": {"$ref": "tree"}}}
    assert of_schema({"maxItems": 5, "items": {"maxItems": 4}}, {"$ref": "tree"}, tree) == [
        (("$ref", "maxItems"), "has maxItems 5 here")
    ]


BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "maxLength": st.integers(0, 3),
        "minLength": st.integers(0, 3),
        "maximum": st.integers(0, 3),
        "type": st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, max_size=2, unique=True),
        "enum": st.lists(st.sampled_from([1, "a", None]), min_size=1, max_size=2, unique=True),
    },
)
CONTRACTS = st.recursive(
    BOUNDS,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, max_size=2)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda part: {"properties": {"a": part}}, inner),
    ),
    max_leaves=4,
)


@given(CONTRACTS)
def test_nothing_loosens_itself(contract: Plain) -> None:
    """The contract's own words are no fault as a policy's, even where they contradict each other."""
    assert of_schema(contract, contract) == []
