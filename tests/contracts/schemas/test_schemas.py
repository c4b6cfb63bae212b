"""JSON Schema of any dialect becomes plain form; what is wrong with it is a fault at its line and column."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import documents
from gateway.contracts.schemas.dialects import Dialect, named_dialect
from gateway.contracts.schemas.reader import read_schema
from tests.support.schema_texts import ReadSchema, lines, read_text

NEW = Dialect.DRAFT_2020_12
OLD = Dialect.DRAFT_7


def read(text: str, dialect: Dialect = NEW) -> ReadSchema:
    """Read a schema that stands alone, with format as a rule."""
    return read_text(text, dialect)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("true", True),
        ("false", False),
        ("{}", {}),
        ("{type: string}", {"type": ["string"]}),
        ("{type: ['null', string, 'null']}", {"type": ["null", "string"]}),
        ("{enum: [1, a, null]}", {"enum": [1, "a", None]}),
        ("{const: {a: [1.5]}}", {"const": {"a": [1.5]}}),
        ("{minLength: 2.0, maxItems: 3}", {"minLength": 2, "maxItems": 3}),
        ("{minimum: 1.0, maximum: 1.5, multipleOf: 2}", {"minimum": 1, "maximum": 1.5, "multipleOf": 2}),
        ("{exclusiveMinimum: 0}", {"exclusiveMinimum": 0}),
        ("{uniqueItems: false}", {}),
        ("{uniqueItems: true}", {"uniqueItems": True}),
        ("{pattern: '^a'}", {"pattern": "^a"}),
        ("{format: email}", {"format": "email"}),
        ("{format: int32}", {"minimum": -(2**31), "maximum": 2**31 - 1}),
        ("{required: [a, b, a]}", {"required": ["a", "b"]}),
        ("{required: []}", {}),
        ("{properties: {$ref: {type: string}}}", {"properties": {"$ref": {"type": ["string"]}}}),
        ("{patternProperties: {'^x': false}}", {"patternProperties": {"^x": False}}),
        ("{prefixItems: [true], items: false}", {"prefixItems": [True], "items": False}),
        ("{contains: {}, minContains: 0}", {"contains": {}, "minContains": 0}),
        ("{minContains: 2}", {}),
        ("{not: {}, if: {}, then: {}, else: {}}", {"not": {}, "if": {}, "then": {}, "else": {}}),
        ("{then: {}, else: {}}", {}),
        ("{unevaluatedItems: false}", {"unevaluatedItems": False}),
        ("{dependentRequired: {a: [b, b]}}", {"dependentRequired": {"a": ["b"]}}),
        ("{dependentSchemas: {a: true}}", {"dependentSchemas": {"a": True}}),
        ("{$comment: x, title: x, description: x, default: null, examples: [1], deprecated: true}", {}),
        ("{readOnly: true, writeOnly: true, contentMediaType: a/b, contentSchema: 5, $vocabulary: {}}", {}),
        ("{$schema: 'https://json-schema.org/draft/2020-12/schema#', $id: 'urn:x', $anchor: a}", {}),
        ("{x-anything: 1}", {}),
    ],
)
def test_plain_form(text: str, plain: Any) -> None:
    """Rules come out in one form, annotations not at all."""
    found = read(text)
    assert found == (plain, {}, [], [])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{items: [true, false], additionalItems: {}}", {"prefixItems": [True, False], "items": {}}),
        ("{items: [], additionalItems: false}", {"items": False}),
        ("{items: true, additionalItems: false}", {"items": True}),
        (
            "{dependencies: {a: [b], c: {required: [d]}}}",
            {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}},
        ),
        ("{definitions: 5}", {}),
        ("{$ref: '#/definitions/a', type: 5, definitions: {a: true}}", {"$ref": "#/definitions/a"}),
    ],
)
def test_plain_form_of_draft_7(text: str, plain: Any) -> None:
    """What 2020-12 says otherwise is written so; what stands beside $ref has no effect."""
    found = read(text, OLD)
    assert (found.plain, found.faults, found.warnings) == (plain, [], [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("5", "1:1: a schema must be an object or a boolean"),
        ("{not: null}", "1:2: a schema must be an object or a boolean"),
        ("{items: [true]}", "1:2: a schema must be an object or a boolean"),
        ("{type: 5}", "1:2: a type must be one or more of string, integer, number, boolean, array, object,"),
        ("{type: []}", "1:2: a type must be one or more of"),
        ("{type: [string, file]}", "1:2: a type must be one or more of"),
        ("{type: [[string]]}", "1:2: a type must be one or more of"),
        ("{enum: []}", "1:2: enum must be a list of at least one value"),
        ("{enum: a}", "1:2: enum must be a list of at least one value"),
        ("{enum: [[{a: .nan}]]}", "1:2: enum has a number that JSON cannot have"),
        ("{const: .inf}", "1:2: const has a number that JSON cannot have"),
        ("{maxLength: -1}", "1:2: maxLength must be a whole number of at least 0"),
        ("{maxLength: '1'}", "1:2: maxLength must be a whole number of at least 0"),
        ("{maxLength: 1.5}", "1:2: maxLength must be a whole number of at least 0"),
        ("{minItems: true}", "1:2: minItems must be a whole number of at least 0"),
        ("{minProperties: .inf}", "1:2: minProperties must be a whole number of at least 0"),
        ("{minContains: x}", "1:2: minContains must be a whole number of at least 0"),
        ("{minimum: '1'}", "1:2: minimum must be a number"),
        ("{maximum: .inf}", "1:2: maximum must be a number"),
        ("{exclusiveMinimum: true}", "1:2: exclusiveMinimum must be a number"),
        ("{multipleOf: 0}", "1:2: multipleOf must be above 0"),
        ("{multipleOf: -1}", "1:2: multipleOf must be above 0"),
        ("{uniqueItems: 1}", "1:2: uniqueItems must be true or false"),
        ("{pattern: 5}", "1:2: a pattern must be a string"),
        ("{pattern: '('}", "1:2: the pattern cannot be used: "),
        ("{patternProperties: {'(?=a)': {}}}", "1:22: the pattern cannot be used: "),
        ("{format: 5}", "1:2: format must be a string"),
        ("{required: true}", "1:2: required must be a list of names"),
        ("{required: [1]}", "1:2: required must be a list of names"),
        ("{properties: []}", "1:2: properties must be an object of schemas"),
        ("{properties: {a: {items: {type: x}}}}", "1:27: a type must be one or more of"),
        ("{allOf: {}}", "1:2: allOf must be a list of at least one schema"),
        ("{anyOf: []}", "1:2: anyOf must be a list of at least one schema"),
        ("{oneOf: [true, 1]}", "1:16: a schema must be an object or a boolean"),
        ("{prefixItems: []}", "1:2: prefixItems must be a list of at least one schema"),
        ("{dependentSchemas: 1}", "1:2: dependentSchemas must be an object of schemas"),
        ("{dependentRequired: []}", "1:2: dependentRequired must be an object of lists of names"),
        ("{dependentRequired: {a: b}}", "1:22: dependentRequired must be a list of names"),
        ("{$schema: 'https://example.org/'}", "1:2: https://example.org/ is no dialect that can be read"),
        ("{$schema: 5}", "1:2: 5 is no dialect that can be read"),
        ("{$ref: 5}", "1:2: a reference must be a string"),
        ("{$dynamicRef: '#x'}", "1:2: #x is no JSON Pointer, and no schema has it as its anchor"),
    ],
)
def test_faults(text: str, fault: str) -> None:
    """A value of the wrong kind is a fault at its place, never an exception."""
    (found,) = read(text).faults
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("text", "dialect", "fault"),
    [
        ("{dependencies: {a: [1]}}", OLD, "1:17: dependencies must be a list of names"),
        ("{dependencies: []}", OLD, "1:2: dependencies must be an object of schemas"),
        ("{$ref: '#/x', type: 5}", OLD, "1:2: there is no #/x in c.yaml"),
        ("{exclusiveMinimum: 5}", Dialect.DRAFT_4, "1:2: exclusiveMinimum must be true or false"),
        ("{$recursiveRef: '#/a'}", Dialect.DRAFT_2019_09, "1:2: $recursiveRef must be #"),
    ],
)
def test_faults_of_older_dialects(text: str, dialect: Dialect, fault: str) -> None:
    """The same holds for keywords that 2020-12 does not have."""
    assert read(text, dialect).faults == [fault]


def test_all_faults_at_once() -> None:
    """Every fault of a schema is found, not the first, and those of what it refers to."""
    text = """\
    type: 5
    items: {maxLength: -1}
    $ref: "#/$defs/a"
    $defs: {a: {enum: []}, unused: {enum: []}}
    """
    assert [fault.partition(": ")[0] for fault in read(text).faults] == ["1:1", "2:9", "4:13"]


def test_unknown_keywords() -> None:
    """They judge nothing, which is worth a warning; annotations are never meant."""
    found = read("{maxlength: 5, min_items: 1, then: {maxLenght: 1}, summary: x, tittle: x}")
    assert found.faults == []
    assert found.warnings == [
        "1:2: JSON Schema 2020-12 has no keyword maxlength: it judges nothing; did you mean maxLength?",
        "1:16: JSON Schema 2020-12 has no keyword min_items: it judges nothing; did you mean minItems?",
        "1:37: JSON Schema 2020-12 has no keyword maxLenght: it judges nothing; did you mean maxLength?",
        "1:52: JSON Schema 2020-12 has no keyword summary: it judges nothing",
        "1:64: JSON Schema 2020-12 has no keyword tittle: it judges nothing",
    ]


def test_dialects_by_name() -> None:
    """A dialect is named by its URI, with or without an empty fragment."""
    assert named_dialect("http://json-schema.org/draft-07/schema#") is OLD
    assert named_dialect("http://json-schema.org/draft-07/schema") is OLD
    assert named_dialect("https://spec.openapis.org/oas/3.1/dialect/base") is Dialect.OPENAPI_3_1
    assert named_dialect("http://json-schema.org/schema#") is None
    assert named_dialect(None) is None


def test_a_schema_says_its_dialect() -> None:
    """``$schema`` changes the language of a resource, and of nothing around it."""
    found = read(
        """\
        items: [true]
        $defs:
          old:
            $id: "urn:old"
            $schema: http://json-schema.org/draft-07/schema#
            items: [{type: string}]
        $ref: "urn:old"
        """
    )
    assert found.definitions == {"#/$defs/old": {"prefixItems": [{"type": ["string"]}]}}
    assert found.faults == ["1:1: a schema must be an object or a boolean"]


def test_format_is_an_annotation_unless_it_is_asked_for() -> None:
    """Without formats, it judges nothing, and no warning says so."""
    found = read_text("{format: email, type: string}", NEW, formats=False)
    assert found == ({"type": ["string"]}, {}, [], [])


def test_a_schema_that_stands_alone() -> None:
    """A part of a document is read as a document of its own, with faults where they stand in the whole."""
    document = documents.parse_document(
        """\
a:
  schemas:
    one: {$ref: "#/$defs/x", $defs: {x: {maxLength: 5}}}
    two: {$schema: "http://json-schema.org/draft-07/schema#", items: [true], dependencies: {a: [b]}}
    bad: {maxLenght: 5, minLength: x, $ref: "#/a"}
""",
        "gateway.yaml",
    )
    one = read_schema(document, ("a", "schemas", "one"), name="one")
    assert one == ({"$ref": "one#/$defs/x"}, {"one#/$defs/x": {"maxLength": 5}}, [])
    two, definitions, faults = read_schema(document, ("a", "schemas", "two"))
    assert (two, definitions, faults) == (
        {"prefixItems": [True], "dependentRequired": {"a": ["b"]}},
        {},
        [],
    )
    assert [one.partition(": ")[0] for one in lines(read_schema(document, ("a", "schemas", "bad"))[2])] == [
        "gateway.yaml:5:25",
        "gateway.yaml:5:39",
        "gateway.yaml:5:11",
    ]
