"""References between schemas: where they lead, what they are called, and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.contracts.schemas.dialects import Dialect
from tests.support.schema_texts import component, read_text

if TYPE_CHECKING:
    from pathlib import Path

NEW = Dialect.DRAFT_2020_12
OLD = Dialect.DRAFT_7


def test_definitions_are_called_by_their_place() -> None:
    """A schema that is referred to is read once, whoever refers to it; others stay where they stand."""
    found = component(
        """\
        A: {properties: {b: {$ref: "#/components/schemas/B"}, c: {type: string}}, items: {$ref: "#/x"}}
        B: {anyOf: [{$ref: "#/components/schemas/a%20%7E1"}, {$ref: "#/components/schemas/a ~1"}]}
        "a /": {type: integer}
        """
    )
    assert found.faults == ["4:87: there is no #/x in c.yaml"]
    assert found.plain == {
        "properties": {"b": {"$ref": "#/components/schemas/B"}, "c": {"type": ["string"]}},
        "items": True,
    }
    same = {"$ref": "#/components/schemas/a ~1"}
    assert found.definitions == {
        "#/components/schemas/B": {"anyOf": [same, same]},
        "#/components/schemas/a ~1": {"type": ["integer"]},
    }


def test_names_begin_as_asked() -> None:
    """Definitions of several schemas can be kept together."""
    found = read_text("{$ref: '#/$defs/a', $defs: {a: {$ref: '#'}}}", NEW, name="policy p")
    assert list(found.definitions) == ["policy p#/$defs/a", "policy p#"]


def test_circular_schemas() -> None:
    """A schema may refer to itself for what is inside the value."""
    found = component("A: {properties: {a: {$ref: '#/components/schemas/A'}}, additionalProperties: false}")
    assert found.takes({"a": {"a": {}}})
    assert not found.takes({"a": {"a": {"b": 1}}})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A: {$ref: '#/components/schemas/A'}", "4:5"),
        ("A: {allOf: [{$ref: '#/components/schemas/B'}]}\nB: {not: {$ref: '#/components/schemas/A'}}", "5:5"),
        ("A: {$ref: '#/components/schemas/B'}\nB: {anyOf: [true, {$ref: '#/components/schemas/B'}]}", "5:5"),
        ("A: {$ref: '#/components/schemas/B'}\nB: {if: true, then: {$ref: '#/components/schemas/B'}}", "5:5"),
        ("A: {$ref: '#/components/schemas/B'}\nB: {dependentSchemas: {a: {$ref: '#/x/B'}}}", "5:5"),
    ],
)
def test_circles_that_do_not_go_down(text: str, fault: str) -> None:
    """They would be judged without end, so they are refused, at a schema of the circle."""
    text = text.replace("#/x/", "#/components/schemas/")
    message = "the schema refers to itself without going down into the value"
    assert component(text).faults == [f"{fault}: {message}"]


def test_a_circle_is_told_once() -> None:
    """Reading another schema that leads to it does not tell it again, and a long way to it is no trouble."""
    text = """\
    A: {anyOf: [{$ref: "#/components/schemas/B"}, {$ref: "#/components/schemas/C"}]}
    B: {$ref: "#/components/schemas/C"}
    C: {allOf: [{$ref: "#/components/schemas/B"}, {$ref: "#/components/schemas/D"}]}
    D: {items: {$ref: "#/components/schemas/A"}}
    """
    assert [fault.partition(": ")[0] for fault in component(text).faults] == ["5:5"]


@pytest.mark.parametrize("extra", ["{}", "{readOnly: true}"])
def test_long_chains(extra: str) -> None:
    """References that follow on each other are bounded in number, and following them is no trouble."""
    way = "".join(f"B{n}: {{$ref: '#/components/schemas/B{n + 1}'}}\n" for n in range(1500))
    text = f"A: {{properties: {{a: {{$ref: '#/components/schemas/B0'}}}}}}\n{way}B1500: {extra}\n"
    found = component(text)
    assert [fault.partition(": ")[2] for fault in found.faults] == (
        [] if extra != "{}" else ["more than 64 references to the same value follow on each other"]
    )
    if extra == "{}":
        assert [fault.partition(": ")[0] for fault in found.faults] == ["1440:5"]


def test_deep_schemas() -> None:
    """A schema may nest as deep as a document can."""
    found = component(f"A: {'{not: ' * 190}{{}}{'}' * 190}")
    assert found.faults == []
    assert found.plain is not True


def test_many_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of schemas is bounded: each is counted once for each of its meanings."""
    monkeypatch.setattr("gateway.contracts.schemas.reader.MAX_DEFINITIONS", 1)
    found = component(
        "A: {allOf: [{$ref: '#/components/schemas/B'}, {$ref: '#/components/schemas/C'}]}\nB: {}\nC: {}"
    )
    assert found.faults == ["4:52: more than 1 schemas are referred to"]


