"""Reports are bounded, in number and in size, and say only safe things beside the client's own."""

from __future__ import annotations

import json

from gateway.core.report import MAX_VIOLATIONS, ROOT, Place, Report
from gateway.core.schema import compile_schema
from gateway.core.words import unknown

CLOSED = compile_schema(
    {"additionalProperties": False, "properties": {"list": {"items": {"type": "string"}}}}
)


def test_at_most_a_hundred_violations() -> None:
    """The hundredth violation ends the report, in objects and in arrays."""
    assert len(CLOSED.full({f"k{index}": 1 for index in range(5000)})) == MAX_VIOLATIONS == 100
    assert len(CLOSED.full({"list": [1] * 5000})) == 100


def test_long_keys_do_not_multiply() -> None:
    """A key of half a megabyte above many faults is not repeated for each of them."""
    schema = compile_schema({"additionalProperties": {"additionalProperties": False}})
    key = "k" * 500_000
    found = schema.full({key: {f"x{index}": 1 for index in range(50)}})
    assert sum(len(one.pointer or "") + len(one.param or "") + len(one.message) for one in found) < 200_000
    assert all((one.pointer or "").startswith("/" + "k" * 1024 + "…/") for one in found)
    assert found[0].param == f"{key[:1024]}….x0"
    assert len(found[0].message) < 300
    many = schema.full({"y" * 2000: {f"x{index}": 1 for index in range(50)}})
    assert 1 < len(many) < 50


def test_params_and_pointers() -> None:
    """Params are written as the API does, pointers as RFC 6901 does; unnamed keys are * in safe forms."""
    report = Report()
    place = Place(Place(Place(ROOT, "a/b~"), 3), "x.y", named=False)
    report.add(place, "unknown_parameter", unknown)
    report.add(Place(Place(ROOT, 0), 1), "unknown_parameter", unknown)
    report.add(Place(Place(ROOT, ""), ""), "unknown_parameter", unknown)
    assert [(item.pointer, item.param, item.safe_pointer, item.safe_param) for item in report.violations] == [
        ("/a~1b~0/3/x.y", "a/b~[3].x.y", "/a~1b~0/3/*", "a/b~[*].*"),
        ("/0/1", "[0][1]", "/0/1", "[*][*]"),
        ("//", ".", "//", "."),
    ]


def test_messages_escape_what_cannot_be_printed() -> None:
    """Control characters, bidirectional marks and the like are escaped, in the message only."""
    key = "a\x00\r\n\x1b[31m\u202e\u2028"
    (found,) = CLOSED.full({key: 1})
    assert found.param == key
    assert found.message == r"Unknown parameter: 'a\x00\r\n\x1b[31m\u202e\u2028'."


def test_safe_forms_hold_nothing_of_the_caller() -> None:
    """A canary as key and as value appears in no field that goes to logs or records."""
    canary = "sesame" * 6
    schema = compile_schema(
        {
            "properties": {"role": {"enum": ["user"]}, "list": {"items": {"maxLength": 1}}},
            "additionalProperties": {"propertyNames": {"maxLength": 2}, "additionalProperties": False},
        }
    )
    found = schema.full({"role": canary, "list": [canary], canary: {canary: canary}})
    assert len(found) == 4
    for item in found:
        kept = [item.code, item.safe_pointer, item.safe_param, item.limit, item.actual, item.layer]
        assert "sesame" not in json.dumps(kept)
    assert all("sesame" not in item.message for item in found[:2])
