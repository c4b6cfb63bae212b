"""Reading a schema: OpenAPI 3.0's dialect in, plain JSON Schema draft 7 out, every fault with its place.

What comes out holds only keywords that :mod:`gateway.core.checks` enforces, with values of the right kind;
annotations are left out. A keyword that would be a rule and is not known is a fault, never ignored.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.core.pattern import PatternFault, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.core.types import Json

SchemaPath: TypeAlias = "tuple[str | int, ...]"

TYPES: Final = ("string", "integer", "number", "boolean", "array", "object", "null")

SCHEMA_MEMBERS: Final = frozenset(("properties", "patternProperties"))
"""Keywords whose value maps names to schemas."""
SCHEMA_ITEMS: Final = frozenset(("allOf", "anyOf", "oneOf"))
"""Keywords whose value is a list of schemas."""
SCHEMA_VALUE: Final = frozenset(("items", "additionalProperties", "propertyNames", "not"))
"""Keywords whose value is a schema."""

ANNOTATIONS: Final = frozenset(
    (
        "$comment",
        "$schema",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "example",
        "examples",
        "externalDocs",
        "title",
        "writeOnly",
        "xml",
    )
)
_LENGTHS: Final = frozenset(
    ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
)
_NUMBERS: Final = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))


class SchemaFault(Exception):
    """A schema that cannot be enforced. ``faults`` holds the path into the schema and a text, for each."""

    def __init__(self, faults: Sequence[tuple[SchemaPath, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "; ".join(f"{'/'.join(map(str, path)) or '.'}: {text}" for path, text in self.faults)
        )


def read_schema(schema: Mapping[str, Json] | bool) -> dict[str, Json] | bool:
    """Give the schema as draft 7; raises :class:`SchemaFault` with all that is wrong with it.

    ``nullable`` adds ``null`` to the type beside it, and to nothing else: an ``enum`` must list null itself
    (OpenAPI 3.0.3, as clarified by its proposal of 2019-10-31). Boolean ``exclusiveMinimum`` and
    ``exclusiveMaximum`` become figures. ``$ref`` must have been resolved.
    """
    reader = _Reader()
    result = reader.schema(schema, ())
    if reader.faults:
        raise SchemaFault(reader.faults)
    return result


class _Reader:
    """Walks a schema and collects its faults."""

    def __init__(self) -> None:
        self.faults: list[tuple[SchemaPath, str]] = []
        self._read: dict[str, Callable[[str, Json, SchemaPath], Json]] = {
            **dict.fromkeys(_LENGTHS, self._length),
            **dict.fromkeys(_NUMBERS, self._number),
            **dict.fromkeys(("allOf", "anyOf", "oneOf"), self._schemas),
            **dict.fromkeys(("not", "items", "additionalProperties", "propertyNames"), self._schema),
            "type": self._type,
            "enum": self._enum,
            "const": lambda _name, value, _path: value,
            "required": self._required,
            "properties": self._members,
            "patternProperties": self._patterns,
            "uniqueItems": self._flag,
            "pattern": self._pattern,
        }

    def _fault(self, path: SchemaPath, text: str) -> None:
        self.faults.append((path, text))

    def schema(self, schema: Json, path: SchemaPath) -> dict[str, Json] | bool:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            self._fault(path, "a schema must be an object or a boolean")
            return True
        result: dict[str, Json] = {}
        for name, value in schema.items():
            here = (*path, name)
            if name in ANNOTATIONS or name.startswith("x-") or name == "nullable":
                continue
            if name in self._read and not (name.startswith("exclusive") and isinstance(value, bool)):
                result[name] = self._read[name](name, value, here)
            elif name == "$ref":
                self._fault(here, "a reference stands where none is possible")
            elif name not in self._read:
                self._fault(here, f"the keyword {name} is not available yet, and would not be enforced")
        self._translate(schema, result, path)
        return result

    def _translate(self, schema: Mapping[str, Json], result: dict[str, Json], path: SchemaPath) -> None:
        """Apply what OpenAPI 3.0 says differently from JSON Schema."""
        nullable = schema.get("nullable", False)
        if not isinstance(nullable, bool):
            self._fault((*path, "nullable"), "nullable must be true or false")
        elif nullable and "type" in result and "null" not in result["type"]:
            result["type"] = [*result["type"], "null"]
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if schema.get(exclusive) is True:
                if bound in result:
                    result[exclusive] = result.pop(bound)
                else:
                    self._fault((*path, exclusive), f"{exclusive} is true, but there is no {bound}")

    def _type(self, _name: str, value: Json, path: SchemaPath) -> list[str]:
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name in TYPES for name in names):
            self._fault(path, f"a type must be one or more of {', '.join(TYPES)}")
            return []
        return list(dict.fromkeys(names))

    def _enum(self, _name: str, value: Json, path: SchemaPath) -> Json:
        if not isinstance(value, list) or not value:
            self._fault(path, "enum must be a list of at least one value")
        return value

    def _required(self, _name: str, value: Json, path: SchemaPath) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self._fault(path, "required must be a list of names")
            return []
        return list(dict.fromkeys(value))

    def _length(self, name: str, value: Json, path: SchemaPath) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value // 1:
            self._fault(path, f"{name} must be a whole number of at least 0")
            return 0
        return int(value)

    def _number(self, name: str, value: Json, path: SchemaPath) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._fault(path, f"{name} must be a number")
            return 0
        if name == "multipleOf" and value <= 0:
            self._fault(path, "multipleOf must be above 0")
        return int(value) if value == int(value) else value

    def _flag(self, name: str, value: Json, path: SchemaPath) -> bool:
        if not isinstance(value, bool):
            self._fault(path, f"{name} must be true or false")
        return value is True

    def _pattern(self, _name: str, value: Json, path: SchemaPath) -> Json:
        if not isinstance(value, str):
            self._fault(path, "a pattern must be a string")
            return ""
        try:
            translate(value)
        except PatternFault as fault:
            self._fault(path, f"the pattern cannot be used: {fault}")
        return value

    def _schema(self, _name: str, value: Json, path: SchemaPath) -> Json:
        return self.schema(value, path)

    def _schemas(self, name: str, value: Json, path: SchemaPath) -> Json:
        if not isinstance(value, list) or not value:
            self._fault(path, f"{name} must be a list of at least one schema")
            return [True]
        return [self.schema(item, (*path, index)) for index, item in enumerate(value)]

    def _members(self, name: str, value: Json, path: SchemaPath) -> dict[str, Json]:
        if not isinstance(value, dict):
            self._fault(path, f"{name} must be an object of schemas")
            return {}
        return {key: self.schema(item, (*path, key)) for key, item in value.items()}

    def _patterns(self, name: str, value: Json, path: SchemaPath) -> dict[str, Json]:
        members = self._members(name, value, path)
        for pattern in members:
            self._pattern(name, pattern, (*path, pattern))
        return members


def map_schemas(schema: Mapping[str, Json], change: Callable[[Json], Json]) -> dict[str, Json]:
    """Copy a schema with each schema directly inside it changed."""
    result: dict[str, Json] = {}
    for name, value in schema.items():
        if name in SCHEMA_MEMBERS:
            result[name] = {key: change(member) for key, member in value.items()}
        elif name in SCHEMA_ITEMS:
            result[name] = [change(branch) for branch in value]
        else:
            result[name] = change(value) if name in SCHEMA_VALUE else value
    return result
