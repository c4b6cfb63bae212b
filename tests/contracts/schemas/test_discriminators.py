"""A discriminator is enforced beside anyOf and oneOf, and tells which branch is meant."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.contracts.schemas.dialects import Dialect
from tests.support.schema_texts import ReadSchema, component

V31 = Dialect.OPENAPI_3_1
PETS = """\
Cat: {type: object, properties: {kind: {type: string}, name: {type: string}}}
Dog: {type: object, properties: {kind: {enum: [dog, puppy]}}, required: [kind]}
Fish: {type: object, properties: {kind: {const: fish}}}
"""


def pets(schema: str, more: str = "", dialect: Dialect = Dialect.OPENAPI_3_0) -> ReadSchema:
    """Read a schema on line 4 whose text may use ``$Cat`` for a reference."""
    for name in ("Cat", "Dog", "Fish"):
        schema = schema.replace(f"${name}", f"{{$ref: '#/components/schemas/{name}'}}")
    return component(f"A: {schema}\n{PETS}{more}", dialect)


def ref(name: str) -> dict[str, Any]:
    """Refer to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def only(*values: str) -> dict[str, Any]:
    """Give what a branch is tightened with."""
    return {"properties": {"kind": {"enum": list(values)}}, "required": ["kind"]}


def test_branches_that_say_their_values() -> None:
    """Where each branch lists the property's values, nothing is added but which one is meant."""
    found = pets("{oneOf: [$Dog, $Fish], discriminator: {propertyName: kind}}")
    assert found.plain == {
        "oneOf": [ref("Dog"), ref("Fish")],
        "x-discriminator": {"property": "kind", "branches": {"dog": 0, "fish": 1, "puppy": 0}},
    }
    assert found.warnings == []


def test_a_branch_that_takes_anything_takes_its_schema_s_name() -> None:
    """The name of a schema is what means it where nothing else does; then the property has to be there."""
    found = pets("{anyOf: [$Cat, $Fish], discriminator: {propertyName: kind}}")
    assert found.plain == {
        "anyOf": [{**ref("Cat"), **only("Cat")}, ref("Fish")],
        "x-discriminator": {"property": "kind", "branches": {"Cat": 0, "fish": 1}},
    }
    assert found.takes({"kind": "Cat"})
    assert found.takes({"kind": "fish"})
    assert not found.takes({"kind": "cat"})
    assert not found.takes({"kind": "fish", "name": 5} | {"kind": "Cat"})


@pytest.mark.parametrize("target", ["Cat", "'#/components/schemas/Cat'"])
def test_a_mapping(target: str) -> None:
    """A mapping adds names, for a schema's name or a reference; the schema's own goes on meaning it."""
    mapping = f"{{tom: {target}, dog: Dog}}"
    found = pets(f"{{oneOf: [$Cat, $Dog], discriminator: {{propertyName: kind, mapping: {mapping}}}}}")
    assert found.plain == {
        "oneOf": [{**ref("Cat"), **only("tom", "Cat")}, ref("Dog")],
        "x-discriminator": {"property": "kind", "branches": {"Cat": 0, "dog": 1, "puppy": 1, "tom": 0}},
    }


def test_values_that_several_branches_take() -> None:
    """They tell nothing, so that the branch is chosen otherwise."""
    found = pets(
        "{oneOf: [$Dog, {properties: {kind: {enum: [dog, 1]}}}, $Dog], discriminator: {propertyName: kind}}"
    )
    assert "x-discriminator" not in found.plain  # type: ignore[operator]  # no boolean


@pytest.mark.parametrize(
    ("branch", "values"),
    [
        ("{allOf: [$Fish, {properties: {kind: {type: string}}}]}", {"fish"}),
        ("{properties: {kind: {anyOf: [{enum: [a, [1]]}, {type: 'null'}]}}}", {"a"}),
        ("{properties: {kind: {allOf: [{enum: [a, b]}, {enum: [b, c]}]}}}", {"b"}),
        ("{oneOf: [$Fish, {properties: {kind: {const: b}}}]}", {"fish", "b"}),
        ("{oneOf: [$Fish, $Cat], discriminator: {propertyName: kind}}", {"fish", "Cat"}),
        ("{properties: {kind: {$ref: '#/components/schemas/Kind'}}}", {"k"}),
        ("{properties: {kind: {oneOf: [{enum: [a]}, false]}}}", {"a"}),
    ],
)
def test_where_values_are_found(branch: str, values: set[str]) -> None:
    """The values that a branch takes are looked for in all that it is made of."""
    found = pets(
        f"{{oneOf: [$Dog, {branch}], discriminator: {{propertyName: kind}}}}", "Kind: {enum: [k]}\n"
    ).plain
    assert isinstance(found, dict)
    branches = found["x-discriminator"]["branches"]
    assert {value for value, index in branches.items() if index == 1} == values


