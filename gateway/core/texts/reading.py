"""Text to JSON values: what parameters and fields of forms, which are but text, are meant to be.

A schema says which JSON types a value may have; text is read as one of these only in JSON's own canonical
spelling, so that no two readers can take it for different values. Where a string is allowed, text is a
string. What fits no type stays a string, and the schema refuses it. Reading judges nothing: a reading may
allow more than its schema, never less.
"""

from __future__ import annotations

import math
import re
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.core.parse import INTEGER_MAX, INTEGER_MIN
from gateway.core.schema.plain import TYPES
from gateway.core.types import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.core.types import Json, Plain

    _Merge: TypeAlias = Callable[[Reading, Reading], Reading]

MAX_LEVELS: Final = 8
"""How many levels of arrays and objects a reading describes; what is below is read as strings."""
_ALL: Final = frozenset(TYPES)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_CONSTANTS: Final = {"true": ("boolean", True), "false": ("boolean", False), "null": ("null", None)}

STRINGS: Final = Reading(frozenset(("string",)))
"""Reads every text as a string."""
ANYTHING: Final = Reading(_ALL)
"""The reading of a schema that says nothing: strings, but arrays and objects are not excluded."""
NOTHING: Final = Reading(frozenset())
"""The reading of a schema that no value fits."""


def reading_of(schema: Plain, definitions: Mapping[str, Plain]) -> Reading:
    """Give how text is read for ``schema``, a plain schema whose references are keys of ``definitions``.

    Cost is linear in the schema with the definitions that it refers to, circular ones included: below
    :data:`MAX_LEVELS` levels everything is read as strings.
    """
    return _Reader(definitions).read(schema, MAX_LEVELS)


def types_of(schema: Plain, definitions: Mapping[str, Plain]) -> frozenset[str]:
    """Give the JSON types that ``schema`` does not exclude; as :func:`reading_of`, but looks no deeper."""
    return _Reader(definitions).read(schema, 0).types


def read_text(text: str, reading: Reading) -> Json:
    """Give what ``text`` stands for; itself where it stands for a string, or for nothing that is allowed."""
    if "string" in reading.types and (reading.texts is None or text in reading.texts):
        return text
    return read_scalar(text, reading.types)


def read_scalar(text: str, types: frozenset[str]) -> Json:
    """Give the boolean, number or null that ``text`` stands for if its type is among ``types``; else itself.

    The spelling is JSON's (RFC 8259 section 6), for integers without fraction and exponent; integers are
    within 64 bits and other numbers within a double, as in bodies.
    """
    constant = _CONSTANTS.get(text)
    if constant is not None:
        return constant[1] if constant[0] in types else text
    if "integer" in types and _INTEGER.fullmatch(text) and INTEGER_MIN <= int(text) <= INTEGER_MAX:
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def fits(value: Json, reading: Reading) -> bool:
    """Say whether a value is of a type that ``reading`` allows, and a string one of those that it lists."""
    if isinstance(value, str) and reading.texts is not None and value not in reading.texts:
        return False
    return not reading.types.isdisjoint(_NAMES[type(value)])


