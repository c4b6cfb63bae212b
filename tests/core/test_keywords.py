"""Schemas are read whole: what cannot be enforced is refused at load, at its place."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema import SchemaFault, compile_schema


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"format": "email"}, ("format",)),
        ({"contains": {}}, ("contains",)),
        ({"if": {}}, ("if",)),
        ({"dependencies": {}}, ("dependencies",)),
        ({"prefixItems": []}, ("prefixItems",)),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",)),
        ({"readOnly": True}, ("readOnly",)),
        ({"$ref": "#/x"}, ("$ref",)),
        ({"maxlength": 5}, ("maxlength",)),
        ({"items": [{}]}, ("items",)),
        ({"properties": {"a": {"anyOf": [{}, {"format": "x"}]}}}, ("properties", "a", "anyOf", 1, "format")),
        ({"pattern": "(a+)+"}, ("pattern",)),
        ({"pattern": 5}, ("pattern",)),
        ({"type": "file"}, ("type",)),
        ({"type": []}, ("type",)),
        ({"enum": []}, ("enum",)),
        ({"enum": "a"}, ("enum",)),
        ({"required": True}, ("required",)),
        ({"maxLength": -1}, ("maxLength",)),
        ({"maxLength": "1"}, ("maxLength",)),
        ({"maxLength": 1.5}, ("maxLength",)),
        ({"minItems": True}, ("minItems",)),
        ({"minimum": "1"}, ("minimum",)),
        ({"maximum": float("inf")}, ("maximum",)),
        ({"multipleOf": 0}, ("multipleOf",)),
        ({"exclusiveMinimum": True}, ("exclusiveMinimum",)),
        ({"nullable": "yes"}, ("nullable",)),
        ({"uniqueItems": 1}, ("uniqueItems",)),
        ({"properties": []}, ("properties",)),
        ({"allOf": {}}, ("allOf",)),
        ({"patternProperties": {"(": {}}}, ("patternProperties", "(")),
        ({"not": None}, ("not",)),
        (None, ()),
    ],
)
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
