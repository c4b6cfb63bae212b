"""What a schema says about a value at first sight, without compiling it.

Of a choice between schemas this tells which ones can be meant at all: by the value's type, and by *tags*,
properties for which a schema lists the values (``type: {const: text}``).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from gateway.core.schema.equality import canonical
from gateway.core.schema.plain import TYPES
from gateway.core.schema.rules import TYPE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.core.types import Json, Plain

_NUMBERS: Final = frozenset(("integer", "number"))
_MAX_TAG_VALUES: Final = 200
Tag: TypeAlias = "dict[str, Json]"
"""The values that a property may have, by their canonical text."""


class Shape(NamedTuple):
    """What holds for every value that fits a schema; values that do not fit may have it, too.

    ``types``, in the order in which the schema names them, are the JSON types that it can have (all of them:
    anything). If it is an object, it has the ``required`` properties, and each of ``tags``, if it is there,
    has one of the values. ``names`` are the properties that the schema has rules for; it may have others.
    """

    types: tuple[str, ...]
    required: frozenset[str] = frozenset()
    tags: Mapping[str, Tag] = MappingProxyType({})
    names: frozenset[str] = frozenset()


ANYTHING: Final = Shape(TYPES)
_NOTHING: Final = Shape(())


class Shapes:
    """Gives the shapes of schemas whose ``$ref`` name ``definitions``."""

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._known: dict[int, tuple[Plain, Shape]] = {}

    def of(self, schema: Plain) -> Shape:
        """Give the shape of a schema, which must not be changed afterwards."""
        if isinstance(schema, bool):
            return ANYTHING if schema else _NOTHING
        known = self._known.get(id(schema))
        if known is None:
            # Were a reference to lead back here without going down into the value, this would be its answer.
            self._known[id(schema)] = schema, ANYTHING
            known = self._known[id(schema)] = schema, self._shape(schema)
        return known[1]

    def _shape(self, schema: Mapping[str, Json]) -> Shape:
        properties = schema.get("properties", {})
        shape = Shape(
            _types(schema),
            frozenset(schema.get("required", ())),
            self._tags(properties),
            frozenset(properties),
        )
        parts = list(schema.get("allOf", ()))
        if "$ref" in schema:
            parts.append(self._definitions[schema["$ref"]])
        for part in parts:
            shape = _both(shape, self.of(part))
        for name in ("anyOf", "oneOf"):
            if name in schema:
                shape = _both(shape, either([self.of(branch) for branch in schema[name]]))
        return shape

    def _tags(self, properties: Mapping[str, Plain]) -> dict[str, Tag]:
        tags: dict[str, Tag] = {}
        for name, member in properties.items():
            values = self._values(member)
            if values is not None:
                tags[name] = values
        return tags

    def _values(self, schema: Plain) -> Tag | None:
        """Give the values that a schema lists: its own, or those of what it refers to."""
        if isinstance(schema, bool):
            return None
        if "const" in schema:
            return {canonical(schema["const"]): schema["const"]}
        if "enum" in schema:
            listed = schema["enum"]
            if len(listed) > _MAX_TAG_VALUES or any(isinstance(value, dict | list) for value in listed):
                return None
            return {canonical(value): value for value in listed}
        if "$ref" in schema:
            target = self._definitions[schema["$ref"]]
            return self._values(target) if isinstance(target, dict) and "$ref" not in target else None
        return None


def _types(schema: Mapping[str, Json]) -> tuple[str, ...]:
    if "type" in schema:
        return tuple(schema["type"])
    if "const" in schema or "enum" in schema:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        return tuple(dict.fromkeys(TYPE_OF[type(value)] for value in values))
    return TYPES


def _both(one: Shape, other: Shape) -> Shape:
    """Give the shape of what fits both."""
    first, second = (other, one) if one.types == TYPES else (one, other)
    types = dict.fromkeys(
        name if name in second.types or name != "number" else "integer"
        for name in first.types
        if name in second.types or (name in _NUMBERS and not _NUMBERS.isdisjoint(second.types))
    )
    tags = {**other.tags, **one.tags}
    for name in one.tags.keys() & other.tags.keys():
        both = {text: value for text, value in one.tags[name].items() if text in other.tags[name]}
        tags[name] = both or one.tags[name]
    return Shape(tuple(types), one.required | other.required, tags, one.names | other.names)


def either(shapes: Iterable[Shape]) -> Shape:
    """Give the shape of what fits one of several, at least one; what is not an object has no tags."""
    several = list(shapes)
    types = tuple(dict.fromkeys(name for shape in several for name in shape.types))
    several = [shape for shape in several if "object" in shape.types]
    if not several:
        return Shape(types)
    required = frozenset[str].intersection(*(shape.required for shape in several))
    tags: dict[str, Tag] = {}
    for name in several[0].tags:
        if all(name in shape.tags for shape in several):
            tags[name] = {text: value for shape in several for text, value in shape.tags[name].items()}
    names = frozenset[str]().union(*(shape.names for shape in several))
    return Shape(types, required, tags, names)