def test_files(tmp_path: Path) -> None:
    """References are relative to the file they stand in; keys say the file."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.yaml").write_text("a: {items: {$ref: '../two.json#/b'}}\n")
    (tmp_path / "two.json").write_text(
        '{"b": {"anyOf": [{"$ref": "#/c"}, {"$ref": "c.yaml#/x"}]}, "c": false}'
    )
    text = "{$ref: 'sub/one.yaml#/a', x: {type: string}}"
    found = read_text(text, folder=tmp_path)
    assert found.plain == {"$ref": "sub/one.yaml#/a"}
    assert found.definitions == {
        "sub/one.yaml#/a": {"items": {"$ref": "two.json#/b"}},
        "two.json#/b": {"anyOf": [{"$ref": "two.json#/c"}, {"$ref": "#/x"}]},
        "two.json#/c": False,
        "#/x": {"type": ["string"]},
    }
    assert found.faults == []


def test_faults_in_other_files(tmp_path: Path) -> None:
    """A fault stands where it is, in whichever file."""
    (tmp_path / "one.yaml").write_text("\na: {type: x}\n")
    found = read_text("{$ref: 'one.yaml#/a'}", folder=tmp_path)
    assert [fault.partition(": ")[0] for fault in found.faults] == ["one.yaml:2:5"]


def test_a_file_s_own_dialect(tmp_path: Path) -> None:
    """A file that names a dialect is read in it."""
    (tmp_path / "old.yaml").write_text(
        "$schema: http://json-schema.org/draft-07/schema#\nitems: [true, false]\n"
    )
    found = component("A: {$ref: '../old.yaml'}\n", folder=tmp_path)
    assert found.faults == ["4:9: ../old.yaml is not below the document's folder"]
    found = component("A: {$ref: 'old.yaml'}\n", folder=tmp_path)
    assert found.definitions == {"old.yaml#": {"prefixItems": [True, False]}}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{$ref: '#a', $defs: {x: {$anchor: a, type: string}}}", "#/$defs/x"),
        ("{$ref: '#%61', $defs: {x: {$dynamicAnchor: a, type: string}}}", "#/$defs/x"),
        ("{$ref: 'urn:a', $defs: {x: {$id: 'urn:a', type: string}}}", "#/$defs/x"),
        ("{$ref: 'x.json', $defs: {x: {$id: x.json, type: string}}}", "#/$defs/x"),
        (
            "{$ref: 'urn:a#/$defs/y', $defs: {x: {$id: 'urn:a', $defs: {y: {type: string}}}}}",
            "#/$defs/x/$defs/y",
        ),
        (
            "{$id: 'http://a.example/b/c', $ref: 'd', $defs: {x: {$id: '/b/d', type: string}}}",
            "#/$defs/x",
        ),
        (
            "{$ref: '#/$defs/x/items', $defs: {x: {prefixItems: [{$id: 'urn:b'}], items: {type: string}}}}",
            None,
        ),
        (
            "{allOf: [{$ref: 'urn:a#b'}], else: {items: {$id: 'urn:a', not: {$anchor: b, type: string}}}}",
            None,
        ),
    ],
)
def test_names_inside_schemas(text: str, key: str | None) -> None:
    """Anchors and embedded resources are found wherever a schema can stand."""
    found = read_text(text, NEW)
    assert found.faults == []
    ((name, schema),) = found.definitions.items()
    assert schema == {"type": ["string"]}
    assert key in {name, None}


def test_names_in_draft_7() -> None:
    """An ``$id`` that is a fragment is an anchor; beside $ref it is nothing."""
    text = """\
    allOf: [{$ref: "#a"}, {$ref: "urn:b#c"}, {$ref: "urn:d"}]
    definitions:
      one: {$id: "#a", type: string}
      two: {$id: "urn:b#c", type: "null"}
      three: {$id: "urn:d", $ref: "#a"}
    """
    found = read_text(text, OLD)
    assert found.plain == {
        "allOf": [{"$ref": "#/definitions/one"}, {"$ref": "#/definitions/two"}, True],
    }
    assert found.faults == [
        "1:43: urn: is not followed; only files below the document's folder can be referred to"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "{$id: 'http://a.example/x', $ref: 'y'}",
            "1:29: http://a.example/y is not followed: no schema that was read has it as its $id",
        ),
        ("{$ref: 'urn:a', $defs: {x: {enum: [{$id: 'urn:a'}]}}}", "1:2: urn: is not followed; only files"),
        ("{$ref: 'urn:a', x: {$id: 'urn:a'}}", "1:2: urn: is not followed; only files below the document's"),
        (
            "{$ref: 'urn:a', $defs: {x: {$id: 'urn:a'}, y: {$id: 'urn:a'}}}",
            "1:2: urn:a is the $id of two schemas",
        ),
        ("{$ref: '#a', $defs: {x: {$anchor: a}, y: {$anchor: a}}}", "1:2: the anchor a stands twice"),
        (
            "{$ref: '#a', $defs: {x: {$id: 'urn:x', $anchor: a}}}",
            "1:2: #a is no JSON Pointer, and no schema has",
        ),
        (
            "{$ref: '#a', $defs: {x: {$anchor: 5}, y: 5, z: [{$anchor: a}]}}",
            "1:2: #a is no JSON Pointer, and no",
        ),
        ("{$dynamicRef: 5}", "1:2: a reference must be a string"),
    ],
)
def test_names_that_mean_nothing(text: str, fault: str) -> None:
    """What no schema is called is never fetched; what two are called is refused."""
    (found,) = read_text(text, NEW).faults[:1]
    assert found.startswith(fault)


def test_dynamic_references_depend_on_the_way() -> None:
    """One schema, reached by two ways, is two definitions, each with the meaning of its way."""
    text = """\
    properties: {tree: {$ref: "urn:tree"}, strict: {$ref: "urn:strict"}}
    $defs:
      tree:
        $id: "urn:tree"
        $dynamicAnchor: node
        properties: {value: true, children: {items: {$dynamicRef: "#node"}}}
      strict:
        $id: "urn:strict"
        $dynamicAnchor: node
        $ref: "urn:tree"
        unevaluatedProperties: false
    """
    found = read_text(text, NEW)
    assert list(found.definitions) == [
        "#/$defs/tree",
        "#/$defs/strict",
        "#/$defs/tree (node: #/$defs/strict)",
    ]
    assert found.takes({"tree": {"children": [{"x": 1}]}})
    assert found.takes({"strict": {"children": [{"value": 1}]}})
    assert not found.takes({"strict": {"children": [{"x": 1}]}})


def test_a_reference_beside_a_dynamic_one() -> None:
    """Both hold."""
    text = "{$ref: '#/$defs/a', $dynamicRef: '#b', $defs: {a: {minimum: 1}, b: {$anchor: b, maximum: 2}}}"
    found = read_text(text, NEW)
    assert found.plain == {"$ref": "#/$defs/a", "allOf": [{"$ref": "#/$defs/b"}]}


def test_openapi_documents_have_names_in_their_schemas() -> None:
    """Only there: an example that looks like a schema is none, nor is an extension."""
    text = """\
    openapi: 3.1.0
    jsonSchemaDialect: https://json-schema.org/draft/2020-12/schema
    paths:
      /a:
        post:
          parameters: [{schema: {$id: "urn:p", nullable: true, type: string}}]
          requestBody: {content: {a/b: {example: {schema: {$id: "urn:p"}}, x-y: {schema: {$id: "urn:p"}}}}}
    components:
      schemas:
        A: {$ref: "urn:p", $defs: {}}
      parameters: {P: {schema: {$anchor: p, type: integer}}}
      examples: {A: {schema: {$id: "urn:p"}}}
    x: {$ref: "#p"}
    """
    place = ("components", "schemas", "A")
    found = read_text(text, path=place)
    key = "#/paths/~1a/post/parameters/0/schema"
    assert (found.plain, found.definitions) == ({"$ref": key}, {key: {"type": ["string"]}})
    assert found.warnings == ["6:44: JSON Schema 2020-12 has no keyword nullable: it judges nothing"]
    assert read_text(text, path=("x",)).plain == {"$ref": "#/components/parameters/P/schema"}


def test_openapi_3_0_has_no_names() -> None:
    """There, ``$id`` and ``$anchor`` are no keywords."""
    found = component("A: {allOf: [{$ref: 'urn:b'}, {$ref: '#b'}]}\nB: {$id: 'urn:b', $anchor: b}")
    assert [fault.partition(": ")[0] for fault in found.faults] == ["4:18", "4:35"]
    assert component("A: {$anchor: b}").warnings == [
        "4:9: OpenAPI 3.0 has no keyword $anchor: it judges nothing"
    ]


def test_recursive_references() -> None:
    """In an OpenAPI document, $recursiveRef means the innermost schema around it that says so."""
    text = """\
    A:
      properties:
        inner:
          $recursiveAnchor: true
          additionalProperties: {$recursiveRef: "#"}
          maxProperties: 1
      $recursiveAnchor: true
    """
    found = component(text, Dialect.OPENAPI_3_1)
    assert found.plain == {
        "properties": {
            "inner": {
                "additionalProperties": {"$ref": "#/components/schemas/A/properties/inner"},
                "maxProperties": 1,
            }
        }
    }
    (warning,) = found.warnings
    assert warning == (
        "8:34: $recursiveRef is not a keyword of OpenAPI 3.1: it keeps its meaning of JSON Schema 2019-09"
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A: {$recursiveRef: '#'}", "4:9: no schema around $recursiveRef has $recursiveAnchor: true"),
        ("A: {$recursiveRef: '#/a'}", "4:9: $recursiveRef must be #"),
    ],
)
def test_recursive_references_that_lead_nowhere(text: str, fault: str) -> None:
    """Without an anchor around it, it means nothing."""
    assert component(text, Dialect.OPENAPI_3_1).faults == [fault]