class _Reader:
    """Makes readings of the schemas that share ``definitions``, each reference once for each level."""

    def __init__(self, definitions: Mapping[str, Plain]) -> None:
        self._definitions = definitions
        self._known: dict[tuple[str, int], Reading] = {}

    def read(self, schema: Plain, levels: int) -> Reading:
        """Read a schema, of arrays and objects at most ``levels`` deep."""
        if isinstance(schema, bool):
            return ANYTHING if schema else NOTHING
        parts = [self._own(schema, levels)]
        if "$ref" in schema:
            parts.append(self._reference(schema["$ref"], levels))
        parts += [self.read(branch, levels) for branch in schema.get("allOf", ())]
        parts += [
            reduce(_either, [self.read(branch, levels) for branch in schema[name]])
            for name in ("anyOf", "oneOf")
            if name in schema
        ]
        reading = reduce(_both, parts)
        for branch in _conditional(schema):
            reading = _described(reading, self.read(branch, levels))
        return reading

    def _reference(self, name: str, levels: int) -> Reading:
        key = name, levels
        if key not in self._known:
            self._known[key] = ANYTHING  # for a definition that leads back to itself, which is none
            self._known[key] = self.read(self._definitions[name], levels)
        return self._known[key]

    def _own(self, schema: dict[str, Any], levels: int) -> Reading:
        """Read what a schema itself says, its branches aside."""
        types, texts = _types(schema)
        if not levels:
            return Reading(types, texts=texts)
        below = levels - 1
        items = [
            self.read(item, below)
            for item in (*schema.get("prefixItems", ()), schema.get("items"))
            if item is not None
        ]
        others = [
            self.read(schema[name], below)
            for name in ("additionalProperties", "unevaluatedProperties")
            if isinstance(schema.get(name), dict)
        ]
        others += [self.read(member, below) for member in schema.get("patternProperties", {}).values()]
        return Reading(
            types,
            reduce(_either, items) if items else None,
            {name: self.read(member, below) for name, member in schema.get("properties", {}).items()},
            reduce(_either, others) if others else None,
            texts,
        )


def _types(schema: Mapping[str, Json]) -> tuple[frozenset[str], frozenset[str] | None]:
    """Give the types that ``type``, ``enum`` and ``const`` leave, and the strings that these list."""
    types = frozenset(schema.get("type", _ALL))
    if "number" in types:
        types |= {"integer"}
    texts: frozenset[str] | None = None
    for values in (schema.get("enum"), [schema["const"]] if "const" in schema else None):
        if values is not None:
            types &= frozenset().union(*map(_types_of, values))
            listed = frozenset(value for value in values if isinstance(value, str))
            texts = listed if texts is None else texts & listed
    return types, texts


def _types_of(value: Json) -> frozenset[str]:
    """Give the names of a value's type."""
    return _NAMES[type(value)]


_NAMES: Final[Mapping[type, frozenset[str]]] = {
    bool: frozenset(("boolean",)),
    str: frozenset(("string",)),
    int: frozenset(("integer", "number")),
    float: frozenset(("integer", "number")),
    list: frozenset(("array",)),
    dict: frozenset(("object",)),
    type(None): frozenset(("null",)),
}


def _conditional(schema: dict[str, Any]) -> Iterable[Plain]:
    """Give the schemas that hold under a condition."""
    return (
        *(schema[name] for name in ("then", "else") if name in schema),
        *schema.get("dependentSchemas", {}).values(),
    )


def _either(one: Reading, other: Reading) -> Reading:
    """Read what one of two readings allows."""
    if not one.types or not other.types:
        return one if one.types else other
    return _merged(one, other, one.types | other.types, _either, _any_text(one, other))


def _both(one: Reading, other: Reading) -> Reading:
    """Read what both of two readings allow."""
    texts = (
        one.texts if other.texts is None else other.texts if one.texts is None else one.texts & other.texts
    )
    return _merged(one, other, one.types & other.types, _both, texts)


def _described(reading: Reading, more: Reading) -> Reading:
    """Add to a reading what another says of items and properties that it does not describe itself."""
    merged = _merged(reading, more, reading.types, _either, reading.texts)
    return Reading(merged.types, merged.items, merged.properties, reading.others, merged.texts)


def _any_text(one: Reading, other: Reading) -> frozenset[str] | None:
    if "string" not in one.types or "string" not in other.types:
        return one.texts if "string" in one.types else other.texts
    return None if one.texts is None or other.texts is None else one.texts | other.texts


def _merged(
    one: Reading, other: Reading, types: frozenset[str], merge: _Merge, texts: frozenset[str] | None
) -> Reading:
    properties = dict(one.properties)
    for name, reading in other.properties.items():
        properties[name] = merge(properties[name], reading) if name in properties else reading
    items = _merged_one(one.items, other.items, merge)
    return Reading(types, items, properties, _merged_one(one.others, other.others, merge), texts)


def _merged_one(one: Reading | None, other: Reading | None, merge: _Merge) -> Reading | None:
    if one is None or other is None:
        return one or other
    return merge(one, other)
