"""The fast form, the full form and an independent implementation never disagree on a verdict.

What is generated is held back where jsonschema-rs is known not to be exact, each time with the reason.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.schema import Schemas
from gateway.core.schema.plain import map_schemas

# Keys that look like keywords, and that make trouble in names, in format strings and in literals.
NAMES = ["a", "b", "a-b", "ab", "", "$ref", "$id", "{x}", 'q"\\', "é", "len", "missing", "1", "\n", "%s"]
# No figure beyond 2**53, where jsonschema-rs compares whole numbers and fractions as floats.
SCALARS: list[Any] = ["", "a", "ab", "abc", "1", "a\n", 0, 1, 2, 3, -1, 1.0, 1.5, 2**53, True, False, None]
# jsonschema-rs divides floats: 0.3 is no multiple of 0.1 for it. Halves are exact.
FACTORS = [1, 2, 3, 0.5, 1.5]
keys = st.sampled_from(NAMES)


def _instances(scalars: list[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.sampled_from(scalars),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=10,
    )


instances = _instances(SCALARS)
small = st.integers(0, 3)
numbers = st.sampled_from([-1, 0, 1, 1.5, 2, 2**53])
# What both engines read alike; more about patterns is in test_pattern.py.
patterns = st.sampled_from(["^a$", "b", r"^\w?$", r"^[$\d]$", "^.{1,2}$", "", "^(?:a|b)*$", "^(a|ab)+$"])
types = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
names = st.lists(keys, max_size=3, unique=True)
DEFINITIONS = ["a", "b/c", "#/d~1 %41"]


def _keywords(same: st.SearchStrategy[Any], below: st.SearchStrategy[Any]) -> list[st.SearchStrategy[Any]]:
    """Give strategies for parts of a schema, out of others for the same value and for what is below it."""
    several = st.lists(same, min_size=1, max_size=3)
    values = st.lists(instances, min_size=1, max_size=5)
    parts: dict[str, st.SearchStrategy[Any]] = {
        "type": st.lists(types, min_size=1, max_size=3, unique=True),
        "enum": values | st.lists(st.sampled_from(["", "a", "ab", "abc", "1", "x"]), min_size=4, unique=True),
        "const": instances,
        "pattern": patterns,
        "multipleOf": st.sampled_from(FACTORS),
        "uniqueItems": st.booleans(),
        "items": below,
        "prefixItems": st.lists(below, min_size=1, max_size=3),
        "unevaluatedItems": below,
        "required": names,
        "dependentRequired": st.dictionaries(keys, names, max_size=2),
        "dependentSchemas": st.dictionaries(keys, same, max_size=2),
        "properties": st.dictionaries(keys, below, max_size=4),
        "patternProperties": st.dictionaries(patterns, below, max_size=2),
        "additionalProperties": below,
        "propertyNames": same,
        "unevaluatedProperties": below,
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": same,
        **{f"{side}{what}": small for side in ("min", "max") for what in ("Length", "Items", "Properties")},
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), numbers),
    }
    strings = st.fixed_dictionaries(
        {"type": st.sampled_from([["string"], ["null", "string"]])}, optional={"minLength": small}
    )
    return [
        *(st.fixed_dictionaries({name: value}) for name, value in parts.items()),
        st.fixed_dictionaries({"contains": below}, optional={"minContains": small, "maxContains": small}),
        st.fixed_dictionaries({"if": same}, optional={"then": same, "else": same}),
        st.fixed_dictionaries({"items": strings, "uniqueItems": st.just(value=True)}),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(keys, below, max_size=3), "additionalProperties": below},
            optional={"required": names, "patternProperties": st.dictionaries(patterns, below, max_size=1)},
        ),
        st.fixed_dictionaries(
            {"unevaluatedProperties": st.booleans(), "anyOf": several, "properties": st.just({"a": True})}
        ),
    ]


@cache
def schemas(depth: int, same: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Give plain schemas; those that ask about the same value may refer to ``same``, others to anything.

    So definitions can be circular, but never without going down into the value.
    """
    bare: st.SearchStrategy[Any] = st.booleans() | types.map(lambda name: {"type": [name]})
    if same:
        bare |= st.sampled_from(same).map(lambda name: {"$ref": name})
    if not depth:
        return bare
    parts = _keywords(schemas(depth - 1, same), schemas(depth - 1, tuple(DEFINITIONS)))
    if same:
        parts.append(st.sampled_from(same).map(lambda name: {"$ref": name}))
    return bare | st.lists(st.one_of(parts), max_size=4).map(_merged)


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


definitions = st.fixed_dictionaries(
    {name: schemas(2, tuple(DEFINITIONS[index + 1 :])) for index, name in enumerate(DEFINITIONS)}
)


def independent(schema: Any, known: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Give the judge that shares no code with this project."""

    def written(one: Any) -> Any:
        if isinstance(one, bool):
            return one
        plain: dict[str, Any] = map_schemas(one, written)
        if "$ref" in plain:
            plain["$ref"] = f"#/$defs/d{DEFINITIONS.index(plain['$ref'])}"
        return plain

    defs = {f"d{DEFINITIONS.index(name)}": written(one) for name, one in known.items()}
    whole: dict[str, Any] = {"allOf": [written(schema)], "$defs": defs}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=False, offline=True)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(3, tuple(DEFINITIONS)), definitions, st.lists(instances, min_size=1, max_size=12))
def test_three_judges_agree(schema: Any, known: dict[str, Any], values: list[Any]) -> None:
    """Whatever the schema and the value: generated code, silent checks, report and jsonschema-rs agree."""
    before = copy.deepcopy((schema, known, values))
    waiting: list[Any] = []
    validator = Schemas(known, later=waiting.append).validator(schema)
    theirs = independent(schema, known)
    silent = [validator.fast(value) for value in values]
    (generate,) = waiting
    generate()
    for value, first in zip(values, silent, strict=True):
        verdict = theirs.is_valid(value)
        assert first is verdict
        assert validator.fast(value) is verdict
        assert (not validator.full(value).total) is verdict
    assert (schema, known, values) == before


EXACT: list[Any] = [
    {"multipleOf": 0.1},
    {"multipleOf": 3},
    {"minimum": 2**53 + 1},
    {"exclusiveMaximum": 2**53 + 1},
    {"format": "ipv4"},
    {"enum": [2**62, 0.1, 2**53 + 1, {"a": [True, 1.0]}]},
    {"const": [2**62]},
    {"uniqueItems": True},
]
wide = _instances([0.1, 0.3, 3, 2**53, 2**53 + 1, float(2**53), 2**62, float(2**62), 1e300, "1.2.3.4", True])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    schemas(2, ()),
    st.sampled_from(["allOf", "anyOf", "prefixItems"]),
    st.lists(st.sampled_from(EXACT), min_size=1, max_size=3),
    st.lists(wide, min_size=1, max_size=12),
)
def test_both_forms_agree_where_numbers_are_large(
    schema: Any, how: str, more: list[Any], values: list[Any]
) -> None:
    """Generated code and report agree on figures that floats cannot hold, and on decimals, too."""
    mixed = {"additionalProperties": {how: more}, "allOf": [{how: [*more, schema]}]}
    validator = Schemas(dict.fromkeys(DEFINITIONS, True)).validator(mixed)
    for value in values:
        assert validator.fast(value) is (not validator.full(value).total)
