"""Schemas for bodies whose texts are not known: what they refuse is refused, what they accept is accepted."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.instance import Keys
from gateway.audit.redaction import Placeholders, redact
from gateway.audit.replay.doubt import Doubt
from gateway.core.schema import Schemas

NAMES = ["a", "b", "c"]
DEFINITIONS = ["x", "y"]
WORDS = ["user", "ab"]
TEXTS = ["user", "ab", "a", "b", "abc", "1", "2020-01-01T00:00:00Z", "zz"]

keys_ = st.sampled_from(NAMES)
instances = st.recursive(
    st.sampled_from([*TEXTS, 0, 1, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys_, inner, max_size=3),
    max_leaves=8,
)
patterns = st.sampled_from(["^a", "b", "^.{1,2}$", "^[0-9]", ""])
small = st.integers(0, 3)


@cache
def schemas(depth: int, same: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Give plain schemas in which much hangs on texts, and on whether others hold."""
    textual = patterns.map(lambda one: {"pattern": one}) | st.just({"format": "date-time"})
    bare = (
        st.booleans()
        | textual
        | st.sampled_from(["string", "object", "array"]).map(lambda one: {"type": [one]})
    )
    if same:
        bare |= st.sampled_from(same).map(lambda name: {"$ref": name})
    if not depth:
        return bare
    here = schemas(depth - 1, same)
    below = schemas(depth - 1, tuple(DEFINITIONS))
    several = st.lists(here, min_size=1, max_size=3)
    members = st.dictionaries(keys_, below, max_size=3)
    parts: list[st.SearchStrategy[Any]] = [
        st.fixed_dictionaries({name: value})
        for name, value in {
            "enum": st.lists(st.sampled_from(WORDS), min_size=1, unique=True),
            "const": st.sampled_from([*WORDS, {"a": "ab"}]),
            "minLength": small,
            "uniqueItems": st.just(value=True),
            "items": below,
            "prefixItems": st.lists(below, min_size=1, max_size=2),
            "unevaluatedItems": below,
            "properties": members,
            "patternProperties": st.dictionaries(patterns, below, max_size=1),
            "propertyNames": here,
            "additionalProperties": below,
            "unevaluatedProperties": below,
            "required": st.lists(keys_, max_size=2, unique=True),
            "dependentSchemas": st.dictionaries(keys_, here, max_size=2),
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": here,
        }.items()
    ]
    parts += [
        textual,
        st.fixed_dictionaries({"contains": below}, optional={"minContains": small, "maxContains": small}),
        st.fixed_dictionaries({"if": here}, optional={"then": here, "else": here}),
        st.fixed_dictionaries(
            {"anyOf": several, "properties": members, "unevaluatedProperties": st.just(value=False)}
        ),
        st.fixed_dictionaries({"oneOf": several, "x-layer": st.just("policy")}),
    ]
    merged = st.lists(st.one_of(parts), max_size=3).map(
        lambda found: {name: value for part in found for name, value in part.items()}
    )
    return bare | merged


definitions_ = st.fixed_dictionaries({"x": schemas(2, ("y",)), "y": schemas(2, ())})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("audit"))


def words(schema: Any) -> set[str]:
    """Give all strings in a schema; more than its words, and among them all of them."""
    if isinstance(schema, dict):
        return {one for inner in schema.values() for one in words(inner)}
    if isinstance(schema, list):
        return {one for inner in schema for one in words(inner)}
    return {schema} if isinstance(schema, str) else set()


def judged(keys: Keys, schema: Any, definitions: dict[str, Any], value: Any) -> tuple[bool, bool, bool]:
    """Give whether a value is accepted, and its redacted form by the lenient and by the strict schema."""
    doubt = Doubt(definitions)
    known = {one for one in words([schema, *definitions.values()]) if one in WORDS}
    redacted = json.loads(redact(value, frozenset(), keys.sign))
    restored = Placeholders(known, keys.possible).restore(redacted)
    bounds = Schemas(doubt.definitions, later=lambda _: None)
    lenient, strict = (
        bounds.validator(doubt.bound(schema, lenient=lenient)).fast(restored) for lenient in (True, False)
    )
    return Schemas(definitions).validator(schema).fast(value), lenient, strict


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(schema=schemas(3, ("x", "y")), definitions=definitions_, value=instances)
def test_bounds_hold(keys: Keys, schema: Any, definitions: dict[str, Any], value: Any) -> None:
    """Whatever the schema: strict acceptance is acceptance, and lenient refusal is refusal."""
    real, lenient, strict = judged(keys, schema, definitions, value)
    assert not (strict and not real)
    assert not (real and not lenient)


