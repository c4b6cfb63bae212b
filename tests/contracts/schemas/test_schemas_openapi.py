"""OpenAPI's own words in schemas: 3.0's dialect, and 3.0 in a 3.1 document."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import documents
from gateway.contracts.schemas.dialects import Dialect
from gateway.contracts.schemas.reader import SchemaReader
from gateway.contracts.sources import Place, Sources
from tests.support.published import PUBLISHED
from tests.support.schema_texts import component, read_text

V30 = Dialect.OPENAPI_3_0
V31 = Dialect.OPENAPI_3_1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{type: string, nullable: true}", {"type": ["string", "null"]}),
        ("{nullable: true, type: [string, 'null']}", {"type": ["string", "null"]}),
        ("{type: string, nullable: false}", {"type": ["string"]}),
        (
            "{type: string, nullable: true, enum: [a, null]}",
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ("{minimum: 1, exclusiveMinimum: true}", {"exclusiveMinimum": 1}),
        ("{exclusiveMaximum: true, maximum: 2, minimum: 0}", {"exclusiveMaximum": 2, "minimum": 0}),
        ("{maximum: 2, exclusiveMaximum: false}", {"maximum": 2}),
        ("{exclusiveMinimum: 3}", {"exclusiveMinimum": 3}),
        ("{type: string, format: binary}", {"type": ["string"]}),
        ("{type: string, format: date-time}", {"type": ["string"], "format": "date-time"}),
        ("{format: uuid}", {"format": "uuid"}),
        ("{type: number, format: float}", {"type": ["number"]}),
        (
            "{type: integer, format: int32}",
            {"type": ["integer"], "minimum": -(2**31), "maximum": 2**31 - 1},
        ),
        (
            "{type: [number, integer], nullable: true, format: int64, minimum: 1}",
            {"type": ["integer", "null"], "minimum": 1, "maximum": 2**63 - 1},
        ),
        ("{format: uint8, maximum: 300}", {"minimum": 0, "maximum": 255}),
        ("{example: 5, xml: {}, externalDocs: {}, deprecated: true, x-a: 1, default: null}", {}),
        ("{const: 1, patternProperties: {a: true}}", {"const": 1, "patternProperties": {"a": True}}),
        ("{dependentRequired: {a: [b]}}", {"dependentRequired": {"a": ["b"]}}),
        ("{dependencies: {a: [b]}, dependentRequired: {a: [c]}}", {"dependentRequired": {"a": ["b", "c"]}}),
        (
            "{dependencies: {a: true}, dependentSchemas: {a: false}}",
            {"dependentSchemas": {"a": {"allOf": [True, False]}}},
        ),
        ("{type: object, writeOnly: true}", {"type": ["object"]}),
    ],
)
@pytest.mark.parametrize("dialect", [V30, V31])
def test_plain_form(text: str, plain: Any, dialect: Dialect) -> None:
    """Keywords of OpenAPI 3.0 mean the same in either version, as do those that 3.0 did not have."""
    found = component(f"A: {text}", dialect)
    assert (found.plain, found.faults) == (plain, [])
    remarks = [warning for warning in found.warnings if "is not a keyword of OpenAPI 3.1" not in warning]
    assert remarks == []
    assert dialect is V31 or found.warnings == []


@pytest.mark.parametrize(
    ("text", "dialect", "fault"),
    [
        ("{nullable: 1}", V30, "4:9: nullable must be true or false"),
        ("{exclusiveMinimum: true}", V30, "4:9: exclusiveMinimum is true, but there is no minimum"),
        ("{exclusiveMaximum: true}", V31, "4:9: exclusiveMaximum is true, but there is no maximum"),
        ("{exclusiveMaximum: x}", V31, "4:9: exclusiveMaximum must be a number"),
        ("{maximum: x, exclusiveMaximum: true}", V30, "4:9: maximum must be a number"),
        ("{format: 1}", V30, "4:9: format must be a string"),
        ("{nullable: true, type: x}", V30, "4:25: a type must be one or more of string, integer, number,"),
        ("{items: [true]}", V31, "4:9: a schema must be an object or a boolean"),
        ("{discriminator: a}", V30, "4:9: a discriminator needs a propertyName"),
        ("{discriminator: {mapping: {}}}", V30, "4:9: a discriminator needs a propertyName"),
        (
            "{discriminator: {propertyName: a, mapping: {b: 5}}}",
            V30,
            "4:42: mapping must be an object of schemas' names",
        ),
    ],
)
def test_faults(text: str, dialect: Dialect, fault: str) -> None:
    """A value of the wrong kind is a fault at its place."""
    (found,) = component(f"A: {text}", dialect).faults
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("{nullable: true}", ["4:9: nullable has no effect without a type in the same schema"]),
        ("{nullable: false, enum: [1]}", []),
        (
            "{nullable: true, type: string, enum: [a]}",
            ["4:9: nullable has no effect beside an enum that does not list null"],
        ),
        ("{type: integer, format: date}", ["4:24: the format date judges strings only"]),
        ("{type: string, format: int64}", ["4:23: the format int64 judges numbers only"]),
        ("{format: odd}", ["4:9: the format odd is not known and judges nothing"]),
        (
            "{items: {format: odd}, not: {format: odd}}",
            ["4:17: the format odd is not known and judges nothing (in 2 places)"],
        ),
        (
            "{$ref: '#/components/schemas/B', nullable: true, description: x, maxLength: 5, min: 1}\nB: true",
            ["4:41: nullable has no effect beside $ref", "4:73: maxLength has no effect beside $ref"],
        ),
        (
            "{properties: {id: {max_length: 1}}}",
            ["4:27: OpenAPI 3.0 has no keyword max_length: it judges nothing; did you mean maxLength?"],
        ),
        ("{optional: true}", ["4:9: OpenAPI 3.0 has no keyword optional: it judges nothing"]),
    ],
)
def test_warnings(text: str, warnings: list[str]) -> None:
    """What judges less than it may seem to is told."""
    found = component(f"A: {text}")
    assert (found.warnings, found.faults) == (warnings, [])


def test_older_keywords_in_3_1() -> None:
    """They keep their meaning, and each is told once, with the number of its places."""
    found = component(
        "A: {type: string, nullable: true, items: {type: integer, minimum: 0, exclusiveMinimum: true,"
        " nullable: true}, dependencies: {a: [b]}}",
        V31,
    )
    age = "is not a keyword of OpenAPI 3.1: it keeps its meaning of"
    assert found.warnings == [
        f"4:74: exclusiveMinimum {age} OpenAPI 3.0 where it is true or false",
        f"4:98: nullable {age} OpenAPI 3.0 (in 2 places)",
        f"4:115: dependencies {age} JSON Schema draft 7",
    ]
    assert not found.takes(5)


def test_an_unknown_default_dialect() -> None:
    """A document in a language of its own cannot be read."""
    found = read_text("openapi: 3.1.0\njsonSchemaDialect: https://example.org/\n")
    assert found.faults == ["2:1: https://example.org/ is no dialect that can be read"]


def test_siblings_count_in_3_1() -> None:
    """Since 3.1, what stands beside $ref holds, too."""
    found = component("A: {$ref: '#/components/schemas/B', maxLength: 1}\nB: {minLength: 1}", V31)
    assert found.plain == {"$ref": "#/components/schemas/B", "maxLength": 1}


def test_formats_only_where_they_are_rules() -> None:
    """A reader that takes formats for remarks enforces none and tells none."""
    found = read_text("{format: odd, items: {format: int32}, not: {format: email}}", V31, formats=False)
    assert found == ({"items": {}, "not": {}}, {}, [], [])


@pytest.mark.parametrize(("file", "dialect"), [("openai-v1", V30), ("openai-v2", V31)])
def test_openai_s_documents(file: str, dialect: Dialect) -> None:
    """Every schema that judges a request of OpenAI's own documents can be enforced whole."""
    if not PUBLISHED.is_dir():
        return
    document = documents.read(PUBLISHED / f"{file}.yaml", name=file)
    reader = SchemaReader(Sources(document, PUBLISHED), dialect=dialect, formats=True)
    for template, item in document.value["paths"].items():
        for method, operation in item.items():
            place = ("paths", template, method)
            for index, parameter in enumerate(operation.get("parameters", ())):
                if "schema" in parameter:
                    reader.read(Place("", (*place, "parameters", index, "schema")))
            for media_type in operation.get("requestBody", {}).get("content", ()):
                reader.read(Place("", (*place, "requestBody", "content", media_type, "schema")))
    assert reader.faults == []
    if dialect is V31:
        filters = reader.definitions["#/components/schemas/CompoundFilter"]
        assert isinstance(filters, dict)
        assert filters["properties"]["filters"]["items"]["oneOf"][1] == {
            "$ref": "#/components/schemas/CompoundFilter"
        }
        rate = reader.definitions["#/components/schemas/FineTuneSupervisedHyperparameters"]
        assert isinstance(rate, dict)
        assert rate["properties"]["learning_rate_multiplier"]["oneOf"][1] == {
            "type": ["number"],
            "exclusiveMinimum": 0,
        }