def test_a_branch_that_takes_anything_in_one_case() -> None:
    """A list of values is one only where every case has one."""
    found = pets(
        "{oneOf: [$Dog, {$ref: '#/components/schemas/B'}], discriminator: {propertyName: kind}}",
        "B: {anyOf: [$Fish, {maxProperties: 5}]}\n".replace("$Fish", "{$ref: '#/components/schemas/Fish'}"),
    )
    assert isinstance(found.plain, dict)
    assert found.plain["oneOf"][1] == {**ref("B"), **only("B")}


def test_branches_that_are_no_objects() -> None:
    """A branch for another type has no such property, and needs none."""
    found = pets("{anyOf: [$Fish, {type: 'null'}], discriminator: {propertyName: kind}}", dialect=V31)
    assert found.plain == {
        "anyOf": [ref("Fish"), {"type": ["null"]}],
        "x-discriminator": {"property": "kind", "branches": {"fish": 0}},
    }
    assert found.warnings == []


def test_nothing_means_a_branch() -> None:
    """A branch without a name that takes any value cannot be chosen; a warning says so."""
    found = pets("{anyOf: [$Fish, {maxProperties: 3}, true], discriminator: {propertyName: kind}}")
    assert found.warnings == [
        "4:54: no value of kind means this schema",
        "4:74: no value of kind means this schema",
    ]


def test_a_mapping_to_no_branch() -> None:
    """What is mapped to a schema that is not among the branches is never taken for it."""
    found = pets("{oneOf: [$Dog], discriminator: {propertyName: kind, mapping: {x: Cat}}}")
    assert found.warnings == [
        "4:100: the schema is none of oneOf, so that nothing with x is taken for it",
    ]
    found = pets("{oneOf: [$Dog], discriminator: {propertyName: kind, mapping: {x: Bird}}}")
    assert found.faults == ["4:100: Bird: no other file can be referred to from here"]


def test_branches_with_rules_of_their_own() -> None:
    """What a branch has beside its reference holds on."""
    found = pets(
        "{oneOf: [{$ref: '#/components/schemas/Cat', required: [name]}, $Dog],"
        " discriminator: {propertyName: kind}}",
        dialect=V31,
    )
    assert isinstance(found.plain, dict)
    assert found.plain["oneOf"][0] == {"allOf": [{**ref("Cat"), "required": ["name"]}, only("Cat")]}


def test_circles() -> None:
    """A branch may be the very schema that chooses, inside the value."""
    found = component(
        """\
        A:
          properties: {kind: {enum: [a]}, inner: {$ref: "#/components/schemas/Any"}}
          required: [kind]
        Any:
          oneOf: [{$ref: "#/components/schemas/A"}, {$ref: "#/components/schemas/B"}]
          discriminator: {propertyName: kind}
        B: {properties: {inner: {$ref: "#/components/schemas/Any"}}}
        """
    )
    assert found.takes({"kind": "a", "inner": {"kind": "B", "inner": {"kind": "a"}}})
    assert not found.takes({"kind": "a", "inner": {"kind": "B", "inner": {"kind": "b"}}})


def test_circles_without_end() -> None:
    """A circle that never goes down is a fault, and looking for values in it ends."""
    circle = "{oneOf: [{$ref: '#/components/schemas/A'}], discriminator: {propertyName: kind}}"
    assert len(component(f"A: {circle}").faults) == 1
    assert len(component(f"A: {circle.replace('/A', '/B')}\nB: {circle.replace('/A', '/B')}").faults) == 1


def test_inheritance() -> None:
    """Without anyOf and oneOf it chooses nothing, and a warning says so; a mapping's names are enforced."""
    text = """\
    A: {type: object, properties: {kind: {type: string}}, discriminator: {propertyName: kind%s}}
    B: {allOf: [{$ref: "#/components/schemas/A"}]}
    C: {allOf: [{$ref: "#/components/schemas/B"}, {$ref: 5}, 5]}
    D: {allOf: [{$ref: "#/components/schemas/X"}]}
    E: 5
    F: {allOf: 5}
    """
    found = component(text % "")
    assert found.plain == {"type": ["object"], "properties": {"kind": {"type": ["string"]}}}
    (warning,) = found.warnings
    assert warning == (
        "4:59: kind chooses no schema: a discriminator does so beside oneOf or anyOf only, and what other "
        "schemas add to this one is not enforced where this one is referred to"
    )
    found = component(text % ", mapping: {b: B}")
    assert isinstance(found.plain, dict)
    assert found.plain["allOf"] == [{"properties": {"kind": {"enum": ["A", "B", "C", "b"]}}}]


def test_inheritance_of_a_schema_without_a_name() -> None:
    """Nothing can inherit from a schema that stands inline: only the mapping's names mean anything."""
    found = component("A: {items: {discriminator: {propertyName: kind, mapping: {b: B}}}}")
    assert found.plain == {"items": {"allOf": [{"properties": {"kind": {"enum": ["b"]}}}]}}