YES, NO = (True, True, True), (False, False, False)
MAYBE, MAYBE_NOT = (True, True, False), (False, True, False)
TEXT = {"type": ["string"], "pattern": "^a"}
OBJECT = {"type": ["object"], "properties": {"a": TEXT}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        pytest.param(TEXT, "abc", MAYBE, id="pattern"),
        pytest.param(TEXT, 1, NO, id="wrong type is certain"),
        pytest.param({**TEXT, "maxLength": 2}, "abc", NO, id="length is certain"),
        pytest.param({"format": "date-time"}, "zz", MAYBE_NOT, id="format"),
        pytest.param({"enum": ["user"]}, "user", YES, id="a word is recognised"),
        pytest.param({"enum": ["user"]}, "usex", NO, id="so is what is none"),
        pytest.param({**TEXT, "enum": ["ab"]}, "ab", YES, id="pattern of a word is certain"),
        pytest.param({"not": TEXT}, "abc", MAYBE_NOT, id="not"),
        pytest.param({"not": TEXT}, 1, YES, id="not, of another type"),
        pytest.param({"anyOf": [TEXT, {"maxLength": 5}]}, "abc", YES, id="another branch holds"),
        pytest.param({"oneOf": [TEXT, {"maxLength": 5}]}, "abc", MAYBE_NOT, id="only one may"),
        pytest.param({"oneOf": [TEXT, {"type": ["null"]}]}, None, YES, id="one certain branch"),
        pytest.param(
            {"oneOf": [TEXT, {"maxLength": 5}, {"maxLength": 6}]}, "abc", NO, id="two hold anyhow"
        ),
        pytest.param({"if": TEXT, "then": False}, "zz", MAYBE, id="if"),
        pytest.param({"if": TEXT, "then": {"maxLength": 9}}, "zz", YES, id="if, both ways good"),
        pytest.param({"contains": TEXT}, ["zz"], MAYBE_NOT, id="contains"),
        pytest.param({"contains": TEXT, "maxContains": 1}, ["abc", "b"], MAYBE, id="maxContains"),
        pytest.param({"contains": TEXT}, [1], NO, id="contains nothing that could"),
        pytest.param({"uniqueItems": True}, ["b", "b"], NO, id="repetition is certain"),
        pytest.param({"uniqueItems": True}, ["b", "c"], YES, id="so is difference"),
        pytest.param({"propertyNames": TEXT}, {"b": 1}, NO, id="keys are known"),
        pytest.param({"patternProperties": {"^a": False}}, {"b": "zz"}, YES, id="pattern of keys"),
        pytest.param(
            {"allOf": [OBJECT], "unevaluatedProperties": False}, {"a": "zz", "b": 1}, NO,
            id="unevaluated, but no choice",
        ),
        pytest.param(
            {"anyOf": [OBJECT, True], "unevaluatedProperties": False}, {"a": "zz"}, MAYBE_NOT,
            id="unevaluated beside a choice in doubt",
        ),
    ],
)  # fmt: skip
def test_what_is_certain(keys: Keys, schema: Any, value: Any, expected: tuple[bool, bool, bool]) -> None:
    """Only what hangs on the text of a replaced string is in doubt."""
    assert judged(keys, schema, {}, value) == expected


def test_unchanged_without_doubt() -> None:
    """A schema that asks for no text is used as it is, with the code that was generated for it."""
    definitions = {"x": {"properties": {"next": {"$ref": "x"}}}, "y": {"pattern": "a"}, "z": {"$ref": "y"}}
    doubt = Doubt(definitions)
    plain = {"properties": {"a": {"$ref": "x"}, "b": {"enum": ["user"], "maxLength": 3}}}
    assert doubt.bound(plain, lenient=True) is plain
    assert doubt.bound({"$ref": "z"}, lenient=False) == {"$ref": "strict:z"}
    assert doubt.definitions["strict:z"] == {"$ref": "strict:y"}
