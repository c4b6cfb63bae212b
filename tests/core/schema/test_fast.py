"""Generated functions are exact where fastjsonschema is not, linear, shared, and fetch nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from gateway.core.schema.checks import Checks, holds
from gateway.core.schema.draft7 import Draft7, Names
from gateway.core.schema.fast import Generator, Inexact

if TYPE_CHECKING:
    from collections.abc import Callable


class Made:
    """A generator, and the schemas that it left to the silent checks."""

    def __init__(self, definitions: dict[str, Any] | None = None) -> None:
        checks = Checks(definitions or {})
        self.left: list[Any] = []

        def probe(schema: Any) -> Callable[[Any], bool]:
            self.left.append(schema)
            return lambda value: holds(checks.check(schema), value)

        self.generator = Generator(definitions or {}, probe)

    def __call__(self, schema: Any) -> Callable[[Any], bool]:
        """Generate the function of a schema."""
        return self.generator.generate(schema)


@pytest.mark.parametrize(
    ("schema", "good", "bad", "left"),
    [
        (True, [None, {}], [], []),
        (False, [], [None, {}], []),
        ({"type": ["integer"]}, [1, 1.0, 2**70], [1.5, True, "1"], []),
        ({"type": ["number", "null"]}, [1, 1.5, None], [False, "1"], []),
        ({"minimum": 2**53 + 1}, [2**53 + 1, "x", None], [float(2**53), 2**53], []),
        ({"enum": [1, "a", None, False]}, [1, 1.0, "a", None, False], [True, 0, "b"], []),
        ({"enum": [1.0]}, [1, 1.0], [True], []),
        (
            {"const": {"$ref": "#/a", "b": [1, {"id": "x"}]}},
            [{"b": [1.0, {"id": "x"}], "$ref": "#/a"}],
            [{"$ref": "#/a", "b": [True, {"id": "x"}]}, {"$ref": "#/a"}],
            [],
        ),
        ({"enum": list("abcde")}, ["a", "e"], ["f", "", None, ["a"]], []),
        ({"enum": [*"abcd"], "const": "a"}, ["a"], ["b", "c"], []),
        ({"pattern": "^(a|b)*$"}, ["", "ab", 5], ["c", "a\n"], []),
        ({"pattern": "^a", "format": "ipv4"}, [5], ["a", "1.2.3.4"], []),
        ({"format": "ipv4"}, ["1.2.3.4", None], ["1.2.3.400", "x"], []),
        ({"multipleOf": 0.1}, [0.3, 1, 1e300], [0.35], [{"multipleOf": 0.1}]),
        (
            {"multipleOf": 3},
            [9007199254740993, "x"],
            [9007199254740994, 9007199254740994.0],
            [{"multipleOf": 3}],
        ),
        ({"prefixItems": [{"type": ["string"]}, True]}, [[], ["a"], ["a", 1, 2]], [[1]], []),
        ({"prefixItems": [True], "items": False}, [[], [1], 5], [[1, 2]], []),
        ({"prefixItems": [True], "items": {"type": ["null"]}}, [[1, None]], [[1, None, 1]], []),
        ({"contains": {"const": 1}}, [[0, 1], "x"], [[], [0]], []),
        ({"contains": {"const": 1}, "minContains": 0}, [[], [0]], [], []),
        (
            {"contains": {"const": 1}, "minContains": 2, "maxContains": 3},
            [[1, 0, 1], [1, 1, 1]],
            [[1], [1, 1, 1, 1]],
            [{"contains": {"const": 1}, "minContains": 2, "maxContains": 3}],
        ),
        (
            {"contains": True, "minContains": 0, "maxContains": 1},
            [[], [1]],
            [[1, 2]],
            [{"contains": True, "minContains": 0, "maxContains": 1}],
        ),
        ({"uniqueItems": True}, [[1, True, "1", [1]]], [[1, 1.0], [[], []]], [{"uniqueItems": True}]),
        (
            {"uniqueItems": True, "items": {"type": ["string", "null", "boolean"]}},
            [["a", None, True], "x"],
            [["a", "a"], [1, 2]],
            [],
        ),
        (
            {"uniqueItems": True, "items": {"type": ["integer"]}},
            [[1, 2]],
            [[1, 1.0], ["a"]],
            [{"uniqueItems": True}],
        ),
        (
            {"uniqueItems": True, "prefixItems": [True], "items": {"type": ["string"]}},
            [[1, "a"]],
            [["a", "a"]],
            [{"uniqueItems": True}],
        ),
        ({"uniqueItems": False}, [[1, 1]], [], []),
        ({"required": ["a", "a"], "additionalProperties": False}, [[], 5], [{}, {"a": 1}], []),
        (
            {"required": ["ab"], "additionalProperties": False, "patternProperties": {"^(a|b)+$": True}},
            [{"ab": 1, "b": 2}],
            [{}, {"b": 1}, {"ab": 1, "c": 1}],
            [],
        ),
        (
            {"dependentRequired": {"a": ["b"], "c": []}, "dependentSchemas": {"a": {"maxProperties": 2}}},
            [{}, {"a": 1, "b": 2}, {"c": 1}],
            [{"a": 1}, {"a": 1, "b": 2, "c": 3}],
            [],
        ),
        ({"if": {"const": 1}, "then": False, "else": {"type": ["string"]}}, ["x"], [1, 2], []),
        ({"if": {"const": 1}}, [1, 2], [], []),
        (
            {"properties": {"a": True}, "unevaluatedProperties": False},
            [{"a": 1}],
            [{"b": 1}],
            [{"properties": {"a": True}, "unevaluatedProperties": False}],
        ),
        (
            {"properties": {"x": {"unevaluatedItems": False}, "y": {"type": ["string"]}}},
            [{"x": []}, {"y": ""}],
            [{"x": [1]}, {"y": 1}],
            [{"unevaluatedItems": False}],
        ),
        (
            {"properties": {'q"\\{x}\n%s': {"type": ["null"]}, "data": {"const": "raise x"}, "": False}},
            [{'q"\\{x}\n%s': None, "data": "raise x"}],
            [{'q"\\{x}\n%s': 1}, {"data": "x"}, {"": 1}],
            [],
        ),
        ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}, {}], [{"abc": 1}], []),
        ({"x-layer": "policy", "x-discriminator": {}, "maxLength": 1}, ["a"], ["ab"], []),
    ],
)
def test_verdicts(schema: Any, good: list[Any], bad: list[Any], left: list[Any]) -> None:
    """Each keyword means what the plain form says; only what cannot be generated is left to the checks."""
    made = Made()
    fast = made(schema)
    assert [value for value in good if not fast(value)] == []
    assert [value for value in bad if fast(value)] == []
    assert made.left == left


FORMS: Any = [
    {"type": ["string"], "minLength": 2},
    {"type": ["array"], "items": {"type": ["integer"]}},
    {
        "required": ["kind"],
        "type": ["object"],
        "properties": {"kind": {"enum": ["a", "b"]}, "x": {"$ref": "x"}},
    },
    {"required": ["kind"], "type": ["object"], "properties": {"kind": {"const": "b"}, "y": {"$ref": "x"}}},
]


@pytest.mark.parametrize(
    ("value", "any_of", "one_of"),
    [
        ("ab", True, True),
        ("a", False, False),
        ([1], True, True),
        ([1.5], False, False),
        (None, False, False),
        (True, False, False),
        ({"kind": "a"}, True, True),
        ({"kind": "a", "x": ["a"]}, False, False),
        ({"kind": "b"}, True, False),
        ({"kind": "b", "x": 1}, True, True),
        ({"kind": "b", "y": 1}, True, True),
        ({"kind": "b", "x": 1, "y": 1}, False, False),
        ({"kind": "c"}, False, False),
        ({"kind": ["a"]}, False, False),
        ({}, False, False),
    ],
)
def test_choices(value: Any, *, any_of: bool, one_of: bool) -> None:
    """Only branches that a value can fit are asked, and the verdict is that of all of them."""
    made = Made({"x": {"type": ["null"]}})
    assert made({"anyOf": FORMS})(value) is any_of
    assert made({"oneOf": FORMS})(value) is one_of
    assert made({"anyOf": [{"$ref": "x"}, *FORMS, True]})(value) is True


def test_definitions_become_one_function_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """What several schemas refer to is generated once, circular or not, whatever the names."""
    written: list[Any] = []
    original = fastjsonschema.compile_to_code

    def counting(definition: Any, **options: Any) -> str:
        written.append(definition)
        return original(definition, **options)

    monkeypatch.setattr(fastjsonschema, "compile_to_code", counting)
    web, here = "http://127.0.0.1:1/x", "#/a~1b%25/é"
    made = Made(
        {
            web: {
                "type": ["object"],
                "properties": {"a": {"$ref": here}},
                "additionalProperties": {"$ref": web},
            },
            here: {"type": ["array"], "items": {"$ref": web}, "maxItems": 1},
        }
    )
    fast = made({"$ref": web})
    assert len(written) == 3
    assert fast({"a": [{"a": [], "b": {}}]})
    assert not fast({"a": [{"a": [{}, {}]}]})
    assert not fast({"b": {"b": {"a": {}}}})
    again = made({"items": {"$ref": here}})
    assert len(written) == 4
    assert again([[{"a": []}]])
    assert not again([[[]]])


def test_circles_that_multiply_are_left_to_what_remembers() -> None:
    """A definition that asks twice about the next level of itself is judged without generated code."""
    twice = {"properties": {"a": {"$ref": "twice"}, "b": {"type": ["string"]}}}
    definitions = {"twice": {"allOf": [twice, {**twice, "maxProperties": 2}]}}
    made = Made(definitions)
    fast = made({"type": ["object"], "properties": {"x": {"$ref": "twice"}}})
    good: Any = {}
    bad: Any = {"b": 1}
    for _ in range(60):
        good, bad = {"a": good}, {"a": bad}
    assert fast({"x": good})
    assert not fast({"x": bad})
    assert made.left == [definitions["twice"]]


def test_too_many_schemas_for_one_value() -> None:
    """Where a whole schema asks too many others, there is no function for it."""
    with pytest.raises(Inexact):
        Made()({"anyOf": [{"const": number} for number in range(1000)]})


def test_long_keys_cost_nothing_at_each_item() -> None:
    """A key of a million characters above many items that are tried and refused is not copied for each."""
    item = {"anyOf": [{"type": ["string"]}, {"type": ["integer"]}]}
    made = Made({"item": {"oneOf": [{"type": ["string"]}, {"type": ["integer"]}]}})
    fast = made({"additionalProperties": {"items": {"allOf": [item, {"$ref": "item"}]}}})
    assert fast({"k" * 1_000_000: [1] * 100_000})


def test_numbers_with_equal_hashes_are_told_apart_in_linear_time() -> None:
    """Whole numbers chosen so that Python hashes them alike do not make unique items slow."""
    fast = Made()({"items": {"type": ["integer"]}, "uniqueItems": True})
    alike = [number * (2**61 - 1) for number in range(40_000)]
    assert fast(alike)
    assert not fast([*alike, 0])


def test_deep_schemas_are_spread_over_functions() -> None:
    """Nesting beyond what Python allows in one function is no hindrance."""
    deep: Any = {"type": ["string"]}
    value: Any = "x"
    for _ in range(40):
        deep = {"type": ["array"], "contains": {"if": deep, "then": {"not": False}, "else": False}}
        value = [0, value]
    assert Made()(deep)(value)
    assert not Made()(deep)([value])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "    raise JsonSchemaValueException (1)",
        "    validate___definitions_d0(data, custom_formats)",
        "    def fn(var): return REGEX_PATTERNS['x'].match(var)",
    ],
)
def test_a_generator_that_changed_its_ways_is_not_trusted(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is not altered wholly, for it is not as expected, is not used."""
    text = f"\n\ndef validate(data, custom_formats={{}}, name_prefix=None):\n{line}\n"
    monkeypatch.setattr(fastjsonschema, "compile_to_code", lambda *_, **__: text)
    with pytest.raises(Inexact):
        Made()({"type": ["string"]})


def test_what_cannot_be_generated_is_left_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition that fastjsonschema refuses is judged by the silent checks, and the rest is generated."""
    original = fastjsonschema.compile_to_code

    def refusing(definition: Any, **options: Any) -> str:
        if "maxLength" in definition:
            raise fastjsonschema.JsonSchemaDefinitionException("not today")
        return original(definition, **options)

    monkeypatch.setattr(fastjsonschema, "compile_to_code", refusing)
    made = Made({"x": {"maxLength": 1}})
    fast = made({"items": {"$ref": "x"}})
    assert fast(["a"])
    assert not fast(["ab"])
    assert made.left == [{"maxLength": 1}]


def test_names_are_given_once() -> None:
    """Equal patterns, formats and lists share a function; definitions keep their name."""
    names = Names()
    writer = Draft7(names)
    schema = {
        "items": {"pattern": "^a"},
        "properties": {"b": {"pattern": "^a"}, "c": {"$ref": "k"}},
        "$ref": "k",
    }
    writer.write(schema)
    writer.write({"enum": ["a", "b", "c", "d"], "not": {"enum": ["d", "c", "b", "a"]}})
    assert len(names.functions) == 2
    assert list(names.definitions.values()) == ["k"]
    assert writer.references == set(names.definitions)
