"""Reports are in document order, without repetitions, bounded, and safe to keep where they say so."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.schema.checks import Checks, judge
from gateway.core.schema.report import MAX_COLLECTED, MAX_VIOLATIONS, ROOT, Full, Place, Report, Sketch
from gateway.core.schema.trial import Trial
from gateway.core.schema.words import unknown
from gateway.core.types import Layer

if TYPE_CHECKING:
    from gateway.core.types import Findings

CLOSED = {"additionalProperties": False, "properties": {"list": {"items": {"type": ["string"]}}}}


def full(schema: Any, value: Any) -> Findings:
    """Judge a value by a schema without definitions."""
    return judge(Checks({}).check(schema), value)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_document_order(order: tuple[int, ...]) -> None:
    """Whatever the order of the rules: as the caller wrote it, a place before what is below it."""
    rules = [
        {"properties": {"b": {"type": ["null"]}, "a": {"maxLength": 1}}, "propertyNames": {"maxLength": 1}},
        {"maxProperties": 1, "required": ["z"], "properties": {"a": {"pattern": "^y"}, "b": {"maxItems": 0}}},
        {
            "additionalProperties": {"items": {"type": ["null"]}, "uniqueItems": True},
            "dependentRequired": {"a": ["y"]},
        },
    ]
    found = full({"allOf": [rules[index] for index in order]}, {"kk": [1, 1], "b": [2], "a": "xx"})
    listed = [(item.pointer, item.code) for item in found.violations]
    assert sorted(listed[:2]) == [("/y", "missing_required_parameter"), ("/z", "missing_required_parameter")]
    assert listed[2:9] == [
        ("", "object_above_max_properties"),
        ("/kk", "string_above_max_length"),
        ("/kk", "array_items_not_unique"),
        ("/kk/0", "invalid_type"),
        ("/kk/1", "invalid_type"),
        ("/b", "invalid_type"),
        ("/b", "array_above_max_length"),
    ]
    assert listed[9] == ("/b/0", "invalid_type")
    assert {pointer for pointer, _ in listed[10:]} == {"/a"}
    assert found.total == len(listed) == 12


def test_equal_violations_are_told_once() -> None:
    """Of what two schemas find alike, one is told: the contract's."""
    rule = {"required": ["a"], "properties": {"b": {"enum": [1]}, "c": {"enum": [1]}}}
    found = full(
        {"allOf": [{"x-layer": "policy", **rule}, rule, {"properties": {"c": {"enum": [2]}}}]},
        {"b": 2, "c": 3},
    )
    assert found.total == 4
    assert [(item.pointer, item.layer) for item in found.violations] == [
        ("/a", Layer.CONTRACT),
        ("/b", Layer.CONTRACT),
        ("/c", Layer.CONTRACT),
        ("/c", Layer.CONTRACT),
    ]


