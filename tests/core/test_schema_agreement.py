"""The fast form, the full form and fastjsonschema's own list never disagree on a verdict."""

from __future__ import annotations

import json
from typing import Any

import fastjsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.schema import compile_schema

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
            "minLength": small,
            "maxLength": small,
            "pattern": patterns,
            "minimum": numbers,
            "maximum": numbers,
            "exclusiveMinimum": numbers,
            "exclusiveMaximum": numbers,
            "multipleOf": st.sampled_from([1, 2, 0.1, 0.5]),
            "minItems": small,
            "maxItems": small,
            "uniqueItems": st.booleans(),
            "items": inner,
            "minProperties": small,
            "maxProperties": small,
            "required": st.lists(keys, max_size=2, unique=True),
            "properties": st.dictionaries(keys, inner, max_size=3),
            "patternProperties": st.dictionaries(patterns, inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
        },
    )


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


VALIDATOR = compile_schema(
    {
        "type": "object",
        "required": ["role", "content"],
        "additionalProperties": False,
        "properties": {
            "role": {"type": "string", "enum": ["user"]},
            "content": {"type": "string", "minLength": 1, "maxLength": 32768},
            "file_ids": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string"}},
            "metadata": {
                "type": "object",
                "nullable": True,
                "maxProperties": 16,
                "propertyNames": {"maxLength": 64},
                "additionalProperties": {"type": "string", "maxLength": 512},
            },
        },
    }
)
THEIRS = fastjsonschema.compile(VALIDATOR.schema, use_default=False, fast_fail=False)

bodies = (
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "system", 5, None]),
            "content": st.sampled_from(["x", "", "x" * 32768, "x" * 32769, 5, None, ["x"]]),
            "file_ids": st.lists(st.sampled_from(["f", "", 1, None]), max_size=12) | scalars,
            "metadata": st.none()
            | st.dictionaries(
                st.text("a./~\"'[é", max_size=3) | st.just("k" * 65),
                st.sampled_from(["v", "v" * 513, 1]),
                max_size=18,
            )
            | scalars,
            "x": scalars,
        },
    )
    | instances
)


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_the_seed_against_fastjsonschema(body: Any) -> None:
    """For messages, fastjsonschema's own list of errors has the same verdict and never more entries."""
    ours = VALIDATOR.full(body)
    assert VALIDATOR.fast(body) is (not ours)
    theirs: list[Any] = []
    try:
        THEIRS(body)
    except fastjsonschema.JsonSchemaValuesException as error:
        theirs = error.errors
    assert bool(ours) is bool(theirs)
    assert len(ours) >= min(len(theirs), 100)
