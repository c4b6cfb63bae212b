"""Properties that are ``readOnly`` are refused in requests, and nothing requires them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.contracts.schemas.dialects import Dialect
from tests.support.schema_texts import component, read_text

if TYPE_CHECKING:
    from pathlib import Path

V31 = Dialect.OPENAPI_3_1


def test_it_is_refused_and_not_required() -> None:
    """The property's schema becomes false, and its name leaves ``required``."""
    found = component(
        "A: {properties: {id: {type: string, readOnly: true}, x: {readOnly: false}}, required: [id, x]}"
    )
    assert found.plain == {"properties": {"id": False, "x": {}}, "required": ["x"]}


@pytest.mark.parametrize(
    "schema",
    [
        "{$ref: '#/components/schemas/Id'}",
        "{allOf: [{$ref: '#/components/schemas/Id'}]}",
        "{allOf: [true, {readOnly: true}]}",
        "{$ref: '#/components/schemas/Far'}",
    ],
)
@pytest.mark.parametrize("dialect", [Dialect.OPENAPI_3_0, V31])
def test_wherever_the_property_s_schema_says_so(schema: str, dialect: Dialect) -> None:
    """It may be said in what the schema refers to."""
    text = f"A: {{properties: {{id: {schema}}}, required: [id]}}\nId: {{readOnly: true}}\n"
    found = component(f"{text}Far: {{$ref: '#/components/schemas/Id'}}", dialect)
    assert found.plain == {"properties": {"id": False}}


def test_beside_a_reference() -> None:
    """In 3.0, what stands beside $ref is nothing; in 3.1 it counts."""
    text = "A: {properties: {id: {$ref: '#/components/schemas/B', readOnly: true}}, required: [id]}\nB: {}"
    old = component(text)
    assert old.plain == {"properties": {"id": {"$ref": "#/components/schemas/B"}}, "required": ["id"]}
    assert old.warnings == ["4:59: readOnly has no effect beside $ref"]
    assert component(text, V31).plain == {"properties": {"id": False}}


def test_required_elsewhere() -> None:
    """What judges the same object cannot require it either, though it may do so for other objects."""
    found = component(
        """\
        A:
          allOf:
            - {$ref: "#/components/schemas/Base"}
            - {$ref: "#/components/schemas/Full"}
            - {required: [id, a], not: {required: [id]}}
          anyOf: [{required: [id]}, {required: [b]}]
          properties: {full: {$ref: "#/components/schemas/Full"}}
          required: [id, d]
        Base:
          properties: {id: {readOnly: true}}
          required: [id]
          allOf: [{$ref: "#/components/schemas/Any"}]
        Full: {required: [id, c]}
        Any: true
        """
    )
    assert found.plain == {
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"$ref": "#/components/schemas/Full (id: not required)"},
            {"required": ["a"], "not": {"required": ["id"]}},
        ],
        "anyOf": [{}, {"required": ["b"]}],
        "properties": {"full": {"$ref": "#/components/schemas/Full"}},
        "required": ["d"],
    }
    assert found.definitions == {
        "#/components/schemas/Base": {
            "properties": {"id": False},
            "allOf": [{"$ref": "#/components/schemas/Any (id: not required)"}],
        },
        "#/components/schemas/Any (id: not required)": True,
        "#/components/schemas/Full (id: not required)": {"required": ["c"]},
        "#/components/schemas/Full": {"required": ["id", "c"]},
    }
    assert found.takes({"a": 1, "b": 1, "c": 1, "d": 1, "full": {"id": 1, "c": 1}})
    assert not found.takes({"a": 1, "b": 1, "c": 1, "d": 1, "id": 1})


def test_faults_of_what_is_read_twice() -> None:
    """A schema with two meanings shows its faults once."""
    found = component(
        """\
        A:
          allOf: [{$ref: "#/components/schemas/B"}, {properties: {id: {readOnly: true}}}]
          properties: {b: {$ref: "#/components/schemas/B"}}
        B: {required: [id], type: 5}
        """
    )
    assert len(found.definitions) == 2
    assert [fault.partition(": ")[0] for fault in found.faults] == ["7:25"]


def test_in_another_file(tmp_path: Path) -> None:
    """A file that was not read yet may say so, too."""
    (tmp_path / "ids.yaml").write_text("id: {readOnly: true}\n")
    found = component("A: {properties: {id: {$ref: 'ids.yaml#/id'}}, required: [id]}", folder=tmp_path)
    assert found.plain == {"properties": {"id": False}}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{patternProperties: {a: {readOnly: true}}}", {"patternProperties": {"a": False}}),
        ("{additionalProperties: {readOnly: true}}", {"additionalProperties": False}),
        ("{items: {readOnly: true}}", {"items": {}}),
        ("{readOnly: true}", {}),
        ("{properties: {readOnly: {type: string}}, required: [readOnly]}", None),
    ],
)
def test_properties_only(text: str, plain: Any) -> None:
    """It is said of properties, under whatever name; elsewhere it is a remark."""
    found = component(f"A: {text}").plain
    expected = {"properties": {"readOnly": {"type": ["string"]}}, "required": ["readOnly"]}
    assert found == (expected if plain is None else plain)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("{properties: {id: {$ref: '#/x', readOnly: true}, a: 5}}", ["4:27", "4:57"]),
        ("{properties: [], readOnly: true}", ["4:9"]),
        ("{allOf: [5], readOnly: true}", ["4:17"]),
        ("{allOf: {}, readOnly: true}", ["4:9"]),
    ],
)
def test_faults_stay_faults(text: str, places: list[str]) -> None:
    """Looking for it trips over nothing."""
    assert [fault.partition(": ")[0] for fault in component(f"A: {text}").faults] == places


def test_circles() -> None:
    """Looking for it ends, though schemas refer to each other."""
    found = component(
        """\
        A: {allOf: [{$ref: "#/components/schemas/B"}], properties: {a: {$ref: "#/components/schemas/C"}}}
        B: {allOf: [{$ref: "#/components/schemas/A"}], required: [id], properties: {id: {readOnly: true}}}
        C: {allOf: [{$ref: "#/components/schemas/C"}]}
        """
    )
    assert len(found.faults) == 2


def test_json_schema_takes_it_for_a_remark() -> None:
    """Only OpenAPI says what requests are."""
    found = read_text("{properties: {a: {readOnly: true}}, required: [a]}", Dialect.DRAFT_2020_12)
    assert found.plain == {"properties": {"a": {}}, "required": ["a"]}
