"""What a schema is known to say at a place: never more than it does, whatever references stand between."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.schema.checks import Checks, holds
from gateway.core.view import View, closed, excludes, forbids, keeps, tightest

if TYPE_CHECKING:
    from gateway.core.types import Json, Plain

DEFINITIONS: dict[str, Plain] = {
    "Text": {"type": ["string"], "maxLength": 5},
    "Tree": {"type": ["object"], "properties": {"next": {"$ref": "Tree"}, "text": {"$ref": "Text"}}},
}


def test_types_that_a_schema_leaves_out() -> None:
    """An integer is a number; without types everything goes."""
    assert excludes({"type": ["string"]}, "null")
    assert not excludes({"type": ["number"]}, "integer")
    assert excludes({"type": ["integer"]}, "number")
    assert not excludes({}, "null")


def test_what_a_schema_alone_forbids() -> None:
    """Named ones aside, and those that a pattern may let in."""
    assert forbids({"additionalProperties": False, "properties": {"b": {}}}, "a")
    assert forbids({"properties": {"a": False}}, "a")
    assert not forbids({"additionalProperties": False, "properties": {"a": {}}}, "a")
    assert not forbids({"additionalProperties": False, "patternProperties": {"a": {}}}, "a")
    assert closed({"additionalProperties": False})
    assert not closed({"additionalProperties": False, "patternProperties": {}})
    assert not closed({})


def test_places() -> None:
    """Down through circular references, as far as one looks."""
    tree = View.of({"$ref": "Tree"}, DEFINITIONS)
    text = tree.member("next").member("next").member("text")
    assert tightest(text, "maxLength") == 5
    assert tree.names("next")
    assert not tree.names("other")
    assert tightest(View.of({"items": {"$ref": "Text"}}, DEFINITIONS).items(), "maxLength") == 5
    either = View.of({"prefixItems": [{"$ref": "Text"}], "items": {"maxLength": 7}}, DEFINITIONS).items()
    assert tightest(either, "maxLength") == 7
    assert (
        tightest(View.of({"propertyNames": {"$ref": "Text"}}, DEFINITIONS).member_names(), "maxLength") == 5
    )
    members = View.of({"additionalProperties": {"$ref": "Text"}, "properties": {"a": False}}, DEFINITIONS)
    assert tightest(members.members(), "maxLength") == 5
    assert tightest(members.member("b"), "maxLength") == 5


def test_places_where_nothing_can_be() -> None:
    """There, everything is so."""
    for nowhere in (
        View.of(False, {}),
        View.of({"type": ["string"]}, {}).member("a"),
        View.of({"type": ["object"]}, {}).items(),
        View.of({"additionalProperties": False}, {}).member("a"),
        View.of({"anyOf": [False, {"allOf": [True, False]}]}, {}),
    ):
        assert not nowhere.possible
        assert keeps(nowhere, "maxLength", 0)
        assert tightest(nowhere, "maxLength") is None
    assert View.of(True, {}).possible


def test_schemas_that_may_apply() -> None:
    """All that stand at the place, conditional ones too, each once."""
    leaf: Plain = {"const": 1}
    schema: dict[str, Any] = {
        "allOf": [leaf, leaf, {"$ref": "Text"}],
        "if": {"const": 2},
        "then": {"const": 3},
        "else": {"const": 4},
        "oneOf": [True, {"const": 5}],
        "dependentSchemas": {"a": {"const": 6, "properties": {"b": {}}}},
    }
    view = View.of(schema, DEFINITIONS)
    assert [part.get("const") for part in view.schemas()] == [None, 1, None, None, 5, 3, 4, 6]
    assert view.names("b")


@pytest.mark.parametrize(
    ("schema", "keyword", "bound"),
    [
        ({"maximum": 3}, "maximum", 3),
        ({"minimum": 3, "allOf": [{"minimum": 5}, {"minimum": 4}]}, "minimum", 5),
        ({"anyOf": [{"maxItems": 3}, {"maxItems": 5}, {"type": ["null"]}]}, "maxItems", 5),
        ({"anyOf": [{"maxItems": 3}, {"type": ["array", "null"]}]}, "maxItems", None),
        ({"oneOf": [{"maximum": 3}, {"type": ["integer"]}]}, "maximum", None),
        ({"oneOf": [{"maximum": 3}, {"type": ["string"]}]}, "maximum", 3),
    ],
)
def test_bounds(schema: Plain, keyword: str, bound: float | None) -> None:
    assert tightest(View.of(schema, {}), keyword) == bound


LEAVES = st.one_of(
    st.booleans(),
    st.just({"$ref": "Text"}),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.lists(
                st.sampled_from(["string", "object", "array", "integer"]), min_size=1, unique=True
            ),
            "maxLength": st.integers(0, 3),
            "maximum": st.integers(0, 3),
            "minProperties": st.integers(0, 2),
        },
    ),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"oneOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part, rest: {"properties": {"a": part}, "additionalProperties": rest}, inner, inner),
        st.builds(lambda first, rest: {"prefixItems": [first], "items": rest}, inner, inner),
        st.builds(lambda part, rest: {"patternProperties": {"b": part}, "allOf": [rest]}, inner, inner),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.sampled_from([0, 2, 4, "", "aa", "aaaa", "aaaaaa"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(SCHEMAS, VALUES)
def test_what_is_proved_is_so(schema: Plain, value: Json) -> None:
    """No value that a schema accepts goes beyond a bound that is known of it, at whatever place."""
    if not holds(Checks(DEFINITIONS).check(schema), value):
        return
    view = View.of(schema, DEFINITIONS)
    assert view.possible
    bound = tightest(view, "maxLength")
    if isinstance(value, str):
        assert bound is None or len(value) <= bound
    if isinstance(value, list):
        within(view.items(), value)
    if isinstance(value, dict):
        within(view.members(), list(value.values()))
        for name, member in value.items():
            within(view.member(name), [member])
            assert not view.proves(partial(forbids, name=name))


def within(view: View, values: list[Json]) -> None:
    """Check that values keep to what is known of their place."""
    assert view.possible or not values
    bound = tightest(view, "maxLength")
    assert bound is None or not any(isinstance(value, str) and len(value) > bound for value in values)