@pytest.mark.parametrize(
    ("contract", "policy", "value", "expected"),
    [
        ({"maxLength": 3}, {"maxLength": 2}, "xxxx", ("string_above_max_length", 2, "policy")),
        ({"maxLength": 2}, {"maxLength": 3}, "xxxx", ("string_above_max_length", 2, "contract")),
        ({"maxLength": 2}, {"maxLength": 2}, "xxxx", ("string_above_max_length", 2, "contract")),
        ({"minItems": 1}, {"minItems": 2}, [], ("empty_array", 2, "policy")),
        ({"minimum": 1}, {"type": ["number"], "minimum": 2}, 0, ("decimal_below_min_value", 2, "policy")),
        ({"minimum": 3}, {"type": ["number"], "minimum": 2}, 0, ("integer_below_min_value", 3, "contract")),
        (
            {"maxProperties": 0},
            {"maxProperties": 1},
            {"a": 1, "b": 1},
            ("object_above_max_properties", 0, "contract"),
        ),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_several_bounds_the_tightest_is_told(
    contract: Any, policy: Any, value: Any, expected: Any, turned: bool
) -> None:
    """Two layers that bound the same figure make one violation, whichever is judged first."""
    rules = [contract, {**policy, "x-layer": "policy"}]
    (found,) = full({"allOf": rules[::-1] if turned else rules}, value).violations
    assert (found.code, found.limit, found.layer) == expected


def test_at_most_a_hundred_are_listed_and_all_are_counted() -> None:
    """Objects and arrays with thousands of faults: a hundred are told, in order."""
    found = full(CLOSED, {f"k{index}": 1 for index in range(5000)})
    assert (len(found.violations), found.total) == (MAX_VIOLATIONS, 5000) == (100, 5000)
    assert [item.pointer for item in found.violations] == [f"/k{index}" for index in range(100)]
    found = full(CLOSED, {"list": [1] * 300_000})
    assert (len(found.violations), found.total) == (100, 300_000)
    assert full(CLOSED, {"list": ["x"]}) == ((), 0)


def test_the_dear_part_of_a_report_is_bounded() -> None:
    """What exceeds a thousand violations costs a number, not a thing; counting ends at a trial's bound."""
    report = Report(Trial())
    for index in range(MAX_COLLECTED + 10):
        report.add(Place(ROOT, index, index), "invalid_value", unknown)
    assert (report.total, len(report.entries), report.brief) == (MAX_COLLECTED + 10, MAX_COLLECTED, True)
    report.trial.steps = 10**9
    with pytest.raises(Full):
        report.add(ROOT, "invalid_value", unknown)


def test_sketches_end_early() -> None:
    """After some violations, or when the budget of the judging is spent."""
    sketch = Sketch(Trial())
    for _ in range(Sketch.ENOUGH - 1):
        sketch.add(ROOT, "invalid_value", unknown)
    with pytest.raises(Full):
        sketch.add(ROOT, "invalid_value", unknown)
    assert sketch.total == len(sketch.entries) == Sketch.ENOUGH
    other = Sketch(sketch.trial)
    other.spend(1)
    with pytest.raises(Full):
        other.spend(10**6)
    Report(sketch.trial).spend(10**6)


def test_keys_that_no_schema_names_are_cut() -> None:
    """A canary of more than 32 characters as a key, above others and last, is nowhere repeated whole."""
    canary = "sesame" * 6
    schema = {"additionalProperties": {"additionalProperties": False, "propertyNames": {"maxLength": 40}}}
    found = full(schema, {canary: {canary: 1, "x" * 50: 1}}).violations
    cut = canary[:16] + "…"
    assert [(one.pointer, one.param) for one in found] == [
        (f"/{cut}/{cut}", f"{cut}.{cut}"),
        (f"/{cut}/{'x' * 16}…", cut),
        (f"/{cut}/{'x' * 16}…", f"{cut}.{'x' * 16}…"),
    ]
    assert not [one for one in found if canary in repr(one)]
    (short,) = full(CLOSED, {"k" * 32: 1}).violations
    assert (short.pointer, short.param) == ("/" + "k" * 32, "k" * 32)


def test_keys_that_the_schema_names_are_whole() -> None:
    """They are the contract's, not the caller's, however long."""
    name = "n" * 500
    (found,) = full({"properties": {name: {"type": ["string"]}}}, {name: 1}).violations
    assert (found.pointer, found.param, found.safe_pointer) == ("/" + name, name, "/" + name)


def test_deep_places_do_not_multiply() -> None:
    """What many faults below a deep place repeat of it is bounded; all of them are counted."""
    schema: dict[str, Any] = {"additionalProperties": False}
    value: dict[str, Any] = {f"x{index}": 1 for index in range(100)}
    for _ in range(30):
        schema = {"additionalProperties": schema}
        value = {"k" * 50: value}
    found = full(schema, value)
    assert sum(len(one.pointer or "") + len(one.param or "") for one in found.violations) < 70_000
    assert 1 < len(found.violations) < 100
    assert found.total == 100


def test_params_and_pointers() -> None:
    """Params are written as the API does, pointers as RFC 6901 does; unnamed keys are * in safe forms."""
    report = Report(Trial())
    place = Place(Place(Place(ROOT, "a/b~", 0), 3, 3), "x.y", 0, named=False)
    report.add(place, "unknown_parameter", unknown)
    report.add(Place(Place(ROOT, 0, 1), 1, 1), "unknown_parameter", unknown)
    report.add(Place(Place(ROOT, "", 2), "", 0), "unknown_parameter", unknown)
    found = report.findings().violations
    assert [(item.pointer, item.param, item.safe_pointer, item.safe_param) for item in found] == [
        ("/a~1b~0/3/x.y", "a/b~[3].x.y", "/a~1b~0/3/*", "a/b~[*].*"),
        ("/0/1", "[0][1]", "/0/1", "[*][*]"),
        ("//", ".", "//", "."),
    ]


def test_messages_escape_what_cannot_be_printed() -> None:
    """Control characters, bidirectional marks and the like are escaped, in the message only."""
    key = "a\x00\r\n\x1b[31m\u202e\u2028"
    (found,) = full(CLOSED, {key: 1}).violations
    assert found.param == key
    assert found.message == r"Unknown parameter: 'a\x00\r\n\x1b[31m\u202e\u2028'."


def test_safe_forms_hold_nothing_of_the_caller() -> None:
    """A canary as key and as value appears in no field that goes to logs or records."""
    canary = "sesame" * 6
    schema = {
        "properties": {"role": {"enum": ["user"]}, "list": {"items": {"maxLength": 1}}},
        "additionalProperties": {"propertyNames": {"maxLength": 2}, "additionalProperties": False},
        "patternProperties": {"^ses": {"maxProperties": 0}},
        "unevaluatedProperties": False,
        "dependentRequired": {"role": ["size"]},
        "anyOf": [{"required": ["role", "x"]}, {"additionalProperties": {"required": ["y"]}}],
    }
    found = full(schema, {"role": canary, "list": [canary], canary: {canary: canary}, "other": {canary: 1}})
    assert found.total == 7
    for item in found.violations:
        kept = [item.code, item.safe_pointer, item.safe_param, item.limit, item.actual, item.layer]
        assert "sesame" not in json.dumps(kept)
    pointers = [item.safe_pointer for item in found.violations]
    assert pointers == ["/size", "/x", "/role", "/list/0", "/*", "/*/*", "/*/*"]
