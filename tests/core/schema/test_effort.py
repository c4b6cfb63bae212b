"""How often a schema asks about one value is counted right, and comes to rest where it does not grow."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.schema.effort import MAX_EFFORT, Efforts

REF = {"$ref": "x"}
DEEPER = {"properties": {"a": REF}}


@pytest.mark.parametrize(
    ("definition", "bounded"),
    [
        (DEEPER, True),
        ({"items": REF, "properties": {"a": REF, "b": REF}}, True),
        ({"anyOf": [{"type": ["string"]}, {"items": {"anyOf": [{"type": ["null"]}, REF]}}]}, True),
        ({"properties": {"a": {"properties": {"a": {"allOf": [REF, {"maxLength": 1}]}}}}}, True),
        ({"allOf": [DEEPER, DEEPER]}, False),
        ({"anyOf": [DEEPER, {"required": ["b"], **DEEPER}]}, False),
        ({"oneOf": [{"items": REF}, {"prefixItems": [REF]}]}, False),
        ({"not": DEEPER, **DEEPER}, False),
        ({"if": DEEPER, "then": DEEPER}, False),
        ({"if": DEEPER, "else": DEEPER}, False),
        ({"contains": REF, "items": REF}, False),
        ({"dependentSchemas": {"a": DEEPER}, **DEEPER}, False),
        ({"patternProperties": {"a": REF, "^a": REF}}, False),
        ({"unevaluatedItems": REF, "prefixItems": [REF]}, False),
        ({"allOf": [{"items": {"items": {"items": REF}}}, {"items": {"items": {"items": REF}}}]}, False),
    ],
)
def test_circles_that_ask_again_and_again(definition: dict[str, Any], *, bounded: bool) -> None:
    """A circular definition is out of bounds exactly when each level asks several times about the next.

    What refers to it stays in bounds, for such a definition is not generated.
    """
    efforts = Efforts({"x": definition})
    assert efforts.bounded({"items": REF})
    assert efforts.bounded_definition("x") is bounded


def test_what_branches_out_without_a_circle() -> None:
    """Definitions that each ask twice of the next one multiply, and only those that do are out of bounds."""
    doubled = {
        f"d{level}": {"allOf": [{"properties": {"a": {"$ref": f"d{level + 1}"}}}] * 2} for level in range(20)
    }
    efforts = Efforts({**doubled, "d20": True})
    assert not efforts.bounded({"anyOf": [{"$ref": "d0"}] * MAX_EFFORT})
    assert [name for name in doubled if not efforts.bounded_definition(name)] == ["d2", "d11"]
    assert efforts.bounded({"$ref": "d12"})


def test_wide_schemas_are_counted_too() -> None:
    """Branches of one choice count once each, whatever they are."""
    efforts = Efforts({})
    assert efforts.bounded(schema=True)
    assert efforts.bounded({"anyOf": [{"type": ["string"]}] * (MAX_EFFORT - 1)})
    assert not efforts.bounded({"anyOf": [{"type": ["string"]}] * MAX_EFFORT})
    assert not efforts.bounded({"propertyNames": {"anyOf": [{"type": ["string"]}] * MAX_EFFORT}})


def test_slow_growth_is_bounded_by_depth() -> None:
    """What grows by a few schemas for each level stays in bounds: values end somewhere."""
    grows = {"allOf": [DEEPER, {"properties": {"a": {"$ref": "y"}}}]}
    efforts = Efforts({"x": grows, "y": {"items": {"$ref": "y"}, "properties": {"a": {"$ref": "y"}}}})
    assert efforts.bounded(REF)
    assert efforts.bounded_definition("x")
